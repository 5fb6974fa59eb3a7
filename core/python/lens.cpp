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

enum class EventKind : uint8_t { Alive, Allocate, Free, Recorded, Ran, Backward, Finished, Became };
constexpr const char* event_names[] = {"alive", "allocate", "free", "recorded", "ran", "backward", "finished"};
constexpr const char* role_names[] = {"leaf", "leaf gradient", "retained gradient", "saved", "released"};

struct Event {
  int64_t time;  // ns
  int64_t bytes;
  uint64_t sequence;  // of the node whose rule ran, or that recorded
  const char* node;   // its name; null: none
  uint32_t buffer;    // 0: the event is about none
  uint32_t place;
  EventKind kind;
  Role role;  // of Became
};

class Recording final : public Lens {
 public:
  /// Forgets what was recorded before.
  void begin() {
    events_.clear();
    events_.shrink_to_fit();
    buffers_ = 0;
    records_ = false;
  }
  /// Goes on with another observer.  When recording begins, what is alive gets numbers and comes first.
  void change(Object observer, bool record) {
    observer_ = std::move(observer);
    if (record && !records_) {
      for (Storage* storage : live_storages()) {
        if (!storage->number) storage->number = ++buffers_;
        add(buffer_event(EventKind::Alive, storage));
      }
    }
    records_ = record;
  }

  void allocated(Storage* storage) override {
    storage->place = places().here();
    storage->number = telling_ ? 0 : ++buffers_;  // what the observer makes is not the program's
    if (records_ && storage->number) add(buffer_event(EventKind::Allocate, storage));
  }
  void freed(const Storage* storage) noexcept override {
    if (records_ && storage->number) add(buffer_event(EventKind::Free, storage));
  }
  void made(NodeObject* node) override { node->place = places().here(); }
  void became(const Tensor& t, Role role) noexcept override {
    if (!records_ || !t->storage->number) return;
    Event e = buffer_event(EventKind::Became, t->storage);
    e.role = role;
    add(e);
  }
  void writing(const char* op, PyObject* target) override {
    if (listening()) tell("writing", text_object(op).get(), target);
  }
  uint32_t here() override { return places().here(); }
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
    if (listening()) {  // first: if the observer raises, no backward begins
      Object roots = nodes_of(request.roots), inputs = nodes_of(request.inputs);
      tell("backward", roots.get(), request.keep_graph ? Py_True : Py_False, request.create_graph ? Py_True : Py_False,
           inputs.get());
    }
    if (records_) {
      Event e = event_of(EventKind::Backward, nullptr);
      e.place = places().here();
      add(e);
    }
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
  void returned(const char* op, PyObject* result, std::span<PyObject* const> inputs) override {
    if (!listening()) return;
    Object keep = Object::steal(result);  // let go of if the observer raises
    Object given = checked(PyTuple_New(Py_ssize_t(inputs.size())));
    for (size_t i = 0; i < inputs.size(); ++i) PyTuple_SET_ITEM(given.get(), Py_ssize_t(i), Py_NewRef(inputs[i]));
    tell("result", text_object(op).get(), result, given.get());
    keep.release();
  }

  size_t count() const { return events_.size(); }
  Object events(size_t first) const {
    Object list = checked(PyList_New(0));
    for (size_t i = first; i < events_.size(); ++i) {
      const Event& e = events_[i];
      const char* kind = e.kind == EventKind::Became ? role_names[size_t(e.role)] : event_names[size_t(e.kind)];
      Object row = checked(Py_BuildValue("(sLILOLs)", kind, static_cast<long long>(e.time), e.buffer,
                                         static_cast<long long>(e.bytes), places().describe(e.place).get(),
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
    Object observer = observer_;  // it may be changed by what it does
    telling_ = true;
    Object answer = Object::steal(PyObject_Vectorcall(observer.get(), values, sizeof...(args) + 1, nullptr));
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
  bool records_ = false;
  inline static thread_local bool telling_ = false;
  uint32_t buffers_ = 0;
  std::vector<Event> events_;
};

Recording* recording = nullptr;  // that is on, or was on last; kept for ever, since an observer may still run

/// The arguments of _lens_start and _lens_change.
std::pair<Object, bool> observer_and_record(const char* format, PyObject* args, PyObject* kwargs) {
  static const char* names[] = {"observer", "record", nullptr};
  PyObject* observer = Py_None;
  int record = 0;
  if (!PyArg_ParseTupleAndKeywords(args, kwargs, format, const_cast<char**>(names), &observer, &record))
    throw PythonError();
  check_type(observer == Py_None || PyCallable_Check(observer), "the lens's observer must be callable, got ",
             Py_TYPE(observer)->tp_name);
  return {observer == Py_None ? Object() : Object::borrow(observer), record != 0};
}

PyObject* py_start(PyObject*, PyObject* args, PyObject* kwargs) {
  return guarded([&]() -> PyObject* {
    auto [observer, record] = observer_and_record("|Op:_lens_start", args, kwargs);
    check(!lens, "_lens_start: the lens is on already");
    places().find_package();
    for (Storage* storage : live_storages()) storage->number = 0;  // of an earlier recording
    if (!recording) recording = new Recording();
    recording->begin();
    recording->change(observer, record);
    lens = recording;
    Py_RETURN_NONE;
  });
}
PyObject* py_change(PyObject*, PyObject* args, PyObject* kwargs) {
  return guarded([&]() -> PyObject* {
    auto [observer, record] = observer_and_record("|Op:_lens_change", args, kwargs);
    check(lens, "_lens_change: the lens is not on");
    recording->change(observer, record);
    Py_RETURN_NONE;
  });
}
PyObject* py_stop(PyObject*, PyObject*) {
  lens = nullptr;
  Py_RETURN_NONE;
}
PyObject* py_events(PyObject*, PyObject* args) {
  Py_ssize_t first = 0;
  if (!PyArg_ParseTuple(args, "|n:_lens_events", &first)) return nullptr;
  return guarded([&] { return recording ? recording->events(size_t(first)).release() : PyList_New(0); });
}
PyObject* py_event_count(PyObject*, PyObject*) { return PyLong_FromSize_t(recording ? recording->count() : 0); }

/// Numbers of the buffers that are alive, by the storage's id.
PyObject* py_buffers(PyObject*, PyObject*) {
  return guarded([&] {
    Object dict = checked(PyDict_New());
    for (Storage* s : live_storages()) {
      Object id = checked(PyLong_FromVoidPtr(s)), number = checked(PyLong_FromUnsignedLong(s->number));
      if (s->number && PyDict_SetItem(dict.get(), id.get(), number.get()) < 0) throw PythonError();
    }
    return dict.release();
  });
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
    // All is read before the first Python object is made: making one may collect garbage, and with it tensors.
    struct Seen {
      Storage* storage;
      int64_t bytes;
      bool ours;
    };
    std::vector<Seen> all;
    for (Storage* s : live_storages()) all.push_back({s, s->bytes, !s->owner && s->device == Device::Cpu});
    const int64_t live_bytes = memory_stats().live_bytes;
    Object list = checked(PyList_New(0));
    for (const Seen& seen : all) {
      Object row = checked(Py_BuildValue("(NLO)", PyLong_FromVoidPtr(seen.storage), static_cast<long long>(seen.bytes),
                                         seen.ours ? Py_True : Py_False));
      if (PyList_Append(list.get(), row.get()) < 0) throw PythonError();
    }
    return checked(Py_BuildValue("(OL)", list.get(), static_cast<long long>(live_bytes))).release();
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

PyObject* py_made_at(PyObject*, PyObject* node) {
  return guarded([&] { return PyUnicode_FromString(made_at(node_argument(node)->place).c_str()); });
}

PyMethodDef functions[] = {
    {"_lens_start", reinterpret_cast<PyCFunction>(reinterpret_cast<void*>(py_start)), METH_VARARGS | METH_KEYWORDS,
     "Begin to keep places; with record=True events too; observer(kind, *args) hears of them as they happen."},
    {"_lens_stop", py_stop, METH_NOARGS, "End it. The places and events stay readable."},
    {"_lens_change", reinterpret_cast<PyCFunction>(reinterpret_cast<void*>(py_change)), METH_VARARGS | METH_KEYWORDS,
     "Go on with another observer, or with recording switched on or off; what was recorded stays."},
    {"_lens_events", py_events, METH_VARARGS,
     "_lens_events(first=0): (kind, ns, buffer, bytes, place, node sequence or -1, node name or None) of each event "
     "recorded since the lens was started, from number `first` on."},
    {"_lens_buffers", py_buffers, METH_NOARGS, "Number in the events of each live storage, by its id."},
    {"_lens_event_count", py_event_count, METH_NOARGS, "Number of events that _lens_events gives."},
    {"_live_tensors", py_live_tensors, METH_NOARGS, "Every tensor that is alive, the core's own aliases too."},
    {"_live_nodes", py_live_nodes, METH_NOARGS, "Every node of every graph that is alive."},
    {"_live_storages", py_live_storages, METH_NOARGS,
     "A list of (id, bytes, is the memory ours?) of every storage in use, and the live bytes at that moment."},
    {"_version_id", py_version_id, METH_O, "A number that tells a tensor's version counter from all others alive."},
    {"_last_writer", py_last_writer, METH_O, "The operator that last wrote the tensor's memory in place, or None."},
    {"_creation", py_creation, METH_O, "How a view was made: default, no_grad, multi_output, inference, function."},
    {"_saved", py_saved, METH_O,
     "(name, tensor or None, version when saved, is it an output, was it packed by a hook) of each saved tensor."},
    {"_is_released", py_is_released, METH_O, "Has backward freed what the node saved?"},
    {"_retained_outputs", py_retained_outputs, METH_O, "Numbers of the outputs whose gradients are retained."},
    {"_place", py_place, METH_O,
     "(file, line, function) where a node was recorded or a tensor's memory made, if the lens was on; else None."},
    {"_made_at", py_made_at, METH_O, "' at file:line' of a node for a message; else how to get to know the line."},
    {nullptr, nullptr, 0, nullptr}};

}  // namespace

std::string at_place(uint32_t place) {
  if (!place) return {};
  Object module = checked(PyImport_ImportModule("leafgrad.lens.places"));
  Object described = checked(PyObject_CallMethod(module.get(), "place_text", "(O)", places().describe(place).get()));
  const char* utf8 = PyUnicode_AsUTF8(described.get());
  if (!utf8) throw PythonError();
  return text(" at ", utf8);
}
std::string made_at(uint32_t place) {
  return place ? at_place(place) : " (under leafgrad.trace() this says at which line)";
}

void init_lens(PyObject* module) {
  if (PyModule_AddFunctions(module, functions) < 0) throw PythonError();
}

}  // namespace lg
