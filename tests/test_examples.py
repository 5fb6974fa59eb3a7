"""The examples run as a newcomer runs them, and print what they promise, to the letter."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.leafgrad_only

ROOT = Path(__file__).parents[1]


def run(*words):
    return subprocess.run([sys.executable, *words], cwd=ROOT, capture_output=True, text=True, timeout=300)


def test_leaf_nodes_runs_under_the_name_torch():
    result = run("-m", "leafgrad", "run", "examples/leaf_nodes.py")
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout == "tensor([1.], requires_grad=True)\nTrue True True\ntensor([5.])\n"


def test_leaf_table_shows_which_gradients_were_kept():
    # y = (w + x) * (w + 1) at w = 1, x = 2:  dy/dw = (w + 1) + (w + x) = 5,  dy/dx = dy/da = w + 1 = 2.
    result = run("examples/leaf_table.py")
    assert (result.returncode, result.stderr) == (0, "")
    assert (
        result.stdout
        == """\
y = (w + x) * (w + 1), y.backward()
tensor  leaf    requires_grad  grad_fn         .grad after backward
w       True    True           None            kept, tensor([5.])
x       True    True           None            kept, tensor([2.])
a       False   True           AddBackward0    freed
b       False   True           AddBackward0    freed
y       False   True           MulBackward0    freed

The same after a.retain_grad()
tensor  leaf    requires_grad  grad_fn         .grad after backward
w       True    True           None            kept, tensor([5.])
x       True    True           None            kept, tensor([2.])
a       False   True           AddBackward0    kept, tensor([2.])
b       False   True           AddBackward0    freed
y       False   True           MulBackward0    freed

"""
    )


def test_train_digits_reads_unseen_digits():
    pytest.importorskip("sklearn", reason="examples/train_digits.py needs the extra demo (scikit-learn, rich)")
    pytest.importorskip("rich", reason="examples/train_digits.py needs the extra demo (scikit-learn, rich)")
    result = run("examples/train_digits.py")
    assert (result.returncode, result.stderr) == (0, "")
    right, seconds = re.search(r"([\d.]+)% of 360 digits .* after ([\d.]+) s of training", result.stdout).groups()
    assert float(right) > 97 and float(seconds) < 20
