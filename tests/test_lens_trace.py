"""`leafgrad.trace()`: source lines, the life of every buffer, the peak and what it was made of."""

from __future__ import annotations

import builtins
import gc
import itertools
import json
import subprocess
import sys

import pytest

import leafgrad as torch
from leafgrad import nn

pytestmark = pytest.mark.leafgrad_only

SIZE = 1 << 14
BUFFER = SIZE * 4


def live():
    return torch._core._memory_stats()["live_bytes"]


def leaf(size=SIZE):
    return torch.ones(size, requires_grad=True)


def line_of(place):
    """The source of a place, which is in this file."""
    with open(place[0]) as file:
        return file.readlines()[place[1] - 1].strip()


def test_trace_of_a_matrix_is_the_sum_of_its_diagonal():
    m = torch.arange(9.0).reshape(3, 3)
    assert torch.trace(m).item() == m.trace().item() == 12
    with pytest.raises(RuntimeError, match="expected a matrix"):
        torch.trace(torch.ones(2))


def test_the_timeline_begins_and_ends_with_the_allocator_s_live_bytes():
    w = leaf()
    gc.collect()
    before = live()
    with torch.trace() as trace:
        y = w.tanh().exp()
        y.sum().backward()
        del y
    line = trace.timeline()
    assert line[0].live_bytes == before and line[0].what == "start"
    assert line[-1].live_bytes == live() == before + BUFFER
    assert line[-1].seconds == trace.seconds > 0
    assert [m.seconds for m in line] == sorted(m.seconds for m in line)
    for earlier, later in itertools.pairwise(line):
        change = {"allocate": later.bytes, "free": -later.bytes}.get(later.what, 0)
        assert later.live_bytes - earlier.live_bytes == change


def test_each_moment_has_its_line_and_the_node_that_ran():
    with torch.trace() as trace:
        w = leaf()
        y = w.tanh()
        y.sum().backward()  # here
    made = [m for m in trace.timeline() if m.what == "allocate" and m.bytes == BUFFER]
    assert [line_of(m.place) for m in made[:2]] == [
        "return torch.ones(size, requires_grad=True)",
        "y = w.tanh()",
    ]
    assert all(line_of(m.place) == "y.sum().backward()  # here" for m in made[2:])
    assert made[-1].node == "TanhBackward0" and made[0].node is None
    kinds = [m.what for m in trace.timeline() if m.what in ("backward", "ran", "finished")]
    assert kinds == ["backward", "ran", "ran", "finished"]


def test_the_peak_is_the_greatest_moment_and_its_parts_add_up():
    with torch.trace() as trace:
        w = leaf()
        y = w.tanh().exp().sin()
        y.sum().backward()
    peak = trace.peak
    assert peak.bytes == max(m.live_bytes for m in trace.timeline())
    for parts in (peak.by_kind, peak.by_line):
        assert sum(share.bytes for share in parts.values()) == peak.bytes
    assert y.shape == w.shape


def test_the_kinds_at_the_peak_are_those_of_that_moment():
    w = leaf()
    gc.collect()
    with torch.trace() as trace:
        y = w.tanh().exp().sin()
        del y
        torch.ones(SIZE * 8)
    at_peak = trace.peak.by_kind
    assert at_peak["leaves"].bytes >= BUFFER  # made before the trace
    with torch.trace() as trace:
        w = leaf()
        y = w.tanh().exp()
        total = y.sum()
        del y
        total.backward()
        w.grad, total = None, None
    kinds = trace.peak.by_kind
    assert kinds["saved for backward"].bytes == 2 * BUFFER
    assert kinds["gradients under way"].bytes >= BUFFER
    assert "leaf gradients" not in kinds  # the leaf had none yet


def test_a_gradient_is_a_leaf_s_or_a_retained_one_at_the_peak():
    with torch.trace() as trace:
        w = leaf()
        y = w * 2
        y.retain_grad()
        y.sum().backward()
        w.grad.add_(1)
        kept = torch.ones(SIZE * 8)
    kinds = trace.peak.by_kind
    assert kinds["leaf gradients"] == kinds["retained gradients"] == (BUFFER, 1)
    assert kept.numel() == SIZE * 8


def test_a_peak_that_was_there_from_the_start_has_no_line():
    w = leaf()
    with torch.trace() as trace:
        del w
    assert trace.peak.place is None and trace.peak.seconds == 0
    assert "made before the trace" in str(trace)


def test_lines_are_remembered_after_the_trace():
    with torch.trace():
        w = leaf()
        y = w.tanh()  # recorded here
    assert line_of(torch._core._place(y.grad_fn)) == "y = w.tanh()  # recorded here"
    assert torch._core._place(w.tanh().grad_fn) is None


def test_traces_nest_and_each_sees_its_own_events():
    with torch.trace() as outer:
        a = torch.ones(SIZE)
        with torch.trace() as inner:
            b = torch.ones(SIZE)
            before = live()
            del a
        c = torch.ones(SIZE)

    def made(trace):
        return sum(e.kind == "allocate" and e.bytes == BUFFER for e in trace.events)

    assert made(outer) == 3 and made(inner) == 1
    assert inner.timeline()[-1].live_bytes == before - BUFFER
    assert outer.timeline()[-1].live_bytes == live()
    assert inner.peak.bytes == before and b.numel() == c.numel()


def test_traces_and_watches_may_be_on_together_and_end_in_any_order():
    w = leaf()
    watch, trace = torch.watch(on=lambda finding: None), torch.trace()
    for start, stop in itertools.product(([watch, trace], [trace, watch]), repeat=2):
        for each in start:
            each.start()
        w.tanh()
        torch.zeros(1).log()
        for each in stop:
            each.stop()
        assert any(e.kind == "recorded" for e in trace.events)
        assert trace.timeline()[-1].live_bytes <= trace.peak.bytes
    assert [f.kind for f in watch.findings] == ["not finite"] * 4
    torch._core._lens_start()  # nothing is on any more
    torch._core._lens_stop()


def test_what_a_watch_allocates_is_not_in_the_trace():
    x = torch.ones(SIZE)

    def made():
        with torch.trace() as trace:
            x.exp()
        return [e.bytes for e in trace.events if e.kind == "allocate"]

    with torch.watch():
        watched = made()
    assert watched == made() == [BUFFER]


def test_as_a_decorator_each_call_is_traced_anew():
    trace = torch.trace()

    @trace
    def double(x, deep=False):
        """Doc."""
        return double(x) if deep else x * 2

    assert double.__name__ == "double" and double.__doc__ == "Doc."
    double(torch.ones(SIZE))
    assert trace.peak.bytes >= BUFFER
    events = len(trace.events)
    double(torch.ones(SIZE), deep=True)  # a call inside is part of it
    assert len(trace.events) >= events and not trace.is_on


def test_starting_twice_and_stopping_what_is_not_on_are_errors():
    trace = torch.trace()
    with pytest.raises(RuntimeError, match="without start"):
        trace.stop()
    with trace, pytest.raises(RuntimeError, match="on already"):
        trace.start()
    with trace:
        pass
    assert not trace.is_on


def test_an_error_inside_ends_the_trace():
    with pytest.raises(ZeroDivisionError), torch.trace() as trace:
        y = torch.ones(SIZE)
        raise ZeroDivisionError
    assert not trace.is_on and trace.peak.bytes >= BUFFER
    del y


def test_a_trace_that_saw_nothing_can_be_shown():
    empty = torch.trace()
    with empty:
        pass
    assert "0 buffers made" in str(empty) and empty.timeline()[0].live_bytes == live()
    assert repr(torch.trace()).startswith("<leafgrad.trace")


def test_text_dict_and_html_say_the_same():
    with torch.trace() as trace:
        model = nn.Sequential(nn.Linear(64, 256), nn.ReLU(), nn.Linear(256, 4))
        model(torch.randn(32, 64)).sum().backward()
    text = str(trace)
    assert "alive at the peak" in text and "model(torch.randn(32, 64)).sum().backward()" in text
    assert all(len(row) <= 120 for row in text.splitlines())
    as_dict = json.loads(json.dumps(trace.to_dict()))
    assert as_dict["peak"]["bytes"] == trace.peak.bytes
    assert as_dict["timeline"][-1]["live_bytes"] == trace.timeline()[-1].live_bytes
    assert "<svg" in trace._repr_html_() and "<table" in trace._repr_html_()


def test_memory_shows_the_trace_s_peak_beside_the_live_bytes():
    with torch.trace() as trace:
        w = leaf()
        w.tanh().sum().backward()
    found = torch.memory()
    assert found.trace is trace
    assert "at the trace's peak" in str(found)
    assert found.to_dict()["trace"]["peak"]["bytes"] == trace.peak.bytes


def test_the_page_of_a_trace_has_its_curve(tmp_path):
    with torch.trace() as trace:
        for _ in range(3000):  # more moments than points are drawn
            torch.ones(16)
        leaf().tanh().sum().backward()
    trace.to_html(tmp_path / "trace.html")
    page = (tmp_path / "trace.html").read_text()
    assert page.count("<svg") == 1 and "backward is shaded" in page
    assert len(page) < 100_000


def test_plot_draws_into_a_file_or_into_axes(tmp_path):
    figure = pytest.importorskip("matplotlib.figure")
    with torch.trace() as trace:
        leaf().tanh().sum().backward()
    trace.plot(tmp_path / "trace.png")
    assert (tmp_path / "trace.png").read_bytes().startswith(b"\x89PNG")
    axes = figure.Figure().subplots()
    assert trace.plot(axes) is axes
    assert axes.get_xlabel() == "ms" and axes.get_ylabel() == "live KiB"
    drawn = max(axes.lines[0].get_ydata())
    assert drawn == trace.peak.bytes / 1024


def test_without_matplotlib_plot_says_what_to_install(monkeypatch):
    real = builtins.__import__

    def refuse(name, *args, **kwargs):
        if name.startswith("matplotlib"):
            raise ImportError(name)
        return real(name, *args, **kwargs)

    with torch.trace() as trace:
        pass
    monkeypatch.setattr(builtins, "__import__", refuse)
    with pytest.raises(ImportError, match="leafgrad\\[viz\\]"):
        trace.plot()


def test_a_program_that_does_not_look_imports_nothing_of_the_lens():
    program = "import sys, leafgrad; leafgrad.ones(2).exp(); print([m for m in sys.modules if '.lens' in m])"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
