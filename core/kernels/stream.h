// Writing past the caches: a line that is written whole need not be read first.  See docs/design/fewer_passes.md.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#if defined(__SSE2__)
#include <immintrin.h>
#endif

#include "kernels/isa.h"

namespace lg::LG_ISA {

/// What an operator reads and writes no longer fits into a last-level cache of this size, so that its result would be
/// driven out before anyone reads it.
inline constexpr int64_t streamed_bytes = int64_t(32) << 20;

/// `bytes` from src to dst, past the caches where the processor can.  Other threads see them after the next locked
/// instruction, which the end of a job is.
inline void stream(char* dst, const char* src, int64_t bytes) {
#if defined(__AVX512F__)
  using Line = __m512i;
  auto move = [](char* to, const char* from) { _mm512_stream_si512((Line*)to, _mm512_loadu_si512(from)); };
#elif defined(__AVX__)
  using Line = __m256i;
  auto move = [](char* to, const char* from) { _mm256_stream_si256((Line*)to, _mm256_loadu_si256((const Line*)from)); };
#elif defined(__SSE2__)
  using Line = __m128i;
  auto move = [](char* to, const char* from) { _mm_stream_si128((Line*)to, _mm_loadu_si128((const Line*)from)); };
#endif
  int64_t i = 0;
#if defined(__SSE2__)
  constexpr int64_t size = sizeof(Line);
  i = std::min<int64_t>(bytes, -reinterpret_cast<uintptr_t>(dst) & (size - 1));
  std::memcpy(dst, src, size_t(i));
  for (; i + size <= bytes; i += size) move(dst + i, src + i);
#endif
  std::memcpy(dst + i, src + i, size_t(bytes - i));
}

/// Columns of a row that are made in a buffer before they are streamed.
inline constexpr int64_t stream_block = 256;

/// fill(to, begin, n) writes elements [begin, begin + n) of a run to `to`: all of them to `out` itself, or a block at a
/// time to a buffer that is streamed there.
template <class T, class F>
inline void fill_run(T* out, int64_t n, bool streamed, F&& fill) {
  if (!streamed) return fill(out, int64_t(0), n);
  alignas(64) T buffer[stream_block];
  for (int64_t begin = 0; begin < n; begin += stream_block) {
    const int64_t count = std::min(stream_block, n - begin);
    fill(buffer, begin, count);
    stream(reinterpret_cast<char*>(out + begin), reinterpret_cast<const char*>(buffer), count * int64_t(sizeof(T)));
  }
}

}  // namespace lg::LG_ISA
