"""Layers, containers and losses: building blocks of models."""

from leafgrad.nn import functional as functional
from leafgrad.nn import init as init
from leafgrad.nn import modules as modules
from leafgrad.nn import utils as utils
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
from leafgrad.nn.module import Module as Module
from leafgrad.nn.norm import *
from leafgrad.nn.parameter import Buffer as Buffer
from leafgrad.nn.parameter import Parameter as Parameter
from leafgrad.nn.pooling import *
from leafgrad.nn.rnn import *
from leafgrad.nn.sparse import *
from leafgrad.nn.transformer import *
