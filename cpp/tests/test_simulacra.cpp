// The golden numbers were printed by
//   python -c "from simulacra.random import *; import numpy as np
//   print(words(5, [7], 8), normal(5, [7], 6, dtype=np.float64))
//   print(words(0x123456789ABCDEF0, [2**40 + 3], 6, stream=2))
//   print(normal(0x123456789ABCDEF0, [2**40 + 3], 5, dtype=np.float64, stream=2))"
#include <cmath>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <string>
#include <thread>
#include <vector>

#include "../src/graph.hpp"
#include "../src/json.hpp"
#include "../src/sha256.hpp"
#include "simulacra/model.hpp"
#include "simulacra/random.hpp"

using namespace simulacra;
namespace fs = std::filesystem;

namespace {

int failures = 0;

void expect(bool right, const std::string& what) {
  if (!right) std::cerr << "FAILED: " << what << '\n';
  failures += !right;
}

template <typename Call>
void expect_refused(Call call, const std::string& word) {
  try {
    call();
    expect(false, "nothing was refused: " + word);
  } catch (const Error& error) {
    expect(std::string(error.what()).find(word) != std::string::npos,
           "expected '" + word + "' in: " + error.what());
  }
}

void test_random() {
  expect(philox(5, 7, 0, 0) == Words{2595833470, 1313830135, 3701549359, 3743842292}, "block 0");
  expect(philox(5, 7, 0, 1) == Words{1109020519, 1724557356, 1547795888, 2797692198}, "block 1");
  const std::uint64_t seed = 0x123456789ABCDEF0, event = (1ULL << 40) + 3;
  expect(philox(seed, event, 2, 0) == Words{3305283245, 2023696436, 1335153832, 2843826914}, "64");
  const std::vector<double> small{-0.3452670624317987, 0.9422649526382109,   0.3774824777339872,
                                  -0.39356308938291806, -1.340537720046114, 0.9544066645161539};
  const std::vector<double> large{-0.7119351738282572, 0.13035277791798233, -0.8017490656321892,
                                  -1.3015349732527421, 0.5197880728716533};
  std::vector<float> drawn(6);
  normal(5, 7, drawn.data(), 6);
  for (std::size_t i = 0; i < 6; ++i) expect(std::abs(drawn[i] - small[i]) < 1e-6, "normal");
  normal(seed, event, drawn.data(), 5, 2);
  for (std::size_t i = 0; i < 5; ++i) expect(std::abs(drawn[i] - large[i]) < 1e-6, "normal, 64");
}

void test_sha256() {  // FIPS 180-4 examples; lengths around the padding
  expect(sha256("abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad", "abc");
  expect(sha256("") == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", "empty");
  expect(sha256("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq") ==
             "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1",
         "two blocks");
}

void test_json() {
  const Json found = Json::parse(R"( {"a": [1, -2.5e1, "\u00e9\n"], "b": {"c": true}} )");
  expect(found.at("a").list()[1].number() == -25, "number");
  expect(found.at("a").list()[2].text() == "\xC3\xA9\n", "text");
  for (const char* wrong : {"", "{", "[1,]", "01", "1.", "NaN", "{\"a\":1,\"a\":2}", "[1] 2",
                            "\"\\x\"", "\"\\ud800\"", "nul", "+1", "1e999", "'a'"})
    expect_refused([&] { Json::parse(wrong); }, "is not JSON");
  expect_refused([] { Json::parse(std::string(100000, '[')); }, "is not JSON");
  expect_refused([&] { found.at("z"); }, "no entry");
}

std::string content_of(const fs::path& file) {
  std::ifstream stream(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(stream), {}};
}

void test_refusals(const fs::path& bundle, const fs::path& scratch) {
  const std::string manifest = content_of(bundle / "manifest.json");
  const auto spoilt = [&](const std::string& from, const std::string& to) {
    std::string text = manifest;
    const auto place = text.find(from);
    expect(place != text.npos, "the manifest says " + from);
    if (place != text.npos) text.replace(place, from.size(), to);
    fs::remove_all(scratch);
    fs::copy(bundle, scratch);
    std::ofstream(scratch / "manifest.json", std::ios::binary) << text;
  };
  const auto load = [&] { Model{scratch}; };
  spoilt("\"schema\": 1", "\"schema\": 2"), expect_refused(load, "newer schema");
  spoilt("box-muller/1", "box-muller/2"), expect_refused(load, "noise law");
  spoilt("simulacra-bundle", "other"), expect_refused(load, "something else");
  spoilt("\"size\": ", "\"size\": -"), expect_refused(load, "a size");
  spoilt("\"onnxruntime\": \"1.14", "\"onnxruntime\": \"99.14"), expect_refused(load, "newer version");
  spoilt("{", "{ \"further\": {\"x\": null},"), load();  // entries of later exporters are allowed
  std::ofstream(scratch / "model.onnx", std::ios::app) << "x";
  expect_refused(load, "was changed");
  fs::remove(scratch / "model.onnx"), expect_refused(load, "missing");
  fs::create_symlink(fs::absolute(bundle / "model.onnx"), scratch / "model.onnx");
  expect_refused(load, "is a link");
  expect_refused([] { refuse_strange_graph("\x42\x03\x0a\x01x"); }, "beyond the ONNX standard");
  expect_refused([] { refuse_strange_graph("\x3a\x04\x2a\x02\x70\x01"); }, "external data");
  expect_refused([] { refuse_strange_graph("\x3a\x7f"); }, "other bytes");
  fs::remove_all(scratch);
}

void test_draws(const Model& model) {
  const std::size_t columns = model.manifest().conditions.size(), showers = 16;
  std::vector<float> row, table;
  for (const Condition& one : model.manifest().conditions)
    row.push_back(static_cast<float>(one.values.empty() ? (one.accepted[0] + one.accepted[1]) / 2
                                                        : one.values[0]));
  for (std::size_t i = 0; i < showers; ++i) table.insert(table.end(), row.begin(), row.end());
  const std::vector<float> whole = model.draw(table, 3, 10);
  std::vector<std::vector<float>> each(showers);
  std::vector<std::thread> workers;
  for (std::size_t i = 0; i < showers; ++i)
    workers.emplace_back([&, i] { each[i] = model.draw(row, 3, 10 + i); });
  for (std::thread& worker : workers) worker.join();
  const std::size_t voxels = model.manifest().voxels;
  for (std::size_t i = 0; i < showers; ++i)
    for (std::size_t j = 0; j < voxels; ++j)
      expect(std::abs(each[i][j] - whole[i * voxels + j]) <= 1e-5F * std::abs(each[i][j]), "thread");
  expect(each[0] != each[1], "another event is another shower");
  std::vector<float> noise(model.manifest().noise_size);
  normal(3, 10, noise.data(), noise.size());
  expect(model.run(noise, row) == each[0], "one's own noise");
  noise.pop_back();
  expect_refused([&] { model.run(noise, row); }, "noise: expected");
  expect_refused([&] { model.draw(std::vector<float>(columns + 1, 1.F), 1); }, "per shower");
  for (const float wrong : {1e9F, -1.F, std::nanf("")}) {
    row[0] = wrong;
    expect_refused([&] { model.draw(row, 1); }, "lies outside");
  }
  expect(model.draw({}, 1).empty(), "no showers");
}

}  // namespace

int main(int argc, char** argv) {
  test_random();
  test_sha256();
  test_json();
  if (argc > 2) {
    test_draws(Model(argv[1]));
    test_refusals(argv[1], argv[2]);
  }
  std::cout << (failures == 0 ? "all right" : "failed") << '\n';
  return failures == 0 ? 0 : 1;
}
