"""gradcheck and gradgradcheck: they accept right derivatives and refuse each kind of wrong one."""

import inspect
import warnings

import pytest

import leafgrad as torch
from leafgrad.autograd import Function, gradcheck, gradgradcheck

GradcheckError = inspect.getmodule(gradcheck).GradcheckError
# PyTorch, when these tests run against it, compiles its forward-mode formulas with a deprecated call.
pytestmark = pytest.mark.filterwarnings("ignore:`torch.jit.script:DeprecationWarning")

each_mode = pytest.mark.parametrize("fast_mode", [False, True], ids=["full", "fast"])


def real(*shape, requires_grad=True):
    return torch.randn(shape, dtype=torch.float64, requires_grad=requires_grad)


def complex_(*shape):
    return torch.randn(shape, dtype=torch.complex128, requires_grad=True)


def function_of(backward, forward=lambda x: x * 2):
    """The apply of a Function with these two formulas."""

    class Made(Function):
        @staticmethod
        def forward(ctx, x):
            return forward(x)

    Made.backward = staticmethod(lambda ctx, g: backward(g))
    return Made.apply


@each_mode
def test_right_derivatives_pass(fast_mode):
    a, b = real(2, 3), real(3, 2)
    assert gradcheck(torch.matmul, (a, b), fast_mode=fast_mode)
    assert gradgradcheck(torch.matmul, (a, b), fast_mode=fast_mode)
    assert gradcheck(lambda x: (x.sin(), x.sum(), 3 * x), (a,), fast_mode=fast_mode)
    assert gradcheck(lambda x: [x.exp(), x.cos()], a, fast_mode=fast_mode)


@each_mode
def test_inputs_that_are_no_tensors_or_need_no_gradient_are_passed_on(fast_mode):
    a, fixed = real(3), real(3, requires_grad=False)
    assert gradcheck(lambda a, n, fixed, text: a * n * fixed, (a, 3, fixed, "text"), fast_mode=fast_mode)


@each_mode
def test_complex_functions_are_checked_part_by_part(fast_mode):
    z, w = complex_(3), complex_(3)
    assert gradcheck(lambda z, w: z * w.conj(), (z, w), fast_mode=fast_mode)
    assert gradcheck(lambda z: z.abs(), (z,), fast_mode=fast_mode)
    assert gradcheck(lambda z: (z * z, z.real), (z,), fast_mode=fast_mode)
    assert gradcheck(lambda x, z: x * z, (real(3), z), fast_mode=fast_mode)
    assert gradgradcheck(lambda z, w: z * w.conj(), (z, w), fast_mode=fast_mode)


@each_mode
def test_a_wrong_derivative_is_reported_with_both_jacobians(fast_mode):
    wrong = function_of(lambda g: g * 3)
    x = real(2)
    with pytest.raises(GradcheckError) as error:
        gradcheck(wrong, (x,), fast_mode=fast_mode)
    text = str(error.value)
    assert text.startswith("Jacobian mismatch for output 0 with respect to input 0,\nnumerical:")
    assert "analytical:" in text
    assert gradcheck(wrong, (x,), fast_mode=fast_mode, raise_exception=False) is False
    if fast_mode:
        assert "max per-element difference (slow mode) is: 1.0" in text


def test_the_report_names_the_pair_that_is_wrong():
    wrong = function_of(lambda g: g * 3)
    with pytest.raises(GradcheckError, match="mismatch for output 1 with respect to input 1"):
        gradcheck(lambda a, b: (a + b, a + wrong(b)), (real(2), real(2)))


@each_mode
def test_a_wrong_complex_derivative_names_the_part(fast_mode):
    wrong = function_of(lambda g: g, forward=lambda z: z.conj().clone())
    with pytest.raises(GradcheckError, match="While considering the imaginary part of complex outputs only"):
        gradcheck(wrong, (complex_(2),), fast_mode=fast_mode)


@each_mode
def test_a_wrong_second_derivative_is_found(fast_mode):
    class Square(Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return x**2

        @staticmethod
        def backward(ctx, g):
            (x,) = ctx.saved_tensors
            return g * 2 * x.detach()

    x = real(3)
    assert gradcheck(Square.apply, (x,), fast_mode=fast_mode)
    with pytest.raises(GradcheckError):
        gradgradcheck(Square.apply, (x,), fast_mode=fast_mode)


def test_inputs_must_require_grad_be_double_and_not_overlap():
    with pytest.raises(ValueError, match="at least one input tensor to require gradient"):
        gradcheck(torch.sin, (real(2, requires_grad=False),))
    with pytest.warns(UserWarning, match="Input #0 requires gradient and is not a double precision"):
        gradcheck(torch.sin, (torch.zeros(2, requires_grad=True),), eps=1e-2, atol=1e-2)
    overlapping = torch.zeros(1, dtype=torch.float64).expand(3).requires_grad_()
    with pytest.raises(RuntimeError, match="dimension with stride 0"):
        gradcheck(torch.sin, (overlapping,))


@each_mode
def test_a_function_that_hides_its_dependence_is_found(fast_mode):
    x = real(3)
    with pytest.raises(GradcheckError, match="Numerical gradient for function expected to be zero"):
        gradcheck(lambda x: x.detach() * 2, (x,), fast_mode=fast_mode)
    assert gradcheck(lambda x: torch.ones(2), (x,), fast_mode=fast_mode)


def test_backward_must_multiply_by_the_cotangent():
    def forward(x):
        return x.sum()

    class Constant(Function):
        @staticmethod
        def forward(ctx, x):
            ctx.shape = x.shape
            return forward(x)

        @staticmethod
        def backward(ctx, g):
            return torch.ones(ctx.shape, dtype=torch.float64)

    with pytest.raises(GradcheckError, match="backward not multiplied by grad_output"):
        gradcheck(Constant.apply, (real(3),))


def test_backward_must_accept_missing_gradients():
    class Fragile(Function):
        @staticmethod
        def forward(ctx, x):
            ctx.set_materialize_grads(False)
            return x * 2

        @staticmethod
        def backward(ctx, g):
            if g is None:
                raise RuntimeError("no gradient")
            return g * 2

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with pytest.raises(GradcheckError, match="Expected backward function to handle undefined output grads"):
            gradcheck(Fragile.apply, (real(3),))
    assert gradcheck(Fragile.apply, (real(3),), check_undefined_grad=False)


@each_mode
def test_backward_must_give_the_same_twice(fast_mode):
    state = {"count": 0}

    def backward(g):
        state["count"] += 1
        return g * 2 + 1e-6 * state["count"] * (g != 0)

    noisy = function_of(backward)
    with pytest.raises(GradcheckError, match="Backward is not reentrant"):
        gradcheck(noisy, (real(2),), fast_mode=fast_mode)
    state["count"] = 0
    assert gradcheck(noisy, (real(2),), fast_mode=fast_mode, nondet_tol=1e-5)


def test_outputs_must_keep_their_shape():
    def changing(x):
        return x[: 1 + int(x[0].item() > 0)]

    with pytest.raises(AssertionError, match="same shape when inputs are perturbed"):
        gradcheck(changing, (torch.zeros(2, dtype=torch.float64, requires_grad=True),))


@each_mode
def test_batched_gradients_are_checked(fast_mode):
    assert gradcheck(torch.mul, (real(3), real(3)), check_batched_grad=True, fast_mode=fast_mode)


@each_mode
def test_forward_mode_is_checked(fast_mode):
    arguments = {"check_forward_ad": True, "fast_mode": fast_mode}
    assert gradcheck(torch.mul, (real(3), real(3)), **arguments)
    assert gradcheck(lambda x: (x.sin(), x.exp()), (real(3),), check_backward_ad=False, **arguments)
    assert gradcheck(torch.mul, (complex_(2), complex_(2)), **arguments)
    assert gradcheck(torch.mul, (real(2), real(2)), check_batched_forward_grad=True, **arguments)
    assert gradgradcheck(torch.mul, (real(3), real(3)), check_fwd_over_rev=True, fast_mode=fast_mode)


def test_contradictory_arguments_are_refused():
    x = real(2)
    with pytest.raises(AssertionError, match="check_forward_ad or check_backward_ad"):
        gradcheck(torch.sin, (x,), check_backward_ad=False)
    with pytest.raises(AssertionError, match="check_batched_grad=True requires check_backward_ad"):
        gradcheck(torch.sin, (x,), check_backward_ad=False, check_forward_ad=True, check_batched_grad=True)
    with pytest.raises(AssertionError, match="check_fwd_over_rev or check_rev_over_rev"):
        gradgradcheck(torch.sin, (x,), check_rev_over_rev=False)


def test_empty_and_scalar_inputs():
    assert gradcheck(torch.sin, (real(0),))
    assert gradcheck(torch.sin, (real(),))
    assert gradcheck(lambda x: x.sum(), (real(2, 0),))


def test_gradgradcheck_takes_cotangents_or_makes_them():
    x = real(3)
    assert gradgradcheck(torch.exp, (x,), torch.ones(3, dtype=torch.float64, requires_grad=True))
    assert gradgradcheck(torch.exp, (x,), gen_non_contig_grad_outputs=True)
    assert gradgradcheck(lambda x: (x.exp(), x.sin()), (x,))
