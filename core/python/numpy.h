// Data in and out: nested lists, the buffer protocol, NumPy, DLPack.
//
//   sequence.cpp  numbers and nested sequences <-> tensors: tensor(), tolist()
//   numpy.cpp     memory of other Python objects, without a copy where it fits; Tensor's own buffer; the functions
//   dlpack.cpp    DLPack capsules, legacy and versioned, both ways
//
// NumPy is imported when an array is asked for, never before.
#pragma once

#include <optional>

#include "python/def.h"

namespace lg {

extern PyMethodDef numpy_methods[];   // of Tensor
extern PyMethodDef dlpack_methods[];  // of the module
extern PyBufferProcs tensor_buffer;
void init_numpy(PyObject* module);

// ---- sequence.cpp

/// A new tensor of a number or of nested sequences of numbers, arrays and one-element tensors.
Tensor tensor_from_data(PyObject* data, std::optional<DType> dtype, Device device);
/// Numbers in nested lists; a 0-dim tensor gives a number.
PyObject* to_list(const Tensor& t);

// ---- numpy.cpp

bool is_ndarray(PyObject* object);
/// Told by its type's name: NumPy may not be loaded.
bool is_numpy_scalar(PyObject* object);
/// The dtype of an array or NumPy scalar; TypeError if there is none.
DType dtype_of_buffer(PyObject* object);
/// A tensor over the memory of an object with the buffer protocol; a copy if the memory is not aligned.
Tensor tensor_over_buffer(PyObject* object);
/// A tensor whose memory others may hold on to must not be resized.
inline void pin_storage(const Tensor& t) { t->storage->resizable = false; }

// ---- dlpack.cpp

Tensor from_dlpack(PyObject* object, std::optional<Device> device, std::optional<bool> copy);
PyObject* tensor_dlpack(PyObject* self, PyObject* const* args, Py_ssize_t nargs, PyObject* kwnames);
PyObject* tensor_dlpack_device(PyObject* self, PyObject*);

// ---- shared

/// Fills `values` from a call's arguments: the first `positional` names may be given by position; missing ones are
/// null.
void parse_arguments(const char* function, const char* const* names, int count, int positional, int required,
                     PyObject* const* args, Py_ssize_t nargs, PyObject* kwnames, PyObject** values);
std::optional<DType> optional_dtype(const char* function, PyObject* object);
std::optional<Device> optional_device(const char* function, PyObject* object);
bool optional_bool(const char* function, const char* name, PyObject* object, bool fallback);

}  // namespace lg
