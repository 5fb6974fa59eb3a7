// Storage and version counters: two small structs that come and go with every tensor, so each has a free list.
#include "tensor/storage.h"

#include <cstring>

#include "runtime/error.h"

namespace lg {

namespace {

/// Last-freed-first list of structs of one type, used under the GIL.
template <class T>
class FreeList {
 public:
  T* take() {
    if (!head_) return static_cast<T*>(::operator new(sizeof(Slot)));
    Slot* slot = head_;
    head_ = slot->next;
    return reinterpret_cast<T*>(slot);
  }
  void give(T* object) noexcept {
    Slot* slot = reinterpret_cast<Slot*>(object);
    slot->next = head_;
    head_ = slot;
  }

 private:
  union Slot {
    Slot* next;
    alignas(T) unsigned char bytes[sizeof(T)];
  };
  Slot* head_ = nullptr;
};

FreeList<Storage> storages;
FreeList<VersionCounter> versions;

}  // namespace

Storage* new_storage(int64_t bytes, Device device) {
  void* data = device == Device::Meta ? nullptr : allocate(size_t(bytes));
  return new (storages.take()) Storage{1, device, true, false, data, bytes, nullptr};
}

Storage* borrow_storage(void* data, int64_t bytes, PyObject* owner, bool read_only) {
  Py_INCREF(owner);
  return new (storages.take()) Storage{1, Device::Cpu, false, read_only, data, bytes, owner};
}

void free_storage(Storage* storage) noexcept {
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
  storage->bytes = bytes;
}

VersionCounter* new_version() { return new (versions.take()) VersionCounter{1, 0, nullptr}; }
void free_version(VersionCounter* version) noexcept { versions.give(version); }

}  // namespace lg
