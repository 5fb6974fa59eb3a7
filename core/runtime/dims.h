// Dims: a short list of integers (sizes, strides, dimension numbers), inline up to five, on the heap beyond.
#pragma once

#include <cstdint>
#include <cstring>
#include <initializer_list>
#include <ostream>
#include <span>

namespace lg {

class Dims {
 public:
  static constexpr int32_t inline_capacity = 5;

  Dims() = default;
  explicit Dims(int64_t count, int64_t value = 0) {
    resize(count);
    for (int64_t& v : *this) v = value;
  }
  Dims(std::initializer_list<int64_t> values) { assign(values.begin(), int64_t(values.size())); }
  explicit Dims(std::span<const int64_t> values) { assign(values.data(), int64_t(values.size())); }
  Dims(const int64_t* values, int64_t count) { assign(values, count); }
  Dims(const Dims& other) { copy(other); }
  Dims(Dims&& other) noexcept { take(other); }
  Dims& operator=(const Dims& other) {
    if (this != &other) {
      release();
      copy(other);
    }
    return *this;
  }
  Dims& operator=(Dims&& other) noexcept {
    if (this != &other) {
      release();
      take(other);
    }
    return *this;
  }
  ~Dims() { release(); }

  int64_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  const int64_t* data() const { return capacity_ > inline_capacity ? heap_ : inline_; }
  int64_t* data() { return capacity_ > inline_capacity ? heap_ : inline_; }
  int64_t operator[](int64_t i) const { return data()[i]; }
  int64_t& operator[](int64_t i) { return data()[i]; }
  int64_t back() const { return data()[size_ - 1]; }
  const int64_t* begin() const { return data(); }
  const int64_t* end() const { return data() + size_; }
  int64_t* begin() { return data(); }
  int64_t* end() { return data() + size_; }
  operator std::span<const int64_t>() const { return {data(), size_t(size_)}; }

  void resize(int64_t count) {
    if (count > capacity_) grow(int32_t(count));
    size_ = int32_t(count);
  }
  void push_back(int64_t value) {
    if (size_ == capacity_) grow(2 * capacity_);
    data()[size_++] = value;
  }
  void insert(int64_t at, int64_t value) {
    push_back(value);
    int64_t* d = data();
    for (int64_t i = size_ - 1; i > at; --i) d[i] = d[i - 1];
    d[at] = value;
  }
  void erase(int64_t at) {
    int64_t* d = data();
    for (int64_t i = at; i + 1 < size_; ++i) d[i] = d[i + 1];
    --size_;
  }
  bool operator==(const Dims& other) const {
    return size_ == other.size_ && std::memcmp(data(), other.data(), size_t(size_) * sizeof(int64_t)) == 0;
  }

 private:
  void assign(const int64_t* values, int64_t count) {
    resize(count);
    if (count) std::memmove(data(), values, size_t(count) * sizeof(int64_t));
  }
  void grow(int32_t capacity) {
    int64_t* wider = new int64_t[size_t(capacity)];
    std::memcpy(wider, data(), size_t(size_) * sizeof(int64_t));
    release();
    heap_ = wider;
    capacity_ = capacity;
  }
  void release() {
    if (capacity_ > inline_capacity) [[unlikely]]
      delete[] heap_;
    capacity_ = inline_capacity;
  }
  // Whole, whatever the size: a few moves of registers instead of a call.  *this is inline.
  void copy(const Dims& other) {
    if (other.capacity_ > inline_capacity) [[unlikely]]
      return assign(other.heap_, other.size_);
    size_ = other.size_;
    std::memcpy(inline_, other.inline_, sizeof inline_);
  }
  void take(Dims& other) {
    size_ = other.size_;
    capacity_ = other.capacity_;
    if (capacity_ > inline_capacity)
      heap_ = other.heap_;
    else
      std::memcpy(inline_, other.inline_, sizeof inline_);
    other.size_ = 0;
    other.capacity_ = inline_capacity;
  }

  int32_t size_ = 0;
  int32_t capacity_ = inline_capacity;
  union {
    int64_t inline_[inline_capacity];
    int64_t* heap_;
  };
};

/// Prints as a Python list, [2, 3]: the form that PyTorch's messages have.
inline std::ostream& operator<<(std::ostream& out, const Dims& dims) {
  out << '[';
  for (int64_t i = 0; i < dims.size(); ++i) out << (i ? ", " : "") << dims[i];
  return out << ']';
}

inline int64_t product(std::span<const int64_t> sizes) {
  int64_t n = 1;
  for (int64_t s : sizes) n *= s;
  return n;
}

}  // namespace lg
