// Sums, differences, quotients and powers: pointwise operators that are more than a row, by `alpha`, rounding modes, or
// numbers that change the rule; and the fused forms lerp, addcmul, addcdiv.
#include <cmath>
#include <cstring>

#include "ops/evaluate.h"

namespace lg {
namespace {

bool is_one(const Scalar& s) { return s.kind() == Kind::Integral && s.to<int64_t>() == 1; }

void check_alpha(const Scalar& alpha, DType result) {
  check(alpha.kind() != Kind::Boolean || result == DType::Bool, "Boolean alpha only supported for Boolean results.");
  check(is_inexact(result) || alpha.is_integral(),
        "For integral input tensors, argument alpha must not be a floating point number.");
  check(is_complex(result) || !alpha.is_complex(),
        "For non-complex input tensors, argument alpha must not be a complex number.");
}

Scalar negative(const Scalar& s) {
  if (s.is_integral()) return Scalar(-s.to<int64_t>());
  return s.is_complex() ? Scalar(-s.to<complex128>()) : Scalar(-s.to<double>());
}
Scalar conjugate(const Scalar& s) { return s.is_complex() ? Scalar(std::conj(s.to<complex128>())) : s; }
Tensor scaled(const Tensor& g, const Scalar& s) { return is_one(s) ? g : g * s; }

// ---- sum and difference: nothing is saved

/// Rule of y = a + alpha b.
void record_sum(Recorder& record, const Scalar& alpha) {
  if (is_one(alpha)) {
    record.vjp([](const Tensor& g, Needs need) -> Grads { return {need[0] ? g : none, need[1] ? g : none}; });
  } else {
    record.vjp([by = conjugate(alpha)](const Tensor& g, Needs need) -> Grads {
      return {need[0] ? g : none, need[1] ? g * by : none};
    });
  }
}

Tensor add_scaled(const char* node, const Tensor& a, const Tensor& b, const Scalar& alpha) {
  const DType d = result_type(a, b);
  check_alpha(alpha, d);
  const Tensor by = number(alpha);
  Tensor y = evaluate(Row::add_scaled, compute_dtype(Row::add_scaled, d), {&a, &b, &by});
  if (Recorder record{node, y, a, b}) record_sum(record, alpha);
  return y;
}

/// x += alpha b, directly: the rule needs no old value, so autograd only has to be told.
Tensor add_scaled_(const char* name, const char* node, Row row, const Tensor& x, const Tensor& b, const Scalar& alpha) {
  const bool plain = is_one(alpha) || row == Row::sub;
  if (rebases(x, b))
    return assign(name, x, row == Row::sub ? sub(x, b) : plain ? add(x, b) : add_scaled(node, x, b, alpha));
  check_inplace(name, x, b);
  if (plain) {
    evaluate_into(row, x, b);
  } else {
    const DType d = result_type(x, b);
    check_alpha(alpha, d);
    const Tensor by = number(alpha);
    evaluate_into(Row::add_scaled, d, x, {&x, &b, &by});
  }
  x.bump_version();
  const Tensor inputs[] = {x, b};
  if (Recorder record{node, {&x, 1}, inputs}) record_sum(record, row == Row::sub ? Scalar(-1) : alpha);
  return x;
}

void check_not_bool(const Tensor& a, const Tensor& b) {
  if (a.dtype() != DType::Bool && b.dtype() != DType::Bool) return;
  check(
      !(a.dtype() == DType::Bool && b.dtype() == DType::Bool),
      "Subtraction, the `-` operator, with two bool tensors is not supported. Use the `^` or `logical_xor()` operator "
      "instead.");
  fail(ErrorKind::Runtime,
       "Subtraction, the `-` operator, with a bool tensor is not supported. If you are trying to "
       "invert a mask, use the `~` or `logical_not()` operator instead.");
}

}  // namespace

Tensor add(const Tensor& a, const Tensor& b) {
  Tensor y = evaluate(Row::add, a, b);
  if (Recorder record{"AddBackward0", y, a, b}) record_sum(record, 1);
  return y;
}
Tensor add(const Tensor& a, const Tensor& b, const Scalar& alpha) {
  return is_one(alpha) ? add(a, b) : add_scaled("AddBackward0", a, b, alpha);
}
Tensor add_(const Tensor& a, const Tensor& b) { return add_scaled_("add_", "AddBackward0", Row::add, a, b, 1); }
Tensor add_(const Tensor& a, const Tensor& b, const Scalar& alpha) {
  return add_scaled_("add_", "AddBackward0", Row::add, a, b, alpha);
}

Tensor sub(const Tensor& a, const Tensor& b) {
  check_not_bool(a, b);
  Tensor y = evaluate(Row::sub, a, b);
  if (a->wrapped_number) {  // PyTorch's rsub(b, number)
    if (Recorder record{"RsubBackward1", y, b}) record.vjp([](const Tensor& g) { return -g; });
  } else if (Recorder record{"SubBackward0", y, a, b})
    record.vjp([](const Tensor& g, Needs need) -> Grads { return {need[0] ? g : none, need[1] ? -g : none}; });
  return y;
}
Tensor sub(const Tensor& a, const Tensor& b, const Scalar& alpha) {
  check_not_bool(a, b);
  return is_one(alpha) ? sub(a, b) : add_scaled("SubBackward0", a, b, negative(alpha));
}
Tensor sub_(const Tensor& a, const Tensor& b) {
  check_not_bool(a, b);
  return add_scaled_("sub_", "SubBackward0", Row::sub, a, b, 1);
}
Tensor sub_(const Tensor& a, const Tensor& b, const Scalar& alpha) {
  check_not_bool(a, b);
  if (is_one(alpha)) return sub_(a, b);
  return add_scaled_("sub_", "SubBackward0", Row::add, a, b, negative(alpha));
}
Tensor rsub(const Tensor& a, const Tensor& b, const Scalar& alpha) {
  check_not_bool(a, b);
  return add_scaled(b->wrapped_number ? "RsubBackward1" : "RsubBackward0", b, a, negative(alpha));
}

// ---- quotients

namespace {

/// Integer division by zero has no answer.
void check_divisor(DType d, const Tensor& b) {
  if (is_inexact(d) || b.is_meta()) return;
  bool zero;
  if (b.numel() == 1) {
    zero = dispatch_all(b.dtype(), [&]<class T>() { return *b.data<T>() == T(0); });
  } else {
    const Tensor zeros = logical_not(b);
    zero = zeros.numel() > 0 && std::memchr(zeros.data(), 1, size_t(zeros.numel()));  // dense: a new tensor is
  }
  check(!zero, "ZeroDivisionError");
}

/// A quotient that is rounded: on integers it stays one.
Tensor rounded_quotient(Row row, const Tensor& a, const Tensor& b) {
  const DType d = compute_dtype(row, result_type(a, b));
  check_divisor(d, b);
  return evaluate(row, a, b);
}

Tensor rounded_quotient_(const char* name, Row row, Tensor (*apart)(const Tensor&, const Tensor&), const Tensor& a,
                         const Tensor& b) {
  return in_place(
      name, a, recording(a, b), [&] { return apart(a, b); },
      [&] {
        check_divisor(compute_dtype(row, result_type(a, b)), b);
        evaluate_into(row, a, b);
      });
}

/// Records y = a - b whole(a / b).
void record_remainder(const char* node_number, const char* node, const Tensor& y, const Tensor& a, const Tensor& b,
                      Rounding rounding) {
  if (b->wrapped_number) {
    if (Recorder record{node_number, y, a}) record.vjp([](const Tensor& g) { return g; });
  } else if (a->wrapped_number) {
    if (Recorder record{"torch::autograd::NotImplemented", y, b})
      record.vjp([](const Tensor&) -> Tensor {
        fail(ErrorKind::Runtime,
             "derivative for remainder(number, tensor) is not implemented; make the number a tensor");
      });
  } else if (Recorder record{node, y, a, b}) {
    record.vjp([sa = record.save("self", a, 1), sb = record.save("other", b, 1), rounding](const Tensor& g,
                                                                                           Needs need) -> Grads {
      return {need[0] ? g : none, need[1] ? -(g * div(*sa, *sb, rounding)) : none};
    });
  }
}

struct QuotientRule {
  Saved saved_a, saved_b;
  Grads operator()(const Tensor& g, Needs need) const {
    const Tensor b = *saved_b;
    return {need[0] ? g / conj(b) : none, need[1] ? -(g * conj((*saved_a / b) / b)) : none};
  }
};

Rounding rounding_from(const std::string& mode) {
  check(mode == "floor" || mode == "trunc",
        "div expected rounding_mode to be one of None, 'trunc', or 'floor' but found '", mode, "'");
  return mode == "floor" ? Rounding::Floor : Rounding::Trunc;
}

}  // namespace

Tensor div(const Tensor& a, const Tensor& b) {
  Tensor y = evaluate(Row::div, a, b);
  if (Recorder record{"DivBackward0", y, a, b})
    record.vjp(QuotientRule{record.save("self", a, 1), record.save("other", b)});
  return y;
}
Tensor div_(const Tensor& a, const Tensor& b) {
  if (rebases(a, b)) return assign("div_", a, div(a, b));
  check_inplace("div_", a, b);
  const bool records = recording(a, b);
  const Tensor old_a = records && requires_grad(b) ? clone(a) : a;
  const Tensor old_b = records && shares_memory(a, b) ? clone(b) : b;
  evaluate_into(Row::div, a, b);
  a.bump_version();
  const Tensor inputs[] = {a, old_b};
  if (Recorder record{"DivBackward0", {&a, 1}, inputs})
    record.vjp(QuotientRule{record.save("self", old_a, 1), record.save("other", old_b)});
  return a;
}
Tensor div(const Tensor& a, const Tensor& b, Rounding rounding) {
  Tensor y = rounded_quotient(rounding == Rounding::Floor ? Row::div_floor : Row::div_trunc, a, b);
  if (Recorder record{"DivBackward2", y, a, b})
    record.vjp([](const Tensor& g, Needs need) -> Grads {
      return {need[0] ? zeros_like(g) : none, need[1] ? zeros_like(g) : none};
    });
  return y;
}

static Tensor div_rounded(const Tensor& a, const Tensor& b, const std::optional<std::string>& mode) {
  return mode ? div(a, b, rounding_from(*mode)) : div(a, b);
}
static Tensor div_rounded_(const Tensor& a, const Tensor& b, const std::optional<std::string>& mode) {
  if (!mode) return div_(a, b);
  const Rounding r = rounding_from(*mode);
  return in_place(
      "div_", a, recording(a, b), [&] { return div(a, b, r); },
      [&] {
        const Row row = r == Rounding::Floor ? Row::div_floor : Row::div_trunc;
        check_divisor(compute_dtype(row, result_type(a, b)), b);
        evaluate_into(row, a, b);
      });
}

Tensor floor_divide(const Tensor& a, const Tensor& b) {
  Tensor y = rounded_quotient(Row::div_floor, a, b);
  if (Recorder record{"torch::autograd::NotImplemented", y, a, b})
    record.vjp([](const Tensor&) -> Grads {
      fail(ErrorKind::Runtime,
           "derivative for floor_divide is not implemented. It is zero almost everywhere: detach() the "
           "inputs, or use div(..., rounding_mode='floor'), whose gradient is zero.");
    });
  return y;
}
Tensor floor_divide_(const Tensor& a, const Tensor& b) {
  return rounded_quotient_("floor_divide_", Row::div_floor, &floor_divide, a, b);
}
Tensor remainder(const Tensor& a, const Tensor& b) {
  Tensor y = rounded_quotient(Row::remainder, a, b);
  record_remainder("RemainderBackward0", "RemainderBackward1", y, a, b, Rounding::Floor);
  return y;
}
Tensor remainder_(const Tensor& a, const Tensor& b) {
  return rounded_quotient_("remainder_", Row::remainder, &remainder, a, b);
}
Tensor fmod(const Tensor& a, const Tensor& b) {
  Tensor y = rounded_quotient(Row::fmod, a, b);
  record_remainder("FmodBackward0", "FmodBackward1", y, a, b, Rounding::Trunc);
  return y;
}
static Tensor fmod_(const Tensor& a, const Tensor& b) { return rounded_quotient_("fmod_", Row::fmod, &fmod, a, b); }

// ---- powers

namespace {

/// Rows for the exponents that are cheaper without pow; the other exponents go through it.
std::optional<Row> cheap_power(DType result, const Scalar& e) {
  if (e.is_complex()) return {};
  const double v = e.to<double>();
  if (result != DType::Bool) {
    if (v == 2) return Row::square;
    if (v == 3) return Row::cube;
  }
  if (!is_inexact(result)) return {};
  return v == 0.5    ? std::optional(Row::sqrt)
         : v == -0.5 ? std::optional(Row::rsqrt)
         : v == -1   ? std::optional(Row::reciprocal)
                     : std::nullopt;
}

Tensor power_value(const Tensor& a, const Tensor& b) {
  const DType d = result_type(a, b);
  if (b->wrapped_number && b.dim() == 0 && !a->wrapped_number) {
    const Scalar e = value_of(b);
    check(is_inexact(d) || e.to<int64_t>() >= 0, "Integers to negative integer powers are not allowed.");
    const complex128 v = e.to<complex128>();
    if (v == 0.) return ones_like(a, d);
    if (v == 1.) return d == a.dtype() ? detach(clone(a)) : cast(a, d);
    if (auto row = cheap_power(d, e)) return d == a.dtype() ? evaluate(*row, a) : evaluate(*row, d, {&a});
  }
  return evaluate(Row::pow, a, b);
}

Scalar minus_one(const Scalar& e) {
  return e.is_integral()  ? Scalar(e.to<int64_t>() - 1)
         : e.is_complex() ? Scalar(e.to<complex128>() - 1.)
                          : Scalar(e.to<double>() - 1);
}

/// d(a**e)/da = e a**(e-1), and 0 for e = 0 whatever a is.
struct NumberPowerRule {
  Saved saved;
  Scalar exponent;
  Tensor operator()(const Tensor& g) const {
    if (exponent.to<complex128>() == 0.) return zeros_like(g);
    const Tensor x = *saved;
    return g * conj(pow(x, number(minus_one(exponent))) * exponent);
  }
};

Tensor power_gradient_base(const Tensor& g, const Tensor& a, const Tensor& b) {
  return where(eq(b, number(0)), number(0), g * conj(b * pow(a, b - 1)));
}
/// d(a**b)/db = a**b log a, and 0 at a = 0 where the power does not depend on b to first order.
Tensor power_gradient_exponent(const Tensor& g, const Tensor& a, const Tensor& b, const Tensor& y) {
  const Tensor flat = is_complex(b.dtype()) ? logical_and(eq(a, number(0)), ge(real(b), number(0)))
                                            : logical_and(eq(a, number(0)), ge(b, number(0)));
  return g * where(flat, number(0), conj(y * log(a)));
}

}  // namespace

Tensor pow(const Tensor& a, const Tensor& b) {
  Tensor y = power_value(a, b);
  if (b->wrapped_number) {
    if (Recorder record{"PowBackward0", y, a}) record.vjp(NumberPowerRule{record.save("self", a), value_of(b)});
  } else if (a->wrapped_number) {
    if (Recorder record{"PowBackward2", y, b})
      record.vjp([sa = record.save("self", a), sb = record.save("exponent", b), sy = record.save("result", y)](
                     const Tensor& g) { return power_gradient_exponent(g, *sa, *sb, *sy); });
  } else if (Recorder record{"PowBackward1", y, a, b}) {
    record.vjp([sa = record.save("self", a), sb = record.save("exponent", b), sy = record.save("result", y, 1)](
                   const Tensor& g, Needs need) -> Grads {
      const Tensor a = *sa, b = *sb;
      return {need[0] ? power_gradient_base(g, a, b) : none, need[1] ? power_gradient_exponent(g, a, b, *sy) : none};
    });
  }
  return y;
}
Tensor pow_(const Tensor& a, const Tensor& b) {
  return in_place(
      "pow_", a, recording(a, b), [&] { return pow(a, b); },
      [&] {
        if (b->wrapped_number && b.dim() == 0 && is_integral(a.dtype()))
          check(value_of(b).to<double>() >= 0, "Integers to negative integer powers are not allowed.");
        evaluate_into(Row::pow, a, b);
      });
}
Tensor square(const Tensor& x) { return pow(x, number(2)); }
static Tensor square_(const Tensor& x) { return pow_(x, number(2)); }

static Tensor float_power(const Tensor& a, const Tensor& b) {
  const bool complex = is_complex(a.dtype()) || is_complex(b.dtype());
  const DType d = complex ? DType::Complex128 : DType::Float64;
  auto wide = [&](const Tensor& t) { return t->wrapped_number ? t : to_dtype(t, d); };
  return pow(wide(a), wide(b));
}

// ---- fused

Tensor lerp(const Tensor& a, const Tensor& b, const Tensor& weight) {
  check(a.dtype() == b.dtype(), "expected dtype ", name(a.dtype()), " for `end` but got dtype ", name(b.dtype()));
  const bool number_weight = weight->wrapped_number;
  check(number_weight || weight.dtype() == a.dtype(), "expected dtype ", name(a.dtype()),
        " for `weight` but got dtype ", name(weight.dtype()));
  if (!is_inexact(a.dtype()))
    fail(ErrorKind::NotImplemented, "\"lerp\" not implemented for '", scalar_type_name(a.dtype()), "'");
  Tensor y = evaluate(Row::lerp, a.dtype(), {&a, &b, &weight});
  if (Recorder record{number_weight ? "LerpBackward0" : "LerpBackward1", y, a, b, weight})
    record.vjp([sa = record.save("self", a, 2), sb = record.save("end", b, 2), sw = record.save("weight", weight)](
                   const Tensor& g, Needs need) -> Grads {
      const Tensor w = conj(*sw);
      Grads gs(3);
      if (need[0]) gs[0] = g * (1 - w);
      if (need[1]) gs[1] = g * w;
      if (need[2]) gs[2] = g * conj(*sb - *sa);
      return gs;
    });
  return y;
}
static Tensor lerp_(const Tensor& a, const Tensor& b, const Tensor& weight) {
  return in_place(
      "lerp_", a, recording(a, b) || recording(weight), [&] { return lerp(a, b, weight); },
      [&] { evaluate_into(Row::lerp, a.dtype(), a, {&a, &b, &weight}); });
}

namespace {

Tensor fused_value(Row row, const Tensor& x, const Tensor& a, const Tensor& b, const Scalar& value) {
  if (row == Row::addcdiv)
    check(is_inexact(a.dtype()) || is_inexact(b.dtype()),
          "Integer division with addcdiv is no longer supported, and in a future "
          "release addcdiv will perform a true division of tensor1 and tensor2. Write input + value * div(tensor1, "
          "tensor2, "
          "rounding_mode='trunc') for a rounded quotient, or convert the tensors to a floating dtype.");
  const Tensor factor = number(value);
  return evaluate(row, compute_dtype(row, promoted({&x, &a, &b})), {&x, &a, &b, &factor});
}

Tensor fused_(const char* name, Row row, const Tensor& x, const Tensor& a, const Tensor& b, const Scalar& value,
              Tensor (*apart)(const Tensor&, const Tensor&, const Tensor&, const Scalar&)) {
  return in_place(
      name, x, recording(x) || recording(a, b), [&] { return apart(x, a, b, value); },
      [&] {
        const Tensor factor = number(value);
        evaluate_into(row, compute_dtype(row, promoted({&x, &a, &b})), x, {&x, &a, &b, &factor});
      });
}

}  // namespace

Tensor addcmul(const Tensor& x, const Tensor& a, const Tensor& b, const Scalar& value) {
  Tensor y = fused_value(Row::addcmul, x, a, b, value);
  if (Recorder record{"AddcmulBackward0", y, x, a, b})
    record.vjp([sa = record.save("tensor1", a, 2), sb = record.save("tensor2", b, 1), value](const Tensor& g,
                                                                                             Needs need) -> Grads {
      Grads gs(3);
      if (need[0]) gs[0] = g;
      if (need[1]) gs[1] = g * conj(scaled(*sb, value));
      if (need[2]) gs[2] = g * conj(scaled(*sa, value));
      return gs;
    });
  return y;
}
static Tensor addcmul_(const Tensor& x, const Tensor& a, const Tensor& b, const Scalar& value) {
  return fused_("addcmul_", Row::addcmul, x, a, b, value, &addcmul);
}
Tensor addcdiv(const Tensor& x, const Tensor& a, const Tensor& b, const Scalar& value) {
  Tensor y = fused_value(Row::addcdiv, x, a, b, value);
  if (Recorder record{"AddcdivBackward0", y, x, a, b})
    record.vjp([sa = record.save("tensor1", a, 2), sb = record.save("tensor2", b), value](const Tensor& g,
                                                                                          Needs need) -> Grads {
      const Tensor b = *sb;
      Grads gs(3);
      if (need[0]) gs[0] = g;
      if (need[1]) gs[1] = scaled(g, conjugate(value)) / conj(b);
      if (need[2]) gs[2] = -(g * conj(scaled(*sa, value) / (b * b)));
      return gs;
    });
  return y;
}
static Tensor addcdiv_(const Tensor& x, const Tensor& a, const Tensor& b, const Scalar& value) {
  return fused_("addcdiv_", Row::addcdiv, x, a, b, value, &addcdiv);
}

void def_arithmetic(Ops& ops) {
  const Arg input = "input"_a, number_input = "input"_a.or_number(), other = "other"_a,
            number_other = "other"_a.or_number();
  const Arg alpha = "alpha"_a = 1, value = "value"_a = 1;
  const auto method = [&](const char* name, auto* function, const auto&... rest) {
    ops.def(name, function, rest...).method_only().no_out();
  };
  const auto both = [&](const char* name, auto* function, const auto&... rest) {
    ops.def(name, function, rest...).no_out();
  };

  using Two = Tensor(const Tensor&, const Tensor&);
  using Scaled = Tensor(const Tensor&, const Tensor&, const Scalar&);
  ops.def("add", (Two*)&add, number_input, number_other,
          "Sum of two tensors, broadcast; `other` times `alpha` if given.");
  ops.def("add", (Scaled*)&add, number_input, number_other, kw_only, alpha, "input + alpha * other.");
  method("add_", (Two*)&add_, input, number_other, "In-place add.");
  method("add_", (Scaled*)&add_, input, number_other, kw_only, alpha, "In-place add.");
  for (const char* name : {"sub", "subtract"}) {
    ops.def(name, (Two*)&sub, number_input, number_other,
            "Difference of two tensors, broadcast; `other` times `alpha` if given.");
    ops.def(name, (Scaled*)&sub, number_input, number_other, kw_only, alpha, "input - alpha * other.");
  }
  for (const char* name : {"sub_", "subtract_"}) {
    method(name, (Two*)&sub_, input, number_other, "In-place sub.");
    method(name, (Scaled*)&sub_, input, number_other, kw_only, alpha, "In-place sub.");
  }
  ops.def("rsub", &rsub, input, number_other, kw_only, alpha, "other - alpha * input.");

  const Arg required_mode = "rounding_mode"_a;
  for (const char* name : {"div", "divide"}) {
    ops.def(name, (Two*)&div, number_input, number_other, "Quotient of two tensors; integers divide as floats.");
    ops.def(name, &div_rounded, number_input, number_other, kw_only, required_mode,
            "Quotient, rounded down (\"floor\") or towards zero (\"trunc\").");
  }
  for (const char* name : {"div_", "divide_"}) {
    method(name, (Two*)&div_, input, number_other, "In-place div.");
    method(name, &div_rounded_, input, number_other, kw_only, required_mode, "In-place div.");
  }
  ops.def("true_divide", (Two*)&div, number_input, number_other, "Quotient of two tensors; integers divide as floats.");
  method("true_divide_", (Two*)&div_, input, number_other, "In-place true_divide.");
  ops.def("floor_divide", &floor_divide, number_input, number_other, "Quotient rounded down, as Python's //.");
  method("floor_divide_", &floor_divide_, input, number_other, "In-place floor_divide.");
  ops.def("remainder", &remainder, number_input, number_other, "What // leaves: Python's %, with the sign of `other`.");
  method("remainder_", &remainder_, input, number_other, "In-place remainder.");
  ops.def("fmod", &fmod, input, number_other,
          "Remainder of the division rounded towards zero, with the sign of `input`.");
  method("fmod_", &fmod_, input, number_other, "In-place fmod.");

  const Arg exponent = "exponent"_a.or_number();
  ops.def("pow", &pow, number_input, exponent, "Each element to the power of `exponent`.");
  method("pow_", &pow_, input, exponent, "In-place pow.");
  ops.def("float_power", &float_power, number_input, exponent, "Power computed in double precision.").inplace();
  ops.def("square", &square, input, "Square of each element.");
  both("square_", &square_, input, "In-place square.");
  ops.def("lerp", &lerp, input, "end"_a, "weight"_a.or_number(), "input + weight * (end - input), exact at both ends.");
  method("lerp_", &lerp_, input, "end"_a, "weight"_a.or_number(), "In-place lerp.");
  ops.def("addcmul", &addcmul, input, "tensor1"_a, "tensor2"_a, kw_only, value, "input + value * tensor1 * tensor2.");
  method("addcmul_", &addcmul_, input, "tensor1"_a, "tensor2"_a, kw_only, value, "In-place addcmul.");
  ops.def("addcdiv", &addcdiv, input, "tensor1"_a, "tensor2"_a, kw_only, value, "input + value * tensor1 / tensor2.");
  method("addcdiv_", &addcdiv_, input, "tensor1"_a, "tensor2"_a, kw_only, value, "In-place addcdiv.");
}

}  // namespace lg
