"""The compiled core.  Written by tools/stubs.py from the built module; do not edit."""

from builtins import bool as _bool, complex as _complex, float as _float, int as _int
from collections.abc import Callable, Iterator, Sequence
from types import EllipsisType
from typing import Any, SupportsIndex, overload

from numpy import ndarray as _ndarray

_dtype = dtype
_device = device
Number = _bool | _int | _float | _complex
Index = Tensor | SupportsIndex | slice | EllipsisType | Sequence[Any] | None

class dtype:
    ...
    def __repr__(self) -> str: ...
    def to_real(self, *args: Any, **kwargs: Any) -> _dtype: ...
    def to_complex(self, *args: Any, **kwargs: Any) -> _dtype: ...
    @property
    def is_floating_point(self) -> _bool: ...
    @property
    def is_complex(self) -> _bool: ...
    @property
    def is_signed(self) -> _bool: ...
    @property
    def itemsize(self) -> _int: ...

class device:
    ...
    def __init__(self, *args: Any, **kwargs: Any) -> None: ...
    def __repr__(self) -> str: ...
    def __hash__(self) -> _int: ...
    def __str__(self) -> str: ...
    def __lt__(self, other: Any) -> _bool: ...  # type: ignore[override]
    def __le__(self, other: Any) -> _bool: ...  # type: ignore[override]
    def __eq__(self, other: Any) -> _bool: ...  # type: ignore[override]
    def __ne__(self, other: Any) -> _bool: ...  # type: ignore[override]
    def __gt__(self, other: Any) -> _bool: ...  # type: ignore[override]
    def __ge__(self, other: Any) -> _bool: ...  # type: ignore[override]
    @property
    def type(self) -> str: ...
    @property
    def index(self) -> _int | None: ...

class Size(tuple):
    ...
    def __init__(self, *args: Any, **kwargs: Any) -> None: ...
    def __repr__(self) -> str: ...
    def __getitem__(self, *args: Any, **kwargs: Any) -> Any: ...
    def __add__(self, other: Any) -> Size: ...
    def __mul__(self, other: Any) -> Size: ...
    def __rmul__(self, other: Any) -> Size: ...
    def numel(self, *args: Any, **kwargs: Any) -> _int:
        """Product of the sizes."""

class layout:
    ...
    def __repr__(self) -> str: ...

class memory_format:
    ...
    def __repr__(self) -> str: ...

class Node:
    """A node of the graph: one operation's derivative."""
    def __repr__(self) -> str: ...
    def __call__(self, *args: Any, **kwargs: Any) -> Any: ...
    def name(self, *args: Any, **kwargs: Any) -> str:
        """Name of the operation's derivative."""
    def _sequence_nr(self, *args: Any, **kwargs: Any) -> Any:
        """Later nodes have greater numbers and run first."""
    def register_hook(self, *args: Any, **kwargs: Any) -> Any:
        """Call hook(grad_inputs, grad_outputs) after the node ran."""
    def register_prehook(self, *args: Any, **kwargs: Any) -> Any:
        """Call hook(grad_outputs) before the node runs."""
    @property
    def next_functions(self) -> tuple[tuple[Node | None, _int], ...]:
        """(node, output number) of each input; (None, 0) where none is needed."""
    @property
    def metadata(self) -> dict[Any, Any]:
        """A dict for tools."""
    @property
    def variable(self) -> Tensor:
        """AccumulateGrad: the leaf."""
    @property
    def _input_metadata(self) -> Any:
        """Shape, dtype and device that each gradient must have."""

class _FunctionNode(Node):
    """Node of a custom Function, and its ctx."""
    def save_for_backward(self, *args: Any, **kwargs: Any) -> Any:
        """Keep tensors for backward: ctx.saved_tensors."""
    def save_for_forward(self, *args: Any, **kwargs: Any) -> Any:
        """Keep tensors for jvp."""
    def mark_dirty(self, *args: Any, **kwargs: Any) -> Any:
        """Name the inputs that forward changed in place."""
    def mark_non_differentiable(self, *args: Any, **kwargs: Any) -> Any:
        """Name outputs without a derivative."""
    def set_materialize_grads(self, *args: Any, **kwargs: Any) -> Any:
        """Give backward zeros (True) or None for missing gradients."""
    @property
    def saved_tensors(self) -> Any:
        """What save_for_backward kept."""
    @property
    def saved_variables(self) -> Any:
        """Old name of saved_tensors."""
    @property
    def needs_input_grad(self) -> Any:
        """One bool for each argument of forward."""
    @property
    def to_save(self) -> Any: ...
    @property
    def dirty_tensors(self) -> Any: ...
    @property
    def non_differentiable(self) -> Any: ...
    @property
    def saved_for_forward(self) -> Any: ...
    @property
    def materialize_grads(self) -> Any: ...

class Tensor:
    ...
    def __init__(self, *args: Any, **kwargs: Any) -> None: ...
    def __repr__(self, *, tensor_contents: str | None = ...) -> str:
        """The tensor in words; a subclass may give ``tensor_contents`` to stand in place of the values."""
    def __hash__(self) -> _int: ...
    def __lt__(self, other: Any) -> Tensor: ...  # type: ignore[override]
    def __le__(self, other: Any) -> Tensor: ...  # type: ignore[override]
    def __eq__(self, other: Any) -> Tensor: ...  # type: ignore[override]
    def __ne__(self, other: Any) -> Tensor: ...  # type: ignore[override]
    def __gt__(self, other: Any) -> Tensor: ...  # type: ignore[override]
    def __ge__(self, other: Any) -> Tensor: ...  # type: ignore[override]
    def __add__(self, other: Any) -> Tensor: ...
    def __radd__(self, other: Any) -> Tensor: ...
    def __sub__(self, other: Any) -> Tensor: ...
    def __rsub__(self, other: Any) -> Tensor: ...
    def __mul__(self, other: Any) -> Tensor: ...
    def __rmul__(self, other: Any) -> Tensor: ...
    def __mod__(self, other: Any) -> Tensor: ...
    def __rmod__(self, other: Any) -> Tensor: ...
    def __pow__(self, other: Any) -> Tensor: ...
    def __rpow__(self, other: Any) -> Tensor: ...
    def __neg__(self) -> Tensor: ...
    def __pos__(self) -> Tensor: ...
    def __abs__(self) -> Tensor: ...
    def __bool__(self) -> _bool: ...
    def __invert__(self) -> Tensor: ...
    def __lshift__(self, other: Any) -> Tensor: ...
    def __rlshift__(self, other: Any) -> Tensor: ...
    def __rshift__(self, other: Any) -> Tensor: ...
    def __rrshift__(self, other: Any) -> Tensor: ...
    def __and__(self, other: Any) -> Tensor: ...
    def __rand__(self, other: Any) -> Tensor: ...
    def __xor__(self, other: Any) -> Tensor: ...
    def __rxor__(self, other: Any) -> Tensor: ...
    def __or__(self, other: Any) -> Tensor: ...
    def __ror__(self, other: Any) -> Tensor: ...
    def __int__(self) -> _int: ...
    def __float__(self) -> _float: ...
    def __iadd__(self, other: Any) -> Tensor: ...
    def __isub__(self, other: Any) -> Tensor: ...
    def __imul__(self, other: Any) -> Tensor: ...
    def __imod__(self, other: Any) -> Tensor: ...
    def __ipow__(self, other: Any) -> Tensor: ...
    def __ilshift__(self, other: Any) -> Tensor: ...
    def __irshift__(self, other: Any) -> Tensor: ...
    def __iand__(self, other: Any) -> Tensor: ...
    def __ixor__(self, other: Any) -> Tensor: ...
    def __ior__(self, other: Any) -> Tensor: ...
    def __floordiv__(self, other: Any) -> Tensor: ...
    def __rfloordiv__(self, other: Any) -> Tensor: ...
    def __truediv__(self, other: Any) -> Tensor: ...
    def __rtruediv__(self, other: Any) -> Tensor: ...
    def __ifloordiv__(self, other: Any) -> Tensor: ...
    def __itruediv__(self, other: Any) -> Tensor: ...
    def __index__(self) -> _int: ...
    def __matmul__(self, other: Any) -> Tensor: ...
    def __rmatmul__(self, other: Any) -> Tensor: ...
    def __len__(self) -> _int: ...
    def __getitem__(self, index: Index) -> Tensor: ...
    def __setitem__(self, index: Index, value: Tensor | Number) -> None: ...
    def __delitem__(self, *args: Any, **kwargs: Any) -> Any: ...
    def size(self, dim=None) -> Any:
        """size(dim=None): the shape, or one size of it."""
    def stride(self, dim=None) -> Any:
        """stride(dim=None): steps between elements, in elements."""
    def dim(self, *args: Any, **kwargs: Any) -> _int:
        """Number of dimensions."""
    def ndimension(self, *args: Any, **kwargs: Any) -> _int:
        """Number of dimensions."""
    def numel(self, *args: Any, **kwargs: Any) -> _int:
        """Number of elements."""
    def nelement(self, *args: Any, **kwargs: Any) -> _int:
        """Number of elements."""
    def element_size(self, *args: Any, **kwargs: Any) -> _int:
        """Bytes of an element."""
    def storage_offset(self, *args: Any, **kwargs: Any) -> _int:
        """First element, counted from the storage's begin."""
    def data_ptr(self, *args: Any, **kwargs: Any) -> _int:
        """Address of the first element."""
    def is_contiguous(self, *args: Any, **kwargs: Any) -> _bool:
        """Is it row-major without gaps?"""
    def is_floating_point(self, *args: Any, **kwargs: Any) -> _bool: ...
    def is_complex(self, *args: Any, **kwargs: Any) -> _bool: ...
    def is_signed(self, *args: Any, **kwargs: Any) -> _bool: ...
    def is_inference(self, *args: Any, **kwargs: Any) -> _bool:
        """Was it made in inference mode?"""
    def _is_view(self, *args: Any, **kwargs: Any) -> Any:
        """Is it a view of another tensor?"""
    def is_conj(self, *args: Any, **kwargs: Any) -> Any:
        """Always false: conjugation is computed at once."""
    def is_neg(self, *args: Any, **kwargs: Any) -> Any: ...
    def is_shared(self, *args: Any, **kwargs: Any) -> Any: ...
    def is_pinned(self, *args: Any, **kwargs: Any) -> Any: ...
    def requires_grad_(self, on=True) -> Tensor:
        """requires_grad_(on=True): on a leaf, in place."""
    def retain_grad(self, *args: Any, **kwargs: Any) -> None:
        """Have backward keep this non-leaf's gradient in .grad."""
    def detach(self, *args: Any, **kwargs: Any) -> Tensor:
        """The same memory without history."""
    def detach_(self, *args: Any, **kwargs: Any) -> Tensor:
        """Forget the history: become a leaf."""
    def register_hook(self, *args: Any, **kwargs: Any) -> Any:
        """Call hook(grad) when the gradient is ready; it may return another."""
    def register_post_accumulate_grad_hook(self, *args: Any, **kwargs: Any) -> Any:
        """Call hook(leaf) once .grad is set."""
    def backward(self, gradient=None, retain_graph=None, create_graph=False, inputs=None) -> None:
        """backward(gradient=None, retain_graph=None, create_graph=False, inputs=None): see autograd.backward."""
    def as_subclass(self, *args: Any, **kwargs: Any) -> Any:
        """The same tensor as an object of a subclass."""
    @staticmethod
    def _make_subclass(*args: Any, **kwargs: Any) -> Any:
        """A leaf of the subclass over data's memory."""
    def untyped_storage(self, *args: Any, **kwargs: Any) -> Any:
        """The memory that this tensor and its views share."""
    def __complex__(self, *args: Any, **kwargs: Any) -> _complex: ...
    @classmethod
    def __torch_function__(cls, *args: Any, **kwargs: Any) -> Any: ...
    def numpy(self, *args: Any, **kwargs: Any) -> _ndarray:
        """NumPy array over the tensor's memory; with force=True also of a tensor that requires grad."""
    def __array__(self, *args: Any, **kwargs: Any) -> _ndarray: ...
    def __array_wrap__(self, *args: Any, **kwargs: Any) -> Any: ...
    def tolist(self, *args: Any, **kwargs: Any) -> Any:
        """The values in nested lists; a number for a 0-dim tensor."""
    def item(self, *args: Any, **kwargs: Any) -> Any:
        """The value of a one-element tensor as a Python number."""
    def new_tensor(self, *args: Any, **kwargs: Any) -> Any:
        """New tensor with a copy of `data`, with this tensor's dtype and device unless others are given."""
    def __dlpack__(self, *args: Any, **kwargs: Any) -> Any: ...
    def __dlpack_device__(self, *args: Any, **kwargs: Any) -> Any: ...
    @property
    def shape(self) -> Size:
        """Sizes of the dimensions, as a Size."""
    @property
    def dtype(self) -> _dtype:
        """Type of the elements."""
    @property
    def device(self) -> _device:
        """Where the elements are."""
    @property
    def ndim(self) -> _int:
        """Number of dimensions."""
    @property
    def requires_grad(self) -> _bool:
        """Does backward compute this tensor's gradient?"""
    @requires_grad.setter
    def requires_grad(self, value: _bool) -> None: ...
    @property
    def is_leaf(self) -> _bool:
        """Is it no operation's result, so that backward keeps its gradient?"""
    @property
    def grad_fn(self) -> Node | None:
        """The node that made it; None on a leaf."""
    @property
    def grad(self) -> Tensor | None:
        """The accumulated gradient, or None."""
    @grad.setter
    def grad(self, value: Tensor | None) -> None: ...
    @property
    def _grad(self) -> Tensor | None:
        """As grad, without a warning on non-leaves."""
    @_grad.setter
    def _grad(self, value: Tensor | None) -> None: ...
    @property
    def data(self) -> Tensor:
        """The same memory without history and with a version counter of its own."""
    @data.setter
    def data(self, value: Tensor) -> None: ...
    @property
    def output_nr(self) -> _int:
        """Which output of grad_fn it is."""
    @property
    def _version(self) -> _int:
        """How often the memory was written in place."""
    @property
    def _base(self) -> Tensor | None:
        """The tensor that this one is a view of, or None."""
    @property
    def retains_grad(self) -> _bool:
        """Is it a non-leaf whose gradient backward keeps?"""
    @property
    def _history(self) -> Any:
        """(grad_fn, is it out of date?) as it stands, without renewing a view's."""
    @property
    def _origin(self) -> Any:
        """How it came to be, if it does not require grad; see lens/subject.py."""
    @property
    def itemsize(self) -> _int:
        """Bytes of an element."""
    @property
    def nbytes(self) -> _int:
        """Bytes of all elements."""
    @property
    def is_cpu(self) -> _bool: ...
    @property
    def is_meta(self) -> _bool: ...
    @property
    def is_cuda(self) -> _bool: ...
    @property
    def is_sparse(self) -> _bool: ...
    @property
    def is_quantized(self) -> Any: ...
    @property
    def is_nested(self) -> Any: ...
    @property
    def is_mkldnn(self) -> Any: ...
    @property
    def layout(self) -> Any: ...
    @property
    def name(self) -> str | None:
        """A name of the user's choice."""
    @property
    def T(self) -> Tensor:
        """Dimensions in reverse order."""
    @property
    def mT(self) -> Tensor:
        """Last two dimensions swapped."""
    @property
    def H(self) -> Tensor:
        """Conjugate transpose of a matrix."""
    @property
    def mH(self) -> Tensor:
        """Conjugate transpose of the last two dimensions."""
    @property
    def _backward_hooks(self) -> Any: ...
    @property
    def _post_accumulate_grad_hooks(self) -> Any: ...
    __array_priority__: int
    def clone(self, *, memory_format: Any | None = None) -> Tensor:
        """A copy; recorded."""
    def contiguous(self, memory_format: Any | None = None) -> Tensor:
        """The tensor itself if it is row-major without gaps, else such a copy."""
    @overload
    def to(
        self, dtype: _dtype, non_blocking: _bool = False, copy: _bool = False, *, memory_format: Any | None = None
    ) -> Tensor:
        """The tensor with another dtype, device or memory format; itself if nothing changes and not `copy`."""
    @overload
    def to(
        self, tensor: Tensor, non_blocking: _bool = False, copy: _bool = False, *, memory_format: Any | None = None
    ) -> Tensor: ...
    @overload
    def to(
        self,
        device: _device | str | None = None,
        dtype: _dtype | None = None,
        non_blocking: _bool = False,
        copy: _bool = False,
        *,
        memory_format: Any | None = None,
    ) -> Tensor: ...
    def type(self, dtype: Any = ..., non_blocking: _bool = ...) -> Any:
        """The name of the tensor's type; or, given a dtype, a name or one of these classes, the tensor converted to it."""
    def type_as(self, other: Tensor) -> Tensor:
        """The tensor with the dtype and device of `other`."""
    def cpu(self, memory_format: Any | None = None) -> Tensor:
        """The tensor on the cpu."""
    def float(self, memory_format: Any | None = None) -> Tensor:
        """The tensor as another dtype; itself if it has that dtype."""
    def double(self, memory_format: Any | None = None) -> Tensor:
        """The tensor as another dtype; itself if it has that dtype."""
    def half(self, memory_format: Any | None = None) -> Tensor:
        """The tensor as another dtype; itself if it has that dtype."""
    def bfloat16(self, memory_format: Any | None = None) -> Tensor:
        """The tensor as another dtype; itself if it has that dtype."""
    def int(self, memory_format: Any | None = None) -> Tensor:
        """The tensor as another dtype; itself if it has that dtype."""
    def long(self, memory_format: Any | None = None) -> Tensor:
        """The tensor as another dtype; itself if it has that dtype."""
    def short(self, memory_format: Any | None = None) -> Tensor:
        """The tensor as another dtype; itself if it has that dtype."""
    def char(self, memory_format: Any | None = None) -> Tensor:
        """The tensor as another dtype; itself if it has that dtype."""
    def byte(self, memory_format: Any | None = None) -> Tensor:
        """The tensor as another dtype; itself if it has that dtype."""
    def bool(self, memory_format: Any | None = None) -> Tensor:
        """The tensor as another dtype; itself if it has that dtype."""
    def cfloat(self, memory_format: Any | None = None) -> Tensor:
        """The tensor as another dtype; itself if it has that dtype."""
    def cdouble(self, memory_format: Any | None = None) -> Tensor:
        """The tensor as another dtype; itself if it has that dtype."""
    def copy_(self, src: Tensor | Number, non_blocking: _bool = False) -> Tensor:
        """Overwrites the tensor with `src`, broadcast and converted."""
    def fill_(self, value: Tensor | Number) -> Tensor:
        """Overwrites every element with one value."""
    def fill(self, value: Tensor | Number) -> Tensor:
        """A copy in which every element is one value."""
    def zero_(self) -> Tensor:
        """Overwrites every element with 0."""
    def exp(self, *, out: Tensor | None = None) -> Tensor:
        """Exponential of each element, e**x."""
    def exp_(self) -> Tensor:
        """In-place exp."""
    def exp2(self, *, out: Tensor | None = None) -> Tensor:
        """Two to the power of each element."""
    def exp2_(self) -> Tensor:
        """In-place exp2."""
    def expm1(self, *, out: Tensor | None = None) -> Tensor:
        """e**x - 1, exact for small x."""
    def expm1_(self) -> Tensor:
        """In-place expm1."""
    def log(self, *, out: Tensor | None = None) -> Tensor:
        """Natural logarithm of each element."""
    def log_(self) -> Tensor:
        """In-place log."""
    def log2(self, *, out: Tensor | None = None) -> Tensor:
        """Logarithm to base 2 of each element."""
    def log2_(self) -> Tensor:
        """In-place log2."""
    def log10(self, *, out: Tensor | None = None) -> Tensor:
        """Logarithm to base 10 of each element."""
    def log10_(self) -> Tensor:
        """In-place log10."""
    def log1p(self, *, out: Tensor | None = None) -> Tensor:
        """log(1 + x), exact for small x."""
    def log1p_(self) -> Tensor:
        """In-place log1p."""
    def sqrt(self, *, out: Tensor | None = None) -> Tensor:
        """Square root of each element."""
    def sqrt_(self) -> Tensor:
        """In-place sqrt."""
    def rsqrt(self, *, out: Tensor | None = None) -> Tensor:
        """Reciprocal of the square root of each element."""
    def rsqrt_(self) -> Tensor:
        """In-place rsqrt."""
    def reciprocal(self, *, out: Tensor | None = None) -> Tensor:
        """Reciprocal of each element, 1 / x."""
    def reciprocal_(self) -> Tensor:
        """In-place reciprocal."""
    def sin(self, *, out: Tensor | None = None) -> Tensor:
        """Sine of each element, in radians."""
    def sin_(self) -> Tensor:
        """In-place sin."""
    def cos(self, *, out: Tensor | None = None) -> Tensor:
        """Cosine of each element, in radians."""
    def cos_(self) -> Tensor:
        """In-place cos."""
    def tan(self, *, out: Tensor | None = None) -> Tensor:
        """Tangent of each element, in radians."""
    def tan_(self) -> Tensor:
        """In-place tan."""
    def asin(self, *, out: Tensor | None = None) -> Tensor:
        """Arc sine of each element, in radians."""
    def asin_(self) -> Tensor:
        """In-place asin."""
    def acos(self, *, out: Tensor | None = None) -> Tensor:
        """Arc cosine of each element, in radians."""
    def acos_(self) -> Tensor:
        """In-place acos."""
    def atan(self, *, out: Tensor | None = None) -> Tensor:
        """Arc tangent of each element, in radians."""
    def atan_(self) -> Tensor:
        """In-place atan."""
    def sinh(self, *, out: Tensor | None = None) -> Tensor:
        """Hyperbolic sine of each element."""
    def sinh_(self) -> Tensor:
        """In-place sinh."""
    def cosh(self, *, out: Tensor | None = None) -> Tensor:
        """Hyperbolic cosine of each element."""
    def cosh_(self) -> Tensor:
        """In-place cosh."""
    def tanh(self, *, out: Tensor | None = None) -> Tensor:
        """Hyperbolic tangent of each element."""
    def tanh_(self) -> Tensor:
        """In-place tanh."""
    def asinh(self, *, out: Tensor | None = None) -> Tensor:
        """Inverse hyperbolic sine of each element."""
    def asinh_(self) -> Tensor:
        """In-place asinh."""
    def acosh(self, *, out: Tensor | None = None) -> Tensor:
        """Inverse hyperbolic cosine of each element."""
    def acosh_(self) -> Tensor:
        """In-place acosh."""
    def atanh(self, *, out: Tensor | None = None) -> Tensor:
        """Inverse hyperbolic tangent of each element."""
    def atanh_(self) -> Tensor:
        """In-place atanh."""
    def sigmoid(self, *, out: Tensor | None = None) -> Tensor:
        """Logistic function of each element, 1 / (1 + e**-x)."""
    def sigmoid_(self) -> Tensor:
        """In-place sigmoid."""
    def erf(self, *, out: Tensor | None = None) -> Tensor:
        """Error function of each element."""
    def erf_(self) -> Tensor:
        """In-place erf."""
    def erfc(self, *, out: Tensor | None = None) -> Tensor:
        """Complement of the error function, 1 - erf(x)."""
    def erfc_(self) -> Tensor:
        """In-place erfc."""
    def erfinv(self, *, out: Tensor | None = None) -> Tensor:
        """Inverse of the error function on (-1, 1)."""
    def erfinv_(self) -> Tensor:
        """In-place erfinv."""
    def lgamma(self, *, out: Tensor | None = None) -> Tensor:
        """Logarithm of the absolute value of the gamma function."""
    def lgamma_(self) -> Tensor:
        """In-place lgamma."""
    def digamma(self, *, out: Tensor | None = None) -> Tensor:
        """Derivative of lgamma."""
    def digamma_(self) -> Tensor:
        """In-place digamma."""
    def neg(self, *, out: Tensor | None = None) -> Tensor:
        """Negative of each element."""
    def neg_(self) -> Tensor:
        """In-place neg."""
    def floor(self, *, out: Tensor | None = None) -> Tensor:
        """Largest integer not above each element."""
    def floor_(self) -> Tensor:
        """In-place floor."""
    def ceil(self, *, out: Tensor | None = None) -> Tensor:
        """Smallest integer not below each element."""
    def ceil_(self) -> Tensor:
        """In-place ceil."""
    def trunc(self, *, out: Tensor | None = None) -> Tensor:
        """Each element without its fraction."""
    def trunc_(self) -> Tensor:
        """In-place trunc."""
    def frac(self, *, out: Tensor | None = None) -> Tensor:
        """Fraction of each element, with its sign."""
    def frac_(self) -> Tensor:
        """In-place frac."""
    def sign(self, *, out: Tensor | None = None) -> Tensor:
        """-1, 0 or 1: the sign of each element."""
    def sign_(self) -> Tensor:
        """In-place sign."""
    def relu(self, *, out: Tensor | None = None) -> Tensor:
        """Each element, or 0 where it is negative."""
    def relu_(self) -> Tensor:
        """In-place relu."""
    def silu(self, *, out: Tensor | None = None) -> Tensor:
        """x * sigmoid(x), also called swish."""
    def silu_(self) -> Tensor:
        """In-place silu."""
    def isnan(self, *, out: Tensor | None = None) -> Tensor:
        """Is each element not a number?"""
    def isinf(self, *, out: Tensor | None = None) -> Tensor:
        """Is each element infinite?"""
    def isfinite(self, *, out: Tensor | None = None) -> Tensor:
        """Is each element neither infinite nor NaN?"""
    def isposinf(self, *, out: Tensor | None = None) -> Tensor:
        """Is each element positive infinity?"""
    def isneginf(self, *, out: Tensor | None = None) -> Tensor:
        """Is each element negative infinity?"""
    def signbit(self, *, out: Tensor | None = None) -> Tensor:
        """Is the sign of each element negative, -0 included?"""
    def logical_not(self, *, out: Tensor | None = None) -> Tensor:
        """True where an element is zero."""
    def mul(self, other: Tensor | Number, *, out: Tensor | None = None) -> Tensor:
        """Product of two tensors, broadcast."""
    def mul_(self, other: Tensor | Number) -> Tensor:
        """In-place mul."""
    def atan2(self, other: Tensor, *, out: Tensor | None = None) -> Tensor:
        """Angle of the point (other, input), in radians."""
    def atan2_(self, other: Tensor) -> Tensor:
        """In-place atan2."""
    def maximum(self, other: Tensor, *, out: Tensor | None = None) -> Tensor:
        """Larger of two elements; NaN if one of them is."""
    def maximum_(self, other: Tensor) -> Tensor:
        """In-place maximum."""
    def minimum(self, other: Tensor, *, out: Tensor | None = None) -> Tensor:
        """Smaller of two elements; NaN if one of them is."""
    def minimum_(self, other: Tensor) -> Tensor:
        """In-place minimum."""
    def fmax(self, other: Tensor, *, out: Tensor | None = None) -> Tensor:
        """Larger of two elements, ignoring a NaN beside a number."""
    def fmax_(self, other: Tensor) -> Tensor:
        """In-place fmax."""
    def fmin(self, other: Tensor, *, out: Tensor | None = None) -> Tensor:
        """Smaller of two elements, ignoring a NaN beside a number."""
    def fmin_(self, other: Tensor) -> Tensor:
        """In-place fmin."""
    def hypot(self, other: Tensor, *, out: Tensor | None = None) -> Tensor:
        """Length of the hypotenuse, sqrt(input**2 + other**2)."""
    def hypot_(self, other: Tensor) -> Tensor:
        """In-place hypot."""
    def logaddexp(self, other: Tensor, *, out: Tensor | None = None) -> Tensor:
        """log(e**input + e**other), without overflow."""
    def logaddexp_(self, other: Tensor) -> Tensor:
        """In-place logaddexp."""
    def logaddexp2(self, other: Tensor, *, out: Tensor | None = None) -> Tensor:
        """log2(2**input + 2**other), without overflow."""
    def logaddexp2_(self, other: Tensor) -> Tensor:
        """In-place logaddexp2."""
    def eq(self, other: Tensor | Number, *, out: Tensor | None = None) -> Tensor:
        """Are two elements equal?"""
    def eq_(self, other: Tensor | Number) -> Tensor:
        """In-place eq."""
    def ne(self, other: Tensor | Number, *, out: Tensor | None = None) -> Tensor:
        """Are two elements different?"""
    def ne_(self, other: Tensor | Number) -> Tensor:
        """In-place ne."""
    def lt(self, other: Tensor | Number, *, out: Tensor | None = None) -> Tensor:
        """Is input less than other?"""
    def lt_(self, other: Tensor | Number) -> Tensor:
        """In-place lt."""
    def le(self, other: Tensor | Number, *, out: Tensor | None = None) -> Tensor:
        """Is input at most other?"""
    def le_(self, other: Tensor | Number) -> Tensor:
        """In-place le."""
    def gt(self, other: Tensor | Number, *, out: Tensor | None = None) -> Tensor:
        """Is input greater than other?"""
    def gt_(self, other: Tensor | Number) -> Tensor:
        """In-place gt."""
    def ge(self, other: Tensor | Number, *, out: Tensor | None = None) -> Tensor:
        """Is input at least other?"""
    def ge_(self, other: Tensor | Number) -> Tensor:
        """In-place ge."""
    def logical_and(self, other: Tensor, *, out: Tensor | None = None) -> Tensor:
        """True where both elements are nonzero."""
    def logical_and_(self, other: Tensor) -> Tensor:
        """In-place logical_and."""
    def logical_or(self, other: Tensor, *, out: Tensor | None = None) -> Tensor:
        """True where an element of the two is nonzero."""
    def logical_or_(self, other: Tensor) -> Tensor:
        """In-place logical_or."""
    def logical_xor(self, other: Tensor, *, out: Tensor | None = None) -> Tensor:
        """True where exactly one of two elements is nonzero."""
    def logical_xor_(self, other: Tensor) -> Tensor:
        """In-place logical_xor."""
    def bitwise_and(self, other: Tensor | Number, *, out: Tensor | None = None) -> Tensor:
        """Bitwise and of integers or bools."""
    def bitwise_and_(self, other: Tensor | Number) -> Tensor:
        """In-place bitwise_and."""
    def bitwise_or(self, other: Tensor | Number, *, out: Tensor | None = None) -> Tensor:
        """Bitwise or of integers or bools."""
    def bitwise_or_(self, other: Tensor | Number) -> Tensor:
        """In-place bitwise_or."""
    def bitwise_xor(self, other: Tensor | Number, *, out: Tensor | None = None) -> Tensor:
        """Bitwise exclusive or of integers or bools."""
    def bitwise_xor_(self, other: Tensor | Number) -> Tensor:
        """In-place bitwise_xor."""
    def bitwise_left_shift(self, other: Tensor | Number, *, out: Tensor | None = None) -> Tensor:
        """Bits of input moved left; 0 once all are gone."""
    def bitwise_left_shift_(self, other: Tensor | Number) -> Tensor:
        """In-place bitwise_left_shift."""
    def bitwise_right_shift(self, other: Tensor | Number, *, out: Tensor | None = None) -> Tensor:
        """Bits of input moved right, keeping the sign."""
    def bitwise_right_shift_(self, other: Tensor | Number) -> Tensor:
        """In-place bitwise_right_shift."""
    def logical_not_(self) -> Tensor:
        """In-place logical_not."""
    @overload
    def add(self, other: Tensor | Number, *, out: Tensor | None = None) -> Tensor:
        """Sum of two tensors, broadcast; `other` times `alpha` if given. input + alpha * other."""
    @overload
    def add(self, other: Tensor | Number, *, alpha: Number = 1, out: Tensor | None = None) -> Tensor: ...
    @overload
    def add_(self, other: Tensor | Number) -> Tensor:
        """In-place add."""
    @overload
    def add_(self, other: Tensor | Number, *, alpha: Number = 1) -> Tensor: ...
    @overload
    def sub(self, other: Tensor | Number, *, out: Tensor | None = None) -> Tensor:
        """Difference of two tensors, broadcast; `other` times `alpha` if given. input - alpha * other."""
    @overload
    def sub(self, other: Tensor | Number, *, alpha: Number = 1, out: Tensor | None = None) -> Tensor: ...
    @overload
    def subtract(self, other: Tensor | Number, *, out: Tensor | None = None) -> Tensor:
        """Difference of two tensors, broadcast; `other` times `alpha` if given. input - alpha * other."""
    @overload
    def subtract(self, other: Tensor | Number, *, alpha: Number = 1, out: Tensor | None = None) -> Tensor: ...
    @overload
    def sub_(self, other: Tensor | Number) -> Tensor:
        """In-place sub."""
    @overload
    def sub_(self, other: Tensor | Number, *, alpha: Number = 1) -> Tensor: ...
    @overload
    def subtract_(self, other: Tensor | Number) -> Tensor:
        """In-place sub."""
    @overload
    def subtract_(self, other: Tensor | Number, *, alpha: Number = 1) -> Tensor: ...
    def rsub(self, other: Tensor | Number, *, alpha: Number = 1, out: Tensor | None = None) -> Tensor:
        """other - alpha * input."""
    @overload
    def div(self, other: Tensor | Number, *, out: Tensor | None = None) -> Tensor:
        """Quotient of two tensors; integers divide as floats. Quotient, rounded down ("floor") or towards zero ("trunc")."""
    @overload
    def div(self, other: Tensor | Number, *, rounding_mode: str, out: Tensor | None = None) -> Tensor: ...
    @overload
    def divide(self, other: Tensor | Number, *, out: Tensor | None = None) -> Tensor:
        """Quotient of two tensors; integers divide as floats. Quotient, rounded down ("floor") or towards zero ("trunc")."""
    @overload
    def divide(self, other: Tensor | Number, *, rounding_mode: str, out: Tensor | None = None) -> Tensor: ...
    @overload
    def div_(self, other: Tensor | Number) -> Tensor:
        """In-place div."""
    @overload
    def div_(self, other: Tensor | Number, *, rounding_mode: str) -> Tensor: ...
    @overload
    def divide_(self, other: Tensor | Number) -> Tensor:
        """In-place div."""
    @overload
    def divide_(self, other: Tensor | Number, *, rounding_mode: str) -> Tensor: ...
    def true_divide(self, other: Tensor | Number, *, out: Tensor | None = None) -> Tensor:
        """Quotient of two tensors; integers divide as floats."""
    def true_divide_(self, other: Tensor | Number) -> Tensor:
        """In-place true_divide."""
    def floor_divide(self, other: Tensor | Number, *, out: Tensor | None = None) -> Tensor:
        """Quotient rounded down, as Python's //."""
    def floor_divide_(self, other: Tensor | Number) -> Tensor:
        """In-place floor_divide."""
    def remainder(self, other: Tensor | Number, *, out: Tensor | None = None) -> Tensor:
        """What // leaves: Python's %, with the sign of `other`."""
    def remainder_(self, other: Tensor | Number) -> Tensor:
        """In-place remainder."""
    def fmod(self, other: Tensor | Number, *, out: Tensor | None = None) -> Tensor:
        """Remainder of the division rounded towards zero, with the sign of `input`."""
    def fmod_(self, other: Tensor | Number) -> Tensor:
        """In-place fmod."""
    def pow(self, exponent: Tensor | Number, *, out: Tensor | None = None) -> Tensor:
        """Each element to the power of `exponent`."""
    def pow_(self, exponent: Tensor | Number) -> Tensor:
        """In-place pow."""
    def float_power(self, exponent: Tensor | Number, *, out: Tensor | None = None) -> Tensor:
        """Power computed in double precision."""
    def float_power_(self, exponent: Tensor | Number) -> Tensor:
        """Power computed in double precision."""
    def square(self, *, out: Tensor | None = None) -> Tensor:
        """Square of each element."""
    def square_(self) -> Tensor:
        """In-place square."""
    def lerp(self, end: Tensor, weight: Tensor | Number, *, out: Tensor | None = None) -> Tensor:
        """input + weight * (end - input), exact at both ends."""
    def lerp_(self, end: Tensor, weight: Tensor | Number) -> Tensor:
        """In-place lerp."""
    def addcmul(self, tensor1: Tensor, tensor2: Tensor, *, value: Number = 1, out: Tensor | None = None) -> Tensor:
        """input + value * tensor1 * tensor2."""
    def addcmul_(self, tensor1: Tensor, tensor2: Tensor, *, value: Number = 1) -> Tensor:
        """In-place addcmul."""
    def addcdiv(self, tensor1: Tensor, tensor2: Tensor, *, value: Number = 1, out: Tensor | None = None) -> Tensor:
        """input + value * tensor1 / tensor2."""
    def addcdiv_(self, tensor1: Tensor, tensor2: Tensor, *, value: Number = 1) -> Tensor:
        """In-place addcdiv."""
    def copysign(self, other: Tensor | Number, *, out: Tensor | None = None) -> Tensor:
        """Size of `input` with the sign of `other`."""
    def copysign_(self, other: Tensor | Number) -> Tensor:
        """Size of `input` with the sign of `other`."""
    def xlogy(self, other: Tensor | Number, *, out: Tensor | None = None) -> Tensor:
        """input * log(other), and 0 where `input` is 0."""
    def xlogy_(self, other: Tensor | Number) -> Tensor:
        """input * log(other), and 0 where `input` is 0."""
    def heaviside(self, values: Tensor, *, out: Tensor | None = None) -> Tensor:
        """0 below zero, 1 above, and `values` at zero."""
    def heaviside_(self, values: Tensor) -> Tensor:
        """0 below zero, 1 above, and `values` at zero."""
    def nextafter(self, other: Tensor, *, out: Tensor | None = None) -> Tensor:
        """The next float from `input` towards `other`."""
    def nextafter_(self, other: Tensor) -> Tensor:
        """The next float from `input` towards `other`."""
    def abs(self, *, out: Tensor | None = None) -> Tensor:
        """Absolute value of each element."""
    def absolute(self, *, out: Tensor | None = None) -> Tensor:
        """Absolute value of each element."""
    def abs_(self) -> Tensor:
        """In-place abs."""
    def absolute_(self) -> Tensor:
        """In-place abs."""
    def sgn(self, *, out: Tensor | None = None) -> Tensor:
        """Each element over its absolute value: its sign, or direction if complex."""
    def sgn_(self) -> Tensor:
        """Each element over its absolute value: its sign, or direction if complex."""
    def angle(self, *, out: Tensor | None = None) -> Tensor:
        """Angle of each element in the complex plane, in radians."""
    def conj(self) -> Tensor:
        """Complex conjugate of each element."""
    def conj_physical(self, *, out: Tensor | None = None) -> Tensor:
        """Complex conjugate of each element."""
    def conj_physical_(self) -> Tensor:
        """Complex conjugate of each element."""
    def resolve_conj(self) -> Tensor:
        """The tensor itself."""
    def resolve_neg(self) -> Tensor:
        """The tensor itself."""
    def positive(self) -> Tensor:
        """The tensor itself."""
    @overload
    def round(self, *, out: Tensor | None = None) -> Tensor:
        """Nearest integer to each element, halves to even. Rounded to `decimals` places."""
    @overload
    def round(self, *, decimals: _int, out: Tensor | None = None) -> Tensor: ...
    @overload
    def round_(self) -> Tensor:
        """In-place round."""
    @overload
    def round_(self, *, decimals: _int) -> Tensor: ...
    def bitwise_not(self, *, out: Tensor | None = None) -> Tensor:
        """Bitwise complement of integers, or of bools."""
    def bitwise_not_(self) -> Tensor:
        """In-place bitwise_not."""
    def nan_to_num(
        self,
        nan: _float | None = None,
        posinf: _float | None = None,
        neginf: _float | None = None,
        *,
        out: Tensor | None = None,
    ) -> Tensor:
        """NaN as `nan` (0), infinities as `posinf` and `neginf` (the largest and least finite numbers)."""
    def nan_to_num_(
        self, nan: _float | None = None, posinf: _float | None = None, neginf: _float | None = None
    ) -> Tensor:
        """NaN as `nan` (0), infinities as `posinf` and `neginf` (the largest and least finite numbers)."""
    def sinc(self, *, out: Tensor | None = None) -> Tensor:
        """sin(pi x) / (pi x), and 1 at 0."""
    def sinc_(self) -> Tensor:
        """sin(pi x) / (pi x), and 1 at 0."""
    def where(self, condition: Tensor, other: Tensor | _complex) -> Tensor:
        """``self`` where the condition holds, ``other`` elsewhere."""
    def masked_fill(self, mask: Tensor, value: Tensor | Number, *, out: Tensor | None = None) -> Tensor:
        """`value` where the mask holds, `input` elsewhere."""
    def masked_fill_(self, mask: Tensor, value: Tensor | Number) -> Tensor:
        """In-place masked_fill."""
    @overload
    def clamp(self, min: Tensor | None = None, max: Tensor | None = None, *, out: Tensor | None = None) -> Tensor:
        """Each element, raised to `min` and cut to `max` where given."""
    @overload
    def clamp(self, min: Number | None = None, max: Number | None = None, *, out: Tensor | None = None) -> Tensor: ...
    @overload
    def clip(self, min: Tensor | None = None, max: Tensor | None = None, *, out: Tensor | None = None) -> Tensor:
        """Each element, raised to `min` and cut to `max` where given."""
    @overload
    def clip(self, min: Number | None = None, max: Number | None = None, *, out: Tensor | None = None) -> Tensor: ...
    @overload
    def clamp_(self, min: Tensor | None = None, max: Tensor | None = None) -> Tensor:
        """In-place clamp."""
    @overload
    def clamp_(self, min: Number | None = None, max: Number | None = None) -> Tensor: ...
    @overload
    def clip_(self, min: Tensor | None = None, max: Tensor | None = None) -> Tensor:
        """In-place clamp."""
    @overload
    def clip_(self, min: Number | None = None, max: Number | None = None) -> Tensor: ...
    def clamp_min(self, min: Tensor | Number, *, out: Tensor | None = None) -> Tensor:
        """Each element, at least `min`."""
    def clamp_max(self, max: Tensor | Number, *, out: Tensor | None = None) -> Tensor:
        """Each element, at most `max`."""
    def clamp_min_(self, min: Tensor | Number) -> Tensor:
        """In-place clamp_min."""
    def clamp_max_(self, max: Tensor | Number) -> Tensor:
        """In-place clamp_max."""
    @overload
    def new_empty(
        self,
        *size: _int,
        dtype: _dtype | None = None,
        device: _device | str | None = None,
        requires_grad: _bool = False,
        out: Tensor | None = None,
    ) -> Tensor:
        """Uninitialised tensor of shape `size`, with this tensor's dtype and device."""
    @overload
    def new_empty(
        self,
        size: _int | Sequence[_int],
        *,
        dtype: _dtype | None = None,
        device: _device | str | None = None,
        requires_grad: _bool = False,
        out: Tensor | None = None,
    ) -> Tensor: ...
    @overload
    def new_zeros(
        self,
        *size: _int,
        dtype: _dtype | None = None,
        device: _device | str | None = None,
        requires_grad: _bool = False,
        out: Tensor | None = None,
    ) -> Tensor:
        """Zeros with this tensor's dtype and device."""
    @overload
    def new_zeros(
        self,
        size: _int | Sequence[_int],
        *,
        dtype: _dtype | None = None,
        device: _device | str | None = None,
        requires_grad: _bool = False,
        out: Tensor | None = None,
    ) -> Tensor: ...
    @overload
    def new_ones(
        self,
        *size: _int,
        dtype: _dtype | None = None,
        device: _device | str | None = None,
        requires_grad: _bool = False,
        out: Tensor | None = None,
    ) -> Tensor:
        """Ones with this tensor's dtype and device."""
    @overload
    def new_ones(
        self,
        size: _int | Sequence[_int],
        *,
        dtype: _dtype | None = None,
        device: _device | str | None = None,
        requires_grad: _bool = False,
        out: Tensor | None = None,
    ) -> Tensor: ...
    def new_full(
        self,
        size: _int | Sequence[_int],
        fill_value: Number,
        *,
        dtype: _dtype | None = None,
        device: _device | str | None = None,
        requires_grad: _bool = False,
        out: Tensor | None = None,
    ) -> Tensor:
        """`fill_value` with this tensor's dtype and device."""
    def new_empty_strided(
        self,
        size: _int | Sequence[_int],
        stride: _int | Sequence[_int],
        *,
        dtype: _dtype | None = None,
        device: _device | str | None = None,
        requires_grad: _bool = False,
        out: Tensor | None = None,
    ) -> Tensor:
        """Uninitialised tensor with the given strides and this tensor's dtype and device."""
    @overload
    def view(self, *size: _int, out: Tensor | None = None) -> Tensor:
        """The same elements in another shape, without a copy. The same bytes as another dtype."""
    @overload
    def view(self, dtype: _dtype, *, out: Tensor | None = None) -> Tensor: ...
    @overload
    def view(self, size: _int | Sequence[_int], *, out: Tensor | None = None) -> Tensor: ...
    @overload
    def reshape(self, *shape: _int, out: Tensor | None = None) -> Tensor:
        """The same elements in another shape; a view where possible."""
    @overload
    def reshape(self, shape: _int | Sequence[_int], *, out: Tensor | None = None) -> Tensor: ...
    def flatten(self, start_dim: _int = 0, end_dim: _int = -1, *, out: Tensor | None = None) -> Tensor:
        """Joins a range of dimensions into one."""
    def ravel(self, *, out: Tensor | None = None) -> Tensor:
        """All elements in one dimension."""
    def unflatten(self, dim: _int, sizes: _int | Sequence[_int], *, out: Tensor | None = None) -> Tensor:
        """Splits a dimension into several."""
    @overload
    def squeeze(self) -> Tensor:
        """Without dimensions of size 1. Without the named dimension, if it has size 1. Without the named dimensions, where they have size 1."""
    @overload
    def squeeze(self, dim: _int) -> Tensor: ...
    @overload
    def squeeze(self, dim: _int | Sequence[_int]) -> Tensor: ...
    def unsqueeze(self, dim: _int, *, out: Tensor | None = None) -> Tensor:
        """With a dimension of size 1 put in."""
    @overload
    def expand(self, *size: _int, out: Tensor | None = None) -> Tensor:
        """A view with dimensions of size 1 repeated; -1 keeps a size."""
    @overload
    def expand(self, size: _int | Sequence[_int], *, out: Tensor | None = None) -> Tensor: ...
    def expand_as(self, other: Tensor, *, out: Tensor | None = None) -> Tensor:
        """Expanded to the shape of `other`."""
    def broadcast_to(self, size: _int | Sequence[_int], *, out: Tensor | None = None) -> Tensor:
        """A view with dimensions of size 1 repeated."""
    def view_as(self, other: Tensor, *, out: Tensor | None = None) -> Tensor:
        """A view in the shape of `other`."""
    def reshape_as(self, other: Tensor, *, out: Tensor | None = None) -> Tensor:
        """In the shape of `other`."""
    @overload
    def permute(self, *dims: _int, out: Tensor | None = None) -> Tensor:
        """Dimensions in another order."""
    @overload
    def permute(self, dims: _int | Sequence[_int], *, out: Tensor | None = None) -> Tensor: ...
    def transpose(self, dim0: _int, dim1: _int, *, out: Tensor | None = None) -> Tensor:
        """Two dimensions swapped."""
    def swapdims(self, dim0: _int, dim1: _int, *, out: Tensor | None = None) -> Tensor:
        """Two dimensions swapped."""
    def swapaxes(self, axis0: _int, axis1: _int, *, out: Tensor | None = None) -> Tensor:
        """Two dimensions swapped."""
    def t(self, *, out: Tensor | None = None) -> Tensor:
        """Transpose of a matrix; a vector is returned as it is."""
    @overload
    def movedim(self, source: _int, destination: _int, *, out: Tensor | None = None) -> Tensor:
        """A dimension moved to a new place. Dimensions moved to new places."""
    @overload
    def movedim(
        self, source: _int | Sequence[_int], destination: _int | Sequence[_int], *, out: Tensor | None = None
    ) -> Tensor: ...
    @overload
    def moveaxis(self, source: _int, destination: _int, *, out: Tensor | None = None) -> Tensor:
        """A dimension moved to a new place. Dimensions moved to new places."""
    @overload
    def moveaxis(
        self, source: _int | Sequence[_int], destination: _int | Sequence[_int], *, out: Tensor | None = None
    ) -> Tensor: ...
    def select(self, dim: _int, index: _int, *, out: Tensor | None = None) -> Tensor:
        """One slice along `dim`."""
    def narrow(self, dim: _int, start: _int, length: _int, *, out: Tensor | None = None) -> Tensor:
        """`length` slices along `dim`, from `start`."""
    def diagonal(self, offset: _int = 0, dim1: _int = 0, dim2: _int = 1, *, out: Tensor | None = None) -> Tensor:
        """A diagonal, as a view."""
    def diag_embed(self, offset: _int = 0, dim1: _int = -2, dim2: _int = -1, *, out: Tensor | None = None) -> Tensor:
        """Matrices with given diagonals."""
    def diag(self, diagonal: _int = 0, *, out: Tensor | None = None) -> Tensor:
        """Diagonal of a matrix, or matrix of a diagonal."""
    def select_scatter(self, src: Tensor, dim: _int, index: _int, *, out: Tensor | None = None) -> Tensor:
        """A copy with one slice replaced by `src`."""
    def slice_scatter(
        self,
        src: Tensor,
        dim: _int = 0,
        start: _int | None = None,
        end: _int | None = None,
        step: _int = 1,
        *,
        out: Tensor | None = None,
    ) -> Tensor:
        """A copy with a range of slices replaced by `src`."""
    def diagonal_scatter(
        self, src: Tensor, offset: _int = 0, dim1: _int = 0, dim2: _int = 1, *, out: Tensor | None = None
    ) -> Tensor:
        """A copy with a diagonal replaced by `src`."""
    def as_strided_scatter(
        self,
        src: Tensor,
        size: _int | Sequence[_int],
        stride: _int | Sequence[_int],
        storage_offset: _int | None = None,
        *,
        out: Tensor | None = None,
    ) -> Tensor:
        """A copy with what as_strided looks at replaced by `src`."""
    def as_strided(
        self,
        size: _int | Sequence[_int],
        stride: _int | Sequence[_int],
        storage_offset: _int | None = None,
        *,
        out: Tensor | None = None,
    ) -> Tensor:
        """Any look at the storage."""
    def unfold(self, dimension: _int, size: _int, step: _int, *, out: Tensor | None = None) -> Tensor:
        """Windows along a dimension, as a view."""
    @overload
    def split(self, split_size: _int, dim: _int = 0) -> tuple[Tensor, ...]:
        """Parts of equal size along `dim`. Parts of given sizes."""
    @overload
    def split(self, split_size_or_sections: _int, dim: _int = 0) -> tuple[Tensor, ...]: ...
    @overload
    def split(self, split_size: _int | Sequence[_int], dim: _int = 0) -> tuple[Tensor, ...]: ...
    @overload
    def split(self, split_size_or_sections: _int | Sequence[_int], dim: _int = 0) -> tuple[Tensor, ...]: ...
    def split_with_sizes(self, split_sizes: _int | Sequence[_int], dim: _int = 0) -> tuple[Tensor, ...]:
        """Parts of given sizes."""
    def chunk(self, chunks: _int, dim: _int = 0) -> tuple[Tensor, ...]:
        """At most `chunks` parts along `dim`."""
    def unbind(self, dim: _int = 0) -> tuple[Tensor, ...]:
        """All slices along `dim`."""
    @overload
    def repeat(self, *repeats: _int, out: Tensor | None = None) -> Tensor:
        """The tensor tiled."""
    @overload
    def repeat(self, repeats: _int | Sequence[_int], *, out: Tensor | None = None) -> Tensor: ...
    @overload
    def flip(self, *dims: _int, out: Tensor | None = None) -> Tensor:
        """Dimensions reversed."""
    @overload
    def flip(self, dims: _int | Sequence[_int], *, out: Tensor | None = None) -> Tensor: ...
    def roll(
        self, shifts: _int | Sequence[_int], dims: _int | Sequence[_int] | None = None, *, out: Tensor | None = None
    ) -> Tensor:
        """Elements shifted along dimensions, around the end."""
    def tril(self, diagonal: _int = 0, *, out: Tensor | None = None) -> Tensor:
        """Lower triangle of matrices; 0 elsewhere."""
    def tril_(self, diagonal: _int = 0) -> Tensor:
        """Lower triangle of matrices; 0 elsewhere."""
    def triu(self, diagonal: _int = 0, *, out: Tensor | None = None) -> Tensor:
        """Upper triangle of matrices; 0 elsewhere."""
    def triu_(self, diagonal: _int = 0) -> Tensor:
        """Upper triangle of matrices; 0 elsewhere."""
    @overload
    def squeeze_(self) -> Tensor:
        """squeeze in place."""
    @overload
    def squeeze_(self, dim: _int | Sequence[_int]) -> Tensor: ...
    def unsqueeze_(self, dim: _int) -> Tensor:
        """unsqueeze in place."""
    def transpose_(self, dim0: _int, dim1: _int) -> Tensor:
        """transpose in place."""
    def swapdims_(self, dim0: _int, dim1: _int) -> Tensor:
        """transpose in place."""
    def swapaxes_(self, axis0: _int, axis1: _int) -> Tensor:
        """transpose in place."""
    def t_(self) -> Tensor:
        """t in place."""
    def as_strided_(
        self, size: _int | Sequence[_int], stride: _int | Sequence[_int], storage_offset: _int | None = None
    ) -> Tensor:
        """as_strided in place."""
    @overload
    def resize_(self, *size: _int) -> Tensor:
        """Another size in place; new elements are uninitialised."""
    @overload
    def resize_(self, size: _int | Sequence[_int]) -> Tensor: ...
    def resize_as_(self, other: Tensor) -> Tensor:
        """The size of `other`, in place."""
    def is_set_to(self, tensor: Tensor) -> _bool:
        """Do both look at the same memory in the same way?"""
    def set_(self, source: Any = ..., storage_offset: _int = ..., size: Any = ..., stride: Any = ...) -> Tensor:
        """Let the tensor show other memory: that of another tensor, or of a typed storage from an offset on."""
    def nonzero(self, *, as_tuple: _bool = False) -> Any:
        """Coordinates of the elements that are not 0."""
    def argwhere(self, *, out: Tensor | None = None) -> Tensor:
        """Coordinates of the elements that are not 0, one row each."""
    def masked_select(self, mask: Tensor, *, out: Tensor | None = None) -> Tensor:
        """Elements where the mask is true, in one dimension."""
    def index_select(self, dim: _int, index: Tensor, *, out: Tensor | None = None) -> Tensor:
        """Slices at `index` along `dim`."""
    def index_add(
        self, dim: _int, index: Tensor, source: Tensor, *, alpha: Number = 1, out: Tensor | None = None
    ) -> Tensor:
        """input[index[i]] += alpha * source[i] along `dim`, in order."""
    def index_add_(self, dim: _int, index: Tensor, source: Tensor, *, alpha: Number = 1) -> Tensor:
        """index_add in place."""
    def index_copy(self, dim: _int, index: Tensor, source: Tensor, *, out: Tensor | None = None) -> Tensor:
        """input[index[i]] = source[i] along `dim`."""
    def index_copy_(self, dim: _int, index: Tensor, source: Tensor) -> Tensor:
        """index_copy in place."""
    @overload
    def index_fill(self, dim: _int, index: Tensor, value: Tensor, *, out: Tensor | None = None) -> Tensor:
        """input[index[i]] = value along `dim`."""
    @overload
    def index_fill(self, dim: _int, index: Tensor, value: Number, *, out: Tensor | None = None) -> Tensor: ...
    @overload
    def index_fill_(self, dim: _int, index: Tensor, value: Tensor) -> Tensor:
        """index_fill in place."""
    @overload
    def index_fill_(self, dim: _int, index: Tensor, value: Number) -> Tensor: ...
    def masked_scatter(self, mask: Tensor, source: Tensor, *, out: Tensor | None = None) -> Tensor:
        """Elements of `source`, in order, where the mask is true."""
    def masked_scatter_(self, mask: Tensor, source: Tensor) -> Tensor:
        """masked_scatter in place."""
    def put(self, index: Tensor, source: Tensor, accumulate: _bool = False, *, out: Tensor | None = None) -> Tensor:
        """Elements put, or added, at flat positions."""
    def put_(self, index: Tensor, source: Tensor, accumulate: _bool = False) -> Tensor:
        """put in place."""
    def take(self, index: Tensor, *, out: Tensor | None = None) -> Tensor:
        """Elements at flat positions."""
    def index_put(self, indices: Any, values: Tensor, accumulate: _bool = False) -> Tensor:
        """Values put at index tensors."""
    def index_put_(self, indices: Any, values: Tensor, accumulate: _bool = False) -> Tensor:
        """index_put in place."""
    @overload
    def gather(self, dim: _int, index: Tensor, *, out: Tensor | None = None) -> Tensor:
        """Values at `index` along `dim`."""
    @overload
    def gather(self, dim: _int, index: Tensor, *, sparse_grad: _bool, out: Tensor | None = None) -> Tensor: ...
    @overload
    def scatter(self, dim: _int, index: Tensor, src: Tensor, *, out: Tensor | None = None) -> Tensor:
        """Values of `src` put at `index` along `dim`. One value put at `index` along `dim`. Values added or multiplied in. One value added or multiplied in."""
    @overload
    def scatter(self, dim: _int, index: Tensor, value: Number, *, out: Tensor | None = None) -> Tensor: ...
    @overload
    def scatter(self, dim: _int, index: Tensor, src: Tensor, *, reduce: str, out: Tensor | None = None) -> Tensor: ...
    @overload
    def scatter(self, dim: _int, index: Tensor, value: Number, *, reduce: str, out: Tensor | None = None) -> Tensor: ...
    @overload
    def scatter_(self, dim: _int, index: Tensor, src: Tensor) -> Tensor:
        """scatter in place."""
    @overload
    def scatter_(self, dim: _int, index: Tensor, value: Number) -> Tensor: ...
    @overload
    def scatter_(self, dim: _int, index: Tensor, src: Tensor, *, reduce: str) -> Tensor: ...
    @overload
    def scatter_(self, dim: _int, index: Tensor, value: Number, *, reduce: str) -> Tensor: ...
    def scatter_add(self, dim: _int, index: Tensor, src: Tensor, *, out: Tensor | None = None) -> Tensor:
        """Values of `src` added at `index` along `dim`, in order."""
    def scatter_add_(self, dim: _int, index: Tensor, src: Tensor) -> Tensor:
        """scatter_add in place."""
    def scatter_reduce(
        self,
        dim: _int,
        index: Tensor,
        src: Tensor,
        reduce: str,
        *,
        include_self: _bool = True,
        out: Tensor | None = None,
    ) -> Tensor:
        """Values of `src` combined at `index` along `dim`: 'sum', 'prod', 'mean', 'amax' or 'amin'."""
    def scatter_reduce_(
        self, dim: _int, index: Tensor, src: Tensor, reduce: str, *, include_self: _bool = True
    ) -> Tensor:
        """Values of `src` combined at `index` along `dim`: 'sum', 'prod', 'mean', 'amax' or 'amin'."""
    def take_along_dim(self, indices: Tensor, dim: _int | None = None, *, out: Tensor | None = None) -> Tensor:
        """Values at `indices` along `dim`, broadcast."""
    @overload
    def sum(self, *, dtype: _dtype | None = None, out: Tensor | None = None) -> Tensor:
        """Sum of all elements, or along `dim`. Sum along `dim`."""
    @overload
    def sum(
        self,
        dim: _int | Sequence[_int],
        keepdim: _bool = False,
        *,
        dtype: _dtype | None = None,
        out: Tensor | None = None,
    ) -> Tensor: ...
    @overload
    def mean(self, *, dtype: _dtype | None = None, out: Tensor | None = None) -> Tensor:
        """Mean of all elements, or along `dim`. Mean along `dim`."""
    @overload
    def mean(
        self,
        dim: _int | Sequence[_int],
        keepdim: _bool = False,
        *,
        dtype: _dtype | None = None,
        out: Tensor | None = None,
    ) -> Tensor: ...
    def nansum(
        self,
        dim: _int | Sequence[_int] | None = None,
        keepdim: _bool = False,
        *,
        dtype: _dtype | None = None,
        out: Tensor | None = None,
    ) -> Tensor:
        """Sum of the elements that are not NaN."""
    def nanmean(
        self,
        dim: _int | Sequence[_int] | None = None,
        keepdim: _bool = False,
        *,
        dtype: _dtype | None = None,
        out: Tensor | None = None,
    ) -> Tensor:
        """Mean of the elements that are not NaN."""
    def count_nonzero(self, dim: _int | Sequence[_int] | None = None) -> Tensor:
        """Number of elements that are not zero."""
    @overload
    def sum_to_size(self, *size: _int, out: Tensor | None = None) -> Tensor:
        """Sum over the dimensions that broadcasting `size` to the shape of `input` would add or stretch."""
    @overload
    def sum_to_size(self, size: _int | Sequence[_int], *, out: Tensor | None = None) -> Tensor: ...
    @overload
    def prod(self, *, dtype: _dtype | None = None, out: Tensor | None = None) -> Tensor:
        """Product of all elements, or along `dim`. Product along `dim`."""
    @overload
    def prod(
        self, dim: _int, keepdim: _bool = False, *, dtype: _dtype | None = None, out: Tensor | None = None
    ) -> Tensor: ...
    @overload
    def max(self, *, out: Tensor | None = None) -> Tensor:
        """Greatest of all elements; along `dim`, with its index; or the greater of two tensors' elements."""
    @overload
    def max(self, other: Tensor, *, out: Tensor | None = None) -> Tensor: ...
    @overload
    def max(
        self, dim: _int, keepdim: _bool = False, *, out: Sequence[Tensor] | None = None
    ) -> tuple[Tensor, Tensor]: ...
    @overload
    def min(self, *, out: Tensor | None = None) -> Tensor:
        """Least of all elements; along `dim`, with its index; or the lesser of two tensors' elements."""
    @overload
    def min(self, other: Tensor, *, out: Tensor | None = None) -> Tensor: ...
    @overload
    def min(
        self, dim: _int, keepdim: _bool = False, *, out: Sequence[Tensor] | None = None
    ) -> tuple[Tensor, Tensor]: ...
    def amax(
        self, dim: _int | Sequence[_int] | None = None, keepdim: _bool = False, *, out: Tensor | None = None
    ) -> Tensor:
        """Greatest element along `dim`; equals share the gradient."""
    def amin(
        self, dim: _int | Sequence[_int] | None = None, keepdim: _bool = False, *, out: Tensor | None = None
    ) -> Tensor:
        """Least element along `dim`; equals share the gradient."""
    def aminmax(
        self, *, dim: _int | None = None, keepdim: _bool = False, out: Sequence[Tensor] | None = None
    ) -> tuple[Tensor, Tensor]:
        """Least and greatest element."""
    def argmax(self, dim: _int | None = None, keepdim: _bool = False, *, out: Tensor | None = None) -> Tensor:
        """Index of the greatest element, the first one."""
    def argmin(self, dim: _int | None = None, keepdim: _bool = False, *, out: Tensor | None = None) -> Tensor:
        """Index of the least element, the first one."""
    @overload
    def any(self, *, out: Tensor | None = None) -> Tensor:
        """Is any element nonzero?"""
    @overload
    def any(self, dim: _int | Sequence[_int], keepdim: _bool = False, *, out: Tensor | None = None) -> Tensor: ...
    @overload
    def all(self, *, out: Tensor | None = None) -> Tensor:
        """Is every element nonzero?"""
    @overload
    def all(self, dim: _int | Sequence[_int], keepdim: _bool = False, *, out: Tensor | None = None) -> Tensor: ...
    @overload
    def var(self, unbiased: _bool = True, *, out: Tensor | None = None) -> Tensor:
        """Variance, divided by n - correction."""
    @overload
    def var(
        self, dim: _int | Sequence[_int], unbiased: _bool = True, keepdim: _bool = False, *, out: Tensor | None = None
    ) -> Tensor: ...
    @overload
    def var(
        self,
        dim: _int | Sequence[_int] | None = None,
        *,
        correction: _float | None = None,
        keepdim: _bool = False,
        out: Tensor | None = None,
    ) -> Tensor: ...
    @overload
    def std(self, unbiased: _bool = True, *, out: Tensor | None = None) -> Tensor:
        """Standard deviation: the variance's square root."""
    @overload
    def std(
        self, dim: _int | Sequence[_int], unbiased: _bool = True, keepdim: _bool = False, *, out: Tensor | None = None
    ) -> Tensor: ...
    @overload
    def std(
        self,
        dim: _int | Sequence[_int] | None = None,
        *,
        correction: _float | None = None,
        keepdim: _bool = False,
        out: Tensor | None = None,
    ) -> Tensor: ...
    @overload
    def var_mean(self, unbiased: _bool = True, *, out: Sequence[Tensor] | None = None) -> tuple[Tensor, Tensor]:
        """Variance and mean."""
    @overload
    def var_mean(
        self,
        dim: _int | Sequence[_int],
        unbiased: _bool = True,
        keepdim: _bool = False,
        *,
        out: Sequence[Tensor] | None = None,
    ) -> tuple[Tensor, Tensor]: ...
    @overload
    def var_mean(
        self,
        dim: _int | Sequence[_int] | None = None,
        *,
        correction: _float | None = None,
        keepdim: _bool = False,
        out: Sequence[Tensor] | None = None,
    ) -> tuple[Tensor, Tensor]: ...
    @overload
    def std_mean(self, unbiased: _bool = True, *, out: Sequence[Tensor] | None = None) -> tuple[Tensor, Tensor]:
        """Standard deviation and mean."""
    @overload
    def std_mean(
        self,
        dim: _int | Sequence[_int],
        unbiased: _bool = True,
        keepdim: _bool = False,
        *,
        out: Sequence[Tensor] | None = None,
    ) -> tuple[Tensor, Tensor]: ...
    @overload
    def std_mean(
        self,
        dim: _int | Sequence[_int] | None = None,
        *,
        correction: _float | None = None,
        keepdim: _bool = False,
        out: Sequence[Tensor] | None = None,
    ) -> tuple[Tensor, Tensor]: ...
    def norm(
        self,
        p: Any = "fro",
        dim: _int | Sequence[_int] | None = None,
        keepdim: _bool = False,
        dtype: _dtype | None = None,
        *,
        out: Tensor | None = None,
    ) -> Tensor:
        """(sum |x|**p)**(1/p): the p-norm of all elements, or along `dim`."""
    def logsumexp(self, dim: _int | Sequence[_int], keepdim: _bool = False, *, out: Tensor | None = None) -> Tensor:
        """log(sum(e**x)) along `dim`, without overflow."""
    def cumsum(self, dim: _int, *, dtype: _dtype | None = None, out: Tensor | None = None) -> Tensor:
        """Running sum along `dim`."""
    def cumsum_(self, dim: _int, *, dtype: _dtype | None = None) -> Tensor:
        """Running sum along `dim`."""
    def cumprod(self, dim: _int, *, dtype: _dtype | None = None, out: Tensor | None = None) -> Tensor:
        """Running product along `dim`."""
    def cumprod_(self, dim: _int, *, dtype: _dtype | None = None) -> Tensor:
        """Running product along `dim`."""
    def logcumsumexp(self, dim: _int, *, out: Tensor | None = None) -> Tensor:
        """Running logsumexp along `dim`."""
    def cummax(self, dim: _int, *, out: Sequence[Tensor] | None = None) -> tuple[Tensor, Tensor]:
        """Running maximum along `dim` and its index, the last of equals."""
    def cummin(self, dim: _int, *, out: Sequence[Tensor] | None = None) -> tuple[Tensor, Tensor]:
        """Running minimum along `dim` and its index, the last of equals."""
    def softmax(self, dim: _int, dtype: _dtype | None = None, *, out: Tensor | None = None) -> Tensor:
        """e**x / sum(e**x) along `dim`."""
    def log_softmax(self, dim: _int, dtype: _dtype | None = None, *, out: Tensor | None = None) -> Tensor:
        """Logarithm of softmax along `dim`, without overflow."""
    def matmul(self, other: Tensor, *, out: Tensor | None = None) -> Tensor:
        """Matrix product; vectors and batches by rank, batches broadcast."""
    def mm(self, mat2: Tensor, *, out: Tensor | None = None) -> Tensor:
        """Product of two matrices."""
    def bmm(self, mat2: Tensor, *, out: Tensor | None = None) -> Tensor:
        """Products of two stacks of matrices, one by one."""
    def mv(self, vec: Tensor, *, out: Tensor | None = None) -> Tensor:
        """Product of a matrix and a vector."""
    def dot(self, tensor: Tensor, *, out: Tensor | None = None) -> Tensor:
        """Sum of the products of two vectors' elements."""
    def vdot(self, other: Tensor, *, out: Tensor | None = None) -> Tensor:
        """dot, with the first vector conjugated."""
    def inner(self, other: Tensor, *, out: Tensor | None = None) -> Tensor:
        """Sums of products over the last dimension of both."""
    def outer(self, vec2: Tensor, *, out: Tensor | None = None) -> Tensor:
        """All products of an element of one vector and one of the other."""
    def ger(self, vec2: Tensor, *, out: Tensor | None = None) -> Tensor:
        """All products of an element of one vector and one of the other."""
    def addmm(
        self, mat1: Tensor, mat2: Tensor, *, beta: Number = 1, alpha: Number = 1, out: Tensor | None = None
    ) -> Tensor:
        """beta input + alpha mat1 @ mat2."""
    def addmm_(self, mat1: Tensor, mat2: Tensor, *, beta: Number = 1, alpha: Number = 1) -> Tensor:
        """beta input + alpha mat1 @ mat2."""
    def addmv(
        self, mat: Tensor, vec: Tensor, *, beta: Number = 1, alpha: Number = 1, out: Tensor | None = None
    ) -> Tensor:
        """beta input + alpha mat @ vec."""
    def addmv_(self, mat: Tensor, vec: Tensor, *, beta: Number = 1, alpha: Number = 1) -> Tensor:
        """beta input + alpha mat @ vec."""
    def addr(
        self, vec1: Tensor, vec2: Tensor, *, beta: Number = 1, alpha: Number = 1, out: Tensor | None = None
    ) -> Tensor:
        """beta input + alpha outer(vec1, vec2)."""
    def addr_(self, vec1: Tensor, vec2: Tensor, *, beta: Number = 1, alpha: Number = 1) -> Tensor:
        """beta input + alpha outer(vec1, vec2)."""
    def baddbmm(
        self, batch1: Tensor, batch2: Tensor, *, beta: Number = 1, alpha: Number = 1, out: Tensor | None = None
    ) -> Tensor:
        """beta input + alpha batch1 @ batch2."""
    def baddbmm_(self, batch1: Tensor, batch2: Tensor, *, beta: Number = 1, alpha: Number = 1) -> Tensor:
        """beta input + alpha batch1 @ batch2."""
    def addbmm(
        self, batch1: Tensor, batch2: Tensor, *, beta: Number = 1, alpha: Number = 1, out: Tensor | None = None
    ) -> Tensor:
        """beta input + alpha times the sum of batch1 @ batch2 over the batch."""
    def addbmm_(self, batch1: Tensor, batch2: Tensor, *, beta: Number = 1, alpha: Number = 1) -> Tensor:
        """beta input + alpha times the sum of batch1 @ batch2 over the batch."""
    @overload
    def sort(
        self, dim: _int = -1, descending: _bool = False, *, out: Sequence[Tensor] | None = None
    ) -> tuple[Tensor, Tensor]:
        """Elements in order along `dim`, and where they were; stable."""
    @overload
    def sort(
        self, *, stable: _bool, dim: _int = -1, descending: _bool = False, out: Sequence[Tensor] | None = None
    ) -> tuple[Tensor, Tensor]: ...
    def argsort(
        self, dim: _int = -1, descending: _bool = False, *, stable: _bool = False, out: Tensor | None = None
    ) -> Tensor:
        """Indices that sort along `dim`; stable."""
    def msort(self, *, out: Tensor | None = None) -> Tensor:
        """Elements in order along the first dimension."""
    def topk(
        self,
        k: _int,
        dim: _int = -1,
        largest: _bool = True,
        sorted: _bool = True,
        *,
        out: Sequence[Tensor] | None = None,
    ) -> tuple[Tensor, Tensor]:
        """The `k` greatest (least) elements along `dim` and their indices."""
    def kthvalue(
        self, k: _int, dim: _int = -1, keepdim: _bool = False, *, out: Sequence[Tensor] | None = None
    ) -> tuple[Tensor, Tensor]:
        """The `k`-th least element along `dim`, from 1, and its index."""
    @overload
    def median(self, *, out: Tensor | None = None) -> Tensor:
        """The lower middle of all elements, or along `dim` with its index. The lower middle along `dim`."""
    @overload
    def median(
        self, dim: _int, keepdim: _bool = False, *, out: Sequence[Tensor] | None = None
    ) -> tuple[Tensor, Tensor]: ...
    @overload
    def nanmedian(self, *, out: Tensor | None = None) -> Tensor:
        """The lower middle of the elements that are not NaN."""
    @overload
    def nanmedian(
        self, dim: _int, keepdim: _bool = False, *, out: Sequence[Tensor] | None = None
    ) -> tuple[Tensor, Tensor]: ...
    def mode(
        self, dim: _int = -1, keepdim: _bool = False, *, out: Sequence[Tensor] | None = None
    ) -> tuple[Tensor, Tensor]:
        """The most frequent element along `dim` and its last index."""
    def unique(
        self, sorted: _bool = True, return_inverse: _bool = False, return_counts: _bool = False, dim: _int | None = None
    ) -> Any:
        """Distinct elements in order, or distinct slices along `dim`."""
    def unique_consecutive(
        self, return_inverse: _bool = False, return_counts: _bool = False, dim: _int | None = None
    ) -> Any:
        """Elements without those that equal the one before."""
    @overload
    def bernoulli(self, *, generator: Generator | None = None, out: Tensor | None = None) -> Tensor:
        """1 with the probability that `input` says, else 0. 1 with probability p, else 0, in the likeness of `input`."""
    @overload
    def bernoulli(self, p: _float, *, generator: Generator | None = None, out: Tensor | None = None) -> Tensor: ...
    def multinomial(
        self,
        num_samples: _int,
        replacement: _bool = False,
        *,
        generator: Generator | None = None,
        out: Tensor | None = None,
    ) -> Tensor:
        """Category numbers drawn in proportion to the weights in each row of `input`."""
    def uniform_(self, from_: _float = 0.0, to: _float = 1.0, *, generator: Generator | None = None) -> Tensor:
        """Fills with uniform numbers."""
    def normal_(self, mean: _float = 0.0, std: _float = 1.0, *, generator: Generator | None = None) -> Tensor:
        """Fills with normal numbers."""
    @overload
    def random_(self, from_: _int, to: _int, *, generator: Generator | None = None) -> Tensor:
        """Fills with integers in [from, to). Fills with integers in [0, to). Fills with integers of the dtype's whole range from 0 on."""
    @overload
    def random_(self, to: _int, *, generator: Generator | None = None) -> Tensor: ...
    @overload
    def random_(self, *, generator: Generator | None = None) -> Tensor: ...
    @overload
    def bernoulli_(self, p: Tensor, *, generator: Generator | None = None) -> Tensor:
        """Fills with 1 with probability p, else 0."""
    @overload
    def bernoulli_(self, p: _float = 0.5, *, generator: Generator | None = None) -> Tensor: ...
    def exponential_(self, lambd: _float = 1.0, *, generator: Generator | None = None) -> Tensor:
        """Fills with exponential numbers of rate lambd."""
    def geometric_(self, p: _float, *, generator: Generator | None = None) -> Tensor:
        """Fills with numbers of trials up to the first success."""
    def cauchy_(self, median: _float = 0.0, sigma: _float = 1.0, *, generator: Generator | None = None) -> Tensor:
        """Fills with Cauchy numbers."""
    def log_normal_(self, mean: _float = 1.0, std: _float = 2.0, *, generator: Generator | None = None) -> Tensor:
        """Fills with numbers whose logarithm is normal."""
    def __iter__(self) -> Iterator[Tensor]:
        """The slices along the first dimension."""
    def __reversed__(self) -> Tensor: ...
    def __contains__(self, element: object) -> _bool:
        """Whether an element equals ``element``, a number or a tensor that broadcasts."""
    def __format__(self, spec: str) -> str:
        """A number's format where the tensor is one number, so that ``f"{loss:.3f}"`` works; else what ``str`` gives."""
    def polygamma(self, n: _int) -> Tensor:
        """The ``n``-th derivative of digamma at each element."""
    @property
    def real(self) -> Any:
        """A view of the real parts; the tensor itself if it is real."""
    @property
    def imag(self) -> Any:
        """A view of the imaginary parts."""
    def adjoint(self) -> Tensor:
        """The conjugate transpose of the last two dimensions."""
    def fliplr(self) -> Tensor:
        """Columns (dimension 1) in reverse."""
    def flipud(self) -> Tensor:
        """Rows (dimension 0) in reverse."""
    def rot90(self, k: _int = ..., dims: Sequence[_int] = ...) -> Tensor:
        """Turned by 90 degrees `k` times, from the first of `dims` towards the second."""
    def tile(self, *dims: Any) -> Tensor:
        """`input` repeated ``dims[n]`` times along dimension n; the shorter of shape and `dims` is led by ones."""
    def logit_(self, *args: Any, **kwargs: Any) -> Tensor:
        """In-place form of `logit`."""
    def logit(self, eps: _float | None = ...) -> Tensor:
        """Log-odds of each element, ``log(x / (1 - x))``; ``x`` is first clamped to ``[eps, 1 - eps]`` if given."""
    def deg2rad_(self, *args: Any, **kwargs: Any) -> Tensor:
        """In-place form of `deg2rad`."""
    def deg2rad(self) -> Tensor:
        """Degrees to radians."""
    def rad2deg_(self, *args: Any, **kwargs: Any) -> Tensor:
        """In-place form of `rad2deg`."""
    def rad2deg(self) -> Tensor:
        """Radians to degrees."""
    def isreal(self) -> Tensor:
        """Where an element's imaginary part is 0."""
    def isclose(self, other: Tensor, rtol: _float = ..., atol: _float = ..., equal_nan: _bool = ...) -> Tensor:
        """Where ``|input - other| <= atol + rtol * |other|``."""
    def allclose(self, other: Tensor, rtol: _float = ..., atol: _float = ..., equal_nan: _bool = ...) -> _bool:
        """Whether all elements are close, as `isclose` has it."""
    def equal(self, other: Tensor) -> _bool:
        """Whether two tensors have the same shape and elements."""
    def diff(self, n: _int = ..., dim: _int = ..., prepend: Tensor | None = ..., append: Tensor | None = ...) -> Tensor:
        """Differences of neighbours along `dim`, `n` times over; `prepend` and `append` are joined to the ends first."""
    def trace(self=...) -> Any:
        """Sum of a matrix's diagonal. Without one, ``with leafgrad.trace():`` records lines and memory: see `Trace`."""
    def kron(self, other: Tensor) -> Tensor:
        """Kronecker product: each element of `input` times the whole of `other`."""
    def __copy__(self) -> Tensor:
        """Another leaf tensor over the same memory, with the same attributes."""
    def __deepcopy__(self, memo: dict[Any, Any]) -> Tensor:
        """A leaf tensor over memory of its own, with copies of ``.grad`` and of all attributes."""
    def tensor_split(
        self,
        indices_or_sections: _int | Sequence[_int] | Tensor | None = ...,
        dim: _int = ...,
        *,
        indices: Sequence[_int] | None = ...,
        sections: _int | None = ...,
    ) -> tuple[Tensor, ...]:
        """Views of parts along `dim`: as many as the number given, or cut at the indices given."""
    def hsplit(self, indices_or_sections: _int | Sequence[_int]) -> tuple[Tensor, ...]:
        """Parts side by side: cut along dimension 1, a vector along 0."""
    def vsplit(self, indices_or_sections: _int | Sequence[_int]) -> tuple[Tensor, ...]:
        """Parts one below the other: cut along dimension 0."""
    def dsplit(self, indices_or_sections: _int | Sequence[_int]) -> tuple[Tensor, ...]:
        """Parts one behind the other: cut along dimension 2."""
    def narrow_copy(self, dim: _int, start: _int, length: _int) -> Tensor:
        """What `narrow` shows, as a copy."""
    def diagflat(self, offset: _int = ...) -> Tensor:
        """A matrix with all elements of `input` along a diagonal."""
    def repeat_interleave(
        self, repeats: _int | Tensor | None = ..., dim: _int | None = ..., *, output_size: _int | None = ...
    ) -> Tensor:
        """Each slice along `dim` repeated in place."""
    def fill_diagonal_(self, fill_value: _float, wrap: _bool = ...) -> Tensor:
        """Writes one value to the main diagonal; with `wrap` a tall matrix's diagonal starts anew below its end."""
    def nonzero_static(self, *, size: _int, fill_value: _int = ...) -> Tensor:
        """The first `size` rows of `nonzero`, made up with rows of `fill_value` where there are fewer."""
    def new(self, *args: Any, device: Any = ...) -> Tensor:
        """A tensor of the same dtype: ``new(2, 3)`` uninitialized, ``new([1, 2])`` of values.  Prefer ``new_empty``."""
    def storage(self) -> Any:
        """The tensor's memory as elements of its dtype, whatever part of it the tensor shows."""

class UntypedStorage:
    """The memory that a tensor and its views share."""
    def __repr__(self) -> str: ...
    def __hash__(self) -> _int: ...
    def __lt__(self, other: Any) -> _bool: ...  # type: ignore[override]
    def __le__(self, other: Any) -> _bool: ...  # type: ignore[override]
    def __eq__(self, other: Any) -> _bool: ...  # type: ignore[override]
    def __ne__(self, other: Any) -> _bool: ...  # type: ignore[override]
    def __gt__(self, other: Any) -> _bool: ...  # type: ignore[override]
    def __ge__(self, other: Any) -> _bool: ...  # type: ignore[override]
    def __len__(self) -> _int: ...
    def data_ptr(self, *args: Any, **kwargs: Any) -> _int:
        """Address of the first byte; 0 on meta."""
    def nbytes(self, *args: Any, **kwargs: Any) -> _int:
        """Size in bytes."""
    def size(self, *args: Any, **kwargs: Any) -> Any:
        """Size in bytes."""
    def resizable(self, *args: Any, **kwargs: Any) -> Any:
        """False for memory borrowed from NumPy, DLPack or a buffer."""
    def resize_(self, *args: Any, **kwargs: Any) -> Any:
        """Grow to this many bytes; what is there is kept."""
    @property
    def _cdata(self) -> Any:
        """A number that tells this storage from all others alive."""
    @property
    def device(self) -> Any:
        """Where the memory is."""

class _NoGrad:
    ...
    def __init__(self, *args: Any, **kwargs: Any) -> None: ...
    def __enter__(self, *args: Any, **kwargs: Any) -> Any: ...
    def __exit__(self, *args: Any, **kwargs: Any) -> Any: ...
    @property
    def prev(self) -> Any: ...

class _EnableGrad:
    ...
    def __init__(self, *args: Any, **kwargs: Any) -> None: ...
    def __enter__(self, *args: Any, **kwargs: Any) -> Any: ...
    def __exit__(self, *args: Any, **kwargs: Any) -> Any: ...
    @property
    def prev(self) -> Any: ...

class Generator:
    """A sequence of random numbers; see manual_seed."""
    def __init__(self, *args: Any, **kwargs: Any) -> None: ...
    def manual_seed(self, *args: Any, **kwargs: Any) -> Generator:
        """Start the sequence that belongs to `seed`; returns the generator."""
    def seed(self, *args: Any, **kwargs: Any) -> Any:
        """Start from the system's entropy; returns the seed."""
    def initial_seed(self, *args: Any, **kwargs: Any) -> _int:
        """The seed that the sequence began with."""
    def get_state(self, *args: Any, **kwargs: Any) -> Tensor:
        """The state, as a uint8 tensor."""
    def set_state(self, *args: Any, **kwargs: Any) -> Any:
        """Continue from a state that get_state() gave."""
    def clone_state(self, *args: Any, **kwargs: Any) -> Any:
        """Another generator that goes on from here."""
    def graphsafe_get_state(self, *args: Any, **kwargs: Any) -> Any:
        """Another generator that goes on from here."""
    @property
    def device(self) -> Any:
        """Always cpu."""

class OutOfMemoryError(MemoryError):
    """Memory could not be had."""

bool: dtype
uint8: dtype
int8: dtype
int16: dtype
short: dtype
int32: dtype
int: dtype
int64: dtype
long: dtype
float16: dtype
half: dtype
bfloat16: dtype
float32: dtype
float: dtype
float64: dtype
double: dtype
complex64: dtype
cfloat: dtype
complex128: dtype
cdouble: dtype
strided: layout
sparse_coo: layout
sparse_csr: layout
sparse_csc: layout
sparse_bsr: layout
sparse_bsc: layout
jagged: layout
contiguous_format: memory_format
preserve_format: memory_format
channels_last: memory_format
channels_last_3d: memory_format
default_generator: Generator

def _function_apply(cls, *args) -> Any:
    """_function_apply(cls, *args): one call of a custom Function."""

def is_grad_enabled(*args: Any, **kwargs: Any) -> _bool:
    """Is this thread recording?"""

def _set_grad_enabled(*args: Any, **kwargs: Any) -> Any: ...
def is_inference_mode_enabled(*args: Any, **kwargs: Any) -> _bool:
    """Is this thread in inference mode?"""

def _set_inference_mode(*args: Any, **kwargs: Any) -> Any: ...
def _set_in_step(*args: Any, **kwargs: Any) -> Any:
    """Writes from now on are an optimizer's step's, or no longer; what was so."""

def _run_backward(*args: Any, **kwargs: Any) -> Any:
    """The engine; see autograd.backward and grad."""

def _push_saved_tensors_default_hooks(*args: Any, **kwargs: Any) -> Any: ...
def _pop_saved_tensors_default_hooks(*args: Any, **kwargs: Any) -> Any: ...
def _saved_tensors_hooks_disable(*args: Any, **kwargs: Any) -> Any: ...
def _saved_tensors_hooks_enable(*args: Any, **kwargs: Any) -> Any: ...
def _saved_tensors_hooks_get_disabled_error_message(*args: Any, **kwargs: Any) -> Any: ...
def _set_anomaly_enabled(*args: Any, **kwargs: Any) -> Any: ...
def is_anomaly_enabled(*args: Any, **kwargs: Any) -> _bool:
    """Is anomaly mode on?"""

def is_anomaly_check_nan_enabled(*args: Any, **kwargs: Any) -> Any:
    """Does anomaly mode look for NaN?"""

def _grad_accumulator(*args: Any, **kwargs: Any) -> Any:
    """The AccumulateGrad node of a leaf."""

def _current_graph_task_id(*args: Any, **kwargs: Any) -> Any:
    """Number of the running backward; -1 outside."""

def _current_autograd_node(*args: Any, **kwargs: Any) -> Any:
    """The node whose backward is running; None outside."""

def _is_checkpoint_valid(*args: Any, **kwargs: Any) -> Any:
    """No backward with inputs is running."""

def _will_engine_execute_node(*args: Any, **kwargs: Any) -> Any: ...
def _increment_version(*args: Any, **kwargs: Any) -> Any: ...
def _unsafe_set_version_counter(*args: Any, **kwargs: Any) -> Any: ...
def _memory_stats(*args: Any, **kwargs: Any) -> Any:
    """The allocator's counters, in bytes: live, peak, cached; and live blocks."""

def _reset_peak(*args: Any, **kwargs: Any) -> Any:
    """peak_bytes starts again from live_bytes."""

def _empty_cache(*args: Any, **kwargs: Any) -> Any:
    """Give cached memory back to the system."""

def _fail_allocation(*args: Any, **kwargs: Any) -> Any:
    """For tests: the n-th allocation from now fails; 0 switches it off."""

def _set_memory_limit(*args: Any, **kwargs: Any) -> Any:
    """Cap on live and cached bytes; 0: none."""

def get_num_threads(*args: Any, **kwargs: Any) -> Any:
    """Threads that large operations use."""

def set_num_threads(*args: Any, **kwargs: Any) -> Any:
    """Set the number of threads that large operations use, 1 to 64."""

def _instruction_set(*args: Any, **kwargs: Any) -> Any:
    """Which build of the kernels runs here: baseline, avx2 or avx512."""

def get_default_dtype(*args: Any, **kwargs: Any) -> Any:
    """Dtype that Python floats get."""

def set_default_dtype(*args: Any, **kwargs: Any) -> Any:
    """Set the dtype that Python floats get."""

def manual_seed(*args: Any, **kwargs: Any) -> Generator:
    """Start the default generator's sequence that belongs to `seed`."""

def seed(*args: Any, **kwargs: Any) -> Any:
    """Start the default generator from the system's entropy; returns the seed."""

def initial_seed(*args: Any, **kwargs: Any) -> _int:
    """The seed that the default generator began with."""

def get_rng_state(*args: Any, **kwargs: Any) -> Any:
    """State of the default generator, as a uint8 tensor."""

def set_rng_state(*args: Any, **kwargs: Any) -> Any:
    """Continue the default generator from a state that get_rng_state() gave."""

def tensor(*args: Any, **kwargs: Any) -> Any:
    """New leaf tensor with a copy of `data`: numbers, nested sequences, arrays."""

def as_tensor(*args: Any, **kwargs: Any) -> Any:
    """Tensor of `data`, sharing memory with a tensor or array where dtype and device allow it."""

def asarray(*args: Any, **kwargs: Any) -> Any:
    """Tensor of `obj`; `copy` says whether memory must, must not or may be copied."""

def from_numpy(*args: Any, **kwargs: Any) -> Any:
    """Tensor over the memory of a NumPy array."""

def frombuffer(*args: Any, **kwargs: Any) -> Any:
    """1-dim tensor over the memory of an object with the buffer protocol."""

def from_dlpack(*args: Any, **kwargs: Any) -> Any:
    """Tensor over the memory of a DLPack capsule, or of an object with __dlpack__."""

def to_dlpack(*args: Any, **kwargs: Any) -> Any:
    """Legacy DLPack capsule over the tensor's memory."""

def _lens_start(*args: Any, **kwargs: Any) -> Any:
    """Begin to keep places; with record=True events too; observer(kind, *args) hears of them as they happen."""

def _lens_stop(*args: Any, **kwargs: Any) -> Any:
    """End it. The places and events stay readable."""

def _lens_change(*args: Any, **kwargs: Any) -> Any:
    """Go on with another observer, or with recording switched on or off; what was recorded stays."""

def _lens_events(first=0) -> Any:
    """_lens_events(first=0): (kind, ns, buffer, bytes, place, node sequence or -1, node name or None) of each event recorded since the lens was started, from number `first` on."""

def _lens_buffers(*args: Any, **kwargs: Any) -> Any:
    """Number in the events of each live storage, by its id."""

def _lens_event_count(*args: Any, **kwargs: Any) -> Any:
    """Number of events that _lens_events gives."""

def _live_tensors(*args: Any, **kwargs: Any) -> Any:
    """Every tensor that is alive, the core's own aliases too."""

def _live_nodes(*args: Any, **kwargs: Any) -> Any:
    """Every node of every graph that is alive."""

def _live_storages(*args: Any, **kwargs: Any) -> Any:
    """A list of (id, bytes, is the memory ours?) of every storage in use, and the live bytes at that moment."""

def _version_id(*args: Any, **kwargs: Any) -> Any:
    """A number that tells a tensor's version counter from all others alive."""

def _last_writer(*args: Any, **kwargs: Any) -> Any:
    """The operator that last wrote the tensor's memory in place, or None."""

def _creation(*args: Any, **kwargs: Any) -> Any:
    """How a view was made: default, no_grad, multi_output, inference, function."""

def _saved(*args: Any, **kwargs: Any) -> Any:
    """(name, tensor or None, version when saved, is it an output, was it packed by a hook) of each saved tensor."""

def _is_released(*args: Any, **kwargs: Any) -> Any:
    """Has backward freed what the node saved?"""

def _retained_outputs(*args: Any, **kwargs: Any) -> Any:
    """Numbers of the outputs whose gradients are retained."""

def _place(*args: Any, **kwargs: Any) -> Any:
    """(file, line, function) where a node was recorded or a tensor's memory made, if the lens was on; else None."""

def _made_at(*args: Any, **kwargs: Any) -> Any:
    """' at file:line' of a node for a message; else how to get to know the line."""

def _disabled_torch_function_impl(*args: Any, **kwargs: Any) -> Any:
    """Runs the function without __torch_function__."""

def _set_torch_function_disabled(*args: Any, **kwargs: Any) -> Any:
    """Switches __torch_function__ off for this thread; returns what it was."""

def _register_parameter(*args: Any, **kwargs: Any) -> Any:
    """Names the subclass whose objects behave as plain tensors."""

def _derivative_formulas(*args: Any, **kwargs: Any) -> Any:
    """By a node's name, the cotangent of each input as core/pointwise.def writes it."""

def clone(input: Tensor, *, memory_format: Any | None = None) -> Tensor:
    """A copy; recorded."""

def fill_(input: Tensor, value: Tensor | Number) -> Tensor:
    """Overwrites every element with one value."""

def fill(input: Tensor, value: Tensor | Number) -> Tensor:
    """A copy in which every element is one value."""

def zero_(input: Tensor) -> Tensor:
    """Overwrites every element with 0."""

def result_type(tensor1: Tensor | Number, tensor2: Tensor | Number) -> _dtype:
    """dtype of an operation on both."""

def promote_types(type1: _dtype, type2: _dtype) -> _dtype:
    """The least dtype that holds both."""

def can_cast(from_: _dtype, to: _dtype) -> _bool:
    """May an operation whose result is of one dtype write into the other?"""

def exp(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Exponential of each element, e**x."""

def exp_(input: Tensor) -> Tensor:
    """In-place exp."""

def exp2(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Two to the power of each element."""

def exp2_(input: Tensor) -> Tensor:
    """In-place exp2."""

def expm1(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """e**x - 1, exact for small x."""

def expm1_(input: Tensor) -> Tensor:
    """In-place expm1."""

def log(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Natural logarithm of each element."""

def log_(input: Tensor) -> Tensor:
    """In-place log."""

def log2(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Logarithm to base 2 of each element."""

def log2_(input: Tensor) -> Tensor:
    """In-place log2."""

def log10(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Logarithm to base 10 of each element."""

def log10_(input: Tensor) -> Tensor:
    """In-place log10."""

def log1p(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """log(1 + x), exact for small x."""

def log1p_(input: Tensor) -> Tensor:
    """In-place log1p."""

def sqrt(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Square root of each element."""

def sqrt_(input: Tensor) -> Tensor:
    """In-place sqrt."""

def rsqrt(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Reciprocal of the square root of each element."""

def rsqrt_(input: Tensor) -> Tensor:
    """In-place rsqrt."""

def reciprocal(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Reciprocal of each element, 1 / x."""

def reciprocal_(input: Tensor) -> Tensor:
    """In-place reciprocal."""

def sin(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Sine of each element, in radians."""

def sin_(input: Tensor) -> Tensor:
    """In-place sin."""

def cos(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Cosine of each element, in radians."""

def cos_(input: Tensor) -> Tensor:
    """In-place cos."""

def tan(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Tangent of each element, in radians."""

def tan_(input: Tensor) -> Tensor:
    """In-place tan."""

def asin(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Arc sine of each element, in radians."""

def asin_(input: Tensor) -> Tensor:
    """In-place asin."""

def acos(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Arc cosine of each element, in radians."""

def acos_(input: Tensor) -> Tensor:
    """In-place acos."""

def atan(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Arc tangent of each element, in radians."""

def atan_(input: Tensor) -> Tensor:
    """In-place atan."""

def sinh(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Hyperbolic sine of each element."""

def sinh_(input: Tensor) -> Tensor:
    """In-place sinh."""

def cosh(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Hyperbolic cosine of each element."""

def cosh_(input: Tensor) -> Tensor:
    """In-place cosh."""

def tanh(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Hyperbolic tangent of each element."""

def tanh_(input: Tensor) -> Tensor:
    """In-place tanh."""

def asinh(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Inverse hyperbolic sine of each element."""

def asinh_(input: Tensor) -> Tensor:
    """In-place asinh."""

def acosh(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Inverse hyperbolic cosine of each element."""

def acosh_(input: Tensor) -> Tensor:
    """In-place acosh."""

def atanh(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Inverse hyperbolic tangent of each element."""

def atanh_(input: Tensor) -> Tensor:
    """In-place atanh."""

def sigmoid(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Logistic function of each element, 1 / (1 + e**-x)."""

def sigmoid_(input: Tensor) -> Tensor:
    """In-place sigmoid."""

def erf(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Error function of each element."""

def erf_(input: Tensor) -> Tensor:
    """In-place erf."""

def erfc(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Complement of the error function, 1 - erf(x)."""

def erfc_(input: Tensor) -> Tensor:
    """In-place erfc."""

def erfinv(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Inverse of the error function on (-1, 1)."""

def erfinv_(input: Tensor) -> Tensor:
    """In-place erfinv."""

def lgamma(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Logarithm of the absolute value of the gamma function."""

def lgamma_(input: Tensor) -> Tensor:
    """In-place lgamma."""

def digamma(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Derivative of lgamma."""

def digamma_(input: Tensor) -> Tensor:
    """In-place digamma."""

def neg(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Negative of each element."""

def neg_(input: Tensor) -> Tensor:
    """In-place neg."""

def floor(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Largest integer not above each element."""

def floor_(input: Tensor) -> Tensor:
    """In-place floor."""

def ceil(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Smallest integer not below each element."""

def ceil_(input: Tensor) -> Tensor:
    """In-place ceil."""

def trunc(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Each element without its fraction."""

def trunc_(input: Tensor) -> Tensor:
    """In-place trunc."""

def frac(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Fraction of each element, with its sign."""

def frac_(input: Tensor) -> Tensor:
    """In-place frac."""

def sign(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """-1, 0 or 1: the sign of each element."""

def sign_(input: Tensor) -> Tensor:
    """In-place sign."""

def relu(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Each element, or 0 where it is negative."""

def relu_(input: Tensor) -> Tensor:
    """In-place relu."""

def silu(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """x * sigmoid(x), also called swish."""

def silu_(input: Tensor) -> Tensor:
    """In-place silu."""

def isnan(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Is each element not a number?"""

def isinf(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Is each element infinite?"""

def isfinite(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Is each element neither infinite nor NaN?"""

def isposinf(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Is each element positive infinity?"""

def isneginf(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Is each element negative infinity?"""

def signbit(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Is the sign of each element negative, -0 included?"""

def logical_not(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """True where an element is zero."""

def mul(input: Tensor | Number, other: Tensor | Number, *, out: Tensor | None = None) -> Tensor:
    """Product of two tensors, broadcast."""

def atan2(input: Tensor, other: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Angle of the point (other, input), in radians."""

def maximum(input: Tensor, other: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Larger of two elements; NaN if one of them is."""

def minimum(input: Tensor, other: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Smaller of two elements; NaN if one of them is."""

def fmax(input: Tensor, other: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Larger of two elements, ignoring a NaN beside a number."""

def fmin(input: Tensor, other: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Smaller of two elements, ignoring a NaN beside a number."""

def hypot(input: Tensor, other: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Length of the hypotenuse, sqrt(input**2 + other**2)."""

def logaddexp(input: Tensor, other: Tensor, *, out: Tensor | None = None) -> Tensor:
    """log(e**input + e**other), without overflow."""

def logaddexp2(input: Tensor, other: Tensor, *, out: Tensor | None = None) -> Tensor:
    """log2(2**input + 2**other), without overflow."""

def eq(input: Tensor, other: Tensor | Number, *, out: Tensor | None = None) -> Tensor:
    """Are two elements equal?"""

def ne(input: Tensor, other: Tensor | Number, *, out: Tensor | None = None) -> Tensor:
    """Are two elements different?"""

def lt(input: Tensor, other: Tensor | Number, *, out: Tensor | None = None) -> Tensor:
    """Is input less than other?"""

def le(input: Tensor, other: Tensor | Number, *, out: Tensor | None = None) -> Tensor:
    """Is input at most other?"""

def gt(input: Tensor, other: Tensor | Number, *, out: Tensor | None = None) -> Tensor:
    """Is input greater than other?"""

def ge(input: Tensor, other: Tensor | Number, *, out: Tensor | None = None) -> Tensor:
    """Is input at least other?"""

def logical_and(input: Tensor, other: Tensor, *, out: Tensor | None = None) -> Tensor:
    """True where both elements are nonzero."""

def logical_or(input: Tensor, other: Tensor, *, out: Tensor | None = None) -> Tensor:
    """True where an element of the two is nonzero."""

def logical_xor(input: Tensor, other: Tensor, *, out: Tensor | None = None) -> Tensor:
    """True where exactly one of two elements is nonzero."""

def bitwise_and(input: Tensor | Number, other: Tensor | Number, *, out: Tensor | None = None) -> Tensor:
    """Bitwise and of integers or bools."""

def bitwise_or(input: Tensor | Number, other: Tensor | Number, *, out: Tensor | None = None) -> Tensor:
    """Bitwise or of integers or bools."""

def bitwise_xor(input: Tensor | Number, other: Tensor | Number, *, out: Tensor | None = None) -> Tensor:
    """Bitwise exclusive or of integers or bools."""

def bitwise_left_shift(input: Tensor | Number, other: Tensor | Number, *, out: Tensor | None = None) -> Tensor:
    """Bits of input moved left; 0 once all are gone."""

def bitwise_right_shift(input: Tensor | Number, other: Tensor | Number, *, out: Tensor | None = None) -> Tensor:
    """Bits of input moved right, keeping the sign."""

@overload
def add(input: Tensor | Number, other: Tensor | Number, *, out: Tensor | None = None) -> Tensor:
    """Sum of two tensors, broadcast; `other` times `alpha` if given. input + alpha * other."""

@overload
def add(input: Tensor | Number, other: Tensor | Number, *, alpha: Number = 1, out: Tensor | None = None) -> Tensor: ...
@overload
def sub(input: Tensor | Number, other: Tensor | Number, *, out: Tensor | None = None) -> Tensor:
    """Difference of two tensors, broadcast; `other` times `alpha` if given. input - alpha * other."""

@overload
def sub(input: Tensor | Number, other: Tensor | Number, *, alpha: Number = 1, out: Tensor | None = None) -> Tensor: ...
@overload
def subtract(input: Tensor | Number, other: Tensor | Number, *, out: Tensor | None = None) -> Tensor:
    """Difference of two tensors, broadcast; `other` times `alpha` if given. input - alpha * other."""

@overload
def subtract(
    input: Tensor | Number, other: Tensor | Number, *, alpha: Number = 1, out: Tensor | None = None
) -> Tensor: ...
def rsub(input: Tensor, other: Tensor | Number, *, alpha: Number = 1, out: Tensor | None = None) -> Tensor:
    """other - alpha * input."""

@overload
def div(input: Tensor | Number, other: Tensor | Number, *, out: Tensor | None = None) -> Tensor:
    """Quotient of two tensors; integers divide as floats. Quotient, rounded down ("floor") or towards zero ("trunc")."""

@overload
def div(input: Tensor | Number, other: Tensor | Number, *, rounding_mode: str, out: Tensor | None = None) -> Tensor: ...
@overload
def divide(input: Tensor | Number, other: Tensor | Number, *, out: Tensor | None = None) -> Tensor:
    """Quotient of two tensors; integers divide as floats. Quotient, rounded down ("floor") or towards zero ("trunc")."""

@overload
def divide(
    input: Tensor | Number, other: Tensor | Number, *, rounding_mode: str, out: Tensor | None = None
) -> Tensor: ...
def true_divide(input: Tensor | Number, other: Tensor | Number, *, out: Tensor | None = None) -> Tensor:
    """Quotient of two tensors; integers divide as floats."""

def floor_divide(input: Tensor | Number, other: Tensor | Number, *, out: Tensor | None = None) -> Tensor:
    """Quotient rounded down, as Python's //."""

def remainder(input: Tensor | Number, other: Tensor | Number, *, out: Tensor | None = None) -> Tensor:
    """What // leaves: Python's %, with the sign of `other`."""

def fmod(input: Tensor, other: Tensor | Number, *, out: Tensor | None = None) -> Tensor:
    """Remainder of the division rounded towards zero, with the sign of `input`."""

def pow(input: Tensor | Number, exponent: Tensor | Number, *, out: Tensor | None = None) -> Tensor:
    """Each element to the power of `exponent`."""

def float_power(input: Tensor | Number, exponent: Tensor | Number, *, out: Tensor | None = None) -> Tensor:
    """Power computed in double precision."""

def square(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Square of each element."""

def square_(input: Tensor) -> Tensor:
    """In-place square."""

def lerp(input: Tensor, end: Tensor, weight: Tensor | Number, *, out: Tensor | None = None) -> Tensor:
    """input + weight * (end - input), exact at both ends."""

def addcmul(input: Tensor, tensor1: Tensor, tensor2: Tensor, *, value: Number = 1, out: Tensor | None = None) -> Tensor:
    """input + value * tensor1 * tensor2."""

def addcdiv(input: Tensor, tensor1: Tensor, tensor2: Tensor, *, value: Number = 1, out: Tensor | None = None) -> Tensor:
    """input + value * tensor1 / tensor2."""

def copysign(input: Tensor, other: Tensor | Number, *, out: Tensor | None = None) -> Tensor:
    """Size of `input` with the sign of `other`."""

def xlogy(input: Tensor | Number, other: Tensor | Number, *, out: Tensor | None = None) -> Tensor:
    """input * log(other), and 0 where `input` is 0."""

def heaviside(input: Tensor, values: Tensor, *, out: Tensor | None = None) -> Tensor:
    """0 below zero, 1 above, and `values` at zero."""

def nextafter(input: Tensor, other: Tensor, *, out: Tensor | None = None) -> Tensor:
    """The next float from `input` towards `other`."""

def polygamma(n: _int, input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """n-th derivative of digamma."""

def abs(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Absolute value of each element."""

def absolute(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Absolute value of each element."""

def abs_(input: Tensor) -> Tensor:
    """In-place abs."""

def sgn(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Each element over its absolute value: its sign, or direction if complex."""

def angle(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Angle of each element in the complex plane, in radians."""

def conj(input: Tensor) -> Tensor:
    """Complex conjugate of each element."""

def conj_physical(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Complex conjugate of each element."""

def resolve_conj(input: Tensor) -> Tensor:
    """The tensor itself."""

def resolve_neg(input: Tensor) -> Tensor:
    """The tensor itself."""

def positive(input: Tensor) -> Tensor:
    """The tensor itself."""

@overload
def round(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Nearest integer to each element, halves to even. Rounded to `decimals` places."""

@overload
def round(input: Tensor, *, decimals: _int, out: Tensor | None = None) -> Tensor: ...
@overload
def round_(input: Tensor) -> Tensor:
    """In-place round."""

@overload
def round_(input: Tensor, *, decimals: _int) -> Tensor: ...
def bitwise_not(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Bitwise complement of integers, or of bools."""

def nan_to_num(
    input: Tensor,
    nan: _float | None = None,
    posinf: _float | None = None,
    neginf: _float | None = None,
    *,
    out: Tensor | None = None,
) -> Tensor:
    """NaN as `nan` (0), infinities as `posinf` and `neginf` (the largest and least finite numbers)."""

def sinc(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """sin(pi x) / (pi x), and 1 at 0."""

@overload
def where(condition: Tensor) -> tuple[Tensor, ...]:
    """`input` where the condition holds, `other` elsewhere. Indices at which the condition holds, a tensor for each dimension."""

@overload
def where(condition: Tensor, input: Tensor | Number, other: Tensor | Number) -> Tensor: ...
def masked_fill(input: Tensor, mask: Tensor, value: Tensor | Number, *, out: Tensor | None = None) -> Tensor:
    """`value` where the mask holds, `input` elsewhere."""

@overload
def clamp(input: Tensor, min: Tensor | None = None, max: Tensor | None = None, *, out: Tensor | None = None) -> Tensor:
    """Each element, raised to `min` and cut to `max` where given."""

@overload
def clamp(
    input: Tensor, min: Number | None = None, max: Number | None = None, *, out: Tensor | None = None
) -> Tensor: ...
@overload
def clip(input: Tensor, min: Tensor | None = None, max: Tensor | None = None, *, out: Tensor | None = None) -> Tensor:
    """Each element, raised to `min` and cut to `max` where given."""

@overload
def clip(
    input: Tensor, min: Number | None = None, max: Number | None = None, *, out: Tensor | None = None
) -> Tensor: ...
@overload
def clamp_(input: Tensor, min: Tensor | None = None, max: Tensor | None = None) -> Tensor:
    """In-place clamp."""

@overload
def clamp_(input: Tensor, min: Number | None = None, max: Number | None = None) -> Tensor: ...
@overload
def clip_(input: Tensor, min: Tensor | None = None, max: Tensor | None = None) -> Tensor:
    """In-place clamp."""

@overload
def clip_(input: Tensor, min: Number | None = None, max: Number | None = None) -> Tensor: ...
def clamp_min(input: Tensor, min: Tensor | Number, *, out: Tensor | None = None) -> Tensor:
    """Each element, at least `min`."""

def clamp_max(input: Tensor, max: Tensor | Number, *, out: Tensor | None = None) -> Tensor:
    """Each element, at most `max`."""

def clamp_min_(input: Tensor, min: Tensor | Number) -> Tensor:
    """In-place clamp_min."""

def clamp_max_(input: Tensor, max: Tensor | Number) -> Tensor:
    """In-place clamp_max."""

def gelu(input: Tensor, *, approximate: str = "none", out: Tensor | None = None) -> Tensor:
    """Gaussian error linear unit, x * Phi(x)."""

def view_as_real(input: Tensor) -> Tensor:
    """A view with a last dimension of size 2: real and imaginary part."""

def view_as_complex(input: Tensor) -> Tensor:
    """A view of pairs, the last dimension, as complex numbers."""

def real(input: Tensor) -> Tensor:
    """A view of the real parts; the tensor itself if it is real."""

def imag(input: Tensor) -> Tensor:
    """A view of the imaginary parts."""

@overload
def empty(
    *size: _int,
    dtype: _dtype | None = None,
    device: _device | str | None = None,
    memory_format: Any | None = None,
    requires_grad: _bool = False,
    out: Tensor | None = None,
) -> Tensor:
    """Uninitialised tensor of shape `size`."""

@overload
def empty(
    size: _int | Sequence[_int],
    *,
    dtype: _dtype | None = None,
    device: _device | str | None = None,
    memory_format: Any | None = None,
    requires_grad: _bool = False,
    out: Tensor | None = None,
) -> Tensor: ...
@overload
def zeros(
    *size: _int,
    dtype: _dtype | None = None,
    device: _device | str | None = None,
    requires_grad: _bool = False,
    out: Tensor | None = None,
) -> Tensor:
    """Tensor of shape `size` filled with 0."""

@overload
def zeros(
    size: _int | Sequence[_int],
    *,
    dtype: _dtype | None = None,
    device: _device | str | None = None,
    requires_grad: _bool = False,
    out: Tensor | None = None,
) -> Tensor: ...
@overload
def ones(
    *size: _int,
    dtype: _dtype | None = None,
    device: _device | str | None = None,
    requires_grad: _bool = False,
    out: Tensor | None = None,
) -> Tensor:
    """Tensor of shape `size` filled with 1."""

@overload
def ones(
    size: _int | Sequence[_int],
    *,
    dtype: _dtype | None = None,
    device: _device | str | None = None,
    requires_grad: _bool = False,
    out: Tensor | None = None,
) -> Tensor: ...
def full(
    size: _int | Sequence[_int],
    fill_value: Number,
    *,
    dtype: _dtype | None = None,
    device: _device | str | None = None,
    requires_grad: _bool = False,
    out: Tensor | None = None,
) -> Tensor:
    """Tensor of shape `size` filled with `fill_value`, whose kind gives the dtype."""

def empty_like(
    input: Tensor,
    *,
    dtype: _dtype | None = None,
    device: _device | str | None = None,
    memory_format: Any | None = None,
    requires_grad: _bool = False,
    out: Tensor | None = None,
) -> Tensor:
    """Uninitialised tensor of `input`'s shape, dtype and order of dimensions in memory."""

def zeros_like(
    input: Tensor,
    *,
    dtype: _dtype | None = None,
    device: _device | str | None = None,
    memory_format: Any | None = None,
    requires_grad: _bool = False,
    out: Tensor | None = None,
) -> Tensor:
    """Zeros in the likeness of `input`."""

def ones_like(
    input: Tensor,
    *,
    dtype: _dtype | None = None,
    device: _device | str | None = None,
    memory_format: Any | None = None,
    requires_grad: _bool = False,
    out: Tensor | None = None,
) -> Tensor:
    """Ones in the likeness of `input`."""

def full_like(
    input: Tensor,
    fill_value: Number,
    *,
    dtype: _dtype | None = None,
    device: _device | str | None = None,
    memory_format: Any | None = None,
    requires_grad: _bool = False,
    out: Tensor | None = None,
) -> Tensor:
    """`fill_value` in the likeness of `input`."""

def empty_strided(
    size: _int | Sequence[_int],
    stride: _int | Sequence[_int],
    *,
    dtype: _dtype | None = None,
    device: _device | str | None = None,
    requires_grad: _bool = False,
    out: Tensor | None = None,
) -> Tensor:
    """Uninitialised tensor with the given strides, in elements."""

def scalar_tensor(
    s: Number,
    *,
    dtype: _dtype | None = None,
    device: _device | str | None = None,
    requires_grad: _bool = False,
    out: Tensor | None = None,
) -> Tensor:
    """0-dim tensor of one number."""

@overload
def eye(
    n: _int,
    *,
    dtype: _dtype | None = None,
    device: _device | str | None = None,
    requires_grad: _bool = False,
    out: Tensor | None = None,
) -> Tensor:
    """Identity matrix, n by n. Ones on the diagonal, n by m."""

@overload
def eye(
    n: _int,
    m: _int,
    *,
    dtype: _dtype | None = None,
    device: _device | str | None = None,
    requires_grad: _bool = False,
    out: Tensor | None = None,
) -> Tensor: ...
@overload
def arange(
    end: Number,
    *,
    dtype: _dtype | None = None,
    device: _device | str | None = None,
    requires_grad: _bool = False,
    out: Tensor | None = None,
) -> Tensor:
    """0, 1, 2, ... below `end`. From `start` by `step`, up to but without `end`."""

@overload
def arange(
    start: Number,
    end: Number,
    step: Number = 1,
    *,
    dtype: _dtype | None = None,
    device: _device | str | None = None,
    requires_grad: _bool = False,
    out: Tensor | None = None,
) -> Tensor: ...
def linspace(
    start: Number,
    end: Number,
    steps: _int,
    *,
    dtype: _dtype | None = None,
    device: _device | str | None = None,
    requires_grad: _bool = False,
    out: Tensor | None = None,
) -> Tensor:
    """`steps` evenly spaced values, both ends included."""

def logspace(
    start: Number,
    end: Number,
    steps: _int,
    base: _float = 10.0,
    *,
    dtype: _dtype | None = None,
    device: _device | str | None = None,
    requires_grad: _bool = False,
    out: Tensor | None = None,
) -> Tensor:
    """`base` to the power of `steps` evenly spaced exponents."""

def tril_indices(
    row: _int,
    col: _int,
    offset: _int = 0,
    *,
    dtype: _dtype | None = None,
    device: _device | str | None = None,
    requires_grad: _bool = False,
    out: Tensor | None = None,
) -> Tensor:
    """Row and column numbers of the lower triangle, as a (2, n) tensor."""

def triu_indices(
    row: _int,
    col: _int,
    offset: _int = 0,
    *,
    dtype: _dtype | None = None,
    device: _device | str | None = None,
    requires_grad: _bool = False,
    out: Tensor | None = None,
) -> Tensor:
    """Row and column numbers of the upper triangle, as a (2, n) tensor."""

def complex(real: Tensor, imag: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Complex tensor with the given real and imaginary parts."""

@overload
def reshape(input: Tensor, *shape: _int, out: Tensor | None = None) -> Tensor:
    """The same elements in another shape; a view where possible."""

@overload
def reshape(input: Tensor, shape: _int | Sequence[_int], *, out: Tensor | None = None) -> Tensor: ...
def flatten(input: Tensor, start_dim: _int = 0, end_dim: _int = -1, *, out: Tensor | None = None) -> Tensor:
    """Joins a range of dimensions into one."""

def ravel(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """All elements in one dimension."""

def unflatten(input: Tensor, dim: _int, sizes: _int | Sequence[_int], *, out: Tensor | None = None) -> Tensor:
    """Splits a dimension into several."""

@overload
def squeeze(input: Tensor) -> Tensor:
    """Without dimensions of size 1. Without the named dimension, if it has size 1. Without the named dimensions, where they have size 1."""

@overload
def squeeze(input: Tensor, dim: _int) -> Tensor: ...
@overload
def squeeze(input: Tensor, dim: _int | Sequence[_int]) -> Tensor: ...
def unsqueeze(input: Tensor, dim: _int, *, out: Tensor | None = None) -> Tensor:
    """With a dimension of size 1 put in."""

def broadcast_to(input: Tensor, size: _int | Sequence[_int], *, out: Tensor | None = None) -> Tensor:
    """A view with dimensions of size 1 repeated."""

@overload
def permute(input: Tensor, *dims: _int, out: Tensor | None = None) -> Tensor:
    """Dimensions in another order."""

@overload
def permute(input: Tensor, dims: _int | Sequence[_int], *, out: Tensor | None = None) -> Tensor: ...
def transpose(input: Tensor, dim0: _int, dim1: _int, *, out: Tensor | None = None) -> Tensor:
    """Two dimensions swapped."""

def swapdims(input: Tensor, dim0: _int, dim1: _int, *, out: Tensor | None = None) -> Tensor:
    """Two dimensions swapped."""

def swapaxes(input: Tensor, axis0: _int, axis1: _int, *, out: Tensor | None = None) -> Tensor:
    """Two dimensions swapped."""

def t(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Transpose of a matrix; a vector is returned as it is."""

@overload
def movedim(input: Tensor, source: _int, destination: _int, *, out: Tensor | None = None) -> Tensor:
    """A dimension moved to a new place. Dimensions moved to new places."""

@overload
def movedim(
    input: Tensor, source: _int | Sequence[_int], destination: _int | Sequence[_int], *, out: Tensor | None = None
) -> Tensor: ...
@overload
def moveaxis(input: Tensor, source: _int, destination: _int, *, out: Tensor | None = None) -> Tensor:
    """A dimension moved to a new place. Dimensions moved to new places."""

@overload
def moveaxis(
    input: Tensor, source: _int | Sequence[_int], destination: _int | Sequence[_int], *, out: Tensor | None = None
) -> Tensor: ...
def select(input: Tensor, dim: _int, index: _int, *, out: Tensor | None = None) -> Tensor:
    """One slice along `dim`."""

def narrow(input: Tensor, dim: _int, start: _int, length: _int, *, out: Tensor | None = None) -> Tensor:
    """`length` slices along `dim`, from `start`."""

def diagonal(input: Tensor, offset: _int = 0, dim1: _int = 0, dim2: _int = 1, *, out: Tensor | None = None) -> Tensor:
    """A diagonal, as a view."""

def diag_embed(
    input: Tensor, offset: _int = 0, dim1: _int = -2, dim2: _int = -1, *, out: Tensor | None = None
) -> Tensor:
    """Matrices with given diagonals."""

def diag(input: Tensor, diagonal: _int = 0, *, out: Tensor | None = None) -> Tensor:
    """Diagonal of a matrix, or matrix of a diagonal."""

def select_scatter(input: Tensor, src: Tensor, dim: _int, index: _int, *, out: Tensor | None = None) -> Tensor:
    """A copy with one slice replaced by `src`."""

def slice_scatter(
    input: Tensor,
    src: Tensor,
    dim: _int = 0,
    start: _int | None = None,
    end: _int | None = None,
    step: _int = 1,
    *,
    out: Tensor | None = None,
) -> Tensor:
    """A copy with a range of slices replaced by `src`."""

def diagonal_scatter(
    input: Tensor, src: Tensor, offset: _int = 0, dim1: _int = 0, dim2: _int = 1, *, out: Tensor | None = None
) -> Tensor:
    """A copy with a diagonal replaced by `src`."""

def as_strided_scatter(
    input: Tensor,
    src: Tensor,
    size: _int | Sequence[_int],
    stride: _int | Sequence[_int],
    storage_offset: _int | None = None,
    *,
    out: Tensor | None = None,
) -> Tensor:
    """A copy with what as_strided looks at replaced by `src`."""

def as_strided(
    input: Tensor,
    size: _int | Sequence[_int],
    stride: _int | Sequence[_int],
    storage_offset: _int | None = None,
    *,
    out: Tensor | None = None,
) -> Tensor:
    """Any look at the storage."""

@overload
def split(tensor: Tensor, split_size: _int, dim: _int = 0) -> tuple[Tensor, ...]:
    """Parts of equal size along `dim`. Parts of given sizes."""

@overload
def split(tensor: Tensor, split_size_or_sections: _int, dim: _int = 0) -> tuple[Tensor, ...]: ...
@overload
def split(tensor: Tensor, split_size: _int | Sequence[_int], dim: _int = 0) -> tuple[Tensor, ...]: ...
@overload
def split(tensor: Tensor, split_size_or_sections: _int | Sequence[_int], dim: _int = 0) -> tuple[Tensor, ...]: ...
def split_with_sizes(input: Tensor, split_sizes: _int | Sequence[_int], dim: _int = 0) -> tuple[Tensor, ...]:
    """Parts of given sizes."""

def chunk(input: Tensor, chunks: _int, dim: _int = 0) -> tuple[Tensor, ...]:
    """At most `chunks` parts along `dim`."""

def unbind(input: Tensor, dim: _int = 0) -> tuple[Tensor, ...]:
    """All slices along `dim`."""

def cat(tensors: Sequence[Tensor], dim: _int = 0, *, out: Tensor | None = None) -> Tensor:
    """Tensors joined along a dimension."""

def concat(tensors: Sequence[Tensor], dim: _int = 0, *, out: Tensor | None = None) -> Tensor:
    """Tensors joined along a dimension."""

def concatenate(tensors: Sequence[Tensor], dim: _int = 0, *, out: Tensor | None = None) -> Tensor:
    """Tensors joined along a dimension."""

def stack(tensors: Sequence[Tensor], dim: _int = 0, *, out: Tensor | None = None) -> Tensor:
    """Tensors joined along a new dimension."""

@overload
def flip(input: Tensor, *dims: _int, out: Tensor | None = None) -> Tensor:
    """Dimensions reversed."""

@overload
def flip(input: Tensor, dims: _int | Sequence[_int], *, out: Tensor | None = None) -> Tensor: ...
def roll(
    input: Tensor,
    shifts: _int | Sequence[_int],
    dims: _int | Sequence[_int] | None = None,
    *,
    out: Tensor | None = None,
) -> Tensor:
    """Elements shifted along dimensions, around the end."""

def tril(input: Tensor, diagonal: _int = 0, *, out: Tensor | None = None) -> Tensor:
    """Lower triangle of matrices; 0 elsewhere."""

def triu(input: Tensor, diagonal: _int = 0, *, out: Tensor | None = None) -> Tensor:
    """Upper triangle of matrices; 0 elsewhere."""

def as_strided_(
    input: Tensor, size: _int | Sequence[_int], stride: _int | Sequence[_int], storage_offset: _int | None = None
) -> Tensor:
    """as_strided in place."""

def nonzero(input: Tensor, *, as_tuple: _bool = False) -> Any:
    """Coordinates of the elements that are not 0."""

def argwhere(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Coordinates of the elements that are not 0, one row each."""

def masked_select(input: Tensor, mask: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Elements where the mask is true, in one dimension."""

def index_select(input: Tensor, dim: _int, index: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Slices at `index` along `dim`."""

def index_add(
    input: Tensor, dim: _int, index: Tensor, source: Tensor, *, alpha: Number = 1, out: Tensor | None = None
) -> Tensor:
    """input[index[i]] += alpha * source[i] along `dim`, in order."""

def index_copy(input: Tensor, dim: _int, index: Tensor, source: Tensor, *, out: Tensor | None = None) -> Tensor:
    """input[index[i]] = source[i] along `dim`."""

@overload
def index_fill(input: Tensor, dim: _int, index: Tensor, value: Tensor, *, out: Tensor | None = None) -> Tensor:
    """input[index[i]] = value along `dim`."""

@overload
def index_fill(input: Tensor, dim: _int, index: Tensor, value: Number, *, out: Tensor | None = None) -> Tensor: ...
def masked_scatter(input: Tensor, mask: Tensor, source: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Elements of `source`, in order, where the mask is true."""

def put(
    input: Tensor, index: Tensor, source: Tensor, accumulate: _bool = False, *, out: Tensor | None = None
) -> Tensor:
    """Elements put, or added, at flat positions."""

def take(input: Tensor, index: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Elements at flat positions."""

def index_put(input: Tensor, indices: Any, values: Tensor, accumulate: _bool = False) -> Tensor:
    """Values put at index tensors."""

def index_put_(input: Tensor, indices: Any, values: Tensor, accumulate: _bool = False) -> Tensor:
    """index_put in place."""

def embedding(
    weight: Tensor,
    indices: Tensor,
    padding_idx: _int = -1,
    scale_grad_by_freq: _bool = False,
    sparse: _bool = False,
    *,
    out: Tensor | None = None,
) -> Tensor:
    """Rows of `weight` at `indices`."""

@overload
def gather(input: Tensor, dim: _int, index: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Values at `index` along `dim`."""

@overload
def gather(input: Tensor, dim: _int, index: Tensor, *, sparse_grad: _bool, out: Tensor | None = None) -> Tensor: ...
@overload
def scatter(input: Tensor, dim: _int, index: Tensor, src: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Values of `src` put at `index` along `dim`. One value put at `index` along `dim`. Values added or multiplied in. One value added or multiplied in."""

@overload
def scatter(input: Tensor, dim: _int, index: Tensor, value: Number, *, out: Tensor | None = None) -> Tensor: ...
@overload
def scatter(
    input: Tensor, dim: _int, index: Tensor, src: Tensor, *, reduce: str, out: Tensor | None = None
) -> Tensor: ...
@overload
def scatter(
    input: Tensor, dim: _int, index: Tensor, value: Number, *, reduce: str, out: Tensor | None = None
) -> Tensor: ...
def scatter_add(input: Tensor, dim: _int, index: Tensor, src: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Values of `src` added at `index` along `dim`, in order."""

def scatter_reduce(
    input: Tensor,
    dim: _int,
    index: Tensor,
    src: Tensor,
    reduce: str,
    *,
    include_self: _bool = True,
    out: Tensor | None = None,
) -> Tensor:
    """Values of `src` combined at `index` along `dim`: 'sum', 'prod', 'mean', 'amax' or 'amin'."""

def take_along_dim(input: Tensor, indices: Tensor, dim: _int | None = None, *, out: Tensor | None = None) -> Tensor:
    """Values at `indices` along `dim`, broadcast."""

@overload
def sum(input: Tensor, *, dtype: _dtype | None = None, out: Tensor | None = None) -> Tensor:
    """Sum of all elements, or along `dim`. Sum along `dim`."""

@overload
def sum(
    input: Tensor,
    dim: _int | Sequence[_int],
    keepdim: _bool = False,
    *,
    dtype: _dtype | None = None,
    out: Tensor | None = None,
) -> Tensor: ...
@overload
def mean(input: Tensor, *, dtype: _dtype | None = None, out: Tensor | None = None) -> Tensor:
    """Mean of all elements, or along `dim`. Mean along `dim`."""

@overload
def mean(
    input: Tensor,
    dim: _int | Sequence[_int],
    keepdim: _bool = False,
    *,
    dtype: _dtype | None = None,
    out: Tensor | None = None,
) -> Tensor: ...
def nansum(
    input: Tensor,
    dim: _int | Sequence[_int] | None = None,
    keepdim: _bool = False,
    *,
    dtype: _dtype | None = None,
    out: Tensor | None = None,
) -> Tensor:
    """Sum of the elements that are not NaN."""

def nanmean(
    input: Tensor,
    dim: _int | Sequence[_int] | None = None,
    keepdim: _bool = False,
    *,
    dtype: _dtype | None = None,
    out: Tensor | None = None,
) -> Tensor:
    """Mean of the elements that are not NaN."""

def count_nonzero(input: Tensor, dim: _int | Sequence[_int] | None = None) -> Tensor:
    """Number of elements that are not zero."""

@overload
def prod(input: Tensor, *, dtype: _dtype | None = None, out: Tensor | None = None) -> Tensor:
    """Product of all elements, or along `dim`. Product along `dim`."""

@overload
def prod(
    input: Tensor, dim: _int, keepdim: _bool = False, *, dtype: _dtype | None = None, out: Tensor | None = None
) -> Tensor: ...
@overload
def max(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Greatest of all elements; along `dim`, with its index; or the greater of two tensors' elements."""

@overload
def max(input: Tensor, other: Tensor, *, out: Tensor | None = None) -> Tensor: ...
@overload
def max(
    input: Tensor, dim: _int, keepdim: _bool = False, *, out: Sequence[Tensor] | None = None
) -> tuple[Tensor, Tensor]: ...
@overload
def min(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Least of all elements; along `dim`, with its index; or the lesser of two tensors' elements."""

@overload
def min(input: Tensor, other: Tensor, *, out: Tensor | None = None) -> Tensor: ...
@overload
def min(
    input: Tensor, dim: _int, keepdim: _bool = False, *, out: Sequence[Tensor] | None = None
) -> tuple[Tensor, Tensor]: ...
def amax(
    input: Tensor, dim: _int | Sequence[_int] | None = None, keepdim: _bool = False, *, out: Tensor | None = None
) -> Tensor:
    """Greatest element along `dim`; equals share the gradient."""

def amin(
    input: Tensor, dim: _int | Sequence[_int] | None = None, keepdim: _bool = False, *, out: Tensor | None = None
) -> Tensor:
    """Least element along `dim`; equals share the gradient."""

def aminmax(
    input: Tensor, *, dim: _int | None = None, keepdim: _bool = False, out: Sequence[Tensor] | None = None
) -> tuple[Tensor, Tensor]:
    """Least and greatest element."""

def argmax(input: Tensor, dim: _int | None = None, keepdim: _bool = False, *, out: Tensor | None = None) -> Tensor:
    """Index of the greatest element, the first one."""

def argmin(input: Tensor, dim: _int | None = None, keepdim: _bool = False, *, out: Tensor | None = None) -> Tensor:
    """Index of the least element, the first one."""

@overload
def any(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Is any element nonzero?"""

@overload
def any(input: Tensor, dim: _int | Sequence[_int], keepdim: _bool = False, *, out: Tensor | None = None) -> Tensor: ...
@overload
def all(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Is every element nonzero?"""

@overload
def all(input: Tensor, dim: _int | Sequence[_int], keepdim: _bool = False, *, out: Tensor | None = None) -> Tensor: ...
@overload
def var(input: Tensor, unbiased: _bool = True, *, out: Tensor | None = None) -> Tensor:
    """Variance, divided by n - correction."""

@overload
def var(
    input: Tensor,
    dim: _int | Sequence[_int],
    unbiased: _bool = True,
    keepdim: _bool = False,
    *,
    out: Tensor | None = None,
) -> Tensor: ...
@overload
def var(
    input: Tensor,
    dim: _int | Sequence[_int] | None = None,
    *,
    correction: _float | None = None,
    keepdim: _bool = False,
    out: Tensor | None = None,
) -> Tensor: ...
@overload
def std(input: Tensor, unbiased: _bool = True, *, out: Tensor | None = None) -> Tensor:
    """Standard deviation: the variance's square root."""

@overload
def std(
    input: Tensor,
    dim: _int | Sequence[_int],
    unbiased: _bool = True,
    keepdim: _bool = False,
    *,
    out: Tensor | None = None,
) -> Tensor: ...
@overload
def std(
    input: Tensor,
    dim: _int | Sequence[_int] | None = None,
    *,
    correction: _float | None = None,
    keepdim: _bool = False,
    out: Tensor | None = None,
) -> Tensor: ...
@overload
def var_mean(input: Tensor, unbiased: _bool = True, *, out: Sequence[Tensor] | None = None) -> tuple[Tensor, Tensor]:
    """Variance and mean."""

@overload
def var_mean(
    input: Tensor,
    dim: _int | Sequence[_int],
    unbiased: _bool = True,
    keepdim: _bool = False,
    *,
    out: Sequence[Tensor] | None = None,
) -> tuple[Tensor, Tensor]: ...
@overload
def var_mean(
    input: Tensor,
    dim: _int | Sequence[_int] | None = None,
    *,
    correction: _float | None = None,
    keepdim: _bool = False,
    out: Sequence[Tensor] | None = None,
) -> tuple[Tensor, Tensor]: ...
@overload
def std_mean(input: Tensor, unbiased: _bool = True, *, out: Sequence[Tensor] | None = None) -> tuple[Tensor, Tensor]:
    """Standard deviation and mean."""

@overload
def std_mean(
    input: Tensor,
    dim: _int | Sequence[_int],
    unbiased: _bool = True,
    keepdim: _bool = False,
    *,
    out: Sequence[Tensor] | None = None,
) -> tuple[Tensor, Tensor]: ...
@overload
def std_mean(
    input: Tensor,
    dim: _int | Sequence[_int] | None = None,
    *,
    correction: _float | None = None,
    keepdim: _bool = False,
    out: Sequence[Tensor] | None = None,
) -> tuple[Tensor, Tensor]: ...
def norm(
    input: Tensor,
    p: Any = "fro",
    dim: _int | Sequence[_int] | None = None,
    keepdim: _bool = False,
    dtype: _dtype | None = None,
    *,
    out: Tensor | None = None,
) -> Tensor:
    """(sum |x|**p)**(1/p): the p-norm of all elements, or along `dim`."""

def linalg_vector_norm(
    input: Tensor,
    ord: Number = 2,
    dim: _int | Sequence[_int] | None = None,
    keepdim: _bool = False,
    *,
    dtype: _dtype | None = None,
    out: Tensor | None = None,
) -> Tensor:
    """The `ord`-norm of all elements, or along `dim`."""

def logsumexp(
    input: Tensor, dim: _int | Sequence[_int], keepdim: _bool = False, *, out: Tensor | None = None
) -> Tensor:
    """log(sum(e**x)) along `dim`, without overflow."""

def cumsum(input: Tensor, dim: _int, *, dtype: _dtype | None = None, out: Tensor | None = None) -> Tensor:
    """Running sum along `dim`."""

def cumprod(input: Tensor, dim: _int, *, dtype: _dtype | None = None, out: Tensor | None = None) -> Tensor:
    """Running product along `dim`."""

def logcumsumexp(input: Tensor, dim: _int, *, out: Tensor | None = None) -> Tensor:
    """Running logsumexp along `dim`."""

def cummax(input: Tensor, dim: _int, *, out: Sequence[Tensor] | None = None) -> tuple[Tensor, Tensor]:
    """Running maximum along `dim` and its index, the last of equals."""

def cummin(input: Tensor, dim: _int, *, out: Sequence[Tensor] | None = None) -> tuple[Tensor, Tensor]:
    """Running minimum along `dim` and its index, the last of equals."""

def softmax(input: Tensor, dim: _int, dtype: _dtype | None = None, *, out: Tensor | None = None) -> Tensor:
    """e**x / sum(e**x) along `dim`."""

def log_softmax(input: Tensor, dim: _int, dtype: _dtype | None = None, *, out: Tensor | None = None) -> Tensor:
    """Logarithm of softmax along `dim`, without overflow."""

def layer_norm(
    input: Tensor,
    normalized_shape: _int | Sequence[_int],
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: _float = 1e-05,
) -> Tensor:
    """(x - mean) / sqrt(var + eps) * weight + bias, the moments over the last dimensions."""

def rms_norm(
    input: Tensor, normalized_shape: _int | Sequence[_int], weight: Tensor | None = None, eps: _float | None = None
) -> Tensor:
    """x / sqrt(mean(x**2) + eps) * weight, the mean over the last dimensions."""

def group_norm(
    input: Tensor,
    num_groups: _int,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: _float = 1e-05,
    cudnn_enabled: _bool = True,
) -> Tensor:
    """(x - mean) / sqrt(var + eps) * weight + bias for each of `num_groups` groups of channels of each image."""

def batch_norm(
    input: Tensor,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    running_mean: Tensor | None = None,
    running_var: Tensor | None = None,
    training: _bool = False,
    momentum: _float = 0.1,
    eps: _float = 1e-05,
    cudnn_enabled: _bool = True,
) -> Tensor:
    """(x - mean) / sqrt(var + eps) * weight + bias for each channel, of the batch or with running moments."""

def instance_norm(
    input: Tensor,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    running_mean: Tensor | None = None,
    running_var: Tensor | None = None,
    use_input_stats: _bool = True,
    momentum: _float = 0.1,
    eps: _float = 1e-05,
    cudnn_enabled: _bool = True,
) -> Tensor:
    """(x - mean) / sqrt(var + eps) * weight + bias for each channel of each image."""

def nll_loss(
    input: Tensor, target: Tensor, weight: Tensor | None = None, ignore_index: _int = -100, reduction: str = "mean"
) -> Tensor:
    """Negative log likelihood of the classes `target` under log-probabilities `input`."""

def cross_entropy(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    ignore_index: _int = -100,
    reduction: str = "mean",
    label_smoothing: _float = 0.0,
) -> Tensor:
    """Cross entropy between logits `input` and classes, or probabilities, `target`."""

def mse_loss(input: Tensor, target: Tensor, reduction: str = "mean") -> Tensor:
    """Squared difference, reduced."""

def smooth_l1_loss(input: Tensor, target: Tensor, reduction: str = "mean", beta: _float = 1.0) -> Tensor:
    """d**2 / (2 beta) where d = |input - target| is below `beta`, else d - beta / 2; reduced."""

def huber_loss(input: Tensor, target: Tensor, reduction: str = "mean", delta: _float = 1.0) -> Tensor:
    """d**2 / 2 where d = |input - target| is at most `delta`, else delta (d - delta / 2); reduced."""

def _logit_loss(input: Tensor, target: Tensor, reduction: str = "mean") -> Tensor:
    """log(1 + e**input) - input * target, of one shape and dtype; reduced."""

def matmul(input: Tensor, other: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Matrix product; vectors and batches by rank, batches broadcast."""

def mm(input: Tensor, mat2: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Product of two matrices."""

def bmm(input: Tensor, mat2: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Products of two stacks of matrices, one by one."""

def mv(input: Tensor, vec: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Product of a matrix and a vector."""

def dot(input: Tensor, tensor: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Sum of the products of two vectors' elements."""

def vdot(input: Tensor, other: Tensor, *, out: Tensor | None = None) -> Tensor:
    """dot, with the first vector conjugated."""

def inner(input: Tensor, other: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Sums of products over the last dimension of both."""

def outer(input: Tensor, vec2: Tensor, *, out: Tensor | None = None) -> Tensor:
    """All products of an element of one vector and one of the other."""

def ger(input: Tensor, vec2: Tensor, *, out: Tensor | None = None) -> Tensor:
    """All products of an element of one vector and one of the other."""

def addmm(
    input: Tensor, mat1: Tensor, mat2: Tensor, *, beta: Number = 1, alpha: Number = 1, out: Tensor | None = None
) -> Tensor:
    """beta input + alpha mat1 @ mat2."""

def addmv(
    input: Tensor, mat: Tensor, vec: Tensor, *, beta: Number = 1, alpha: Number = 1, out: Tensor | None = None
) -> Tensor:
    """beta input + alpha mat @ vec."""

def addr(
    input: Tensor, vec1: Tensor, vec2: Tensor, *, beta: Number = 1, alpha: Number = 1, out: Tensor | None = None
) -> Tensor:
    """beta input + alpha outer(vec1, vec2)."""

def baddbmm(
    input: Tensor, batch1: Tensor, batch2: Tensor, *, beta: Number = 1, alpha: Number = 1, out: Tensor | None = None
) -> Tensor:
    """beta input + alpha batch1 @ batch2."""

def addbmm(
    input: Tensor, batch1: Tensor, batch2: Tensor, *, beta: Number = 1, alpha: Number = 1, out: Tensor | None = None
) -> Tensor:
    """beta input + alpha times the sum of batch1 @ batch2 over the batch."""

def linear(input: Tensor, weight: Tensor, bias: Tensor | None = None, *, out: Tensor | None = None) -> Tensor:
    """Affine map of the last dimension, input @ weight.T + bias."""

def _einsum(equation: str, operands: Sequence[Tensor], *, out: Tensor | None = None) -> Tensor:
    """Sum of products, named by the letters of its dimensions."""

@overload
def conv1d(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: _int | Sequence[_int] = 1,
    padding: str = "valid",
    dilation: _int | Sequence[_int] = 1,
    groups: _int = 1,
    *,
    out: Tensor | None = None,
) -> Tensor:
    """Convolution of images (N, C, *) or (C, *), strictly cross-correlation, with `weight`."""

@overload
def conv1d(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: _int | Sequence[_int] = 1,
    padding: _int | Sequence[_int] = 0,
    dilation: _int | Sequence[_int] = 1,
    groups: _int = 1,
    *,
    out: Tensor | None = None,
) -> Tensor: ...
def conv_transpose1d(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: _int | Sequence[_int] = 1,
    padding: _int | Sequence[_int] = 0,
    output_padding: _int | Sequence[_int] = 0,
    groups: _int = 1,
    dilation: _int | Sequence[_int] = 1,
    *,
    out: Tensor | None = None,
) -> Tensor:
    """Transposed convolution: what the derivative of a convolution does to images."""

@overload
def conv2d(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: _int | Sequence[_int] = 1,
    padding: str = "valid",
    dilation: _int | Sequence[_int] = 1,
    groups: _int = 1,
    *,
    out: Tensor | None = None,
) -> Tensor:
    """Convolution of images (N, C, *) or (C, *), strictly cross-correlation, with `weight`."""

@overload
def conv2d(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: _int | Sequence[_int] = 1,
    padding: _int | Sequence[_int] = 0,
    dilation: _int | Sequence[_int] = 1,
    groups: _int = 1,
    *,
    out: Tensor | None = None,
) -> Tensor: ...
def conv_transpose2d(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: _int | Sequence[_int] = 1,
    padding: _int | Sequence[_int] = 0,
    output_padding: _int | Sequence[_int] = 0,
    groups: _int = 1,
    dilation: _int | Sequence[_int] = 1,
    *,
    out: Tensor | None = None,
) -> Tensor:
    """Transposed convolution: what the derivative of a convolution does to images."""

@overload
def conv3d(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: _int | Sequence[_int] = 1,
    padding: str = "valid",
    dilation: _int | Sequence[_int] = 1,
    groups: _int = 1,
    *,
    out: Tensor | None = None,
) -> Tensor:
    """Convolution of images (N, C, *) or (C, *), strictly cross-correlation, with `weight`."""

@overload
def conv3d(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: _int | Sequence[_int] = 1,
    padding: _int | Sequence[_int] = 0,
    dilation: _int | Sequence[_int] = 1,
    groups: _int = 1,
    *,
    out: Tensor | None = None,
) -> Tensor: ...
def conv_transpose3d(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: _int | Sequence[_int] = 1,
    padding: _int | Sequence[_int] = 0,
    output_padding: _int | Sequence[_int] = 0,
    groups: _int = 1,
    dilation: _int | Sequence[_int] = 1,
    *,
    out: Tensor | None = None,
) -> Tensor:
    """Transposed convolution: what the derivative of a convolution does to images."""

def convolution(
    input: Tensor,
    weight: Tensor,
    bias: Tensor,
    stride: _int | Sequence[_int],
    padding: _int | Sequence[_int],
    dilation: _int | Sequence[_int],
    transposed: _bool,
    output_padding: _int | Sequence[_int],
    groups: _int,
    *,
    out: Tensor | None = None,
) -> Tensor:
    """Convolution of any rank, or its transpose."""

def _im2col(
    input: Tensor,
    kernel_size: _int | Sequence[_int],
    dilation: _int | Sequence[_int],
    padding: _int | Sequence[_int],
    stride: _int | Sequence[_int],
    *,
    out: Tensor | None = None,
) -> Tensor:
    """Windows of images (N, C, H, W) as columns (N, C * taps, windows)."""

def _col2im(
    input: Tensor,
    output_size: _int | Sequence[_int],
    kernel_size: _int | Sequence[_int],
    dilation: _int | Sequence[_int],
    padding: _int | Sequence[_int],
    stride: _int | Sequence[_int],
    *,
    out: Tensor | None = None,
) -> Tensor:
    """The adjoint of _im2col: images in which windows are added where they lie."""

def max_pool1d(
    input: Tensor,
    kernel_size: _int | Sequence[_int],
    stride: _int | Sequence[_int] | None = None,
    padding: _int | Sequence[_int] = 0,
    dilation: _int | Sequence[_int] = 1,
    ceil_mode: _bool = False,
) -> Tensor:
    """Maximum of each window."""

def max_pool2d(
    input: Tensor,
    kernel_size: _int | Sequence[_int],
    stride: _int | Sequence[_int] | None = None,
    padding: _int | Sequence[_int] = 0,
    dilation: _int | Sequence[_int] = 1,
    ceil_mode: _bool = False,
) -> Tensor:
    """Maximum of each window."""

def max_pool3d(
    input: Tensor,
    kernel_size: _int | Sequence[_int],
    stride: _int | Sequence[_int] | None = None,
    padding: _int | Sequence[_int] = 0,
    dilation: _int | Sequence[_int] = 1,
    ceil_mode: _bool = False,
) -> Tensor:
    """Maximum of each window."""

def max_pool1d_with_indices(
    input: Tensor,
    kernel_size: _int | Sequence[_int],
    stride: _int | Sequence[_int] | None = None,
    padding: _int | Sequence[_int] = 0,
    dilation: _int | Sequence[_int] = 1,
    ceil_mode: _bool = False,
) -> tuple[Tensor, Tensor]:
    """Maximum of each window."""

def _max_pool2d_with_indices(
    input: Tensor,
    kernel_size: _int | Sequence[_int],
    stride: _int | Sequence[_int] | None = None,
    padding: _int | Sequence[_int] = 0,
    dilation: _int | Sequence[_int] = 1,
    ceil_mode: _bool = False,
) -> tuple[Tensor, Tensor]:
    """Maximum of each window."""

def _max_pool3d_with_indices(
    input: Tensor,
    kernel_size: _int | Sequence[_int],
    stride: _int | Sequence[_int] | None = None,
    padding: _int | Sequence[_int] = 0,
    dilation: _int | Sequence[_int] = 1,
    ceil_mode: _bool = False,
) -> tuple[Tensor, Tensor]:
    """Maximum of each window."""

def avg_pool1d(
    input: Tensor,
    kernel_size: _int | Sequence[_int],
    stride: _int | Sequence[_int] | None = None,
    padding: _int | Sequence[_int] = 0,
    ceil_mode: _bool = False,
    count_include_pad: _bool = True,
) -> Tensor:
    """Mean of each window."""

def _avg_pool2d(
    input: Tensor,
    kernel_size: _int | Sequence[_int],
    stride: _int | Sequence[_int] | None = None,
    padding: _int | Sequence[_int] = 0,
    ceil_mode: _bool = False,
    count_include_pad: _bool = True,
    divisor_override: _int | None = None,
) -> Tensor:
    """Mean of each window."""

def _avg_pool3d(
    input: Tensor,
    kernel_size: _int | Sequence[_int],
    stride: _int | Sequence[_int] | None = None,
    padding: _int | Sequence[_int] = 0,
    ceil_mode: _bool = False,
    count_include_pad: _bool = True,
    divisor_override: _int | None = None,
) -> Tensor:
    """Mean of each window."""

def adaptive_avg_pool1d(input: Tensor, output_size: _int | Sequence[_int]) -> Tensor:
    """Means of windows that cut the image into `output_size`."""

def _adaptive_avg_pool2d(input: Tensor, output_size: _int | Sequence[_int]) -> Tensor:
    """Means of windows that cut the image into `output_size`."""

def _adaptive_avg_pool3d(input: Tensor, output_size: _int | Sequence[_int]) -> Tensor:
    """Means of windows that cut the image into `output_size`."""

def adaptive_max_pool1d(input: Tensor, output_size: _int | Sequence[_int]) -> tuple[Tensor, Tensor]:
    """Maxima, and their places, of windows that cut the image into `output_size`."""

def _adaptive_max_pool2d(input: Tensor, output_size: _int | Sequence[_int]) -> tuple[Tensor, Tensor]:
    """Maxima, and their places, of windows that cut the image into `output_size`."""

def _adaptive_max_pool3d(input: Tensor, output_size: _int | Sequence[_int]) -> tuple[Tensor, Tensor]:
    """Maxima, and their places, of windows that cut the image into `output_size`."""

def constant_pad_nd(input: Tensor, pad: _int | Sequence[_int], value: Number = 0) -> Tensor:
    """`input` with elements of `value` before and behind: two numbers a dimension, the last dimension first."""

@overload
def sort(
    input: Tensor, dim: _int = -1, descending: _bool = False, *, out: Sequence[Tensor] | None = None
) -> tuple[Tensor, Tensor]:
    """Elements in order along `dim`, and where they were; stable."""

@overload
def sort(
    input: Tensor, *, stable: _bool, dim: _int = -1, descending: _bool = False, out: Sequence[Tensor] | None = None
) -> tuple[Tensor, Tensor]: ...
def argsort(
    input: Tensor, dim: _int = -1, descending: _bool = False, *, stable: _bool = False, out: Tensor | None = None
) -> Tensor:
    """Indices that sort along `dim`; stable."""

def msort(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Elements in order along the first dimension."""

def topk(
    input: Tensor,
    k: _int,
    dim: _int = -1,
    largest: _bool = True,
    sorted: _bool = True,
    *,
    out: Sequence[Tensor] | None = None,
) -> tuple[Tensor, Tensor]:
    """The `k` greatest (least) elements along `dim` and their indices."""

def kthvalue(
    input: Tensor, k: _int, dim: _int = -1, keepdim: _bool = False, *, out: Sequence[Tensor] | None = None
) -> tuple[Tensor, Tensor]:
    """The `k`-th least element along `dim`, from 1, and its index."""

@overload
def median(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """The lower middle of all elements, or along `dim` with its index. The lower middle along `dim`."""

@overload
def median(
    input: Tensor, dim: _int, keepdim: _bool = False, *, out: Sequence[Tensor] | None = None
) -> tuple[Tensor, Tensor]: ...
@overload
def nanmedian(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """The lower middle of the elements that are not NaN."""

@overload
def nanmedian(
    input: Tensor, dim: _int, keepdim: _bool = False, *, out: Sequence[Tensor] | None = None
) -> tuple[Tensor, Tensor]: ...
def mode(
    input: Tensor, dim: _int = -1, keepdim: _bool = False, *, out: Sequence[Tensor] | None = None
) -> tuple[Tensor, Tensor]:
    """The most frequent element along `dim` and its last index."""

def unique(
    input: Tensor,
    sorted: _bool = True,
    return_inverse: _bool = False,
    return_counts: _bool = False,
    dim: _int | None = None,
) -> Any:
    """Distinct elements in order, or distinct slices along `dim`."""

def unique_consecutive(
    input: Tensor, return_inverse: _bool = False, return_counts: _bool = False, dim: _int | None = None
) -> Any:
    """Elements without those that equal the one before."""

def searchsorted(
    sorted_sequence: Tensor,
    input: Tensor | Number,
    *,
    out_int32: _bool = False,
    right: _bool = False,
    side: str | None = None,
    sorter: Tensor | None = None,
    out: Tensor | None = None,
) -> Tensor:
    """Where `input` would go into the sorted sequence."""

def bucketize(
    input: Tensor | Number,
    boundaries: Tensor,
    *,
    out_int32: _bool = False,
    right: _bool = False,
    out: Tensor | None = None,
) -> Tensor:
    """Index of the bucket between `boundaries` that holds each element."""

@overload
def rand(
    *size: _int,
    generator: Generator | None = None,
    dtype: _dtype | None = None,
    device: _device | str | None = None,
    requires_grad: _bool = False,
    out: Tensor | None = None,
) -> Tensor:
    """Uniform numbers in [0, 1)."""

@overload
def rand(
    size: _int | Sequence[_int],
    *,
    generator: Generator | None = None,
    dtype: _dtype | None = None,
    device: _device | str | None = None,
    requires_grad: _bool = False,
    out: Tensor | None = None,
) -> Tensor: ...
@overload
def randn(
    *size: _int,
    generator: Generator | None = None,
    dtype: _dtype | None = None,
    device: _device | str | None = None,
    requires_grad: _bool = False,
    out: Tensor | None = None,
) -> Tensor:
    """Standard normal numbers."""

@overload
def randn(
    size: _int | Sequence[_int],
    *,
    generator: Generator | None = None,
    dtype: _dtype | None = None,
    device: _device | str | None = None,
    requires_grad: _bool = False,
    out: Tensor | None = None,
) -> Tensor: ...
@overload
def randint(
    high: _int,
    size: _int | Sequence[_int],
    *,
    generator: Generator | None = None,
    dtype: _dtype | None = None,
    device: _device | str | None = None,
    requires_grad: _bool = False,
    out: Tensor | None = None,
) -> Tensor:
    """Uniform integers in [0, high). Uniform integers in [low, high)."""

@overload
def randint(
    low: _int,
    high: _int,
    size: _int | Sequence[_int],
    *,
    generator: Generator | None = None,
    dtype: _dtype | None = None,
    device: _device | str | None = None,
    requires_grad: _bool = False,
    out: Tensor | None = None,
) -> Tensor: ...
def randperm(
    n: _int,
    *,
    generator: Generator | None = None,
    dtype: _dtype | None = None,
    device: _device | str | None = None,
    requires_grad: _bool = False,
    out: Tensor | None = None,
) -> Tensor:
    """The integers below n in random order."""

def rand_like(
    input: Tensor,
    *,
    generator: Generator | None = None,
    dtype: _dtype | None = None,
    device: _device | str | None = None,
    memory_format: Any | None = None,
    requires_grad: _bool = False,
    out: Tensor | None = None,
) -> Tensor:
    """Uniform numbers in the likeness of `input`."""

def randn_like(
    input: Tensor,
    *,
    generator: Generator | None = None,
    dtype: _dtype | None = None,
    device: _device | str | None = None,
    memory_format: Any | None = None,
    requires_grad: _bool = False,
    out: Tensor | None = None,
) -> Tensor:
    """Standard normal numbers in the likeness of `input`."""

@overload
def randint_like(
    input: Tensor,
    high: _int,
    *,
    generator: Generator | None = None,
    dtype: _dtype | None = None,
    device: _device | str | None = None,
    memory_format: Any | None = None,
    requires_grad: _bool = False,
    out: Tensor | None = None,
) -> Tensor:
    """Uniform integers in [0, high) in the likeness of `input`. Uniform integers in [low, high) in the likeness of `input`."""

@overload
def randint_like(
    input: Tensor,
    low: _int,
    high: _int,
    *,
    generator: Generator | None = None,
    dtype: _dtype | None = None,
    device: _device | str | None = None,
    memory_format: Any | None = None,
    requires_grad: _bool = False,
    out: Tensor | None = None,
) -> Tensor: ...
@overload
def normal(
    mean: Tensor,
    std: Tensor,
    *,
    generator: Generator | None = None,
    requires_grad: _bool = False,
    out: Tensor | None = None,
) -> Tensor:
    """Normal numbers, each with its mean and std. Normal numbers, each with its mean. Normal numbers, each with its std. Normal numbers."""

@overload
def normal(
    mean: Tensor,
    std: _float = 1.0,
    *,
    generator: Generator | None = None,
    requires_grad: _bool = False,
    out: Tensor | None = None,
) -> Tensor: ...
@overload
def normal(
    mean: _float,
    std: Tensor,
    *,
    generator: Generator | None = None,
    requires_grad: _bool = False,
    out: Tensor | None = None,
) -> Tensor: ...
@overload
def normal(
    mean: _float,
    std: _float,
    size: _int | Sequence[_int],
    *,
    generator: Generator | None = None,
    dtype: _dtype | None = None,
    device: _device | str | None = None,
    requires_grad: _bool = False,
    out: Tensor | None = None,
) -> Tensor: ...
@overload
def bernoulli(input: Tensor, *, generator: Generator | None = None, out: Tensor | None = None) -> Tensor:
    """1 with the probability that `input` says, else 0. 1 with probability p, else 0, in the likeness of `input`."""

@overload
def bernoulli(input: Tensor, p: _float, *, generator: Generator | None = None, out: Tensor | None = None) -> Tensor: ...
def multinomial(
    input: Tensor,
    num_samples: _int,
    replacement: _bool = False,
    *,
    generator: Generator | None = None,
    out: Tensor | None = None,
) -> Tensor:
    """Category numbers drawn in proportion to the weights in each row of `input`."""

def dropout(input: Tensor, p: _float, train: _bool, *, out: Tensor | None = None) -> Tensor:
    """Zeroes each element with probability p and scales the rest by 1/(1-p)."""

def dropout_(input: Tensor, p: _float, train: _bool) -> Tensor:
    """dropout in place."""

def _sgd_step(
    params: Sequence[Tensor],
    grads: Sequence[Tensor],
    buffers: Any,
    lr: _float,
    momentum: _float,
    dampening: _float,
    weight_decay: _float,
    nesterov: _bool,
    maximize: _bool,
) -> Size:
    """A step of optim.SGD in place; gives the positions of parameters that it left alone."""

def _adam_step(
    params: Sequence[Tensor],
    grads: Sequence[Tensor],
    means: Sequence[Tensor],
    squares: Sequence[Tensor],
    largest: Sequence[Tensor],
    steps: Sequence[Tensor],
    lr: _float,
    beta1: _float,
    beta2: _float,
    weight_decay: _float,
    eps: _float,
    maximize: _bool,
    decoupled: _bool,
) -> Size:
    """A step of optim.Adam in place; gives the positions of parameters that it left alone."""

def _recurrent(
    mode: str,
    input: Tensor,
    batch_sizes: _int | Sequence[_int],
    hx: Tensor,
    weight_ih: Tensor,
    weight_hh: Tensor,
    cx: Tensor | None = None,
    bias_ih: Tensor | None = None,
    bias_hh: Tensor | None = None,
    weight_hr: Tensor | None = None,
    reverse: _bool = False,
) -> tuple[Tensor, ...]:
    """One recurrent layer in one direction: its output, and the last hidden (and cell) state."""

def scaled_dot_product_attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attn_mask: Tensor | None = None,
    dropout_p: _float = 0.0,
    is_causal: _bool = False,
    *,
    scale: _float | None = None,
    enable_gqa: _bool = False,
) -> Tensor:
    """softmax(scale query key^T + attn_mask) value over the last two dimensions; scale: 1/sqrt(size) by default."""
