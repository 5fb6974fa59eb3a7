"""Leaf tensors in nine lines.  Written for torch; run it with: python -m leafgrad run examples/leaf_nodes.py"""

import torch

w = torch.tensor([1.], requires_grad=True)
x = torch.tensor([2.], requires_grad=True)
print(w)

a = torch.add(w, x)
b = torch.add(w, 1)
y = torch.mul(a, b)

y.backward()
print(a.requires_grad, b.requires_grad, y.requires_grad)
print(w.grad)
