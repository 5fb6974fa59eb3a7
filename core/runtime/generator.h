// Random numbers: Generator holds the state of one Mersenne Twister (Matsumoto and Nishimura 1998), PyTorch's CPU
// engine, and draws in PyTorch's order, so that a seed gives the same numbers in both.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>

namespace lg {

class Generator {
 public:
  static constexpr uint64_t default_seed = 67280421310721u;
  /// Size of a saved state, whose layout is PyTorch's, so that states can be exchanged.
  static constexpr int64_t state_bytes = 5056;

  explicit Generator(uint64_t seed = default_seed) { set_seed(seed); }
  void set_seed(uint64_t seed);
  uint64_t seed() const { return seed_; }

  uint32_t random() {  // 32 uniform bits
    if (--left_ == 0) refill();
    return temper(state_[next_++]);
  }
  static uint32_t temper(uint32_t y) {
    y ^= y >> 11;
    y ^= (y << 7) & 0x9d2c5680;
    y ^= (y << 15) & 0xefc60000;
    return y ^ (y >> 18);
  }
  /// At most `wanted` of the next words, *count of them, as they stand in the state: temper() makes them random.
  const uint32_t* words(int64_t wanted, int64_t* count) {
    if (left_ == 1) {
      refill();
      ++left_;  // random() takes its first word in the call that refills
    }
    *count = std::min<int64_t>(wanted, left_ - 1);
    const uint32_t* first = state_ + next_;
    left_ -= int32_t(*count);
    next_ += int32_t(*count);
    return first;
  }
  uint64_t random64() {
    uint64_t high = random();
    return high << 32 | random();
  }
  double uniform53() { return double(random64() & ((uint64_t(1) << 53) - 1)) * 0x1p-53; }  // in [0, 1), 53 bits
  float uniform24() { return float(random() & ((1u << 24) - 1)) * 0x1p-24f; }              // in [0, 1), 24 bits
  double normal();  // standard normal, in PyTorch's scalar order (the pair's second value is kept)

  void save(uint8_t* bytes) const;
  /// Throws, and changes nothing, if `bytes` is no state.
  void load(const uint8_t* bytes);

 private:
  void refill();
  uint64_t seed_ = 0;
  int32_t left_ = 1;  // words until the next refill, plus one
  int32_t next_ = 0;  // index of the next word
  uint32_t state_[624] = {};
  std::optional<double> kept_normal_;
  std::optional<float> kept_normal_float_;  // only carried along in saved states
};

/// Seeded from the system's entropy when the process starts.
Generator& default_generator();
/// A seed from the system's entropy.
uint64_t entropy_seed();

}  // namespace lg
