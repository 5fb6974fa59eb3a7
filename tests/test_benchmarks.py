"""The benchmarks measure what they say: workloads run, figures follow from samples, wrong results are found."""

import json
import subprocess
import sys
import textwrap
from dataclasses import replace

import numpy
import pytest

import leafgrad
from benchmarks import harness, report, workload

pytestmark = pytest.mark.leafgrad_only

SMALL = [item for item in workload.everything() if item.group in ("tiny", "small") and "pendulum" not in item.name]

# Workloads of a module of their own, for the processes that a comparison starts.
STRANGE = """
    from benchmarks.workload import PEAK, workload

    @workload("good", demand=1, tuned=1)
    def good(torch):
        x = torch.ones(3, requires_grad=True)
        return lambda: (x * 2, x)

    @workload("wrong")
    def wrong(torch):
        import os
        x = torch.full((3,), 2.0 if "MALLOC_TOP_PAD_" in os.environ else 1.0)
        return lambda: x

    @workload("missing")
    def missing(torch):
        return torch.no_such_function

    @workload("ends")
    def ends(torch):
        import os
        return lambda: os._exit(3)

    @workload("peak", kind=PEAK, unit="B")
    def peak(torch):
        return lambda: torch.ones(4 * 2**20) + 1
"""


@pytest.fixture(scope="module")
def strange(tmp_path_factory):
    directory = tmp_path_factory.mktemp("strange")
    (directory / "strange_workloads.py").write_text(textwrap.dedent(STRANGE))
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(directory))
        patch.setenv("PYTHONPATH", str(directory))
        patch.setattr(harness, "TURN", 0.001)
        # "tuned" is one more process, and here of leafgrad, too: so there are two to compare without PyTorch.
        patch.setitem(harness.CONTENDERS, "tuned", ("leafgrad", harness.TUNED_MALLOC))
        yield workload.workloads("strange_workloads")


def item(**changes):
    blank = workload.Workload("name", print, 5, None, 1, 0, 0, workload.TOLERANCE, workload.TIME, "s", None)
    return replace(blank, **changes)


@pytest.mark.parametrize("small", SMALL, ids=lambda small: small.name)
def test_every_small_workload_gives_tensors_each_time(small):
    step = small.make(leafgrad)
    for result in (step(), step()):
        tensors = result if isinstance(result, tuple) else [result]
        assert tensors and all(isinstance(tensor, leafgrad.Tensor) for tensor in tensors)


def test_names_are_unique_and_no_group_is_empty():
    items = workload.everything()
    assert {item.group for item in items} == set(workload.GROUPS)
    assert len({item.name for item in items}) == len(items)


def test_ratio_spread_and_verdict_follow_from_the_samples():
    samples = {"torch": [10.0, 12.0, 11.0, 40.0], "leafgrad": [2.0, 2.0, 2.0, 2.0], "tuned": [1.0, 1.0, 1.0, 1.0]}
    result = harness.Result(item(tuned=1), samples)
    assert result.median("torch") == 11.5 and result.ratio() == 5.75 and result.met() is True
    assert result.spread("leafgrad") == 0
    assert result.ratio("tuned") == 0.5 and result.met("tuned") is False
    assert harness.Result(item(demand=6), samples).met() is False


def test_without_pytorch_leafgrads_figure_stands_alone():
    result = harness.Result(item(), {"leafgrad": [2e-6, 2e-6, 2e-6, 2e-6]}, {"leafgrad": 3 * 2**20})
    assert result.ratio() is None and result.met() is None
    assert report.rows(result, None) == [("name", "-", "2 µs", "-", "5", "0%", "- / 3", "")]


def test_the_distance_from_the_limit_is_that_of_the_nearer_one():
    limits = report.Limits(read=1e9, write=2e9, copy=1.5e9, fma=1e12)
    assert report.of_limit(harness.Result(item(moves=10**9), {"leafgrad": [1.0]}), limits) == "50% of bandwidth"
    both = harness.Result(item(moves=10**9, flops=8 * 10**11), {"leafgrad": [1.0]})
    assert report.of_limit(both, limits) == "80% of FMA"


@pytest.mark.parametrize(
    ("value", "unit", "shown"),
    [
        (2.5, "s", "2.5 s"),
        (0.0213, "s", "21.3 ms"),
        (4.2e-5, "s", "42 µs"),
        (2.61e-7, "s", "261 ns"),
        (390 * 2**20, "B", "390 MiB"),
        (None, "s", "-"),
    ],
)
def test_amounts_are_shown_with_their_unit(value, unit, shown):
    assert report.amount(value, unit) == shown


def test_results_are_compared_by_shape_dtype_and_size_of_the_difference():
    one = numpy.ones(3, numpy.float32)
    assert harness.difference([one], [one + numpy.float32(1e-6)], 1e-5) is None
    for other, phrase in (
        ([one, one], "2 results instead of 1"),
        ([one[:2]], "instead of float32 (3,)"),
        ([one.astype(numpy.float64)], "float64"),
        ([one * numpy.nan], "not finite"),
        ([one + 1], "differs by 1"),
    ):
        assert phrase in harness.difference([one], other, 1e-5)


def test_contenders_take_as_many_turns_and_agree(strange):
    result = harness.compare(strange["good"], ["leafgrad"], threads=1, rounds=2)
    assert result.problems == [] and {name: len(samples) for name, samples in result.samples.items()} == {
        "leafgrad": 2,
        "tuned": 2,
    }
    assert all(peak is None or peak > 0 for peak in result.peaks.values())


def test_a_wrong_result_is_found(strange):
    result = harness.compare(replace(strange["wrong"], tuned=1), ["leafgrad"], threads=1, rounds=1)
    assert result.problems == ["tuned does not agree with leafgrad: result 0 differs by 1, its largest element is 1"]


def test_a_workload_that_fails_is_reported_in_one_line(strange):
    missing = harness.compare(strange["missing"], ["leafgrad"], threads=1, rounds=2)
    assert missing.samples == {"leafgrad": []}
    assert missing.problems == [
        "leafgrad cannot run it: AttributeError: module 'leafgrad' has no attribute 'no_such_function'"
    ]
    ended = harness.compare(strange["ends"], ["leafgrad"], threads=1, rounds=2)
    assert ended.problems == ["leafgrad cannot run it: its process ended with status 3"]
    assert report.rows(ended, None)[0][:4] == ("ends", "-", "-", "-")


@pytest.mark.skipif(harness.resident() is None, reason="needs Linux's account of resident memory")
def test_a_peak_is_what_the_step_takes(strange):
    result = harness.compare(strange["peak"], ["leafgrad"], threads=1, rounds=1)
    assert result.problems == []
    assert 32 * 2**20 <= result.counted <= 33 * 2**20  # the ones, and the sum
    assert result.samples["leafgrad"][0] >= 30 * 2**20


def test_the_command_gives_json_with_every_sample():
    words = [sys.executable, "-m", "benchmarks", "--only", "a * 2", "--json", "--rounds", "2", "--threads", "1"]
    done = subprocess.run(words, cwd=harness.ROOT, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    around = json.loads(done.stdout)
    (result,) = around["results"]
    assert around["threads"] == 1 and "leafgrad" in around["versions"]
    assert result["name"] == "a * 2, recording" and len(result["samples"]["leafgrad"]) == 2


def test_writing_replaces_the_measured_groups_alone(tmp_path):
    file = tmp_path / "results.md"
    file.write_text("# Benchmarks\n\n## matmul\n\nkept\n\n## tiny\n\nold\n")
    tiny = next(item for item in workload.everything() if item.group == "tiny")
    result = harness.Result(tiny, {"leafgrad": [1e-6]}, problems=["torch cannot run it: no"])
    around = {"date": "today", "machine": "m", "versions": {}, "threads": 1, "rounds": 1, "load": 0.0}
    report.update(file, [result], around, None)
    text = file.read_text()
    assert "kept" in text and "old" not in text and text.index("## tiny") < text.index("## matmul")
    assert f"- {tiny.name}: torch cannot run it: no" in text
