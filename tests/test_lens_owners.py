"""`leafgrad.what_keeps(t)`: the chains of owners, from a variable down to the tensor."""

from __future__ import annotations

import gc
import json
import re
import threading

import pytest

import leafgrad as torch
from leafgrad import nn

pytestmark = pytest.mark.leafgrad_only

KEPT = []


@pytest.fixture(autouse=True, scope="module")
def few_objects():
    """Take what earlier tests left behind out of the collector's sight: each step of a search looks at all it sees."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


def chains(t, most=20):
    """Each chain as one text, without places."""
    found = torch.what_keeps(t, most)
    return [re.sub(r" \(\S*test_lens_owners\.py:\d+\)", "", " -> ".join(chain)) for chain in found.chains]


def test_a_variable_of_a_running_function_is_named_with_its_line():
    t = torch.ones(3)
    (chain,) = torch.what_keeps(t).chains
    assert re.fullmatch(r"t in test_a_variable_of_a_running_function\S* \(.*test_lens_owners.py:\d+\)", chain[0])


def test_a_global_variable_is_named_with_its_module():
    t = torch.ones(3)
    KEPT.append(t)
    gc.unfreeze()  # the module was there before the first test
    try:
        assert f"{__name__}.KEPT[0]" in chains(t)
    finally:
        gc.freeze()
        KEPT.clear()


def test_lists_dicts_and_attributes_are_named_as_they_are_written():
    class Holder:
        pass

    t = torch.ones(3)
    holder = Holder()
    holder.kept = {"a": [0, (t,)]}
    assert "holder.kept['a'][1][0] in test_lists_dicts_and_attributes_are_named_as_they_are_written" in chains(t)


def test_a_parameter_is_found_in_its_model_and_its_optimizer():
    model = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    found = chains(model[1].weight)
    assert any(chain.startswith("model.1.weight in ") for chain in found)
    assert optimizer and any(chain.startswith("optimizer.param_groups[0]['params'][2] in ") for chain in found)


def test_an_optimizer_s_state_is_named_by_its_parameter_s_shape():
    w = torch.ones(2, 3, requires_grad=True)
    optimizer = torch.optim.Adam([w])
    w.sum().backward()
    optimizer.step()
    found = chains(optimizer.state[w]["exp_avg"])
    assert any(c.startswith("optimizer.state[float32 (2, 3)]['exp_avg'] in test_an_optimizer") for c in found)


def test_strangers_are_not_asked_for_attributes():
    class Stranger:
        def __getattribute__(self, name):
            raise AssertionError(f"was asked for {name}")

        def __repr__(self):
            raise AssertionError("was asked for its text")

        def __hash__(self):
            return 1

    t = torch.ones(3)
    key, holder = Stranger(), Stranger()
    object.__setattr__(holder, "kept", t)
    kept = {key: t}
    found = chains(t)
    assert any(c.startswith("holder.kept in") for c in found)
    assert any(c.startswith("kept[a Stranger] in") for c in found) and kept


def test_a_running_loss_keeps_what_its_graph_saved():
    w = torch.ones(3, requires_grad=True)
    running = 0
    for _ in range(3):
        y = w.tanh()
        running = running + y.sum()
    w = y.detach()
    del y
    (chain,) = [chain for chain in chains(w) if chain.startswith("running")]
    assert re.fullmatch(
        r"running in test_a_running\S* -> its graph, from add \(AddBackward0\) over 1 more -> "
        r"tanh \(TanhBackward0\), which saved its result",
        chain,
    )


def test_a_saved_input_is_named_and_a_traced_node_has_its_line():
    w, x = torch.ones(3, requires_grad=True), torch.ones(3)
    with torch.trace():
        y = w * x
    found = [chain for chain in torch.what_keeps(x).chains if chain[0].startswith("y ")]
    assert found[0][1] == "its graph"
    assert re.fullmatch(r"mul \(MulBackward0\) at .*:\d+, which saved it as 'other'", found[0][2])
    assert y.numel() == 3


def test_views_gradients_and_tensors_that_share_memory_are_owners():
    t = torch.ones(4)
    view, alias = t[1:], t.detach()
    found = chains(t)
    assert any(c.startswith("view in") and c.endswith("a view of it, float32 (3,)") for c in found)
    assert any(c.startswith("alias in") and c.endswith("a tensor that shares its memory, float32 (4,)") for c in found)
    w = torch.ones(4, requires_grad=True)
    w.sum().backward()
    assert any(c.startswith("w in") and c.endswith("-> its gradient") for c in chains(w.grad))
    assert view.numel() + alias.numel() == 7


def test_closures_generators_and_classes_are_owners():
    t = torch.ones(3)

    def make():
        inner = t
        return lambda: inner

    def generate():
        held = t
        yield held

    class Kept:
        attribute = t

    function, generator = make(), generate()
    next(generator)
    found = chains(t)
    assert any("closure variable inner of" in c and c.startswith("function in") for c in found)
    assert any(c.startswith("held in the generator") for c in found)
    assert any("class" in c and "Kept" in c and c.endswith(".attribute") for c in found)
    assert function() is t


def test_a_function_that_ended_is_an_owner_while_its_traceback_lives():
    def fails():
        local = torch.ones(3)
        KEPT.append(local.detach())
        raise ValueError("kept")

    try:
        fails()
    except ValueError as error:
        kept = error
    t = KEPT.pop()
    assert any(c.startswith("local in") and "kept by a traceback" in c for c in chains(t))
    assert str(kept) == "kept"


def test_variables_of_other_threads_are_seen():
    t = torch.ones(3)
    inside, done = threading.Event(), threading.Event()

    def wait(mine):
        inside.set()
        done.wait()

    thread = threading.Thread(target=wait, args=(t,))
    thread.start()
    inside.wait()
    try:
        assert any(c.startswith("mine in") for c in chains(t))
    finally:
        done.set()
        thread.join()


def test_what_a_function_s_ctx_keeps_is_told():
    class Keep(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.mask = x > 0
            KEPT.append(ctx.mask)
            return x * 1

        @staticmethod
        def backward(ctx, g):
            return g

    y = Keep.apply(torch.ones(3, requires_grad=True))
    mask = KEPT.pop()
    assert any(c.startswith("y in") and "Keep" in c and c.endswith(".mask") for c in chains(mask)), chains(mask)
    assert y.numel() == 3


def test_a_hook_keeps_what_it_closes_over():
    w = torch.ones(3, requires_grad=True)
    big = torch.ones(100)
    w.register_hook(lambda g: g * big[:3])
    found = [c for c in chains(big) if c.startswith("w in")]
    assert found and "closure variable big" in found[0]


def test_the_shortest_chains_come_first_and_their_number_is_limited():
    t = torch.ones(3)
    a, b, c, d, e = [t], [t], [[t]], [t], {"x": t}
    found = torch.what_keeps(t, most=4)
    assert len(found.chains) == 4 and found.more
    lengths = [len(re.findall(r"\[\d+\]| -> ", " -> ".join(chain))) for chain in found.chains]
    assert lengths == sorted(lengths)
    assert "and others" in str(found) and all((a, b, c, d, e))


def test_a_long_graph_is_one_owner_and_takes_no_recursion():
    w = torch.ones(3, requires_grad=True)
    first = w.tanh()
    y = first
    for _ in range(3000):
        y = y + 1
    kept = first.detach()
    del first
    (chain,) = [c for c in chains(kept) if c.startswith("y in")]
    assert "from add (AddBackward0) over 2999 more" in chain


def test_a_tensor_that_nothing_else_keeps():
    found = torch.what_keeps(torch.ones(3))
    assert found.chains == [] and "nothing that Python can see" in str(found)


def test_asking_keeps_nothing_alive_that_a_generator_drops():
    def generate():
        held = torch.ones(1 << 14)
        yield held
        del held
        yield None

    generator = generate()
    t = next(generator)
    assert any(c.startswith("held in the generator") for c in chains(t))
    before = torch._core._memory_stats()["live_bytes"]
    del t
    next(generator)
    assert torch._core._memory_stats()["live_bytes"] == before - (1 << 16)


def test_objects_that_do_not_like_to_be_asked_for_their_class_are_passed_over():
    class Proxy:
        @property
        def __class__(self):
            raise RuntimeError("there is nothing behind this yet")

    t = torch.ones(1)
    holder = Proxy()
    holder.kept = t
    assert torch.what_keeps(t).chains and holder.kept is t


def test_asking_keeps_nothing_alive():
    t = torch.ones(1 << 14)
    before = torch._core._memory_stats()["live_bytes"]
    found = torch.what_keeps(t)
    del t
    gc.collect()
    assert torch._core._memory_stats()["live_bytes"] <= before - (1 << 16)
    assert found.bytes == 1 << 16


def test_text_dict_html_and_the_method_of_memory():
    t = torch.ones(3)
    found = torch.memory().what_keeps(t)
    assert str(found).startswith("what keeps float32 (3,), 12 bytes:\n  1. t in ")
    assert json.loads(json.dumps(found.to_dict()))["chains"] == found.chains
    assert "<table" in found._repr_html_()
    with pytest.raises(TypeError, match="takes a tensor"):
        torch.what_keeps(3)
