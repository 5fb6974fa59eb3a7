// The tables: cpu's points at the kernels built for the best instruction set that this machine has, meta's at functions
// that do nothing.  LEAFGRAD_ISA=baseline, avx2 or avx512 chooses a lesser set.
#include "kernels/table.h"

#include <cstdlib>
#include <cstring>

#ifdef LEAFGRAD_X86_KERNELS
#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif

#include "kernels/instruction_set.h"

namespace lg {

#ifdef LEAFGRAD_X86_KERNELS
#define X(name, parameters) void name parameters;
namespace avx2 {
LG_KERNELS(X)
}
namespace avx512 {
LG_KERNELS(X)
}
#undef X
#endif

namespace {

// X is that of the place where this is used.
#define KERNELS_OF() {LG_KERNELS(X)}
#define X(name, parameters) &baseline::name,
constexpr Kernels baseline_table = KERNELS_OF();
#undef X

#ifdef LEAFGRAD_X86_KERNELS
#define X(name, parameters) &avx2::name,
constexpr Kernels avx2_table = KERNELS_OF();
#undef X
#define X(name, parameters) &avx512::name,
constexpr Kernels avx512_table = KERNELS_OF();
#undef X

/// A process has to ask Linux for the tiles' registers, once for all its threads.
bool ask_for_tiles() {
  constexpr unsigned amx_bf16 = 1u << 22, amx_tile = 1u << 24;
  constexpr long request_permission = 0x1023, tile_data = 18;
  unsigned eax, ebx, ecx, edx;
  if (!__get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx) || !(edx & amx_bf16) || !(edx & amx_tile)) return false;
  return syscall(SYS_arch_prctl, request_permission, tile_data) == 0;
}

const Kernels* best_table(const char* at_most) {
  auto may = [&](const char* isa) { return !at_most || std::strcmp(at_most, isa) == 0; };
  __builtin_cpu_init();
  bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("bmi") &&
              __builtin_cpu_supports("bmi2");
  bool avx512 = avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                __builtin_cpu_supports("avx512cd") && __builtin_cpu_supports("avx512dq") &&
                __builtin_cpu_supports("avx512vl");
  if (avx512 && (may("avx512") || may("amx"))) return &avx512_table;
  if (avx2 && (may("avx2") || may("avx512") || may("amx"))) return &avx2_table;
  return &baseline_table;
}
#else
const Kernels* best_table(const char*) { return &baseline_table; }
#endif
#undef KERNELS_OF

}  // namespace

const Kernels& cpu_kernels() {
  static const Kernels& table = *best_table(std::getenv("LEAFGRAD_ISA"));
  return table;
}

bool has_tiles() {
#ifdef LEAFGRAD_X86_KERNELS
  static const bool result = [] {
    const char* at_most = std::getenv("LEAFGRAD_ISA");
    return &cpu_kernels() == &avx512_table && (!at_most || std::strcmp(at_most, "amx") == 0) && ask_for_tiles();
  }();
  return result;
#else
  return false;
#endif
}

const char* instruction_set() {
#ifdef LEAFGRAD_X86_KERNELS
  if (has_tiles()) return "amx";
  if (&cpu_kernels() == &avx512_table) return "avx512";
  if (&cpu_kernels() == &avx2_table) return "avx2";
#endif
  return "baseline";
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
