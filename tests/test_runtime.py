"""The allocator's counters and limits, the thread pool's determinism, and both across fork."""

import mmap
import os
import subprocess
import sys
import threading

import pytest

import leafgrad
from leafgrad import _core


def stats():
    return _core._memory_stats()


@pytest.fixture
def two_threads():
    before = leafgrad.get_num_threads()
    leafgrad.set_num_threads(2)
    yield
    leafgrad.set_num_threads(before)


# ---- memory


@pytest.mark.parametrize("n", [0, 1, 16, 17, 1000, 1025, 5000, 600_000, 1_000_000])
def test_live_bytes_are_exactly_those_asked_for(n):
    before = stats()
    x = leafgrad.empty(n)
    after = stats()
    assert after["live_bytes"] - before["live_bytes"] == 4 * n
    assert after["live_blocks"] - before["live_blocks"] == 1
    del x
    assert stats()["live_bytes"] == before["live_bytes"]


def test_peak_is_that_since_the_last_reset():
    _core._reset_peak()
    before = stats()
    x = leafgrad.empty(1000)
    y = leafgrad.empty(500)
    del x, y
    assert stats()["peak_bytes"] - before["live_bytes"] == 6000
    _core._reset_peak()
    assert stats()["peak_bytes"] == stats()["live_bytes"]


def test_a_freed_block_is_used_again():
    x = leafgrad.empty(123_456)
    address = x.data_ptr()
    del x
    assert leafgrad.empty(123_456).data_ptr() == address


def test_blocks_are_aligned():
    assert all(leafgrad.empty(n).data_ptr() % 64 == 0 for n in (1, 100, 10_000, 1_000_000))


def test_empty_cache_gives_everything_back():
    del_me = leafgrad.empty(1_000_000)
    del del_me
    assert stats()["cached_bytes"] > 0
    _core._empty_cache()
    assert stats()["cached_bytes"] == 0


MAPPING = 2 << 20  # from this size on blocks are mappings, which can be split and joined


def full(mappings, number):
    return leafgrad.full((mappings * MAPPING // 4,), float(number))


@pytest.mark.parametrize(("before", "after"), [(1, 2), (2, 1), (3, 7), (8, 3), (1, 16), (20, 3)])
def test_mappings_of_one_size_serve_those_of_another(before, after):
    total = 2 * before * after
    _core._empty_cache()
    blocks = [full(before, i) for i in range(total // before)]
    del blocks
    assert stats()["cached_bytes"] == total * MAPPING
    blocks = [full(after, i) for i in range(total // after)]
    assert stats()["cached_bytes"] == 0  # every page of the old ones is in use again
    assert all((block == i).all() for i, block in enumerate(blocks))
    del blocks
    assert stats()["cached_bytes"] >= total * MAPPING


def test_a_mapping_that_the_cache_fills_in_part_is_filled_up_by_the_system():
    _core._empty_cache()
    small = [full(1, i) for i in range(3)]
    del small
    x = full(8, 5)
    assert stats()["cached_bytes"] == 0
    assert (x == 5).all()


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_activations_give_their_pages_to_gradients_of_another_size():
    def resident():
        with open("/proc/self/statm") as file:
            return int(file.read().split()[1]) * mmap.PAGESIZE

    _core._empty_cache()
    blocks = [full(1, i) for i in range(64)]
    peak = resident()
    del blocks
    blocks = [full(2, i) for i in range(32)]
    assert resident() < peak + 8 * MAPPING
    del blocks


def test_a_limit_is_kept_and_empties_the_cache_first():
    try:
        cached = leafgrad.empty(250_000)
        del cached
        _core._set_memory_limit(stats()["live_bytes"] + 2_000_000)
        x = leafgrad.empty(480_000)  # fits only without what is cached
        with pytest.raises(MemoryError, match="2000000 bytes"):
            leafgrad.empty(500_000)
        assert x.shape == (480_000,)
    finally:
        _core._set_memory_limit(0)


def test_more_than_the_machine_has_is_refused():
    with pytest.raises(MemoryError, match="can't allocate memory"):
        leafgrad.empty(2**45)


@pytest.mark.parametrize("n", [1, 2, 3])
def test_the_nth_allocation_fails_when_asked_to(n):
    kept = []
    _core._fail_allocation(n)
    try:
        with pytest.raises(MemoryError):
            for _ in range(n):
                kept.append(leafgrad.empty(100))
    finally:
        _core._fail_allocation(0)
    assert len(kept) == n - 1
    assert leafgrad.empty(100).shape == (100,)


# ---- threads

LARGE = {
    "mm": lambda a: a @ a.t(),
    "mm of columns": lambda a: a.t() @ a,
    "mv": lambda a: a @ a[0],
    "bmm": lambda a: a.reshape(10, 70, 500) @ a.reshape(10, 500, 70),
    "int mm": lambda a: (a[:300] * 10).to(leafgrad.int32) @ (a[:300].t() * 10).to(leafgrad.int32),
    "half mm": lambda a: a.half() @ a.t().half(),
    "sum": lambda a: a.sum(),
    "softmax": lambda a: a.softmax(1),
    "exp": lambda a: a.exp(),
}


@pytest.mark.parametrize("name", LARGE)
def test_bits_do_not_depend_on_the_number_of_threads(name, two_threads):
    leafgrad.manual_seed(0)
    a = leafgrad.randn(700, 500)
    results = []
    for count in (1, 2, 3, 8):
        leafgrad.set_num_threads(count)
        results.append(LARGE[name](a).numpy().tobytes())
    assert len(set(results)) == 1


def test_several_python_threads_may_compute_at_once(two_threads):
    leafgrad.manual_seed(0)
    a = leafgrad.randn(400, 400)
    expected = (a @ a).tolist()
    wrong = []

    def work():
        for _ in range(5):
            if (a @ a).tolist() != expected:
                wrong.append(1)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


@pytest.mark.parametrize("count", [0, -1])
def test_a_number_of_threads_is_positive(count):
    with pytest.raises(RuntimeError, match="positive"):
        leafgrad.set_num_threads(count)


def test_environment_sets_the_number_of_threads():
    code = "import leafgrad; print(leafgrad.get_num_threads())"
    environment = {**os.environ, "LEAFGRAD_NUM_THREADS": "3"}
    result = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "3"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_forked_child_computes_too(two_threads):
    leafgrad.manual_seed(0)
    a = leafgrad.randn(700, 700)
    expected = (a @ a).sum().item()
    child = os.fork()
    if child == 0:
        os._exit(0 if (a @ a).sum().item() == expected else 1)
    assert os.waitpid(child, 0)[1] == 0


@pytest.mark.parametrize("isa", ["baseline", "avx2", "avx512", "amx"])
def test_every_instruction_set_computes_the_same(isa):
    code = (
        "import leafgrad, numpy as np\n"
        "leafgrad.manual_seed(1)\n"
        "x = leafgrad.randn(300, 70, dtype=leafgrad.float64)\n"
        "for ours, theirs in ((x.exp(), np.exp), (x @ x.t(), lambda a: a @ a.T), (x.sum(0), lambda a: a.sum(0))):\n"
        "    np.testing.assert_allclose(ours.numpy(), theirs(x.numpy()), rtol=1e-9, atol=1e-9)\n"
        "print(leafgrad.randn(1000).numpy().tobytes().hex())\n"
    )
    normals = {
        subprocess.run(
            [sys.executable, "-c", code], env={**os.environ, **choice}, capture_output=True, text=True, check=True
        ).stdout
        for choice in ({"LEAFGRAD_ISA": isa}, {})
    }
    assert len(normals) == 1
