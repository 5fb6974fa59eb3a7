"""Attention with several heads, as a function of all its weights."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from leafgrad import _core

if TYPE_CHECKING:
    from leafgrad._core import Tensor
    from leafgrad._core import dtype as DType

__all__ = ["multi_head_attention_forward"]


def _check_dims(query: Tensor, key: Tensor, value: Tensor, padding: Tensor | None, mask: Tensor | None) -> None:
    """Batched (3-D) or unbatched (2-D), and everything in agreement."""
    if query.dim() not in (2, 3):
        raise AssertionError(
            f"query should be unbatched 2D or batched 3D tensor but received {query.dim()}-D query tensor"
        )
    dims = query.dim()
    kind = f"{'batched' if dims == 3 else 'unbatched'} ({dims}-D)"
    if (key.dim(), value.dim()) != (dims, dims):
        raise AssertionError(
            f"For {kind} `query`, expected `key` and `value` to be {dims}-D but found {key.dim()}-D and "
            f"{value.dim()}-D tensors respectively"
        )
    if padding is not None and padding.dim() != dims - 1:
        raise AssertionError(
            f"For {kind} `query`, expected `key_padding_mask` to be `None` or {dims - 1}-D but found "
            f"{padding.dim()}-D tensor instead"
        )
    if mask is not None and mask.dim() not in (2, 3):
        raise AssertionError(
            f"For {kind} `query`, expected `attn_mask` to be `None`, 2-D or 3-D but found {mask.dim()}-D tensor instead"
        )


def _as_added(mask: Tensor | None, name: str, dtype: DType) -> Tensor | None:
    """A mask in the form that is added to scores: a boolean one, where true means hidden, becomes 0 and -inf."""
    if mask is None or mask.is_floating_point():
        return mask
    if mask.dtype != _core.bool:
        raise AssertionError(f"only bool and floating types of {name} are supported")
    return _core.zeros_like(mask, dtype=dtype).masked_fill_(mask, -math.inf)


def _longer(mask: Tensor | None) -> Tensor | None:
    """The mask for one more key, which everybody sees."""
    return None if mask is None else _core.cat((mask, mask.new_zeros(*mask.shape[:-1], 1)), -1)


def _projected(
    inputs: tuple[Tensor, Tensor, Tensor], weights: tuple[Tensor, ...], bias: Tensor | None
) -> tuple[Tensor, ...]:
    """Query, key and value, each times its weight; one product where all three are one tensor."""
    query, key, value = inputs
    size = query.shape[-1]
    if len(weights) == 1:
        if query is key and key is value:
            return _core.linear(query, weights[0], bias).split(size, -1)
        weights = weights[0].split(size)
    biases = (None, None, None) if bias is None else bias.split(size)
    return tuple(_core.linear(x, w, b) for x, w, b in zip(inputs, weights, biases, strict=True))


def _weights_shown(q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None, dropout_p: float) -> tuple[Tensor, Tensor]:
    """Attention with its matrix of weights."""
    scores = (q * math.sqrt(1.0 / q.shape[-1])) @ k.transpose(-2, -1)
    weights = (scores if mask is None else scores + mask).softmax(-1)
    if dropout_p > 0.0:
        weights = _core.dropout(weights, dropout_p, True)
    return weights @ v, weights


def multi_head_attention_forward(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    embed_dim_to_check: int,
    num_heads: int,
    in_proj_weight: Tensor | None,
    in_proj_bias: Tensor | None,
    bias_k: Tensor | None,
    bias_v: Tensor | None,
    add_zero_attn: bool,
    dropout_p: float,
    out_proj_weight: Tensor,
    out_proj_bias: Tensor | None,
    training: bool = True,
    key_padding_mask: Tensor | None = None,
    need_weights: bool = True,
    attn_mask: Tensor | None = None,
    use_separate_proj_weight: bool = False,
    q_proj_weight: Tensor | None = None,
    k_proj_weight: Tensor | None = None,
    v_proj_weight: Tensor | None = None,
    static_k: Tensor | None = None,
    static_v: Tensor | None = None,
    average_attn_weights: bool = True,
    is_causal: bool = False,
) -> tuple[Tensor, Tensor | None]:
    """Attention in several heads side by side: projections in, `scaled_dot_product_attention`, projection out.

    Args:
        query: ``(targets, batch, embed)``, or without batch.
        key: ``(sources, batch, embed)``, or without batch.
        value: as `key`.
        embed_dim_to_check: what ``embed`` has to be.
        num_heads: heads, each of size ``embed / num_heads``.
        in_proj_weight: ``(3 embed, embed)``, the weights of query, key and value one below the other.
        in_proj_bias: ``(3 embed)``.
        bias_k: a further key, ``(1, 1, embed)``.
        bias_v: its value.
        add_zero_attn: add a key and a value of zeros.
        dropout_p: probability with which a weight is zeroed in training.
        out_proj_weight: ``(embed, embed)``.
        out_proj_bias: ``(embed)``.
        training: whether `dropout_p` applies.
        key_padding_mask: ``(batch, sources)``: true hides a key; or numbers added to the scores.
        need_weights: give the weights too.
        attn_mask: ``(targets, sources)`` or ``(batch * num_heads, targets, sources)``: likewise.
        use_separate_proj_weight: take the three weights that follow instead of `in_proj_weight`.
        q_proj_weight: ``(embed, embed)``.
        k_proj_weight: ``(embed, size of key)``.
        v_proj_weight: ``(embed, size of value)``.
        static_k: ``(batch * num_heads, sources, head size)`` instead of the projected key.
        static_v: likewise of the value.
        average_attn_weights: give the mean of the heads' weights instead of each.
        is_causal: a hint that `attn_mask` is the causal one.

    Source: Vaswani et al., "Attention is all you need" (2017).
    """
    _check_dims(query, key, value, key_padding_mask, attn_mask)
    batched = query.dim() == 3
    if not batched:
        one = query is key and key is value
        query = query.unsqueeze(1)
        key, value = (query, query) if one else (key.unsqueeze(1), value.unsqueeze(1))
        key_padding_mask = None if key_padding_mask is None else key_padding_mask.unsqueeze(0)
    targets, batch, embed = query.shape
    sources = key.shape[0]
    padding = _as_added(key_padding_mask, "key_padding_mask", query.dtype)
    if is_causal and attn_mask is None:
        raise RuntimeError("Need attn_mask if specifying the is_causal hint.")
    if is_causal and padding is None and not need_weights:
        attn_mask = None  # the hint is enough
    else:
        attn_mask = _as_added(attn_mask, "attn_mask", query.dtype)
        is_causal = False
    if embed != embed_dim_to_check:
        raise AssertionError(f"was expecting embedding dimension of {embed_dim_to_check}, but got {embed}")
    head = embed // num_heads
    if head * num_heads != embed:
        raise AssertionError(f"embed_dim {embed} not divisible by num_heads {num_heads}")
    if use_separate_proj_weight:
        if key.shape[:2] != value.shape[:2]:
            raise AssertionError(
                f"key's sequence and batch dims {key.shape[:2]} do not match value's {value.shape[:2]}"
            )
        weights = (q_proj_weight, k_proj_weight, v_proj_weight)
        for name, weight in zip("qkv", weights, strict=True):
            if weight is None:
                raise AssertionError(f"use_separate_proj_weight is True but {name}_proj_weight is None")
    else:
        if key.shape != value.shape:
            raise AssertionError(f"key shape {key.shape} does not match value shape {value.shape}")
        if in_proj_weight is None:
            raise AssertionError("use_separate_proj_weight is False but in_proj_weight is None")
        weights = (in_proj_weight,)
    q, k, v = _projected((query, key, value), weights, in_proj_bias)
    attn_mask = _shaped_mask(attn_mask, batch, num_heads, targets, sources)
    if bias_k is not None and bias_v is not None:
        k = _core.cat((k, bias_k.expand(1, batch, embed)))
        v = _core.cat((v, bias_v.expand(1, batch, embed)))
        attn_mask, padding = _longer(attn_mask), _longer(padding)

    def heads(x: Tensor) -> Tensor:
        return x.reshape(x.shape[0], batch, num_heads, head).permute(1, 2, 0, 3)

    q, k, v = heads(q), _static(static_k, batch, num_heads, heads, k), _static(static_v, batch, num_heads, heads, v)
    if add_zero_attn:
        zeros = k.new_zeros(batch, num_heads, 1, head)
        k, v = _core.cat((k, zeros), 2), _core.cat((v, zeros), 2)
        attn_mask, padding = _longer(attn_mask), _longer(padding)
    if padding is not None:
        if padding.shape != (batch, k.shape[2]):
            raise AssertionError(f"expecting key_padding_mask shape of {(batch, k.shape[2])}, but got {padding.shape}")
        padding = padding.reshape(batch, 1, 1, k.shape[2])
        attn_mask = padding if attn_mask is None else attn_mask + padding
    dropout_p = dropout_p if training else 0.0
    if need_weights:
        out, shown = _weights_shown(q, k, v, attn_mask, dropout_p)
    else:
        out, shown = _core.scaled_dot_product_attention(q, k, v, attn_mask, dropout_p, is_causal), None
    out = _core.linear(out.permute(2, 0, 1, 3).reshape(targets, batch, embed), out_proj_weight, out_proj_bias)
    if shown is not None and average_attn_weights:
        shown = shown.mean(1)
    if batched:
        return out, shown
    return out.squeeze(1), None if shown is None else shown.squeeze(0)


def _shaped_mask(mask: Tensor | None, batch: int, num_heads: int, targets: int, sources: int) -> Tensor | None:
    """The mask so that it broadcasts to ``(batch, heads, targets, sources)``."""
    if mask is None:
        return None
    size = (targets, sources) if mask.dim() == 2 else (batch * num_heads, targets, sources)
    if tuple(mask.shape) != size:
        raise RuntimeError(f"The shape of the {mask.dim()}D attn_mask is {mask.shape}, but should be {size}.")
    return mask if mask.dim() == 2 else mask.reshape(batch, num_heads, targets, sources)


def _static(given: Tensor | None, batch: int, num_heads: int, heads, projected: Tensor) -> Tensor:
    """A key or value that was given ready, or the projected one, by heads."""
    if given is None:
        return heads(projected)
    if given.shape[0] != batch * num_heads:
        raise AssertionError(f"expecting static size(0) of {batch * num_heads}, but got {given.shape[0]}")
    return given.reshape(batch, num_heads, *given.shape[1:])
