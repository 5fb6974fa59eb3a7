// The engine: runs every node once, after all its users, latest first.
//
// A GraphTask is one backward.  It first walks the graph to count each node's users, then keeps the nodes whose users
// have all run in a heap by sequence number.  Nothing recurses: a graph of a million nodes needs no deeper stack than
// one of two. What a task knows of a node stands in the node itself (NodeState), claimed by the first task that meets
// it; a second backward over the same nodes at the same time (another thread, a hook) keeps its states in a map of its
// own. Order at a node: tensor hooks, retain_grad, capture for autograd.grad, node pre-hooks, the rule, node
// post-hooks.
#include "autograd/engine.h"

#include <algorithm>
#include <system_error>
#include <thread>
#include <unordered_map>

#include "autograd/anomaly.h"
#include "ops/ops.h"
#include "python/hooks.h"

namespace lg {

namespace {

thread_local int depth = 0;        // backwards on this thread's stack
thread_local int total_depth = 0;  // and on those of the threads that wait for it
thread_local int64_t task_id = -1;
thread_local GraphTask* task = nullptr;
thread_local bool limited = false;  // a backward on this stack was given inputs
int64_t next_task_id = 0;
constexpr int max_depth = 60;            // nested backwards on one stack; deeper ones go to a fresh thread
constexpr int max_total_depth = 10000;   // beyond this it is taken for endless
constexpr int signal_check_period = 64;  // nodes between looks for Ctrl-C

/// May the buffer be added to in place: does nobody but the engine see it?
bool is_private(const Tensor& g) {
  return g.unique() && g->storage->refs == 1 && !g->storage->owner && !g->requires_grad && !has_internal_overlap(g);
}

void add_into(Tensor& buffer, Tensor grad) {
  if (!buffer) {
    buffer = std::move(grad);
  } else if (!grad_enabled() && buffer.dtype() == grad.dtype() && is_private(buffer)) {
    add_(buffer, grad);
  } else if (!grad_enabled() && buffer.dtype() == grad.dtype() && is_private(grad)) {
    buffer = add_(grad, buffer);
  } else {
    buffer = buffer + grad;
  }
}

struct ByAge {
  bool operator()(const NodeObject* a, const NodeObject* b) const { return a->sequence < b->sequence; }
};

}  // namespace

class GraphTask {
 public:
  explicit GraphTask(BackwardRequest& request) : request_(request) {}
  ~GraphTask() {
    for (NodeObject* n : claimed_) n->state = NodeState();
    // Last: dropping references may destroy nodes.
    request_.roots.clear();
  }

  bool will_execute(NodeObject* node) { return known(node) && state(node).needed; }

  /// Only with `inputs` given may it lead nowhere.
  bool wants(const Edge& edge) {
    if (request_.inputs.empty()) return true;
    const NodeState& s = state(edge.node.get());
    return s.needed || s.captures;
  }

  Grads run() {
    for (const Edge& root : request_.roots) visit(root.node.get());
    if (!request_.inputs.empty()) mark_needed();
    for (size_t i = 0; i < request_.roots.size(); ++i) send(request_.roots[i], std::move(request_.gradients[i]));
    for (const Edge& root : request_.roots) {
      NodeState& s = state(root.node.get());
      if (s.dependencies == 0 && !queued(root.node.get())) push(root.node.get());
    }
    int since_signals = 0;
    while (!ready_.empty()) {
      if (++since_signals == signal_check_period) {
        since_signals = 0;
        if (PyErr_CheckSignals() < 0) throw PythonError();
      }
      std::pop_heap(ready_.begin(), ready_.end(), ByAge());
      NodeObject* node = ready_.back();
      ready_.pop_back();
      try {
        process(node);
      } catch (...) {
        if (anomaly.enabled) print_traceback(node);
        throw;
      }
    }
    return std::move(captured_);
  }

 private:
  NodeState& state(NodeObject* node) {
    if (node->state.task == this) return node->state;
    auto found = others_.find(node);
    if (found != others_.end()) return found->second;
    if (!node->state.task) {
      node->state.task = this;
      claimed_.push_back(node);
      return node->state;
    }
    return others_[node];
  }
  bool known(NodeObject* node) { return node->state.task == this || others_.count(node); }
  bool queued(NodeObject* node) { return std::find(ready_.begin(), ready_.end(), node) != ready_.end(); }

  void push(NodeObject* node) {
    ready_.push_back(node);
    std::push_heap(ready_.begin(), ready_.end(), ByAge());
  }

  /// Counts the users of everything that `root` leads to.
  void visit(NodeObject* root) {
    if (known(root)) return;
    state(root);
    std::vector<NodeObject*> stack{root};
    while (!stack.empty()) {
      NodeObject* node = stack.back();
      stack.pop_back();
      for (const Edge& edge : node->edges) {
        NodeObject* next = edge.node.get();
        if (!next) continue;
        bool first = !known(next);
        ++state(next).dependencies;
        if (first) stack.push_back(next);
      }
    }
  }

  /// With `inputs` given, only nodes on the way to one of them run.  Depth first, children before parents.
  void mark_needed() {
    captured_.resize(request_.inputs.size());
    for (const Edge& input : request_.inputs) {
      if (!input.node || !known(input.node.get())) continue;
      if (!request_.accumulate) ++state(input.node.get()).captures;
    }
    std::unordered_map<NodeObject*, bool> wanted;  // wanted in itself
    for (const Edge& input : request_.inputs)
      if (input.node) wanted[input.node.get()] = true;
    std::unordered_map<NodeObject*, char> seen;
    std::vector<std::pair<NodeObject*, size_t>> stack;
    for (const Edge& root : request_.roots) {
      if (!seen.emplace(root.node.get(), 1).second) continue;
      stack.push_back({root.node.get(), 0});
      while (!stack.empty()) {
        auto& [node, i] = stack.back();
        if (i < node->edges.size()) {
          NodeObject* next = node->edges[i++].node.get();
          if (next && seen.emplace(next, 1).second) stack.push_back({next, 0});
          continue;
        }
        // `needed`: its rule must run.  A captured node runs only for the sake of what lies behind it.
        bool needed = request_.accumulate && wanted.count(node);
        for (const Edge& edge : node->edges)
          needed |= edge.node && (state(edge.node.get()).needed || state(edge.node.get()).captures);
        state(node).needed = needed;
        stack.pop_back();
      }
    }
  }

  /// Gives `grad` to the node at the edge's end.
  void send(const Edge& edge, Tensor grad) {
    NodeState& s = state(edge.node.get());
    if (s.buffer.size() < edge.node->outputs.size()) s.buffer.resize(std::max<size_t>(edge.node->outputs.size(), 1));
    if (grad) add_into(s.buffer[edge.nr], std::move(grad));
  }

  void process(NodeObject* node) {
    NodeState& s = state(node);
    Grads grads = std::move(s.buffer);
    s.buffer.clear();
    grads.resize(std::max<size_t>(node->outputs.size(), 1));
    bool needed = s.needed, captures = s.captures != 0;
    if (node->extra || node->kind == NodeKind::Accumulate) run_tensor_hooks(node, grads);
    if (captures) capture(node, grads);
    if (!needed) return;
    if (node->extra && node->extra->pre_hooks) run_pre_hooks(node, grads);
    if (node->kind == NodeKind::Accumulate) return accumulate(node, std::move(grads));
    Grads results = apply(node, grads);
    distribute(node, results);
  }

  void capture(NodeObject* node, const Grads& grads) {
    for (size_t i = 0; i < request_.inputs.size(); ++i)
      if (request_.inputs[i].node.get() == node) captured_[i] = grads[request_.inputs[i].nr];
  }

  void accumulate(NodeObject* node, Grads grads) {
    Grads seen_by_hooks;
    if (node->extra && node->extra->post_hooks) seen_by_hooks = grads;
    if (grads[0]) {
      const Tensor& leaf = node->leaf;
      // A first gradient is taken over, and a second handle would force a copy: what hooks see is the leaf's
      // afterwards.
      bool taken_over = !seen_by_hooks.empty() && !leaf->grad && !grad_enabled();
      if (taken_over) seen_by_hooks[0] = Tensor();
      accumulate_into(leaf, std::move(grads[0]));
      if (taken_over) seen_by_hooks[0] = make_alias(Tensor::borrow(leaf->grad));
      run_post_accumulate_hooks(leaf);
    }
    if (node->extra && node->extra->post_hooks) {
      Grads none;
      run_post_hooks(node, none, seen_by_hooks);
    }
  }

  Grads apply(NodeObject* node, Grads& grads) {
    bool all_missing = std::none_of(grads.begin(), grads.end(), [](const Tensor& g) { return bool(g); });
    Grads results;
    if (all_missing && node->kind != NodeKind::Function) {
      results.resize(node->edges.size());
    } else {
      NodeObject* before = std::exchange(current_node, node);
      Grads inputs_for_hooks;
      if (node->extra && node->extra->post_hooks) inputs_for_hooks = grads;
      try {
        results = node->apply(node, grads);
        check_results(node, results);
        if (anomaly.enabled && anomaly.check_nan) [[unlikely]]
          check_nan(node, results);
        if (lens) [[unlikely]]
          lens->ran(node, {results.data(), results.size()});
      } catch (...) {
        current_node = before;
        throw;
      }
      current_node = before;
      if (node->extra && node->extra->post_hooks) run_post_hooks(node, results, inputs_for_hooks);
    }
    if (!request_.keep_graph && !node->saved.empty()) release_saved(node);
    if (!request_.keep_graph && node->kind == NodeKind::Function) node->released = true;
    return results;
  }

  void check_results(NodeObject* node, Grads& results) {
    // A rule of ours may leave trailing inputs out: they have no gradient.
    if (node->kind != NodeKind::Function && results.size() < node->edges.size()) results.resize(node->edges.size());
    check(results.size() >= node->edges.size(), "Function ", node->name,
          " returned an invalid number of gradients - expected ", node->edges.size(), ", but got ", results.size());
    for (size_t i = 0; i < node->edges.size(); ++i) {
      const Edge& edge = node->edges[i];
      if (!edge.node || !results[i]) continue;
      const OutputMeta& meta = edge.node->outputs[edge.nr];
      if (!(results[i].sizes() == meta.sizes) || results[i].dtype() != meta.dtype)
        results[i] = fit_gradient(node, i, std::move(results[i]), meta);
    }
  }

  void distribute(NodeObject* node, Grads& results) {
    for (size_t i = 0; i < node->edges.size(); ++i) {
      const Edge& edge = node->edges[i];
      NodeObject* next = edge.node.get();
      if (!next) continue;
      NodeState& s = state(next);
      if (s.needed || s.captures) send(edge, std::move(results[i]));
      if (--s.dependencies == 0 && (s.needed || s.captures)) push(next);
    }
  }

  BackwardRequest& request_;
  Grads captured_;
  std::vector<NodeObject*> ready_;
  std::vector<NodeObject*> claimed_;
  std::unordered_map<NodeObject*, NodeState> others_;
};

int64_t current_task_id() { return task_id; }
bool is_backward_limited() { return limited; }
bool will_execute_node(NodeObject* node) { return task && task->will_execute(node); }

// A rule that somebody calls by hand (grad_fn(g)) computes everything.
bool is_wanted(const NodeObject* node, const Edge& edge) { return current_node != node || !task || task->wants(edge); }

namespace {

Grads run_here(BackwardRequest& request) {
  struct Frame {
    Frame(GraphTask* now, bool has_inputs)
        : id(std::exchange(task_id, next_task_id++)),
          outer(std::exchange(task, now)),
          was_limited(std::exchange(limited, limited || has_inputs)) {
      ++depth;
      ++total_depth;
    }
    ~Frame() {
      --depth;
      --total_depth;
      task_id = id;
      task = outer;
      limited = was_limited;
    }
    int64_t id;
    GraphTask* outer;
    bool was_limited;
  };
  GradMode mode(request.create_graph);
  GraphTask running(request);
  Frame frame(&running, !request.inputs.empty());
  if (!lens) return running.run();
  lens->backward(request);
  Grads captured;
  try {
    captured = running.run();
  } catch (...) {
    if (lens) lens->finished(false);
    throw;
  }
  if (lens) lens->finished(true);
  return captured;
}

/// A backward nested too deep for this stack: run it on a new thread and wait.
Grads run_on_new_thread(BackwardRequest& request) {
  if (total_depth >= max_total_depth) {
    PyErr_Format(PyExc_RecursionError, "backward called inside backward, %d deep", total_depth);
    throw PythonError();
  }
  Grads result;
  std::exception_ptr error;
  PyObject *type = nullptr, *value = nullptr, *trace = nullptr;
  ThreadMode mode = thread_mode;
  bool was_limited = limited;
  int outer_depth = total_depth;
  PyThreadState* mine = PyEval_SaveThread();
  auto work = [&] {
    PyGILState_STATE gil = PyGILState_Ensure();
    thread_mode = mode;
    total_depth = outer_depth;
    limited = was_limited;
    try {
      result = run_here(request);
    } catch (const PythonError&) { PyErr_Fetch(&type, &value, &trace); } catch (...) {
      error = std::current_exception();
    }
    PyGILState_Release(gil);
  };
  try {
    std::thread(work).join();
  } catch (const std::system_error&) {
    error = std::make_exception_ptr(Error(ErrorKind::Runtime, "backward: no thread to be had for a nested backward"));
  }
  PyEval_RestoreThread(mine);
  if (type) {
    PyErr_Restore(type, value, trace);
    throw PythonError();
  }
  if (error) std::rethrow_exception(error);
  return result;
}

}  // namespace

Grads run_backward(BackwardRequest request) {
  for (size_t i = 0; i < request.roots.size(); ++i) {
    const Edge& root = request.roots[i];
    if (!request.gradients[i]) continue;
    const OutputMeta& meta = root.node->outputs[root.nr];
    request.gradients[i] = fit_gradient(nullptr, i, request.gradients[i], meta);
  }
  return depth >= max_depth ? run_on_new_thread(request) : run_here(request);
}

}  // namespace lg
