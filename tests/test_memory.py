"""Memory as the contract means it, by equality on the allocator's exact counters: a saved tensor is dropped as soon as
its node has run, a non-leaf's gradient as soon as its last consumer has read it, and nothing is left but leaves'
gradients. `retain_grad()` on every non-leaf costs exactly one buffer each.

Buffers are large here, so that small allocations beside them (scalars) can be told apart and left out.
"""

from __future__ import annotations

import gc
import itertools

import pytest

import leafgrad as torch
from leafgrad.autograd import Function, grad

pytestmark = pytest.mark.leafgrad_only

SIZE = 1 << 16
BUFFER = SIZE * 4


def stats():
    return torch._core._memory_stats()


def live():
    return stats()["live_bytes"]


def buffers(number_of_bytes):
    """Whole buffers in so many bytes; less than a tenth of one is a scalar's business."""
    whole = round(number_of_bytes / BUFFER)
    assert abs(number_of_bytes - whole * BUFFER) < BUFFER // 10, f"{number_of_bytes} bytes are no number of buffers"
    return whole


class Measure:
    """Buffers that live now, and at most at any moment, beyond those at the start."""

    def __enter__(self):
        gc.collect()
        self.start = live()
        torch._core._reset_peak()
        return self

    @property
    def now(self):
        return buffers(live() - self.start)

    @property
    def peak(self):
        return buffers(stats()["peak_bytes"] - self.start)

    def __exit__(self, *_):
        pass


def chain(n):
    """A leaf and what n equal layers, each of which saves its result, make of it."""
    w = torch.ones(SIZE, requires_grad=True)
    y = w
    for _ in range(n):
        y = y.tanh()
    return w, y


def test_the_counters_count_exactly():
    with Measure() as memory:
        x = torch.zeros(SIZE)
        assert memory.now == 1
        y = x + 1
        assert memory.now == 2
        view = x[1:]
        assert memory.now == 2
        del x
        assert memory.now == 2  # the view holds it
        del view, y
        assert memory.now == 0
        assert memory.peak == 2


def test_live_blocks_counts_allocations():
    before = stats()["live_blocks"]
    x = torch.zeros(SIZE)
    assert stats()["live_blocks"] == before + 1
    del x
    assert stats()["live_blocks"] == before


def test_the_cache_gives_freed_memory_again():
    x = torch.zeros(SIZE)
    address = x.data_ptr()
    del x
    assert stats()["cached_bytes"] >= BUFFER
    assert torch.zeros(SIZE).data_ptr() == address


@pytest.mark.parametrize("n", [4, 16, 64])
def test_forward_saves_one_buffer_a_layer(n):
    with Measure() as memory:
        w, y = chain(n)
        assert memory.now == 1 + n
        assert memory.peak == 1 + n


def excess_of_backward(n):
    """Buffers at backward's peak beyond those that lived when it began."""
    with Measure() as memory:
        w, y = chain(n)
        loss = y.sum()
        del y
        before = memory.now
        torch._core._reset_peak()
        loss.backward()
        return memory.peak - before


def test_backward_s_peak_exceeds_the_saved_tensors_by_a_constant_whatever_the_depth():
    excess = {n: excess_of_backward(n) for n in (4, 16, 64)}
    assert len(set(excess.values())) == 1, excess
    assert excess[4] <= 2


@pytest.mark.parametrize("n", [4, 16, 64])
def test_retain_grad_on_every_non_leaf_costs_exactly_one_buffer_each(n):
    def backward_through_kept_layers(retain):
        with Measure() as memory:
            w = torch.ones(SIZE, requires_grad=True)
            kept, y = [], w
            for _ in range(n):
                y = y.tanh()
                kept.append(y)
                if retain:
                    y.retain_grad()
            loss = y.sum()
            before = memory.now
            torch._core._reset_peak()
            loss.backward()
            return memory.now - before, memory.peak - before

    held, peak = backward_through_kept_layers(retain=False)
    assert held == 1  # the leaf's gradient
    assert peak == 2  # whatever n: the gradient that arrives and the one that leaves
    held, peak_retained = backward_through_kept_layers(retain=True)
    assert held == n + 1
    assert peak_retained == peak + n


@pytest.mark.parametrize("n", [4, 16])
def test_after_backward_only_leaf_gradients_remain(n):
    with Measure() as memory:
        w, y = chain(n)
        loss = y.sum()
        del y
        loss.backward()
        assert memory.now == 2  # w and its gradient, though `loss` and its graph still live


def test_a_saved_tensor_is_dropped_as_soon_as_its_node_has_run():
    levels = []
    with Measure() as memory:
        w = torch.ones(SIZE, requires_grad=True)
        y = w
        for _ in range(5):
            y = y.tanh()
            y.register_hook(lambda g: levels.append(memory.now))
        loss = y.sum()
        del y
        loss.backward()
    falls = [a - b for a, b in itertools.pairwise(levels[1:])]
    assert falls == [1] * 3, levels


def test_a_function_s_saved_tensors_are_dropped_as_soon_as_it_has_run():
    levels = []

    class Keep(Function):
        @staticmethod
        def forward(ctx, x):
            y = x.tanh()
            ctx.save_for_backward(y)
            return y

        @staticmethod
        def backward(ctx, g):
            (y,) = ctx.saved_tensors
            return g * (1 - y * y)

    with Measure() as memory:
        w = torch.ones(SIZE, requires_grad=True)
        y = w
        for _ in range(5):
            y = Keep.apply(y)
            y.register_hook(lambda g: levels.append(memory.now))
        loss = y.sum()
        del y
        loss.backward()
        assert memory.now == 2
    assert [a - b for a, b in itertools.pairwise(levels[1:])] == [1] * 3, levels


def test_dropping_the_result_frees_the_graph_at_once_without_backward():
    gc.disable()
    try:
        with Measure() as memory:
            w, y = chain(10)
            assert memory.now == 11
            del y
            assert memory.now == 1
    finally:
        gc.enable()


def test_retain_graph_keeps_the_saved_tensors_and_nothing_else():
    with Measure() as memory:
        w, y = chain(6)
        loss = y.sum()
        del y
        loss.backward(retain_graph=True)
        assert memory.now == 1 + 6 + 1  # w, the saved results, w.grad
        loss.backward()
        assert memory.now == 2


def test_an_operator_that_saves_nothing_keeps_nothing():
    with Measure() as memory:
        w = torch.ones(SIZE, requires_grad=True)
        y = w
        for _ in range(10):
            y = y + 1
        assert memory.now == 2
        assert memory.peak == 3


def test_the_first_gradient_is_not_copied_and_later_ones_are_added_in_place():
    w = torch.ones(SIZE, requires_grad=True)
    with Measure() as memory:
        (w * 2).sum().backward()
        assert memory.now == 1
        (w * 2).sum().backward()
        assert memory.now == 1


def test_grad_leaves_only_what_it_returns():
    with Measure() as memory:
        w, y = chain(5)
        (g,) = grad(y.sum(), w)
        del y
        assert memory.now == 2
        del g
        assert memory.now == 1


def test_grad_computes_no_gradient_that_nobody_asked_for():
    a, b = (torch.ones(SIZE, requires_grad=True) for _ in range(2))
    y, cotangent = a * b, torch.ones(SIZE)
    with Measure() as memory:
        first = grad(y, [a], cotangent, retain_graph=True)
        assert memory.peak == 1
        both = grad(y, [a, b], cotangent)
        assert memory.peak == 3
    assert torch.equal(first[0], both[0])


def test_backward_with_inputs_computes_only_theirs():
    a, b = (torch.ones(SIZE, requires_grad=True) for _ in range(2))
    y, cotangent = a * b, torch.ones(SIZE)
    with Measure() as memory:
        y.backward(cotangent, inputs=[b])
        assert memory.peak == 1
    assert a.grad is None
    assert b.grad is not None


@pytest.mark.parametrize("shape", [(256, 1), (256,), (1, 256), ()])
def test_a_broadcast_factor_s_gradient_needs_no_product_in_memory(shape):
    x, factor = torch.ones(256, SIZE // 256), torch.full(shape, 2.0, requires_grad=True)
    y, cotangent = x * factor, torch.full(x.shape, 3.0)
    with Measure() as memory:
        (gradient,) = grad(y, [factor], cotangent)
        assert memory.peak == 0
    assert torch.equal(gradient, torch.full(shape, 3.0 * SIZE / factor.numel()))


def test_nothing_leaks_over_repeated_steps():
    w = torch.ones(SIZE, requires_grad=True)

    def step():
        w.grad = None
        y = (w * 2).tanh().exp()
        y.retain_grad()
        y.register_hook(lambda g: g * 1)
        y.sum().backward()

    step()
    gc.disable()
    try:
        with Measure() as memory:
            for _ in range(20):
                step()
            assert memory.now == 0
    finally:
        gc.enable()


def test_the_number_of_live_blocks_is_constant_over_training_steps():
    from leafgrad import nn

    model = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 4))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    loss_of = nn.CrossEntropyLoss()
    x, target = torch.randn(32, 8), torch.randint(0, 4, (32,))

    def step():
        optimizer.zero_grad()
        loss_of(model(x), target).backward()
        optimizer.step()

    step()
    step()
    gc.collect()
    before = stats()["live_blocks"], live()
    for _ in range(10):
        step()
    gc.collect()
    assert (stats()["live_blocks"], live()) == before


def test_create_graph_cycles_are_collected():
    with Measure() as memory:
        for _ in range(5):
            w = torch.ones(SIZE, requires_grad=True)
            (w * w).sum().backward(create_graph=True)
        del w
        gc.collect()
        assert memory.now == 0


def test_a_cycle_through_a_hook_is_collected():
    def make_cycle():
        y = torch.ones(SIZE, requires_grad=True).tanh()
        y.register_hook(lambda g: y.sum())

    with Measure() as memory:
        make_cycle()
        gc.collect()
        assert memory.now == 0


def test_a_cycle_through_a_function_s_ctx_is_collected():
    class Keep(Function):
        @staticmethod
        def forward(ctx, x):
            y = x.tanh()
            ctx.output = y  # not by save_for_backward: a cycle
            return y

        @staticmethod
        def backward(ctx, g):
            return g

    with Measure() as memory:
        w = torch.ones(SIZE, requires_grad=True)
        y = Keep.apply(w)
        del w, y
        gc.collect()
        assert memory.now == 0


def test_a_failed_backward_leaves_nothing_once_its_graph_is_gone():
    with Measure() as memory:
        w, y = chain(5)

        def fail(g):
            raise ValueError

        y.grad_fn.next_functions[0][0].register_prehook(fail)
        with pytest.raises(ValueError):
            y.sum().backward()
        del y, fail
        gc.collect()
        assert memory.now == 1


def test_no_grad_keeps_only_the_result():
    w = torch.ones(SIZE, requires_grad=True)
    with Measure() as memory, torch.no_grad():
        y = w
        for _ in range(10):
            y = y.tanh()
        assert memory.now == 1
        assert memory.peak == 2


def test_checkpoint_keeps_only_the_inputs_of_its_segments():
    from leafgrad.utils.checkpoint import checkpoint

    def segment(x):
        for _ in range(8):
            x = x.tanh()
        return x

    with Measure() as memory:
        w = torch.ones(SIZE, requires_grad=True)
        y = w
        for _ in range(4):
            y = checkpoint(segment, y, use_reentrant=False)
        assert memory.now <= 1 + 4
        y.sum().backward()
        assert memory.peak <= 1 + 4 + 8 + 4
