// The thread pool.
//
// One job runs at a time.  Its chunks are claimed one by one from an atomic counter, by the caller and by the workers,
// so uneven chunks balance themselves; where a chunk begins and ends depends on the work alone.  A caller that finds
// the pool busy (another Python thread, or a task that itself calls parallel_for) runs its chunks alone, in order,
// which gives the same bits.  Workers start at the first job, spin for some microseconds after each, then sleep.  After
// a fork the child has no workers, so it begins with a new pool.
#include "runtime/pool.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>

#include <Python.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <cstdlib>
#include <mutex>
#include <string>
#include <system_error>
#include <thread>

#include "runtime/error.h"

namespace lg {
namespace {

constexpr int max_threads = 64;
constexpr int spins = 4000;  // about 20 microseconds, what a sleep and a wake-up would cost

thread_local bool inside_job = false;  // this thread runs a chunk: a further parallel_for stays on it

inline void relax() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

struct Job {
  void (*task)(void*, int64_t, int64_t) = nullptr;
  void* context = nullptr;
  int64_t n = 0, grain = 1;
  std::atomic<int64_t> next{0};  // begin of the first chunk that nobody has claimed

  void run() {
    for (int64_t begin; (begin = next.fetch_add(grain, std::memory_order_relaxed)) < n;)
      task(context, begin, std::min(begin + grain, n));
  }
};

class Pool {
 public:
  bool try_enter() { return !busy_.exchange(true, std::memory_order_acquire); }

  /// Between try_enter and its return the pool is the caller's.
  void run(int threads, int64_t n, int64_t grain, void (*task)(void*, int64_t, int64_t), void* context) {
    start_workers(threads - 1);
    {
      std::lock_guard lock(mutex_);
      job_.task = task;
      job_.context = context;
      job_.n = n;
      job_.grain = grain;
      job_.next.store(0, std::memory_order_relaxed);
      helpers_wanted_ = int(std::min<int64_t>(threads - 1, (n - 1) / grain));
      generation_.fetch_add(1, std::memory_order_release);
    }
    wake_.notify_all();
    job_.run();
    finish();
    busy_.store(false, std::memory_order_release);
  }

 private:
  void start_workers(int count) {
    sigset_t all, before;
    sigfillset(&all);
    if (workers_ >= count) return;
    pthread_sigmask(SIG_SETMASK, &all, &before);  // signals, Ctrl-C above all, are for Python's threads
    try {
      for (; workers_ < count; ++workers_) std::thread([this] { work(); }).detach();
    } catch (const std::system_error&) {
      // The system gives no more threads: the ones there are, or the caller alone, do the work.
    }
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
  }

  /// No worker may join any more; those that have are waited for.
  void finish() {
    std::unique_lock lock(mutex_);
    helpers_wanted_ = 0;
    for (int i = 0; active_ && i < spins; ++i) {
      lock.unlock();
      for (int j = 0; j < 8; ++j) relax();
      lock.lock();
    }
    done_.wait(lock, [this] { return active_ == 0; });
  }

  void work() {
    inside_job = true;
    uint64_t seen = 0;
    for (;;) {
      for (int i = 0; i < spins && generation_.load(std::memory_order_acquire) == seen; ++i) relax();
      std::unique_lock lock(mutex_);
      wake_.wait(lock, [&] { return generation_.load(std::memory_order_relaxed) != seen; });
      seen = generation_.load(std::memory_order_relaxed);
      if (helpers_wanted_ == 0) continue;  // came too late, or not needed
      --helpers_wanted_;
      ++active_;
      lock.unlock();
      job_.run();
      lock.lock();
      if (--active_ == 0) done_.notify_one();
    }
  }

  std::atomic<bool> busy_{false};
  std::atomic<uint64_t> generation_{0};  // counts jobs
  std::mutex mutex_;                     // guards what follows
  std::condition_variable wake_, done_;
  Job job_;
  int helpers_wanted_ = 0;  // workers that may still join the job
  int active_ = 0;          // workers inside the job
  int workers_ = 0;         // only the owner of busy_ changes it
};

// Never destroyed: workers sleep in it until the process ends.
Pool* pool = nullptr;
std::atomic<int> threads_wanted{0};

int default_num_threads() {
  if (const char* text = std::getenv("LEAFGRAD_NUM_THREADS"))
    if (int count = std::atoi(text); count > 0) return std::min(count, max_threads);
  cpu_set_t cpus;
  if (sched_getaffinity(0, sizeof cpus, &cpus) == 0) return std::clamp(CPU_COUNT(&cpus), 1, max_threads);
  return std::clamp(int(std::thread::hardware_concurrency()), 1, max_threads);
}

Pool& the_pool() {
  static const bool once = [] {
    pool = new Pool;
    pthread_atfork(nullptr, nullptr, [] {
      pool = new Pool;  // the old one's workers and locks stayed with the parent
      inside_job = false;
    });
    return true;
  }();
  (void)once;
  return *pool;
}

void run_alone(int64_t n, int64_t grain, void (*task)(void*, int64_t, int64_t), void* context) {
  for (int64_t begin = 0; begin < n; begin += grain) task(context, begin, std::min(begin + grain, n));
}

}  // namespace

int num_threads() {
  int count = threads_wanted.load(std::memory_order_relaxed);
  if (count == 0) threads_wanted = count = default_num_threads();
  return count;
}

void set_num_threads(int count) {
  check(count >= 1, "set_num_threads: expected a positive number of threads, got ", count);
  threads_wanted = std::min(count, max_threads);
}

void parallel_run(int64_t n, int64_t grain, void (*task)(void*, int64_t, int64_t), void* context) {
  if (inside_job) return run_alone(n, grain, task, context);
  GilRelease unlocked;
  int threads = num_threads();
  if (threads > 1 && n > grain) {
    Pool& shared = the_pool();
    if (shared.try_enter()) {
      inside_job = true;
      shared.run(threads, n, grain, task, context);
      inside_job = false;
      return;
    }
  }
  inside_job = true;
  run_alone(n, grain, task, context);
  inside_job = false;
}

static thread_local bool hold_gil = false;
GilHold::GilHold() : before_(hold_gil) { hold_gil = true; }
GilHold::~GilHold() { hold_gil = before_; }

// A chunk never holds the GIL, whatever PyGILState_Check would say of a thread that Python does not know.
GilRelease::GilRelease() : state_(!hold_gil && !inside_job && PyGILState_Check() ? PyEval_SaveThread() : nullptr) {}
GilRelease::~GilRelease() {
  if (state_) PyEval_RestoreThread(static_cast<PyThreadState*>(state_));
}

}  // namespace lg
