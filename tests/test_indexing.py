"""Indexing and assignment: what NumPy does, over random indices too; views or copies; and the words of the errors."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support import assert_near, refuses

import leafgrad as torch

X = np.arange(120).reshape(2, 3, 4, 5)


def check_index(index, array=X):
    expected = array[tuple(i.numpy() if isinstance(i, torch.Tensor) else i for i in index)]
    got = torch.from_numpy(array.copy())[index]
    assert tuple(got.shape) == expected.shape
    assert got.tolist() == expected.tolist()


@pytest.mark.parametrize(
    "index",
    [
        (0,),
        (-1,),
        (1, 2, 3, 4),
        (slice(None), 1),
        (Ellipsis, 1),
        (0, Ellipsis, slice(1, None, 2)),
        (None, 0, None, Ellipsis, None),
        (slice(5, 9),),
        (slice(-2, None), slice(None, -1)),
        (np.array([1, 0, 1]),),
        (np.array([[0, 1], [1, 0]]),),
        (slice(None), np.array([2, 0])),
        (np.array([0, 1]), np.array([2, 0])),
        (np.array([0, 1]), slice(None), np.array([3, 0])),
        (slice(None), np.array([0, 1]), np.array([3, 0])),
        (slice(None), np.array([0, 1]), slice(None), np.array([3, 0])),
        (0, np.array([0, 1]), slice(None), np.array([3, 0])),
        (np.array([[0], [1]]), np.array([0, 2])),
        (np.array([True, False]),),
        (X[..., 0] > 50,),
        (X > 50,),
        (slice(None), np.array([True, False, True])),
        (slice(None), np.array([True, False, True]), slice(None), np.array([1, 4])),
        (True,),
        (False,),
        (0, True),
        (np.array(1),),
        (np.array([], dtype=np.int64),),
        ([0, 1],),
        ([0, 1], [1, 2]),
        (Ellipsis, [0, -1]),
    ],
    ids=str,
)
def test_indexing_agrees_with_numpy(index):
    ours = tuple(torch.from_numpy(np.asarray(i)) if isinstance(i, np.ndarray) else i for i in index)
    check_index(ours)


def test_a_list_is_an_index_array_and_a_tuple_several_indices():
    t = torch.arange(9).view(3, 3)
    assert t[[0, 2]].tolist() == [[0, 1, 2], [6, 7, 8]]
    assert t[(0, 2)].item() == 2
    assert t[[0, 1], [1, 2]].tolist() == [1, 5]
    assert t[torch.tensor([0, 1]), 0].tolist() == [0, 3]


def test_basic_indices_give_views_and_advanced_ones_copies():
    t = torch.zeros(3, 3)
    t[0].fill_(1)
    t[:, 1].fill_(2)
    t[None, ..., 2].fill_(3)
    assert t.tolist() == [[1, 2, 3], [0, 2, 3], [0, 2, 3]]
    t[[0]].fill_(9)
    t[t > 100].fill_(9)
    assert t.max().item() == 3


def test_uint8_masks_warn_that_they_are_deprecated():
    with pytest.warns(UserWarning, match="uint8"):
        assert torch.arange(3)[torch.tensor([1, 0, 1], dtype=torch.uint8)].tolist() == [0, 2]


def test_zero_dim_tensors_index_like_integers():
    t = torch.arange(5)
    assert t[torch.tensor(2)].item() == 2
    assert t[torch.tensor(1) : torch.tensor(3)].tolist() == [1, 2]
    assert t[np.int64(2)].item() == 2


INTS = st.integers(-3, 2)


@st.composite
def indices(draw):
    """An index tuple for an array of shape (3, 4, 3), as ints, slices, None, Ellipsis, integer and bool arrays."""
    index, consumed, shape = [], 0, (3, 4, 3)
    seen_ellipsis = False
    length = draw(st.sampled_from([1, 2]))
    while consumed < 3 and len(index) < 5:
        size = shape[consumed]
        kind = draw(st.sampled_from(["int", "slice", "none", "ellipsis", "ints", "bools", "stop"]))
        if kind == "stop":
            break
        if kind == "int":
            index.append(draw(st.integers(-size, size - 1)))
        elif kind == "slice":
            bounds = st.none() | st.integers(-5, 5)
            index.append(slice(draw(bounds), draw(bounds), draw(st.none() | st.integers(1, 3))))
        elif kind == "none":
            index.append(None)
            continue
        elif kind == "ellipsis":
            if seen_ellipsis:
                continue
            seen_ellipsis = True
            index.append(Ellipsis)
            break  # what follows would count from the end
        elif kind == "ints":
            index.append(np.array(draw(st.lists(st.integers(-size, size - 1), min_size=length, max_size=length))))
        else:
            true = draw(st.lists(st.integers(0, size - 1), min_size=length, max_size=length, unique=True))
            index.append(np.isin(np.arange(size), true))
        consumed += 1
    return tuple(index)


def for_torch(index):
    return tuple(torch.from_numpy(i) if isinstance(i, np.ndarray) else i for i in index)


@given(indices())
def test_any_index_reads_what_numpy_reads(index):
    array = np.arange(36).reshape(3, 4, 3)
    expected = array[index]
    got = torch.from_numpy(array)[for_torch(index)]
    assert tuple(got.shape) == expected.shape and got.tolist() == expected.tolist()


@given(indices(), st.sampled_from(["number", "same shape", "broadcast"]))
def test_any_index_writes_where_numpy_writes(index, kind):
    array = np.arange(36.0).reshape(3, 4, 3)
    tensor = torch.tensor(array.tolist(), dtype=torch.float64)
    shape = array[index].shape
    # An integer array may name a place twice; which value stays is unspecified, so all are the same then.
    repeats = any(isinstance(i, np.ndarray) and i.dtype != bool for i in index)
    if kind == "number" or repeats:
        array[index], tensor[for_torch(index)] = -1.0, -1.0
    elif kind == "same shape":
        value = -1.0 - np.arange(np.prod(shape, dtype=int), dtype=np.float64).reshape(shape)
        array[index], tensor[for_torch(index)] = value, torch.tensor(value.tolist(), dtype=torch.float64).reshape(shape)
    else:
        value = -1.0 - np.arange(shape[-1] if shape else 1, dtype=np.float64)
        value = value if shape else value[0]
        array[index], tensor[for_torch(index)] = value, torch.tensor(value.tolist(), dtype=torch.float64)
    assert tensor.tolist() == array.tolist()


@given(indices())
def test_the_gradient_of_any_index_counts_how_often_each_element_was_read(index):
    counts = np.zeros((3, 4, 3))
    np.add.at(counts, index, 1.0)
    w = torch.zeros(3, 4, 3, requires_grad=True)
    w[for_torch(index)].sum().backward()
    assert w.grad.tolist() == counts.tolist()


def test_assignment_broadcasts_and_casts():
    t = torch.zeros(2, 3)
    t[:] = torch.tensor([1, 2, 3])
    assert t.tolist() == [[1, 2, 3]] * 2
    t[0] = 5
    t[1, 1:] = torch.ones(1, 2, dtype=torch.float64)
    t[..., 0] = True
    assert t.tolist() == [[1, 5, 5], [1, 1, 1]]
    with pytest.raises(RuntimeError):
        t[:] = torch.ones(4)


def test_assignment_takes_numpy_values():
    t = torch.zeros(2)
    t[0] = np.float64(2.5)
    assert t.tolist() == [2.5, 0.0]


def test_assignment_with_overlapping_source_and_destination_reads_first():
    t = torch.arange(5)
    t[torch.tensor([0, 1, 2])] = t[torch.tensor([2, 1, 0])]
    assert t.tolist() == [2, 1, 0, 3, 4]


def test_index_put_accumulates_repeated_indices():
    t = torch.zeros(3)
    t.index_put_((torch.tensor([0, 0, 2]),), torch.tensor([1.0, 2.0, 5.0]), accumulate=True)
    assert t.tolist() == [3.0, 0.0, 5.0]


# Corners that programs rely on


def test_no_index_at_all_is_a_view_of_everything():
    t = torch.arange(3)
    for index in (Ellipsis, (), slice(None), (Ellipsis,)):
        view = t[index]
        assert view is not t and view.data_ptr() == t.data_ptr() and view.tolist() == [0, 1, 2]


def test_zero_dim_tensors_take_the_empty_index_ellipsis_none_and_bools():
    t = torch.tensor(5)
    assert t[()].item() == 5 and t[...].item() == 5
    assert t[None].tolist() == [5] and t[None, None].shape == (1, 1)
    assert t[True].tolist() == [5] and t[False].shape == (0,)
    assert t[torch.tensor(True)].tolist() == [5]
    t[...] = 7
    t[()] = t + 1
    assert t.item() == 8


def test_a_python_bool_adds_a_dimension():
    t = torch.arange(6).view(2, 3)
    assert t[True].shape == (1, 2, 3) and t[False].shape == (0, 2, 3)
    assert t[True, 0].shape == (1, 3) and t[0, True].shape == (1, 3)
    assert t[torch.tensor(True)].shape == (1, 2, 3) and t[torch.tensor(False)].shape == (0, 2, 3)


def test_several_masks_pair_up():
    t = torch.arange(12).view(3, 4)
    rows, columns = torch.tensor([True, False, True]), torch.tensor([True, False, True, False])
    assert t[rows, columns].tolist() == [0, 10]
    assert t[rows][:, columns].tolist() == [[0, 2], [8, 10]]


def test_a_mask_of_no_true_and_an_empty_index_array():
    t = torch.arange(6).view(2, 3)
    assert t[torch.zeros(2, dtype=torch.bool)].shape == (0, 3)
    assert t[torch.zeros(2, 3, dtype=torch.bool)].shape == (0,)
    assert t[torch.tensor([], dtype=torch.int64)].shape == (0, 3)
    assert t[[]].shape == (0, 3)
    t[torch.tensor([], dtype=torch.int64)] = 9
    t[torch.zeros(2, 3, dtype=torch.bool)] = 9
    assert t.tolist() == [[0, 1, 2], [3, 4, 5]]


def test_an_index_array_of_another_integer_type():
    t = torch.arange(4) * 10
    for dtype in (torch.int64, torch.int32):
        assert t[torch.tensor([3, 0], dtype=dtype)].tolist() == [30, 0]


def test_index_arrays_apart_put_their_dimensions_first():
    t = torch.arange(24).view(2, 3, 4)
    i, j = torch.tensor([0, 1, 0]), torch.tensor([1, 2, 3])
    assert t[i, :, j].shape == (3, 3) and t[:, i, j].shape == (2, 3)
    assert t[i, :, j].tolist() == t.numpy()[i.numpy(), :, j.numpy()].tolist()


def test_an_integer_beside_an_index_array_selects_first():
    t = torch.arange(24).view(2, 3, 4)
    columns = torch.tensor([1, 3])
    assert t[0, :, columns].tolist() == t[0][:, columns].tolist()  # NumPy would put the columns first
    assert t[:, 1, columns].tolist() == t.numpy()[:, 1, [1, 3]].tolist()


def test_assigning_one_element_tensors_and_leading_ones():
    t = torch.zeros(2, 3)
    t[0, 0] = torch.tensor([5.0])
    t[1] = torch.tensor([[1.0, 2.0, 3.0]])  # a leading one is dropped
    t[:, 2] = torch.tensor(9.0)
    assert t.tolist() == [[5, 0, 9], [1, 2, 9]]
    with pytest.raises(RuntimeError):
        t[0] = torch.zeros(2, 3)


def test_mask_assignment_takes_a_number_a_row_or_all_values():
    t = torch.zeros(2, 3)
    mask = torch.tensor([[True, False, True], [False, True, False]])
    t[mask] = 1.0
    t[mask] = torch.tensor([1.0, 2.0, 3.0])
    assert t.tolist() == [[1, 0, 2], [0, 3, 0]]
    t[torch.tensor([True, False])] = torch.tensor([7.0, 8.0, 9.0])
    assert t[0].tolist() == [7, 8, 9]
    refuses(
        (IndexError, RuntimeError), lambda: t.__setitem__(mask, torch.ones(2)), match="shape mismatch|broadcast|match"
    )


def test_operators_with_assignment_through_an_index():
    t = torch.zeros(3)
    t[0] += 5
    t[[1, 2]] += 1
    t[t > 3] *= 2
    assert t.tolist() == [10.0, 1.0, 1.0]


def test_ranges_and_numpy_arrays_as_indices():
    t = torch.arange(9).view(3, 3)
    assert t[np.array([0, 2])].tolist() == [[0, 1, 2], [6, 7, 8]]
    assert t[np.array([True, False, True])].tolist() == [[0, 1, 2], [6, 7, 8]]
    assert t[range(2)].tolist() == [[0, 1, 2], [3, 4, 5]]


def test_the_gradient_of_views_by_index_flows_through_assignment_and_reading():
    w = torch.ones(3, requires_grad=True)
    t = torch.zeros(3, 3)
    t[1] = w
    t[:, 0] = t[1, 1] * 2
    t.sum().backward()
    assert_near(w.grad, [0.0, 7.0, 1.0])


@pytest.mark.parametrize(
    "index, message",
    [
        ((5,), r"index 5 is out of bounds for dimension 0 with size 3"),
        ((0, -5), r"index -5 is out of bounds for dimension 1 with size 4"),
        ((0, 0, 0), r"too many indices for tensor of dimension 2"),
        ((torch.tensor([7]),), r"index 7 is out of bounds for dimension 0 with size 3"),
        ((slice(None), torch.tensor([4])), r"index 4 is out of bounds for dimension . with size 4"),
        (
            (torch.ones(4, dtype=torch.bool),),
            r"The shape of the mask \[4\] at index 0 does not match the shape of the indexed",
        ),
        (
            (torch.tensor([0, 1]), torch.tensor([0, 1, 2])),
            r"shape mismatch: indexing tensors could not be broadcast together",
        ),
        ((torch.tensor([0.5]),), r"tensors used as indices must be long, int, byte or bool tensors"),
    ],
)
def test_the_words_of_index_errors(index, message):
    with pytest.raises(IndexError, match=message):
        torch.zeros(3, 4)[index]


def test_the_words_of_the_errors_of_scalars_and_steps():
    with pytest.raises(IndexError, match=r"invalid index of a 0-dim tensor"):
        torch.tensor(1.0)[0]
    with pytest.raises(ValueError, match="step must be greater than zero|negative step not yet supported"):
        torch.zeros(3)[::-1]
    with pytest.raises(ValueError, match="step cannot be zero|step must be greater than zero"):
        torch.zeros(3)[::0]
    with pytest.raises(TypeError, match="iteration over a 0-d tensor"):
        iter(torch.tensor(1))
