"""`nn.utils`: clipping gradients; parameters as one vector."""

from __future__ import annotations

import pytest
from support import assert_near

import leafgrad as torch
from leafgrad import nn
from leafgrad.nn import utils


def with_grads(*grads):
    parameters = []
    for grad in grads:
        parameter = nn.Parameter(torch.zeros(len(grad)))
        parameter.grad = torch.tensor(grad)
        parameters.append(parameter)
    return parameters


def test_clipping_scales_all_gradients_by_their_common_norm():
    parameters = with_grads([3.0, 0.0], [0.0, 4.0])
    assert_near(utils.clip_grad_norm_(parameters, 1.0), 5.0)
    assert_near(parameters[0].grad, [0.6, 0.0], atol=1e-5)
    assert_near(parameters[1].grad, [0.0, 0.8], atol=1e-5)
    assert_near(utils.clip_grad_norm_(iter(parameters), 2.0), 1.0, atol=1e-5)
    assert_near(parameters[1].grad, [0.0, 0.8], atol=1e-5)


@pytest.mark.parametrize(("order", "expected"), [(1.0, 7.0), (float("inf"), 4.0), (3, 91 ** (1 / 3))])
def test_orders_of_the_norm(order, expected):
    assert_near(utils.get_total_norm([torch.tensor([3.0]), torch.tensor([0.0, -4.0])], order), expected)


def test_parameters_without_gradients_do_not_count():
    parameters = [*with_grads([3.0]), nn.Parameter(torch.zeros(2))]
    assert_near(utils.clip_grad_norm_(parameters, 10), 3.0)
    assert_near(utils.clip_grad_norm_(parameters[1], 10), 0.0)


def test_non_finite_norms_raise_only_if_asked():
    parameters = with_grads([float("inf")])
    with pytest.raises(RuntimeError, match=r"The total norm of order 2.0 .* is non-finite"):
        utils.clip_grad_norm_(parameters, 1.0, error_if_nonfinite=True)
    utils.clip_grad_norm_(parameters, 1.0)


def test_an_empty_generator_warns():
    with pytest.warns(UserWarning, match="is an empty generator"):
        utils.clip_grad_norm_((parameter for parameter in ()), 1.0)


def test_clipping_by_value():
    (parameter,) = with_grads([3.0, -0.5, -7.0])
    utils.clip_grad_value_(parameter, 1)
    assert parameter.grad.tolist() == [1.0, -0.5, -1.0]


def test_parameters_to_a_vector_and_back():
    net = nn.Linear(2, 3)
    vector = utils.parameters_to_vector(net.parameters())
    assert vector.shape == (9,) and vector.requires_grad
    weight = net.weight
    utils.vector_to_parameters(torch.arange(9.0), net.parameters())
    assert net.weight is weight and net.weight.tolist() == [[0.0, 1.0], [2.0, 3.0], [4.0, 5.0]]
    assert net.bias.tolist() == [6.0, 7.0, 8.0] and net.bias.requires_grad
    with pytest.raises(TypeError, match=r"expected torch.Tensor, but got: list"):
        utils.vector_to_parameters([1], net.parameters())
