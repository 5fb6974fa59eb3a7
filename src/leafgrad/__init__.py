"""leafgrad: define-by-run automatic differentiation with leaf tensors."""

from ._alias import install_as_torch

__version__ = "0.1.0"

__all__ = ["install_as_torch"]
