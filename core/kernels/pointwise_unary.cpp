// Loops of the rows with one input.
#include <concepts>

#include "kernels/pointwise_loops.h"

namespace lg::LG_ISA {
namespace {

template <Out out, class T>
using Result = std::conditional_t<out == Out::boolean, bool, std::conditional_t<out == Out::real, Real<T>, T>>;

namespace element {
#define ELEMENT(name, out, element)   \
  struct name {                       \
    template <class T>                \
    static Result<out, T> of(T x) {   \
      return Result<out, T>(element); \
    }                                 \
  };
#define UNARY(name, on, keeps, element, ...) ELEMENT(name, Out::same, element)
#define PREDICATE(name, on, element, ...) ELEMENT(name, Out::boolean, element)
#define LOOP1(name, on, out, element) ELEMENT(name, Out::out, element)
#include "pointwise.def"
}  // namespace element

/// sin and cos of floats: vectorized where the whole block is in the range of the simple argument reduction.
template <class F, int quarter>
struct Periodic : F {
  static bool reducible(std::same_as<float> auto x) { return math::reducible(x); }
  static float reduced(float x) { return math::sin_reduced(x, quarter); }
};
template <class F>
struct Chosen {
  using type = F;
};
template <>
struct Chosen<element::sin> {
  using type = Periodic<element::sin, 0>;
};
template <>
struct Chosen<element::cos> {
  using type = Periodic<element::cos, 1>;
};

}  // namespace

constexpr RowLoops unary_loops[] = {
#define ROW(name, on_) loops_of<Chosen<element::name>::type, 1, on::on_>(),
#define UNARY(name, on_, ...) ROW(name, on_)
#define PREDICATE(name, on_, ...) ROW(name, on_)
#define LOOP1(name, on_, ...) ROW(name, on_)
#include "pointwise.def"
};
}  // namespace lg::LG_ISA
