"""Which tensors of y = (w + x) * (w + 1) are leaves, and whose gradient outlives backward().

python examples/leaf_table.py
"""

import warnings

import leafgrad as torch


def build():
    """The graph of leaf_nodes.py, every tensor under its name."""
    w = torch.tensor([1.0], requires_grad=True)
    x = torch.tensor([2.0], requires_grad=True)
    a = torch.add(w, x)
    b = torch.add(w, 1)
    y = torch.mul(a, b)
    return {"w": w, "x": x, "a": a, "b": b, "y": y}


def fate_of_grad(tensor):
    with warnings.catch_warnings(action="ignore"):  # reading a freed .grad warns, and is just what we want to show
        grad = tensor.grad
    return "freed" if grad is None else f"kept, {grad}"


def show(title, tensors):
    row = "{:<8}{:<8}{:<15}{:<16}{}".format
    print(title)
    print(row("tensor", "leaf", "requires_grad", "grad_fn", ".grad after backward"))
    for name, tensor in tensors.items():
        grad_fn = tensor.grad_fn.name() if tensor.grad_fn else "None"
        print(row(name, str(tensor.is_leaf), str(tensor.requires_grad), grad_fn, fate_of_grad(tensor)))
    print()


tensors = build()
tensors["y"].backward()
show("y = (w + x) * (w + 1), y.backward()", tensors)

tensors = build()
tensors["a"].retain_grad()
tensors["y"].backward()
show("The same after a.retain_grad()", tensors)
