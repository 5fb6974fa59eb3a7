"""Edges, saved-tensor hooks, hooks on several gradients, anomaly mode, and handles of hooks."""

import gc
import pickle
import warnings
import weakref
from collections import OrderedDict

import pytest

import leafgrad as torch
from leafgrad.autograd import backward, detect_anomaly, grad, graph, set_detect_anomaly
from leafgrad.utils.hooks import RemovableHandle


def leaf(*values):
    return torch.tensor(values, dtype=torch.float64, requires_grad=True)


# grad and backward


def test_grad_touches_no_grad_attribute():
    x = leaf(1.0, 2.0)
    (g,) = grad((x**2).sum(), x)
    assert g.tolist() == [2.0, 4.0]
    assert x.grad is None


def test_backward_sums_over_several_roots():
    x = leaf(1.0, 2.0)
    backward([x**2, (3 * x).sum()], [torch.ones_like(x), None])
    assert x.grad.tolist() == [5.0, 7.0]


def test_grad_of_a_dict_of_inputs_is_a_dict():
    x, y = leaf(1.0), leaf(2.0)
    result = grad((x * y).sum(), {"x": x, "y": y})
    assert {k: v.tolist() for k, v in result.items()} == {"x": [2.0], "y": [1.0]}


def test_create_graph_gives_derivatives_of_any_order():
    x = leaf(2.0)
    y = x**5
    for expected in (80.0, 160.0, 240.0, 240.0, 120.0):
        (y,) = grad(y, x, create_graph=True)
        assert y.item() == pytest.approx(expected)


def test_scalar_outputs_only_have_an_implicit_gradient():
    x = leaf(1.0, 2.0)
    with pytest.raises(RuntimeError, match="grad can be implicitly created only for scalar outputs"):
        backward(x * 2)
    with pytest.raises(RuntimeError, match="only for real scalar outputs"):
        backward(torch.ones((), dtype=torch.complex64, requires_grad=True) * 2)


@pytest.mark.leafgrad_only
def test_the_error_for_a_vector_names_its_shape_and_a_remedy():
    with pytest.raises(RuntimeError, match=r"shape \(2,\).*\.sum\(\)\.backward\(\)"):
        backward(leaf(1.0, 2.0) * 2)


def test_shapes_and_dtypes_of_cotangents_are_checked():
    y = leaf(1.0, 2.0) * 2
    with pytest.raises(RuntimeError, match=r"Mismatch in shape: grad_output\[0\].*\[3\].*output\[0\].*\[2\]"):
        backward(y, torch.ones(3))
    with pytest.raises(RuntimeError, match="For complex Tensors"):
        backward(y, torch.ones(2, dtype=torch.complex128))
    with pytest.raises(TypeError, match="gradients can be either Tensors or None, but got int"):
        backward([y], [1])
    with pytest.raises(RuntimeError, match="2 tensors and 1 gradients"):
        grad([y, y], [y], [torch.ones(2, dtype=torch.float64)])


@pytest.mark.leafgrad_only
def test_more_cotangents_than_roots_are_refused():
    y = leaf(1.0, 2.0) * 2
    with pytest.raises(RuntimeError, match="1 tensors and 2 gradients"):
        grad([y], [y], [torch.ones(2, dtype=torch.float64)] * 2)


def test_backward_into_named_inputs_only():
    x, y = leaf(1.0), leaf(2.0)
    z = x * y
    backward(z * 3, inputs=[x])
    assert x.grad.tolist() == [6.0]
    assert y.grad is None
    backward(x * y, inputs={"y": y})
    assert y.grad.tolist() == [1.0]
    with pytest.raises(RuntimeError, match=r"`inputs` argument to `backward\(\)` cannot be empty"):
        backward(x * y, inputs=[])
    with pytest.raises(RuntimeError, match=r"`inputs` argument to `grad\(\)` cannot be empty"):
        grad(x * y, [])


def test_the_old_name_of_grad_tensors_warns():
    x = leaf(1.0)
    with pytest.warns(FutureWarning, match="grad_variables"):
        backward(x * 2, grad_variables=torch.ones(1, dtype=torch.float64))
    with pytest.warns(FutureWarning), pytest.raises(RuntimeError, match="grad_variables"):
        backward(x * 2, torch.ones(1, dtype=torch.float64), grad_variables=torch.ones(1, dtype=torch.float64))
    with pytest.warns(FutureWarning, match="only_inputs"):
        grad(x * 2, x, only_inputs=False)


def test_unused_inputs():
    x, y = leaf(1.0), leaf(2.0, 3.0)
    with pytest.raises(RuntimeError, match="appears to not have been used in the graph"):
        grad(x * 2, [x, y])
    assert grad(x * 2, [x, y], allow_unused=True)[1] is None
    assert grad(x * 2, [x, y], materialize_grads=True)[1].tolist() == [0.0, 0.0]
    with pytest.raises(ValueError, match="allow_unused"):
        grad(x * 2, [x, y], allow_unused=False, materialize_grads=True)
    zero = grad(x * 2, [x, y], materialize_grads=True, create_graph=True)[1]
    assert zero.requires_grad


def test_batched_gradients_have_one_row_for_each_cotangent():
    x = leaf(1.0, 2.0, 3.0)
    (rows,) = grad(x**2, x, torch.eye(3, dtype=torch.float64), is_grads_batched=True)
    assert torch.equal(rows, torch.diag(2 * x.detach()))
    y = leaf(1.0)
    unused = grad(x**2, [x, y], torch.eye(3, dtype=torch.float64), is_grads_batched=True, allow_unused=True)[1]
    assert unused is None
    with pytest.raises(RuntimeError, match="is_grads_batched=True"):
        grad(x**2, x, torch.ones(2, 2, dtype=torch.float64), is_grads_batched=True)


# Edges


def test_edges_stand_for_tensors():
    x = leaf(1.0, 2.0)
    y = x**2
    z = (y * 3).sum()
    into_x, into_y, into_z = map(graph.get_gradient_edge, (x, y, z))
    assert (into_y.node, into_y.output_nr) == (y.grad_fn, 0)
    assert into_x.node is y.grad_fn.next_functions[0][0]
    expected = grad(z, [x, y], retain_graph=True)
    for found in (grad(z, [into_x, into_y], retain_graph=True), grad(into_z, [x, into_y], retain_graph=True)):
        assert all(torch.equal(a, b) for a, b in zip(found, expected, strict=True))
    backward(into_z)
    assert torch.equal(x.grad, expected[0])


def test_edges_of_an_operation_with_several_outputs():
    x = leaf(1.0, 2.0)
    first, second = (x * 2).unbind()
    assert graph.get_gradient_edge(second).output_nr == 1
    (g,) = grad(first + 5 * second, [graph.get_gradient_edge(second)])
    assert g.item() == 5.0


def test_an_edge_outlives_its_tensor():
    x = leaf(1.0, 2.0)
    y = x.exp()
    z = (y * 2).sum()
    edge = graph.get_gradient_edge(y)
    del y
    assert grad(z, edge)[0].tolist() == [2.0, 2.0]


def test_an_edge_that_starts_a_pass_is_checked_like_a_tensor():
    x = leaf(1.0, 2.0)
    edge = graph.get_gradient_edge(x * 2)
    with pytest.raises(RuntimeError, match="only for scalar outputs"):
        backward(edge)
    with pytest.raises(RuntimeError, match="Mismatch in shape"):
        backward(edge, torch.ones(3, dtype=torch.float64))
    backward(edge, torch.ones(2, dtype=torch.float64))
    assert x.grad.tolist() == [2.0, 2.0]


def test_tensors_without_grad_have_no_edge():
    with pytest.raises(RuntimeError, match="does not require gradients"):
        graph.get_gradient_edge(torch.ones(1))


# Hooks on saved tensors


def test_saved_tensors_pass_through_the_hooks():
    packed = []

    def pack(x):
        packed.append(x.tolist())
        return x.tolist()

    a, b = leaf(2.0), leaf(3.0)
    with graph.saved_tensors_hooks(pack, lambda values: torch.tensor(values, dtype=torch.float64)):
        y = a * b
    assert sorted(packed) == [[2.0], [3.0]]
    y.backward()
    assert (a.grad.tolist(), b.grad.tolist()) == ([3.0], [2.0])


def test_the_innermost_hooks_win_and_end_with_their_block():
    seen = []

    def hooks(name):
        return graph.saved_tensors_hooks(lambda x: seen.append(name) or x, lambda x: x)

    x = leaf(2.0)
    with hooks("outer"):
        x.exp()
        with hooks("inner"):
            x.exp()
        x.exp()
    x.exp()
    assert seen == ["outer", "inner", "outer"]


def test_disabled_hooks_raise_the_given_message():
    with graph.disable_saved_tensors_hooks("not here"):
        with pytest.raises(RuntimeError, match="not here"), graph.saved_tensors_hooks(lambda x: x, lambda x: x):
            pass
        with graph.disable_saved_tensors_hooks("nor here"), pytest.raises(RuntimeError, match="nor here"):
            graph.saved_tensors_hooks(lambda x: x, lambda x: x).__enter__()
        with pytest.raises(RuntimeError, match="not here"), graph.saved_tensors_hooks(lambda x: x, lambda x: x):
            pass
    with graph.saved_tensors_hooks(lambda x: x, lambda x: x):
        pass


def test_unpack_may_return_a_tensor_only():
    x = leaf(2.0)
    with graph.saved_tensors_hooks(lambda t: t, lambda t: 3):
        y = x.exp()
    with pytest.raises((TypeError, RuntimeError)):
        y.backward()


def test_save_on_cpu_changes_no_gradient():
    x = leaf(1.0, 2.0)
    with graph.save_on_cpu():
        y = (x.exp() * x).sum()
    y.backward()
    assert torch.allclose(x.grad, (x.exp() * (1 + x)).detach())


def test_saved_tensors_may_change_where_it_is_allowed():
    with graph.allow_mutation_on_saved_tensors():
        a = leaf(1.0, 2.0)
        b = a.clone()
        y = (b**2).sum()
        b.sin_()
        y.backward()
        assert a.grad.tolist() == [2.0, 4.0]
        with pytest.raises(RuntimeError, match="cannot be nested"), graph.allow_mutation_on_saved_tensors():
            pass


def test_views_of_a_changing_tensor_keep_the_value_they_had():
    with graph.allow_mutation_on_saved_tensors():
        a = leaf(1.0, 2.0)
        b = a.clone()
        first = b[0] ** 2
        b.mul_(10)
        second = b[0] ** 2
        b.zero_()
        (first + second).backward()
    assert a.grad.tolist() == [2.0 + 2 * 100.0, 0.0]


def test_saved_copies_end_with_their_context():
    with graph.allow_mutation_on_saved_tensors():
        y = (leaf(1.0) * 2) ** 2
    with pytest.raises(AssertionError, match="outside of the 'allow_mutation_on_saved_tensors'"):
        y.backward()


# Hooks on several gradients


def test_a_hook_on_several_gradients_runs_once_all_are_there():
    seen = []
    a, b, c = leaf(1.0), leaf(2.0), leaf(3.0)
    d = a * b
    handle = graph.register_multi_grad_hook((a, d, c), lambda gs: seen.append([g and g.item() for g in gs]))
    (d * 5).sum().backward()
    assert seen == [[10.0, 5.0, None]]
    (a * c).sum().backward()
    assert seen[1:] == [[3.0, None, 1.0]]
    handle.remove()
    (a * b * c).sum().backward()
    assert len(seen) == 2


def test_a_hook_on_any_gradient_runs_with_the_first_of_each_pass():
    seen = []
    a, b = leaf(1.0), leaf(2.0)
    c = a.exp()
    graph.register_multi_grad_hook((a, b, c), lambda g: seen.append(g.item()), mode="any")
    (c * 7).sum().backward()
    assert seen == [7.0]
    b.sum().backward()
    assert seen == [7.0, 1.0]
    with pytest.raises(ValueError, match="mode"):
        graph.register_multi_grad_hook((a,), print, mode="some")


def test_an_exception_in_a_hook_on_several_gradients_passes_on():
    a, b = leaf(1.0), leaf(2.0)

    def hook(gradients):
        raise KeyError("hook")

    handle = graph.register_multi_grad_hook((a, b), hook)
    with pytest.raises(KeyError, match="hook"):
        (a * b).sum().backward()
    handle.remove()
    (a * b).sum().backward()


# Nodes


def test_nodes_are_instances_of_node():
    x = leaf(1.0)
    y = x * 2
    assert isinstance(y.grad_fn, graph.Node)
    assert isinstance(y.grad_fn.next_functions[0][0], graph.Node)


def test_handles_remove_once_and_keep_nothing_alive():
    class Hooks(OrderedDict):
        pass

    hooks = Hooks()
    other = Hooks()
    handle = RemovableHandle(hooks, extra_dict=other)
    hooks[handle.id] = other[handle.id] = print
    handle.remove()
    handle.remove()
    assert not hooks
    assert not other
    reference = weakref.ref(hooks)
    del hooks
    gc.collect()
    assert reference() is None
    handle.remove()


def test_handles_work_as_context_managers_and_have_ids_of_their_own():
    hooks = OrderedDict()
    first, second = RemovableHandle(hooks), RemovableHandle(hooks)
    assert first.id != second.id
    hooks[first.id] = print
    with first:
        assert hooks
    assert not hooks


def test_handles_can_be_pickled():
    handle = RemovableHandle(OrderedDict())
    copy = pickle.loads(pickle.dumps(handle))
    assert copy.id == handle.id
    copy.remove()
    assert RemovableHandle(OrderedDict()).id > copy.id


# Anomaly mode


def test_anomaly_mode_is_restored():
    assert not torch.is_anomaly_enabled()
    with pytest.warns(UserWarning, match="Anomaly Detection has been enabled"):
        mode = detect_anomaly(check_nan=False)
    with mode:
        assert torch.is_anomaly_enabled()
        assert not torch.is_anomaly_check_nan_enabled()
    assert not torch.is_anomaly_enabled()
    with set_detect_anomaly(True):
        assert torch.is_anomaly_enabled()
        assert torch.is_anomaly_check_nan_enabled()
    assert not torch.is_anomaly_enabled()
    set_detect_anomaly(True)
    set_detect_anomaly(False)
    assert not torch.is_anomaly_enabled()


def test_anomaly_mode_names_the_node_and_output_that_made_nan():
    x = leaf(0.0)
    with warnings.catch_warnings(record=True) as caught, set_detect_anomaly(True):
        warnings.simplefilter("always")
        y = x.sqrt() * 0.0
        with pytest.raises(RuntimeError, match="Function 'SqrtBackward0' returned nan values in its 0th output"):
            y.sum().backward()
    assert any("y = x.sqrt() * 0.0" in str(warning.message) for warning in caught)
    with set_detect_anomaly(True, check_nan=False):
        (x.sqrt() * 0.0).sum().backward()
    assert x.grad.isnan().all()


def test_a_collected_cycle_leaves_the_types_of_its_nodes_whole():
    x = torch.ones(2, requires_grad=True)
    gc.collect()
    y = x * 2  # the only node of its type, in a cycle: what is collected must not count the type as its own
    y.grad_fn.metadata["y"] = y
    del y
    gc.collect()
    assert (x * 2).grad_fn.name() == "MulBackward0"
