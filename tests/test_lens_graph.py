"""`leafgrad.graph`: the recorded graph as data, as text and as a drawing; and that looking changes nothing."""

import json
import re
import shutil
import subprocess
import weakref
from itertools import combinations
from xml.etree import ElementTree

import pytest
from lens_programs import article, mlp, transformer

import leafgrad as torch
from leafgrad import _core, nn

pytestmark = pytest.mark.leafgrad_only

layout = pytest.mark.parametrize(
    "layout",
    [
        "igraph",
        pytest.param("dot", marks=pytest.mark.skipif(not shutil.which("dot"), reason="Graphviz is not installed")),
    ],
)


def node_of(graph, name):
    return next(node for node in graph.nodes if node.name == name)


def real(*shape):
    return torch.randn(*shape, requires_grad=True)


# --- reading


def test_the_articles_program_prints_as_a_tree_with_its_variables_names():
    w = torch.tensor([1.0], requires_grad=True)
    x = torch.tensor([2.0], requires_grad=True)
    a = torch.add(w, x)
    b = torch.add(w, 1)
    y = torch.mul(a, b)
    assert str(torch.graph(y)).splitlines() == [
        "graph of y: 2 leaves, 3 operations; 8 B saved for backward",
        "y = mul  float32 (1,); saves a, b",
        "├─ a = add  float32 (1,)",
        "│  ├─ w  float32 (1,); leaf",
        "│  └─ x  float32 (1,); leaf",
        "└─ b = add  float32 (1,)",
        "   └─ w  float32 (1,); leaf",
    ]


def test_nodes_come_in_forward_order_with_edges_between_them():
    graph = torch.graph(article()["y"])
    kinds = [node.kind for node in graph.nodes]
    assert kinds.count("leaf") == 2 and kinds.count("operation") == 3
    assert all(source < target for source, _, target, _ in graph.edges) and len(graph.edges) == 5
    assert graph.roots == ((graph.nodes[-1].index, 0),)


def test_names_come_from_parameters_first_and_then_from_the_callers_variables():
    model = nn.Linear(2, 3)
    data = torch.ones(4, 2)
    loss = model(data).sum()
    assert {leaf.name for leaf in torch.graph(loss, params=model).leaves} == {"weight", "bias"}
    graph = torch.graph(loss)
    assert {leaf.name for leaf in graph.leaves} == {"model.weight", "model.bias"}
    assert node_of(graph, "loss").operation == "sum" and node_of(graph, "data").stop == "data"


def test_one_storage_counts_once_and_a_leafs_own_not_at_all():
    x = real(10)
    y = x.exp()
    assert torch.graph(y * y).saved_bytes == 40
    assert torch.graph(y[:5] * y[5:]).saved_bytes == 40
    assert torch.graph(x * x).saved_bytes == 0
    saved = torch.graph(x * x).nodes[-1].saved
    assert [s.of_leaf for s in saved] == [True, True] and saved[0].storage == saved[1].storage


def test_where_gradient_stops_is_said_with_the_reason():
    w = real(3, 3)
    data, index = torch.ones(3, 3), torch.tensor([0, 2])
    frozen = nn.Parameter(torch.ones(3, 3), requires_grad=False)
    hidden = w * data
    cut = hidden.detach()
    graph = torch.graph(((hidden * cut) @ frozen)[index].sum())
    stops = {node.name: node.stop for node in graph.constants}
    assert stops == {"data": "data", "cut": "detached", "frozen": "frozen", "index": "integer"}
    text = str(graph)
    assert "cut  float32 (3, 3); detached: shares memory with a tensor that requires grad" in text


def test_a_view_made_under_no_grad_says_so():
    w, base = real(4), torch.ones(4)
    with torch.no_grad():
        view = base[:]
    assert torch.graph(w * view).constants[0].stop == "no_grad"


def test_a_tensor_that_requires_no_gradient_is_a_graph_of_one_constant():
    t = torch.ones(2)
    graph = torch.graph(t)
    assert [node.kind for node in graph.nodes] == ["constant"] and graph.edges == []
    assert str(graph).splitlines()[1] == "t  float32 (2,); requires_grad=False"


def test_a_leaf_alone_gets_no_accumulator_by_being_looked_at():
    x = real(2)
    before = len(_core._live_nodes())
    assert [node.kind for node in torch.graph(x).nodes] == ["leaf"]
    assert len(_core._live_nodes()) == before


def test_several_roots_share_their_nodes():
    x = real(2)
    y = x.exp()
    graph = torch.graph([y.sin(), y.cos()])
    assert len(graph.operations) == 3 and len(graph.roots) == 2


def test_a_result_number_is_told_where_a_node_has_several():
    first, second = real(4).split(2)
    graph = torch.graph(second.sum())
    split = next(node for node in graph.nodes if node.operation == "split")
    assert [output.name for output in split.outputs] == ["first", "second"]
    assert (split.index, 1) in [(source, output) for source, output, _, _ in graph.edges]


def test_a_retained_gradient_is_known_and_nothing_warns():
    t = article()
    t["a"].retain_grad()
    graph = torch.graph(t["y"], params=t)
    assert [node.name for node in graph.nodes if node.retained] == ["a"]
    assert "a = add  float32 (1,); retains its gradient" in str(graph)


def test_hooks_on_saved_tensors_do_not_run():
    unpacked = []
    x = real(3)
    with torch.autograd.graph.saved_tensors_hooks(lambda t: t, lambda t: unpacked.append(1) or t):
        y = x.exp()
    graph = torch.graph(y)
    assert unpacked == [] and graph.nodes[-1].saved[0].shape is None
    assert "y = exp  float32 (3,); saves result (packed by a hook)" in str(graph)
    assert graph.saved_bytes == 0
    y.backward(torch.ones(3))
    assert unpacked == [1]


def test_the_graph_keeps_no_tensor_and_no_node_alive():
    x = real(3)
    y = x.exp()
    graph = torch.graph(y)
    gone = weakref.ref(y)
    del y
    assert gone() is None and graph.nodes[-1].name == "y"


def test_after_backward_the_saved_tensors_are_reported_released():
    y = real(3).exp()
    y.sum().backward()
    node = torch.graph(y).nodes[-1]
    assert node.released and node.saved == ()


def test_a_write_into_a_saved_tensor_is_counted():
    x = real(3)
    factor = torch.ones(3)
    y = x * factor
    factor.add_(1)
    graph = torch.graph(y)
    assert [s.writes for s in graph.nodes[-1].saved] == [1]
    assert "saves factor (written to 1 time since: backward will fail)" in str(graph)


def test_a_users_function_is_told_from_operations():
    class Double(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x * 2

        @staticmethod
        def backward(ctx, g):
            return g * 2

    graph = torch.graph(Double.apply(real(2)).exp())
    assert [(node.operation, node.custom) for node in graph.operations] == [("double", True), ("exp", False)]


def test_a_hundred_thousand_nodes_are_read_printed_and_played_without_recursion():
    x = real(1)
    y = x
    for i in range(100_000):
        y = y.exp() if i % 7 else y.sin()
    graph = torch.graph(y)
    assert len(graph.backward_steps()) == 100_002
    assert [(block.length, block.times) for block in graph.blocks] == [(7, 14285)]
    assert len(str(graph).splitlines()) < 20


def test_a_deep_graph_without_repeats_prints_max_nodes_lines_and_says_how_many_remain():
    y = real(1)
    for i in range(3000):
        y = torch.cat([y, y])[: 1 + i % 1500]
    graph = torch.graph(y, max_nodes=100)
    assert str(graph).splitlines()[-1] == f"… and {len(graph.nodes) - 100} more nodes (max_nodes=100)"
    assert len(str(graph).splitlines()) == 102


def test_operations_are_called_as_people_call_them():
    from leafgrad.lens.graph_nodes import operation_name

    names = (
        "MulBackward0 AvgPool2DBackward0 Log1PBackward0 Col2ImBackward0 SmoothL1LossBackward0 NativeLayerNormBackward0"
    )
    called = ["mul", "avg_pool2d", "log1p", "col2im", "smooth_l1_loss", "layer_norm"]
    assert [operation_name(name) for name in names.split()] == called


# --- repeated blocks


def test_equal_layers_are_found_and_drawn_once():
    model, loss = mlp(layers=12)
    graph = torch.graph(loss, params=model)
    assert [block.times for block in graph.blocks] == [12]
    assert "a block of 3 × 12" in str(graph)
    view = graph.view()
    names = {box.name for box in view.boxes if box.times == 12 and box.kind == "leaf"}
    assert names == {"2–24.weight", "2–24.bias"}
    assert sum(box.times for box in view.boxes) == len(graph.nodes) and len(view.boxes) < 20


def test_a_transformers_layers_are_found_the_first_among_them():
    model, loss = transformer(layers=4)
    graph = torch.graph(loss, params=model)
    assert [block.times for block in graph.blocks] == [4]
    layer = [node.name for node in graph.leaves if (node.name or "").startswith("encoder.layers.0")]
    assert len(layer) == 12
    folded = [box for box in graph.view().boxes if box.kind == "leaf" and box.times == 4]
    assert len(folded) == 12 and all(box.name.startswith("encoder.layers.0–3.") for box in folded)


def test_steps_of_a_recurrence_fold_around_their_shared_weight():
    w, h = real(3, 3), torch.ones(2, 3)
    for _ in range(9):
        h = (h @ w).tanh()
    graph = torch.graph(h)
    # The first step is not like the others: its h needs no gradient, so it saves less.
    assert [(block.length, block.times) for block in graph.blocks] == [(2, 8)]
    boxes = graph.view().boxes
    assert [(box.name, box.times) for box in boxes if box.kind == "leaf"] == [("w", 1)]


def test_layers_of_different_shape_do_not_fold():
    model = nn.Sequential(*[nn.Linear(8 + i, 9 + i) for i in range(6)])
    assert torch.graph(model(torch.ones(1, 8)).sum()).blocks == []


def test_arrows_of_a_folded_view_lead_onwards_and_reach_every_box():
    for program in (mlp, transformer):
        model, loss = program()
        view = torch.graph(loss, params=model).view()
        assert all(start < target for start, target in view.arrows)
        segments = view.segments()
        assert all(segments[start] <= segments[target] for start, target in view.arrows)
        assert {start for start, _ in view.arrows} | view.carried | {len(view.boxes) - 1} == set(range(len(view.boxes)))


def test_at_most_max_nodes_boxes_are_drawn_nearest_first():
    x = real(2)
    y = x
    for i in range(30):
        y = y.exp() if i % 2 else torch.cat([y, x])
    graph = torch.graph(y, max_nodes=5)
    view = graph.view(fold=False)
    assert len(view.boxes) == 5 and view.hidden == len(graph.nodes) - 5
    assert view.boxes[-1].members == [graph.roots[0][0]]


# --- forms


def test_the_dict_goes_through_json_and_holds_the_steps():
    graph = torch.graph(article()["y"])
    data = json.loads(graph.to_json())
    assert data["nodes"][-1]["type"] == "MulBackward0" and data["nodes"][-1]["saved"][0]["bytes"] == 4
    assert [step["buffer_bytes"] for step in data["steps"]] == [4, 8, 8, 8, 4, 0]
    assert data["edges"] == [list(edge) for edge in graph.edges]


@pytest.mark.skipif(not shutil.which("dot"), reason="Graphviz is not installed")
def test_graphviz_reads_what_to_dot_writes():
    model, loss = mlp()
    text = torch.graph(loss, params={f'quoted "{n}"\\': p for n, p in model.named_parameters()}).to_dot()
    drawn = subprocess.run(["dot", "-Tsvg"], input=text, capture_output=True, text=True, check=True)
    assert "quoted &quot;2" in drawn.stdout and "× 4" in drawn.stdout


def boxes_of(svg):
    """Corner and size of each box in a drawing."""
    name = "{http://www.w3.org/2000/svg}"
    found = []
    for group in ElementTree.fromstring(svg).iter(name + "g"):
        if "box" in group.get("class", "").split():
            x, y = map(float, re.findall(r"[-\d.]+", group.get("transform")))
            tab = any(child.get("class") == "saved" for child in group)
            found.append((x, y, 184, 67 if tab else 46))
    return found


@layout
@pytest.mark.parametrize("fold", [True, False])
def test_no_two_boxes_of_a_drawing_overlap_and_all_lie_inside(layout, fold):
    model, loss = transformer()
    svg = torch.graph(loss, params=model).to_svg(fold, layout)
    boxes = boxes_of(svg)
    width, height = map(float, re.search(r'width="(\d+)" height="(\d+)"', svg).groups())
    assert len(boxes) > 50
    for x, y, w, h in boxes:
        assert x >= 0 and y >= 0 and x + w <= width and y + h <= height
    for (x, y, w, h), (u, v, s, t) in combinations(boxes, 2):
        assert x + w <= u or u + s <= x or y + h <= v or v + t <= y


def test_chains_that_were_given_in_crossed_order_come_out_straight_and_side_by_side():
    from leafgrad.lens.columns import center_items

    # Two chains of four between a box above and a box below, the lower halves the wrong way round.
    at = [(0.5, 0), *((x, layer) for layer in (1, 2, 3, 4) for x in ((0, 1) if layer < 3 else (1, 0))), (0.5, 5)]
    chains = [[0, 1], [0, 2], *([i, i + 2] for i in range(1, 7)), [7, 9], [8, 9]]
    centers = center_items(at, [100.0] * 10, chains, gap=20.0)
    assert len({round(centers[i]) for i in (1, 3, 5, 7)}) == len({round(centers[i]) for i in (2, 4, 6, 8)}) == 1
    assert abs(centers[1] - centers[2]) == pytest.approx(120)
    assert centers[0] == pytest.approx((centers[1] + centers[2]) / 2) == pytest.approx(centers[9])


def test_the_drawing_is_well_formed_whatever_the_names():
    leaf = real(2)
    svg = torch.graph(leaf.exp(), params={"<&\"'>": leaf}).to_svg()
    assert "<&\"'>" in "".join(ElementTree.fromstring(svg).itertext())
    assert "var(" not in svg and "light-dark" not in svg


def test_a_notebook_shows_the_drawing():
    graph = torch.graph(article()["y"])
    assert graph._repr_svg_().startswith("<svg") and "<svg" in graph._repr_html_()


def test_without_a_layout_the_error_names_the_extra_and_the_tree_still_prints(monkeypatch):
    from leafgrad.lens import layout

    monkeypatch.setattr(layout, "find_spec", lambda name: None)
    monkeypatch.setattr(layout.shutil, "which", lambda name: None)
    graph = torch.graph(article()["y"])
    with pytest.raises(ModuleNotFoundError, match=r"pip install 'leafgrad\[viz\]'"):
        graph.to_svg()
    with pytest.raises(ModuleNotFoundError, match="no igraph here"):
        graph.to_svg(layout="igraph")
    assert graph._repr_html_() is None and "mul" in repr(graph)


def test_bad_arguments_are_refused():
    with pytest.raises(TypeError, match="item 1 is a float, not a Tensor"):
        torch.graph([torch.ones(1), 2.0])
    with pytest.raises(TypeError, match="not a Tensor"):
        torch.graph(3)
    with pytest.raises(ValueError, match="empty"):
        torch.graph([])
    with pytest.raises(ValueError, match="max_nodes is 0"):
        torch.graph(torch.ones(1), max_nodes=0)
    with pytest.raises(ValueError, match='must be "igraph" or "dot"'):
        torch.graph(torch.ones(1)).to_svg(layout="circo")
    with pytest.raises(TypeError, match="params must be a Module"):
        torch.graph(torch.ones(1), params=[1])


# --- formulas


def formula_of(y):
    from leafgrad.lens.formulas import formula

    return formula(torch.graph(y).nodes[-1])


def test_formulas_of_pointwise_operators_are_the_tables():
    x, z = real(2), real(2)
    assert formula_of(x * z) == "dL/da = g * b; dL/db = g * a"
    assert formula_of(x.exp()) == "dL/dx = g * y"
    assert formula_of(x.cos()) == "dL/dx = -(g * sin(x))"
    assert formula_of(x.sqrt()) == "dL/dx = g / (y * 2)"
    assert formula_of(x.rsqrt()) == "dL/dx = g * ((y * y * y) * -0.5)"
    assert formula_of(x.tanh()) == "dL/dx = g * (1 - y * y)"
    assert formula_of(x.log2()) == "dL/dx = g / (x * ln 2)"
    c = torch.ones(2, dtype=torch.complex64, requires_grad=True)
    assert formula_of(c.exp()) == "dL/dx = g * conj(y)"


def test_every_row_of_the_pointwise_table_reads_without_the_cores_own_names():
    from leafgrad.lens.formulas import _readable

    rows = _core._derivative_formulas()
    assert len(rows) > 40
    for parts in rows.values():
        for part in parts:
            text = _readable(part, is_complex=False)
            assert "::" not in text and "_backward" not in text and "conj" not in text


def test_other_operations_have_written_formulas_and_none_is_made_up():
    x = real(3, 3)
    assert formula_of(x @ x) == "dL/dA = g @ B^T; dL/dB = A^T @ g"
    assert formula_of(x.softmax(0)) == "dL/dx = y * (g - sum(g * y))"
    assert formula_of(x.sinc()) is None
