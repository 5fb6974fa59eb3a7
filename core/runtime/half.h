// float16 and bfloat16: storage types.  Arithmetic happens in float; conversion rounds to nearest even.
#pragma once

#include <bit>
#include <cstdint>

namespace lg {

struct bfloat16 {
  uint16_t bits = 0;
  bfloat16() = default;
  bfloat16(float x) {
    uint32_t u = std::bit_cast<uint32_t>(x);
    // Rounding could carry a NaN's payload into infinity, so NaN is handled apart.
    bits = (x != x) ? uint16_t(0x7fc0) : uint16_t((u + 0x7fff + ((u >> 16) & 1)) >> 16);
  }
  operator float() const { return std::bit_cast<float>(uint32_t(bits) << 16); }
};

struct half {
  uint16_t bits = 0;
  half() = default;
  half(float x) : bits(from_float(x)) {}
  operator float() const { return to_float(bits); }

 private:
  // Both directions follow the scale-by-a-power-of-two method: one multiplication lets the hardware normalise
  // subnormals and round, so there is no branch per case.
  static float to_float(uint16_t h) {
    uint32_t sign = uint32_t(h & 0x8000) << 16, rest = uint32_t(h & 0x7fff) << 13;
    if ((h & 0x7c00) == 0x7c00) return std::bit_cast<float>(sign | rest | 0x7f800000u);
    float magnitude = std::bit_cast<float>(rest) * 0x1p112f;
    return std::bit_cast<float>(sign | std::bit_cast<uint32_t>(magnitude));
  }
  static uint16_t from_float(float x) {
    uint32_t u = std::bit_cast<uint32_t>(x), sign = (u >> 16) & 0x8000;
    u &= 0x7fffffff;
    if (u > 0x7f800000u) return uint16_t(sign | 0x7e00);
    if (u >= 0x477ff000u) return uint16_t(sign | 0x7c00);  // 65520 and more round to infinity
    if (u < 0x38800000u) {                                 // below the least normal: let float addition round
      float shifted = std::bit_cast<float>(u) + 0.5f;
      return uint16_t(sign | (std::bit_cast<uint32_t>(shifted) - 0x3f000000u));
    }
    u += 0xc8000fffu + ((u >> 13) & 1);  // rebias the exponent by -112 and round to nearest even
    return uint16_t(sign | (u >> 13));
  }
};

}  // namespace lg
