"""The situations people get into with leaves, and what they are told: the exception's class, the phrase that search
engines know, and the facts that were really missing: which tensor, made by which operator, and what to write instead.
"""

from __future__ import annotations

import copy
import gc
import inspect
import warnings

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


def mentions(message, *facts):
    missing = [fact for fact in facts if not any(word in message for word in fact.split("|"))]
    assert not missing, f"{missing} not in: {message}"


# Reading .grad of a non-leaf that does not retain it


def test_reading_grad_of_a_non_leaf_warns():
    y = leaf(1.0) * leaf(2.0)
    mentions(warning_of(lambda: y.grad), "The .grad attribute of a Tensor that is not a leaf Tensor is being accessed")


@more
def test_the_warning_about_grad_of_a_non_leaf_says_its_shape_its_operator_and_retain_grad():
    y = torch.ones(2, 3, requires_grad=True) * 2
    mentions(warning_of(lambda: y.grad), "MulBackward0", "(2, 3)|[2, 3]", "retain_grad()")


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
def test_inspect_and_the_collector_read_a_non_leaf_silently():
    y = leaf(1.0) * 2
    inspect.getmembers_static(y)
    gc.get_referents(y)
    gc.collect()
    dir(y)
    repr(y)


# In-place on a leaf and on a view of one


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
    mentions(message_of(RuntimeError, lambda: w.sub_(1)), "sub_", "no_grad()", "clone()")


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


# Backward twice


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
    mentions(message_of(RuntimeError, y.backward), "ExpBackward0", "detach()", "retain_graph=True")


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


# A saved tensor changed between forward and backward


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
    mentions(message_of(RuntimeError, y.backward), "MulBackward0", "(2, 3)|[2, 3]", "clone|Clone")


# Nothing requires grad


def test_backward_where_nothing_requires_grad():
    mentions(
        message_of(RuntimeError, lambda: torch.ones(1).sum().backward()),
        "element 0 of tensors does not require grad and does not have a grad_fn",
    )


@more
@pytest.mark.parametrize(
    "make, fact",
    [
        (lambda: leaf(1.0).detach(), "detach"),
        (lambda: leaf(3.0) > 2, "bool|integer"),
        (lambda: leaf(3.0, 4.0).argmax(), "int64|integer"),
        (lambda: torch.ones(1), "requires_grad"),
    ],
)
def test_backward_where_nothing_requires_grad_says_where_tracking_stopped(make, fact):
    mentions(message_of(RuntimeError, lambda: make().backward()), "does not require grad", fact)


@more
def test_backward_of_what_was_made_under_no_grad_mentions_no_grad():
    with torch.no_grad():
        y = leaf(1.0) * 2
    mentions(message_of(RuntimeError, y.backward), "no_grad")


# Optimizers


def test_an_optimizer_refuses_a_non_leaf():
    w = torch.randn(2, requires_grad=True) * 0.01
    mentions(message_of(ValueError, lambda: torch.optim.SGD([w], lr=0.1)), "can't optimize a non-leaf Tensor")


@more
def test_an_optimizer_that_refuses_a_non_leaf_says_which_and_how_to_make_one():
    good, bad = leaf(1.0), torch.randn(2, requires_grad=True) * 0.01
    message = message_of(ValueError, lambda: torch.optim.SGD([good, bad], lr=0.1))
    mentions(message, "1", "MulBackward0", "requires_grad_()")


def test_an_optimizer_refuses_an_empty_list():
    mentions(message_of(ValueError, lambda: torch.optim.SGD([], lr=0.1)), "optimizer got an empty parameter list")


def test_making_the_leaf_last_is_what_the_optimizer_wants():
    w = (torch.randn(2) * 0.01).requires_grad_()
    torch.optim.SGD([w], lr=0.1)


# Copying and modules


def test_deepcopy_of_a_non_leaf_is_refused():
    y = leaf(1.0) * 2
    mentions(message_of(RuntimeError, lambda: copy.deepcopy(y)), "Only Tensors created explicitly by the user")


def test_deepcopy_of_a_module_that_stored_an_activation_is_refused():
    module = nn.Linear(1, 1)
    module.last = module(torch.ones(1, 1))
    mentions(message_of(RuntimeError, lambda: copy.deepcopy(module)), "Only Tensors created explicitly by the user")


def test_assigning_a_bare_tensor_to_a_parameter_is_refused():
    module = nn.Linear(2, 2)

    def assign():
        module.weight = torch.ones(2, 2)

    mentions(message_of(TypeError, assign), "cannot assign", "weight")


# requires_grad


def test_requires_grad_of_a_non_leaf_cannot_be_switched_off():
    y = leaf(1.0) * 2

    def assign():
        y.requires_grad = False

    message = message_of(RuntimeError, assign)
    mentions(message, "you can only change requires_grad flags of leaf variables", "detach()")


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


# backward of a vector


def test_backward_of_a_vector_is_refused():
    y = torch.ones(3, requires_grad=True) * 2
    mentions(message_of(RuntimeError, y.backward), "grad can be implicitly created only for scalar outputs")


@more
def test_backward_of_a_vector_says_its_shape_and_both_remedies():
    y = torch.ones(3, 4, requires_grad=True) * 2
    mentions(message_of(RuntimeError, y.backward), "(3, 4)|[3, 4]", ".sum()", "gradient=")


# numpy


def test_numpy_of_a_recording_tensor_says_detach():
    for tensor in (leaf(1.0), leaf(1.0) * 2):
        mentions(
            message_of(RuntimeError, tensor.numpy),
            "Can't call numpy() on Tensor that requires grad",
            "detach().numpy()",
        )


# Hooks and retain_grad where nothing is recorded


def test_retain_grad_where_nothing_is_recorded():
    mentions(
        message_of(RuntimeError, torch.ones(1).retain_grad), "can't retain_grad on Tensor that has requires_grad=False"
    )


def test_register_hook_where_nothing_is_recorded():
    mentions(
        message_of(RuntimeError, lambda: torch.ones(1).register_hook(print)),
        "cannot register a hook on a tensor that doesn't require gradient",
    )


# backward(create_graph=True)


@more
def test_backward_with_create_graph_needs_no_warning():
    w = leaf(2.0)
    (w * w).backward(create_graph=True)  # a warning would be an error here
    assert w.grad.requires_grad


# Views that may not be written


def test_in_place_on_an_output_of_unbind_says_why():
    first, _ = (leaf(1.0, 2.0) * 1).unbind()
    mentions(message_of(RuntimeError, lambda: first.add_(1)), "is a view and is being modified inplace", "Unbind")


def test_in_place_on_a_view_made_under_no_grad_says_why():
    y = leaf(1.0, 2.0) * 1
    with torch.no_grad():
        view = y[0]
    mentions(message_of(RuntimeError, lambda: view.add_(1)), "view", "is being modified inplace", "no_grad")


# grad of what is not in the graph


def test_grad_of_what_is_not_in_the_graph():
    a, b = leaf(1.0), leaf(2.0)
    mentions(message_of(RuntimeError, lambda: grad(a * 2, b)), "appears to not have been used in the graph")
    mentions(message_of(RuntimeError, lambda: grad(a * 2, torch.ones(1))), "does not require grad")


@more
def test_grad_of_what_is_not_in_the_graph_says_which_one():
    a, b = leaf(1.0), leaf(2.0)
    mentions(message_of(RuntimeError, lambda: grad(a * 2, [a, b])), "1", "allow_unused=True")


# tensor(tensor)


def test_tensor_of_a_tensor_warns_that_it_copies_and_cuts():
    w = leaf(1.0)
    mentions(warning_of(lambda: torch.tensor(w)), "clone().detach()|detach().clone()")
