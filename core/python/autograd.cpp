// The module's functions for autograd: modes, backward, saved-tensor hooks, anomaly mode.
#include "python/autograd.h"

#include "autograd/anomaly.h"
#include "autograd/engine.h"
#include "autograd/saved_hooks.h"
#include "ops/ops.h"
#include "python/convert.h"
#include "python/hooks.h"
#include "python/node.h"
#include "python/tensor.h"

namespace lg {

using namespace binding;

namespace {

PyObject* is_grad_enabled(PyObject*, PyObject*) { return PyBool_FromLong(thread_mode.grad); }
PyObject* set_grad_enabled(PyObject*, PyObject* on) {
  if (!PyBool_Check(on)) {
    PyErr_Format(PyExc_TypeError, "set_grad_enabled(): argument 'enabled' must be bool, not %s", Py_TYPE(on)->tp_name);
    return nullptr;
  }
  thread_mode.grad = thread_mode.asked = on == Py_True;
  Py_RETURN_NONE;
}
PyObject* is_inference_mode_enabled(PyObject*, PyObject*) { return PyBool_FromLong(thread_mode.inference); }
PyObject* set_inference_mode(PyObject*, PyObject* on) {
  thread_mode.inference = on == Py_True;
  Py_RETURN_NONE;
}

PyObject* set_in_step(PyObject*, PyObject* on) {
  return PyBool_FromLong(std::exchange(thread_mode.step, on == Py_True));
}

/// (node, output_nr) of a GradientEdge.
bool edge_from_python(PyObject* object, Edge* edge) {
  if (!PyTuple_Check(object) || PyTuple_GET_SIZE(object) < 2) return false;
  PyObject *node = PyTuple_GET_ITEM(object, 0), *nr = PyTuple_GET_ITEM(object, 1);
  if (!PyObject_TypeCheck(node, node_type()) || !PyLong_Check(nr)) return false;
  edge->node = Node::borrow(reinterpret_cast<NodeObject*>(node));
  edge->nr = uint32_t(integer_from_python(nr));
  check_index(edge->nr < edge->node->outputs.size(), "GradientEdge: output ", edge->nr, " of ", edge->node->name,
              ", which has ", edge->node->outputs.size());
  return true;
}

/// A tensor in the graph of `roots` that shares t's memory: likely the one that was meant.
std::string nearest_relative(PyObject* t, PyObject* roots) {
  return explanation("nearest_relative", Object::steal(PyTuple_Pack(2, t, roots)).get());
}

Edge root_edge(PyObject* object, Py_ssize_t i) {
  Edge edge;
  if (edge_from_python(object, &edge)) return edge;
  check_type(is_tensor(object), "element ", i, " of tensors argument is not a Tensor");
  Tensor t = as_tensor_handle(object);
  if (!requires_grad(t))
    fail(ErrorKind::Runtime, "element ", i, " of tensors does not require grad and does not have a grad_fn.",
         why_no_grad(t));
  return gradient_edge(t);
}

Edge input_edge(PyObject* object, Py_ssize_t i, bool accumulate, PyObject* roots) {
  Edge edge;
  if (edge_from_python(object, &edge)) return edge;
  check_type(is_tensor(object), "all inputs have to be Tensors or GradientEdges, but got ", Py_TYPE(object)->tp_name);
  Tensor t = as_tensor_handle(object);
  if (!requires_grad(t))
    fail(ErrorKind::Runtime, "One of the differentiated Tensors (index ", i, ") does not require grad.", why_no_grad(t),
         nearest_relative(object, roots));
  if (Node fn = grad_fn(t)) {
    if (accumulate) retain_grad(t);
    return {fn, t->output_nr};
  }
  // A leaf that no node refers to is not in any graph.
  NodeObject* accumulator = t->extra ? t->extra->accumulator : nullptr;
  return {Node::borrow(accumulator), 0};
}

PyObject* py_run_backward(PyObject*, PyObject* args, PyObject* kwargs) {
  static const char* names[] = {"tensors", "grad_tensors",      "keep_graph",      "create_graph",
                                "inputs",  "allow_unreachable", "accumulate_grad", nullptr};
  PyObject *tensors, *grads, *inputs = nullptr;
  int keep, create, allow_unreachable = 0, accumulate = 0;
  if (!PyArg_ParseTupleAndKeywords(args, kwargs, "OOpp|Opp", const_cast<char**>(names), &tensors, &grads, &keep,
                                   &create, &inputs, &allow_unreachable, &accumulate))
    return nullptr;
  return guarded([&]() -> PyObject* {
    check_type(PyTuple_Check(tensors) && PyTuple_Check(grads) && (!inputs || PyTuple_Check(inputs)),
               "_run_backward expects tuples");
    BackwardRequest request;
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(tensors); ++i) {
      request.roots.push_back(root_edge(PyTuple_GET_ITEM(tensors, i), i));
      PyObject* g = i < PyTuple_GET_SIZE(grads) ? PyTuple_GET_ITEM(grads, i) : Py_None;
      check_type(g == Py_None || is_tensor(g), "element ", i, " of gradients tuple is not a Tensor or None");
      request.gradients.push_back(g == Py_None ? Tensor() : as_tensor_handle(g));
    }
    Py_ssize_t wanted = inputs ? PyTuple_GET_SIZE(inputs) : 0;
    for (Py_ssize_t i = 0; i < wanted; ++i)
      request.inputs.push_back(input_edge(PyTuple_GET_ITEM(inputs, i), i, accumulate, tensors));
    request.keep_graph = keep;
    request.create_graph = create;
    request.accumulate = wanted == 0 || accumulate;
    Grads results = run_backward(std::move(request));
    if (wanted == 0 || accumulate) return PyTuple_New(0);
    for (size_t i = 0; i < results.size() && !allow_unreachable; ++i)
      if (!results[i])
        fail(ErrorKind::Runtime, "One of the differentiated Tensors (index ", i,
             ") appears to not have been used in the graph. Set allow_unused=True if this is the desired behavior.",
             nearest_relative(PyTuple_GET_ITEM(inputs, i), tensors));
    return grads_to_tuple(results);
  });
}

PyObject* push_hooks(PyObject*, PyObject* args) {
  PyObject *pack, *unpack;
  if (!PyArg_ParseTuple(args, "OO", &pack, &unpack)) return nullptr;
  return guarded([&] {
    push_saved_hooks(Object::borrow(pack), Object::borrow(unpack));
    return Py_NewRef(Py_None);
  });
}
PyObject* pop_hooks(PyObject*, PyObject*) {
  return guarded([&] {
    pop_saved_hooks();
    return Py_NewRef(Py_None);
  });
}
PyObject* disable_hooks(PyObject*, PyObject* message) {
  return guarded([&] {
    disable_saved_hooks(From<std::string>::convert(message, {}));
    return Py_NewRef(Py_None);
  });
}
PyObject* enable_hooks(PyObject*, PyObject*) {
  enable_saved_hooks();
  Py_RETURN_NONE;
}
PyObject* hooks_message(PyObject*, PyObject*) {
  const std::string* message = saved_hooks_disabled();
  if (!message) Py_RETURN_NONE;
  return PyUnicode_FromString(message->c_str());
}

PyObject* set_anomaly(PyObject*, PyObject* args, PyObject* kwargs) {
  static const char* names[] = {"mode", "check_nan", nullptr};
  int mode, check = 1;
  if (!PyArg_ParseTupleAndKeywords(args, kwargs, "p|p", const_cast<char**>(names), &mode, &check)) return nullptr;
  anomaly = {bool(mode), bool(check)};
  Py_RETURN_NONE;
}
PyObject* is_anomaly(PyObject*, PyObject*) { return PyBool_FromLong(anomaly.enabled); }
PyObject* is_anomaly_nan(PyObject*, PyObject*) { return PyBool_FromLong(anomaly.check_nan); }

PyObject* grad_accumulator(PyObject*, PyObject* leaf) {
  return guarded([&]() -> PyObject* {
    check_type(is_tensor(leaf), "_grad_accumulator needs a tensor");
    Tensor t = as_tensor_handle(leaf);
    check(is_leaf(t) && t->requires_grad, "_grad_accumulator needs a leaf that requires grad");
    return node_to_python(accumulator_of(t));
  });
}
PyObject* task_id(PyObject*, PyObject*) { return PyLong_FromLongLong(current_task_id()); }
PyObject* running_node(PyObject*, PyObject*) {
  return Py_NewRef(current_node ? reinterpret_cast<PyObject*>(current_node) : Py_None);
}
PyObject* is_checkpoint_valid(PyObject*, PyObject*) { return PyBool_FromLong(!is_backward_limited()); }
PyObject* will_execute(PyObject*, PyObject* node) {
  return guarded([&]() -> PyObject* {
    check_type(PyObject_TypeCheck(node, node_type()), "_will_engine_execute_node needs a Node");
    check(current_task_id() >= 0, "_will_engine_execute_node: no backward is running");
    return PyBool_FromLong(will_execute_node(reinterpret_cast<NodeObject*>(node)));
  });
}
PyObject* increment_version(PyObject*, PyObject* tensors) {
  return guarded([&] {
    Object all = Object::steal(PySequence_Tuple(tensors));
    if (!all) throw PythonError();
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(all.get()); ++i) {
      check_type(is_tensor(PyTuple_GET_ITEM(all.get(), i)), "increment_version expects tensors");
      as_tensor_handle(PyTuple_GET_ITEM(all.get(), i)).bump_version();
    }
    return Py_NewRef(Py_None);
  });
}
PyObject* set_versions(PyObject*, PyObject* args) {
  PyObject *tensors, *versions;
  if (!PyArg_ParseTuple(args, "O!O!", &PyTuple_Type, &tensors, &PyTuple_Type, &versions)) return nullptr;
  return guarded([&] {
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(tensors); ++i)
      as_tensor_handle(PyTuple_GET_ITEM(tensors, i))->version->value =
          uint32_t(integer_from_python(PyTuple_GET_ITEM(versions, i)));
    return Py_NewRef(Py_None);
  });
}

template <class F>
PyCFunction keywords(F f) {
  return reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(f));
}

PyMethodDef functions[] = {
    {"is_grad_enabled", is_grad_enabled, METH_NOARGS, "Is this thread recording?"},
    {"_set_grad_enabled", set_grad_enabled, METH_O, nullptr},
    {"is_inference_mode_enabled", is_inference_mode_enabled, METH_NOARGS, "Is this thread in inference mode?"},
    {"_set_inference_mode", set_inference_mode, METH_O, nullptr},
    {"_set_in_step", set_in_step, METH_O, "Writes from now on are an optimizer's step's, or no longer; what was so."},
    {"_run_backward", keywords(&py_run_backward), METH_VARARGS | METH_KEYWORDS,
     "The engine; see autograd.backward and grad."},
    {"_push_saved_tensors_default_hooks", push_hooks, METH_VARARGS, nullptr},
    {"_pop_saved_tensors_default_hooks", pop_hooks, METH_NOARGS, nullptr},
    {"_saved_tensors_hooks_disable", disable_hooks, METH_O, nullptr},
    {"_saved_tensors_hooks_enable", enable_hooks, METH_NOARGS, nullptr},
    {"_saved_tensors_hooks_get_disabled_error_message", hooks_message, METH_NOARGS, nullptr},
    {"_set_anomaly_enabled", keywords(&set_anomaly), METH_VARARGS | METH_KEYWORDS, nullptr},
    {"is_anomaly_enabled", is_anomaly, METH_NOARGS, "Is anomaly mode on?"},
    {"is_anomaly_check_nan_enabled", is_anomaly_nan, METH_NOARGS, "Does anomaly mode look for NaN?"},
    {"_grad_accumulator", grad_accumulator, METH_O, "The AccumulateGrad node of a leaf."},
    {"_current_graph_task_id", task_id, METH_NOARGS, "Number of the running backward; -1 outside."},
    {"_current_autograd_node", running_node, METH_NOARGS, "The node whose backward is running; None outside."},
    {"_is_checkpoint_valid", is_checkpoint_valid, METH_NOARGS, "No backward with inputs is running."},
    {"_will_engine_execute_node", will_execute, METH_O, nullptr},
    {"_increment_version", increment_version, METH_O, nullptr},
    {"_unsafe_set_version_counter", set_versions, METH_VARARGS, nullptr},
    {nullptr, nullptr, 0, nullptr}};

}  // namespace

void init_autograd(PyObject* module) {
  if (PyModule_AddFunctions(module, functions) < 0) throw PythonError();
}

}  // namespace lg
