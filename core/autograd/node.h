// Node and Edge: the graph that backward walks.
//
// A node stands for one operation.  It knows where its inputs' gradients go (edges), what its outputs looked like
// (metadata), the tensors its rule saved, and the rule itself: a closure over handles of those saved tensors.  Nodes
// are Python objects (grad_fn); their Python type, MulBackward0 and so on, is made when Python first sees one.
#pragma once

#include <vector>

#include "tensor/tensor.h"

namespace lg {

using Node = Ref<NodeObject>;
using Grads = SmallVec<Tensor, 3>;
class GraphTask;
struct NodeExtra;

struct Edge {
  Node node;        // null: this input needs no gradient
  uint32_t nr = 0;  // which output of that node the input was
};

/// What an output looked like when it was made: its gradient must match.
struct OutputMeta {
  Dims sizes;
  DType dtype = DType::Float32;
  Device device = Device::Cpu;
};

struct SavedTensor {
  Tensor tensor;         // the tensor, or for an output an alias without history (no cycle with its node)
  uint32_t version = 0;  // of the counter when saved
  uint32_t output_nr = 0;
  bool is_output = false;
  Object packed, unpack;       // saved_tensors_hooks: what pack gave, and what will unpack it
  Node grad_fn;                // with hooks: history of the packed tensor, when it is not an output
  const char* name = nullptr;  // for `_saved_<name>`
  bool was_leaf_requiring_grad = false;
};

/// Which inputs need a gradient: those with history, as far as the running backward leads on to what was asked for.
class Needs {
 public:
  explicit Needs(const NodeObject* node) : node_(node) {}
  bool operator[](size_t i) const;
  size_t size() const;                // number of inputs
  const Dims& sizes(size_t i) const;  // shape of an input that needs one
  bool watched(size_t i) const;       // may anyone but a rule of ours see its gradient?

 private:
  const NodeObject* node_;
};

/// What one running backward knows of a node.
struct NodeState {
  GraphTask* task = nullptr;  // whose state this is; null: nobody's
  int32_t dependencies = 0;   // users in this backward that have not run yet
  bool needed = true;         // on the way to something asked for
  int32_t captures = 0;       // outputs of this node that autograd.grad asked for
  Grads buffer;               // gradients of the outputs, as they arrive
};

enum class NodeKind : uint8_t { Operator, Accumulate, Function, Identity };

struct NodeObject {
  PyObject_HEAD PyObject* dict;
  PyObject* weakrefs;
  const char* name;   // "MulBackward0"
  uint64_t sequence;  // later nodes run first; accumulation runs before all
  SmallVec<Edge, 3> edges;
  SmallVec<OutputMeta, 1> outputs;
  SmallVec<SavedTensor, 2> saved;
  NodeKind kind;
  bool released;     // the saved tensors are gone
  bool python_type;  // ob_type is already the type of this name
  uint32_t place;    // where it was recorded, as python/lens.cpp numbers places; 0: the lens was off
  uint32_t freed;    // where the backward was called that released it
  Tensor leaf;       // Accumulate: the leaf
  NodeExtra* extra;  // owned; null for most
  NodeState state;   // of the backward that runs now; see engine.cpp
  // The rule.
  Grads (*apply)(NodeObject*, Grads&);
  void (*destroy)(void*);  // destructor of the closure; null if trivial
  void* closure;           // inline_closure or heap
  alignas(16) unsigned char inline_closure[80];
};

/// What few nodes have.
struct NodeExtra {
  struct TensorHooks {
    uint32_t nr;       // output of this node
    Object functions;  // dict id -> function, or the tensor that retains its gradient
    bool retains;
  };
  SmallVec<TensorHooks, 1> tensor_hooks;
  Object pre_hooks, post_hooks;  // dicts id -> function
  Object metadata;               // dict
  Object traceback;              // list of str, in anomaly mode
  Node parent;                   // the node whose backward made this one, in anomaly mode
};
NodeExtra& extra_of(NodeObject* node);

/// New node with `sequence` taken from this thread's counter; no rule yet.
Node make_node(const char* name, NodeKind kind = NodeKind::Operator);
PyTypeObject* node_type();
void init_node_type(PyObject* module);
void track(NodeObject* node);
/// Drops what the rule saved (after it ran without retain_graph).
void release_saved(NodeObject* node);
/// The object as Python sees it, of the type that carries its name.
PyObject* node_to_python(const Node& node);  // new reference; None for null

}  // namespace lg
