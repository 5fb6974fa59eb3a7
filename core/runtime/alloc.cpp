// The caching allocator.
//
// A request is rounded up to a bin: every multiple of 64 bytes up to 4 KiB, then eight steps to each doubling, so that
// at most an eighth is lost.  Each bin has a stack of free blocks, linked through their first word.  Handing out a
// cached block is a pop and four counters; everything else is in `allocate_fresh`.  A block of 2 MiB or more is a
// mapping on a 2 MiB boundary, so that the system can back it with huge pages: that makes the first touch four times
// cheaper.  Where a size is missing, mappings of other sizes give their pages, which are warm: a larger one is split,
// smaller ones are moved together.  Otherwise the activations that a training step has freed would lie beside the
// gradients, of another size, that follow them.
#include "runtime/alloc.h"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cstdio>
#include <cstdlib>

#include "runtime/error.h"

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#define LG_POISON(address, bytes) __asan_poison_memory_region(address, bytes)
#define LG_UNPOISON(address, bytes) __asan_unpoison_memory_region(address, bytes)
#else
#define LG_POISON(address, bytes) ((void)0)
#define LG_UNPOISON(address, bytes) ((void)0)
#endif

namespace lg {
namespace {

constexpr size_t alignment = 64;
constexpr size_t linear_end = 4096;                // up to here a bin for each 64 bytes
constexpr size_t mapping_begin = size_t(2) << 20;  // from here on blocks are mappings
constexpr size_t largest = size_t(1) << 47;        // beyond any address space
constexpr int linear_bins = linear_end / alignment;
constexpr int num_bins = linear_bins + (47 - 12) * 8;

struct FreeBlock {
  FreeBlock* next;
};

FreeBlock* free_lists[num_bins];
MemoryStats stats;
int64_t limit;      // of live + cached bytes; 0: what the machine has
int64_t countdown;  // allocations until one fails on purpose; 0: off

struct Bin {
  int index;
  size_t size;
};

inline Bin bin_of(size_t bytes) {
  if (bytes <= linear_end) [[likely]] {
    size_t step = bytes ? (bytes - 1) / alignment : 0;
    return {int(step), (step + 1) * alignment};
  }
  // bytes is in (2^k, 2^(k+1)]: step j of 8 ends at 2^k + (j + 1) 2^(k-3).
  int k = 63 - std::countl_zero(bytes - 1);
  size_t step = (bytes - 1 - (size_t(1) << k)) >> (k - 3);
  return {linear_bins + (k - 12) * 8 + int(step), (size_t(1) << k) + ((step + 1) << (k - 3))};
}

inline size_t size_of_bin(int index) {
  if (index < linear_bins) return size_t(index + 1) * alignment;
  int k = 12 + (index - linear_bins) / 8, step = (index - linear_bins) % 8;
  return (size_t(1) << k) + (size_t(step + 1) << (k - 3));
}

int64_t number_in_file(const char* path) {
  int64_t value = 0;
  if (FILE* file = std::fopen(path, "r")) {
    if (std::fscanf(file, "%ld", &value) != 1) value = 0;  // "max": no number, no limit
    std::fclose(file);
  }
  return value;
}

/// What this process may use at all.  Linux promises more memory than there is and kills whoever touches it, so a
/// request beyond the machine or its control group has to be refused here.
int64_t memory_of_machine() {
  static const int64_t bytes = [] {
    int64_t least = int64_t(sysconf(_SC_PHYS_PAGES)) * sysconf(_SC_PAGESIZE);
    for (const char* path : {"/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"})
      if (int64_t cap = number_in_file(path); cap > 0 && cap < least) least = cap;
    return least;
  }();
  return bytes;
}

/// Addresses on a boundary of `mapping_begin`, without pages yet.
char* map(size_t size) {
  // Map too much, then give back what lies before and after the aligned block.
  char* raw = static_cast<char*>(
      mmap(nullptr, size + mapping_begin, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  if (raw == MAP_FAILED) return nullptr;
  size_t before = (mapping_begin - reinterpret_cast<uintptr_t>(raw) % mapping_begin) % mapping_begin;
  char* block = raw + before;
  if (before) munmap(raw, before);
  munmap(block + size, mapping_begin - before);
#ifdef MADV_HUGEPAGE
  madvise(block, size, MADV_HUGEPAGE);  // advice only: where it is refused, small pages serve
#endif
  return block;
}

void to_cache(void* memory, Bin bin) {
  auto* block = static_cast<FreeBlock*>(memory);
  LG_UNPOISON(block, bin.size);
  block->next = free_lists[bin.index];
  free_lists[bin.index] = block;
  stats.cached_bytes += int64_t(bin.size);
  LG_POISON(block, bin.size);
}
/// A cached block of that bin, or null.
void* from_cache(Bin bin) {
  FreeBlock* block = free_lists[bin.index];
  if (!block) return nullptr;
  LG_UNPOISON(block, bin.size);
  free_lists[bin.index] = block->next;
  stats.cached_bytes -= int64_t(bin.size);
  return block;
}

// ---- mappings out of other mappings.  A mapping is whole if it could be cut into mappings of `mapping_begin`.

bool is_whole(size_t size) { return size >= mapping_begin && size % mapping_begin == 0; }

/// Part of a mapping, or all of it, as cached blocks of their own.
void cache_pieces(char* rest, size_t size) {
  while (size) {
    Bin bin = bin_of(size);
    while (bin.size > size || !is_whole(bin.size)) bin = {bin.index - 1, size_of_bin(bin.index - 1)};
    to_cache(rest, bin);
    rest += bin.size;
    size -= bin.size;
  }
}

/// The first `size` bytes of a larger cached mapping; the rest is cached again.  Null if there is none.
void* split_off(Bin wanted) {
  for (int i = wanted.index + 1; i < num_bins; ++i) {
    Bin bin{i, size_of_bin(i)};
    if (!free_lists[i] || !is_whole(bin.size)) continue;
    char* block = static_cast<char*>(from_cache(bin));
    cache_pieces(block + wanted.size, bin.size - wanted.size);
    return block;
  }
  return nullptr;
}

/// Moves the pages of smaller cached mappings to `block`, the largest first, until it is full or there are no more.
void fill_from_smaller(char* block, Bin wanted) {
#ifdef MREMAP_FIXED
  size_t filled = 0;
  for (int i = wanted.index - 1; i >= 0 && size_of_bin(i) >= mapping_begin && filled < wanted.size; --i) {
    Bin bin{i, size_of_bin(i)};
    while (free_lists[i] && is_whole(bin.size) && filled < wanted.size) {
      char* from = static_cast<char*>(from_cache(bin));
      size_t used = std::min(bin.size, wanted.size - filled);
      if (mremap(from, used, used, MREMAP_MAYMOVE | MREMAP_FIXED, block + filled) == MAP_FAILED)
        return to_cache(from, bin);  // `block` is memory all the same
      cache_pieces(from + used, bin.size - used);
      filled += used;
    }
  }
#endif
}

void* from_system(Bin bin) {
  if (bin.size < mapping_begin) return std::aligned_alloc(alignment, bin.size);
  if (is_whole(bin.size))
    if (void* block = split_off(bin)) return block;
  char* block = map(bin.size);
  if (block && is_whole(bin.size)) fill_from_smaller(block, bin);
  return block;
}

void to_system(void* block, size_t size) {
  LG_UNPOISON(block, size);
  if (size < mapping_begin)
    std::free(block);
  else
    munmap(block, size);
}

bool within_limit(size_t bytes) {
  int64_t cap = limit ? limit : memory_of_machine();
  return stats.live_bytes + stats.cached_bytes + int64_t(bytes) <= cap;
}

inline void count_live(size_t bytes) {
  stats.live_bytes += int64_t(bytes);
  if (stats.live_bytes > stats.peak_bytes) stats.peak_bytes = stats.live_bytes;
  ++stats.live_blocks;
  ++stats.allocations;
}

[[noreturn]] void refuse(size_t bytes, const char* reason) {
  fail(ErrorKind::Memory, "can't allocate memory: you tried to allocate ", bytes, " bytes (", reason, "); ",
       stats.live_bytes, " bytes are live. Free tensors, or use smaller ones.");
}

bool must_fail_now() { return countdown > 0 && --countdown == 0; }

[[gnu::noinline]] void* allocate_fresh(size_t bytes) {
  if (bytes > largest) refuse(bytes, "more than any address space");
  Bin bin = bin_of(bytes);
  if (!within_limit(bytes)) empty_cache();
  if (!within_limit(bytes)) refuse(bytes, limit ? "beyond the limit that was set" : "more than this machine has");
  void* block = from_system(bin);
  if (!block) {
    empty_cache();
    block = from_system(bin);
  }
  if (!block) refuse(bytes, "the system refused");
  count_live(bytes);
  LG_POISON(static_cast<char*>(block) + bytes, bin.size - bytes);
  return block;
}

}  // namespace

void* allocate(size_t bytes) {
  if (countdown) [[unlikely]] {
    if (must_fail_now()) refuse(bytes, "a failure that was asked for");
  }
  if (bytes > largest) [[unlikely]]
    return allocate_fresh(bytes);
  Bin bin = bin_of(bytes);
  void* block = from_cache(bin);
  if (!block) [[unlikely]]
    return allocate_fresh(bytes);
  LG_POISON(static_cast<char*>(block) + bytes, bin.size - bytes);
  count_live(bytes);
  return block;
}

void deallocate(void* memory, size_t bytes) noexcept {
  if (!memory) return;
  Bin bin = bin_of(bytes);
  stats.live_bytes -= int64_t(bytes);
  --stats.live_blocks;
  // A cache of large blocks in many sizes must not eat the machine.
  if (bin.size >= mapping_begin && stats.cached_bytes + int64_t(bin.size) > memory_of_machine() / 4) {
    to_system(memory, bin.size);
    return;
  }
  to_cache(memory, bin);
}

MemoryStats memory_stats() { return stats; }
void reset_peak() { stats.peak_bytes = stats.live_bytes; }
void fail_allocation(int64_t count) { countdown = count; }

void set_memory_limit(int64_t bytes) {
  check_value(bytes >= 0, "set_memory_limit: the limit must not be negative, got ", bytes);
  limit = bytes;
  if (!within_limit(0)) empty_cache();
}

void empty_cache() {
  for (int i = 0; i < num_bins; ++i) {
    size_t size = size_of_bin(i);
    while (FreeBlock* block = free_lists[i]) {
      LG_UNPOISON(block, sizeof(FreeBlock));
      free_lists[i] = block->next;
      to_system(block, size);
    }
  }
  stats.cached_bytes = 0;
}

}  // namespace lg
