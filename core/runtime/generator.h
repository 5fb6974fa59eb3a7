// Random numbers: Generator holds the state of one Mersenne Twister (Matsumoto and Nishimura 1998), PyTorch's CPU
// engine, and draws in PyTorch's order, so that a seed gives the same numbers in both.
#pragma once

#include <cstdint>
#include <optional>

namespace lg {

class Generator {
 public:
  static constexpr uint64_t default_seed = 67280421310721u;

  explicit Generator(uint64_t seed = default_seed) { set_seed(seed); }
  void set_seed(uint64_t seed);
  uint64_t seed() const { return seed_; }
  uint32_t random();     // 32 uniform bits
  uint64_t random64();
  double uniform53();    // in [0, 1), 53 bits
  float uniform24();     // in [0, 1), 24 bits
  double normal();       // standard normal, in PyTorch's scalar order (the pair's second value is kept)

 private:
  friend struct GeneratorState;  // get_state/set_state, see generator.cpp
  void refill();
  uint64_t seed_ = 0;
  uint32_t state_[624] = {};
  int next_ = 0;
  std::optional<double> kept_normal_;
  std::optional<float> kept_normal_float_;
};

Generator& default_generator();

}  // namespace lg
