// Storage and version counters: two small structs that come and go with every tensor, so each has a free list.
#include "tensor/storage.h"

#include <cstddef>
#include <cstring>

#include "runtime/error.h"
#include "tensor/lens.h"

namespace lg {

Lens* lens = nullptr;

namespace {

/// Last-freed-first list of structs of one type, used under the GIL.  Structs come in slabs, and one that is free has
/// refs == 0, so that those in use can be listed at no cost to their making.
template <class T>
class FreeList {
 public:
  T* take() {
    if (!head_) add_slab();
    Slot* slot = head_;
    head_ = slot->free.next;
    return &slot->object;
  }
  void give(T* object) noexcept {
    Slot* slot = reinterpret_cast<Slot*>(object);
    slot->free = {0, head_};
    head_ = slot;
  }
  std::vector<T*> in_use() const {
    std::vector<T*> found;
    for (Slot* slab : slabs_)
      for (Slot* slot = slab; slot != slab + slab_size; ++slot)
        if (slot->free.refs) found.push_back(&slot->object);
    return found;
  }

 private:
  static constexpr size_t slab_size = 256;
  union Slot {
    Slot() : free{} {}
    struct {
      uint32_t refs;  // over the object's own
      Slot* next;
    } free;
    T object;
  };
  static_assert(offsetof(T, refs) == 0);

  void add_slab() {
    Slot* slab = new Slot[slab_size];  // kept for ever
    slabs_.push_back(slab);
    for (size_t i = slab_size; i-- > 0;) give(&slab[i].object);
  }

  Slot* head_ = nullptr;
  std::vector<Slot*> slabs_;
};

FreeList<Storage> storages;
FreeList<VersionCounter> versions;

Storage* announce(Storage* storage) {
  if (lens) [[unlikely]]
    lens->allocated(storage);
  return storage;
}

}  // namespace

Storage* new_storage(int64_t bytes, Device device) {
  void* data = device == Device::Meta ? nullptr : allocate(size_t(bytes));
  return announce(new (storages.take()) Storage{1, device, true, false, data, bytes, nullptr});
}

Storage* borrow_storage(void* data, int64_t bytes, PyObject* owner, bool read_only) {
  Py_INCREF(owner);
  return announce(new (storages.take()) Storage{1, Device::Cpu, false, read_only, data, bytes, owner});
}

void free_storage(Storage* storage) noexcept {
  if (lens) [[unlikely]]
    lens->freed(storage);
  PyObject* owner = storage->owner;
  if (!owner && storage->data) deallocate(storage->data, size_t(storage->bytes));
  storages.give(storage);
  Py_XDECREF(owner);  // last: it may run Python code
}

void grow_storage(Storage* storage, int64_t bytes) {
  check(storage->resizable,
        "resize_: Trying to resize storage that is not resizable: its memory belongs to another object, or is shared "
        "with one");
  if (storage->device != Device::Meta) {
    void* wider = allocate(size_t(bytes));
    if (storage->bytes) std::memcpy(wider, storage->data, size_t(storage->bytes));
    deallocate(storage->data, size_t(storage->bytes));
    storage->data = wider;
  }
  if (lens) [[unlikely]]
    lens->freed(storage);
  storage->bytes = bytes;
  announce(storage);  // it goes on as another buffer
}

std::vector<Storage*> live_storages() { return storages.in_use(); }

VersionCounter* new_version() { return new (versions.take()) VersionCounter{1, 0, nullptr, false}; }
void free_version(VersionCounter* version) noexcept { versions.give(version); }

}  // namespace lg
