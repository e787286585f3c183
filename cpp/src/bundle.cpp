#include "simulacra/bundle.hpp"

#include <cmath>
#include <cstdint>
#include <fstream>

#include "graph.hpp"
#include "json.hpp"
#include "sha256.hpp"
#include "simulacra/error.hpp"
#include "simulacra/random.hpp"

namespace simulacra {
namespace {

namespace fs = std::filesystem;

constexpr double schema = 1;
constexpr double most_numbers = 1e7;  // noise or voxels of one shower
constexpr std::uintmax_t mib = 1024 * 1024;

std::string bytes_of(const fs::path& file, std::uintmax_t most) {
  std::error_code ignored;
  const fs::file_status status = fs::symlink_status(file, ignored);
  if (fs::is_symlink(status))
    throw BundleError("is a link; a bundle holds its files itself, nothing else is read.");
  if (!fs::is_regular_file(status)) throw BundleError("missing; the bundle is incomplete.");
  const std::uintmax_t size = fs::file_size(file, ignored);
  if (ignored || size > most) throw BundleError("is too large for a file of a bundle.");
  std::string content(static_cast<std::size_t>(size), '\0');
  std::ifstream stream(file, std::ios::binary);
  if (!stream.read(content.data(), static_cast<std::streamsize>(size)))
    throw BundleError("cannot be read.");
  return content;
}

// What a stranger wrote, as it may stand in a message.
std::string quoted(const std::string& text) {
  std::string found = "'";
  for (const char one : text.substr(0, 60)) found += one >= 0x20 && one < 0x7F ? one : '?';
  return found + "'";
}

std::size_t size_of(const Json& value) {
  const double found = value.number();
  if (found < 1 || found > most_numbers || found != std::floor(found))
    throw BundleError("states a size that no shower has; export the model again.");
  return static_cast<std::size_t>(found);
}

Condition condition_of(const Json& raw) {
  const Json::List& accepted = raw.at("accepted").list();
  if (accepted.size() != 2)
    throw BundleError("states a range without two ends; export the model again.");
  Condition found{raw.at("name").text(), raw.at("unit").text(),
                  {accepted[0].number(), accepted[1].number()}, {}};
  if (raw.has("values"))
    for (const Json& value : raw.at("values").list()) found.values.push_back(value.number());
  return found;
}

Manifest manifest_of(const Json& raw) {
  if (!raw.has("kind") || raw.at("kind").text() != "simulacra-bundle")
    throw BundleError("expected a bundle of `simulacra export`, found something else.");
  const double found = raw.at("schema").number();
  if (found > schema)
    throw BundleError("is of a newer schema than this library reads; install a newer simulacra.");
  if (found != schema) throw BundleError("is of an unknown schema; export the model again.");
  const std::string& law = raw.at("noise").at("law").text();
  if (law != noise_law)
    throw BundleError("expected the noise law '" + std::string(noise_law) + "', found " +
                      quoted(law) + "; this library would draw other showers.");
  Manifest manifest;
  manifest.name = raw.at("name").text();
  for (const Json& one : raw.at("conditions").list())
    manifest.conditions.push_back(condition_of(one));
  if (manifest.conditions.empty() || manifest.conditions[0].name != "incident_energy")
    throw BundleError("the first condition must be incident_energy; export the model again.");
  manifest.noise_size = size_of(raw.at("noise").at("size"));
  manifest.voxels = size_of(raw.at("output").at("voxels"));
  manifest.threshold_mev = raw.at("output").at("threshold_mev").number();
  manifest.onnxruntime = raw.at("requires").at("onnxruntime").text();
  manifest.single_digest = raw.at("files").at("model.onnx").text();
  manifest.batch_digest = raw.at("files").at("model_batch.onnx").text();
  return manifest;
}

}  // namespace

Manifest read_manifest(const fs::path& folder) {
  const fs::path file = folder / "manifest.json";
  try {
    return manifest_of(Json::parse(bytes_of(file, mib)));
  } catch (const BundleError& error) {
    throw BundleError(file.string() + ": " + error.what());
  }
}

std::string verified_graph(const fs::path& file, const std::string& digest) {
  try {
    std::string content = bytes_of(file, 2047 * mib);
    if (sha256(content) != digest)
      throw BundleError("was changed after it was written; refused.");
    refuse_strange_graph(content);
    return content;
  } catch (const BundleError& error) {
    throw BundleError(file.string() + ": " + error.what());
  }
}

}  // namespace simulacra
