#include "simulacra/random.hpp"

#include <cmath>

namespace simulacra {

Words philox(std::uint64_t seed, std::uint64_t event, std::uint32_t stream, std::uint32_t block) {
  Words c{block, stream, static_cast<std::uint32_t>(event),
          static_cast<std::uint32_t>(event >> 32)};
  auto key0 = static_cast<std::uint32_t>(seed);
  auto key1 = static_cast<std::uint32_t>(seed >> 32);
  for (int round = 0; round < 10; ++round) {
    const std::uint64_t product0 = std::uint64_t{0xD2511F53U} * c[0];
    const std::uint64_t product1 = std::uint64_t{0xCD9E8D57U} * c[2];
    c = {static_cast<std::uint32_t>(product1 >> 32) ^ c[1] ^ key0,
         static_cast<std::uint32_t>(product1),
         static_cast<std::uint32_t>(product0 >> 32) ^ c[3] ^ key1,
         static_cast<std::uint32_t>(product0)};
    key0 += 0x9E3779B9U;
    key1 += 0xBB67AE85U;
  }
  return c;
}

void normal(std::uint64_t seed, std::uint64_t event, float* out, std::size_t count,
            std::uint32_t stream) {
  constexpr float per_turn = static_cast<float>(3.14159265358979323846 / 2147483648.0);
  for (std::size_t first = 0; first < count; first += 4) {
    const Words word = philox(seed, event, stream, static_cast<std::uint32_t>(first / 4));
    std::array<float, 4> four{};
    for (std::size_t k = 0; k < 4; k += 2) {
      const float uniform = (static_cast<float>(word[k]) + 0.5F) * 0x1p-32F;
      const float radius = std::sqrt(-2.0F * std::log(uniform));
      const float angle = static_cast<float>(static_cast<std::int32_t>(word[k + 1])) * per_turn;
      four[k] = radius * std::cos(angle);
      four[k + 1] = radius * std::sin(angle);
    }
    for (std::size_t k = 0; k < 4 && first + k < count; ++k) out[first + k] = four[k];
  }
}

}  // namespace simulacra
