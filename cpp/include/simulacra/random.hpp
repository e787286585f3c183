// The noise law of simulacra: Philox4x32-10 words, normal numbers by Box and Muller.
//
// Word j of an event is output j % 4 of Philox4x32-10 (Salmon et al., SC 2011,
// doi:10.1145/2063384.2063405) with
//   key     = (seed mod 2^32, seed div 2^32)
//   counter = (j div 4, stream, event mod 2^32, event div 2^32)
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace simulacra {

inline constexpr char noise_law[] = "philox4x32-10/box-muller/1";

// Which draw of an event the numbers are for; a shower needs NOISE.
inline constexpr std::uint32_t stream_noise = 0;

using Words = std::array<std::uint32_t, 4>;

// Words 4 * block to 4 * block + 3 of an event's stream.
Words philox(std::uint64_t seed, std::uint64_t event, std::uint32_t stream, std::uint32_t block);

// Write the first `count` standard normal numbers of an event; single precision, as numpy has them.
void normal(std::uint64_t seed, std::uint64_t event, float* out, std::size_t count,
            std::uint32_t stream = stream_noise);

}  // namespace simulacra
