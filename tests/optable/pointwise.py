"""Pointwise operators: the rows of core/pointwise.def and what core/ops/arithmetic.cpp adds to them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import scipy.special

from . import ALL, COMPLEX, FLOATING, INEXACT, INTEGRAL, NUMBERS, REAL, Op, S, X, binary, unary

FLOATED = FLOATING + INTEGRAL + ("bool",)  # integers become floats
ANY_FLOATED = FLOATED + COMPLEX


def sigmoid(x):
    """Logistic function, complex too."""
    return 1 / (1 + np.exp(-np.asarray(x)))


def gelu(x, approximate="none"):
    """x times the normal distribution function, or its tanh form."""
    if approximate == "tanh":
        return 0.5 * x * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3)))
    return x * scipy.special.ndtr(x)


def where(condition, a, b):
    """np.where, whose Python numbers are not promoted to float64."""
    return np.where(condition, a, b)


def round_half_even(x, decimals=0):
    """np.round by another name of its argument."""
    return np.round(x, decimals)


def clamp(x, min=None, max=None):
    """np.clip with PyTorch's defaults."""
    return np.clip(x, -np.inf if min is None else min, np.inf if max is None else max)


def divide(a, b, rounding_mode=None):
    """Division with PyTorch's rounding modes, on integers exactly."""
    if rounding_mode is None:
        return np.true_divide(a, b)
    if rounding_mode == "floor":
        return np.floor_divide(a, b)
    return np.trunc(np.true_divide(a, b))


def power(a, b):
    """Power as of two arrays: an integer base and a float exponent give floats."""
    return np.power(a, b) if np.result_type(a).kind != "i" or np.result_type(b).kind != "f" else np.power(float(a), b)


MASK = X((3, 4), dtype="bool")

UNARY = [
    Op("exp", np.exp, unary(), ANY_FLOATED),
    Op("exp2", np.exp2, unary(), FLOATED),
    Op("expm1", np.expm1, unary(), ANY_FLOATED),
    Op("log", np.log, unary(0.1, 5), ANY_FLOATED),
    Op("log2", np.log2, unary(0.1, 5), ANY_FLOATED),
    Op("log10", np.log10, unary(0.1, 5), ANY_FLOATED),
    Op("log1p", np.log1p, unary(-0.9, 5), FLOATING),
    Op("sqrt", np.sqrt, unary(0.1, 5), ANY_FLOATED),
    Op("rsqrt", lambda x: 1 / np.sqrt(x), unary(0.1, 5), FLOATING + COMPLEX),
    Op("reciprocal", lambda x: 1 / x, unary(0.5, 3), FLOATING + COMPLEX),
    Op("sin", np.sin, unary(-9, 9), ANY_FLOATED),
    Op("cos", np.cos, unary(-9, 9), ANY_FLOATED),
    Op("tan", np.tan, unary(-1.3, 1.3), ANY_FLOATED),
    Op("asin", np.arcsin, unary(-0.9, 0.9), ANY_FLOATED),
    Op("acos", np.arccos, unary(-0.9, 0.9), ANY_FLOATED),
    Op("atan", np.arctan, unary(-0.9, 2), ANY_FLOATED),
    Op("sinh", np.sinh, unary(), ANY_FLOATED),
    Op("cosh", np.cosh, unary(), ANY_FLOATED),
    Op("tanh", np.tanh, unary(), ANY_FLOATED),
    Op("asinh", np.arcsinh, unary(-0.9, 3), ANY_FLOATED),
    Op("acosh", np.arccosh, unary(1.1, 3), ANY_FLOATED),
    Op("atanh", np.arctanh, unary(-0.9, 0.9), FLOATING + COMPLEX),
    Op("sigmoid", sigmoid, unary(-4, 4), ANY_FLOATED),
    Op("erf", scipy.special.erf, unary(-4, 4), FLOATED),
    Op("erfc", scipy.special.erfc, unary(-2, 4), FLOATED),
    Op("erfinv", scipy.special.erfinv, unary(-0.9, 0.9), FLOATING),
    Op("lgamma", scipy.special.gammaln, unary(0.2, 6), FLOATING),
    Op("digamma", scipy.special.digamma, unary(0.3, 6), FLOATING, rtol=3),
    Op("sinc", np.sinc, unary(), FLOATING, complex_grad=False),
    Op("neg", np.negative, unary(), NUMBERS),
    Op("floor", np.floor, unary(), REAL),
    Op("ceil", np.ceil, unary(), REAL),
    Op("trunc", np.trunc, unary(), REAL),
    Op("round", round_half_even, unary(-9, 9), REAL),
    Op("frac", lambda x: x - np.trunc(x), unary(), FLOATING),
    Op("sign", np.sign, unary(), REAL),
    Op("sgn", lambda x: x / np.abs(x) if np.iscomplexobj(x) else np.sign(x), unary(), NUMBERS),
    Op("abs", np.abs, unary(), REAL),
    Op("abs", np.abs, unary(), COMPLEX, inplace=False),
    Op("angle", np.angle, unary(), FLOATING + COMPLEX),
    Op("square", np.square, unary(), NUMBERS),
    Op("positive", np.positive, unary(), NUMBERS),
    Op("conj_physical", np.conj, unary(), NUMBERS),
    Op("relu", lambda x: np.maximum(x, 0), unary(), REAL),
    Op("nn.functional.silu", lambda x: x * sigmoid(x), unary(-4, 4), FLOATING),
    Op("nn.functional.gelu", gelu, [S((3, 4)), S((3, 4), approximate="tanh")], FLOATING),
    Op("nan_to_num", np.nan_to_num, unary(), REAL),
    Op("isnan", np.isnan, unary(), ALL, grad=False),
    Op("isinf", np.isinf, unary(), ALL, grad=False),
    Op("isfinite", np.isfinite, unary(), ALL, grad=False),
    Op("isposinf", np.isposinf, unary(), REAL, grad=False),
    Op("isneginf", np.isneginf, unary(), REAL, grad=False),
    Op("signbit", np.signbit, unary(), REAL, grad=False),
    Op("logical_not", np.logical_not, unary(), ALL, grad=False),
    Op("bitwise_not", np.bitwise_not, unary(), (*INTEGRAL, "bool"), grad=False),
]

BINARY = [
    Op("add", np.add, binary(), NUMBERS),
    Op("sub", np.subtract, binary(), NUMBERS),
    Op("mul", np.multiply, binary(), NUMBERS),
    Op("div", np.true_divide, binary(-2, 2, 0.5, 3), NUMBERS),
    Op("true_divide", np.true_divide, binary(-2, 2, 0.5, 3), FLOATING),
    Op("rsub", lambda a, b: b - a, binary(), NUMBERS),
    Op("floor_divide", np.floor_divide, binary(-9, 9, 1, 3), ("float32", "float64", *INTEGRAL), grad=False),
    Op("remainder", np.remainder, binary(-9, 9, 1.2, 3), ("float32", "float64", *INTEGRAL)),
    Op("fmod", np.fmod, binary(-9, 9, 1.2, 3), ("float32", "float64", *INTEGRAL)),
    Op("pow", power, binary(0.5, 3), NUMBERS, rtol=3),
    Op("float_power", lambda a, b: np.power(np.asarray(a, np.float64), b), binary(0.5, 3), FLOATING, inplace=False),
    Op("atan2", np.arctan2, binary(0.2, 2), FLOATED),
    Op("maximum", np.maximum, binary(), REAL),
    Op("minimum", np.minimum, binary(), REAL),
    Op("fmax", np.fmax, binary(), REAL),
    Op("fmin", np.fmin, binary(), REAL),
    Op("hypot", np.hypot, binary(), FLOATING),
    Op("copysign", np.copysign, binary(), FLOATED),
    Op("logaddexp", np.logaddexp, binary(), FLOATING),
    Op("logaddexp2", np.logaddexp2, binary(), FLOATING),
    Op("xlogy", scipy.special.xlogy, binary(0.3, 3), FLOATED),
    Op("heaviside", np.heaviside, binary(), FLOATING, grad=False),
    Op("nextafter", None, binary(), ("float32", "float64"), grad=False),
    *(
        Op(name, getattr(np, ref), binary(), dtypes, grad=False)
        for name, ref, dtypes in [
            ("eq", "equal", ALL),
            ("ne", "not_equal", ALL),
            ("lt", "less", (*REAL, "bool")),
            ("le", "less_equal", (*REAL, "bool")),
            ("gt", "greater", (*REAL, "bool")),
            ("ge", "greater_equal", (*REAL, "bool")),
            ("logical_and", "logical_and", ALL),
            ("logical_or", "logical_or", ALL),
            ("logical_xor", "logical_xor", ALL),
            ("bitwise_and", "bitwise_and", (*INTEGRAL, "bool")),
            ("bitwise_or", "bitwise_or", (*INTEGRAL, "bool")),
            ("bitwise_xor", "bitwise_xor", (*INTEGRAL, "bool")),
        ]
    ),
    Op("bitwise_left_shift", np.left_shift, binary(0, 9, 0, 6), INTEGRAL, grad=False),
    Op("bitwise_right_shift", np.right_shift, binary(-9, 99, 0, 6), INTEGRAL, grad=False),
]

# The same operators with a Python number or a keyword: other overloads, other nodes.
WITH_NUMBERS = [
    Op("add", lambda a, b, alpha=1: a + alpha * b, [S((3, 4), 2.5), S((3, 4), (4,), alpha=3)], INEXACT),
    Op("add", lambda a, b, alpha=1: a + alpha * b, [S((3, 4), 2), S(2, (3, 4)), S((3, 4), (4,), alpha=3)], INTEGRAL),
    Op("sub", lambda a, b, alpha=1: a - alpha * b, [S((3, 4), 2.5), S((3, 4), (4,), alpha=3)], INEXACT),
    Op("mul", np.multiply, [S((3, 4), 2.5), S(2.5, (3, 4))], INEXACT),
    Op("div", divide, [S((3, 4), 2.5), S((3, 4), X((4,), 1, 2), rounding_mode="floor")], ("float32", "float64")),
    Op("div", divide, [S(X((3, 4), -9, 9), X((4,), 1, 3), rounding_mode=m) for m in ("floor", "trunc")], INTEGRAL),
    Op("rsub", lambda a, b, alpha=1: b - alpha * a, [S((3, 4), 2.5), S((3, 4), (4,), alpha=3)], FLOATING),
    Op("remainder", np.remainder, [S((3, 4), 1.5)], ("float32", "float64")),
    Op("fmod", np.fmod, [S((3, 4), 1.5)], ("float32", "float64")),
    Op("pow", power, [S(X((3, 4), 0.5, 3), e) for e in (2, 3, 0.5, -0.5, -1, -2, 1.7, 0, 1)], INEXACT, rtol=3),
    Op("pow", power, [S(X((3, 4), 0, 3), e) for e in (0, 1, 2, 3, 5)], INTEGRAL),
    Op("pow", power, [S(2.5, (3, 4))], INEXACT, inplace=False),
    Op("copysign", np.copysign, [S((3, 4), -1.0)], FLOATING),
    Op("xlogy", scipy.special.xlogy, [S(X((3, 4), 0.3, 3), 2.0), S(2.0, X((3, 4), 0.3, 3))], FLOATING, inplace=False),
    Op("round", round_half_even, [S((3, 4), decimals=1), S(X((3, 4), -99, 99), decimals=-1)], ("float32", "float64")),
    Op("eq", np.equal, [S((3, 4), 1)], ALL, grad=False),
    Op("lt", np.less, [S((3, 4), 1)], REAL, grad=False),
    Op("nan_to_num", np.nan_to_num, [S((3, 4), nan=1.5)], ("float32", "float64"), pointwise=True),
]

OTHERS = [
    Op("where", where, [S(MASK, (3, 4), (4,)), S(MASK, (3, 1), 2.0), S(MASK, 2.0, (3, 4))], INEXACT, inplace=False),
    Op("where", where, [S(MASK, (3, 4), (4,)), S(MASK, 1, 2)], ("int32", "int64", "bool"), inplace=False),
    Op("masked_fill", lambda x, m, v: np.where(m, v, x), [S((3, 4), MASK, 2.0), S((3, 4), MASK, ())], INEXACT),
    Op("clamp", clamp, [S((3, 4), -1.0, 0.5), S((3, 4), min=0.25), S((3, 4), max=0.25)], FLOATING),
    Op("clamp", clamp, [S((3, 4), X((4,), -1, 0), X((3, 1), 0, 1)), S((3, 4), max=1)], ("float32", "float64", "int64")),
    Op("clamp_min", np.maximum, [S((3, 4), 0.5), S((3, 4), (4,))], FLOATING),
    Op("clamp_max", np.minimum, [S((3, 4), 0.5), S((3, 4), (4,))], FLOATING),
    Op(
        "lerp",
        lambda a, b, w: a + w * (b - a),
        [S((3, 4), (4,), 0.3), S((3, 4), (3, 4), 0.8), S((3, 4), (3, 4), X((3, 4), 0, 1))],
        INEXACT,
        rtol=3,
    ),
    Op(
        "addcmul",
        lambda x, a, b, value=1: x + value * a * b,
        [S((3, 4), (4,), (3, 1)), S((3, 4), (3, 4), (3, 4), value=0.5)],
        INEXACT,
        rtol=3,
    ),
    Op(
        "addcdiv",
        lambda x, a, b, value=1: x + value * a / b,
        [S((3, 4), (4,), X((3, 1), 0.5, 2)), S((3, 4), (3, 4), X((3, 4), 0.5, 2), value=0.5)],
        INEXACT,
        rtol=3,
    ),
]

OPS = [replace(op, pointwise=True) for op in UNARY + BINARY] + WITH_NUMBERS + OTHERS
