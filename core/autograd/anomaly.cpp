#include "autograd/anomaly.h"

#include "autograd/grad_mode.h"
#include "ops/ops.h"

namespace lg {

Anomaly anomaly;
thread_local NodeObject* current_node = nullptr;

void record_traceback(NodeObject* node) {
  Object module = Object::steal(PyImport_ImportModule("traceback"));
  Object lines = module ? Object::steal(PyObject_CallMethod(module.get(), "format_stack", nullptr)) : nullptr;
  if (!lines) throw PythonError();
  NodeExtra& extra = extra_of(node);
  extra.traceback = lines;
  if (current_node) extra.parent = Node::borrow(current_node);
}

static void warn(const std::string& message) {
  if (PyErr_WarnEx(PyExc_UserWarning, message.c_str(), 1) < 0) PyErr_WriteUnraisable(nullptr);
}

static std::string stack_of(NodeObject* node) {
  Object empty = Object::steal(PyUnicode_FromString(""));
  Object joined = Object::steal(PyUnicode_Join(empty.get(), node->extra->traceback.get()));
  const char* utf8 = joined ? PyUnicode_AsUTF8(joined.get()) : nullptr;
  return utf8 ? utf8 : "";
}

void print_traceback(NodeObject* node) {
  PyObject *type, *value, *trace;
  PyErr_Fetch(&type, &value, &trace);  // the failure itself goes on after the warning
  if (!node->extra || !node->extra->traceback) {
    warn(text("Error detected in ", node->name,
              ". No forward pass information available. Enable detect anomaly during "
              "forward pass for more information."));
  } else {
    warn(
        text("Error detected in ", node->name, ". Traceback of forward call that caused the error:\n", stack_of(node)));
    for (Node parent = node->extra->parent; parent && parent->extra && parent->extra->traceback;
         parent = parent->extra->parent)
      warn(text("Previous calculation was induced by ", parent->name,
                ". Traceback of forward call that induced the previous calculation:\n", stack_of(parent.get())));
  }
  PyErr_Restore(type, value, trace);
}

void check_nan(NodeObject* node, const Grads& grads) {
  NoGrad guard;
  for (size_t i = 0; i < grads.size(); ++i) {
    const Tensor& g = grads[i];
    if (!g || g.is_meta() || !is_inexact(g.dtype())) continue;
    Tensor found = any(isnan(g));
    check(!*found.data<bool>(), "Function '", node->name, "' returned nan values in its ", i, "th output.");
  }
}

}  // namespace lg
