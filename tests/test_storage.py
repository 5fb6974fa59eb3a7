"""``Tensor.untyped_storage()``: which tensors share memory, and how much of it there is."""

from __future__ import annotations

import numpy as np
import pytest

import leafgrad as torch


def test_views_share_one_storage_and_copies_have_their_own():
    t = torch.zeros(4, 5)
    storage = t.untyped_storage()
    assert storage.nbytes() == storage.size() == len(storage) == 80
    assert storage.data_ptr() == t.data_ptr()
    for view in (t[1:], t.t(), t.detach(), t.view(20)):
        assert view.untyped_storage().data_ptr() == storage.data_ptr()
        assert view.untyped_storage()._cdata == storage._cdata
    assert t.clone().untyped_storage()._cdata != storage._cdata
    assert storage.device == torch.device("cpu")


@pytest.mark.leafgrad_only
def test_equality_says_whether_memory_is_shared():
    t = torch.zeros(4)
    assert t.untyped_storage() == t[2:].untyped_storage()
    assert t.untyped_storage() != t.clone().untyped_storage()
    assert len({t.untyped_storage(), t[1:].untyped_storage()}) == 1


def test_storage_outlives_its_tensor():
    storage = torch.ones(1000).untyped_storage()
    assert storage.nbytes() == 4000
    assert storage.data_ptr() != 0


def test_growing_keeps_the_values_and_the_sharing():
    t = torch.arange(4.0)
    view = t[1:]
    t.untyped_storage().resize_(4000)
    assert t.tolist() == [0, 1, 2, 3]
    t[1] = 7
    assert view.tolist() == [7, 2, 3]


@pytest.mark.leafgrad_only
def test_shrinking_is_refused():
    t = torch.arange(4.0)
    with pytest.raises(RuntimeError, match="can only grow"):
        t.untyped_storage().resize_(8)
    assert t.tolist() == [0, 1, 2, 3]


def test_memory_of_another_object_cannot_be_resized():
    array = np.zeros(4, dtype=np.float32)
    storage = torch.from_numpy(array).untyped_storage()
    assert not storage.resizable()
    with pytest.raises(RuntimeError, match="not resizable"):
        storage.resize_(1000)


def test_meta_storage_has_a_size_but_no_address():
    storage = torch.empty(3, device="meta").untyped_storage()
    assert storage.nbytes() == 12
    assert storage.data_ptr() == 0


def test_memory_that_numpy_looks_at_cannot_be_resized():
    t = torch.arange(4.0)
    array = t.numpy()
    with pytest.raises(RuntimeError, match="not resizable"):
        t.untyped_storage().resize_(4000)
    assert array.tolist() == [0, 1, 2, 3]
