"""Functions with a derivative of the user's own."""

import gc
import weakref

import pytest

import leafgrad as torch
from leafgrad.autograd import Function, grad, gradcheck, gradgradcheck
from leafgrad.autograd.function import FunctionCtx, InplaceFunction, once_differentiable


def double(*shape, requires_grad=True):
    return torch.randn(shape, dtype=torch.float64, requires_grad=requires_grad)


class Cube(Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x**3

    @staticmethod
    def backward(ctx, g):
        (x,) = ctx.saved_tensors
        return g * 3 * x**2


class ScaledProduct(Function):
    """The other style, with arguments that are no tensors."""

    @staticmethod
    def forward(a, b, scale=2.0):
        return a * b * scale

    @staticmethod
    def setup_context(ctx, inputs, output):
        a, b, ctx.scale = inputs
        ctx.save_for_backward(a, b)

    @staticmethod
    def backward(ctx, g):
        a, b = ctx.saved_tensors
        return g * b * ctx.scale, g * a * ctx.scale, None


def test_backward_of_the_user_is_used_and_differentiated_again():
    x = double(3)
    y = Cube.apply(x)
    assert y.grad_fn.name() == "CubeBackward"
    assert isinstance(y.grad_fn, FunctionCtx)
    assert gradcheck(Cube.apply, (x,))
    assert gradgradcheck(Cube.apply, (x,))


def test_setup_context_style_sees_defaults_and_keywords():
    a, b = double(3), double(3)
    assert gradcheck(ScaledProduct.apply, (a, b))
    assert torch.equal(ScaledProduct.apply(a, b), a * b * 2)
    assert torch.equal(ScaledProduct.apply(a, scale=5.0, b=b), a * b * 5)


def test_arguments_given_by_name_count_by_position():
    class Scale(Function):
        @staticmethod
        def forward(ctx, x, scale=1.0, offset=0.0):
            ctx.scale = scale
            ctx.count = len(ctx.needs_input_grad)
            return x * scale + offset

        @staticmethod
        def backward(ctx, g):
            return (g * ctx.scale, None, None)[: ctx.count]

    x = double(3)
    assert torch.equal(Scale.apply(x, scale=3.0), x * 3)
    assert gradcheck(lambda x: Scale.apply(x, scale=3.0), (x,))
    assert gradcheck(lambda x: Scale.apply(x=x), (x,))


@pytest.mark.leafgrad_only
def test_keyword_only_arguments_are_refused():
    class Scale(Function):
        @staticmethod
        def forward(ctx, x, *, scale=1.0):
            return x * scale

    with pytest.raises(TypeError, match="keyword-only arguments, got scale"):
        Scale.apply(double(3), scale=2.0)


def test_forward_records_nothing():
    class Probe(Function):
        @staticmethod
        def forward(ctx, x):
            assert not torch.is_grad_enabled()
            return x * 2

        @staticmethod
        def backward(ctx, g):
            return g * 2

    y = Probe.apply(double(2))
    assert y.grad_fn.name() == "ProbeBackward"
    with torch.no_grad():
        assert Probe.apply(double(2)).grad_fn is None


def test_vjp_is_another_name_of_backward():
    class Twice(Function):
        @staticmethod
        def forward(ctx, x):
            return x * 2

        @staticmethod
        def vjp(ctx, g):
            return g * 2

    assert gradcheck(Twice.apply, (double(2),))


def test_backward_and_vjp_together_are_refused():
    class Both(Function):
        @staticmethod
        def forward(ctx, x):
            return x * 2

        @staticmethod
        def backward(ctx, g):
            return g * 2

        @staticmethod
        def vjp(ctx, g):
            return g * 2

    with pytest.raises(RuntimeError, match="Implementing both 'backward' and 'vjp'"):
        Both.apply(double(2)).sum().backward()


def test_missing_methods_say_so():
    class Empty(Function):
        pass

    class ForwardOnly(Function):
        @staticmethod
        def forward(ctx, x):
            return x * 2

    with pytest.raises(NotImplementedError, match="must implement the forward function"):
        Empty.apply(double(2))
    with pytest.raises(NotImplementedError, match="implement either the backward or vjp"):
        ForwardOnly.apply(double(2)).sum().backward()


def test_instances_are_not_meant_to_be_made():
    with pytest.warns(DeprecationWarning, match="should not be instantiated"):
        Cube()
    with pytest.warns(DeprecationWarning):
        assert InplaceFunction(True).inplace is True
    with pytest.warns(DeprecationWarning), pytest.raises(RuntimeError, match="Legacy autograd function"):
        Cube()(double(2))


def test_needs_input_grad_says_which_gradients_are_wanted():
    seen = []

    class Probe(Function):
        @staticmethod
        def forward(ctx, a, n, b):
            seen.append(ctx.needs_input_grad)
            return a * b * n

        @staticmethod
        def backward(ctx, g):
            seen.append(ctx.needs_input_grad)
            return g, None, g

    Probe.apply(double(2), 3, double(2, requires_grad=False)).sum().backward()
    assert seen == [(True, False, False)] * 2


def test_several_outputs_and_missing_gradients():
    seen = []

    class Split(Function):
        @staticmethod
        def forward(ctx, x, materialize):
            ctx.set_materialize_grads(materialize)
            return x * 2, x * 3, "other"

        @staticmethod
        def backward(ctx, first, second, other):
            seen.append((first, second, other))
            return first * 2, None

    for materialize in (True, False):
        x = double(2)
        first, _, text = Split.apply(x, materialize)
        assert text == "other"
        first.sum().backward()
        assert torch.equal(x.grad, torch.full((2,), 2.0, dtype=torch.float64))
    assert torch.equal(seen[0][1], torch.zeros(2, dtype=torch.float64))
    assert seen[0][2] is None
    assert seen[1][1] is None


def test_non_differentiable_outputs_do_not_require_grad():
    class Sort(Function):
        @staticmethod
        def forward(ctx, x):
            values, order = x.sort()
            ctx.mark_non_differentiable(order)
            ctx.save_for_backward(order)
            return values, order

        @staticmethod
        def backward(ctx, g, order_gradient):
            (order,) = ctx.saved_tensors
            return torch.zeros_like(g).scatter(0, order, g)

    x = torch.tensor([3.0, 1.0, 2.0], requires_grad=True)
    values, order = Sort.apply(x)
    assert values.requires_grad
    assert not order.requires_grad
    (values * torch.tensor([1.0, 2.0, 3.0])).sum().backward()
    assert x.grad.tolist() == [3.0, 1.0, 2.0]


def test_an_input_changed_in_place_keeps_its_identity():
    class Double_(Function):
        @staticmethod
        def forward(ctx, x):
            ctx.mark_dirty(x)
            x.mul_(2)
            return x

        @staticmethod
        def backward(ctx, g):
            return g * 2

    leaf = double(3)
    x = leaf * 3
    version = x._version
    y = Double_.apply(x)
    assert y is x
    assert x._version > version
    assert x.grad_fn.name() == "Double_Backward"
    x.sum().backward()
    assert torch.equal(leaf.grad, torch.full((3,), 6.0, dtype=torch.float64))
    with pytest.raises(RuntimeError, match="a leaf Variable that requires grad"):
        Double_.apply(double(3))


def test_a_dirty_input_has_to_be_returned():
    class Wrong(Function):
        @staticmethod
        def forward(ctx, x):
            ctx.mark_dirty(x)
            return x.clone()

        @staticmethod
        def backward(ctx, g):
            return g

    with pytest.raises(RuntimeError, match=r"[Dd]irty|marked"):
        Wrong.apply(double(2) * 1)


def test_an_input_returned_unchanged_becomes_a_new_tensor():
    class Identity(Function):
        @staticmethod
        def forward(ctx, x):
            return x

        @staticmethod
        def backward(ctx, g):
            return g * 10

    x = double(2)
    y = Identity.apply(x)
    assert y is not x
    assert y.data_ptr() == x.data_ptr()
    y.sum().backward()
    assert torch.equal(x.grad, torch.full((2,), 10.0, dtype=torch.float64))


def test_too_few_or_too_many_gradients_are_errors():
    class Count(Function):
        @staticmethod
        def forward(ctx, a, b, gradients):
            ctx.gradients = gradients
            return a + b

        @staticmethod
        def backward(ctx, g):
            return ctx.gradients(g)

    a, b = double(2), double(2)
    Count.apply(a, b, lambda g: (g, g, None, None)).sum().backward()  # more of them, if None
    for gradients in (lambda g: g, lambda g: (g, g), lambda g: (g, g, None, g)):
        with pytest.raises(RuntimeError, match="returned an incorrect number of gradients"):
            Count.apply(a, b, gradients).sum().backward()


def test_gradients_are_checked_against_their_input():
    class Shaped(Function):
        @staticmethod
        def forward(ctx, x, gradient):
            ctx.gradient = gradient
            return x * 1

        @staticmethod
        def backward(ctx, g):
            return ctx.gradient(g), None

    x = torch.ones(3, requires_grad=True)
    Shaped.apply(x, lambda g: g.expand(2, 3)).sum().backward()  # summed to the input's shape
    assert x.grad.tolist() == [2.0, 2.0, 2.0]
    x.grad = None
    Shaped.apply(x, lambda g: g.double()).sum().backward()  # cast to the input's dtype
    assert x.grad.dtype == torch.float32
    with pytest.raises(RuntimeError, match=r"Shaped|shape"):
        Shaped.apply(x, lambda g: g.new_zeros(4)).sum().backward()
    with pytest.raises((TypeError, RuntimeError), match=r"Shaped|expected|Variable"):
        Shaped.apply(x, lambda g: 3).sum().backward()


def test_saved_tensors_are_freed_after_backward():
    x = double(2)
    y = Cube.apply(x)
    y.sum().backward(retain_graph=True)
    y.sum().backward()
    with pytest.raises(RuntimeError, match="a second time"):
        y.sum().backward()
    with pytest.raises(RuntimeError, match=r"freed|a second time"):
        _ = y.grad_fn.saved_tensors


def test_a_saved_input_changed_in_place_is_noticed():
    x = double(2) * 1
    y = Cube.apply(x)
    x.add_(1)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        y.sum().backward()


def test_a_saved_output_makes_no_cycle():
    class Exp(Function):
        @staticmethod
        def forward(ctx, x):
            y = x.exp()
            ctx.save_for_backward(y, None)
            return y

        @staticmethod
        def backward(ctx, g):
            y, nothing = ctx.saved_tensors
            assert nothing is None
            return g * y

    assert gradcheck(Exp.apply, (double(2),))
    assert gradgradcheck(Exp.apply, (double(2),))
    y = Exp.apply(double(2))
    node = weakref.ref(y.grad_fn)
    gc.collect()
    gc.disable()
    try:
        del y
        assert node() is None
    finally:
        gc.enable()


def test_only_tensors_can_be_saved():
    class Wrong(Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x, 3)
            return x * 1

        @staticmethod
        def backward(ctx, g):
            return g

    with pytest.raises(TypeError, match="save_for_backward can only save variables"):
        Wrong.apply(double(2))


def test_ctx_keeps_attributes_between_forward_and_backward():
    class Keep(Function):
        @staticmethod
        def forward(ctx, x):
            ctx.anything = {"factor": 7}
            return x * 7

        @staticmethod
        def backward(ctx, g):
            return g * ctx.anything["factor"]

    assert gradcheck(Keep.apply, (double(2),))


def test_once_differentiable_refuses_the_second_derivative():
    class Square(Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return x**2

        @staticmethod
        @once_differentiable
        def backward(ctx, g):
            assert not torch.is_grad_enabled()
            (x,) = ctx.saved_tensors
            return g * 2 * x

    x = double(2)
    one = torch.ones(2, dtype=torch.float64, requires_grad=True)
    (slope,) = grad(Square.apply(x), x, one, create_graph=True)
    assert torch.allclose(slope.detach(), 2 * x.detach())
    assert slope.requires_grad
    with pytest.raises(RuntimeError, match="differentiate twice a function that was marked"):
        slope.sum().backward()


def test_once_differentiable_keeps_missing_gradients():
    class First(Function):
        @staticmethod
        def forward(ctx, a, b):
            return a * 2

        @staticmethod
        @once_differentiable
        def backward(ctx, g):
            return g * 2, None

    a, b = double(2), double(2)
    one = torch.ones(2, dtype=torch.float64, requires_grad=True)
    slopes = grad(First.apply(a, b), (a, b), one, create_graph=True, allow_unused=True)
    assert slopes[1] is None
    assert torch.equal(slopes[0].detach(), torch.full((2,), 2.0, dtype=torch.float64))


def test_backward_may_run_a_backward_pass_of_its_own():
    class Inner(Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return x**2

        @staticmethod
        def backward(ctx, g):
            (x,) = ctx.saved_tensors
            with torch.enable_grad():
                y = x.detach().requires_grad_()
                (slope,) = grad((y**2).sum(), y)
            return g * slope

    assert gradcheck(Inner.apply, (double(3),))


def test_an_exception_in_backward_reaches_the_caller():
    class Boom(Function):
        @staticmethod
        def forward(ctx, x):
            return x * 1

        @staticmethod
        def backward(ctx, g):
            raise KeyError("boom")

    x = double(2)
    with pytest.raises(KeyError, match="boom"):
        Boom.apply(x).sum().backward()
    x.sum().backward()  # the engine is none the worse for it
    assert torch.equal(x.grad, torch.ones(2, dtype=torch.float64))


def test_a_plain_ctx_can_stand_in_for_a_node():
    ctx = FunctionCtx()
    x = double(2)
    assert torch.equal(Cube.forward(ctx, x), x**3)
    assert ctx.to_save == (x,)
    ctx.mark_dirty(x)
    ctx.mark_non_differentiable(x)
    ctx.save_for_forward(x)
    ctx.set_materialize_grads(False)
    assert (ctx.dirty_tensors, ctx.non_differentiable, ctx.saved_for_forward) == ((x,), (x,), (x,))
    assert ctx.materialize_grads is False


def test_complex_gradients_pass_through():
    class Conjugate(Function):
        @staticmethod
        def forward(ctx, z):
            return z.conj().clone()

        @staticmethod
        def backward(ctx, g):
            return g.conj()

    assert gradcheck(Conjugate.apply, (torch.randn(3, dtype=torch.complex128, requires_grad=True),))


def test_hooks_of_a_custom_node_see_its_gradients():
    seen = []
    x = double(2)
    y = Cube.apply(x)
    y.grad_fn.register_hook(lambda inputs, outputs: seen.append((len(inputs), len(outputs))))
    y.sum().backward()
    assert seen == [(1, 1)]
