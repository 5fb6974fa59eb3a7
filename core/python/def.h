// Ops::def: makes a C++ function an operator that Python can call.
//
//   ops.def("softmax", &softmax, "input"_a, "dim"_a, kw_only, "dtype"_a = None, "Softmax along `dim`.");
//
// gives `leafgrad.softmax` and `Tensor.softmax` (where the first argument is a tensor) as one object of type `Op`: a
// method descriptor called through vectorcall, so that neither a bound method nor an argument tuple is made.  Several
// defs of one name are overloads, tried in order.  The argument types say what is accepted:
//
//   const Tensor&        a tensor; with `.or_number()` also a Python number; with default None also None (null Tensor)
//   const Tensors&       a sequence of tensors
//   Scalar, int64_t, double, bool, DType, Device, std::string, and std::optional of each (None)
//   Dims                 an int or a sequence of ints; with `.varargs()` also trailing ints: view(2, 3)
//   Generator*           None or a Generator
//   PyObject*            anything, borrowed
//
// Returns: Tensor, Tensors (a tuple), std::pair/tuple of Tensor (a named tuple, see `.returns`), Dims (Size), bool,
// int64_t, double, Scalar, DType, void (None), Object (new reference).
//
// Every operator that returns Tensors takes `out=`.  `.inplace()` adds the method `name_`, computed out of place and
// then assigned; an operator with a better in-place form defines `name_` itself.  Factories (`.factory()`) also take
// requires_grad=, layout=, pin_memory= and out=.
#pragma once

#include <optional>
#include <string>
#include <tuple>
#include <type_traits>
#include <vector>

#include "runtime/generator.h"
#include "tensor/scalar.h"
#include "tensor/tensor.h"

namespace lg {

struct NoneType {};
inline constexpr NoneType None{};
struct KwOnly {};
inline constexpr KwOnly kw_only{};

struct Arg {
  const char* name;
  PyObject* fallback = nullptr;  // default value, owned for ever; null if required
  bool keyword_only = false;
  bool takes_number = false;
  bool takes_varargs = false;
  PyObject* interned = nullptr;  // name as an interned string, for keyword matching

  Arg or_number() const {
    Arg a = *this;
    a.takes_number = true;
    return a;
  }
  Arg varargs() const {
    Arg a = *this;
    a.takes_varargs = true;
    return a;
  }
  Arg operator=(NoneType) const;
  Arg operator=(bool v) const;
  Arg operator=(int v) const { return *this = int64_t(v); }
  Arg operator=(int64_t v) const;
  Arg operator=(double v) const;
  Arg operator=(const char* v) const;
  Arg operator=(DType v) const;
};
inline Arg operator""_a(const char* name, size_t) { return Arg{name}; }

namespace binding {

PyObject* dtype_to_python(DType dtype);                  // new reference
PyObject* device_to_python(Device device);               // new reference
PyObject* size_to_python(const Dims& sizes);             // new reference, leafgrad.Size
PyObject* scalar_to_python(const Scalar& scalar);        // new reference
bool dtype_from_python(PyObject* object, DType* out);    // dtype objects; also Python's float, int, bool, complex
bool device_from_python(PyObject* object, Device* out);  // device objects and "cpu", "meta"; throws on bad strings
bool generator_from_python(PyObject* object, Generator** out);
bool is_number(PyObject* object);   // Python or NumPy number, bool included
bool is_integer(PyObject* object);  // has __index__, not bool; or a 0-dim integer tensor
Scalar scalar_from_python(PyObject* object);
int64_t integer_from_python(PyObject* object);
double double_from_python(PyObject* object);
bool is_dims(PyObject* object);
Dims dims_from_python(PyObject* object);
bool is_tensor_sequence(PyObject* object);
Tensors tensors_from_python(PyObject* object);
Tensor wrapped_number(PyObject* number);  // 0-dim, wrapped_number set

/// Sets the Python exception for the C++ exception in flight; returns null.
PyObject* raise_current() noexcept;

/// body(), or null with its C++ exception turned into Python's.
template <class F>
PyObject* guarded(F&& body) {
  try {
    return body();
  } catch (...) { return raise_current(); }
}
/// The same for slots that answer 0 or -1.
template <class F>
int guarded_int(F&& body) {
  try {
    body();
    return 0;
  } catch (...) {
    raise_current();
    return -1;
  }
}

/// `result` itself, after the lens has seen it; null stays null.
inline PyObject* seen(const char* op, PyObject* result, std::span<PyObject* const> inputs) {
  if (lens && result) [[unlikely]]
    lens->returned(op, result, inputs);
  return result;
}

struct TensorArg {
  Tensor owned;
  PyObject* object;
  operator const Tensor&() const { return owned || !object ? owned : reinterpret_cast<const Tensor&>(object); }
};

template <class T>
struct From;
template <>
struct From<Tensor> {
  static constexpr const char* text = "Tensor";
  static bool accepts(PyObject* o, const Arg& a) {
    return is_tensor(o) || (a.takes_number && is_number(o)) || (o == Py_None && a.fallback == Py_None);
  }
  static TensorArg convert(PyObject* o, const Arg&) {
    if (is_tensor(o)) return {Tensor(), o};
    if (o == Py_None) return {Tensor(), nullptr};
    return {wrapped_number(o), nullptr};
  }
};
template <>
struct From<Tensors> {
  static constexpr const char* text = "tuple of Tensors";
  static bool accepts(PyObject* o, const Arg&) { return is_tensor_sequence(o); }
  static Tensors convert(PyObject* o, const Arg&) { return tensors_from_python(o); }
};
template <>
struct From<Scalar> {
  static constexpr const char* text = "Number";
  static bool accepts(PyObject* o, const Arg&);
  static Scalar convert(PyObject* o, const Arg&) { return scalar_from_python(o); }
};
template <>
struct From<int64_t> {
  static constexpr const char* text = "int";
  static bool accepts(PyObject* o, const Arg&) { return is_integer(o); }
  static int64_t convert(PyObject* o, const Arg&) { return integer_from_python(o); }
};
template <>
struct From<double> {
  static constexpr const char* text = "float";
  static bool accepts(PyObject* o, const Arg&);
  static double convert(PyObject* o, const Arg&) { return double_from_python(o); }
};
template <>
struct From<bool> {
  static constexpr const char* text = "bool";
  static bool accepts(PyObject* o, const Arg&) { return PyBool_Check(o); }
  static bool convert(PyObject* o, const Arg&) { return o == Py_True; }
};
template <>
struct From<Dims> {
  static constexpr const char* text = "tuple of ints";
  static bool accepts(PyObject* o, const Arg&) { return is_dims(o); }
  static Dims convert(PyObject* o, const Arg&) { return dims_from_python(o); }
};
template <>
struct From<DType> {
  static constexpr const char* text = "torch.dtype";
  static bool accepts(PyObject* o, const Arg&) {
    DType d;
    return dtype_from_python(o, &d);
  }
  static DType convert(PyObject* o, const Arg&) {
    DType d{};
    dtype_from_python(o, &d);
    return d;
  }
};
template <>
struct From<Device> {
  static constexpr const char* text = "torch.device";
  static bool accepts(PyObject* o, const Arg&) {
    Device d;
    return device_from_python(o, &d);
  }
  static Device convert(PyObject* o, const Arg&) {
    Device d{};
    device_from_python(o, &d);
    return d;
  }
};
template <>
struct From<std::string> {
  static constexpr const char* text = "str";
  static bool accepts(PyObject* o, const Arg&) { return PyUnicode_Check(o); }
  static std::string convert(PyObject* o, const Arg&);
};
template <>
struct From<Generator*> {
  static constexpr const char* text = "torch.Generator";
  static bool accepts(PyObject* o, const Arg&) {
    Generator* g;
    return o == Py_None || generator_from_python(o, &g);
  }
  static Generator* convert(PyObject* o, const Arg&) {
    Generator* g = nullptr;
    if (o != Py_None) generator_from_python(o, &g);
    return g ? g : &default_generator();
  }
};
template <>
struct From<PyObject*> {
  static constexpr const char* text = "object";
  static bool accepts(PyObject*, const Arg&) { return true; }
  static PyObject* convert(PyObject* o, const Arg&) { return o; }
};
template <class T>
struct From<std::optional<T>> {
  static constexpr const char* text = From<T>::text;
  static bool accepts(PyObject* o, const Arg& a) { return o == Py_None || From<T>::accepts(o, a); }
  static std::optional<T> convert(PyObject* o, const Arg& a) {
    if (o == Py_None) return std::nullopt;
    return std::optional<T>(From<T>::convert(o, a));
  }
};

struct Overload {
  std::vector<Arg> args;
  std::vector<const char*> types;  // for messages and stubs
  void* function;
  /// Null without an exception set: the values do not fit this overload.
  PyObject* (*invoke)(const Overload&, PyObject* const* values);
  const char* result = "Tensor";
  const char* doc = "";
  PyTypeObject* named = nullptr;  // struct sequence for several results
  int positional = 0;             // how many arguments may be given by position
};

inline PyObject* to_python(const Overload&, Tensor t) {
  if (!t) Py_RETURN_NONE;
  return t.release();
}
PyObject* to_python(const Overload& o, Tensors ts);  // a tuple, or `named`
inline PyObject* to_python(const Overload& o, std::pair<Tensor, Tensor> p) {
  Tensors ts;
  ts.push_back(std::move(p.first));
  ts.push_back(std::move(p.second));
  return to_python(o, std::move(ts));
}
inline PyObject* to_python(const Overload& o, std::tuple<Tensor, Tensor, Tensor> p) {
  return to_python(o, Tensors{std::get<0>(p), std::get<1>(p), std::get<2>(p)});
}
inline PyObject* to_python(const Overload&, bool v) { return PyBool_FromLong(v); }
inline PyObject* to_python(const Overload&, int64_t v) { return PyLong_FromLongLong(v); }
inline PyObject* to_python(const Overload&, double v) { return PyFloat_FromDouble(v); }
inline PyObject* to_python(const Overload&, const Dims& v) { return size_to_python(v); }
inline PyObject* to_python(const Overload&, const Scalar& v) { return scalar_to_python(v); }
inline PyObject* to_python(const Overload&, DType v) { return dtype_to_python(v); }
inline PyObject* to_python(const Overload&, Object v) { return v.release(); }

template <class R>
inline constexpr const char* result_text = "Any";
template <>
inline constexpr const char* result_text<Tensor> = "Tensor";
template <>
inline constexpr const char* result_text<Tensors> = "tuple[Tensor, ...]";
template <>
inline constexpr const char* result_text<std::pair<Tensor, Tensor>> = "tuple[Tensor, Tensor]";
template <>
inline constexpr const char* result_text<std::tuple<Tensor, Tensor, Tensor>> = "tuple[Tensor, Tensor, Tensor]";
template <>
inline constexpr const char* result_text<bool> = "bool";
template <>
inline constexpr const char* result_text<int64_t> = "int";
template <>
inline constexpr const char* result_text<double> = "float";
template <>
inline constexpr const char* result_text<Dims> = "Size";
template <>
inline constexpr const char* result_text<DType> = "dtype";
template <>
inline constexpr const char* result_text<void> = "None";

template <class R, class... A>
struct Invoker {
  template <size_t... I>
  static PyObject* call(const Overload& o, PyObject* const* v, std::index_sequence<I...>) {
    if (!(From<std::decay_t<A>>::accepts(v[I], o.args[I]) && ...)) return nullptr;
    auto* f = reinterpret_cast<R (*)(A...)>(o.function);
    if constexpr (std::is_void_v<R>) {
      f(From<std::decay_t<A>>::convert(v[I], o.args[I])...);
      Py_RETURN_NONE;
    } else {
      return to_python(o, f(From<std::decay_t<A>>::convert(v[I], o.args[I])...));
    }
  }
  static PyObject* invoke(const Overload& o, PyObject* const* v) { return call(o, v, std::index_sequence_for<A...>()); }
};

}  // namespace binding

/// One operator as Python sees it: its overloads and what it may be called with.
struct OpObject {
  PyObject_HEAD vectorcallfunc vectorcall;
  const char* name;
  std::vector<binding::Overload>* overloads;
  bool is_inplace;  // `name_`, made by .inplace(): calls `target` and assigns
  bool is_factory;
  bool takes_out;
  bool is_method, is_function;
  OpObject* target;
};

/// What can still be said of an operator after def.
class OpBuilder {
 public:
  explicit OpBuilder(OpObject* op, class Ops* ops) : op_(op), ops_(ops) {}
  OpBuilder& inplace();  // adds the method `name_`
  OpBuilder& factory();
  OpBuilder& method_only();
  OpBuilder& function_only();
  OpBuilder& no_out();
  OpBuilder& alias(const char* other_name);                      // the same overloads under another name
  OpBuilder& returns(std::initializer_list<const char*> names);  // named tuple for the last overload

 private:
  OpObject* op_;
  class Ops* ops_;
};

class Ops {
 public:
  explicit Ops(PyObject* module) : module_(module) {}

  /// `rest`: Arg for each parameter (kw_only between them), then the documentation line.
  template <class R, class... A, class... Rest>
  OpBuilder def(const char* name, R (*function)(A...), const Rest&... rest) {
    binding::Overload o;
    o.function = reinterpret_cast<void*>(function);
    o.invoke = &binding::Invoker<R, A...>::invoke;
    o.types = {binding::From<std::decay_t<A>>::text...};
    o.result = binding::result_text<R>;
    bool keyword_only = false;
    (take(o, keyword_only, rest), ...);
    return add(name, std::move(o), sizeof...(A));
  }
  OpObject* find(const char* name) const;
  PyObject* module() const { return module_; }
  /// Puts every operator into the module and the methods into Tensor.
  void publish();

 private:
  friend class OpBuilder;
  static void take(binding::Overload& o, bool& keyword_only, const Arg& a) {
    o.args.push_back(a);
    o.args.back().keyword_only = keyword_only;
  }
  static void take(binding::Overload&, bool& keyword_only, KwOnly) { keyword_only = true; }
  static void take(binding::Overload& o, bool&, const char* doc) { o.doc = doc; }
  OpBuilder add(const char* name, binding::Overload o, size_t parameters);
  OpObject* make(const char* name);

  PyObject* module_;
  std::vector<OpObject*> ops_;
};

}  // namespace lg
