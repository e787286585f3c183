#include "json.hpp"

#include <charconv>
#include <cmath>
#include <cstdint>

#include "simulacra/error.hpp"

namespace simulacra {
namespace {

constexpr int deepest = 64;

class Reader {
 public:
  explicit Reader(std::string_view text) : text_(text) {}

  Json whole() {
    Json found = value(0);
    skip();
    if (at_ != text_.size()) fail();
    return found;
  }

 private:
  [[noreturn]] void fail() const {
    throw BundleError("is not JSON from byte " + std::to_string(at_) +
                      " on; the bundle was damaged or cut off.");
  }

  void skip() {
    while (at_ < text_.size() && std::string_view(" \t\r\n").find(text_[at_]) != text_.npos) ++at_;
  }

  char peek() const {
    if (at_ >= text_.size()) fail();
    return text_[at_];
  }

  bool take(std::string_view word) {
    if (text_.substr(at_, word.size()) != word) return false;
    at_ += word.size();
    return true;
  }

  void need(std::string_view word) {
    skip();
    if (!take(word)) fail();
  }

  Json value(int depth) {
    skip();
    if (depth > deepest) fail();
    const char first = peek();
    if (first == '{') return Json(object(depth));
    if (first == '[') return Json(list(depth));
    if (first == '"') return Json(text());
    if (take("true")) return Json(true);
    if (take("false")) return Json(false);
    if (take("null")) return Json(nullptr);
    return Json(number());
  }

  Json::Object object(int depth) {
    Json::Object found;
    need("{");
    skip();
    if (take("}")) return found;
    do {
      skip();
      std::string name = text();
      need(":");
      if (!found.emplace(std::move(name), value(depth + 1)).second) fail();
      skip();
    } while (take(","));
    need("}");
    return found;
  }

  Json::List list(int depth) {
    Json::List found;
    need("[");
    skip();
    if (take("]")) return found;
    do {
      found.push_back(value(depth + 1));
      skip();
    } while (take(","));
    need("]");
    return found;
  }

  std::size_t digits() {
    const std::size_t start = at_;
    while (at_ < text_.size() && text_[at_] >= '0' && text_[at_] <= '9') ++at_;
    if (at_ == start) fail();
    return at_ - start;
  }

  double number() {
    const std::size_t start = at_;
    take("-");
    const bool zero = peek() == '0';
    if (digits() > 1 && zero) fail();
    if (take(".")) digits();
    if (take("e") || take("E")) {
      if (!take("+")) take("-");
      digits();
    }
    double found = 0;
    const auto read = std::from_chars(text_.data() + start, text_.data() + at_, found);
    if (read.ec != std::errc() || !std::isfinite(found)) fail();
    return found;
  }

  std::string text() {
    if (!take("\"")) fail();
    std::string found;
    while (!take("\"")) {
      const char next = peek();
      if (static_cast<unsigned char>(next) < 0x20) fail();
      ++at_;
      if (next == '\\') {
        escaped(found);
      } else {
        found += next;
      }
    }
    return found;
  }

  void escaped(std::string& found) {
    const char kind = peek();
    ++at_;
    constexpr std::string_view from = "\"\\/bfnrt";
    constexpr std::string_view to = "\"\\/\b\f\n\r\t";
    if (kind == 'u') return append_utf8(found, code_point());
    const std::size_t place = from.find(kind);
    if (place == from.npos) fail();
    found += to[place];
  }

  std::uint32_t four_digits() {
    std::uint32_t code = 0;
    if (at_ + 4 > text_.size()) fail();
    const char* const end = text_.data() + at_ + 4;
    if (std::from_chars(text_.data() + at_, end, code, 16).ptr != end) fail();
    at_ += 4;
    return code;
  }

  std::uint32_t code_point() {
    const std::uint32_t first = four_digits();
    if (first < 0xD800 || first > 0xDFFF) return first;
    if (first > 0xDBFF || !take("\\u")) fail();
    const std::uint32_t second = four_digits();
    if (second < 0xDC00 || second > 0xDFFF) fail();
    return 0x10000 + ((first - 0xD800) << 10) + (second - 0xDC00);
  }

  static void append_utf8(std::string& found, std::uint32_t code) {
    const auto later = [&](unsigned shift) {
      found += static_cast<char>(0x80 | (code >> shift & 0x3F));
    };
    if (code < 0x80) {
      found += static_cast<char>(code);
    } else if (code < 0x800) {
      found += static_cast<char>(0xC0 | code >> 6), later(0);
    } else if (code < 0x10000) {
      found += static_cast<char>(0xE0 | code >> 12), later(6), later(0);
    } else {
      found += static_cast<char>(0xF0 | code >> 18), later(12), later(6), later(0);
    }
  }

  std::string_view text_;
  std::size_t at_ = 0;
};

template <typename T, typename Value>
const T& as(const Value& value, const char* kind) {
  if (const T* found = std::get_if<T>(&value)) return *found;
  throw BundleError(std::string("does not describe a bundle (expected ") + kind +
                    "); export the model again.");
}

}  // namespace

Json Json::parse(std::string_view text) { return Reader(text).whole(); }

const Json::Object& Json::object() const { return as<Object>(value_, "an object"); }
const Json::List& Json::list() const { return as<List>(value_, "a list"); }
const std::string& Json::text() const { return as<std::string>(value_, "a text"); }
double Json::number() const { return as<double>(value_, "a number"); }

bool Json::has(const std::string& name) const { return object().count(name) != 0; }

const Json& Json::at(const std::string& name) const {
  const auto found = object().find(name);
  if (found != object().end()) return found->second;
  throw BundleError("does not describe a bundle (no entry " + name +
                    "); export the model again.");
}

}  // namespace simulacra
