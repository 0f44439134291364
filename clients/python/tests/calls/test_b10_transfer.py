"""Models that were written for b10-transfer, run with this package in its place.

The models are ours, and use all of its calls in the ways that its documentation shows.
"""

from __future__ import annotations

import inspect
import logging
from dataclasses import fields
from typing import TYPE_CHECKING, Any

import pytest

import compilecache as b10_transfer
from ancestor_models import torch_that_compiles, version_0_0, version_0_4
from directories import facts_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from model import Model

_version_0_0_in_background = """
    import time
    import compilecache as b10_transfer
    import torch

    told = []

    def on_progress(operation_id: str):
        told.append(b10_transfer.get_transfer_status(operation_id).status)

    def answer(question):
        return 42

    def load():
        loading = b10_transfer.load_compile_cache_async(progress_callback=on_progress)
        while not b10_transfer.is_transfer_complete(loading):
            assert isinstance(
                b10_transfer.get_transfer_status(loading).status, b10_transfer.AsyncTransferStatus
            )
            time.sleep(0.02)
        ended = b10_transfer.get_transfer_status(loading)
        assert ended.status == b10_transfer.AsyncTransferStatus.SUCCESS, ended
        assert b10_transfer.wait_for_completion(loading)
        assert told[-1] == b10_transfer.AsyncTransferStatus.SUCCESS
        model = torch.compile(answer)
        model("a dummy question")
        saving = b10_transfer.save_compile_cache_async()
        assert b10_transfer.wait_for_completion(saving, timeout=300)
        assert b10_transfer.list_active_transfers() == {}

    load()
    print(torch.compiled)
"""


@pytest.fixture
def torch_model(model: Model) -> Model:
    (model.packages / "torch" / "__init__.py").write_text(torch_that_compiles)
    return model


def _start_elsewhere(model: Model) -> None:
    for name in facts_of(model.local):
        (model.local / name).unlink()


def test_a_model_of_version_0_0(torch_model: Model) -> None:
    assert torch_model.run(version_0_0) == "DOES_NOT_EXIST 1\n"
    _start_elsewhere(torch_model)
    assert torch_model.run(version_0_0) == "SUCCESS 0\n"


def test_a_model_of_version_0_0_in_the_background(torch_model: Model) -> None:
    assert torch_model.run(_version_0_0_in_background) == "1\n"
    _start_elsewhere(torch_model)
    assert torch_model.run(_version_0_0_in_background) == "0\n"


def test_a_model_of_version_0_4(torch_model: Model) -> None:
    assert torch_model.run(version_0_4) == "DOES_NOT_EXIST 1\n"
    _start_elsewhere(torch_model)
    assert torch_model.run(version_0_4) == "SUCCESS 0\n"


def test_a_model_of_version_0_4_without_a_daemon(torch_model: Model) -> None:
    no_daemon = "unix:/nowhere/daemon.sock"
    assert torch_model.run(version_0_4, COMPILE_CACHE_ADDRESS=no_daemon) == "eager\n"


def test_transfers_of_one_s_own(torch_model: Model) -> None:
    script = """
        import shutil, tempfile
        from pathlib import Path
        import compilecache as b10_transfer

        def my_custom_callback(source: Path, dest: Path):
            shutil.copy2(source, dest)

        directory = Path(tempfile.mkdtemp())
        (directory / "file.txt").write_text("content")
        operation_id = b10_transfer.start_transfer_async(
            source=directory / "file.txt",
            dest=directory / "copy.txt",
            callback=my_custom_callback,
            operation_name="custom_file_copy",
            monitor_local=True,
            monitor_b10fs=False,
        )
        assert b10_transfer.wait_for_completion(operation_id)
        print((directory / "copy.txt").read_text())
        shutil.rmtree(directory)
    """
    assert torch_model.run(script) == "content\n"


def test_looking_around(torch_model: Model) -> None:
    torch_model.run(version_0_0)
    script = """
        import logging
        import compilecache as b10_transfer

        logging.getLogger("b10_transfer").setLevel(logging.DEBUG)
        info = b10_transfer.get_cache_info()
        print(info["local_cache_exists"], info["b10fs_enabled"], info["b10fs_cache_exists"])
        print(f"{info['local_cache_size_mb']:.1f} {info['b10fs_cache_size_mb']:.1f}")
        caches = b10_transfer.list_available_caches(namespace=info["namespace"])
        print(caches["total_caches"], caches["current_cache_exists"])
        for cache in caches["caches"]:
            assert cache["environment_key"] == info["environment_key"]
            print(f"{cache['size_mb']:.1f}", cache["is_current_environment"])
        print(b10_transfer.clear_local_cache())
    """
    assert torch_model.run(script) == "True True True\n0.0 0.0\n1 True\n0.0 True\nTrue\n"
    assert facts_of(torch_model.local) == {}


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("load_compile_cache", ""),
        ("save_compile_cache", ""),
        ("clear_local_cache", ""),
        ("get_cache_info", ""),
        ("list_available_caches", ""),
        ("load_compile_cache_async", "progress_callback=None"),
        ("save_compile_cache_async", "progress_callback=None"),
        (
            "start_transfer_async",
            "source dest callback=None operation_name='' progress_callback=None "
            "monitor_local=True monitor_b10fs=True **callback_kwargs",
        ),
        (
            "transfer",
            "source dest callback=None *callback_args monitor_local=True monitor_b10fs=True "
            "**callback_kwargs",
        ),
        ("get_transfer_status", "operation_id"),
        ("is_transfer_complete", "operation_id"),
        ("wait_for_completion", "operation_id timeout=None"),
        ("cancel_transfer", "operation_id"),
        ("list_active_transfers", ""),
        ("save_vllm_compile_cache", ""),
        ("get_b10_logger", "name"),
    ],
)
def test_the_calls_take_what_they_took(name: str, parameters: str) -> None:
    def described() -> Iterator[str]:
        whose = ("namespace", "environment", "root", "local_dir", "address")
        ours = (*whose, "deadline_seconds", "profile")
        for parameter in inspect.signature(getattr(b10_transfer, name)).parameters.values():
            if parameter.name in ours or parameter.name.startswith("if_"):
                assert parameter.default is not parameter.empty
                assert parameter.kind is parameter.KEYWORD_ONLY
                continue
            text = str(parameter.replace(annotation=parameter.empty))
            yield text.replace(" = ", "=")

    assert " ".join(described()) == parameters


def test_progress_has_its_fields_first() -> None:
    names = [field.name for field in fields(b10_transfer.TransferProgress)]
    assert names[:7] == [
        "operation_id",
        "operation_name",
        "status",
        "started_at",
        "completed_at",
        "error_message",
        "progress_callback",
    ]


def test_exceptions_are_of_one_kind() -> None:
    assert issubclass(b10_transfer.CacheValidationError, b10_transfer.CacheError)
    assert issubclass(b10_transfer.CacheOperationInterrupted, b10_transfer.CacheError)
    assert issubclass(b10_transfer.CacheServiceError, b10_transfer.CacheError)


def test_all_that_is_offered_is_there() -> None:
    offered: dict[str, Any] = {name: getattr(b10_transfer, name) for name in b10_transfer.__all__}
    assert None not in offered.values()
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = b10_transfer.nothing


@pytest.mark.parametrize("name", ["b10_transfer", "b10_tcache"])
def test_either_logger_sets_the_level(name: str) -> None:
    logger = logging.getLogger("b10_transfer")
    logging.getLogger(name).setLevel(logging.DEBUG)
    try:
        assert logger.isEnabledFor(logging.DEBUG)
    finally:
        logging.getLogger(name).setLevel(logging.NOTSET)
    assert not logger.isEnabledFor(logging.DEBUG)


def test_a_logger_of_one_s_own(capsys: pytest.CaptureFixture[str]) -> None:
    logger = b10_transfer.get_b10_logger("a-model.of-mine")
    assert b10_transfer.get_b10_logger("a-model.of-mine") is logger
    try:
        logger.debug("unheard")
        logger.info("%d kernels", 3)
        logger.error("none")
        expected = "[compilecache] INFO - 3 kernels\n[compilecache] ERROR - none\n"
        assert capsys.readouterr().err == expected
    finally:
        logger.handlers.clear()
