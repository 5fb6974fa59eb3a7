// The lens for Python: questions that any time has an answer to, and a recorder that is on between _lens_start and
// _lens_stop.
//
// A place is a line of the user's program: the innermost frame whose code lies outside the leafgrad package.  Places
// are numbered from 1 as they are met, so that a node or a storage remembers its own in four bytes; the table only
// grows, by one entry for each line that ever made anything.
#include "python/lens.h"

#include <algorithm>
#include <chrono>
#include <map>
#include <string_view>
#include <unordered_map>

#include "autograd/anomaly.h"
#include "autograd/engine.h"
#include "python/convert.h"
#include "python/node.h"
#include "python/tensor.h"

namespace lg {

using namespace binding;

namespace {

template <class F>
PyObject* guarded(F&& body) {
  try {
    return body();
  } catch (...) { return raise_current(); }
}

Object checked(PyObject* made) {
  if (!made) throw PythonError();
  return Object::steal(made);
}

Object text_object(const char* text) { return checked(PyUnicode_FromString(text)); }

// ---- places

class Places {
 public:
  /// Where the user's program stands now; 0 where no Python frame of it is to be found.
  uint32_t here() {
    PyFrameObject* frame = PyEval_GetFrame();  // borrowed
    Object keep = Object::borrow(reinterpret_cast<PyObject*>(frame));
    while (frame) {
      auto code = Object::steal(reinterpret_cast<PyObject*>(PyFrame_GetCode(frame)));
      if (is_users(code)) return number_of(code, PyFrame_GetLineNumber(frame));
      frame = PyFrame_GetBack(frame);
      keep = Object::steal(reinterpret_cast<PyObject*>(frame));
    }
    return 0;
  }

  /// (file, line, function), or None for 0.
  Object describe(uint32_t place) const { return place ? list_[place - 1] : Object::borrow(Py_None); }

  /// Finds the package's directories: Python files from a source tree lie elsewhere than the compiled core.
  void find_package() {
    Object package = checked(PyImport_ImportModule("leafgrad"));
    Object paths = checked(PyObject_GetAttrString(package.get(), "__path__"));
    Object list = checked(PySequence_List(paths.get()));
    package_.clear();
    for (Py_ssize_t i = 0; i < PyList_GET_SIZE(list.get()); ++i) {
      const char* path = PyUnicode_AsUTF8(PyList_GET_ITEM(list.get(), i));
      if (!path) throw PythonError();
      package_.push_back(text(path, "/"));
    }
  }

 private:
  bool is_users(const Object& code) {
    auto [entry, fresh] = users_.try_emplace(code.get());
    if (fresh) {
      Object file = checked(PyObject_GetAttrString(code.get(), "co_filename"));
      const char* path = PyUnicode_AsUTF8(file.get());
      if (!path) PyErr_Clear();  // a name that is not text is not ours
      entry->second = {code, !path || !is_ours(path)};
    }
    return entry->second.second;
  }

  bool is_ours(const char* path) const {
    return std::any_of(package_.begin(), package_.end(),
                       [&](const std::string& directory) { return std::string_view(path).starts_with(directory); });
  }

  uint32_t number_of(const Object& code, int line) {
    uint32_t& number = numbers_[{code.get(), line}];
    if (!number) {
      Object file = checked(PyObject_GetAttrString(code.get(), "co_filename"));
      Object function = checked(PyObject_GetAttrString(code.get(), "co_qualname"));
      list_.push_back(checked(Py_BuildValue("(OiO)", file.get(), line, function.get())));
      number = uint32_t(list_.size());
    }
    return number;
  }

  std::vector<std::string> package_;
  std::unordered_map<PyObject*, std::pair<Object, bool>> users_;  // keeps the code, so that addresses stay its own
  std::map<std::pair<PyObject*, int>, uint32_t> numbers_;
  std::vector<Object> list_;
};

Places& places() {
  static auto* all = new Places();  // never destroyed: Python may be gone before static destructors run
  return *all;
}

// ---- the recorder

enum class EventKind : uint8_t { Allocate, Free, Recorded, Ran, Backward, Finished };
constexpr const char* event_names[] = {"allocate", "free", "recorded", "ran", "backward", "finished"};

struct Event {
  int64_t time;  // ns
  int64_t bytes;
  uint64_t sequence;  // of the node whose rule ran, or that recorded
  const char* node;   // its name; null: none
  uint32_t buffer;    // 0: the event is about none
  uint32_t place;
  EventKind kind;
};

class Recording final : public Lens {
 public:
  Recording(Object observer, bool record) : observer_(std::move(observer)), records_(record) {}

  void allocated(Storage* storage) override {
    storage->place = places().here();
    storage->number = ++buffers_;
    if (records_) add(buffer_event(EventKind::Allocate, storage));
  }
  void freed(const Storage* storage) noexcept override {
    if (records_ && storage->number) add(buffer_event(EventKind::Free, storage));
  }
  void made(NodeObject* node) override { node->place = places().here(); }
  void written(const Tensor& t) override {
    const char* writer = t->version->writer;
    if (listening()) tell("write", t.py(), text_object(writer ? writer : "").get());
  }
  void recorded(const Tensor& t, NodeObject* node) override {
    if (records_) {
      Event e = event_of(EventKind::Recorded, node);
      e.buffer = t->storage->number;
      e.bytes = t->storage->bytes;
      add(e);
    }
    if (listening()) tell("recorded", t.py(), as_python(node).get());
  }
  void backward(const BackwardRequest& request) override {
    if (records_) {
      Event e = event_of(EventKind::Backward, nullptr);
      e.place = places().here();
      add(e);
    }
    if (!listening()) return;
    Object roots = nodes_of(request.roots), inputs = nodes_of(request.inputs);
    tell("backward", roots.get(), request.keep_graph ? Py_True : Py_False, request.create_graph ? Py_True : Py_False,
         inputs.get());
  }
  void ran(NodeObject* node, std::span<const Tensor> results) override {
    if (records_) add(event_of(EventKind::Ran, node));
    if (!listening()) return;
    Object gradients = checked(PyTuple_New(Py_ssize_t(results.size())));
    for (size_t i = 0; i < results.size(); ++i)
      PyTuple_SET_ITEM(gradients.get(), Py_ssize_t(i), Py_NewRef(results[i] ? results[i].py() : Py_None));
    tell("ran", as_python(node).get(), gradients.get());
  }
  void finished(bool ok) override {
    if (records_) add(event_of(EventKind::Finished, nullptr));
    if (listening() && ok) tell("finished", Py_True);
    if (listening() && !ok) tell_after_error();
  }
  void returned(const char* op, PyObject* result) override {
    if (!listening()) return;
    Object keep = Object::steal(result);  // let go of if the observer raises
    tell("result", text_object(op).get(), result);
    keep.release();
  }

  Object events() const {
    Object list = checked(PyList_New(0));
    for (const Event& e : events_) {
      Object row = checked(Py_BuildValue("(sLILOLs)", event_names[size_t(e.kind)], static_cast<long long>(e.time),
                                         e.buffer, static_cast<long long>(e.bytes), places().describe(e.place).get(),
                                         e.node ? static_cast<long long>(e.sequence) : -1LL, e.node));
      if (PyList_Append(list.get(), row.get()) < 0) throw PythonError();
    }
    return list;
  }

 private:
  static Object as_python(NodeObject* node) { return checked(node_to_python(Node::borrow(node))); }

  template <class Edges>
  static Object nodes_of(const Edges& edges) {
    Object list = checked(PyList_New(0));
    for (const Edge& edge : edges)
      if (edge.node && PyList_Append(list.get(), as_python(edge.node.get()).get()) < 0) throw PythonError();
    return list;
  }

  static Event event_of(EventKind kind, const NodeObject* node) {
    using namespace std::chrono;
    Event e{};
    e.time = duration_cast<nanoseconds>(steady_clock::now().time_since_epoch()).count();
    e.kind = kind;
    if (node) {
      e.sequence = node->sequence;
      e.node = node->name;
      e.place = node->place;
    }
    return e;
  }
  /// In a backward the node is the one whose rule runs.
  static Event buffer_event(EventKind kind, const Storage* storage) {
    Event e = event_of(kind, current_node);
    e.buffer = storage->number;
    e.bytes = storage->owner || storage->device == Device::Meta ? 0 : storage->bytes;
    e.place = storage->place;
    return e;
  }
  void add(const Event& event) noexcept {
    try {
      events_.push_back(event);
    } catch (const std::bad_alloc&) { records_ = false; }  // what has been recorded stays
  }

  /// The observer's own work is not reported to it.
  bool listening() const { return observer_ && !telling_; }

  template <class... Args>
  void tell(const char* kind, Args*... args) {
    PyObject* values[] = {nullptr, args...};
    Object name = text_object(kind);
    values[0] = name.get();
    telling_ = true;
    Object answer = Object::steal(PyObject_Vectorcall(observer_.get(), values, sizeof...(args) + 1, nullptr));
    telling_ = false;
    if (!answer) throw PythonError();
  }

  /// A backward that failed goes on failing with its own error.
  void tell_after_error() {
    PyObject *type, *value, *trace;
    PyErr_Fetch(&type, &value, &trace);
    try {
      tell("finished", Py_False);
    } catch (const PythonError&) { PyErr_WriteUnraisable(observer_.get()); }
    PyErr_Restore(type, value, trace);
  }

  Object observer_;
  bool records_;
  bool telling_ = false;
  uint32_t buffers_ = 0;
  std::vector<Event> events_;
};

Recording* recording = nullptr;  // the one that is on, or was on last

PyObject* py_start(PyObject*, PyObject* args, PyObject* kwargs) {
  static const char* names[] = {"observer", "record", nullptr};
  PyObject* observer = Py_None;
  int record = 0;
  if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|Op:_lens_start", const_cast<char**>(names), &observer, &record))
    return nullptr;
  return guarded([&]() -> PyObject* {
    check(!lens, "_lens_start: the lens is on already");
    places().find_package();
    check_type(observer == Py_None || PyCallable_Check(observer), "_lens_start: the observer must be callable, got ",
               Py_TYPE(observer)->tp_name);
    for (Storage* storage : live_storages()) storage->number = 0;  // of an earlier recording
    delete std::exchange(recording, nullptr);
    recording = new Recording(observer == Py_None ? Object() : Object::borrow(observer), record != 0);
    lens = recording;
    Py_RETURN_NONE;
  });
}
PyObject* py_stop(PyObject*, PyObject*) {
  lens = nullptr;
  Py_RETURN_NONE;
}
PyObject* py_events(PyObject*, PyObject*) {
  return guarded([&] { return recording ? recording->events().release() : PyList_New(0); });
}

// ---- questions

Tensor tensor_argument(PyObject* object) {
  check_type(is_tensor(object), "expected a tensor, got ", Py_TYPE(object)->tp_name);
  return as_tensor_handle(object);
}
NodeObject* node_argument(PyObject* object) {
  check_type(PyObject_TypeCheck(object, node_type()), "expected a node of the graph, got ", Py_TYPE(object)->tp_name);
  return reinterpret_cast<NodeObject*>(object);
}

PyObject* py_live_tensors(PyObject*, PyObject*) {
  return guarded([&] {
    Object list = checked(PyList_New(0));
    for (const Tensor& t : live_tensors())
      if (PyList_Append(list.get(), t.py()) < 0) throw PythonError();
    return list.release();
  });
}

PyObject* py_live_nodes(PyObject*, PyObject*) {
  return guarded([&] {
    // Every node is known to the cycle collector from its making to its end.
    Object gc = checked(PyImport_ImportModule("gc"));
    Object all = checked(PyObject_CallMethod(gc.get(), "get_objects", nullptr));
    Object list = checked(PyList_New(0));
    for (Py_ssize_t i = 0; i < PyList_GET_SIZE(all.get()); ++i) {
      PyObject* object = PyList_GET_ITEM(all.get(), i);
      if (!PyObject_TypeCheck(object, node_type())) continue;
      Object node = checked(node_to_python(Node::borrow(reinterpret_cast<NodeObject*>(object))));
      if (PyList_Append(list.get(), node.get()) < 0) throw PythonError();
    }
    return list.release();
  });
}

PyObject* py_live_storages(PyObject*, PyObject*) {
  return guarded([&] {
    Object list = checked(PyList_New(0));
    for (Storage* s : live_storages()) {
      bool ours = !s->owner && s->device == Device::Cpu;
      Object row = checked(
          Py_BuildValue("(NLO)", PyLong_FromVoidPtr(s), static_cast<long long>(s->bytes), ours ? Py_True : Py_False));
      if (PyList_Append(list.get(), row.get()) < 0) throw PythonError();
    }
    return list.release();
  });
}

PyObject* py_version_id(PyObject*, PyObject* t) {
  return guarded([&] { return PyLong_FromVoidPtr(tensor_argument(t)->version); });
}
PyObject* py_last_writer(PyObject*, PyObject* object) {
  return guarded([&]() -> PyObject* {
    const VersionCounter* version = tensor_argument(object)->version;  // the caller holds the tensor
    if (!version->value || !version->writer) Py_RETURN_NONE;
    return PyUnicode_FromString(version->writer);
  });
}

PyObject* py_creation(PyObject*, PyObject* object) {
  return guarded([&]() -> PyObject* {
    const TensorExtra* extra = tensor_argument(object)->extra;
    switch (extra ? extra->creation : Creation::Default) {
      case Creation::Default: return PyUnicode_FromString("default");
      case Creation::NoGrad: return PyUnicode_FromString("no_grad");
      case Creation::MultiOutput: return PyUnicode_FromString("multi_output");
      case Creation::Inference: return PyUnicode_FromString("inference");
      case Creation::Function: return PyUnicode_FromString("function");
    }
    Py_UNREACHABLE();
  });
}

PyObject* py_saved(PyObject*, PyObject* object) {
  return guarded([&] {
    NodeObject* node = node_argument(object);
    Object list = checked(PyList_New(0));
    for (const SavedTensor& saved : node->saved) {
      if (!saved.tensor && !saved.packed) continue;  // nothing was there to save, or it has been released
      Object row =
          checked(Py_BuildValue("(zOIOO)", saved.name, saved.tensor ? saved.tensor.py() : Py_None, saved.version,
                                saved.is_output ? Py_True : Py_False, saved.packed ? Py_True : Py_False));
      if (PyList_Append(list.get(), row.get()) < 0) throw PythonError();
    }
    return list.release();
  });
}
PyObject* py_is_released(PyObject*, PyObject* object) {
  return guarded([&] { return PyBool_FromLong(node_argument(object)->released); });
}
PyObject* py_retained_outputs(PyObject*, PyObject* object) {
  return guarded([&] {
    const NodeObject* node = node_argument(object);
    Object list = checked(PyList_New(0));
    if (node->extra)
      for (const auto& hooks : node->extra->tensor_hooks)
        if (hooks.retains && hooks.functions &&
            PyList_Append(list.get(), checked(PyLong_FromUnsignedLong(hooks.nr)).get()) < 0)
          throw PythonError();
    return list.release();
  });
}

PyObject* py_place(PyObject*, PyObject* object) {
  return guarded([&] {
    if (is_tensor(object)) return places().describe(tensor_argument(object)->storage->place).release();
    return places().describe(node_argument(object)->place).release();
  });
}

PyMethodDef functions[] = {
    {"_lens_start", reinterpret_cast<PyCFunction>(reinterpret_cast<void*>(py_start)), METH_VARARGS | METH_KEYWORDS,
     "Begin to keep places; with record=True events too; observer(kind, *args) hears of them as they happen."},
    {"_lens_stop", py_stop, METH_NOARGS, "End it. The places and events stay readable."},
    {"_lens_events", py_events, METH_NOARGS,
     "(kind, ns, buffer, bytes, place, node sequence or -1, node name or None) of each event recorded last."},
    {"_live_tensors", py_live_tensors, METH_NOARGS, "Every tensor that is alive, the core's own aliases too."},
    {"_live_nodes", py_live_nodes, METH_NOARGS, "Every node of every graph that is alive."},
    {"_live_storages", py_live_storages, METH_NOARGS, "(id, bytes, is the memory ours?) of every storage in use."},
    {"_version_id", py_version_id, METH_O, "A number that tells a tensor's version counter from all others alive."},
    {"_last_writer", py_last_writer, METH_O, "The operator that last wrote the tensor's memory in place, or None."},
    {"_creation", py_creation, METH_O, "How a view was made: default, no_grad, multi_output, inference, function."},
    {"_saved", py_saved, METH_O,
     "(name, tensor or None, version when saved, is it an output, was it packed by a hook) of each saved tensor."},
    {"_is_released", py_is_released, METH_O, "Has backward freed what the node saved?"},
    {"_retained_outputs", py_retained_outputs, METH_O, "Numbers of the outputs whose gradients are retained."},
    {"_place", py_place, METH_O,
     "(file, line, function) where a node was recorded or a tensor's memory made, if the lens was on; else None."},
    {nullptr, nullptr, 0, nullptr}};

}  // namespace

std::string made_at(const NodeObject* node) {
  if (!node->place) return " (leafgrad.trace() around the forward would tell its line)";
  Object place = places().describe(node->place);
  const char* file = PyUnicode_AsUTF8(PyTuple_GET_ITEM(place.get(), 0));
  if (!file) throw PythonError();
  return text(" (made at ", file, ":", PyLong_AsLong(PyTuple_GET_ITEM(place.get(), 1)), ")");
}

void init_lens(PyObject* module) {
  if (PyModule_AddFunctions(module, functions) < 0) throw PythonError();
}

}  // namespace lg
