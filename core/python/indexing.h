// x[key] and x[key] = value.
#pragma once

#include "tensor/tensor.h"

namespace lg {

Tensor get_item(const Tensor& x, PyObject* key);
void set_item(const Tensor& x, PyObject* key, PyObject* value);
/// A tuple or list of tensors and None.
Tensors indices_from_python(PyObject* sequence);

}  // namespace lg
