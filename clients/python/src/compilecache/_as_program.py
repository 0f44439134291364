"""The command line of this package, in any Python: `PYTHON _as_program.py run ...`.

Node starts it so, and `--python`. That Python's own package comes first, if it has one; else this
copy works there, and nothing else of the place where it lies is imported. Neither is anything of
the working directory. An older Python must be able to read this and say what is wrong.
"""

import os
import sys

if sys.version_info < (3, 9):  # noqa: UP036
    sys.exit(
        "compilecache: it needs Python 3.9 or newer, and {} is {}.{}; name another with"
        " --python".format(sys.executable, *sys.version_info[:2])
    )

_package = os.path.dirname(os.path.realpath(__file__))
# A script's directory comes first on the path, and holds no modules for others.
sys.path[:] = [entry for entry in sys.path if entry and os.path.realpath(entry) != _package]


def _use_this_copy() -> None:
    import importlib.util

    installed = importlib.util.find_spec("compilecache")
    # A mere directory of that name is no package of ours.
    if installed is not None and installed.origin is not None:
        return
    spec = importlib.util.spec_from_file_location(
        "compilecache",
        os.path.join(_package, "__init__.py"),
        submodule_search_locations=[_package],
    )
    loader = getattr(spec, "loader", None)
    if spec is None or loader is None:
        sys.exit("compilecache: its Python package is not whole: " + _package)
    module = importlib.util.module_from_spec(spec)
    sys.modules["compilecache"] = module
    loader.exec_module(module)


if __name__ == "__main__":
    _use_this_copy()
    from compilecache.__main__ import main

    main(in_this_python=True)
