// Generator's Python type: a seed, a state that can be saved and set, and nothing else.
#include "python/generator.h"

#include "python/convert.h"

namespace lg {

using namespace binding;

namespace {

struct GeneratorObject {
  PyObject_HEAD Generator* generator;  // owned, unless it is the default generator
  bool is_default;
};

PyTypeObject* generator_type = nullptr;
PyObject* default_object = nullptr;

Generator& generator_of(PyObject* self) { return *reinterpret_cast<GeneratorObject*>(self)->generator; }

PyObject* make_generator(Generator* generator, bool is_default) {
  PyObject* self = generator_type->tp_alloc(generator_type, 0);
  if (!self) throw PythonError();
  reinterpret_cast<GeneratorObject*>(self)->generator = generator;
  reinterpret_cast<GeneratorObject*>(self)->is_default = is_default;
  return self;
}

/// Any integer of 64 bits, signed or not; negative ones wrap around, as in PyTorch.
uint64_t seed_from_python(PyObject* object) {
  Object number = Object::steal(PyNumber_Long(object));
  if (!number) throw PythonError();
  int overflow = 0;
  long long value = PyLong_AsLongLongAndOverflow(number.get(), &overflow);
  if (overflow == 0) {
    if (value == -1 && PyErr_Occurred()) throw PythonError();
    return uint64_t(value);
  }
  unsigned long long wide = overflow > 0 ? PyLong_AsUnsignedLongLong(number.get()) : 0;
  if (overflow < 0 || PyErr_Occurred()) {
    PyErr_Clear();
    fail(ErrorKind::Value, "manual_seed: Overflow when unpacking long long: a seed must be in [-2**63, 2**64 - 1]");
  }
  return wide;
}

Tensor saved_state(const Generator& generator) {
  Tensor state = make_tensor({Generator::state_bytes}, DType::UInt8);
  generator.save(state.data<uint8_t>());
  return state;
}

void restore_state(Generator& generator, PyObject* object) {
  check_type(is_tensor(object), "set_state: expected a torch.ByteTensor, but got ", Py_TYPE(object)->tp_name);
  Tensor state = as_tensor_handle(object);
  check_type(state.dtype() == DType::UInt8 && !state.is_meta(), "RNG state must be a torch.ByteTensor, got dtype ",
             state.dtype());
  check(state.numel() == Generator::state_bytes, "Expected a CPUGeneratorImplState of size ", Generator::state_bytes,
        " but found the input RNG state size to be ", state.numel());
  check(state.is_contiguous(), "RNG state must be contiguous");
  generator.load(state.data<uint8_t>());
}

// ---- the type

PyObject* generator_new(PyTypeObject* type, PyObject* args, PyObject* kwargs) {
  static const char* names[] = {"device", nullptr};
  PyObject* device = nullptr;
  if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|O:Generator", const_cast<char**>(names), &device)) return nullptr;
  return guarded([&]() -> PyObject* {
    Device d = Device::Cpu;
    if (device && device != Py_None)
      check_type(device_from_python(device, &d), "Generator: device must be a device or str, got ",
                 Py_TYPE(device)->tp_name);
    check(d == Device::Cpu, "Generator: only device 'cpu' has a random generator");
    PyObject* self = type->tp_alloc(type, 0);
    if (!self) throw PythonError();
    reinterpret_cast<GeneratorObject*>(self)->generator = new Generator;
    return self;
  });
}

void generator_dealloc(PyObject* self) {
  auto* object = reinterpret_cast<GeneratorObject*>(self);
  if (!object->is_default) delete object->generator;
  PyTypeObject* type = Py_TYPE(self);
  type->tp_free(self);
  Py_DECREF(type);
}

PyObject* manual_seed(PyObject* self, PyObject* seed) {
  return guarded([&] {
    generator_of(self).set_seed(seed_from_python(seed));
    return Py_NewRef(self);
  });
}
PyObject* seed(PyObject* self, PyObject*) {
  return guarded([&] {
    uint64_t value = entropy_seed();
    generator_of(self).set_seed(value);
    return PyLong_FromUnsignedLongLong(value);
  });
}
PyObject* initial_seed(PyObject* self, PyObject*) { return PyLong_FromUnsignedLongLong(generator_of(self).seed()); }
PyObject* get_state(PyObject* self, PyObject*) {
  return guarded([&] { return saved_state(generator_of(self)).release(); });
}
PyObject* set_state(PyObject* self, PyObject* state) {
  return guarded([&] {
    restore_state(generator_of(self), state);
    return Py_NewRef(self);
  });
}
PyObject* clone_state(PyObject* self, PyObject*) {
  return guarded([&] { return make_generator(new Generator(generator_of(self)), false); });
}
PyObject* get_device(PyObject*, void*) {
  return guarded([] { return device_to_python(Device::Cpu); });
}

/// Pickling: a new Generator of this device, then __setstate__ with the saved state.
PyObject* reduce(PyObject* self, PyObject*) {
  return guarded([&]() -> PyObject* {
    Object state = Object::steal(saved_state(generator_of(self)).release());
    return Py_BuildValue("(O(N)O)", Py_TYPE(self), device_to_python(Device::Cpu), state.get());
  });
}
PyObject* set_pickled(PyObject* self, PyObject* state) {
  return guarded([&] {
    restore_state(generator_of(self), state);
    return Py_NewRef(Py_None);
  });
}

PyMethodDef methods[] = {
    {"manual_seed", manual_seed, METH_O, "Start the sequence that belongs to `seed`; returns the generator."},
    {"seed", seed, METH_NOARGS, "Start from the system's entropy; returns the seed."},
    {"initial_seed", initial_seed, METH_NOARGS, "The seed that the sequence began with."},
    {"get_state", get_state, METH_NOARGS, "The state, as a uint8 tensor."},
    {"set_state", set_state, METH_O, "Continue from a state that get_state() gave."},
    {"clone_state", clone_state, METH_NOARGS, "Another generator that goes on from here."},
    {"graphsafe_get_state", clone_state, METH_NOARGS, "Another generator that goes on from here."},
    {"__reduce__", reduce, METH_NOARGS, nullptr},
    {"__setstate__", set_pickled, METH_O, nullptr},
    {nullptr, nullptr, 0, nullptr}};
PyGetSetDef getset[] = {{"device", get_device, nullptr, "Always cpu.", nullptr},
                        {nullptr, nullptr, nullptr, nullptr, nullptr}};

PyType_Slot slots[] = {{Py_tp_new, reinterpret_cast<void*>(generator_new)},
                       {Py_tp_dealloc, reinterpret_cast<void*>(generator_dealloc)},
                       {Py_tp_methods, methods},
                       {Py_tp_getset, getset},
                       {Py_tp_doc, const_cast<char*>("A sequence of random numbers; see manual_seed.")},
                       {0, nullptr}};
PyType_Spec spec = {"leafgrad.Generator", sizeof(GeneratorObject), 0, Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE, slots};

// ---- functions of the default generator

PyObject* default_manual_seed(PyObject*, PyObject* number) { return manual_seed(default_object, number); }
PyObject* default_seed(PyObject*, PyObject*) { return seed(default_object, nullptr); }
PyObject* default_initial_seed(PyObject*, PyObject*) { return initial_seed(default_object, nullptr); }
PyObject* default_get_state(PyObject*, PyObject*) { return get_state(default_object, nullptr); }
PyObject* default_set_state(PyObject*, PyObject* state) {
  return guarded([&] {
    restore_state(default_generator(), state);
    return Py_NewRef(Py_None);
  });
}

PyMethodDef functions[] = {
    {"manual_seed", default_manual_seed, METH_O, "Start the default generator's sequence that belongs to `seed`."},
    {"seed", default_seed, METH_NOARGS, "Start the default generator from the system's entropy; returns the seed."},
    {"initial_seed", default_initial_seed, METH_NOARGS, "The seed that the default generator began with."},
    {"get_rng_state", default_get_state, METH_NOARGS, "State of the default generator, as a uint8 tensor."},
    {"set_rng_state", default_set_state, METH_O,
     "Continue the default generator from a state that get_rng_state() gave."},
    {nullptr, nullptr, 0, nullptr}};

}  // namespace

namespace binding {

bool generator_from_python(PyObject* object, Generator** out) {
  if (!PyObject_TypeCheck(object, generator_type)) return false;
  *out = &generator_of(object);
  return true;
}

}  // namespace binding

void init_generator(PyObject* module) {
  generator_type = reinterpret_cast<PyTypeObject*>(PyType_FromSpec(&spec));
  if (!generator_type) throw PythonError();
  default_object = make_generator(&default_generator(), true);
  if (PyModule_AddObjectRef(module, "Generator", reinterpret_cast<PyObject*>(generator_type)) < 0 ||
      PyModule_AddObjectRef(module, "default_generator", default_object) < 0 ||
      PyModule_AddFunctions(module, functions) < 0)
    throw PythonError();
}

}  // namespace lg
