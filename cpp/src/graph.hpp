// What stands in an ONNX file, read from its bytes.
#pragma once

#include <string_view>

namespace simulacra {

// Refuse graphs with numbers in other files or with operators beyond the ONNX standard.
// Throws BundleError.
void refuse_strange_graph(std::string_view content);

}  // namespace simulacra
