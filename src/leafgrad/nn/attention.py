"""`MultiheadAttention`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from leafgrad._core import empty
from leafgrad.nn import functional as F
from leafgrad.nn import init
from leafgrad.nn.linear import NonDynamicallyQuantizableLinear
from leafgrad.nn.module import Module
from leafgrad.nn.parameter import Parameter

if TYPE_CHECKING:
    from leafgrad._core import Tensor

__all__ = ["MultiheadAttention"]


class MultiheadAttention(Module):
    """Attention in several heads side by side, with learned projections of query, key, value and result.

    Args:
        embed_dim: size of query and result.
        num_heads: heads, each of size ``embed_dim / num_heads``.
        dropout: probability with which a weight is zeroed in training.
        bias: learn additive biases of the projections.
        add_bias_kv: learn a further key and value.
        add_zero_attn: add a key and a value of zeros.
        kdim: size of key; `embed_dim` by default.
        vdim: size of value; `embed_dim` by default.
        batch_first: tensors are ``(batch, steps, size)`` instead of ``(steps, batch, size)``.
        device: where the parameters live.
        dtype: of the parameters.

    Shape: ``(targets, batch, embed_dim), (sources, batch, kdim), (sources, batch, vdim) -> (targets, batch,
    embed_dim)`` and the weights, ``(batch, targets, sources)``; or all without batch.
    Source: Vaswani et al., "Attention is all you need" (2017).
    """

    __constants__ = ("batch_first",)

    def __init__(
        self,
        embed_dim: int,
        num_heads: int,
        dropout: float = 0.0,
        bias: bool = True,
        add_bias_kv: bool = False,
        add_zero_attn: bool = False,
        kdim: int | None = None,
        vdim: int | None = None,
        batch_first: bool = False,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        if embed_dim <= 0 or num_heads <= 0:
            raise ValueError(
                f"embed_dim and num_heads must be greater than 0, got embed_dim={embed_dim} and "
                f"num_heads={num_heads} instead"
            )
        self.embed_dim = embed_dim
        self.kdim = kdim if kdim is not None else embed_dim
        self.vdim = vdim if vdim is not None else embed_dim
        self._qkv_same_embed_dim = self.kdim == embed_dim and self.vdim == embed_dim
        self.num_heads = num_heads
        self.dropout = dropout
        self.batch_first = batch_first
        self.head_dim = embed_dim // num_heads
        if self.head_dim * num_heads != embed_dim:
            raise AssertionError("embed_dim must be divisible by num_heads")

        def add(name: str, wanted: bool, *size: int) -> None:
            self.register_parameter(name, Parameter(empty(size, device=device, dtype=dtype)) if wanted else None)

        apart = not self._qkv_same_embed_dim
        if not apart:
            add("in_proj_weight", True, 3 * embed_dim, embed_dim)
        add("q_proj_weight", apart, embed_dim, embed_dim)
        add("k_proj_weight", apart, embed_dim, self.kdim)
        add("v_proj_weight", apart, embed_dim, self.vdim)
        if apart:
            add("in_proj_weight", False)
        add("in_proj_bias", bias, 3 * embed_dim)
        self.out_proj = NonDynamicallyQuantizableLinear(embed_dim, embed_dim, bias=bias, device=device, dtype=dtype)
        add("bias_k", add_bias_kv, 1, 1, embed_dim)
        add("bias_v", add_bias_kv, 1, 1, embed_dim)
        self.add_zero_attn = add_zero_attn
        self._reset_parameters()

    def _reset_parameters(self) -> None:
        for weight in (self.in_proj_weight, self.q_proj_weight, self.k_proj_weight, self.v_proj_weight):
            if weight is not None:
                init.xavier_uniform_(weight)
        if self.in_proj_bias is not None:
            init.constant_(self.in_proj_bias, 0.0)
            init.constant_(self.out_proj.bias, 0.0)
        for extra in (self.bias_k, self.bias_v):
            if extra is not None:
                init.xavier_normal_(extra)

    def forward(
        self,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        key_padding_mask: Tensor | None = None,
        need_weights: bool = True,
        attn_mask: Tensor | None = None,
        average_attn_weights: bool = True,
        is_causal: bool = False,
    ) -> tuple[Tensor, Tensor | None]:
        """The result and, if `need_weights`, the weights; masks as in `functional.multi_head_attention_forward`."""
        swap = self.batch_first and query.dim() == 3
        if swap:  # tensors that are one stay one: then one product projects all three
            seen = {id(x): x.transpose(0, 1) for x in (query, key, value)}
            query, key, value = seen[id(query)], seen[id(key)], seen[id(value)]
        out, weights = F.multi_head_attention_forward(
            query,
            key,
            value,
            self.embed_dim,
            self.num_heads,
            self.in_proj_weight,
            self.in_proj_bias,
            self.bias_k,
            self.bias_v,
            self.add_zero_attn,
            self.dropout,
            self.out_proj.weight,
            self.out_proj.bias,
            training=self.training,
            key_padding_mask=key_padding_mask,
            need_weights=need_weights,
            attn_mask=attn_mask,
            use_separate_proj_weight=not self._qkv_same_embed_dim,
            q_proj_weight=self.q_proj_weight,
            k_proj_weight=self.k_proj_weight,
            v_proj_weight=self.v_proj_weight,
            average_attn_weights=average_attn_weights,
            is_causal=is_causal,
        )
        return out.transpose(0, 1) if swap else out, weights
