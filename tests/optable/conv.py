"""Convolutions, pooling, unfolding and padding, by their definitions: a sum or a maximum over each window."""

from __future__ import annotations

import itertools

import numpy as np

from . import FLOATING, INEXACT, Op, S, X


def each(numbers, spatial):
    """One number for each spatial dimension."""
    return (numbers,) * spatial if isinstance(numbers, int) else tuple(numbers) * (spatial if len(numbers) == 1 else 1)


def batched(function):
    """Adds the batch that an image lacks: `function` takes the number of spatial dimensions first."""

    def for_rank(spatial):
        def call(x, *args, **kwargs):
            if x.ndim == spatial + 2:
                return function(spatial, x, *args, **kwargs)
            result = function(spatial, x[None], *args, **kwargs)
            return tuple(r[0] for r in result) if isinstance(result, tuple) else result[0]

        return call

    return for_rank


@batched
def conv(spatial, x, w, bias=None, stride=1, padding=0, dilation=1, groups=1):
    """Each output is the inner product of a window with a kernel."""
    stride, dilation = each(stride, spatial), each(dilation, spatial)
    span = [d * (k - 1) for d, k in zip(dilation, w.shape[2:], strict=True)]
    if padding == "same":
        around = [(s // 2, s - s // 2) for s in span]
    else:
        around = [(p, p) for p in each(0 if padding == "valid" else padding, spatial)]
    x = np.pad(x, [(0, 0), (0, 0), *around])
    size = [(n - s - 1) // step + 1 for n, s, step in zip(x.shape[2:], span, stride, strict=True)]
    y = np.zeros((x.shape[0], w.shape[0], *size), x.dtype)
    per_group = w.shape[0] // groups
    for k in range(w.shape[0]):
        group = k // per_group
        part = x[:, group * w.shape[1] : (group + 1) * w.shape[1]]
        for tap in np.ndindex(w.shape[2:]):
            at = tuple(
                slice(t * d, t * d + (n - 1) * step + 1, step)
                for t, d, n, step in zip(tap, dilation, size, stride, strict=True)
            )
            y[:, k] += np.einsum("nc...,c->n...", part[(slice(None), slice(None), *at)], w[(k, slice(None), *tap)])
    return y if bias is None else y + bias.reshape(-1, *[1] * spatial)


@batched
def conv_transpose(spatial, x, w, bias=None, stride=1, padding=0, output_padding=0, groups=1, dilation=1):
    """Each input adds the kernel, times itself, to the outputs."""
    stride, padding, extra, dilation = (each(v, spatial) for v in (stride, padding, output_padding, dilation))
    full = [(n - 1) * stride[d] + dilation[d] * (w.shape[2 + d] - 1) + 1 + extra[d] for d, n in enumerate(x.shape[2:])]
    y = np.zeros((x.shape[0], w.shape[1] * groups, *full), x.dtype)
    per_group = w.shape[0] // groups
    for c in range(w.shape[0]):
        outputs = slice(c // per_group * w.shape[1], (c // per_group + 1) * w.shape[1])
        for tap in np.ndindex(w.shape[2:]):
            at = tuple(
                slice(t * dilation[d], t * dilation[d] + (x.shape[2 + d] - 1) * stride[d] + 1, stride[d])
                for d, t in enumerate(tap)
            )
            kernel = w[(c, slice(None), *tap)].reshape(1, -1, *[1] * spatial)
            y[(slice(None), outputs, *at)] += x[:, c : c + 1] * kernel
    y = y[(..., *(slice(p, n - p) for p, n in zip(padding, full, strict=True)))]
    return y if bias is None else y + bias.reshape(-1, *[1] * spatial)


def windows(sizes, kernel, stride, padding, dilation, ceil_mode):
    """For each dimension the windows' places, those in the padding left out, and their lengths with the padding."""
    result = []
    for n, k, step, p, d in zip(sizes, kernel, stride, padding, dilation, strict=True):
        room = n + 2 * p - d * (k - 1) - 1
        count = (-(-room // step) if ceil_mode else room // step) + 1
        if ceil_mode and (count - 1) * step >= n + p:
            count -= 1
        firsts = [o * step - p for o in range(count)]
        result.append([([i for i in range(f, f + d * k, d) if 0 <= i < n], min(f + k, n + p) - f) for f in firsts])
    return result


def pooled(x, spatial, places, reduce):
    """`reduce(window, its places, its full size)` for each window."""
    parts = []
    for window in itertools.product(*places):
        index = np.ix_(*(np.array(w[0]) for w in window))
        flat = np.arange(np.prod(x.shape[2:])).reshape(x.shape[2:])[index].ravel()
        values = x[(slice(None), slice(None), *index)].reshape(*x.shape[:2], len(flat))
        parts.append(reduce(values, flat, int(np.prod([w[1] for w in window]))))
    return np.stack(parts, -1).reshape(*x.shape[:2], *(len(p) for p in places))


def max_pool_of(with_indices):
    @batched
    def max_pool(spatial, x, kernel_size, stride=None, padding=0, dilation=1, ceil_mode=False, return_indices=False):
        kernel = each(kernel_size, spatial)
        stride = kernel if stride is None else each(stride, spatial)
        places = windows(x.shape[2:], kernel, stride, each(padding, spatial), each(dilation, spatial), ceil_mode)
        y = pooled(x, spatial, places, lambda values, flat, full: values.max(-1))
        if not (return_indices or with_indices):
            return y
        return y, pooled(x, spatial, places, lambda values, flat, full: flat[values.argmax(-1)])

    return max_pool


@batched
def avg_pool(
    spatial, x, kernel_size, stride=None, padding=0, ceil_mode=False, count_include_pad=True, divisor_override=None
):
    kernel = each(kernel_size, spatial)
    stride = kernel if stride is None else each(stride, spatial)
    places = windows(x.shape[2:], kernel, stride, each(padding, spatial), (1,) * spatial, ceil_mode)

    def mean(values, flat, full):
        return values.sum(-1) / (divisor_override or (full if count_include_pad else len(flat)))

    return pooled(x, spatial, places, mean)


def adaptive(sizes, output_size):
    result = []
    for n, count in zip(sizes, output_size, strict=True):
        count = n if count is None else count
        result.append([(list(range(o * n // count, -(-(o + 1) * n // count))), 0) for o in range(count)])
    return result


@batched
def adaptive_avg_pool(spatial, x, output_size):
    places = adaptive(x.shape[2:], each(output_size, spatial))
    return pooled(x, spatial, places, lambda values, flat, full: values.mean(-1))


@batched
def adaptive_max_pool(spatial, x, output_size, return_indices=False):
    places = adaptive(x.shape[2:], each(output_size, spatial))
    y = pooled(x, spatial, places, lambda values, flat, full: values.max(-1))
    if not return_indices:
        return y
    return y, pooled(x, spatial, places, lambda values, flat, full: flat[values.argmax(-1)])


@batched
def lp_pool(spatial, x, norm_type, kernel_size, stride=None, ceil_mode=False):
    mean = avg_pool(spatial)(x**norm_type, kernel_size, stride, 0, ceil_mode)
    return (mean * np.prod(each(kernel_size, spatial))) ** (1 / norm_type)


@batched
def unfold(spatial, x, kernel_size, dilation=1, padding=0, stride=1):
    kernel, dilation, padding, stride = (each(v, 2) for v in (kernel_size, dilation, padding, stride))
    x = np.pad(x, [(0, 0), (0, 0), *((p, p) for p in padding)])
    size = [(n - d * (k - 1) - 1) // s + 1 for n, k, d, s in zip(x.shape[2:], kernel, dilation, stride, strict=True)]

    def at(tap):
        steps = zip(tap, dilation, size, stride, strict=True)
        return (..., *(slice(t * d, t * d + (n - 1) * s + 1, s) for t, d, n, s in steps))

    taps = [x[at(tap)] for tap in np.ndindex(kernel)]
    return np.stack(taps, 2).reshape(x.shape[0], -1, size[0] * size[1])


def fold(x, output_size, kernel_size, dilation=1, padding=0, stride=1):
    """The adjoint of unfold, one element of the columns at a time."""
    lead, size, taps = x.shape[:-2], each(output_size, 2), int(np.prod(each(kernel_size, 2)))
    places = np.arange(np.prod(size), dtype=float).reshape(1, 1, *size) + 1
    places = unfold(2)(places, kernel_size, dilation, padding, stride)[0].astype(int)
    y = np.zeros((*lead, x.shape[-2] // taps, places.max() + np.prod(size) + 1), x.dtype)
    columns = x.reshape(*lead, -1, taps, x.shape[-1])
    for tap, column in np.ndindex(places.shape):
        y[..., places[tap, column]] += columns[..., tap, column]
    return y[..., 1 : np.prod(size) + 1].reshape(*lead, -1, *size)


def constant_pad(x, pad, value=0):
    """Cut off first what is negative."""
    pairs = [(0, 0)] * (x.ndim - len(pad) // 2) + [tuple(pad[2 * i : 2 * i + 2]) for i in range(len(pad) // 2)][::-1]
    x = x[tuple(slice(max(0, -a), n - max(0, -b)) for (a, b), n in zip(pairs, x.shape, strict=True))]
    return np.pad(x, [(max(0, a), max(0, b)) for a, b in pairs], constant_values=value)


def pad(x, pad, mode="constant", value=None):
    """NumPy has the modes under other names."""
    if mode == "constant":
        return constant_pad(x, pad, 0 if value is None else value)
    pairs = [(0, 0)] * (x.ndim - len(pad) // 2) + [tuple(pad[2 * i : 2 * i + 2]) for i in range(len(pad) // 2)][::-1]
    return np.pad(x, pairs, mode={"reflect": "reflect", "replicate": "edge", "circular": "wrap"}[mode])


def max_unpool(spatial):
    """The elements at their places, among zeros."""

    def call(x, indices, kernel_size, stride=None, padding=0, output_size=None):
        kernel = each(kernel_size, spatial)
        size = [(n - 1) * k + k for n, k in zip(x.shape[-spatial:], kernel, strict=True)]
        y = np.zeros((*x.shape[:-spatial], np.prod(size)), x.dtype)
        flat = (*x.shape[:-spatial], -1)
        np.put_along_axis(y, indices.reshape(flat), x.reshape(flat), -1)
        return y.reshape(*x.shape[:-spatial], *size)

    return call


CONV1D = [
    S((2, 3, 7), (4, 3, 3)),
    S((3, 7), (4, 3, 3), (4,)),
    S((2, 4, 9), (6, 2, 3), (6,), 2, 3, 2, 2),
    S((2, 3, 6), (4, 3, 4), None, padding="same"),
]
CONV2D = [
    S((2, 3, 5, 6), (4, 3, 3, 2), (4,)),
    S((3, 5, 6), (2, 3, 2, 2)),
    S((1, 2, 6, 5), (3, 2, 3, 2), None, [2, 1], [1, 2], [1, 2]),
    S((2, 4, 5, 5), (4, 2, 2, 2), (4,), stride=2, padding=1, groups=2),
    S((2, 3, 5, 4), (6, 1, 3, 2), (6,), padding=1, groups=3),
    S((2, 3, 5, 4), (3, 1, 3, 2), None, stride=2, padding=1, dilation=2, groups=3),
    S((2, 3, 4, 4), (5, 3, 1, 1), (5,)),
    S((1, 2, 5, 5), (2, 2, 2, 3), padding="same", dilation=2),
    S((1, 2, 5, 5), (2, 2, 2, 3), padding="valid"),
    S((0, 2, 5, 5), (2, 2, 2, 3)),
]
CONV3D = [
    S((1, 2, 4, 3, 5), (3, 2, 2, 2, 3), (3,), [2, 1, 1], [1, 0, 1]),
    S((2, 3, 4, 3), (2, 2, 2, 2, 2)),
]
TRANSPOSED1D = [S((2, 3, 5), (3, 2, 3), (2,), 3, 1, 2), S((3, 5), (3, 2, 3))]
TRANSPOSED2D = [
    S((2, 3, 3, 4), (3, 2, 3, 2), (2,)),
    S((1, 4, 3, 2), (4, 2, 2, 3), (4,), 2, 1, 1, 2, [1, 2]),
    S((2, 4, 3, 3), (4, 1, 2, 3), None, padding=1, groups=4),
    S((3, 3, 3), (3, 2, 1, 1)),
]
TRANSPOSED3D = [S((1, 2, 2, 3, 2), (2, 2, 2, 1, 3), (2,), [2, 1, 1], [0, 0, 1], [1, 0, 0])]

# Integers would have ties, so maxima are taken of floats, whose numbers all differ.
POOL1D = [S((2, 2, 7), 2), S((2, 9), 3, 2, 1), S((1, 2, 8), [3], [2], 1, 2, True)]
POOL2D = [
    S((2, 2, 6, 4), 2),
    S((2, 5, 7), 3, 2, 1),
    S((1, 2, 6, 5), [2, 3], [1, 2], [1, 0], [2, 1], ceil_mode=True),
    S((0, 2, 6, 4), 2),
]
POOL3D = [S((1, 2, 4, 4, 4), 2), S((2, 4, 5, 3), [2, 3, 1], [1, 2, 1], [1, 0, 0])]
AVERAGE1D = [S((2, 2, 7), 2), S((2, 8), 3, 2, 1, True, False)]
AVERAGE2D = [
    S((2, 2, 6, 4), 2),
    S((2, 5, 7), 3, 2, 1),
    S((1, 2, 6, 5), [2, 3], [2, 1], [1, 0], True, False),
    S((1, 2, 5, 5), 2, 2, 1, ceil_mode=True),
    S((1, 2, 4, 4), 2, 1, divisor_override=3),
]
AVERAGE3D = [S((1, 2, 4, 4, 4), 2), S((2, 4, 5, 3), [2, 3, 1], [1, 2, 1], [1, 1, 0], True, False)]
ADAPTIVE2D = [S((2, 2, 5, 4), 3), S((2, 5, 4), [None, 2])]
POSITIVE = X((1, 2, 4, 5), 0.5, 2)


def places(*shape, size):
    """Places in a result of `size` elements (several inputs may name the same, so NumPy's last one counts)."""
    return X(shape, 0, size - 1, dtype="int64")


OPS = [
    Op("conv1d", conv(1), CONV1D, INEXACT, rtol=5),
    Op("conv2d", conv(2), CONV2D, INEXACT, rtol=5),
    Op("conv3d", conv(3), CONV3D, FLOATING, rtol=5),
    Op("conv_transpose1d", conv_transpose(1), TRANSPOSED1D, INEXACT, rtol=5),
    Op("conv_transpose2d", conv_transpose(2), TRANSPOSED2D, FLOATING, rtol=5),
    Op("conv_transpose3d", conv_transpose(3), TRANSPOSED3D, FLOATING, rtol=5),
    Op(
        "convolution",
        lambda x, w, bias, stride, padding, dilation, transposed, output_padding, groups: conv_transpose(2)(
            x, w, bias, stride, padding, output_padding, groups, dilation
        ),
        [S((1, 4, 3, 2), (4, 2, 2, 3), None, [2, 2], [1, 1], [1, 1], True, [1, 1], 2)],
        FLOATING,
        rtol=5,
        parity=False,  # takes complex numbers too
    ),
    Op("nn.functional.max_pool1d", max_pool_of(False)(1), POOL1D, FLOATING),
    Op("nn.functional.max_pool2d", max_pool_of(False)(2), POOL2D, FLOATING),
    Op("nn.functional.max_pool3d", max_pool_of(False)(3), POOL3D, FLOATING),
    Op("max_pool1d_with_indices", max_pool_of(True)(1), POOL1D, ("float32", "float64")),
    Op("nn.functional.max_pool2d_with_indices", max_pool_of(True)(2), POOL2D, ("float32", "float64")),
    Op("nn.functional.max_pool3d_with_indices", max_pool_of(True)(3), POOL3D, ("float32", "float64")),
    Op("nn.functional.avg_pool1d", avg_pool(1), AVERAGE1D, FLOATING),
    Op("nn.functional.avg_pool2d", avg_pool(2), AVERAGE2D, FLOATING),
    Op("nn.functional.avg_pool3d", avg_pool(3), AVERAGE3D, ("float32", "float64")),
    Op("nn.functional.adaptive_avg_pool1d", adaptive_avg_pool(1), [S((2, 3, 7), 3), S((3, 7), 9)], FLOATING),
    Op(
        "nn.functional.adaptive_avg_pool2d",
        adaptive_avg_pool(2),
        [S((2, 2, 5, 4), 3), S((2, 5, 4), [None, 2]), S((2, 2, 5, 4), 1)],
        FLOATING,
    ),
    Op("nn.functional.adaptive_avg_pool3d", adaptive_avg_pool(3), [S((1, 2, 4, 3, 5), [2, 2, 3])], FLOATING),
    Op("nn.functional.adaptive_max_pool1d", adaptive_max_pool(1), [S((2, 3, 7), 3), S((3, 7), 9)], FLOATING),
    Op("nn.functional.adaptive_max_pool2d", adaptive_max_pool(2), ADAPTIVE2D, FLOATING),
    Op("nn.functional.adaptive_max_pool3d", adaptive_max_pool(3), [S((1, 2, 4, 3, 5), [2, 2, 3])], FLOATING),
    Op("nn.functional.lp_pool1d", lp_pool(1), [S(X((2, 2, 6), 0.5, 2), 2, 2)], ("float32", "float64")),
    Op("nn.functional.lp_pool2d", lp_pool(2), [S(POSITIVE, 2, 2), S(POSITIVE, 3, [2, 3], 1)], ("float32", "float64")),
    Op("nn.functional.lp_pool3d", lp_pool(3), [S(X((1, 2, 4, 2, 3), 0.5, 2), 2, 2)], ("float32", "float64")),
    Op(
        "nn.functional.max_unpool2d",
        max_unpool(2),
        [S((2, 3, 2, 2), places(2, 3, 2, 2, size=16), 2), S((1, 1, 3), places(1, 1, 3, size=12), 2)],
        ("float32", "float64"),
        grad=False,  # places that several inputs name
        parity=False,
    ),
    Op("nn.functional.unfold", unfold(2), [S((2, 3, 5, 4), 2), S((2, 5, 6), [2, 3], 2, 1, [1, 2])], FLOATING),
    Op(
        "nn.functional.fold",
        fold,
        [S((2, 12, 12), [5, 4], 2), S((12, 12), [5, 6], [2, 3], 2, 1, [2, 1])],
        ("float32", "float64"),
    ),
    Op(
        "constant_pad_nd",
        constant_pad,
        [S((2, 3), [1, 2], 1.5), S((2, 3, 4), [-1, 2, 0, -1, 1, 0])],
        (*INEXACT, "int64"),
    ),
    Op("nn.functional.pad", pad, [S((2, 3), [1, 2]), S((2, 3), [1, -1, 0, 2], value=2.0)], FLOATING),
    Op(
        "nn.functional.pad",
        pad,
        [
            S((1, 2, 4), [2, 3], mode="reflect"),
            S((2, 4), [2, 3], mode="replicate"),
            S((1, 2, 4), [2, 3], mode="circular"),
            S((1, 2, 4, 3), [2, 1, 0, 3], mode="reflect"),
            S((2, 4, 3, 2), [1, 1, 2, 0, 0, 1], mode="replicate"),
        ],
        FLOATING,
        parity=False,  # composites here
    ),
]
