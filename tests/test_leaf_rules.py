"""The contract of leaf tensors, sentence by sentence: who is a leaf, what backward leaves behind and where,
what is freed and when, and what the flags of `backward` and `grad` change.
"""

from __future__ import annotations

import weakref

import pytest
from support import assert_near

import leafgrad as torch
from leafgrad.autograd import grad


def leaf(*values, dtype=None):
    return torch.tensor(list(values), dtype=dtype, requires_grad=True)


# 1. A tensor that its user created is a leaf.


def test_a_created_tensor_is_a_leaf():
    assert torch.tensor([1.0]).is_leaf
    assert torch.tensor([1.0], requires_grad=True).is_leaf
    assert torch.zeros(2, requires_grad=True).is_leaf


def test_a_result_on_a_recording_input_is_not_a_leaf():
    w = leaf(1.0)
    assert not (w + 1).is_leaf
    assert not w.view(1).is_leaf
    assert not w.clone().is_leaf


def test_a_result_that_does_not_require_grad_is_a_leaf():
    x = torch.ones(2)
    assert (x * 2).is_leaf
    assert (x * 2).grad_fn is None
    with torch.no_grad():
        assert (leaf(1.0) * 2).is_leaf


def test_detach_gives_a_leaf_that_does_not_require_grad():
    y = leaf(1.0) * 2
    assert y.detach().is_leaf
    assert not y.detach().requires_grad


def test_requires_grad_set_on_a_result_without_history_makes_it_a_leaf_that_requires_grad():
    y = (torch.ones(2) * 3).requires_grad_()
    assert y.is_leaf and y.requires_grad and y.grad_fn is None
    y.sum().backward()
    assert_near(y.grad, [1.0, 1.0])


def test_a_conversion_of_a_leaf_is_not_a_leaf_but_to_of_the_same_dtype_is_the_tensor_itself():
    w = leaf(1.0)
    assert w.to(torch.float32) is w
    assert w.float() is w
    assert not w.double().is_leaf
    assert w.double().grad_fn is not None


def test_requires_grad_cannot_be_taken_from_a_non_leaf():
    y = leaf(1.0) * 2
    with pytest.raises(RuntimeError, match="you can only change requires_grad flags of leaf variables"):
        y.requires_grad = False
    with pytest.raises(RuntimeError, match="you can only change requires_grad flags of leaf variables"):
        y.requires_grad_(False)
    with pytest.raises(RuntimeError, match="you can only change requires_grad flags of leaf variables"):
        y.requires_grad = True
    assert y.requires_grad_() is y  # asks for what is so already


def test_only_floating_point_and_complex_tensors_can_require_grad():
    for dtype in (torch.int64, torch.bool, torch.uint8, torch.int16):
        with pytest.raises(RuntimeError, match="floating point"):
            torch.zeros(2, dtype=dtype, requires_grad=True)
        with pytest.raises(RuntimeError, match="floating point"):
            torch.zeros(2, dtype=dtype).requires_grad_()
    for dtype in (torch.float16, torch.bfloat16, torch.float64, torch.complex64, torch.complex128):
        assert torch.zeros(2, dtype=dtype, requires_grad=True).requires_grad


# 2. A result requires grad as soon as one input does.


def test_the_article_program():
    w = torch.tensor([1.0], requires_grad=True)
    x = torch.tensor([2.0], requires_grad=True)
    a = torch.add(w, x)
    b = torch.add(w, 1)
    y = torch.mul(a, b)
    y.backward()
    assert (a.requires_grad, b.requires_grad, y.requires_grad) == (True, True, True)
    assert (w.is_leaf, x.is_leaf, a.is_leaf, b.is_leaf, y.is_leaf) == (True, True, False, False, False)
    assert w.grad.tolist() == [5.0]
    assert x.grad.tolist() == [2.0]


def test_one_recording_input_is_enough():
    w, x = leaf(1.0), torch.ones(1)
    for y in (w + x, x + w, x * w, torch.cat([x, w]), torch.where(x > 0, x, w)):
        assert y.requires_grad and y.grad_fn is not None
    assert not (x + x).requires_grad
    assert w.grad_fn is None


def test_integer_results_do_not_require_grad():
    w = leaf(3.0, 1.0)
    assert not (w > 2).requires_grad
    assert not w.argmax().requires_grad
    assert not w.long().requires_grad
    values, indices = w.sort()
    assert values.requires_grad and not indices.requires_grad
    assert indices.grad_fn is None and indices.is_leaf


# 3. backward leaves a gradient in .grad of leaves only, and adds to what is there.


def test_backward_leaves_no_gradient_on_non_leaves():
    w = leaf(2.0)
    a = w * 3
    b = a * a
    b.backward()
    assert_near(w.grad, [36.0])
    with pytest.warns(UserWarning, match="not a leaf Tensor"):
        assert a.grad is None


def test_gradients_accumulate_over_backwards():
    w = leaf(2.0)
    for times in (1, 2, 3):
        (w * 3).sum().backward()
        assert_near(w.grad, [3.0 * times])


def test_accumulation_adds_in_place_so_that_an_old_reference_sees_it():
    w = leaf(2.0)
    (w * 3).backward()
    first = w.grad
    (w * 3).backward()
    assert w.grad is first
    assert_near(first, [6.0])


def test_grad_set_to_none_starts_afresh():
    w = leaf(2.0)
    (w * 3).backward()
    w.grad = None
    (w * 5).backward()
    assert_near(w.grad, [5.0])


def test_a_gradient_assigned_by_the_user_is_added_to():
    w = leaf(2.0)
    mine = torch.tensor([100.0])
    w.grad = mine
    assert w.grad is mine
    (w * 3).backward()
    assert_near(w.grad, [103.0])


def test_assigning_a_grad_of_another_shape_dtype_or_type_raises():
    w = leaf(2.0)
    with pytest.raises(RuntimeError, match="size"):
        w.grad = torch.ones(2)
    with pytest.raises(RuntimeError, match="type"):
        w.grad = torch.ones(1, dtype=torch.float64)
    with pytest.raises(TypeError):
        w.grad = 5
    with pytest.raises(RuntimeError, match="own"):
        w.grad = w
    assert w.grad is None


def test_del_grad_sets_it_to_none():
    w = leaf(2.0)
    (w * 3).backward()
    del w.grad
    assert w.grad is None


def test_a_leaf_used_several_times_gets_the_sum():
    w = leaf(2.0)
    (w * w * w + w).backward()
    assert_near(w.grad, [13.0])


def test_a_leaf_that_does_not_require_grad_gets_no_gradient():
    w, x = leaf(2.0), torch.tensor([3.0])
    (w * x).backward()
    assert x.grad is None


def test_backward_on_a_leaf_itself_gives_ones():
    w = torch.tensor(3.0, requires_grad=True)
    w.backward()
    assert_near(w.grad, 1.0)
    w.backward(torch.tensor(5.0))
    assert_near(w.grad, 6.0)


def test_leaf_gradients_have_the_leaf_s_shape_and_dtype():
    w = torch.ones(3, 1, dtype=torch.float64, requires_grad=True)
    (w.float() * torch.ones(2, 3, 4)).sum().backward()
    assert w.grad.shape == (3, 1) and w.grad.dtype == torch.float64
    assert_near(w.grad, [[8.0]] * 3)


def test_broadcast_gradients_are_summed_back():
    a = torch.ones(2, 1, 3, requires_grad=True)
    b = torch.ones(4, 1, requires_grad=True)
    c = torch.tensor(2.0, requires_grad=True)
    (a * b * c).sum().backward()
    assert_near(a.grad, [[[8.0] * 3]] * 2)
    assert_near(b.grad, [[12.0]] * 4)
    assert_near(c.grad, 24.0)


def test_the_gradient_itself_does_not_require_grad():
    w = leaf(2.0)
    (w * w).backward()
    assert not w.grad.requires_grad and w.grad.is_leaf


def test_a_dense_leaf_keeps_its_strides_in_its_gradient():
    w = torch.arange(6.0).reshape(2, 3).t().requires_grad_()
    (w * 2).sum().backward()
    assert w.grad.stride() == w.stride()
    assert_near(w.grad, [[2.0, 2.0]] * 3)


# 4. A non-leaf's gradient lives only until its last consumer read it; saved tensors go as soon as their node ran.


def test_a_non_leaf_s_gradient_is_dropped_when_its_consumers_have_run():
    seen = []
    w = leaf(2.0)
    a = w * 3
    a.register_hook(lambda g: seen.append(weakref.ref(g)))
    (a * a).backward()
    assert seen[0]() is None


def test_after_backward_a_second_one_says_that_the_graph_is_freed():
    w = leaf(2.0)
    y = w * w
    y.backward()
    with pytest.raises(RuntimeError, match="Trying to backward through the graph a second time"):
        y.backward()
    assert_near(w.grad, [4.0])


def test_a_graph_that_saved_nothing_may_run_twice():
    w = leaf(2.0)
    y = (w + 1).sum()
    y.backward()
    y.backward()
    assert_near(w.grad, [2.0])


def test_two_graphs_sharing_a_part_fail_on_the_freed_part_only():
    w = leaf(2.0)
    shared = w.exp()
    first, second = shared * 2, shared * 3
    first.backward()
    with pytest.raises(RuntimeError, match="a second time"):
        second.backward()


def test_retain_graph_keeps_the_saved_tensors():
    w = leaf(2.0)
    y = w * w
    for times in (1, 2, 3):
        y.backward(retain_graph=True)
        assert_near(w.grad, [4.0 * times])
    y.backward()
    with pytest.raises(RuntimeError, match="a second time"):
        y.backward()


# 5. retain_grad on a non-leaf keeps that one gradient too.


def test_retain_grad_keeps_a_non_leaf_s_gradient():
    w = leaf(2.0)
    a = w * 3
    b = a * a
    assert not a.retains_grad
    a.retain_grad()
    assert a.retains_grad and not b.retains_grad
    b.backward()
    assert_near(a.grad, [12.0])
    assert_near(w.grad, [36.0])


def test_retain_grad_does_nothing_more_when_called_twice_or_on_a_leaf():
    w = leaf(2.0)
    w.retain_grad()
    assert not w.retains_grad
    a = w * 3
    a.retain_grad()
    a.retain_grad()
    a.backward()
    assert_near(a.grad, [1.0])
    assert_near(w.grad, [3.0])


def test_a_retained_gradient_accumulates_out_of_place():
    w = leaf(2.0)
    a = w * 3
    a.retain_grad()
    a.sum().backward(retain_graph=True)
    first = a.grad
    a.sum().backward()
    assert_near(a.grad, [2.0])
    assert_near(first, [1.0])


def test_retain_grad_on_a_tensor_without_grad_raises():
    with pytest.raises(RuntimeError, match="can't retain_grad on Tensor that has requires_grad=False"):
        torch.ones(1).retain_grad()


def test_retain_grad_of_the_root_gives_the_gradient_that_was_passed():
    w = leaf(2.0)
    y = w * 3
    y.retain_grad()
    y.backward(torch.tensor([7.0]))
    assert_near(y.grad, [7.0])


# 6. Reading .grad of a non-leaf that does not retain it warns.


def test_reading_grad_of_a_non_leaf_warns_but_not_if_retained():
    a = leaf(2.0) * 3
    with pytest.warns(
        UserWarning, match=r"The \.grad attribute of a Tensor that is not a leaf Tensor is being accessed"
    ):
        assert a.grad is None
    a.retain_grad()
    assert a.grad is None  # warnings are errors here: this one must not warn


def test_reading_grad_of_a_leaf_never_warns():
    assert torch.ones(1).grad is None
    assert leaf(1.0).grad is None
    assert (leaf(1.0) * 2).detach().grad is None


# 7. What is recorded.


def test_no_grad_records_nothing_and_enable_grad_does_again():
    w = leaf(2.0)
    with torch.no_grad():
        assert not (w * 2).requires_grad
        with torch.enable_grad():
            assert (w * 2).requires_grad
        assert not (w * 2).requires_grad
    assert (w * 2).requires_grad


def test_set_grad_enabled_as_function_and_as_context():
    w = leaf(2.0)
    with torch.set_grad_enabled(False):
        assert not torch.is_grad_enabled()
        assert not (w * 2).requires_grad
    assert torch.is_grad_enabled()
    torch.set_grad_enabled(False)
    try:
        assert not torch.is_grad_enabled()
    finally:
        torch.set_grad_enabled(True)


def test_a_tensor_created_under_no_grad_may_require_grad():
    with torch.no_grad():
        w = torch.ones(1, requires_grad=True)
    assert w.requires_grad
    (w * 2).backward()
    assert_near(w.grad, [2.0])


def test_in_place_on_a_leaf_is_refused_and_leaves_it_unchanged():
    w = leaf(2.0)
    for write in (lambda: w.add_(1), lambda: w.zero_(), lambda: w.mul_(w), lambda: w.copy_(torch.ones(1))):
        with pytest.raises(
            RuntimeError, match="a leaf Variable that requires grad is being used in an in-place operation"
        ):
            write()
    assert w.tolist() == [2.0] and w._version == 0 and w.is_leaf


def test_in_place_on_a_leaf_under_no_grad_is_an_update():
    w = leaf(2.0)
    with torch.no_grad():
        w -= 0.5
    assert w.tolist() == [1.5] and w.is_leaf and w.requires_grad and w._version == 1


def test_an_in_place_change_of_a_saved_tensor_is_an_error_never_a_wrong_gradient():
    w, x = leaf(2.0), torch.tensor([3.0])
    y = w * x
    x.add_(1)
    with pytest.raises(RuntimeError, match="has been modified by an inplace operation"):
        y.backward()
    assert w.grad is None


def test_in_place_on_a_tensor_without_grad_by_one_with_grad_makes_it_part_of_the_graph():
    w, x = leaf(2.0), torch.ones(1)
    x.add_(w)
    assert x.requires_grad and not x.is_leaf
    x.sum().backward()
    assert_near(w.grad, [1.0])


# 8. create_graph makes every derivative differentiable again, to any order.


def test_derivatives_of_x_to_the_fifth_to_the_sixth_order():
    x = torch.tensor(2.0, dtype=torch.float64, requires_grad=True)
    y = x**5
    for expected in (80.0, 160.0, 240.0, 240.0, 120.0, 0.0):
        (y,) = grad(y, x, create_graph=True)
        assert_near(y, expected)


def test_derivatives_of_sine_to_the_tenth_order():
    x = torch.tensor(0.7, dtype=torch.float64, requires_grad=True)
    y = x.sin()
    sine, cosine = y.item(), x.cos().item()
    for order in range(1, 11):
        (y,) = grad(y, x, create_graph=True)
        assert_near(y, [sine, cosine, -sine, -cosine][order % 4], rtol=1e-12)


def test_backward_with_create_graph_gives_a_gradient_with_a_graph():
    x = leaf(3.0)
    (x**3).sum().backward(create_graph=True)
    first = x.grad
    assert first.requires_grad and first.grad_fn is not None
    x.grad = None
    first.backward()
    assert_near(x.grad, [18.0])


def test_create_graph_implies_retain_graph():
    x = leaf(3.0)
    y = x**3
    grad(y, x, create_graph=True)
    grad(y, x)
    with pytest.raises(RuntimeError, match="a second time"):
        grad(y, x)


def test_retain_graph_false_wins_over_create_graph():
    x = leaf(3.0)
    y = x.exp()
    grad(y, x, create_graph=True, retain_graph=False)
    with pytest.raises(RuntimeError, match="a second time"):
        grad(y, x)


def test_a_gradient_penalty_reaches_the_parameters():
    w = leaf(2.0, dtype=torch.float64)
    x = leaf(3.0, dtype=torch.float64)
    y = (w * x * x).sum()  # dy/dx = 2wx, penalty (2wx)^2, d/dw = 8wx^2
    (gx,) = grad(y, x, create_graph=True)
    (gx**2).sum().backward()
    assert_near(w.grad, [144.0])
    assert_near(x.grad, [96.0])  # 8 w^2 x


def test_a_gradient_without_create_graph_has_no_graph():
    x = leaf(3.0)
    (g,) = grad(x**3, x)
    assert not g.requires_grad
    with pytest.raises(RuntimeError, match="does not require grad"):
        grad(g, x)


def test_second_derivatives_of_a_linear_function_are_unused_not_wrong():
    x = leaf(3.0)
    (g,) = grad((x * 2).sum(), x, create_graph=True)
    assert not g.requires_grad  # the derivative is the constant 2


# backward(gradient, inputs=)


def test_backward_of_a_vector_needs_a_gradient():
    y = torch.ones(3, requires_grad=True) * 2
    with pytest.raises(RuntimeError, match="grad can be implicitly created only for scalar outputs"):
        y.backward()


def test_backward_of_a_one_element_tensor_of_any_rank_needs_none():
    w = torch.ones(1, 1, 1, requires_grad=True)
    (w * 2).backward()
    assert_near(w.grad, [[[2.0]]])


def test_backward_weighs_by_the_gradient_given():
    w = leaf(1.0, 2.0, 3.0)
    (w * w).backward(torch.tensor([1.0, 10.0, 100.0]))
    assert_near(w.grad, [2.0, 40.0, 600.0])


def test_a_gradient_of_the_wrong_shape_raises_naming_both_shapes():
    y = leaf(1.0, 2.0, 3.0) * 2
    with pytest.raises(RuntimeError, match=r"Mismatch in shape") as error:
        y.backward(torch.ones(2))
    assert "[2]" in str(error.value) and "[3]" in str(error.value)


def test_a_gradient_that_is_no_tensor_raises():
    y = leaf(1.0) * 2
    with pytest.raises(TypeError):
        y.backward(5)


def test_backward_without_a_graph_raises():
    with pytest.raises(RuntimeError, match="element 0 of tensors does not require grad and does not have a grad_fn"):
        torch.ones(1).backward()


def test_a_complex_gradient_for_a_real_output_raises():
    y = leaf(1.0) * 2
    with pytest.raises(RuntimeError, match="complex"):
        y.backward(torch.ones(1, dtype=torch.complex64))


def test_backward_with_inputs_accumulates_into_those_only():
    a, b = leaf(2.0), leaf(3.0)
    (a * b).backward(inputs=[a])
    assert_near(a.grad, [3.0])
    assert b.grad is None


def test_backward_inputs_may_be_one_tensor():
    a, b = leaf(2.0), leaf(3.0)
    (a * b).backward(inputs=b)
    assert_near(b.grad, [2.0])
    assert a.grad is None


def test_backward_inputs_may_be_a_non_leaf_whose_grad_is_then_set():
    w = leaf(2.0)
    a = w * 3
    (a * a).backward(inputs=[a])
    assert_near(a.grad, [12.0])  # no warning: there is a gradient to read
    assert w.grad is None


def test_backward_with_an_empty_list_of_inputs_raises():
    with pytest.raises(RuntimeError, match="cannot be empty"):
        (leaf(2.0) * 3).backward(inputs=[])


def test_backward_with_inputs_runs_only_the_nodes_that_lead_there():
    a, b = leaf(2.0), leaf(3.0)
    ran = []
    left, right = a * 2, b * 2
    left.register_hook(lambda g: ran.append("left"))
    right.register_hook(lambda g: ran.append("right"))
    (left * right).backward(inputs=[a])
    assert ran == ["left"]


# grad and its flags


def test_grad_returns_gradients_and_touches_no_grad_attribute():
    a, b = leaf(2.0), leaf(3.0)
    ga, gb = grad(a * b, [a, b])
    assert_near(ga, [3.0])
    assert_near(gb, [2.0])
    assert a.grad is None and b.grad is None


def test_grad_returns_a_tuple_even_for_one_input():
    a = leaf(2.0)
    result = grad(a * a, a)
    assert isinstance(result, tuple) and len(result) == 1


def test_grad_with_respect_to_a_non_leaf():
    w = leaf(2.0)
    a = w * 3
    b = a * a
    ga, gw = grad(b, [a, w])
    assert_near(ga, [12.0])
    assert_near(gw, [36.0])


def test_grad_with_respect_to_the_output_itself_is_the_output_s_gradient():
    y = leaf(2.0) * 3
    (g,) = grad(y, y)
    assert_near(g, [1.0])
    (g,) = grad(y, y, torch.tensor([4.0]))
    assert_near(g, [4.0])


def test_grad_of_the_same_input_twice_gives_it_twice():
    w = leaf(2.0)
    first, second = grad(w * w, [w, w])
    assert_near(first, [4.0])
    assert_near(second, [4.0])


def test_grad_of_an_unused_input_raises_unless_allowed():
    a, b = leaf(2.0), leaf(3.0)
    with pytest.raises(RuntimeError, match="appears to not have been used in the graph"):
        grad(a * 2, [a, b])
    ga, gb = grad(a * 2, [a, b], allow_unused=True)
    assert_near(ga, [2.0])
    assert gb is None


def test_materialize_grads_gives_zeros_for_unused_inputs():
    a, b = leaf(2.0), torch.ones(2, 3, dtype=torch.float64, requires_grad=True)
    _, gb = grad(a * 2, [a, b], materialize_grads=True)
    assert gb.shape == (2, 3) and gb.dtype == torch.float64
    assert_near(gb, [[0.0] * 3] * 2)


def test_materialize_grads_conflicts_with_allow_unused_false():
    a = leaf(2.0)
    with pytest.raises(ValueError, match="allow_unused"):
        grad(a * 2, a, allow_unused=False, materialize_grads=True)


def test_grad_of_an_input_that_does_not_require_grad_raises():
    a, x = leaf(2.0), torch.ones(1)
    with pytest.raises(RuntimeError, match="does not require grad"):
        grad(a * x, x)


def test_grad_outputs_weigh_each_output():
    w = leaf(1.0, 2.0)
    (g,) = grad([w * 2, w * 3], w, grad_outputs=[torch.tensor([1.0, 10.0]), torch.tensor([100.0, 1000.0])])
    assert_near(g, [302.0, 3020.0])


def test_none_among_grad_outputs_is_allowed_for_scalars():
    w = leaf(1.0)
    (g,) = grad([w * 2, w * 3], w, grad_outputs=[None, torch.tensor([10.0])])
    assert_near(g, [32.0])


def test_a_wrong_number_of_grad_outputs_raises():
    w = leaf(1.0)
    with pytest.raises(RuntimeError):
        grad([w * 2, w * 3], w, grad_outputs=[torch.tensor([1.0])])


def test_is_grads_batched_gives_one_row_a_gradient():
    w = leaf(1.0, 2.0, 3.0)
    (jacobian,) = grad(w * w, w, grad_outputs=torch.eye(3), is_grads_batched=True)
    assert_near(jacobian, [[2.0, 0.0, 0.0], [0.0, 4.0, 0.0], [0.0, 0.0, 6.0]])


def test_grad_frees_the_graph_unless_told_otherwise():
    w = leaf(2.0)
    y = w * w
    grad(y, w, retain_graph=True)
    grad(y, w)
    with pytest.raises(RuntimeError, match="a second time"):
        grad(y, w)


def test_grad_takes_gradient_edges():
    w = leaf(2.0)
    a = w * 3
    edge = torch.autograd.graph.get_gradient_edge(a)
    b = a * a
    del a
    (g,) = grad(b, edge)
    assert_near(g, [12.0])


def test_grad_of_a_root_given_as_an_edge():
    w = leaf(2.0)
    y = w * w
    edge = torch.autograd.graph.get_gradient_edge(y)
    (g,) = grad(edge, w, grad_outputs=torch.ones(1))
    assert_near(g, [4.0])


# Several roots


def test_backward_of_several_roots_adds_up():
    w = leaf(2.0)
    torch.autograd.backward([w * 2, w * 3])
    assert_near(w.grad, [5.0])


def test_backward_of_several_roots_with_gradients():
    w = leaf(1.0, 1.0)
    torch.autograd.backward([w * 2, w.sum()], [torch.tensor([1.0, 2.0]), None])
    assert_near(w.grad, [3.0, 5.0])


def test_the_same_root_twice_counts_twice():
    w = leaf(2.0)
    y = w * w
    torch.autograd.backward([y, y])
    assert_near(w.grad, [8.0])


def test_one_root_may_be_an_ancestor_of_another():
    w = leaf(2.0)
    a = w * 3
    b = a * a
    torch.autograd.backward([b, a])
    assert_near(w.grad, [39.0])


def test_one_graphless_root_among_several_raises_with_its_position():
    w = leaf(2.0)
    with pytest.raises(RuntimeError, match="element 1 of tensors does not require grad"):
        torch.autograd.backward([w * 2, torch.ones(1)])
    assert w.grad is None


# Undefined gradients and non-differentiable outputs


def test_an_unused_output_of_an_operator_counts_as_zero():
    w = leaf(1.0, 2.0, 3.0, 4.0)
    first, _ = w.split(2)
    first.sum().backward()
    assert_near(w.grad, [1.0, 1.0, 0.0, 0.0])


def test_a_branch_that_got_no_gradient_is_skipped():
    w = leaf(3.0, 1.0, 2.0)
    values, indices = w.sort()
    (values * indices).sum().backward()
    assert_near(w.grad, [0.0, 1.0, 2.0])  # the sorted 1, 2, 3 came from places 1, 2, 0


def test_max_with_indices_sends_the_gradient_to_the_winner():
    w = torch.tensor([[1.0, 5.0], [7.0, 2.0]], requires_grad=True)
    values, indices = w.max(dim=1)
    assert indices.tolist() == [1, 0] and not indices.requires_grad
    values.sum().backward()
    assert_near(w.grad, [[0.0, 1.0], [1.0, 0.0]])


def test_detached_branches_are_constants():
    w = leaf(3.0)
    (w * w.detach()).backward()
    assert_near(w.grad, [3.0])


# Complex gradients: the conjugate convention, so that z -= lr * z.grad descends.


def test_the_gradient_of_squared_modulus_is_twice_z():
    z = torch.tensor([3 + 4j], requires_grad=True)
    (z * z.conj()).real.sum().backward()
    assert_near(z.grad, [6 + 8j])


def test_the_gradient_of_the_real_part_is_one_and_of_the_imaginary_part_i():
    z = torch.tensor([3 + 4j], requires_grad=True)
    z.real.sum().backward()
    assert_near(z.grad, [1 + 0j])
    z.grad = None
    z.imag.sum().backward()
    assert_near(z.grad, [0 + 1j])


def test_a_holomorphic_function_gives_the_conjugate_derivative():
    z = torch.tensor([1 + 2j], dtype=torch.complex128, requires_grad=True)
    y = z * z * z
    y.backward(torch.ones(1, dtype=torch.complex128))
    assert_near(z.grad, [(3 * (1 + 2j) ** 2).conjugate()])


def test_backward_of_a_complex_scalar_needs_a_gradient():
    z = torch.tensor([1 + 2j], requires_grad=True)
    with pytest.raises(RuntimeError, match="grad can be implicitly created only for real scalar outputs"):
        (z * z).backward()


def test_a_real_leaf_in_a_complex_product_gets_a_real_gradient():
    w = leaf(2.0)
    z = torch.tensor([3 + 4j])
    (w * z).real.sum().backward()
    assert w.grad.dtype == torch.float32
    assert_near(w.grad, [3.0])


def test_the_absolute_value_of_a_complex_number():
    z = torch.tensor([3 + 4j], dtype=torch.complex128, requires_grad=True)
    z.abs().sum().backward()
    assert_near(z.grad, [0.6 + 0.8j])
