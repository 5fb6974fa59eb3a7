// Which of several values an element takes: by a mask, or by bounds.
#include "ops/evaluate.h"

namespace lg {

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

// ---- bounds

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

void def_selection(Ops& ops) {
  const Arg input = "input"_a, number_input = "input"_a.or_number(), number_other = "other"_a.or_number();
  const auto method = [&](const char* name, auto* function, const auto&... rest) {
    ops.def(name, function, rest...).method_only().no_out();
  };
  const auto both = [&](const char* name, auto* function, const auto&... rest) {
    ops.def(name, function, rest...).no_out();
  };

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
}

}  // namespace lg
