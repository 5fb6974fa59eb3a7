// How a matrix product is spread over threads: what all of them read is packed first.
#pragma once

#include <atomic>
#include <thread>

#include "kernels/isa.h"
#include "runtime/pool.h"

namespace lg::LG_ISA {

/// pack(0) to pack(packs - 1), then multiply(0) to multiply(products - 1), in one job: a product waits until all is
/// packed.  It may, since chunks are begun in their order, so others are at work on what is missing.
template <class Pack, class Multiply>
void pack_and_multiply(int64_t packs, int64_t products, Pack pack, Multiply multiply) {
  std::atomic<int64_t> packed{0};
  parallel_for(packs + products, 1, [&](int64_t begin, int64_t end) {
    for (int64_t number = begin; number < end; ++number) {
      if (number < packs) {
        pack(number);
        packed.fetch_add(1, std::memory_order_release);
        continue;
      }
      while (packed.load(std::memory_order_acquire) < packs) std::this_thread::yield();
      multiply(number - packs);
    }
  });
}

}  // namespace lg::LG_ISA
