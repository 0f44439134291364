"""Statuses compare across the enumerations of both versions of b10-transfer."""

from __future__ import annotations

import pickle

import pytest

from compilecache import (
    AsyncTransferStatus,
    LoadStatus,
    OperationStatus,
    SaveStatus,
    TransferStatus,
)


def test_members_and_values_are_the_ancestor_s() -> None:
    def values(*statuses: LoadStatus | SaveStatus | TransferStatus | AsyncTransferStatus) -> str:
        return " ".join(f"{status.name}={status.value}" for status in statuses)

    assert values(*LoadStatus) == "SUCCESS=1 ERROR=2 DOES_NOT_EXIST=3 SKIPPED=4"
    assert values(*OperationStatus) == values(*LoadStatus)
    assert values(*SaveStatus) == "SUCCESS=1 ERROR=2 SKIPPED=3"
    assert values(*TransferStatus) == "SUCCESS=1 ERROR=2 INTERRUPTED=3"
    assert values(*AsyncTransferStatus) == (
        "NOT_STARTED=1 IN_PROGRESS=2 SUCCESS=3 ERROR=4 INTERRUPTED=5 CANCELLED=6"
    )


@pytest.mark.parametrize("name", ["SUCCESS", "ERROR"])
def test_the_same_name_is_the_same_status(name: str) -> None:
    kinds = (LoadStatus, SaveStatus, OperationStatus, TransferStatus, AsyncTransferStatus)
    members = [kind[name] for kind in kinds]
    assert all(one == other for one in members for other in members)
    assert len(set(members)) == 1


def test_another_name_is_another_status() -> None:
    assert SaveStatus.SKIPPED == OperationStatus.SKIPPED
    assert SaveStatus.SKIPPED != LoadStatus.DOES_NOT_EXIST
    # The same value.
    assert SaveStatus.SKIPPED.value == LoadStatus.DOES_NOT_EXIST.value
    assert LoadStatus.SUCCESS != "SUCCESS"
    assert LoadStatus.SUCCESS != 1


def test_a_load_s_status_is_an_operation_s_by_identity() -> None:
    status = LoadStatus.SUCCESS
    assert status is OperationStatus.SUCCESS
    assert isinstance(status, OperationStatus)


def test_a_status_survives_pickling() -> None:
    assert pickle.loads(pickle.dumps(SaveStatus.SKIPPED)) is SaveStatus.SKIPPED
