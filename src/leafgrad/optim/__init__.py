"""Methods that improve parameters by their gradients."""

from leafgrad.optim.adam import Adam as Adam
from leafgrad.optim.adamw import AdamW as AdamW
from leafgrad.optim.optimizer import Optimizer as Optimizer
from leafgrad.optim.sgd import SGD as SGD
