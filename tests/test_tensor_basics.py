"""The tensor itself: creation, sharing memory with NumPy and others, conversions, identity, subclasses."""

from __future__ import annotations

import copy
import gc
import pickle
import weakref

import numpy as np
import pytest
from support import assert_near

import leafgrad as torch

# Creation


def test_tensor_infers_dtype_and_shape():
    assert torch.tensor([1, 2]).dtype == torch.int64
    assert torch.tensor([1, 2.0]).dtype == torch.float32
    assert torch.tensor([True, False]).dtype == torch.bool
    assert torch.tensor([1 + 2j, 3]).dtype == torch.complex64
    assert torch.tensor([True, 2]).dtype == torch.int64
    assert torch.tensor([]).dtype == torch.float32 and torch.tensor([]).shape == (0,)
    assert torch.tensor(5).shape == () and torch.tensor([[[1]]]).shape == (1, 1, 1)
    assert torch.tensor([[], []]).shape == (2, 0)
    assert torch.tensor(((1, 2), [3, 4])).tolist() == [[1, 2], [3, 4]]
    assert torch.tensor(range(3)).tolist() == [0, 1, 2]


def test_tensor_of_numpy_values_keeps_their_dtype():
    assert torch.tensor(np.float64(1.5)).dtype == torch.float64
    assert torch.tensor(np.int32(4)).dtype == torch.int32
    assert torch.tensor(np.ones((2, 3), dtype=np.float16)).dtype == torch.float16
    assert torch.tensor([np.float64(1.5)]).dtype == torch.float64


def test_tensor_copies():
    array = np.zeros(3)
    t = torch.tensor(array)
    array[0] = 5
    assert t.tolist() == [0.0, 0.0, 0.0]


def test_tensor_of_tensors_of_one_element():
    assert torch.tensor([torch.tensor(1.0), torch.tensor([2.0])]).tolist() == [1.0, 2.0]


@pytest.mark.parametrize("dtype", ["float32", "float64", "float16", "bfloat16", "int8", "int64", "uint8", "bool"])
def test_creation_functions_give_the_dtype_asked_for(dtype):
    dtype = getattr(torch, dtype)
    for made in (
        torch.zeros(2, 3, dtype=dtype),
        torch.ones((2, 3), dtype=dtype),
        torch.full((2, 3), 1, dtype=dtype),
        torch.empty(2, 3, dtype=dtype),
        torch.zeros(2, 3).new_ones(2, 3, dtype=dtype),
        torch.tensor([[1, 0, 1], [0, 1, 1]], dtype=dtype),
    ):
        assert made.dtype == dtype and made.shape == (2, 3)
        assert made.element_size() == dtype.itemsize


def test_zeros_ones_full_eye():
    assert torch.zeros(2).tolist() == [0.0, 0.0]
    assert torch.ones([2]).tolist() == [1.0, 1.0]
    assert torch.full((2,), 7).dtype == torch.int64
    assert torch.full((2,), 7.0).dtype == torch.float32
    assert torch.full((2,), True).dtype == torch.bool
    assert torch.eye(2, 3).tolist() == [[1, 0, 0], [0, 1, 0]]
    assert torch.zeros(()).shape == () and torch.zeros(0, 3).numel() == 0


def test_arange_counts_as_numpy_does():
    assert torch.arange(5).tolist() == [0, 1, 2, 3, 4] and torch.arange(5).dtype == torch.int64
    assert torch.arange(1, 2, 0.25).tolist() == [1.0, 1.25, 1.5, 1.75]
    assert torch.arange(5, 0, -2).tolist() == [5, 3, 1]
    assert torch.arange(0.0, 3).dtype == torch.float32
    assert torch.arange(3, 3).shape == (0,)
    assert torch.arange(0, 5, dtype=torch.float64).dtype == torch.float64


def test_linspace_ends_exactly():
    t = torch.linspace(-1, 1, 5)
    assert t.tolist() == [-1.0, -0.5, 0.0, 0.5, 1.0]
    assert torch.linspace(3, 10, 1).tolist() == [3.0]
    assert torch.linspace(0, 1, 0).shape == (0,)


def test_like_functions_follow_their_model():
    x = torch.ones(2, 3, dtype=torch.float64)
    for made in (torch.zeros_like(x), torch.ones_like(x), torch.empty_like(x), torch.full_like(x, 3)):
        assert made.dtype == torch.float64 and made.shape == (2, 3) and not made.requires_grad
    assert torch.rand_like(x).dtype == torch.float64
    assert torch.zeros_like(x, dtype=torch.int8).dtype == torch.int8
    assert torch.empty_like(x.t()).stride() == x.t().stride()
    assert x.new_zeros(4).dtype == torch.float64 and x.new_tensor([1]).dtype == torch.float64
    assert x.new_full((2,), 5).tolist() == [5.0, 5.0]


def test_random_creation_repeats_under_the_same_seed():
    for make in (
        lambda: torch.rand(5),
        lambda: torch.randn(5),
        lambda: torch.randint(0, 100, (5,)),
        lambda: torch.randperm(5),
    ):
        torch.manual_seed(7)
        first = make().tolist()
        second = make().tolist()
        torch.manual_seed(7)
        assert make().tolist() == first
        assert make().tolist() == second
    generator = torch.Generator().manual_seed(3)
    a = torch.rand(3, generator=generator)
    assert torch.rand(3, generator=torch.Generator().manual_seed(3)).tolist() == a.tolist()


def test_random_numbers_are_in_range_and_spread():
    u = torch.rand(10_000)
    assert u.min().item() >= 0 and u.max().item() < 1 and abs(u.mean().item() - 0.5) < 0.02
    n = torch.randn(10_000)
    assert abs(n.mean().item()) < 0.05 and abs(n.std().item() - 1) < 0.05
    i = torch.randint(3, 7, (1000,))
    assert sorted(set(i.tolist())) == [3, 4, 5, 6]
    assert sorted(torch.randperm(50).tolist()) == list(range(50))


def test_as_tensor_shares_where_it_can():
    t = torch.ones(3)
    assert torch.as_tensor(t) is t
    array = np.zeros(3)
    shared = torch.as_tensor(array)
    shared[0] = 5
    assert array[0] == 5
    assert torch.as_tensor(array, dtype=torch.float32).dtype == torch.float32
    assert torch.as_tensor([1, 2]).tolist() == [1, 2]


# Memory shared with NumPy and others


@pytest.mark.parametrize(
    "dtype", "float32 float64 float16 int8 int16 int32 int64 uint8 bool complex64 complex128".split()
)
def test_from_numpy_and_numpy_share_memory_both_ways(dtype):
    array = np.zeros((2, 3), dtype=dtype)
    t = torch.from_numpy(array)
    assert str(t.dtype) == f"torch.{dtype}" and t.shape == (2, 3)
    array[0, 0] = 1
    assert t[0, 0].item() == 1
    t[1, 2] = 1
    assert array[1, 2] == 1
    back = t.numpy()
    assert back.dtype == array.dtype and np.shares_memory(back, array)


def test_from_numpy_keeps_strides():
    array = np.arange(12.0).reshape(3, 4).T[::2]
    t = torch.from_numpy(array)
    assert t.tolist() == array.tolist() and t.stride() == (2, 4)
    assert t.numpy().strides == array.strides


def test_from_numpy_keeps_the_array_alive_and_numpy_keeps_the_tensor_s_memory_alive():
    t = torch.from_numpy(np.full(1000, 3.0))
    gc.collect()
    assert t.sum().item() == 3000
    array = torch.full((1000,), 2.0).numpy()
    gc.collect()
    assert array.sum() == 2000


def test_numpy_of_a_recording_tensor_raises_and_detach_or_force_help():
    w = torch.ones(2, requires_grad=True)
    with pytest.raises(RuntimeError, match=r"Can't call numpy\(\) on Tensor that requires grad"):
        w.numpy()
    assert w.detach().numpy().tolist() == [1.0, 1.0]
    assert w.numpy(force=True).tolist() == [1.0, 1.0]


def test_numpy_functions_accept_tensors():
    t = torch.arange(3.0)
    assert np.asarray(t).tolist() == [0.0, 1.0, 2.0]
    assert np.sin(t.numpy()).shape == (3,)
    assert np.shares_memory(np.asarray(t), t.numpy())


@pytest.mark.leafgrad_only
def test_array_protocol_follows_numpy_2_copy_semantics():
    t = torch.arange(3.0)
    copied = np.array(t, copy=True)
    copied[0] = 9
    assert t[0].item() == 0.0
    shared = np.asarray(t)
    shared[0] = 7
    assert t[0].item() == 7.0
    assert np.asarray(t, dtype=np.float64).dtype == np.float64


@pytest.mark.leafgrad_only
def test_array_protocol_without_permission_to_copy():
    t = torch.arange(3.0)
    assert np.shares_memory(np.array(t, copy=False), t.numpy())
    with pytest.raises(ValueError):
        np.array(t, dtype=np.float64, copy=False)


def test_dlpack_from_numpy_shares_memory():
    array = np.arange(4.0)
    t = torch.from_dlpack(array)
    t[0] = 9
    assert array[0] == 9


def test_dlpack_to_numpy_shares_memory():
    t = torch.arange(4.0)
    array = np.from_dlpack(t)
    t[1] = 7
    assert array[1] == 7
    assert t.__dlpack_device__()[0] == 1  # kDLCPU


def test_dlpack_round_trip_keeps_strides_and_dtype():
    t = torch.arange(12, dtype=torch.int16).view(3, 4).t()[::2]
    back = torch.from_dlpack(t)
    assert back.dtype == torch.int16 and back.stride() == t.stride() and back.tolist() == t.tolist()
    assert back.data_ptr() == t.data_ptr()


def test_dlpack_of_a_recording_tensor_raises():
    with pytest.raises(BufferError, match="require gradient"):
        torch.ones(1, requires_grad=True).__dlpack__()


def test_frombuffer_reads_any_buffer():
    t = torch.frombuffer(bytearray(b"\x01\x00\x02\x00"), dtype=torch.int16)
    assert t.tolist() == [1, 2]
    memory = bytearray(16)
    t = torch.frombuffer(memory, dtype=torch.float32, count=2, offset=4)
    t[0] = 1.0
    assert bytes(memory[4:8]) == np.float32(1.0).tobytes()


@pytest.mark.leafgrad_only
def test_a_tensor_exports_its_memory_through_the_buffer_protocol():
    t = torch.arange(6, dtype=torch.int32).view(2, 3)
    view = memoryview(t)
    assert view.shape == (2, 3) and view.format == "i" and view.tolist() == [[0, 1, 2], [3, 4, 5]]


# Values out


def test_item_and_tolist_give_python_numbers():
    assert type(torch.tensor(1).item()) is int
    assert type(torch.tensor([[1.5]]).item()) is float
    assert type(torch.tensor(True).item()) is bool
    assert torch.tensor(1 + 2j).item() == 1 + 2j
    assert torch.tensor(3).tolist() == 3
    assert torch.zeros(0, 2).tolist() == [] and torch.zeros(2, 0).tolist() == [[], []]
    with pytest.raises(RuntimeError, match="cannot be converted to Scalar"):
        torch.ones(2).item()


def test_python_conversions():
    assert float(torch.tensor([2.5])) == 2.5 and int(torch.tensor(2.7)) == 2 and complex(torch.tensor(1.0)) == 1 + 0j
    assert [10, 20, 30][torch.tensor(1)] == 20
    with pytest.raises(TypeError):
        [10, 20][torch.tensor(1.0)]
    for convert in (float, int, complex):
        with pytest.raises((RuntimeError, TypeError, ValueError)):
            convert(torch.ones(2))


def test_bool_of_one_element_is_its_truth_otherwise_it_raises():
    assert torch.tensor([2]) and not torch.tensor(0.0)
    with pytest.raises(RuntimeError, match="ambiguous"):
        bool(torch.ones(2))
    with pytest.raises(RuntimeError, match="ambiguous"):
        bool(torch.ones(0))


def test_len_iter_and_in():
    t = torch.arange(6).view(3, 2)
    assert len(t) == 3
    assert [row.tolist() for row in t] == [[0, 1], [2, 3], [4, 5]]
    assert 4 in t and 9 not in t and torch.tensor(4) in t
    with pytest.raises(TypeError, match="0-d tensor"):
        len(torch.tensor(1))
    with pytest.raises(TypeError, match="0-d tensor"):
        iter(torch.tensor(1))
    a, b, c = t
    assert c.tolist() == [4, 5]


def test_iterating_keeps_the_graph():
    w = torch.ones(3, requires_grad=True)
    sum(x * i for i, x in enumerate(w)).backward()
    assert_near(w.grad, [0.0, 1.0, 2.0])


def test_tensors_hash_by_identity_and_compare_elementwise():
    a, b = torch.ones(2), torch.ones(2)
    assert (a == b).tolist() == [True, True]
    assert hash(a) != hash(b) and len({a, b, a}) == 2
    assert (a == None).__class__ in (bool, torch.Tensor)  # noqa: E711
    assert a != "text"


def test_equal_and_allclose():
    a = torch.tensor([1.0, 2.0])
    assert torch.equal(a, a.clone()) and not torch.equal(a, a + 1) and not torch.equal(a, a[:1])
    assert torch.allclose(a, a + 1e-9) and not torch.allclose(a, a + 1)


# Shape, dtype and device objects


def test_size_is_a_tuple_with_numel():
    s = torch.zeros(2, 3).shape
    assert isinstance(s, torch.Size) and isinstance(s, tuple)
    assert s == (2, 3) and s.numel() == 6 and repr(s) == "torch.Size([2, 3])"
    assert isinstance(s[:1], torch.Size) and isinstance(s + s, torch.Size)
    assert torch.zeros(2, 3).size() == s and torch.zeros(2, 3).size(-1) == 3
    assert torch.Size([1, 2]) == (1, 2) and hash(s) == hash((2, 3))
    assert pickle.loads(pickle.dumps(s)) == s


def test_shape_properties():
    t = torch.zeros(2, 3)
    assert t.ndim == t.dim() == 2 and t.numel() == t.nelement() == 6
    assert t.stride() == (3, 1) and t.stride(0) == 3 and t.storage_offset() == 0
    assert t[1:, 1:].storage_offset() == 4
    assert t.is_contiguous() and not t.t().is_contiguous() and t.t().contiguous().is_contiguous()
    assert t.itemsize == 4 and t.nbytes == 24


def test_dtype_objects():
    assert repr(torch.float32) == "torch.float32" and torch.float is torch.float32
    assert torch.long is torch.int64 and torch.double is torch.float64 and torch.half is torch.float16
    assert torch.int is torch.int32 and torch.short is torch.int16 and torch.cfloat is torch.complex64
    assert torch.float32.is_floating_point and not torch.int8.is_floating_point
    assert torch.complex64.is_complex and not torch.bool.is_signed and torch.int8.is_signed
    assert torch.bfloat16.itemsize == 2
    assert pickle.loads(pickle.dumps(torch.int16)) is torch.int16 and copy.deepcopy(torch.int16) is torch.int16
    assert {torch.float32: 1}[torch.float32] == 1


def test_device_objects():
    cpu = torch.device("cpu")
    assert cpu.type == "cpu" and cpu.index is None and repr(cpu) == "device(type='cpu')" and str(cpu) == "cpu"
    assert torch.zeros(1).device == cpu and torch.device("cpu") == cpu and hash(cpu) == hash(torch.device("cpu"))
    assert torch.device("cpu", 0) != cpu and repr(torch.device("cpu:0")) == "device(type='cpu', index=0)"
    assert torch.device("meta").type == "meta"
    with pytest.raises(RuntimeError):
        torch.device("nowhere")


def test_meta_tensors_have_shapes_and_no_data():
    t = torch.empty(2, 3, device="meta")
    u = (t @ t.t()).sum(0)
    assert u.shape == (2,) and u.device.type == "meta" and t.is_meta
    with pytest.raises((RuntimeError, NotImplementedError)):
        u.tolist()


def test_finfo_and_iinfo():
    info = torch.finfo(torch.float32)
    assert info.eps == np.finfo(np.float32).eps and info.max == np.finfo(np.float32).max and info.bits == 32
    assert torch.finfo(torch.bfloat16).eps == 2**-7 and torch.finfo(torch.float16).max == 65504
    assert info.tiny == info.smallest_normal == np.finfo(np.float32).tiny and info.dtype == "float32"
    info = torch.iinfo(torch.int16)
    assert (info.min, info.max, info.bits) == (-32768, 32767, 16)
    with pytest.raises(TypeError):
        torch.finfo(torch.int8)
    with pytest.raises(TypeError):
        torch.iinfo(torch.float32)


def test_predicates():
    assert torch.is_tensor(torch.ones(1)) and not torch.is_tensor([1])
    assert torch.is_floating_point(torch.ones(1)) and torch.ones(1, dtype=torch.complex64).is_complex()
    assert torch.numel(torch.ones(2, 3)) == 6


# Conversions


def test_to_returns_itself_when_nothing_changes():
    t = torch.ones(2)
    assert t.to(torch.float32) is t and t.to("cpu") is t and t.to(torch.device("cpu"), torch.float32) is t
    assert t.to(torch.ones(1)) is t
    assert t.to(torch.float32, copy=True) is not t
    assert t.to(torch.float64).dtype == torch.float64 and t.to(dtype=torch.int8).dtype == torch.int8
    assert t.to(torch.ones(1, dtype=torch.int16)).dtype == torch.int16


def test_conversion_methods():
    t = torch.tensor([1.7, -1.7])
    assert (
        t.double().dtype == torch.float64 and t.half().dtype == torch.float16 and t.bfloat16().dtype == torch.bfloat16
    )
    assert t.int().tolist() == [1, -1] and t.long().tolist() == [1, -1] and t.short().dtype == torch.int16
    assert t.bool().tolist() == [True, True] and t.char().tolist() == [1, -1] and t.byte().dtype == torch.uint8
    assert t.float() is t and t.cfloat().dtype == torch.complex64 and t.cpu() is t
    assert t.type_as(torch.ones(1, dtype=torch.float64)).dtype == torch.float64


def test_type_gives_the_old_names_and_converts():
    t = torch.ones(2)
    assert t.type() == "torch.FloatTensor" and torch.ones(1, dtype=torch.int64).type() == "torch.LongTensor"
    assert t.type(torch.float64).dtype == torch.float64
    assert t.type(torch.float32) is t


def test_half_precision_rounds_to_nearest_even():
    values = np.array([1 + 2**-11, 1 + 3 * 2**-11, 65504.0, 65519.0, 65520.0, 1e-8, 6e-8], dtype=np.float32)
    with np.errstate(over="ignore"):
        assert torch.tensor(values.tolist()).half().tolist() == values.astype(np.float16).tolist()
    assert torch.tensor([1 + 2**-8, 1 + 3 * 2**-8]).bfloat16().tolist() == [1.0, 1 + 2**-6]


def test_default_dtype_changes_what_python_numbers_become():
    try:
        torch.set_default_dtype(torch.float64)
        assert torch.get_default_dtype() == torch.float64
        assert torch.tensor([1.5]).dtype == torch.float64 and torch.zeros(1).dtype == torch.float64
        assert torch.tensor(1j).dtype == torch.complex128
        assert (torch.tensor([1]) / 2).dtype == torch.float64
    finally:
        torch.set_default_dtype(torch.float32)
    with pytest.raises(TypeError):
        torch.set_default_dtype(torch.int64)


# Identity, subclasses, attributes


def test_the_grad_attribute_is_one_object():
    w = torch.ones(1, requires_grad=True)
    (w * 2).backward()
    assert w.grad is w.grad
    w.grad.mark = 5
    gc.collect()
    assert w.grad.mark == 5


def test_an_object_in_the_graph_keeps_its_identity_and_attributes():
    w = torch.ones(1, requires_grad=True)
    w.name_of_mine = "w"
    node = (w * 2).grad_fn.next_functions[0][0]
    reference = weakref.ref(w)
    del w
    gc.collect()
    assert reference() is node.variable and node.variable.name_of_mine == "w"


def test_base_is_one_object():
    x = torch.ones(4)
    x.mark = 1
    v = x.view(2, 2)
    del x
    gc.collect()
    assert v._base is v._base and v._base.mark == 1


def test_tensors_can_be_weakly_referenced_and_die_by_reference_count():
    t = torch.ones(1)
    died = []
    reference = weakref.ref(t, died.append)
    assert reference() is t
    del t
    assert reference() is None and len(died) == 1


def test_tensors_take_attributes_and_cycles_through_them_are_collected():
    t = torch.ones(1)
    t.me = t
    t.__dict__["other"] = 3
    assert t.other == 3
    reference = weakref.ref(t)
    del t
    gc.collect()
    assert reference() is None


def test_is_leaf_and_requires_grad_rules():
    t = torch.ones(1)
    assert t.requires_grad_() is t and t.requires_grad
    t.requires_grad = False
    assert not t.requires_grad
    with pytest.raises(RuntimeError):
        t.requires_grad = "yes"
    assert torch.ones(1).is_leaf


def test_name_and_data_and_grad_defaults():
    t = torch.ones(1)
    assert t.grad is None and t.grad_fn is None and t.output_nr == 0 and t._base is None and t.layout == torch.strided
    assert t.data is not t and t.data.data_ptr() == t.data_ptr()


class Marked(torch.Tensor):
    pass


def test_as_subclass_gives_the_subclass_on_the_same_memory():
    t = torch.ones(2)
    m = t.as_subclass(Marked)
    assert type(m) is Marked and isinstance(m, torch.Tensor) and m.data_ptr() == t.data_ptr()
    assert type(Marked([1.0, 2.0])) is Marked


def test_operations_on_a_subclass_give_the_subclass():
    m = torch.ones(2).as_subclass(Marked)
    assert type(m + 1) is Marked and type(1 + m) is Marked and type(torch.ones(2) + m) is Marked
    assert type(m[0]) is Marked and type(m.sum()) is Marked and type(torch.exp(m)) is Marked
    assert type(m.view(2, 1)) is Marked and type(m.clone()) is Marked
    assert all(type(x) is Marked for x in m.unbind())
    assert type(m.add_(1)) is Marked and m.add_(1) is m


def test_a_subclass_records_and_backpropagates():
    w = torch.ones(2).as_subclass(Marked).requires_grad_()
    (w * 3).sum().backward()
    assert_near(w.grad, [3.0, 3.0])


def test_a_subclass_may_override_torch_function():
    calls = []

    class Logged(torch.Tensor):
        @classmethod
        def __torch_function__(cls, func, types, args=(), kwargs=None):
            calls.append(func.__name__)
            return super().__torch_function__(func, types, args, kwargs or {})

    x = torch.ones(2).as_subclass(Logged)
    y = torch.add(x, x)
    assert type(y) is Logged and "add" in calls


def test_an_object_that_is_no_tensor_may_answer_through_torch_function():
    class Answer:
        @classmethod
        def __torch_function__(cls, func, types, args=(), kwargs=None):
            return func.__name__, len(args)

    assert torch.add(torch.ones(1), Answer()) == ("add", 2)
    assert torch.exp(Answer()) == ("exp", 1)


def test_subclass_attributes_and_methods_work():
    class WithMethod(torch.Tensor):
        scale = 3

        def scaled(self):
            return self * self.scale

    t = torch.ones(2).as_subclass(WithMethod)
    t.extra = "kept"
    assert t.scaled().tolist() == [3.0, 3.0] and t.extra == "kept"


# Copying and pickling


def test_pickle_keeps_value_dtype_strides_and_requires_grad():
    for t in (
        torch.arange(6.0).view(2, 3).t(),
        torch.tensor([1.5], dtype=torch.bfloat16),
        torch.tensor([True]),
        torch.tensor(1 + 2j),
        torch.ones(2, requires_grad=True),
        torch.zeros(0, 3),
    ):
        back = pickle.loads(pickle.dumps(t))
        assert back.dtype == t.dtype and back.shape == t.shape and back.stride() == t.stride()
        assert back.tolist() == t.tolist() and back.requires_grad == t.requires_grad


def test_copy_shares_and_deepcopy_does_not():
    w = torch.ones(2, requires_grad=True)
    deep = copy.deepcopy(w)
    assert deep is not w and deep.data_ptr() != w.data_ptr() and deep.requires_grad and deep.is_leaf
    shallow = copy.copy(w)
    assert shallow.data_ptr() == w.data_ptr()


def test_deepcopy_keeps_sharing_inside_one_object():
    base = torch.zeros(4)
    pair = copy.deepcopy([base, base, base[:2]])
    assert pair[0] is pair[1]
    pair[0][0] = 5
    assert pair[2][0].item() == 5 and base[0].item() == 0


def test_deepcopy_copies_the_gradient_and_attributes():
    w = torch.ones(2, requires_grad=True)
    w.sum().backward()
    w.note = [1]
    deep = copy.deepcopy(w)
    assert deep.grad is not w.grad and deep.grad.tolist() == [1.0, 1.0]
    assert deep.note == [1] and deep.note is not w.note


# tensor(tensor)


def test_a_tensor_made_from_a_tensor_copies_and_warns():
    w = torch.ones(1, requires_grad=True)
    with pytest.warns(UserWarning, match="clone"):
        t = torch.tensor(w)
    assert not t.requires_grad and t.data_ptr() != w.data_ptr()
