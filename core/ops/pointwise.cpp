// The operators of pointwise.def: each row becomes a function, its in-place form, and their definitions for Python.
// What is not a plain row stands in arithmetic.cpp, elementary.cpp, selection.cpp and activation.cpp; how a row meets
// tensors in evaluate.cpp.
#include "ops/evaluate.h"

namespace lg {
namespace {

enum class Keeps { nothing, input, output, inputs, crossed, inputs_output };

// ---- one input

template <class Rule>
Tensor unary(Row row, Keeps keeps, const char* node, const Tensor& x) {
  Tensor y = evaluate(row, x);
  if (Recorder record{node, y, x})
    record.vjp(Rule{keeps == Keeps::input    ? record.save("self", x)
                    : keeps == Keeps::output ? record.save("result", y)
                                             : Saved()});
  return y;
}

template <class Rule>
Tensor unary_(Row row, Keeps keeps, const char* name, const char* node, Tensor (*apart)(const Tensor&),
              const Tensor& x) {
  if (rebases(x)) return assign(name, x, apart(x));
  check_inplace(name, x);
  const Tensor old = keeps == Keeps::input && recording(x) ? clone(x) : x;
  evaluate_into(row, x);
  x.bump_version();
  if (Recorder record{node, x, x})
    record.vjp(Rule{keeps == Keeps::input    ? record.save("self", old)
                    : keeps == Keeps::output ? record.save("result", x)
                                             : Saved()});
  return x;
}

#define UNARY(name, on, keeps, element, cotangent, ...)                                \
  struct name##_rule {                                                                 \
    Saved saved;                                                                       \
    Tensor operator()(const Tensor& g) const {                                         \
      [[maybe_unused]] const Tensor x = Keeps::keeps == Keeps::input ? *saved : none;  \
      [[maybe_unused]] const Tensor y = Keeps::keeps == Keeps::output ? *saved : none; \
      return cotangent;                                                                \
    }                                                                                  \
  };                                                                                   \
  constexpr NodeName name##_node{#name};
#include "pointwise.def"

// ---- two inputs

/// maximum's gradient goes to the larger input, half of it at a tie.
Tensor larger_share(const Tensor& g, const Tensor& a, const Tensor& b) {
  return masked_fill(where(eq(a, b), g / 2, g), lt(a, b), Scalar(0));
}

template <class Rule>
Rule binary_rule(Recorder& record, Keeps keeps, const Tensor& a, const Tensor& b, const Tensor& y) {
  if (keeps == Keeps::crossed) return {record.save("self", a, 1), record.save("other", b, 0), Saved()};
  return {record.save("self", a), record.save("other", b),
          keeps == Keeps::inputs_output ? record.save("result", y) : Saved()};
}

template <class Rule>
Tensor binary(Row row, Keeps keeps, const char* node, const Tensor& a, const Tensor& b) {
  Tensor y = evaluate(row, a, b);
  if (Recorder record{node, y, a, b}) record.vjp(binary_rule<Rule>(record, keeps, a, b, y));
  return y;
}

template <class Rule>
Tensor binary_(Row row, Keeps keeps, const char* name, const char* node, Tensor (*apart)(const Tensor&, const Tensor&),
               const Tensor& a, const Tensor& b) {
  if (rebases(a, b)) return assign(name, a, apart(a, b));
  check_inplace(name, a, b);
  const bool records = recording(a, b);
  const Tensor old_a = records && (keeps != Keeps::crossed || requires_grad(b)) ? clone(a) : a;
  const Tensor old_b = records && shares_memory(a, b) ? clone(b) : b;
  evaluate_into(row, a, b);
  a.bump_version();
  if (!records) return a;
  const Tensor inputs[] = {a, old_b};
  Recorder record{node, {&a, 1}, inputs};
  record.vjp(binary_rule<Rule>(record, keeps, old_a, old_b, a));
  return a;
}

#define BINARY(name, on, numbers, keeps, element, cotangent_a, cotangent_b, ...)           \
  struct name##_rule {                                                                     \
    Saved saved_a, saved_b, saved_y;                                                       \
    Grads operator()(const Tensor& g, Needs need) const {                                  \
      [[maybe_unused]] const Tensor a = saved_a ? *saved_a : none;                         \
      [[maybe_unused]] const Tensor b = saved_b ? *saved_b : none;                         \
      [[maybe_unused]] const Tensor y = saved_y ? *saved_y : none;                         \
      return {need[0] ? Tensor(cotangent_a) : none, need[1] ? Tensor(cotangent_b) : none}; \
    }                                                                                      \
  };                                                                                       \
  constexpr NodeName name##_node{#name};
#include "pointwise.def"

// ---- without a derivative: in place they cut the graph (the old value no longer matters, so its gradient is zero)

struct ZeroRule {
  Tensor operator()(const Tensor& g) const { return zeros_like(g); }
};

template <class F>
Tensor cut_(const char* name, const char* node, const Tensor& x, F evaluate_in_place) {
  check_inplace(name, x);
  if (rebases(x)) {
    Tensor y = detach(clone(x));
    evaluate_in_place(y);
    return assign(name, x, y);
  }
  evaluate_in_place(x);
  x.bump_version();
  if (Recorder record{node, x, x}) record.vjp(ZeroRule{});
  return x;
}

}  // namespace

// ---- the functions

#define UNARY(name, on, keeps, ...)                                                                         \
  Tensor name(const Tensor& x) { return unary<name##_rule>(Row::name, Keeps::keeps, name##_node.text, x); } \
  Tensor name##_(const Tensor& x) {                                                                         \
    return unary_<name##_rule>(Row::name, Keeps::keeps, #name "_", name##_node.text, &lg::name, x);         \
  }
#define PREDICATE(name, ...) \
  Tensor name(const Tensor& x) { return evaluate(Row::name, x); }
#define BINARY(name, on, numbers, keeps, ...)                                                           \
  Tensor name(const Tensor& a, const Tensor& b) {                                                       \
    return binary<name##_rule>(Row::name, Keeps::keeps, name##_node.text, a, b);                        \
  }                                                                                                     \
  Tensor name##_(const Tensor& a, const Tensor& b) {                                                    \
    return binary_<name##_rule>(Row::name, Keeps::keeps, #name "_", name##_node.text, &lg::name, a, b); \
  }
#define CUT(name)                                                                                    \
  Tensor name(const Tensor& a, const Tensor& b) { return evaluate(Row::name, a, b); }                \
  Tensor name##_(const Tensor& a, const Tensor& b) {                                                 \
    static constexpr NodeName node{#name};                                                           \
    return cut_(#name "_", node.text, a,                                                             \
                [&](const Tensor& x) { evaluate_into(Row::name, x, x.is(a) || !b.is(a) ? b : x); }); \
  }
#define RELATION(name, ...) CUT(name)
#define BITWISE(name, ...) CUT(name)
#include "pointwise.def"

Tensor logical_not_(const Tensor& x) {
  return cut_("logical_not_", "LogicalNotBackward0", x, [](const Tensor& y) { evaluate_into(Row::logical_not, y); });
}

// ---- their definitions for Python

namespace {

struct OtherName {
  const char *name, *other;
};
// PyTorch's second names, in-place forms included.
constexpr OtherName other_names[] = {
    {"acos", "arccos"},
    {"acosh", "arccosh"},
    {"asin", "arcsin"},
    {"asinh", "arcsinh"},
    {"atan", "arctan"},
    {"atanh", "arctanh"},
    {"atan2", "arctan2"},
    {"neg", "negative"},
    {"trunc", "fix"},
    {"mul", "multiply"},
    {"ne", "not_equal"},
    {"lt", "less"},
    {"le", "less_equal"},
    {"gt", "greater"},
    {"ge", "greater_equal"},
    {"bitwise_left_shift", "__lshift__"},
    {"bitwise_right_shift", "__rshift__"},
};
enum class Numbers { none, other, both };

Arg argument(const char* name, bool number) { return number ? Arg{name}.or_number() : Arg{name}; }

}  // namespace

void def_pointwise(Ops& ops) {
#define UNARY(name, on, keeps, element, cotangent, documentation)            \
  {                                                                          \
    ops.def(#name, &name, "input"_a, documentation);                         \
    ops.def(#name "_", &name##_, "input"_a, "In-place " #name ".").no_out(); \
  }
#define PREDICATE(name, on, element, documentation) ops.def(#name, &name, "input"_a, documentation);
#define TWO(name, numbers, documentation)                                                         \
  {                                                                                               \
    const Arg input = argument("input", Numbers::numbers == Numbers::both);                       \
    const Arg other = argument("other", Numbers::numbers != Numbers::none);                       \
    ops.def(#name, &name, input, other, documentation);                                           \
    ops.def(#name "_", &name##_, "input"_a, other, "In-place " #name ".").method_only().no_out(); \
  }
#define BINARY(name, on, numbers, keeps, element, ga, gb, documentation) TWO(name, numbers, documentation)
#define RELATION(name, on, numbers, element, documentation) TWO(name, numbers, documentation)
#define BITWISE(name, on, numbers, element, documentation) TWO(name, numbers, documentation)
#include "pointwise.def"
  ops.def("logical_not_", &logical_not_, "input"_a, "In-place logical_not.").method_only().no_out();
}

}  // namespace lg
