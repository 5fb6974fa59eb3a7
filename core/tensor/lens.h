// What the leaf lens hears from the core while it is on.
//
// `lens` is null while nothing watches, and one test of it at each of the places below is all that the lens then costs.
// Who listens is python/lens.cpp; what it makes of it is src/leafgrad/lens.  See docs/design/lens.md.
#pragma once

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <cstdint>
#include <span>
#include <string>

namespace lg {

class Tensor;
struct BackwardRequest;
struct NodeObject;
struct Storage;

/// What the memory of a tensor has become.
enum class Role : uint8_t { Leaf, LeafGradient, RetainedGradient, Saved, Released };

class Lens {
 public:
  virtual ~Lens() = default;
  virtual void allocated(Storage* storage) = 0;
  virtual void freed(const Storage* storage) noexcept = 0;
  /// Saved and Released come once for each time that a node saved it.
  virtual void became(const Tensor& t, Role role) noexcept = 0;
  /// Python has called an in-place operator that is about to run.
  virtual void writing(const char* op, PyObject* target) = 0;
  /// The operator is `version->writer`.
  virtual void written(const Tensor& t) = 0;
  virtual void made(NodeObject* node) = 0;
  /// `t` has just become an output of `node`.
  virtual void recorded(const Tensor& t, NodeObject* node) = 0;
  virtual void backward(const BackwardRequest& request) = 0;
  virtual void ran(NodeObject* node, std::span<const Tensor> results) = 0;
  virtual void finished(bool ok) = 0;  // the backward that began last
  /// What an operator that Python called is about to return, and what it was given.
  virtual void returned(const char* op, PyObject* result, std::span<PyObject* const> inputs) = 0;
  /// The number of the place where the user's program stands; 0 if none is known.
  virtual uint32_t here() = 0;
};

extern Lens* lens;

/// " at train.py:12", for messages; empty for place 0.
std::string at_place(uint32_t place);
/// The same; for place 0 how to get to know the line.
std::string made_at(uint32_t place);

}  // namespace lg
