"""Inputs that a native tensor library must answer with a clear exception: never a crash, a hang, a read or write
outside of a storage, or a half-changed tensor. The tests stand in the order in which a tensor lives: creation, shapes,
indexing, arithmetic, in-place. `test_bad_neighbours.py` goes on with autograd, foreign memory and the system.
"""

from __future__ import annotations

import pytest
from support import assert_near, refuses

import leafgrad as torch
import leafgrad.nn.functional as F

ANY = (RuntimeError, ValueError, TypeError, IndexError)
SHAPE = (RuntimeError, ValueError)
RANGE = (IndexError, RuntimeError)


# Creation


def test_a_negative_size_is_refused_and_named():
    refuses(
        RuntimeError, lambda: torch.empty(-1), lambda: torch.zeros(2, -1), lambda: torch.ones((-5,)), match="negative"
    )


@pytest.mark.leafgrad_only
def test_the_message_about_a_negative_size_names_it():
    refuses(RuntimeError, lambda: torch.zeros(3, -7), lambda: torch.empty(-7), match="-7")


def test_a_storage_size_that_overflows_is_refused():
    refuses(
        RuntimeError,
        lambda: torch.empty(2**62),
        lambda: torch.zeros(2**31, 2**31, 4),
        lambda: torch.full((2**40, 2**40), 1.0),
    )


def test_strides_that_overflow_are_refused():
    refuses(RuntimeError, lambda: torch.zeros(0, 2**62, 2**62), match="overflow")


def test_sizes_that_are_no_integers_are_refused():
    refuses(TypeError, lambda: torch.zeros(1.5), lambda: torch.zeros("3"), lambda: torch.zeros((2, None)))
    refuses((*ANY, OverflowError), lambda: torch.zeros(2**70))


def test_more_memory_than_there_is_raises():
    refuses(
        RuntimeError,
        lambda: torch.empty(2**57, dtype=torch.int8),
        lambda: torch.linspace(0, 1, 2**57),
        lambda: torch.eye(2**28),
        lambda: torch.ones(1).expand(2**57).contiguous(),
    )


@pytest.mark.leafgrad_only
def test_more_memory_than_there_is_is_a_memory_error_too_with_bytes_and_shape():
    with pytest.raises(MemoryError) as error:
        torch.empty(2**50, 2**3)
    assert isinstance(error.value, RuntimeError)
    assert str(2**55) in str(error.value).replace(",", "") and str(2**50) in str(error.value)
    refuses(MemoryError, lambda: torch.arange(0, 1e18), lambda: torch.linspace(0, 1, 2**50))
    assert torch.ones(3).sum().item() == 3


def test_arange_with_a_zero_step_or_bounds_that_are_no_numbers_is_refused():
    nan, inf = float("nan"), float("inf")
    refuses(
        RuntimeError,
        lambda: torch.arange(0, 5, 0),
        lambda: torch.arange(0, 5, 0.0),
        lambda: torch.arange(nan),
        lambda: torch.arange(0, inf),
        lambda: torch.arange(-inf, 0),
        lambda: torch.arange(0, 5, nan),
        lambda: torch.arange(5, 0, 1),
        lambda: torch.arange(0, 5, -1),
        lambda: torch.linspace(0, 1, -1),
    )


def test_random_creation_with_an_empty_range_is_refused():
    refuses(
        (RuntimeError, ValueError),
        lambda: torch.randint(5, 5, (2,)),
        lambda: torch.randint(5, 3, (2,)),
        lambda: torch.randperm(-1),
    )


def test_seeds_and_generator_states_that_make_no_sense_are_refused():
    refuses((RuntimeError, ValueError, OverflowError), lambda: torch.manual_seed(2**70))
    generator = torch.Generator().manual_seed(1)
    before = generator.get_state().tolist()
    refuses(
        ANY,
        lambda: generator.set_state(torch.zeros(3, dtype=torch.uint8)),
        lambda: generator.set_state(torch.zeros(5000)),
        lambda: generator.set_state("junk"),
        lambda: torch.rand(3, generator=5),
    )
    assert generator.get_state().tolist() == before


def test_ragged_and_mixed_lists_are_refused():
    refuses(
        (ValueError, TypeError, RuntimeError),
        lambda: torch.tensor([[1, 2], [3]]),
        lambda: torch.tensor([[1], 2]),
        lambda: torch.tensor([1, [2]]),
        lambda: torch.tensor([1, "two"]),
        lambda: torch.tensor([None]),
        lambda: torch.tensor("text"),
        lambda: torch.tensor({"a": 1}),
        lambda: torch.tensor(object()),
        lambda: torch.tensor([torch.ones(2), 1]),
    )


def test_a_list_that_contains_itself_is_refused():
    loop = []
    loop.append(loop)
    refuses((ValueError, RuntimeError), lambda: torch.tensor(loop))


def test_a_list_five_thousand_deep_is_refused():
    deep = 1.0
    for _ in range(5000):
        deep = [deep]
    refuses((ValueError, RuntimeError), lambda: torch.tensor(deep))


class ChangesItsList:
    def __init__(self, owner):
        self.owner = owner

    def __float__(self):
        self.owner.clear()
        return 1.0


@pytest.mark.leafgrad_only
def test_a_list_that_an_element_s_float_changes_is_read_or_refused_never_crashes():
    values = [1.0, 2.0, 3.0, 4.0]
    values[1] = ChangesItsList(values)
    refuses(ANY, lambda: torch.tensor(values, dtype=torch.float32))
    nested = [[1.0, 2.0], [3.0, 4.0]]
    nested[0][0] = ChangesItsList(nested)
    refuses(ANY, lambda: torch.tensor(nested, dtype=torch.float32))


class Sequence:
    def __init__(self, length, items):
        self.length, self.items = length, items

    def __len__(self):
        return self.length

    def __getitem__(self, index):
        return self.items[index]


def test_a_sequence_whose_length_lies_is_refused():
    refuses(
        ANY, lambda: torch.tensor(Sequence(5, [1.0, 2.0])), lambda: torch.tensor([Sequence(3, [1.0]), [1.0, 2.0, 3.0]])
    )


@pytest.mark.leafgrad_only
def test_a_sequence_with_an_absurd_length_is_refused():
    refuses((*ANY, MemoryError, OverflowError), lambda: torch.tensor(Sequence(2**62, [1.0])))


def test_numbers_that_do_not_fit_are_refused():
    refuses(
        (*ANY, OverflowError),
        lambda: torch.tensor(2**70),
        lambda: torch.tensor([2**64]),
        lambda: torch.full((2,), 2**70, dtype=torch.int64),
    )
    t = torch.zeros(2, dtype=torch.int8)

    def assign(value):
        t[0] = value

    refuses((RuntimeError, OverflowError), lambda: assign(1000), lambda: assign(-129), lambda: t.fill_(300))
    refuses((RuntimeError, OverflowError), lambda: torch.full((2,), 256, dtype=torch.uint8))
    assert t.tolist() == [0, 0]


# Shapes


def test_reshape_with_an_ambiguous_or_overflowing_shape_is_refused():
    refuses(
        RuntimeError,
        lambda: torch.ones(4).reshape(-1, -1),
        lambda: torch.empty(0).reshape(0, -1),
        lambda: torch.ones(4).reshape(3),
        lambda: torch.ones(4).reshape(-2, 2),
        lambda: torch.ones(4).view(2**62, 4),
        lambda: torch.ones(4).view(2**32, 2**32),
        lambda: torch.empty(0).view(2**62, 4),
        lambda: torch.ones(4).reshape(-1, 3),
        lambda: torch.ones(2, 3).t().view(6),
    )
    with pytest.raises(RuntimeError, match=r"shape '\[3\]' is invalid for input of size 4|size 4"):
        torch.ones(4).reshape(3)


def test_repeat_and_expand_with_negative_sizes_are_refused():
    refuses(
        RuntimeError,
        lambda: torch.ones(2).repeat(-1),
        lambda: torch.ones(1, 2).expand(-2, 2),
        lambda: torch.ones(2).expand(3),
        lambda: torch.ones(2, 2).expand(2),
        lambda: torch.ones(2).expand(-1, 2),
        lambda: torch.ones(2, 2).repeat(2),
    )


def test_dimensions_that_are_not_there_are_refused():
    x = torch.ones(2, 3)
    refuses(
        IndexError,
        lambda: x.sum(7),
        lambda: x.transpose(0, 2),
        lambda: x.select(5, 0),
        lambda: x.squeeze(2),
        lambda: x.unsqueeze(4),
        lambda: x.unbind(-3),
        lambda: x.softmax(2),
        lambda: x.cumsum(2),
        lambda: x.size(2),
        lambda: torch.cat([x, x], 2),
        lambda: x.flip(2),
        match="out of range",
    )
    refuses((*SHAPE, IndexError), lambda: x.permute(0, 2), lambda: x.movedim(0, 5))


def test_duplicate_or_missing_dimensions_in_permute_are_refused():
    x = torch.ones(2, 3)
    refuses(
        RuntimeError, lambda: x.permute(0, 0), lambda: x.permute(0), lambda: x.permute(0, 1, 1), lambda: x.sum((0, 0))
    )


@pytest.mark.leafgrad_only
def test_more_than_64_dimensions_are_refused():
    refuses(
        SHAPE, lambda: torch.ones([1] * 65), lambda: torch.ones(1)[(None,) * 65], lambda: torch.ones(1).expand([1] * 65)
    )
    assert torch.ones([1] * 64).sum().item() == 1


def test_split_chunk_cat_and_stack_with_nothing_to_work_on_are_refused():
    x = torch.ones(4)
    refuses(
        SHAPE,
        lambda: x.split(0),
        lambda: x.split(-1),
        lambda: x.split([1, 2]),
        lambda: x.split([5, -1]),
        lambda: x.chunk(0),
        lambda: x.chunk(-1),
        lambda: torch.cat([]),
        lambda: torch.stack([]),
        lambda: torch.stack([x, torch.ones(3)]),
        lambda: torch.cat([torch.ones(2, 3), torch.ones(3, 2)]),
        lambda: torch.cat([torch.tensor(1.0), torch.tensor(2.0)]),
        lambda: torch.tensor(1.0).split(1),
    )
    assert torch.empty(0).split(0)[0].shape == (0,)


def test_narrow_and_select_out_of_range_are_refused():
    x = torch.ones(4)
    refuses(
        RANGE,
        lambda: x.narrow(0, 3, 2),
        lambda: x.narrow(0, 0, -1),
        lambda: x.narrow(0, 5, 0),
        lambda: x.select(0, 4),
        lambda: x.select(0, -5),
        lambda: x.narrow(0, 2**62, 2**62),
        lambda: torch.tensor(1.0).narrow(0, 0, 1),
    )


def test_as_strided_beyond_the_storage_is_refused():
    x = torch.ones(4)
    refuses(
        RuntimeError,
        lambda: x.as_strided((5,), (1,)),
        lambda: x.as_strided((2, 2), (1, 4)),
        lambda: x.as_strided((2,), (1,), 3),
        lambda: x.as_strided((2,), (-1,), 1),
        lambda: x.as_strided((2,), (1,), -1),
        lambda: x.as_strided((2**40,), (2**40,)),
        lambda: x.as_strided((2,), (1, 1)),
        lambda: x.as_strided((1,), (1,), 2**62),
        lambda: x.as_strided((-1,), (1,)),
    )
    assert x.as_strided((0, 5), (100, 100), 3).shape == (0, 5)  # no element, so nothing outside


def test_matrix_products_of_unfit_shapes_are_refused():
    a = torch.ones(3, 4)
    refuses(
        RuntimeError,
        lambda: a @ torch.ones(5, 6),
        lambda: a @ torch.ones(3),
        lambda: torch.mm(a, torch.ones(4)),
        lambda: torch.mv(a, torch.ones(3)),
        lambda: torch.dot(torch.ones(3), torch.ones(4)),
        lambda: torch.bmm(a, a),
        lambda: torch.tensor(1.0) @ a,
        lambda: torch.addmm(torch.ones(7), a, torch.ones(4, 2)),
        lambda: torch.einsum("ij,jk", a, a),
        lambda: torch.einsum("ij", torch.ones(3)),
    )
    assert torch.ones(0, 3).t().matmul(torch.ones(0, 2)).tolist() == [[0.0, 0.0]] * 3


def test_tensors_of_two_devices_are_refused():
    here, there, index = (
        torch.ones(2, 3),
        torch.ones(2, 3, device="meta"),
        torch.zeros(2, dtype=torch.int64, device="meta"),
    )
    refuses(
        (RuntimeError, NotImplementedError),
        lambda: here + there,
        lambda: here @ there.t(),
        lambda: torch.mm(there, here.t()),
        lambda: torch.cat([here, there]),
        lambda: here.gather(1, index[:, None]),
        lambda: here[index],
        lambda: here.index_select(0, index),
        lambda: F.linear(here, there),
        lambda: F.embedding(index, here),
        lambda: F.cross_entropy(here, index),
        lambda: torch.where(there > 0, here, here),
        lambda: here.copy_(there),
    )


def test_broadcasting_that_cannot_be_names_both_sizes():
    with pytest.raises(RuntimeError, match=r"size of tensor a \(3\) must match the size of tensor b \(4\)"):
        torch.ones(2, 3) + torch.ones(4)


# Indexing


def test_an_integer_index_out_of_range_is_refused():
    t = torch.arange(3)
    refuses(
        IndexError,
        lambda: t[3],
        lambda: t[-4],
        lambda: t[2**62],
        lambda: t[torch.tensor([3])],
        lambda: t[torch.tensor([-4])],
        lambda: t[[5]],
        lambda: t[0, 0],
        lambda: t[torch.tensor(0), torch.tensor(0)],
        lambda: torch.tensor(5)[0],
        lambda: torch.zeros(0)[0],
        lambda: torch.zeros(0)[torch.tensor([0])],
    )
    with pytest.raises(IndexError, match=r"index 5 is out of (bounds|range).* size 3"):
        t[5]


def test_a_huge_python_integer_as_index_is_refused():
    refuses((IndexError, OverflowError, TypeError, RuntimeError, ValueError), lambda: torch.arange(3)[2**70])


def test_an_index_of_a_wrong_type_is_refused():
    t = torch.arange(3)
    refuses(
        (IndexError, TypeError),
        lambda: t[1.5],
        lambda: t["a"],
        lambda: t[object()],
        lambda: t[torch.tensor([1.0])],
        lambda: t[1j],
        lambda: t[{}],
    )


def test_a_mask_of_the_wrong_shape_is_refused():
    t = torch.zeros(3, 4)
    refuses(
        IndexError,
        lambda: t[torch.ones(4, dtype=torch.bool)],
        lambda: t[torch.ones(3, 3, dtype=torch.bool)],
        match="mask",
    )
    refuses(IndexError, lambda: t[torch.ones(3, 4, 1, dtype=torch.bool)])


def test_index_arrays_that_do_not_broadcast_are_refused():
    refuses(IndexError, lambda: torch.zeros(3, 4)[[0, 1], [0, 1, 2]], match="broadcast")


def test_slices_with_a_step_of_zero_or_less_are_refused():
    t = torch.arange(3)
    refuses(ValueError, lambda: t[::0], lambda: t[::-1])


def test_a_failed_assignment_changes_nothing():
    t = torch.zeros(3, 3)

    def assign(index, value):
        t[index] = value

    refuses(
        ANY,
        lambda: assign(5, 1.0),
        lambda: assign(0, torch.ones(4)),
        lambda: assign(torch.tensor([0, 1]), torch.ones(3, 3)),
        lambda: assign(0, "text"),
        lambda: assign("a", 1.0),
        lambda: assign(0, None),
    )
    assert t.tolist() == [[0.0] * 3] * 3


@pytest.mark.leafgrad_only
def test_a_failed_assignment_to_index_arrays_changes_nothing_not_even_the_good_part():
    t = torch.zeros(3, 3)
    with pytest.raises(IndexError):
        t[torch.tensor([0, 5])] = 1.0
    assert t.tolist() == [[0.0] * 3] * 3 and t._version == 0


def test_deleting_an_item_is_refused():
    t = torch.zeros(3)
    with pytest.raises(TypeError):
        del t[0]


def test_gather_and_scatter_with_an_index_out_of_range_are_refused_and_write_nothing():
    x, value = torch.zeros(3), torch.ones(2)
    bad, negative = torch.tensor([0, 3]), torch.tensor([0, -1])
    calls = [
        lambda i: x.gather(0, i),
        lambda i: x.scatter_(0, i, value),
        lambda i: x.scatter_(0, i, 1.0),
        lambda i: x.scatter_add_(0, i, value),
    ]
    for call in calls:
        refuses(
            RANGE, lambda call=call: call(bad), lambda call=call: call(negative), match="out of bounds|out of range"
        )
    refuses(
        RANGE,
        lambda: x.index_select(0, bad),
        lambda: x.index_add_(0, bad, value),
        lambda: x.index_put_((bad,), value),
    )
    with pytest.raises(RANGE, match="3"):
        x.gather(0, bad)


@pytest.mark.leafgrad_only
def test_scatter_with_an_index_out_of_range_writes_nothing_not_even_the_good_part():
    x = torch.zeros(3)
    bad, value = torch.tensor([0, 3]), torch.ones(2)
    refuses(
        RANGE,
        lambda: x.scatter_(0, bad, value),
        lambda: x.scatter_add_(0, bad, value),
        lambda: x.index_add_(0, bad, value),
        lambda: x.index_put_((bad,), value),
        lambda: x.index_put_((bad,), value, accumulate=True),
    )
    assert x.tolist() == [0.0, 0.0, 0.0] and x._version == 0


def test_gather_and_scatter_with_unfit_shapes_or_dtypes_are_refused():
    x = torch.zeros(3, 3)
    refuses(
        ANY,
        lambda: x.gather(0, torch.tensor([0])),
        lambda: x.gather(0, torch.zeros(1, 5, dtype=torch.int64)),
        lambda: x.gather(0, torch.zeros(1, 3)),
        lambda: x.scatter_(0, torch.zeros(3, 3, dtype=torch.int64), torch.zeros(2, 3)),
        lambda: x.scatter_(0, torch.zeros(3, 3, dtype=torch.int64), torch.zeros(3, 3, dtype=torch.float64)),
        lambda: x.index_select(0, torch.tensor([[0]])),
        lambda: x.index_select(0, torch.tensor([0.0])),
        lambda: x.index_add_(0, torch.tensor([0]), torch.ones(2, 3)),
    )


def test_embedding_with_an_index_out_of_range_is_refused():
    table = torch.ones(3, 2, requires_grad=True)
    refuses(
        RANGE,
        lambda: F.embedding(torch.tensor([3]), table),
        lambda: F.embedding(torch.tensor([-1]), table),
        lambda: F.embedding(torch.tensor([0, 2**40]), table),
    )
    refuses(ANY, lambda: F.embedding(torch.tensor([0.5]), table), lambda: F.embedding(torch.tensor([0]), torch.ones(3)))


def test_cross_entropy_and_nll_loss_with_a_target_out_of_range_are_refused():
    logits = torch.zeros(2, 3, requires_grad=True)
    for bad in (3, -1, 2**40):
        refuses(
            RANGE,
            lambda bad=bad: F.cross_entropy(logits, torch.tensor([0, bad])),
            lambda bad=bad: F.nll_loss(logits, torch.tensor([0, bad])),
        )
    loss = F.cross_entropy(logits, torch.tensor([0, -100]))  # the index that is to be ignored
    loss.backward()
    assert_near(logits.grad[1], [0.0] * 3)


def test_cross_entropy_whose_target_is_changed_before_backward_is_refused():
    logits = torch.zeros(2, 3, requires_grad=True)
    target = torch.tensor([0, 1])
    loss = F.cross_entropy(logits, target)
    target.fill_(1000)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        loss.backward()


def test_cross_entropy_with_unfit_shapes_is_refused():
    logits = torch.zeros(2, 3)
    refuses(
        SHAPE,
        lambda: F.cross_entropy(logits, torch.tensor([0])),
        lambda: F.cross_entropy(logits, torch.zeros(2, 4)),
        lambda: F.cross_entropy(logits, torch.tensor([0, 1]), weight=torch.ones(5)),
        lambda: F.cross_entropy(logits, torch.tensor([0, 1]), reduction="typo"),
    )


def test_topk_and_sort_and_reductions_of_nothing_are_refused():
    x = torch.arange(3.0)
    refuses(
        RANGE,
        lambda: x.topk(5),
        lambda: x.topk(-1),
        lambda: torch.empty(0).max(),
        lambda: torch.empty(0).min(),
        lambda: torch.empty(0).argmax(),
        lambda: torch.empty(0, 3).max(0),
        lambda: torch.empty(3, 0).argmin(1),
        lambda: torch.empty(0).amax(),
        lambda: x.sort(1),
    )
    assert torch.empty(0).sum().item() == 0 and torch.empty(0).prod().item() == 1
    assert torch.empty(3, 0).max(0)[0].shape == (0,)


def test_masked_select_and_masked_fill_with_unfit_arguments_are_refused():
    x = torch.zeros(3)
    refuses(
        ANY,
        lambda: x.masked_select(torch.ones(4, dtype=torch.bool)),
        lambda: x.masked_select(torch.ones(3)),
        lambda: x.masked_fill(torch.ones(3), 1.0),
        lambda: x.masked_fill_(torch.ones(4, dtype=torch.bool), 1.0),
        lambda: x.masked_fill_(torch.ones(3, dtype=torch.bool), torch.ones(2)),
        lambda: torch.where(torch.ones(3), x, x + torch.ones(4)),
    )


# Arithmetic


@pytest.mark.parametrize("dtype", ["int8", "int16", "int32", "int64", "uint8"])
def test_integer_division_by_zero_is_refused(dtype):
    x = torch.tensor([1, 2], dtype=getattr(torch, dtype))
    zero = torch.tensor([1, 0], dtype=x.dtype)
    refuses(
        (RuntimeError, ZeroDivisionError),
        lambda: x // zero,
        lambda: x % zero,
        lambda: x // 0,
        lambda: x % 0,
        lambda: torch.fmod(x, zero),
        lambda: torch.div(x, zero, rounding_mode="trunc"),
        lambda: torch.div(x, 0, rounding_mode="floor"),
        match="ZeroDivisionError",
    )
    assert (x / zero).tolist() == [1.0, float("inf")]


@pytest.mark.leafgrad_only
@pytest.mark.parametrize("bits", [8, 16, 32, 64])
def test_the_least_integer_divided_by_minus_one_wraps(bits):
    dtype = getattr(torch, f"int{bits}")
    least = torch.tensor([-(2 ** (bits - 1))] * 40, dtype=dtype)
    assert set((least // -1).tolist()) == {-(2 ** (bits - 1))}
    assert set((least // torch.full_like(least, -1)).tolist()) == {-(2 ** (bits - 1))}
    assert set(torch.div(least, -1, rounding_mode="trunc").tolist()) == {-(2 ** (bits - 1))}
    assert set((least % -1).tolist()) == {0} and set(torch.fmod(least, -1).tolist()) == {0}
    assert set((-least).tolist()) == {-(2 ** (bits - 1))} and set(least.abs().tolist()) == {-(2 ** (bits - 1))}


def test_shifts_by_more_than_the_width_are_defined():
    x = torch.tensor([1, -1])
    assert (x << 64).tolist() == [0, 0] and (x << 100).tolist() == [0, 0]
    assert (x >> 64).tolist() == [0, -1] and (x >> 100).tolist() == [0, -1]
    assert (torch.tensor([1], dtype=torch.int8) << torch.tensor([8], dtype=torch.int8)).tolist() == [0]


@pytest.mark.leafgrad_only
def test_shifts_by_a_negative_number_are_defined_or_refused():
    x = torch.tensor([1, -1])
    for shift in (lambda: x << -1, lambda: x >> -1):
        try:
            assert shift().dtype == torch.int64
        except RuntimeError as error:
            assert "negative" in str(error)


def test_floats_that_fit_no_integer_convert_to_something():
    for value in (float("nan"), float("inf"), -float("inf"), 1e30, -1e30):
        for dtype in (torch.int64, torch.int32, torch.int8, torch.uint8, torch.bool):
            result = torch.tensor([value] * 9).to(dtype)
            assert result.dtype == dtype and len(set(result.tolist())) == 1


def test_integer_powers_wrap_and_do_not_hang():
    x = torch.tensor([3], dtype=torch.int64)
    assert (x**40).item() == (3**40 + 2**63) % 2**64 - 2**63
    assert (x ** (2**62)).dtype == torch.int64


def test_operators_with_things_that_are_no_numbers_are_refused():
    x = torch.ones(2)
    refuses(
        TypeError,
        lambda: x + "text",
        lambda: "text" * x,
        lambda: x + None,
        lambda: x - [1, 2],
        lambda: torch.add(x),
        lambda: torch.add(x, 1, 2, 3, 4, 5),
        lambda: torch.add(x, other=1, nonsense=2),
        lambda: torch.exp(),
        lambda: torch.exp(1.0),
        lambda: x.sum(dim="a"),
        lambda: x.clamp("a"),
    )


def test_unknown_rounding_modes_and_reductions_are_refused():
    x = torch.ones(2)
    refuses(
        SHAPE,
        lambda: torch.div(x, x, rounding_mode="up"),
        lambda: F.mse_loss(x, x, reduction="typo"),
        lambda: F.dropout(x, p=1.5),
        lambda: F.dropout(x, p=-0.1),
        lambda: F.layer_norm(x, (3,)),
    )
    refuses(SHAPE, lambda: x.clamp())


# In-place


def test_in_place_on_expanded_or_partly_overlapping_memory_is_refused():
    x = torch.zeros(4)
    wide = torch.zeros(1).expand(4)
    refuses(
        RuntimeError,
        lambda: wide.add_(1),
        lambda: wide.copy_(torch.ones(4)),
        lambda: torch.add(x, 1, out=wide),
        lambda: x[1:].add_(x[:-1]),
        lambda: torch.add(x[:-1], 1, out=x[1:]),
        lambda: torch.exp(x[:3], out=x[1:]),
    )
    assert x.tolist() == [0.0] * 4


@pytest.mark.leafgrad_only
def test_in_place_on_memory_that_overlaps_itself_in_part_is_refused():
    overlapping = torch.zeros(4).as_strided((3, 2), (1, 1))
    refuses(RuntimeError, lambda: overlapping.add_(1), lambda: overlapping.mul_(2), lambda: overlapping.zero_())


def test_assignment_between_overlapping_slices_is_defined():
    x = torch.arange(5)
    x[1:] = x[:-1].clone()
    assert x.tolist() == [0, 0, 1, 2, 3]


def test_out_of_a_wrong_kind_is_refused_or_resized():
    x = torch.ones(2)
    refuses(
        ANY,
        lambda: torch.add(x, x, out=5),
        lambda: torch.add(x, 1.5, out=torch.zeros(2, dtype=torch.int64)),
        lambda: torch.add(torch.ones(2, requires_grad=True), 1, out=torch.zeros(2)),
        lambda: torch.add(x, 1, out=torch.zeros(2, requires_grad=True)),
    )
    out = torch.empty(0)
    assert torch.add(x, x, out=out).tolist() == [2.0, 2.0] and out.shape == (2,)


@pytest.mark.leafgrad_only
def test_a_storage_that_is_shrunk_under_a_live_view_is_never_read_outside():
    x = torch.arange(4.0)
    view = x[2:]
    with pytest.raises(RuntimeError):
        x.untyped_storage().resize_(0)
        view.sum()
    x = torch.arange(4.0)
    view = x[2:]
    with pytest.raises(RuntimeError):
        x.resize_(2**62)
    assert x.shape == (4,) and x.stride() == (1,) and view.tolist() == [2.0, 3.0]


def test_set_data_of_another_kind_is_refused():
    t = torch.ones(2)
    with pytest.raises((TypeError, RuntimeError)):
        t.data = 5
    with pytest.raises((TypeError, RuntimeError)):
        t.requires_grad = None
