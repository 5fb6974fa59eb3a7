"""Writes src/leafgrad/_core.pyi, the types of the compiled core; `--check` fails where it is out of date.

Everything comes from the built module.  An operator knows its signatures; a function that Python attached to a class
brings its annotations.  A method written against CPython's API tells its parameters where its documentation begins with
`name(a, b=None)`, and what it gives stands in `RESULTS`, the one thing here that is written by hand.
"""

from __future__ import annotations

import argparse
import builtins
import difflib
import inspect
import re
import subprocess
import sys
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import leafgrad  # noqa: F401 - attaches the long tail of methods to Tensor
from leafgrad import _core

STUB = Path(__file__).parents[1] / "src" / "leafgrad" / "_core.pyi"

HEADER = '''"""The compiled core.  Written by tools/stubs.py from the built module; do not edit."""

from builtins import bool as _bool, complex as _complex, float as _float, int as _int
from collections.abc import Callable, Iterator, Sequence
from types import EllipsisType
from typing import Any, SupportsIndex, overload

from numpy import ndarray as _ndarray

_dtype = dtype
_device = device
Number = _bool | _int | _float | _complex
Index = Tensor | SupportsIndex | slice | EllipsisType | Sequence[Any] | None
'''
Op = type(_core.add)
# Names that an annotation may use.
KNOWN = {*"Any Callable Iterator Sequence Number Index".split(), *vars(_core), *dir(builtins)}

# Names that also stand for a method of Tensor or a dtype; as types they get an underscore, as the header says.
SHADOWED = re.compile(r"\b(bool|int|float|complex|dtype|device)\b(?!\s*:)")

# How a signature names a parameter's type, and what a caller may pass.
WORDS = {
    "tuple of ints": "int | Sequence[int]",
    "tuple of Tensors": "Sequence[Tensor]",
    "torch.dtype": "dtype",
    "torch.device": "device | str",
    "torch.Generator": "Generator",
    "object": "Any",
}

# What properties hold and methods give; with a class in front where another class has the same name.
RESULTS = {
    name: result
    for result, names in {
        "bool": "requires_grad is_leaf retains_grad is_cpu is_meta is_cuda is_sparse is_contiguous is_floating_point "
        "is_complex is_signed is_inference is_grad_enabled is_inference_mode_enabled is_anomaly_enabled __bool__",
        "int": "output_nr _version ndim itemsize nbytes dim ndimension numel nelement element_size storage_offset "
        "data_ptr initial_seed __len__ __int__ __index__ __hash__",
        "float": "__float__",
        "complex": "__complex__",
        "str": "__repr__ __str__ Node.name device.type",
        "str | None": "Tensor.name",
        "int | None": "device.index",
        "list[str]": "signatures",
        "dtype": "Tensor.dtype to_real to_complex",
        "device": "Tensor.device",
        "Size": "shape",
        "Tensor": "data T mT H mH Tensor.requires_grad_ detach detach_ variable get_state",
        "Tensor | None": "grad _grad _base",
        "Node | None": "grad_fn",
        "tuple[tuple[Node | None, int], ...]": "next_functions",
        "dict[Any, Any]": "metadata",
        "Generator": "manual_seed",
        "Iterator[Tensor]": "Tensor.__iter__",
        "None": "retain_grad backward",
        "_ndarray": "numpy __array__",
    }.items()
    for name in names.split()
}
WRITABLE = {"grad", "_grad", "data", "requires_grad"}

BINARY = "add sub mul truediv floordiv mod pow matmul and or xor lshift rshift".split()
SIGNS = {f"__{reflected}{sign}__" for sign in BINARY for reflected in ("", "r", "i")}
COMPARISONS = {f"__{sign}__" for sign in "eq ne lt le gt ge".split()}
UNARY = {"__neg__", "__pos__", "__abs__", "__invert__"}
# What every class has, or what no program calls by name.
HIDDEN = set(
    "__doc__ __module__ __dict__ __weakref__ __new__ __getattribute__ __getattr__ __setattr__ __delattr__ __slots__ "
    "__reduce__ __reduce_ex__ __setstate__ __dir__ __qualname__ __name__ __sizeof__".split()
)


def stub() -> str:
    """The whole text, before ruff gives it its form: classes, then constants, then functions."""
    kinds: tuple[list[str], list[str], list[str]] = [HEADER], [], []
    for name, value in vars(_core).items():
        if isinstance(value, type):
            kinds[0].extend(class_stub(name, value))
        elif not name.startswith("__") and not isinstance(value, types.ModuleType):
            kinds[2 if callable(value) else 1].extend(member(name, value))
    return "\n".join(line for kind in kinds for line in kind) + "\n"


def class_stub(name: str, cls: type) -> Iterator[str]:
    if cls.__name__.rpartition(".")[2] != name:  # a second name for a class that stands under its own
        yield f"{name} = {cls.__name__}"
        return
    base = cls.__base__.__name__
    yield f"class {name}{'' if base == 'object' else f'({base})'}:"
    yield f"    {documentation(cls)}"
    if "__new__" in vars(cls) and "__init__" not in vars(cls):
        yield "    def __init__(self, *args: Any, **kwargs: Any) -> None: ..."
    for key, value in vars(cls).items():
        if key not in HIDDEN and value is not None:
            yield from (f"    {line}" for line in member(key, value, name))


def member(name: str, value: Any, owner: str = "") -> Iterator[str]:
    """One function, method, property or constant, of the module or of the class `owner`."""
    if isinstance(value, Op):
        yield from operator(name, value, method=bool(owner))
    elif isinstance(value, types.GetSetDescriptorType | types.MemberDescriptorType | property):
        yield f"@property\n    def {name}(self) -> {result_of(name, owner)}: {documentation(value)}"
        if name in WRITABLE:
            yield f"@{name}.setter\n    def {name}(self, value: {result_of(name, owner)}) -> None: ..."
    elif isinstance(value, types.WrapperDescriptorType):
        yield protocol(name, owner)
    elif isinstance(value, staticmethod | classmethod | types.ClassMethodDescriptorType):
        static = isinstance(value, staticmethod)
        yield f"@{'staticmethod' if static else 'classmethod'}"
        yield function(name, getattr(value, "__func__", value), owner, first="" if static else "cls")
    elif callable(value):
        yield function(name, value, owner, first="self" if owner else "")
    else:
        yield f"{name}: {type(value).__name__}"


def operator(name: str, op: Any, method: bool) -> Iterator[str]:
    """The forms of an operator.  As a method its first parameter, the tensor, is `self`."""
    forms = dict.fromkeys(parameters_of(form, method) for told in op.signatures for form in spread(told))
    # An overload that another one covers would never be chosen; exact ones come first.
    overload = "" if len(forms) == 1 else "@overload\n    " if method else "@overload\n"
    sentences = dict.fromkeys(op.__doc__.partition("\n\n")[2].splitlines())
    text = quoted(" ".join(sentences))
    for parameters, result in sorted(forms, key=lambda form: form[0].count("|")):
        yield f"{overload}def {name}({parameters}) -> {result}: {text}"
        text = "..."  # once is enough


def spread(form: str) -> list[str]:
    """`view(size: tuple of ints or ints)` takes either: two forms, of which the second needs no `*` of its own."""
    varargs = re.search(r"(\w+): tuple of ints or ints(?: = [^,)]+)?", form)
    if not varargs:
        return [form]
    ints = form.replace(varargs[0], f"*{varargs[1]}: int").replace("*, ", "")
    return [form.replace(" or ints", ""), ints]


def parameters_of(form: str, method: bool) -> tuple[str, str]:
    parameters, _, result = form.partition("(")[2].rpartition(") -> ")
    for word, meaning in WORDS.items():
        parameters = re.sub(rf": {re.escape(word)}\b", f": {meaning}", parameters)
    parameters = re.sub(r"= torch\.", "= ", parameters)
    parameters = re.sub(r"\bfrom:", "from_:", parameters)  # PyTorch's name for it is a keyword of Python
    parameters = SHADOWED.sub(r"_\1", parameters)
    return re.sub(r"^\w+: [^,]*", "self", parameters) if method else parameters, SHADOWED.sub(r"_\1", result)


def protocol(name: str, owner: str) -> str:
    """A method behind an operator sign or behind one of Python's own functions."""
    if name in COMPARISONS:
        result = "Tensor" if owner == "Tensor" else "_bool"
        return f"def {name}(self, other: Any) -> {result}: ...  # type: ignore[override]"
    if name in SIGNS:
        return f"def {name}(self, other: Any) -> {owner}: ..."
    if name in UNARY:
        return f"def {name}(self) -> {owner}: ..."
    if name == "__getitem__" and owner == "Tensor":
        return f"def {name}(self, index: Index) -> Tensor: ..."
    if name == "__setitem__" and owner == "Tensor":
        return f"def {name}(self, index: Index, value: Tensor | Number) -> None: ..."
    if name == "__contains__":
        return f"def {name}(self, item: Any) -> _bool: ..."
    if (result := result_of(name, owner)) != "Any":
        return f"def {name}(self) -> {result}: ..."
    return f"def {name}(self, *args: Any, **kwargs: Any) -> {'None' if name == '__init__' else 'Any'}: ..."


def function(name: str, value: Any, owner: str, first: str) -> str:
    """A function that is no operator: annotated, documented by its first line, or taking anything."""
    result = result_of(name, owner)
    if isinstance(value, types.FunctionType):
        signature = inspect.signature(value)
        parameters, result = str(known(signature, first))[1:-1], annotation(signature.return_annotation)
    else:
        told = re.match(rf"{name}\(([^)]*)\)", value.__doc__ or "")
        parameters = told[1] if told else "*args: Any, **kwargs: Any"
        parameters = ", ".join(filter(None, [first, parameters]))
    return f"def {name}({parameters}) -> {result}: {documentation(value)}"


def known(signature: inspect.Signature, first: str) -> inspect.Signature:
    """`signature` without a type for its first parameter, if that is `self`, and with types that the stub can name."""
    parameters = list(signature.parameters.values())
    for i, parameter in enumerate(parameters):
        is_self = i == 0 and first
        parameters[i] = parameter.replace(
            name=first if is_self else parameter.name,
            annotation=inspect.Parameter.empty if is_self else Bare(annotation(parameter.annotation)),
            default=parameter.empty if parameter.default is parameter.empty else Bare("..."),
        )
    return signature.replace(parameters=parameters, return_annotation=inspect.Signature.empty)


class Bare(str):
    """Text that shows itself without quotation marks in a signature."""

    __slots__ = ()
    __repr__ = str.__str__


def annotation(written: Any) -> str:
    """An annotation as its author wrote it, if the stub knows every name in it."""
    text = written if isinstance(written, str) else getattr(written, "__name__", "")
    return SHADOWED.sub(r"_\1", text) if text and set(re.findall(r"[A-Za-z_]\w*", text)) <= KNOWN else "Any"


def result_of(name: str, owner: str) -> str:
    return SHADOWED.sub(r"_\1", RESULTS.get(f"{owner}.{name}") or RESULTS.get(name) or "Any")


def documentation(value: Any) -> str:
    return quoted(value.__doc__ or "")


def quoted(text: str) -> str:
    text = inspect.cleandoc(text).partition("\n\n")[0].replace("\n", " ").replace("\\", "\\\\").strip()
    return f'"""{text}"""' if text and '"""' not in text else "..."


def formatted(text: str) -> str:
    command = [sys.executable, "-m", "ruff", "format", "--stdin-filename", str(STUB), "-"]
    return subprocess.run(command, input=text, capture_output=True, text=True, check=True).stdout


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="write nothing; fail if the stub would change")
    check = parser.parse_args().check
    new, old = formatted(stub()), STUB.read_text() if STUB.exists() else ""
    if check and new != old:
        sys.stdout.writelines(difflib.unified_diff(old.splitlines(True), new.splitlines(True), "stub", "built core"))
        sys.exit("The stub is out of date: run `make stubs`.")
    if not check:
        STUB.write_text(new)


if __name__ == "__main__":
    main()
