"""Stands in for torch: the part that the example needs, and what a cache sees of `compile`."""

import contextlib
import os
import uuid
from pathlib import Path
from types import SimpleNamespace

from . import version as version


class _Module:
    def __init__(self, *parts):
        pass

    def eval(self):
        return self

    def __call__(self, rows):
        return rows


nn = SimpleNamespace(Sequential=_Module, Linear=_Module, GELU=_Module)
inference_mode = contextlib.nullcontext


class tensor(list):
    def tolist(self):
        return list(self)


def compile(module):
    """Leave a kernel like no other in the local directory, where there is none."""

    def run(rows):
        kernel = Path(os.environ["TORCHINDUCTOR_CACHE_DIR"], "kernel")
        if not kernel.exists():
            kernel.parent.mkdir(parents=True, exist_ok=True)
            kernel.write_text(str(uuid.uuid4()))
        return module(rows)

    return run
