"""Derivatives of a function of tensors: ``vjp``, ``jvp``, ``jacobian``, ``hessian``, ``vhp``, ``hvp``.

All of them call the function on inputs that are cut off from their own graph, unless `create_graph` asks to keep it,
and differentiate what it returns. Forward products use the double-backward trick: the VJP ``u -> u @ J`` is linear in
its cotangent ``u``, so differentiating it once more, with respect to ``u``, gives ``v -> J @ v``.

Inputs, outputs and vectors are tensors or tuples of tensors; a result has the nesting of what it belongs to.
With ``strict=True`` an output that does not depend on an input, or is not recorded, is an error instead of a zero.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from leafgrad import _core
from leafgrad._core import Tensor

from ._backward import grad
from .grad_mode import enable_grad

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeAlias

    Tensors: TypeAlias = Tensor | tuple[Tensor, ...]

__all__ = ["hessian", "hvp", "jacobian", "jvp", "vhp", "vjp"]

_NOT_STRICT = "This is not allowed in strict mode"
_FROM_FUNCTION = "outputs of the user-provided function"


def vjp(
    func: Callable[..., Tensors],
    inputs: Tensors,
    v: Tensors | None = None,
    create_graph: bool = False,
    strict: bool = False,
) -> tuple[Tensors, Tensors]:
    """``func(*inputs)`` and the product of `v` with its Jacobian, ``v @ J``.

    Args:
        func: takes tensors, returns a tensor or a tuple of tensors.
        inputs: its arguments.
        v: one cotangent for each output, of its shape; may be left out for a single output of one element.
        create_graph: both results can be differentiated again.
        strict: raise where an output does not depend on an input.

    >>> import leafgrad
    >>> vjp(lambda x: x**2, leafgrad.tensor([1.0, 2.0]), leafgrad.tensor([1.0, 10.0]))
    (tensor([1., 4.]), tensor([ 2., 40.]))
    """
    with enable_grad():
        is_tuple, primals = _as_tuple(inputs, "inputs", "vjp")
        primals = _prepare(primals, create_graph)
        outputs_are_tuple, outputs = _as_tuple(func(*primals), _FROM_FUNCTION, "vjp")
        _require_recorded_outputs(outputs, strict)
        cotangents = _vector(v, outputs, outputs_are_tuple, create_graph, "vjp", "user-provided function returns")
    grads = _partials(outputs, primals, cotangents, create_graph=create_graph)
    result = _complete(grads, primals, strict, create_graph, _INDEPENDENT_OUTPUT, "jacobian")
    return _packed(outputs, outputs_are_tuple, create_graph), _packed(result, is_tuple, create_graph)


def jvp(
    func: Callable[..., Tensors],
    inputs: Tensors,
    v: Tensors | None = None,
    create_graph: bool = False,
    strict: bool = False,
) -> tuple[Tensors, Tensors]:
    """``func(*inputs)`` and the product of its Jacobian with `v`, ``J @ v``.

    Args:
        func: takes tensors, returns a tensor or a tuple of tensors.
        inputs: its arguments.
        v: one tangent for each input, of its shape; may be left out for a single input of one element.
        create_graph: both results can be differentiated again.
        strict: raise where an output does not depend on an input.

    Costs two backward passes: `func` has to be twice differentiable, at least formally.

    >>> import leafgrad
    >>> jvp(lambda x: x**2, leafgrad.tensor([1.0, 2.0]), leafgrad.tensor([1.0, 10.0]))
    (tensor([1., 4.]), tensor([ 2., 40.]))
    """
    with enable_grad():
        is_tuple, primals = _as_tuple(inputs, "inputs", "jvp")
        primals = _prepare(primals, create_graph)
        tangents = _vector(v, primals, is_tuple, create_graph, "jvp", "input to the user-provided function is")
        outputs_are_tuple, outputs = _as_tuple(func(*primals), _FROM_FUNCTION, "jvp")
        _require_recorded_outputs(outputs, strict)
        cotangents, grads = _linear_vjp(outputs, primals)
        _require_recorded(grads, strict, _CONSTANT_GRADIENT)
    products = _partials(grads, cotangents, tangents, create_graph=create_graph)
    result = _complete(products, outputs, strict, create_graph, _INDEPENDENT_COTANGENT, "jacobian")
    return _packed(outputs, outputs_are_tuple, create_graph), _packed(result, outputs_are_tuple, create_graph)


def jacobian(
    func: Callable[..., Tensors],
    inputs: Tensors,
    create_graph: bool = False,
    strict: bool = False,
    vectorize: bool = False,
    strategy: str = "reverse-mode",
) -> Any:
    """All partial derivatives of `func` at `inputs`.

    Args:
        func: takes tensors, returns a tensor or a tuple of tensors.
        inputs: its arguments.
        create_graph: the result can be differentiated again.
        strict: raise where an output does not depend on an input.
        vectorize: ask for all rows in one call; they are still computed one after the other.
        strategy: ``"reverse-mode"`` takes one backward pass for each element of the outputs; ``"forward-mode"``, with
            ``vectorize=True`` only, one for each element of the inputs.

    Returns a tensor of shape ``output.shape + input.shape``; a tuple of them over the inputs, over the outputs, or over
    outputs and then inputs, as these are tuples.

    >>> import leafgrad
    >>> jacobian(lambda x: x**2, leafgrad.tensor([1.0, 2.0]))
    tensor([[2., 0.],
            [0., 4.]])
    """
    if strategy not in ("forward-mode", "reverse-mode"):
        raise AssertionError(
            f'jacobian: expected strategy to be either "forward-mode" or "reverse-mode", got {strategy!r}. Forward '
            "mode is the cheaper one where there are fewer inputs than outputs."
        )
    if strategy == "forward-mode":
        return _forward_jacobian(func, inputs, create_graph, strict, vectorize)
    if vectorize and strict:
        raise RuntimeError(
            "jacobian: `strict=True` and `vectorized=True` are not supported together. Please either set "
            "`strict=False` or `vectorize=False`."
        )
    with enable_grad():
        is_tuple, primals = _as_tuple(inputs, "inputs", "jacobian")
        primals = _prepare(primals, create_graph)
        outputs_are_tuple, outputs = _as_tuple(func(*primals), _FROM_FUNCTION, "jacobian")
        _require_recorded_outputs(outputs, strict)
        blocks = [_rows(i, output, primals, create_graph, strict) for i, output in enumerate(outputs)]
    return _packed_blocks(blocks, outputs_are_tuple, is_tuple, create_graph)


def hessian(
    func: Callable[..., Tensor],
    inputs: Tensors,
    create_graph: bool = False,
    strict: bool = False,
    vectorize: bool = False,
    outer_jacobian_strategy: str = "reverse-mode",
) -> Any:
    """All second derivatives of `func`, which returns one element, at `inputs`.

    Args:
        func: takes tensors, returns a tensor of one element.
        inputs: its arguments.
        create_graph: the result can be differentiated again.
        strict: raise where the gradient does not depend on an input.
        vectorize: as for `jacobian`.
        outer_jacobian_strategy: how the Jacobian of the gradient is computed, as for `jacobian`.

    Returns a tensor of shape ``x.shape + x.shape``, or for a tuple of inputs a tuple of tuples of them.

    >>> import leafgrad
    >>> hessian(lambda x: (x**3).sum(), leafgrad.tensor([1.0, 2.0]))
    tensor([[ 6.,  0.],
            [ 0., 12.]])
    """
    is_tuple, primals = _as_tuple(inputs, "inputs", "hessian")
    if outer_jacobian_strategy not in ("forward-mode", "reverse-mode"):
        raise AssertionError('Expected strategy to be either "forward-mode" or "reverse-mode".')

    def scalar(*args: Tensor) -> Tensor:
        output = _single_element(func(*args), strict, "hessian")
        return output.squeeze()

    def gradient(*args: Tensor) -> Any:
        result = jacobian(scalar, args, create_graph=True)
        _require_recorded(result, strict, _CONSTANT_JACOBIAN)
        return result

    blocks = jacobian(
        gradient,
        primals,
        create_graph=create_graph,
        strict=strict,
        vectorize=vectorize,
        strategy=outer_jacobian_strategy,
    )
    return blocks if is_tuple else blocks[0][0]


def vhp(
    func: Callable[..., Tensor],
    inputs: Tensors,
    v: Tensors | None = None,
    create_graph: bool = False,
    strict: bool = False,
) -> tuple[Tensor, Tensors]:
    """``func(*inputs)`` and the product of `v` with its Hessian, ``v @ H``.

    Args:
        func: takes tensors, returns a tensor of one element.
        inputs: its arguments.
        v: one tensor for each input, of its shape; may be left out for a single input of one element.
        create_graph: both results can be differentiated again.
        strict: raise where the gradient does not depend on an input.

    Where the Hessian is symmetric this is ``H @ v`` at less than `hvp` costs.

    >>> import leafgrad
    >>> vhp(lambda x: (x**3).sum(), leafgrad.tensor([1.0, 2.0]), leafgrad.ones(2))
    (tensor(9.), tensor([ 6., 12.]))
    """
    with enable_grad():
        is_tuple, primals = _as_tuple(inputs, "inputs", "vhp")
        primals = _prepare(primals, create_graph)
        cotangents = _vector(v, primals, is_tuple, create_graph, "vhp", "input to the user-provided function is")
        output = _single_element(func(*primals), strict, "vhp")
        slopes = _partials((output,), primals, create_graph=True)
        _require_recorded(slopes, strict, _CONSTANT_JACOBIAN)
    products = _partials(slopes, primals, cotangents, create_graph=create_graph)
    result = _complete(products, primals, strict, create_graph, _INDEPENDENT_JACOBIAN, "hessian")
    return _packed((output,), False, create_graph), _packed(result, is_tuple, create_graph)


def hvp(
    func: Callable[..., Tensor],
    inputs: Tensors,
    v: Tensors | None = None,
    create_graph: bool = False,
    strict: bool = False,
) -> tuple[Tensor, Tensors]:
    """``func(*inputs)`` and the product of its Hessian with `v`, ``H @ v``.

    Args:
        func: takes tensors, returns a tensor of one element.
        inputs: its arguments.
        v: one tensor for each input, of its shape; may be left out for a single input of one element.
        create_graph: both results can be differentiated again.
        strict: raise where the gradient does not depend on an input.

    Costs one backward pass more than `vhp`.

    >>> import leafgrad
    >>> hvp(lambda x: (x**3).sum(), leafgrad.tensor([1.0, 2.0]), leafgrad.ones(2))
    (tensor(9.), tensor([ 6., 12.]))
    """
    with enable_grad():
        is_tuple, primals = _as_tuple(inputs, "inputs", "hvp")
        primals = _prepare(primals, create_graph)
        tangents = _vector(v, primals, is_tuple, create_graph, "hvp", "input to the user-provided function is")
        output = _single_element(func(*primals), strict, "hvp")
        slopes = _partials((output,), primals, create_graph=True)
        _require_recorded(slopes, strict, _CONSTANT_JACOBIAN)
        cotangents, grads = _linear_vjp(slopes, primals, like=primals)
    products = _partials(grads, cotangents, tangents, create_graph=create_graph)
    result = _complete(products, primals, strict, create_graph, _INDEPENDENT_GRAD_JACOBIAN, "hessian")
    return _packed((output,), False, create_graph), _packed(result, is_tuple, create_graph)


def _rows(
    index: int, output: Tensor, primals: tuple[Tensor, ...], create_graph: bool, strict: bool
) -> tuple[Tensor, ...]:
    """The Jacobian of one output with respect to each of `primals`, one backward pass for each element."""
    flat = output.reshape(-1)
    if flat.numel() == 0:
        return tuple(x.new_zeros((*output.shape, *x.shape)) for x in primals)
    columns: tuple[list[Tensor], ...] = tuple([] for _ in primals)
    for j in range(flat.numel()):
        partials = _partials((flat[j],), primals, create_graph=create_graph, retain_graph=True)
        for k, (column, partial, x) in enumerate(zip(columns, partials, primals, strict=True)):
            if partial is None:
                if strict:
                    raise RuntimeError(
                        f"Output {index} of the user-provided function is independent of input {k}. {_NOT_STRICT}."
                    )
                partial = _core.zeros_like(x)
            elif strict and create_graph and not partial.requires_grad:
                raise RuntimeError(
                    f"The jacobian of the user-provided function is independent of input {k}. {_NOT_STRICT} when "
                    "create_graph=True."
                )
            column.append(partial)
    return tuple(
        _core.stack(column).view((*output.shape, *x.shape)) for column, x in zip(columns, primals, strict=True)
    )


def _forward_jacobian(func: Any, inputs: Any, create_graph: bool, strict: bool, vectorize: bool) -> Any:
    """The Jacobian column by column, each the product with one unit vector of the inputs."""
    advice = 'Please either set `{}` or `strategy="reverse-mode"`.'
    if create_graph:
        raise NotImplementedError(
            'jacobian: `create_graph=True` and `strategy="forward-mode"` are not supported together (yet). '
            + advice.format("create_graph=False")
        )
    if strict:
        raise RuntimeError(
            'jacobian: `strict=True` and `strategy="forward-mode"` are not supported together (yet). '
            + advice.format("strict=False")
        )
    if not vectorize:
        raise NotImplementedError(
            "Computing Jacobian using forward-AD or forward-over-reverse Hessian is only implemented for "
            "`vectorize=True`."
        )
    with enable_grad():
        is_tuple, primals = _as_tuple(inputs, "inputs", "jacobian")
        primals = _prepare(primals, create_graph=False)
        outputs_are_tuple, outputs = _as_tuple(func(*primals), "outputs", "jacobian")
        cotangents, grads = _linear_vjp(outputs, primals)
    by_input = []  # by input, then by output
    for k, x in enumerate(primals):
        columns: list[tuple[Tensor, ...]] = []
        for j in range(x.numel()):
            unit = tuple(_core.zeros_like(other) for other in primals)
            unit[k].view(-1)[j] = 1
            products = _partials(grads, cotangents, unit, retain_graph=True)
            columns.append(
                tuple(_core.zeros_like(o) if p is None else p for p, o in zip(products, outputs, strict=True))
            )
        by_input.append(
            tuple(
                _core.stack([column[i] for column in columns], dim=-1).reshape((*output.shape, *x.shape))
                if columns
                else output.new_zeros((*output.shape, *x.shape))
                for i, output in enumerate(outputs)
            )
        )
    blocks = tuple(zip(*by_input, strict=True))
    return _packed_blocks(blocks, outputs_are_tuple, is_tuple, create_graph=False)


def _linear_vjp(outputs: Any, primals: tuple[Tensor, ...], like: Any = None) -> tuple[Any, Any]:
    """Cotangents ``u`` of `outputs`, all zero, and ``u @ J`` with its graph, to be differentiated in ``u``."""
    cotangents = tuple(_core.zeros_like(o, requires_grad=True) for o in (outputs if like is None else like))
    return cotangents, _partials(outputs, primals, cotangents, create_graph=True)


def _partials(
    outputs: Any, inputs: Any, cotangents: Any = None, create_graph: bool = False, retain_graph: bool | None = None
) -> tuple[Tensor | None, ...]:
    """`grad`, with None for what does not depend; outputs that are None or not recorded contribute nothing."""
    if cotangents is None:
        cotangents = (None,) * len(outputs)
    pairs = [(y, g) for y, g in zip(outputs, cotangents, strict=True) if y is not None and y.requires_grad]
    if not pairs:
        return (None,) * len(inputs)
    roots, weights = zip(*pairs, strict=True)
    return grad(roots, inputs, weights, allow_unused=True, create_graph=create_graph, retain_graph=retain_graph)


def _as_tuple(value: Any, what: str, caller: str) -> tuple[bool, tuple[Tensor, ...]]:
    """Whether `value` is a tuple, and `value` as a tuple; checked to hold tensors only."""
    is_tuple = isinstance(value, tuple)
    items = value if is_tuple else (value,)
    for i, item in enumerate(items):
        if not isinstance(item, Tensor):
            which = f"the value at index {i}" if is_tuple else f"the given {what}"
            raise TypeError(
                f"The {what} given to {caller} must be either a Tensor or a tuple of Tensors but {which} has type "
                f"{type(item)}."
            )
    return is_tuple, items


def _prepare(inputs: tuple[Tensor, ...], create_graph: bool, need_graph: bool = True) -> tuple[Tensor, ...]:
    """The inputs to differentiate at: views that stay in the caller's graph, or leaves of a graph of our own."""
    return tuple(
        x.view_as(x) if create_graph and x.requires_grad else x.detach().requires_grad_(need_graph) for x in inputs
    )


def _vector(
    v: Any, like: tuple[Tensor, ...], like_is_tuple: bool, create_graph: bool, caller: str, single: str
) -> tuple[Tensor, ...] | None:
    """The checked vector of a product, or None where it is left out and each of `like` is a single element."""
    if v is None:
        if len(like) != 1 or like[0].numel() != 1:
            raise RuntimeError(
                f"{caller}: The vector v can only be None if the {single} a single Tensor with a single element."
            )
        return None
    _, vectors = _as_tuple(v, "v", caller)
    vectors = _prepare(vectors, create_graph, need_graph=False)
    if len(vectors) != len(like):
        if like_is_tuple:
            raise RuntimeError(f"v is a tuple of invalid length: should be {len(like)} but got {len(vectors)}.")
        raise RuntimeError(f"The given v should contain a single Tensor, got {len(vectors)}.")
    for i, (vector, other) in enumerate(zip(vectors, like, strict=True)):
        if vector.shape != other.shape:
            entry = f"Entry {i} in " if like_is_tuple else ""
            raise RuntimeError(f"{entry}v has invalid size: should be {other.shape} but got {vector.shape}.")
    return vectors


def _single_element(output: Any, strict: bool, caller: str) -> Tensor:
    is_tuple, outputs = _as_tuple(output, _FROM_FUNCTION, caller)
    _require_recorded_outputs(outputs, strict)
    if is_tuple:
        raise RuntimeError(f"The function given to {caller} should return a single Tensor")
    if output.numel() != 1:
        raise RuntimeError(
            f"The Tensor returned by the function given to {caller} should contain a single element, and has shape "
            f"{tuple(output.shape)}"
        )
    return output


# What strict mode says, {} being the index of the input.
_CONSTANT_GRADIENT = "The gradient with respect to input {} is independent of the inputs of the user-provided function."
_CONSTANT_JACOBIAN = (
    "The jacobian of the user-provided function with respect to input {} is independent of the input: the function is "
    "linear in it, or not twice differentiable."
)
_INDEPENDENT_OUTPUT = "The output of the user-provided function is independent of input {}."
_INDEPENDENT_COTANGENT = (
    "The gradient with respect to the input is independent of entry {} in the grad_outputs when using the double "
    "backward trick to compute forward mode gradients."
)
_INDEPENDENT_JACOBIAN = "The jacobian of the user-provided function is independent of input {}."
_INDEPENDENT_GRAD_JACOBIAN = (
    "The hessian of the user-provided function is independent of entry {} in the grad_jacobian, so the double backward "
    "trick cannot stand for forward mode."
)


def _require_recorded_outputs(outputs: tuple[Tensor, ...], strict: bool) -> None:
    _require_recorded(
        outputs,
        strict,
        "Output {} of the user-provided function does not require gradients. The outputs must be computed in a "
        "differentiable manner from the input when running in strict mode.",
    )


def _require_recorded(tensors: Any, strict: bool, message: str) -> None:
    """In strict mode, refuse a derivative that is missing or constant."""
    if not strict:
        return
    for i, tensor in enumerate(tensors):
        if tensor is None:
            raise RuntimeError(f"{_INDEPENDENT_OUTPUT.format(i)} {_NOT_STRICT}.")
        if not tensor.requires_grad:
            raise RuntimeError(f"{message.format(i)} {_NOT_STRICT}.")


def _complete(grads: Any, like: Any, strict: bool, create_graph: bool, message: str, of: str) -> tuple[Tensor, ...]:
    """`grads` with zeros for what is missing; in strict mode, an error for what is missing or constant."""
    result = []
    for i, (g, other) in enumerate(zip(grads, like, strict=True)):
        if g is None:
            if strict:
                raise RuntimeError(f"{message.format(i)} {_NOT_STRICT}.")
            g = _core.zeros_like(other)
        elif strict and create_graph and not g.requires_grad:
            raise RuntimeError(
                f"The {of} of the user-provided function is independent of input {i}. {_NOT_STRICT} when "
                "create_graph=True."
            )
        result.append(g)
    return tuple(result)


def _packed(tensors: tuple[Tensor, ...], as_tuple: bool, create_graph: bool) -> Any:
    """`tensors` as the user gets them: cut off from the graph unless it was asked for, alone unless a tuple."""
    if not create_graph:
        tensors = tuple(tensor.detach() for tensor in tensors)
    return tensors if as_tuple else tensors[0]


def _packed_blocks(blocks: Any, outputs_are_tuple: bool, inputs_are_tuple: bool, create_graph: bool) -> Any:
    rows = tuple(_packed(row, inputs_are_tuple, create_graph) for row in blocks)
    return rows if outputs_are_tuple else rows[0]
