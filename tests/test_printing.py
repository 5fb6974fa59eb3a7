"""What a tensor prints: texts known from PyTorch, and a comparison with it over random tensors and options."""

from __future__ import annotations

import math
import random
import re

import pytest

import leafgrad as torch

inf, nan = math.inf, math.nan
tensor = torch.tensor


@pytest.fixture(autouse=True)
def _default_options():
    torch.set_printoptions(profile="default")
    yield
    torch.set_printoptions(profile="default")


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: tensor([1.0]), "tensor([1.])"),
        (lambda: tensor(2.5), "tensor(2.5000)"),
        (lambda: tensor(7), "tensor(7)"),
        (lambda: tensor([1.0, -2.5]), "tensor([ 1.0000, -2.5000])"),
        (lambda: tensor([0.0, -0.0]), "tensor([0., -0.])"),
        (lambda: tensor([100.0, 1.0]), "tensor([100.,   1.])"),
        (lambda: tensor([1.0, inf, -inf, nan]), "tensor([1., inf, -inf, nan])"),
        (lambda: tensor([1.5, inf, nan]), "tensor([1.5000,    inf,    nan])"),
        (lambda: tensor([1, -20, 300]), "tensor([  1, -20, 300])"),
        (lambda: tensor([True, False]), "tensor([ True, False])"),
        (lambda: tensor([[1.0, 2.0], [3.0, 4.0]]), "tensor([[1., 2.],\n        [3., 4.]])"),
        (lambda: torch.zeros(2, 1, 1), "tensor([[[0.]],\n\n        [[0.]]])"),
        (lambda: tensor([1 + 2j, 3 - 4.5j]), "tensor([1.+2.0000j, 3.-4.5000j])"),
        (lambda: tensor([complex(inf, 1), complex(1, nan)]), "tensor([inf+1.j, 1.+nanj])"),
    ],
)
def test_values_print_aligned_in_one_form(make, text):
    assert repr(make()) == text
    assert str(make()) == text


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ([1.0, 1000.5], "tensor([1.0000e+00, 1.0005e+03])"),  # the ratio exceeds 1000
        ([1.5, 1500.0], "tensor([   1.5000, 1500.0000])"),  # a ratio of 1000 does not
        ([1e8], "tensor([100000000.])"),  # nor is 1e8 itself too large
        ([2e8], "tensor([2.0000e+08])"),
        ([1e-4], "tensor([1.0000e-04])"),
        ([0.0002], "tensor([0.0002])"),
        ([0.0, 1e-5], "tensor([0.0000e+00, 1.0000e-05])"),
        ([nan, 1e10], "tensor([       nan, 1.0000e+10])"),
    ],
)
def test_scientific_form_is_chosen_by_range(values, text):
    assert repr(tensor(values)) == text


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: tensor([1.0], dtype=torch.float64), "tensor([1.], dtype=torch.float64)"),
        (lambda: tensor([1.5], dtype=torch.float16), "tensor([1.5000], dtype=torch.float16)"),
        (lambda: tensor([0.1], dtype=torch.bfloat16), "tensor([0.1001], dtype=torch.bfloat16)"),
        (lambda: tensor([1], dtype=torch.uint8), "tensor([1], dtype=torch.uint8)"),
        (lambda: tensor([1j], dtype=torch.complex128), "tensor([0.+1.j], dtype=torch.complex128)"),
        (lambda: torch.zeros(0), "tensor([])"),
        (lambda: torch.zeros(0, dtype=torch.int64), "tensor([], dtype=torch.int64)"),
        (lambda: torch.zeros(2, 0), "tensor([], size=(2, 0))"),
        (lambda: torch.zeros(0, 3, dtype=torch.bool), "tensor([], size=(0, 3), dtype=torch.bool)"),
        (lambda: torch.empty(2, 3, device="meta"), "tensor(..., device='meta', size=(2, 3))"),
        (
            lambda: torch.empty((), device="meta", dtype=torch.int64),
            "tensor(..., device='meta', size=(), dtype=torch.int64)",
        ),
        (lambda: tensor([1.0], requires_grad=True), "tensor([1.], requires_grad=True)"),
        (lambda: tensor([1.0], requires_grad=True) * 2, "tensor([2.], grad_fn=<MulBackward0>)"),
        (lambda: torch.nn.Parameter(tensor([1.0])), "Parameter containing:\ntensor([1.], requires_grad=True)"),
    ],
)
def test_what_the_values_do_not_tell_follows_them(make, text):
    assert repr(make()) == text


def test_default_dtype_is_not_named():
    torch.set_default_dtype(torch.float64)
    try:
        assert repr(tensor([1.0])) == "tensor([1.])"
        assert repr(tensor([1j])) == "tensor([0.+1.j])"
        assert repr(tensor([1.0], dtype=torch.float32)) == "tensor([1.], dtype=torch.float32)"
    finally:
        torch.set_default_dtype(torch.float32)


def test_suffix_moves_to_its_own_line_when_the_line_is_full():
    w = torch.zeros(12, requires_grad=True)
    assert repr(w + 0.5) == (
        "tensor([0.5000, 0.5000, 0.5000, 0.5000, 0.5000, 0.5000, 0.5000, 0.5000, 0.5000,\n"
        "        0.5000, 0.5000, 0.5000], grad_fn=<AddBackward0>)"
    )
    assert repr(torch.zeros(9, requires_grad=True) + 0.25) == (
        "tensor([0.2500, 0.2500, 0.2500, 0.2500, 0.2500, 0.2500, 0.2500, 0.2500, 0.2500],\n"
        "       grad_fn=<AddBackward0>)"
    )


def test_more_than_threshold_elements_are_summarized():
    assert repr(torch.arange(1001)) == "tensor([   0,    1,    2,  ...,  998,  999, 1000])"
    lines = repr(torch.zeros(30, 40)).split("\n")
    assert lines[0] == "tensor([[0., 0., 0.,  ..., 0., 0., 0.],"
    assert lines[3] == "        ...,"
    assert len(lines) == 7
    assert repr(torch.zeros(2, 600)).count("...") == 2


def test_subclass_prints_under_its_own_name():
    class Length(torch.Tensor):
        pass

    assert repr(tensor([1.0, 2.0]).as_subclass(Length)) == "Length([1., 2.])"


def test_subclass_can_put_something_else_in_place_of_the_values():
    class Hidden(torch.Tensor):
        def __repr__(self):
            return super().__repr__(tensor_contents="secret")

    assert repr(torch.zeros(2, dtype=torch.int8).as_subclass(Hidden)) == "Hidden(secret, dtype=torch.int8)"


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # PyTorch gives one at its first make_dual
def test_dual_tensor_shows_its_tangent():
    import leafgrad.autograd.forward_ad as forward_ad

    x, w = tensor([1.0, 2.0]), tensor([1.0, 2.0], requires_grad=True)
    with forward_ad.dual_level():
        dual = forward_ad.make_dual(x, tensor([3.0, 4.0]))
        assert repr(dual) == "tensor([1., 2.], tangent=tensor([3., 4.]))"
        assert repr(dual * 2) == "tensor([2., 4.], tangent=tensor([6., 8.]))"
        text = " ".join(repr(forward_ad.make_dual(w, tensor([1.0, 1.0])) * 3).split())
        assert text.startswith("tensor([3., 6.], grad_fn=<MulBackward0>, tangent=tensor([3., 3.]")
        assert repr(x) == "tensor([1., 2.])"


def test_options_change_what_is_shown():
    torch.set_printoptions(precision=2)
    assert repr(tensor([1.12345])) == "tensor([1.12])"
    torch.set_printoptions(threshold=5)
    assert repr(torch.arange(10)) == "tensor([0, 1, 2,  ..., 7, 8, 9])"
    torch.set_printoptions(edgeitems=1)
    assert repr(torch.arange(10)) == "tensor([0,  ..., 9])"
    torch.set_printoptions(edgeitems=0)
    assert repr(torch.arange(10)) == "tensor([...], size=(10,))"
    torch.set_printoptions(profile="default", linewidth=20)
    assert repr(torch.arange(6)) == "tensor([0, 1, 2, 3,\n        4, 5])"


def test_sci_mode_forces_or_forbids_the_scientific_form():
    torch.set_printoptions(sci_mode=True)
    assert repr(tensor([1.5])) == "tensor([1.5000e+00])"
    assert repr(tensor([2])) == "tensor([2])"
    torch.set_printoptions(sci_mode=False)
    assert repr(tensor([1e10, 0.5])) == "tensor([10000000000.0000,           0.5000])"
    torch.set_printoptions()  # left out, it is chosen by range again
    assert repr(tensor([1e10])) == "tensor([1.0000e+10])"


def test_profiles():
    torch.set_printoptions(profile="short")
    assert repr(tensor([1.12345])) == "tensor([1.12])"
    torch.set_printoptions(profile="full")
    assert "..." not in repr(torch.arange(1001))


@pytest.mark.leafgrad_only
def test_unknown_profile_is_refused():
    with pytest.raises(ValueError, match="profile is 'wide'"):
        torch.set_printoptions(profile="wide")


@pytest.mark.leafgrad_only
def test_printoptions_restores_what_was():
    from leafgrad._printing import get_printoptions, printoptions

    torch.set_printoptions(precision=3, sci_mode=False)
    before = get_printoptions()
    with pytest.raises(KeyError), printoptions(precision=1, threshold=2):
        assert repr(tensor([1.26])) == "tensor([1.3])"
        raise KeyError
    assert get_printoptions() == before == {
        "precision": 3, "threshold": 1000, "edgeitems": 3, "linewidth": 80, "sci_mode": False
    }  # fmt: skip


def test_format_of_one_number_takes_a_format_spec():
    loss = tensor(1.5, requires_grad=True)
    assert f"{loss:.3f}" == "1.500"
    assert f"{loss}" == "1.5"
    assert f"{tensor(3)}" == "3"
    assert f"{tensor([1.0])}" == "tensor([1.])"
    with pytest.raises(TypeError, match="unsupported format string"):
        format(tensor([1.0]), ".3f")


# ---- the same texts as PyTorch's, whatever the values

FLOATING = ["float16", "bfloat16", "float32", "float64"]
COMPLEX = ["complex64", "complex128"]
INTEGERS = {"int8": 8, "int16": 16, "int32": 32, "int64": 64}


def _floats(rng, count):
    """Numbers of a few kinds, so that each form and width comes up."""
    kinds = [
        lambda: rng.gauss(0, 1),
        lambda: float(rng.randint(-5, 5)),
        lambda: rng.gauss(0, 1) * 10 ** rng.uniform(-8, 8),
        lambda: rng.choice([inf, -inf]),
        lambda: nan,
        lambda: rng.choice([0.0, -0.0]),
        lambda: 10 ** rng.uniform(-320, 308),
        lambda: float(rng.randint(-(10**9), 10**9)),
    ]
    kinds = rng.sample(kinds, rng.randint(1, 3))
    return [rng.choice(kinds)() for _ in range(count)]


def _random_values(rng, dtype, count):
    if dtype == "bool":
        return [rng.random() < 0.5 for _ in range(count)]
    if dtype == "uint8":
        return [rng.randint(0, rng.choice([9, 255])) for _ in range(count)]
    if dtype in INTEGERS:
        top = rng.choice([5, 100, 2 ** (INTEGERS[dtype] - 1) - 1])
        return [rng.randint(-top, top) for _ in range(count)]
    if dtype in COMPLEX:
        return [complex(*parts) for parts in zip(_floats(rng, count), _floats(rng, count), strict=True)]
    return _floats(rng, count)


def _random_options(rng):
    choices = {
        "precision": range(9), "threshold": [0, 1, 3, 10, 50, inf], "edgeitems": [0, 1, 2, 3, 5],
        "linewidth": [1, 20, 40, 60, 120, 200], "profile": ["default", "short", "full"], "sci_mode": [True, False],
    }  # fmt: skip
    return {name: rng.choice(values) for name, values in choices.items() if rng.random() < 0.3}


def _build(library, values, shape, dtype, transpose, track):
    t = library.tensor(values, dtype=library.float64 if dtype in FLOATING else getattr(library, dtype))
    t = t.to(getattr(library, dtype)).reshape(shape)
    t = t.transpose(0, 1) if transpose else t
    t = t.requires_grad_() if track else t
    return t * 1 if track == "result" else t


@pytest.mark.parity
@pytest.mark.parametrize("seed", range(20))
def test_random_tensors_print_as_in_pytorch(seed):
    theirs = pytest.importorskip("torch")
    rng = random.Random(seed)
    try:
        for _ in range(60):
            shape = [rng.choice([0, 1, 2, 3, 4, 7, 12]) for _ in range(rng.randint(0, 4))]
            dtype = rng.choice([*FLOATING, *COMPLEX, *INTEGERS, "uint8", "bool"])
            options = _random_options(rng)
            values = _random_values(rng, dtype, math.prod(shape))
            transpose = len(shape) > 1 and rng.random() < 0.3
            track = dtype in FLOATING + COMPLEX and rng.choice([None, "leaf", "result"])
            values = values[0] if not shape else values
            texts = []
            for library in (torch, theirs):
                library.set_printoptions(profile="default")
                library.set_printoptions(**options)
                texts.append(repr(_build(library, values, shape, dtype, transpose, track)))
            assert texts[0] == texts[1], f"{options}, {dtype}, {shape}"
    finally:
        theirs.set_printoptions(profile="default")


# ---- finfo and iinfo


@pytest.mark.parametrize(
    ("dtype", "bits", "fraction", "largest_power"),
    [("float16", 16, 10, 15), ("bfloat16", 16, 7, 127), ("float32", 32, 23, 127), ("float64", 64, 52, 1023)],
)
def test_finfo_agrees_with_ieee_754(dtype, bits, fraction, largest_power):
    info = torch.finfo(getattr(torch, dtype))
    assert info.bits == bits
    assert info.dtype == dtype
    assert info.eps == 2.0**-fraction
    assert info.max == -info.min == (2 - 2.0**-fraction) * 2.0**largest_power
    assert info.tiny == info.smallest_normal == 2.0 ** (1 - largest_power)


def test_finfo_prints_and_compares_as_in_pytorch():
    assert repr(torch.finfo()) == repr(torch.finfo(torch.float32)) == (
        "finfo(resolution=1e-06, min=-3.40282e+38, max=3.40282e+38, eps=1.19209e-07, "
        "smallest_normal=1.17549e-38, tiny=1.17549e-38, dtype=float32)"
    )  # fmt: skip
    assert torch.finfo(torch.complex128) == torch.finfo(torch.float64) != torch.finfo(torch.float32)
    assert torch.finfo(torch.float16).resolution == 1e-3
    assert torch.finfo(torch.bfloat16).resolution == 1e-2


@pytest.mark.leafgrad_only
def test_finfo_tells_the_smallest_subnormal():
    assert torch.finfo(torch.float32).smallest_subnormal == 2.0**-149


@pytest.mark.parametrize(("dtype", "bits"), [("int8", 8), ("int16", 16), ("int32", 32), ("int64", 64)])
def test_iinfo_of_signed_integers(dtype, bits):
    info = torch.iinfo(getattr(torch, dtype))
    assert (info.bits, info.min, info.max, info.dtype) == (bits, -(2 ** (bits - 1)), 2 ** (bits - 1) - 1, dtype)


def test_iinfo_of_uint8_and_its_text():
    info = torch.iinfo(torch.uint8)
    assert (info.bits, info.min, info.max) == (8, 0, 255)
    assert repr(info) == "iinfo(min=0, max=255, dtype=uint8)"
    assert repr(torch.iinfo(torch.int64)) == "iinfo(min=-9.22337e+18, max=9.22337e+18, dtype=int64)"


@pytest.mark.parametrize(
    ("call", "phrase"),
    [
        (lambda: torch.finfo(torch.int8), "requires a floating point input type"),
        (lambda: torch.iinfo(torch.float32), "requires an integer input type"),
        (lambda: torch.iinfo(torch.bool), "torch.bool is not supported"),
        (lambda: torch.finfo("float32"), "must be torch.dtype, not str"),
        (lambda: torch.iinfo(), "missing 1 required positional argument"),
    ],
)
def test_wrong_dtype_for_finfo_or_iinfo_raises(call, phrase):
    with pytest.raises(TypeError, match=re.escape(phrase)):
        call()
