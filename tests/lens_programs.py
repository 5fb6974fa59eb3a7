"""Three programs whose graphs the lens's tests look at: the article's, a multilayer perceptron, a small transformer."""

import leafgrad as torch
from leafgrad import nn


def article():
    """The tensors of examples/leaf_nodes.py by name; y = (w + x) * (w + 1)."""
    w = torch.tensor([1.0], requires_grad=True)
    x = torch.tensor([2.0], requires_grad=True)
    a = torch.add(w, x)
    b = torch.add(w, 1)
    y = torch.mul(a, b)
    return {"w": w, "x": x, "a": a, "b": b, "y": y}


def mlp(layers=4):
    """A model of `layers` equal hidden layers, and its loss."""
    hidden = [part for _ in range(layers) for part in (nn.Linear(16, 16), nn.Tanh())]
    model = nn.Sequential(nn.Linear(8, 16), nn.Tanh(), *hidden, nn.Linear(16, 1))
    data = torch.randn(32, 8)
    loss = model(data).square().mean()
    return model, loss


def transformer(layers=3):
    """An embedding, `layers` encoder layers and a classifier, and their loss."""
    model = nn.ModuleDict(
        {
            "embedding": nn.Embedding(10, 16),
            "encoder": nn.TransformerEncoder(nn.TransformerEncoderLayer(16, 2, 32, batch_first=True), layers),
            "head": nn.Linear(16, 10),
        }
    )
    words = torch.randint(0, 10, (2, 5))
    target = torch.randint(0, 10, (10,))
    logits = model["head"](model["encoder"](model["embedding"](words)))
    loss = nn.functional.cross_entropy(logits.flatten(0, 1), target)
    return model, loss
