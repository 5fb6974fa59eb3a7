// The special ways of a convolution, which conv.cpp takes where they fit.
#pragma once

#include "kernels/conv_shape.h"
#include "kernels/isa.h"

namespace lg::LG_ISA {

/// winograd.cpp: float32, 3x3, stride 1.  Both say false if the result is not finite, so that the exact way, which
/// keeps an infinity to where it belongs, has to be gone instead.
bool fits_winograd(const ConvShape& s);
bool winograd(float* y, const float* x, const float* weight, const float* bias, const ConvShape& s);
bool winograd_weight(float* dw, const float* x, const float* g, const ConvShape& s);

/// depthwise.cpp: one input channel a group.  T: float, double.
template <class T>
void depthwise(T* y, const T* x, const T* weight, const T* bias, const ConvShape& s);
template <class T>
void depthwise_input(T* dx, const T* g, const T* weight, const T* bias, const ConvShape& s);
template <class T>
void depthwise_weight(T* dw, const T* x, const T* g, const ConvShape& s);

}  // namespace lg::LG_ISA
