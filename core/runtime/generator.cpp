// The Mersenne Twister MT19937 and the layout of its saved state.
#include "runtime/generator.h"

#include <cmath>
#include <cstring>
#include <numbers>
#include <random>

#include "runtime/error.h"

namespace lg {
namespace {

constexpr int N = 624, M = 397;

/// What get_state() gives, byte for byte as PyTorch lays it out.
struct SavedState {
  uint64_t seed;
  int32_t left, seeded;
  uint64_t next;
  uint64_t state[N];
  double unused_x, kept_normal, unused_rho;
  int32_t has_kept_normal, padding;
  float kept_normal_float;
  uint8_t has_kept_normal_float, padding_end[3];
};
static_assert(sizeof(SavedState) == Generator::state_bytes);

inline uint32_t twist(uint32_t u, uint32_t v) {
  uint32_t mixed = (u & 0x80000000u) | (v & 0x7fffffffu);
  return (mixed >> 1) ^ ((v & 1) ? 0x9908b0dfu : 0);
}

}  // namespace

void Generator::set_seed(uint64_t seed) {
  seed_ = seed;
  state_[0] = uint32_t(seed);
  for (uint32_t i = 1; i < N; ++i) state_[i] = 1812433253u * (state_[i - 1] ^ (state_[i - 1] >> 30)) + i;
  left_ = 1;
  next_ = 0;
  kept_normal_.reset();
  kept_normal_float_.reset();
}

void Generator::refill() {
  for (int i = 0; i < N - M; ++i) state_[i] = state_[i + M] ^ twist(state_[i], state_[i + 1]);
  for (int i = N - M; i < N - 1; ++i) state_[i] = state_[i + M - N] ^ twist(state_[i], state_[i + 1]);
  state_[N - 1] = state_[M - 1] ^ twist(state_[N - 1], state_[0]);
  left_ = N;
  next_ = 0;
}

// Box and Muller 1958: a pair of normals from a pair of uniforms; the sine's half is kept for the next call.
double Generator::normal() {
  if (kept_normal_) {
    double z = *kept_normal_;
    kept_normal_.reset();
    return z;
  }
  double u = uniform53(), v = uniform53();
  double radius = std::sqrt(-2 * std::log1p(-v)), angle = 2 * std::numbers::pi * u;
  kept_normal_ = radius * std::sin(angle);
  return radius * std::cos(angle);
}

void Generator::save(uint8_t* bytes) const {
  SavedState s{};
  s.seed = seed_;
  s.left = left_;
  s.seeded = 1;
  s.next = uint64_t(next_);
  for (int i = 0; i < N; ++i) s.state[i] = state_[i];
  s.has_kept_normal = kept_normal_.has_value();
  s.kept_normal = kept_normal_.value_or(0);
  s.has_kept_normal_float = kept_normal_float_.has_value();
  s.kept_normal_float = kept_normal_float_.value_or(0);
  std::memcpy(bytes, &s, sizeof s);
}

void Generator::load(const uint8_t* bytes) {
  SavedState s;
  std::memcpy(&s, bytes, sizeof s);
  bool valid = s.seeded == 1 && s.left >= 1 && s.left <= N && s.next <= uint64_t(N - s.left + 1);
  check(valid, "set_state: Invalid mt19937 state. Pass what get_state() gave, unchanged.");
  seed_ = s.seed;
  left_ = s.left;
  next_ = int32_t(s.next);
  for (int i = 0; i < N; ++i) state_[i] = uint32_t(s.state[i]);
  kept_normal_ = s.has_kept_normal ? std::optional(s.kept_normal) : std::nullopt;
  kept_normal_float_ = s.has_kept_normal_float ? std::optional(s.kept_normal_float) : std::nullopt;
}

uint64_t entropy_seed() {
  std::random_device device;
  uint64_t high = device();
  return (high << 32 | device()) & ((uint64_t(1) << 53) - 1);  // exact as a double too
}

Generator& default_generator() {
  static Generator generator(entropy_seed());
  return generator;
}

}  // namespace lg
