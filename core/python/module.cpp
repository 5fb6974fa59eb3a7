// leafgrad._core: puts the types, the operators and the runtime's switches together.
#include "python/autograd.h"
#include "python/convert.h"
#include "python/families.h"
#include "python/formulas.h"
#include "python/function.h"
#include "python/generator.h"
#include "python/layout.h"
#include "python/lens.h"
#include "python/node.h"
#include "python/numpy.h"
#include "python/runtime.h"
#include "python/storage.h"
#include "python/subclass.h"
#include "python/tensor.h"

namespace lg {

static void init(PyObject* module) {
  init_convert(module);
  init_layout(module);
  init_node_type(module);
  init_function(module);
  init_tensor_type(module);
  init_storage_type(module);
  init_autograd(module);
  init_grad_mode(module);
  init_runtime(module);
  init_generator(module);
  init_numpy(module);
  init_lens(module);
  for (PyMethodDef* methods : {subclass_methods, formula_methods})
    if (PyModule_AddFunctions(module, methods) < 0) throw PythonError();
  static Ops ops(module);
#define X(family) def_##family(ops);
  LG_FAMILIES(X)
#undef X
  ops.publish();
  set_slot_operators(ops);
  if (PyObject_SetAttrString(module, "OutOfMemoryError", exception_class(ErrorKind::Memory)) < 0) throw PythonError();
}

}  // namespace lg

static PyModuleDef definition = {PyModuleDef_HEAD_INIT,
                                 "leafgrad._core",
                                 "The native core of leafgrad.",
                                 -1,
                                 nullptr,
                                 nullptr,
                                 nullptr,
                                 nullptr,
                                 nullptr};

PyMODINIT_FUNC PyInit__core() {
  PyObject* module = PyModule_Create(&definition);
  if (!module) return nullptr;
  try {
    lg::init(module);
  } catch (...) {
    lg::binding::raise_current();
    Py_DECREF(module);
    return nullptr;
  }
  return module;
}
