// The runtime's switches and counters in Python: threads, memory, default dtype.
#include "python/runtime.h"

#include "kernels/instruction_set.h"
#include "python/convert.h"
#include "runtime/alloc.h"
#include "runtime/pool.h"

namespace lg {

using namespace binding;

namespace {

PyObject* py_memory_stats(PyObject*, PyObject*) {
  MemoryStats s = memory_stats();
  return Py_BuildValue("{s:L,s:L,s:L,s:L,s:L}", "live_bytes", s.live_bytes, "peak_bytes", s.peak_bytes, "cached_bytes",
                       s.cached_bytes, "live_blocks", s.live_blocks, "allocations", s.allocations);
}
PyObject* py_reset_peak(PyObject*, PyObject*) {
  reset_peak();
  Py_RETURN_NONE;
}
PyObject* py_empty_cache(PyObject*, PyObject*) {
  empty_cache();
  Py_RETURN_NONE;
}
PyObject* py_fail_allocation(PyObject*, PyObject* n) {
  return guarded([&] {
    fail_allocation(integer_from_python(n));
    return Py_NewRef(Py_None);
  });
}
PyObject* py_set_memory_limit(PyObject*, PyObject* bytes) {
  return guarded([&] {
    set_memory_limit(integer_from_python(bytes));
    return Py_NewRef(Py_None);
  });
}
PyObject* py_num_threads(PyObject*, PyObject*) { return PyLong_FromLong(num_threads()); }
PyObject* py_set_num_threads(PyObject*, PyObject* n) {
  return guarded([&] {
    check_type(is_integer(n), "set_num_threads expects an int, but got ", Py_TYPE(n)->tp_name);
    int64_t count = integer_from_python(n);
    check(count > 0, "set_num_threads expects a positive integer, got ", count);
    set_num_threads(int(std::min<int64_t>(count, 64)));
    return Py_NewRef(Py_None);
  });
}
PyObject* py_instruction_set(PyObject*, PyObject*) { return PyUnicode_FromString(instruction_set()); }
PyObject* py_default_dtype(PyObject*, PyObject*) { return dtype_to_python(default_dtype()); }
PyObject* py_set_default_dtype(PyObject*, PyObject* d) {
  return guarded([&] {
    DType dtype;
    check_type(dtype_from_python(d, &dtype), "invalid dtype object");
    check_type(is_floating(dtype), "only floating-point types are supported as the default type");
    set_default_dtype(dtype);
    return Py_NewRef(Py_None);
  });
}

PyMethodDef functions[] = {
    {"_memory_stats", py_memory_stats, METH_NOARGS,
     "The allocator's counters, in bytes: live, peak, cached; and live blocks."},
    {"_reset_peak", py_reset_peak, METH_NOARGS, "peak_bytes starts again from live_bytes."},
    {"_empty_cache", py_empty_cache, METH_NOARGS, "Give cached memory back to the system."},
    {"_fail_allocation", py_fail_allocation, METH_O,
     "For tests: the n-th allocation from now fails; 0 switches it off."},
    {"_set_memory_limit", py_set_memory_limit, METH_O, "Cap on live and cached bytes; 0: none."},
    {"get_num_threads", py_num_threads, METH_NOARGS, "Threads that large operations use."},
    {"set_num_threads", py_set_num_threads, METH_O, "Set the number of threads that large operations use, 1 to 64."},
    {"_instruction_set", py_instruction_set, METH_NOARGS,
     "Which build of the kernels runs here: baseline, avx2 or avx512."},
    {"get_default_dtype", py_default_dtype, METH_NOARGS, "Dtype that Python floats get."},
    {"set_default_dtype", py_set_default_dtype, METH_O, "Set the dtype that Python floats get."},
    {nullptr, nullptr, 0, nullptr}};

}  // namespace

void init_runtime(PyObject* module) {
  if (PyModule_AddFunctions(module, functions) < 0) throw PythonError();
}

}  // namespace lg
