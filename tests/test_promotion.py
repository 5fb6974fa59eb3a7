"""Type promotion: the rules spelled out, over every pair of dtypes and every kind of operand.

A result's dtype depends on categories: bool < integer < floating point < complex. Tensors with dimensions come first,
then zero-dimensional tensors, then Python numbers; a later kind of operand counts only if its category is higher
than that of all earlier kinds, and a Python number then counts as the default dtype of its category.
"""

from __future__ import annotations

import itertools

import pytest

import leafgrad as torch

INTEGERS = ["uint8", "int8", "int16", "int32", "int64"]
FLOATS = ["float16", "bfloat16", "float32", "float64"]
COMPLEX = ["complex64", "complex128"]
DTYPES = ["bool", *INTEGERS, *FLOATS, *COMPLEX]
PAIRS = list(itertools.product(DTYPES, DTYPES))
SIZE = {
    "uint8": 1,
    "int8": 1,
    "int16": 2,
    "int32": 4,
    "int64": 8,
    "float16": 2,
    "bfloat16": 2,
    "float32": 4,
    "float64": 8,
}
PYTHON = {True: "bool", 2: "int64", 2.5: "float32", 2j: "complex64"}
ARITHMETIC = [torch.add, torch.mul]


def dtype(name):
    return getattr(torch, name)


def category(name):
    return next(i for i, names in enumerate((["bool"], INTEGERS, FLOATS, COMPLEX)) if name in names)


def promoted(a, b):
    """The dtype that two tensors of the same kind meet in."""
    if a == b:
        return a
    low, high = sorted((a, b), key=lambda n: (category(n), SIZE.get(n, 0)))
    if category(high) == 3:  # a complex number as wide as the wider of the two real types
        wide = "float64" in (low, high) or "complex128" in (low, high)
        return "complex128" if wide else "complex64"
    if category(low) != category(high):
        return high
    if {low, high} == {"float16", "bfloat16"}:
        return "float32"  # neither holds the other
    if {low, high} == {"uint8", "int8"}:
        return "int16"
    return high


def across_kinds(strong, weak):
    """The dtype of an operation between a tensor with dimensions and a zero-dimensional tensor or Python number."""
    if category(weak) <= category(strong):
        return strong
    if category(weak) == 3 and category(strong) == 2:  # complex by the weak, as wide as the strong
        return "complex128" if strong == "float64" else "complex64"
    return weak


def ones(name, shape=(2,)):
    return torch.ones(shape, dtype=dtype(name))


def name_of(x):
    """The dtype's name; PyTorch's half-width complex32, which leafgrad does not have, counts as the next wider one."""
    return str(getattr(x, "dtype", x)).removeprefix("torch.").replace("complex32", "complex64")


@pytest.mark.parametrize("a, b", PAIRS)
def test_two_tensors_meet_in_the_smallest_type_that_holds_both(a, b):
    expected = promoted(a, b)
    assert torch.promote_types(dtype(a), dtype(b)) == dtype(expected)
    assert torch.result_type(ones(a), ones(b)) == dtype(expected)
    for operation in ARITHMETIC:
        assert name_of(operation(ones(a), ones(b))) == expected
    assert name_of(operation(ones(a, ()), ones(b, ()))) == expected


@pytest.mark.parametrize("a, b", PAIRS)
def test_a_zero_dim_tensor_counts_only_in_a_higher_category(a, b):
    expected = across_kinds(a, b)
    assert name_of(torch.result_type(ones(a), ones(b, ()))) == expected
    assert name_of(ones(a) + ones(b, ())) == expected
    assert name_of(ones(b, ()) * ones(a)) == expected


@pytest.mark.parametrize("a", DTYPES)
@pytest.mark.parametrize("number", PYTHON)
def test_a_python_number_counts_only_in_a_higher_category_and_as_the_default_dtype(a, number):
    expected = across_kinds(a, PYTHON[number])
    for x in (ones(a), ones(a, ())):
        assert name_of(torch.result_type(x, number)) == expected
        assert name_of(x + number) == expected
        assert name_of(number * x) == expected


def test_promotion_is_symmetric_and_has_a_neutral_element():
    for a, b in PAIRS:
        assert torch.promote_types(dtype(a), dtype(b)) == torch.promote_types(dtype(b), dtype(a))
    for a in DTYPES:
        assert torch.promote_types(dtype(a), torch.bool) == dtype(a)


def test_tensors_with_dimensions_win_over_zero_dim_tensors_which_win_over_numbers():
    x = ones("float32")
    assert (x + torch.tensor(1.0, dtype=torch.float64)).dtype == torch.float32
    assert (ones("int8") + torch.tensor(1, dtype=torch.int64)).dtype == torch.int8
    assert (ones("int8") + 1000).dtype == torch.int8
    assert (ones("float16") + 1.5).dtype == torch.float16
    assert (torch.tensor(1, dtype=torch.int16) + 1).dtype == torch.int16
    assert torch.where(torch.tensor([True, False]), ones("int8"), 2.5).dtype == torch.float32


def test_default_dtype_decides_what_a_float_does_to_integers():
    try:
        torch.set_default_dtype(torch.float64)
        assert (ones("int64") + 1.5).dtype == torch.float64
        assert (ones("int64") / 2).dtype == torch.float64
        assert (ones("int64") + 1j).dtype == torch.complex128
        assert ones("int64").exp().dtype == torch.float64
        assert (ones("float32") + 1.5).dtype == torch.float32
    finally:
        torch.set_default_dtype(torch.float32)


@pytest.mark.parametrize("a, b", PAIRS)
def test_true_division_of_integers_gives_the_default_float(a, b):
    expected = promoted(a, b)
    expected = "float32" if category(expected) < 2 else expected
    assert name_of(ones(a) / ones(b)) == expected


@pytest.mark.parametrize("a", ["bool", *INTEGERS])
def test_functions_of_real_numbers_turn_integers_into_the_default_float(a):
    x = ones(a)
    for function in (
        torch.exp,
        torch.sqrt,
        torch.sin,
        torch.sigmoid,
        torch.log,
        torch.erf,
        torch.reciprocal,
        torch.tanh,
    ):
        assert function(x).dtype == torch.float32
    with pytest.raises(RuntimeError):
        torch.mean(x)


@pytest.mark.parametrize("a", INTEGERS)
def test_integers_stay_integers_where_the_result_is_whole(a):
    x = ones(a)
    for y in (x + x, x * 2, x - x, x // x, x % x, -x, x.abs(), x**2, x.clamp(0, 1), x.floor(), x.round(), x.sign()):
        assert y.dtype == dtype(a)


@pytest.mark.parametrize("a", ["bool", *INTEGERS])
def test_sums_of_integers_are_int64(a):
    x = ones(a)
    for y in (x.sum(), x.prod(), x.cumsum(0), x.sum(0)):
        assert y.dtype == torch.int64
    assert x.sum(dtype=torch.float32).dtype == torch.float32
    assert x.max().dtype == dtype(a)


@pytest.mark.parametrize("a, b", PAIRS)
def test_comparisons_give_bool_whatever_they_compare(a, b):
    assert (ones(a) == ones(b)).dtype == torch.bool
    if category(a) < 3 and category(b) < 3:
        assert (ones(a) <= ones(b)).tolist() == [True, True]
    assert (ones(a) != 0).tolist() == [True, True]


def test_comparisons_promote_before_they_compare():
    assert (torch.tensor([2**24 + 1]) == torch.tensor([2.0**24])).tolist() == [True]  # in float32
    assert (torch.tensor([-1], dtype=torch.int8) < torch.tensor([255], dtype=torch.uint8)).tolist() == [True]
    with pytest.raises(RuntimeError, match="(?i)complex"):
        torch.ones(1, dtype=torch.complex64) < torch.ones(1)


@pytest.mark.parametrize("a, b", PAIRS)
def test_can_cast_forbids_going_down_a_category(a, b):
    down = category(b) < category(a)
    assert torch.can_cast(dtype(a), dtype(b)) == (not down)


@pytest.mark.parametrize("a, b", PAIRS)
def test_in_place_keeps_the_dtype_and_refuses_to_go_down_a_category(a, b):
    x = ones(a)
    if category(b) > category(a):
        with pytest.raises(RuntimeError, match="result type .* can't be cast to the desired output type"):
            x += ones(b)
        assert x.tolist() == ones(a).tolist()
    else:
        x += ones(b)
        assert x.dtype == dtype(a)


def test_the_casting_error_names_both_types():
    x = torch.ones(2, dtype=torch.int64)
    with pytest.raises(RuntimeError, match="result type Float can't be cast to the desired output type Long"):
        x += 1.5
    with pytest.raises(RuntimeError, match="result type Float can't be cast to the desired output type Long"):
        x /= 2
    with pytest.raises(RuntimeError, match="result type ComplexFloat can't be cast to the desired output type Float"):
        torch.ones(1).add_(1j)
    with pytest.raises(RuntimeError, match="result type Float can't be cast to the desired output type Int"):
        torch.add(torch.ones(1), 1, out=torch.ones(1, dtype=torch.int32))


def test_out_may_be_of_a_wider_type():
    out = torch.zeros(2, dtype=torch.float64)
    assert torch.add(torch.ones(2), 1, out=out) is out
    assert out.tolist() == [2.0, 2.0]


def test_integer_powers_and_negative_exponents():
    x = torch.tensor([2, 3])
    assert (x**2).tolist() == [4, 9]
    with pytest.raises(RuntimeError, match="negative integer powers|Integers to negative"):
        x**-1
    assert (x**0.5).dtype == torch.float32
    assert (2**x).tolist() == [4, 8]
    assert (2.0**x).dtype == torch.float32


def test_bool_arithmetic_follows_logic():
    t, f = torch.tensor(True), torch.tensor(False)
    assert (t + t).item() is True and (t * f).item() is False
    with pytest.raises(RuntimeError, match="bool"):
        t - f
    with pytest.raises(RuntimeError, match="(?i)bool"):
        -t
    assert (t & f).item() is False and (t | f).item() is True and (t ^ t).item() is False and (~t).item() is False


def test_bitwise_operators_refuse_floats():
    for operate in (lambda x: x & x, lambda x: x | 1, lambda x: ~x, lambda x: x ^ x):
        with pytest.raises((RuntimeError, TypeError)):
            operate(torch.ones(1))


def test_cat_and_stack_promote():
    assert torch.cat([ones("int8"), ones("float16")]).dtype == torch.float16
    assert torch.stack([ones("bool"), ones("int32")]).dtype == torch.int32


def test_matmul_and_where_types():
    with pytest.raises(RuntimeError):
        ones("float32", (2, 2)) @ ones("float64", (2, 2))
    condition = torch.tensor([True, False])
    assert torch.where(condition, ones("int32"), ones("float16")).dtype == torch.float16


def test_integer_arithmetic_wraps():
    x = torch.tensor([127], dtype=torch.int8)
    assert (x + 1).tolist() == [-128]
    assert (torch.tensor([255], dtype=torch.uint8) + 1).tolist() == [0]
    assert (torch.tensor([2**63 - 1]) + 1).tolist() == [-(2**63)]


@pytest.mark.parity
def test_every_mixture_of_operands_agrees_with_pytorch():
    import torch as reference

    def operands(library):
        for name in DTYPES:
            for shape in ((2,), ()):
                yield library.ones(shape, dtype=getattr(library, name))
        yield from PYTHON

    def is_half_complex(a, b):
        """PyTorch has a type of its own for these, with few operators."""
        kinds = {str(getattr(x, "dtype", type(x).__name__)).removeprefix("torch.") for x in (a, b)}
        return "float16" in kinds and bool(kinds & {"complex", "complex64", "complex128"})

    def outcome(operate, a, b):
        try:
            return name_of(operate(a, b))
        except Exception:
            return "refused"

    names = "add sub mul div floor_divide remainder pow eq lt maximum bitwise_and logical_and".split()
    differences = []
    for name in names:
        ours, theirs = getattr(torch, name), getattr(reference, name)
        for (a, ra), (b, rb) in itertools.product(zip(operands(torch), operands(reference), strict=True), repeat=2):
            if not hasattr(a, "dtype") or is_half_complex(a, b):
                continue
            got, expected = outcome(ours, a, b), outcome(theirs, ra, rb)
            if got != expected:
                differences.append(f"{name}({a!r}, {b!r}): {got}, PyTorch {expected}")
    assert not differences, "\n".join(differences)
