"""The environment of a Python that this package starts."""

from __future__ import annotations

import os
import sys

# The interpreter's are the model's: some, such as a PYTHONHASHSEED out of range, end any Python.
# That of protobuf may name an implementation that is not installed.
_of_the_model = ("PYTHON", "PROTOCOL_BUFFERS_PYTHON_IMPLEMENTATION")


def python_environment() -> dict[str, str]:
    """Return this process's variables, without what may keep another Python from working."""
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith(_of_the_model)
    }
    home = os.environ.get("PYTHONHOME")
    # A Python that is found by it needs it again.
    if home and home.partition(":")[0] == sys.base_prefix:
        environment["PYTHONHOME"] = home
    return environment
