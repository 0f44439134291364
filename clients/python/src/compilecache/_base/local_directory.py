"""The directory where torch keeps its cache."""

from __future__ import annotations

import contextlib
import getpass
import os
import re
import tempfile
from typing import Union

from compilecache._base.own_links import opened_through_own_links

LocalDir = Union[str, "os.PathLike[str]"]


def torch_cache_directory() -> str:
    """Return the absolute path of the directory where torch keeps its cache in this process.

    TORCHINDUCTOR_CACHE_DIR, else `torchinductor_<user>` in the temporary directory. The daemon and
    the TypeScript client have the same rule; test/vectors/places.json holds all to it.
    """
    configured = os.environ.get("TORCHINDUCTOR_CACHE_DIR")
    if configured:
        return _absolute(configured)
    user = re.sub(r'[\\/:*?"<>|]', "_", _user_name())
    return _absolute(os.path.join(tempfile.gettempdir(), f"torchinductor_{user}"))


def resolve_local_directory(local_dir: LocalDir | None) -> str:
    """Return the directory that a request means, as an absolute path; links stay.

    The one that is named, else TORCH_CACHE_DIR, else where torch keeps its cache.
    """
    named = local_dir or os.environ.get("TORCH_CACHE_DIR")
    return _absolute(named) if named else torch_cache_directory()


def _absolute(path: LocalDir) -> str:
    try:
        absolute = os.path.abspath(path)
    except FileNotFoundError as error:
        message = f"{os.fspath(path)} is relative to a working directory that is gone"
        raise FileNotFoundError(message) from error
    # Two slashes at the start would stay.
    return re.sub("^//+", "/", absolute)


def create_local_directory(local_dir: str) -> list[str]:
    """Create a directory for a load to fill, so that it belongs to this process's user.

    Return what had to be made for it, outermost first; nothing where another user's link leads. The
    daemon judges a failure: it may see the path elsewhere, or have the right to create it.
    """
    missing: list[str] = []
    path = local_dir
    while not os.path.lexists(path) and path != os.path.dirname(path):
        missing.insert(0, path)
        path = os.path.dirname(path)
    made: list[str] = []
    for path in missing:
        try:
            with opened_through_own_links(os.path.dirname(path)) as above:
                os.mkdir(os.path.basename(path), dir_fd=above)
        except FileExistsError:
            continue
        except OSError:
            break
        made.append(path)
    return made


def remove_made_directories(made: list[str]) -> None:
    """Remove what was made for a load that put nothing there, as far as it is still empty."""
    with contextlib.suppress(OSError):
        for path in reversed(made):
            with opened_through_own_links(os.path.dirname(path)) as above:
                os.rmdir(os.path.basename(path), dir_fd=above)


def _user_name() -> str:
    try:
        return getpass.getuser()
    # A user without an account, as Truss's containers have. This is torch's word for one; the older
    # versions fail there, unless the variable is set.
    except (KeyError, OSError):
        return f"uid_{os.getuid()}"
