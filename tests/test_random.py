"""Random numbers: streams, states, distributions, refusals; the streams are PyTorch's."""

import copy
import importlib
import pickle

import numpy as np
import pytest

import leafgrad


def test_manual_seed_repeats_the_stream():
    first, second = (leafgrad.manual_seed(7) and leafgrad.rand(5).tolist() for _ in range(2))
    assert first == second != leafgrad.rand(5).tolist()
    assert leafgrad.initial_seed() == 7


def test_manual_seed_returns_the_default_generator():
    assert leafgrad.manual_seed(3) is leafgrad.default_generator


def test_generators_are_independent():
    leafgrad.manual_seed(1)
    before = leafgrad.get_rng_state().tolist()
    generator = leafgrad.Generator().manual_seed(5)
    a = leafgrad.rand(3, generator=generator)
    assert leafgrad.get_rng_state().tolist() == before
    assert leafgrad.rand(3, generator=leafgrad.Generator().manual_seed(5)).tolist() == a.tolist()


@pytest.mark.parametrize("draw", [leafgrad.rand, leafgrad.randn], ids=["rand", "randn"])
def test_state_restores_the_middle_of_a_stream(draw):
    generator = leafgrad.Generator().manual_seed(5)
    draw(3, generator=generator)  # an odd number: a second normal is kept
    state, copied = generator.get_state(), generator.clone_state()
    pickled = pickle.loads(pickle.dumps(generator))
    expected = draw(20, generator=generator).tolist()
    assert draw(20, generator=copied).tolist() == expected
    assert draw(20, generator=pickled).tolist() == expected
    assert draw(20, generator=copy.copy(generator).set_state(state)).tolist() == expected


def test_fork_rng_leaves_the_stream_as_it_was():
    leafgrad.manual_seed(4)
    with pytest.raises(ZeroDivisionError), leafgrad.random.fork_rng():
        inside = leafgrad.randn(3).tolist()
        raise ZeroDivisionError
    assert leafgrad.randn(3).tolist() == inside


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda: leafgrad.manual_seed(2**70), ValueError, "Overflow when unpacking"),
        (lambda: leafgrad.manual_seed("a"), ValueError, "invalid literal"),
        (lambda: leafgrad.set_rng_state(leafgrad.zeros(10, dtype=leafgrad.uint8)), RuntimeError, "size 5056"),
        (lambda: leafgrad.set_rng_state(leafgrad.zeros(5056)), TypeError, "ByteTensor"),
        (lambda: leafgrad.set_rng_state(leafgrad.zeros(5056, dtype=leafgrad.uint8)), RuntimeError, "Invalid mt19937"),
        (lambda: leafgrad.Generator().set_state(5), TypeError, "ByteTensor"),
        (lambda: leafgrad.Generator("meta"), RuntimeError, "cpu"),
        (lambda: leafgrad.randint(5, 5, (2,)), RuntimeError, "'from' to be less than 'to'"),
        (lambda: leafgrad.randint(300, (2,), dtype=leafgrad.uint8), RuntimeError, "out of bounds"),
        (lambda: leafgrad.randperm(-1), RuntimeError, "negative"),
        (lambda: leafgrad.rand(3, dtype=leafgrad.int64), NotImplementedError, "not implemented for"),
        (lambda: leafgrad.empty(3).uniform_(1, 0), RuntimeError, "from=1 > to=0"),
        (lambda: leafgrad.normal(0.0, -1.0, (2,)), RuntimeError, "std >= 0.0"),
        (lambda: leafgrad.normal(leafgrad.zeros(2), -leafgrad.ones(2)), RuntimeError, "elements of std >= 0.0"),
        (lambda: leafgrad.empty(3).bernoulli_(1.5), RuntimeError, "p to be in"),
        (lambda: leafgrad.bernoulli(leafgrad.tensor([2.0])), RuntimeError, "p_in"),
        (lambda: leafgrad.empty(3).exponential_(0), RuntimeError, "lambda > 0.0"),
        (lambda: leafgrad.empty(3).geometric_(0.0), RuntimeError, "p to be in"),
        (lambda: leafgrad.multinomial(leafgrad.zeros(3), 1), RuntimeError, "sum of probabilities <= 0"),
        (lambda: leafgrad.multinomial(leafgrad.tensor([float("nan"), 1]), 1), RuntimeError, "`nan`"),
        (lambda: leafgrad.multinomial(leafgrad.ones(3), 4), RuntimeError, "without replacement"),
        (lambda: leafgrad.multinomial(leafgrad.ones(3), 0), RuntimeError, "n_sample <= 0"),
        (lambda: leafgrad.dropout(leafgrad.ones(3), 1.5, True), ValueError, "between 0 and 1"),
    ],
)
def test_impossible_requests_are_refused(call, error, words):
    with pytest.raises(error, match=words):
        call()


def test_a_refused_state_leaves_the_generator_as_it_was():
    generator = leafgrad.Generator().manual_seed(4)
    before = generator.get_state().tolist()
    with pytest.raises(RuntimeError):
        generator.set_state(leafgrad.zeros(5056, dtype=leafgrad.uint8))
    assert generator.get_state().tolist() == before


# Means and deviations of 100,000 numbers lie within five standard errors of the distribution's.
MOMENTS = {
    "uniform_": ((-1.0, 3.0), 1.0, 4 / np.sqrt(12)),
    "normal_": ((2.0, 3.0), 2.0, 3.0),
    "exponential_": ((2.0,), 0.5, 0.5),
    "bernoulli_": ((0.3,), 0.3, np.sqrt(0.21)),
    "geometric_": ((0.4,), 2.5, np.sqrt(0.6) / 0.4),
    "log_normal_": ((0.0, 0.25), np.exp(0.03125), np.sqrt((np.exp(0.0625) - 1) * np.exp(0.0625))),
}


@pytest.mark.parametrize("name", MOMENTS)
@pytest.mark.parametrize("dtype", [leafgrad.float32, leafgrad.float64], ids=str)
def test_moments_are_those_of_the_distribution(name, dtype):
    args, mean, deviation = MOMENTS[name]
    leafgrad.manual_seed(11)
    x = np.asarray(getattr(leafgrad.empty(100_000, dtype=dtype), name)(*args), np.float64)
    assert abs(x.mean() - mean) < 5 * deviation / np.sqrt(x.size)
    assert abs(x.std() - deviation) < 0.03 * deviation


def test_integers_cover_their_range_evenly():
    leafgrad.manual_seed(2)
    counts = np.bincount(np.asarray(leafgrad.randint(2, 7, (50_000,))), minlength=7)
    assert counts[:2].sum() == 0 and (np.abs(counts[2:] - 10_000) < 500).all()
    assert sorted(leafgrad.randperm(100).tolist()) == list(range(100))


@pytest.mark.parametrize("replacement", [False, True])
def test_multinomial_draws_in_proportion(replacement):
    leafgrad.manual_seed(3)
    weights = leafgrad.tensor([1.0, 0.0, 3.0]).expand(20_000, 3)
    drawn = np.asarray(leafgrad.multinomial(weights, 1, replacement))[:, 0]
    shares = np.bincount(drawn, minlength=3) / drawn.size
    assert shares[1] == 0 and abs(shares[2] - 0.75) < 0.02


def test_halves_stay_below_the_open_end():
    leafgrad.manual_seed(0)
    for dtype in (leafgrad.float16, leafgrad.bfloat16):
        assert leafgrad.rand(20_000, dtype=dtype).float().max().item() < 1


def test_dropout_scales_what_it_keeps_and_passes_the_gradient_through_it():
    leafgrad.manual_seed(5)
    x = leafgrad.ones(1000, requires_grad=True)
    y = leafgrad.dropout(x, 0.25, True)
    values = set(y.detach().tolist())
    assert y.grad_fn.name() == "MulBackward0" and values == {0.0, leafgrad.tensor(1 / 0.75).item()}
    assert 650 < np.count_nonzero(y.detach().numpy()) < 850
    y.sum().backward()
    assert x.grad.tolist() == y.tolist()
    assert leafgrad.dropout(x, 0.25, False) is x
    assert leafgrad.dropout(x, 1.0, True).tolist() == [0.0] * 1000


def test_filling_a_non_leaf_gives_it_no_gradient():
    x = leafgrad.ones(3, requires_grad=True)
    y = x * 1
    version = y._version
    y.uniform_()
    assert y.grad_fn.name() == "UniformBackward0" and y._version == version + 1
    y.sum().backward()
    assert x.grad.tolist() == [0, 0, 0]
    with pytest.raises(RuntimeError, match="leaf"):
        x.normal_()


def test_meta_draws_nothing():
    leafgrad.manual_seed(1)
    before = leafgrad.get_rng_state().tolist()
    assert leafgrad.rand(3, device="meta").shape == (3,)
    assert leafgrad.get_rng_state().tolist() == before


# ---- PyTorch's streams

DTYPES = ["float32", "float64", "float16", "bfloat16"]
STREAMS = {
    "rand": lambda t, n, d: t.rand(n, dtype=d),
    "randn": lambda t, n, d: t.randn(n, dtype=d),
    "uniform_": lambda t, n, d: t.empty(n, dtype=d).uniform_(-2, 5),
    "normal_": lambda t, n, d: t.empty(n, dtype=d).normal_(2, 3),
    "bernoulli_": lambda t, n, d: t.empty(n, dtype=d).bernoulli_(0.3),
    "random_": lambda t, n, d: t.empty(n, dtype=d).random_(),
    "geometric_": lambda t, n, d: t.empty(n, dtype=d).geometric_(0.3),
    "transposed": lambda t, n, d: t.empty(3, n, dtype=d).t().normal_(),
    "sliced": lambda t, n, d: t.zeros(n, 4, dtype=d)[:, ::2].uniform_(),
}
OTHERS = {
    "exponential_": lambda t: t.empty(40, dtype=t.float64).exponential_(1.5),
    "complex": lambda t: t.randn(20, dtype=t.complex64),
    "randint": lambda t: t.randint(-5, 9, (40,)),
    "randint wide": lambda t: t.randint(2**28, (40,)),
    "randint all": lambda t: t.empty(9, dtype=t.int64).random_(-(2**63), None),
    "randperm": lambda t: t.randperm(100),
    "random_ int8": lambda t: t.empty(40, dtype=t.int8).random_(),
    "bernoulli": lambda t: t.bernoulli(t.linspace(0, 1, 11)),
    "normal": lambda t: t.normal(t.arange(20.0), t.ones(20) * 2),
    "multinomial": lambda t: t.multinomial(t.tensor([0.1, 0.2, 0.3, 0.4]), 3),
    "multinomial replaced": lambda t: t.multinomial(t.tensor([[0.1, 0.2, 0.7], [1, 0, 2]]), 9, True),
    "dropout": lambda t: t.nn.functional.dropout(t.arange(50.0), 0.3),
}


def assert_same_stream(draw):
    torch = importlib.import_module("torch")
    for library in (torch, leafgrad):
        library.manual_seed(42)
    # The numbers after it show that both took as many from the generator.
    for actual, expected in ((draw(leafgrad), draw(torch)), (leafgrad.rand(3), torch.rand(3))):
        assert str(actual.dtype) == str(expected.dtype) and actual.tolist() == expected.tolist()


@pytest.mark.parity
@pytest.mark.parametrize("n", [1, 3, 15, 16, 17, 40, 1000])
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", STREAMS)
def test_stream_is_that_of_pytorch(name, dtype, n):
    assert_same_stream(lambda t: STREAMS[name](t, n, getattr(t, dtype)))


@pytest.mark.parity
@pytest.mark.parametrize("name", OTHERS)
def test_other_streams_are_those_of_pytorch(name):
    assert_same_stream(OTHERS[name])


@pytest.mark.parity
def test_a_state_of_pytorch_can_be_continued():
    torch = importlib.import_module("torch")
    torch.manual_seed(3)
    torch.randn(5)
    leafgrad.set_rng_state(leafgrad.from_numpy(torch.get_rng_state().numpy()))
    assert leafgrad.randn(30).tolist() == torch.randn(30).tolist()
    assert leafgrad.get_rng_state().tolist() == torch.get_rng_state().tolist()
