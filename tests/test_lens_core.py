"""What the core tells the leaf lens: what is alive, what nodes keep, where things were made, events as they happen."""

import contextlib
import gc
import threading

import pytest

import leafgrad as torch
from leafgrad import _core


@contextlib.contextmanager
def lens(observer=None, record=False):
    _core._lens_start(observer, record)
    try:
        yield
    finally:
        _core._lens_stop()


def live_bytes():
    storages, live = _core._live_storages()
    total = sum(size for _, size, ours in storages if ours)
    assert total == live
    return total


def is_alive(t):
    return any(other is t for other in _core._live_tensors())


def test_live_storages_add_up_to_the_live_bytes_of_the_allocator():
    kept = [torch.ones(n) for n in range(1, 600)]
    views = [t[0] for t in kept]
    del kept[::2]
    assert live_bytes() == _core._memory_stats()["live_bytes"]
    del kept, views
    assert live_bytes() == _core._memory_stats()["live_bytes"]


def test_garbage_that_is_collected_meanwhile_does_not_spoil_the_count():
    threshold = gc.get_threshold()
    try:
        for _ in range(20):
            kept = [torch.ones(3) for _ in range(200)]
            for t in kept:
                t.cycle = [t]
            gc.set_threshold(50)
            del kept, t
            live_bytes()
    finally:
        gc.set_threshold(*threshold)


def test_a_storage_that_grows_is_counted_at_its_new_size():
    t = torch.ones(4)
    t.untyped_storage().resize_(4096)
    assert live_bytes() == _core._memory_stats()["live_bytes"]


def test_borrowed_memory_is_listed_as_not_ours():
    numpy = pytest.importorskip("numpy")
    t = torch.from_numpy(numpy.ones(3))
    assert (t.untyped_storage()._cdata, 24, False) in _core._live_storages()[0]


def test_live_tensors_hold_every_tensor_and_each_only_while_it_lives():
    a = torch.ones(2)
    p = torch.nn.Parameter(a)
    assert is_alive(a) and is_alive(p)
    count = len(_core._live_tensors())
    del p
    gc.collect()
    assert len(_core._live_tensors()) < count


def test_listing_tensors_while_one_is_being_freed_does_not_bring_it_back():
    class Noisy:
        def __del__(self):
            _core._live_tensors()

    class Mine(torch.Tensor):
        pass

    for _ in range(3):
        t = torch.ones(2).as_subclass(Mine)
        t.noisy = Noisy()
        del t
    gc.collect()


def test_live_nodes_hold_the_graph():
    y = (torch.ones(2, requires_grad=True) * 2).exp()
    nodes = _core._live_nodes()
    assert y.grad_fn in nodes and y.grad_fn.next_functions[0][0] in nodes


def test_saved_tensors_are_shown_without_running_hooks_or_checks():
    x = torch.ones(2, requires_grad=True)
    h = x * 1
    y = h.exp()
    h.add_(1)  # not what exp saved
    y.add_(1)  # what exp saved: reading it through the rule would be an error
    ((name, kept, version, is_output, packed),) = _core._saved(y.grad_fn.next_functions[0][0])
    assert (name, version, is_output, packed) == ("result", 0, True, False)
    assert _core._version_id(kept) == _core._version_id(y)

    def unpack(_):
        raise AssertionError("the lens must not unpack")

    with torch.autograd.graph.saved_tensors_hooks(lambda t: "packed", unpack):
        z = x.exp()
    assert _core._saved(z.grad_fn) == [("result", None, 0, True, True)]


def test_released_nodes_say_so_and_show_nothing():
    y = torch.ones(2, requires_grad=True).exp()
    assert not _core._is_released(y.grad_fn)
    y.sum().backward()
    assert _core._is_released(y.grad_fn) and _core._saved(y.grad_fn) == []


def test_retained_outputs_are_numbered():
    h = torch.ones(2, requires_grad=True) * 2
    assert _core._retained_outputs(h.grad_fn) == []
    h.retain_grad()
    assert _core._retained_outputs(h.grad_fn) == [0]


def test_the_last_writer_of_a_memory_is_known_by_name():
    t = torch.ones(2)
    assert _core._last_writer(t) is None
    t.view(2).mul_(2)
    assert _core._last_writer(t) == "mul_"


def test_creation_tells_how_a_view_was_made():
    x = torch.ones(2, requires_grad=True) * 1
    with torch.no_grad():
        quiet = x[0]
    assert [_core._creation(t) for t in (x, quiet, x.unbind()[0])] == ["default", "no_grad", "multi_output"]


def test_places_are_known_for_what_was_made_while_the_lens_was_on():
    before = torch.ones(2, requires_grad=True)
    with lens():
        x = torch.ones(2, requires_grad=True)
        y = torch.nn.functional.softmax(x, 0)  # through Python of the package: the line is still this one
    file, line, function = _core._place(y.grad_fn)
    assert file == __file__
    assert function == "test_places_are_known_for_what_was_made_while_the_lens_was_on"
    assert _core._place(x) == (file, line - 1, function)
    assert _core._place(before) is None
    assert _core._place((before * 2).grad_fn) is None


def test_the_observer_hears_of_everything_that_happens_in_order():
    heard = []

    def observer(kind, *rest):
        if kind == "ran":  # a gradient that is held here could not be taken over by the leaf
            rest = rest[0], [g if g is None else g.tolist() for g in rest[1]]
        heard.append((kind, *rest))

    x = torch.ones(2, requires_grad=True)
    with lens(observer):
        h = x * 3
        y = h.sum()
        y.backward()
        with torch.no_grad():
            h.add_(1)
    kinds = [event[0] for event in heard]
    assert kinds == [
        *("recorded", "result", "recorded", "result"),
        *("backward", "ran", "ran", "finished"),
        *("writing", "write", "result"),
    ]
    recorded, result, _, _, backward, ran_sum, ran_mul, finished, writing, write, _ = heard
    assert recorded[1] is h and recorded[2] is h.grad_fn
    assert result[1] == "mul" and result[2] is h and result[3] == (x, 3)
    assert backward[1:] == ([y.grad_fn], False, False, [])
    assert ran_sum[1:] == (y.grad_fn, [[1.0, 1.0]]) and ran_mul[1:] == (h.grad_fn, [[3.0, 3.0], None])
    assert finished[1] is True
    assert writing[1] == "add_" and writing[2] is h
    assert write[1] is h and write[2] == "add_"


def test_a_backward_that_fails_finishes_with_false_and_keeps_its_error():
    heard = []

    class Fails(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x * 1

        @staticmethod
        def backward(ctx, g):
            raise ZeroDivisionError("mine")

    y = Fails.apply(torch.ones(1, requires_grad=True))
    with lens(lambda *event: heard.append(event)), pytest.raises(ZeroDivisionError, match="mine"):
        y.backward()
    assert heard[-1] == ("finished", False)


def test_what_the_observer_does_itself_is_not_reported():
    heard = []

    def observer(kind, *rest):
        heard.append(kind)
        _ = torch.ones(2) * 2

    with lens(observer):
        _ = torch.ones(2) + 1
    assert heard == ["result", "result"]


def test_an_exception_in_the_observer_reaches_the_caller():
    def observer(*event):
        raise LookupError("stop here")

    x = torch.ones(2, requires_grad=True)
    with lens(observer), pytest.raises(LookupError, match="stop here"):
        x * 2
    assert (x * 2).sum().item() == 4


def test_events_tell_the_life_of_every_buffer():
    x = torch.ones(1000, requires_grad=True)
    with lens(record=True):
        y = x.exp()
        y.sum().backward()
        del y
    events = _core._lens_events()
    alive = {}
    for kind, _, buffer, size, *_ in events:
        if kind in ("alive", "allocate"):
            alive[buffer] = size
        elif kind == "free":
            assert alive.pop(buffer) == size
    assert sum(alive.values()) == live_bytes()
    made = [size for kind, _, buffer, size, *_ in events if kind == "allocate" and buffer in alive]
    assert made == [4000]  # the gradient
    assert x.grad.tolist() == pytest.approx([2.718281828] * 1000)
    ran = [name for kind, *_, name in events if kind == "ran"]
    assert ran == ["SumBackward0", "ExpBackward0"]
    assert [e[0] for e in events].count("backward") == 1
    times = [e[1] for e in events]
    assert times == sorted(times)


def test_events_tell_what_a_buffer_becomes():
    x = torch.ones(1000, requires_grad=True)
    with lens(record=True):
        y = x.exp()
        y.retain_grad()
        y.sum().backward()
    numbers = _core._lens_buffers()
    became = {}
    for kind, _, buffer, *_ in _core._lens_events():
        became.setdefault(buffer, []).append(kind)

    def life(t):
        return became[numbers[t.untyped_storage()._cdata]]

    assert life(x) == ["alive", "leaf"]
    assert life(y) == ["allocate", "saved", "recorded", "released"]
    assert life(x.grad) == ["allocate", "leaf gradient"]
    assert life(y.grad) == ["allocate", "retained gradient"]


def test_a_node_that_dies_with_what_it_saved_releases_it():
    x = torch.ones(1000, requires_grad=True)
    with lens(record=True):
        (x * x).sum()
    kinds = [e[0] for e in _core._lens_events()]
    assert kinds.count("saved") == kinds.count("released") == 2


def test_the_observer_and_the_recording_can_change_while_the_lens_is_on():
    heard = []
    with lens(lambda kind, *rest: heard.append(kind)):
        x = torch.ones(2).exp()
        _core._lens_change(None, True)
        first = _core._lens_event_count()
        y = x.exp()
        _core._lens_change(lambda kind, *rest: heard.append(kind), False)
        x.exp()
        count = _core._lens_event_count()
    assert heard == ["result", "result", "result"]
    assert {e[0] for e in _core._lens_events()[:first]} == {"alive"}
    assert [e[0] for e in _core._lens_events(first)] == ["allocate"]
    assert y.sum() and count == _core._lens_event_count() == first + 1
    with pytest.raises(RuntimeError, match="not on"):
        _core._lens_change()


def test_what_the_observer_allocates_is_not_recorded():
    kept = []
    x = torch.ones(2)
    with lens(lambda *event: kept.append(torch.ones(500)), record=True):
        first = _core._lens_event_count()
        y = x.exp()
    sizes = [e[3] for e in _core._lens_events(first) if e[0] == "allocate"]
    assert kept and sizes == [y.nbytes]


def test_another_thread_is_recorded_while_the_observer_of_this_one_runs():
    inside, done = threading.Event(), threading.Event()
    kept = []

    def observer(kind, *rest):
        if threading.current_thread() is not thread:
            inside.set()
            assert done.wait(60)

    def other():
        assert inside.wait(60)
        kept.append(torch.ones(1000).detach())
        done.set()

    x = torch.ones(2)
    thread = threading.Thread(target=other)
    with lens(observer, record=True):
        thread.start()
        x.exp()
        thread.join()
    assert 4000 in [e[3] for e in _core._lens_events() if e[0] == "allocate"]


def test_a_second_start_is_refused_and_the_first_goes_on():
    with lens():
        with pytest.raises(RuntimeError, match="on already"):
            _core._lens_start()
        y = torch.ones(1, requires_grad=True) * 2
    assert _core._place(y.grad_fn) is not None


def test_wrong_arguments_are_refused():
    for question in (_core._saved, _core._is_released, _core._retained_outputs):
        with pytest.raises(TypeError, match="node of the graph"):
            question(torch.ones(1))
    for question in (_core._version_id, _core._last_writer, _core._creation):
        with pytest.raises(TypeError, match="tensor"):
            question(3)
    with pytest.raises(TypeError, match="callable"):
        _core._lens_start(3)
