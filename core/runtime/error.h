// Errors: what C++ throws and what Python sees.
//
// An `Error` carries the Python exception class by kind; python/ turns it into the exception at the boundary.  `check`
// formats its message only when it fails.  A Python exception that is already set travels as `PythonError`.
#pragma once

#include <cstdint>
#include <exception>
#include <sstream>
#include <string>
#include <utility>

namespace lg {

enum class ErrorKind : uint8_t {
  Runtime,
  Value,
  Type,
  Index,
  Attribute,
  NotImplemented,
  Overflow,
  Memory,
  Buffer,
  ZeroDivision,
  LinAlg,
};

class Error : public std::exception {
 public:
  Error(ErrorKind kind, std::string message) : kind(kind), message(std::move(message)) {}
  const char* what() const noexcept override { return message.c_str(); }
  ErrorKind kind;
  std::string message;
};

/// A Python exception is set in this thread; unwinding leads back to Python.
class PythonError : public std::exception {
 public:
  const char* what() const noexcept override { return "a Python exception is set"; }
};

template <class... Parts>
std::string text(const Parts&... parts) {
  std::ostringstream out;
  (out << ... << parts);
  return out.str();
}

template <class... Parts>
[[noreturn, gnu::cold, gnu::noinline]] void fail(ErrorKind kind, const Parts&... parts) {
  throw Error(kind, text(parts...));
}

template <class... Parts>
inline void check(bool ok, const Parts&... parts) {
  if (!ok) [[unlikely]]
    fail(ErrorKind::Runtime, parts...);
}
template <class... Parts>
inline void check_value(bool ok, const Parts&... parts) {
  if (!ok) [[unlikely]]
    fail(ErrorKind::Value, parts...);
}
template <class... Parts>
inline void check_type(bool ok, const Parts&... parts) {
  if (!ok) [[unlikely]]
    fail(ErrorKind::Type, parts...);
}
template <class... Parts>
inline void check_index(bool ok, const Parts&... parts) {
  if (!ok) [[unlikely]]
    fail(ErrorKind::Index, parts...);
}
/// For what can only be a fault of ours.
template <class... Parts>
inline void check_internal(bool ok, const Parts&... parts) {
  if (!ok) [[unlikely]]
    fail(ErrorKind::Runtime, "leafgrad bug: ", parts...);
}

}  // namespace lg
