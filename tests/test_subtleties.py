"""Thirty behaviours of autograd that are easy to get wrong, each named by what it says and in a fixed order:
accumulation, in-place and views, retain_grad and hooks, `grad` and `backward`, Functions, the engine, modes.
"""

from __future__ import annotations

import asyncio
import gc
import threading
import weakref

import pytest
from support import Ticket, assert_near, dies

import leafgrad as torch
from leafgrad.autograd import Function, grad


def leaf(*values, dtype=None):
    return torch.tensor(list(values), dtype=dtype, requires_grad=True)


class Double(Function):
    @staticmethod
    def forward(ctx, x):
        return x * 2

    @staticmethod
    def backward(ctx, g):
        return g * 2


# 1


def test_a_leaf_s_first_gradient_is_taken_over_without_a_copy_if_nobody_else_holds_it():
    where = []

    class Note(Function):
        @staticmethod
        def forward(ctx, x):
            return x * 2

        @staticmethod
        def backward(ctx, g):
            mine = g * 2
            where.append(mine.data_ptr())
            return mine

    w = leaf(1.0, 2.0)
    Note.apply(w).backward(torch.ones(2))
    assert w.grad.data_ptr() == where[0]


def test_a_leaf_s_first_gradient_is_cloned_if_somebody_else_holds_it():
    held = []

    class Hold(Function):
        @staticmethod
        def forward(ctx, x):
            return x * 2

        @staticmethod
        def backward(ctx, g):
            held.append(g * 2)
            return held[0]

    w = leaf(1.0, 2.0)
    Hold.apply(w).backward(torch.ones(2))
    assert w.grad.data_ptr() != held[0].data_ptr()
    w.grad.zero_()
    assert_near(held[0], [2.0, 2.0])


def test_the_gradient_passed_to_backward_is_never_taken_over():
    w, g = leaf(1.0, 2.0), torch.ones(2)
    w.backward(g)
    w.grad.zero_()
    assert_near(g, [1.0, 1.0])


def test_one_gradient_reaching_two_leaves_is_not_shared():
    a, b = leaf(1.0), leaf(1.0)
    (a + b).backward(torch.ones(1))
    a.grad.add_(10)
    assert_near(b.grad, [1.0])


def test_a_leaf_s_later_gradients_are_added_in_place():
    w = leaf(1.0)
    (w * 2).backward()
    kept, address = w.grad, w.grad.data_ptr()
    (w * 2).backward()
    assert w.grad is kept and w.grad.data_ptr() == address
    assert_near(kept, [4.0])


# 2


def test_with_create_graph_accumulation_is_out_of_place_so_an_old_reference_keeps_its_value():
    w = leaf(2.0)
    (w * w).backward(create_graph=True)
    old = w.grad
    (w * w).backward(create_graph=True)
    assert_near(old, [4.0])
    assert_near(w.grad, [8.0])
    assert w.grad is not old


# 3


@pytest.mark.leafgrad_only
def test_backward_with_create_graph_makes_a_cycle_that_is_collectable():
    def make():
        w = leaf(2.0)
        (w * w).backward(create_graph=True)
        assert w.grad.grad_fn is not None
        return weakref.ref(w)

    reference = make()
    gc.collect()
    assert reference() is None


# 4


def test_reading_grad_of_a_non_leaf_warns_but_not_where_it_was_retained():
    y = leaf(1.0) * 2
    with pytest.warns(UserWarning, match="not a leaf Tensor"):
        y.grad
    y.retain_grad()
    assert y.grad is None
    y.backward()
    assert_near(y.grad, [1.0])


# 5


def test_in_place_on_a_leaf_that_requires_grad_or_on_a_view_of_one_raises():
    w = leaf(1.0, 2.0)
    with pytest.raises(RuntimeError, match="a leaf Variable that requires grad is being used in an in-place operation"):
        w.add_(1)
    with pytest.raises(RuntimeError, match="a view of a leaf Variable that requires grad is being used in an in-place"):
        w[0] = 5
    with pytest.raises(RuntimeError, match="a view of a leaf Variable that requires grad is being used in an in-place"):
        w.view(2, 1)[0].mul_(2)
    assert w.tolist() == [1.0, 2.0]


def test_under_no_grad_in_place_on_a_leaf_is_allowed_and_still_raises_the_version():
    w = leaf(1.0, 2.0)
    with torch.no_grad():
        w.add_(1)
        w[0] = 7
    assert w.tolist() == [7.0, 3.0] and w._version == 2 and w.is_leaf and w.grad_fn is None


# 6


def test_a_change_of_a_saved_tensor_is_caught_by_the_version_counter_at_backward():
    w = leaf(2.0)
    y = w.exp()
    z = y * 3
    y.add_(1)
    with pytest.raises(RuntimeError, match=r"modified by an inplace operation.*is at version 1; expected version 0"):
        z.sum().backward()


def test_data_has_a_version_counter_of_its_own():
    w = leaf(2.0)
    y = w.exp()
    version = y._version
    y.data.mul_(0)
    assert y._version == version and y.tolist() == [0.0]
    y.backward()  # not caught, as documented: that is what .data is for
    assert_near(w.grad, [0.0])


def test_detach_shares_the_version_counter():
    w = leaf(2.0)
    y = w.exp()
    y.detach().mul_(0)
    assert y._version == 1
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        y.backward()


# 7


def test_in_place_on_the_result_of_add_is_fine_on_the_inputs_of_mul_an_error():
    w = leaf(2.0)
    y = w + 1
    z = y * 2  # a Python number: nothing of y is needed
    y.mul_(5)
    z.backward()
    assert_near(w.grad, [2.0])

    a, b = w * 1, w * 1
    z = a * b
    a.add_(1)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        z.backward()


def test_an_operator_saves_only_what_the_inputs_that_require_grad_need():
    w, x = leaf(2.0), torch.tensor([3.0])
    y = w * x
    assert getattr(y.grad_fn, "_saved_self", None) is None  # w is needed only for the gradient of x
    assert y.grad_fn._saved_other is not None
    with torch.no_grad():
        w.add_(1)
    y.backward()
    assert_near(w.grad, [3.0])


def test_in_place_relu_on_the_result_of_a_linear_map_is_fine_after_sigmoid_an_error():
    w = torch.tensor([[1.0, -1.0]], requires_grad=True)
    (torch.ones(1, 1) @ w).relu_().sum().backward()
    assert_near(w.grad, [[1.0, 0.0]])
    y = w.sigmoid().relu_()  # sigmoid saved its result
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        y.sum().backward()


# 8


def test_a_second_backward_fails_only_where_the_graph_had_saved_something():
    w = leaf(2.0)
    y = (w + 1).view(1, 1).sum()
    y.backward()
    y.backward()
    assert_near(w.grad, [2.0])
    z = w.exp() + 1
    z.backward()
    with pytest.raises(RuntimeError, match="Trying to backward through the graph a second time"):
        z.backward()


# 9


def test_in_place_on_a_view_renews_the_base_s_history():
    w = leaf(1.0, 2.0)
    base = w * 1
    before = base.grad_fn
    base[0].mul_(10)
    assert base.grad_fn is not before
    assert type(base.grad_fn).__name__ == "CopySlices"
    base.sum().backward()
    assert_near(w.grad, [10.0, 1.0])


def test_other_views_renew_their_grad_fn_when_asked():
    w = leaf(1.0, 2.0)
    base = w * 1
    first, second = base[0], base.view(2)
    before = second.grad_fn
    first.mul_(10)
    after = second.grad_fn
    assert after is not before
    assert second.grad_fn is after  # renewed once
    second.sum().backward()
    assert_near(w.grad, [10.0, 1.0])


def test_in_place_on_the_base_reaches_its_views():
    w = leaf(1.0, 2.0)
    base = w * 1
    view = base[1]
    base.mul_(3)
    assert view.item() == 6.0
    view.backward()
    assert_near(w.grad, [0.0, 3.0])


# 10


def test_in_place_on_an_output_of_a_multi_output_view_raises_its_own_error():
    for take in (
        lambda y: y.unbind()[0],
        lambda y: y.split(1)[0],
        lambda y: y.chunk(2)[1],
    ):
        y = leaf(1.0, 2.0) * 1
        part = take(y)
        with pytest.raises(
            RuntimeError, match=r"Output . of .* is a view and is being modified inplace.*multiple views"
        ):
            part.mul_(2)


def test_in_place_on_a_view_made_under_no_grad_raises_its_own_error():
    y = leaf(1.0, 2.0) * 1
    with torch.no_grad():
        view = y[0]
    with pytest.raises(RuntimeError, match="A view was created in no_grad mode and is being modified inplace"):
        view.mul_(2)


# 11


def test_retain_grad_follows_a_tensor_through_an_in_place_change():
    w = leaf(2.0)
    y = w * 1
    y.retain_grad()
    y.mul_(3)
    (y * 5).sum().backward()
    assert_near(y.grad, [5.0])
    assert_near(w.grad, [15.0])


def test_tensor_hooks_registered_before_an_in_place_change_stay_with_the_old_gradient():
    seen = {}
    w = leaf(2.0)
    y = w * 1
    y.register_hook(lambda g: seen.update(old=g.item()))
    y.mul_(3)
    y.register_hook(lambda g: seen.update(new=g.item()))
    (y * 5).sum().backward()
    assert seen == {"new": 5.0, "old": 15.0}


# 12


def test_the_order_is_tensor_hooks_retain_grad_node_prehooks_the_node_node_posthooks():
    ran = []

    class Noting(Function):
        @staticmethod
        def forward(ctx, x):
            return x * 2

        @staticmethod
        def backward(ctx, g):
            ran.append("node")
            return g * 2

    w = leaf(1.0)
    y = Noting.apply(w)
    y.grad_fn.register_hook(lambda gi, go: ran.append("posthook"))
    y.grad_fn.register_prehook(lambda g: ran.append("prehook"))
    y.retain_grad()

    def first(g):
        ran.append("hook 1")
        return g * 10

    y.register_hook(first)
    y.register_hook(lambda g: ran.append("hook 2"))
    y.backward()
    assert ran == ["hook 1", "hook 2", "prehook", "node", "posthook"]
    assert_near(y.grad, [10.0])  # retained after the tensor hooks


# 13


def test_a_tensor_hook_may_replace_the_gradient_and_none_changes_nothing():
    w = leaf(1.0)
    y = w * 1
    y.register_hook(lambda g: g * 3)
    y.register_hook(lambda g: None)
    y.register_hook(lambda g: g + 1)
    y.backward()
    assert_near(w.grad, [4.0])


def test_removing_a_hook_in_the_middle_of_the_list_works():
    ran = []
    w = leaf(1.0)
    y = w * 1
    y.register_hook(lambda g: ran.append(1))
    middle = y.register_hook(lambda g: ran.append(2))
    y.register_hook(lambda g: ran.append(3))
    middle.remove()
    y.backward(retain_graph=True)
    assert ran == [1, 3]
    middle.remove()  # twice does no harm
    y.backward()
    assert ran == [1, 3, 1, 3]


# 14


def test_post_accumulate_hooks_belong_to_leaves_and_run_once_grad_is_set():
    w = leaf(2.0)
    seen = []
    w.register_post_accumulate_grad_hook(lambda t: seen.append((t is w, t.grad.item())))
    (w * w * 1 + w).backward()
    assert seen == [(True, 5.0)]
    with pytest.raises(RuntimeError, match="leaf"):
        (w * 1).register_post_accumulate_grad_hook(lambda t: None)


def test_a_post_accumulate_hook_must_return_none():
    w = leaf(2.0)
    w.register_post_accumulate_grad_hook(lambda t: t.grad)
    with pytest.raises(RuntimeError, match="return None"):
        (w * 1).backward()


# 15


def test_grad_with_respect_to_a_non_leaf_captures_after_its_tensor_hooks_and_touches_no_grad():
    w = leaf(2.0)
    y = w * 3
    y.register_hook(lambda g: g * 100)
    (g,) = grad(y * 5, y)
    assert_near(g, [500.0])
    assert w.grad is None


def test_grad_with_respect_to_a_leaf_runs_its_tensor_hooks_but_not_its_post_accumulate_hooks():
    w = leaf(2.0)
    w.register_hook(lambda g: g * 100)
    w.register_post_accumulate_grad_hook(lambda t: pytest.fail("nothing was accumulated"))
    (g,) = grad(w * 5, w)
    assert_near(g, [500.0])
    assert w.grad is None


# 16


def test_backward_inputs_accumulates_into_those_only_non_leaves_allowed_empty_list_an_error():
    a, b = leaf(2.0), leaf(3.0)
    y = a * b
    z = y * 2
    z.backward(inputs=[a, y], retain_graph=True)
    assert_near(a.grad, [6.0])
    assert b.grad is None
    assert_near(y.grad, [2.0])
    with pytest.raises(RuntimeError, match="empty"):
        z.backward(inputs=[])


# 17


def test_unused_inputs_raise_unless_allowed_and_materialize_grads_gives_zeros():
    a, b = leaf(2.0), leaf(3.0, 4.0)
    y = a * 2
    with pytest.raises(RuntimeError, match="appears to not have been used in the graph"):
        grad(y, [a, b], retain_graph=True)
    assert grad(y, [a, b], allow_unused=True, retain_graph=True)[1] is None
    assert_near(grad(y, [a, b], materialize_grads=True, retain_graph=True)[1], [0.0, 0.0])
    with pytest.raises(ValueError, match="allow_unused"):
        grad(y, [a, b], materialize_grads=True, allow_unused=False)


# 18


def test_undefined_gradients_reach_a_function_as_zeros_unless_set_materialize_grads_false():
    seen = []

    class Two(Function):
        materialize = True

        @classmethod
        def forward(cls, ctx, x):
            ctx.set_materialize_grads(Two.materialize)
            return x * 2, x.new_ones(2, 3) * x

        @staticmethod
        def backward(ctx, g, h):
            seen.append((g, h))
            return g * 2

    for Two.materialize in (True, False):
        first, _ = Two.apply(leaf(1.0))
        first.backward()
    assert_near(seen[0][1], [[0.0] * 3] * 2)
    assert seen[1][1] is None


# 19


def test_a_function_s_backward_may_return_extra_gradients_if_they_are_none_otherwise_an_error():
    class Extra(Function):
        returned = None

        @staticmethod
        def forward(ctx, x):
            return x * 2

        @staticmethod
        def backward(ctx, g):
            return g * 2, Extra.returned, None

    w = leaf(1.0)
    Extra.apply(w).backward()
    assert_near(w.grad, [2.0])
    Extra.returned = torch.ones(1)
    with pytest.raises(RuntimeError, match="returned an incorrect number of gradients"):
        Extra.apply(w).backward()


def test_a_function_s_backward_that_returns_too_few_gradients_raises():
    class Few(Function):
        @staticmethod
        def forward(ctx, x, y):
            return x * y

        @staticmethod
        def backward(ctx, g):
            return g

    with pytest.raises(RuntimeError, match=r"FewBackward.*incorrect number of gradients \(expected 2, got 1\)"):
        Few.apply(leaf(1.0), leaf(2.0)).backward()


# 20


def function_returning(gradient):
    class Given(Function):
        @staticmethod
        def forward(ctx, x):
            return x * 1

        @staticmethod
        def backward(ctx, g):
            return gradient

    return Given.apply


def test_a_returned_gradient_of_an_expanded_shape_is_summed_to_the_input_s():
    w = leaf(1.0, 2.0)
    function_returning(torch.ones(3, 2))(w).sum().backward()
    assert_near(w.grad, [3.0, 3.0])


def test_a_returned_gradient_s_dtype_is_cast():
    w = leaf(1.0, 2.0)
    function_returning(torch.ones(2, dtype=torch.float64))(w).sum().backward()
    assert w.grad.dtype == torch.float32


def test_a_returned_gradient_of_a_bad_shape_raises_with_the_node_s_name():
    w = leaf(1.0, 2.0)
    with pytest.raises(RuntimeError, match=r"GivenBackward.*invalid gradient.*shape"):
        function_returning(torch.ones(5))(w).sum().backward()
    assert w.grad is None


def test_a_returned_gradient_that_is_no_tensor_raises():
    with pytest.raises((RuntimeError, TypeError), match=r"expected Variable or None \(got str\)"):
        function_returning("gradient")(leaf(1.0)).backward()


# 21


def test_a_function_returning_an_input_unchanged_yields_a_new_view_like_output():
    class Same(Function):
        @staticmethod
        def forward(ctx, x):
            return x

        @staticmethod
        def backward(ctx, g):
            return g * 7

    w = leaf(1.0)
    y = Same.apply(w)
    assert y is not w and not y.is_leaf and y.data_ptr() == w.data_ptr()
    y.backward()
    assert_near(w.grad, [7.0])
    assert w.is_leaf and w.grad_fn is None


def test_mark_dirty_keeps_identity():
    class AddOne(Function):
        @staticmethod
        def forward(ctx, x):
            x.add_(1)
            ctx.mark_dirty(x)
            return x

        @staticmethod
        def backward(ctx, g):
            return g * 7

    w = leaf(1.0)
    x = w * 1
    y = AddOne.apply(x)
    assert y is x and type(x.grad_fn).__name__ == "AddOneBackward"
    x.backward()
    assert_near(w.grad, [7.0])


def test_mark_dirty_on_a_leaf_that_requires_grad_raises():
    class AddOne(Function):
        @staticmethod
        def forward(ctx, x):
            ctx.mark_dirty(x)
            return x.add_(1)

        @staticmethod
        def backward(ctx, g):
            return g

    with pytest.raises(RuntimeError, match=r"a leaf Variable that requires grad .* in an in-place operation"):
        AddOne.apply(leaf(1.0))


def test_one_output_may_be_returned_twice():
    class Twice(Function):
        @staticmethod
        def forward(ctx, x):
            y = x * 2
            return y, y

        @staticmethod
        def backward(ctx, g, h):
            return 2 * (g + h)

    w = leaf(1.0)
    a, b = Twice.apply(w)
    (a + 10 * b).sum().backward()
    assert_near(w.grad, [22.0])


# 22


def test_mark_non_differentiable_integer_outputs_and_non_tensor_arguments_are_all_counted_right():
    seen = []

    class Mixed(Function):
        @staticmethod
        def forward(ctx, label, x, scale, y):
            ctx.scale = scale
            quiet = x * 0
            ctx.mark_non_differentiable(quiet)
            return x * scale, quiet, torch.arange(3), y * 1

        @staticmethod
        def backward(ctx, g, quiet, indices, h):
            seen.extend([quiet, indices])
            assert ctx.needs_input_grad == (False, True, False, False)
            return None, g * ctx.scale, None, None

    w = leaf(1.0)
    out, quiet, indices, copy = Mixed.apply("name", w, 3.0, torch.ones(1))
    assert out.requires_grad and copy.requires_grad
    assert not quiet.requires_grad and not indices.requires_grad
    out.backward()
    assert_near(w.grad, [3.0])
    assert_near(seen[0], [0.0])
    assert_near(seen[1], [0, 0, 0])


# 23


class KeepOutput(Function):
    @staticmethod
    def forward(ctx, x):
        y = x.exp()
        ctx.save_for_backward(y)
        ctx.ticket = Ticket()
        KeepOutput.ticket = weakref.ref(ctx.ticket)
        return y

    @staticmethod
    def backward(ctx, g):
        (y,) = ctx.saved_tensors
        return g * y


def test_a_saved_output_makes_no_cycle_with_its_own_node():
    def make():
        w = leaf(1.0)
        KeepOutput.apply(w)
        return KeepOutput.ticket

    assert dies(make)

    def make_builtin():
        return weakref.ref(leaf(1.0).exp())

    assert dies(make_builtin)


def test_a_saved_output_knows_its_node_again_when_unpacked():
    y = leaf(1.0).exp()
    saved = y.grad_fn._saved_result
    assert saved.grad_fn is y.grad_fn and saved.data_ptr() == y.data_ptr()
    node = KeepOutput.apply(leaf(1.0)).grad_fn
    assert node.saved_tensors[0].grad_fn is node


def test_ctx_dies_with_a_cycle_through_the_collector():
    def make():
        w = leaf(1.0)
        y = KeepOutput.apply(w)
        y.grad_fn.me = y  # a cycle that the user made
        return KeepOutput.ticket

    reference = make()
    gc.collect()
    assert reference() is None


# 24


class Reentrant(Function):
    """x -> x through `depth` nested backwards."""

    @staticmethod
    def forward(ctx, x, depth):
        ctx.depth = depth
        ctx.save_for_backward(x)
        return x * 1

    @staticmethod
    def backward(ctx, g):
        (x,) = ctx.saved_tensors
        if ctx.depth:
            with torch.enable_grad():
                inner = x.detach().requires_grad_()
                Reentrant.apply(inner, ctx.depth - 1).sum().backward()
            g = g * inner.grad
        return g, None


def test_backward_inside_backward_gives_the_right_gradient():
    w = leaf(2.0)
    Reentrant.apply(w, 5).backward()
    assert_near(w.grad, [1.0])


def test_backward_inside_backward_does_not_recurse_without_bound():
    w = leaf(2.0)
    Reentrant.apply(w, 150).backward()
    assert_near(w.grad, [1.0])


def test_backward_inside_backward_restores_the_grad_mode():
    modes = []

    class Inside(Function):
        @staticmethod
        def forward(ctx, x):
            return x * 1

        @staticmethod
        def backward(ctx, g):
            modes.append(torch.is_grad_enabled())
            with torch.enable_grad():
                v = leaf(1.0)
                (v * v).backward()
                modes.append(torch.is_grad_enabled())
            modes.append(torch.is_grad_enabled())
            return g

    w = leaf(1.0)
    Inside.apply(w).backward()
    assert modes == [False, True, False]
    assert torch.is_grad_enabled()
    modes.clear()
    Inside.apply(w).backward(create_graph=True)
    assert modes == [True, True, True]
    w.grad = None


def test_backward_inside_backward_passes_errors_on():
    class Fail(Function):
        @staticmethod
        def forward(ctx, x):
            return x * 1

        @staticmethod
        def backward(ctx, g):
            raise KeyError("inner")

    class Outer(Function):
        @staticmethod
        def forward(ctx, x):
            return x * 1

        @staticmethod
        def backward(ctx, g):
            with torch.enable_grad():
                Fail.apply(leaf(1.0)).backward()

    with pytest.raises(KeyError, match="inner"):
        Outer.apply(leaf(1.0)).backward()
    w = leaf(3.0)
    (w * w).backward()
    assert_near(w.grad, [6.0])


# 25


def test_freeing_and_running_a_very_deep_graph_is_iterative():
    w = leaf(1.0)
    y = w
    for _ in range(100_000):
        y = y + 1
    y.backward()
    assert_near(w.grad, [1.0])
    del y


def test_freeing_and_running_a_deep_graph_of_python_nodes_is_iterative():
    w = leaf(1.0)
    y = w

    class Pass(Function):
        @staticmethod
        def forward(ctx, x):
            return x.view_as(x)

        @staticmethod
        def backward(ctx, g):
            return g

    for _ in range(20_000):
        y = Pass.apply(y)
    y.backward()
    assert_near(w.grad, [1.0])
    y = w
    for _ in range(20_000):
        y = Pass.apply(y)
    del y  # never run


# 26


def test_nodes_run_latest_first_each_after_all_its_users():
    ran = []

    def noting(name, tensor):
        tensor.grad_fn.register_prehook(lambda g: ran.append(name))
        return tensor

    w = leaf(1.0)
    a = noting("a", w * 1)
    b = noting("b", a * 2)
    c = noting("c", a * 3)
    d = noting("d", w * 4)
    e = noting("e", c + b)
    f = noting("f", d + e)
    f.backward()
    assert ran == ["f", "e", "d", "c", "b", "a"]


def test_of_two_roots_the_later_runs_first():
    ran = []
    w = leaf(1.0)
    early, late = w * 2, w * 3
    early.register_hook(lambda g: ran.append("early"))
    late.register_hook(lambda g: ran.append("late"))
    torch.autograd.backward([early, late])
    assert ran == ["late", "early"]


# 27


def test_anomaly_mode_prints_the_forward_s_trace():
    class Bad(Function):
        @staticmethod
        def forward(ctx, x):
            return x * 1

        @staticmethod
        def backward(ctx, g):
            raise ValueError("on purpose")

    def the_forward_call(w):
        return Bad.apply(w)

    with pytest.warns(UserWarning) as caught, torch.autograd.detect_anomaly():
        y = the_forward_call(leaf(1.0))
        with pytest.raises(ValueError, match="on purpose"):
            y.backward()
    text = "".join(str(w.message) for w in caught)
    assert "Error detected in BadBackward" in text
    assert "the_forward_call" in text


def test_anomaly_mode_names_the_function_and_output_that_made_nan():
    class MakesNan(Function):
        @staticmethod
        def forward(ctx, x, y):
            return x * y

        @staticmethod
        def backward(ctx, g):
            return g, g * float("nan")

    with pytest.warns(UserWarning), torch.autograd.detect_anomaly():
        y = MakesNan.apply(leaf(1.0), leaf(2.0))
        with pytest.raises(RuntimeError, match=r"Function 'MakesNanBackward' returned nan values in its 1th output"):
            y.backward()
    with pytest.warns(UserWarning), torch.autograd.detect_anomaly(check_nan=False):
        MakesNan.apply(leaf(1.0), leaf(2.0)).backward()


def test_anomaly_mode_prints_the_parent_s_trace_when_nested():
    def bad(_):
        raise ValueError("second pass")

    def the_forward_call(w):
        return w.pow(3)

    with pytest.warns(UserWarning) as caught, torch.autograd.detect_anomaly():
        w = leaf(2.0)
        (g,) = grad(the_forward_call(w), w, create_graph=True)
        g.grad_fn.register_prehook(bad)
        with pytest.raises(ValueError, match="second pass"):
            g.backward()
    text = "".join(str(x.message) for x in caught)
    assert "was induced by PowBackward0" in text and "the_forward_call" in text


# 28


def test_saved_tensor_hooks_pack_once_and_unpack_at_each_access():
    packed, unpacked = [], []
    w = leaf(2.0)
    with torch.autograd.graph.saved_tensors_hooks(lambda t: packed.append(1) or t, lambda t: unpacked.append(1) or t):
        y = w.exp()
    assert len(packed) == 1 and not unpacked
    y.grad_fn._saved_result
    y.grad_fn._saved_result
    assert (len(packed), len(unpacked)) == (1, 2)
    y.backward()
    assert (len(packed), len(unpacked)) == (1, 3)


def test_saved_tensor_hooks_innermost_wins():
    ran = []
    w = leaf(2.0)
    hooks = torch.autograd.graph.saved_tensors_hooks
    with hooks(lambda t: ran.append("outer") or t, lambda t: t):
        with hooks(lambda t: ran.append("inner") or t, lambda t: t):
            w.exp()
        assert ran == ["inner"]
        w.exp()
    assert ran == ["inner", "outer"]


def test_saved_tensor_hooks_may_change_what_is_unpacked():
    w = leaf(2.0)
    with torch.autograd.graph.saved_tensors_hooks(lambda t: "anything", lambda s: torch.tensor([100.0])):
        y = w * w
    y.backward()
    assert_near(w.grad, [200.0])


def test_in_place_inside_a_pack_hook_is_an_error():
    w = leaf(2.0)
    y = w * 1
    with (
        torch.autograd.graph.saved_tensors_hooks(lambda t: t.mul_(2), lambda t: t),
        pytest.raises(RuntimeError, match=r"pack hook.*modif"),
    ):
        y.exp().backward()
        y.pow(2)


def test_saved_tensor_hooks_can_be_disabled_with_a_message():
    w = leaf(2.0)
    with (
        torch.autograd.graph.disable_saved_tensors_hooks("not here, please"),
        pytest.raises(RuntimeError, match="not here, please"),
        torch.autograd.graph.saved_tensors_hooks(lambda t: t, lambda t: t),
    ):
        pass
    with torch.autograd.graph.saved_tensors_hooks(lambda t: t, lambda t: t):
        w.exp()


# 29


def test_grad_modes_as_decorators_restore_the_mode_also_on_error():
    @torch.no_grad()
    def quiet(fail):
        if fail:
            raise ValueError
        return torch.is_grad_enabled()

    assert quiet(False) is False
    with pytest.raises(ValueError):
        quiet(True)
    assert torch.is_grad_enabled()

    @torch.enable_grad()
    def loud():
        return torch.is_grad_enabled()

    with torch.no_grad():
        assert loud() is True
        assert not torch.is_grad_enabled()


def test_grad_modes_as_decorators_cover_generators_and_are_restored_at_each_suspension():
    @torch.no_grad()
    def numbers():
        try:
            got = yield torch.is_grad_enabled()
            got = yield (got, torch.is_grad_enabled())
            assert not torch.is_grad_enabled()
            return "done"
        finally:
            assert not torch.is_grad_enabled()

    generator = numbers()
    assert next(generator) is False
    assert torch.is_grad_enabled()
    assert generator.send("hello") == ("hello", False)
    assert torch.is_grad_enabled()
    with pytest.raises(StopIteration) as stop:
        next(generator)
    assert stop.value.value == "done"
    assert torch.is_grad_enabled()

    thrown = numbers()
    next(thrown)
    with pytest.raises(KeyError):
        thrown.throw(KeyError("x"))
    closed = numbers()
    next(closed)
    closed.close()
    assert torch.is_grad_enabled()


@pytest.mark.leafgrad_only
def test_grad_modes_as_decorators_cover_coroutines():
    @torch.no_grad()
    async def quiet():
        before = torch.is_grad_enabled()
        await asyncio.sleep(0)
        return before, torch.is_grad_enabled()

    async def main():
        task = asyncio.ensure_future(quiet())
        await asyncio.sleep(0)
        during = torch.is_grad_enabled()  # while the other coroutine is suspended
        return during, await task

    assert asyncio.run(main()) == (True, (False, False))


def test_grad_mode_is_thread_local():
    seen = []
    with torch.no_grad():
        thread = threading.Thread(target=lambda: seen.append(torch.is_grad_enabled()))
        thread.start()
        thread.join()
    assert seen == [True]


# 30


def test_inference_tensors_have_no_version_counter():
    with torch.inference_mode():
        x = torch.ones(2)
    assert x.is_inference()
    with pytest.raises(RuntimeError, match="Inference tensors do not track version counter"):
        x._version


def test_inference_tensors_cannot_be_saved_for_backward():
    with torch.inference_mode():
        x = torch.ones(1)
    with pytest.raises(RuntimeError, match="Inference tensors cannot be saved for backward"):
        leaf(2.0) * x
    leaf(2.0) + x  # nothing to save


def test_inference_tensors_refuse_in_place_outside_inference_mode():
    with torch.inference_mode():
        x = torch.ones(2)
        x.add_(1)
    with pytest.raises(RuntimeError, match="Inplace update to inference tensor outside InferenceMode is not allowed"):
        x.add_(1)


@pytest.mark.leafgrad_only
def test_a_refused_in_place_change_of_an_inference_tensor_leaves_it_unchanged():
    with torch.inference_mode():
        x = torch.ones(2)
    with pytest.raises(RuntimeError, match="InferenceMode"):
        x.add_(1)
    assert_near(x, [1.0, 1.0])


def test_views_of_inference_tensors_keep_the_flag():
    with torch.inference_mode():
        x = torch.ones(2)
    assert x[0].is_inference() and x.view(2, 1).is_inference()
    assert not x.clone().is_inference()
    normal = torch.ones(2)
    with torch.inference_mode():
        assert not normal[0].is_inference()
        assert (normal + 1).is_inference()


def test_inference_tensors_cannot_be_made_to_require_grad():
    with torch.inference_mode():
        x = torch.ones(2)
    with pytest.raises(RuntimeError, match="inference tensor"):
        x.requires_grad_()
