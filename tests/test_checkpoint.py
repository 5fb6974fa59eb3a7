"""Checkpointing: the same gradients, fewer saved tensors, and errors where the two runs differ."""

import gc
import warnings
import weakref

import pytest

import leafgrad as torch
from leafgrad.autograd import graph
from leafgrad.utils.checkpoint import (
    CheckpointError,
    checkpoint,
    checkpoint_sequential,
    detach_variable,
    set_checkpoint_debug_enabled,
    set_checkpoint_early_stop,
)

each_variant = pytest.mark.parametrize("use_reentrant", [False, True], ids=["recorded", "reentrant"])


def real(*shape):
    return torch.randn(shape, dtype=torch.float64, requires_grad=True)


def layer(x):
    return (x * 2).sin().exp()


def gradients_of(function, *leaves):
    for x in leaves:
        x.grad = None
    function(*leaves).sum().backward()
    return [x.grad for x in leaves]


def assert_same_gradients(function, checkpointed, *leaves):
    expected = gradients_of(function, *leaves)
    found = gradients_of(checkpointed, *leaves)
    assert all(torch.allclose(a, b, rtol=1e-12) for a, b in zip(found, expected, strict=True))


class Counted:
    """A function that counts how often it runs."""

    def __init__(self, function):
        self.function = function
        self.count = 0

    def __call__(self, *args, **kwargs):
        self.count += 1
        return self.function(*args, **kwargs)


@each_variant
def test_gradients_are_those_without_it(use_reentrant):
    weight = real(3, 3)

    def function(x):
        return layer(x @ weight) * x

    x = real(2, 3)
    found = gradients_of(lambda x, w: checkpoint(function, x, use_reentrant=use_reentrant), x, weight)
    expected = gradients_of(lambda x, w: function(x), x, weight)
    assert all(torch.allclose(a, b, rtol=1e-12) for a, b in zip(found, expected, strict=True))


@each_variant
def test_the_function_runs_once_forward_and_once_in_backward(use_reentrant):
    counted = Counted(layer)
    y = checkpoint(counted, real(3), use_reentrant=use_reentrant)
    assert counted.count == 1
    y.sum().backward()
    assert counted.count == 2


@each_variant
def test_without_recording_it_is_a_plain_call(use_reentrant):
    counted = Counted(layer)
    with torch.no_grad():
        y = checkpoint(counted, real(3), use_reentrant=use_reentrant)
    assert not y.requires_grad
    assert counted.count == 1


@pytest.mark.filterwarnings("ignore:None of the inputs have requires_grad")  # the inner one, as the outer runs first
@each_variant
def test_nested_checkpoints(use_reentrant):
    def inner(x):
        return checkpoint(layer, x, use_reentrant=use_reentrant)

    def outer(x):
        return checkpoint(lambda x: inner(inner(x) + x), x, use_reentrant=use_reentrant)

    assert_same_gradients(lambda x: layer(layer(x) + x), outer, real(4))


@each_variant
def test_arguments_that_are_no_tensors_and_several_outputs(use_reentrant):
    def function(x, n, text, y):
        return x * n, (x * y).exp(), text

    x, y = real(3), real(3)
    first, second, text = checkpoint(function, x, 4, "text", y, use_reentrant=use_reentrant)
    assert text == "text"
    (first + second).sum().backward()
    expected = torch.autograd.grad((x * 4 + (x * y).exp()).sum(), (x, y))
    assert torch.allclose(x.grad, expected[0])
    assert torch.allclose(y.grad, expected[1])


@each_variant
def test_random_numbers_are_drawn_alike_in_both_runs(use_reentrant):
    masks = []

    def function(x):
        masks.append(torch.rand(5, dtype=torch.float64))
        return x.exp() * masks[-1]

    x = real(5)
    y = checkpoint(function, x, use_reentrant=use_reentrant)
    torch.rand(3)
    before = torch.get_rng_state()
    y.sum().backward()
    assert torch.equal(masks[0], masks[1])
    assert torch.equal(before, torch.get_rng_state())  # and the generator goes on as if nothing had happened
    checkpoint(function, x, use_reentrant=use_reentrant, preserve_rng_state=False).sum().backward()
    assert not torch.equal(masks[2], masks[3])


def test_no_saved_tensor_of_the_function_outlives_forward():
    alive = []

    def function(x):
        y = x.exp()
        alive.append(weakref.ref(y))
        return y.sin()

    y = checkpoint(function, real(3), use_reentrant=False)
    gc.collect()
    assert alive[0]() is None
    y.sum().backward()
    gc.collect()
    assert alive[1]() is None


def test_keyword_arguments_and_structures_without_reentry():
    weight = real(3)

    def function(tensors, *, scale):
        return (tensors["x"] * scale * weight).exp()

    x = real(3)
    found = gradients_of(lambda x, w: checkpoint(function, {"x": x}, scale=2, use_reentrant=False), x, weight)
    expected = gradients_of(lambda x, w: function({"x": x}, scale=2), x, weight)
    assert all(torch.allclose(a, b) for a, b in zip(found, expected, strict=True))
    with pytest.raises(ValueError, match="Unexpected keyword arguments: scale"):
        checkpoint(function, x, scale=2, use_reentrant=True)


def test_grad_inputs_and_higher_derivatives_without_reentry():
    x = real(3)
    (slope,) = torch.autograd.grad(checkpoint(layer, x, use_reentrant=False).sum(), x, create_graph=True)
    (expected,) = torch.autograd.grad(layer(x).sum(), x, create_graph=True)
    assert torch.allclose(slope, expected)
    second = torch.autograd.grad(slope.sum(), x)[0]
    assert torch.allclose(second, torch.autograd.grad(expected.sum(), x)[0])
    checkpoint(layer, x, use_reentrant=False).sum().backward(inputs=[x])
    assert torch.allclose(x.grad, expected.detach())


def test_reentry_refuses_grad_and_inputs():
    x = real(3)
    with pytest.raises(RuntimeError, match=r"incompatible with \.grad"):
        torch.autograd.grad(checkpoint(layer, x, use_reentrant=True).sum(), x)
    with pytest.raises(RuntimeError, match=r"incompatible with \.grad"):
        checkpoint(layer, x, use_reentrant=True).sum().backward(inputs=[x])


def test_reentry_warns_if_no_argument_requires_grad():
    with pytest.warns(UserWarning, match="None of the inputs have requires_grad=True"):
        y = checkpoint(lambda x: x * real(3), torch.ones(3, dtype=torch.float64), use_reentrant=True)
    assert not y.requires_grad


def test_reentry_needs_an_output_to_differentiate():
    x = real(3)
    y = checkpoint(lambda x: x.detach() * 2, x, use_reentrant=True)
    with pytest.raises(RuntimeError, match="none of output has requires_grad=True"):
        y.sum().backward()


def test_the_variant_has_to_be_chosen():
    with pytest.warns(UserWarning, match="use_reentrant parameter should be passed explicitly"):
        checkpoint(layer, real(2))
    with pytest.warns(UserWarning, match="use_reentrant parameter should be passed explicitly"):
        checkpoint_sequential([layer, layer], 2, real(2))


def test_a_retained_graph_runs_the_function_again_for_each_pass():
    counted = Counted(layer)
    x = real(3)
    y = checkpoint(counted, x, use_reentrant=False).sum()
    y.backward(retain_graph=True)
    first = x.grad.clone()
    y.backward()
    assert counted.count == 3
    assert torch.allclose(x.grad, 2 * first)


def test_the_second_run_stops_as_soon_as_everything_is_there():
    ended = []

    def function(x):
        y = x.exp().sin()
        z = y + 1
        ended.append(True)
        return z

    def run(**kwargs):
        ended.clear()
        checkpoint(function, real(3), use_reentrant=False, **kwargs).sum().backward()
        return len(ended)

    assert run() == 1
    assert run(early_stop=False) == 2
    with set_checkpoint_early_stop(False):
        assert run() == 2
        with set_checkpoint_early_stop(True):
            assert run(early_stop=False) == 1
    assert run() == 1


def different_the_second_time(first, second):
    counted = Counted(lambda x: first(x) if counted.count == 1 else second(x))
    return counted


def test_fewer_tensors_the_second_time_are_an_error():
    function = different_the_second_time(lambda x: x.exp().sin().cos(), lambda x: x.exp())
    with pytest.raises(CheckpointError, match="A different number of tensors was saved") as error:
        checkpoint(function, real(3), use_reentrant=False).sum().backward()
    assert "saved during forward: 3" in str(error.value)
    assert "saved during recomputation: 1" in str(error.value)


def test_more_tensors_the_second_time_are_an_error():
    function = different_the_second_time(lambda x: x.exp(), lambda x: x.exp().sin().cos())
    with pytest.raises(CheckpointError, match="trying to save more tensors during recomputation"):
        checkpoint(function, real(3), use_reentrant=False, early_stop=False).sum().backward()


@pytest.mark.parametrize("attribute", ["shape", "dtype"])
def test_other_metadata_the_second_time_is_an_error(attribute):
    def other(x):
        return x[:2].exp().sum() if attribute == "shape" else x.float().exp().sum()

    function = different_the_second_time(lambda x: x[:].exp().sum() if attribute == "shape" else
                                         x.double().exp().sum(), other)  # fmt: skip
    x = torch.randn(3, dtype=torch.float32 if attribute == "dtype" else torch.float64, requires_grad=True)
    with pytest.raises(CheckpointError, match="have different metadata than during the forward pass") as error:
        checkpoint(function, x, use_reentrant=False).backward()
    assert "tensor at position 0" in str(error.value)


def test_the_check_can_be_switched_off():
    function = different_the_second_time(lambda x: x.exp().sum(), lambda x: x.exp()[:1].exp().sum())
    x = real(1)
    with pytest.raises(ValueError, match="determinism_check should be one of"):
        checkpoint(function, x, use_reentrant=False, determinism_check="strict")
    function.count = 0
    checkpoint(function, x, use_reentrant=False, determinism_check="none").backward()


@pytest.mark.leafgrad_only
def test_debug_lists_what_each_run_saved_and_where():
    def run(**kwargs):
        function = different_the_second_time(lambda x: x.exp().sin(), lambda x: x.exp())
        checkpoint(function, real(3), use_reentrant=False, **kwargs).sum().backward()

    with pytest.raises(CheckpointError, match=r"Saved during the original forward:\n  0\. .*float64") as error:
        run(debug=True)
    assert "lambda x: x.exp().sin()" in str(error.value)
    with set_checkpoint_debug_enabled(True), pytest.raises(CheckpointError, match="Saved during recomputation"):
        run()
    with set_checkpoint_debug_enabled(False), pytest.raises(CheckpointError) as error:
        run(debug=True)
    assert "Saved during recomputation" not in str(error.value)


def test_debug_and_context_fn_exclude_each_other_and_reentry():
    def contexts():
        return torch.no_grad(), torch.no_grad()

    with pytest.raises(ValueError, match="incompatible with non-default context_fn"):
        checkpoint(layer, real(2), use_reentrant=False, debug=True, context_fn=contexts)
    for kwargs in ({"debug": True}, {"context_fn": contexts}):
        with pytest.raises(ValueError, match="only supported when use_reentrant=False"):
            checkpoint(layer, real(2), use_reentrant=True, **kwargs)


def test_context_fn_surrounds_each_run():
    entered = []

    class Context:
        def __init__(self, name):
            self.name = name

        def __enter__(self):
            entered.append(self.name)

        def __exit__(self, *args):
            entered.append("-" + self.name)

    y = checkpoint(layer, real(2), use_reentrant=False, context_fn=lambda: (Context("first"), Context("second")))
    assert entered == ["first", "-first"]
    y.sum().backward()
    assert entered == ["first", "-first", "second", "-second"]


def test_an_argument_changed_in_place_is_noticed():
    x = real(3) * 1
    y = checkpoint(layer, x, use_reentrant=False)
    x.add_(1)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        y.sum().backward()


def test_a_saved_tensor_can_be_read_outside_of_backward():
    x = real(3)
    y = checkpoint(torch.exp, x, use_reentrant=False)
    for _ in range(2):
        assert torch.equal(y.grad_fn._saved_result, x.exp().detach())
    y.sum().backward()


def test_a_backward_pass_inside_the_function():
    def function(x):
        y = x.exp()
        (slope,) = torch.autograd.grad(y.sum(), x, create_graph=True)
        return slope * y

    assert_same_gradients(function, lambda x: checkpoint(function, x, use_reentrant=False), real(3))


def test_an_error_in_the_function_passes_through():
    def fails(x):
        raise KeyError("function")

    for use_reentrant in (False, True):
        with pytest.raises(KeyError, match="function"):
            checkpoint(fails, real(2), use_reentrant=use_reentrant)
    with graph.saved_tensors_hooks(lambda x: x, lambda x: x):
        pass  # the stack of hooks is as it was


@each_variant
@pytest.mark.parametrize("segments", [1, 2, 3, 5])
def test_sequences_are_checkpointed_in_segments(use_reentrant, segments):
    functions = [torch.sin, torch.exp, torch.tanh, lambda x: x * 2, torch.cos]

    def plain(x):
        for function in functions:
            x = function(x)
        return x

    assert_same_gradients(
        plain, lambda x: checkpoint_sequential(functions, segments, x, use_reentrant=use_reentrant), real(3)
    )
    with pytest.raises(ValueError, match="Unexpected keyword arguments"):
        checkpoint_sequential(functions, segments, real(3), use_reentrant=use_reentrant, other=1)


def test_detached_variables_keep_their_flag():
    x = real(2)
    a, b, c = detach_variable((x * 2, 3, x.detach()))
    assert a.is_leaf
    assert a.requires_grad
    assert b == 3
    assert not c.requires_grad
    with pytest.raises(RuntimeError, match="Only tuple of tensors is supported"):
        detach_variable([x])


def test_a_checkpointed_graph_is_freed_without_the_cycle_collector():
    gc.collect()
    gc.disable()
    try:
        x = real(3)
        y = checkpoint(layer, x, use_reentrant=False)
        reference = weakref.ref(y)
        y.sum().backward()
        del y
        assert reference() is None
    finally:
        gc.enable()


def test_warnings_are_not_given_without_reason():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        checkpoint(layer, real(2), use_reentrant=False).sum().backward()
        checkpoint(layer, real(2), use_reentrant=True).sum().backward()
