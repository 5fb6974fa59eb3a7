// Storage: the memory that a tensor and its views share, and the version counter that travels with it.
#pragma once

#include <vector>

#include "runtime/alloc.h"
#include "runtime/object.h"

namespace lg {

enum class Device : uint8_t { Cpu, Meta };

/// Counts in-place writes.  Shared by a tensor, its views and its detached aliases; `.data` starts one of its own.
struct VersionCounter {
  uint32_t refs;
  uint32_t value;
  const char* writer;  // the operator that wrote last, for messages; static text or null
  bool in_step;        // did it write in an optimizer's step?
};

struct Storage {
  uint32_t refs;  // tensors that use it; 0: on the free list
  Device device;
  bool resizable;  // false for memory borrowed from Python (NumPy, DLPack, buffers)
  bool read_only;  // borrowed from a read-only exporter: in-place writes are refused
  void* data;      // null on meta
  int64_t bytes;
  PyObject* owner;  // keeps borrowed memory alive; null if the memory is ours
  // Set by the lens while it is on:
  uint32_t place = 0;   // where the memory was asked for
  uint32_t number = 0;  // which of the buffers it recorded
};

Storage* new_storage(int64_t bytes, Device device);                                   // refs = 1
Storage* borrow_storage(void* data, int64_t bytes, PyObject* owner, bool read_only);  // takes a reference to owner
void free_storage(Storage* storage) noexcept;
/// All that are in use, in no order.
std::vector<Storage*> live_storages();
/// More room at the end.  All tensors that look at the storage go on sharing it.
void grow_storage(Storage* storage, int64_t bytes);
VersionCounter* new_version();
void free_version(VersionCounter* version) noexcept;

inline void retain(Storage* s) { ++s->refs; }
inline void release(Storage* s) noexcept {
  if (--s->refs == 0) free_storage(s);
}
inline void retain(VersionCounter* v) { ++v->refs; }
inline void release(VersionCounter* v) noexcept {
  if (--v->refs == 0) free_version(v);
}

}  // namespace lg
