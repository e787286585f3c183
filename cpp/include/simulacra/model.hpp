// Draw showers from a bundle with ONNX Runtime.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <vector>

#include "simulacra/bundle.hpp"
#include "simulacra/error.hpp"

namespace simulacra {

// A loaded bundle. Shower i is a function of the model, its conditions, the seed and the event
// number alone; it is the shower that Python draws, up to rounding. All methods are const and may
// be called from any number of threads at once: they share the sessions and no other state.
class Model {
 public:
  // `threads` are those of one evaluation; leave it at 1 where the caller has threads of its own.
  // Throws BundleError, or RangeError if `threads` is below 1.
  explicit Model(const std::filesystem::path& folder, int threads = 1);
  ~Model();
  Model(Model&&) noexcept;
  Model& operator=(Model&&) noexcept;

  const Manifest& manifest() const;

  // Voxel energies in MeV, showers after each other. `conditions` are rows in the order of
  // manifest().conditions, in MeV, mm and rad. The first shower is event `first_event` of the set
  // `seed`. Throws RangeError if a condition lies outside the accepted range.
  std::vector<float> draw(const std::vector<float>& conditions, std::uint64_t seed,
                          std::uint64_t first_event = 0, std::size_t batch_size = 256) const;

  // Turn somebody's own standard normal numbers (CLHEP's) into showers; conditions beyond the
  // range are clamped by the graph. `noise` holds manifest().noise_size numbers per shower.
  std::vector<float> run(const std::vector<float>& noise,
                         const std::vector<float>& conditions) const;

 private:
  class Sessions;
  void run(const float* noise, const float* conditions, std::size_t showers, float* out_mev) const;

  Manifest manifest_;
  std::unique_ptr<Sessions> sessions_;
};

}  // namespace simulacra
