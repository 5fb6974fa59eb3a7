// Grad mode: is this thread recording?
#pragma once

namespace lg {

struct ThreadMode {
  bool grad = true;
  bool inference = false;
};
// initial-exec: one load per access; the struct is two bytes, so the static TLS reserve is not at risk.
extern thread_local ThreadMode thread_mode __attribute__((tls_model("initial-exec")));

inline bool grad_enabled() { return thread_mode.grad; }

class GradMode {
 public:
  explicit GradMode(bool on) : before_(thread_mode.grad) { thread_mode.grad = on; }
  ~GradMode() { thread_mode.grad = before_; }
  GradMode(const GradMode&) = delete;
  GradMode& operator=(const GradMode&) = delete;

 private:
  bool before_;
};

struct NoGrad : GradMode {
  NoGrad() : GradMode(false) {}
};

}  // namespace lg
