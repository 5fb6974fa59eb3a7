// Working memory for the chunks of one parallel_for: a piece for each thread, not for each chunk.
#pragma once

#include <algorithm>
#include <atomic>
#include <bit>

#include "runtime/alloc.h"
#include "runtime/pool.h"

namespace lg {

/// Made on the caller; a chunk holds a Piece while it runs.  Which piece it gets must not matter to the result.
class Workspace {
 public:
  /// `bytes` for each chunk that runs at a time, of `chunks` in all.
  Workspace(int64_t bytes, int64_t chunks)
      : bytes_((bytes + 63) / 64 * 64),
        pieces_(std::clamp<int64_t>(chunks, 1, num_threads())),
        memory_(size_t(bytes_ * pieces_)) {}

  class Piece {
   public:
    explicit Piece(Workspace& space) : space_(space), number_(space.take()) {}
    ~Piece() { space_.taken_.fetch_and(~(uint64_t(1) << number_), std::memory_order_release); }
    Piece(const Piece&) = delete;
    Piece& operator=(const Piece&) = delete;
    /// What lies `offset` bytes into it.
    template <class T>
    T* as(int64_t offset = 0) const {
      return reinterpret_cast<T*>(space_.memory_.as<char>() + number_ * space_.bytes_ + offset);
    }

   private:
    Workspace& space_;
    int64_t number_;
  };

 private:
  /// Waits where all are taken, which only a change of the number of threads in between can cause.
  int64_t take() {
    for (;;) {
      uint64_t taken = taken_.load(std::memory_order_relaxed);
      const int64_t free = std::countr_one(taken);
      if (free < pieces_ && taken_.compare_exchange_weak(taken, taken | uint64_t(1) << free, std::memory_order_acquire))
        return free;
    }
  }

  int64_t bytes_, pieces_;  // at most 64 pieces, as there are at most 64 threads
  std::atomic<uint64_t> taken_{0};
  Scratch memory_;
};

}  // namespace lg
