"""Forward mode, against closed forms and finite differences."""

import pytest

import leafgrad as torch
import leafgrad.autograd.forward_ad as fwAD
from leafgrad.autograd import Function, grad

# PyTorch, when these tests run against it, compiles its forward-mode formulas with a deprecated call.
pytestmark = pytest.mark.filterwarnings("ignore:`torch.jit.script:DeprecationWarning")


def real(*shape, requires_grad=False):
    return torch.randn(shape, dtype=torch.float64, requires_grad=requires_grad)


def tangent_of(function, x, t):
    with fwAD.dual_level():
        return fwAD.unpack_dual(function(fwAD.make_dual(x, t)))


def test_the_tangent_is_the_jacobian_times_the_tangent_put_in():
    x, t = real(3), real(3)
    primal, tangent = tangent_of(lambda x: x.sin() * x, x, t)
    assert torch.equal(primal, x.sin() * x)
    assert torch.allclose(tangent, (x.cos() * x + x.sin()) * t)
    assert not primal.requires_grad
    assert not tangent.requires_grad


def test_several_dual_inputs_and_outputs():
    x, y, tx, ty = (real(3) for _ in range(4))
    with fwAD.dual_level():
        a, b = fwAD.make_dual(x, tx), fwAD.make_dual(y, ty)
        product, total = a * b, (a + 2 * b).sum()
        assert torch.allclose(fwAD.unpack_dual(product).tangent, tx * y + x * ty)
        assert torch.allclose(fwAD.unpack_dual(total).tangent, (tx + 2 * ty).sum())
        only_b = b.exp()
        assert torch.allclose(fwAD.unpack_dual(only_b).tangent, y.exp() * ty)


def test_a_dual_tensor_unpacks_to_what_it_was_made_of():
    x, t = real(3), real(3)
    with fwAD.dual_level():
        dual = fwAD.make_dual(x, t)
        primal, tangent = fwAD.unpack_dual(dual)
        assert primal.data_ptr() == x.data_ptr() == dual.data_ptr()
        assert torch.equal(tangent, t)


def test_what_depends_on_no_dual_tensor_has_no_tangent():
    x = real(3)
    with fwAD.dual_level():
        assert fwAD.unpack_dual(x).tangent is None
        dual = fwAD.make_dual(x, real(3))
        assert fwAD.unpack_dual(x * 2).tangent is None
        assert fwAD.unpack_dual(dual.argmax()).tangent is None


def test_in_place_changes_and_views_of_dual_tensors():
    x, t = real(3), real(3)

    def function(x):
        y = x.clone()
        y[0] *= 5
        y.mul_(x)
        return y.flip(0)

    _, tangent = tangent_of(function, x, t)
    scale = torch.tensor([5.0, 1.0, 1.0], dtype=torch.float64)
    assert torch.allclose(tangent, (2 * scale * x * t).flip(0))


def test_a_dual_tensor_itself_may_change_in_place():
    x, t = real(3), real(3)
    before = x.clone()
    with fwAD.dual_level():
        dual = fwAD.make_dual(x, t.clone())
        dual.mul_(3)
        primal, tangent = fwAD.unpack_dual(dual)
        assert torch.allclose(primal, 3 * before)
        assert torch.allclose(tangent, 3 * t)


def test_complex_tensors():
    z, t = (torch.randn(3, dtype=torch.complex128) for _ in range(2))
    assert torch.allclose(tangent_of(lambda z: z * z, z, t).tangent, 2 * z * t)
    assert torch.allclose(tangent_of(lambda z: z.conj() * 1, z, t).tangent, t.conj())
    assert torch.allclose(tangent_of(lambda z: (z * z.conj()).real, z, t).tangent, 2 * (z.conj() * t).real)


def test_reverse_over_forward():
    x, t = real(3, requires_grad=True), real(3, requires_grad=True)
    with fwAD.dual_level():
        primal, tangent = fwAD.unpack_dual(fwAD.make_dual(x, t) ** 3)
        assert primal.requires_grad
        assert torch.allclose(grad(primal.sum(), x, retain_graph=True)[0], 3 * x**2)
        gx, gt = grad(tangent.sum(), (x, t))
    assert torch.allclose(gx, 6 * x * t)
    assert torch.allclose(gt, 3 * x**2)


def test_forward_over_reverse_is_a_product_with_the_hessian():
    x, v = real(3, requires_grad=True), real(3)
    with fwAD.dual_level():
        dual = fwAD.make_dual(x, v)
        (slope,) = grad((dual**3).sum(), dual, create_graph=True)
        assert torch.allclose(fwAD.unpack_dual(slope).tangent, 6 * x * v)


def test_a_tangent_with_respect_to_a_captured_parameter():
    weight, x, t = real(3, requires_grad=True), real(3), real(3)
    with fwAD.dual_level():
        tangent = fwAD.unpack_dual(weight * fwAD.make_dual(x, t) ** 2).tangent
        (g,) = grad(tangent.sum(), weight)
    assert torch.allclose(g, 2 * x * t)


def test_levels_do_not_nest():
    with fwAD.dual_level(), pytest.raises(RuntimeError, match="Nested forward mode AD is not supported"):
        fwAD.enter_dual_level()
    assert fwAD.enter_dual_level() == 0
    with pytest.raises(RuntimeError, match="not the last one that was created"):
        fwAD.exit_dual_level(level=1)
    fwAD.exit_dual_level()
    with pytest.raises(RuntimeError):
        fwAD.exit_dual_level()


def test_dual_tensors_need_a_level():
    with pytest.raises(RuntimeError, match="no level exists"):
        fwAD.make_dual(real(2), real(2))
    x = real(2)
    assert fwAD.unpack_dual(x) == (x, None)


def test_the_tangent_ends_with_the_level():
    with fwAD.dual_level():
        dual = fwAD.make_dual(real(2), real(2))
    with fwAD.dual_level():
        assert fwAD.unpack_dual(dual).tangent is None


def test_what_can_be_made_dual():
    with fwAD.dual_level():
        with pytest.raises(ValueError, match="Expected primal to be floating point or complex"):
            fwAD.make_dual(torch.ones(2, dtype=torch.int64), real(2))
        with pytest.raises(ValueError, match="Expected tangent to be floating point or complex"):
            fwAD.make_dual(real(2), torch.ones(2, dtype=torch.int64))
        with pytest.raises(RuntimeError, match="different size"):
            fwAD.make_dual(real(2), real(3))
        with pytest.raises(RuntimeError, match="already has a forward gradient"):
            fwAD.make_dual(fwAD.make_dual(real(2), real(2)), real(2))


def test_the_level_decorates():
    @fwAD.dual_level()
    def double(x, t):
        return fwAD.unpack_dual(2 * fwAD.make_dual(x, t)).tangent

    t = real(2)
    assert torch.allclose(double(real(2), t), 2 * t)


def test_a_level_works_under_no_grad():
    x, t = real(2), real(2)
    with torch.no_grad(), fwAD.dual_level():
        assert torch.allclose(fwAD.unpack_dual(fwAD.make_dual(x, t).exp()).tangent, x.exp() * t)
    assert torch.is_grad_enabled()


@pytest.mark.leafgrad_only
def test_without_recording_there_is_an_error_instead_of_a_missing_tangent():
    with fwAD.dual_level():
        dual = fwAD.make_dual(real(2), real(2))
        with torch.no_grad():
            with pytest.raises(RuntimeError, match="recording is off"):
                fwAD.make_dual(real(2), real(2))
            with pytest.raises(RuntimeError, match="recording is off"):
                fwAD.unpack_dual(dual * 2)


@pytest.mark.leafgrad_only
def test_an_operation_without_double_backward_says_what_forward_mode_needs():
    class Once(Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return x.exp()

        @staticmethod
        @torch.autograd.function.once_differentiable
        def backward(ctx, g):
            return g * ctx.saved_tensors[0].exp()

    with pytest.raises(RuntimeError, match="marked with @once_differentiable") as error:
        tangent_of(Once.apply, real(2), real(2))
    assert "differentiating the recorded graph twice" in error.value.__notes__[0]


def test_a_function_with_its_own_jvp():
    class Scale(Function):
        @staticmethod
        def forward(ctx, x, n):
            ctx.n = n
            ctx.save_for_forward(x)
            return x * n, x + 1

        @staticmethod
        def jvp(ctx, tx, tn):
            assert tn is None
            return tx * ctx.n * 100, tx  # a factor that no derivative has shows that this was used

    x, t = real(2), real(2)
    with fwAD.dual_level():
        dual = fwAD.make_dual(x, t)
        first, second = Scale.apply(dual, 3)
        assert torch.allclose(fwAD.unpack_dual(first).tangent, 300 * t)
        assert torch.allclose(fwAD.unpack_dual(second).tangent, t)
        assert torch.allclose(fwAD.unpack_dual(first * dual).tangent, 300 * t * x + 3 * x * t)


def test_a_jvp_in_the_setup_context_style():
    class Product(Function):
        @staticmethod
        def forward(a, b):
            return a * b

        @staticmethod
        def setup_context(ctx, inputs, output):
            ctx.save_for_forward(*inputs)

        @staticmethod
        def jvp(ctx, ta, tb):
            a, b = ctx.saved_tensors
            return ta * b + a * tb

    a, b, ta = real(2), real(2), real(2)
    with fwAD.dual_level():
        y = Product.apply(fwAD.make_dual(a, ta), b)
        assert torch.allclose(fwAD.unpack_dual(y).tangent, ta * b)


def test_tangents_agree_with_finite_differences():
    x, t = real(4), real(4)

    def function(x):
        return torch.softmax(x, 0).log().cumsum(0) * x.norm()

    step = 1e-6
    expected = (function(x + step * t) - function(x - step * t)) / (2 * step)
    assert torch.allclose(tangent_of(function, x, t).tangent, expected, rtol=1e-6)
