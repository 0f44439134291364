"""What a program sees of the cache that has set up no logging, and what one sees that has."""

from __future__ import annotations

import re
import subprocess
import sys
import textwrap
from typing import TYPE_CHECKING

import pytest

import compilecache
from compilecache import LoadStatus
from compilecache._base.amounts import count_text, size_text
from compilecache.v1 import cache_service_pb2 as pb
from compilecache.v1.transfer_pb2 import (
    LOAD_STATUS_DOES_NOT_EXIST,
    TRANSFER_KIND_LOAD,
    TRANSFER_STATUS_SUCCESS,
    LoadOutcome,
    Transfer,
)
from directories import fill

if TYPE_CHECKING:
    from conftest import Serve
    from model import Model

pytestmark = pytest.mark.daemon

_prefix = "[compilecache] INFO - "


def _lines(model: Model, script: str, **variables: str) -> list[str]:
    """What a script writes to stderr; nothing may come on stdout."""
    process = model.start(script, **variables)
    output, errors = process.communicate()
    assert (process.returncode, output) == (0, ""), errors
    return errors.splitlines()


def test_each_call_says_in_one_line_what_came_of_it(model: Model) -> None:
    model.compile(1)
    script = """
        import compilecache
        compilecache.save_compile_cache()
        compilecache.save_compile_cache()
        compilecache.load_compile_cache()
        compilecache.clear_local_cache()
        compilecache.load_compile_cache()
        compilecache.report()
    """
    where, namespace = re.escape(str(model.local)), model.namespace
    seconds = r"\d+\.\d\d s"
    expected = [
        rf"saved 1 file, .*, from {where} in namespace {namespace} as .* in file://.*; \d+\.\d\d s",
        rf"nothing saved from {where} \(namespace {namespace}, {seconds}\): .* little or .*",
        rf"nothing loaded into {where} \(namespace {namespace}, \d+\.\d\d s, the transfer "
        rf"\d+\.\d\d s\): {where} holds files already, .*; if_local_exists=.*",
        rf"cleared {where}",
        rf"loaded 1 file, .*, of namespace {namespace} into {where}; \d+\.\d\d s, the transfer "
        r"\d+\.\d\d s",
        rf"loaded 1 file, .*, of namespace {namespace} into {where}, in \d+\.\d\d s; it was waited "
        r"for \d+\.\d\d s; since then 0 new files, 0 bytes",
    ]
    lines = _lines(model, script)
    assert len(lines) == len(expected), lines
    for line, text in zip(lines, expected):
        assert re.fullmatch(re.escape(_prefix) + text, line), line


def test_a_merge_says_that_what_was_there_stays(model: Model) -> None:
    model.compile(1)
    script = """
        import compilecache
        compilecache.save_compile_cache()
        compilecache.load_compile_cache(if_local_exists="merge")
    """
    _, loaded = _lines(model, script)
    assert f"into {model.local}, where files that were there stay; " in loaded


def test_calls_in_the_background_say_it_too(model: Model) -> None:
    model.compile(1)
    script = """
        import compilecache
        for start in compilecache.save_compile_cache_async, compilecache.load_compile_cache_async:
            assert compilecache.wait_for_completion(start(), 60)
    """
    saved, loaded = _lines(model, script)
    assert re.search(r"saved 1 file, .* s in the background$", saved)
    assert re.search(r"nothing loaded into .* s in the background\): .* holds files", loaded)


def test_a_misspelled_setting_is_told_once(model: Model) -> None:
    script = """
        import compilecache
        for _ in range(2):
            compilecache.clear_local_cache()
    """
    variables = {"COMPILE_CACHE_NAMESAPCE": "mine", "COMPILE_CACHE_OF_MY_OWN": "1"}
    told = [line for line in _lines(model, script, **variables) if "setting" in line]
    assert told == [
        "[compilecache] WARNING - COMPILE_CACHE_NAMESAPCE is no setting; "
        "did you mean COMPILE_CACHE_NAMESPACE?"
    ]


_miss = "import compilecache; compilecache.load_compile_cache()"


def test_a_miss_says_why(model: Model) -> None:
    model.set_torch_version("2.1.7+cpu")
    model.compile(1)
    compilecache.save_compile_cache()
    compilecache.clear_local_cache()
    (nothing_near,) = _lines(model, _miss, COMPILE_CACHE_NAMESPACE=f"{model.namespace}-typo")
    assert f"(namespace {model.namespace}-typo, " in nothing_near
    assert f"one of this very environment in namespace {model.namespace};" in nothing_near
    assert "COMPILE_CACHE_NAMESPACE" in nothing_near
    model.set_torch_version("2.1.8+cpu")
    (differs,) = _lines(model, _miss)
    assert "differs in torch (2.1.8 here, 2.1.7 there)" in differs
    (nothing,) = _lines(model, _miss, COMPILE_CACHE_NAMESPACE=f"{model.namespace}-new")
    assert nothing.endswith("nor another of this namespace to compare it with")
    assert nothing.startswith(_prefix)


@pytest.mark.usefixtures("model")
def test_a_miss_is_one_call(serve: Serve, caplog: pytest.LogCaptureFixture) -> None:
    """What there is to say of it comes with its answer, also to those who may list nothing."""
    called: list[str] = []

    def load(request: pb.LoadRequest, _context: object) -> pb.LoadResponse:
        called.append("Load")
        outcome = LoadOutcome(
            status=LOAD_STATUS_DOES_NOT_EXIST,
            note="an archive of another kind",
            other_namespaces=["a", "b", "c", "d"],
        )
        transfer = Transfer(
            kind=TRANSFER_KIND_LOAD,
            status=TRANSFER_STATUS_SUCCESS,
            namespace=request.namespace,
            cache_key="0123456789ab",
            load=outcome,
        )
        return pb.LoadResponse(status=outcome.status, transfer=transfer)

    def list_caches(_request: pb.ListCachesRequest, _context: object) -> pb.ListCachesResponse:
        called.append("ListCaches")
        return pb.ListCachesResponse()

    caplog.set_level("INFO")
    address = serve(Load=load, ListCaches=list_caches)
    assert compilecache.load_compile_cache(address=address) == LoadStatus.DOES_NOT_EXIST
    assert called == ["Load"]
    assert "in namespaces a, b, c, ...;" in caplog.text
    assert "is meant; an archive of another kind" in caplog.text


def test_quiet_leaves_errors_alone(model: Model) -> None:
    model.compile(1)
    script = """
        import compilecache
        compilecache.save_compile_cache()
        compilecache.load_compile_cache()
        compilecache.load_compile_cache(address="unix:/nowhere/daemon.sock")
    """
    (line,) = _lines(model, script, COMPILE_CACHE_QUIET="1")
    assert line.startswith(f"[compilecache] ERROR - nothing loaded into {model.local} (")
    assert "no daemon answers" in line
    assert len(_lines(model, script, COMPILE_CACHE_QUIET="0")) == 3


@pytest.mark.parametrize(
    ("set_up", "expected"),
    [
        ("logging.basicConfig(format='root: %(message)s', level='INFO')", ["root: heard"]),
        ("logging.basicConfig(format='root: %(message)s')", []),
        ("logging.getLogger('b10_transfer').addHandler(logging.NullHandler())", []),
        ("compilecache.get_b10_logger('b10_transfer')", ["[compilecache] INFO - heard"]),
        (
            "logging.basicConfig(format='root: %(message)s');"
            "logging.getLogger('b10_transfer').setLevel('INFO')",
            ["root: heard"],
        ),
        (
            "logging.basicConfig(format='root: %(message)s');"
            "logging.getLogger('b10_tcache').setLevel('INFO')",
            ["root: heard"],
        ),
        ("logging.getLogger('b10_transfer').setLevel('WARNING')", []),
        (
            "logging.getLogger('b10_transfer').setLevel('DEBUG')",
            ["[compilecache] INFO - heard", "[compilecache] DEBUG - detail"],
        ),
        ("sys.stderr = None", []),
    ],
)
def test_where_the_program_has_set_up_logging_it_decides(set_up: str, expected: list[str]) -> None:
    """And no line comes twice."""
    script = f"""
        import logging, sys, compilecache
        from compilecache.logger import logger
        {set_up}
        logger.info("heard")
        logger.debug("detail")
    """
    command = [sys.executable, "-W", "error", "-c", textwrap.dedent(script)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr.splitlines()) == ("", expected)


def test_a_late_set_up_counts_from_then_on() -> None:
    script = """
        import logging, compilecache
        from compilecache.logger import logger
        logger.info("before")
        logging.basicConfig(format="root: %(message)s", level="INFO")
        logger.info("after")
    """
    command = [sys.executable, "-c", textwrap.dedent(script)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stderr.splitlines() == [f"{_prefix}before", "root: after"]


def test_the_torch_cache_dir_is_where_it_happens(
    model: Model, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The ancestor's variable names the directory of each call, and each line names it."""
    elsewhere = model.local.with_name(f"{model.local.name}-elsewhere")
    elsewhere.mkdir()
    fill(elsewhere, 2)
    monkeypatch.setenv("TORCH_CACHE_DIR", str(elsewhere))
    caplog.set_level("INFO")
    compilecache.save_compile_cache()
    assert compilecache.get_cache_info()["local_file_count"] == 2
    compilecache.clear_local_cache()
    assert compilecache.load_compile_cache() == LoadStatus.SUCCESS
    assert compilecache.report().local_dir == str(elsewhere)
    assert len(list(elsewhere.rglob("*.*"))) >= 2
    assert not model.local.exists()
    told = [r.getMessage() for r in caplog.records if r.levelname == "INFO"]
    assert len(told) == 4
    assert all(str(elsewhere) in line for line in told), told


def test_amounts_are_as_one_says_them() -> None:
    assert [count_text(n, "file") for n in (0, 1, 2, 12462)] == [
        "0 files",
        "1 file",
        "2 files",
        "12,462 files",
    ]
    sizes = (0, 1, 999, 1000, 999_949, 999_950, 1_500_000, 2_000_000_000)
    assert [size_text(n) for n in sizes] == [
        *("0 bytes", "1 byte", "999 bytes", "1.0 kB", "999.9 kB", "1.0 MB", "1.5 MB", "2.0 GB"),
    ]
