"""Operators that are short compositions of native ones: value and derivative follow from their parts.

A function here is ``leafgrad.<name>``; with ``@tensor_method`` it is a method of Tensor too. ``@with_out`` adds the
keyword ``out=``, ``@with_inplace`` the method with an underscore. They are ordered by what they do: shapes, arithmetic,
comparison, reductions, products.
"""

from __future__ import annotations

import functools
import math
from typing import TYPE_CHECKING, Any

from leafgrad import _core
from leafgrad._core import Size, Tensor
from leafgrad._tensor import tensor_method

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from leafgrad.lens.trace import Trace

__all__ = [
    "adjoint",
    "allclose",
    "atleast_1d",
    "atleast_2d",
    "atleast_3d",
    "broadcast_shapes",
    "broadcast_tensors",
    "cdist",
    "column_stack",
    "cosine_similarity",
    "deg2rad",
    "diff",
    "dstack",
    "einsum",
    "equal",
    "fliplr",
    "flipud",
    "hstack",
    "isclose",
    "isreal",
    "kron",
    "logit",
    "meshgrid",
    "pairwise_distance",
    "rad2deg",
    "rot90",
    "row_stack",
    "tensordot",
    "tile",
    "trace",
    "vander",
    "vstack",
]


# ---- Forms of an operator --------------------------------------------------------------------------------------------


def _write(name: str, result: Tensor, out: Tensor) -> Tensor:
    """`out`, resized if need be and holding `result`."""
    if result.requires_grad or (out.requires_grad and _core.is_grad_enabled()):
        raise RuntimeError(
            f"{name}(): functions with out=... arguments don't support automatic differentiation, "
            "but one of the arguments requires grad."
        )
    if not _core.can_cast(result.dtype, out.dtype):
        raise RuntimeError(f"{name}: result type {result.dtype} can't be cast to the desired output type {out.dtype}")
    if out.shape != result.shape:
        out.resize_(result.shape)
    return out.copy_(result)


def with_out(function: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """Decorator: the function also takes ``out=``, a tensor to write the result into."""

    @functools.wraps(function)
    def wrapper(*args: Any, out: Tensor | None = None, **kwargs: Any) -> Tensor:
        result = function(*args, **kwargs)
        return result if out is None else _write(function.__name__, result, out)

    return wrapper


def with_inplace(function: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """Decorator: ``Tensor.<name>_`` writes the function's result into its first argument."""

    def inplace(self: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        return self.copy_(function(self, *args, **kwargs))

    inplace.__name__ = inplace.__qualname__ = f"{function.__name__}_"
    inplace.__doc__ = f"In-place form of `{function.__name__}`."
    tensor_method(inplace)
    return function


def _tensors(args: tuple[Any, ...]) -> Sequence[Tensor]:
    """The tensors of a call, given one by one or as one sequence."""
    return args[0] if len(args) == 1 and isinstance(args[0], list | tuple) else args


# ---- Shapes ----------------------------------------------------------------------------------------------------------


def _at_least(dims: int, lift: Callable[[Tensor], Tensor], args: tuple[Any, ...]) -> Any:
    """`lift` applied to each argument of fewer than `dims` dimensions: a tuple for several, a tensor for one."""
    if len(args) == 1 and isinstance(args[0], Tensor):
        return lift(args[0]) if args[0].dim() < dims else args[0]
    return tuple(lift(tensor) if tensor.dim() < dims else tensor for tensor in _tensors(args))


def atleast_1d(*tensors: Any) -> Any:
    """Each tensor with at least one dimension; 0-d ones become ``(1,)``."""
    return _at_least(1, lambda tensor: tensor.reshape(1), tensors)


def atleast_2d(*tensors: Any) -> Any:
    """Each tensor with at least two dimensions; ``(n,)`` becomes ``(1, n)``."""
    return _at_least(2, lambda tensor: tensor.reshape(1, 1) if tensor.dim() == 0 else tensor.unsqueeze(0), tensors)


def atleast_3d(*tensors: Any) -> Any:
    """Each tensor with at least three dimensions; ``(n,)`` becomes ``(1, n, 1)``, ``(m, n)`` becomes ``(m, n, 1)``."""
    return _at_least(3, lambda tensor: tensor.unsqueeze(-1) if tensor.dim() == 2 else tensor.reshape(1, -1, 1), tensors)


def _stack_along(dim: int, tensors: Sequence[Tensor], name: str) -> Tensor:
    if len(tensors) == 0:
        raise RuntimeError(f"{name} expects a non-empty TensorList")
    return _core.cat(list(tensors), dim)


@with_out
def hstack(tensors: Sequence[Tensor]) -> Tensor:
    """Tensors side by side: joined along dimension 1, vectors along 0."""
    tensors = atleast_1d(*tensors) if len(tensors) != 1 else (atleast_1d(tensors[0]),)
    return _stack_along(0 if tensors and tensors[0].dim() == 1 else 1, tensors, "hstack")


@with_out
def vstack(tensors: Sequence[Tensor]) -> Tensor:
    """Tensors one below the other: joined along dimension 0, vectors as rows."""
    return _stack_along(0, [atleast_2d(tensor) for tensor in tensors], "vstack")


row_stack = vstack


@with_out
def dstack(tensors: Sequence[Tensor]) -> Tensor:
    """Tensors one behind the other: joined along dimension 2."""
    return _stack_along(2, [atleast_3d(tensor) for tensor in tensors], "dstack")


@with_out
def column_stack(tensors: Sequence[Tensor]) -> Tensor:
    """Tensors side by side, 0-d and 1-d ones as columns."""
    columns = [tensor.reshape(-1, 1) if tensor.dim() < 2 else tensor for tensor in tensors]
    return _stack_along(1, columns, "column_stack")


def broadcast_shapes(*shapes: Any) -> Size:
    """The shape to which all `shapes`, tuples or numbers, are broadcast."""
    for shape in shapes:
        if not isinstance(shape, int | tuple | list):
            raise RuntimeError(f"Input shapes should be of type ints, a tuple of ints, or a list of ints, got {shape}")
    shapes = tuple((shape,) if isinstance(shape, int) else tuple(shape) for shape in shapes)
    result = [1] * max((len(shape) for shape in shapes), default=0)
    for shape in shapes:
        for position in range(-1, -len(shape) - 1, -1):
            size = shape[position]
            if size < 0:
                raise RuntimeError(f"Trying to create tensor with negative dimension ({size}): {shape}")
            if size != 1 and result[position] not in (1, size):
                raise RuntimeError(
                    f"Attempting to broadcast a dimension of length {size} at {position}! Shape mismatch: "
                    f"objects cannot be broadcast to a single shape, {', '.join(map(str, shapes))}."
                )
            if size != 1:
                result[position] = size
    return Size(result)


def broadcast_tensors(*tensors: Any) -> tuple[Tensor, ...]:
    """The tensors expanded to their common shape."""
    tensors = _tensors(tensors)
    shape = broadcast_shapes(*(tensor.shape for tensor in tensors))
    return tuple(tensor if tensor.shape == shape else tensor.expand(shape) for tensor in tensors)


def meshgrid(*tensors: Any, indexing: str | None = None) -> tuple[Tensor, ...]:
    """Coordinates of a grid: the n-th result varies along dimension n as the n-th vector.

    Args:
        tensors: vectors or 0-d tensors of one dtype.
        indexing: ``'ij'`` (the default), or ``'xy'`` to exchange the first two dimensions.
    """
    vectors = list(_tensors(tensors))
    if indexing not in (None, "ij", "xy"):
        raise RuntimeError(f'torch.meshgrid: indexing must be one of "xy" or "ij", but received: {indexing}')
    for vector in vectors:
        if vector.dim() > 1:
            raise RuntimeError(
                f"torch.meshgrid: Expected 0D or 1D tensor in the tensor list but got a tensor of shape {vector.shape}"
            )
        if vector.dtype != vectors[0].dtype:
            raise RuntimeError("torch.meshgrid expects all tensors to have the same dtype")
    swap = indexing == "xy" and len(vectors) >= 2
    if swap:
        vectors[0], vectors[1] = vectors[1], vectors[0]
    shape = [vector.numel() for vector in vectors]
    grids = [
        vector.reshape([-1 if dim == position else 1 for dim in range(len(shape))]).expand(shape)
        for position, vector in enumerate(vectors)
    ]
    if swap:
        grids[0], grids[1] = grids[1], grids[0]
    return tuple(grids)


def _wrap(dim: int, dims: int) -> int:
    """`dim` counted from the front."""
    if not -dims <= dim < dims:
        raise IndexError(f"Dimension out of range (expected to be in range of [{-dims}, {dims - 1}], but got {dim})")
    return dim % dims


@tensor_method
def adjoint(input: Tensor) -> Tensor:
    """The conjugate transpose of the last two dimensions."""
    if input.dim() < 2:
        raise RuntimeError(
            f"tensor.adjoint() is only supported on matrices or batches of matrices. Got {input.dim()}-D"
        )
    transposed = input.transpose(-2, -1)
    return transposed.conj() if input.is_complex() else transposed


@tensor_method
def fliplr(input: Tensor) -> Tensor:
    """Columns (dimension 1) in reverse."""
    if input.dim() < 2:
        raise RuntimeError("Input must be >= 2-d.")
    return input.flip(1)


@tensor_method
def flipud(input: Tensor) -> Tensor:
    """Rows (dimension 0) in reverse."""
    if input.dim() < 1:
        raise RuntimeError("Input must be >= 1-d.")
    return input.flip(0)


@tensor_method
def rot90(input: Tensor, k: int = 1, dims: Sequence[int] = (0, 1)) -> Tensor:
    """Turned by 90 degrees `k` times, from the first of `dims` towards the second."""
    if len(dims) != 2:
        raise RuntimeError(f"expected total rotation dims == 2, but got dims = {len(dims)}")
    if input.dim() < 2:
        raise RuntimeError(f"expected total dims >= 2, but got total dims = {input.dim()}")
    first, second = (_wrap(dim, input.dim()) for dim in dims)
    if first == second:
        raise RuntimeError(f"expected rotation dims to be different, but got dim0 = {dims[0]} and dim1 = {dims[1]}")
    k %= 4
    if k == 1:
        return input.flip(second).transpose(first, second)
    if k == 2:
        return input.flip(first, second)
    if k == 3:
        return input.flip(first).transpose(first, second)
    return input.clone()


@tensor_method
def tile(input: Tensor, *dims: Any) -> Tensor:
    """`input` repeated ``dims[n]`` times along dimension n; the shorter of shape and `dims` is led by ones."""
    counts = dims[0] if len(dims) == 1 and not isinstance(dims[0], int) else dims
    return input.repeat([1] * (input.dim() - len(counts)) + list(counts))


# ---- Arithmetic ------------------------------------------------------------------------------------------------------


@tensor_method
@with_inplace
@with_out
def logit(input: Tensor, eps: float | None = None) -> Tensor:
    """Log-odds of each element, ``log(x / (1 - x))``; ``x`` is first clamped to ``[eps, 1 - eps]`` if given."""
    x = input if eps is None else input.clamp(eps, 1 - eps)
    return (x / (1 - x)).log()


@tensor_method
@with_inplace
@with_out
def deg2rad(input: Tensor) -> Tensor:
    """Degrees to radians."""
    return input * (math.pi / 180)


@tensor_method
@with_inplace
@with_out
def rad2deg(input: Tensor) -> Tensor:
    """Radians to degrees."""
    return input * (180 / math.pi)


# ---- Comparison ------------------------------------------------------------------------------------------------------


@tensor_method
def isreal(input: Tensor) -> Tensor:
    """Where an element's imaginary part is 0."""
    return input.detach().imag == 0 if input.is_complex() else _core.ones_like(input, dtype=_core.bool)


@tensor_method
def isclose(input: Tensor, other: Tensor, rtol: float = 1e-05, atol: float = 1e-08, equal_nan: bool = False) -> Tensor:
    """Where ``|input - other| <= atol + rtol * |other|``.

    Args:
        input: one tensor.
        other: another of the same dtype.
        rtol: relative tolerance.
        atol: absolute tolerance.
        equal_nan: whether nan is close to nan.
    """
    if input.dtype != other.dtype:
        raise RuntimeError(f"isclose: the dtypes differ: input is {input.dtype}, other is {other.dtype}.")
    if rtol < 0 or atol < 0:
        name, value = ("rtol", rtol) if rtol < 0 else ("atol", atol)
        raise RuntimeError(f"{name} must be greater than or equal to zero, but got {value}")
    input, other = input.detach(), other.detach()
    close = input == other
    inexact = input.is_floating_point() or input.is_complex()
    if equal_nan and inexact:
        close = close | (input.isnan() & other.isnan())
    if rtol == 0 and atol == 0:
        return close
    if not inexact:
        input, other = input.to(_core.float64), other.to(_core.float64)
    distance = (input - other).abs()
    return close | (distance.isfinite() & (distance <= atol + (rtol * other).abs()))


@tensor_method
def allclose(input: Tensor, other: Tensor, rtol: float = 1e-05, atol: float = 1e-08, equal_nan: bool = False) -> bool:
    """Whether all elements are close, as `isclose` has it."""
    return bool(isclose(input, other, rtol, atol, equal_nan).all().item())


@tensor_method
def equal(input: Tensor, other: Tensor) -> bool:
    """Whether two tensors have the same shape and elements."""
    if input.dtype != other.dtype:
        raise RuntimeError(f"equal: Expected object of data type {input.dtype} but got data type {other.dtype}")
    return input.shape == other.shape and bool((input.detach() == other.detach()).all().item())


# ---- Reductions and differences --------------------------------------------------------------------------------------


@tensor_method
@with_out
def diff(
    input: Tensor, n: int = 1, dim: int = -1, prepend: Tensor | None = None, append: Tensor | None = None
) -> Tensor:
    """Differences of neighbours along `dim`, `n` times over; `prepend` and `append` are joined to the ends first."""
    if input.dim() == 0:
        raise RuntimeError("diff expects input to be at least one-dimensional")
    if n < 0:
        raise RuntimeError(f"order must be non-negative but got {n}")
    parts = [part for part in (prepend, input, append) if part is not None]
    result = parts[0] if len(parts) == 1 else _core.cat(parts, dim)
    for _ in range(min(n, result.shape[dim])):  # more leave nothing either
        size = max(result.shape[dim] - 1, 0)
        later = result.narrow(dim, min(1, result.shape[dim]), size)
        earlier = result.narrow(dim, 0, size)
        result = later.logical_xor(earlier) if result.dtype == _core.bool else later - earlier
    return result.clone() if result is input else result


# ---- Products and distances ------------------------------------------------------------------------------------------


@tensor_method
def trace(input: Tensor | None = None) -> Tensor | Trace:
    """Sum of a matrix's diagonal. Without one, ``with leafgrad.trace():`` records lines and memory: see `Trace`."""
    if input is None:
        from leafgrad.lens.trace import Trace

        return Trace()
    if input.dim() != 2:
        raise RuntimeError(f"trace: expected a matrix, but got tensor with dim {input.dim()}")
    return input.diagonal().sum()


def einsum(*args: Any) -> Tensor:
    """Sum of products, its dimensions named by letters.

    Args:
        args: an equation such as ``"ij,jk->ik"``, then the operands one by one or in a list; or each operand followed
            by the list of its dimensions' numbers, and last, if given, the list of the result's.

    Raises:
        RuntimeError: the equation does not fit the operands.

    Example:
        >>> from leafgrad import einsum, tensor
        >>> einsum("i,j->ij", tensor([1, 2]), tensor([3, 4]))
        tensor([[3, 4],
                [6, 8]])
    """
    if len(args) < 2:
        raise ValueError(
            "einsum(): must specify the equation string and at least one operand, or an operand and its subscripts"
        )
    equation, *operands = args
    if isinstance(equation, Tensor):
        parts = [_letters(sublist) for sublist in args[1::2]]
        equation, operands = ",".join(parts), list(args[: 2 * len(parts) : 2])
        if len(args) % 2 == 1:
            equation += "->" + _letters(args[-1])
    elif len(operands) == 1 and isinstance(operands[0], (list, tuple)):
        operands = list(operands[0])
    return _core._einsum(equation, operands)


def _letters(sublist: Sequence[Any]) -> str:
    """Subscripts of an operand: numbers up to 51 as letters, an Ellipsis as three dots."""
    for label in sublist:
        if label is not Ellipsis and not 0 <= label < 52:
            raise RuntimeError(f"einsum(): subscripts must be in the range [0, 52), but got {label}")
    return "".join("..." if n is Ellipsis else chr(ord("A") + n if n < 26 else ord("a") + n - 26) for n in sublist)


@with_out
def tensordot(a: Tensor, b: Tensor, dims: Any = 2) -> Tensor:
    """Sums of products over pairs of dimensions.

    Args:
        a: left factor; its other dimensions come first in the result.
        b: right factor.
        dims: how many of `a`'s last dimensions meet as many of `b`'s first, or two lists of dimensions.
    """
    if isinstance(dims, Tensor):
        dims = dims.tolist()
    if isinstance(dims, int):
        if dims < 0:
            raise RuntimeError(f"tensordot expects dims >= 0, but got dims={dims}")
        if dims > min(a.dim(), b.dim()):
            raise RuntimeError(
                f"tensordot expects dims < ndim_a or ndim_b, but got dims={dims}, tensors of {a.dim()} and {b.dim()}"
            )
        dims = (range(a.dim() - dims, a.dim()), range(dims))
    dims_a, dims_b = ([each] if isinstance(each, int) else list(each) for each in dims)
    if len(dims_a) != len(dims_b):
        raise RuntimeError("both dimension lists should have same length")
    dims_a = [_wrap(dim, a.dim()) for dim in dims_a]
    dims_b = [_wrap(dim, b.dim()) for dim in dims_b]
    for dim_a, dim_b in zip(dims_a, dims_b, strict=True):
        if a.shape[dim_a] == 1 != b.shape[dim_b]:
            b = b.sum(dim_b, keepdim=True)  # a size of 1 is broadcast
        elif b.shape[dim_b] == 1 != a.shape[dim_a]:
            a = a.sum(dim_a, keepdim=True)
        elif a.shape[dim_a] != b.shape[dim_b]:
            raise RuntimeError(
                f"contracted dimensions need to match, but first has size {a.shape[dim_a]} in dim {dim_a} and second "
                f"has size {b.shape[dim_b]} in dim {dim_b}"
            )
    free_a = [dim for dim in range(a.dim()) if dim not in dims_a]
    free_b = [dim for dim in range(b.dim()) if dim not in dims_b]
    rows = math.prod(a.shape[dim] for dim in free_a)
    columns = math.prod(b.shape[dim] for dim in free_b)
    common = math.prod(a.shape[dim] for dim in dims_a)
    left = a.permute(free_a + dims_a).reshape(rows, common)
    right = b.permute(dims_b + free_b).reshape(common, columns)
    return (left @ right).reshape([a.shape[dim] for dim in free_a] + [b.shape[dim] for dim in free_b])


@tensor_method
@with_out
def kron(input: Tensor, other: Tensor) -> Tensor:
    """Kronecker product: each element of `input` times the whole of `other`."""
    dims = max(input.dim(), other.dim())
    a = [1] * (dims - input.dim()) + list(input.shape)
    b = [1] * (dims - other.dim()) + list(other.shape)
    left = input.reshape([size for each in a for size in (each, 1)])
    right = other.reshape([size for each in b for size in (1, each)])
    return (left * right).reshape([m * n for m, n in zip(a, b, strict=True)])


def vander(x: Tensor, N: int | None = None, increasing: bool = False) -> Tensor:
    """Vandermonde matrix: powers of the vector `x` as columns, falling to power 0 unless `increasing`.

    Args:
        x: ``(n,)``.
        N: number of columns, by default ``n``.
        increasing: begin with power 0.
    """
    if x.dim() != 1:
        raise RuntimeError("x must be a one-dimensional tensor.")
    columns = x.shape[0] if N is None else N
    if columns < 0:
        raise RuntimeError("N must be non-negative.")
    powers = _core.arange(columns, device=x.device)
    return x.unsqueeze(-1) ** (powers if increasing else powers.flip(0))


def cdist(
    x1: Tensor, x2: Tensor, p: float = 2.0, compute_mode: str | None = "use_mm_for_euclid_dist_if_necessary"
) -> Tensor:
    """Distances between each row of `x1` and each of `x2`, in the `p`-norm.

    Args:
        x1: ``(*, P, M)``.
        x2: ``(*, R, M)``.
        p: order of the norm, not negative.
        compute_mode: accepted; always computed from differences, which loses no digits.

    Shape: ``(*, P, R)``.
    """
    if x1.dim() < 2 or x2.dim() < 2:
        raise RuntimeError(f"cdist only supports at least 2D tensors, X1 got: {x1.dim()}D, X2 got: {x2.dim()}D")
    if x1.shape[-1] != x2.shape[-1]:
        raise RuntimeError(f"X1 and X2 must have the same number of columns. X1: {x1.shape[-1]} X2: {x2.shape[-1]}")
    if p < 0:
        raise RuntimeError("cdist only supports non-negative p values")
    return (x1.unsqueeze(-2) - x2.unsqueeze(-3)).norm(p, dim=-1)


def pairwise_distance(x1: Tensor, x2: Tensor, p: float = 2.0, eps: float = 1e-6, keepdim: bool = False) -> Tensor:
    """`p`-norm of ``x1 - x2 + eps`` along the last dimension."""
    return (x1 - x2 + eps).norm(p, dim=-1, keepdim=keepdim)


def cosine_similarity(x1: Tensor, x2: Tensor, dim: int = 1, eps: float = 1e-8) -> Tensor:
    """Cosine of the angle between `x1` and `x2` along `dim`; norms below `eps` count as `eps`."""

    def unit(x: Tensor) -> Tensor:
        norm = x.norm(2, dim, keepdim=True)
        return x / (norm + (norm.clamp(min=eps) - norm).detach())  # the limit is no part of the derivative

    x1, x2 = broadcast_tensors(x1, x2)
    return (unit(x1) * unit(x2)).sum(dim)
