// Grad mode: is this thread recording?
#pragma once

namespace lg {

struct ThreadMode {
  bool grad = true;
  bool asked = true;  // the same as Python set it, whatever a guard of ours has made of it since
  bool inference = false;
  bool step = false;  // an optimizer's step is under way
};
// initial-exec: one load per access; the struct is four bytes, so the static TLS reserve is not at risk.
extern thread_local ThreadMode thread_mode __attribute__((tls_model("initial-exec")));

inline bool grad_enabled() { return thread_mode.grad; }

class GradMode {
 public:
  explicit GradMode(bool on) : before_(thread_mode.grad), asked_before_(thread_mode.asked) { thread_mode.grad = on; }
  ~GradMode() {
    thread_mode.grad = before_;
    thread_mode.asked = asked_before_;
  }
  GradMode(const GradMode&) = delete;
  GradMode& operator=(const GradMode&) = delete;

 private:
  bool before_, asked_before_;
};

struct NoGrad : GradMode {
  NoGrad() : GradMode(false) {}
};

}  // namespace lg
