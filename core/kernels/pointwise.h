// The rows of pointwise.def as an enum, and what is known of each: arguments, dtypes, dtype of the result.
#pragma once

#include "runtime/dtype.h"

namespace lg {

/// Constants of the table's rules.
namespace math {
inline constexpr double ln2 = 0.69314718055994530942, ln10 = 2.30258509299404568402;
inline constexpr double two_by_sqrt_pi = 1.12837916709551257390;
}  // namespace math

/// On which dtypes a row is defined.
enum On : unsigned {
  booleans = 1,
  integers = 2,
  floats = 4,
  complexes = 8,
  promotes = 16,  // booleans and integers become the default float
};
namespace on {
inline constexpr unsigned any = booleans | integers | floats | complexes;
inline constexpr unsigned number = integers | floats | complexes;
inline constexpr unsigned ordered = booleans | integers | floats;
inline constexpr unsigned real = integers | floats;
inline constexpr unsigned bits = booleans | integers;
inline constexpr unsigned integer = integers;
inline constexpr unsigned inexact = floats | complexes | promotes;
inline constexpr unsigned floating = floats | promotes;
inline constexpr unsigned strict = floats;
inline constexpr unsigned strict_complex = floats | complexes;
inline constexpr unsigned complex = complexes;
}  // namespace on

/// The bit of On that stands for a dtype's kind.
inline constexpr unsigned kind_bit(DType d) { return 1u << unsigned(info(d).kind); }

enum class Out : uint8_t { same, real, boolean };

// One list of all rows, in the order of the enum: those with one argument, two, and more.
enum class Row : uint8_t {
#define UNARY(name, ...) name,
#define PREDICATE(name, ...) name,
#define LOOP1(name, ...) name,
#include "pointwise.def"
#define BINARY(name, ...) name,
#define RELATION(name, ...) name,
#define BITWISE(name, ...) name,
#define LOOP2(name, ...) name,
#include "pointwise.def"
#define LOOP3(name, ...) name,
#define LOOP4(name, ...) name,
#include "pointwise.def"
  where,  // its first argument is a mask
};

struct RowInfo {
  const char* name;
  uint8_t inputs;
  unsigned on;
  Out out;
};
inline constexpr RowInfo row_infos[] = {
#define UNARY(name, on_, ...) {#name, 1, on::on_, Out::same},
#define PREDICATE(name, on_, ...) {#name, 1, on::on_, Out::boolean},
#define LOOP1(name, on_, out, ...) {#name, 1, on::on_, Out::out},
#include "pointwise.def"
#define BINARY(name, on_, ...) {#name, 2, on::on_, Out::same},
#define RELATION(name, on_, ...) {#name, 2, on::on_, Out::boolean},
#define BITWISE(name, on_, ...) {#name, 2, on::on_, Out::same},
#define LOOP2(name, on_, out, ...) {#name, 2, on::on_, Out::out},
#include "pointwise.def"
#define LOOP3(name, on_, ...) {#name, 3, on::on_, Out::same},
#define LOOP4(name, on_, ...) {#name, 4, on::on_, Out::same},
#include "pointwise.def"
    {"where", 3, on::any, Out::same},
};
inline constexpr int num_rows = int(Row::where) + 1;
inline constexpr const RowInfo& info(Row row) { return row_infos[int(row)]; }

/// dtype of the result when the elements are computed in `d`.
inline constexpr DType result_dtype(Row row, DType d) {
  Out out = info(row).out;
  return out == Out::same ? d : out == Out::boolean ? DType::Bool : real_of(d);
}

}  // namespace lg
