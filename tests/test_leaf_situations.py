"""The situations people get into with leaves, and what they are told: the exception's class, the phrase that search
engines know, and the facts that were really missing: which tensor, made by which operator, and what to write instead.

Each situation has a number, L1 to L20, by which `explain` calls it too.
"""

from __future__ import annotations

import copy
import gc
import inspect
import sys
import warnings
import weakref

import pytest
from support import assert_near

import leafgrad as torch
from leafgrad import nn
from leafgrad.autograd import grad

more = pytest.mark.leafgrad_only  # the facts beyond PyTorch's class and phrase


def leaf(*values):
    return torch.tensor(list(values), requires_grad=True)


def message_of(exceptions, call):
    with pytest.raises(exceptions) as error:
        call()
    return str(error.value)


def warning_of(call):
    with pytest.warns(UserWarning) as caught:
        call()
    return "\n".join(str(w.message) for w in caught)


def line(offset=0):
    """This file and the line of the caller, or one near it, as messages write it."""
    return f"test_leaf_situations.py:{sys._getframe(1).f_lineno + offset}"


def mentions(message, *facts):
    missing = [fact for fact in facts if not any(word in message for word in fact.split("|"))]
    assert not missing, f"{missing} not in: {message}"


# L1: reading .grad of a non-leaf that does not retain it


def test_reading_grad_of_a_non_leaf_warns():
    y = leaf(1.0) * leaf(2.0)
    mentions(warning_of(lambda: y.grad), "The .grad attribute of a Tensor that is not a leaf Tensor is being accessed")


@more
def test_the_warning_about_grad_of_a_non_leaf_says_its_shape_its_operator_and_retain_grad():
    y = torch.ones(2, 3, requires_grad=True) * 2
    mentions(warning_of(lambda: y.grad), "MulBackward0", "float32 (2, 3)", "retain_grad()", "trace()")


@more
def test_the_warning_about_grad_of_a_non_leaf_names_the_leaves_that_feed_it():
    w, b = leaf(1.0), leaf(2.0)
    y = (w * 2 + b).exp()
    mentions(warning_of(lambda: (y, w, b) and y.grad), "y, float32 (1,)", "goes on to b, w|goes on to w, b")


@more
def test_the_warning_about_grad_of_a_non_leaf_says_the_line_when_traced():
    with torch.trace():
        y = leaf(1.0) * 2
    message = warning_of(lambda: y.grad)
    mentions(message, "mul (MulBackward0) at", line(-2))
    assert "trace()" not in message


@more
def test_the_warning_about_grad_of_a_non_leaf_comes_once_a_place():
    y = leaf(1.0) * 2
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("default")
        for _ in range(3):
            y.grad
    assert len(caught) == 1
    assert caught[0].filename == __file__


@more
def test_the_warning_about_grad_of_a_non_leaf_comes_once_a_place_whatever_the_shape():
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("default")
        for size in (1, 2, 3):
            (torch.ones(size, requires_grad=True) * 2).grad
        (torch.ones(1, requires_grad=True) * 2).grad
    assert [warning.lineno for warning in caught] == sorted({warning.lineno for warning in caught})
    assert len(caught) == 2
    with pytest.warns(UserWarning, match="not a leaf"):  # another filter asks anew
        (torch.ones(1, requires_grad=True) * 2).grad


@more
def test_inspect_debuggers_and_the_collector_read_a_non_leaf_silently():
    y = torch.ones(1, 1, dtype=torch.complex64, requires_grad=True) * 2  # one on which each attribute can be read
    inspect.getmembers(y)
    for module in ("pdb", "_pydevd_bundle.pydevd_resolver", "IPython.core.completer", "rlcompleter"):
        eval("y.grad", {"__name__": module, "y": y})
    inspect.getmembers_static(y)
    gc.get_referents(y)
    gc.collect()
    dir(y)
    repr(y)


# L2: in-place on a leaf


def test_in_place_on_a_leaf_is_refused_and_the_value_unchanged():
    w, step = leaf(1.0), torch.tensor([0.5])

    def update():
        nonlocal w
        w -= step

    mentions(
        message_of(RuntimeError, update), "a leaf Variable that requires grad is being used in an in-place operation"
    )
    assert w.tolist() == [1.0] and w._version == 0


@more
def test_in_place_on_a_leaf_names_the_operator_and_both_remedies():
    w = leaf(1.0)
    mentions(message_of(RuntimeError, lambda: w.sub_(1)), "sub_", "float32 (1,)", "no_grad()", "clone()")


# L3: in-place on a view of a leaf


def test_in_place_on_a_view_of_a_leaf_is_refused_and_the_value_unchanged():
    w = leaf(1.0, 2.0)

    def assign():
        w[0] = 1

    def add():
        w[:] += 1

    for write in (assign, add):
        mentions(
            message_of(RuntimeError, write),
            "a view of a leaf Variable that requires grad is being used in an in-place operation",
        )
    assert w.tolist() == [1.0, 2.0] and w._version == 0


@more
def test_in_place_on_a_view_of_a_leaf_says_the_chain_of_views_and_both_remedies():
    w = torch.ones(2, 3, requires_grad=True)
    mentions(
        message_of(RuntimeError, lambda: w[0][1:].zero_()),
        "leaf float32 (2, 3) -> SelectBackward0 (3,) -> SliceBackward0 (2,)",
        "no_grad()",
        "clone()",
    )


# L4: backward twice


def test_backward_twice_through_saved_tensors():
    w = leaf(1.0)
    y = w.exp()
    y.backward()
    mentions(message_of(RuntimeError, y.backward), "Trying to backward through the graph a second time")


@more
def test_backward_twice_names_the_node_and_both_remedies():
    w = leaf(1.0)
    y = w.exp().sum()
    y.backward()
    mentions(message_of(RuntimeError, y.backward), "ExpBackward0", "detach()", "retain_graph=True", "trace()")


@more
def test_backward_twice_says_where_the_node_was_made_and_where_its_saved_tensors_were_freed():
    w = leaf(1.0)
    with torch.trace():
        y = w.exp().sum()
        y.backward()
    mentions(message_of(RuntimeError, y.backward), "ExpBackward0 at", line(-2), "here that was at", line(-1))


def test_hidden_state_carried_to_the_next_step_fails_and_detach_helps():
    w = leaf(0.5)
    state = torch.ones(1)
    state = torch.tanh(state * w)
    state.sum().backward()
    carried = torch.tanh(state * w)
    mentions(message_of(RuntimeError, carried.sum().backward), "a second time")
    torch.tanh(state.detach() * w).sum().backward()


def test_a_graph_that_saved_nothing_may_run_twice():
    w = leaf(1.0)
    y = (w + 1).sum()
    y.backward()
    y.backward()
    assert_near(w.grad, [2.0])


# L5: a saved tensor changed between forward and backward


def test_a_change_between_forward_and_backward_says_which_version():
    w, x = leaf(1.0), torch.ones(1)
    y = w * x
    x += 1
    message = message_of(RuntimeError, y.backward)
    mentions(message, "has been modified by an inplace operation", "is at version 1; expected version 0 instead")


@more
def test_a_change_between_forward_and_backward_names_the_node_and_the_shape():
    w, x = torch.ones(2, 3, requires_grad=True), torch.ones(2, 3)
    y = (w * x).sum()
    x += 1
    mentions(message_of(RuntimeError, y.backward), "MulBackward0", "float32 (2, 3)", "by add_", "clone|Clone")


@more
def test_a_change_between_forward_and_backward_says_where_the_node_was_made():
    w, x = leaf(1.0), torch.ones(1)
    with torch.trace():
        y = w * x
    x += 1
    mentions(message_of(RuntimeError, y.backward), line(-2))


@more
@pytest.mark.parametrize(
    "settings",
    [{"lr": 0.1}, {"lr": torch.tensor(0.1)}, {"lr": 0.1, "weight_decay": 0.1}],
    ids=["plain", "tensor lr", "decay"],
)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16], ids=["native", "composed"])
def test_a_step_between_forward_and_backward_is_called_an_optimizers_step(settings, dtype):
    w = torch.ones(2, dtype=dtype, requires_grad=True)
    optimizer = torch.optim.SGD([w], **settings)
    loss = (w * w).sum()
    loss.backward(retain_graph=True)
    optimizer.step()
    mentions(message_of(RuntimeError, loss.backward), "modified by an inplace operation", "optimizer's step", "step()")


@more
def test_a_write_by_the_closure_of_a_step_is_not_called_the_optimizers():
    w, x = leaf(1.0), torch.ones(1)
    optimizer = torch.optim.SGD([w], lr=0.1)
    loss = w * x
    optimizer.step(lambda: x.add_(1))
    message = message_of(RuntimeError, loss.backward)
    mentions(message, "by add_")
    assert "optimizer" not in message


# L6: nothing requires grad


def test_backward_where_nothing_requires_grad():
    mentions(
        message_of(RuntimeError, lambda: torch.ones(1).sum().backward()),
        "element 0 of tensors does not require grad and does not have a grad_fn",
    )


@more
@pytest.mark.parametrize(
    "make, fact",
    [
        (lambda: leaf(1.0).detach(), "detached"),
        (lambda: leaf(1.0).data, "detached"),
        (lambda: leaf(3.0) > 2, "dtype is bool"),
        (lambda: leaf(3.0, 4.0).argmax(), "dtype is int64"),
        (lambda: torch.ones(1), "made by the user without requires_grad=True"),
        (lambda: torch.ones(1) * 2, "none of whose inputs requires grad"),
        (lambda: nn.Linear(1, 1).requires_grad_(False)(torch.ones(1, 1)), "none of whose inputs requires grad"),
    ],
)
def test_backward_where_nothing_requires_grad_says_where_tracking_stopped(make, fact):
    mentions(message_of(RuntimeError, lambda: make().backward()), "does not require grad", fact)


@more
def test_backward_where_nothing_requires_grad_names_the_tensor_and_its_line_when_traced():
    with torch.trace():
        total = torch.ones(1, 1) * 2
    message = message_of(RuntimeError, lambda: torch.autograd.backward(total))
    mentions(message, "total, float32 (1, 1) at", line(-2))
    x = torch.ones(1)
    mentions(message_of(RuntimeError, lambda: x.backward()), "x, float32 (1,)")


@more
def test_backward_of_what_was_made_under_no_grad_mentions_no_grad():
    with torch.no_grad():
        y = leaf(1.0) * 2
    mentions(message_of(RuntimeError, y.backward), "made under no_grad", "outside of no_grad()")


@more
def test_backward_of_what_was_made_in_inference_mode_says_so():
    with torch.inference_mode():
        y = leaf(1.0) * 2
    mentions(message_of(RuntimeError, y.backward), "inference mode")


# L7: an optimizer of non-leaves


def test_an_optimizer_refuses_a_non_leaf():
    w = torch.randn(2, requires_grad=True) * 0.01
    mentions(message_of(ValueError, lambda: torch.optim.SGD([w], lr=0.1)), "can't optimize a non-leaf Tensor")


@more
def test_an_optimizer_that_refuses_a_non_leaf_says_which_and_how_to_make_one():
    good, bad = leaf(1.0), torch.randn(2, requires_grad=True) * 0.01
    message = message_of(ValueError, lambda: torch.optim.SGD([good, bad], lr=0.1))
    mentions(message, "parameter 1 of group 0", "float32 (2,)", "MulBackward0", "requires_grad_()", "trace()")


@more
def test_an_optimizer_that_refuses_a_non_leaf_of_a_later_group_says_which_and_its_line():
    good = leaf(1.0)
    with torch.trace():
        bad = torch.randn(2, requires_grad=True) * 0.01
    groups = [{"params": [good]}, {"params": [bad]}]
    message = message_of(ValueError, lambda: torch.optim.SGD(groups, lr=0.1))
    mentions(message, "parameter 0 of group 1", line(-3))


@more
def test_explain_sees_a_non_leaf_that_was_meant_to_be_the_leaf():
    w = torch.randn(2, requires_grad=True) * 0.01
    found = torch.explain(w)
    assert found.situation == "L7"
    mentions(found.advice, "Make the leaf last", "requires_grad_()")


def test_making_the_leaf_last_is_what_the_optimizer_wants():
    w = (torch.randn(2) * 0.01).requires_grad_()
    torch.optim.SGD([w], lr=0.1)


# L8: conversions


def test_a_conversion_is_an_operation_and_the_leaf_has_the_gradient():
    w = leaf(1.0)
    converted = w.double()
    converted.sum().backward()
    assert not converted.is_leaf and w.grad is not None
    assert w.to(torch.float32) is w


@more
@pytest.mark.parametrize("convert", [lambda w: w.double(), lambda w: w.to(torch.float64), lambda w: w.half()])
def test_explain_says_that_a_conversion_is_an_operation_and_whose_grad_is_filled(convert):
    w = leaf(1.0)
    converted = convert(w)
    found = torch.explain(converted)
    assert not found.is_leaf and found.leaves == ["w"] and found.situation == "L8"
    mentions(
        found.advice, "a conversion is an operation", ".grad of w", "returns the tensor itself", "requires_grad_()"
    )


# L9: copying what is no leaf


def test_deepcopy_of_a_non_leaf_is_refused():
    y = leaf(1.0) * 2
    mentions(message_of(RuntimeError, lambda: copy.deepcopy(y)), "Only Tensors created explicitly by the user")


def test_deepcopy_of_a_module_that_stored_an_activation_is_refused():
    module = nn.Linear(1, 1)
    module.last = module(torch.ones(1, 1))
    mentions(message_of(RuntimeError, lambda: copy.deepcopy(module)), "Only Tensors created explicitly by the user")


@more
def test_deepcopy_of_a_module_that_stored_an_activation_says_the_path_to_it():
    model = nn.Sequential(nn.Linear(1, 1), nn.Sequential(nn.Linear(1, 1)))
    model[1][0].last = {"output": [model(torch.ones(1, 1))]}
    message = message_of(RuntimeError, lambda: copy.deepcopy(model))
    mentions(
        message, "1.0.last['output'][0] of the Sequential", "float32 (1, 1)", "AddmmBackward0", "detach()", "trace()"
    )
    del model[1][0].last
    with torch.trace():
        model.last = model(torch.ones(1, 1))
    mentions(message_of(RuntimeError, lambda: copy.deepcopy(model)), "last of the Sequential", line(-1))


# L10: history that grows step by step


@more
def test_explain_tells_of_a_running_total_whose_history_grows():
    w = torch.ones(100, requires_grad=True)
    running, sizes = 0.0, []
    for _ in range(5):
        running += w.exp().sum()
        sizes.append(torch.explain(running).saved_bytes)
    assert sizes == [400, 800, 1200, 1600, 2000]
    found = torch.explain(running)
    assert found.situation == "L10"
    mentions(found.advice, "5 added terms", "2.0 KiB", "detach()", "item()", "no_grad()")


@more
def test_explain_tells_of_a_running_total_of_losses_that_ran_backward():
    w = leaf(1.0)
    running = torch.zeros(())
    for _ in range(2):
        loss = w.exp().sum()
        loss.backward()
        running = running + loss
    assert torch.explain(running).situation == "L10"
    total = torch.zeros(())
    for _ in range(5):
        total += w.exp().sum().detach()
    assert torch.explain(total).graph_nodes == 0


# L20: what a module does not see


def test_an_optimizer_refuses_an_empty_list():
    mentions(message_of(ValueError, lambda: torch.optim.SGD([], lr=0.1)), "optimizer got an empty parameter list")


@more
def test_an_optimizer_of_a_module_without_parameters_names_the_attribute_that_hides_them():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.block = nn.Module()
            self.block.layers = [nn.Linear(1, 1)]
            self.scale = torch.ones(1, requires_grad=True)

    message = message_of(ValueError, lambda: torch.optim.SGD(Net().parameters(), lr=0.1))
    mentions(
        message, "Net.block.layers is a plain list", "nn.ModuleList", "Net.scale is a plain tensor", "nn.Parameter"
    )


def test_assigning_a_bare_tensor_to_a_parameter_is_refused():
    module = nn.Linear(2, 2)

    def assign():
        module.weight = torch.ones(2, 2)

    mentions(message_of(TypeError, assign), "cannot assign", "weight")


@more
def test_assigning_a_bare_tensor_to_a_parameter_says_what_to_write():
    module = nn.Linear(2, 2)
    message = message_of(TypeError, lambda: setattr(module, "weight", torch.ones(2, 2)))
    mentions(message, "'weight' of Linear", "nn.Parameter(tensor)", "no_grad()")


# L11: requires_grad of a non-leaf


def test_requires_grad_of_a_non_leaf_cannot_be_switched_off():
    y = leaf(1.0) * 2

    def assign():
        y.requires_grad = False

    message = message_of(RuntimeError, assign)
    mentions(message, "you can only change requires_grad flags of leaf variables", "detach()")


@more
def test_requires_grad_of_a_non_leaf_says_which_tensor_and_operator():
    y = leaf(1.0) * 2
    for switch in (lambda: setattr(y, "requires_grad", False), lambda: y.requires_grad_(False)):
        mentions(message_of(RuntimeError, switch), "float32 (1,)", "MulBackward0", "detach()", "trace()")


# L12: integers


def test_integers_cannot_require_grad():
    for make in (
        lambda: torch.tensor([1, 2], requires_grad=True),
        lambda: torch.arange(3, requires_grad=True),
        lambda: torch.ones(2, dtype=torch.int64).requires_grad_(),
    ):
        mentions(
            message_of(RuntimeError, make).lower(), "tensors of floating point", "can require gradients|require grad"
        )


@more
def test_integers_cannot_require_grad_says_the_dtype_and_what_to_write():
    mentions(message_of(RuntimeError, lambda: torch.tensor([1, 2], requires_grad=True)), "int64", "dtype=|1.")


# L13: backward of a vector


def test_backward_of_a_vector_is_refused():
    y = torch.ones(3, requires_grad=True) * 2
    mentions(message_of(RuntimeError, y.backward), "grad can be implicitly created only for scalar outputs")


@more
def test_backward_of_a_vector_says_its_shape_and_both_remedies():
    y = torch.ones(3, 4, requires_grad=True) * 2
    mentions(message_of(RuntimeError, y.backward), "(3, 4)|[3, 4]", ".sum()", "gradient=")


# L14: numpy


def test_numpy_of_a_recording_tensor_says_detach():
    for tensor in (leaf(1.0), leaf(1.0) * 2):
        mentions(
            message_of(RuntimeError, tensor.numpy),
            "Can't call numpy() on Tensor that requires grad",
            "detach().numpy()",
        )


# L15: hooks and retain_grad where nothing is recorded


def test_retain_grad_where_nothing_is_recorded():
    mentions(
        message_of(RuntimeError, torch.ones(1).retain_grad), "can't retain_grad on Tensor that has requires_grad=False"
    )


def test_register_hook_where_nothing_is_recorded():
    mentions(
        message_of(RuntimeError, lambda: torch.ones(1).register_hook(print)),
        "cannot register a hook on a tensor that doesn't require gradient",
    )


@more
@pytest.mark.parametrize(
    "ask",
    [
        lambda t: t.retain_grad(),
        lambda t: t.register_hook(print),
        lambda t: t.register_post_accumulate_grad_hook(print),
    ],
)
def test_hooks_and_retain_grad_where_nothing_is_recorded_say_where_tracking_stopped(ask):
    with torch.no_grad():
        quiet = leaf(1.0) * 2
    for tensor, fact in (
        (quiet, "made under no_grad"),
        (leaf(1.0).detach(), "detached"),
        (torch.ones(1) * 2, "none of whose inputs requires grad"),
        (torch.ones(1, dtype=torch.int64), "dtype is int64"),
    ):
        mentions(message_of(RuntimeError, lambda t=tensor: ask(t)), fact, "(1,)")


# L16: backward(create_graph=True)


@more
def test_backward_with_create_graph_needs_no_warning():
    w = leaf(2.0)
    (w * w).backward(create_graph=True)  # a warning would be an error here
    assert w.grad.requires_grad


@more
def test_the_cycle_that_backward_with_create_graph_makes_is_collectable():
    w = leaf(2.0)
    (w * w).backward(create_graph=True)
    alive = weakref.ref(w)
    del w
    gc.collect()
    assert alive() is None


# L17: views that may not be written


def test_in_place_on_an_output_of_unbind_says_why():
    first, _ = (leaf(1.0, 2.0) * 1).unbind()
    mentions(message_of(RuntimeError, lambda: first.add_(1)), "is a view and is being modified inplace", "Unbind")


def test_in_place_on_a_view_made_under_no_grad_says_why():
    y = leaf(1.0, 2.0) * 1
    with torch.no_grad():
        view = y[0]
    mentions(message_of(RuntimeError, lambda: view.add_(1)), "view", "is being modified inplace", "no_grad")


@more
def test_in_place_on_a_view_that_may_not_be_written_says_where_it_was_made():
    y = leaf(1.0, 2.0) * 1
    with torch.trace():
        first, _ = y.unbind()
        with torch.no_grad():
            view = y[0]
    mentions(message_of(RuntimeError, lambda: first.add_(1)), line(-3))
    mentions(message_of(RuntimeError, lambda: view.add_(1)), line(-2))
    first, _ = y.unbind()
    mentions(message_of(RuntimeError, lambda: first.add_(1)), "trace()")


# L18: grad of what is not in the graph


def test_grad_of_what_is_not_in_the_graph():
    a, b = leaf(1.0), leaf(2.0)
    mentions(message_of(RuntimeError, lambda: grad(a * 2, b)), "appears to not have been used in the graph")
    mentions(message_of(RuntimeError, lambda: grad(a * 2, torch.ones(1))), "does not require grad")


@more
def test_grad_of_what_is_not_in_the_graph_says_which_one():
    a, b = leaf(1.0), leaf(2.0)
    mentions(message_of(RuntimeError, lambda: grad(a * 2, [a, b])), "index 1", "allow_unused=True")
    mentions(message_of(RuntimeError, lambda: grad(a * 2, [a, torch.ones(1)])), "index 1", "requires_grad")


@more
def test_grad_of_what_is_not_in_the_graph_names_the_relative_that_shares_its_memory():
    w = leaf(1.0, 2.0)
    y = w * 2
    loss = y.sum()
    for other, nearest in ((w.detach(), "w, the leaf"), (w[0], "w, the leaf"), (y[0], "y, the result of mul")):
        message = message_of(RuntimeError, lambda x=other: grad(loss, x, retain_graph=True) and (w, y))
        mentions(message, nearest, "shares its memory")
    b = leaf(1.0)
    assert "shares" not in message_of(RuntimeError, lambda: grad(loss, b))


# L19: tensor(tensor)


def test_tensor_of_a_tensor_warns_that_it_copies_and_cuts():
    w = leaf(1.0)
    mentions(warning_of(lambda: torch.tensor(w)), "clone().detach()|detach().clone()")


@more
def test_tensor_of_a_tensor_says_what_stays_in_the_graph():
    w = leaf(1.0)
    mentions(
        warning_of(lambda: torch.tensor(w)),
        "no gradient reaches the source",
        "stays in the graph use sourceTensor.clone()",
    )
