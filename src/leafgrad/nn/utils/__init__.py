"""Helpers for gradients and parameters as a whole."""

from leafgrad.nn.utils.clip_grad import *
from leafgrad.nn.utils.convert_parameters import *
from leafgrad.nn.utils import rnn as rnn
