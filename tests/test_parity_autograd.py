"""Small programs run under PyTorch and under leafgrad: the same values, dtypes, shapes, leaves, gradients, names of
grad_fns along the graph, printed forms, and classes of errors.

A program is a function of the library that returns tensors, or anything made of them; `PROGRAMS` collects them.
"""

from __future__ import annotations

import math
import re
import warnings

import pytest

import leafgrad

PROGRAMS = {}
NUMBER = r"(-?\d+\.?\d*(?:e[+-]\d+)?)"


def program(function):
    PROGRAMS[function.__name__] = function
    return function


def params(t, *shapes, dtype=None):
    """Leaves with the same irregular values in both libraries."""
    made = []
    for k, shape in enumerate(shapes):
        values = [math.sin(1.7 * i + k) + 0.1 * k for i in range(math.prod(shape))]
        made.append(t.tensor(values, dtype=dtype).reshape(shape).clone().requires_grad_())
    return made


# Here leafgrad's graph has other nodes beside the same grad_fn: a view's own history goes on beside its base's, and a
# product of matrices needs fewer changes of shape.
OTHER_GRAPH = {"in_place_on_a_view", "in_place_promotes_a_plain_tensor", "matrix_products", "batched_products"}


def report(x):
    """What can be compared of a result: everything a user can see of it."""
    if isinstance(x, (tuple, list)):
        return [report(item) for item in x]
    if isinstance(x, dict):
        return {key: report(value) for key, value in x.items()}
    if not hasattr(x, "grad_fn"):
        return x if isinstance(x, (int, float, str, bool, complex, type(None))) else str(x)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        gradient = None if x.grad is None else x.grad
    return {
        "value": x.detach().tolist(),
        "dtype": str(x.dtype),
        "shape": tuple(x.shape),
        "stride": tuple(x.stride()),
        "leaf": x.is_leaf,
        "requires_grad": x.requires_grad,
        "version": None if x.is_inference() else x._version,
        "graph": graph(x.grad_fn),
        "grad_fn": type(x.grad_fn).__name__,
        "grad": None if gradient is None else (gradient.tolist(), str(gradient.dtype), gradient.requires_grad),
        "printed": [float(part) if i % 2 else part for i, part in enumerate(re.split(NUMBER, repr(x)))],
    }


def graph(node):
    """The names of the nodes in the order of a walk, each with the places its edges lead to."""
    if node is None:
        return []
    order, rows, todo = {node: 0}, [], [node]
    while todo:
        current = todo.pop(0)
        targets = []
        for target, output in current.next_functions:
            if target is None:
                targets.append(None)
                continue
            if target not in order:
                order[target] = len(order)
                todo.append(target)
            targets.append((order[target], output))
        rows.append((type(current).__name__, targets))
    return rows


def outcome(function, library):
    library.manual_seed(0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return report(function(library))
        except Exception as error:
            return f"raises {type(error).__name__}"


def compare(ours, theirs, path=""):
    """Where two reports differ, as lines; empty where they agree. Numbers may differ in their last digits."""
    if isinstance(theirs, dict) and isinstance(ours, dict):
        return [d for key in theirs for d in compare(ours.get(key), theirs[key], f"{path}.{key}")]
    if isinstance(theirs, (list, tuple)) and type(ours) is type(theirs) and len(ours) == len(theirs):
        return [d for i, (a, b) in enumerate(zip(ours, theirs, strict=True)) for d in compare(a, b, f"{path}[{i}]")]
    if isinstance(theirs, (float, complex)) and type(ours) is type(theirs):
        rel, small = (2e-3, 2e-4) if ".printed" in path else (2e-5, 1e-6)
        agree = ours == pytest.approx(theirs, rel=rel, abs=small, nan_ok=True)
    else:
        agree = ours == theirs
    return [] if agree else [f"{path}: {ours!r}, PyTorch {theirs!r}"]


# Elementwise


@program
def the_article(t):
    w, x = t.tensor([1.0], requires_grad=True), t.tensor([2.0], requires_grad=True)
    a, b = t.add(w, x), t.add(w, 1)
    y = t.mul(a, b)
    y.backward()
    return w, x, a, b, y


@program
def arithmetic_with_tensors(t):
    a, b = params(t, (2, 3), (3,))
    y = (a + b) * (a - b) / (b * b + 2) - a
    y.sum().backward()
    return y, a, b


@program
def arithmetic_with_numbers(t):
    (a,) = params(t, (4,))
    y = 2 * a + 1 - a / 3 + (1 - a) + 5 / (a + 3) - (-a) + a * 2.5
    y.sum().backward()
    return y, a


@program
def alpha(t):
    a, b = params(t, (3,), (3,))
    y = t.add(a, b, alpha=3) - t.sub(a, b, alpha=2)
    y.sum().backward()
    return y, a, b


@program
def powers(t):
    a, b = params(t, (3,), (3,))
    a, b = a.abs() + 1, b
    y = a**2 + a**0.5 + a**b + 2**b + a**-1 + a**3
    y.sum().backward(retain_graph=True)
    return y, t.autograd.grad(y.sum(), [a, b])


@program
def unary_functions(t):
    (a,) = params(t, (5,))
    p = a.abs() + 0.5
    ys = [a.exp(), p.log(), p.sqrt(), a.sin(), a.cos(), a.tanh(), a.sigmoid(), p.rsqrt(), a.expm1(), p.log1p(), a.erf()]
    sum(y.sum() for y in ys).backward()
    return ys, a


@program
def rounding_functions(t):
    (a,) = params(t, (5,))
    ys = [a.floor(), a.ceil(), a.round(), a.sign(), a.abs(), a.neg(), a.square(), a.reciprocal(), a.tan()]
    sum(y.sum() for y in ys).backward()
    return ys, a


@program
def activations(t):
    (a,) = params(t, (6,))
    F = t.nn.functional
    ys = [F.relu(a), F.gelu(a), F.silu(a), a.clamp(-0.5, 0.5), a.clamp(min=0.1)]
    sum(y.sum() for y in ys).backward()
    return ys, a


@program
def minimum_and_maximum(t):
    a, b = params(t, (5,), (5,))
    ys = [t.maximum(a, b), t.minimum(a, b), t.maximum(a, a.detach())]
    sum(y.sum() for y in ys).backward()
    return ys, a, b


@program
def where_and_masks(t):
    a, b = params(t, (5,), (5,))
    ys = [t.where(a > 0, a, b), t.where(a > 0, a, 0.0), a.masked_fill(a > 0, 3.0), a.masked_select(a > 0)]
    sum(y.sum() for y in ys).backward()
    return ys, a, b


@program
def comparisons(t):
    a, b = params(t, (3,), (3,))
    return a < b, a <= b, a > b, a >= b, a == b, a != b, a < 0.5, t.tensor([1, 2]) == 2


@program
def integer_arithmetic(t):
    a, b = t.tensor([7, -7, 5]), t.tensor([2, 2, -3])
    return a // b, a % b, a / b, t.div(a, b, rounding_mode="trunc"), t.fmod(a, b), a**2, a & b, a | b, a ^ b, ~a, a << 2


@program
def float_division_modes(t):
    a, b = params(t, (5,), (5,))
    with t.no_grad():
        return a // b, a % b, t.div(a, b, rounding_mode="trunc"), t.fmod(a, b), a // 0.3, -a % 0.3


@program
def logic(t):
    a, b = t.tensor([True, False, True]), t.tensor([True, True, False])
    return a & b, a | b, a ^ b, ~a, a.any(), a.all(), t.logical_and(a, b), t.logical_not(a), a + b, a * b


@program
def half_precision(t):
    a, b = params(t, (4,), (4,), dtype=t.float16)
    c = (a * b + 1) / 3
    c.sum().backward()
    d = params(t, (4,), dtype=t.bfloat16)[0]
    (d * d).sum().backward()
    return c, a, b, d


@program
def mixed_dtypes(t):
    a = params(t, (3,))[0]
    b = params(t, (3,), dtype=t.float64)[0]
    y = a * b + t.tensor([1, 2, 3]) * a
    y.sum().backward()
    return y, a, b


@program
def complex_arithmetic(t):
    z = t.tensor([1 + 2j, 3 - 1j], requires_grad=True)
    y = (z * z.conj() + z / 2 - z * 2j).abs()
    y.sum().backward()
    return y, z


@program
def real_and_imaginary_parts(t):
    z = t.tensor([1 + 2j, 3 - 1j], requires_grad=True)
    y = z.real * 2 + z.imag * 3
    y.sum().backward()
    return y, z


# Reductions


@program
def sums_and_means(t):
    (a,) = params(t, (2, 3, 4))
    ys = [a.sum(), a.sum(1), a.sum((0, 2), keepdim=True), a.mean(), a.mean(-1), a.sum(dim=[0]), a.mean((0, 1))]
    sum(y.sum() for y in ys).backward()
    return ys, a


@program
def products(t):
    (a,) = params(t, (2, 3))
    ys = [a.prod(), a.prod(1), a.cumsum(1)]
    sum(y.sum() for y in ys).backward()
    return ys, a


@program
def extremes(t):
    (a,) = params(t, (3, 4))
    ys = [
        a.max(),
        a.min(),
        a.max(1).values,
        a.min(0).values,
        a.amax(1),
        a.amin((0, 1)),
        a.max(1).indices,
        a.argmax(),
        a.argmin(0),
    ]
    sum(y.sum() for y in ys if y.requires_grad).backward()
    return ys, a


@program
def variances_and_norms(t):
    (a,) = params(t, (3, 4))
    ys = [a.var(), a.std(), a.var(1), a.std(0, keepdim=True), a.norm(), a.norm(dim=1), a.var(1, correction=0)]
    sum(y.sum() for y in ys).backward()
    return ys, a


@program
def softmaxes(t):
    (a,) = params(t, (3, 4))
    ys = [a.softmax(1), a.log_softmax(0), a.logsumexp(1), t.softmax(a, -1)]
    sum((y * y).sum() for y in ys).backward()
    return ys, a


@program
def reductions_of_integers(t):
    a = t.tensor([[1, 5], [3, 2]])
    return a.sum(), a.prod(0), a.max(), a.max(1), a.cumsum(0), a.argmax(1), a.any(), a.all(1), a.float().mean()


@program
def reductions_of_nothing(t):
    a = t.zeros(0, 3)
    return a.sum(), a.sum(0), a.sum(1), a.prod(), a.mean(), a.any(), a.all()


# Shapes


@program
def reshapes(t):
    (a,) = params(t, (2, 3, 4))
    ys = [
        a.view(6, 4),
        a.reshape(-1),
        a.flatten(1),
        a.t().sum() if a.dim() == 2 else a.transpose(0, 2),
        a.permute(2, 0, 1),
    ]
    sum((y * y).sum() for y in ys).backward()
    return ys, a


@program
def squeezes(t):
    (a,) = params(t, (1, 3, 1))
    ys = [a.squeeze(), a.squeeze(0), a.unsqueeze(-1), a[None], a.squeeze(1)]
    sum((y * y).sum() for y in ys).backward()
    return ys, a


@program
def expansions(t):
    (a,) = params(t, (3, 1))
    ys = [a.expand(3, 4), a.expand(2, 3, 5), a.repeat(2, 3), t.broadcast_to(a, (3, 2)), a.expand(-1, 4)]
    sum((y * y).sum() for y in ys).backward()
    return ys, a


@program
def splits(t):
    (a,) = params(t, (5, 2))
    parts = [*a.split(2), *a.chunk(2), *a.unbind(1), *a.split([1, 4])]
    sum((p * (i + 1)).sum() for i, p in enumerate(parts)).backward()
    return parts, a


@program
def joins(t):
    a, b = params(t, (2, 3), (2, 3))
    ys = [t.cat([a, b]), t.cat([a, b], 1), t.stack([a, b], 1), t.cat([a, a.detach()])]
    sum((y * y).sum() for y in ys).backward()
    return ys, a, b


@program
def flips_and_rolls(t):
    (a,) = params(t, (3, 4))
    ys = [a.flip(0), a.flip([0, 1]), a.roll(1, 0), a.roll(2), a.tril(), a.triu(1), a.diagonal(), a.diagonal(1)]
    sum((y * y).sum() for y in ys).backward()
    return ys, a


@program
def strided(t):
    (a,) = params(t, (12,))
    y = a.as_strided((3, 3), (3, 1), 1)
    (y * y).sum().backward()
    return y, a


@program
def narrows_and_selects(t):
    (a,) = params(t, (4, 5))
    ys = [a.narrow(1, 1, 3), a.select(0, 2), a[1:3, ::2], a[..., -1], a[2]]
    sum((y * y).sum() for y in ys).backward()
    return ys, a


@program
def transposes(t):
    (a,) = params(t, (2, 3))
    b = params(t, (2, 3, 4))[0]
    ys = [a.t(), a.T, b.mT, b.transpose(-1, 0), a.t().contiguous()]
    sum((y * y).sum() for y in ys).backward()
    return ys, a, b


# Indexing


@program
def index_arrays(t):
    (a,) = params(t, (4, 5))
    i, j = t.tensor([0, 2, 2]), t.tensor([1, 1, 4])
    ys = [a[i], a[:, j], a[i, j], a[i, 1:3], a[[0, 1]], a[i[:, None], j]]
    sum((y * y).sum() for y in ys).backward()
    return ys, a


@program
def index_masks(t):
    (a,) = params(t, (4, 5))
    ys = [a[a > 0], a[t.tensor([True, False, True, True])], a[:, t.tensor([True, False, True, True, False])]]
    sum((y * y).sum() for y in ys).backward()
    return ys, a


@program
def index_assignment(t):
    a, b = params(t, (4, 5), (5,))
    y = a * 1
    y[0] = 0
    y[1] = b
    y[2:, 1] = b[0]
    y[t.tensor([3, 3]), t.tensor([2, 4])] = b[:2]
    (y * y).sum().backward()
    return y, a, b


@program
def gathers_and_scatters(t):
    a, b = params(t, (3, 4), (3, 4))
    i = t.tensor([[0, 1, 2, 0], [2, 0, 0, 1]])
    ys = [a.gather(0, i), a.scatter(0, i, b[:2]), t.take_along_dim(a, i, 0), a.index_select(1, t.tensor([0, 3, 0]))]
    sum((y * y).sum() for y in ys).backward()
    return ys, a, b


@program
def index_additions(t):
    a, b = params(t, (3, 2), (4, 2))
    i = t.tensor([0, 2, 0, 1])
    ys = [a.index_add(0, i, b), a.index_add(0, i, b, alpha=2), a.index_put((i,), b, accumulate=True)]
    sum((y * y).sum() for y in ys).backward()
    return ys, a, b


@program
def sorts(t):
    (a,) = params(t, (3, 4))
    s = a.sort(1)
    k = a.topk(2, dim=0)
    (s.values * t.arange(4.0)).sum().backward(retain_graph=True)
    (k.values * 2).sum().backward()
    return (
        s.values,
        s.indices,
        k.values,
        k.indices,
        a,
        a.sort(0, descending=True).indices,
        a.topk(1, largest=False).values,
    )


# Products


@program
def matrix_products(t):
    a, b, v = params(t, (3, 4), (4, 2), (4,))
    ys = [a @ b, t.mm(a, b), a @ v, t.mv(a, v), v @ b, v @ v, t.dot(v, v), t.outer(v, v)]
    sum((y * y).sum() for y in ys).backward()
    return ys, a, b, v


@program
def batched_products(t):
    a, b, c = params(t, (2, 3, 4), (2, 4, 5), (4, 5))
    ys = [t.bmm(a, b), a @ b, a @ c, t.matmul(a, b[0, :, 0])]
    sum((y * y).sum() for y in ys).backward()
    return ys, a, b, c


@program
def affine_maps(t):
    x, w, b = params(t, (5, 3), (2, 3), (2,))
    ys = [
        t.nn.functional.linear(x, w, b),
        t.addmm(b, x, w.t()),
        t.nn.functional.linear(x, w),
        t.addmm(b, x, w.t(), beta=2, alpha=3),
    ]
    sum((y * y).sum() for y in ys).backward()
    return ys, x, w, b


@program
def sums_of_products(t):
    a, b = params(t, (2, 3), (3, 4))
    y, z = t.einsum("ij,jk->ik", a, b), t.einsum("ij->ji", a)
    (y.sum() + (z * z).sum()).backward()
    return y.detach(), z.detach(), a, b


# Losses and layers


@program
def cross_entropies(t):
    (a,) = params(t, (4, 3))
    F, target = t.nn.functional, t.tensor([0, 2, 1, -100])
    ys = [F.cross_entropy(a, target), F.cross_entropy(a, target, reduction="sum"), F.nll_loss(a.log_softmax(1), target)]
    ys.append(F.cross_entropy(a, target, weight=t.tensor([1.0, 2.0, 3.0])))
    ys.append(F.cross_entropy(a, target, label_smoothing=0.1).detach())
    sum(y for y in ys).backward()
    return [y.detach() for y in ys], a


@program
def squared_errors(t):
    a, b = params(t, (4, 3), (4, 3))
    F = t.nn.functional
    ys = [F.mse_loss(a, b), F.mse_loss(a, b, reduction="sum"), F.mse_loss(a, b, reduction="none")]
    sum(y.sum() for y in ys).backward()
    return ys, a, b


@program
def embeddings(t):
    (w,) = params(t, (5, 3))
    y = t.nn.functional.embedding(t.tensor([[0, 2], [2, 4]]), w)
    (y * y).sum().backward()
    return y, w


@program
def layer_norms(t):
    x, w, b = params(t, (4, 3), (3,), (3,))
    y = t.nn.functional.layer_norm(x, (3,), w, b)
    (y * y * y).sum().backward()
    return y, x, w, b


@program
def a_small_network(t):
    x, w1, b1, w2 = params(t, (5, 3), (4, 3), (4,), (2, 4))
    F = t.nn.functional
    y = F.linear(F.relu(F.linear(x, w1, b1)), w2)
    loss = F.cross_entropy(y, t.tensor([0, 1, 0, 1, 1]))
    loss.backward()
    return y.detach(), loss.detach(), w1, b1, w2


@program
def training_with_sgd_and_adam(t):
    finals = []
    for make in (lambda p: t.optim.SGD(p, lr=0.1, momentum=0.9, weight_decay=0.01), lambda p: t.optim.Adam(p, lr=0.05)):
        w, x = params(t, (3,), (4, 3))
        optimizer = make([w])
        for _ in range(5):
            optimizer.zero_grad()
            ((x.detach() @ w - 1) ** 2).mean().backward()
            optimizer.step()
        finals.append(w.detach())
    return finals


# Autograd


@program
def accumulation(t):
    (a,) = params(t, (3,))
    for _ in range(3):
        (a * a).sum().backward()
    return (a,)


@program
def retained_gradients(t):
    (a,) = params(t, (3,))
    b = a * 2
    c = b.exp()
    b.retain_grad()
    c.retain_grad()
    c.sum().backward()
    return a, b, c


@program
def higher_derivatives(t):
    (a,) = params(t, (3,), dtype=t.float64)
    y, results = (a.sin() * a.exp()).sum(), []
    for _ in range(4):
        (g,) = t.autograd.grad(y, a, create_graph=True)
        results.append(g.detach())
        y = g.sum()
    return results


@program
def second_derivatives_of_a_product(t):
    a, b = params(t, (2, 3), (3, 2))
    (ga,) = t.autograd.grad((a @ b).pow(2).sum(), a, create_graph=True)
    ga.pow(2).sum().backward()
    return ga.detach(), a, b


@program
def grad_with_everything(t):
    a, b, c = params(t, (3,), (3,), (2,))
    y, z = a * b, a.exp()
    return t.autograd.grad([y, z], [a, b, c, y], [t.ones(3), t.arange(3.0)], allow_unused=True)


@program
def backward_with_inputs(t):
    a, b = params(t, (3,), (3,))
    (a * b).sum().backward(inputs=[a])
    return a, b


@program
def in_place_on_a_view(t):
    (a,) = params(t, (2, 3))
    y = a * 1
    v = y[0]
    v.mul_(3)
    y[:, 1].add_(1)
    y.exp().sum().backward()
    return y, v, a


@program
def in_place_chain(t):
    (a,) = params(t, (3,))
    y = a * 1
    y.add_(1).mul_(2).sub_(a).div_(3).neg_()
    y.exp_()
    y.sum().backward()
    return y, a


@program
def in_place_promotes_a_plain_tensor(t):
    (a,) = params(t, (3,))
    x = t.zeros(2, 3)
    x[0].copy_(a)
    x[1] += a * 2
    x.sum().backward()
    return x, a


@program
def out_arguments(t):
    a, b = t.tensor([1.0, 2.0]), t.tensor([3.0, 4.0])
    out = t.empty(2)
    t.add(a, b, out=out)
    other = t.empty(0)
    t.mul(a, b, out=other)
    return out, other


@program
def detach_and_no_grad(t):
    (a,) = params(t, (3,))
    with t.no_grad():
        b = a * 2
    return a.detach(), b, (a * 2).detach(), a.data, (a * b)


@program
def a_function(t):
    class Cube(t.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return x**3

        @staticmethod
        def backward(ctx, g):
            (x,) = ctx.saved_tensors
            return 3 * x * x * g

    (a,) = params(t, (3,))
    y = Cube.apply(a)
    (g,) = t.autograd.grad(y.sum(), a, create_graph=True)
    g.sum().backward()
    return y, g.detach(), a


@program
def a_function_with_setup_context(t):
    class Scale(t.autograd.Function):
        @staticmethod
        def forward(x, factor):
            return x * factor, x + 1

        @staticmethod
        def setup_context(ctx, inputs, output):
            ctx.factor = inputs[1]

        @staticmethod
        def backward(ctx, g, h):
            return g * ctx.factor + h, None

    (a,) = params(t, (3,))
    y, z = Scale.apply(a, 4.0)
    (y * z).sum().backward()
    return y, z, a


@program
def hooks_of_all_kinds(t):
    (a,) = params(t, (3,))
    b = a * 2
    order = []
    a.register_hook(lambda g: order.append("leaf") or g * 2)
    a.register_post_accumulate_grad_hook(lambda x: order.append("post"))
    b.register_hook(lambda g: order.append("non-leaf"))
    b.grad_fn.register_hook(lambda gi, go: order.append("node"))
    b.grad_fn.register_prehook(lambda go: order.append("pre"))
    b.sum().backward()
    return order, a


@program
def functional_transforms(t):
    F = t.autograd.functional
    (a,) = params(t, (3,), dtype=t.float64)
    a = a.detach()
    f = lambda x: (x.sin() * x.flip(0)).sum()  # noqa: E731
    return (
        F.jacobian(lambda x: x * x.sum(), a),
        F.hessian(f, a),
        F.vjp(f, a),
        F.jvp(lambda x: x.exp(), a, t.ones(3, dtype=t.float64)),
        F.hvp(f, a, t.ones(3, dtype=t.float64)),
    )


@program
def a_checkpoint(t):
    from importlib import import_module

    checkpoint = import_module(f"{t.__name__}.utils.checkpoint").checkpoint
    (a,) = params(t, (3,))
    y = checkpoint(lambda x: (x * 2).exp().sin(), a, use_reentrant=False)
    z = checkpoint(lambda x: (x * 2).exp().sin(), a, use_reentrant=True)
    (y * z).sum().backward()
    return y.detach(), z.detach(), a


@program
def inference_tensors(t):
    (a,) = params(t, (3,))
    with t.inference_mode():
        b = a * 2
    return b, b.is_inference(), (b + 1).is_inference()


# Creation


@program
def creation(t):
    return (
        [t.zeros(2, 3), t.ones(2, dtype=t.int64), t.full((2,), 3), t.full((2,), 2.5), t.eye(3), t.arange(5)],
        [t.arange(0, 1, 0.3), t.arange(5, 0, -2), t.linspace(0, 1, 4), t.tensor([[1, 2], [3, 4]]), t.tensor(True)],
        [t.zeros_like(t.ones(2, 2).t()), t.tensor([1.5, 2]).new_zeros(2), t.tensor(3.5), t.tensor([])],
    )


@program
def conversions(t):
    a = t.tensor([1.7, -2.3, 300.0])
    return a.int(), a.long(), a.bool(), a.double(), a.half(), a.bfloat16(), a.short(), a.to(t.complex64), a.type()


@program
def non_finite_numbers(t):
    a = t.tensor([float("inf"), -float("inf"), float("nan"), 0.0], requires_grad=True)
    y = t.relu(a) + a.clamp(-1, 1) * 2 + a.sigmoid()
    y.sum().backward()
    return y, a, t.maximum(a, t.zeros(4)), a.max(), a.sort().values, a / 0


# Errors


def failing(function):
    """A program that both libraries must refuse with the same class."""
    PROGRAMS["refused_" + function.__name__] = function
    return function


@failing
def backward_of_a_vector(t):
    (t.ones(3, requires_grad=True) * 2).backward()


@failing
def backward_without_a_graph(t):
    t.ones(1).backward()


@failing
def backward_twice(t):
    y = t.ones(1, requires_grad=True).exp()
    y.backward()
    y.backward()


@failing
def in_place_on_a_leaf(t):
    t.ones(1, requires_grad=True).add_(1)


@failing
def a_stale_saved_tensor(t):
    y = t.ones(1, requires_grad=True).exp()
    y.add_(1)
    y.backward()


@failing
def unfit_shapes(t):
    t.ones(2) + t.ones(3)


@failing
def unfit_matrices(t):
    t.ones(2, 3) @ t.ones(2, 3)


@failing
def an_index_out_of_range(t):
    t.ones(2)[2]


@failing
def a_dimension_out_of_range(t):
    t.ones(2).sum(3)


@failing
def an_impossible_reshape(t):
    t.ones(4).view(3)


@failing
def a_step_of_zero(t):
    t.ones(2)[::0]


@failing
def numpy_of_a_recording_tensor(t):
    t.ones(1, requires_grad=True).numpy()


@failing
def requires_grad_of_integers(t):
    t.tensor([1], requires_grad=True)


@failing
def an_unused_input(t):
    a, b = params(t, (1,), (1,))
    t.autograd.grad(a * 2, b)


@failing
def item_of_two(t):
    t.ones(2).item()


@failing
def truth_of_two(t):
    bool(t.ones(2))


@failing
def adding_text(t):
    t.ones(2) + "text"


@failing
def an_unknown_keyword(t):
    t.add(t.ones(1), 1, nonsense=2)


@failing
def a_ragged_list(t):
    t.tensor([[1, 2], [3]])


@failing
def a_cast_downwards_in_place(t):
    t.ones(1, dtype=t.int64).add_(1.5)


@failing
def subtraction_of_bools(t):
    t.tensor([True]) - t.tensor([True])


@failing
def integer_division_by_zero(t):
    t.tensor([1]) // 0


@failing
def a_length_of_a_scalar(t):
    len(t.tensor(1))


@failing
def a_target_out_of_range(t):
    t.nn.functional.cross_entropy(t.zeros(1, 3), t.tensor([3]))


@pytest.mark.parity
@pytest.mark.parametrize("name", PROGRAMS)
def test_a_program_does_the_same_as_under_pytorch(name):
    import torch

    ours, theirs = outcome(PROGRAMS[name], leafgrad), outcome(PROGRAMS[name], torch)
    if name.startswith("refused_"):
        assert str(theirs).startswith("raises")
    else:
        assert not str(theirs).startswith("raises"), f"PyTorch {theirs}"
    differences = [
        d for d in compare(ours, theirs) if not (name in OTHER_GRAPH and re.match(r".*\.(graph|version)", d))
    ]
    assert not differences, "\n".join(differences)
