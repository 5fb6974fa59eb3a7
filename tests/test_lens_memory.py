"""`leafgrad.memory()`: every live byte under one kind, by operator and by line."""

from __future__ import annotations

import gc
import itertools
import json

import numpy
import pytest

import leafgrad as torch
from leafgrad import nn
from leafgrad.autograd import Function
from leafgrad.utils.checkpoint import checkpoint

pytestmark = pytest.mark.leafgrad_only

SIZE = 1 << 14
BUFFER = SIZE * 4


def memory():
    """The memory now, after the test that holds everywhere: the kinds are the allocator's live bytes."""
    found = torch.memory()
    live = torch._core._memory_stats()["live_bytes"]
    assert found.live_bytes == live
    for parts in (found.by_kind, found.by_operator):
        assert sum(share.bytes for share in parts.values()) == live
        assert sum(share.buffers for share in parts.values()) == len(found.buffers)
    return found


@pytest.fixture
def change():
    """Buffers of BUFFER bytes by kind beyond those at the test's start; less than a tenth of one is a scalar's."""
    gc.collect()
    before = memory()

    def gained():
        gains = (memory() - before).by_kind
        return {kind: n for kind, gain in gains.items() if (n := round(gain.bytes / BUFFER, 1))}

    return gained


def leaf(size=SIZE):
    return torch.ones(size, requires_grad=True)


# ---- exactness, and what counts as what


def test_leaves_their_gradients_saved_tensors_and_the_rest_are_told_apart(change):
    w = leaf()
    data = torch.ones(SIZE)
    assert change() == {"leaves": 1, "other": 1}
    y = (w * data).exp()
    assert change() == {"leaves": 1, "saved for backward": 2}  # data and the result; nothing else of the product
    y.sum().backward()
    assert change() == {"leaves": 1, "leaf gradients": 1, "other": 2}


def test_a_leaf_that_is_saved_too_is_a_leaf(change):
    w = leaf()
    y = (w * w).sum()
    assert change() == {"leaves": 1}
    y.backward()
    assert change() == {"leaves": 1, "leaf gradients": 1}


def test_a_leaf_and_its_views_are_counted_once(change):
    w = leaf()
    views = [w[1:], w.view(-1, 2), w.detach(), w.data]
    assert change() == {"leaves": 1}
    del w
    views = views[2:]
    assert change() == {"other": 1}  # the detached aliases see all of it


def test_memory_of_which_only_a_view_is_left_is_a_view_s(change):
    x = torch.ones(SIZE)
    v = x[:1]
    assert change() == {"other": 1}
    del x
    assert change() == {"views": 1}
    part = v.detach()
    del v
    assert change() == {"views": 1}  # no view, but it sees a part only
    assert part.numel() == 1


def test_retained_gradients_are_told_apart_from_leaf_gradients(change):
    w = leaf()
    y = w * 2
    y.retain_grad()
    y.sum().backward()
    assert change() == {"leaves": 1, "leaf gradients": 1, "retained gradients": 1, "other": 1}
    del y
    assert change() == {"leaves": 1, "leaf gradients": 1}


def test_a_saved_output_is_saved_after_its_tensor_is_gone(change):
    w = leaf()
    y = w.tanh()
    total = y.sum()
    del y
    assert change() == {"leaves": 1, "saved for backward": 1}
    assert memory().by_saver["tanh"] == (BUFFER, 1)
    total.backward(retain_graph=True)
    assert change() == {"leaves": 1, "leaf gradients": 1, "saved for backward": 1}
    total.backward()
    assert change() == {"leaves": 1, "leaf gradients": 1}


def test_a_storage_that_several_nodes_save_is_counted_once(change):
    w, x = leaf(), torch.ones(SIZE)
    kept = [w * x for _ in range(3)]
    assert change() == {"leaves": 1, "saved for backward": 1, "other": 3}
    assert len(kept) == 3


def test_parameters_and_parameters_of_subclasses_are_leaves(change):
    class Mine(nn.Parameter):
        pass

    p = nn.Parameter(torch.ones(SIZE))
    q = Mine(torch.ones(SIZE))
    assert type(q) is Mine
    assert change() == {"leaves": 2}
    (p * q).sum().backward()
    assert change() == {"leaves": 2, "leaf gradients": 2}


def test_memory_of_numpy_is_counted_apart(change):
    before = memory().borrowed
    array = numpy.ones(SIZE, numpy.float32)
    t = torch.from_numpy(array).requires_grad_()
    assert change() == {}
    borrowed = memory().borrowed
    assert (borrowed.bytes - before.bytes, borrowed.buffers - before.buffers) == (BUFFER, 1)
    assert "borrowed" in str(memory())
    (t * 2).sum().backward()
    assert change() == {"leaf gradients": 1}


def test_tensors_on_meta_have_no_memory(change):
    before = memory().borrowed
    t = torch.ones(SIZE, device="meta")
    assert change() == {} and memory().borrowed == before and t.is_meta


def test_inside_hooks_of_a_backward_every_byte_is_accounted_for(change):
    seen = []
    w = leaf()
    y = w.tanh()
    first, second = y.exp(), y.sin()
    for t in (w, y, first, second):
        t.register_hook(lambda g: seen.append(change()))
    w.register_post_accumulate_grad_hook(lambda t: seen.append(change()))
    (first + second).sum().backward()
    of_second, of_first, of_y, of_w, accumulated = seen
    assert of_first["gradients under way"] == 1  # y's, from its reader that has run
    assert of_second.get("leaf gradients") is of_y.get("leaf gradients") is None
    assert "saved for backward" not in of_w and "gradients under way" not in accumulated
    assert accumulated["leaf gradients"] == 1


def test_a_graph_of_gradients_counts_as_leaf_gradients_and_saved_tensors(change):
    w = leaf()
    (w**3).sum().backward(create_graph=True)
    kinds = change()
    assert kinds["leaves"] == kinds["leaf gradients"] == 1
    w.grad.sum().backward()
    w.grad = None
    del kinds
    gc.collect()
    assert change() == {"leaves": 1}


def test_checkpoint_keeps_its_inputs_only(change):
    w = leaf()
    y = checkpoint(lambda x: x.tanh().exp().sin(), w * 1, use_reentrant=False, preserve_rng_state=False)
    kinds = change()
    assert kinds["leaves"] == 1 and sum(kinds.values()) <= 3
    y.sum().backward()
    del y
    assert change() == {"leaves": 1, "leaf gradients": 1}


def test_optimizer_state_is_data(change):
    w = leaf()
    optimizer = torch.optim.Adam([w])
    w.sum().backward()
    optimizer.step()
    assert change() == {"leaves": 1, "leaf gradients": 1, "other": 2}


def test_what_saved_tensor_hooks_made_is_saved(change):
    w = leaf()
    with torch.autograd.graph.saved_tensors_hooks(lambda t: (t.clone(), 1), lambda packed: packed[0]):
        y = w.tanh().sum()
    assert change() == {"leaves": 1, "saved for backward": 1}
    y.backward()
    assert change() == {"leaves": 1, "leaf gradients": 1}


def test_what_a_function_keeps_on_its_ctx_is_saved(change):
    class Keep(Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x.clone())
            ctx.mask = x > 0
            return x.sum()

        @staticmethod
        def backward(ctx, g):
            return g * ctx.saved_tensors[0] * ctx.mask

    w = leaf()
    y = Keep.apply(w)
    assert change() == {"leaves": 1, "saved for backward": 1.2}  # the mask has a byte an element
    y.backward()
    del y
    assert change() == {"leaves": 1, "leaf gradients": 1}


def test_growing_shrinking_and_sharing_storages_add_up(change):
    a = torch.ones(SIZE)
    a.untyped_storage().resize_(3 * BUFFER)
    assert change() == {"views": 3}  # what is left sees a third of it
    b = a.as_strided((3 * SIZE,), (1,)).detach()
    assert change() == {"other": 3}
    a = leaf()
    b.data = a.data
    assert change() == {"leaves": 1}


def test_looking_keeps_nothing_alive_and_changes_nothing(change):
    w = leaf()
    y = w.tanh()
    found = memory()
    del w, y
    assert change() == {}
    assert found.by_kind["leaves"].buffers >= 1


def test_looking_renews_no_view_s_history_and_warns_of_no_gradient():
    w = leaf()
    base = w * 1
    view = base[:2]
    base.mul_(3)
    nodes = len(torch._core._live_nodes())
    memory()
    assert len(torch._core._live_nodes()) == nodes
    assert view.grad_fn is not None


def test_a_subclass_s_own_ways_are_not_asked(change):
    class Refuses(torch.Tensor):
        @classmethod
        def __torch_function__(cls, function, types, args=(), kwargs=None):
            raise AssertionError(f"{function} was called")

    t = torch.ones(SIZE).as_subclass(Refuses)
    assert change() == {"other": 1}
    assert len(torch.what_keeps(t).chains) == 1


# ---- by operator, by line, differences


def test_operators_are_named_by_what_they_made(change):
    before = memory()
    w = leaf()
    y = w.tanh().exp()
    y.sum().backward()
    gains = (memory() - before).by_operator
    assert gains["leaf"] == gains["gradient"] == gains["exp"] == (BUFFER, 1)
    assert "tanh" not in gains  # freed with its node


def test_lines_are_named_for_what_was_made_while_tracing():
    with torch.trace():
        w = leaf()
        y = w.tanh()  # here
    lines = memory().by_line
    here = [name for name in lines if name.endswith("y = w.tanh()  # here")]
    assert len(here) == 1 and lines[here[0]] == (BUFFER, 1)
    assert "test_lens_memory.py:" in here[0]
    assert y.numel() == SIZE


def test_a_difference_has_gains_and_losses():
    keep = torch.ones(SIZE)
    before = memory()
    w = leaf()
    y = w.exp()
    after = memory()
    gain = torch.memory_diff(before, after)
    assert gain.live_bytes == 2 * BUFFER == (after - before).live_bytes == after.diff(before).live_bytes
    assert gain.by_kind == {"leaves": (BUFFER, 1), "saved for backward": (BUFFER, 1)}
    assert gain.by_saver == {"exp": (BUFFER, 1)}
    del keep, w, y
    loss = memory() - before
    assert loss.by_kind == {"other": (-BUFFER, -1)}
    assert "-64.0 KiB" in str(loss)
    with pytest.raises(TypeError, match="two results of leafgrad.memory"):
        torch.memory_diff(before, 3)


# ---- text


def test_the_table_is_aligned_and_says_what_is_in_the_dict():
    w = leaf()
    y = (w * 3).tanh()
    found = memory()
    text = str(found)
    assert repr(found) == text
    assert f"{y.nbytes // 1024}.0 KiB" in text
    blocks = text.split("\n\n")
    for block in blocks:
        rows = block.splitlines()[1:]
        assert len({row.rindex(" ") for row in rows if row.split()[-1].isdigit()}) <= 3
        assert all(len(row) <= 120 for row in rows)
    as_dict = json.loads(json.dumps(found.to_dict()))
    assert as_dict["by_kind"]["leaves"]["bytes"] == found.by_kind["leaves"].bytes
    assert "<table" in found._repr_html_() and "saved for backward" in found._repr_html_()


def test_the_page_needs_nothing_else_and_has_the_tables_and_the_curve(tmp_path):
    with torch.trace() as trace:
        leaf().tanh().sum().backward()
    memory().to_html(tmp_path / "memory.html")
    page = (tmp_path / "memory.html").read_text()
    assert "src=" not in page and "href=" not in page and "http" not in page
    assert "saved for backward" in page and "<svg" in page and "prefers-color-scheme" in page
    assert trace.summary().split(";")[1].strip() in page


# ---- L10: a running loss is seen in the memory


def test_memory_tells_of_a_running_loss():  # L10
    w = leaf()

    def losses(add):
        running = 0
        saved = []
        for _ in range(4):
            running = add(running, w.tanh().sum())
            saved.append(memory().by_kind["saved for backward"].bytes)
        return [b - a for a, b in itertools.pairwise(saved)]

    assert losses(lambda running, loss: running + loss) == [BUFFER] * 3
    assert losses(lambda running, loss: running + loss.item()) == [0] * 3
