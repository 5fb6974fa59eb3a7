// How a row of pointwise.def meets tensors: promotion, broadcasting, devices, allocation, and the thin path on which
// two dense tensors of one dtype go straight to the kernel.  Nothing here records; ops/pointwise.cpp does.
#pragma once

#include "kernels/pointwise.h"
#include "ops/ops.h"

namespace lg {

using Inputs = std::initializer_list<const Tensor*>;

/// The dtype in which `row` computes what promoted to `d`; an error if the row is not defined there.
DType compute_dtype(Row row, DType d);
/// The promoted dtype of some tensors; null ones do not count.
DType promoted(Inputs inputs);

/// Computes in `d`; a new tensor of the row's result dtype, or `out`, whatever its dtype.
Tensor evaluate(Row row, DType d, Inputs inputs);
void evaluate_into(Row row, DType d, const Tensor& out, Inputs inputs);

/// A row on its inputs, promoted.  The forms ending in `into` overwrite their first input: they check that the result's
/// dtype and shape fit and that the others do not lie across it, and leave the version alone.
Tensor evaluate(Row row, const Tensor& x);
Tensor evaluate(Row row, const Tensor& a, const Tensor& b);
void evaluate_into(Row row, const Tensor& x);
void evaluate_into(Row row, const Tensor& a, const Tensor& b);

void check_castable(DType from, DType to);
/// `src`, to be read while x is written: a copy if it may lie across x's memory, an error if it certainly does.
Tensor apart_from(const Tensor& x, const Tensor& src);

/// Value of a 0-dim tensor on the cpu.
Scalar value_of(const Tensor& number);
/// One element of `dtype`, for kernels that take a value by address.
struct Element {
  alignas(16) char bytes[16];
  Element(const Scalar& value, DType dtype);
};

inline bool recording(const Tensor& a) { return grad_enabled() && requires_grad(a); }
inline bool recording(const Tensor& a, const Tensor& b) {
  return grad_enabled() && (requires_grad(a) || requires_grad(b));
}
inline bool shares_memory(const Tensor& a, const Tensor& b) { return a->storage == b->storage; }

/// "MulBackward0" from "mul", as PyTorch spells it: a letter after anything but a letter is a capital, underscores
/// vanish.
template <size_t N>
struct NodeName {
  char text[N + 16] = {};
  constexpr NodeName(const char (&row)[N], char overload = '0') {
    size_t n = 0;
    auto letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); };
    for (size_t i = 0; i + 1 < N; ++i)
      if (row[i] != '_') text[n++] = letter(row[i]) && (i == 0 || !letter(row[i - 1])) ? char(row[i] - 32) : row[i];
    for (char c : {'B', 'a', 'c', 'k', 'w', 'a', 'r', 'd', overload}) text[n++] = c;
  }
};

/// An in-place operator whose result must go through autograd's view machinery: computed apart, then assigned.
inline bool rebases(const Tensor& x) { return is_view(x) && recording(x); }
inline bool rebases(const Tensor& x, const Tensor& b) { return is_view(x) && recording(x, b); }

/// In place: where autograd does not look on, `write` overwrites x; otherwise `apart` gives a new tensor that x
/// becomes.
template <class Apart, class Write>
Tensor in_place(const char* name, const Tensor& x, bool records, Apart apart, Write write) {
  if (records) return assign(name, x, apart());
  check_inplace(name, x);
  write();
  x.bump_version();
  return x;
}

}  // namespace lg
