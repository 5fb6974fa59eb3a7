"""Copies and conversions: clone, contiguous, to, type, copy_, fill_, zero_ and detach."""

from __future__ import annotations

import numpy as np
import pytest

import leafgrad
from leafgrad import tensor

DTYPES = [
    "bool",
    "uint8",
    "int8",
    "int16",
    "int32",
    "int64",
    "float16",
    "float32",
    "float64",
    "complex64",
    "complex128",
]


@pytest.mark.parametrize("target", DTYPES)
@pytest.mark.parametrize("source", DTYPES)
@pytest.mark.filterwarnings("ignore:Casting complex")  # NumPy warns, and so does PyTorch
@pytest.mark.filterwarnings("ignore::numpy.exceptions.ComplexWarning")
def test_every_dtype_converts_to_every_other(source, target):
    values = np.array([0, 1, 2, 3, 100, 27, 0, 5] * 300, source)
    x = tensor(values)
    expected = values.astype(target)
    wanted = getattr(leafgrad, target)
    np.testing.assert_array_equal(x.to(wanted).numpy(), expected)
    np.testing.assert_array_equal(x[::3].to(wanted).numpy(), expected[::3])
    y = leafgrad.zeros(2, 2400, dtype=wanted)
    y[:, ::2] = x[::2]
    np.testing.assert_array_equal(y[1, ::2].numpy(), expected[::2])


def test_halves_round_to_nearest_even_and_keep_the_extremes():
    x = np.array([65504, 65519, 65520, 1e-8, 6e-8, 5.96e-8, 2049, 2051, -np.inf, 0.1], np.float32)
    with np.errstate(over="ignore"):
        np.testing.assert_array_equal(tensor(x).half().numpy(), x.astype(np.float16))
    every = np.arange(2**16, dtype=np.uint16).view(np.float16)
    np.testing.assert_array_equal(tensor(every).float().numpy(), every.astype(np.float32))
    assert tensor([1.00390625, 1.01171875]).bfloat16().tolist() == [1.0, 1.015625]  # both are ties


def test_numbers_out_of_an_integers_range_give_some_integer():
    x = tensor([float("nan"), 1e30, -1e30, float("inf")], dtype=leafgrad.float64)
    for name in ("int8", "int32", "int64", "uint8"):
        assert x.to(getattr(leafgrad, name)).shape == (4,)


def test_to_gives_the_tensor_itself_when_nothing_changes():
    x = leafgrad.ones(2)
    assert x.to(leafgrad.float32) is x and x.to("cpu") is x and x.float() is x and x.to(x) is x and x.cpu() is x
    assert x.to() is x and x.to(None) is x and x.type(leafgrad.float32) is x
    assert x.to(x, copy=True) is not x and x.to(leafgrad.float32, copy=True) is not x


def test_to_takes_dtype_device_and_another_tensor():
    x, i = leafgrad.ones(2), tensor([1])
    assert x.to(i).dtype == x.to(dtype=leafgrad.int64).dtype == x.to("cpu", leafgrad.int64).dtype == leafgrad.int64
    assert x.to("meta").is_meta and x.to(device="meta", dtype=leafgrad.float64).dtype == leafgrad.float64
    assert x.to(leafgrad.float64, True).dtype == leafgrad.float64
    with pytest.raises(NotImplementedError, match="no data"):
        x.to("meta").to("cpu")


def test_type_names_and_converts():
    x = leafgrad.ones(2)
    assert x.type() == "torch.FloatTensor" and tensor([1]).type() == "torch.LongTensor"
    assert x.type("torch.DoubleTensor").dtype == leafgrad.float64 and x.type_as(tensor([1])).dtype == leafgrad.int64
    with pytest.raises(ValueError, match="invalid type"):
        x.type("torch.NoTensor")


@pytest.mark.parametrize(
    ("method", "dtype"),
    [
        ("float", "float32"),
        ("double", "float64"),
        ("half", "float16"),
        ("bfloat16", "bfloat16"),
        ("int", "int32"),
        ("long", "int64"),
        ("short", "int16"),
        ("char", "int8"),
        ("byte", "uint8"),
        ("bool", "bool"),
        ("cfloat", "complex64"),
        ("cdouble", "complex128"),
    ],
)
def test_conversion_methods(method, dtype):
    assert getattr(tensor([0, 1]), method)().dtype == getattr(leafgrad, dtype)


def test_conversion_is_recorded_and_its_gradient_converted_back():
    x = leafgrad.ones(2, requires_grad=True)
    y = x.double()
    assert y.grad_fn.name() == "ToCopyBackward0"
    y.sum().backward()
    assert x.grad.dtype == leafgrad.float32 and x.grad.tolist() == [1.0, 1.0]
    assert not x.long().requires_grad


def test_clone_keeps_the_layout_and_contiguous_does_not():
    x = leafgrad.arange(6.0).reshape(2, 3).t()
    assert x.clone().stride() == x.stride() == (1, 3)
    assert x.contiguous().stride() == (2, 1) and x.contiguous().tolist() == x.tolist()
    assert x.clone(memory_format=leafgrad.contiguous_format).stride() == (2, 1)
    assert leafgrad.ones(3).expand(2, 3).clone().stride() == (3, 1)
    y = leafgrad.ones(2)
    assert y.contiguous() is y


def test_channels_last_orders_memory_by_channel():
    x = leafgrad.arange(120.0).reshape(2, 3, 4, 5)
    y = x.to(memory_format=leafgrad.channels_last)
    assert y.stride() == (60, 1, 15, 3) and leafgrad.equal(x, y)
    assert x.contiguous(memory_format=leafgrad.channels_last).stride() == (60, 1, 15, 3)
    assert (y + 1).stride() == y.stride()


@pytest.mark.parametrize("dtype", ["uint8", "int16", "float32", "float64", "complex128"])
@pytest.mark.parametrize("shape", [(2, 3), (16, 16), (100, 37), (5, 64, 33), (300, 400)])
def test_transposed_copies(shape, dtype):
    x = np.arange(np.prod(shape)).reshape(shape).astype(dtype)
    t = tensor(x)
    np.testing.assert_array_equal(t.transpose(-1, -2).contiguous().numpy(), x.swapaxes(-1, -2))
    y = leafgrad.zeros(shape[::-1], dtype=t.dtype)
    y.copy_(t.permute(*range(len(shape))[::-1]))
    np.testing.assert_array_equal(y.numpy(), x.transpose())


def test_copy_broadcasts_converts_and_counts_a_write():
    x = leafgrad.zeros(2, 3)
    assert x.copy_(tensor([1, 2, 3])) is x
    assert x.tolist() == [[1.0, 2.0, 3.0]] * 2 and x._version == 1
    x.copy_(5)
    assert x.sum().item() == 30.0
    with pytest.raises(RuntimeError, match="must match the size"):
        x.copy_(leafgrad.zeros(4))


def test_copy_moves_the_gradient_to_the_source():
    a, b = leafgrad.ones(3, requires_grad=True), leafgrad.ones(3, requires_grad=True)
    y = a * 2
    y.copy_(b * 3)
    y.sum().backward()
    assert a.grad.tolist() == [0.0] * 3 and b.grad.tolist() == [3.0] * 3
    z = leafgrad.zeros(2, 3)
    z[0].copy_(b)
    assert z.requires_grad and type(z.grad_fn).__name__ == "CopySlices"
    z.sum().backward()
    assert b.grad.tolist() == [4.0] * 3


def test_fill_and_zero_cut_the_gradient():
    a = leafgrad.ones(3, requires_grad=True)
    for write, name in ((lambda y: y.fill_(2.0), "FillBackward2"), (lambda y: y.zero_(), "ZeroBackward0")):
        y = write(a * 2)
        assert y.grad_fn.name() == name
        a.grad = None
        y.sum().backward()
        assert a.grad.tolist() == [0.0] * 3
    value = tensor(2.0, requires_grad=True)
    y = (a * 2).fill_(value)
    y.sum().backward()
    assert value.grad.item() == 3.0


def test_fill_refuses_what_the_dtype_cannot_hold():
    with pytest.raises(RuntimeError, match="without overflow"):
        leafgrad.ones(2).fill_(1j)
    with pytest.raises(RuntimeError, match="without overflow"):
        leafgrad.ones(2, dtype=leafgrad.int8).fill_(1000)
    with pytest.raises(RuntimeError, match="0-dimension value tensor"):
        leafgrad.ones(2).fill_(leafgrad.ones(2))


def test_detach_shares_memory_and_version_but_no_history():
    x = leafgrad.ones(2, requires_grad=True) * 2
    y = x.detach()
    assert not y.requires_grad and y.grad_fn is None and y.data_ptr() == x.data_ptr()
    y.add_(1)
    assert x._version == 1 and x.tolist() == [3.0, 3.0]
