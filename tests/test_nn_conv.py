"""Convolution and pooling beyond the op table: the fast ways against the plain one, refusals, layers, NaN and ties."""

from __future__ import annotations

import importlib

import numpy as np
import pytest
from support import assert_near, refuses

import leafgrad as torch
from leafgrad import nn
from leafgrad.nn import functional as F


def gradients(dtype, x, w, g, **options):
    """Output and both gradients of a convolution, computed in `dtype`."""
    x, w, g = (torch.tensor(a, dtype=dtype) for a in (x, w, g))
    x.requires_grad_()
    w.requires_grad_()
    y = F.conv2d(x, w, **options)
    y.backward(g)
    return [a.detach().numpy() for a in (y, x.grad, w.grad)]


# Input, weight, options: 3x3 convolutions that Winograd's algorithm takes, with odd sizes and paddings; then what it
# does not take, in float32 all the same.
FAST = [
    ((33, 16, 8, 8), (16, 16, 3, 3), {"padding": 1}),
    ((30, 16, 9, 7), (20, 16, 3, 3), {"padding": 1}),
    ((7, 33, 13, 30), (17, 33, 3, 3), {}),
    ((140, 16, 4, 4), (16, 16, 3, 3), {"padding": 1}),
    ((1, 16, 70, 65), (16, 16, 3, 3), {"padding": 2}),
    ((2, 64, 32, 32), (64, 64, 3, 3), {"padding": 1}),
    ((4, 3, 32, 32), (32, 3, 3, 3), {"padding": 1}),
    ((2, 32, 17, 17), (32, 32, 3, 3), {"padding": 1, "stride": 2}),
    ((2, 32, 17, 17), (32, 1, 3, 3), {"padding": 1, "groups": 32}),
    ((2, 32, 17, 17), (64, 1, 3, 5), {"padding": 1, "groups": 32, "stride": 2}),
    ((2, 40, 12, 12), (24, 40, 1, 1), {}),
    ((3, 70, 40, 37), (33, 70, 3, 5), {"padding": 1}),
]


@pytest.mark.parametrize(("image", "kernel", "options"), FAST, ids=str)
def test_float32_is_as_near_to_double_precision_as_stated(image, kernel, options):
    random = np.random.default_rng(0)
    x, w = random.standard_normal(image), random.standard_normal(kernel)
    g = random.standard_normal(tuple(F.conv2d(torch.tensor(x), torch.tensor(w), **options).shape))
    exact = gradients(torch.float64, x, w, g, **options)
    for value, reference in zip(gradients(torch.float32, x, w, g, **options), exact, strict=True):
        assert np.abs(value - reference).max() <= 2e-5 * np.abs(reference).max()


@pytest.mark.leafgrad_only
@pytest.mark.parametrize(("image", "kernel", "options"), FAST[2:10:3], ids=str)
def test_bits_do_not_depend_on_the_number_of_threads(image, kernel, options):
    random = np.random.default_rng(0)
    x, w = random.standard_normal(image), random.standard_normal(kernel)
    g = random.standard_normal(tuple(F.conv2d(torch.tensor(x), torch.tensor(w), **options).shape))
    before = torch.get_num_threads()
    results = []
    try:
        for threads in (1, 2, 5, 1):
            torch.set_num_threads(threads)
            results.append(gradients(torch.float32, x, w, g, **options))
    finally:
        torch.set_num_threads(before)
    for other in results[1:]:
        for a, b in zip(results[0], other, strict=True):
            np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("bad", [np.inf, np.nan, 1e38], ids=str)
def test_infinity_stays_within_its_windows(bad):
    x = np.ones((15, 16, 12, 12), np.float32)
    x[0, 3, 5, 5] = bad
    w = np.ones((16, 16, 3, 3), np.float32)
    y, _, dw = gradients(torch.float32, x, w, np.full((15, 16, 12, 12), 1e-3, np.float32), padding=1)
    expected, _, expected_dw = gradients(torch.float64, x, w, np.full((15, 16, 12, 12), 1e-3), padding=1)
    np.testing.assert_allclose(y, expected, rtol=1e-4)
    np.testing.assert_allclose(dw, expected_dw, rtol=1e-4)
    assert np.isfinite(y).sum() >= 16 * (15 * 144 - 9)


def test_gradient_of_a_strided_layout_is_that_of_a_contiguous_one():
    x = torch.randn(2, 6, 6, 3).permute(0, 3, 1, 2)
    w = torch.randn(4, 3, 3, 3)
    torch.testing.assert_close(F.conv2d(x, w), F.conv2d(x.contiguous(), w))


@pytest.mark.leafgrad_only  # some of what is refused here PyTorch takes, or calls by other words
def test_bad_convolutions_are_refused():
    x, w = torch.ones(2, 4, 8, 8), torch.ones(6, 4, 3, 3)

    def says(text, *args, **kwargs):
        refuses(RuntimeError, lambda: F.conv2d(*args, **kwargs), match=text)

    says("to have 3 channels, but got 4 channels instead", x, torch.ones(6, 3, 3, 3))
    says("Kernel size can't be greater than actual input size", torch.ones(2, 4, 2, 2), w)
    says("to have 8 channels, but got 4", x, w, groups=2)
    says("divisible by 2 at dimension 0", x, torch.ones(3, 2, 3, 3), groups=2)
    says("at least 1 at dimension 0", x, torch.ones(0, 4, 3, 3))
    says("non-positive stride is not supported", x, w, stride=0)
    says("negative padding is not supported", x, w, padding=-1)
    says("non-positive dilation is not supported", x, w, dilation=0)
    says("non-positive groups is not supported", x, w, groups=0)
    says("non-positive groups is not supported", x, w, groups=-1)
    says(r"Expected 3D \(unbatched\) or 4D \(batched\) input to conv2d", torch.ones(8, 8), w)
    says("dimensions", x, torch.ones(6, 4, 3))
    says("expected bias to be 1-dimensional with 6 elements", x, w, torch.ones(3))
    says("expected bias to be 1-dimensional", x, w, torch.ones(6, 1))
    says("expected scalar type Double but found Float", x.double(), w)
    says("should be the same", x, w, torch.ones(6).double())
    says("padding='same' is not supported for strided convolutions", x, w, padding="same", stride=2)
    says("Invalid padding string", x, w, padding="some")
    says("expected stride to be a single integer value or a list of 2 values", x, w, stride=(1, 1, 1))
    says("Only zero batch or zero channel inputs", torch.ones(2, 4, 0, 8), w, padding=2)
    says("not implemented for 'Long'", x.long(), w.long())
    says("too large", x, w, dilation=2**62)
    says("too large", x, w, padding=2**62)


@pytest.mark.leafgrad_only  # some of what is refused here PyTorch takes, or calls by other words
def test_bad_transposed_convolutions_are_refused():
    x, w = torch.ones(2, 4, 8, 8), torch.ones(4, 6, 3, 3)

    def says(text, *args, **kwargs):
        refuses(RuntimeError, lambda: F.conv_transpose2d(*args, **kwargs), match=text)

    says("output padding must be smaller than either stride or dilation", x, w, output_padding=1)
    says("negative output_padding is not supported", x, w, output_padding=-1)
    says("to have 3 channels, but got 4", x, torch.ones(3, 6, 3, 3))
    says("divisible by 3 at dimension 0", x, w, groups=3)
    says("expected bias to be 1-dimensional with 6", x, w, torch.ones(4))
    says("Output size is too small", x, w, padding=20)
    says("too large", x, w, stride=2**62)


@pytest.mark.leafgrad_only  # some of what is refused here PyTorch takes, or calls by other words
def test_bad_pooling_is_refused():
    x = torch.ones(2, 3, 8, 8)
    for pool in (F.max_pool2d, F.avg_pool2d):

        def says(text, *args, pool=pool, **kwargs):
            refuses(RuntimeError, lambda: pool(*args, **kwargs), match=text)

        says("stride should not be zero", x, 0)
        says("stride should not be zero", x, 2, 0)
        says("stride should be greater than zero", x, 2, -1)
        says("pad should be at most half of effective kernel size", x, 2, padding=2)
        says("pad must be non-negative", x, 2, padding=-1)
        says("Output size is too small", x, 9)
        says("must either be a single int, or a tuple of two ints", x, (2, 2, 2))
        says("3D or 4D", torch.ones(8, 8), 2)
        says("non-zero size for non-batch dimensions", torch.ones(2, 0, 8, 8), 2)
    refuses(RuntimeError, lambda: F.max_pool2d(x, 2, dilation=0), match="dilation should be greater than zero")
    refuses(RuntimeError, lambda: F.avg_pool2d(x, 2, divisor_override=0), match="divisor must be not zero")
    refuses(NotImplementedError, lambda: F.max_pool2d(x.bool(), 2), match="not implemented for 'Bool'")
    refuses(RuntimeError, lambda: F.max_pool1d(x[0], 2, padding=2), match="at most half of kernel size")
    refuses(RuntimeError, lambda: F.adaptive_avg_pool2d(x, -1), match="greater than or equal to 0")
    refuses(RuntimeError, lambda: F.adaptive_avg_pool2d(x, (3, 3, 3)), match="output_size must be 2")
    refuses(RuntimeError, lambda: F.adaptive_max_pool2d(torch.ones(8, 8), 3), match="3D or 4D")


@pytest.mark.leafgrad_only  # some of what is refused here PyTorch takes, or calls by other words
def test_bad_windows_as_columns_are_refused():
    x = torch.ones(2, 3, 8, 8)
    refuses(RuntimeError, lambda: F.unfold(x, 9), match="must be at least one")
    refuses(RuntimeError, lambda: F.unfold(x, 0), match="greater than zero")
    refuses(RuntimeError, lambda: F.unfold(torch.ones(8, 8), 2), match="Expected 3D or 4D")
    refuses(RuntimeError, lambda: F.fold(torch.ones(2, 26, 36), (8, 8), 3), match="divisible by the product")
    refuses(RuntimeError, lambda: F.fold(torch.ones(2, 27, 35), (8, 8), 3), match="number of sliding blocks 6 . 6 = 36")


def test_bad_unpooling_is_refused():
    x, places = torch.ones(2, 3, 4, 4), torch.zeros(2, 3, 4, 4, dtype=torch.int64)
    refuses(RuntimeError, lambda: F.max_unpool2d(x, places + 99, 2), match="Found an invalid max index: 99")
    refuses(RuntimeError, lambda: F.max_unpool2d(x, places[:1], 2), match="Expected shape of indices")
    refuses(RuntimeError, lambda: F.max_unpool2d(x, places.int(), 2), match="should be type int64")
    refuses(ValueError, lambda: F.max_unpool2d(x, places, 2, output_size=(20, 20)), match="must be between 6 and 10")


def test_bad_padding_is_refused():
    x = torch.ones(2, 3, 4)
    refuses(RuntimeError, lambda: F.pad(x, (4, 1), "reflect"), match="less than the corresponding input dimension")
    refuses(RuntimeError, lambda: F.pad(x, (5, 1), "circular"), match="wrapping around more than once")
    refuses(RuntimeError, lambda: F.pad(x, (1, 1, 1)), match="divisible by 2")
    refuses(RuntimeError, lambda: F.pad(x, (1, 1) * 4), match="two times the input dimension")
    refuses(RuntimeError, lambda: F.pad(x, (-3, -3)), match="negative")
    refuses(RuntimeError, lambda: F.pad(x, (1, 1), "reflect", 2), match="doesn't take in value")
    refuses(NotImplementedError, lambda: F.pad(x, (1, 1), "mirror"), match="Unrecognised padding mode mirror")
    refuses(NotImplementedError, lambda: F.pad(torch.ones(2, 3, 4, 5), (1, 1), "reflect"), match="not supported")


def test_maximum_counts_the_last_nan_and_the_first_of_equals():
    x = torch.tensor([[[1.0, 1.0, 0.0, torch.nan], [1.0, 1.0, torch.nan, 0.0]]])
    values, places = F.max_pool2d(x, 2, return_indices=True)
    assert_near(values, [[[1.0, np.nan]]])
    assert places.tolist() == [[[0, 6]]]
    x.requires_grad_()
    F.max_pool2d(x, 2).sum().backward()  # the way that keeps a byte each
    assert x.grad.tolist() == [[[1, 0, 0, 0], [0, 0, 1, 0]]]


def test_maximum_of_minus_infinity_is_found():
    x = torch.full((1, 4, 4), -torch.inf, requires_grad=True)
    values, places = F.max_pool2d(x, 3, 2, 1, return_indices=True)
    assert (values == -torch.inf).all() and places.tolist() == [[[0, 1], [4, 5]]]


@pytest.mark.parametrize("width", [2, 34, 2048, 2050, 4100])
def test_halving_takes_images_of_any_width(width):
    x = torch.randint(-2, 3, (2, 6, width)).double().requires_grad_()
    y = F.max_pool2d(x, 2)
    blocks = x.detach().numpy().reshape(2, 3, 2, width // 2, 2).transpose(0, 1, 3, 2, 4).reshape(2, 3, -1, 4)
    assert_near(y, blocks.max(-1))
    y.backward(torch.arange(y.numel()).reshape(y.shape).double())
    spread = np.where(np.arange(4) == blocks.argmax(-1)[..., None], np.arange(y.numel()).reshape(*y.shape, 1), 0)
    assert_near(x.grad, spread.reshape(2, 3, -1, 2, 2).transpose(0, 1, 3, 2, 4).reshape(2, 6, width))


def test_integer_pooling():
    x = torch.arange(16).reshape(1, 4, 4)
    assert F.max_pool2d(x, 2).tolist() == [[[5, 7], [13, 15]]]
    assert F.avg_pool2d(x, 2).tolist() == [[[2, 4], [10, 12]]]  # truncated


def test_unpooling_undoes_pooling():
    x = torch.randn(2, 3, 8, 6, requires_grad=True)
    values, places = F.max_pool2d(x, 2, return_indices=True)
    back = F.max_unpool2d(values, places, 2)
    assert torch.equal(F.max_pool2d(back, 2), values.clamp(min=0)) and back.shape == x.shape
    back.sum().backward()
    assert x.grad.sum() == values.numel()


def test_layers_give_what_their_functions_give():
    x = torch.randn(2, 4, 9, 9)
    for padding_mode in ("reflect", "replicate", "circular"):
        layer = nn.Conv2d(4, 6, 3, padding=(1, 2), padding_mode=padding_mode)
        padded = F.pad(x, (2, 2, 1, 1), padding_mode)
        assert torch.equal(layer(x), F.conv2d(padded, layer.weight, layer.bias))
    layer = nn.ConvTranspose2d(4, 6, 3, stride=2)
    assert layer(x, output_size=(20, 19)).shape == (2, 6, 20, 19)
    refuses(ValueError, lambda: layer(x, output_size=(40, 19)), match="requested an output size")
    refuses(ValueError, lambda: nn.Conv2d(4, 6, 3, groups=3), match="in_channels must be divisible by groups")
    refuses(ValueError, lambda: nn.Conv2d(3, 4, 3, groups=3), match="out_channels must be divisible by groups")
    refuses(ValueError, lambda: nn.Conv2d(4, 6, 3, groups=0), match="groups must be a positive integer")
    refuses(ValueError, lambda: nn.Conv2d(4, 6, 3, padding="some"), match="Invalid padding string")
    refuses(ValueError, lambda: nn.Conv2d(4, 6, 3, padding="same", stride=2), match="strided convolutions")
    refuses(ValueError, lambda: nn.Conv2d(4, 6, 3, padding_mode="mirror"), match="padding_mode must be one of")
    refuses(ValueError, lambda: nn.ConvTranspose2d(4, 6, 3, padding_mode="reflect"), match='Only "zeros" padding mode')


# Layer, its arguments, the input's shape.
LAYERS = [
    ("Conv1d", (4, 6, 3), {"stride": 2, "padding": 1}, (2, 4, 9)),
    ("Conv2d", (4, 6, 3), {"padding": "same", "padding_mode": "circular"}, (2, 4, 7, 8)),
    ("Conv2d", (4, 6, (3, 2)), {"groups": 2, "bias": False, "dilation": 2}, (4, 7, 8)),
    ("Conv3d", (2, 3, 2), {"padding": (1, 0, 1)}, (2, 2, 4, 5, 4)),
    ("ConvTranspose1d", (4, 6, 3), {"stride": 2, "output_padding": 1}, (2, 4, 9)),
    ("ConvTranspose2d", (4, 6, 3), {"groups": 2, "padding": 1, "dilation": 2}, (2, 4, 7, 8)),
    ("ConvTranspose3d", (2, 3, 2), {"bias": False}, (2, 2, 4, 5, 4)),
    ("MaxPool1d", (2,), {}, (2, 4, 9)),
    ("MaxPool2d", (3, 2), {"padding": 1, "ceil_mode": True}, (2, 4, 7, 8)),
    ("MaxPool3d", ((2, 1, 2),), {}, (2, 2, 4, 5, 4)),
    ("AvgPool1d", (2,), {"padding": 1}, (2, 4, 9)),
    ("AvgPool2d", (3, 2), {"count_include_pad": False}, (2, 4, 7, 8)),
    ("AvgPool3d", (2,), {"divisor_override": 3}, (2, 2, 4, 5, 4)),
    ("LPPool1d", (2, 3), {}, (2, 4, 9)),
    ("LPPool2d", (3, (3, 2)), {"stride": 1}, (2, 4, 7, 8)),
    ("LPPool3d", (2, 2), {}, (2, 2, 4, 5, 4)),
    ("AdaptiveAvgPool1d", (4,), {}, (2, 4, 9)),
    ("AdaptiveAvgPool2d", ((None, 3),), {}, (2, 4, 7, 8)),
    ("AdaptiveAvgPool3d", (2,), {}, (2, 2, 4, 5, 4)),
    ("AdaptiveMaxPool1d", (4,), {}, (2, 4, 9)),
    ("AdaptiveMaxPool2d", (3,), {}, (2, 4, 7, 8)),
    ("AdaptiveMaxPool3d", ((1, 2, 3),), {}, (2, 2, 4, 5, 4)),
    ("Unfold", (2,), {"padding": 1}, (2, 4, 7, 8)),
    ("Fold", ((5, 4), 2), {}, (2, 12, 12)),
]


@pytest.mark.parity
@pytest.mark.parametrize(("name", "args", "options", "shape"), LAYERS, ids=[str(row[:3]) for row in LAYERS])
def test_layer_starts_prints_and_computes_as_pytorch_does(name, args, options, shape):
    theirs = importlib.import_module("torch")
    torch.manual_seed(3)
    theirs.manual_seed(3)
    layer, other = getattr(nn, name)(*args, **options), getattr(theirs.nn, name)(*args, **options)
    assert repr(layer) == repr(other)
    assert list(layer.state_dict()) == list(other.state_dict())
    for a, b in zip(layer.parameters(), other.parameters(), strict=True):
        np.testing.assert_array_equal(a.detach().numpy(), b.detach().numpy())
    x = np.random.default_rng(1).standard_normal(shape).astype(np.float32)
    np.testing.assert_allclose(
        layer(torch.tensor(x)).detach().numpy(), other(theirs.tensor(x)).detach().numpy(), rtol=1e-4, atol=1e-5
    )
