"""Writes kernel-bundle.json: what Python's pickle makes of the shape that torch's bundles have.

torch/_inductor/triton_bundler.py defines these dataclasses; an FX graph entry pickles them as its
member `_triton_bundle`.
"""

import base64
import dataclasses
import json
import pickle
import sys
import types
from pathlib import Path

for package in ("torch", "torch._inductor"):
    sys.modules[package] = types.ModuleType(package)
module = sys.modules["torch._inductor.triton_bundler"] = types.ModuleType(
    "torch._inductor.triton_bundler"
)


def define(name, fields):
    """Make a dataclass of torch's module."""
    made = dataclasses.make_dataclass(name, fields, frozen=True)
    made.__module__ = module.__name__
    setattr(module, name, made)
    return made


File = define("TritonKernelArtifact", ["filename", "payload"])
Kernel = define("TritonKernelArtifacts", ["kernel_hash", "device", "artifacts"])
Bundle = define("TritonBundle", ["kernel_artifacts", "static_autotuners"])

group = b'{"child_paths": {"k.cubin": "[REPLACE]/k.cubin"}}'
first = Kernel("A" * 52, 0, [File("k.cubin", b"cubin of a"), File("__grp__k.json", group)])
second = Kernel("B" * 52, 1, [File("k.cubin", b"cubin of b" * 30)])
# None of these is a kernel, though one looks like it.
others = [1.5, None, True, {"x": -1}, (1, 2, 3, 4), {"kernel_hash": "C" * 52, "device": 0}, 2**70]
entry = {"source_code": "x" * 300, "_triton_bundle": Bundle([first, second], others)}
pickles = {
    f"protocol {protocol}": base64.b64encode(pickle.dumps(entry, protocol)).decode()
    for protocol in (4, 5)
}
Path(__file__).with_suffix(".json").write_text(json.dumps(pickles, indent=2) + "\n")
