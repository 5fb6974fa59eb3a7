"""`Adam`: steps scaled by running moments of the gradient; `AdamW` derives from it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from leafgrad import _core
from leafgrad._core import Tensor
from leafgrad.optim.optimizer import (
    Optimizer,
    _check_implementation,
    _check_learning_rate,
    _evaluate,
    _flags,
    _scalar_dtype,
    _use_grad_for_differentiable,
    _value,
)
from leafgrad.optim.sgd import _plus_multiple

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Adam", "adam"]


class Adam(Optimizer):
    """Adam: adaptive moment estimation.

    With gradient ``g`` (plus ``weight_decay * p``) and step number ``t``: ``m = beta1 * m + (1 - beta1) * g``,
    ``v = beta2 * v + (1 - beta2) * g**2``, and the step is
    ``p = p - lr * (m / (1 - beta1**t)) / (sqrt(v / (1 - beta2**t)) + eps)``.

    Args:
        params: tensors, pairs of name and tensor, or groups; see `Optimizer`.
        lr: learning rate, a number or a one-element tensor.
        betas: how much of each moment is kept from step to step.
        eps: added to the denominator.
        weight_decay: factor of the parameter that is added to its gradient.
        amsgrad: use the largest ``v`` so far.
        foreach: accepted; the step goes over all parameters in one call anyway.
        maximize: step up the gradient.
        capturable: accepted; it concerns other devices.
        differentiable: record the step, so that gradients flow through it.
        fused: accepted; the step is one pass over each parameter anyway.
        decoupled_weight_decay: shrink the parameter itself by ``lr * weight_decay``, as `AdamW` does.

    Source: Kingma and Ba, "Adam: a method for stochastic optimization" (2014); `amsgrad` after Reddi, Kale and Kumar,
    "On the convergence of Adam and beyond" (2018).
    """

    def __init__(
        self,
        params: Any,
        lr: float | Tensor = 1e-3,
        betas: tuple[float | Tensor, float | Tensor] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        amsgrad: bool = False,
        *,
        foreach: bool | None = None,
        maximize: bool = False,
        capturable: bool = False,
        differentiable: bool = False,
        fused: bool | None = None,
        decoupled_weight_decay: bool = False,
    ) -> None:
        _check_learning_rate(lr, foreach, capturable)
        if not eps >= 0.0:
            raise ValueError(f"Invalid epsilon value: {eps}")
        _check_betas(betas, foreach, capturable)
        if not weight_decay >= 0.0:
            raise ValueError(f"Invalid weight_decay value: {weight_decay}")
        defaults = {
            "lr": lr,
            "betas": betas,
            "eps": eps,
            "weight_decay": weight_decay,
            "amsgrad": amsgrad,
            "maximize": maximize,
            "foreach": foreach,
            "capturable": capturable,
            "differentiable": differentiable,
            "fused": fused,
            "decoupled_weight_decay": decoupled_weight_decay,
        }
        super().__init__(params, defaults)
        _check_implementation(foreach, fused, differentiable)

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        for group in _flags(self.param_groups):
            for name in ("amsgrad", "capturable", "decoupled_weight_decay"):
                group.setdefault(name, False)
            for param in group["params"]:
                kept = self.state.get(param)
                if kept and not isinstance(kept["step"], Tensor):  # a plain number in old checkpoints
                    kept["step"] = _core.tensor(float(kept["step"]), dtype=_scalar_dtype())

    def _state_of(self, param: Tensor, amsgrad: bool) -> dict[str, Any]:
        """What is kept for `param`, begun with zeros at its first step."""
        state = self.state[param]
        if not state:
            state["step"] = _core.tensor(0.0, dtype=_scalar_dtype())
            state["exp_avg"] = _core.zeros_like(param)
            state["exp_avg_sq"] = _core.zeros_like(param)
            if amsgrad:
                state["max_exp_avg_sq"] = _core.zeros_like(param)
        return state

    @_use_grad_for_differentiable
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Improve all parameters once; returns the loss of `closure`, if it is given."""
        loss = _evaluate(closure)
        for group in self.param_groups:
            params = [param for param in group["params"] if param.grad is not None]
            states = [self._state_of(param, group["amsgrad"]) for param in params]
            adam(
                params,
                [param.grad for param in params],
                [state["exp_avg"] for state in states],
                [state["exp_avg_sq"] for state in states],
                [state["max_exp_avg_sq"] for state in states] if group["amsgrad"] else [],
                [state["step"] for state in states],
                differentiable=group["differentiable"],
                amsgrad=group["amsgrad"],
                beta1=group["betas"][0],
                beta2=group["betas"][1],
                lr=group["lr"],
                weight_decay=group["weight_decay"],
                eps=group["eps"],
                maximize=group["maximize"],
                decoupled_weight_decay=group["decoupled_weight_decay"],
            )
        return loss


def _check_betas(betas: tuple[Any, Any], foreach: bool | None, capturable: bool) -> None:
    for position, beta in enumerate(betas):
        if not 0.0 <= beta < 1.0:
            raise ValueError(f"Invalid beta parameter at index {position}: {beta}")
    if isinstance(betas[0], Tensor) != isinstance(betas[1], Tensor):
        raise ValueError("betas must be either both floats or both Tensors")
    for position, beta in enumerate(betas):
        if isinstance(beta, Tensor):
            if foreach and not capturable:
                raise ValueError(
                    f"betas[{position}] as a Tensor is not supported for capturable=False and foreach=True"
                )
            if beta.numel() != 1:
                raise ValueError(f"Tensor betas[{position}] must be 1-element")


def adam(
    params: list[Tensor],
    grads: list[Tensor],
    exp_avgs: list[Tensor],
    exp_avg_sqs: list[Tensor],
    max_exp_avg_sqs: list[Tensor],
    state_steps: list[Tensor],
    foreach: bool | None = None,
    capturable: bool = False,
    differentiable: bool = False,
    fused: bool | None = None,
    grad_scale: Tensor | None = None,
    found_inf: Tensor | None = None,
    has_complex: bool = False,
    decoupled_weight_decay: bool = False,
    *,
    amsgrad: bool,
    beta1: float | Tensor,
    beta2: float | Tensor,
    lr: float | Tensor,
    weight_decay: float,
    eps: float,
    maximize: bool,
) -> None:
    """The step of `Adam` on lists of parameters, gradients and state; see there for the settings."""
    composed = _core._adam_step(
        params,
        grads,
        exp_avgs,
        exp_avg_sqs,
        max_exp_avg_sqs if amsgrad else [],
        state_steps,
        _value(lr),
        _value(beta1),
        _value(beta2),
        _value(weight_decay),
        eps,
        maximize,
        decoupled_weight_decay,
    )
    if not composed:
        return
    lists = [params, grads, exp_avgs, exp_avg_sqs, max_exp_avg_sqs if amsgrad else [], state_steps]
    if len(composed) < len(params):
        lists = [[tensors[position] for position in composed] if tensors else [] for tensors in lists]
    params, grads, *moments, state_steps = lists
    if maximize:
        grads = [-grad for grad in grads]
    if isinstance(weight_decay, Tensor) or weight_decay != 0:
        if decoupled_weight_decay:
            for param in params:
                param.mul_(1 - lr * weight_decay)
        else:
            grads = [_plus_multiple(grad, param, weight_decay) for grad, param in zip(grads, params, strict=True)]
    lists = [params, grads, *moments]
    # Moments of a complex number are those of its two parts; its view as real numbers shares the memory.
    lists = [[_core.view_as_real(each) if each.is_complex() else each for each in tensors] for tensors in lists]
    if differentiable:
        _update_differentiably(*lists, state_steps, lr, beta1, beta2, eps)
    else:
        _update(*lists, state_steps, lr, _value(beta1), _value(beta2), eps)


def _update(
    params: list[Tensor],
    grads: list[Tensor],
    exp_avgs: list[Tensor],
    exp_avg_sqs: list[Tensor],
    max_exp_avg_sqs: list[Tensor],
    steps: list[Tensor],
    lr: float | Tensor,
    beta1: float,
    beta2: float,
    eps: float,
) -> None:
    """Step counters, moments and parameters after one step, in place; `max_exp_avg_sqs` is empty without amsgrad."""
    for position, param in enumerate(params):
        grad, exp_avg, exp_avg_sq = grads[position], exp_avgs[position], exp_avg_sqs[position]
        exp_avg.lerp_(grad, 1 - beta1)
        exp_avg_sq.mul_(beta2).addcmul_(grad, grad, value=1 - beta2)
        if max_exp_avg_sqs:
            largest = max_exp_avg_sqs[position]
            exp_avg_sq = largest.copy_(_core.maximum(largest, exp_avg_sq))
        steps[position] += 1
        step = steps[position].item()
        step_size = _value(lr / (1 - beta1**step))
        denominator = exp_avg_sq.sqrt().div_((1 - beta2**step) ** 0.5).add_(eps)
        param.addcdiv_(exp_avg, denominator, value=-step_size)


def _update_differentiably(
    params: list[Tensor],
    grads: list[Tensor],
    exp_avgs: list[Tensor],
    exp_avg_sqs: list[Tensor],
    max_exp_avg_sqs: list[Tensor],
    steps: list[Tensor],
    lr: float | Tensor,
    beta1: float | Tensor,
    beta2: float | Tensor,
    eps: float,
) -> None:
    """As `_update`, but recorded: nothing that a rule has saved is overwritten, and settings may require grad."""
    for position, param in enumerate(params):
        grad, exp_avg, exp_avg_sq = grads[position], exp_avgs[position], exp_avg_sqs[position]
        exp_avg.lerp_(grad, _as_weight(beta1, param))
        exp_avg_sq.lerp_(grad.square(), _as_weight(beta2, param))
        if max_exp_avg_sqs:
            largest = max_exp_avg_sqs[position]
            exp_avg_sq = largest.copy_(_core.maximum(largest.clone(), exp_avg_sq))
        steps[position] += 1
        step = steps[position].clone()
        step_size = lr / (1 - beta1**step)
        denominator = exp_avg_sq.clone().sqrt() / (1 - beta2**step).sqrt() + eps
        param.sub_(step_size * exp_avg.clone() / denominator)


def _as_weight(beta: float | Tensor, param: Tensor) -> float | Tensor:
    """The weight of the new value in a running mean; a tensor in the parameter's dtype, as `lerp` wants it."""
    return (1 - beta).to(param.dtype) if isinstance(beta, Tensor) else 1 - beta
