// What the leaf lens hears from the core while it is on.
//
// `lens` is null while nothing watches, and one test of it at each of the places below is all that the lens then costs.
// Who listens is python/lens.cpp; what it makes of it is src/leafgrad/lens.  See docs/design/lens.md.
#pragma once

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <span>

namespace lg {

class Tensor;
struct BackwardRequest;
struct NodeObject;
struct Storage;

class Lens {
 public:
  virtual ~Lens() = default;
  virtual void allocated(Storage* storage) = 0;
  virtual void freed(const Storage* storage) noexcept = 0;
  /// The operator is `version->writer`.
  virtual void written(const Tensor& t) = 0;
  virtual void made(NodeObject* node) = 0;
  /// `t` has just become an output of `node`.
  virtual void recorded(const Tensor& t, NodeObject* node) = 0;
  virtual void backward(const BackwardRequest& request) = 0;
  virtual void ran(NodeObject* node, std::span<const Tensor> results) = 0;
  virtual void finished(bool ok) = 0;  // the backward that began last
  /// What an operator that Python called is about to return.
  virtual void returned(const char* op, PyObject* result) = 0;
};

extern Lens* lens;

}  // namespace lg
