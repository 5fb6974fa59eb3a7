// The thread pool: one for the process, used by every kernel.
//
// Chunks depend on the size of the work alone, never on the number of threads, so results have the same bits whatever
// that number is.  Work that fits one grain runs on the caller, GIL held; larger work releases the GIL while it runs.
#pragma once

#include <cstddef>
#include <cstdint>
#include <type_traits>

namespace lg {

int num_threads();
void set_num_threads(int count);  // 1 to 64

/// Runs task(context, begin, end) over [0, n) in chunks of `grain`, which are begun in their order: a chunk may wait
/// for an earlier one.  `task` must not throw and must not touch Python.
void parallel_run(int64_t n, int64_t grain, void (*task)(void*, int64_t, int64_t), void* context);

/// f(begin, end) over [0, n); n <= grain is one plain call.
template <class F>
inline void parallel_for(int64_t n, int64_t grain, F&& f) {
  if (n <= grain) {
    if (n > 0) f(int64_t(0), n);
    return;
  }
  parallel_run(
      n, grain,
      [](void* context, int64_t begin, int64_t end) {
        (*static_cast<std::remove_reference_t<F>*>(context))(begin, end);
      },
      &f);
}

/// Elements of a light loop that are worth waking a thread for.
inline constexpr int64_t default_grain = 32768;

/// Releases the GIL for a stretch of native work that touches no Python object.
class GilRelease {
 public:
  GilRelease();
  ~GilRelease();
  GilRelease(const GilRelease&) = delete;
  GilRelease& operator=(const GilRelease&) = delete;

 private:
  void* state_;
};

/// Keeps the GIL while large work runs: for a write that no other Python thread may get between.
class GilHold {
 public:
  GilHold();
  ~GilHold();
  GilHold(const GilHold&) = delete;
  GilHold& operator=(const GilHold&) = delete;

 private:
  bool before_;
};

}  // namespace lg
