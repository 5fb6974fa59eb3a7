"""leafgrad: define-by-run automatic differentiation with leaf tensors."""
