"""`leafgrad.watch()`: mistakes told as they happen, with both lines, and no alarm where there is nothing wrong."""

from __future__ import annotations

import gc
import json
import re
import threading
import warnings
import weakref

import pytest

import leafgrad as torch
from leafgrad import nn
from leafgrad.autograd import Function, grad

pytestmark = pytest.mark.leafgrad_only


class Watched:
    """A watch that collects; says of each finding which lines of this file it names."""

    def __enter__(self):
        self.watch = torch.watch(on=lambda finding: None)
        self.watch.start()
        return self

    def __exit__(self, *error):
        self.watch.stop()

    @property
    def kinds(self):
        return [finding.kind for finding in self.watch.findings]

    def only(self, kind):
        """The one finding, and its two lines."""
        assert self.kinds == [kind], str(self.watch)
        finding = self.watch.findings[0]
        return finding, source(finding.place), source(finding.earlier)


def source(place):
    if place is None:
        return None
    with open(place[0]) as file:
        return file.readlines()[place[1] - 1].strip()


def leaf(*shape):
    return torch.ones(*(shape or (3,)), requires_grad=True)


def train(model, steps=4, inner=lambda model: model(torch.randn(2, 4)).pow(2).mean(), after=lambda loss: None):
    """A plain training loop."""
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)
    for _ in range(steps):
        optimizer.zero_grad()
        loss = inner(model)
        loss.backward()
        optimizer.step()
        after(loss)


# ---- an in-place write that will break a saved tensor


def test_a_write_that_breaks_a_saved_result_is_told_with_both_lines_before_backward():
    with Watched() as watched:
        w = leaf()
        y = w.exp()  # saved
        y.add_(1)  # written
        finding, written, saved = watched.only("in-place write")
        with pytest.raises(RuntimeError, match="modified by an inplace operation"):
            y.sum().backward()
    assert written == "y.add_(1)  # written" and saved == "y = w.exp()  # saved"
    assert "add_ at" in str(finding) and "exp (ExpBackward0) at" in str(finding) and "as its result" in str(finding)
    assert "float32 (3,)" in str(finding) and "clone()" in str(finding)


def test_a_write_through_a_view_or_a_detached_alias_breaks_it_too():
    for write in (lambda x: x[0].zero_(), lambda x: x.detach().mul_(2), lambda x: x.__setitem__(0, 3.0)):
        with Watched() as watched:
            w, x = leaf(), torch.ones(3)
            y = w * x
            write(x)
        finding, _, saved = watched.only("in-place write")
        assert saved == "y = w * x" and "saved as 'other'" in str(finding) and y is not None


def test_an_optimizer_s_step_between_forward_and_backward_is_told():
    with Watched() as watched:
        model = nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 1))
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        loss = model(torch.randn(2, 3)).sum()
        loss.backward(retain_graph=True)
        optimizer.step()  # it writes
    finding, written, _ = watched.only("in-place write")
    assert written == "optimizer.step()  # it writes" and "an optimizer's step" in str(finding)


def test_a_write_into_what_a_function_saved_is_told():
    class Square(Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return x * x

        @staticmethod
        def backward(ctx, g):
            return 2 * g * ctx.saved_tensors[0]

    with Watched() as watched:
        x = leaf() * 1
        y = Square.apply(x)
        with torch.no_grad():
            x.mul_(2)
    finding, _, saved = watched.only("in-place write")
    assert saved == "y = Square.apply(x)" and y is not None


def test_writes_that_break_nothing_are_silent():
    with Watched() as watched:
        w = leaf()
        y = w + 1
        y.mul_(2)
        y.exp_()
        z = y + 1  # saves nothing
        z.sigmoid_()
        u = z * 2
        u[0] = 3
        u.sum().backward()
        y.add_(1)  # after the backward
        with torch.no_grad():
            w.sub_(w.grad)
    assert watched.kinds == []


# ---- a graph used a second time


def test_a_second_backward_is_told_with_the_line_of_the_first():
    with Watched() as watched:
        y = leaf().exp().sum()
        y.backward()  # first
        with pytest.raises(RuntimeError, match="second time"):
            y.backward()  # second
    finding, second, first = watched.only("second backward")
    assert second == "y.backward()  # second" and first == "y.backward()  # first"
    assert "exp (ExpBackward0)" in str(finding) and "detach()" in str(finding)


def test_a_hidden_state_that_links_two_graphs_is_told_at_the_second_backward():
    cell = nn.RNNCell(4, 4)
    with Watched() as watched:
        h = torch.zeros(2, 4)
        h = cell(torch.randn(2, 4), h)
        h.sum().backward()  # first
        h = cell(torch.randn(2, 4), h)
        with pytest.raises(RuntimeError, match="second time"):
            h.sum().backward()
    assert watched.only("second backward")[2] == "h.sum().backward()  # first"


def test_a_graph_freed_before_the_watch_is_told_without_the_first_line():
    y = leaf().exp().sum()
    y.backward()
    with Watched() as watched, pytest.raises(RuntimeError, match="second time"):
        y.backward()
    finding, _, first = watched.only("second backward")
    assert first is None and "before the watch" in str(finding)


def test_graphs_that_may_run_twice_are_silent():
    class Twice(Function):
        @staticmethod
        def forward(ctx, x):
            return x * 2

        @staticmethod
        def backward(ctx, g):
            return g * 2

    with Watched() as watched:
        y = (leaf() + 1).sum()  # saves nothing
        y.backward()
        y.backward()
        z = leaf().exp().sum()
        z.backward(retain_graph=True)
        z.backward()
        v = Twice.apply(leaf()).sum()
        v.backward()
        v.backward()
        a, b = leaf(), leaf()
        ea, eb = a.exp(), b.exp()
        both = (ea + eb).sum()
        grad(both, a, retain_graph=True)
        ea.sum().backward()
        both.backward(inputs=[b])  # not through what is freed
    assert watched.kinds == []


# ---- history that grows


def test_a_running_loss_is_told_at_its_line_with_the_steps():  # L10
    running = 0

    def add(loss):
        nonlocal running
        running = running + loss  # it keeps the history

    with Watched() as watched:
        train(nn.Linear(4, 4), steps=6, after=add)
    finding, line, _ = watched.only("growing history")
    assert line == "running = running + loss  # it keeps the history"
    assert finding.details["steps"] == 3 and finding.details["nodes"] > 4
    assert "3 backwards" in str(finding) and "saved for backward" in str(finding)


def test_a_running_loss_is_told_while_the_loop_runs():  # L10
    told_at = []
    step = 0

    def count(loss):
        nonlocal step
        step += 1
        total.add_(loss)

    total = torch.zeros(())
    with torch.watch(on=lambda finding: told_at.append(step)):
        train(nn.Linear(4, 4), steps=10, after=count)
    assert told_at == [3]


def test_the_saved_bytes_of_a_running_loss_are_its_live_ones():  # L10
    def saved():
        return torch.memory().by_kind["saved for backward"].bytes

    said, counted, before = [], [], saved()

    def hear(finding):
        said.append(finding.details["saved_bytes"])
        counted.append(saved() - before)

    with torch.watch(on=hear):
        w = leaf(1000)
        running = 0
        for _ in range(5):
            loss = (w * 2).tanh().sum()
            running = running + loss
            loss.backward(retain_graph=True)
    assert said == counted and said[0] > 4 * 4000


def test_a_hidden_state_carried_from_step_to_step_is_told():  # L10
    cell = nn.RNNCell(4, 4)
    with Watched() as watched:
        h = torch.zeros(2, 4)
        for _ in range(5):
            h = cell(torch.randn(2, 4), h)  # carried
            (h * 1).sum().backward(retain_graph=True)
    assert watched.only("growing history")[1] == "h = cell(torch.randn(2, 4), h)  # carried"


def test_an_evaluation_without_no_grad_is_told_at_the_line_of_its_sum():  # L10
    model = nn.Linear(4, 4)
    with Watched() as watched:
        train(model)
        total = 0
        for _ in range(6):
            total = total + model(torch.randn(2, 4)).pow(2).mean()  # evaluation
    finding, line, _ = watched.only("growing history")
    assert line.endswith("# evaluation") and finding.details["steps"] == 6
    assert finding.details["saved_bytes"] > 0 and "no_grad()" in str(finding)


def test_results_kept_in_a_list_without_no_grad_are_told():  # L10
    model = nn.Linear(4, 4)
    with Watched() as watched:
        kept = [model(torch.randn(2, 4)) for _ in range(5)]
    assert watched.only("growing history")[0].details["steps"] == 5 == len(kept)


def test_history_that_was_dropped_unused_is_told_when_it_dies():  # L10
    model = nn.Linear(4, 4)

    def evaluate():
        total = 0
        for _ in range(5):
            total = total + model(torch.randn(2, 4)).mean()
        return total.item()

    with Watched() as watched:
        evaluate()
        leaf().exp()  # whatever happens next
        finding, *_ = watched.only("growing history")
    assert finding.details["steps"] == 5
    assert watched.kinds == ["growing history"]


def test_a_model_in_evaluation_mode_is_told_of_at_once():  # L10
    model = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 1)).eval()
    with Watched() as watched:
        kept = []
        for i in range(6):
            kept.append(model(torch.randn(2, 4)))
            assert len(watched.kinds) == (i >= 2)


def test_evaluation_under_no_grad_or_with_item_is_silent():  # L10
    model = nn.Linear(4, 4)
    with Watched() as watched:
        running = 0.0
        total = 0
        for _ in range(6):
            running += model(torch.randn(2, 4)).mean().item()
            with torch.no_grad():
                total += model(torch.randn(2, 4)).mean()
    assert watched.kinds == []


def test_a_loop_over_time_inside_a_step_is_silent():
    cell, head = nn.RNNCell(4, 4), nn.Linear(4, 1)

    def unroll(cell):
        h, loss, outputs = torch.zeros(2, 4), 0, []
        for _ in range(8):
            h = cell(torch.randn(2, 4), h)
            outputs.append(head(h))
            loss = loss + h.pow(2).sum()
        return loss + outputs[-1].sum()  # the other outputs are never used

    with Watched() as watched:
        train(cell, inner=unroll)
    assert watched.kinds == []


def test_gradient_accumulation_momentum_and_moving_averages_are_silent():
    model = nn.Linear(4, 4)
    average = [p.detach().clone() for p in model.parameters()]

    def accumulate(model):
        for _ in range(3):
            model(torch.randn(2, 4)).pow(2).mean().backward()
        with torch.no_grad():
            for a, p in zip(average, model.parameters(), strict=True):
                a.mul_(0.9).add_(p, alpha=0.1)
        return model(torch.randn(2, 4)).mean()

    with Watched() as watched:
        train(model, inner=accumulate)
    assert watched.kinds == []


def test_a_sum_of_losses_in_one_graph_is_silent():
    def several(model):
        loss = 0
        for _ in range(5):
            loss = loss + model(torch.randn(2, 4)).pow(2).mean()
        return loss

    with Watched() as watched:
        train(nn.Linear(4, 4), inner=several)
    assert watched.kinds == []


def test_a_constant_graph_kept_with_retain_graph_is_silent():
    with Watched() as watched:
        w, v = leaf(), leaf()
        constant = w.exp().sum()
        for _ in range(8):
            (constant * v.sum()).backward(retain_graph=True)
    assert watched.kinds == []


def test_history_built_on_purpose_with_create_graph_is_silent():
    with Watched() as watched:
        w = leaf()
        for _ in range(4):
            fast = w
            for _ in range(6):
                (g,) = grad((fast * fast).sum(), fast, create_graph=True)
                fast = fast - 0.1 * g
            (fast * fast).sum().backward()
    assert watched.kinds == []


def test_layers_in_a_loop_are_silent():
    weights = [torch.randn(4, 4, requires_grad=True) for _ in range(8)]
    with Watched() as watched:
        x = torch.randn(2, 4)
        for w in weights:
            x = x @ w
    assert watched.kinds == []


def test_two_models_in_turn_are_silent():
    maker, judge = nn.Linear(3, 3), nn.Linear(3, 1)
    with Watched() as watched:
        for _ in range(4):
            made = maker(torch.randn(2, 3))
            judge(made.detach()).sum().backward()
            judge(made).sum().backward()
    assert watched.kinds == []


# ---- NaN and Inf


def test_the_first_operator_that_makes_nan_is_told_with_its_inputs():
    with Watched() as watched:
        a = torch.tensor([1.0, 0.0])
        b = torch.tensor([0.0, 0.0])
        c = a / b  # here
        d = (c + 1).exp()
    finding, line, _ = watched.only("not finite")
    assert line == "c = a / b  # here"
    assert "div at" in str(finding) and "NaN and Inf" in str(finding) and "2 of 2 elements" in str(finding)
    assert "a, float32 (2,) from 0 to 1; b, float32 (2,) from 0 to 0" in str(finding)
    assert d.numel() == 2


def test_operators_in_place_and_numbers_count_as_inputs():
    with Watched() as watched:
        x = torch.zeros(2)
        x.log_()
        x.add_(1)
        y = torch.ones(2) / 0
        z = torch.full((2,), 1e30) * 1e30
    assert watched.kinds == ["not finite"] * 3
    texts = [str(finding) for finding in watched.watch.findings]
    assert "log_" in texts[0] and "the number 0" in texts[1] and "the number 1e+30" in texts[2]
    assert (y + z).numel() == 2


def test_the_backward_that_makes_inf_is_told_with_the_line_of_its_forward():
    with Watched() as watched:
        x = torch.zeros(3, requires_grad=True)
        y = (x * 1).sqrt()  # forward
        y.sum().backward()  # backward
    finding, line, forward = watched.only("not finite")
    assert line == "y.sum().backward()  # backward" and forward == "y = (x * 1).sqrt()  # forward"
    assert "the backward of sqrt (SqrtBackward0)" in str(finding) and "Inf" in str(finding)


def test_values_that_were_not_finite_before_are_silent():
    with Watched() as watched:
        scores = torch.randn(3, 3, requires_grad=True)
        mask = torch.ones(3, 3).triu(1).bool()
        scores.masked_fill(mask, float("-inf")).softmax(-1).sum().backward()
        torch.full((2,), float("inf")) + 1
        torch.tensor([float("nan")]).exp()
        for _ in range(20):
            torch.empty(1000).add_(1)  # whatever was in that memory
        torch.where(mask, scores, -float("inf")).amax(1)
        inf = torch.tensor([float("inf")], requires_grad=True)
        (inf * 2).sum().backward()
        torch.ones(3, device="meta") / 0
    assert watched.kinds == []


def test_a_loop_tells_of_one_line_once():
    with Watched() as watched:
        for _ in range(5):
            torch.zeros(2).log()
    assert watched.kinds == ["not finite"]


# ---- a leaf without a gradient


def test_a_leaf_whose_result_was_detached_is_told_with_its_line():
    with Watched() as watched:
        lost, found = leaf(), leaf()
        for _ in range(3):
            h = (lost * 2).detach()  # cut
            (h * found).sum().backward()
    finding, line, used = watched.only("no gradient")
    assert used == "h = (lost * 2).detach()  # cut" and line == "(h * found).sum().backward()"
    assert "leaf lost, float32 (3,)" in str(finding) and "detached" in str(finding)
    assert finding.details["backwards"] == 2  # while the loop ran


def test_a_leaf_that_only_another_result_uses_is_told_at_the_end():
    with Watched() as watched:
        w, v = leaf(), leaf()
        unused = w.exp()
        v.exp().sum().backward()
        assert watched.kinds == []  # its graph may still be run
    finding, *_ = watched.only("no gradient")
    assert "leaf w" in str(finding) and "leads to no loss" in str(finding) and unused is not None


def test_a_derivative_that_gives_none_is_told():
    class Half(Function):
        @staticmethod
        def forward(ctx, a, b):
            return a * b

        @staticmethod
        def backward(ctx, g):
            return g, None

    with Watched() as watched:
        a, b = leaf(), leaf()
        for _ in range(2):
            Half.apply(a, b).sum().backward()
    finding, *_ = watched.only("no gradient")
    assert "leaf b" in str(finding) and "the derivative of half gave it none" in str(finding)


def test_leaves_that_are_reached_or_asked_for_one_by_one_are_silent():
    with Watched() as watched:
        w, v, frozen = leaf(), leaf(), torch.ones(3)
        (w * frozen).sum().backward()
        w.grad = None
        y = (w * v).sum()
        y.backward(inputs=[w], retain_graph=True)
        y.backward()
        w.grad = v.grad = None
    assert watched.kinds == []


# ---- how it tells


def test_by_default_it_warns_at_the_line_at_fault():
    with pytest.warns(torch.LeafWarning, match="not finite: log") as caught, torch.watch() as watch:
        torch.zeros(2).log()  # warned of
    assert caught[0].filename == __file__ and "watch.py" not in str(caught[0].message).replace("test_lens_watch.py", "")
    assert source((__file__, caught[0].lineno, "")) == "torch.zeros(2).log()  # warned of"
    assert issubclass(torch.LeafWarning, UserWarning) and len(watch.findings) == 1


def test_a_warning_made_an_error_is_raised_by_the_operation_at_fault():
    with warnings.catch_warnings(), torch.watch():
        warnings.simplefilter("error", torch.LeafWarning)
        with pytest.raises(torch.LeafWarning, match="not finite"):
            torch.zeros(2).log()
        x = torch.zeros(2).add_(1)
    assert x.tolist() == [1, 1]


def test_every_kind_can_be_made_an_error_and_the_rest_goes_on():
    def write():
        y = leaf().exp()
        y.add_(1)

    def twice():
        y = leaf().exp().sum()
        y.backward()
        y.backward()

    def running():
        total = 0
        for _ in range(4):
            loss = leaf().exp().sum()
            loss.backward()
            total = total + loss

    def lost():
        w, v = leaf(), leaf()
        for _ in range(3):
            ((w * 2).detach() * v).sum().backward()

    model = nn.Linear(4, 4)

    def evaluate():
        return [model(torch.randn(2, 4)) for _ in range(5)]

    calls = {"in-place write": write, "second backward": twice, "growing history": running, "no gradient": lost}
    with warnings.catch_warnings():
        warnings.simplefilter("error", torch.LeafWarning)
        for kind, call in calls.items():
            with torch.trace() as trace, torch.watch() as watch, pytest.raises(torch.LeafWarning, match=kind):
                call()
            assert [finding.kind for finding in watch.findings] == [kind]
            kinds = [event.kind for event in trace.events]
            assert kinds.count("backward") == kinds.count("finished")
        with pytest.raises(torch.LeafWarning, match="growing history"), torch.watch():
            kept = evaluate()
    (leaf() * 2).sum().backward()  # all is as it was
    assert len(kept) == 5


def test_a_function_gets_the_findings():
    seen = []
    with torch.watch(on=seen.append) as watch:
        torch.zeros(2).log()
    assert seen == watch.findings and seen[0].kind == "not finite"
    with pytest.raises(TypeError, match="must be a function"):
        torch.watch(on=3)


def test_watches_nest_and_each_tells():
    with Watched() as outer:
        with Watched() as inner:
            torch.zeros(2).log()
        torch.zeros(2).log()
    assert len(outer.kinds) == 2 and len(inner.kinds) == 1


def test_as_a_decorator_and_by_hand():
    watch = torch.watch(on=lambda finding: None)

    @watch
    def fails():
        return torch.zeros(2).log()

    fails()
    fails()
    assert len(watch.findings) == 2
    with pytest.raises(RuntimeError, match="without start"):
        watch.stop()
    with watch, pytest.raises(RuntimeError, match="on already"):
        watch.start()


def test_watching_changes_no_result_mode_or_lifetime():
    def step():
        torch.manual_seed(1)
        model = nn.Sequential(nn.Linear(4, 8), nn.Dropout(0.5), nn.Linear(8, 1))
        train(model, inner=lambda model: model(torch.ones(2, 4)).pow(2).mean())
        return [p.tolist() for p in model.parameters()]

    plain = step()
    with Watched() as watched:
        assert step() == plain
        with torch.no_grad():
            (leaf() * 2).add_(1)
            assert not torch.is_grad_enabled()
        w = leaf()
        y = w.exp()
        dead = weakref.ref(y), weakref.ref(y.grad_fn)
        y.sum().backward()
        del y
        gc.collect()
        assert [each() for each in dead] == [None, None]
    assert watched.kinds == []


def test_threads_are_watched_together():
    def work():
        train(nn.Linear(4, 4), steps=10)
        torch.zeros(2).log()

    with Watched() as watched:
        threads = [threading.Thread(target=work) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert watched.kinds == ["not finite"]


def test_a_backward_of_another_thread_ends_no_step_of_this_one():
    w = leaf()
    with Watched() as watched:
        y = w
        for _ in range(6):
            y = y.tanh()
            thread = threading.Thread(target=lambda: leaf().exp().sum().backward())
            thread.start()
            thread.join()
        y.sum().backward()
    assert watched.kinds == []


def test_text_dict_and_html():
    with Watched() as watched:
        w = leaf()
        y = w.exp()
        y.add_(1)
    watch = watched.watch
    assert re.match(r"1\. in-place write: add_ at \S+:\d+ writes", str(watch))
    assert "y.add_(1)" in str(watch) and "y = w.exp()" in str(watch)
    as_dict = json.loads(json.dumps(watch.to_dict()))["findings"][0]
    assert as_dict["operator"] == "add_" and as_dict["place"].endswith(str(watch.findings[0].place[1]))
    assert "<table" in watch._repr_html_() and "1 found" in repr(watch)
    assert "nothing found" in str(torch.watch())
