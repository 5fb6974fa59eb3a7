"""Composite operators: values against NumPy, slopes against finite differences, forms, refusals."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

import leafgrad as torch

RNG = np.random.default_rng(3)
A, B, C = RNG.normal(size=(2, 3)), RNG.normal(size=(2, 3)), RNG.uniform(0.5, 2, size=(2, 3))
SPECIAL = np.array([1.0, np.nan, np.inf, -np.inf, 0.0])


def tensors(*arrays, **settings):
    return [torch.tensor(array, **settings) for array in arrays]


def same(result, expected):
    """`result`, a tensor or several, equals what NumPy gives."""
    if isinstance(expected, list | tuple):
        assert len(result) == len(expected)
        for each, wanted in zip(result, expected, strict=True):
            same(each, wanted)
        return
    expected = np.asarray(expected)
    assert tuple(result.shape) == expected.shape
    np.testing.assert_allclose(np.array(result.tolist()).reshape(expected.shape), expected, rtol=1e-12, atol=1e-12)


# ---- Shapes ----------------------------------------------------------------------------------------------------------

SHAPES = [(), (3,), (2, 3), (2, 3, 4)]


@pytest.mark.parametrize("name", ["atleast_1d", "atleast_2d", "atleast_3d"])
def test_at_least_so_many_dimensions(name):
    arrays = [np.arange(math.prod(shape), dtype=float).reshape(shape) for shape in SHAPES]
    for array in arrays:
        same(getattr(torch, name)(torch.tensor(array)), getattr(np, name)(array))
    same(getattr(torch, name)(*tensors(*arrays)), getattr(np, name)(*arrays))
    same(getattr(torch, name)(tensors(*arrays[:2])), getattr(np, name)(*arrays[:2]))


@pytest.mark.parametrize("name", ["hstack", "vstack", "dstack", "column_stack"])
@pytest.mark.parametrize("shape", SHAPES)
def test_stacks(name, shape):
    if name == "column_stack" and len(shape) == 0:
        arrays = [np.float64(1), np.float64(2)]
        same(torch.column_stack(tensors(*arrays)), [[1.0, 2.0]])
        return
    arrays = [RNG.normal(size=shape) for _ in range(3)]
    same(getattr(torch, name)(tensors(*arrays)), getattr(np, name)(arrays))
    out = torch.empty(0, dtype=torch.float64)
    assert getattr(torch, name)(tensors(*arrays), out=out) is out
    same(out, getattr(np, name)(arrays))


def test_stack_of_nothing_is_refused():
    for name in ("hstack", "vstack", "dstack"):
        with pytest.raises(RuntimeError, match="expects a non-empty TensorList"):
            getattr(torch, name)([])


def test_broadcasting_of_shapes_and_tensors():
    assert torch.broadcast_shapes((2, 1), (3,), 1) == (2, 3) and torch.broadcast_shapes() == ()
    with pytest.raises(RuntimeError, match="Attempting to broadcast a dimension of length 3 at -1!"):
        torch.broadcast_shapes((2,), (3,))
    a, b = torch.broadcast_tensors(torch.ones(3), torch.zeros(2, 1))
    assert a.shape == b.shape == (2, 3)


@pytest.mark.parametrize("indexing", ["ij", "xy"])
def test_meshgrid(indexing):
    vectors = [np.arange(2.0), np.arange(3.0), np.arange(4.0)]
    for count in (1, 2, 3):
        expected = np.meshgrid(*vectors[:count], indexing=indexing)
        same(torch.meshgrid(*tensors(*vectors[:count]), indexing=indexing), list(expected))
        same(torch.meshgrid(tensors(*vectors[:count]), indexing=indexing), list(expected))
    with pytest.raises(RuntimeError, match='indexing must be one of "xy" or "ij"'):
        torch.meshgrid(torch.ones(1), indexing="a")


def test_moving_and_swapping_dimensions():
    x, t = RNG.normal(size=(2, 3, 4)), None
    t = torch.tensor(x)
    for source, target in [(0, 2), (-1, 0), ((0, 1), (-1, 0)), ((2, 0), (0, 1))]:
        same(torch.movedim(t, source, target), np.moveaxis(x, source, target))
        same(t.moveaxis(source, target), np.moveaxis(x, source, target))
    same(t.swapaxes(0, -1), np.swapaxes(x, 0, -1))
    same(torch.swapdims(t, 1, 2), np.swapaxes(x, 1, 2))
    assert t.movedim(0, 1)._base is t
    with pytest.raises(RuntimeError, match="movedim: repeated dim"):
        t.movedim((0, 0), (1, 2))
    with pytest.raises(RuntimeError, match="movedim: Invalid source or destination dims"):
        t.movedim((0, 1), (0,))
    with pytest.raises(IndexError, match="Dimension out of range"):
        t.movedim(3, 0)


def test_turning_and_flipping():
    x = RNG.normal(size=(2, 3))
    t = torch.tensor(x)
    for k in range(-2, 6):
        same(torch.rot90(t, k), np.rot90(x, k))
        same(t.rot90(k, (1, 0)), np.rot90(x, k, (1, 0)))
    same(t.fliplr(), np.fliplr(x))
    same(t.flipud(), np.flipud(x))
    same(t.t().ravel(), x.T.ravel())
    same(torch.tensor([[1 + 2j, 3j]]).adjoint(), [[1 - 2j], [-3j]])


@pytest.mark.parametrize("dims", [(2,), (2, 1), (1, 2, 3), (0, 2)])
def test_tile(dims):
    same(torch.tensor(A).tile(dims), np.tile(A, dims))
    same(torch.tile(torch.tensor(A), dims), np.tile(A, dims))


def test_unflatten():
    t = torch.zeros(2, 12)
    assert t.unflatten(1, (3, -1)).shape == (2, 3, 4) and torch.unflatten(t, -1, (2, 2, 3)).shape == (2, 2, 2, 3)
    with pytest.raises(RuntimeError, match="unflatten: "):
        t.unflatten(1, (5, 2))
    with pytest.raises(RuntimeError, match="sizes must be non-empty"):
        t.unflatten(1, ())


def test_diagonals():
    v, m = torch.arange(3.0), torch.tensor(A)
    for k in (-1, 0, 2):
        same(torch.diag(v, k), np.diag(np.arange(3.0), k))
        same(m.diag(k), np.diag(A, k))
    expected = np.stack([np.diag(row, 1) for row in A])
    same(torch.diag_embed(m, 1), expected)
    same(m.diag_embed(1, 0, 2), np.moveaxis(expected, (1, 2), (0, 2)))
    leaf = torch.tensor(A, requires_grad=True)
    leaf.diag_embed().sum().backward()
    same(leaf.grad, np.ones_like(A))


# ---- Arithmetic ------------------------------------------------------------------------------------------------------


def test_add_products_and_quotients():
    a, b, c = tensors(A, B, C)
    same(torch.addcmul(a, b, c, value=0.5), A + 0.5 * B * C)
    same(a.addcdiv(b, c, value=2), A + 2 * B / C)
    x = a.clone()
    assert x.addcmul_(b, c) is x
    same(x, A + B * C)
    same(a.clone().addcdiv_(b, c, value=-1), A - B / C)
    with pytest.raises(RuntimeError, match="Integer division with addcdiv is no longer supported"):
        torch.addcdiv(a, torch.tensor([1]), torch.tensor([2]))


@pytest.mark.parametrize("weight", [0.0, 0.3, 0.5, 0.8, 1.0, -2.0])
def test_lerp(weight):
    a, b = tensors(A, B)
    expected = A + weight * (B - A)
    same(torch.lerp(a, b, weight), expected)
    same(a.lerp(b, torch.full((3,), weight, dtype=torch.float64)), expected)
    same(a.clone().lerp_(b, weight), expected)
    if weight in (0.0, 1.0):
        assert torch.equal(torch.lerp(a, b, weight), b if weight else a)
    with pytest.raises(RuntimeError, match="expected dtype"):
        torch.lerp(a, b.float(), weight)


def test_logit_and_its_forms():
    p = np.array([0.1, 0.5, 0.999])
    t = torch.tensor(p)
    same(torch.logit(t), np.log(p / (1 - p)))
    clipped = np.clip(p, 0.2, 0.8)
    same(t.logit(0.2), np.log(clipped / (1 - clipped)))
    twin = t.clone()
    assert twin.logit_() is twin
    same(twin, np.log(p / (1 - p)))


def test_out_is_refused_where_it_cannot_hold_or_record():
    with pytest.raises(RuntimeError, match="can't be cast to the desired output type"):
        torch.logit(torch.tensor([0.5]), out=torch.empty(1, dtype=torch.int64))
    with pytest.raises(RuntimeError, match="don't support automatic differentiation"):
        torch.logit(torch.tensor([0.5], requires_grad=True), out=torch.empty(1))


def test_nan_to_num():
    t = torch.tensor(SPECIAL)
    same(torch.nan_to_num(t), np.nan_to_num(SPECIAL))
    same(t.nan_to_num(5, 6, 7), [1, 5, 6, 7, 0])
    same(t.clone().nan_to_num_(), np.nan_to_num(SPECIAL))
    assert torch.tensor([1, 2]).nan_to_num().tolist() == [1, 2]


def test_xlogy_and_logaddexp():
    x, y = np.array([0.0, 0.0, 0.0, 2.0, 0.0]), np.array([0.0, -1.0, np.inf, 3.0, np.nan])
    same(torch.xlogy(*tensors(x, y)), [0, 0, 0, 2 * np.log(3), np.nan])
    same(torch.xlogy(2.0, torch.tensor(3.0, dtype=torch.float64)), 2 * np.log(3))
    a, b = np.array([1.0, -1e4, np.inf, -np.inf]), np.array([2.0, 1e4, np.inf, -np.inf])
    same(torch.logaddexp(*tensors(a, b)), np.logaddexp(a, b))


def test_degrees_and_limits():
    same(torch.deg2rad(torch.tensor(A)), np.deg2rad(A))
    same(torch.tensor(A).rad2deg_(), np.rad2deg(A))
    same(torch.tensor(A).clamp_min(0.1).clamp_max(0.5), np.clip(A, 0.1, 0.5))
    same(torch.tensor(A).clamp_min_(0.1), np.maximum(A, 0.1))


# ---- Comparison ------------------------------------------------------------------------------------------------------


def test_kinds_of_numbers():
    t = torch.tensor(SPECIAL)
    for name in ("isnan", "isinf", "isfinite", "isposinf", "isneginf", "isreal"):
        function = getattr(np, name)
        assert getattr(torch, name)(t).tolist() == function(SPECIAL).tolist(), name
        assert getattr(torch, name)(torch.tensor([1, 2])).tolist() == function(np.array([1, 2])).tolist(), name
    z = np.array([1 + 1j, complex(np.nan, 1), complex(1, np.inf), 2 + 0j])
    for name in ("isnan", "isinf", "isfinite", "isreal"):
        assert getattr(torch.tensor(z), name)().tolist() == getattr(np, name)(z).tolist(), name


def test_closeness():
    a = np.array([1.0, np.nan, np.inf, 1.0, -np.inf])
    b = np.array([1.0 + 1e-9, np.nan, np.inf, 1.1, np.inf])
    for equal_nan in (False, True):
        assert (
            torch.isclose(*tensors(a, b), equal_nan=equal_nan).tolist()
            == np.isclose(a, b, equal_nan=equal_nan).tolist()
        )
    assert torch.allclose(*tensors(A, A + 1e-9)) and not torch.allclose(*tensors(A, A + 1e-3))
    assert torch.tensor([10]).allclose(torch.tensor([11]), rtol=0.1) and not torch.tensor([10]).allclose(
        torch.tensor([12])
    )
    with pytest.raises(RuntimeError, match="rtol must be greater than or equal to zero"):
        torch.isclose(*tensors(A, B), rtol=-1.0)
    with pytest.raises(RuntimeError):
        torch.isclose(torch.ones(1), torch.ones(1, dtype=torch.float64))


def test_equality_of_tensors():
    a = torch.tensor(A)
    assert torch.equal(a, a.clone()) and not a.equal(a + 1) and not torch.equal(torch.ones(2), torch.ones(1, 2))


# ---- Reductions ------------------------------------------------------------------------------------------------------


def test_counting_and_sums_without_nan():
    x = np.array([[0.0, np.nan, 2.0], [0.0, 3.0, np.nan]])
    t = torch.tensor(x)
    assert torch.count_nonzero(t).item() == 4 and t.count_nonzero(1).tolist() == [2, 2]
    same(torch.nansum(t), np.nansum(x))
    same(t.nansum(1), np.nansum(x, 1))
    same(torch.nanmean(t, 0, keepdim=True), np.nanmean(x, 0, keepdims=True))
    leaf = torch.tensor(x, requires_grad=True)
    leaf.nansum().backward()
    same(leaf.grad, (~np.isnan(x)).astype(float))


def test_spread_and_mean_together():
    t = torch.tensor(A)
    same(torch.var_mean(t), [A.var(ddof=1), A.mean()])
    same(torch.std_mean(t, 1, keepdim=True), [A.std(1, ddof=1, keepdims=True), A.mean(1, keepdims=True)])
    same(torch.var_mean(t, (0, 1), correction=0), [A.var(), A.mean()])
    same(torch.std_mean(t, False), [A.std(), A.mean()])


@pytest.mark.parametrize("n", [0, 1, 2, 5])
@pytest.mark.parametrize("dim", [0, -1])
def test_differences(n, dim):
    x = RNG.normal(size=(3, 4))
    same(
        torch.diff(torch.tensor(x), n, dim), np.diff(x, n, dim) if n < x.shape[dim] else np.empty_like(x.take([], dim))
    )
    if n == 1:
        extra = x.take([0], dim)
        same(torch.tensor(x).diff(dim=dim, append=torch.tensor(extra)), np.diff(x, axis=dim, append=extra))
        assert torch.diff(torch.tensor([True, False, False])).tolist() == [True, False]


# ---- Products and distances ------------------------------------------------------------------------------------------


def test_trace_inner_kron():
    m = RNG.normal(size=(3, 4))
    same(torch.trace(torch.tensor(m)), np.trace(m))
    for a, b in [((3,), (3,)), ((2, 3), (3,)), ((2, 3), (4, 3)), ((), (2,))]:
        x, y = RNG.normal(size=a), RNG.normal(size=b)
        same(torch.inner(*tensors(x, y)), np.inner(x, y))
        same(torch.kron(*tensors(x, y)), np.kron(x, y))
    with pytest.raises(RuntimeError, match="trace: expected a matrix"):
        torch.trace(torch.ones(2))
    with pytest.raises(RuntimeError, match="the last dimension must match"):
        torch.inner(torch.ones(2), torch.ones(3))


def test_tensordot():
    x, y = RNG.normal(size=(2, 3, 4)), RNG.normal(size=(4, 3, 5))
    a, b = tensors(x, y)
    same(torch.tensordot(a, b, 1), np.tensordot(x, y, 1))
    same(torch.tensordot(a, b, ([1, 2], [1, 0])), np.tensordot(x, y, ([1, 2], [1, 0])))
    same(torch.tensordot(a, b, 0), np.tensordot(x, y, 0))
    with pytest.raises(RuntimeError, match="contracted dimensions need to match"):
        torch.tensordot(a, b, 2)


def test_sums_with_products():
    v, w, m = RNG.normal(size=3), RNG.normal(size=4), RNG.normal(size=(3, 4))
    same(torch.addmv(*tensors(v, m, w), beta=2, alpha=3), 2 * v + 3 * m @ w)
    same(torch.tensor(m).addr(*tensors(v, w)), m + np.outer(v, w))
    x, y, z = RNG.normal(size=(2, 3, 5)), RNG.normal(size=(2, 3, 4)), RNG.normal(size=(2, 4, 5))
    same(torch.baddbmm(*tensors(x, y, z), alpha=0.5), x + 0.5 * y @ z)
    same(torch.addbmm(*tensors(x[0], y, z)), x[0] + (y @ z).sum(0))
    same(torch.baddbmm(*tensors(np.full_like(x, np.nan), y, z), beta=0), y @ z)


def test_vandermonde():
    x = np.array([1.0, 2.0, -3.0])
    for columns, increasing in itertools.product([None, 0, 2, 5], [False, True]):
        same(torch.vander(torch.tensor(x), columns, increasing), np.vander(x, columns, increasing))


@pytest.mark.parametrize("p", [0.0, 1.0, 2.0, 3.0, math.inf])
def test_distances_between_rows(p):
    x, y = RNG.normal(size=(2, 4, 3)), RNG.normal(size=(5, 3))
    difference = np.abs(x[:, :, None] - y)
    if p == 0:
        expected = (difference != 0).sum(-1).astype(float)
    else:
        expected = difference.max(-1) if p == math.inf else (difference**p).sum(-1) ** (1 / p)
    same(torch.cdist(*tensors(x, y), p), expected)


def test_distance_of_equal_rows_has_slope_zero():
    x = torch.zeros(2, 3, requires_grad=True)
    torch.cdist(x, torch.zeros(1, 3)).sum().backward()
    assert x.grad.tolist() == [[0.0] * 3] * 2
    with pytest.raises(RuntimeError, match="same number of columns"):
        torch.cdist(torch.ones(1, 2), torch.ones(1, 3))


def test_cosines_and_pairwise_distances():
    a, b = tensors(A, B)
    dot = (A * B).sum(1) / np.linalg.norm(A, axis=1) / np.linalg.norm(B, axis=1)
    same(torch.cosine_similarity(a, b), dot)
    same(torch.cosine_similarity(a, b, dim=0), (A * B).sum(0) / np.sqrt((A**2).sum(0) * (B**2).sum(0)))
    assert torch.cosine_similarity(torch.zeros(1, 2), torch.ones(1, 2)).item() == 0
    same(torch.pairwise_distance(a, b, eps=0.0), np.linalg.norm(A - B, axis=1))


@pytest.mark.parametrize(
    ("function", "arrays"),
    [
        (lambda a, b, c: torch.addcdiv(a, b, c, value=2), (A, B, C)),
        (lambda a, b, c: torch.addcmul(a, b, c, value=2), (A, B, C)),
        (torch.lerp, (A, B, C / 3)),
        (lambda a: torch.lerp(a, 2 * a, 0.3), (A,)),
        (torch.logit, (C / 3,)),
        (torch.xlogy, (C, C + 1)),
        (torch.logaddexp, (A, B)),
        (torch.nansum, (A,)),
        (torch.kron, (A, B)),
        (torch.cdist, (A, B)),
        (torch.cosine_similarity, (A, B)),
        pytest.param(lambda a: torch.vander(a, 4), (A[0],), marks=pytest.mark.leafgrad_only),
        (lambda a, b: torch.tensordot(a, b, ([0], [0])), (A, B)),
        (torch.diff, (A,)),
        (torch.trace, (A,)),
        (lambda a: torch.var_mean(a, 1), (A,)),
        (lambda a, b: torch.hstack([a, b]), (A, B)),
    ],
)
def test_slopes_agree_with_finite_differences(function, arrays):
    assert torch.autograd.gradcheck(function, tuple(torch.tensor(array, requires_grad=True) for array in arrays))
