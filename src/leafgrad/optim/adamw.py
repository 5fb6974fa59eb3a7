"""`AdamW`: Adam with weight decay apart from the gradient."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from leafgrad.optim.adam import Adam, adam

if TYPE_CHECKING:
    from leafgrad._core import Tensor

__all__ = ["AdamW", "adamw"]


class AdamW(Adam):
    """`Adam` whose weight decay shrinks the parameter by ``lr * weight_decay`` and stays out of the moments.

    Args:
        params: tensors, pairs of name and tensor, or groups; see `Optimizer`.
        lr: learning rate, a number or a one-element tensor.
        betas: how much of each moment is kept from step to step.
        eps: added to the denominator.
        weight_decay: see above.
        amsgrad: use the largest second moment so far.
        maximize: step up the gradient.
        foreach: accepted; the step goes over all parameters in one call anyway.
        capturable: accepted; it concerns other devices.
        differentiable: record the step, so that gradients flow through it.
        fused: accepted; the step is one pass over each parameter anyway.

    Source: Loshchilov and Hutter, "Decoupled weight decay regularization" (2017).
    """

    def __init__(
        self,
        params: Any,
        lr: float | Tensor = 1e-3,
        betas: tuple[float | Tensor, float | Tensor] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 1e-2,
        amsgrad: bool = False,
        *,
        maximize: bool = False,
        foreach: bool | None = None,
        capturable: bool = False,
        differentiable: bool = False,
        fused: bool | None = None,
    ) -> None:
        super().__init__(
            params,
            lr,
            betas,
            eps,
            weight_decay,
            amsgrad,
            foreach=foreach,
            maximize=maximize,
            capturable=capturable,
            differentiable=differentiable,
            fused=fused,
            decoupled_weight_decay=True,
        )

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        for group in self.param_groups:
            group["decoupled_weight_decay"] = True  # whatever the state was saved from


def adamw(*args: Any, **kwargs: Any) -> None:
    """The step of `AdamW` on lists of parameters, gradients and state; arguments of `adam`."""
    adam(*args, **kwargs, decoupled_weight_decay=True)
