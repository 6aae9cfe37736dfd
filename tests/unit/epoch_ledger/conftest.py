"""A ledger over a pressed schedule, and reports the committee signs."""

from collections.abc import Callable
from dataclasses import astuple, replace
from typing import Any

import boa
import pytest
from sha3 import keccak_256

from oracle.domain.messages import EpochReport

HOUR = 3_600
DAY = 86_400
ACTIVATION_DELAY = HOUR
NOBODY = "0x" + "00" * 20
ZERO_HASH = b"\0" * 32


def digest_of(name: str) -> bytes:
    return keccak_256(name.encode()).digest()


@pytest.fixture
def pass_epochs(controller: Any, market: None):
    """Let epochs end and press them."""

    def _pass(count: int) -> int:
        boa.env.time_travel(seconds=count * HOUR)
        controller.press(64)
        return int(controller.current_epoch())

    return _pass


@pytest.fixture
def posted() -> dict[bytes, EpochReport]:
    """Reports of this test by struct hash."""
    return {}


@pytest.fixture
def report(
    ledger: Any, controller: Any, posted: dict[bytes, EpochReport]
) -> Callable[..., EpochReport]:
    """The report that continues the ledger up to an epoch, unless told otherwise.

    It pays out all that its epochs were granted but `keep` base units.
    """

    def _report(to_epoch: int, *, keep: int = 0, **changes: Any) -> EpochReport:
        base = EpochReport(
            from_epoch=0,
            to_epoch=to_epoch,
            previous=ledger.head(),
            reward_root=digest_of(f"rewards {to_epoch}"),
            usage_root=digest_of(f"usage {to_epoch}"),
            attestation_root=digest_of(f"attestations {to_epoch}"),
            cumulative_rewards=0,
            data_hash=digest_of(f"data {to_epoch}"),
            rules_version=1,
        )
        below = posted.get(base.previous)
        if below is not None:
            base = replace(base, from_epoch=below.to_epoch + 1)
        if "cumulative_rewards" not in changes:
            rewards = controller.cumulative_budget(to_epoch) - keep
            if below is not None:
                untaken = controller.cumulative_budget(below.to_epoch) - below.cumulative_rewards
                rewards -= untaken
            changes["cumulative_rewards"] = rewards
        return replace(base, **changes)

    return _report


@pytest.fixture
def post(ledger: Any, committee_signs: Any, posted: dict[bytes, EpochReport]):
    """Post a report with the committee's signatures under the ledger's present subject."""

    def _post(report: EpochReport, *, sender: str | None = None) -> EpochReport:
        subject = ledger.disabled_count().to_bytes(32, "big")
        signatures = committee_signs(ledger, subject, report.to_epoch, report.struct_hash())
        ledger.post_epoch(astuple(report), signatures, sender=sender or boa.env.eoa)
        posted[report.struct_hash()] = report
        return report

    return _post


@pytest.fixture
def disable(ledger: Any, guardian: str):
    def _disable(*reports: EpochReport, reason: str = "wrong", sender: str = guardian) -> None:
        ledger.disable([astuple(r) for r in reports], reason, sender=sender)

    return _disable


@pytest.fixture
def state(ledger: Any):
    """Everything a revert must leave alone."""

    def _state() -> tuple[Any, ...]:
        return (
            ledger.head(),
            ledger.last_epoch(),
            ledger.active_rewards(),
            ledger.active_epoch(),
            ledger.pending_count(),
            ledger.disabled_count(),
            ledger.guardian(),
        )

    return _state
