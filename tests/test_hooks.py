"""Every kind of hook: on tensors, on leaves after accumulation, on nodes before and after they run, and on groups of
tensors. When they run, what they may return, how they are removed, and that a failing hook leaves nothing behind.
"""

from __future__ import annotations

import gc
import weakref

import pytest
from support import Ticket, assert_near

import leafgrad as torch
from leafgrad.autograd import grad
from leafgrad.autograd.graph import register_multi_grad_hook


def leaf(*values):
    return torch.tensor(list(values), requires_grad=True)


# Tensor hooks


def test_a_tensor_hook_sees_the_gradient_of_that_tensor():
    seen = []
    w = leaf(2.0)
    y = w * 3
    y.register_hook(lambda g: seen.append(g.item()))
    (y * 5).backward()
    assert seen == [5.0]


def test_a_hook_on_a_leaf_runs_before_accumulation_and_may_replace_the_gradient():
    w = leaf(2.0)
    w.register_hook(lambda g: g * 10)
    (w * 3).backward()
    assert_near(w.grad, [30.0])
    (w * 3).backward()
    assert_near(w.grad, [60.0])


def test_a_tensor_hook_sees_the_sum_of_all_uses_once():
    seen = []
    w = leaf(2.0)
    y = w * 1
    y.register_hook(lambda g: seen.append(g.item()))
    (y * 2 + y * 3).backward()
    assert seen == [5.0]


def test_tensor_hooks_run_in_the_order_of_registration_each_seeing_the_one_before():
    w = leaf(1.0)
    w.register_hook(lambda g: g + 1)
    w.register_hook(lambda g: g * 10)
    (w * 1).backward()
    assert_near(w.grad, [20.0])


def test_a_tensor_hook_that_returns_another_type_raises():
    w = leaf(1.0)
    y = w * 1
    y.register_hook(lambda g: "no tensor")
    with pytest.raises(TypeError, match="expected Variable, but hook returned 'str'"):
        y.backward()
    assert w.grad is None


def test_a_tensor_hook_that_returns_another_shape_raises():
    w = leaf(1.0)
    y = w * 1
    y.register_hook(lambda g: torch.ones(3))
    with pytest.raises(RuntimeError, match="hook.*changed the size of value"):
        y.backward()
    assert w.grad is None


def test_a_tensor_hook_that_returns_another_dtype_raises():
    w = leaf(1.0)
    y = w * 1
    y.register_hook(lambda g: g.double())
    with pytest.raises(RuntimeError, match="hook.*changed the type of value"):
        y.backward()


def test_registering_something_not_callable_raises_when_it_runs_or_before():
    y = leaf(1.0) * 1
    with pytest.raises(TypeError):
        y.register_hook(5)
        y.backward()


def test_a_hook_on_a_tensor_that_requires_no_grad_raises():
    with pytest.raises(RuntimeError, match="cannot register a hook on a tensor that doesn't require gradient"):
        torch.ones(1).register_hook(lambda g: g)


def test_a_removed_tensor_hook_does_not_run():
    w = leaf(1.0)
    handle = w.register_hook(lambda g: pytest.fail("removed"))
    handle.remove()
    (w * 1).backward()
    assert_near(w.grad, [1.0])


def test_a_handle_is_a_context_manager_that_removes_its_hook():
    ran = []
    w = leaf(1.0)
    with w.register_hook(lambda g: ran.append(1)):
        (w * 1).backward()
    (w * 1).backward()
    assert ran == [1]


def test_a_hook_may_remove_itself_while_the_hooks_run():
    ran = []
    w = leaf(1.0)
    handles = {}

    def once(g):
        ran.append("once")
        handles["once"].remove()

    w.register_hook(lambda g: ran.append("before"))
    handles["once"] = w.register_hook(once)
    w.register_hook(lambda g: ran.append("after"))
    (w * 1).backward()
    (w * 1).backward()
    assert ran == ["before", "once", "after", "before", "after"]


def test_a_hook_may_add_a_hook_while_the_hooks_run():
    ran = []
    w = leaf(1.0)

    def adding(g):
        ran.append("adding")
        w.register_hook(lambda g: ran.append("added"))

    handle = w.register_hook(adding)
    (w * 1).backward()
    handle.remove()
    ran.clear()
    (w * 1).backward()
    assert ran == ["added"]


def test_a_tensor_hook_lives_as_long_as_the_graph_though_its_tensor_is_gone():
    ran = []
    w = leaf(1.0)
    y = w * 1
    z = y * 2
    y.register_hook(lambda g: ran.append(g.item()))
    del y
    z.backward()
    assert ran == [2.0]


@pytest.mark.leafgrad_only
def test_a_hook_that_refers_to_its_tensor_is_collected_with_it():
    def make():
        w = leaf(1.0)
        y = w * 1
        y.ticket = Ticket()
        y.register_hook(lambda g: y.sum())
        return weakref.ref(y.ticket)

    reference = make()
    gc.collect()
    assert reference() is None


def test_tensor_hooks_run_with_recording_off_unless_create_graph():
    modes = []
    w = leaf(2.0)
    w.register_hook(lambda g: modes.append((torch.is_grad_enabled(), g.requires_grad)))
    (w * w).backward()
    grad(w * w, w, create_graph=True)
    assert modes == [(False, False), (True, True)]


def test_tensor_hooks_are_part_of_the_double_backward_graph():
    x = leaf(2.0)
    y = x * x
    y.register_hook(lambda g: g * x)  # dy/dx * x = 2x^2, and its derivative is 4x
    (g,) = grad(y, x, create_graph=True)
    assert_near(g, [8.0])
    (g,) = grad(g, x)
    assert_near(g, [8.0])


def test_a_hook_on_each_side_of_an_in_place_change_sees_its_own_gradient():
    seen = []
    w = leaf(1.0)
    y = w * 1
    y.register_hook(lambda g: seen.append(("before the first write", g.item())))
    y.mul_(2)
    y.register_hook(lambda g: seen.append(("between the writes", g.item())))
    y.mul_(3)
    y.register_hook(lambda g: seen.append(("after the last write", g.item())))
    y.sum().backward()
    assert seen == [("after the last write", 1.0), ("between the writes", 3.0), ("before the first write", 6.0)]


def test_a_hook_removed_after_an_in_place_change_does_not_run():
    w = leaf(1.0)
    y = w * 1
    handle = y.register_hook(lambda g: pytest.fail("removed"))
    y.mul_(2)
    handle.remove()
    y.sum().backward()


def test_a_hook_on_a_view_changed_in_place_never_sees_the_new_gradient():
    seen = {}
    w = leaf(1.0, 1.0)
    base = w * 1
    view = base[0]
    view.register_hook(lambda g: seen.update(old=g.item()))
    view.mul_(4)
    view.register_hook(lambda g: seen.update(new=g.item()))
    view.backward()
    assert seen["new"] == 1.0
    assert seen.get("old", 4.0) == 4.0  # PyTorch's gradient goes through the base now, past the view's former node


def test_the_gradient_of_a_leaf_hook_is_not_the_buffer_that_is_later_added_to():
    kept = []
    w = leaf(1.0)
    w.register_hook(kept.append)
    (w * 3).backward()
    (w * 3).backward()
    assert_near(kept[0], [3.0])
    assert_near(w.grad, [6.0])


# Post-accumulate hooks


def test_post_accumulate_hooks_run_in_order_after_grad_is_set():
    ran = []
    w = leaf(1.0)
    w.register_post_accumulate_grad_hook(lambda t: ran.append(("first", t.grad.item())))
    w.register_post_accumulate_grad_hook(lambda t: ran.append(("second", t.grad.item())))
    (w * 3).backward()
    (w * 3).backward()
    assert ran == [("first", 3.0), ("second", 3.0), ("first", 6.0), ("second", 6.0)]


def test_a_post_accumulate_hook_may_step_and_drop_the_gradient():
    w = leaf(1.0)

    def step(t):
        with torch.no_grad():
            t -= 0.5 * t.grad
        t.grad = None

    w.register_post_accumulate_grad_hook(step)
    (w * 3).backward()
    assert_near(w.detach(), [-0.5])
    assert w.grad is None


def test_a_removed_post_accumulate_hook_does_not_run():
    w = leaf(1.0)
    w.register_post_accumulate_grad_hook(lambda t: pytest.fail("removed")).remove()
    (w * 3).backward()


def test_a_post_accumulate_hook_on_a_tensor_that_requires_no_grad_raises():
    with pytest.raises(RuntimeError, match="cannot register a hook on a tensor that doesn't require gradient"):
        torch.ones(1).register_post_accumulate_grad_hook(lambda t: None)


def test_a_tensor_hook_on_a_leaf_runs_before_the_post_accumulate_hook():
    ran = []
    w = leaf(1.0)
    w.register_post_accumulate_grad_hook(lambda t: ran.append(("post", t.grad.item())))
    w.register_hook(lambda g: ran.append(("pre", w.grad)))
    (w * 3).backward()
    assert ran == [("pre", None), ("post", 3.0)]


def test_a_post_accumulate_hook_that_raises_leaves_the_gradient_set():
    w = leaf(1.0)

    def fail(t):
        raise KeyError("in the hook")

    handle = w.register_post_accumulate_grad_hook(fail)
    with pytest.raises(KeyError, match="in the hook"):
        (w * 3).backward()
    assert_near(w.grad, [3.0])
    handle.remove()
    (w * 3).backward()
    assert_near(w.grad, [6.0])


# Node hooks


def test_a_node_posthook_gets_the_gradients_of_inputs_and_outputs():
    seen = []
    w, x = leaf(2.0), leaf(3.0)
    y = w * x
    y.grad_fn.register_hook(lambda gi, go: seen.append((gi, go)))
    (y * 5).backward()
    (grad_inputs, grad_outputs) = seen[0]
    assert isinstance(grad_inputs, tuple) and isinstance(grad_outputs, tuple)
    assert [g.item() for g in grad_inputs] == [15.0, 10.0]
    assert [g.item() for g in grad_outputs] == [5.0]


def test_a_node_posthook_gets_none_for_an_input_that_needs_no_gradient():
    seen = []
    y = leaf(2.0) * torch.tensor([3.0])
    y.grad_fn.register_hook(lambda gi, go: seen.append(gi))
    y.backward()
    assert seen[0][1] is None and seen[0][0].item() == 3.0


def test_a_node_posthook_may_replace_the_gradients_of_inputs():
    w = leaf(2.0)
    y = w * 3
    y.grad_fn.register_hook(lambda gi, go: (gi[0] * 10, *gi[1:]))
    y.backward()
    assert_near(w.grad, [30.0])


def test_a_node_posthook_that_returns_a_wrong_count_or_type_raises():
    for bad in ((), (None, None, None, None), "text"):
        y = leaf(2.0) * leaf(3.0)
        y.grad_fn.register_hook(lambda gi, go, bad=bad: bad)
        with pytest.raises((RuntimeError, TypeError)):
            y.backward()


def test_a_node_prehook_may_replace_the_gradients_of_outputs():
    w = leaf(2.0)
    y = w * 3
    y.grad_fn.register_prehook(lambda go: (go[0] * 10,))
    y.backward()
    assert_near(w.grad, [30.0])


def test_node_prehooks_run_in_order_each_seeing_the_one_before():
    w = leaf(1.0)
    y = w * 1
    y.grad_fn.register_prehook(lambda go: (go[0] + 1,))
    y.grad_fn.register_prehook(lambda go: (go[0] * 10,))
    y.backward()
    assert_near(w.grad, [20.0])


def test_a_node_prehook_that_returns_a_wrong_count_or_type_raises():
    for bad in ((), (None, None, None), "text"):
        y = leaf(2.0) * leaf(3.0)
        y.grad_fn.register_prehook(lambda go, bad=bad: bad)
        with pytest.raises((RuntimeError, TypeError)):
            y.backward()


def test_removed_node_hooks_do_not_run():
    y = leaf(1.0) * 2
    y.grad_fn.register_hook(lambda gi, go: pytest.fail("removed")).remove()
    y.grad_fn.register_prehook(lambda go: pytest.fail("removed")).remove()
    y.backward()


def test_hooks_on_accumulate_grad_run_around_the_accumulation():
    ran = []
    w = leaf(1.0)
    node = torch.autograd.graph.get_gradient_edge(w).node
    node.register_prehook(lambda go: ran.append(("pre", w.grad)))
    node.register_hook(lambda gi, go: ran.append(("post", w.grad.item(), len(gi), go[0].item())))
    (w * 3).backward()
    assert ran == [("pre", None), ("post", 3.0, 0, 3.0)]


def test_accumulate_grad_lives_while_its_hooks_do_not_keep_it():
    w = leaf(1.0)
    node = torch.autograd.graph.get_gradient_edge(w).node
    again = torch.autograd.graph.get_gradient_edge(w).node
    assert node is again
    assert (w * 2).grad_fn.next_functions[0][0] is node


def test_a_node_hook_sees_an_undefined_gradient_as_none():
    seen = []
    first, second = leaf(1.0, 2.0).unbind()
    first.grad_fn.register_prehook(lambda go: seen.append(go))
    first.backward()
    assert seen[0][0].item() == 1.0 and seen[0][1] is None


def test_node_hooks_run_though_only_an_unneeded_branch_leads_there_with_inputs():
    ran = []
    a, b = leaf(1.0), leaf(2.0)
    p, q = a * 2, b * 3
    p.grad_fn.register_prehook(lambda go: ran.append("p"))
    q.grad_fn.register_prehook(lambda go: ran.append("q"))
    grad(p + q, a)
    assert ran == ["p"]


# Multi-grad hooks


def test_a_multi_grad_hook_runs_once_all_gradients_are_there():
    calls = []
    a, b = leaf(2.0), leaf(3.0)
    p, q = a * 1, b * 1
    register_multi_grad_hook((p, q), lambda gs: calls.append([g.item() for g in gs]))
    (p * q).backward()
    assert calls == [[3.0, 2.0]]


def test_a_multi_grad_hook_gets_none_for_tensors_that_the_backward_does_not_reach():
    calls = []
    a, b, c = leaf(2.0), leaf(3.0), leaf(4.0)
    register_multi_grad_hook((a, b, c), lambda gs: calls.append(gs))
    (a * b).backward()
    assert len(calls) == 1
    assert calls[0][0].item() == 3.0 and calls[0][1].item() == 2.0 and calls[0][2] is None


def test_a_multi_grad_hook_in_any_mode_runs_once_with_the_first_gradient():
    calls = []
    a, b = leaf(2.0), leaf(3.0)
    p, q = a * 1, b * 1
    register_multi_grad_hook((p, q), lambda g: calls.append(g.item()), mode="any")
    (p * 2 + q * 3).backward()
    assert calls == [3.0]  # q was made last, so its gradient arrives first


def test_a_multi_grad_hook_starts_anew_with_each_backward():
    calls = []
    a, b = leaf(2.0), leaf(3.0)
    register_multi_grad_hook((a, b), lambda gs: calls.append(len(gs)))
    y = a * b
    y.backward(retain_graph=True)
    y.backward()
    assert calls == [2, 2]


def test_a_removed_multi_grad_hook_does_not_run():
    a, b = leaf(2.0), leaf(3.0)
    handle = register_multi_grad_hook((a, b), lambda gs: pytest.fail("removed"))
    handle.remove()
    (a * b).backward()


def test_a_multi_grad_hook_with_an_unknown_mode_raises():
    a = leaf(2.0)
    with pytest.raises(ValueError, match="mode"):
        register_multi_grad_hook((a,), lambda gs: None, mode="most")


# Failing hooks


def test_a_hook_that_raises_passes_its_exception_through_and_the_next_backward_works():
    class Mine(Exception):
        pass

    def fail(*_):
        raise Mine("here")

    w = leaf(2.0)
    for register in (
        lambda y: y.register_hook(fail),
        lambda y: y.grad_fn.register_hook(fail),
        lambda y: y.grad_fn.register_prehook(fail),
    ):
        y = w * w
        handle = register(y)
        with pytest.raises(Mine, match="here"):
            y.backward(retain_graph=True)
        assert w.grad is None
        handle.remove()
        y.backward()
        assert_near(w.grad, [4.0])
        w.grad = None


def test_a_hook_that_raises_leaves_the_grad_mode_as_it_was():
    def fail(g):
        raise ValueError

    y = leaf(2.0) * 1
    y.register_hook(fail)
    with pytest.raises(ValueError):
        y.backward()
    assert torch.is_grad_enabled()
    with torch.no_grad(), pytest.raises(ValueError):
        y.backward()
    assert torch.is_grad_enabled()


def test_hooks_before_the_failing_one_keep_their_effect_outside_the_graph():
    ran = []
    w = leaf(2.0)
    y = w * 1
    y.register_hook(lambda g: ran.append(1))

    def fail(g):
        raise ValueError

    y.register_hook(fail)
    y.register_hook(lambda g: ran.append(3))
    with pytest.raises(ValueError):
        y.backward()
    assert ran == [1]


def test_the_traceback_of_a_failing_hook_shows_the_hook():
    def the_failing_hook(g):
        raise ValueError

    y = leaf(2.0) * 1
    y.register_hook(the_failing_hook)
    with pytest.raises(ValueError) as error:
        y.backward()
    assert "the_failing_hook" in [entry.name for entry in error.traceback]


# Backward in hooks


def test_a_hook_may_run_a_backward_of_another_graph():
    other = leaf(3.0)
    w = leaf(2.0)
    y = w * 1

    def inner(g):
        with torch.enable_grad():
            (other * other).backward()

    y.register_hook(inner)
    y.backward()
    assert_near(other.grad, [6.0])
    assert_near(w.grad, [1.0])


def test_a_hook_may_run_a_backward_into_the_same_leaf():
    w = leaf(2.0)
    y = w * 1

    def inner(g):
        with torch.enable_grad():
            (w * 10).backward()

    y.register_hook(inner)
    y.backward()
    assert_near(w.grad, [11.0])


def test_a_hook_may_call_grad_on_the_graph_that_is_running():
    w = leaf(2.0)
    a = w * w
    b = a * 3
    seen = []
    b.register_hook(lambda g: seen.append(grad(a, w, retain_graph=True)[0].item()))
    b.backward()
    assert seen == [4.0]
    assert_near(w.grad, [12.0])


def test_a_hook_may_delete_the_graph():
    w = leaf(2.0)
    box = {"y": w * w}
    box["z"] = box["y"] * 3
    box["z"].register_hook(lambda g: box.clear())
    box["z"].backward()
    assert_near(w.grad, [12.0])
    assert not box


def test_changing_the_gradient_in_place_in_a_hook_changes_what_flows_on():
    w = leaf(2.0)
    y = w * 1

    def double(g):
        g.mul_(2)

    y.register_hook(double)
    (y * 3).backward()
    assert_near(w.grad, [6.0])
