// The two tables: cpu's points at the kernels, meta's at functions that do nothing.
#include "kernels/table.h"

namespace lg {

const Kernels& cpu_kernels() {
  static const Kernels table = {
#define X(name, parameters) &LG_ISA::name,
      LG_KERNELS(X)
#undef X
  };
  return table;
}

namespace {
template <class F>
struct Nothing;
template <class... A>
struct Nothing<void (*)(A...)> {
  static void call(A...) {}
};
}  // namespace

const Kernels& meta_kernels() {
  static const Kernels table = {
#define X(name, parameters) &Nothing<decltype(Kernels::name)>::call,
      LG_KERNELS(X)
#undef X
  };
  return table;
}

}  // namespace lg
