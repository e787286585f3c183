// ONNX files are Protocol Buffers; the numbers of the fields are those of onnx.proto
// (https://github.com/onnx/onnx/blob/main/onnx/onnx.proto).
#include "graph.hpp"

#include <cstdint>
#include <string>

#include "simulacra/error.hpp"

namespace simulacra {
namespace {

enum class Message { none, model, function, graph, node, attribute, sparse, tensor, opset };

Message inside(Message outer, std::uint64_t field) {
  switch (outer) {
    case Message::model:
      return field == 7    ? Message::graph
             : field == 25 ? Message::function
             : field == 8  ? Message::opset
                           : Message::none;
    case Message::function:
      return field == 7 ? Message::node : field == 9 ? Message::opset : Message::none;
    case Message::graph:
      return field == 1    ? Message::node
             : field == 5  ? Message::tensor
             : field == 15 ? Message::sparse
                           : Message::none;
    case Message::node:
      return field == 5 ? Message::attribute : Message::none;
    case Message::attribute:
      return field == 5 || field == 10   ? Message::tensor
             : field == 6 || field == 11 ? Message::graph
             : field == 22 || field == 23 ? Message::sparse
                                          : Message::none;
    case Message::sparse:
      return field == 1 || field == 2 ? Message::tensor : Message::none;
    default:
      return Message::none;
  }
}

[[noreturn]] void no_graph() { throw BundleError("expected an ONNX file, found other bytes."); }

std::uint64_t varint(std::string_view& rest) {
  std::uint64_t value = 0;
  for (unsigned shift = 0; shift < 64 && !rest.empty(); shift += 7) {
    const auto byte = static_cast<unsigned char>(rest.front());
    rest.remove_prefix(1);
    value |= std::uint64_t{byte & 0x7FU} << shift;
    if (byte < 0x80) return value;
  }
  no_graph();
}

void read(Message kind, std::string_view rest, int depth) {
  if (depth > 30) no_graph();
  while (!rest.empty()) {
    const std::uint64_t tag = varint(rest);
    const std::uint64_t field = tag >> 3, wire = tag & 7;
    if (wire == 0) {
      const std::uint64_t value = varint(rest);
      if (kind == Message::tensor && field == 14 && value == 1)
        throw BundleError("keeps numbers in other files (external data), which are not read.");
      continue;
    }
    const std::uint64_t size = wire == 2 ? varint(rest) : wire == 1 ? 8 : wire == 5 ? 4 : ~0ULL;
    if (size > rest.size()) no_graph();
    const std::string_view value = rest.substr(0, size);
    rest.remove_prefix(size);
    if (wire != 2) continue;
    if (kind == Message::tensor && field == 13)
      throw BundleError("keeps numbers in other files (external data), which are not read.");
    if (kind == Message::opset && field == 1 && !value.empty() && value != "ai.onnx")
      throw BundleError("uses operators beyond the ONNX standard, which may be any code.");
    const Message inner = inside(kind, field);
    if (inner != Message::none) read(inner, value, depth + 1);
  }
}

}  // namespace

void refuse_strange_graph(std::string_view content) { read(Message::model, content, 0); }

}  // namespace simulacra
