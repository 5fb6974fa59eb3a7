"""Grad modes: nesting, restoring, and decorators of every kind of function."""

import asyncio
import functools
import inspect
import threading

import pytest

import leafgrad as torch
from leafgrad.autograd import graph


def test_modes_nest_and_restore_what_was_before():
    assert torch.is_grad_enabled()
    with torch.no_grad():
        assert not torch.is_grad_enabled()
        with torch.enable_grad():
            assert torch.is_grad_enabled()
            with torch.set_grad_enabled(False):
                assert not torch.is_grad_enabled()
            assert torch.is_grad_enabled()
        assert not torch.is_grad_enabled()
    assert torch.is_grad_enabled()


@pytest.mark.parametrize("mode", [torch.no_grad, torch.enable_grad, torch.inference_mode])
def test_an_exception_restores_the_mode(mode):
    with pytest.raises(KeyError), mode():
        raise KeyError
    assert torch.is_grad_enabled()
    assert not torch.is_inference_mode_enabled()


def test_results_record_only_while_the_mode_is_on():
    x = torch.ones(2, requires_grad=True)
    with torch.no_grad():
        assert not (x * 2).requires_grad
        assert torch.ones(2, requires_grad=True).requires_grad  # a leaf made on purpose
        with torch.enable_grad():
            assert (x * 2).requires_grad
    assert (x * 2).requires_grad


def test_set_grad_enabled_as_a_statement_stays_in_force():
    torch.set_grad_enabled(False)
    assert not torch.is_grad_enabled()
    torch.set_grad_enabled(True)
    assert torch.is_grad_enabled()


def test_set_grad_enabled_as_a_decorator_takes_its_statement_back():
    @torch.set_grad_enabled(False)
    def inside():
        return torch.is_grad_enabled()

    assert torch.is_grad_enabled()
    assert inside() is False
    assert torch.is_grad_enabled()


def test_set_grad_enabled_refuses_what_is_no_bool():
    with pytest.raises(TypeError):
        torch.set_grad_enabled("no")


@pytest.mark.parametrize("decorate", [torch.no_grad, torch.no_grad(), torch.set_grad_enabled(True).__class__(True)])
def test_decorators_keep_name_and_signature(decorate):
    @decorate
    def add(a, b=2):
        """Adds."""
        return a + b

    assert add(1) == 3
    assert (add.__name__, add.__doc__) == ("add", "Adds.")
    assert str(inspect.signature(add)) == "(a, b=2)"


@pytest.mark.parametrize("decorate", [torch.no_grad, torch.no_grad(), torch.inference_mode, torch.inference_mode()])
def test_decorated_functions_and_methods_run_inside(decorate):
    class Probe:
        @decorate
        def method(self):
            return torch.is_grad_enabled()

    @decorate
    def function():
        return torch.is_grad_enabled()

    assert function() is False
    assert Probe().method() is False
    assert torch.is_grad_enabled()


def test_a_decorated_function_may_call_itself():
    @torch.no_grad()
    def depth(n):
        assert not torch.is_grad_enabled()
        if n:
            depth(n - 1)
        assert not torch.is_grad_enabled()

    depth(5)
    assert torch.is_grad_enabled()


def test_a_partial_can_be_decorated():
    decorated = torch.no_grad()(functools.partial(lambda a, b: (a, b, torch.is_grad_enabled()), 1))
    assert decorated(2) == (1, 2, False)


def test_enable_grad_decorates_without_parentheses():
    @torch.enable_grad
    def inside():
        return torch.is_grad_enabled()

    with torch.no_grad():
        assert inside() is True
        assert not torch.is_grad_enabled()


def test_decorating_a_class_warns_and_covers_its_construction():
    with pytest.warns(FutureWarning, match="Decorating classes is deprecated"):

        @torch.no_grad()
        class Probe:
            def __init__(self):
                self.recording = torch.is_grad_enabled()

    assert Probe().recording is False


def test_generator_runs_inside_and_suspends_outside():
    @torch.no_grad()
    def generator():
        try:
            assert not torch.is_grad_enabled()
            received = yield 1
            assert received == "a"
            assert not torch.is_grad_enabled()
            try:
                yield 2
            except ValueError:
                assert not torch.is_grad_enabled()
                yield 3
            return "end"
        finally:
            assert not torch.is_grad_enabled()

    steps = generator()
    assert inspect.isgenerator(steps)
    assert next(steps) == 1
    assert torch.is_grad_enabled()
    assert steps.send("a") == 2
    assert torch.is_grad_enabled()
    assert steps.throw(ValueError) == 3
    assert torch.is_grad_enabled()
    with pytest.raises(StopIteration) as end:
        next(steps)
    assert end.value.value == "end"
    assert torch.is_grad_enabled()


def test_the_callers_mode_survives_a_generator_of_the_other_mode():
    @torch.enable_grad()
    def generator():
        while True:
            assert torch.is_grad_enabled()
            yield

    steps = generator()
    with torch.no_grad():
        next(steps)
        assert not torch.is_grad_enabled()
    next(steps)
    assert torch.is_grad_enabled()


def test_closing_a_generator_runs_its_cleanup_inside():
    seen = []

    @torch.no_grad()
    def generator():
        try:
            yield 1
        finally:
            seen.append(torch.is_grad_enabled())

    steps = generator()
    next(steps)
    steps.close()
    assert seen == [False]
    assert torch.is_grad_enabled()


def test_an_uncaught_exception_leaves_a_generator():
    @torch.no_grad()
    def generator():
        yield 1

    steps = generator()
    next(steps)
    with pytest.raises(KeyError):
        steps.throw(KeyError("x"))
    assert torch.is_grad_enabled()


@pytest.mark.leafgrad_only
def test_coroutine_runs_inside_and_awaits_outside():
    seen = []

    async def other():
        await asyncio.sleep(0)
        return torch.is_grad_enabled()

    @torch.no_grad()
    async def task():
        seen.append(torch.is_grad_enabled())
        await asyncio.sleep(0)
        seen.append(torch.is_grad_enabled())
        try:
            await asyncio.sleep(10)
        except asyncio.CancelledError:
            seen.append(torch.is_grad_enabled())
        return "done"

    async def main():
        running = asyncio.ensure_future(task())
        for _ in range(3):
            assert await other()  # the event loop's mode is not the task's
        running.cancel()
        return await running

    assert asyncio.run(main()) == "done"
    assert seen == [False, False, False]
    assert torch.is_grad_enabled()


@pytest.mark.leafgrad_only
def test_async_generator_runs_inside_and_suspends_outside():
    seen = []

    @torch.no_grad()
    async def generator():
        try:
            for i in range(3):
                seen.append(torch.is_grad_enabled())
                await asyncio.sleep(0)
                yield i
        finally:
            seen.append(torch.is_grad_enabled())

    async def main():
        collected = []
        async for i in generator():
            assert torch.is_grad_enabled()
            collected.append(i)
        steps = generator()
        assert await anext(steps) == 0
        await steps.aclose()
        return collected

    assert asyncio.run(main()) == [0, 1, 2]
    assert seen == [False] * 6
    assert torch.is_grad_enabled()


def test_modes_belong_to_their_thread():
    seen = []
    with torch.no_grad():
        thread = threading.Thread(target=lambda: seen.append(torch.is_grad_enabled()))
        thread.start()
        thread.join()
    assert seen == [True]


def test_inference_mode_makes_inference_tensors():
    x = torch.ones(2, requires_grad=True)
    with torch.inference_mode():
        assert torch.is_inference_mode_enabled()
        assert not torch.is_grad_enabled()
        y = x * 2
        assert y.is_inference()
        assert not y.requires_grad
        with torch.inference_mode(False):
            assert not torch.is_inference_mode_enabled()
            assert torch.is_grad_enabled()
            assert (x * 2).requires_grad
        assert torch.is_inference_mode_enabled()
    assert not torch.is_inference_mode_enabled()
    assert torch.is_grad_enabled()
    with pytest.raises(RuntimeError, match="Inference tensors"):
        x * y  # would be saved for backward


def test_inference_mode_false_records_inside_no_grad():
    with torch.no_grad():
        with torch.inference_mode(False):
            assert torch.is_grad_enabled()
        assert not torch.is_grad_enabled()


def test_no_grad_can_be_entered_again_after_it_was_left():
    mode = torch.no_grad()
    for _ in range(2):
        with mode:
            assert not torch.is_grad_enabled()
        assert torch.is_grad_enabled()


def test_preserved_version_counters_do_not_see_writes():
    x = torch.ones(2)
    with torch.autograd.grad_mode._unsafe_preserve_version_counter(x):
        x.add_(1)
    assert x._version == 0
    graph.increment_version(x)
    graph.increment_version([x, x])
    assert x._version == 3
