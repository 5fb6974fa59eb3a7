"""Threads, depth and interruption: modes that belong to a thread, several threads in one graph, graphs far deeper than
any stack, backward inside backward, processes that fork, and signals.
"""

from __future__ import annotations

import gc
import threading
import weakref

import pytest
from support import Ticket, assert_near

import leafgrad as torch
from leafgrad.autograd import Function, grad


def in_threads(count, work):
    """Runs `work(i)` in `count` threads that start together; gives the results, or raises the first error."""
    barrier = threading.Barrier(count)
    results, errors = [None] * count, []

    def run(i):
        barrier.wait()
        try:
            results[i] = work(i)
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=run, args=(i,)) for i in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]
    return results


# What belongs to a thread


def test_grad_mode_is_thread_local():
    with torch.no_grad():
        assert in_threads(4, lambda i: torch.is_grad_enabled()) == [True] * 4
    assert torch.is_grad_enabled()

    def switch_off(i):
        torch.set_grad_enabled(False)
        return torch.is_grad_enabled()

    assert in_threads(2, switch_off) == [False] * 2
    assert torch.is_grad_enabled()


def test_inference_mode_is_thread_local():
    with torch.inference_mode():
        assert in_threads(2, lambda i: torch.is_inference_mode_enabled()) == [False] * 2


def test_saved_tensor_hooks_are_thread_local():
    packed = []
    w = torch.ones(1, requires_grad=True)
    with torch.autograd.graph.saved_tensors_hooks(lambda t: packed.append(1) or t, lambda t: t):
        in_threads(2, lambda i: w.exp())
        assert not packed
        w.exp()
    assert packed == [1]


def test_backward_in_a_thread_runs_its_hooks_in_that_thread():
    w = torch.ones(1, requires_grad=True)
    y = w * 2
    ran = []
    y.register_hook(lambda g: ran.append(threading.get_ident()))
    thread = threading.Thread(target=y.backward)
    thread.start()
    thread.join()
    assert ran == [thread.ident]


# Several threads


def test_eight_threads_run_backward_into_one_leaf_and_the_sums_are_right():
    w = torch.ones(1000, requires_grad=True)

    def work(i):
        for _ in range(20):
            ((w * (i + 1)).sum()).backward()

    in_threads(8, work)
    assert_near(w.grad, [20.0 * 36] * 1000)


def test_threads_accumulate_gradients_so_large_that_the_work_itself_is_shared_out():
    w = torch.ones(400_000, requires_grad=True)
    in_threads(4, lambda i: [(w * (i + 1)).sum().backward() for _ in range(5)])
    assert w.grad.min().item() == w.grad.max().item() == 50.0


def test_eight_threads_run_backward_with_retain_graph_through_one_graph():
    w = torch.full((100,), 2.0, requires_grad=True)
    y = ((w * w).exp() * 1e-3).sum()
    (once,) = grad(y, w, retain_graph=True)
    in_threads(8, lambda i: [y.backward(retain_graph=True) for _ in range(10)])
    assert_near(w.grad, [80 * once[0].item()] * 100, rtol=1e-4)


def test_threads_build_and_run_graphs_of_their_own():
    def work(i):
        w = torch.full((50,), float(i), requires_grad=True)
        for _ in range(50):
            w.grad = None
            (w * w * w).sum().backward()
        return w.grad[0].item()

    assert in_threads(8, work) == [3.0 * i * i for i in range(8)]


def test_threads_call_functions_and_hooks_of_python():
    class Square(Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return x * x

        @staticmethod
        def backward(ctx, g):
            return 2 * ctx.saved_tensors[0] * g

    w = torch.full((10,), 3.0, requires_grad=True)
    counted = []
    w.register_hook(lambda g: counted.append(1))
    in_threads(4, lambda i: [Square.apply(w).sum().backward() for _ in range(25)])
    assert len(counted) == 100
    assert_near(w.grad, [600.0] * 10)


def test_an_error_in_one_thread_s_backward_leaves_the_others_alone():
    w = torch.ones(10, requires_grad=True)

    def fail(g):
        raise ValueError("mine")

    def work(i):
        y = w * 2
        if i == 0:
            y.register_hook(fail)
            with pytest.raises(ValueError, match="mine"):
                y.sum().backward()
        else:
            y.sum().backward()

    in_threads(4, work)
    assert_near(w.grad, [6.0] * 10)


def test_threads_share_large_operations():
    x = torch.arange(300_000.0)
    expected = (x.double() * 2).sum().item()
    assert in_threads(4, lambda i: (x.double() + x.double()).sum().item()) == [expected] * 4


def test_random_numbers_drawn_in_threads_are_all_drawn():
    numbers = in_threads(4, lambda i: torch.rand(100).tolist())
    assert len({x for row in numbers for x in row}) > 390


# Depth


def test_a_chain_of_a_million_nodes_runs_backward_and_is_destroyed():
    w = torch.ones(1, requires_grad=True)
    y = w
    for _ in range(1_000_000):
        y = y + 1
    y.backward()
    assert_near(w.grad, [1.0])
    del y

    y = w
    for _ in range(200_000):
        y = y * 1.0
    del y  # never run


def test_a_deep_graph_is_destroyed_by_the_collector_too():
    w = torch.ones(1, requires_grad=True)
    y = w
    for _ in range(100_000):
        y = y + 1
    y.me = y
    y.ticket = Ticket()
    reference = weakref.ref(y.ticket)
    del y
    gc.collect()
    assert reference() is None


def test_a_deep_chain_of_views_and_in_place_writes():
    w = torch.ones(3, requires_grad=True)
    y = w * 1
    for _ in range(10_000):
        y[0].add_(1)
    y.sum().backward()
    assert_near(w.grad, [1.0] * 3)
    view = torch.zeros(2)
    for _ in range(10_000):
        view = view.view(2)
    view.add_(1)
    del view


def test_a_wide_graph_and_a_node_with_many_inputs():
    leaves = [torch.ones(1, requires_grad=True) for _ in range(2000)]
    torch.cat(leaves).sum().backward()
    assert all(leaf.grad.item() == 1.0 for leaf in leaves)
    w = torch.ones(1, requires_grad=True)
    torch.stack([w * i for i in range(2000)]).sum().backward()
    assert_near(w.grad, [1999 * 1000.0])


class Pass(Function):
    @staticmethod
    def forward(ctx, x):
        return x.view_as(x)

    @staticmethod
    def backward(ctx, g):
        return g


def python_chain(n):
    w = torch.ones(1, requires_grad=True)
    y = w
    for _ in range(n):
        y = Pass.apply(y)
    return w, y


def test_a_chain_of_a_hundred_thousand_python_functions_runs_and_is_destroyed():
    w, y = python_chain(100_000)
    y.backward()
    assert_near(w.grad, [1.0])
    del y


def test_a_chain_of_python_functions_that_never_ran_is_destroyed():
    w, y = python_chain(100_000)
    del y, w


def test_a_chain_of_python_functions_is_destroyed_by_the_collector():
    w, y = python_chain(20_000)
    y.grad_fn.me = y
    del y, w
    gc.collect()


def test_a_diamond_of_doubling_paths_runs_each_node_once():
    ran = []
    w = torch.ones(1, dtype=torch.float64, requires_grad=True)
    y = w
    for _ in range(60):  # 2**60 paths
        y = y + y
        y.register_hook(lambda g: ran.append(1))
    y.backward()
    assert w.grad.item() == 2.0**60 and len(ran) == 60


def test_deep_backward_inside_backward():
    depths = []

    class Nest(Function):
        @staticmethod
        def forward(ctx, x, depth):
            ctx.depth = depth
            return x * 1

        @staticmethod
        def backward(ctx, g):
            depths.append(ctx.depth)
            if ctx.depth:
                with torch.enable_grad():
                    v = torch.ones(1, requires_grad=True)
                    Nest.apply(v, ctx.depth - 1).backward()
                g = g * v.grad
            return g, None

    w = torch.ones(1, requires_grad=True)
    Nest.apply(w, 200).backward()
    assert depths == list(range(200, -1, -1))
    assert_near(w.grad, [1.0])


@pytest.mark.leafgrad_only
def test_backward_inside_backward_without_end_raises_recursion_error_and_recovers():
    class Endless(Function):
        @staticmethod
        def forward(ctx, x):
            return x * 1

        @staticmethod
        def backward(ctx, g):
            with torch.enable_grad():
                Endless.apply(torch.ones(1, requires_grad=True)).backward()
            return g

    with pytest.raises(RecursionError):
        Endless.apply(torch.ones(1, requires_grad=True)).backward()
    w = torch.ones(1, requires_grad=True)
    (w * 2).backward()
    assert_near(w.grad, [2.0])


# The collector


def test_the_collector_may_run_at_any_moment_of_backward():
    threshold = gc.get_threshold()
    gc.set_threshold(1)
    try:
        w = torch.ones(2, requires_grad=True)
        y = w
        for _ in range(30):
            y = Pass.apply(y * 1.5)
            y.register_hook(lambda g: g * 1)
        y.sum().backward()
        assert_near(w.grad, [1.5**30] * 2, rtol=1e-4)
    finally:
        gc.set_threshold(*threshold)


@pytest.mark.leafgrad_only
def test_a_cycle_of_tensor_hook_and_graph_is_collected_in_any_order():
    references = []
    for _ in range(10):
        w = torch.ones(1, requires_grad=True)
        y = w * 2
        z = y.exp()
        z.register_hook(lambda g, y=y, z=z: y * z)
        w.friend = z
        z.ticket = Ticket()
        references.append(weakref.ref(z.ticket))
    del w, y, z
    gc.collect()
    assert all(reference() is None for reference in references)
