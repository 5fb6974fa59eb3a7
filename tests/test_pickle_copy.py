"""Copying and pickling tensors, and the small Python protocols: iteration, ``in``, ``reversed``."""

from __future__ import annotations

import copy
import math
import pickle
import re

import pytest

import leafgrad as torch

DTYPES = [
    "float32", "float64", "float16", "bfloat16", "int8", "int16", "int32", "int64", "uint8", "bool", "complex64",
    "complex128",
]  # fmt: skip


def pickled(x, protocol=pickle.DEFAULT_PROTOCOL):
    return pickle.loads(pickle.dumps(x, protocol))


class Length(torch.Tensor):
    """A subclass with nothing of its own; here, as pickle finds classes by name."""


@pytest.mark.parametrize("duplicate", [copy.deepcopy, pickled])
@pytest.mark.parametrize("dtype", DTYPES)
def test_copies_keep_values_dtype_and_shape_and_share_no_memory(duplicate, dtype):
    original = torch.tensor([[0, 1, 2], [3, 4, 5]]).to(getattr(torch, dtype))
    values = original.tolist()
    twin = duplicate(original)
    assert twin.dtype == original.dtype
    assert twin.shape == original.shape
    assert twin.tolist() == values
    twin.zero_()
    assert original.tolist() == values


@pytest.mark.parametrize("protocol", range(2, pickle.HIGHEST_PROTOCOL + 1))
def test_every_pickle_protocol_works(protocol):
    twin = pickled(torch.arange(6.0).reshape(2, 3), protocol)
    assert twin.tolist() == [[0, 1, 2], [3, 4, 5]]
    twin.add_(1)
    assert twin.resize_(100)[5].item() == 6  # the memory is its own


@pytest.mark.leafgrad_only
def test_protocol_5_can_hand_out_the_memory_instead_of_copying_it():
    t = torch.arange(1000.0)
    buffers = []
    text = pickle.dumps(t, 5, buffer_callback=buffers.append)
    assert len(text) < 300
    assert sum(b.raw().nbytes for b in buffers) == 4000
    twin = pickle.loads(text, buffers=buffers)
    twin.zero_()
    assert t[999].item() == 999


@pytest.mark.parametrize("duplicate", [copy.deepcopy, pickled])
@pytest.mark.parametrize(
    "make",
    [
        lambda: torch.tensor(1.5),
        lambda: torch.zeros(0),
        lambda: torch.zeros(3, 0, 2),
        lambda: torch.arange(6.0).reshape(2, 3).t(),
        lambda: torch.arange(10.0)[2:9:3],
        lambda: torch.arange(3.0).expand(4, 3),
        lambda: torch.arange(24.0).reshape(2, 3, 4)[:, 1:, ::2],
    ],
)
def test_copies_keep_the_strides(duplicate, make):
    original = make()
    twin = duplicate(original)
    assert twin.shape == original.shape
    assert twin.stride() == original.stride()
    assert twin.tolist() == original.tolist()
    assert twin._base is None


@pytest.mark.parametrize("duplicate", [copy.deepcopy, pickled])
def test_copies_of_meta_tensors(duplicate):
    twin = duplicate(torch.empty(2, 3, device="meta"))
    assert twin.device.type == "meta"
    assert twin.shape == (2, 3)


@pytest.mark.parametrize("duplicate", [copy.copy, copy.deepcopy, pickled])
def test_copies_are_leaves_that_keep_requires_grad_and_attributes(duplicate):
    w = torch.tensor([1.0, 2.0], requires_grad=True)
    w.note = ["first"]
    twin = duplicate(w)
    assert twin is not w
    assert twin.is_leaf
    assert twin.requires_grad
    assert twin.note == ["first"]
    assert (twin.note is w.note) == (duplicate is copy.copy)
    (twin * 3).sum().backward()
    assert twin.grad.tolist() == [3, 3]
    assert w.grad is None


def test_shallow_copy_shares_memory():
    t = torch.zeros(2)
    copy.copy(t).fill_(1)
    assert t.tolist() == [1, 1]


def test_pickled_slice_stays_small():
    assert len(pickle.dumps(torch.arange(100_000.0)[:2].clone())) < 1000


@pytest.mark.leafgrad_only
def test_pickled_view_leaves_the_rest_of_the_storage_behind():
    assert len(pickle.dumps(torch.arange(100_000.0)[:2])) < 1000


def test_pickling_a_result_gives_a_leaf():
    y = torch.tensor([2.0], requires_grad=True) * 2
    twin = pickled(y)
    assert twin.is_leaf
    assert twin.requires_grad
    assert twin.tolist() == [4.0]


def test_pickle_warns_that_hooks_are_dropped():
    w = torch.tensor([1.0], requires_grad=True)
    w.register_hook(print)
    with pytest.warns(UserWarning, match="backward hook .* will not be serialized"):
        assert pickled(w).tolist() == [1.0]


@pytest.mark.parametrize("duplicate", [copy.copy, copy.deepcopy, pickled])
def test_copies_of_parameters_are_parameters(duplicate):
    p = torch.nn.Parameter(torch.tensor([1.0]))
    twin = duplicate(p)
    assert type(twin) is torch.nn.Parameter
    assert twin.requires_grad
    assert twin.tolist() == [1.0]


@pytest.mark.parametrize(
    "duplicate", [copy.copy, pytest.param(copy.deepcopy, marks=pytest.mark.leafgrad_only), pickled]
)
def test_copies_of_subclasses_keep_their_type(duplicate):
    t = torch.tensor([1.0, 2.0]).as_subclass(Length)
    t.unit = "m"
    twin = duplicate(t)
    assert type(twin) is Length
    assert twin.unit == "m"
    assert twin.tolist() == [1.0, 2.0]


# ---- deepcopy


def test_deepcopy_copies_the_gradient():
    w = torch.tensor([1.0], requires_grad=True)
    (w * 5).sum().backward()
    twin = copy.deepcopy(w)
    assert twin.grad.tolist() == [5.0]
    twin.grad.zero_()
    assert w.grad.tolist() == [5.0]


def test_deepcopy_keeps_sharing():
    t = torch.zeros(2, 3)
    first, again, row, turned = copy.deepcopy([t, t, t[1], t.t()])
    assert first is again
    first.fill_(1)
    assert row.tolist() == [1, 1, 1]
    assert turned[0].tolist() == [1, 1]
    assert t.sum().item() == 0


@pytest.mark.leafgrad_only
def test_deepcopy_follows_attributes_that_lead_back():
    t = torch.zeros(1)
    t.self = t
    twin = copy.deepcopy(t)
    assert twin.self is twin


def test_deepcopy_of_a_non_leaf_raises():
    y = torch.ones(2, 3, requires_grad=True) * 2
    with pytest.raises(RuntimeError, match="Only Tensors created explicitly by the user"):
        copy.deepcopy(y)


@pytest.mark.leafgrad_only
def test_deepcopy_of_a_module_tells_where_the_non_leaf_is():
    class Block(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.seen = []

    y = torch.ones(2, 3, requires_grad=True) * 2
    net = torch.nn.Sequential(torch.nn.Sequential(Block()))
    copy.deepcopy(net)
    net[0][0].seen.append({"y": y})
    with pytest.raises(RuntimeError) as error:
        copy.deepcopy(net)
    for part in ("0.0.seen[0]['y'] of the Sequential", "float32 (2, 3)", "MulBackward0", "detach()"):
        assert part in str(error.value)
    with pytest.raises(RuntimeError, match=re.escape("[1] of the list")):
        copy.deepcopy([1, y])


def test_deepcopy_of_nan_keeps_nan():
    assert math.isnan(copy.deepcopy(torch.tensor([math.nan]))[0].item())


# ---- protocols


def test_iteration_goes_over_the_first_dimension():
    t = torch.arange(6).reshape(3, 2)
    assert [row.tolist() for row in t] == [[0, 1], [2, 3], [4, 5]]
    a, b = torch.tensor([1.0, 2.0], requires_grad=True)
    (a * b).backward()
    with pytest.raises(TypeError, match="iteration over a 0-d tensor"):
        iter(torch.tensor(1))


def test_reversed_flips_the_first_dimension():
    assert reversed(torch.tensor([[1, 2], [3, 4]])).tolist() == [[3, 4], [1, 2]]
    assert reversed(torch.tensor(3)).item() == 3


def test_contains_looks_for_an_equal_element():
    t = torch.tensor([1.0, 2.0])
    assert 2 in t
    assert torch.tensor(1.0) in t
    assert 3.0 not in t
    with pytest.raises(RuntimeError, match="only supports Tensor or scalar"):
        "a" in t


def test_dir_names_methods_and_attributes():
    t = torch.tensor([1.0])
    t.note = 1
    names = dir(t)
    assert {"backward", "grad", "shape", "sum", "note"} <= set(names)
    assert names == sorted(names)


@pytest.mark.parametrize("duplicate", [copy.copy, copy.deepcopy, pickled])
@pytest.mark.parametrize("name", ["float32", "bool", "strided", "preserve_format"])
def test_dtypes_and_formats_are_found_again_by_name(duplicate, name):
    constant = getattr(torch, name)
    assert duplicate(constant) is constant
    assert repr(constant) == f"torch.{name}"


@pytest.mark.parametrize("duplicate", [copy.copy, copy.deepcopy, pickled])
def test_devices_and_sizes_are_copied(duplicate):
    assert duplicate(torch.device("meta")) == torch.device("meta")
    size = duplicate(torch.Size([2, 3]))
    assert type(size) is torch.Size
    assert size == (2, 3)
