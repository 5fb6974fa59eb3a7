"""PyTorch's paths of the layers, ``nn.modules.<family>``: the modules of `leafgrad.nn` themselves, under both names."""

import sys

from leafgrad.nn import (
    activation,
    attention,
    container,
    dropout,
    flatten,
    linear,
    loss,
    module,
    norm,
    rnn,
    sparse,
    transformer,
)
from leafgrad.nn.activation import *
from leafgrad.nn.attention import *
from leafgrad.nn.container import *
from leafgrad.nn.dropout import *
from leafgrad.nn.flatten import *
from leafgrad.nn.linear import *
from leafgrad.nn.loss import *
from leafgrad.nn.module import *
from leafgrad.nn.norm import *
from leafgrad.nn.rnn import *
from leafgrad.nn.sparse import *
from leafgrad.nn.transformer import *

normalization = norm
_families = {
    "activation": activation,
    "container": container,
    "dropout": dropout,
    "flatten": flatten,
    "linear": linear,
    "loss": loss,
    "module": module,
    "normalization": norm,
    "rnn": rnn,
    "sparse": sparse,
    "transformer": transformer,
}
sys.modules.update({f"{__name__}.{name}": family for name, family in _families.items()})
