"""The benchmarks measure what they say: workloads run, figures follow from samples, wrong results are found."""


import pytest

import leafgrad
from benchmarks import harness, report, workload

pytestmark = pytest.mark.leafgrad_only

SMALL = [item for item in workload.everything() if item.group in ("tiny", "small")]


def item(**changes):
    arguments = dict(
        name="name", make=lambda torch: None, demand=5, tuned=None, per=1, moves=0, flops=0, tolerance=1e-5
    )
    return workload.Workload(**arguments | dict(kind=workload.TIME, unit="s", rounds=None) | changes)


@pytest.mark.parametrize("small", SMALL, ids=lambda small: small.name)
def test_every_small_workload_gives_the_same_each_time(small):
    step = small.make(leafgrad)
    first, second = ([*result] if isinstance(result, tuple) else [result] for result in (step(), step()))
    assert first and all(isinstance(tensor, leafgrad.Tensor) for tensor in first + second)


def test_names_are_unique_within_a_group_and_no_group_is_empty():
    items = workload.everything()
    assert {item.group for item in items} == set(workload.GROUPS)
    assert len({(item.group, item.name) for item in items}) == len(items)


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
