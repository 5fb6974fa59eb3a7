// The Op type: binds Python arguments to overloads and calls them.
#include "python/def.h"

#include <algorithm>
#include <cstring>

#include "autograd/autograd.h"
#include "ops/ops.h"
#include "python/convert.h"
#include "python/subclass.h"

namespace lg {

using namespace binding;

// ---- defaults

static Arg with_default(const Arg& a, PyObject* value) {
  Arg b = a;
  b.fallback = value;
  return b;
}
Arg Arg::operator=(NoneType) const { return with_default(*this, Py_NewRef(Py_None)); }
Arg Arg::operator=(bool v) const { return with_default(*this, PyBool_FromLong(v)); }
Arg Arg::operator=(int64_t v) const { return with_default(*this, PyLong_FromLongLong(v)); }
Arg Arg::operator=(double v) const { return with_default(*this, PyFloat_FromDouble(v)); }
Arg Arg::operator=(const char* v) const { return with_default(*this, PyUnicode_FromString(v)); }
Arg Arg::operator=(DType v) const { return with_default(*this, dtype_to_python(v)); }

// ---- binding one call

namespace {

constexpr int max_arguments = 16;

/// PyTorch accepts NumPy's names too.
const char* numpy_alias(const char* name) {
  if (!std::strcmp(name, "dim")) return "axis";
  if (!std::strcmp(name, "keepdim")) return "keepdims";
  if (!std::strcmp(name, "input")) return "x";
  if (!std::strcmp(name, "other")) return "x2";
  return nullptr;
}

/// Is parameter i of type T?
template <class T>
bool takes(const Overload& o, size_t i) {
  return std::strcmp(o.types[i], From<T>::text) == 0;
}

/// Fills values[] (borrowed) from a call; `spare` owns a packed varargs tuple.  False: the call does not have this
/// form.
bool bind(const Overload& o, PyObject* const* args, Py_ssize_t nargs, PyObject* kwnames, PyObject** values,
          Object* spare, const char** why) {
  int count = int(o.args.size());
  std::fill(values, values + count, nullptr);
  Py_ssize_t given = nargs;
  for (int i = 0; i < o.positional; ++i) {
    if (!o.args[i].takes_varargs || nargs <= i) continue;
    // One sequence, or the rest as varargs.
    PyObject* first = args[i];
    bool packed = nargs == i + 1 && (PyTuple_Check(first) || PyList_Check(first));
    if (packed) break;
    if (nargs == i + 1 && !is_integer(first) && !is_tensor(first)) break;
    for (Py_ssize_t k = i; k < nargs; ++k) {
      bool fits = takes<Tensors>(o, i) ? is_tensor(args[k]) : is_integer(args[k]);
      if (!fits) {
        *why = "arguments of the wrong type";
        return false;
      }
    }
    PyObject* tuple = PyTuple_New(nargs - i);
    if (!tuple) throw PythonError();
    for (Py_ssize_t k = i; k < nargs; ++k) PyTuple_SET_ITEM(tuple, k - i, Py_NewRef(args[k]));
    *spare = Object::steal(tuple);
    values[i] = tuple;
    given = i;
    break;
  }
  if (given > o.positional) {
    *why = "too many positional arguments";
    return false;
  }
  for (Py_ssize_t i = 0; i < given; ++i) values[i] = args[i];
  if (kwnames) {
    for (Py_ssize_t k = 0; k < PyTuple_GET_SIZE(kwnames); ++k) {
      PyObject* key = PyTuple_GET_ITEM(kwnames, k);
      PyObject* value = args[nargs + k];
      if (!key) continue;
      int at = -1;
      for (int i = 0; i < count && at < 0; ++i)
        if (key == o.args[i].interned) at = i;
      for (int i = 0; i < count && at < 0; ++i) {
        const char* alias = numpy_alias(o.args[i].name);
        if (PyUnicode_CompareWithASCIIString(key, o.args[i].name) == 0 ||
            (alias && PyUnicode_CompareWithASCIIString(key, alias) == 0))
          at = i;
      }
      if (at < 0) {
        *why = "an unexpected keyword argument";
        return false;
      }
      if (values[at]) {
        *why = "an argument given twice";
        return false;
      }
      values[at] = value;
    }
  }
  for (int i = 0; i < count; ++i) {
    if (values[i]) continue;
    values[i] = o.args[i].fallback;
    if (!values[i]) {
      *why = "a missing argument";
      return false;
    }
  }
  return true;
}

std::string signature(const OpObject* op, const Overload& o) {
  std::string text = std::string(op->name) + "(";
  bool star = false;
  auto begin_parameter = [&](bool keyword_only) {
    if (text.back() != '(') text += ", ";
    if (keyword_only && !star) {
      text += "*, ";
      star = true;
    }
  };
  for (size_t i = 0; i < o.args.size(); ++i) {
    const Arg& a = o.args[i];
    begin_parameter(a.keyword_only);
    text += std::string(a.name) + ": " + o.types[i];
    if (a.takes_varargs) text += " or ints";
    if (a.takes_number) text += " | Number";
    if (a.fallback == Py_None) text += " | None";
    if (a.fallback) {
      Object repr = Object::steal(PyObject_Repr(a.fallback));
      const char* utf8 = repr ? PyUnicode_AsUTF8(repr.get()) : nullptr;
      text += std::string(" = ") + (utf8 ? utf8 : "...");
    }
  }
  std::string result = o.result;
  if (op->is_factory) {
    begin_parameter(true);
    text += "requires_grad: bool = False";
  }
  if (op->takes_out && result.find("Tensor") != std::string::npos) {
    begin_parameter(true);
    text += std::string("out: ") + (result == "Tensor" ? result : "tuple of Tensors") + " | None = None";
  }
  return text + ") -> " + result;
}

[[noreturn]] void no_overload(const OpObject* op, PyObject* const* args, Py_ssize_t nargs, PyObject* kwnames,
                              const char* why) {
  std::string got;
  const auto& overloads = *op->overloads;
  // One form only: name the argument that does not fit.
  if (overloads.size() == 1) {
    const Overload& o = overloads[0];
    for (Py_ssize_t i = 0; i < nargs && i < o.positional; ++i) {
      PyObject* object = args[i];
      std::string wanted = o.types[i];
      bool bad = (wanted == "Tensor" && !is_tensor(object) && !(o.args[i].takes_number && is_number(object)) &&
                  !(object == Py_None && o.args[i].fallback == Py_None));
      if (bad)
        fail(ErrorKind::Type, op->name, "(): argument '", o.args[i].name, "' (position ", i + 1,
             ") must be Tensor, not ", Py_TYPE(object)->tp_name);
    }
    size_t required = 0;
    for (const Arg& a : o.args) required += !a.fallback;
    if (size_t(nargs) + (kwnames ? PyTuple_GET_SIZE(kwnames) : 0) < required) {
      for (size_t i = size_t(nargs); i < o.args.size(); ++i)
        if (!o.args[i].fallback)
          fail(ErrorKind::Type, op->name, "() missing ", required - nargs, " required positional arguments: \"",
               o.args[i].name, "\"");
    }
  }
  for (Py_ssize_t i = 0; i < nargs; ++i) got += std::string(i ? ", " : "") + Py_TYPE(args[i])->tp_name;
  for (Py_ssize_t k = 0; kwnames && k < PyTuple_GET_SIZE(kwnames); ++k) {
    const char* key = PyTuple_GET_ITEM(kwnames, k) ? PyUnicode_AsUTF8(PyTuple_GET_ITEM(kwnames, k)) : nullptr;
    if (key) got += std::string(got.empty() ? "" : ", ") + key + "=" + Py_TYPE(args[nargs + k])->tp_name;
  }
  std::string forms;
  for (const Overload& o : overloads) forms += "\n * " + signature(op, o);
  fail(ErrorKind::Type, op->name, "() received an invalid combination of arguments - got (", got, ")",
       why ? std::string(": ") + why : "", "; expected", overloads.size() > 1 ? " one of:" : ":", forms);
}

/// out=: checks, resizes, copies.
PyObject* put_into(const OpObject* op, PyObject* out, PyObject* result) {
  if (PyTuple_Check(out) || PyList_Check(out)) {
    Object outs = Object::steal(PySequence_Tuple(out));
    Py_ssize_t n = PyTuple_GET_SIZE(outs.get());
    check_type(PyTuple_Check(result) && PyTuple_GET_SIZE(result) == n, op->name,
               "(): out= needs as many tensors as there are "
               "results");
    for (Py_ssize_t i = 0; i < n; ++i)
      Object::steal(put_into(op, PyTuple_GET_ITEM(outs.get(), i), PyTuple_GET_ITEM(result, i)));
    return Py_NewRef(out);
  }
  check_type(is_tensor(out) && is_tensor(result), op->name, "(): argument 'out' must be Tensor, not ",
             Py_TYPE(out)->tp_name);
  write_out(op->name, Tensor::borrow(reinterpret_cast<TensorObject*>(out)),
            Tensor::borrow(reinterpret_cast<TensorObject*>(result)));
  return Py_NewRef(out);
}

PyObject* invoke(const OpObject* op, PyObject* const* args, Py_ssize_t nargs, PyObject* kwnames) {
  PyObject* values[max_arguments];
  const char* why = nullptr;
  for (const Overload& o : *op->overloads) {
    Object spare;
    if (!bind(o, args, nargs, kwnames, values, &spare, &why)) continue;
    PyObject* result = o.invoke(o, values);
    if (result || PyErr_Occurred()) return result;
    why = nullptr;
  }
  no_overload(op, args, nargs, kwnames, why);
}

/// name_: out of place, then assigned.
PyObject* call_inplace(const OpObject* op, PyObject* const* args, Py_ssize_t nargs, PyObject* kwnames) {
  check_type(nargs > 0 && is_tensor(args[0]), op->name, "(): the first argument must be a Tensor");
  Tensor self = Tensor::borrow(reinterpret_cast<TensorObject*>(args[0]));
  check_inplace(op->name, self);
  Object result = Object::steal(invoke(op->target, args, nargs, kwnames));
  if (!result) throw PythonError();
  check_internal(is_tensor(result.get()), op->name, " has no single result");
  assign(op->name, self, Tensor::borrow(reinterpret_cast<TensorObject*>(result.get())));
  return Py_NewRef(args[0]);
}

PyObject* call_with_extras(const OpObject* op, PyObject* const* args, Py_ssize_t nargs, PyObject* kwnames) {
  PyObject* out = nullptr;
  int wants_grad = 0;
  Object rest = Object::steal(PyTuple_New(PyTuple_GET_SIZE(kwnames)));
  std::vector<PyObject*> kept(args, args + nargs);
  Py_ssize_t names = 0;
  for (Py_ssize_t k = 0; k < PyTuple_GET_SIZE(kwnames); ++k) {
    PyObject* key = PyTuple_GET_ITEM(kwnames, k);
    PyObject* value = args[nargs + k];
    auto is = [&](const char* name) { return PyUnicode_CompareWithASCIIString(key, name) == 0; };
    if (op->takes_out && is("out")) {
      if (value != Py_None) out = value;
    } else if (op->is_factory && is("requires_grad")) {
      wants_grad = PyObject_IsTrue(value);
      if (wants_grad < 0) throw PythonError();
    } else if (op->is_factory && (is("layout") || is("pin_memory") || is("memory_format") || is("names"))) {
      check_layout(op->name, key, value);
    } else {
      PyTuple_SET_ITEM(rest.get(), names++, Py_NewRef(key));
      kept.push_back(value);
    }
  }
  if (_PyTuple_Resize(reinterpret_cast<PyObject**>(&rest), names) < 0) throw PythonError();
  PyObject* keys = names ? rest.get() : nullptr;
  Object result;
  if (out) {
    bool records = grad_enabled() && (any_requires_grad(args, nargs) || any_requires_grad(&out, 1));
    check(!records, op->name,
          "(): functions with out=... arguments don't support automatic differentiation, but one of the "
          "arguments requires grad.");
    for (Py_ssize_t i = 0; i < nargs; ++i)
      if (is_tensor(out) && is_tensor(args[i]))
        check_not_across(Tensor::borrow(reinterpret_cast<TensorObject*>(out)),
                         Tensor::borrow(reinterpret_cast<TensorObject*>(args[i])));
    result = Object::steal(invoke(op, kept.data(), nargs, keys));
    if (!result) throw PythonError();
    result = Object::steal(put_into(op, out, result.get()));
  } else {
    result = Object::steal(op->is_inplace ? call_inplace(op, kept.data(), nargs, keys)
                                          : invoke(op, kept.data(), nargs, keys));
    if (!result) throw PythonError();
  }
  if (wants_grad) set_requires_grad(Tensor::borrow(reinterpret_cast<TensorObject*>(result.get())), true);
  return result.release();
}

PyObject* op_vectorcall(PyObject* self, PyObject* const* args, size_t nargsf, PyObject* kwnames) {
  const auto* op = reinterpret_cast<const OpObject*>(self);
  Py_ssize_t nargs = PyVectorcall_NARGS(nargsf);
  try {
    if (has_subclass(args, nargs + (kwnames ? PyTuple_GET_SIZE(kwnames) : 0)) && !torch_function_disabled())
        [[unlikely]]
      return call_for_subclass(self, args, nargs, kwnames);
    return call_op(op, args, nargs, kwnames);
  } catch (const Error& error) {
    // What the operator does not know may know the operator.
    if (error.kind == ErrorKind::Type && has_torch_function(args, nargs)) {
      try {
        return call_for_subclass(self, args, nargs, kwnames);
      } catch (...) { return raise_current(); }
    }
    return raise_current();
  } catch (...) { return raise_current(); }
}

PyObject* op_get(PyObject* self, PyObject* instance, PyObject*) {
  return instance && instance != Py_None ? PyMethod_New(self, instance) : Py_NewRef(self);
}

PyObject* op_name(PyObject* self, void*) { return PyUnicode_FromString(reinterpret_cast<OpObject*>(self)->name); }
PyObject* op_doc(PyObject* self, void*) {
  const auto* op = reinterpret_cast<OpObject*>(self);
  const auto& overloads = (op->is_inplace ? op->target : op)->overloads;
  std::string text;
  for (const Overload& o : *overloads) text += signature(op, o) + "\n";
  for (const Overload& o : *overloads)
    if (*o.doc) text += std::string("\n") + o.doc;
  return PyUnicode_FromString(text.c_str());
}
PyObject* op_signatures(PyObject* self, void*) {
  const auto* op = reinterpret_cast<OpObject*>(self);
  PyObject* list = PyList_New(0);
  for (const Overload& o : *(op->is_inplace ? op->target : op)->overloads) {
    Object text = Object::steal(PyUnicode_FromString(signature(op, o).c_str()));
    PyList_Append(list, text.get());
  }
  return list;
}
PyObject* op_module(PyObject*, void*) { return PyUnicode_FromString("leafgrad"); }
PyObject* op_flag(PyObject* self, void* which) {
  const auto* op = reinterpret_cast<OpObject*>(self);
  return PyBool_FromLong(which ? op->is_method : op->is_function);
}
PyObject* op_repr(PyObject* self) {
  return PyUnicode_FromFormat("<built-in method %s of type leafgrad.Op>", reinterpret_cast<OpObject*>(self)->name);
}
PyObject* op_reduce(PyObject* self, PyObject*) {  // pickled by name
  const auto* op = reinterpret_cast<OpObject*>(self);
  Object module = Object::steal(PyImport_ImportModule("builtins"));
  Object getattr = Object::steal(PyObject_GetAttrString(module.get(), "getattr"));
  Object package = Object::steal(PyImport_ImportModule("leafgrad._core"));
  if (op->is_function) return PyUnicode_FromString(op->name);
  return Py_BuildValue("O(Os)", getattr.get(), tensor_type(), op->name);
}

PyGetSetDef op_getset[] = {{"__name__", op_name, nullptr, nullptr, nullptr},
                           {"__qualname__", op_name, nullptr, nullptr, nullptr},
                           {"__doc__", op_doc, nullptr, nullptr, nullptr},
                           {"__module__", op_module, nullptr, nullptr, nullptr},
                           {"signatures", op_signatures, nullptr, "The forms it may be called in, as text.", nullptr},
                           {"is_function", op_flag, nullptr, "Is it a function of the package?", nullptr},
                           {"is_method", op_flag, nullptr, "Is it a method of Tensor?", reinterpret_cast<void*>(1)},
                           {nullptr, nullptr, nullptr, nullptr, nullptr}};
PyMethodDef op_methods[] = {{"__reduce__", op_reduce, METH_NOARGS, nullptr}, {nullptr, nullptr, 0, nullptr}};

PyTypeObject op_type = [] {
  PyTypeObject t = {PyVarObject_HEAD_INIT(nullptr, 0)};
  t.tp_name = "leafgrad._core.Op";
  t.tp_basicsize = sizeof(OpObject);
  t.tp_vectorcall_offset = offsetof(OpObject, vectorcall);
  t.tp_call = PyVectorcall_Call;
  t.tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_VECTORCALL | Py_TPFLAGS_METHOD_DESCRIPTOR;
  t.tp_descr_get = op_get;
  t.tp_getset = op_getset;
  t.tp_methods = op_methods;
  t.tp_repr = op_repr;
  t.tp_doc = "An operator of the core: a function of the package and, where it takes a tensor first, a method.";
  return t;
}();

}  // namespace

bool is_operator(PyObject* object) { return Py_TYPE(object) == &op_type; }

/// A kernel of one device cannot read another's memory.  Numbers as 0-dim tensors go anywhere; pointwise operators look
/// for themselves, and copy_ is there to cross over.
static void check_one_device(const OpObject* op, PyObject* const* args, Py_ssize_t count) {
  bool cpu = false, meta = false;
  auto note = [&](PyObject* object) {
    if (!is_tensor(object)) return;
    auto* t = reinterpret_cast<const TensorObject*>(object);
    if (t->device == Device::Meta)
      meta = true;
    else
      cpu |= !t->sizes.empty();
  };
  for (Py_ssize_t i = 0; i < count; ++i) {
    note(args[i]);
    if (PyList_CheckExact(args[i])) {
      for (Py_ssize_t k = 0; k < PyList_GET_SIZE(args[i]); ++k) note(PyList_GET_ITEM(args[i], k));
    } else if (PyTuple_CheckExact(args[i])) {
      for (Py_ssize_t k = 0; k < PyTuple_GET_SIZE(args[i]); ++k) note(PyTuple_GET_ITEM(args[i], k));
    }
  }
  check(!(cpu && meta) || std::strcmp(op->name, "copy_") == 0, op->name,
        "(): Expected all tensors to be on the same device, but found at least two devices, cpu and meta");
}

PyObject* call_op(const OpObject* op, PyObject* const* args, Py_ssize_t nargs, PyObject* kwnames) {
  Py_ssize_t count = nargs + (kwnames ? PyTuple_GET_SIZE(kwnames) : 0);
  check_one_device(op, args, count);
  if (lens && count && std::string_view(op->name).ends_with('_')) [[unlikely]]
    lens->writing(op->name, args[0]);
  PyObject* result = kwnames && (op->takes_out || op->is_factory) ? call_with_extras(op, args, nargs, kwnames)
                     : op->is_inplace                             ? call_inplace(op, args, nargs, kwnames)
                                                                  : invoke(op, args, nargs, kwnames);
  if (op->is_factory && result && is_tensor(result)) reinterpret_cast<TensorObject*>(result)->origin = Origin::User;
  return seen(op->name, result, {args, size_t(count)});
}

void write_out(const char* op, const Tensor& out, const Tensor& result) {
  check(can_cast(result.dtype(), out.dtype()), op, "(): result type ", scalar_type_name(result.dtype()),
        " can't be cast to the desired output type ", scalar_type_name(out.dtype()));
  NoGrad guard;
  if (!(out.sizes() == result.sizes())) {
    if (out.numel() != 0 &&
        PyErr_WarnFormat(
            PyExc_UserWarning, 1,
            "An output with one or more elements was resized since it had shape %s, which "
            "does not match the required output shape %s. Pass an empty tensor, or out.resize_(0) it first.",
            text(out.sizes()).c_str(), text(result.sizes()).c_str()) < 0)
      throw PythonError();
    resize_tensor(out, result.sizes());
  }
  if (out.is(result)) return;
  check_inplace(op, out);
  copy_(out, result);
}

// ---- declaring

OpObject* Ops::find(const char* name) const {
  for (OpObject* op : ops_)
    if (!std::strcmp(op->name, name)) return op;
  return nullptr;
}

OpObject* Ops::make(const char* name) {
  static bool ready = PyType_Ready(&op_type) == 0;
  if (!ready) throw PythonError();
  auto* op = PyObject_New(OpObject, &op_type);
  if (!op) throw PythonError();
  op->vectorcall = op_vectorcall;
  op->name = name;
  op->overloads = new std::vector<Overload>();
  op->is_inplace = op->is_factory = false;
  op->takes_out = true;
  op->is_method = false;
  op->is_function = true;
  op->target = nullptr;
  ops_.push_back(op);
  return op;
}

OpBuilder Ops::add(const char* name, Overload o, size_t parameters) {
  check_internal(o.args.size() == parameters, name, " is declared with ", o.args.size(), " names for ", parameters,
                 " parameters");
  check_internal(parameters <= max_arguments, name, " has too many parameters");
  for (Arg& a : o.args) {
    a.interned = PyUnicode_InternFromString(a.name);
    if (!a.keyword_only) ++o.positional;
  }
  OpObject* op = find(name);
  if (!op) {
    op = make(name);
    op->is_method = !o.types.empty() && takes<Tensor>(o, 0);
    size_t length = std::strlen(name);
    if (length > 1 && name[length - 1] == '_' && name[length - 2] != '_') op->takes_out = false;
  }
  op->overloads->push_back(std::move(o));
  return OpBuilder(op, this);
}

OpBuilder& OpBuilder::inplace() {
  std::string name = std::string(op_->name) + "_";
  if (ops_->find(name.c_str())) return *this;
  OpObject* op = ops_->make(strdup(name.c_str()));  // lives as long as the process
  op->is_inplace = true;
  op->takes_out = false;
  op->is_method = true;
  op->is_function = false;
  op->target = op_;
  return *this;
}
OpBuilder& OpBuilder::factory() {
  op_->is_factory = true;
  return *this;
}
OpBuilder& OpBuilder::method_only() {
  op_->is_method = true;
  op_->is_function = false;
  return *this;
}
OpBuilder& OpBuilder::function_only() {
  op_->is_method = false;
  return *this;
}
OpBuilder& OpBuilder::no_out() {
  op_->takes_out = false;
  return *this;
}
OpBuilder& OpBuilder::alias(const char* other_name) {
  OpObject* op = ops_->make(other_name);
  delete op->overloads;
  op->overloads = op_->overloads;
  op->is_factory = op_->is_factory;
  op->takes_out = op_->takes_out;
  op->is_method = op_->is_method;
  op->is_function = op_->is_function;
  return *this;
}
OpBuilder& OpBuilder::returns(std::initializer_list<const char*> names) {
  auto* fields = new PyStructSequence_Field[names.size() + 1]();
  size_t i = 0;
  for (const char* n : names) fields[i++].name = n;
  PyStructSequence_Desc desc{strdup(text("leafgrad.return_types.", op_->name).c_str()), nullptr, fields,
                             int(names.size())};
  op_->overloads->back().named = PyStructSequence_NewType(&desc);
  if (!op_->overloads->back().named) throw PythonError();
  return *this;
}

void Ops::publish() {
  for (OpObject* op : ops_) {
    PyObject* object = reinterpret_cast<PyObject*>(op);
    if (op->is_function && PyObject_SetAttrString(module_, op->name, object) < 0) throw PythonError();
    if (op->is_method && PyObject_SetAttrString(reinterpret_cast<PyObject*>(tensor_type()), op->name, object) < 0)
      throw PythonError();
  }
}

}  // namespace lg
