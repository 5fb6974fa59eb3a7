// saved_tensors_hooks: what a user's pack and unpack do to tensors as they are saved.
#pragma once

#include <string>
#include <vector>

#include "autograd/recorder.h"

namespace lg {

struct SavedHooks {
  Object pack, unpack;
};

/// The innermost pair of this thread, or null.
const SavedHooks* saved_hooks_top();
void push_saved_hooks(Object pack, Object unpack);
void pop_saved_hooks();
void disable_saved_hooks(std::string message);
void enable_saved_hooks();
const std::string* saved_hooks_disabled();  // the message, or null

void save_tensor(SavedTensor& slot, const Tensor& t, bool is_output);
/// Packs what `slot` of `node` keeps, once it is saved already.
void register_saved_hooks(const NodeObject* node, SavedTensor& slot, const Object& pack, const Object& unpack);
/// `alias` becomes a leaf whose gradients go to `accumulator`'s leaf.
Tensor adopt_accumulator(const Tensor& alias, const Node& accumulator);

}  // namespace lg
