"""The derivative of each operation, as a line to read.

Pointwise operators' formulas are those of core/pointwise.def, which is where the core takes its rules from; the table
below has the others. g is the gradient of the output y. Where no formula is known, nothing is made up.
"""

from __future__ import annotations

import re

from leafgrad import _core

from .graph_nodes import GraphNode

# What the table's helpers stand for.
_HELPERS = {
    "slope_of_product(g, b, need, 0)": "g * b",
    "slope_of_product(g, a, need, 1)": "g * a",
    "tanh_backward(g, y)": "g * (1 - y * y)",
    "sigmoid_backward(g, y)": "g * y * (1 - y)",
    "relu_backward(g, y)": "g where y > 0, else 0",
    "silu_backward(g, x)": "g * (s + x * s * (1 - s)), s = sigmoid(x)",
    "zeros_like(g)": "0",
    "larger_share(g, a, b)": "g where a > b, g / 2 where a = b, else 0",
    "larger_share(g, b, a)": "g where b > a, g / 2 where a = b, else 0",
    "math::ln2": "ln 2",
    "math::ln10": "ln 10",
    "math::two_by_sqrt_pi": "2 / sqrt(pi)",
}

_VIEW = "dL/dx = g, seen in the shape of x"
_TAKEN = "dL/dx = g at the places that were taken, 0 elsewhere"
_PARTS = "dL/dx = the gradients of the parts, joined again"
_WRITTEN = "dL/dx = 0 where it was written to, else g; dL/dsource = g where it was written"
_ADDED = "dL/dx = g; dL/dsource = g at the indices"
_EXTREME = "dL/dx = g at the extreme elements, in equal shares among equal ones, 0 elsewhere"
_LARGEST = "dL/dx = g at the largest element of each window, 0 elsewhere"
_AVERAGED = "dL/dx = the sum, over the windows that hold x, of g / (elements of the window)"
_TRIANGLE = "dL/dx = g in the same triangle, 0 elsewhere"
_TARGETS = "dL/dx = -g * weight / n at the targets, 0 elsewhere; from logits at once: g * (softmax(x) - onehot) / n"

_FORMULAS: dict[str, str] = {
    # arithmetic
    "add": "dL/da = g; dL/db = alpha * g",
    "sub": "dL/da = g; dL/db = -alpha * g",
    "rsub": "dL/da = -alpha * g; dL/db = g",
    "div": "dL/da = g / b; dL/db = -g * a / b**2",
    "remainder": "dL/da = g; dL/db = -g * floor(a / b)",
    "fmod": "dL/da = g; dL/db = -g * trunc(a / b)",
    "pow": "dL/da = g * b * a**(b - 1); dL/db = g * a**b * ln(a)",
    "abs": "dL/dx = g * sign(x)",
    "round": "dL/dx = 0",
    "copysign": "dL/da = g * y / a, 0 where a = 0",
    "xlogy": "dL/dx = g * log(y), 0 where x = 0; dL/dy = g * x / y",
    "polygamma": "dL/dx = g * polygamma(n + 1, x)",
    "addcmul": "dL/dx = g; dL/da = value * g * b; dL/db = value * g * a",
    "addcdiv": "dL/dx = g; dL/da = value * g / b; dL/db = -value * g * a / b**2",
    "lerp": "dL/da = g * (1 - weight); dL/db = g * weight",
    "nan_to_num": "dL/dx = g where x is finite, else 0",
    "complex": "dL/dreal = real(g); dL/dimag = imag(g)",
    # products
    "mm": "dL/dA = g @ B^T; dL/dB = A^T @ g",
    "bmm": "dL/dA = g @ B^T; dL/dB = A^T @ g, for each matrix of the batch",
    "mv": "dL/dA = outer(g, v); dL/dv = A^T @ g",
    "dot": "dL/da = g * b; dL/db = g * a",
    "vdot": "dL/da = g * b; dL/db = g * a",
    "addmm": "dL/dx = beta * g, summed where x was broadcast; dL/dA = alpha * g @ B^T; dL/dB = alpha * A^T @ g",
    "addmv": "dL/dx = beta * g; dL/dA = alpha * outer(g, v); dL/dv = alpha * A^T @ g",
    "addr": "dL/dx = beta * g; dL/du = alpha * g @ v; dL/dv = alpha * g^T @ u",
    "addbmm": "dL/dx = beta * g; dL/dA_i = alpha * g @ B_i^T; dL/dB_i = alpha * A_i^T @ g",
    "baddbmm": "dL/dx = beta * g; dL/dA = alpha * g @ B^T; dL/dB = alpha * A^T @ g, for each matrix of the batch",
    # sums over dimensions
    "sum": "dL/dx = g, repeated over the dimensions that were summed",
    "nansum": "dL/dx = g, repeated over the dimensions that were summed, 0 at NaN",
    "mean": "dL/dx = g / n, repeated over the n elements that were averaged",
    "var": "dL/dx = g * 2 * (x - mean(x)) / (n - correction)",
    "var_mean": "dL/dx = g1 * 2 * (x - mean(x)) / (n - correction) + g2 / n",
    "std": "dL/dx = g * (x - mean(x)) / ((n - correction) * y)",
    "std_mean": "dL/dx = g1 * (x - mean(x)) / ((n - correction) * y1) + g2 / n",
    "prod": "dL/dx = g * y / x",
    "cumsum": "dL/dx = g, summed cumulatively from the end",
    "logcumsumexp": "dL/dx_i = sum of g_j * exp(x_i - y_j) over j >= i",
    "logsumexp": "dL/dx = g * exp(x - y)",
    "vector_norm": "2-norm: dL/dx = g * x / y",
    # softmax, losses, activations, normalisation, attention, convolution
    "softmax": "dL/dx = y * (g - sum(g * y))",
    "log_softmax": "dL/dx = g - exp(y) * sum(g)",
    "mse_loss": "dL/dx = g * 2 * (x - target) / n",
    "smooth_l1_loss": "dL/dx = g * clamp((x - target) / beta, -1, 1) / n",
    "huber_loss": "dL/dx = g * clamp(x - target, -delta, delta) / n",
    "bce_with_logits": "dL/dx = g * (sigmoid(x) - target) / n",
    "gelu": "dL/dx = g * (Phi(x) + x * phi(x)); Phi, phi: the normal distribution and its density",
    "clamp": "dL/dx = g where min <= x <= max, else 0",
    "clamp_min": "dL/dx = g where x >= min, else 0",
    "clamp_max": "dL/dx = g where x <= max, else 0",
    "layer_norm": "dL/dx = r * (h - mean(h) - z * mean(h * z)), h = g * weight, z = (x - mean) * r, r = 1 / std; "
    "dL/dweight = sum(g * z); dL/dbias = sum(g)",
    "batch_norm": "as layer_norm's, with means over the batch of each channel",
    "group_norm": "as layer_norm's, with means over each group of channels",
    "attention": "P = softmax(Q K^T * scale), Y = P V; dL/dV = P^T g; S = P * (g V^T - sum(g * Y)); "
    "dL/dQ = scale * S K; dL/dK = scale * S^T Q",
    "convolution": "dL/dx = g convolved with the flipped weight; dL/dweight = x correlated with g; dL/dbias = sum(g)",
    "embedding": "dL/dweight = g added into the rows that were looked up",
    # views, copies, order
    "t": "dL/dx = g^T",
    "transpose": "dL/dx = g with the two dimensions exchanged",
    "permute": "dL/dx = g with the dimensions put back",
    "expand": "dL/dx = g summed over the dimensions that were repeated",
    "repeat": "dL/dx = g summed over the copies",
    "cat": "dL/dx_i = the part of g that came from x_i",
    "stack": "dL/dx_i = the i-th slice of g",
    "flip": "dL/dx = g flipped back",
    "roll": "dL/dx = g rolled back",
    "constant_pad_nd": "dL/dx = g without the padding",
    "diag_embed": "dL/dx = the diagonal of g",
    "unfold": "dL/dx = g added where each window was taken",
    "im2col": "dL/dx = fold(g)",
    "col2im": "dL/dx = unfold(g)",
    "clone": "dL/dx = g",
    "alias": "dL/dx = g",
    "to_copy": "dL/dx = g in the dtype of x",
    "copy_slices": "g is cut out where the view wrote, sent through the view's own derivative, and put back",
    # choices
    "where": "dL/da = g where condition, else 0; dL/db = 0 where condition, else g",
    "masked_fill": "dL/dx = 0 where mask, else g",
    "index_fill": "dL/dx = 0 where it was filled, else g",
    "gather": "dL/dx = g added at the indices that were read, 0 elsewhere",
    **dict.fromkeys("view unsafe_view reshape reshape_alias squeeze unsqueeze as_strided unflatten".split(), _VIEW),
    **dict.fromkeys("select slice index index_select diagonal take masked_select".split(), _TAKEN),
    **dict.fromkeys("max min sort topk median nanmedian kthvalue mode cummax cummin".split(), _TAKEN),
    **dict.fromkeys("split split_with_sizes unbind".split(), _PARTS),
    **dict.fromkeys("scatter index_copy index_put put masked_scatter".split(), _WRITTEN),
    **dict.fromkeys("select_scatter slice_scatter diagonal_scatter".split(), _WRITTEN),
    **dict.fromkeys("scatter_add index_add".split(), _ADDED),
    **dict.fromkeys("amax amin".split(), _EXTREME),
    **dict.fromkeys("tril triu".split(), _TRIANGLE),
    **dict.fromkeys("nll_loss nll_loss2d".split(), _TARGETS),
    **dict.fromkeys("max_pool_gather max_pool2d_with_indices max_pool3d_with_indices".split(), _LARGEST),
    **dict.fromkeys("adaptive_max_pool2d adaptive_max_pool3d".split(), _LARGEST),
    **dict.fromkeys("avg_pool2d avg_pool3d adaptive_avg_pool2d adaptive_avg_pool3d".split(), _AVERAGED),
}


def formula(node: GraphNode) -> str | None:
    """How ``node`` gets its inputs' gradients from g, its output's; None where no formula is known.

    For real dtypes conjugates are left out.
    """
    if node.kind != "operation" or node.custom:
        return None
    parts = _core._derivative_formulas().get(node.type)
    if parts is None:
        return _FORMULAS.get(node.operation)
    names = ("dL/dx",) if len(parts) == 1 else ("dL/da", "dL/db")
    is_complex = any(output.dtype.startswith("complex") for output in node.outputs)
    return "; ".join(f"{name} = {_readable(part, is_complex)}" for name, part in zip(names, parts, strict=True))


def _readable(expression: str, is_complex: bool) -> str:
    for helper, meaning in _HELPERS.items():
        expression = expression.replace(helper, meaning)
    expression = expression.replace("Scalar(0)", "0")
    return expression if is_complex else _without_conjugates(expression)


def _without_conjugates(expression: str) -> str:
    """conj(z) is z; brackets stay where they hold more than one factor."""
    while (start := expression.find("conj(")) >= 0:
        depth, stop = 1, start + 5
        while depth:
            depth += {"(": 1, ")": -1}.get(expression[stop], 0)
            stop += 1
        inner = expression[start + 5 : stop - 1]
        plain = re.fullmatch(r"\w+(\(.*\))?", inner)
        expression = expression[:start] + (inner if plain else f"({inner})") + expression[stop:]
    return expression
