"""The op table: every operator, with its reference and the calls to try it on. See optable/ for the families."""

from __future__ import annotations

import importlib
import pkgutil

import optable

FAMILIES = sorted(module.name for module in pkgutil.iter_modules(optable.__path__))
OPS = [op for family in FAMILIES for op in importlib.import_module(f"optable.{family}").OPS]
