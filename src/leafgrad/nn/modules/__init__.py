"""PyTorch's paths of the layers, ``nn.modules.<family>``: the modules of `leafgrad.nn` themselves, under both names."""

import sys

from leafgrad.nn import (
    activation,
    attention,
    batchnorm,
    container,
    conv,
    dropout,
    flatten,
    instancenorm,
    linear,
    loss,
    module,
    norm,
    pooling,
    rnn,
    sparse,
    transformer,
)
from leafgrad.nn.activation import *
from leafgrad.nn.attention import *
from leafgrad.nn.batchnorm import *
from leafgrad.nn.container import *
from leafgrad.nn.conv import *
from leafgrad.nn.dropout import *
from leafgrad.nn.flatten import *
from leafgrad.nn.instancenorm import *
from leafgrad.nn.linear import *
from leafgrad.nn.loss import *
from leafgrad.nn.module import *
from leafgrad.nn.norm import *
from leafgrad.nn.pooling import *
from leafgrad.nn.rnn import *
from leafgrad.nn.sparse import *
from leafgrad.nn.transformer import *

normalization = norm
_families = {
    "activation": activation,
    "attention": attention,
    "batchnorm": batchnorm,
    "container": container,
    "conv": conv,
    "dropout": dropout,
    "flatten": flatten,
    "instancenorm": instancenorm,
    "linear": linear,
    "loss": loss,
    "module": module,
    "normalization": norm,
    "pooling": pooling,
    "rnn": rnn,
    "sparse": sparse,
    "transformer": transformer,
}
sys.modules.update({f"{__name__}.{name}": family for name, family in _families.items()})
