"""Names from before dtypes: FloatTensor and its kin, Tensor.new, typed storages."""

import pytest

import leafgrad as torch


def test_a_name_makes_tensors_of_its_dtype():
    assert torch.LongTensor([1, 2]).dtype == torch.int64
    assert torch.LongTensor().shape == (0,)
    assert torch.FloatTensor(2, 3).shape == (2, 3)
    assert torch.FloatTensor(torch.Size([4])).shape == (4,)
    assert torch.DoubleTensor([[1, 2]]).tolist() == [[1.0, 2.0]]
    with pytest.raises(TypeError):
        torch.LongTensor(torch.ones(2))


def test_isinstance_asks_for_the_dtype():
    x = torch.ones(2)
    assert isinstance(x, torch.FloatTensor) and not isinstance(x, torch.IntTensor)
    assert isinstance(x.int(), torch.IntTensor)
    assert not isinstance(1.0, torch.FloatTensor)


def test_a_name_is_a_type_to_convert_to():
    x = torch.tensor([1.5, 2.5])
    assert x.type(torch.LongTensor).tolist() == [1, 2]
    assert x.type(torch.FloatTensor).data_ptr() == x.data_ptr()
    assert x.type("torch.DoubleTensor").dtype == torch.float64
    assert x.type() == "torch.FloatTensor"


def test_new_keeps_the_dtype():
    x = torch.ones(2, dtype=torch.float64)
    assert x.new(2, 3).shape == (2, 3)
    assert x.new([1, 2]).dtype == torch.float64
    assert x.new(x.size()).shape == (2,)


def test_storage_shows_all_elements_and_shares_them():
    x = torch.arange(6.0).view(2, 3)
    storage = x[1].storage()
    assert len(storage) == 6 and storage.tolist() == [0, 1, 2, 3, 4, 5] and storage[4] == 4
    assert storage.data_ptr() == x.data_ptr() and storage.dtype == torch.float32
    storage[0] = 9
    assert x[0, 0].item() == 9
    y = torch.empty(0).set_(storage, 1, (2, 2), (3, 1))
    assert y.tolist() == [[1, 2], [4, 5]] and y.data_ptr() == x[0, 1:].data_ptr()


def test_undefined_and_failing_nodes():
    x = torch.ones(2, requires_grad=True)
    torch._C._functions.UndefinedGrad()(x * 2).sum().backward()
    assert x.grad is None
    with pytest.raises(RuntimeError, match="here"):
        torch._C._functions.DelayedError("here", 1)(x).sum().backward()
    assert isinstance((x + 1).grad_fn.next_functions[0][0], torch._C._functions.AccumulateGrad)


def test_the_switch_for_determinism_is_remembered():
    torch.use_deterministic_algorithms(True, warn_only=True)
    assert torch.are_deterministic_algorithms_enabled() and torch.is_deterministic_algorithms_warn_only_enabled()
    torch.use_deterministic_algorithms(False)
    assert not torch.are_deterministic_algorithms_enabled()
