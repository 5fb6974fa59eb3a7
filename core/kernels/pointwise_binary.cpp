// Loops of the rows with two inputs.
#include "kernels/pointwise_loops.h"

namespace lg::LG_ISA {
namespace element {
namespace {
#define ELEMENT(name, result, element) \
  struct name {                        \
    template <class T>                 \
    static result of(T a, T b) {       \
      return result(element);          \
    }                                  \
  };
#define BINARY(name, on, numbers, keeps, element, ...) ELEMENT(name, T, element)
#define RELATION(name, on, numbers, element, ...) ELEMENT(name, bool, element)
#define BITWISE(name, on, numbers, element, ...) ELEMENT(name, T, element)
#define LOOP2(name, on, out, element) ELEMENT(name, T, element)
#include "pointwise.def"
}  // namespace
}  // namespace element

constexpr RowLoops binary_loops[] = {
#define ROW(name, on_) loops_of<element::name, 2, on::on_>(),
#define BINARY(name, on_, ...) ROW(name, on_)
#define RELATION(name, on_, ...) ROW(name, on_)
#define BITWISE(name, on_, ...) ROW(name, on_)
#define LOOP2(name, on_, ...) ROW(name, on_)
#include "pointwise.def"
};
}  // namespace lg::LG_ISA
