// What the machine can do at best: bytes read, written and copied a second, and float32 FMAs, on a number of threads.
//
// The best of several passes, since only disturbances make a pass slower.  Each thread has memory of its own, which it
// touches first; all threads run a pass together.  Writes go past the caches (non-temporal) where the compiler can be
// told to, because an ordinary store first reads the line that it overwrites.  Prints JSON.

#include <sys/mman.h>
#include <algorithm>
#include <barrier>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <thread>
#include <vector>
#if defined(__SSE2__)
#include <immintrin.h>
#endif

namespace {

#if defined(__AVX512F__)
constexpr int width = 64;
#elif defined(__AVX__)
constexpr int width = 32;
#else
constexpr int width = 16;
#endif
typedef float Floats __attribute__((vector_size(width)));

constexpr int64_t block = int64_t{128} << 20;  // bytes a thread reads or writes: far more than its share of any cache
constexpr int passes = 12;

float* fresh() {
  void* memory = aligned_alloc(int64_t{2} << 20, block);
  madvise(memory, block, MADV_HUGEPAGE);
  memset(memory, 1, block);
  return static_cast<float*>(memory);
}

inline void store(float* to, Floats value) {
#if defined(__AVX512F__)
  _mm512_stream_ps(to, (__m512)value);
#elif defined(__AVX__)
  _mm256_stream_ps(to, (__m256)value);
#elif defined(__SSE2__)
  _mm_stream_ps(to, (__m128)value);
#else
  *reinterpret_cast<Floats*>(to) = value;
#endif
}

constexpr int lanes = width / sizeof(float);
constexpr int64_t count = block / sizeof(float);

Floats load(const float* from) { return *reinterpret_cast<const Floats*>(from); }

void read(const float* from, float*) {
  Floats sum[8] = {};
  for (int64_t i = 0; i < count; i += 8 * lanes)
    for (int k = 0; k < 8; ++k) sum[k] += load(from + i + k * lanes);
  for (int k = 1; k < 8; ++k) sum[0] += sum[k];
  asm volatile("" ::"x"(sum[0]));
}

void write(const float* from, float* to) {
  Floats value = load(from);
  for (int64_t i = 0; i < count; i += lanes) store(to + i, value);
}

void copy(const float* from, float* to) {
  for (int64_t i = 0; i < count; i += lanes) store(to + i, load(from + i));
}

// Ten chains hide the latency of an FMA; the factor keeps every value near one.
constexpr int chains = 10;
constexpr int64_t turns = 4'000'000;

void multiply(const float*, float*) {
  Floats sum[chains], factor, term;
  for (int i = 0; i < lanes; ++i) factor[i] = 0.5f, term[i] = 0.5f;
  for (auto& value : sum) value = factor;
  for (int64_t i = 0; i < turns; ++i) {
    for (auto& value : sum) value = value * factor + term;
    asm volatile("" : "+x"(factor));
  }
  for (int k = 1; k < chains; ++k) sum[0] += sum[k];
  asm volatile("" ::"x"(sum[0]));
}

// Seconds of the best pass, from when the first thread begins until the last one ends.
double best(int threads, void (*work)(const float*, float*), std::vector<float*>& from, std::vector<float*>& to) {
  using Clock = std::chrono::steady_clock;
  std::vector<Clock::time_point> begun(threads * passes), ended(threads * passes);
  std::barrier together(threads);
  std::vector<std::thread> all;
  for (int t = 0; t < threads; ++t)
    all.emplace_back([&, t] {
      for (int pass = 0; pass < passes; ++pass) {
        together.arrive_and_wait();
        begun[pass * threads + t] = Clock::now();
        work(from[t], to[t]);
        ended[pass * threads + t] = Clock::now();
      }
    });
  for (auto& thread : all) thread.join();
  double least = 1e9;
  for (int pass = 0; pass < passes; ++pass) {
    auto first = begun.begin() + pass * threads, last = ended.begin() + pass * threads;
    std::chrono::duration<double> passed =
        *std::max_element(last, last + threads) - *std::min_element(first, first + threads);
    least = std::min(least, passed.count());
  }
  return least;
}

}  // namespace

int main(int, char** arguments) {
  int threads = atoi(arguments[1]);
  std::vector<float*> from(threads), to(threads);
  for (int t = 0; t < threads; ++t) from[t] = fresh(), to[t] = fresh();
  double bytes = double(block) * threads, operations = 2.0 * turns * chains * lanes * threads;
  printf("{\"read\": %g, \"write\": %g, \"copy\": %g, \"fma\": %g}\n", bytes / best(threads, read, from, to),
         bytes / best(threads, write, from, to), 2 * bytes / best(threads, copy, from, to),
         operations / best(threads, multiply, from, to));
}
