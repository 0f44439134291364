"""The environment of a daemon that Python starts."""

from __future__ import annotations

import os

# Node's own, npm's, and those of the library below Node: what the model's programs say to each
# other. Some end a Node at once (a module that is missing, a channel that is not open).
_of_other_programs = ("NODE_", "npm_", "UV_", "ELECTRON_", "LD_PRELOAD", "LD_AUDIT")
# How Node gets to the network and whom it trusts there is the machine's.
_kept = {"NODE_EXTRA_CA_CERTS", "NODE_USE_SYSTEM_CA", "NODE_USE_ENV_PROXY"}


def daemon_environment() -> dict[str, str]:
    """Return this process's variables, without what they tell other programs of Node's kind.

    Nothing may weaken the daemon either: NODE_TLS_REJECT_UNAUTHORIZED is left out with the rest.
    """
    environment = {
        name: value
        for name, value in os.environ.items()
        if name in _kept or not name.startswith(_of_other_programs)
    }
    # As `serve` would set it, which starts itself anew for that, and Node then lets go of the lock.
    environment.setdefault("MALLOC_ARENA_MAX", "2")
    return environment
