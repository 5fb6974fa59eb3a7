// The pointwise kernel: finds a row's loop for a dtype and runs it over operands of any layout and dtype.
// Also the loops of the rows with three inputs and more.
#include <unistd.h>

#include <optional>

#include "kernels/pointwise_loops.h"
#include "runtime/alloc.h"

namespace lg::LG_ISA {
void copy(Strided dst, Strided src);  // copy.cpp

namespace element {
namespace {
#define LOOP3(name, on, element) \
  struct name {                  \
    template <class T>           \
    static T of(T a, T b, T c) { \
      return T(element);         \
    }                            \
  };
#define LOOP4(name, on, element)      \
  struct name {                       \
    template <class T>                \
    static T of(T a, T b, T c, T d) { \
      return T(element);              \
    }                                 \
  };
#include "pointwise.def"
}  // namespace
}  // namespace element

constexpr RowLoops other_loops[] = {
#define LOOP3(name, on_, ...) loops_of<element::name, 3, on::on_>(),
#define LOOP4(name, on_, ...) loops_of<element::name, 4, on::on_>(),
#include "pointwise.def"
};

namespace {

/// y = mask ? a : b.
template <class T>
void where_loop(char* const* p, int64_t n) {
  T* y = reinterpret_cast<T*>(p[0]);
  const uint8_t* mask = reinterpret_cast<const uint8_t*>(p[1]);
  const T *a = reinterpret_cast<const T*>(p[2]), *b = reinterpret_cast<const T*>(p[3]);
#pragma GCC ivdep
  for (int64_t i = 0; i < n; ++i) y[i] = mask[i] ? a[i] : b[i];
}

DenseLoop find_loop(Row row, DType d) {
  constexpr int first_binary = [] {
    int i = 0;
    while (row_infos[i].inputs == 1) ++i;
    return i;
  }();
  constexpr int first_other = [] {
    int i = 0;
    while (row_infos[i].inputs <= 2) ++i;
    return i;
  }();
  if (row == Row::where) return dispatch_size(itemsize(d), []<class T>() -> DenseLoop { return &where_loop<T>; });
  const int r = int(row);
  if (r < first_binary) return unary_loops[r].of[int(d)];
  if (r < first_other) return binary_loops[r - first_binary].of[int(d)];
  return other_loops[r - first_other].of[int(d)];
}

/// The next type in which values of `d` can be computed without loss.
constexpr DType wider(DType d) {
  switch (d) {
    case DType::Bool: return DType::UInt8;
    case DType::Int8:
    case DType::Int16: return DType::Int32;
    case DType::Float16:
    case DType::BFloat16: return DType::Float32;
    default: return d;
  }
}
/// Two dtypes whose values are the same bytes in memory when they are read.
constexpr DType as_read(DType d) { return d == DType::Bool ? DType::UInt8 : d; }

/// Functions that cost a call an element are worth a thread sooner.
constexpr int64_t grain(Row row) { return info(row).on & promotes ? default_grain / 8 : default_grain; }

/// Is operand k transposed against the output, so that a loop along the output would touch a cache line for each
/// element?
bool lies_across(const Plan& p, int k, int64_t item) {
  if (p.strides[k][0] <= item || p.sizes[0] < 8) return false;
  for (int d = 1; d < p.ndim; ++d)
    if (p.strides[k][d] == item && p.sizes[d] >= 8) return true;
  return false;
}

void run(Row row, DType dtype, const Strided* operands, const int count);

/// The same with the operands that lie across laid out as the output first: copies turn tile by tile.  False: none
/// does.
bool run_turned(Row row, DType dtype, const Strided* operands, const int count, const Plan& plan) {
  int64_t dense = itemsize(operands[0].dtype);
  for (int d = 0; d < plan.ndim; ++d) {
    if (plan.strides[0][d] != dense) return false;
    dense *= plan.sizes[d];
  }
  Strided turned[max_operands];
  std::optional<Scratch> room[max_operands];
  bool any = false;
  for (int k = 0; k < count; ++k) {
    turned[k] = operands[k];
    const int64_t item = itemsize(operands[k].dtype);
    if (k == 0 || !lies_across(plan, k, item)) continue;
    room[k].emplace(size_t(plan.numel * item));
    turned[k] = operands[0];
    turned[k].dtype = operands[k].dtype;
    turned[k].data = room[k]->as<char>();
    copy(turned[k], operands[k]);
    any = true;
  }
  if (any) run(row, dtype, turned, count);
  return any;
}

/// The next operator of a chain reads the result: it finds it in the cache if what this one moves takes a part of that
/// only.
int64_t cached_bytes() {
#ifdef _SC_LEVEL3_CACHE_SIZE
  static const int64_t part = std::max<int64_t>(streamed_bytes, sysconf(_SC_LEVEL3_CACHE_SIZE) / 3);
  return part;
#else
  return streamed_bytes;
#endif
}

/// Does the result leave the cache before it is read, and does no input bring its lines in anyway?
bool is_streamed(const Plan& plan, const Strided* operands, const int count) {
  int64_t moved = 0;
  for (int k = 0; k < count; ++k) {
    int64_t elements = 1;
    for (int d = 0; d < plan.ndim; ++d) elements *= plan.strides[k][d] ? plan.sizes[d] : 1;
    moved += elements * itemsize(operands[k].dtype);
    if (k > 0 && plan.data[k] == plan.data[0]) return false;
  }
  return moved >= (plan.ndim > 1 ? streamed_bytes : cached_bytes());  // a broadcast operand gains by it even so
}

void run(Row row, DType dtype, const Strided* operands, const int count) {
  DType type = dtype;
  DenseLoop loop = find_loop(row, type);
  if (!loop) loop = find_loop(row, type = wider(dtype));
  if (!loop) return;  // operators check what a row is defined on

  const Plan plan = make_plan(operands, count);
  if (plan.ndim > 1 && plan.numel >= default_grain && run_turned(row, dtype, operands, count, plan)) return;
  Feed feeds[max_operands];
  for (int k = 0; k < count; ++k) {
    const DType own = operands[k].dtype, in_loop = k == 0                        ? result_dtype(row, type)
                                                   : k == 1 && row == Row::where ? DType::Bool
                                                                                 : type;
    Feed& f = feeds[k];
    f.itemsize = itemsize(in_loop);
    f.convert = k == 0 ? convert_loop(own, in_loop) : convert_loop(in_loop, own);
    f.same_dtype = k == 0 ? own == in_loop : as_read(own) == as_read(in_loop);
    f.linear = f.repeats = true;
    int64_t dense = itemsize(own);
    for (int d = 0; d < plan.ndim; ++d) {
      f.linear &= plan.strides[k][d] == dense;
      f.repeats &= plan.strides[k][d] == 0 || (d == 0 && !runs_by_row(plan));
      dense *= plan.sizes[d];
    }
    f.linear |= plan.numel == 1;
  }
  feeds[0].streamed = feeds[0].linear && feeds[0].same_dtype && is_streamed(plan, operands, count);
  parallel_for(plan.numel, chunk(plan, grain(row)),
               [&](int64_t begin, int64_t end) { run_blocks(plan, feeds, loop, begin, end); });
}

}  // namespace

void pointwise(Row row, DType dtype, const Strided* operands) { run(row, dtype, operands, info(row).inputs + 1); }

void pointwise_dense(Row row, DType dtype, int64_t n, char* const* data, unsigned constants) {
  const int count = info(row).inputs + 1;
  const DenseLoop loop = find_loop(row, dtype);
  const bool large = n * itemsize(dtype) * count >= cached_bytes();
  if (loop && !large && (!constants || n == 1)) {
    if (n <= grain(row)) return loop(data, n);
    parallel_for(n, grain(row), [&](int64_t begin, int64_t end) {
      char* at[max_operands];
      for (int k = 0; k < count; ++k) at[k] = data[k] + begin * itemsize(k == 0 ? result_dtype(row, dtype) : dtype);
      loop(at, end - begin);
    });
    return;
  }
  Strided operands[max_operands];
  static constexpr int64_t unit = 1, zero = 0;
  for (int k = 0; k < count; ++k)
    operands[k] = {data[k], k == 0 ? result_dtype(row, dtype) : dtype, 1, &n, constants >> k & 1 ? &zero : &unit};
  run(row, dtype, operands, count);
}

}  // namespace lg::LG_ISA
