"""`leafgrad.check`: what keeps a model's parameters from being learnt, one finding for each cause."""

from __future__ import annotations

import copy
import json

import pytest

import leafgrad
from leafgrad import nn
from leafgrad.optim import SGD

pytestmark = pytest.mark.leafgrad_only


def mlp():
    return nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 1))


def loss_of(model):
    return model(leafgrad.ones(4, 2)).square().mean()


def only(report, kind):
    """The one finding of that kind."""
    found = [finding for finding in report if finding.kind == kind]
    assert len(found) == 1, report
    return found[0]


def test_a_sound_model_passes():
    model = mlp()
    report = leafgrad.check(model, SGD(model.parameters(), lr=0.1), loss_of(model))
    assert report and report.ok and len(report) == 0
    assert str(report) == "check of Sequential, SGD, loss: nothing found"
    assert leafgrad.check(model)


def test_parameters_missing_from_the_optimizer_are_named():
    model = mlp()
    report = leafgrad.check(model, SGD(model[0].parameters(), lr=0.1))
    finding = only(report, "missing-from-optimizer")
    assert finding.level == "problem" and finding.names == ["2.weight", "2.bias"]
    assert "add_param_group" in finding.text
    assert not report and not report.ok


def test_a_frozen_parameter_needs_no_optimizer():
    model = mlp()
    model[2].requires_grad_(False)
    report = leafgrad.check(model, SGD(model[0].parameters(), lr=0.1))
    finding = only(report, "frozen")
    assert finding.level == "note" and finding.names == ["2.weight", "2.bias"]
    assert report.ok and len(report) == 1


def test_frozen_parameters_in_the_optimizer_are_said_to_be_passed_over():
    model = mlp()
    model[2].bias.requires_grad_(False)
    finding = only(leafgrad.check(model, SGD(model.parameters(), lr=0.1)), "frozen")
    assert "The optimizer has 2.bias and passes over it" in finding.text


def test_a_model_that_is_frozen_as_a_whole_is_a_problem():
    model = mlp().requires_grad_(False)
    assert only(leafgrad.check(model), "frozen").level == "problem"


def test_a_non_leaf_in_the_optimizer_is_found():
    model = mlp()
    optimizer = SGD(model.parameters(), lr=0.1)
    optimizer.param_groups[0]["params"].append(leafgrad.ones(2, requires_grad=True) * 2)
    finding = only(leafgrad.check(model, optimizer), "non-leaf-in-optimizer")
    assert finding.level == "problem"
    for fact in ("tensor 4 of group 0", "float32 (2,)", "mul (MulBackward0)", ".detach().requires_grad_()"):
        assert fact in finding.text


def test_an_optimizer_of_a_copied_model_is_found():
    model = mlp()
    optimizer = SGD(model.parameters(), lr=0.1)
    report = leafgrad.check(copy.deepcopy(model), optimizer)
    strangers = [finding for finding in report if finding.kind == "not-in-model"]
    assert len(strangers) == 4 and all(finding.level == "problem" for finding in strangers)
    assert "looks like 0.weight" in strangers[0].text
    assert only(report, "missing-from-optimizer").names == ["0.weight", "0.bias", "2.weight", "2.bias"]


def test_another_models_parameters_in_the_optimizer_are_only_noted():
    model, other = mlp(), nn.Linear(7, 7)
    optimizer = SGD([*model.parameters(), *other.parameters()], lr=0.1)
    report = leafgrad.check(model, optimizer)
    assert report.ok and {finding.kind for finding in report} == {"not-in-model"}


def test_names_given_to_the_optimizer_are_used():
    model, other = mlp(), nn.Linear(7, 7)
    optimizer = SGD([*model.named_parameters(), *other.named_parameters("other")], lr=0.1)
    assert [finding.names for finding in leafgrad.check(model, optimizer)] == [["other.weight"], ["other.bias"]]


def test_a_parameter_listed_twice_is_found():
    model = mlp()
    with pytest.warns(UserWarning, match="duplicate parameters"):
        optimizer = SGD([*model.parameters(), model[0].bias], lr=0.1)
    finding = only(leafgrad.check(model, optimizer), "duplicate-in-optimizer")
    assert finding.names == ["0.bias"] and "2 times" in finding.text


@pytest.mark.parametrize(
    "hide, container",
    [
        (lambda: [nn.Linear(2, 2)], "nn.ModuleList"),
        (lambda: (nn.Linear(2, 2), nn.ReLU()), "nn.ModuleList"),
        (lambda: {"a": nn.Linear(2, 2)}, "nn.ModuleDict"),
        (lambda: [[nn.Linear(2, 2)], [nn.Linear(2, 2)]], "nn.ModuleList"),
        (lambda: [nn.Parameter(leafgrad.ones(2))], "nn.ParameterList"),
        (lambda: {"a": leafgrad.ones(2, requires_grad=True)}, "nn.ParameterDict"),
    ],
)
def test_what_a_plain_container_hides_is_named_with_its_attribute(hide, container):
    model = mlp()
    model[0].extra = hide()
    model[0]._private = hide()
    report = leafgrad.check(model)
    assert [finding.names for finding in report] == [["0.extra"], ["0._private"]]
    assert "Sequential.0.extra is a plain" in report.findings[0].text and container in report.findings[0].text
    assert not report


def test_a_list_of_registered_modules_hides_nothing():
    model = mlp()
    model.order = [model[0], model[2]]
    model.weights = [model[0].weight]
    assert leafgrad.check(model)


def test_bare_tensors_and_stored_activations_are_found():
    model = mlp()
    model.scale = leafgrad.ones(3, requires_grad=True)
    model.last = model(leafgrad.ones(1, 2))
    model.plain = leafgrad.ones(3)
    report = leafgrad.check(model)
    assert "float32 (3,): make it an nn.Parameter" in only(report, "hidden-tensor").text
    assert "addmm" in only(report, "hidden-non-leaf").text and "detach()" in only(report, "hidden-non-leaf").text
    assert len(report) == 2


def test_a_model_without_parameters_says_where_they_hide():
    class Hides(nn.Module):
        def __init__(self):
            super().__init__()
            self.layers = [nn.Linear(1, 1)]

    report = leafgrad.check(Hides())
    assert [finding.kind for finding in report] == ["no-parameters", "hidden-modules"]


def test_shared_parameters_are_noted_with_all_their_names():
    model = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
    model[1].weight = model[0].weight
    report = leafgrad.check(model, SGD(model.parameters(), lr=0.1))
    assert report.ok and only(report, "shared").names == ["0.weight", "1.weight"]


def test_parameters_that_the_loss_does_not_reach_are_named():
    model = mlp()
    hidden = model[1](model[0](leafgrad.ones(4, 2)))
    report = leafgrad.check(model, None, model[2](hidden.detach()).mean())
    assert only(report, "not-reached-by-loss").names == ["0.weight", "0.bias"]


def test_reach_is_the_same_after_backward():
    model = mlp()
    loss = loss_of(model)
    loss.backward()
    assert leafgrad.check(model, None, loss)
    assert model[0].weight.grad is not None


def test_a_loss_that_cannot_run_backward_says_why():
    model = mlp()
    with leafgrad.no_grad():
        loss = loss_of(model)
    assert "no_grad" in only(leafgrad.check(model, None, loss), "loss-without-grad").text
    vector = model(leafgrad.ones(4, 2))
    assert "(4, 1)" in only(leafgrad.check(model, None, vector), "loss-not-scalar").text


def test_a_parameter_may_be_the_loss_itself():
    model = nn.Module()
    model.only = nn.Parameter(leafgrad.tensor(1.0))
    assert leafgrad.check(model, None, model.only)


def test_the_report_has_text_dict_and_html():
    model = mlp()
    report = leafgrad.check(model, SGD(model[0].parameters(), lr=0.1))
    assert str(report).splitlines()[0] == "check of Sequential, SGD: 1 problem"
    assert "  problem  the optimizer does not step 2.weight, 2.bias" in str(report)
    found = json.loads(json.dumps(report.to_dict()))
    assert found["ok"] is False and found["findings"][0]["kind"] == "missing-from-optimizer"
    assert "<table" in report._repr_html_() and "2.weight" in report._repr_html_()


def test_wrong_arguments_are_refused():
    model = mlp()
    for arguments, what in (
        (([],), "model must be a Module"),
        ((model, [1]), "optimizer must be an Optimizer"),
        ((model, None, 1.0), "loss must be a Tensor"),
    ):
        with pytest.raises(TypeError, match=what):
            leafgrad.check(*arguments)


def test_checking_changes_nothing():
    model = mlp()
    loss = loss_of(model)
    nodes = len(leafgrad._core._live_nodes())
    leafgrad.check(model, SGD(model.parameters(), lr=0.1), loss)
    assert len(leafgrad._core._live_nodes()) == nodes
    assert all(parameter.grad is None for parameter in model.parameters())
