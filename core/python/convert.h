// Small conversions shared by the bindings.
#pragma once

#include "python/def.h"

namespace lg {

void init_convert(PyObject* module);  // dtype, device, Size
/// out= and resize_: new sizes, contiguous; grows the storage if it must.
void resize_tensor(const Tensor& t, const Dims& sizes);
void write_out(const char* op, const Tensor& out, const Tensor& result);
bool any_requires_grad(PyObject* const* args, Py_ssize_t nargs);
/// layout=, memory_format=, pin_memory=, names=: accepts what a strided CPU library can, refuses the rest.
void check_layout(const char* op, PyObject* key, PyObject* value);

/// The value of a one-element tensor.
Scalar item_of(const Tensor& t);
PyObject* exception_class(ErrorKind kind);  // borrowed

inline Tensor as_tensor_handle(PyObject* object) { return Tensor::borrow(reinterpret_cast<TensorObject*>(object)); }

}  // namespace lg
