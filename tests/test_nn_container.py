"""Containers of modules and parameters: list and dict operations, what they register, how they print."""

from __future__ import annotations

from collections import OrderedDict

import pytest

import leafgrad as torch
from leafgrad import nn


def layers(*sizes):
    return [nn.Linear(1, size) for size in sizes]


def sizes(container):
    return [layer.out_features for layer in container]


def names(module):
    return [name for name, _ in module.named_parameters()]


# ---- Sequential ------------------------------------------------------------------------------------------------------


def test_sequential_calls_one_after_the_other():
    model = nn.Sequential(OrderedDict(twice=nn.Identity(), act=nn.ReLU()))
    model.twice.register_forward_hook(lambda module, args, result: result * 2)
    assert model(torch.tensor([-1.0, 1.0])).tolist() == [0.0, 2.0]
    assert list(model.state_dict()) == [] and [name for name, _ in model.named_children()] == ["twice", "act"]


def test_sequential_indexing_and_slicing():
    a, b, c = layers(1, 2, 3)
    model = nn.Sequential(a, b, c)
    assert model[0] is a and model[-1] is c and len(model) == 3
    assert isinstance(model[1:], nn.Sequential) and list(model[1:]) == [b, c]
    with pytest.raises(IndexError, match="index 3 is out of range"):
        model[3]
    model[1] = nn.ReLU()
    assert isinstance(model[1], nn.ReLU)


def test_sequential_deletion_renumbers():
    model = nn.Sequential(*layers(1, 2, 3, 4))
    del model[1]
    assert sizes(model) == [1, 3, 4] and list(model._modules) == ["0", "1", "2"]
    del model[1:]
    assert sizes(model) == [1]
    assert model.pop(0).out_features == 1 and len(model) == 0


def test_sequential_grows():
    model = nn.Sequential(*layers(1))
    assert model.append(*layers(2)) is model and sizes(model) == [1, 2]
    assert model.insert(0, *layers(5)) is model and sizes(model) == [5, 1, 2]
    model.insert(-1, *layers(7))
    assert sizes(model) == [5, 1, 7, 2]
    assert sizes(model.extend(layers(8, 9))) == [5, 1, 7, 2, 8, 9]
    with pytest.raises(IndexError, match="Index out of range: 9"):
        model.insert(9, *layers(1))
    with pytest.raises(AssertionError, match="module should be of type"):
        model.insert(0, 5)


def test_sequential_arithmetic():
    one, two = nn.Sequential(*layers(1)), nn.Sequential(*layers(2))
    assert sizes(one + two) == [1, 2] and sizes(one) == [1]
    one += two
    assert sizes(one) == [1, 2] and sizes(one * 2) == [1, 2, 1, 2] and sizes(2 * one) == [1, 2, 1, 2]
    one *= 2
    assert sizes(one) == [1, 2, 1, 2] and one[0] is one[2]
    with pytest.raises(ValueError, match="add operator supports only objects of Sequential class"):
        one + 1
    with pytest.raises(TypeError, match="unsupported operand"):
        one * 1.5
    with pytest.raises(ValueError, match="Non-positive multiplication factor"):
        one * 0


# ---- ModuleList and ModuleDict ---------------------------------------------------------------------------------------


def test_module_list_is_a_list_whose_members_are_registered():
    items = nn.ModuleList(layers(1, 2))
    items.append(*layers(3)).extend(layers(4))
    items += layers(5)
    assert sizes(items) == [1, 2, 3, 4, 5] and names(items)[:2] == ["0.weight", "0.bias"]
    items.insert(1, *layers(9))
    assert sizes(items) == [1, 9, 2, 3, 4, 5] and sizes(items[-2:]) == [4, 5]
    assert isinstance(items[:2], nn.ModuleList) and items.pop(-1).out_features == 5
    del items[0], items[1:3]
    assert sizes(items) == [9, 4] and list(items._modules) == ["0", "1"]
    items[0] = nn.Linear(1, 6)
    assert sizes(items + layers(7)) == [6, 4, 7] and len(items) == 2
    with pytest.raises(TypeError, match=r"ModuleList.extend should be called with an iterable, but got int"):
        items.extend(5)
    with pytest.raises(IndexError, match="index 2 is out of range"):
        items[2]
    with pytest.raises(NotImplementedError):
        items(1)


def test_module_list_prints_runs_of_equal_layers_once():
    items = nn.ModuleList([nn.ReLU(), nn.ReLU(), nn.Tanh(), nn.ReLU()])
    assert repr(items) == "ModuleList(\n  (0-1): 2 x ReLU()\n  (2): Tanh()\n  (3): ReLU()\n)"
    assert repr(nn.ModuleList()) == "ModuleList()"
    assert not any(name.isdigit() for name in dir(items))


def test_module_dict_is_a_dict_whose_members_are_registered():
    relu, tanh = nn.ReLU(), nn.Tanh()
    items = nn.ModuleDict({"b": relu})
    items["a"] = tanh
    items.update([("c", nn.Linear(1, 1))])
    assert list(items) == ["b", "a", "c"] and len(items) == 3 and "a" in items and items["a"] is tanh
    assert names(items) == ["c.weight", "c.bias"] and next(iter(items.values())) is relu
    assert items.pop("b") is relu and list(items.keys()) == ["a", "c"]
    del items["a"]
    assert [key for key, _ in items.items()] == ["c"]
    items.update(nn.ModuleDict({"d": relu}))
    assert list(items) == ["c", "d"]
    items.clear()
    assert len(items) == 0
    with pytest.raises(TypeError, match=r"ModuleDict.update should be called with an iterable of key/value pairs"):
        items.update(5)
    with pytest.raises(TypeError, match="element #0 should be Iterable"):
        items.update([5])
    with pytest.raises(ValueError, match="element #0 has length 1; 2 is required"):
        items.update([["a"]])


# ---- ParameterList and ParameterDict ---------------------------------------------------------------------------------


def test_parameter_list_wraps_tensors_and_keeps_other_values():
    items = nn.ParameterList([torch.ones(1), nn.Parameter(torch.ones(2))])
    items.append("text")
    items += [torch.ones(3)]
    assert names(items) == ["0", "1", "3"] and items[2] == "text" and len(items) == 4
    assert isinstance(items[0], nn.Parameter) and items[0].requires_grad
    assert [len(parameter) for parameter in items[:2]] == [1, 2] and isinstance(items[:2], nn.ParameterList)
    items[-1] = torch.zeros(5)
    assert items[3].shape == (5,) and [type(each).__name__ for each in items] == ["Parameter"] * 2 + [
        "str",
        "Parameter",
    ]
    with pytest.raises(TypeError, match=r"ParameterList.extend should be called with an iterable, but got Tensor"):
        items.extend(torch.ones(2))
    with pytest.raises(IndexError, match="index 9 is out of range"):
        items[9]
    with pytest.raises(RuntimeError, match="ParameterList should not be called"):
        items(1)


def test_parameter_list_prints_its_members():
    items = nn.ParameterList([torch.ones(2, 3), 5])
    assert repr(items) == (
        "ParameterList(\n    (0): Parameter containing: [torch.float32 of size 2x3]\n    (1): Object of type: int\n)"
    )


def test_parameter_dict_is_a_dict():
    items = nn.ParameterDict({"b": torch.ones(1), "a": torch.ones(2)})
    assert list(items) == ["a", "b"] and names(items) == ["a", "b"]  # a plain dict is taken in sorted order
    items["c"] = 5
    assert items.get("c") == 5 and items.get("x") is None and "c" in items and len(items) == 3
    assert items.setdefault("d", torch.ones(3)).shape == (3,) and list(reversed(items)) == ["d", "c", "b", "a"]
    assert items.popitem()[0] == "d" and items.pop("c") == 5 and list(items.keys()) == ["a", "b"]
    twin = items.copy()
    assert twin["a"] is items["a"] and list(dict(twin.items())) == ["a", "b"]
    merged = items | nn.ParameterDict({"z": torch.ones(1)})
    assert list(merged) == ["a", "b", "z"] and len(items) == 2
    items |= {"y": torch.ones(1)}
    assert list(items) == ["a", "b", "y"] and len(list(items.values())) == 3
    assert list(items.fromkeys(["p", "q"], 1)) == ["p", "q"]
    del items["a"]
    assert "a" not in items and names(items) == ["b", "y"]
    items.clear()
    assert len(items) == 0 and names(items) == []
    with pytest.raises(TypeError, match="not a string"):
        items[5] = torch.ones(1)
    with pytest.raises(RuntimeError, match="ParameterDict should not be called"):
        items(1)


def test_parameter_dict_prints_its_members():
    items = nn.ParameterDict({"a": torch.ones(2)})
    assert repr(items).startswith("ParameterDict(  (a): Parameter containing: [")
    assert "of size 2]" in repr(items)
