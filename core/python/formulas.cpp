// The derivatives of pointwise.def as text, for people to read: the graph's page shows them.
#include "python/formulas.h"

#include "ops/evaluate.h"
#include "python/convert.h"

namespace lg {

using namespace binding;

namespace {

struct Formula {
  const char *node, *first, *second;  // second: null with one input
};

#define UNARY(name, on, keeps, element, cotangent, ...) constexpr NodeName name##_node{#name};
#define BINARY(name, ...) constexpr NodeName name##_node{#name};
#include "pointwise.def"

constexpr Formula formulas[] = {
#define UNARY(name, on, keeps, element, cotangent, ...) {name##_node.text, #cotangent, nullptr},
#define BINARY(name, on, numbers, keeps, element, cotangent_a, cotangent_b, ...) \
  {name##_node.text, #cotangent_a, #cotangent_b},
#include "pointwise.def"
};

PyObject* derivative_formulas(PyObject*, PyObject*) {
  PyObject* dict = PyDict_New();
  for (const Formula& f : formulas) {
    PyObject* texts = f.second ? Py_BuildValue("(ss)", f.first, f.second) : Py_BuildValue("(s)", f.first);
    if (!dict || !texts || PyDict_SetItemString(dict, f.node, texts) < 0) {
      Py_XDECREF(texts);
      Py_XDECREF(dict);
      return nullptr;
    }
    Py_DECREF(texts);
  }
  return dict;
}

}  // namespace

PyMethodDef formula_methods[] = {{"_derivative_formulas", derivative_formulas, METH_NOARGS,
                                  "By a node's name, the cotangent of each input as core/pointwise.def writes it."},
                                 {nullptr, nullptr, 0, nullptr}};

}  // namespace lg
