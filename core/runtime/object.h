// Objects: reference counting and small vectors for what lives in the graph.
//
// Tensors and nodes are laid out as Python objects.  Under the GIL Python's reference count is the cheapest there is,
// identity (`x.grad is x.grad`) needs no table, one allocation makes a tensor, and Python's cycle collector sees the
// whole graph.  See docs/design/objects.md.
#pragma once

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <new>
#include <span>
#include <utility>

namespace lg {

/// A counted reference to a struct that begins as a PyObject; may be null.
template <class T>
class Ref {
 public:
  Ref() = default;
  Ref(std::nullptr_t) {}
  Ref(const Ref& other) : object_(other.object_) { Py_XINCREF(py()); }
  Ref(Ref&& other) noexcept : object_(std::exchange(other.object_, nullptr)) {}
  Ref& operator=(Ref other) noexcept {
    std::swap(object_, other.object_);
    return *this;
  }
  ~Ref() { Py_XDECREF(py()); }
  static Ref borrow(T* object) {
    Py_XINCREF(reinterpret_cast<PyObject*>(object));
    return steal(object);
  }
  static Ref steal(T* object) {
    Ref r;
    r.object_ = object;
    return r;
  }
  T* get() const { return object_; }
  T* operator->() const { return object_; }
  T& operator*() const { return *object_; }
  explicit operator bool() const { return object_ != nullptr; }
  bool operator==(const Ref& other) const { return object_ == other.object_; }
  PyObject* py() const { return reinterpret_cast<PyObject*>(object_); }
  PyObject* release() { return reinterpret_cast<PyObject*>(std::exchange(object_, nullptr)); }

 private:
  T* object_ = nullptr;
};

using Object = Ref<PyObject>;

/// A vector with room for N elements inside; grows to the heap.
template <class T, uint32_t N>
class SmallVec {
 public:
  SmallVec() = default;
  explicit SmallVec(size_t count) { resize(count); }
  SmallVec(std::initializer_list<T> values) {
    for (const T& v : values) push_back(v);
  }
  SmallVec(const SmallVec& other) {
    for (const T& v : other) push_back(v);
  }
  SmallVec(SmallVec&& other) noexcept { take(other); }
  SmallVec& operator=(SmallVec other) noexcept {
    clear_all();
    take(other);
    return *this;
  }
  ~SmallVec() { clear_all(); }
  size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  T* data() { return heap_ ? heap_ : reinterpret_cast<T*>(inline_); }
  const T* data() const { return heap_ ? heap_ : reinterpret_cast<const T*>(inline_); }
  T& operator[](size_t i) { return data()[i]; }
  const T& operator[](size_t i) const { return data()[i]; }
  T* begin() { return data(); }
  T* end() { return data() + size_; }
  const T* begin() const { return data(); }
  const T* end() const { return data() + size_; }
  T& back() { return data()[size_ - 1]; }
  template <class... A>
  T& emplace_back(A&&... a) {
    if (size_ == capacity_) grow(2 * capacity_);
    return *new (data() + size_++) T(std::forward<A>(a)...);
  }
  void push_back(T value) { emplace_back(std::move(value)); }
  void pop_back() { data()[--size_].~T(); }
  void resize(size_t count) {
    if (count > capacity_) grow(uint32_t(count));
    while (size_ < count) new (data() + size_++) T();
    while (size_ > count) pop_back();
  }
  void clear() {
    while (size_) pop_back();
  }
  operator std::span<const T>() const { return {data(), size_}; }

 private:
  void grow(uint32_t capacity) {
    T* wider = static_cast<T*>(::operator new(sizeof(T) * capacity));
    T* old = data();
    for (uint32_t i = 0; i < size_; ++i) {
      new (wider + i) T(std::move(old[i]));
      old[i].~T();
    }
    ::operator delete(heap_);
    heap_ = wider;
    capacity_ = capacity;
  }
  void clear_all() {
    clear();
    ::operator delete(heap_);
    heap_ = nullptr;
    capacity_ = N;
  }
  void take(SmallVec& other) {
    if (other.heap_) {
      heap_ = std::exchange(other.heap_, nullptr);
      size_ = std::exchange(other.size_, 0);
      capacity_ = std::exchange(other.capacity_, N);
    } else {
      for (T& v : other) emplace_back(std::move(v));
      other.clear();
    }
  }
  T* heap_ = nullptr;
  uint32_t size_ = 0, capacity_ = N;
  alignas(T) unsigned char inline_[sizeof(T) * N];
};

}  // namespace lg
