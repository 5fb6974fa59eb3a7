"""`leafgrad.explain`: what it says of each kind of tensor, and that asking changes nothing."""

from __future__ import annotations

import gc
import json
import sys
import warnings
import weakref

import pytest

import leafgrad
from leafgrad import _core, nn

pytestmark = pytest.mark.leafgrad_only

explain = leafgrad.explain
shared_weight = leafgrad.ones(2, requires_grad=True)  # a global, to be named by


def leaf(*values):
    return leafgrad.tensor(list(values), requires_grad=True)


def advice(t, params=None):
    found = explain(t, params)
    return found.situation, found.advice or ""


# ---- leaf or not, and why


def test_a_leaf_that_requires_grad_keeps_its_gradient():
    w = leaf(1.0, 2.0)
    found = explain(w)
    assert found.is_leaf and found.requires_grad and found.operator is None
    assert (found.name, found.dtype, found.shape, found.nbytes) == ("w", "float32", (2,), 8)
    assert "made by the user" in found.why and "requires_grad=True" in found.why
    assert found.gradient == "keep" and ".grad" in found.gradient_why
    assert found.grad is None and found.advice is None
    (w * 2).sum().backward()
    assert explain(w).grad == "float32 (2,)"


def test_a_result_names_its_operator_and_the_leaves_behind_it():
    w, b = leaf(1.0), leaf(2.0)
    y = (w * 3 + b).exp()
    found = explain(y)
    assert not found.is_leaf
    assert found.operator == "ExpBackward0" and "the result of exp (ExpBackward0)" in found.why
    assert sorted(found.leaves) == ["b", "w"]
    assert found.gradient == "free"
    assert found.graph_nodes == 5


def test_an_output_of_several_says_which():
    first, second = (leaf(1.0, 2.0) * 1).unbind()
    assert "output 1 of unbind (UnbindBackward0)" in explain(second).why


@pytest.mark.parametrize(
    "make, reason",
    [
        (lambda: leafgrad.ones(2), "made by the user"),
        (lambda: leafgrad.tensor([1.0]), "made by the user"),
        (lambda: leafgrad.zeros_like(leaf(1.0)), "made by the user"),
        (lambda: leaf(1.0).detach(), "detached"),
        (lambda: leaf(1.0).data, "detached"),
        (lambda: (leaf(1.0) * 2).detach_(), "detached"),
        (lambda: leaf(3.0) > 2, "dtype is bool"),
        (lambda: leafgrad.tensor([1, 2]), "dtype is int64"),
        (lambda: leafgrad.ones(2) * 2, "none of whose inputs requires grad"),
    ],
)
def test_a_tensor_without_grad_is_a_leaf_and_says_why(make, reason):
    found = explain(make())
    assert found.is_leaf and not found.requires_grad
    assert reason in found.why and "always counts as a leaf" in found.why
    assert found.gradient == "never"


def test_what_was_made_under_no_grad_or_in_inference_mode_says_so():
    w = leaf(1.0)
    with leafgrad.no_grad():
        quiet = w * 2
    with leafgrad.inference_mode():
        inferred = w * 2
    assert "made under no_grad" in explain(quiet).why
    assert "inference mode" in explain(inferred).why
    assert explain(inferred).version is None


def test_a_detached_tensor_names_whose_memory_it_shares():
    w = leaf(1.0)
    cut = w.detach()
    assert "shares the memory of w" in explain(cut).why
    assert explain(cut).shares_with == ["w"]


def test_a_gradient_says_whose_it_is():
    w = leaf(1.0)
    (w * w).sum().backward()
    assert "the gradient of w" in explain(w.grad).why
    assert explain(w.grad).advice is None


def test_a_parameter_is_called_one_and_a_frozen_one_says_so():
    layer = nn.Linear(2, 1)
    assert "a parameter" in explain(layer.weight).why
    layer.weight.requires_grad_(False)
    assert "frozen" in explain(layer.weight).why


def test_the_line_is_known_of_what_was_traced():
    w = leaf(1.0)
    with leafgrad.trace():
        y = w * 2  # this line
        x = leafgrad.ones(3)
    found = explain(y)
    assert found.place.rpartition(":")[0].endswith("test_lens_explain.py")
    assert found.source == "y = w * 2  # this line"
    assert found.place in found.why and found.source in str(found)
    assert explain(x).source == "x = leafgrad.ones(3)"
    assert explain(w).place is None


# ---- names


def test_names_come_from_the_caller_locals_before_globals():
    assert explain(shared_weight).name == "shared_weight"
    mine = shared_weight
    assert explain(shared_weight).name == "mine"
    assert mine is shared_weight


def test_names_of_parameters_come_from_params():
    model = nn.Sequential(nn.Linear(2, 3), nn.Linear(3, 1))
    y = model(leafgrad.ones(1, 2)).sum()
    names = {"0.weight", "0.bias", "1.weight", "1.bias"}
    assert set(explain(y, params=model).leaves) == names
    assert set(explain(y, params=model.named_parameters()).leaves) == names
    assert set(explain(y, params=dict(model.named_parameters())).leaves) == names
    assert set(explain(y).leaves) == {f"model.{name}" for name in names}


def test_names_of_items_in_lists_and_dicts():
    weights = [leaf(1.0), leaf(2.0)]
    table = {"bias": leaf(3.0)}
    y = weights[0] * weights[1] + table["bias"]
    assert sorted(explain(y).leaves) == ["table['bias']", "weights[0]", "weights[1]"]


def test_a_variable_that_does_not_like_to_be_asked_for_its_class_is_passed_over():
    class Proxy:
        @property
        def __class__(self):
            raise RuntimeError("there is nothing behind this yet")

    lazy, inside, w = Proxy(), [Proxy()], leaf(1.0)
    assert explain(w).name == "w" and lazy is not inside


def test_a_leaf_without_a_name_is_described():
    w = leaf(1.0)
    assert explain(leaf(1.0, 2.0) * 2 + w).leaves in (
        ["an unnamed float32 (2,)", "w"],
        ["w", "an unnamed float32 (2,)"],
    )


def test_wrong_params_are_refused_with_what_to_pass():
    with pytest.raises(TypeError, match="named_parameters"):
        explain(leaf(1.0), params=[leaf(2.0)])
    with pytest.raises(TypeError, match="named_parameters"):
        explain(leaf(1.0), params=3)
    with pytest.raises(TypeError, match="expected a Tensor, but got list"):
        explain([leaf(1.0)])


# ---- memory, views, hooks


def test_writes_in_place_are_counted_and_the_last_writer_named():
    x = leafgrad.zeros(3)
    x.add_(1)
    x.mul_(2)
    found = explain(x)
    assert found.version == 2 and found.last_writer == "mul_"
    assert "2 times" in str(found) and "mul_" in str(found)


def test_a_view_tells_the_chain_to_the_owner_of_the_memory():
    w = leafgrad.ones(2, 3, requires_grad=True)
    view = w[0][1:]
    chain = explain(view).view_of
    assert [each.partition(" ")[0] for each in chain] == ["slice", "select", "w"]
    with leafgrad.no_grad():
        hidden = w[0]
    assert explain(hidden).view_of == ["w"]


def test_all_who_share_the_memory_are_named():
    x = leafgrad.ones(4)
    half, again = x[:2], x.detach()
    assert explain(x).shares_with == ["again", "half"]
    assert again is not half
    y = leaf(1.0).exp()
    assert explain(y).shares_with == ["ExpBackward0's saved result"]


def test_a_view_of_a_base_written_since_is_told_and_not_renewed():
    x = leaf(1.0, 2.0) * 1
    view = x[0]
    before = view._history[0]
    x.mul_(2)
    found = explain(view)
    assert "x, which mul_ has written in place since" in found.why and not found.is_leaf
    assert view._history == (before, True)
    assert view.grad_fn is not before and view._history[1] is False


def test_retained_gradients_and_hooks_are_listed():
    def double(gradient):
        return gradient * 2

    w = leaf(1.0)
    y = w * 2
    y.retain_grad()
    y.register_hook(double)
    w.register_post_accumulate_grad_hook(lambda leaf: None)
    found = explain(y)
    assert found.retains_grad and found.gradient == "keep" and "retain_grad()" in found.gradient_why
    assert len(found.hooks) == 1 and "double" in found.hooks[0]
    assert "after .grad is set" in explain(w).hooks[0]


def test_saved_memory_is_counted_once_and_without_the_leaves():
    w = leafgrad.ones(100, requires_grad=True)
    y = w.exp()  # saves its result: 400 bytes
    z = y * y  # saves y twice: the same memory
    assert explain(z).saved_bytes == 400
    assert explain(w * w).saved_bytes == 0


# ---- advice


def test_a_non_leaf_is_told_of_retain_grad():
    y = leaf(1.0) * leaf(2.0)
    w = leaf(1.0)
    z = w * w
    situation, text = advice(z)
    assert situation == "L1" and "retain_grad()" in text
    z.backward()
    assert "already run" in advice(z)[1]
    assert y.requires_grad


def test_a_leaf_that_only_its_history_holds_is_noticed():
    w = leafgrad.randn(2, requires_grad=True) * 0.01
    situation, text = advice(w)
    assert situation == "L7" and "Make the leaf last" in text
    held = leafgrad.randn(2, requires_grad=True)
    assert advice(held * 0.01)[0] == "L1"
    assert advice((leafgrad.randn(2, requires_grad=True) ** 2).sum())[0] == "L7"  # saved too


def test_a_saved_tensor_that_was_written_is_noticed_before_backward_fails():
    w, x = leaf(1.0), leafgrad.ones(1)
    y = (w * x).sum()
    x.add_(1)
    situation, text = advice(y)
    assert situation == "L5"
    for fact in ("mul (MulBackward0)", "float32 (1,)", "add_", "version 1, saved at 0"):
        assert fact in text
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        y.backward()


def test_a_history_that_ran_already_is_noticed_before_backward_fails():
    w = leaf(0.5)
    state = leafgrad.tanh(leafgrad.ones(1) * w)
    state.sum().backward()
    carried = leafgrad.tanh(state * w).sum()
    situation, text = advice(carried)
    assert situation == "L4" and "detach()" in text
    with pytest.raises(RuntimeError, match="a second time"):
        carried.backward()


def test_views_that_may_not_be_written_are_told():
    y = leaf(1.0, 2.0) * 1
    with leafgrad.no_grad():
        quiet = y[0]
    assert advice(quiet)[0] == "L17" and "no_grad" in advice(quiet)[1]
    first, _ = y.unbind()
    assert advice(first)[0] == "L17" and "one by one" in advice(first)[1]
    w = leaf(1.0, 2.0)
    found = explain(w[0])
    assert found.situation == "L3" and "the leaf is w" in found.advice


def test_an_activation_in_a_module_and_a_bare_tensor_are_noticed():
    model = nn.Sequential(nn.Linear(1, 1))
    model[0].last = model(leafgrad.ones(1, 1))
    situation, text = advice(model[0].last, model)
    assert situation == "L9" and "Sequential.0.last" in text and "detach()" in text
    assert "model.0.last" in explain(model[0].last).advice
    model[0].scale = leaf(1.0)
    situation, text = advice(model[0].scale, model)
    assert situation == "L20" and "nn.Parameter" in text


def test_where_tracking_stopped_is_told_with_its_remedy():
    w = leaf(1.0)
    with leafgrad.no_grad():
        quiet = w * 2
    for tensor, remedy in (
        (quiet, "outside of no_grad()"),
        (w.detach(), "detached from"),
        (leafgrad.ones(1) * 2, "requires_grad"),
        (leaf(1.0, 2.0).argmax(), "cut the graph"),
    ):
        situation, text = advice(tensor)
        assert situation == "L6" and remedy in text
    assert advice(leafgrad.tensor([1, 2]))[0] == "L12"
    assert advice(leafgrad.ones(2)) == (None, "")


def test_an_ordinary_loss_of_several_terms_is_no_running_total():
    w = leaf(1.0)
    assert advice((w * w).sum() + w.exp().sum())[0] == "L1"


# ---- forms


def test_the_text_is_plain_and_says_the_verdict_first():
    w = leaf(1.0)
    text = str(explain(w * 2))
    assert text == repr(explain(w * 2))
    assert text.splitlines()[0] == "a tensor: float32 (1,), not a leaf"
    assert "\x1b" not in text and "gradient" in text and "free:" in text


def test_the_dict_is_what_json_takes():
    y = leaf(1.0) * 2
    found = json.loads(json.dumps(explain(y).to_dict()))
    assert found["is_leaf"] is False and found["shape"] == [1] and found["situation"]


def test_the_notebook_form_is_escaped_html():
    w = leaf(1.0)
    w.register_hook(lambda g: None)  # its name has angle brackets
    html = explain(w)._repr_html_()
    assert "<table" in html and "&lt;lambda&gt;" in html and "<lambda>" not in html


# ---- asking changes nothing


def test_explaining_neither_warns_nor_makes_nodes_nor_runs_hooks():
    calls = []

    def pack(t):
        calls.append("pack")
        return t

    def unpack(t):
        calls.append("unpack")
        return t

    w = leaf(1.0)
    with leafgrad.autograd.graph.saved_tensors_hooks(pack, unpack):
        y = (w * w).exp()
    w.register_hook(lambda g: calls.append("hook"))
    packed = list(calls)
    fresh = leaf(2.0)
    before = len(_core._live_nodes())
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for tensor in (w, y, fresh, fresh[0:], y.detach()):
            explain(tensor)
    gc.collect()
    assert len(_core._live_nodes()) <= before + 1  # the slice's own, while it lived
    assert calls == packed
    assert fresh._history == (None, False) and y._version == 0
    assert y.retains_grad is False and w.grad is None


def test_explaining_a_leaf_makes_no_accumulator():
    w = leaf(1.0)
    before = len(_core._live_nodes())
    explain(w)
    assert len(_core._live_nodes()) == before


def test_neither_the_explanation_nor_the_caller_frame_keeps_the_tensor_alive():
    gc.disable()
    try:
        y = leaf(1.0) * 2
        found = explain(y)
        alive = weakref.ref(y)
        assert found.name == "y"
        del y
        assert alive() is None
    finally:
        gc.enable()


@pytest.mark.skipif(sys.version_info >= (3, 13), reason="f_locals is no copy there")
def test_a_copy_of_the_variables_that_the_caller_holds_is_left_alone():
    y = leaf(1.0)
    mine = locals()
    explain(y)
    assert mine["y"] is y


def test_importing_leafgrad_does_not_import_the_lens():
    import subprocess

    code = "import sys, leafgrad; print([m for m in sys.modules if m.startswith('leafgrad.lens')])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "[]"
