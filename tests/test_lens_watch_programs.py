"""Programs as people write them, with nothing wrong in them: a watch is silent, and memory() is exact throughout."""

from __future__ import annotations

import pytest

import leafgrad as torch
from leafgrad import nn
from leafgrad.autograd import grad
from leafgrad.nn.functional import cross_entropy

pytestmark = pytest.mark.leafgrad_only


def language_model():
    """Truncated backpropagation: the state goes from step to step, detached."""

    class Model(nn.Module):
        def __init__(self):
            super().__init__()
            self.embedding = nn.Embedding(30, 16)
            self.recurrent = nn.LSTM(16, 32, batch_first=True)
            self.head = nn.Linear(32, 30)

        def forward(self, tokens, state=None):
            y, state = self.recurrent(self.embedding(tokens), state)
            return self.head(y), state

    model, state, losses = Model(), None, []
    optimizer = torch.optim.AdamW(model.parameters())
    for _ in range(5):
        tokens = torch.randint(0, 30, (4, 12))
        y, state = model(tokens, state)
        state = tuple(t.detach() for t in state)
        loss = cross_entropy(y.reshape(-1, 30), tokens.reshape(-1))
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        losses.append(loss.item())
    model.eval()
    with torch.no_grad():
        for _ in range(4):
            model(tokens)


def transformer():
    """A causal mask is full of -inf."""
    model = nn.TransformerEncoder(nn.TransformerEncoderLayer(16, 2, 32, batch_first=True), 2)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    mask = nn.Transformer.generate_square_subsequent_mask(10)
    for _ in range(4):
        model(torch.randn(2, 10, 16), mask=mask).pow(2).mean().backward()
        optimizer.step()
        optimizer.zero_grad()


def variational_autoencoder():
    encoder, decoder = nn.Linear(8, 4), nn.Linear(2, 8)
    optimizer = torch.optim.Adam([*encoder.parameters(), *decoder.parameters()])
    for _ in range(5):
        x = torch.randn(16, 8)
        mean, log_variance = encoder(x).chunk(2, 1)
        z = mean + torch.randn_like(mean) * (log_variance / 2).exp()
        divergence = -0.5 * (1 + log_variance - mean**2 - log_variance.exp()).mean()
        loss = (decoder(z) - x).pow(2).mean() + divergence
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


def convolutions_with_evaluation():
    model = nn.Sequential(
        nn.Conv2d(1, 4, 3),
        nn.BatchNorm2d(4),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Dropout(0.2),
        nn.Flatten(),
        nn.Linear(36, 3),
    )
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    for _ in range(2):
        model.train()
        for _ in range(4):
            optimizer.zero_grad()
            cross_entropy(model(torch.randn(4, 1, 8, 8)), torch.randint(0, 3, (4,))).backward()
            optimizer.step()
        model.eval()
        with torch.no_grad():
            assert sum(model(torch.randn(4, 1, 8, 8)).sum() for _ in range(5)).isfinite()


def frozen_base():
    base, head = nn.Linear(4, 4).requires_grad_(False), nn.Linear(4, 1)
    optimizer = torch.optim.SGD(head.parameters(), lr=0.1)
    for _ in range(4):
        head(base(torch.randn(2, 4)).relu()).mean().backward()
        optimizer.step()
        optimizer.zero_grad()


def teacher_and_student():
    teacher, student = nn.Linear(4, 4), nn.Linear(4, 4)
    optimizer = torch.optim.SGD(student.parameters(), lr=0.1)
    for _ in range(4):
        x = torch.randn(2, 4)
        with torch.no_grad():
            wanted = teacher(x)
        (student(x) - wanted).pow(2).mean().backward()
        optimizer.step()
        optimizer.zero_grad()
        with torch.no_grad():
            for p, q in zip(teacher.parameters(), student.parameters(), strict=True):
                p.lerp_(q, 0.1)


def adversarial_examples():
    """The model is in evaluation mode, and the gradient of its input is wanted."""
    model, x = nn.Linear(4, 3).eval(), torch.randn(2, 4)
    for _ in range(6):
        x = x.detach().requires_grad_()
        model(x).logsumexp(1).sum().backward()
        x = x + 0.1 * x.grad.sign()


def policy_gradient():
    """One backward for the results of many calls, which wait in a list."""
    model = nn.Linear(4, 2)
    optimizer = torch.optim.Adam(model.parameters())
    for _ in range(3):
        chosen = [model(torch.randn(4)).log_softmax(0)[0] for _ in range(10)]
        (-torch.stack(chosen).mean()).backward()
        optimizer.step()
        optimizer.zero_grad()


def gradient_penalty():
    critic = nn.Linear(3, 1)
    optimizer = torch.optim.Adam(critic.parameters())
    for _ in range(5):
        x = torch.randn(4, 3, requires_grad=True)
        (g,) = grad(critic(x).sum(), x, create_graph=True)
        (critic(x).mean() + (g.norm(dim=1) - 1).pow(2).mean()).backward()
        optimizer.step()
        optimizer.zero_grad()


PROGRAMS = [
    language_model,
    transformer,
    variational_autoencoder,
    convolutions_with_evaluation,
    frozen_base,
    teacher_and_student,
    adversarial_examples,
    policy_gradient,
    gradient_penalty,
]


@pytest.mark.parametrize("program", PROGRAMS)
def test_a_program_without_mistakes_is_watched_in_silence(program):
    with torch.watch() as watch:  # a warning would be an error here
        program()
    assert watch.findings == []


@pytest.mark.parametrize("program", PROGRAMS)
def test_the_kinds_add_up_at_every_moment_and_at_the_peak(program):
    def exact():
        found = torch.memory()
        assert sum(share.bytes for share in found.by_kind.values()) == found.live_bytes
        return found.live_bytes

    exact()
    with torch.trace() as trace:
        program()
        live = exact()
    assert trace.timeline()[-1].live_bytes == live
    assert sum(share.bytes for share in trace.peak.by_kind.values()) == trace.peak.bytes
