"""Reports of every kind on their way: signed before the committee changes, submitted after.

A report binds the configuration and the members, not their keys. So a new configuration ends
every report of the one before, whoever stays in it; a member that leaves takes back its own
signatures only; and a rotated key's signatures hold until its overlap ends.
"""

from collections.abc import Callable
from dataclasses import astuple, dataclass, replace
from typing import Any

import boa
import pytest
from eth_account.signers.local import LocalAccount

from oracle.domain.hashing import keccak
from oracle.domain.messages import EpochReport, Result
from oracle.domain.receipts import JobStatus, Receipt, pack
from tests.unit.conftest import HOUR, RULES_VERSION, UNIT

from .conftest import KEY_OVERLAP, MIN_BOND

NOTHING = bytes(32)
UNKNOWN = "oracle_committee: unknown signer"
COUNT = "oracle_committee: wrong signature count"
EXPIRED = "oracle_committee: key expired"


@dataclass(frozen=True)
class Round:
    """One thing the committee can say, and another that contradicts it."""

    consumer: Any
    subject: bytes
    number: int
    payload: bytes
    contradiction: bytes
    # take signatures over `payload` to the consumer
    submit: Callable[[bytes], Any]
    # what the consumer holds on the matter
    outcome: Callable[[], Any]


# --- what the committee says ----------------------------------------------------------------


@pytest.fixture
def provider(
    market: None, token: Any, providers: Any, staking: Any, operator: LocalAccount, stranger: str
) -> int:
    provider = int(providers.register(operator.address, stranger, 0, 0, 0, "", sender=stranger))
    token.approve(staking, 1_000 * UNIT)
    staking.stake(provider, 1_000 * UNIT)
    return provider


@pytest.fixture
def result_of(registry: Any, provider: int) -> Callable[[str], Result]:
    """What the committee measured of a card."""
    device_class = int(registry.add_class(1_000, 1_000, UNIT))

    def _result_of(card: str) -> Result:
        identity = keccak(card.encode())
        device = keccak(identity + provider.to_bytes(32, "big"))
        return Result(
            provider=provider,
            device=device,
            identity=identity,
            device_class=device_class,
            ops_per_second=2_000,
            memory_mb=2_000,
            elapsed_ms=10,
            commit=NOTHING,
            openings=NOTHING,
            evidence=NOTHING,
        )

    return _result_of


@pytest.fixture
def attestation(registry: Any, result_of: Callable[[str], Result]) -> Round:
    result = result_of("card")
    return Round(
        consumer=registry,
        subject=result.device,
        number=1,
        payload=result.struct_hash(),
        contradiction=replace(result, ops_per_second=3_000).struct_hash(),
        submit=lambda signatures: registry.record(astuple(result), 1, signatures),
        outcome=lambda: registry.device_info(result.device),
    )


@pytest.fixture
def usage_batch(
    token: Any,
    registry: Any,
    escrow: Any,
    provider: int,
    operator: LocalAccount,
    result_of: Callable[[str], Result],
    committee_signs: Callable[..., bytes],
) -> Round:
    device = result_of("another card")
    signatures = committee_signs(registry, device.device, 1, device.struct_hash())
    registry.record(astuple(device), 1, signatures)
    token.approve(escrow, 2**256 - 1)
    escrow.list_asset(token)
    job = escrow.open_job(provider, token, 1, device.device_class, UNIT, UNIT, 0, NOTHING)
    escrow.accept(job, sender=operator.address)
    receipts, others = (pack([Receipt(job, seconds, JobStatus.RUNNING)]) for seconds in (600, 900))
    return Round(
        consumer=escrow,
        subject=NOTHING,
        number=7,
        payload=keccak(receipts),
        contradiction=keccak(others),
        submit=lambda signatures: escrow.settle_batch(7, 0, receipts, signatures),
        outcome=lambda: escrow.job_info(job),
    )


@pytest.fixture
def epoch_root(market: None, controller: Any, ledger: Any) -> Round:
    boa.env.time_travel(seconds=HOUR)
    controller.press(1)
    report = EpochReport(
        0, 0, NOTHING, keccak(b"leaf"), NOTHING, NOTHING, 1, NOTHING, RULES_VERSION
    )
    return Round(
        consumer=ledger,
        subject=NOTHING,
        number=0,
        payload=report.struct_hash(),
        contradiction=replace(report, reward_root=keccak(b"another leaf")).struct_hash(),
        submit=lambda signatures: ledger.post_epoch(astuple(report), signatures),
        outcome=lambda: ledger.head(),
    )


@pytest.fixture
def verdict(market: None, court: Any, committee: Any) -> Round:
    """On a case: its id is the subject; the committee is asked about it directly."""
    case_id, guilty = keccak(b"case"), keccak(b"guilty")
    return Round(
        consumer=court,
        subject=case_id,
        number=0,
        payload=guilty,
        contradiction=keccak(b"not guilty"),
        submit=lambda signatures: committee.verify(
            case_id, 0, guilty, signatures, sender=court.address
        ),
        outcome=lambda: None,
    )


@pytest.fixture(params=["usage_batch", "epoch_root", "attestation"])
def said(
    request: pytest.FixtureRequest,
    market: None,
    operator: LocalAccount,
    stranger: str,
    committee_signs: Callable[..., bytes],
) -> Round:
    """A report of each kind that a contract takes today.

    Asks for what lives as long as the session, which must be made before what a kind adds.
    """
    return request.getfixturevalue(request.param)


@pytest.fixture
def signed(sign_report: Callable[..., bytes]) -> Callable[..., bytes]:
    """Signatures over a round's payload, or over its contradiction."""

    def _signed(signers: list[LocalAccount], round_: Round, payload: bytes | None = None) -> bytes:
        return sign_report(
            sorted(signers, key=lambda signer: int(signer.address, 16)),
            round_.consumer,
            subject=round_.subject,
            epoch=round_.number,
            payload=payload or round_.payload,
        )

    return _signed


def accepted(round_: Round, signatures: bytes) -> None:
    before = round_.outcome()
    round_.submit(signatures)
    assert round_.outcome() != before


def refused(round_: Round, signatures: bytes, *reasons: str) -> None:
    before = round_.outcome()
    with pytest.raises(boa.BoaError) as error:
        round_.submit(signatures)
    assert any(reason in str(error.value) for reason in reasons)
    assert round_.outcome() == before


def of_another_digest(round_: Round, signatures: bytes) -> None:
    """A wrong digest recovers keys that nobody knows, in no particular order."""
    refused(round_, signatures, UNKNOWN, "oracle_committee: signers not ascending")


# --- the committee changes ----------------------------------------------------------------


def test_nothing_changes(said, signed, oracles):
    accepted(said, signed(oracles[:5], said))


@pytest.mark.parametrize("removed", [0, 6], ids=["a signer", "one that did not sign"])
def test_member_is_removed(committee, said, signed, oracles, removed):
    """The owner's new list ends the report, even where all its signers stay."""
    early = signed(oracles[:5], said)
    rest = [o for o in oracles if o is not oracles[removed]]
    committee.configure([o.address for o in rest], 5, RULES_VERSION)
    of_another_digest(said, early)
    accepted(said, signed(rest[:5], said))


def test_member_leaves(committee, said, signed, oracles):
    """It takes back its own signature, and no report that it did not sign."""
    with_it, without_it = signed(oracles[:5], said), signed(oracles[1:6], said)
    committee.leave(sender=oracles[0].address)
    refused(said, with_it, UNKNOWN)
    accepted(said, without_it)


@pytest.mark.parametrize("threshold", [4, 6])
def test_threshold_changes(committee, said, signed, oracles, threshold):
    """Neither the old signatures nor as many of them as are needed now."""
    early, as_many = signed(oracles[:5], said), signed(oracles[:threshold], said)
    committee.configure([o.address for o in oracles], threshold, RULES_VERSION)
    refused(said, early, COUNT)
    of_another_digest(said, as_many)
    accepted(said, signed(oracles[:threshold], said))


def test_rules_change(committee, said, signed, oracles):
    early = signed(oracles[:5], said)
    committee.configure([o.address for o in oracles], 5, RULES_VERSION + 1)
    of_another_digest(said, early)
    accepted(said, signed(oracles[:5], said))


def test_key_is_rotated_less_than_an_overlap_ago(said, signed, oracles, keys, rotate):
    early = signed(oracles[:5], said)
    rotate(oracles[0], keys("fresh", 1)[0])
    boa.env.time_travel(seconds=KEY_OVERLAP - 1)
    accepted(said, early)


def test_key_is_rotated_an_overlap_ago(said, signed, oracles, keys, rotate):
    early = signed(oracles[:5], said)
    (fresh,) = keys("fresh", 1)
    rotate(oracles[0], fresh)
    boa.env.time_travel(seconds=KEY_OVERLAP)
    refused(said, early, EXPIRED)
    # the present key may sign the same report
    accepted(said, signed([fresh, *oracles[1:5]], said))


def test_key_is_rotated_twice(said, signed, oracles, keys, rotate):
    """A stolen key is ended at once by rotating twice, together with all that it signed."""
    early = signed(oracles[:5], said)
    first, second = keys("fresh", 2)
    rotate(oracles[0], first)
    between = signed([first, *oracles[1:5]], said)
    rotate(oracles[0], second)
    refused(said, early, UNKNOWN)
    accepted(said, between)


# --- two truths -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "said", ["usage_batch", "epoch_root", "attestation", "verdict"], indirect=True
)
def test_equivocation_of_every_kind(committee, token, said, signed, oracles, reporter):
    liar = oracles[0]
    one, other = signed([liar], said), signed([liar], said, said.contradiction)
    joint = signed(oracles[:5], said)
    committee.prove_equivocation(
        committee.config_digest(),
        said.consumer.address,
        said.subject,
        said.number,
        said.payload,
        one,
        said.contradiction,
        other,
        sender=reporter,
    )
    (event,) = [e for e in committee.get_logs() if type(e).__name__ == "Equivocated"]
    assert (event.member, event.subject, event.round) == (liar.address, said.subject, said.number)
    assert committee.bond_of(liar.address) == 0
    assert token.balanceOf(reporter) == MIN_BOND // 5
    # what it signed together with the others is worth nothing any more
    refused(said, joint, UNKNOWN)
