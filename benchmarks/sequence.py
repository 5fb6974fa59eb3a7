"""Models of sequences: a small GPT, with attention by hand and by the fused function; LSTM and GRU."""

from __future__ import annotations

import math

from benchmarks import data
from benchmarks.training import ADAM
from benchmarks.workload import workload

LAYERS, WIDTH, HEADS, LENGTH, BATCH, WORDS = 4, 128, 4, 128, 16, 256
# For each token and layer: 12 width^2 in the projections, and 2 length width in the attention (all of it: no block that
# the mask hides is left out); the last projection.  Forward, and twice as much backward.
GPT_FLOPS = 3 * 2 * BATCH * LENGTH * (LAYERS * (12 * WIDTH**2 + 2 * LENGTH * WIDTH) + WIDTH * WORDS)


def gpt(fused):
    def make(torch):
        nn, F = torch.nn, torch.nn.functional

        class Attention(nn.Module):
            def __init__(self):
                super().__init__()
                self.project = nn.Linear(WIDTH, 3 * WIDTH)
                self.out = nn.Linear(WIDTH, WIDTH)
                self.register_buffer("hidden", torch.ones(LENGTH, LENGTH, dtype=torch.bool).triu(1))

            def forward(self, x):
                q, k, v = (
                    part.view(BATCH, LENGTH, HEADS, WIDTH // HEADS).transpose(1, 2)
                    for part in self.project(x).split(WIDTH, dim=-1)
                )
                if fused:
                    y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
                else:
                    scores = q @ k.transpose(-2, -1) / math.sqrt(WIDTH // HEADS)
                    y = scores.masked_fill(self.hidden, -math.inf).softmax(-1) @ v
                return self.out(y.transpose(1, 2).reshape(BATCH, LENGTH, WIDTH))

        class Block(nn.Module):
            def __init__(self):
                super().__init__()
                self.norm1, self.attention = nn.LayerNorm(WIDTH), Attention()
                self.norm2 = nn.LayerNorm(WIDTH)
                self.mlp = nn.Sequential(nn.Linear(WIDTH, 4 * WIDTH), nn.GELU(), nn.Linear(4 * WIDTH, WIDTH))

            def forward(self, x):
                x = x + self.attention(self.norm1(x))
                return x + self.mlp(self.norm2(x))

        class GPT(nn.Module):
            def __init__(self):
                super().__init__()
                self.words, self.places = nn.Embedding(WORDS, WIDTH), nn.Embedding(LENGTH, WIDTH)
                self.blocks = nn.Sequential(*(Block() for _ in range(LAYERS)))
                self.norm, self.head = nn.LayerNorm(WIDTH), nn.Linear(WIDTH, WORDS, bias=False)

            def forward(self, tokens):
                x = self.words(tokens) + self.places(torch.arange(LENGTH))
                return self.head(self.norm(self.blocks(x)))

        model = data.fill(torch, GPT())
        optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
        tokens = data.integers(torch, WORDS, BATCH, LENGTH + 1)
        inputs, targets = tokens[:, :-1].contiguous(), tokens[:, 1:].reshape(-1)

        def step():
            optimizer.zero_grad()
            loss = F.cross_entropy(model(inputs).view(-1, WORDS), targets)
            loss.backward()
            optimizer.step()
            return loss, *data.gradients(model)

        return step

    return make


GPT = f"GPT: {LAYERS} layers, width {WIDTH}, {HEADS} heads, T {LENGTH}, batch {BATCH}, AdamW step"
# The tokens' gradients pass through every layer; an error of Adam's signs (see training.py) reaches all of them.
workload(f"{GPT}; attention by hand", demand=1.3, flops=GPT_FLOPS, tolerance=10 * ADAM)(gpt(fused=False))
workload(f"{GPT}; by scaled_dot_product_attention", demand=1.3, flops=GPT_FLOPS, tolerance=10 * ADAM)(gpt(fused=True))


def recurrent(kind):
    def make(torch):
        model = data.fill(torch, getattr(torch.nn, kind)(HIDDEN, HIDDEN))
        x = data.tensor(torch, STEPS, SEQUENCES, HIDDEN, seed=20, grad=True)
        cotangent = data.tensor(torch, STEPS, SEQUENCES, HIDDEN, seed=21)

        def step():
            data.clear(x, *model.parameters())
            y, _ = model(x)
            y.backward(cotangent)
            return y, x.grad, *data.gradients(model)

        return step

    return make


HIDDEN, STEPS, SEQUENCES = 128, 64, 32
for kind, gates, demand in (("LSTM", 4, 1.3), ("GRU", 3, 2.0)):
    flops = 3 * 2 * STEPS * SEQUENCES * gates * 2 * HIDDEN**2
    name = f"{kind}: hidden {HIDDEN}, seq {STEPS}, batch {SEQUENCES}, forward + backward"
    workload(name, demand=demand, flops=flops, tolerance=1e-4)(recurrent(kind))
