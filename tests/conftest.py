"""What every test shares: fixed seeds, a clean engine state, the markers, and the switch that keeps the tests honest.

`LEAFGRAD_TEST_AGAINST=torch` runs the same files against PyTorch itself: `import leafgrad` then gives `torch`. A test
that fails there states something that PyTorch does not do, so either the test is wrong or leafgrad promises more,
which the marker `leafgrad_only` says.
"""

from __future__ import annotations

import importlib
import importlib.abc
import importlib.machinery
import importlib.util
import os
import signal
import sys

import pytest
from hypothesis import HealthCheck, settings

# A shell ignores Ctrl-C for what it starts in the background, and the tests of Ctrl-C would wait for nothing.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

AGAINST_TORCH = os.environ.get("LEAFGRAD_TEST_AGAINST") == "torch"


class _TorchAsLeafgrad(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Answers `import leafgrad.x` with the module `torch.x`, the very object, so that nothing exists twice."""

    def find_spec(self, name, path=None, target=None):
        if name == "leafgrad" or name.startswith("leafgrad."):
            return importlib.machinery.ModuleSpec(name, self)
        return None

    def create_module(self, spec):
        module = importlib.import_module(spec.name.replace("leafgrad", "torch", 1))
        self._own_spec = module.__spec__
        return module

    def exec_module(self, module):
        module.__spec__ = self._own_spec  # the import system has just overwritten it with the alias's


if AGAINST_TORCH:
    sys.meta_path.insert(0, _TorchAsLeafgrad())

settings.register_profile(
    "leafgrad", deadline=None, derandomize=True, max_examples=60, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("leafgrad")


def pytest_configure(config):
    config.addinivalue_line("markers", "leafgrad_only: leafgrad promises more here than PyTorch does")
    if AGAINST_TORCH:  # there the warning is needed: that cycle is never collected
        config.addinivalue_line("filterwarnings", "ignore:ComplexHalf support")
        config.addinivalue_line("filterwarnings", r"ignore:Using backward\(\) with create_graph=True")


def pytest_collection_modifyitems(items):
    has_torch = importlib.util.find_spec("torch") is not None
    for item in items:
        if AGAINST_TORCH and (item.get_closest_marker("leafgrad_only") or item.get_closest_marker("parity")):
            item.add_marker(pytest.mark.skip(reason="says nothing about PyTorch itself"))
        elif not has_torch and item.get_closest_marker("parity"):
            item.add_marker(pytest.mark.skip(reason="PyTorch is not installed"))


@pytest.fixture(autouse=True)
def _fixed_seed_and_default_state():
    """Each test starts from the same random state; one that leaves a mode switched on is at fault itself."""
    import leafgrad

    leafgrad.manual_seed(0)
    yield
    assert leafgrad.is_grad_enabled(), "the test left gradient recording off"
    assert leafgrad.get_default_dtype() == leafgrad.float32, "the test left another default dtype"
