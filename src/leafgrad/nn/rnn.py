"""Recurrent layers `RNN`, `LSTM` and `GRU`, and their single steps.

`RNNBase` holds the weights and goes through layers and directions; each of those is one native operator
(core/ops/recurrent.cpp). A cell is a layer of one step.
"""

from __future__ import annotations

import math
import numbers
import warnings
from typing import TYPE_CHECKING, Any

from leafgrad import _core
from leafgrad.nn import functional as F
from leafgrad.nn import init
from leafgrad.nn.module import Module
from leafgrad.nn.parameter import Parameter
from leafgrad.nn.utils.rnn import PackedSequence

if TYPE_CHECKING:
    from leafgrad._core import Tensor

__all__ = ["GRU", "LSTM", "RNN", "GRUCell", "LSTMCell", "RNNBase", "RNNCell", "RNNCellBase"]

_GATES = {"LSTM": 4, "GRU": 3, "RNN_TANH": 1, "RNN_RELU": 1}


def _draw_uniformly(module: Module, hidden_size: int) -> None:
    """Every parameter from ``[-s, s]`` with ``s = 1/sqrt(hidden_size)``."""
    bound = 1.0 / math.sqrt(hidden_size) if hidden_size > 0 else 0
    for weight in module.parameters():
        init.uniform_(weight, -bound, bound)


def _reordered(x: Tensor, order: Tensor | None) -> Tensor:
    """The sequences of a state, ``(layers, batch, features)``, in another order."""
    return x if order is None else x.index_select(1, order)


class RNNBase(Module):
    """What the recurrent layers share: weights, checks, and the way through layers and directions.

    Args:
        mode: ``'LSTM'``, ``'GRU'``, ``'RNN_TANH'`` or ``'RNN_RELU'``.
        input_size: number of features of an input.
        hidden_size: number of features of the hidden state.
        num_layers: layers, each on the output of the one before.
        bias: learn additive biases.
        batch_first: sequences are ``(batch, steps, features)`` instead of ``(steps, batch, features)``.
        dropout: probability with which an element between two layers is zeroed in training.
        bidirectional: a second pass from the end to the begin; the outputs of both stand side by side.
        proj_size: size of a learned projection of the hidden state; LSTM only, 0 for none.
        device: where the parameters live.
        dtype: of the parameters.
    """

    __constants__ = (
        "batch_first",
        "bias",
        "bidirectional",
        "dropout",
        "hidden_size",
        "input_size",
        "mode",
        "num_layers",
        "proj_size",
    )

    def __init__(
        self,
        mode: str,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        proj_size: int = 0,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        self.mode = mode
        self.input_size = input_size
        self.hidden_size = hidden_size
        self.num_layers = num_layers
        self.bias = bias
        self.batch_first = batch_first
        self.dropout = float(dropout)
        self.bidirectional = bidirectional
        self.proj_size = proj_size
        self._check_options(dropout)
        self._all_weights: list[list[str]] = []
        for layer in range(num_layers):
            for suffix in self._suffixes(layer):
                names, shapes = self._layout(layer, suffix)
                for name, shape in zip(names, shapes, strict=True):
                    setattr(self, name, Parameter(_core.empty(shape, device=device, dtype=dtype)))
                self._all_weights.append(names)
        self.reset_parameters()

    def _check_options(self, dropout: Any) -> None:
        if not isinstance(dropout, numbers.Number) or not 0 <= dropout <= 1 or isinstance(dropout, bool):
            raise ValueError(
                "dropout should be a number in range [0, 1] representing the probability of an element being zeroed"
            )
        if dropout > 0 and self.num_layers == 1:
            warnings.warn(
                "dropout option adds dropout after all but last recurrent layer, so non-zero dropout expects "
                f"num_layers greater than 1, but got dropout={dropout} and num_layers={self.num_layers}",
                stacklevel=4,
            )
        if not isinstance(self.hidden_size, int):
            raise TypeError(f"hidden_size should be of type int, got: {type(self.hidden_size).__name__}")
        if self.hidden_size <= 0:
            raise ValueError("hidden_size must be greater than zero")
        if self.num_layers <= 0:
            raise ValueError("num_layers must be greater than zero")
        if self.proj_size < 0:
            raise ValueError("proj_size should be a positive integer or zero to disable projections")
        if self.proj_size >= self.hidden_size:
            raise ValueError("proj_size has to be smaller than hidden_size")
        if self.mode not in _GATES:
            raise ValueError("Unrecognized RNN mode: " + self.mode)

    def _suffixes(self, layer: int) -> list[str]:
        """The ends of the names of one layer's weights, one for each direction."""
        return [f"_l{layer}", f"_l{layer}_reverse"] if self.bidirectional else [f"_l{layer}"]

    def _layout(self, layer: int, suffix: str) -> tuple[list[str], list[tuple[int, ...]]]:
        """Names and shapes of the weights of one layer in one direction."""
        gates, state = _GATES[self.mode] * self.hidden_size, self.proj_size or self.hidden_size
        features = self.input_size if layer == 0 else state * (2 if self.bidirectional else 1)
        layout: dict[str, tuple[int, ...]] = {"weight_ih": (gates, features), "weight_hh": (gates, state)}
        if self.bias:
            layout |= {"bias_ih": (gates,), "bias_hh": (gates,)}
        if self.proj_size:
            layout["weight_hr"] = (self.proj_size, self.hidden_size)
        return [name + suffix for name in layout], list(layout.values())

    def reset_parameters(self) -> None:
        """Draw every parameter anew, uniformly from ``[-s, s]`` with ``s = 1/sqrt(hidden_size)``."""
        _draw_uniformly(self, self.hidden_size)

    def flatten_parameters(self) -> None:
        """Nothing: here the weights need not lie side by side."""

    @property
    def all_weights(self) -> list[list[Parameter]]:
        """The weights, a list for each layer and direction."""
        return [[getattr(self, name) for name in names] for names in self._all_weights]

    def extra_repr(self) -> str:
        text = f"{self.input_size}, {self.hidden_size}"
        for name, usual in (
            ("proj_size", 0),
            ("num_layers", 1),
            ("bias", True),
            ("batch_first", False),
            ("dropout", 0),
            ("bidirectional", False),
        ):
            if getattr(self, name) != usual:
                text += f", {name}={getattr(self, name)}"
        return text

    # ---- checks

    def get_expected_hidden_size(self, input: Tensor, batch_sizes: Tensor | None) -> tuple[int, int, int]:
        """Shape of the hidden state for a batch."""
        return self._state_size(input, batch_sizes, self.proj_size or self.hidden_size)

    def get_expected_cell_size(self, input: Tensor, batch_sizes: Tensor | None) -> tuple[int, int, int]:
        """Shape of the cell state for a batch."""
        return self._state_size(input, batch_sizes, self.hidden_size)

    def _state_size(self, input: Tensor, batch_sizes: Tensor | None, features: int) -> tuple[int, int, int]:
        if batch_sizes is not None:
            batch = int(batch_sizes[0])
        else:
            batch = input.shape[0] if self.batch_first else input.shape[1]
        return self.num_layers * (2 if self.bidirectional else 1), batch, features

    def check_input(self, input: Tensor, batch_sizes: Tensor | None) -> None:
        """Refuse an input of another dtype or shape than the weights take."""
        dtype = getattr(self, self._all_weights[0][0]).dtype
        if input.dtype != dtype:
            raise ValueError(f"input must have the type {dtype}, got type {input.dtype}")
        dims = 3 if batch_sizes is None else 2
        if input.dim() != dims:
            raise RuntimeError(f"input must have {dims} dimensions, got {input.dim()}")
        if input.shape[-1] != self.input_size:
            raise RuntimeError(
                f"input.size(-1) must be equal to input_size. Expected {self.input_size}, got {input.shape[-1]}"
            )

    def check_hidden_size(
        self, hx: Tensor, expected_hidden_size: tuple[int, int, int], msg: str = "Expected hidden size {}, got {}"
    ) -> None:
        """Refuse a state of another shape."""
        if tuple(hx.shape) != tuple(expected_hidden_size):
            raise RuntimeError(msg.format(tuple(expected_hidden_size), list(hx.shape)))

    # ---- the computation

    def _run(
        self, x: Tensor, batch_sizes: Tensor | None, hx: Tensor | None, cx: Tensor | None
    ) -> tuple[Tensor, Tensor, Tensor | None]:
        """Through all layers: the last one's output, and the last states of all.

        x is ``(steps, batch, features)``, or the rows of packed sequences.
        """
        lstm, sizes = self.mode == "LSTM", None if batch_sizes is None else batch_sizes.tolist()
        batch = x.shape[1] if sizes is None else sizes[0]

        def start(given: Tensor | None, index: int, features: int) -> Tensor:
            return x.new_zeros(batch, features) if given is None else given[index]

        hs, cs = [], []
        directions = 2 if self.bidirectional else 1
        for layer in range(self.num_layers):
            outs = []
            for direction in range(directions):
                index = layer * directions + direction
                names = self._all_weights[index]
                weights = {name.partition("_l")[0]: getattr(self, name) for name in names}
                h = start(hx, index, self.proj_size or self.hidden_size)
                c = start(cx, index, self.hidden_size) if lstm else None
                out, *state = _core._recurrent(self.mode, x, sizes, h, cx=c, reverse=direction == 1, **weights)
                outs.append(out)
                hs.append(state[0])
                cs.extend(state[1:])
            x = outs[0] if directions == 1 else _core.cat(outs, -1)
            if self.dropout and layer + 1 < self.num_layers:
                x = F.dropout(x, self.dropout, self.training)

        def together(states: list[Tensor]) -> Tensor:
            return states[0].unsqueeze(0) if len(states) == 1 else _core.stack(states)

        return x, together(hs), together(cs) if lstm else None

    def _forward(
        self, input: Tensor | PackedSequence, states: tuple[Tensor, ...] | None
    ) -> tuple[Tensor | PackedSequence, Tensor, Tensor | None]:
        """Checks and layouts around `_run`: `states` and the result are as the user sees them."""
        packed = input if isinstance(input, PackedSequence) else None
        x, batch_sizes = (input, None) if packed is None else (packed.data, packed.batch_sizes)
        batched = packed is not None or x.dim() == 3
        if not batched:
            x = x.unsqueeze(0 if self.batch_first else 1)
            states = states and tuple(s.unsqueeze(1) for s in states)
        self.check_input(x, batch_sizes)
        if states:
            if packed is not None:
                states = tuple(_reordered(s, packed.sorted_indices) for s in states)
            self._check_states(x, batch_sizes, states)
        swap = self.batch_first and packed is None
        hx, cx = (*states, None)[:2] if states else (None, None)
        out, h, c = self._run(x.transpose(0, 1) if swap else x, batch_sizes, hx, cx)
        if packed is not None:
            back = packed.unsorted_indices
            result = PackedSequence(out, batch_sizes, packed.sorted_indices, back)
            return result, _reordered(h, back), c if c is None else _reordered(c, back)
        out = out.transpose(0, 1) if swap else out
        if batched:
            return out, h, c
        return out.squeeze(0 if self.batch_first else 1), h.squeeze(1), c if c is None else c.squeeze(1)

    def _check_states(self, x: Tensor, batch_sizes: Tensor | None, states: tuple[Tensor, ...]) -> None:
        self.check_hidden_size(states[0], self.get_expected_hidden_size(x, batch_sizes))

    def _check_dims(self, input: Tensor | PackedSequence) -> None:
        name = type(self).__name__ if type(self).__name__ in ("LSTM", "GRU") else "RNN"
        if not isinstance(input, PackedSequence) and input.dim() not in (2, 3):
            raise ValueError(f"{name}: Expected input to be 2D or 3D, got {input.dim()}D instead")

    def forward(
        self, input: Tensor | PackedSequence, hx: Tensor | None = None
    ) -> tuple[Tensor | PackedSequence, Tensor]:
        self._check_dims(input)
        if hx is not None and not isinstance(input, PackedSequence) and hx.dim() != input.dim():
            kind = "unbatched 2-D" if input.dim() == 2 else "batched 3-D"
            raise RuntimeError(f"For {kind} input, hx should also be {input.dim()}-D but got {hx.dim()}-D tensor")
        out, h, _ = self._forward(input, None if hx is None else (hx,))
        return out, h


class RNN(RNNBase):
    """Elman's recurrent layer, ``h = tanh(x W_ih^T + b_ih + h W_hh^T + b_hh)``, or with ReLU.

    Args:
        input_size: number of features of an input.
        hidden_size: number of features of the hidden state.
        num_layers: layers, each on the output of the one before.
        nonlinearity: ``'tanh'`` or ``'relu'``.
        bias: learn additive biases.
        batch_first: sequences are ``(batch, steps, features)`` instead of ``(steps, batch, features)``.
        dropout: probability with which an element between two layers is zeroed in training.
        bidirectional: a second pass from the end to the begin; the outputs of both stand side by side.
        device: where the parameters live.
        dtype: of the parameters.

    Shape: ``(steps, batch, input_size), (layers * directions, batch, hidden_size) -> (steps, batch, directions *
    hidden_size)`` and the last state; without batch, or a `PackedSequence`, likewise.
    Source: Elman, "Finding structure in time" (1990).
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        if "proj_size" in kwargs:
            raise ValueError("proj_size argument is only supported for LSTM, not RNN or GRU")
        if len(args) > 3:
            nonlinearity, args = args[3], args[:3] + args[4:]
        else:
            nonlinearity = kwargs.pop("nonlinearity", "tanh")
        if nonlinearity not in ("tanh", "relu"):
            raise ValueError(f"Unknown nonlinearity '{nonlinearity}'. Select from 'tanh' or 'relu'.")
        super().__init__(f"RNN_{nonlinearity.upper()}", *args, **kwargs)
        self.nonlinearity = nonlinearity


class GRU(RNNBase):
    """Gated recurrent unit: ``r, z = sigmoid``, ``n = tanh(x W_in^T + b_in + r (h W_hn^T + b_hn))``,
    ``h = (1 - z) n + z h``.

    Arguments and shapes are those of `RNN`, without `nonlinearity`.
    Source: Cho et al., "Learning phrase representations using RNN encoder-decoder" (2014); the reset gate applied after
    the product, as there in the appendix's second form.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        if "proj_size" in kwargs:
            raise ValueError("proj_size argument is only supported for LSTM, not RNN or GRU")
        super().__init__("GRU", *args, **kwargs)


class LSTM(RNNBase):
    """Long short-term memory: ``c = f c + i g``, ``h = o tanh(c)`` with ``i, f, o = sigmoid`` and ``g = tanh`` of
    ``x W_ih^T + b_ih + h W_hh^T + b_hh``.

    Arguments are those of `RNN` without `nonlinearity`, and `proj_size`: then ``h = (o tanh(c)) W_hr^T``.

    Shape: as of `RNN`, with a pair ``(h, c)`` for the state; h has `proj_size` features if that is not 0.
    Source: Hochreiter and Schmidhuber, "Long short-term memory" (1997), with the forget gate of Gers et al. (2000).
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__("LSTM", *args, **kwargs)

    def _check_states(self, x: Tensor, batch_sizes: Tensor | None, states: tuple[Tensor, ...]) -> None:
        expected = self.get_expected_hidden_size(x, batch_sizes), self.get_expected_cell_size(x, batch_sizes)
        for i, (state, size) in enumerate(zip(states, expected, strict=True)):
            self.check_hidden_size(state, size, f"Expected hidden[{i}] size {{}}, got {{}}")

    def forward(  # type: ignore[override]
        self, input: Tensor | PackedSequence, hx: tuple[Tensor, Tensor] | None = None
    ) -> tuple[Tensor | PackedSequence, tuple[Tensor, Tensor]]:
        self._check_dims(input)
        if hx is not None and not isinstance(input, PackedSequence):
            dims = hx[0].dim(), hx[1].dim()
            if dims != (input.dim(), input.dim()):
                kind = "unbatched 2-D" if input.dim() == 2 else "batched 3-D"
                raise RuntimeError(
                    f"For {kind} input, hx and cx should also be {input.dim()}-D but got "
                    f"({dims[0]}-D, {dims[1]}-D) tensors"
                )
        out, h, c = self._forward(input, None if hx is None else tuple(hx))
        return out, (h, c)


class RNNCellBase(Module):
    """What the cells share: four weights, drawn as a layer's are."""

    __constants__ = ("bias", "hidden_size", "input_size")

    def __init__(
        self, input_size: int, hidden_size: int, bias: bool, num_chunks: int, device: Any = None, dtype: Any = None
    ) -> None:
        super().__init__()
        self.input_size = input_size
        self.hidden_size = hidden_size
        self.bias = bias
        gates = num_chunks * hidden_size
        self.weight_ih = Parameter(_core.empty((gates, input_size), device=device, dtype=dtype))
        self.weight_hh = Parameter(_core.empty((gates, hidden_size), device=device, dtype=dtype))
        for name in ("bias_ih", "bias_hh"):
            self.register_parameter(name, Parameter(_core.empty(gates, device=device, dtype=dtype)) if bias else None)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw every parameter anew, uniformly from ``[-s, s]`` with ``s = 1/sqrt(hidden_size)``."""
        _draw_uniformly(self, self.hidden_size)

    def extra_repr(self) -> str:
        text = f"{self.input_size}, {self.hidden_size}"
        if self.bias is not True:
            text += f", bias={self.bias}"
        if getattr(self, "nonlinearity", "tanh") != "tanh":
            text += f", nonlinearity={self.nonlinearity}"
        return text

    def _step(self, mode: str, input: Tensor, states: dict[str, Tensor | None]) -> list[Tensor]:
        """The new states; a state is ``(batch, hidden_size)``, or None for zeros, and batch may be missing."""
        name = type(self).__name__
        if input.dim() not in (1, 2):
            raise ValueError(f"{name}: Expected input to be 1D or 2D, got {input.dim()}D instead")
        for label, state in states.items():
            if state is not None and state.dim() not in (1, 2):
                raise ValueError(f"{name}: Expected {label} to be 1D or 2D, got {state.dim()}D instead")
        x = input if input.dim() == 2 else input.unsqueeze(0)
        given = [
            x.new_zeros(x.shape[0], self.hidden_size) if s is None else s if input.dim() == 2 else s.unsqueeze(0)
            for s in states.values()
        ]
        if x.shape[1] != self.input_size:
            raise RuntimeError(f"input has inconsistent input_size: got {x.shape[1]} expected {self.input_size}")
        for i, s in enumerate(given):
            if s.shape[0] != x.shape[0]:
                raise RuntimeError(f"Input batch size {x.shape[0]} doesn't match hidden{i} batch size {s.shape[0]}")
            if s.shape[-1] != self.hidden_size:
                raise RuntimeError(
                    f"hidden{i} has inconsistent hidden_size: got {s.shape[-1]}, expected {self.hidden_size}"
                )
        weights = (self.weight_ih, self.weight_hh)
        _, *new = _core._recurrent(
            mode, x.unsqueeze(0), None, given[0], *weights, (*given, None)[1], self.bias_ih, self.bias_hh
        )
        return new if input.dim() == 2 else [s.squeeze(0) for s in new]


class RNNCell(RNNCellBase):
    """One step of `RNN`: ``(batch, input_size), (batch, hidden_size) -> (batch, hidden_size)``, or without batch.

    Args:
        input_size: number of features of an input.
        hidden_size: number of features of the hidden state.
        bias: learn additive biases.
        nonlinearity: ``'tanh'`` or ``'relu'``.
        device: where the parameters live.
        dtype: of the parameters.
    """

    __constants__ = ("bias", "hidden_size", "input_size", "nonlinearity")

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        nonlinearity: str = "tanh",
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(input_size, hidden_size, bias, 1, device, dtype)
        self.nonlinearity = nonlinearity

    def forward(self, input: Tensor, hx: Tensor | None = None) -> Tensor:
        if self.nonlinearity not in ("tanh", "relu"):
            raise RuntimeError(f"Unknown nonlinearity: {self.nonlinearity}")
        return self._step(f"RNN_{self.nonlinearity.upper()}", input, {"hidden": hx})[0]


class LSTMCell(RNNCellBase):
    """One step of `LSTM`: ``(batch, input_size), ((batch, hidden_size),) * 2 -> (h, c)``, or without batch.

    Args:
        input_size: number of features of an input.
        hidden_size: number of features of the hidden state.
        bias: learn additive biases.
        device: where the parameters live.
        dtype: of the parameters.
    """

    def __init__(
        self, input_size: int, hidden_size: int, bias: bool = True, device: Any = None, dtype: Any = None
    ) -> None:
        super().__init__(input_size, hidden_size, bias, 4, device, dtype)

    def forward(self, input: Tensor, hx: tuple[Tensor, Tensor] | None = None) -> tuple[Tensor, Tensor]:
        h, c = (None, None) if hx is None else hx
        h, c = self._step("LSTM", input, {"hx[0]": h, "hx[1]": c})
        return h, c


class GRUCell(RNNCellBase):
    """One step of `GRU`: ``(batch, input_size), (batch, hidden_size) -> (batch, hidden_size)``, or without batch.

    Args:
        input_size: number of features of an input.
        hidden_size: number of features of the hidden state.
        bias: learn additive biases.
        device: where the parameters live.
        dtype: of the parameters.
    """

    def __init__(
        self, input_size: int, hidden_size: int, bias: bool = True, device: Any = None, dtype: Any = None
    ) -> None:
        super().__init__(input_size, hidden_size, bias, 3, device, dtype)

    def forward(self, input: Tensor, hx: Tensor | None = None) -> Tensor:
        return self._step("GRU", input, {"hidden": hx})[0]
