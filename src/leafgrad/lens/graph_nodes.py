"""What a recorded graph consists of, as plain data: nodes, their inputs and outputs, and what they save.

A node is a *leaf* (its gradient goes to ``.grad``), an *operation* (its gradient is a buffer of the engine) or a
*constant* (a tensor in which gradient stops). Nodes are numbered in forward order: the inputs of a node come before it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from .places import Place

# Why gradient stops at a tensor; texts in words stand in page/texts.json and tree.py.
FROZEN, INTEGER, DETACHED, NO_GRAD, DATA = "frozen", "integer", "detached", "no_grad", "data"


@dataclass(frozen=True, slots=True)
class Output:
    """A tensor that a node gave, or that a leaf is; its gradient has the same shape, dtype and bytes."""

    shape: tuple[int, ...]
    dtype: str
    bytes: int
    name: str | None = None  # of the variable or parameter, where known
    retained: bool = False  # retain_grad() was called on it


@dataclass(frozen=True, slots=True)
class Input:
    """Where an input came from: output number ``output`` of node ``node``; None where no gradient flows."""

    node: int | None
    output: int = 0


@dataclass(frozen=True, slots=True)
class Saved:
    """A tensor that a node keeps for its derivative."""

    slot: str | None  # PyTorch's name of it: "self", "other", "result"
    name: str | None  # the user's name
    shape: tuple[int, ...] | None  # None where a hook packed it
    dtype: str | None
    storage: int  # number of the memory, the same for all that share it; 0 where a hook packed it
    bytes: int  # of the whole storage, which is what stays alive
    is_result: bool  # the node's own output
    of_leaf: bool  # memory of a leaf or parameter, alive with or without the graph
    writes: int = 0  # in-place writes since it was saved: more than 0 makes backward fail


@dataclass(frozen=True, slots=True)
class GraphNode:
    """One leaf, operation or constant of a graph."""

    index: int
    kind: str  # "leaf", "operation" or "constant"
    type: str  # "MulBackward0", "AccumulateGrad"; "" for a constant
    operation: str  # "mul"; "" for leaves and constants
    inputs: tuple[Input, ...]
    outputs: tuple[Output, ...]
    saved: tuple[Saved, ...] = ()
    released: bool = False  # its saved tensors are gone: backward has run
    sequence: int = 0  # the engine runs greater numbers first
    grad_bytes: int = 0  # of the .grad that a leaf has already
    stop: str | None = None  # constants: why gradient stops here
    place: Place | None = None  # where in the user's source it was made; known only while tracing
    custom: bool = False  # a user's autograd.Function

    @property
    def name(self) -> str | None:
        """The user's name of its first output that has one."""
        return next((output.name for output in self.outputs if output.name), None)

    @property
    def retained(self) -> bool:
        """Does one of its outputs keep its gradient?"""
        return any(output.retained for output in self.outputs)

    @property
    def label(self) -> str:
        """What to call it in one word: its name, or else its operation."""
        return self.name or self.operation or self.kind


_SHORT = {
    "native_layer_norm": "layer_norm",
    "native_batch_norm": "batch_norm",
    "native_group_norm": "group_norm",
    "scaled_dot_product_flash_attention_for_cpu": "attention",
    "smooth_l1loss": "smooth_l1_loss",
    "binary_cross_entropy_with_logits": "bce_with_logits",
    "linalg_vector_norm": "vector_norm",
}


def operation_name(type_name: str) -> str:
    """The function behind a node's type: "mul" for "MulBackward0"; a name without "Backward" stays."""
    stem = re.sub(r"Backward\d*(_copy)?$", "", type_name)
    snake = re.sub(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", stem).lower()
    return _SHORT.get(snake, snake)


def bytes_text(count: int) -> str:
    """A count of bytes with a unit: "8 B", "1.5 KiB"."""
    if count < 1024:
        return f"{count} B"
    size = float(count)
    for unit in ("KiB", "MiB", "GiB", "TiB"):
        size /= 1024
        if size < 1024 or unit == "TiB":
            break
    return f"{size:.3g} {unit}" if size < 1000 else f"{size:.0f} {unit}"


def shape_text(shape: tuple[int, ...] | None) -> str:
    """ "(2, 3)"; "scalar" for no dimensions."""
    if shape is None:
        return "?"
    return "(" + ", ".join(map(str, shape)) + ("," if len(shape) == 1 else "") + ")" if shape else "scalar"
