#include "simulacra/model.hpp"

#include <algorithm>
#include <array>
#include <cstdio>
#include <string>

#include "onnxruntime_c_api.h"
#include "simulacra/random.hpp"

namespace simulacra {
namespace {

constexpr std::uint32_t api_version = 14;  // of ONNX Runtime 1.14; later libraries have it, too

const OrtApi& ort() {
  static const OrtApi* const api = OrtGetApiBase()->GetApi(api_version);
  if (api == nullptr) throw BundleError("onnxruntime: expected at least 1.14, found an older one.");
  return *api;
}

void check(OrtStatus* status) {
  if (status == nullptr) return;
  const std::string reason = ort().GetErrorMessage(status);
  ort().ReleaseStatus(status);
  throw BundleError("onnxruntime refuses the graph (" + reason.substr(0, 200) + ").");
}

template <typename T>
using Owned = std::unique_ptr<T, void (*)(T*)>;

void refuse_old_runtime(const std::string& wanted) {
  const std::string found = OrtGetApiBase()->GetVersionString();
  std::array<int, 2> least{}, have{};
  if (std::sscanf(wanted.c_str(), "%d.%d", &least[0], &least[1]) != 2 ||
      std::sscanf(found.c_str(), "%d.%d", &have[0], &have[1]) != 2 || have < least)
    throw BundleError("onnxruntime: the graphs need a newer version than " + found + ".");
}

Owned<OrtValue> tensor(const float* data, std::size_t rows, std::size_t columns) {
  OrtMemoryInfo* raw_info = nullptr;
  check(ort().CreateCpuMemoryInfo(OrtDeviceAllocator, OrtMemTypeDefault, &raw_info));
  const Owned<OrtMemoryInfo> info(raw_info, ort().ReleaseMemoryInfo);
  const std::array<std::int64_t, 2> shape{static_cast<std::int64_t>(rows),
                                          static_cast<std::int64_t>(columns)};
  OrtValue* value = nullptr;
  check(ort().CreateTensorWithDataAsOrtValue(
      info.get(), const_cast<float*>(data), rows * columns * sizeof(float), shape.data(),
      shape.size(), ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT, &value));  // an input is only read
  return {value, ort().ReleaseValue};
}

void refuse_another_shape(const OrtValue* value, std::size_t rows, std::size_t columns) {
  OrtTensorTypeAndShapeInfo* raw = nullptr;
  check(ort().GetTensorTypeAndShape(value, &raw));
  const Owned<OrtTensorTypeAndShapeInfo> info(raw, ort().ReleaseTensorTypeAndShapeInfo);
  ONNXTensorElementDataType type{};
  std::size_t rank = 0;
  check(ort().GetTensorElementType(raw, &type));
  check(ort().GetDimensionsCount(raw, &rank));
  std::array<std::int64_t, 2> shape{};
  if (rank == 2) check(ort().GetDimensions(raw, shape.data(), rank));
  if (type != ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT ||
      shape[0] != static_cast<std::int64_t>(rows) || shape[1] != static_cast<std::int64_t>(columns))
    throw BundleError("the graph gave showers of another shape; export the model again.");
}

void refuse_outside(const std::vector<Condition>& known, const std::vector<float>& given) {
  for (std::size_t i = 0; i < given.size(); ++i) {
    const Condition& one = known[i % known.size()];
    const float value = given[i];
    const bool inside =
        one.values.empty()
            ? value >= static_cast<float>(one.accepted[0]) &&
                  value <= static_cast<float>(one.accepted[1])
            : std::count(one.values.begin(), one.values.end(), static_cast<double>(value)) != 0;
    if (!inside)
      throw RangeError("condition " + std::to_string(i % known.size()) + " of shower " +
                       std::to_string(i / known.size()) + ": " + std::to_string(value) +
                       " lies outside what the model was trained with (from " +
                       std::to_string(one.accepted[0]) + " to " + std::to_string(one.accepted[1]) +
                       "); export a model that covers it.");
  }
}

}  // namespace

class Model::Sessions {
 public:
  Sessions(const std::filesystem::path& folder, const Manifest& manifest, int threads) {
    OrtEnv* env = nullptr;
    check(ort().CreateEnv(ORT_LOGGING_LEVEL_ERROR, "simulacra", &env));
    env_.reset(env);
    single_ = open(verified_graph(folder / "model.onnx", manifest.single_digest), threads);
    batch_ = open(verified_graph(folder / "model_batch.onnx", manifest.batch_digest), threads);
  }

  OrtSession* of(std::size_t showers) const { return showers == 1 ? single_.get() : batch_.get(); }

 private:
  Owned<OrtSession> open(const std::string& graph, int threads) const {
    OrtSessionOptions* raw = nullptr;
    check(ort().CreateSessionOptions(&raw));
    const Owned<OrtSessionOptions> options(raw, ort().ReleaseSessionOptions);
    check(ort().SetIntraOpNumThreads(raw, threads));
    check(ort().SetInterOpNumThreads(raw, 1));
    OrtSession* session = nullptr;
    check(ort().CreateSessionFromArray(env_.get(), graph.data(), graph.size(), raw, &session));
    return {session, ort().ReleaseSession};
  }

  Owned<OrtEnv> env_{nullptr, ort().ReleaseEnv};
  Owned<OrtSession> single_{nullptr, ort().ReleaseSession};
  Owned<OrtSession> batch_{nullptr, ort().ReleaseSession};
};

Model::Model(const std::filesystem::path& folder, int threads) : manifest_(read_manifest(folder)) {
  if (threads < 1) throw RangeError("threads: expected at least 1.");
  refuse_old_runtime(manifest_.onnxruntime);
  sessions_ = std::make_unique<Sessions>(folder, manifest_, threads);
}

Model::~Model() = default;
Model::Model(Model&&) noexcept = default;
Model& Model::operator=(Model&&) noexcept = default;

const Manifest& Model::manifest() const { return manifest_; }

std::vector<float> Model::draw(const std::vector<float>& conditions, std::uint64_t seed,
                               std::uint64_t first_event, std::size_t batch_size) const {
  const std::size_t columns = manifest_.conditions.size();
  if (conditions.size() % columns != 0)
    throw RangeError("conditions: expected " + std::to_string(columns) + " numbers per shower.");
  if (batch_size == 0) throw RangeError("batch size: expected at least 1.");
  refuse_outside(manifest_.conditions, conditions);
  const std::size_t showers = conditions.size() / columns;
  std::vector<float> out_mev(showers * manifest_.voxels);
  std::vector<float> noise(std::min(batch_size, showers) * manifest_.noise_size);
  for (std::size_t start = 0; start < showers; start += batch_size) {
    const std::size_t count = std::min(batch_size, showers - start);
    for (std::size_t i = 0; i < count; ++i)
      normal(seed, first_event + start + i, noise.data() + i * manifest_.noise_size,
             manifest_.noise_size);
    run(noise.data(), conditions.data() + start * columns, count,
        out_mev.data() + start * manifest_.voxels);
  }
  return out_mev;
}

std::vector<float> Model::run(const std::vector<float>& noise,
                              const std::vector<float>& conditions) const {
  const std::size_t showers = noise.size() / manifest_.noise_size;
  if (noise.size() != showers * manifest_.noise_size ||
      conditions.size() != showers * manifest_.conditions.size())
    throw RangeError("noise: expected " + std::to_string(manifest_.noise_size) +
                     " numbers per shower, and " + std::to_string(manifest_.conditions.size()) +
                     " conditions.");
  std::vector<float> out_mev(showers * manifest_.voxels);
  if (showers != 0) run(noise.data(), conditions.data(), showers, out_mev.data());
  return out_mev;
}

void Model::run(const float* noise, const float* conditions, std::size_t showers,
                float* out_mev) const {
  const auto noise_input = tensor(noise, showers, manifest_.noise_size);
  const auto condition_input = tensor(conditions, showers, manifest_.conditions.size());
  const std::array<const char*, 2> names{"noise", "condition"};
  const std::array<const OrtValue*, 2> inputs{noise_input.get(), condition_input.get()};
  const char* const output_name = "energies";
  OrtValue* raw = nullptr;
  check(ort().Run(sessions_->of(showers), nullptr, names.data(), inputs.data(), inputs.size(),
                  &output_name, 1, &raw));
  const Owned<OrtValue> output(raw, ort().ReleaseValue);
  refuse_another_shape(raw, showers, manifest_.voxels);
  void* energies = nullptr;
  check(ort().GetTensorMutableData(raw, &energies));
  const auto* const first = static_cast<const float*>(energies);
  std::copy(first, first + showers * manifest_.voxels, out_mev);
}

}  // namespace simulacra
