"""The graph as tools read it: names, edges, metadata, saved tensors, gradient edges, and calling a node by hand."""

from __future__ import annotations

import copy
import weakref

import pytest
from support import assert_near

import leafgrad as torch
from leafgrad.autograd import Function, grad
from leafgrad.autograd.graph import GradientEdge, Node, get_gradient_edge


def leaf(*values, dtype=None):
    return torch.tensor(list(values), dtype=dtype, requires_grad=True)


class Square(Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x * x

    @staticmethod
    def backward(ctx, g):
        return 2 * ctx.saved_tensors[0] * g


def test_a_leaf_and_a_constant_have_no_grad_fn():
    assert leaf(1.0).grad_fn is None
    assert torch.ones(1).grad_fn is None
    assert (torch.ones(1) * 2).grad_fn is None


@pytest.mark.parametrize(
    "make, name",
    [
        (lambda w: w + 1, "AddBackward0"),
        (lambda w: w - w, "SubBackward0"),
        (lambda w: 1 - w, "RsubBackward1"),
        (lambda w: w * w, "MulBackward0"),
        (lambda w: w / w, "DivBackward0"),
        (lambda w: -w, "NegBackward0"),
        (lambda w: w**2, "PowBackward0"),
        (lambda w: w.exp(), "ExpBackward0"),
        (lambda w: w.sum(), "SumBackward0"),
        (lambda w: w.sum(0), "SumBackward1"),
        (lambda w: w.mean(), "MeanBackward0"),
        (lambda w: w[0], "SelectBackward0"),
        (lambda w: w[:1], "SliceBackward0"),
        (lambda w: w[None], "UnsqueezeBackward0"),
        (lambda w: w[torch.tensor([0])], "IndexBackward0"),
        (lambda w: w.view(2, 1), "ViewBackward0"),
        (lambda w: w.reshape(2, 1), "ViewBackward0"),
        (lambda w: w.view(1, 2).t(), "TBackward0"),
        (lambda w: w.view(1, 2).transpose(0, 1), "TransposeBackward0"),
        (lambda w: w.clone(), "CloneBackward0"),
        (lambda w: w.expand(3, 2), "ExpandBackward0"),
        (lambda w: w.double(), "ToCopyBackward0"),
        (lambda w: torch.cat([w, w]), "CatBackward0"),
        (lambda w: torch.stack([w, w]), "StackBackward0"),
        (lambda w: w.unbind()[0], "UnbindBackward0"),
        (lambda w: w.relu(), "ReluBackward0"),
        (lambda w: w.view(1, 2) @ w.view(2, 1), "MmBackward0"),
        (lambda w: w @ w, "DotBackward0"),
        (lambda w: w.softmax(0), "SoftmaxBackward0"),
        (lambda w: Square.apply(w), "SquareBackward"),
    ],
    ids=lambda x: x if isinstance(x, str) else "",
)
def test_a_grad_fn_is_named_after_its_operator(make, name):
    node = make(leaf(1.0, 2.0)).grad_fn
    assert node.name() == name
    assert type(node).__name__ == name


def test_the_repr_of_a_node_names_its_type():
    assert repr((leaf(1.0) * 2).grad_fn).startswith("<MulBackward0 object at 0x")


def test_a_grad_fn_is_the_same_object_whenever_it_is_asked_for():
    y = leaf(1.0) * 2
    assert y.grad_fn is y.grad_fn
    z = y + 1
    assert z.grad_fn.next_functions[0][0] is y.grad_fn


def test_nodes_compare_and_hash_by_identity():
    w = leaf(1.0)
    a, b = w * 2, w * 2
    assert a.grad_fn == a.grad_fn and a.grad_fn != b.grad_fn
    assert len({a.grad_fn, b.grad_fn, a.grad_fn}) == 2


@pytest.mark.leafgrad_only
def test_a_node_can_be_weakly_referenced_and_lives_as_long_as_its_graph():
    w = leaf(1.0)
    y = w * 2
    reference = weakref.ref(y.grad_fn)
    z = y + 1
    del y
    assert reference() is not None
    del z
    assert reference() is None


def test_grad_fns_are_instances_of_node():
    y = leaf(1.0) * 2
    assert isinstance(y.grad_fn, Node)
    assert isinstance(y.grad_fn.next_functions[0][0], Node)
    assert isinstance(Square.apply(y).grad_fn, Node)
    assert not isinstance(y, Node)


def test_next_functions_are_pairs_of_node_and_output_number_none_where_no_gradient_flows():
    w, x = leaf(1.0), torch.ones(1)
    (first, second) = (w * x).grad_fn.next_functions
    assert first[0].name() == "torch::autograd::AccumulateGrad" and first[1] == 0
    assert second == (None, 0)


def test_next_functions_name_the_output_of_a_multi_output_node():
    a, b, c = leaf(1.0, 2.0, 3.0).unbind()
    numbers = [(t * 2).grad_fn.next_functions[0] for t in (a, b, c)]
    assert [n for _, n in numbers] == [0, 1, 2]
    assert numbers[0][0] is numbers[1][0] is a.grad_fn


def test_output_nr_says_which_output_of_its_node_a_tensor_is():
    parts = leaf(1.0, 2.0, 3.0).unbind()
    assert [t.output_nr for t in parts] == [0, 1, 2]
    assert leaf(1.0).output_nr == 0
    values, _ = leaf(1.0, 2.0).max(0)
    assert values.output_nr == 0


def test_accumulate_grad_knows_its_variable():
    w = leaf(1.0)
    node = (w * 2).grad_fn.next_functions[0][0]
    assert type(node).__name__ == "AccumulateGrad"
    assert node.variable is w
    assert node.next_functions == ()


def test_the_leaf_has_one_accumulate_grad_while_a_graph_holds_it():
    w = leaf(1.0)
    a, b = w * 2, w + 1
    assert a.grad_fn.next_functions[0][0] is b.grad_fn.next_functions[0][0]


def test_metadata_is_a_dict_that_stays_with_the_node():
    y = leaf(1.0) * 2
    assert y.grad_fn.metadata == {}
    y.grad_fn.metadata["key"] = "value"
    assert y.grad_fn.metadata["key"] == "value"


def test_a_graph_can_be_walked_to_its_leaves():
    w, x = leaf(2.0), leaf(3.0)
    y = ((w * x).exp() + w).sum()
    found, todo, seen = set(), [y.grad_fn], set()
    while todo:
        node = todo.pop()
        if node is None or node in seen:
            continue
        seen.add(node)
        if hasattr(node, "variable"):
            found.add(node.variable)
        todo.extend(n for n, _ in node.next_functions)
    assert found == {w, x}
    assert {type(n).__name__ for n in seen} == {
        "SumBackward0",
        "AddBackward0",
        "ExpBackward0",
        "MulBackward0",
        "AccumulateGrad",
    }


# Saved tensors


def test_saved_attributes_give_the_saved_tensors_by_name():
    a, b = leaf(2.0), leaf(3.0)
    node = (a * b).grad_fn
    assert node._saved_self is a and node._saved_other is b
    y = a.exp()
    assert_near(y.grad_fn._saved_result, y.tolist())
    assert a.sin().grad_fn._saved_self is a
    assert (a**3).grad_fn._saved_self is a


def test_saved_attributes_are_listed():
    y = leaf(2.0) * leaf(3.0)
    assert {"_saved_self", "_saved_other", "_raw_saved_self", "_raw_saved_other"} <= set(dir(y.grad_fn))


def test_saved_attributes_raise_after_they_were_freed():
    y = leaf(2.0).exp()
    y.backward()
    with pytest.raises(RuntimeError, match="a second time"):
        y.grad_fn._saved_result


def test_raw_saved_tensors_take_hooks_of_their_own():
    w = leaf(2.0)
    y = w.exp()
    y.grad_fn._raw_saved_result.register_hooks(lambda t: t * 2, lambda t: t * 3)
    y.sum().backward()
    assert_near(w.grad, [6 * 7.389056])


def test_a_function_s_node_is_its_ctx():
    y = Square.apply(leaf(3.0))
    assert type(y.grad_fn).__name__ == "SquareBackward"
    assert_near(y.grad_fn.saved_tensors[0], [3.0])
    assert y.grad_fn.needs_input_grad == (True,)


# Gradient edges


def test_get_gradient_edge_of_a_non_leaf_and_of_a_leaf():
    w = leaf(1.0)
    y = w * 2
    edge = get_gradient_edge(y)
    assert isinstance(edge, GradientEdge)
    assert edge.node is y.grad_fn and edge.output_nr == 0
    assert get_gradient_edge(w).node.variable is w
    _, second = leaf(1.0, 2.0).unbind()
    assert get_gradient_edge(second).output_nr == 1


def test_get_gradient_edge_of_a_tensor_without_grad_raises():
    with pytest.raises(RuntimeError, match="does not require gradients|not part of the graph|does not require grad"):
        get_gradient_edge(torch.ones(1))


def test_an_edge_stands_for_a_tensor_that_is_gone_also_after_an_in_place_change():
    w = leaf(2.0)
    y = w * 3
    edge = get_gradient_edge(y)
    y.mul_(5)
    (g,) = grad(y.sum(), edge)
    assert_near(g, [5.0])


def test_backward_takes_edges_as_inputs_for_leaves():
    w, x = leaf(2.0), leaf(3.0)
    torch.autograd.backward(w * x, inputs=[get_gradient_edge(w)])
    assert_near(w.grad, [3.0])
    assert x.grad is None


# Calling nodes


def test_a_node_can_be_called_with_the_gradient_of_its_output():
    a, b = leaf(2.0), leaf(3.0)
    ga, gb = (a * b).grad_fn(torch.tensor([10.0]))
    assert_near(ga, [30.0])
    assert_near(gb, [20.0])
    assert a.grad is None


def test_a_node_with_one_input_returns_the_gradient_itself():
    result = leaf(2.0).sum().grad_fn(torch.tensor(4.0))
    assert isinstance(result, torch.Tensor)
    assert_near(result, [4.0])


def test_calling_a_node_with_the_wrong_number_of_gradients_raises():
    node = (leaf(2.0) * leaf(3.0)).grad_fn
    with pytest.raises((TypeError, RuntimeError)):
        node()
    with pytest.raises((TypeError, RuntimeError)):
        node(torch.ones(1), torch.ones(1))


def test_calling_accumulate_grad_accumulates():
    w = leaf(2.0)
    node = get_gradient_edge(w).node
    node(torch.tensor([3.0]))
    node(torch.tensor([4.0]))
    assert_near(w.grad, [7.0])


def test_grad_fn_cannot_be_assigned():
    y = leaf(1.0) * 2
    with pytest.raises(AttributeError):
        y.grad_fn = None
    with pytest.raises(AttributeError):
        y.is_leaf = True


def test_a_tensor_unpickled_or_deep_copied_from_a_non_leaf_is_refused():
    with pytest.raises(RuntimeError, match="Only Tensors created explicitly by the user"):
        copy.deepcopy(leaf(1.0) * 2)
