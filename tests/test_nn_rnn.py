"""Recurrent layers, their cells and packed sequences: PyTorch's numbers, names and errors; second derivatives."""

from __future__ import annotations

import importlib
import itertools
import warnings

import numpy as np
import pytest
from support import assert_near, refuses

import leafgrad
from leafgrad import nn
from leafgrad.autograd import gradcheck, gradgradcheck
from leafgrad.nn.utils import rnn

KINDS = ("LSTM", "GRU", "RNN")


def both(name, *args, **options):
    """The module in PyTorch and here, from the same seed; names and parameters must agree."""
    torch = importlib.import_module("torch")
    modules = []
    for library in (torch, leafgrad):
        library.manual_seed(0)
        modules.append(getattr(library.nn, name)(*args, **options))
    theirs, ours = modules
    assert repr(ours) == repr(theirs) and list(ours.state_dict()) == list(theirs.state_dict())
    for a, b in zip(ours.parameters(), theirs.parameters(), strict=True):
        assert np.array_equal(a.detach().numpy(), b.detach().numpy())
    return (torch, theirs), (leafgrad, ours)


def flat(results):
    """The tensors of a result, through tuples and packed sequences."""
    for result in results if isinstance(results, tuple) else (results,):
        if hasattr(result, "batch_sizes"):
            yield result.data
        elif isinstance(result, tuple):
            yield from result
        else:
            yield result


def answers(library, module, arrays, call):
    """Results, and gradients of inputs and parameters."""
    inputs = [library.tensor(a, requires_grad=True) for a in arrays]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # PyTorch's, about projections
        results = list(flat(call(library, module, *inputs)))
    sum((result * (i + 1)).sin().sum() for i, result in enumerate(results)).backward()
    return [*results, *(x.grad for x in inputs if x.grad is not None), *(p.grad for p in module.parameters())]


def assert_same(pairs, arrays, call):
    for theirs, ours in zip(*(answers(*pair, arrays, call) for pair in pairs), strict=True):
        assert tuple(ours.shape) == tuple(theirs.shape)
        np.testing.assert_allclose(ours.detach().numpy(), theirs.detach().numpy(), rtol=1e-4, atol=1e-5)


def variants():
    for kind, bidirectional, batch_first, layers in itertools.product(KINDS, (False, True), (False, True), (1, 2)):
        options = {"bidirectional": bidirectional, "batch_first": batch_first, "num_layers": layers}
        if layers == 2:
            options["bias"] = False
        yield kind, options
    yield "RNN", {"nonlinearity": "relu"}
    yield "LSTM", {"proj_size": 3, "num_layers": 2, "bidirectional": True}


@pytest.mark.parity
@pytest.mark.parametrize("form", ["batch", "unbatched", "packed"])
@pytest.mark.parametrize(("kind", "options"), list(variants()), ids=str)
def test_layers_are_pytorch_s(kind, options, form):
    pairs = both(kind, 5, 7, **options)
    random = np.random.default_rng(0)
    layers = options.get("num_layers", 1) * (2 if options.get("bidirectional") else 1)
    x = random.standard_normal((6, 5) if form == "unbatched" else (4, 6, 5)).astype(np.float32)
    batch = () if form == "unbatched" else (4,) if form == "packed" or options.get("batch_first") else (6,)
    h = random.standard_normal((layers, *batch, options.get("proj_size", 7))).astype(np.float32)
    c = random.standard_normal((layers, *batch, 7)).astype(np.float32)

    def call(library, module, x, h, c, given):
        if form == "packed":
            lengths = [3, 6, 1, 4]
            x = library.nn.utils.rnn.pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
        return module(x, (h, c) if kind == "LSTM" else h) if given else module(x)

    for given in (False, True):
        assert_same(pairs, [x, h, c], lambda *a, given=given: call(*a, given))


@pytest.mark.parity
@pytest.mark.parametrize(
    ("input_size", "hidden_size", "batch", "steps"), [(128, 64, 32, 9), (3, 40, 19, 5), (300, 256, 3, 4)]
)
@pytest.mark.parametrize("kind", KINDS)
def test_larger_layers_are_pytorch_s(kind, input_size, hidden_size, batch, steps):
    """Several chunks of the batch, gates beyond a panel, and weights beyond the cache (another way for the input)."""
    pairs = both(kind, input_size, hidden_size)
    x = np.random.default_rng(0).standard_normal((steps, batch, input_size)).astype(np.float32)
    theirs, ours = (answers(*pair, [x], lambda library, module, x: module(x)) for pair in pairs)
    for a, b in zip(theirs, ours, strict=True):
        scale = np.abs(a.detach().numpy()).max()
        np.testing.assert_allclose(b.detach().numpy() / scale, a.detach().numpy() / scale, atol=2e-5)


@pytest.mark.parity
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("bias", [True, False])
def test_cells_are_pytorch_s(kind, bias):
    pairs = both(kind + "Cell", 5, 7, bias=bias)
    random = np.random.default_rng(0)
    for batch, given in itertools.product(((), (4,)), (False, True)):
        arrays = [random.standard_normal((*batch, n)).astype(np.float32) for n in (5, 7, 7)]

        def call(library, module, x, h, c, given=given):
            return module(x, (h, c) if kind == "LSTM" else h) if given else module(x)

        assert_same(pairs, arrays, call)


@pytest.mark.parametrize("mode", ["LSTM", "GRU", "RNN_TANH", "RNN_RELU", "projected"])
@pytest.mark.parametrize("sizes", [None, [3, 2, 2, 1]])
@pytest.mark.parametrize("reverse", [False, True])
def test_derivatives_to_second_order(mode, sizes, reverse):
    gates = {"LSTM": 4, "GRU": 3, "projected": 4}.get(mode, 1)
    hidden, features, state = 3, 2, 2 if mode == "projected" else 3

    def random(*shape):
        return leafgrad.randn(*shape, dtype=leafgrad.float64).requires_grad_()

    x = random(4, 3, features) if sizes is None else random(sum(sizes), features)
    weights = [random(gates * hidden, features), random(gates * hidden, state)]
    biases = [random(gates * hidden), random(gates * hidden)]
    cx = [random(3, hidden)] if gates == 4 else []
    projection = [random(state, hidden)] if mode == "projected" else []

    def layer(x, h, w, u, b, d, *rest):
        c = rest[0] if cx else None
        r = rest[1] if projection else None
        kind = "LSTM" if mode == "projected" else mode
        return leafgrad._core._recurrent(kind, x, sizes, h, w, u, c, b, d, r, reverse)

    inputs = (x, random(3, state), *weights, *biases, *cx, *projection)
    assert gradcheck(layer, inputs)
    assert gradgradcheck(layer, inputs)


def test_what_flows_between_the_inputs_is_counted_once():
    """Initial state and input from one tensor: the second derivative keeps the two ways apart."""
    gru = nn.GRU(3, 3).double()
    x = leafgrad.randn(2, 1, 3, dtype=leafgrad.float64, requires_grad=True)
    assert gradgradcheck(lambda x: gru(x, x[:1].tanh())[0], (x,))


def test_half_and_meta_and_empty():
    lstm = nn.LSTM(4, 5, num_layers=2)
    x = leafgrad.randn(3, 2, 4)
    expected, _ = lstm(x)
    out, (h, c) = nn.LSTM(4, 5, 2, device="meta")(x.to("meta"))
    assert out.shape == (3, 2, 5) and h.shape == c.shape == (2, 2, 5)
    out, _ = lstm(x[:, :0])
    assert out.shape == (3, 0, 5)
    out.sum().backward()
    assert all((p.grad == 0).all() for p in lstm.parameters())
    half = lstm.to(leafgrad.bfloat16)
    actual, _ = half(x.to(leafgrad.bfloat16))
    assert actual.dtype == leafgrad.bfloat16
    assert_near(actual.float(), expected, rtol=0.05, atol=0.05)


def test_same_bits_on_any_number_of_threads():
    before = leafgrad.get_num_threads()
    x = leafgrad.randn(20, 37, 64)
    for kind in KINDS:
        module = getattr(nn, kind)(64, 64)
        results = []
        try:
            for threads in (1, 2, 3):
                leafgrad.set_num_threads(threads)
                out, _ = module(x)
                results.append([out, *leafgrad.autograd.grad(out.square().sum(), list(module.parameters()))])
        finally:
            leafgrad.set_num_threads(before)
        for other in results[1:]:
            assert all(leafgrad.equal(a, b) for a, b in zip(results[0], other, strict=True))


def test_dropout_lies_between_layers_only():
    leafgrad.manual_seed(0)
    gru = nn.GRU(3, 4, num_layers=2, dropout=1.0)
    x = leafgrad.randn(5, 2, 3)
    out, h = gru(x)
    with leafgrad.no_grad():
        alone, _ = leafgrad._core._recurrent(
            "GRU", leafgrad.zeros(5, 2, 4), None, leafgrad.zeros(2, 4), gru.weight_ih_l1, gru.weight_hh_l1, None,
            gru.bias_ih_l1, gru.bias_hh_l1,
        )  # fmt: skip
    assert_near(out, alone)
    assert not leafgrad.equal(gru.eval()(x)[0], out)
    with pytest.warns(UserWarning, match="dropout option adds dropout after all but last"):
        nn.GRU(3, 4, dropout=0.5)


# ---- packed sequences


def test_packing_and_back():
    rows = [leafgrad.arange(float(n)) + 10 * n for n in (3, 5, 1)]
    packed = rnn.pack_sequence(rows, enforce_sorted=False)
    assert packed.batch_sizes.tolist() == [3, 2, 2, 1, 1]
    assert packed.data.tolist() == [50, 30, 10, 51, 31, 52, 32, 53, 54]
    assert packed.sorted_indices.tolist() == [1, 0, 2]
    for row, back in zip(rows, rnn.unpack_sequence(packed), strict=True):
        assert row.tolist() == back.tolist()
    padded, lengths = rnn.pad_packed_sequence(packed, batch_first=True, padding_value=-1, total_length=6)
    assert lengths.tolist() == [3, 5, 1] and padded.shape == (3, 6)
    assert padded[2].tolist() == [10, -1, -1, -1, -1, -1]
    assert packed.double().data.dtype == leafgrad.float64 and packed.float() is packed


def test_padding_on_either_side_and_its_gradient():
    rows = [leafgrad.ones(2, requires_grad=True), leafgrad.ones(3, requires_grad=True)]
    assert rnn.pad_sequence(rows, batch_first=True).tolist() == [[1, 1, 0], [1, 1, 1]]
    left = rnn.pad_sequence(rows, padding_value=5.0, padding_side="left")
    assert left.tolist() == [[5, 1], [1, 1], [1, 1]]
    left.sum().backward()
    assert rows[0].grad.tolist() == [1, 1]
    x = leafgrad.randn(4, 3, 2, dtype=leafgrad.float64, requires_grad=True)

    def through(x):
        packed = rnn.pack_padded_sequence(x, [2, 4, 1], enforce_sorted=False)
        return rnn.pad_packed_sequence(packed)[0]

    assert gradcheck(through, (x,))


def test_packing_refuses_what_makes_no_sense():
    x = leafgrad.zeros(4, 3, 2)
    refuses(
        RuntimeError,
        lambda: rnn.pack_padded_sequence(x, [4, 3]),
        lambda: rnn.pack_padded_sequence(x, [4, 3, 0]),
        lambda: rnn.pack_padded_sequence(x, [3, 4, 1]),
        lambda: rnn.pack_padded_sequence(x, [5, 4, 1]),
        lambda: rnn.pack_padded_sequence(x[:0], [0, 0, 0]),
        lambda: rnn.pad_sequence([]),
        lambda: rnn.pad_sequence([x], padding_side="top"),
    )
    packed = rnn.pack_padded_sequence(x, [4, 3, 1])
    refuses(ValueError, lambda: rnn.pad_packed_sequence(packed, total_length=3))


# ---- errors


def test_bad_arguments_are_refused():
    refuses(
        ValueError,
        lambda: nn.LSTM(3, 0),
        lambda: nn.LSTM(3, 4, 0),
        lambda: nn.LSTM(3, 4, dropout=2),
        lambda: nn.LSTM(3, 4, proj_size=4),
        lambda: nn.LSTM(3, 4, proj_size=-1),
        lambda: nn.GRU(3, 4, proj_size=2),
        lambda: nn.RNN(3, 4, nonlinearity="sine"),
        lambda: nn.RNNBase("LSTN", 3, 4),
    )
    refuses(TypeError, lambda: nn.LSTM(3, 4.0))
    lstm, gru = nn.LSTM(3, 4), nn.GRU(3, 4)
    x, h = leafgrad.zeros(5, 2, 3), leafgrad.zeros(1, 2, 4)
    refuses(ValueError, lambda: lstm(x[0, 0]), lambda: gru(x[None]), lambda: gru(x.double()))
    refuses(
        RuntimeError,
        lambda: gru(x[..., :2]),
        lambda: gru(x, h[0]),
        lambda: gru(x[:, 0], h),
        lambda: gru(x, h[:, :1]),
        lambda: lstm(x, (h, h[..., :3])),
        lambda: lstm(x, (h[0], h[0])),
        lambda: gru(x[:0]),
        lambda: nn.GRUCell(3, 4)(leafgrad.zeros(2, 2)),
        lambda: nn.GRUCell(3, 4)(x[0], h[0, :1]),
        lambda: nn.GRUCell(3, 4)(x[0], h[0, :, :2]),
        lambda: nn.RNNCell(3, 4, nonlinearity="sine")(x[0]),
    )
    refuses(ValueError, lambda: nn.LSTMCell(3, 4)(x), lambda: nn.RNNCell(3, 4)(x[0], h))


def test_the_operator_refuses_shapes_that_do_not_fit():
    x, h, w, u = leafgrad.zeros(4, 2, 3), leafgrad.zeros(2, 5), leafgrad.zeros(5, 3), leafgrad.zeros(5, 5)
    recurrent = leafgrad._core._recurrent
    refuses(
        (RuntimeError, ValueError),
        lambda: recurrent("MGU", x, None, h, w, u),
        lambda: recurrent("LSTM", x, None, h, w, u),
        lambda: recurrent("RNN_TANH", x, None, h, w, u, h),
        lambda: recurrent("RNN_TANH", x, None, h, w.T, u),
        lambda: recurrent("RNN_TANH", x, None, h, w, u[0]),
        lambda: recurrent("RNN_TANH", x, None, h[:1], w, u),
        lambda: recurrent("RNN_TANH", x, None, h.double(), w, u),
        lambda: recurrent("RNN_TANH", x, [2, 2, 2, 2], h, w, u),
        lambda: recurrent("RNN_TANH", x[0], [1, 2], h, w, u),
        lambda: recurrent("RNN_TANH", x[0], [2, -1, 1], h, w, u),
        lambda: recurrent("RNN_TANH", x[0], [1], h, w, u),
        lambda: recurrent("RNN_TANH", x[0], [], h, w, u),
        lambda: recurrent("RNN_TANH", x[0, 0], None, h, w, u),
    )
