#include "autograd/saved_hooks.h"

namespace lg {

namespace {

struct HookStack {
  std::vector<SavedHooks> hooks;
  bool disabled = false;
  std::string message;
};

// Held by pointer: a thread-local with a destructor would drop Python objects after the interpreter is gone.
HookStack& stack() {
  thread_local HookStack* s = new HookStack();
  return *s;
}

void check_enabled() { check(!stack().disabled, stack().message); }

}  // namespace

const SavedHooks* saved_hooks_top() {
  HookStack& s = stack();
  return s.hooks.empty() ? nullptr : &s.hooks.back();
}

void push_saved_hooks(Object pack, Object unpack) {
  check_enabled();
  stack().hooks.push_back({std::move(pack), std::move(unpack)});
}

void pop_saved_hooks() {
  // A context that is left twice, by an unpack hook say, is no harm once nothing is left to pop.
  if (!stack().hooks.empty()) stack().hooks.pop_back();
}

void disable_saved_hooks(std::string message) {
  HookStack& s = stack();
  check(s.hooks.empty(), message);
  s.disabled = true;
  s.message = std::move(message);
}

void enable_saved_hooks() { stack().disabled = false; }
const std::string* saved_hooks_disabled() { return stack().disabled ? &stack().message : nullptr; }

}  // namespace lg
