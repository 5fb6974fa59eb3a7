"""In-place operations and views: version counters, errors on stale saved tensors, histories that are rebased when a
view is written, multi-output and no_grad views, `.data` against `detach()`, and memory that overlaps itself.

The properties at the end run random programs of views and in-place writes against NumPy and finite differences.
"""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support import assert_near, finite_difference

import leafgrad as torch
from leafgrad.autograd import grad


def leaf(*values, dtype=None):
    return torch.tensor(list(values), dtype=dtype, requires_grad=True)


# Version counters


def test_a_new_tensor_is_at_version_zero_and_each_in_place_operation_counts_one():
    x = torch.ones(3)
    assert x._version == 0
    x.add_(1)
    x.mul_(2)
    x[0] = 5
    x.zero_()
    x.fill_(3)
    x.copy_(torch.ones(3))
    assert x._version == 6


def test_operators_that_write_in_place_count():
    x = torch.ones(3)
    x += 1
    x -= 1
    x *= 2
    x /= 2
    x **= 2
    assert x._version == 5


def test_out_counts_as_a_write():
    x = torch.ones(3)
    torch.add(x, x, out=x)
    assert x._version == 1


def test_reading_does_not_count():
    x = torch.ones(3)
    x.sum(), x + 1, x.view(3), x[0], x.clone(), x.tolist(), x.numpy(), repr(x)
    assert x._version == 0


def test_views_share_the_version_counter_of_their_base():
    x = torch.ones(4)
    views = [x[0], x[1:], x.view(2, 2), x.view(2, 2).t(), x.expand(3, 4), x.detach(), x[None], x.unbind()[0]]
    x.add_(1)
    assert all(v._version == 1 for v in views)
    views[0].mul_(2)
    assert x._version == 2 and views[3]._version == 2


def test_a_view_made_later_starts_at_its_base_s_version():
    x = torch.ones(4)
    x.add_(1)
    assert x[0]._version == 1


def test_a_copy_has_a_counter_of_its_own():
    x = torch.ones(4)
    y, z = x.clone(), x.contiguous()
    x.add_(1)
    assert y._version == 0
    assert z is x


def test_data_has_a_counter_of_its_own_detach_shares_it():
    x = torch.ones(4)
    data, detached = x.data, x.detach()
    x.add_(1)
    assert data._version == 0 and detached._version == 1
    data.add_(1)
    assert x._version == 1
    assert_near(x, [3.0] * 4)


def test_assigning_data_keeps_the_version_and_takes_the_new_memory():
    w = leaf(1.0)
    w.data = torch.tensor([5.0])
    assert w.tolist() == [5.0] and w.requires_grad and w.is_leaf
    w.data.add_(1)
    assert w.tolist() == [6.0] and w._version == 0


def test_a_failed_in_place_operation_changes_nothing():
    x = torch.ones(3)
    with pytest.raises(RuntimeError):
        x.add_(torch.ones(4))
    with pytest.raises(RuntimeError):
        x.copy_(torch.ones(2, 3))
    assert x._version == 0 and x.tolist() == [1.0, 1.0, 1.0]


def test_in_place_keeps_identity():
    x = torch.ones(3)
    assert x.add_(1) is x
    y = x
    y += 1
    assert y is x


def test_in_place_never_changes_shape_or_dtype():
    x = torch.ones(3)
    x += torch.ones(3, dtype=torch.float64)
    assert x.dtype == torch.float32
    with pytest.raises(RuntimeError, match="output with shape|doesn't match the broadcast shape"):
        x += torch.ones(2, 3)


# Stale saved tensors


@pytest.mark.parametrize(
    "operation, stale",
    [
        (lambda x: x * x, True),
        (lambda x: x.exp(), False),
        (lambda x: x.sin(), True),
        (lambda x: x + x, False),
        (lambda x: x - 1, False),
        (lambda x: x * 2, False),
        (lambda x: x**2, True),
        (lambda x: x.sum(), False),
        (lambda x: x.mean(), False),
        (lambda x: x.relu(), False),
        (lambda x: x.log(), True),
        (lambda x: x.sigmoid(), False),
        (lambda x: x.clone(), False),
        (lambda x: -x, False),
        (lambda x: x / 2, False),
        (lambda x: 2 / x, False),  # reciprocal, which keeps its result
        (lambda x: x.sqrt(), False),
        (lambda x: x.abs(), True),
        (lambda x: x.clamp(0.5, 5.0), True),
        (lambda x: x.max(), True),
        (lambda x: torch.cat([x, x]), False),
        (lambda x: x[torch.tensor([0])], False),
        (lambda x: torch.where(torch.tensor([True, False]), x, x), False),
        (lambda x: x.softmax(0), False),
        (lambda x: x.cumsum(0), False),
        (lambda x: x.masked_fill(torch.tensor([True, False]), 0.0), False),
    ],
)
def test_writing_an_input_after_the_operation_is_caught_exactly_where_it_was_saved(operation, stale):
    w = leaf(1.0, 2.0)
    x = w * 1
    y = operation(x)
    if y._is_view():
        y = y * 1
    x.add_(1)
    if stale:
        with pytest.raises(RuntimeError, match="has been modified by an inplace operation"):
            y.sum().backward()
    else:
        y.sum().backward()


@pytest.mark.parametrize(
    "operation, stale",
    [
        (lambda x: x * x, False),
        (lambda x: x.exp(), True),
        (lambda x: x.sin(), False),
        (lambda x: x.relu(), True),
        (lambda x: x.sigmoid(), True),
        (lambda x: x.tanh(), True),
        (lambda x: x.sqrt(), True),
        (lambda x: x.softmax(0), True),
        (lambda x: x + 1, False),
        (lambda x: x.log(), False),
        (lambda x: x.reciprocal(), True),
    ],
)
def test_writing_a_result_is_caught_exactly_where_the_result_was_saved(operation, stale):
    w = leaf(1.0, 2.0)
    y = operation(w)
    y.mul_(3)
    if stale:
        with pytest.raises(RuntimeError, match="has been modified by an inplace operation"):
            y.sum().backward()
    else:
        y.sum().backward()


def test_the_stale_error_names_both_versions_and_the_shape():
    w = leaf(1.0, 2.0)
    y = w.exp()
    y.add_(1)
    y.add_(1)
    with pytest.raises(RuntimeError, match="is at version 2; expected version 0 instead") as error:
        y.sum().backward()
    assert "[2]" in str(error.value) or "(2,)" in str(error.value)


def test_writing_through_a_view_makes_the_base_stale():
    w = leaf(1.0, 2.0)
    x = w * 1
    y = x * x
    x[0].zero_()
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        y.sum().backward()


def test_writing_under_no_grad_makes_a_saved_tensor_stale_too():
    w, x = leaf(1.0), torch.tensor([3.0])
    y = w * x
    with torch.no_grad():
        x.zero_()
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        y.backward()


def test_an_optimizer_s_step_between_forward_and_backward_is_caught():
    w = leaf(1.0)
    y = (w * w).sum()
    y.backward(retain_graph=True)
    with torch.no_grad():
        w -= 0.1 * w.grad
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        y.backward()


def test_saved_indices_are_watched_too():
    w, i = leaf(1.0, 2.0, 3.0), torch.tensor([0, 2])
    y = w[i]
    i[0] = 1
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        y.sum().backward()


# Bases and views


def test_base_and_is_view():
    x = torch.ones(4)
    assert x._base is None and not x._is_view()
    v = x.view(2, 2)
    assert v._base is x and v._is_view()
    assert v[0]._base is x  # a view of a view has the same base
    assert x.clone()._base is None
    assert x.detach()._is_view() or x.detach()._base is None


def test_a_view_shares_memory():
    x = torch.zeros(2, 3)
    x.t()[1].fill_(5)
    assert x.tolist() == [[0, 5, 0], [0, 5, 0]]
    x[0, 0] = 7
    assert x.view(6)[0].item() == 7


def test_a_chain_of_views_of_a_non_leaf_each_written_in_place():
    w = torch.ones(2, 3, 4, dtype=torch.float64, requires_grad=True)
    base = w * 1
    first = base[1]
    second = first.t()
    third = second[:2]
    third.mul_(2)
    second.mul_(3)
    first.mul_(5)
    base.mul_(7)
    for tensor, name in ((base, "MulBackward0"), (first, None), (second, None), (third, None)):
        assert tensor.grad_fn is not None
        if name:
            assert tensor.grad_fn.name() == name
    expected = np.full((2, 3, 4), 7.0)
    expected[1] *= 5 * 3
    expected[1, :, :2] *= 2
    assert_near(base.detach(), expected.tolist())
    base.sum().backward(retain_graph=True)
    assert_near(w.grad, expected.tolist())
    w.grad = None
    third.sum().backward()
    only_third = np.zeros((2, 3, 4))
    only_third[1, :, :2] = 7 * 5 * 3 * 2
    assert_near(w.grad, only_third.tolist())


def test_the_views_of_a_written_base_lead_to_its_new_history():
    base = leaf(1.0, 2.0, 3.0, 4.0) * 1
    row, flipped = base[1], base.view(2, 2).t()
    base.mul_(2)
    assert row.grad_fn.next_functions[0][0] is base.grad_fn
    assert flipped.grad_fn.next_functions[0][0] is base.grad_fn
    assert_near(grad(flipped.sum() + row, [base])[0], [1.0, 2.0, 1.0, 1.0])


def test_retain_grad_on_a_base_before_and_after_a_write_through_a_view():
    w = leaf(1.0, 2.0)
    before = w * 1
    before.retain_grad()
    before[0].mul_(10)
    after = w * 1
    after[0].mul_(10)
    after.retain_grad()
    (before * 3 + after * 5).sum().backward()
    assert_near(before.grad, [3.0, 3.0])  # the gradient of the tensor as it is now
    assert_near(after.grad, [5.0, 5.0])
    assert_near(w.grad, [80.0, 8.0])


def test_retain_grad_on_a_view_that_is_then_written():
    w = leaf(1.0, 2.0)
    base = w * 1
    view = base[0]
    view.retain_grad()
    view.mul_(10)
    (base * 3).sum().backward()
    assert_near(w.grad, [30.0, 3.0])
    with_view = w.detach().requires_grad_()
    base = with_view * 1
    view = base[0]
    view.retain_grad()
    view.mul_(10)
    view.backward()
    assert_near(view.grad, 1.0)
    assert_near(with_view.grad, [10.0, 0.0])


def test_writing_a_recording_tensor_into_a_view_of_a_plain_tensor_makes_the_base_record():
    w = leaf(3.0)
    base = torch.zeros(2, 2)
    view = base[0]
    view[1:].add_(w)
    assert base.requires_grad and not base.is_leaf and view.requires_grad
    (base * torch.tensor([[1.0, 2.0], [3.0, 4.0]])).sum().backward()
    assert_near(w.grad, [2.0])


def test_assignment_of_a_recording_tensor_to_an_index():
    w = leaf(3.0, 4.0)
    x = torch.zeros(3)
    x[1:] = w
    x[0] = w[0] * 2
    (x * torch.tensor([1.0, 10.0, 100.0])).sum().backward()
    assert_near(w.grad, [12.0, 100.0])


def test_assignment_overwrites_so_the_old_value_gets_no_gradient():
    w = leaf(1.0, 2.0, 3.0)
    y = w * 2
    y[1] = 0.0
    y.sum().backward()
    assert_near(w.grad, [2.0, 0.0, 2.0])


def test_copy_sends_the_gradient_to_its_source_summed_over_broadcasting():
    w = leaf(3.0)
    x = torch.zeros(2, 2)
    x.copy_(w)
    x.sum().backward()
    assert_near(w.grad, [4.0])


def test_masked_and_index_assignment_send_gradients_both_ways():
    w, v = leaf(1.0, 2.0, 3.0), leaf(10.0, 20.0)
    y = w * 2
    y[torch.tensor([True, False, True])] = v
    (y * torch.tensor([1.0, 2.0, 3.0])).sum().backward()
    assert_near(w.grad, [0.0, 4.0, 0.0])
    assert_near(v.grad, [1.0, 3.0])


def test_adding_a_tensor_to_itself_in_place():
    w = leaf(2.0)
    y = w * 1
    y.add_(y)
    y.sum().backward()
    assert_near(w.grad, [2.0])


def test_multiplying_a_base_by_its_own_first_element_in_place():
    w = leaf(2.0, 3.0)
    y = w * 1
    with pytest.raises(RuntimeError, match="single memory location|overlap"):
        y.mul_(y[0])
    y.mul_(y[0].clone())  # y = (a * a, b * a)
    y.sum().backward()
    assert_near(w.grad, [7.0, 2.0])


def test_in_place_on_a_view_under_no_grad_changes_the_value_not_the_history():
    w = leaf(2.0, 3.0)
    y = w * 1
    node = y.grad_fn
    with torch.no_grad():
        y[0].zero_()
    assert y.grad_fn is node and y.tolist() == [0.0, 3.0]
    y.sum().backward()
    assert_near(w.grad, [1.0, 1.0])


def test_detach_in_place_makes_a_leaf_but_not_of_a_view():
    w = leaf(2.0)
    y = w * 2
    assert y.detach_() is y
    assert y.is_leaf and not y.requires_grad and y.grad_fn is None
    view = (w * 2).view(1)
    with pytest.raises(RuntimeError, match="view"):
        view.detach_()


def test_requires_grad_on_a_view_of_a_plain_tensor_makes_that_view_a_leaf():
    x = torch.zeros(3)
    v = x[0].requires_grad_()
    assert v.is_leaf and v.requires_grad and not x.requires_grad
    (v * 2).backward()
    assert_near(v.grad, 2.0)
    with pytest.raises(RuntimeError, match="a leaf Variable that requires grad"):
        v.add_(1)


# Multi-output views and views made under no_grad


@pytest.mark.parametrize(
    "parts",
    [lambda x: x.unbind(), lambda x: x.split(1), lambda x: x.chunk(2), lambda x: torch.split(x, [1, 1])],
    ids=["unbind", "split", "chunk", "split sizes"],
)
def test_multi_output_views_of_a_recording_tensor_refuse_in_place(parts):
    base = leaf(1.0, 2.0) * 1
    part = parts(base)[0]
    with pytest.raises(RuntimeError, match="is a view and is being modified inplace"):
        part.add_(1)
    with pytest.raises(RuntimeError, match="is a view and is being modified inplace"):
        part.view(1).add_(1)  # also through a further view
    assert base.tolist() == [1.0, 2.0]
    (part + 1).sum().backward()


def test_multi_output_views_of_a_plain_tensor_may_be_written():
    base = torch.ones(2)
    base.unbind()[0].add_(1)
    assert base.tolist() == [2.0, 1.0]


def test_multi_output_views_of_a_plain_tensor_may_not_take_a_recording_tensor():
    base = torch.ones(2)
    part = base.unbind()[0]
    with pytest.raises(RuntimeError, match="is being modified inplace"):
        part.add_(leaf(1.0)[0])


def test_writing_the_base_of_multi_output_views_makes_their_gradients_an_error():
    base = leaf(1.0, 2.0) * 1
    part = base.unbind()[0]
    base.mul_(2)
    assert part.item() == 2.0
    with pytest.raises(RuntimeError, match="is a view and (its base|is being)|multiple views"):
        part.grad_fn


def test_a_view_made_under_no_grad_refuses_in_place_outside():
    base = leaf(1.0, 2.0) * 1
    with torch.no_grad():
        view = base[0]
        view.add_(1)  # inside it is fine
    with pytest.raises(RuntimeError, match="no_grad mode and .* modified inplace"):
        view.add_(1)


def test_a_view_of_a_leaf_made_under_no_grad_refuses_in_place_outside():
    w = leaf(1.0, 2.0)
    with torch.no_grad():
        view = w[0]
    with pytest.raises(RuntimeError, match="leaf Variable|no_grad mode"):
        view.add_(1)


def test_a_view_of_a_detached_tensor_is_free():
    w = leaf(1.0, 2.0)
    w.detach()[0] = 9.0
    assert w.tolist() == [9.0, 2.0] and w._version == 1


# Memory that overlaps itself


def test_in_place_on_expanded_memory_raises():
    x = torch.ones(1).expand(3)
    for write in (lambda: x.add_(1), lambda: x.mul_(2), lambda: x.copy_(torch.arange(3.0))):
        with pytest.raises(RuntimeError, match="more than one element of the written-to tensor"):
            write()
    assert x.tolist() == [1.0, 1.0, 1.0]


def test_in_place_with_a_partly_overlapping_operand_raises():
    x = torch.arange(4.0)
    with pytest.raises(RuntimeError, match="overlap|single memory location"):
        x[1:].add_(x[:-1])
    assert x.tolist() == [0.0, 1.0, 2.0, 3.0]


def test_in_place_with_the_very_same_memory_is_fine():
    x = torch.arange(4.0)
    x.add_(x)
    x[1:].mul_(x[1:])
    assert x.tolist() == [0.0, 4.0, 16.0, 36.0]


def test_the_gradient_of_an_expanded_tensor_is_summed():
    w = leaf(2.0)
    (w.expand(2, 3) * torch.arange(6.0).view(2, 3)).sum().backward()
    assert_near(w.grad, [15.0])


def test_in_place_after_expand_of_a_clone_is_fine():
    w = leaf(2.0)
    y = w.expand(3).clone()
    y[1] *= 5
    y.sum().backward()
    assert_near(w.grad, [7.0])


# Properties

SHAPES = st.lists(st.integers(1, 4), min_size=1, max_size=3).map(tuple)


@st.composite
def view_steps(draw):
    """One step that `apply_view` takes, with numbers that it fits to whatever shape it meets."""
    kind = draw(st.sampled_from(["select", "slice", "transpose", "unsqueeze"]))
    a, b, c = (draw(st.integers(0, 7)) for _ in range(3))
    return kind, a, b, c


def apply_view(step, x, is_torch):
    kind, a, b, c = step
    shape = tuple(x.shape)
    rank = len(shape)
    if kind == "select" and rank > 1:
        dim = a % rank
        index = b % shape[dim]
        return x[(slice(None),) * dim + (index,)]
    if kind == "slice" and rank:
        dim = a % rank
        start = b % shape[dim]
        step_size = 1 + c % 3
        return x[(slice(None),) * dim + (slice(start, None, step_size),)]
    if kind == "transpose" and rank > 1:
        d, e = a % rank, b % rank
        return x.transpose(d, e) if is_torch else np.swapaxes(x, d, e)
    if kind == "unsqueeze" and rank < 4:
        return x[(slice(None),) * (a % (rank + 1)) + (None,)]
    return x


WRITES = st.sampled_from(["add", "mul", "assign", "square"])


def apply_write(write, x, number, is_torch):
    if write == "add":
        x += number
    elif write == "mul":
        x *= number
    elif write == "assign":
        x[...] = number
    elif is_torch:
        x.mul_(x.detach().clone())
    else:
        x *= x.copy()


PROGRAMS = st.lists(
    st.tuples(st.integers(0, 5), st.lists(view_steps(), max_size=3), WRITES, st.sampled_from([-1.5, 0.5, 2.0])),
    min_size=1,
    max_size=6,
)


def run_program(program, base, is_torch):
    """Each instruction takes an earlier tensor, makes views of it and writes into the last one."""
    made = [base]
    for source, steps, write, number in program:
        x = made[source % len(made)]
        for step in steps:
            x = apply_view(step, x, is_torch)
        made.append(x)
        apply_write(write, x, number, is_torch)
    return made


@given(SHAPES, PROGRAMS)
def test_views_and_in_place_writes_agree_with_numpy(shape, program):
    array = np.arange(np.prod(shape), dtype=np.float64).reshape(shape) / 4 + 1
    tensor = torch.tensor(array.tolist(), dtype=torch.float64)
    for ours, theirs in zip(run_program(program, tensor, True), run_program(program, array, False), strict=True):
        assert tuple(ours.shape) == theirs.shape
        assert_near(ours, theirs.tolist(), rtol=1e-12)
    assert tensor._version == len(program)


def differentiable_write(write, x, number, factor):
    if write == "add":
        x.add_(factor * number)
    elif write == "mul":
        x.mul_(factor + number)
    elif write == "assign":
        x.copy_(factor * number)
    else:
        x.mul_(x.clone())


def differentiable_write_numpy(write, x, number, factor):
    if write == "add":
        x += factor * number
    elif write == "mul":
        x *= factor + number
    elif write == "assign":
        x[...] = factor * number
    else:
        x *= x.copy()


@given(SHAPES, PROGRAMS)
def test_the_gradient_of_a_program_of_views_and_writes_agrees_with_finite_differences(shape, program):
    start = np.cos(np.arange(np.prod(shape), dtype=np.float64)).reshape(shape)
    factor = np.array(0.7)

    def in_numpy(array, factor):
        made = [array * 1.0]
        for source, steps, write, number in program:
            x = made[source % len(made)]
            for step in steps:
                x = apply_view(step, x, False)
            made.append(x)
            differentiable_write_numpy(write, x, number, factor)
        return sum((np.sin(x) * (i + 1)).sum() for i, x in enumerate(made))

    w = torch.tensor(start.tolist(), dtype=torch.float64, requires_grad=True)
    f = torch.tensor(0.7, dtype=torch.float64, requires_grad=True)
    made = [w * 1.0]
    for source, steps, write, number in program:
        x = made[source % len(made)]
        for step in steps:
            x = apply_view(step, x, True)
        made.append(x)
        differentiable_write(write, x, number, f)
    total = sum((x.sin() * (i + 1)).sum() for i, x in enumerate(made))
    assert total.item() == pytest.approx(in_numpy(start, factor))
    gw, gf = grad(total, [w, f], allow_unused=True, materialize_grads=True)
    expected_w, expected_f = finite_difference(in_numpy, [start, factor])
    assert_near(gw, expected_w.tolist(), rtol=1e-5, atol=1e-6)
    assert_near(gf, expected_f.tolist(), rtol=1e-5, atol=1e-6)
