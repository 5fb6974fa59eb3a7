"""Products with Jacobians and Hessians, against closed forms."""

import pytest

import leafgrad as torch
from leafgrad.autograd import grad, gradcheck
from leafgrad.autograd.functional import hessian, hvp, jacobian, jvp, vhp, vjp

# PyTorch, when these tests run against it, compiles its forward-mode formulas with a deprecated call.
pytestmark = pytest.mark.filterwarnings("ignore:`torch.jit.script:DeprecationWarning")


def real(*shape, requires_grad=False):
    return torch.randn(shape, dtype=torch.float64, requires_grad=requires_grad)


def same(a, b):
    return torch.allclose(a, b, rtol=1e-10, atol=1e-12)


A = torch.tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]], dtype=torch.float64)


def linear(x):
    return A @ x


def product(x, y):
    return x * y, x.sum() * 2


def energy(x):
    """Sum of cubes; its gradient is 3 x**2, its Hessian diagonal with 6 x."""
    return (x**3).sum()


def bilinear(x, y):
    return (x * y * y).sum()


def test_products_with_the_jacobian_of_a_linear_map():
    x, v, u = real(3), real(2), real(3)
    y, result = vjp(linear, x, v)
    assert same(y, A @ x)
    assert same(result, v @ A)
    y, result = jvp(linear, x, u)
    assert same(y, A @ x)
    assert same(result, A @ u)
    assert not y.requires_grad
    assert not result.requires_grad


def test_tuples_in_give_tuples_out():
    x, y = real(3), real(3)
    v = (real(3), real())
    outputs, (gx, gy) = vjp(product, (x, y), v)
    assert isinstance(outputs, tuple)
    assert same(gx, v[0] * y + 2 * v[1])
    assert same(gy, v[0] * x)
    u = (real(3), real(3))
    _, (t0, t1) = jvp(product, (x, y), u)
    assert same(t0, u[0] * y + x * u[1])
    assert same(t1, 2 * u[0].sum())


def test_the_vector_may_be_left_out_for_a_single_element():
    x = real(3)
    assert same(vjp(energy, x)[1], 3 * x**2)
    assert same(jvp(lambda t: t * A, real(1))[1], A)
    assert vhp(lambda t: t**3, torch.tensor([2.0]))[1].tolist() == [12.0]
    assert hvp(lambda t: t**3, torch.tensor([2.0]))[1].tolist() == [12.0]
    with pytest.raises(RuntimeError, match="vector v can only be None if the user-provided function returns"):
        vjp(linear, x)
    for product_ in (jvp, vhp, hvp):
        with pytest.raises(RuntimeError, match="vector v can only be None if the input"):
            product_(energy, x)


def test_the_callers_graph_and_gradients_are_left_alone():
    x = real(3, requires_grad=True)
    vjp(energy, x)
    hvp(energy, x, real(3))
    jacobian(linear, x)
    assert x.grad is None
    assert x.requires_grad


def test_the_shape_of_the_vector_is_checked():
    with pytest.raises(RuntimeError, match=r"v has invalid size: should be torch.Size\(\[2\]\)"):
        vjp(linear, real(3), real(3))
    with pytest.raises(RuntimeError, match=r"Entry 1 in v has invalid size"):
        jvp(product, (real(3), real(3)), (real(3), real(2)))
    with pytest.raises(RuntimeError, match="v is a tuple of invalid length: should be 2 but got 1"):
        jvp(product, (real(3), real(3)), (real(3),))
    with pytest.raises(RuntimeError, match="v should contain a single Tensor"):
        jvp(linear, real(3), (real(3), real(3)))


def test_arguments_must_be_tensors():
    with pytest.raises(TypeError, match="inputs given to vjp must be either a Tensor or a tuple of Tensors"):
        vjp(linear, 3.0)
    with pytest.raises(TypeError, match="the value at index 1 has type"):
        jacobian(product, (real(3), 3.0))
    with pytest.raises(TypeError, match="outputs of the user-provided function given to jvp must be"):
        jvp(lambda x: 3.0, real(1))
    with pytest.raises(TypeError, match="v given to vjp"):
        vjp(linear, real(3), 3.0)


@pytest.mark.parametrize("arguments", [{}, {"vectorize": True}, {"vectorize": True, "strategy": "forward-mode"}])
def test_jacobian(arguments):
    x, y = real(3), real(3)
    assert same(jacobian(linear, x, **arguments), A)
    full = jacobian(product, (x, y), **arguments)
    assert same(full[0][0], torch.diag(y))
    assert same(full[0][1], torch.diag(x))
    assert same(full[1][0], torch.full((3,), 2.0, dtype=torch.float64))
    assert same(full[1][1], torch.zeros(3, dtype=torch.float64))
    rows = jacobian(lambda x, y: x * y, (x, y), **arguments)
    assert same(rows[0], torch.diag(y))
    columns = jacobian(lambda x: (x * 2, x.sum()), x, **arguments)
    assert same(columns[0], 2 * torch.eye(3, dtype=torch.float64))
    assert jacobian(lambda m: m.T @ m, real(2, 3), **arguments).shape == (3, 3, 2, 3)
    assert jacobian(lambda x: x.sum(), x, **arguments).shape == (3,)
    constant = jacobian(lambda x: torch.ones(2, dtype=torch.float64), x, **arguments)
    assert same(constant, torch.zeros(2, 3, dtype=torch.float64))


@pytest.mark.parametrize(
    "arguments", [{}, {"vectorize": True}, {"vectorize": True, "outer_jacobian_strategy": "forward-mode"}]
)
def test_hessian(arguments):
    x, y = real(3), real(3)
    assert same(hessian(energy, x, **arguments), torch.diag(6 * x))
    (xx, xy), (yx, yy) = hessian(bilinear, (x, y), **arguments)
    assert same(xx, torch.zeros(3, 3, dtype=torch.float64))
    assert same(xy, torch.diag(2 * y))
    assert same(yx, torch.diag(2 * y))
    assert same(yy, torch.diag(2 * x))
    assert hessian(lambda m: (m**2).sum(), real(2, 3), **arguments).shape == (2, 3, 2, 3)
    assert hessian(lambda t: t.reshape(1) ** 2, real(), **arguments).shape == ()


def test_products_with_the_hessian():
    x, v = real(3), real(3)
    for product_ in (vhp, hvp):
        value, result = product_(energy, x, v)
        assert same(value, energy(x))
        assert same(result, 6 * x * v)
        y, w = real(3), real(3)
        _, (first, second) = product_(bilinear, (x, y), (v, w))
        assert same(first, 2 * y * w)
        assert same(second, 2 * y * v + 2 * x * w)
        _, zero = product_(lambda x: 3 * x.sum(), x, v)
        assert same(zero, torch.zeros(3, dtype=torch.float64))


def test_a_hessian_belongs_to_one_element():
    for product_ in (
        lambda f: hessian(f, real(3)),
        lambda f: hvp(f, real(3), real(3)),
        lambda f: vhp(f, real(3), real(3)),
    ):
        with pytest.raises(RuntimeError, match="should return a single Tensor"):
            product_(lambda x: (x.sum(), x.sum()))
        with pytest.raises(RuntimeError, match="should contain a single element"):
            product_(linear)


def test_create_graph_makes_every_result_differentiable():
    x, v2, v3 = real(3, requires_grad=True), real(2, requires_grad=True), real(3, requires_grad=True)
    keep = {"create_graph": True}
    assert gradcheck(lambda x, v: vjp(lambda x: A @ x**2, x, v, **keep)[1], (x, v2))
    assert gradcheck(lambda x, v: jvp(lambda x: A @ x**2, x, v, **keep)[1], (x, v3))
    assert gradcheck(lambda x: jacobian(lambda x: A @ x**2, x, **keep), (x,))
    assert gradcheck(lambda x: hessian(energy, x, **keep), (x,))
    assert gradcheck(lambda x, v: vhp(energy, x, v, **keep)[1], (x, v3))
    assert gradcheck(lambda x, v: hvp(energy, x, v, **keep)[1], (x, v3))
    (third,) = grad(hessian(energy, x, **keep).sum(), x)
    assert same(third, torch.full((3,), 6.0, dtype=torch.float64))


def test_results_under_no_grad():
    x = real(3)
    with torch.no_grad():
        assert same(vjp(energy, x)[1], 3 * x**2)
        assert same(jvp(linear, x, x)[1], A @ x)
        assert same(hessian(energy, x), torch.diag(6 * x))
        assert vjp(energy, x.requires_grad_(), create_graph=True)[1].requires_grad


def test_strict_mode_refuses_what_does_not_depend():
    x, y = real(3), real(3)

    def detached(x):
        return x.detach()

    def first(x, y):
        return x.sum()

    for check in (
        lambda f, xs: vjp(f, xs, strict=True),
        lambda f, xs: jacobian(f, xs, strict=True),
        lambda f, xs: hessian(f, xs, strict=True),
    ):
        with pytest.raises(RuntimeError, match="Output 0 of the user-provided function does not require gradients"):
            check(lambda x: detached(x).sum(), x)
    with pytest.raises(RuntimeError, match="output of the user-provided function is independent of input 1"):
        vjp(first, (x, y), strict=True)
    with pytest.raises(RuntimeError, match="Output 0 of the user-provided function is independent of input 1"):
        jacobian(first, (x, y), strict=True)
    with pytest.raises(RuntimeError, match="jacobian of the user-provided function with respect to input 0"):
        hessian(lambda x: 2 * x.sum(), x, strict=True)
    with pytest.raises(RuntimeError, match="output of the user-provided function is independent of input 1"):
        jvp(first, (x, y), (x, y), strict=True)
    with pytest.raises(RuntimeError, match="jacobian of the user-provided function is independent of input 0"):
        vjp(linear, x.requires_grad_(), real(2), create_graph=True, strict=True)


def test_what_forward_mode_does_not_combine_with():
    x = real(3)
    with pytest.raises(NotImplementedError, match="create_graph=True"):
        jacobian(linear, x, create_graph=True, strategy="forward-mode")
    with pytest.raises(RuntimeError, match="strict=True"):
        jacobian(linear, x, strict=True, vectorize=True, strategy="forward-mode")
    with pytest.raises(RuntimeError, match="strict=True"):
        jacobian(linear, x, strict=True, vectorize=True)
    with pytest.raises(NotImplementedError, match="vectorize=True"):
        jacobian(linear, x, strategy="forward-mode")
    with pytest.raises(AssertionError, match="forward-mode"):
        jacobian(linear, x, strategy="sideways")


def test_complex_inputs():
    z, v = torch.randn(3, dtype=torch.complex128), torch.randn(3, dtype=torch.complex128)
    assert same(vjp(lambda z: z**2, z, v)[1], v * (2 * z).conj())
    assert same(jvp(lambda z: z**2, z, v)[1], v * 2 * z)
