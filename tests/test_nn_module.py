"""`nn.Module`: attributes and registration, walking the tree, conversion, hooks, state, copies and printing."""

from __future__ import annotations

import copy
import io
import pickle
import warnings
from collections import OrderedDict

import pytest
from support import assert_near

import leafgrad as torch
from leafgrad import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = nn.Linear(2, 3)
        self.second = nn.Linear(3, 1, bias=False)
        self.register_buffer("count", torch.zeros(()))
        self.register_buffer("scratch", torch.ones(2), persistent=False)

    def forward(self, x):
        return self.second(torch.relu(self.first(x)))


# ---- Attributes and registration -------------------------------------------------------------------------------------


def test_assigned_members_are_registered_and_found():
    net = Net()
    net.extra = nn.Parameter(torch.ones(2))
    assert [name for name, _ in net.named_parameters()] == ["extra", "first.weight", "first.bias", "second.weight"]
    assert net.extra is net._parameters["extra"] and "extra" not in net.__dict__
    assert [name for name, _ in net.named_buffers()] == ["count", "scratch"]
    assert [name for name, _ in net.named_children()] == ["first", "second"]
    assert {"first", "count", "extra"} <= set(dir(net))


def test_a_member_changes_kind_when_something_else_is_assigned_over_it():
    net = Net()
    net.count = nn.Parameter(torch.ones(1))
    assert "count" in net._parameters and "count" not in net._buffers
    net.first = nn.Parameter(torch.ones(1))
    assert "first" in net._parameters and "first" not in net._modules
    net.plain = 5
    net.plain = nn.ReLU()
    assert "plain" in net._modules and "plain" not in net.__dict__
    del net.plain
    net.fresh = nn.Buffer(torch.ones(3), persistent=False)
    assert "fresh" in net._buffers and "fresh" not in net.__dict__ and "fresh" not in net.state_dict()
    net.second = None
    assert net.second is None and "second" in net._modules


def test_deleting_a_member_takes_it_out():
    net = Net()
    del net.first, net.count
    assert not hasattr(net, "first") and "count" not in net.state_dict()
    with pytest.raises(AttributeError, match="'Net' object has no attribute 'first'"):
        _ = net.first


def test_a_plain_tensor_cannot_replace_a_parameter():
    net = Net()
    with pytest.raises(TypeError, match=r"cannot assign 'torch.FloatTensor' as parameter 'weight'.*or None expected"):
        net.first.weight = torch.ones(3, 2)
    net.first.weight = None
    assert net.first.weight is None and [name for name, _ in net.first.named_parameters()] == ["bias"]


@pytest.mark.leafgrad_only
def test_the_refusal_names_the_module_and_the_remedy():
    with pytest.raises(TypeError, match=r"of Linear .*nn.Parameter\(tensor\)"):
        nn.Linear(1, 1).weight = torch.ones(1, 1)


def test_wrong_members_are_refused():
    net = Net()
    with pytest.raises(TypeError, match="as child module 'first'"):
        net.first = 5
    with pytest.raises(TypeError, match="as buffer 'count'"):
        net.count = "text"
    with pytest.raises(TypeError, match=r"object to parameter 'w'"):
        net.register_parameter("w", torch.ones(1))
    with pytest.raises(ValueError, match="Cannot assign non-leaf Tensor to parameter 'w'"):
        leaf = nn.Parameter(torch.ones(1))
        product = leaf * 2
        product._is_param = True
        net.register_parameter("w", product)
    with pytest.raises(KeyError, match="attribute 'forward' already exists"):
        net.register_buffer("forward", None)
    with pytest.raises(KeyError, match=r"name can.*t contain"):
        net.register_parameter("a.b", None)
    with pytest.raises(KeyError, match="be empty string"):
        net.add_module("", None)
    with pytest.raises(TypeError, match="is not a Module subclass"):
        net.add_module("x", 5)
    with pytest.raises(TypeError, match="buffer name should be a string"):
        net.register_buffer(5, None)


def test_members_before_init_are_refused():
    class Hasty(nn.Module):
        def __init__(self, value):
            self.member = value

    for value in (nn.Parameter(torch.ones(1)), nn.ReLU(), nn.Buffer(torch.ones(1))):
        with pytest.raises(AttributeError, match=r"before Module.__init__\(\) call"):
            Hasty(value)


def test_init_takes_no_arguments_unless_told_to_hand_them_on():
    with pytest.raises(TypeError, match="unexpected keyword argument 'a'"):
        nn.Module(a=1)
    with pytest.raises(TypeError, match="takes 1 positional argument but 3 were given"):
        nn.Module(1, 2)

    class Base:
        def __init__(self, value):
            self.value = value

    class Both(nn.Module, Base):
        call_super_init = True

    assert Both(7).value == 7


def test_forward_must_be_defined():
    with pytest.raises(NotImplementedError, match=r'Module \[Module\] is missing the required "forward" function'):
        nn.Module()(1)


def test_parameter_and_buffer_are_tensors_of_their_own_kind():
    data = torch.ones(2)
    parameter = nn.Parameter(data)
    assert parameter.requires_grad and parameter.is_leaf and isinstance(parameter, torch.Tensor)
    assert parameter.data_ptr() == data.data_ptr()
    assert repr(parameter) == "Parameter containing:\ntensor([1., 1.], requires_grad=True)"
    assert not isinstance(parameter * 2, nn.Parameter) and type(parameter * 2) is torch.Tensor
    assert not nn.Parameter(torch.tensor([1]), requires_grad=False).requires_grad
    assert isinstance(nn.Buffer(data), nn.Buffer) and not isinstance(data, nn.Buffer)
    assert nn.Parameter().shape == (0,)


# ---- Walking the tree ------------------------------------------------------------------------------------------------


def test_shared_members_are_given_once_unless_asked_otherwise():
    shared = nn.Linear(1, 1)
    net = nn.Sequential(shared, shared)
    assert len(list(net.parameters())) == 2
    assert [name for name, _ in net.named_parameters(remove_duplicate=False)] == [
        "0.weight",
        "0.bias",
        "1.weight",
        "1.bias",
    ]
    assert len(list(net.modules())) == 2 and len(list(net.modules(remove_duplicate=False))) == 3
    assert len(list(net.children())) == 1


def test_prefix_and_recurse():
    net = Net()
    assert [name for name, _ in net.first.named_parameters(prefix="p")] == ["p.weight", "p.bias"]
    assert [name for name, _ in net.named_parameters(recurse=False)] == []
    assert [name for name, _ in net.named_modules(prefix="root")] == ["root", "root.first", "root.second"]


def test_members_are_found_by_path():
    net = nn.Sequential(OrderedDict(inner=Net()))
    assert net.get_submodule("inner.first") is net.inner.first and net.get_submodule("") is net
    assert net.get_parameter("inner.first.bias") is net.inner.first.bias
    assert net.get_buffer("inner.count") is net.inner.count
    with pytest.raises(AttributeError, match="Net has no attribute `third`"):
        net.get_submodule("inner.third.x")
    with pytest.raises(AttributeError, match=r"`count` is not an nn.Module"):
        net.get_submodule("inner.count")
    with pytest.raises(AttributeError, match=r"`count` is not an nn.Parameter"):
        net.get_parameter("inner.count")
    with pytest.raises(AttributeError, match="`weight` is not a buffer"):
        net.get_buffer("inner.first.weight")
    net.set_submodule("inner.first", nn.Identity())
    assert isinstance(net.inner.first, nn.Identity)
    with pytest.raises(AttributeError, match="has no attribute `new`"):
        net.set_submodule("inner.new", nn.Identity(), strict=True)


def test_apply_visits_children_first():
    seen = []
    net = Net()
    assert net.apply(lambda module: seen.append(type(module).__name__)) is net
    assert seen == ["Linear", "Linear", "Net"]


# ---- Modes, gradients, conversion ------------------------------------------------------------------------------------


def test_train_and_eval_reach_all_modules():
    net = Net()
    assert net.eval() is net and not any(module.training for module in net.modules())
    assert net.train() is net and all(module.training for module in net.modules())
    with pytest.raises(ValueError, match="training mode is expected to be boolean"):
        net.train(1)


def test_freezing_and_zeroing_gradients():
    net = Net()
    net.first.requires_grad_(False)
    net(torch.ones(4, 2)).sum().backward()
    assert net.first.weight.grad is None and net.second.weight.grad is not None
    net.zero_grad(set_to_none=False)
    assert_near(net.second.weight.grad, [[0.0, 0.0, 0.0]])
    net.zero_grad()
    assert net.second.weight.grad is None


def test_conversion_keeps_parameters_the_same_objects():
    net = Net()
    net.register_buffer("steps", torch.tensor([3]))
    net(torch.ones(1, 2)).sum().backward()
    weight, grad = net.first.weight, net.first.weight.grad
    assert net.double() is net and net.first.weight is weight
    assert weight.dtype == torch.float64 and weight.grad is grad and grad.dtype == torch.float64
    assert net.count.dtype == torch.float64 and net.steps.dtype == torch.int64
    net.to(torch.float32)
    assert weight.dtype == torch.float32 and net.to("cpu").first.weight is weight
    net.to(torch.ones(1, dtype=torch.float64))
    assert weight.dtype == torch.float64
    net.half().bfloat16().float()
    assert weight.dtype == torch.float32 and weight.is_leaf and weight.requires_grad
    with pytest.raises(TypeError, match="only accepts floating point or complex dtypes"):
        net.to(torch.int64)
    net.type(torch.float64)
    assert net.steps.dtype == torch.float64


def test_moving_to_meta_and_back_empty():
    net = Net().to("meta")
    assert net.first.weight.is_meta and isinstance(net.first.weight, nn.Parameter)
    assert net.to_empty(device="cpu").first.weight.shape == (3, 2)
    assert not net.first.weight.is_meta and net.first.weight.requires_grad


# ---- Forward hooks ---------------------------------------------------------------------------------------------------


def test_forward_hooks_may_replace_arguments_and_result():
    net = nn.Identity()
    order = []
    net.register_forward_pre_hook(lambda module, args: order.append("pre") or (args[0] + 1,))
    net.register_forward_pre_hook(lambda module, args: order.append("first"), prepend=True)
    handle = net.register_forward_hook(lambda module, args, result: order.append("post") or result * 10)
    assert net(1) == 20 and order == ["first", "pre", "post"]
    handle.remove()
    assert net(1) == 2
    with net.register_forward_hook(lambda module, args, result: 0):
        assert net(1) == 0
    assert net(1) == 2


def test_hooks_with_kwargs():
    class Add(nn.Module):
        def forward(self, a, b=0):
            return a + b

    net = Add()
    net.register_forward_pre_hook(lambda module, args, kwargs: (args, {"b": kwargs["b"] + 1}), with_kwargs=True)
    net.register_forward_hook(lambda module, args, kwargs, result: (result, kwargs), with_kwargs=True)
    assert net(1, b=2) == (4, {"b": 3})
    net.register_forward_pre_hook(lambda module, args, kwargs: 5, with_kwargs=True)
    with pytest.raises(RuntimeError, match=r"must return None or a tuple of \(new_args, new_kwargs\), but got 5"):
        net(1, b=2)


def test_hooks_that_are_always_called_see_failures():
    class Fails(nn.Module):
        def forward(self, x):
            raise ValueError("no")

    net, seen = Fails(), []
    net.register_forward_hook(lambda module, args, result: seen.append("skipped"))
    net.register_forward_hook(lambda module, args, result: seen.append(result), always_call=True)
    with pytest.raises(ValueError, match="no"):
        net(1)
    assert seen == [None]

    def broken(module, args, result):
        raise RuntimeError("hook")

    net.register_forward_hook(broken, always_call=True)
    with pytest.warns(UserWarning, match="always_call=True`` raised an exception"), pytest.raises(ValueError):
        net(1)


def test_hooks_on_all_modules():
    module_api = nn.modules.module
    seen = []
    handles = [
        module_api.register_module_forward_pre_hook(lambda module, args: seen.append("pre")),
        module_api.register_module_forward_hook(lambda module, args, result: seen.append("post")),
        module_api.register_module_parameter_registration_hook(lambda module, name, value: seen.append(name)),
        module_api.register_module_buffer_registration_hook(lambda module, name, value: seen.append(name)),
        module_api.register_module_module_registration_hook(lambda module, name, value: seen.append(name)),
    ]
    try:
        nn.Identity()(1)
        assert seen == ["pre", "post"]
        Net()
        assert seen[2:] == ["weight", "bias", "first", "weight", "second", "count", "scratch"]
    finally:
        for handle in handles:
            handle.remove()
    nn.Identity()(1)
    assert len(seen) == 9


# ---- Backward hooks --------------------------------------------------------------------------------------------------


def test_full_backward_hook_sees_and_replaces_gradients():
    net = nn.Linear(2, 1, bias=False)
    with torch.no_grad():
        net.weight.copy_(torch.tensor([[2.0, 3.0]]))
    seen = {}

    def hook(module, grad_input, grad_output):
        seen.update(grad_input=grad_input, grad_output=grad_output, module=module)
        return (grad_input[0] * 10,)

    net.register_full_backward_hook(hook)
    x = torch.ones(1, 2, requires_grad=True)
    net(x).backward(torch.tensor([[4.0]]))
    assert seen["module"] is net
    assert_near(seen["grad_output"][0], [[4.0]])
    assert_near(seen["grad_input"][0], [[8.0, 12.0]])
    assert_near(x.grad, [[80.0, 120.0]])
    assert_near(net.weight.grad, [[4.0, 4.0]])


@pytest.mark.filterwarnings("ignore:Full backward hook is firing")
def test_full_backward_pre_hook_replaces_the_gradient_of_the_output():
    net = nn.Linear(1, 1, bias=False)
    net.register_full_backward_pre_hook(lambda module, grad_output: (grad_output[0] * 5,))
    net(torch.ones(1, 1)).backward()
    assert_near(net.weight.grad, [[5.0]])


def test_full_backward_hook_without_inputs_that_require_grad_warns():
    net = nn.Linear(1, 1)
    net.register_full_backward_hook(lambda module, grad_in, grad_out: None)
    with pytest.warns(UserWarning, match="Full backward hook is firing .* since no inputs require gradients"):
        net(torch.ones(1, 1)).backward()


@pytest.mark.filterwarnings("ignore:Full backward hook is firing")
def test_full_backward_hook_without_inputs_that_require_grad():
    net, seen = nn.Linear(1, 1), []
    handle = net.register_full_backward_hook(
        lambda module, grad_in, grad_out: seen.append((grad_in, grad_out[0].item()))
    )
    net(torch.ones(1, 1)).backward()
    assert seen == [((None,), 1.0)]
    handle.remove()
    net.register_full_backward_hook(lambda module, grad_in, grad_out: (torch.ones(1, 1),))
    with pytest.raises(RuntimeError, match="where no input requires gradient should always return None"):
        net(torch.ones(1, 1)).backward()


def test_backward_hook_with_several_arguments_and_outputs():
    class Swap(nn.Module):
        def forward(self, a, label, b):
            return b * 2, a * 3

    net, seen = Swap(), []
    net.register_full_backward_hook(lambda module, grad_in, grad_out: seen.append((grad_in, grad_out)))
    a, b = torch.ones(1, requires_grad=True), torch.ones(1, requires_grad=True)
    first, second = net(a, "text", b)
    (first * 5 + second * 7).backward()
    ((grad_in, grad_out),) = seen
    assert grad_in[1] is None and (grad_in[0].item(), grad_in[2].item()) == (21.0, 10.0)
    assert (grad_out[0].item(), grad_out[1].item()) == (5.0, 7.0)


def test_wrong_number_of_gradients_from_a_backward_hook():
    net = nn.Identity()
    net.register_full_backward_hook(lambda module, grad_in, grad_out: (grad_in[0], None))
    with pytest.raises(RuntimeError, match="invalid number of grad_input, got 2, but expected 1"):
        net(torch.ones(1, requires_grad=True) * 1).sum().backward()


def test_full_and_plain_backward_hooks_do_not_mix():
    net = nn.Identity()
    net.register_full_backward_hook(lambda *args: None)
    with pytest.raises(RuntimeError, match="Cannot use both regular backward hooks and full backward hooks"):
        net.register_backward_hook(lambda *args: None)


# ---- State -----------------------------------------------------------------------------------------------------------


def test_state_dict_has_parameters_and_persistent_buffers():
    net = Net()
    state = net.state_dict()
    assert list(state) == ["count", "first.weight", "first.bias", "second.weight"]
    assert not state["first.weight"].requires_grad and type(state["first.weight"]) is torch.Tensor
    assert state["first.weight"].data_ptr() == net.first.weight.data_ptr()
    assert net.state_dict(keep_vars=True)["first.weight"] is net.first.weight
    assert next(iter(net.state_dict(prefix="net."))) == "net.count"
    assert state._metadata["first"] == {"version": 1}


def test_load_state_dict_copies_values():
    net, other = Net(), Net()
    weight = net.first.weight
    result = net.load_state_dict(other.state_dict())
    assert net.first.weight is weight and torch.equal(weight, other.first.weight)
    assert weight.data_ptr() != other.first.weight.data_ptr()
    assert repr(result) == "<All keys matched successfully>" and result.missing_keys == []


def test_load_state_dict_names_all_that_does_not_match():
    net = Net()
    state = net.state_dict()
    del state["first.bias"]
    state["third"] = torch.ones(1)
    state["second.weight"] = torch.ones(2, 3)
    with pytest.raises(RuntimeError) as caught:
        net.load_state_dict(state)
    assert str(caught.value) == (
        "Error(s) in loading state_dict for Net:\n\t"
        'Missing key(s) in state_dict: "first.bias". \n\t'
        'Unexpected key(s) in state_dict: "third". \n\t'
        "size mismatch for second.weight: copying a param with shape torch.Size([2, 3]) from checkpoint, the shape in "
        "current model is torch.Size([1, 3])."
    )
    del state["second.weight"]
    result = net.load_state_dict(state, strict=False)
    assert result.missing_keys == ["first.bias", "second.weight"] and result.unexpected_keys == ["third"]
    with pytest.raises(TypeError, match="Expected state_dict to be dict-like"):
        net.load_state_dict([1])
    state["second.weight"] = 5
    with pytest.raises(RuntimeError, match=r'named "second.weight", expected torch.Tensor or Tensor-like object'):
        net.load_state_dict(state, strict=False)


def test_load_state_dict_by_assignment():
    net, state = Net(), Net().double().state_dict()
    net.first.requires_grad_(False)
    net.load_state_dict(state, assign=True)
    assert net.first.weight.dtype == torch.float64 and isinstance(net.first.weight, nn.Parameter)
    assert not net.first.weight.requires_grad and net.second.weight.requires_grad
    assert net.first.weight.data_ptr() == state["first.weight"].data_ptr()


def test_state_dict_hooks_run_in_their_places():
    net, calls = Net(), []
    net.register_state_dict_pre_hook(lambda module, prefix, keep_vars: calls.append(("pre", prefix, keep_vars)))

    def drop_count(module, state, prefix, metadata):
        del state["count"]

    net.register_state_dict_post_hook(drop_count)
    state = net.state_dict()
    assert calls == [("pre", "", False)] and "count" not in state

    def complete(module, state, prefix, metadata, strict, missing, unexpected, errors):
        calls.append(("load", prefix, metadata.get("version"), strict))
        state["count"] = torch.ones(())

    net.register_load_state_dict_pre_hook(complete)
    net.register_load_state_dict_post_hook(lambda module, keys: calls.append(keys.missing_keys[:]))
    net.load_state_dict(state)
    assert calls[1:] == [("load", "", 1, True), []] and net.count.item() == 1
    net.register_load_state_dict_post_hook(lambda module, keys: 5)
    with pytest.raises(AssertionError, match="not expected to return new"):
        net.load_state_dict(state)


def test_extra_state_is_saved_and_loaded():
    class Counter(nn.Module):
        n = 0

        def get_extra_state(self):
            return {"n": self.n}

        def set_extra_state(self, state):
            self.n = state["n"]

    net, other = Counter(), Counter()
    net.n = 4
    assert net.state_dict() == {"_extra_state": {"n": 4}}
    other.load_state_dict(net.state_dict())
    assert other.n == 4
    with pytest.raises(RuntimeError, match=r'Missing key.*"_extra_state"'):
        other.load_state_dict({})


# ---- Copies, pickling, printing --------------------------------------------------------------------------------------


def test_deepcopy_and_pickle_give_independent_equal_modules():
    net = Net()
    net(torch.ones(1, 2)).sum().backward()
    for twin in (copy.deepcopy(net), pickle.loads(pickle.dumps(net))):
        assert torch.equal(twin.first.weight, net.first.weight) and twin.first.weight is not net.first.weight
        assert isinstance(twin.first.weight, nn.Parameter) and twin.first.weight.requires_grad
        with torch.no_grad():
            twin.first.weight.add_(1)
        assert not torch.equal(twin.first.weight, net.first.weight)
        assert "scratch" not in twin.state_dict()


def test_deepcopy_keeps_shared_parameters_shared():
    layer = nn.Linear(2, 2)
    twin = copy.deepcopy(nn.Sequential(layer, layer))
    assert twin[0] is twin[1] and len(list(twin.parameters())) == 2


def test_state_saved_before_a_field_existed_is_completed():
    state = Net().__dict__.copy()
    del state["_forward_hooks_with_kwargs"], state["_state_dict_pre_hooks"]
    net = Net.__new__(Net)
    net.__setstate__(state)
    assert net(torch.ones(1, 2)).shape == (1, 1) and net.state_dict()


@pytest.mark.leafgrad_only
def test_deepcopy_says_where_a_module_holds_a_non_leaf():
    net = nn.Sequential(Net())
    net[0].first.cache = [None, {"h": net[0].first.weight * 2}]
    with pytest.raises(RuntimeError, match=r"Only Tensors created explicitly by the user") as caught:
        copy.deepcopy(net)
    assert "0.first.cache[1]['h'] of the Sequential" in str(caught.value)


def test_printing_of_modules():
    net = Net()
    net.empty = None
    assert repr(net) == (
        "Net(\n  (first): Linear(in_features=2, out_features=3, bias=True)\n"
        "  (second): Linear(in_features=3, out_features=1, bias=False)\n)"
    )
    assert repr(nn.Module()) == "Module()"

    class Lines(nn.Module):
        def extra_repr(self):
            return "a\nb"

    lines = Lines()
    lines.child = nn.ReLU()
    assert repr(lines) == "Lines(\n  a\n  b\n  (child): ReLU()\n)"


def test_positional_state_dict_arguments_warn():
    destination = OrderedDict()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(FutureWarning, match="Positional args are being deprecated"):
            nn.ReLU().state_dict(destination)
    with io.StringIO():
        assert nn.ReLU().state_dict(destination=destination) is destination


def test_layers_are_found_under_their_families_too():
    from leafgrad.nn.modules.container import Sequential
    from leafgrad.nn.modules.module import Module

    assert Module is nn.Module and Sequential is nn.Sequential and nn.modules.linear.Linear is nn.Linear
