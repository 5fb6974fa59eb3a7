"""The benchmarks measure what they say: every workload runs, and the figures follow from the samples."""

import json
import subprocess
import sys

import pytest

import leafgrad
from benchmarks import harness, tiny

pytestmark = pytest.mark.leafgrad_only


@pytest.mark.parametrize("name", tiny.suite.workloads)
def test_every_workload_runs_and_leaves_no_gradient_behind(name):
    call = tiny.suite.workloads[name].make(leafgrad)
    assert call() is None and call() is None


def test_ratio_spread_and_verdict_follow_from_the_samples():
    result = harness.Result("name", 5, {"torch": [10.0, 12.0, 11.0, 40.0], "leafgrad": [2.0, 2.0, 2.0, 2.0]})
    assert result.median("torch") == 11.5 and result.ratio == 5.75 and result.met is True
    assert result.spread("leafgrad") == 0
    assert harness.Result("name", 6, result.seconds).met is False


def test_without_pytorch_leafgrads_time_stands_alone():
    result = harness.Result("name", 5, {"leafgrad": [2e-6, 2e-6, 2e-6, 2e-6]})
    assert result.ratio is None and result.met is None
    assert harness.cells(result) == ("name", "-", "2 µs", "-", "5", "0%")


@pytest.mark.parametrize(
    ("seconds", "shown"), [(2.5, "2.5 s"), (0.0213, "21.3 ms"), (4.2e-5, "42 µs"), (2.61e-7, "261 ns"), (None, "-")]
)
def test_durations_are_shown_with_their_unit(seconds, shown):
    assert harness.duration(seconds) == shown


def test_the_command_gives_json_with_every_sample():
    words = [sys.executable, "-m", "benchmarks.tiny", "--only", "a * 2", "--json"]
    done = subprocess.run(words, cwd=harness.ROOT, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    (result,) = json.loads(done.stdout)["results"]
    assert result["name"] == "a * 2, recording" and len(result["seconds"]["leafgrad"]) == harness.ROUNDS
