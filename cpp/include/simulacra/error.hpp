// What the library throws; what() is one sentence.
#pragma once

#include <stdexcept>

namespace simulacra {

struct Error : std::runtime_error {
  using std::runtime_error::runtime_error;
};

// The bundle is incomplete, changed, newer than this library, or not to be trusted.
struct BundleError : Error {
  using Error::Error;
};

// A condition or a size lies outside of what the model accepts.
struct RangeError : Error {
  using Error::Error;
};

}  // namespace simulacra
