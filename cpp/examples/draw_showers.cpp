// draw_showers BUNDLE SEED FIRST_EVENT BATCH THREADS OUT [CONDITIONS OF ONE SHOWER]... : float32, MeV
// Without threads of its own a program calls Model::draw once; here each thread draws a part.
#include <cstdlib>
#include <exception>
#include <fstream>
#include <iostream>
#include <string>
#include <thread>
#include <vector>

#include "simulacra/model.hpp"

namespace {

std::vector<float> draw_in_threads(const simulacra::Model& model, const std::vector<float>& table,
                                   std::uint64_t seed, std::uint64_t first_event, std::size_t batch,
                                   std::size_t threads) {
  const std::size_t columns = model.manifest().conditions.size();
  const std::size_t showers = table.size() / columns;
  const auto edge = [&](std::size_t i) { return i * showers / threads; };
  std::vector<std::vector<float>> parts(threads);
  std::vector<std::exception_ptr> failed(threads);
  std::vector<std::thread> workers;
  for (std::size_t i = 0; i < threads; ++i)
    workers.emplace_back([&, i] {
      try {
        const auto row = [&](std::size_t place) {
          return table.begin() + static_cast<std::ptrdiff_t>(place * columns);
        };
        parts[i] = model.draw({row(edge(i)), row(edge(i + 1))}, seed, first_event + edge(i), batch);
      } catch (...) {
        failed[i] = std::current_exception();
      }
    });
  for (std::thread& worker : workers) worker.join();
  for (const std::exception_ptr& error : failed)
    if (error) std::rethrow_exception(error);
  std::vector<float> all;
  for (const auto& part : parts) all.insert(all.end(), part.begin(), part.end());
  return all;
}

}  // namespace

int main(int argc, char** argv) try {
  if (argc < 8) {
    std::cerr << "draw_showers BUNDLE SEED FIRST_EVENT BATCH THREADS OUT CONDITIONS...\n";
    return 2;
  }
  const simulacra::Model model(argv[1]);
  std::vector<float> table;
  for (int i = 7; i < argc; ++i) table.push_back(std::stof(argv[i]));
  if (table.size() % model.manifest().conditions.size() != 0)
    throw simulacra::RangeError("conditions: expected " +
                                std::to_string(model.manifest().conditions.size()) +
                                " numbers per shower.");
  const std::size_t threads = std::stoul(argv[5]);
  if (threads == 0) throw simulacra::RangeError("threads: expected at least 1.");
  const auto showers = draw_in_threads(model, table, std::stoull(argv[2]), std::stoull(argv[3]),
                                       std::stoul(argv[4]), threads);
  std::ofstream out(argv[6], std::ios::binary);
  out.write(reinterpret_cast<const char*>(showers.data()),
            static_cast<std::streamsize>(showers.size() * sizeof(float)));
  return out.flush() ? 0 : 1;
} catch (const std::exception& error) {
  std::cerr << error.what() << '\n';
  return 1;
}
