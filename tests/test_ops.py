"""What every operator of the table must satisfy, whatever it computes."""

from __future__ import annotations

import importlib
import warnings

import numpy as np
import pytest
from ops import OPS
from optable import COMPLEX, INTEGRAL, Sample, X

import leafgrad
from leafgrad.autograd import gradcheck, gradgradcheck

TOLERANCE = {
    "float32": 2e-5,
    "float64": 1e-10,
    "float16": 4e-3,
    "bfloat16": 3e-2,
    "complex64": 1e-4,
    "complex128": 1e-10,
}


def cases(keep=lambda op: True, dtypes=None, samples=lambda op: op.samples):
    """Parametrizes a test over (op, sample, dtype)."""
    chosen = [
        pytest.param(op, sample, dtype, id=f"{op.name}-{dtype}-{sample}")
        for op in OPS
        if keep(op)
        for dtype in (op.dtypes if dtypes is None else [d for d in dtypes if d in op.dtypes])
        for sample in samples(op)
    ]
    return pytest.mark.parametrize(("op", "sample", "dtype"), chosen)


def to_numpy(tensor):
    """Values as NumPy has them; bfloat16, which it lacks, as float32."""
    tensor = tensor.detach()
    return (tensor.float() if tensor.dtype == leafgrad.bfloat16 else tensor).numpy()


def parts(result):
    """The tensors of a result."""
    return list(result) if isinstance(result, (tuple, list)) else [result]


def differentiable_parts(op, kwargs):
    """The operator as gradcheck wants it: positional tensors in, inexact tensors out."""

    def function(*args):
        results = [r for r in parts(op.function(leafgrad)(*args, **kwargs)) if r.requires_grad]
        return results[0] if len(results) == 1 else tuple(results)

    return function


def assert_near(actual, expected, rtol, message=""):
    """Equal within a tolerance, shape and dtype exactly."""
    for a, b in zip(parts(actual), parts(expected), strict=True):
        assert a.dtype == b.dtype and a.shape == b.shape, message
        np.testing.assert_allclose(to_numpy(a), to_numpy(b), rtol=rtol, atol=rtol, err_msg=message)


@cases(lambda op: op.ref is not None)
def test_value_is_that_of_the_reference(op, sample, dtype):
    actual = op.function(leafgrad)(*sample.inputs(dtype, leafgrad), **sample.kwargs)
    floating = any(a.is_floating_point() for a in parts(actual))

    def widened(a):
        """NumPy should compute in double precision, but on integers only where we give floats."""
        if not isinstance(a, np.ndarray) or a.dtype.kind == "c":
            return a.astype(np.complex128) if isinstance(a, np.ndarray) else a
        return a.astype(np.float64) if a.dtype.kind == "f" or (floating and a.dtype == dtype) else a

    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        expected = op.ref(*map(widened, sample.arrays(dtype)), **sample.kwargs)
    rtol = TOLERANCE.get(dtype, 2e-5) * op.rtol
    for a, e in zip(parts(actual), parts(expected), strict=True):
        values, e = to_numpy(a), np.asarray(e)
        assert values.shape == e.shape
        if values.dtype.kind in "iu" and e.dtype.kind in "iu":
            e = e.astype(values.dtype)  # wraps
        np.testing.assert_allclose(values, e, rtol=rtol, atol=rtol)


@cases(lambda op: op.grad, ["float64"])
def test_vjp_agrees_with_finite_differences(op, sample, dtype):
    assert gradcheck(differentiable_parts(op, sample.kwargs), sample.inputs(dtype, leafgrad, requires_grad=True))


@cases(lambda op: op.grad and op.complex_grad, ["complex128"])
def test_complex_vjp_agrees_with_finite_differences(op, sample, dtype):
    assert gradcheck(differentiable_parts(op, sample.kwargs), sample.inputs(dtype, leafgrad, requires_grad=True))


@cases(lambda op: op.grad and op.gradgrad, ["float64"])
def test_second_derivative_agrees_with_finite_differences(op, sample, dtype):
    assert gradgradcheck(differentiable_parts(op, sample.kwargs), sample.inputs(dtype, leafgrad, requires_grad=True))


def strided(tensor):
    """The same values, every dimension a stride apart."""
    wide = leafgrad.zeros([2 * n for n in tensor.shape], dtype=tensor.dtype)
    view = wide[tuple(slice(None, None, 2) for _ in tensor.shape)]
    return view.copy_(tensor)


def permuted(tensor):
    """The same values, dimensions in reverse order in memory."""
    order = list(range(tensor.dim()))[::-1]
    return tensor.permute(order).contiguous().permute(order)


# Enough to see a kind of element each: float, integer, bool, complex, and the halves that have no loops of their own.
KINDS = ("float32", "bfloat16", "int64", "bool", "complex64")


@cases(lambda op: op.any_layout, KINDS)
def test_layout_of_the_inputs_does_not_matter(op, sample, dtype):
    function = op.function(leafgrad)
    inputs = sample.inputs(dtype, leafgrad)
    expected = function(*inputs, **sample.kwargs)
    for layout in (strided, permuted):
        others = [layout(a) if isinstance(a, leafgrad.Tensor) else a for a in inputs]
        # Sums may come in another order, and PyTorch's own tails in another rounding.
        assert_near(function(*others, **sample.kwargs), expected, TOLERANCE.get(dtype, 0) / 10, layout.__name__)


@cases(lambda op: op.pointwise, KINDS, samples=lambda op: [s for s in op.samples[:1]])
@pytest.mark.parametrize("shape", [(), (0,), (3, 0, 2), (2, 1, 3)], ids=str)
def test_pointwise_op_takes_any_shape(op, sample, dtype, shape):
    inputs = sample.tensors_as(shape).inputs(dtype, leafgrad)
    result = op.function(leafgrad)(*inputs, **sample.kwargs)
    assert result.shape == shape
    whole = op.function(leafgrad)(
        *(a.expand(2, *shape) if isinstance(a, leafgrad.Tensor) else a for a in inputs), **sample.kwargs
    )
    assert_near(whole[1], result, 1e-6)


def has_inplace(op):
    return op.inplace and hasattr(leafgrad.Tensor, op.name + "_")


def fits_in_place(sample, result, first):
    return (
        isinstance(sample.args[0], X) and result.shape == first.shape and leafgrad.can_cast(result.dtype, first.dtype)
    )


@cases(has_inplace, KINDS)
def test_inplace_form_gives_the_same(op, sample, dtype):
    inputs = sample.inputs(dtype, leafgrad)
    expected = op.function(leafgrad)(*inputs, **sample.kwargs)
    first, *rest = inputs
    if not fits_in_place(sample, expected, first):
        pytest.skip("the result does not fit into the first input")
    version, storage = first._version, first.data_ptr()
    result = getattr(first, op.name + "_")(*rest, **sample.kwargs)
    assert result is first and first.data_ptr() == storage and first._version == version + 1
    assert_near(first, expected.to(first.dtype), 1e-6)


@cases(lambda op: has_inplace(op) and op.grad, ["float64"])
def test_inplace_form_has_the_same_gradient(op, sample, dtype):
    def gradients(apply):
        inputs = sample.inputs(dtype, leafgrad, requires_grad=True)
        result = apply(inputs)
        tensors = [a for a in inputs if isinstance(a, leafgrad.Tensor) and a.requires_grad]
        return leafgrad.autograd.grad(result, tensors, leafgrad.ones_like(result) / 3, allow_unused=True)

    first = sample.inputs(dtype, leafgrad)[0]
    value = op.function(leafgrad)(*sample.inputs(dtype, leafgrad), **sample.kwargs)
    if not fits_in_place(sample, value, first):
        pytest.skip("the result does not fit into the first input")
    expected = gradients(lambda inputs: op.function(leafgrad)(*inputs, **sample.kwargs))

    def on_a_clone(inputs):
        return getattr(inputs[0].clone(), op.name + "_")(*inputs[1:], **sample.kwargs)

    def on_a_view(inputs):
        base = leafgrad.stack([inputs[0], inputs[0]])
        getattr(base[1], op.name + "_")(*inputs[1:], **sample.kwargs)
        return base[1]

    for way in (on_a_clone, on_a_view):
        for a, b in zip(gradients(way), expected, strict=True):
            if b is None or a is None:
                assert (a is None or not a.any()) and (b is None or not b.any())
            else:
                assert_near(a + 0, b + 0, 1e-12, way.__name__)  # + 0: PyTorch's lazy zeros become real ones


@cases(lambda op: op.grad, ["float32"])
def test_nothing_is_recorded_under_no_grad(op, sample, dtype):
    inputs = sample.inputs(dtype, leafgrad, requires_grad=True)
    with leafgrad.no_grad():
        results = parts(op.function(leafgrad)(*inputs, **sample.kwargs))
    # A view of a leaf goes on saying that it requires grad, as in PyTorch.
    assert all((r.grad_fn is None and (r._is_view() or not r.requires_grad)) or r is inputs[0] for r in results)


@cases(dtypes=KINDS)
def test_meta_tensors_get_the_same_shape_and_dtype(op, sample, dtype):
    expected = op.function(leafgrad)(*sample.inputs(dtype, leafgrad), **sample.kwargs)
    try:
        actual = op.function(leafgrad)(*sample.inputs(dtype, leafgrad, device="meta"), **sample.kwargs)
    except NotImplementedError:
        pytest.skip("the shape depends on the values")
    for a, e in zip(parts(actual), parts(expected), strict=True):
        assert a.is_meta and a.shape == e.shape and a.dtype == e.dtype


# ---- PyTorch's answer

IMPRECISE = {"float16": 4e-3, "bfloat16": 3e-2}


def torch_call(op, sample, dtype, requires_grad=False):
    """PyTorch's result and inputs, or a skip where it cannot."""
    torch = importlib.import_module("torch")
    inputs = sample.inputs(dtype, torch, requires_grad=requires_grad)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return op.function(torch)(*inputs, **sample.kwargs), inputs
    except (RuntimeError, TypeError) as error:
        pytest.skip(f"PyTorch: {str(error)[:80]}")


def steps(tensor):
    """The strides that lead from one element to another."""
    return [step for size, step in zip(tensor.shape, tensor.stride(), strict=True) if size > 1 and tensor.numel()]


@pytest.mark.parity
@cases(lambda op: op.parity)
def test_value_dtype_and_strides_are_those_of_pytorch(op, sample, dtype):
    expected, _ = torch_call(op, sample, dtype)
    actual = op.function(leafgrad)(*sample.inputs(dtype, leafgrad), **sample.kwargs)
    rtol = TOLERANCE.get(dtype, 2e-5) * op.rtol
    for a, e in zip(parts(actual), parts(expected), strict=True):
        assert str(a.dtype) == str(e.dtype) and tuple(a.shape) == tuple(e.shape) and steps(a) == steps(e)
        e = e.detach().resolve_conj()
        e = (e.float() if str(e.dtype) == "torch.bfloat16" else e).numpy()
        np.testing.assert_allclose(to_numpy(a), e, rtol=rtol, atol=rtol)


@pytest.mark.parity
@cases(lambda op: op.parity and op.grad, ["float32", "complex64"])
def test_gradient_and_node_are_those_of_pytorch(op, sample, dtype):
    if dtype in COMPLEX and not op.complex_grad:
        pytest.skip("no complex derivative")
    expected, torch_inputs = torch_call(op, sample, dtype, requires_grad=True)
    inputs = sample.inputs(dtype, leafgrad, requires_grad=True)
    actual = op.function(leafgrad)(*inputs, **sample.kwargs)
    for a, e in zip(parts(actual), parts(expected), strict=True):
        assert a.requires_grad == e.requires_grad and a.is_leaf == e.is_leaf
        if e.grad_fn is None:
            continue
        assert a.grad_fn.name() == e.grad_fn.name()
        a.backward(leafgrad.ones_like(a) / 3, retain_graph=True)
        e.backward(e.new_ones(e.shape) / 3, retain_graph=True)
    for a, e in zip(inputs, torch_inputs, strict=True):
        if getattr(a, "requires_grad", False):
            assert (a.grad is None) == (e.grad is None)
            if a.grad is not None:
                assert str(a.grad.dtype) == str(e.grad.dtype)
                np.testing.assert_allclose(to_numpy(a.grad), (e.grad + 0).resolve_conj().numpy(), rtol=1e-4, atol=1e-5)


@pytest.mark.parity
@cases(lambda op: op.parity, (*INTEGRAL, "bool", "float32"), samples=lambda op: op.samples[:1])
def test_what_pytorch_refuses_is_refused(op, sample, dtype):
    torch = importlib.import_module("torch")
    other = "bool" if dtype == "int64" else "complex64" if dtype == "float32" else dtype
    call = Sample(
        tuple(X(a.shape, a.low, a.high, a.dtype) if isinstance(a, X) else a for a in sample.args), sample.kwargs
    )
    try:
        op.function(torch)(*call.inputs(other, torch), **call.kwargs)
    except (RuntimeError, TypeError, ValueError) as error:
        kind = type(error)
    else:
        return
    with pytest.raises(Exception) as raised:
        op.function(leafgrad)(*call.inputs(other, leafgrad), **call.kwargs)
    assert issubclass(raised.type, kind) or issubclass(kind, raised.type)
