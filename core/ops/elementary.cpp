// Elementary functions that are more than a row: their rules have exceptions (copysign, xlogy, sinc), or there is none
// (heaviside); signs, parts and rounding.
#include <cmath>

#include "kernels/table.h"
#include "ops/evaluate.h"

namespace lg {

// ---- two inputs with a rule of their own

Tensor copysign(const Tensor& a, const Tensor& b) {
  Tensor y = evaluate(Row::copysign, a, b);
  const Tensor inputs[] = {a, b};
  const bool by_number = b->wrapped_number;
  if (Recorder record{by_number ? "CopysignBackward1" : "CopysignBackward0", {&y, 1}, {inputs, by_number ? 1u : 2u}})
    record.vjp([sa = record.save("self", a), sy = record.save("result", y)](const Tensor& g, Needs need) {
      const Tensor a = *sa;  // the slope is the sign that came out over the sign that went in
      Grads gs(need.size());
      if (need[0]) gs[0] = masked_fill(g * (*sy / a), eq(a, number(0)), Scalar(0));
      if (need[1]) gs[1] = zeros_like(g);
      return gs;
    });
  return y;
}
Tensor xlogy(const Tensor& a, const Tensor& b) {
  Tensor y = evaluate(Row::xlogy, a, b);
  if (a->wrapped_number) {
    if (Recorder record{"XlogyBackward1", y, b})
      record.vjp(
          [sa = record.save("self", a), sb = record.save("other", b)](const Tensor& g) { return g * (*sa / *sb); });
    return y;
  }
  const Tensor inputs[] = {a, b};
  const bool by_number = b->wrapped_number;
  if (Recorder record{by_number ? "XlogyBackward2" : "XlogyBackward0", {&y, 1}, {inputs, by_number ? 1u : 2u}})
    record.vjp([sa = record.save("self", a), sb = record.save("other", b)](const Tensor& g, Needs need) {
      const Tensor a = *sa, b = *sb;
      Grads gs(need.size());
      if (need[0]) gs[0] = masked_fill(xlogy(g, b), logical_and(eq(a, number(0)), le(b, number(0))), Scalar(0));
      if (need[1]) gs[1] = g * (a / b);
      return gs;
    });
  return y;
}
static Tensor heaviside(const Tensor& a, const Tensor& b) {
  check(a.dtype() == b.dtype(), "heaviside is not yet implemented for tensors with different dtypes.");
  Tensor y = evaluate(Row::heaviside, a, b);
  if (Recorder record{"torch::autograd::NotImplemented", y, a, b})
    record.vjp([](const Tensor&) -> Grads { fail(ErrorKind::Runtime, "derivative for heaviside is not implemented"); });
  return y;
}
static Tensor nextafter(const Tensor& a, const Tensor& b) {
  Tensor y = evaluate(Row::nextafter, a, b);
  if (Recorder record{"NextafterBackward0", y, a, b})
    record.vjp([moves = cast(ne(a, b), y.dtype())](const Tensor& g, Needs need) -> Grads {
      return {need[0] ? g * moves : none, need[1] ? zeros_like(g) : none};  // b only says which way
    });
  return y;
}
/// The derivative of a polygamma is the next one.
Tensor polygamma(int64_t n, const Tensor& x) {
  check(n >= 0, "polygamma(n, x) does not support negative n.");
  const Tensor order = number(n);
  const DType d = compute_dtype(Row::polygamma, x.dtype());
  Tensor y = evaluate(Row::polygamma, d, {&order, &x});
  if (Recorder record{"PolygammaBackward0", y, x})
    record.vjp([n, saved = record.save("self", x)](const Tensor& g) { return g * polygamma(n + 1, *saved); });
  return y;
}

static Tensor sinc(const Tensor& x) {
  Tensor y = evaluate(Row::sinc, x);
  if (Recorder record{"SincBackward0", y, x})
    record.vjp([saved = record.save("self", x)](const Tensor& g) {
      const Tensor x = *saved, u = x * M_PI;  // (cos u - sinc x) / x, and 0 at 0
      return masked_fill(g * conj((cos(u) - sinc(x)) / x), eq(x, number(0)), Scalar(0));
    });
  return y;
}

// ---- signs, parts and rounding

Tensor abs(const Tensor& x) {
  Tensor y = evaluate(Row::abs, x);
  if (Recorder record{"AbsBackward0", y, x})
    record.vjp([saved = record.save("self", x)](const Tensor& g) { return g * sgn(*saved); });
  return y;
}
static Tensor abs_(const Tensor& x) {
  check(!is_complex(x.dtype()), "In-place abs is not supported for complex tensors.");
  return in_place("abs_", x, recording(x), [&] { return abs(x); }, [&] { evaluate_into(Row::abs, x); });
}
Tensor sgn(const Tensor& x) {
  Tensor y = evaluate(Row::sgn, x);
  if (Recorder record{"SgnBackward0", y, x})
    record.vjp([saved = record.save("self", x), sy = record.save("result", y)](const Tensor& g) {
      const Tensor x = *saved;
      if (!is_complex(x.dtype())) return zeros_like(g);
      // Only the part across the direction y changes it, and the more the closer x is to 0.
      const Tensor y = *sy, size = abs(x);
      return where(eq(size, number(0)), number(0), (g - y * real(g * conj(y))) / size);
    });
  return y;
}
Tensor angle(const Tensor& x) {
  Tensor y = evaluate(Row::angle, x);
  if (Recorder record{"AngleBackward0", y, x})
    record.vjp([saved = record.save("self", x)](const Tensor& g) {
      const Tensor x = *saved;
      if (!is_complex(x.dtype())) return zeros_like(g);
      const Tensor size = real(x * conj(x));
      return where(eq(size, number(0)), number(0), x * Scalar(complex128(0, 1)) * (g / size));
    });
  return y;
}
static Tensor conj_named(const char* node, const Tensor& x) {
  Tensor y = evaluate(Row::conj, x);
  if (Recorder record{node, y, x}) record.vjp([](const Tensor& g) { return conj(g); });
  return y;
}
Tensor conj(const Tensor& x) { return is_complex(x.dtype()) ? conj_named("ConjBackward0", x) : x; }
static Tensor conj_physical(const Tensor& x) {
  return is_complex(x.dtype()) ? conj_named("ConjPhysicalBackward0", x) : x;
}
static Tensor positive(const Tensor& x) {
  check(x.dtype() != DType::Bool, "The `+` operator, on a bool tensor is not supported.");
  return x;
}

static Tensor zero_slope(const char* node, Tensor y, const Tensor& x) {
  if (Recorder record{node, y, x}) record.vjp([](const Tensor& g) { return zeros_like(g); });
  return y;
}
Tensor round(const Tensor& x) { return zero_slope("RoundBackward0", evaluate(Row::round, x), x); }
static Tensor round_(const Tensor& x) {
  return in_place("round_", x, recording(x), [&] { return round(x); }, [&] { evaluate_into(Row::round, x); });
}
static Tensor round_decimals(const Tensor& x, int64_t decimals) {
  if (decimals == 0) return round(x);
  return zero_slope("RoundBackward1", evaluate(Row::round_decimals, x, number(double(decimals))), x);
}
static Tensor round_decimals_(const Tensor& x, int64_t decimals) {
  return in_place(
      "round_", x, recording(x), [&] { return round_decimals(x, decimals); },
      [&] {
        if (decimals == 0)
          evaluate_into(Row::round, x);
        else
          evaluate_into(Row::round_decimals, x, number(double(decimals)));
      });
}

Tensor bitwise_not(const Tensor& x) {
  return x.dtype() == DType::Bool ? logical_not(x) : evaluate(Row::bitwise_not, x);
}
static Tensor bitwise_not_(const Tensor& x) {
  check_inplace("bitwise_not_", x);
  evaluate_into(x.dtype() == DType::Bool ? Row::logical_not : Row::bitwise_not, x);
  x.bump_version();
  return x;
}

Tensor nan_to_num(const Tensor& x, double nan, std::optional<double> posinf, std::optional<double> neginf) {
  if (!is_inexact(x.dtype())) return clone(x);
  const double largest = dispatch_inexact(x.dtype(), []<class T>() -> double {
    using R = Real<T>;
    if constexpr (std::is_same_v<R, half>)
      return 65504.;
    else if constexpr (std::is_same_v<R, bfloat16>)
      return 0x1.fep127;
    else
      return std::numeric_limits<R>::max();
  });
  const Tensor values[] = {number(nan), number(posinf.value_or(largest)), number(neginf.value_or(-largest))};
  Tensor y;
  if (is_complex(x.dtype())) {  // part by part: complex numbers are pairs of real ones
    const Tensor dense = contiguous(detach(x));
    y = make_tensor(x.sizes(), x.dtype(), x.device());
    const DType part = real_of(x.dtype());
    const int64_t n = 2 * x.numel(), one = 1;
    const Strided operands[] = {{y.data(), part, 1, &n, &one},
                                {dense.data(), part, 1, &n, &one},
                                values[0].strided(),
                                values[1].strided(),
                                values[2].strided()};
    if (n) y.kernels().pointwise(Row::nan_to_num, part, operands);
  } else {
    y = evaluate(Row::nan_to_num, x.dtype(), {&x, &values[0], &values[1], &values[2]});
  }
  if (Recorder record{"NanToNumBackward0", y, x})
    record.vjp([saved = record.save("self", x)](const Tensor& g) { return where(isfinite(*saved), g, number(0)); });
  return y;
}
static Tensor nan_to_num_python(const Tensor& x, std::optional<double> nan, std::optional<double> posinf,
                                std::optional<double> neginf) {
  return nan_to_num(x, nan.value_or(0), posinf, neginf);
}

void def_elementary(Ops& ops) {
  const Arg input = "input"_a, number_input = "input"_a.or_number(), other = "other"_a,
            number_other = "other"_a.or_number();
  const auto method = [&](const char* name, auto* function, const auto&... rest) {
    ops.def(name, function, rest...).method_only().no_out();
  };
  const auto both = [&](const char* name, auto* function, const auto&... rest) {
    ops.def(name, function, rest...).no_out();
  };

  using One = Tensor(const Tensor&);
  ops.def("copysign", &copysign, input, number_other, "Size of `input` with the sign of `other`.").inplace();
  ops.def("xlogy", &xlogy, number_input, number_other, "input * log(other), and 0 where `input` is 0.").inplace();
  ops.def("heaviside", &heaviside, input, "values"_a, "0 below zero, 1 above, and `values` at zero.").inplace();
  ops.def("nextafter", &nextafter, input, other, "The next float from `input` towards `other`.").inplace();
  ops.def("polygamma", &polygamma, "n"_a, input, "n-th derivative of digamma.");

  for (const char* name : {"abs", "absolute"}) ops.def(name, (One*)&abs, input, "Absolute value of each element.");
  both("abs_", &abs_, input, "In-place abs.");
  method("absolute_", &abs_, input, "In-place abs.");
  ops.def("sgn", &sgn, input, "Each element over its absolute value: its sign, or direction if complex.").inplace();
  ops.def("angle", &angle, input, "Angle of each element in the complex plane, in radians.");
  ops.def("conj", &conj, input, "Complex conjugate of each element.").no_out();
  ops.def("conj_physical", &conj_physical, input, "Complex conjugate of each element.").inplace();
  for (const char* name : {"resolve_conj", "resolve_neg"})
    ops.def(name, +[](const Tensor& x) { return x; }, input, "The tensor itself.").no_out();
  ops.def("positive", &positive, input, "The tensor itself.").no_out();
  ops.def("round", (One*)&round, input, "Nearest integer to each element, halves to even.");
  ops.def("round", &round_decimals, input, kw_only, "decimals"_a, "Rounded to `decimals` places.");
  both("round_", &round_, input, "In-place round.");
  both("round_", &round_decimals_, input, kw_only, "decimals"_a, "In-place round.");
  ops.def("bitwise_not", &bitwise_not, input, "Bitwise complement of integers, or of bools.");
  method("bitwise_not_", &bitwise_not_, input, "In-place bitwise_not.");
  const Arg nan = "nan"_a = None, posinf = "posinf"_a = None, neginf = "neginf"_a = None;
  ops.def("nan_to_num", &nan_to_num_python, input, nan, posinf, neginf,
          "NaN as `nan` (0), infinities as `posinf` and `neginf` (the largest and least finite numbers).")
      .inplace();

  ops.def("sinc", &sinc, input, "sin(pi x) / (pi x), and 1 at 0.").inplace();
}

}  // namespace lg
