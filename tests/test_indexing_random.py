"""Random keys: reading and writing agree with NumPy, nodes with PyTorch's; hostile indices change nothing."""

from __future__ import annotations

import importlib

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

import leafgrad

SHAPES = st.lists(st.integers(0, 4), max_size=4).map(tuple)


@st.composite
def arrays_and_keys(draw):
    """An array of distinct numbers and a key that fits it, arrays as NumPy has them."""
    shape = draw(SHAPES)
    array = np.arange(float(np.prod(shape))).reshape(shape)
    common = draw(st.sampled_from([(), (1,), (2,), (3,), (2, 1), (1, 3), (2, 3), (0,)]))
    parts, dim = [], 0
    ellipsis_at = draw(st.none() | st.integers(0, len(shape)))
    while dim <= len(shape):
        if draw(st.integers(0, 5)) == 0:
            parts.append(None)
        if ellipsis_at == dim:
            parts.append(Ellipsis)
            dim = draw(st.integers(dim, len(shape)))
            ellipsis_at = None
            continue
        if dim == len(shape) or (
            ellipsis_at is None and not any(p is Ellipsis for p in parts) and draw(st.integers(0, 4)) == 0
        ):
            break
        size = shape[dim]
        kind = draw(st.sampled_from(["int", "slice", "slice", "array", "mask"]))
        if kind == "int" and size:
            parts.append(draw(st.integers(-size, size - 1)))
        elif kind == "array" and (size or 0 in common):
            values = draw(st.lists(st.integers(-size, max(size - 1, 0)), min_size=12, max_size=12))
            wide = draw(st.sampled_from([common, common[-1:], (1,) * len(common)]))
            parts.append(
                np.array(values[: int(np.prod(wide))], np.int64).reshape(wide) if wide else np.int64(values[0])
            )
        elif kind == "mask" and len(common) <= 1:
            count = common[0] if common else 1
            assume(count <= size)
            parts.append(np.isin(np.arange(size), draw(st.permutations(range(size)))[:count]))
        else:
            bound = st.none() | st.integers(-6, 6)
            parts.append(slice(draw(bound), draw(bound), draw(st.none() | st.integers(1, 3))))
        dim += 1
    return array, tuple(parts)


def ours(key, library=leafgrad):
    """The key with its arrays as tensors."""
    return tuple(library.tensor(part) if isinstance(part, np.ndarray) else part for part in key)


def two_steps(array, key):
    """The view of `array` that integers and slices give, and the key of arrays for it.

    NumPy counts an integer as an index array once there is one; PyTorch takes integers first.
    """
    whole = slice(None)
    first = tuple(whole if isinstance(part, np.ndarray) else part for part in key)
    view = array[first if any(part is Ellipsis for part in first) else (*first, Ellipsis)]
    rest = [
        part if isinstance(part, np.ndarray) or part is Ellipsis else whole
        for part in key
        if not isinstance(part, int | np.integer)
    ]
    return view, tuple(rest)


def read(array, key):
    """NumPy's answer; a key that NumPy refuses is none of ours."""
    view, rest = two_steps(array, key)
    try:
        return view[rest]
    except IndexError:
        assume(False)


@given(arrays_and_keys())
def test_reading_agrees_with_numpy(case):
    array, key = case
    expected = read(array, key)
    result = leafgrad.tensor(array)[ours(key)]
    assert tuple(result.shape) == expected.shape
    assert result.tolist() == expected.tolist()


@given(arrays_and_keys())
def test_layout_in_memory_does_not_matter(case):
    array, key = case
    expected = read(array, key)
    order = list(range(array.ndim))[::-1]
    turned = leafgrad.tensor(array).permute(order).contiguous().permute(order)
    assert turned[ours(key)].tolist() == expected.tolist()


@given(arrays_and_keys(), st.sampled_from(["number", "whole", "row", "ones"]))
def test_writing_agrees_with_numpy(case, kind):
    array, key = case
    place = read(array, key)
    value = {
        "number": np.array(-1.0),
        "whole": -1.0 - np.arange(place.size).reshape(place.shape),
        "row": -1.0 - np.arange(place.shape[-1] if place.ndim else 1).reshape(place.shape[-1:]),
        "ones": np.full((1, *(1 for _ in place.shape)), -1.0),
    }[kind]
    expected, result = array.copy(), leafgrad.tensor(array)
    view, rest = two_steps(expected, key)
    try:
        view[rest] = value
    except ValueError:
        assume(False)
    result[ours(key)] = leafgrad.tensor(value)
    assert result.tolist() == expected.tolist()


@given(arrays_and_keys())
def test_gradient_of_a_read_counts_how_often_each_element_was_read(case):
    array, key = case
    counts = np.zeros_like(array)
    read(array, key)
    view, rest = two_steps(counts, key)
    np.add.at(view, rest, 1)
    x = leafgrad.tensor(array, requires_grad=True)
    x[ours(key)].sum().backward()
    assert x.grad.tolist() == counts.tolist()


@given(arrays_and_keys())
def test_gradient_of_a_write_is_zero_where_it_was_overwritten(case):
    array, key = case
    kept = np.ones_like(array)
    place = read(array, key)
    assume(place.size)
    view, rest = two_steps(kept, key)
    view[rest] = 0
    x = leafgrad.tensor(array, requires_grad=True)
    value = leafgrad.tensor(3.0, dtype=leafgrad.float64, requires_grad=True)
    y = x * 2
    y[ours(key)] = value
    y.sum().backward()
    assert x.grad.tolist() == (2 * kept).tolist()
    assert value.grad.item() >= 1


@pytest.mark.parity
@given(arrays_and_keys())
def test_shape_strides_and_nodes_are_those_of_pytorch(case):
    torch = importlib.import_module("torch")
    array, key = case
    read(array, key)
    found = []
    for library in (torch, leafgrad):
        x = library.tensor(array, requires_grad=True) * 1
        y = x[ours(key, library)]
        names = []
        node = y.grad_fn
        while node is not None and "Accumulate" not in node.name():
            names.append(node.name())
            node = node.next_functions[0][0]
        found.append((tuple(y.shape), y.tolist(), names, y._is_view()))
    assert found[0] == found[1]


# ---- hostile indices: an error, and nothing written

FAR = [3, -4, 2**31, -(2**31), 2**62, -(2**62), 2**63 - 1, -(2**63)]


@pytest.mark.parametrize("bad", FAR)
@pytest.mark.parametrize(
    "write",
    [
        lambda x, i: x.__setitem__(i, 9.0),
        lambda x, i: x.index_put_((i,), leafgrad.tensor(9.0)),
        lambda x, i: x.index_put_((i,), leafgrad.tensor(9.0), accumulate=True),
        lambda x, i: x.index_add_(0, i, leafgrad.ones(2, 4)),
        lambda x, i: x.index_copy_(0, i, leafgrad.ones(2, 4)),
        lambda x, i: x.index_fill_(0, i, 9.0),
        lambda x, i: x.scatter_(0, i[:, None], 9.0),
        lambda x, i: x.scatter_(0, i[:, None], leafgrad.ones(2, 1)),
        lambda x, i: x.scatter_add_(0, i[:, None], leafgrad.ones(2, 1)),
        lambda x, i: x.scatter_reduce_(0, i[:, None], leafgrad.ones(2, 1), "amax"),
        lambda x, i: x.put_(i * (1 if abs(bad_of(i)) > 12 else 5), leafgrad.ones(2)),
        lambda x, i: x[i],
        lambda x, i: x.gather(0, i[:, None]),
        lambda x, i: x.index_select(0, i),
        lambda x, i: x.take(i * (1 if abs(bad_of(i)) > 12 else 5)),
        lambda x, i: leafgrad.nn.functional.embedding(i, x),
    ],
)
def test_an_index_out_of_range_is_refused_and_nothing_is_written(write, bad):
    x = leafgrad.zeros(3, 4)
    with pytest.raises((IndexError, RuntimeError)):
        write(x, leafgrad.tensor([0, bad]))
    assert not x.any()


def bad_of(index):
    """The second of two indices."""
    return index.tolist()[1]


@pytest.mark.parametrize(
    "write",
    [
        lambda x: x.scatter_(0, x, 2**40),
        lambda x: x.scatter_(0, leafgrad.arange(4), x),
        lambda x: x.scatter_add_(0, x, leafgrad.full((4,), 2**40)),
        lambda x: x.index_add_(0, x, leafgrad.full((4,), 2**40)),
        lambda x: x.index_put_((x,), leafgrad.full((4,), 2**40)),
        lambda x: x.index_copy_(0, x, leafgrad.full((4,), 2**40)),
        lambda x: x.put_(x, leafgrad.full((4,), 2**40)),
        lambda x: x.__setitem__([0, 1], x[1:3]),
    ],
)
def test_writing_the_index_or_the_source_while_it_is_read_is_refused(write):
    x = leafgrad.arange(4)
    with pytest.raises(RuntimeError, match="refer to a single memory location"):
        write(x)
    assert x.tolist() == [0, 1, 2, 3]


def test_an_index_that_shares_memory_with_gaps_is_read_before_the_write():
    memory = leafgrad.tensor([0, 1, 1, 0, 2, 3])
    memory[::2].scatter_(0, memory[1::2].clamp(max=2), 2**40)
    assert memory[1::2].tolist() == [1, 0, 3]
    memory = leafgrad.tensor([0, 1, 1, 0, 2, 2])
    memory[::2].scatter_(0, memory[1::2], 2**40)
    assert memory.tolist() == [2**40, 1, 2**40, 0, 2**40, 2]


@pytest.mark.leafgrad_only
def test_an_index_on_the_same_numpy_array_is_read_before_the_write():
    array = np.array([1, 1, 0, 2])
    leafgrad.from_numpy(array)[:3].scatter_(0, leafgrad.from_numpy(array)[1:], 2**40)
    assert array.tolist() == [2**40] * 3 + [2]


@pytest.mark.leafgrad_only
@pytest.mark.parametrize("op", ["scatter", "scatter_add"])
def test_only_the_corner_of_a_larger_source_gets_a_gradient(op):
    x = leafgrad.zeros(3, 4, requires_grad=True)
    source = leafgrad.ones(2, 5, requires_grad=True)
    getattr(x, op)(1, leafgrad.tensor([[0, 1], [2, 3]]), source).sum().backward()
    assert source.grad.tolist() == [[1, 1, 0, 0, 0]] * 2


def test_an_empty_vector_that_joins_matrices_gets_an_empty_gradient():
    x, y = leafgrad.ones(2, 3, requires_grad=True), leafgrad.ones(0, requires_grad=True)
    leafgrad.cat([x, y, x]).sum().backward()
    assert y.grad.shape == (0,) and x.grad.tolist() == [[2, 2, 2]] * 2


@pytest.mark.leafgrad_only
def test_reduced_values_send_gradients_back_to_a_source_larger_than_the_index():
    x = leafgrad.zeros(3, dtype=leafgrad.float64, requires_grad=True)
    source = leafgrad.tensor([1.0, 5.0, 7.0], dtype=leafgrad.float64, requires_grad=True)
    x.scatter_reduce(0, leafgrad.tensor([1, 1]), source, "amax").sum().backward()
    assert x.grad.tolist() == [1, 0, 1] and source.grad.tolist() == [0, 1, 0]


def test_uint8_masks_warn_once_each_and_select_like_bool_ones():
    x = leafgrad.arange(3.0)
    with pytest.warns(UserWarning, match="indexing with dtype torch.uint8 is now deprecated"):
        assert x[leafgrad.tensor([1, 0, 1], dtype=leafgrad.uint8)].tolist() == [0, 2]


def test_a_list_with_sequences_in_it_is_a_tuple_as_it_was_in_old_numpy():
    x = leafgrad.arange(12).reshape(3, 4)
    with pytest.warns(UserWarning, match="Using a non-tuple sequence for multidimensional indexing is deprecated"):
        assert x[[[0, 1], [1, 2]]].tolist() == [1, 6]


@pytest.mark.parametrize("value", [[1, 2], "a", None, np.arange(2.0)], ids=repr)
def test_only_tensors_and_numbers_are_assigned(value):
    with pytest.raises(TypeError, match="can't assign a"):
        leafgrad.zeros(2)[:] = value
