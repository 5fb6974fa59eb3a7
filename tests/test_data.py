"""Data in and out: nested lists, NumPy, buffers, DLPack; sharing of memory, and hostile inputs."""

import gc
import sys
import weakref

import numpy as np
import pytest
from support import Ticket

import leafgrad

NUMPY_DTYPES = [
    "bool",
    "uint8",
    "int8",
    "int16",
    "int32",
    "int64",
    "float16",
    "float32",
    "float64",
    "complex64",
    "complex128",
]


# ---- nested sequences


@pytest.mark.parametrize(
    ("data", "dtype", "values"),
    [
        (3, "int64", 3),
        (True, "bool", True),
        (2.5, "float32", 2.5),
        (1j, "complex64", 1j),
        ([], "float32", []),
        ([[], []], "float32", [[], []]),
        ([[1, 2], [3, 4]], "int64", [[1, 2], [3, 4]]),
        ([True, 2], "int64", [1, 2]),
        ([True, 2.5], "float32", [1.0, 2.5]),
        ([1, 1j], "complex64", [1, 1j]),
        ((1, 2.0), "float32", [1.0, 2.0]),
        (range(3), "int64", [0, 1, 2]),
        ([[[1.0]], [[2.0]]], "float32", [[[1.0]], [[2.0]]]),
        (np.float64(1), "float64", 1.0),
        ([np.float64(1)], "float64", [1.0]),
        ([np.int8(1), np.int8(2)], "int8", [1, 2]),
        ([np.array([1.0, 2.0]), np.array([3.0, 4.0])], "float64", [[1.0, 2.0], [3.0, 4.0]]),
        ([leafgrad.tensor(1.0, dtype=leafgrad.float64), 2], "float64", [1.0, 2.0]),
        ([leafgrad.tensor([1.0]), leafgrad.tensor([2.0])], "float32", [1.0, 2.0]),
        (bytearray(b"ab"), "int64", [97, 98]),
    ],
    ids=repr,
)
def test_dtype_and_shape_follow_the_data(data, dtype, values):
    tensor = leafgrad.tensor(data)
    assert str(tensor.dtype) == f"torch.{dtype}" and tensor.is_leaf and tensor.tolist() == values


class Endless:
    """Says that it has three items and gives two."""

    def __len__(self):
        return 3

    def __iter__(self):
        return iter([1, 2])

    def __getitem__(self, index):
        return [1, 2][index]


def changing_list():
    """A list that loses its items while its first one is read."""
    items = []

    class Saboteur:
        def __float__(self):
            items.clear()
            return 1.0

    items.extend([Saboteur(), 2.0, 3.0])
    return items


def self_containing():
    items = []
    items.append(items)
    return items


def deep(levels):
    items = 1
    for _ in range(levels):
        items = [items]
    return items


@pytest.mark.parametrize(
    ("make", "error", "words"),
    [
        (lambda: leafgrad.tensor([[1, 2], [3]]), ValueError, "expected sequence of length 2 at dim 1"),
        (lambda: leafgrad.tensor([1, [2]]), TypeError, "dim 1"),
        (lambda: leafgrad.tensor([[1], 2]), TypeError, "not a sequence"),
        (lambda: leafgrad.tensor(self_containing()), ValueError, "too many dimensions 'list'"),
        (lambda: leafgrad.tensor(deep(5000)), ValueError, "too many dimensions 'list'"),
        (lambda: leafgrad.tensor(changing_list(), dtype=leafgrad.float32), ValueError, "expected sequence of length 3"),
        (lambda: leafgrad.tensor(Endless()), ValueError, "says its length is 3"),
        (lambda: leafgrad.tensor("a"), TypeError, "invalid data type 'str'"),
        (lambda: leafgrad.tensor(["a"]), ValueError, "too many dimensions 'str'"),
        (lambda: leafgrad.tensor(None), RuntimeError, "Could not infer dtype of NoneType"),
        (lambda: leafgrad.tensor([object()]), RuntimeError, "Could not infer dtype of object"),
        (lambda: leafgrad.tensor({1: 2}), RuntimeError, "Could not infer dtype of dict"),
        (lambda: leafgrad.tensor(2**70), OverflowError, "64 bits"),
        (lambda: leafgrad.tensor([2**40], dtype=leafgrad.int32), RuntimeError, "without overflow"),
        (lambda: leafgrad.tensor(float("nan"), dtype=leafgrad.int32), RuntimeError, "without overflow"),
        (lambda: leafgrad.tensor(1j, dtype=leafgrad.float32), TypeError, "not complex"),
        (lambda: leafgrad.tensor([leafgrad.ones(2)]), ValueError, "only one element tensors"),
        (lambda: leafgrad.tensor([1], requires_grad=True), RuntimeError, "floating point and complex"),
        (lambda: leafgrad.tensor(), TypeError, "missing"),
        (lambda: leafgrad.tensor([1], [2]), TypeError, "takes 1 positional argument"),
        (lambda: leafgrad.tensor([1], dtyp=1), TypeError, "unexpected keyword"),
    ],
)
def test_hostile_data_is_refused(make, error, words):
    with pytest.raises(error, match=words):
        make()


def test_copy_of_a_tensor_warns_and_is_a_new_leaf():
    source = leafgrad.ones(2, requires_grad=True) * 2
    with pytest.warns(UserWarning, match="To copy construct from a tensor"):
        copy = leafgrad.tensor(source)
    assert copy.is_leaf and not copy.requires_grad and copy.data_ptr() != source.data_ptr()


def test_new_tensor_takes_this_tensors_dtype():
    assert leafgrad.zeros(1, dtype=leafgrad.float64).new_tensor([1, 2]).dtype == leafgrad.float64


@pytest.mark.parametrize("dtype", [*NUMPY_DTYPES, "bfloat16"])
def test_tolist_gives_back_the_numbers(dtype):
    values = [[True, False], [True, True]] if dtype == "bool" else [[1, 2], [3, 4]]
    tensor = leafgrad.tensor(values, dtype=getattr(leafgrad, dtype))
    assert tensor.tolist() == values and tensor.t().tolist() == [list(c) for c in zip(*values, strict=True)]
    assert tensor[0, 1].item() == values[0][1] and tensor[0, 1].tolist() == values[0][1]


def test_item_wants_one_element():
    with pytest.raises(RuntimeError, match="2 elements cannot be converted to Scalar"):
        leafgrad.ones(2).item()
    with pytest.raises(RuntimeError, match="meta"):
        leafgrad.ones(1, device="meta").item()
    with pytest.raises(NotImplementedError, match="no data"):
        leafgrad.ones(1, device="meta").tolist()


# ---- NumPy


@pytest.mark.parametrize("dtype", NUMPY_DTYPES)
@pytest.mark.parametrize("shape", [(), (3,), (0, 2), (2, 3, 4)], ids=str)
def test_from_numpy_shares_memory_both_ways(dtype, shape):
    array = np.ones(shape, dtype)
    tensor = leafgrad.from_numpy(array)
    assert str(tensor.dtype) == f"torch.{dtype}" and tensor.shape == shape
    back = tensor.numpy()
    assert back.dtype == array.dtype and back.shape == shape
    tensor.zero_()
    assert not array.any() and not back.any() and np.shares_memory(array, back) == bool(array.size)


def test_strided_arrays_keep_their_layout():
    array = np.arange(24.0).reshape(4, 6)[::2, ::3].T
    tensor = leafgrad.from_numpy(array)
    assert tensor.tolist() == array.tolist() and tensor.stride() == (3, 12)
    assert tensor.numpy().strides == array.strides


def test_read_only_memory_is_not_written():
    array = np.ones(3)
    array.flags.writeable = False
    tensor = leafgrad.from_numpy(array)
    with pytest.raises((ValueError, RuntimeError), match="read-only"):
        tensor.add_(1)
    assert array.tolist() == [1, 1, 1] and not tensor.numpy().flags.writeable


@pytest.mark.parametrize(
    ("make", "error", "words"),
    [
        (lambda: leafgrad.from_numpy([1]), TypeError, "expected np.ndarray"),
        (lambda: leafgrad.from_numpy(np.array([1, 2], ">i4")), ValueError, "byte order"),
        (lambda: leafgrad.from_numpy(np.arange(3)[::-1]), ValueError, "negative"),
        (lambda: leafgrad.from_numpy(np.array([object()])), TypeError, "numpy.object_"),
        (lambda: leafgrad.from_numpy(np.array(["2020-01-01"], "M8[D]")), TypeError, "numpy.datetime64"),
        (lambda: leafgrad.from_numpy(np.array(["a"])), TypeError, "numpy.str_"),
        (lambda: leafgrad.from_numpy(np.zeros(2, [("a", "i4"), ("b", "f4")])), TypeError, "numpy.void"),
        (lambda: leafgrad.ones(2, requires_grad=True).numpy(), RuntimeError, "requires grad"),
        (lambda: leafgrad.ones(2, dtype=leafgrad.bfloat16).numpy(), TypeError, "BFloat16"),
        (lambda: leafgrad.ones(2, device="meta").numpy(), TypeError, "meta"),
        (lambda: np.asarray(leafgrad.ones(2, requires_grad=True)), RuntimeError, "requires grad"),
        (lambda: np.asarray(leafgrad.ones(2), dtype=np.int32, copy=False), ValueError, "copy"),
    ],
)
def test_what_cannot_be_shared_is_refused(make, error, words):
    with pytest.raises(error, match=words):
        make()


def test_unaligned_memory_is_copied():
    raw = np.arange(9, dtype=np.uint8)
    array = raw[1:].view(np.float32)
    assert leafgrad.from_numpy(array).tolist() == array.tolist()
    field = np.array([(1, 2.0), (3, 4.0)], [("a", "i1"), ("b", "f4")])["b"]
    assert leafgrad.from_numpy(field).tolist() == [2.0, 4.0]


def test_array_protocol_converts_and_copies_on_request():
    tensor = leafgrad.ones(2)
    assert np.asarray(tensor, dtype=np.int32).dtype == np.int32
    assert np.shares_memory(np.asarray(tensor), tensor.numpy())
    assert not np.shares_memory(np.array(tensor), tensor.numpy())
    assert leafgrad.ones(2, requires_grad=True).numpy(force=True).tolist() == [1, 1]


def test_a_numpy_function_of_a_tensor_gives_a_tensor():
    result = np.sin(leafgrad.zeros(2))
    assert isinstance(result, leafgrad.Tensor) and result.tolist() == [0, 0]


def test_numpy_is_not_imported_before_it_is_needed():
    import subprocess

    code = "import sys, leafgrad; leafgrad.tensor([1.0]).tolist(); assert 'numpy' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_an_array_outlives_the_tensor_and_what_it_points_to():
    tensor = leafgrad.arange(1000.0)
    array = tensor.numpy()
    tensor.data = leafgrad.zeros(1)
    del tensor
    leafgrad.zeros(1000).fill_(7)
    assert array.tolist() == list(range(1000))


# ---- other buffers


def test_memoryview_of_a_tensor_shows_its_layout():
    tensor = leafgrad.arange(6.0).reshape(2, 3)
    view = memoryview(tensor)
    assert view.format == "f" and view.shape == (2, 3) and view.tolist() == tensor.tolist()
    view[0, 1] = 9.0
    assert tensor[0, 1].item() == 9 and bytes(tensor) == tensor.numpy().tobytes()
    assert memoryview(tensor.t()).strides == (4, 12)
    with pytest.raises(BufferError, match="gradient"):
        memoryview(leafgrad.ones(1, requires_grad=True))


def test_frombuffer_holds_the_memory():
    memory = bytearray(range(8))
    tensor = leafgrad.frombuffer(memory, dtype=leafgrad.int16, count=2, offset=2)
    assert tensor.tolist() == np.frombuffer(memory, np.int16, 2, 2).tolist()
    with pytest.raises(BufferError):
        memory.extend(b"more")
    tensor.zero_()
    assert memory == bytearray([0, 1, 0, 0, 0, 0, 6, 7])
    del tensor
    memory.extend(b"more")


@pytest.mark.parametrize(
    ("memory", "options", "words"),
    [
        (b"", {}, "must not be 0"),
        (bytearray(7), {}, "multiple of element size"),
        (bytearray(8), {"count": 3}, "must not be greater than actual buffer length"),
        (bytearray(8), {"count": 2**62}, "must not be greater than actual buffer length"),
        (bytearray(8), {"count": 0}, "must not be 0"),
        (bytearray(8), {"offset": 8}, "no greater than buffer length"),
        (bytearray(8), {"offset": -1}, "must be non-negative"),
        (5, {}, "buffer protocol"),
    ],
    ids=repr,
)
def test_frombuffer_stays_inside_the_memory(memory, options, words):
    with pytest.raises(ValueError, match=words):
        leafgrad.frombuffer(memory, dtype=leafgrad.int32, **options)


def test_asarray_copies_as_told():
    array = np.ones(2)
    assert np.shares_memory(leafgrad.asarray(array).numpy(), array)
    assert not np.shares_memory(leafgrad.asarray(array, copy=True).numpy(), array)
    with pytest.raises(ValueError, match="can't alias"):
        leafgrad.asarray(array, dtype=leafgrad.int32, copy=False)
    with pytest.raises(ValueError, match="can't alias"):
        leafgrad.asarray([1, 2], copy=False)
    assert leafgrad.asarray([1, 2], dtype=leafgrad.float32, requires_grad=True).requires_grad
    tensor = leafgrad.ones(2)
    assert leafgrad.as_tensor(tensor) is tensor and leafgrad.as_tensor(array).data_ptr() == array.ctypes.data


# ---- DLPack


@pytest.mark.parametrize("dtype", NUMPY_DTYPES)
def test_dlpack_shares_memory_with_numpy(dtype):
    array = np.ones((2, 3), dtype)
    tensor = leafgrad.from_dlpack(array.T)
    assert str(tensor.dtype) == f"torch.{dtype}" and tensor.stride() == (1, 3)
    tensor.zero_()
    assert not array.any() and np.shares_memory(np.from_dlpack(tensor), array)


def test_dlpack_says_that_memory_is_read_only():
    array = np.ones(2)
    array.flags.writeable = False
    tensor = leafgrad.from_dlpack(array)
    assert not np.from_dlpack(tensor).flags.writeable
    with pytest.raises((ValueError, RuntimeError), match="read-only"):
        tensor.zero_()
    with pytest.raises(BufferError, match="read-only"):
        tensor.__dlpack__()


def test_dlpack_capsules_are_consumed_once():
    for options in ({}, {"max_version": (1, 0)}):
        capsule = leafgrad.ones(2).__dlpack__(**options)
        assert leafgrad.from_dlpack(capsule).tolist() == [1, 1]
        with pytest.raises(RuntimeError, match="consumed only once"):
            leafgrad.from_dlpack(capsule)


@pytest.mark.parametrize("options", [{}, {"max_version": (1, 0)}], ids=repr)
def test_dlpack_keeps_memory_as_long_as_it_is_used(options):
    live = leafgrad._core._memory_stats()["live_bytes"]
    capsule = leafgrad.arange(1000.0).__dlpack__(**options)
    tensor = leafgrad.from_dlpack(capsule)
    del capsule
    gc.collect()
    assert tensor.tolist() == list(range(1000))
    del tensor
    unused = leafgrad.ones(1000).__dlpack__(**options)
    del unused
    assert leafgrad._core._memory_stats()["live_bytes"] == live


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda: leafgrad.from_dlpack(5), TypeError, "DLPack"),
        (lambda: leafgrad.ones(2, requires_grad=True).__dlpack__(), BufferError, "gradient"),
        (lambda: leafgrad.ones(2, device="meta").__dlpack__(), BufferError, "meta"),
        (lambda: leafgrad.ones(2).__dlpack__(dl_device=(2, 0)), BufferError, "cpu"),
        (lambda: leafgrad.from_dlpack(np.array(["a"])), (TypeError, BufferError), "DLPack"),
    ],
)
def test_dlpack_refuses_what_it_cannot_carry(call, error, words):
    with pytest.raises(error, match=words):
        call()
    assert leafgrad.ones(2).__dlpack_device__() == (1, 0)


def test_an_exported_array_frees_its_owner():
    class Holder(np.ndarray):
        pass

    array = np.ones(3).view(Holder)
    array.ticket = Ticket()
    dead = weakref.ref(array.ticket)
    tensor = leafgrad.from_numpy(array)
    del array
    assert dead() is not None
    del tensor
    assert dead() is None


@pytest.mark.parity
def test_tensors_pass_between_pytorch_and_leafgrad_without_a_copy():
    torch = pytest.importorskip("torch")
    theirs = torch.arange(6.0).reshape(2, 3)
    ours = leafgrad.from_dlpack(theirs)
    ours.mul_(2)
    assert theirs.tolist() == ours.tolist() and torch.from_dlpack(ours).data_ptr() == theirs.data_ptr()
