"""`SGD`: steps along the gradient, with momentum."""

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
    _use_grad_for_differentiable,
    _value,
)

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["SGD", "sgd"]


class SGD(Optimizer):
    """Stochastic gradient descent.

    With gradient ``g`` (plus ``weight_decay * p``): the momentum buffer is ``b = momentum * b + (1 - dampening) * g``,
    beginning with ``b = g``; the step is ``p = p - lr * b``, or with `nesterov` ``p = p - lr * (g + momentum * b)``.

    Args:
        params: tensors, pairs of name and tensor, or groups; see `Optimizer`.
        lr: learning rate, a number or a one-element tensor.
        momentum: how much of the buffer is kept from step to step.
        dampening: how much of the gradient is held back from the buffer.
        weight_decay: factor of the parameter that is added to its gradient.
        nesterov: look ahead along the buffer.
        maximize: step up the gradient.
        foreach: accepted; the step goes over all parameters in one call anyway.
        differentiable: record the step, so that gradients flow through it.
        fused: accepted; the step is one pass over each parameter anyway.

    Source: Sutskever et al., "On the importance of initialization and momentum in deep learning" (2013).

    Example:
        >>> import leafgrad
        >>> p = leafgrad.tensor([1.0], requires_grad=True)
        >>> optimizer = leafgrad.optim.SGD([p], lr=0.1)
        >>> (3 * p).backward()
        >>> optimizer.step()
        >>> round(p.item(), 6)
        0.7
    """

    def __init__(
        self,
        params: Any,
        lr: float | Tensor = 1e-3,
        momentum: float = 0,
        dampening: float = 0,
        weight_decay: float | Tensor = 0,
        nesterov: bool = False,
        *,
        maximize: bool = False,
        foreach: bool | None = None,
        differentiable: bool = False,
        fused: bool | None = None,
    ) -> None:
        _check_learning_rate(lr, foreach=None)
        if momentum < 0.0:
            raise ValueError(f"Invalid momentum value: {momentum}")
        if weight_decay < 0.0:
            raise ValueError(f"Invalid weight_decay value: {weight_decay}")
        if nesterov and (momentum <= 0 or dampening != 0):
            raise ValueError("Nesterov momentum requires a momentum and zero dampening")
        defaults = {
            "lr": lr,
            "momentum": momentum,
            "dampening": dampening,
            "weight_decay": weight_decay,
            "nesterov": nesterov,
            "maximize": maximize,
            "foreach": foreach,
            "differentiable": differentiable,
            "fused": fused,
        }
        super().__init__(params, defaults)
        _check_implementation(foreach, fused, differentiable)

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        for group in _flags(self.param_groups):
            group.setdefault("nesterov", False)

    @_use_grad_for_differentiable
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Improve all parameters once; returns the loss of `closure`, if it is given."""
        loss = _evaluate(closure)
        for group in self.param_groups:
            params = [param for param in group["params"] if param.grad is not None]
            grads = [param.grad for param in params]
            momentum = group["momentum"] != 0
            buffers = [self.state[param].get("momentum_buffer") if momentum else None for param in params]
            _update(
                params,
                grads,
                buffers,
                lr=group["lr"],
                momentum=group["momentum"],
                dampening=group["dampening"],
                weight_decay=group["weight_decay"],
                nesterov=group["nesterov"],
                maximize=group["maximize"],
            )
            if momentum:
                for param, buffer in zip(params, buffers, strict=True):
                    self.state[param]["momentum_buffer"] = buffer
        return loss


def _update(
    params: list[Tensor],
    grads: list[Tensor],
    momentum_buffers: list[Tensor | None],
    *,
    lr: float | Tensor,
    momentum: float,
    dampening: float,
    weight_decay: float | Tensor,
    nesterov: bool,
    maximize: bool,
) -> None:
    """One step of each parameter, in place; a buffer that is None is made and put into the list."""
    composed = _core._sgd_step(
        params,
        grads,
        momentum_buffers,
        _value(lr),
        momentum,
        dampening,
        _value(weight_decay),
        nesterov,
        maximize,
    )
    for position in composed:
        param, grad = params[position], grads[position]
        if maximize:
            grad = -grad
        if isinstance(weight_decay, Tensor) or weight_decay != 0:
            grad = _plus_multiple(grad, param, weight_decay)
        if momentum != 0:
            buffer = momentum_buffers[position]
            if buffer is None:
                buffer = momentum_buffers[position] = grad.detach().clone()
            else:
                buffer.mul_(momentum).add_(grad, alpha=1 - dampening)
            grad = grad.add(buffer, alpha=momentum) if nesterov else buffer
        if isinstance(lr, Tensor) and lr.requires_grad:
            param.addcmul_(grad, lr, value=-1)
        else:
            param.add_(grad, alpha=-_value(lr))


def _plus_multiple(x: Tensor, y: Tensor, factor: float | Tensor) -> Tensor:
    """``x + factor * y``, differentiable in a `factor` that requires grad."""
    if isinstance(factor, Tensor) and factor.requires_grad:
        return x.addcmul(y, factor)
    return x.add(y, alpha=_value(factor))


def sgd(
    params: list[Tensor],
    d_p_list: list[Tensor],
    momentum_buffer_list: list[Tensor | None],
    has_sparse_grad: bool = False,
    foreach: bool | None = None,
    fused: bool | None = None,
    grad_scale: Tensor | None = None,
    found_inf: Tensor | None = None,
    *,
    weight_decay: float,
    momentum: float,
    lr: float | Tensor,
    dampening: float,
    nesterov: bool,
    maximize: bool,
) -> None:
    """The step of `SGD` on lists of parameters, gradients and buffers; see there for the settings."""
    _update(
        params,
        d_p_list,
        momentum_buffer_list,
        lr=lr,
        momentum=momentum,
        dampening=dampening,
        weight_decay=weight_decay,
        nesterov=nesterov,
        maximize=maximize,
    )
