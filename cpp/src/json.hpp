// A strict reader of JSON (RFC 8259), for manifests: no NaN, no doubled names, limited depth.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace simulacra {

class Json {
 public:
  using List = std::vector<Json>;
  using Object = std::map<std::string, Json>;

  Json() = default;
  template <typename T>
  explicit Json(T value) : value_(std::move(value)) {}

  // Throws BundleError if the text is not JSON.
  static Json parse(std::string_view text);

  // Each throws BundleError if the value is of another kind, or the entry is missing.
  const Json& at(const std::string& name) const;
  const Object& object() const;
  const List& list() const;
  const std::string& text() const;
  double number() const;

  bool has(const std::string& name) const;

 private:
  std::variant<std::nullptr_t, bool, double, std::string, List, Object> value_{nullptr};
};

}  // namespace simulacra
