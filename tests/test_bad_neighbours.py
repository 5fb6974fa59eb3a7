"""Bad inputs to what lies around the arithmetic: autograd's hooks and Functions, memory owned by others, subclasses
that do as they please, and the system itself saying no. As in `test_bad_inputs.py`: a clear exception, never a crash.
"""

from __future__ import annotations

import gc
import os
import pickle
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import pytest
from support import assert_near, refuses

import leafgrad as torch
import leafgrad.nn.functional as F
from leafgrad.autograd import Function

# Autograd


def test_a_hook_that_raises_passes_its_exception_through_and_leaves_the_graph_usable():
    w = torch.ones(2, requires_grad=True)
    y = (w * w).sum()
    state = {"fail": True}

    def hook(g):
        if state["fail"]:
            raise KeyError("mine")

    y.register_hook(hook)
    with pytest.raises(KeyError, match="mine"):
        y.backward(retain_graph=True)
    state["fail"] = False
    y.backward()
    assert_near(w.grad, [2.0, 2.0])


def test_a_hook_that_returns_nonsense_is_refused():
    for bad in ("text", 5, torch.ones(7), [torch.ones(1)], torch.ones(1, dtype=torch.float64)):
        w = torch.ones(1, requires_grad=True)
        w.register_hook(lambda g, bad=bad: bad)
        with pytest.raises((TypeError, RuntimeError)):
            (w * 2).backward()
        assert w.grad is None


def test_a_hook_that_deletes_the_graph_while_it_runs_is_harmless():
    w = torch.ones(1, requires_grad=True)
    box = [w]
    for _ in range(50):
        box.append(box[-1] * 2)

    def clear(g):
        box.clear()
        gc.collect()

    last = box[-1]
    last.register_hook(clear)
    box[25].register_hook(clear)
    del last
    box[-1].backward()
    assert_near(w.grad, [2.0**50])


def test_a_hook_that_runs_backward_in_backward_without_end_is_stopped():
    w = torch.ones(1, requires_grad=True)
    depth = []

    def again(g):
        depth.append(1)
        if len(depth) < 100:
            with torch.enable_grad():
                y = w * 1
                y.register_hook(again)
                y.backward()

    y = w * 1
    y.register_hook(again)
    y.backward()
    assert_near(w.grad, [100.0])


def make_function(forward, backward):
    return type("Made", (Function,), {"forward": staticmethod(forward), "backward": staticmethod(backward)}).apply


def test_a_function_s_backward_with_a_wrong_count_shape_or_type_is_refused():
    for returned in ((), (None, torch.ones(1)), (torch.ones(1),) * 3, torch.ones(7), "text", 5, [torch.ones(1), 3]):
        w = torch.ones(2, requires_grad=True)
        y = make_function(lambda ctx, x: x * 2, lambda ctx, g, returned=returned: returned)(w)
        with pytest.raises((RuntimeError, TypeError)):
            y.sum().backward()
        assert w.grad is None


def test_a_function_whose_forward_returns_no_tensor_is_harmless():
    w = torch.ones(1, requires_grad=True)
    double = make_function(lambda ctx, x: (x * 2, "text", None, 5), lambda ctx, g, *_: g * 2)
    y, text, none, five = double(w)
    assert (text, none, five) == ("text", None, 5)
    y.backward()
    assert_near(w.grad, [2.0])


def test_a_function_that_saves_something_that_is_no_tensor_is_refused():
    def forward(ctx, x):
        ctx.save_for_backward(x, "text")
        return x * 2

    with pytest.raises(TypeError, match="save_for_backward can only save variables"):
        make_function(forward, lambda ctx, g: g)(torch.ones(1, requires_grad=True))


def test_a_function_that_marks_dirty_what_is_no_input_is_refused_or_ignored():
    def forward(ctx, x):
        y = x * 2
        ctx.mark_dirty(torch.ones(3))
        return y

    w = torch.ones(1, requires_grad=True)
    try:
        make_function(forward, lambda ctx, g: g)(w).backward()
    except RuntimeError:
        assert w.grad is None


def test_a_function_without_forward_or_backward_says_so():
    class Nothing(Function):
        pass

    with pytest.raises(NotImplementedError):
        Nothing.apply(torch.ones(1))

    class OnlyForward(Function):
        @staticmethod
        def forward(ctx, x):
            return x * 2

    with pytest.raises(NotImplementedError):
        OnlyForward.apply(torch.ones(1, requires_grad=True)).backward()


def test_a_function_instance_is_refused():
    class Double(Function):
        @staticmethod
        def forward(ctx, x):
            return x * 2

    with pytest.warns(DeprecationWarning, match="should not be instantiated"):
        instance = Double()
    with pytest.raises(RuntimeError):
        instance(torch.ones(1))


def test_saved_tensors_read_too_late_or_too_often_are_refused():
    kept = []

    def forward(ctx, x):
        ctx.save_for_backward(x)
        kept.append(ctx)
        return x * 2

    y = make_function(forward, lambda ctx, g: g)(torch.ones(1, requires_grad=True))
    y.backward()
    with pytest.raises(RuntimeError, match="a second time"):
        kept[0].saved_tensors


def test_an_unpack_hook_that_returns_no_tensor_is_refused():
    w = torch.ones(1, requires_grad=True)
    with torch.autograd.graph.saved_tensors_hooks(lambda t: t, lambda t: "text"):
        y = w.exp()
    with pytest.raises((TypeError, RuntimeError)):
        y.backward()
    assert w.grad is None


def test_a_pack_or_unpack_hook_that_raises_passes_its_exception_through():
    def fail(_):
        raise KeyError("mine")

    w = torch.ones(1, requires_grad=True)
    hooks = torch.autograd.graph.saved_tensors_hooks
    with hooks(fail, lambda t: t), pytest.raises(KeyError, match="mine"):
        w.exp()
    with hooks(lambda t: t, fail):
        y = w.exp()
    with pytest.raises(KeyError, match="mine"):
        y.backward()
    y = w.exp()
    y.backward()


def test_backward_and_grad_with_nonsense_arguments_are_refused():
    w = torch.ones(1, requires_grad=True)
    y = w * 2
    refuses(
        (TypeError, RuntimeError, ValueError, AttributeError),
        lambda: y.backward("text"),
        lambda: y.backward(inputs=["text"]),
        lambda: y.backward(inputs=5),
        lambda: torch.autograd.backward(5),
        lambda: torch.autograd.grad(y, "text"),
        lambda: torch.autograd.grad(y, w, grad_outputs=[torch.ones(7)]),
    )
    y.backward()
    assert_near(w.grad, [2.0])


def test_dead_nodes_are_never_reached_through_kept_edges():
    w = torch.ones(1, requires_grad=True)
    node = (w * 2 + 1).grad_fn
    edges = node.next_functions
    del node
    gc.collect()
    assert edges[0][0].name() == "MulBackward0"
    assert_near(edges[0][0](torch.ones(1))[0], [2.0])


# Memory from elsewhere


@pytest.mark.leafgrad_only
def test_in_place_on_a_read_only_array_is_refused():
    array = np.zeros(3)
    array.flags.writeable = False
    with pytest.raises(ValueError, match="read-only|writ"):
        t = torch.from_numpy(array)
        t.add_(1)
    assert array.tolist() == [0.0, 0.0, 0.0]


@pytest.mark.leafgrad_only
def test_a_bytearray_cannot_grow_while_a_tensor_looks_at_it():
    memory = bytearray(16)
    t = torch.frombuffer(memory, dtype=torch.float32)
    with pytest.raises(BufferError):
        memory.extend(b"x" * 1000)
    t.fill_(1.0)
    del t
    gc.collect()
    memory.extend(b"x")


def test_frombuffer_outside_of_the_buffer_is_refused():
    refuses(
        ValueError,
        lambda: torch.frombuffer(bytearray(3), dtype=torch.float32),
        lambda: torch.frombuffer(bytearray(8), dtype=torch.float32, count=3),
        lambda: torch.frombuffer(bytearray(8), dtype=torch.float32, offset=9),
        lambda: torch.frombuffer(bytearray(8), dtype=torch.float32, offset=-1),
        lambda: torch.frombuffer(bytearray(8), dtype=torch.float32, count=0),
        lambda: torch.frombuffer(bytearray(8), dtype=torch.float32, count=2, offset=4),
        lambda: torch.frombuffer(bytearray(0), dtype=torch.float32),
    )
    refuses((TypeError, ValueError), lambda: torch.frombuffer(5, dtype=torch.float32))


@pytest.mark.leafgrad_only
def test_frombuffer_with_a_count_or_offset_that_overflows_is_refused():
    refuses(
        ValueError,
        lambda: torch.frombuffer(bytearray(8), dtype=torch.float32, count=2**62),
        lambda: torch.frombuffer(bytearray(8), dtype=torch.float32, offset=2**62),
    )


def test_arrays_that_torch_cannot_hold_are_refused():
    refuses(
        (ValueError, TypeError),
        lambda: torch.from_numpy(np.array([object()])),
        lambda: torch.from_numpy(np.array(["text"])),
        lambda: torch.from_numpy(np.arange(3).astype(">i8")),
        lambda: torch.from_numpy(np.arange(3)[::-1]),
        lambda: torch.from_numpy([1, 2]),
        lambda: torch.from_numpy(np.array(["2020-01-01"], dtype="datetime64[D]")),
        lambda: torch.from_numpy(np.zeros(2, dtype=[("a", "f4")])),
        lambda: torch.from_numpy(np.float64(3)),
    )


@pytest.mark.leafgrad_only
def test_unaligned_arrays_are_read_right():
    raw = np.frombuffer(b"\0" + np.arange(3.0).tobytes(), dtype=np.uint8)
    array = raw[1:].view(np.float64)
    assert torch.tensor(array).tolist() == [0.0, 1.0, 2.0]
    assert torch.as_tensor(array).tolist() == [0.0, 1.0, 2.0]


def test_from_dlpack_of_something_else_is_refused():
    refuses((TypeError, AttributeError, RuntimeError), lambda: torch.from_dlpack(5), lambda: torch.from_dlpack("text"))


@pytest.mark.leafgrad_only
def test_a_dlpack_capsule_used_twice_is_refused():
    capsule = torch.ones(3).__dlpack__()
    assert torch.from_dlpack(capsule).tolist() == [1.0] * 3
    with pytest.raises(RuntimeError):
        torch.from_dlpack(capsule)


def test_an_unused_dlpack_capsule_frees_its_tensor():
    for _ in range(3):
        torch.ones(3).__dlpack__()
    gc.collect()


# Weird subclassing


class Plain(torch.Tensor):
    def __init__(self, *args):
        pass  # never calls the base class


def test_a_subclass_that_never_calls_init_is_a_tensor_or_refused():
    try:
        t = Plain([1.0, 2.0])
    except TypeError:
        return
    assert isinstance(t, torch.Tensor)
    repr(t.shape)
    (t + 1).sum()


@pytest.mark.leafgrad_only
def test_a_bare_object_of_the_tensor_type_is_never_half_built():
    try:
        t = object.__new__(torch.Tensor)
    except TypeError:
        return
    for use in (
        lambda: t.shape,
        lambda: t + 1,
        lambda: torch.exp(t),
        lambda: t.sum(),
        lambda: t.grad,
        lambda: repr(t),
        lambda: t.requires_grad_(),
        lambda: t.backward(),
        lambda: torch.add(torch.ones(1), t),
        lambda: torch.ones(2)[t],
        lambda: torch.autograd.grad(torch.ones(1, requires_grad=True) * 2, t),
        lambda: t.numpy(),
        lambda: pickle.dumps(t),
    ):
        with pytest.raises((TypeError, RuntimeError)):
            use()


def test_internal_classes_cannot_be_made_by_hand():
    node = (torch.ones(1, requires_grad=True) * 2).grad_fn
    for kind in (type(node), type(node.next_functions[0][0])):
        with pytest.raises((TypeError, RuntimeError)):
            kind()


def test_a_subclass_whose_torch_function_returns_nonsense_gives_that_nonsense():
    class Odd(torch.Tensor):
        @classmethod
        def __torch_function__(cls, func, types, args=(), kwargs=None):
            return "nonsense"

    assert torch.exp(torch.ones(1).as_subclass(Odd)) == "nonsense"


def test_a_subclass_whose_torch_function_raises_passes_it_through():
    class Odd(torch.Tensor):
        @classmethod
        def __torch_function__(cls, func, types, args=(), kwargs=None):
            raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        torch.ones(1) + torch.ones(1).as_subclass(Odd)


# The system says no


def in_a_process(code, timeout=60):
    """Runs `code` in a process of its own, where a crash, a hang or a signal shows without taking the tests down."""
    alias = "import torch as leafgrad, sys; sys.modules['leafgrad'] = leafgrad\n"
    against_torch = torch.__name__ == "torch"
    return subprocess.run(
        [sys.executable, "-c", (alias if against_torch else "import leafgrad\n") + code],
        capture_output=True,
        text=True,
        timeout=timeout,
    )


@pytest.mark.leafgrad_only
@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_a_forked_child_may_compute_after_threaded_work_in_the_parent():
    done = in_a_process(
        "import os\n"
        "x = leafgrad.ones(2_000_000)\n"
        "assert (x + x).sum().item() == 4_000_000\n"
        "child = os.fork()\n"
        "if child == 0:\n"
        "    w = leafgrad.ones(2_000_000, requires_grad=True)\n"
        "    (w * 3).sum().backward()\n"
        "    a = leafgrad.ones(300, 300)\n"
        "    ok = w.grad.sum().item() == 6_000_000 and (a @ a).sum().item() == 300.0**3\n"
        "    os._exit(0 if ok else 1)\n"
        "_, status = os.waitpid(child, 0)\n"
        "assert status == 0, status\n"
        "assert (x + x).sum().item() == 4_000_000\n"
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.skipif(not hasattr(signal, "pthread_kill"), reason="signals are sent to a thread")
def test_ctrl_c_during_a_long_forward_raises_keyboard_interrupt():
    main = threading.main_thread().ident
    timer = threading.Timer(0.2, lambda: signal.pthread_kill(main, signal.SIGINT))
    x = torch.ones(100, 100)
    with pytest.raises(KeyboardInterrupt):
        timer.start()
        end = time.monotonic() + 20
        while time.monotonic() < end:
            x = (x @ x).clamp(0, 1)
    assert (torch.ones(2) + 1).tolist() == [2.0, 2.0]


@pytest.mark.leafgrad_only
@pytest.mark.skipif(not hasattr(signal, "pthread_kill"), reason="signals are sent to a thread")
def test_ctrl_c_during_a_long_backward_raises_keyboard_interrupt_and_the_next_one_works():
    w = torch.ones(300, 300, requires_grad=True)
    y = w
    for _ in range(2000):
        y = (y @ w) * 1e-3
    loss = y.sum()
    main = threading.main_thread().ident
    timer = threading.Timer(0.1, lambda: signal.pthread_kill(main, signal.SIGINT))
    with pytest.raises(KeyboardInterrupt):
        timer.start()
        loss.backward()
        time.sleep(5)  # where backward was quicker than the signal
    v = torch.ones(2, requires_grad=True)
    (v * v).sum().backward()
    assert_near(v.grad, [2.0, 2.0])
    assert torch.is_grad_enabled()


@pytest.mark.leafgrad_only
def test_the_nth_allocation_fails_for_every_n_inside_a_training_step():
    core = torch._core
    weight = torch.ones(4, 3, requires_grad=True)
    bias = torch.zeros(4, requires_grad=True)
    x, target = torch.arange(6.0).view(2, 3), torch.tensor([0, 3])

    def step():
        weight.grad = bias.grad = None
        hidden = (x @ weight.t() + bias).relu()
        loss = F.cross_entropy(hidden, target)
        loss.backward()
        return loss.item()

    expected = step()
    gradient = weight.grad.tolist()
    weight.grad = bias.grad = None
    gc.collect()
    live = core._memory_stats()["live_bytes"]
    for n in range(1, 1000):
        core._fail_allocation(n)
        try:
            step()
        except MemoryError:
            pass
        else:
            break
        finally:
            core._fail_allocation(0)
        weight.grad = bias.grad = None
        gc.collect()
        assert core._memory_stats()["live_bytes"] == live, f"allocation {n} failed and left memory behind"
    else:
        pytest.fail("the step allocates without end")
    assert n > 5, "the step should allocate several times"
    assert step() == expected and weight.grad.tolist() == gradient
