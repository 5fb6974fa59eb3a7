// Pointwise operators that are more than a row: those with `alpha`, rounding modes, numbers that change the rule,
// masks, three inputs and more, and the activations whose gradient is one pass.
#include <cmath>

#include "kernels/table.h"
#include "ops/evaluate.h"

namespace lg {
namespace {

using Unary = Tensor (*)(const Tensor&);

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

// ---- masks

namespace {

void check_mask(const Tensor& mask) {
  check(mask.dtype() == DType::Bool, "masked_fill_ only supports boolean masks, but got mask with dtype ",
        name(mask.dtype()));
}
/// A number must be one that x's dtype has; a tensor only has to be zero-dim.
void check_fill_value(const Tensor& x, const Tensor& value) {
  check(value.dim() == 0, "masked_fill_ only supports a 0-dimensional value tensor, but got tensor with ", value.dim(),
        " dimension(s).");
  if (!value->wrapped_number) {
    check(can_cast(value.dtype(), x.dtype()) || info(value.dtype()).kind == info(x.dtype()).kind,
          "value cannot be converted to type ", name(x.dtype()), " without overflow");
    return;
  }
  dispatch_all(x.dtype(), [&]<class T>() { (void)value_of(value).checked<T>(); });
}

}  // namespace

Tensor where(const Tensor& condition, const Tensor& a, const Tensor& b) {
  check(condition.dtype() == DType::Bool || condition.dtype() == DType::UInt8,
        "where expected condition to be a boolean tensor, but got a tensor with dtype ",
        scalar_type_name(condition.dtype()));
  Tensor y = evaluate(Row::where, result_type(a, b), {&condition, &a, &b});
  if (Recorder record{"WhereBackward0", y, a, b})
    record.vjp([saved = record.save("condition", condition)](const Tensor& g, Needs need) -> Grads {
      const Tensor c = *saved, zero = number(0);
      return {need[0] ? where(c, g, zero) : none, need[1] ? where(c, zero, g) : none};
    });
  return y;
}
static Tensors where_indices(const Tensor& condition) { return unbind(nonzero(condition), 1); }

Tensor masked_fill(const Tensor& x, const Tensor& mask, const Tensor& value) {
  check_mask(mask);
  check_fill_value(x, value);
  Tensor y = evaluate(Row::where, x.dtype(), {&mask, &value, &x});
  if (value->wrapped_number) {
    if (Recorder record{"MaskedFillBackward0", y, x})
      record.vjp([saved = record.save("mask", mask)](const Tensor& g) { return masked_fill(g, *saved, Scalar(0)); });
  } else if (Recorder record{"MaskedFillBackward1", y, x, value}) {
    record.vjp([saved = record.save("mask", mask)](const Tensor& g, Needs need) -> Grads {
      const Tensor m = *saved;
      return {need[0] ? masked_fill(g, m, Scalar(0)) : none, need[1] ? sum(where(m, g, number(0))) : none};
    });
  }
  return y;
}
Tensor masked_fill(const Tensor& x, const Tensor& mask, const Scalar& value) {
  return masked_fill(x, mask, number(value));
}
Tensor masked_fill_(const Tensor& x, const Tensor& mask, const Tensor& value) {
  check_mask(mask);
  check_fill_value(x, value);
  return in_place(
      "masked_fill_", x, recording(x, value), [&] { return masked_fill(x, mask, value); },
      [&] { evaluate_into(Row::where, x.dtype(), x, {&mask, &value, &x}); });
}

// ---- three inputs and more

namespace {

/// Is x inside [min, max], where given?  There its slope is 1.
Tensor inside(const Tensor& x, const Tensor& min, const Tensor& max) {
  if (!min) return le(x, max);
  if (!max) return ge(x, min);
  return logical_and(ge(x, min), le(x, max));
}

Tensor clamp_value(const Tensor& x, const Tensor& min, const Tensor& max) {
  check(min || max, "torch.clamp: At least one of 'min' or 'max' must not be None");
  const DType d = promoted({&x, &min, &max});
  if (is_complex(d)) fail(ErrorKind::NotImplemented, "clamp is not supported for complex types");
  compute_dtype(Row::clamp, d);  // refuses bool, which maximum takes
  if (!max) return evaluate(Row::maximum, d, {&x, &min});
  if (!min) return evaluate(Row::minimum, d, {&x, &max});
  return evaluate(Row::clamp, d, {&x, &min, &max});
}

Tensor clamp_named(const char* number_node, const char* node, const Tensor& x, const Tensor& min, const Tensor& max) {
  Tensor y = clamp_value(x, min, max);
  const bool numbers = (!min || min->wrapped_number) && (!max || max->wrapped_number);
  const Tensor inputs[] = {x, min, max};
  if (Recorder record{numbers ? number_node : node, {&y, 1}, {inputs, numbers ? 1u : 3u}})
    record.vjp([sx = record.save("self", x), smin = record.save("min", min), smax = record.save("max", max)](
                   const Tensor& g, Needs need) -> Grads {
      const Tensor x = *sx, min = smin ? *smin : none, max = smax ? *smax : none, zero = number(0);
      Grads gs(need.size());
      if (need[0]) gs[0] = where(inside(x, min, max), g, zero);
      if (need[1]) gs[1] = where(max ? logical_and(lt(min, max), lt(x, min)) : lt(x, min), g, zero);
      if (need[2]) gs[2] = where(min ? logical_or(gt(x, max), lt(max, min)) : gt(x, max), g, zero);
      return gs;
    });
  return y;
}

Tensor optional_number(const std::optional<Scalar>& s) { return s ? number(*s) : none; }

Tensor clamp_in_place(const char* name, const Tensor& x, const Tensor& min, const Tensor& max,
                      Tensor (*apart)(const Tensor&, const Tensor&, const Tensor&)) {
  check(min || max, "torch.clamp: At least one of 'min' or 'max' must not be None");
  const bool records = recording(x) || (min && recording(min)) || (max && recording(max));
  return in_place(
      name, x, records, [&] { return apart(x, min, max); },
      [&] {
        const DType d = promoted({&x, &min, &max});
        if (!max)
          evaluate_into(Row::maximum, d, x, {&x, &min});
        else if (!min)
          evaluate_into(Row::minimum, d, x, {&x, &max});
        else
          evaluate_into(Row::clamp, d, x, {&x, &min, &max});
      });
}

}  // namespace

Tensor clamp(const Tensor& x, const Tensor& min, const Tensor& max) {
  return clamp_named("ClampBackward1", "ClampBackward0", x, min, max);
}
Tensor clamp_min(const Tensor& x, const Tensor& min) {
  return clamp_named("ClampMinBackward0", "ClampMinBackward1", x, min, none);
}
Tensor clamp_max(const Tensor& x, const Tensor& max) {
  return clamp_named("ClampMaxBackward0", "ClampMaxBackward1", x, none, max);
}
static Tensor clamp_numbers(const Tensor& x, std::optional<Scalar> min, std::optional<Scalar> max) {
  return clamp(x, optional_number(min), optional_number(max));
}
static Tensor clamp_(const Tensor& x, const Tensor& min, const Tensor& max) {
  return clamp_in_place("clamp_", x, min, max, &clamp);
}
static Tensor clamp_numbers_(const Tensor& x, std::optional<Scalar> min, std::optional<Scalar> max) {
  return clamp_(x, optional_number(min), optional_number(max));
}
static Tensor clamp_min_(const Tensor& x, const Tensor& min) {
  return clamp_in_place("clamp_min_", x, min, none,
                        [](const Tensor& x, const Tensor& min, const Tensor&) { return clamp_min(x, min); });
}
static Tensor clamp_max_(const Tensor& x, const Tensor& max) {
  return clamp_in_place("clamp_max_", x, none, max,
                        [](const Tensor& x, const Tensor&, const Tensor& max) { return clamp_max(x, max); });
}

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

// ---- activations: gradients in one pass, each differentiable again

/// g f'(y) as one kernel, where `slope_slope(g, y)` is g f''(y) in plain operators.
template <class F>
static Tensor backward_pass(Row row, const char* node, const char* saved_name, const Tensor& g, const Tensor& y,
                            Tensor (*again)(const Tensor&, const Tensor&), F slope_slope) {
  Tensor dx = evaluate(row, g, y);
  if (Recorder record{node, dx, g, y})
    record.vjp([sg = record.save("grad_output", g, 1), sy = record.save(saved_name, y), again, slope_slope](
                   const Tensor& gg, Needs need) -> Grads {
      const Tensor y = *sy;
      // dx = g conj(f'(y)) is linear in g; in y it is antilinear, which puts the conjugate on the incoming cotangent.
      return {need[0] ? again(gg, conj(y)) : none, need[1] ? conj(gg) * slope_slope(*sg, conj(y)) : none};
    });
  return dx;
}

Tensor sigmoid_backward(const Tensor& g, const Tensor& y) {
  return backward_pass(Row::sigmoid_backward, "SigmoidBackwardBackward0", "output", g, y, &sigmoid_backward,
                       [](const Tensor& g, const Tensor& y) { return g * (1 - y * 2); });
}
Tensor tanh_backward(const Tensor& g, const Tensor& y) {
  return backward_pass(Row::tanh_backward, "TanhBackwardBackward0", "output", g, y, &tanh_backward,
                       [](const Tensor& g, const Tensor& y) { return g * (y * -2); });
}
Tensor silu_backward(const Tensor& g, const Tensor& x) {
  return backward_pass(Row::silu_backward, "SiluBackwardBackward0", "self", g, x, &silu_backward,
                       [](const Tensor& g, const Tensor& x) {
                         const Tensor s = sigmoid(x), t = 1 - s;
                         return g * s * t * (x * (t - s) + 2);
                       });
}
Tensor relu_backward(const Tensor& g, const Tensor& y) {
  Tensor dx = evaluate(Row::relu_backward, g, y);
  if (Recorder record{"ThresholdBackwardBackward0", dx, g})
    record.vjp([saved = record.save("self", y)](const Tensor& gg) { return relu_backward(gg, *saved); });
  return dx;
}

namespace {

Tensor gelu_erf_backward(const Tensor& g, const Tensor& x) {  // x Phi(x): f'' = phi(x) (2 - x**2)
  return backward_pass(Row::gelu_erf_backward, "GeluBackwardBackward0", "self", g, x, &gelu_erf_backward,
                       [](const Tensor& g, const Tensor& x) {
                         const Tensor squared = x * x;
                         return g * exp(squared * -0.5) * 0.39894228040143267794 * (2 - squared);
                       });
}
Tensor gelu_tanh_backward(const Tensor& g, const Tensor& x) {  // x (1 + tanh u) / 2 with u = k (x + c x**3)
  return backward_pass(Row::gelu_tanh_backward, "GeluBackwardBackward0", "self", g, x, &gelu_tanh_backward,
                       [](const Tensor& g, const Tensor& x) {
                         constexpr double k = 0.79788456080286535588, c = 0.044715;
                         const Tensor squared = x * x, u = tanh((x + x * squared * c) * k),
                                      du = (squared * (3 * c) + 1) * k;
                         return g * (1 - u * u) * (du + x * x * (3 * k * c) - x * u * du * du);
                       });
}

}  // namespace

Tensor gelu(const Tensor& x, const std::string& approximate) {
  check(approximate == "none" || approximate == "tanh", "approximate argument must be either none or tanh.");
  const bool by_tanh = approximate == "tanh";
  Tensor y = evaluate(by_tanh ? Row::gelu_tanh : Row::gelu_erf, x);
  if (Recorder record{"GeluBackward0", y, x})
    record.vjp([saved = record.save("self", x), by_tanh](const Tensor& g) {
      return by_tanh ? gelu_tanh_backward(g, *saved) : gelu_erf_backward(g, *saved);
    });
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

// ---- definitions

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

  using One = Tensor(const Tensor&);
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

  ops.def("where", (Tensor (*)(const Tensor&, const Tensor&, const Tensor&))&where, "condition"_a, number_input,
          number_other, "`input` where the condition holds, `other` elsewhere.");
  ops.def("where", &where_indices, "condition"_a, "Indices at which the condition holds, a tensor for each dimension.")
      .no_out();
  const Arg mask = "mask"_a, number_value = "value"_a.or_number();
  ops.def("masked_fill", (Tensor (*)(const Tensor&, const Tensor&, const Tensor&))&masked_fill, input, mask,
          number_value, "`value` where the mask holds, `input` elsewhere.");
  method("masked_fill_", &masked_fill_, input, mask, number_value, "In-place masked_fill.");

  const Arg min = "min"_a = None, max = "max"_a = None;
  for (const char* name : {"clamp", "clip"}) {
    ops.def(name, &clamp, input, min, max, "Each element, raised to `min` and cut to `max` where given.");
    ops.def(name, &clamp_numbers, input, min, max, "Each element, raised to `min` and cut to `max` where given.");
  }
  for (const char* name : {"clamp_", "clip_"}) {
    both(name, &clamp_, input, min, max, "In-place clamp.");
    both(name, &clamp_numbers_, input, min, max, "In-place clamp.");
  }
  ops.def("clamp_min", &clamp_min, input, "min"_a.or_number(), "Each element, at least `min`.");
  ops.def("clamp_max", &clamp_max, input, "max"_a.or_number(), "Each element, at most `max`.");
  both("clamp_min_", &clamp_min_, input, "min"_a.or_number(), "In-place clamp_min.");
  both("clamp_max_", &clamp_max_, input, "max"_a.or_number(), "In-place clamp_max.");
  ops.def("lerp", &lerp, input, "end"_a, "weight"_a.or_number(), "input + weight * (end - input), exact at both ends.");
  method("lerp_", &lerp_, input, "end"_a, "weight"_a.or_number(), "In-place lerp.");
  ops.def("addcmul", &addcmul, input, "tensor1"_a, "tensor2"_a, kw_only, value, "input + value * tensor1 * tensor2.");
  method("addcmul_", &addcmul_, input, "tensor1"_a, "tensor2"_a, kw_only, value, "In-place addcmul.");
  ops.def("addcdiv", &addcdiv, input, "tensor1"_a, "tensor2"_a, kw_only, value, "input + value * tensor1 / tensor2.");
  method("addcdiv_", &addcdiv_, input, "tensor1"_a, "tensor2"_a, kw_only, value, "In-place addcdiv.");
  ops.def("gelu", &gelu, input, kw_only, "approximate"_a = "none", "Gaussian error linear unit, x * Phi(x).")
      .function_only();
  ops.def("sinc", &sinc, input, "sin(pi x) / (pi x), and 1 at 0.").inplace();
}

}  // namespace lg
