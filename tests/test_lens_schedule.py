"""The steps of backward as `leafgrad.graph` predicts them, against what the engine does."""

import random

import pytest
from lens_programs import article, mlp, transformer
from ops import OPS

import leafgrad as torch
from leafgrad import _core

pytestmark = pytest.mark.leafgrad_only


def nodes_behind(*roots):
    found, stack = {}, [root.grad_fn for root in roots]
    while stack:
        node = stack.pop()
        if node is not None and id(node) not in found:
            found[id(node)] = node
            stack += [source for source, _ in node.next_functions]
    return found.values()


def watch_engine(graph, names, *roots):
    """A list that backward fills: for each node that runs, its number in `graph` and the bytes of what it reads."""
    leaves = {node.name: node.index for node in graph.leaves}
    operations = {node.sequence: node.index for node in graph.operations}
    seen = []

    def hook_of(index):
        return lambda grads: seen.append((index, [g.nbytes for g in grads if g is not None]))

    for node in nodes_behind(*roots):
        leaf = getattr(node, "variable", None)
        index = operations[node._sequence_nr()] if leaf is None else leaves[names[id(leaf)]]
        node.register_prehook(hook_of(index))
    return seen


def predicted(steps):
    return [(step.node, [buffer.bytes for buffer in step.reads]) for step in steps[1:]]


def named(model):
    return {id(parameter): name for name, parameter in model.named_parameters()}


def test_the_articles_program_runs_as_written_down_here():
    t = article()
    graph = torch.graph(t["y"], params=t)
    number = {node.name: node.index for node in graph.nodes}
    steps = graph.backward_steps()
    runs = [None if step.node is None else graph.nodes[step.node].name for step in steps]
    assert runs == [None, "y", "b", "a", "w", "x"]
    assert [step.fills for step in steps] == [None, None, None, None, number["w"], number["x"]]

    def names(buffers):
        return [graph.nodes[buffer.node].name for buffer in buffers]

    assert [names(step.reads) for step in steps] == [[], ["y"], ["b"], ["a"], ["w"], ["x"]]
    assert [names(step.creates) for step in steps] == [["y"], ["a", "b"], ["w"], ["x"], [], []]
    assert [names(step.adds) for step in steps] == [[], [], [], ["w"], [], []]
    assert [names(step.frees) for step in steps] == [[], ["y"], ["b"], ["a"], [], []]
    assert [sum(size for _, size in step.releases) for step in steps] == [0, 8, 0, 0, 0, 0]
    # Every tensor has one float32: 4 bytes.
    assert [step.buffer_bytes for step in steps] == [4, 8, 8, 8, 4, 0]
    assert [step.leaf_bytes for step in steps] == [0, 0, 0, 0, 4, 8]
    assert [step.peak_bytes for step in steps] == [4, 12, 12, 12, 8, 8]
    assert [step.saved_bytes for step in steps] == [8, 0, 0, 0, 0, 0]
    assert [step.kept_bytes for step in steps] == [4, 12, 16, 20, 20, 20]


@pytest.mark.parametrize("program", [mlp, transformer])
def test_the_engine_runs_the_nodes_in_this_order_and_reads_these_bytes(program):
    model, loss = program()
    graph = torch.graph(loss, params=model)
    seen = watch_engine(graph, named(model), loss)
    steps = graph.backward_steps()
    loss.backward()
    assert seen == predicted(steps)
    assert steps[-1].leaf_bytes == sum(p.grad.nbytes for p in model.parameters() if p.grad is not None)
    assert steps[-1].buffer_bytes == steps[-1].saved_bytes == 0


@pytest.mark.parametrize("op", [op for op in OPS if op.grad and "float64" in op.dtypes], ids=lambda op: op.name)
def test_the_engine_reads_these_bytes_for_every_operator(op):
    for sample in op.samples[:4]:
        inputs = sample.inputs("float64", torch, requires_grad=True)
        leaves = {f"x{i}": x for i, x in enumerate(inputs) if torch.is_tensor(x) and x.requires_grad}
        result = op.function(torch)(*inputs, **sample.kwargs)
        parts = result if isinstance(result, (tuple, list)) else [result]
        roots = [part for part in parts if torch.is_tensor(part) and part.grad_fn is not None]
        if not roots:
            continue  # it returned its argument as it is
        graph = torch.graph(roots, params=leaves)
        seen = watch_engine(graph, {id(leaf): name for name, leaf in leaves.items()}, *roots)
        steps = graph.backward_steps()
        torch.autograd.backward(roots, [torch.ones_like(root) for root in roots])
        assert seen == predicted(steps)


def test_the_order_is_the_engines_where_leaves_compete():
    """Leaves all have one sequence number: which comes first is up to the heap."""
    chooser = random.Random(0)
    for _ in range(20):
        leaves = {f"leaf{i}": torch.randn(2, requires_grad=True) for i in range(12)}
        values = list(leaves.values())
        for _ in range(25):
            values.append(torch.stack(chooser.sample(values, chooser.randint(1, 5))).sum(0))
        roots = values[-3:]
        graph = torch.graph(roots, params=leaves)
        names = {id(leaf): name for name, leaf in leaves.items()}
        seen = watch_engine(graph, names, *roots)
        torch.autograd.backward(roots, [torch.ones(2) for _ in roots])
        assert seen == predicted(graph.backward_steps())


def test_where_rules_make_one_buffer_each_the_model_is_the_allocators_count():
    x = torch.randn(1000, requires_grad=True)
    y = x.exp().neg().exp().neg().exp().sum()
    graph = torch.graph(y, params={"x": x, "y": y})
    real = []
    for node in nodes_behind(y):
        node.register_prehook(lambda grads: real.append(_core._memory_stats()["live_bytes"]))
    steps = graph.backward_steps()
    y.backward()
    # Before each node runs. sum's own rule gives a view, so the count begins at what follows the first real buffer.
    model = [step.gradient_bytes + step.saved_bytes for step in steps[:-1]]
    assert len({a - b for a, b in zip(real[2:], model[2:], strict=True)}) == 1
    assert max(model) > min(model[2:])


def test_a_retained_gradient_stays_and_is_counted():
    t = article()
    t["a"].retain_grad()
    graph = torch.graph(t["y"], params=t)
    steps = graph.backward_steps()
    assert [graph.nodes[buffer.node].name for step in steps for buffer in step.retains] == ["a"]
    assert steps[-1].retained_bytes == 4 and steps[-1].gradient_bytes == 12
    assert steps[-1].kept_bytes == 20


def test_a_leaf_with_a_gradient_adds_and_frees():
    t = article()
    t["w"].grad = torch.zeros(1)
    steps = torch.graph(t["y"], params=t).backward_steps()
    assert steps[0].leaf_bytes == 4 and steps[-1].leaf_bytes == 8
    assert [buffer.bytes for buffer in steps[4].frees] == [4]


def test_saved_memory_goes_with_the_last_node_that_keeps_it():
    x = torch.randn(10, requires_grad=True)
    shared = x.exp()  # saved by exp itself, by the product twice, and by sin
    graph = torch.graph([(shared * shared).sum(), shared.sin().sum()], params={"x": x})
    assert graph.saved_bytes == 40
    steps = graph.backward_steps()
    released = [step.node for step in steps if step.releases]
    assert [graph.nodes[node].operation for node in released] == ["exp"]
    assert {step.saved_bytes for step in graph.backward_steps(retain_graph=True)} == {40}


def test_a_tensor_without_gradient_has_nothing_to_run():
    steps = torch.graph(torch.ones(2)).backward_steps()
    assert len(steps) == 1 and steps[0].node is None and steps[0].gradient_bytes == 0


def test_a_leaf_alone_is_filled_at_once():
    x = torch.ones(2, requires_grad=True)
    steps = torch.graph(x).backward_steps()
    assert [step.fills for step in steps] == [None, 0] and steps[-1].leaf_bytes == 8
