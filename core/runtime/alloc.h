// The caching allocator: all memory of tensors comes from here.
//
// Blocks are 64-byte aligned, kept in free lists by size and handed out last-freed first; blocks of 2 MiB and more come
// from mmap with huge pages advised.  Everything here runs under the GIL.  The counters are exact: live bytes are the
// bytes asked for, so memory claims are tested by equality.
#pragma once

#include <cstddef>
#include <cstdint>

namespace lg {

struct MemoryStats {
  int64_t live_bytes;    // asked for and not yet freed
  int64_t peak_bytes;    // greatest live_bytes since the last reset_peak
  int64_t cached_bytes;  // held in free lists
  int64_t live_blocks;
  int64_t allocations;  // since the start
};

/// `bytes` may be 0 (gives a valid pointer).  Throws Error(Memory) after one retry with an emptied cache.
void* allocate(size_t bytes);
void deallocate(void* block, size_t bytes) noexcept;  // same `bytes` as was asked for
MemoryStats memory_stats();
void reset_peak();
void empty_cache();
void set_memory_limit(int64_t bytes);     // cap on live + cached; 0: none
void fail_allocation(int64_t countdown);  // for tests: the countdown-th allocation from now fails; 0: off

/// Working memory of one kernel call; taken before work is spread over threads.
class Scratch {
 public:
  explicit Scratch(size_t bytes) : block_(allocate(bytes)), bytes_(bytes) {}
  ~Scratch() { deallocate(block_, bytes_); }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  template <class T>
  T* as() const {
    return static_cast<T*>(block_);
  }

 private:
  void* block_;
  size_t bytes_;
};

}  // namespace lg
