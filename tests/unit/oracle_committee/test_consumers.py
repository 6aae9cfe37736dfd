"""What a change of the committee does to signed reports, at every contract that takes them.

Reports name the config digest, so `configure` in the middle of a round makes the signatures
gathered before worthless, whatever it changes: the round is signed anew. Rotations, leaving and
convictions leave the digest alone and cost only the signatures of whom they concern.
"""

from collections.abc import Callable
from dataclasses import astuple, dataclass
from typing import Any

import boa
import pytest
from eth_account.signers.local import LocalAccount

from oracle.domain.hashing import keccak
from oracle.domain.messages import EpochReport, Result, Verdict
from oracle.domain.receipts import JobStatus, Receipt, pack
from tests.unit.conftest import HOUR

from .conftest import BOND_DELAY, KEY_OVERLAP, MIN_BOND, REPORTER_BPS, UNIT
from .test_verify import COUNT, EXPIRED, TWICE, UNKNOWN, ascending, refuse

ROUND = 1
TERMS = keccak(b"terms")
# a job that a cluster works on
JOB = 7
# the cases ask for contracts and actors that live for the session: those have to be there first
pytestmark = pytest.mark.usefixtures(
    "court", "committee_signs", "provider_owner", "operator", "payout"
)

# of the seven members these sign
FIRST_FIVE = slice(0, 5)


@dataclass(frozen=True)
class Case:
    """One report as its consumer takes it."""

    consumer: Any
    subject: bytes
    epoch: int
    payload: bytes
    # hash of another content for the same subject and round
    other_payload: bytes
    submit: Callable[[bytes], None]
    # what the report changes at the consumer
    effect: Callable[[], Any]


def result_of(provider: int, device_class: int, card: str, **changes: Any) -> Result:
    identity = keccak(card.encode())
    fields = {
        "provider": provider,
        "device": keccak(identity + provider.to_bytes(32, "big")),
        "identity": identity,
        "device_class": device_class,
        "ops_per_second": 2_000,
        "memory_mb": 2_000,
        "elapsed_ms": 10,
        "commit": TERMS,
        "openings": TERMS,
        "evidence": TERMS,
    }
    return Result(**(fields | changes))


@pytest.fixture
def provider(providers, staking, token, provider_owner, operator, payout) -> int:
    """A provider with stake enough for two cards."""
    with boa.env.prank(provider_owner.address):
        number = int(providers.register(operator.address, payout, 0, 0, 5_000, ""))
    token.approve(staking, 2**256 - 1)
    staking.stake(number, 1_000 * UNIT)
    return number


@pytest.fixture
def device_class(registry) -> int:
    return int(registry.add_class(1_000, 1_000, UNIT))


@pytest.fixture
def usage_batch(
    market, escrow, jobs, registry, token, committee_signs, provider, device_class, operator
) -> Case:
    """Receipts of one running job."""
    card = result_of(provider, device_class, "card of the job")
    registry.record(
        astuple(card), ROUND, committee_signs(registry, card.device, ROUND, card.struct_hash())
    )
    token.approve(escrow, 2**256 - 1)
    escrow.list_asset(token)
    job = int(escrow.open_job(provider, token, 1, device_class, 3_600, 1_000, 0, TERMS))
    jobs.accept(job, sender=operator.address)
    receipts, other = (pack([Receipt(job, used, JobStatus.RUNNING)]) for used in (100, 200))
    return Case(
        escrow,
        bytes(32),
        ROUND,
        keccak(receipts),
        keccak(other),
        lambda signatures: escrow.settle_batch(ROUND, 0, receipts, signatures),
        lambda: escrow.income(provider, token),
    )


@pytest.fixture
def epoch_root(market, ledger, controller) -> Case:
    """The report of the first epochs."""
    boa.env.time_travel(seconds=2 * HOUR)
    controller.press(64)
    report, other = (
        EpochReport(0, ROUND, bytes(32), keccak(root), TERMS, TERMS, 0, TERMS, 1)
        for root in (b"one root", b"another root")
    )
    return Case(
        ledger,
        bytes(32),
        ROUND,
        report.struct_hash(),
        other.struct_hash(),
        lambda signatures: ledger.post_epoch(astuple(report), signatures),
        ledger.head,
    )


@pytest.fixture
def attestation_result(registry, provider, device_class) -> Case:
    """The first result of a card."""
    result, other = (
        result_of(provider, device_class, "card", ops_per_second=ops) for ops in (2_000, 3_000)
    )
    return Case(
        registry,
        result.device,
        ROUND,
        result.struct_hash(),
        other.struct_hash(),
        lambda signatures: registry.record(astuple(result), ROUND, signatures),
        lambda: registry.device_info(result.device),
    )


@pytest.fixture
def verdict(market, court, token, policy, provider, operator) -> Case:
    """The ruling on an accusation that the provider has answered."""
    token.approve(court, policy.accusation_bond)
    case_id = bytes(court.accuse(provider, court.FRAUD(), 0, TERMS))
    court.answer(case_id, TERMS, sender=operator.address)
    guilty, innocent = (
        Verdict(case_id, *ruling).struct_hash() for ruling in ((True, 5 * UNIT), (False, 0))
    )
    return Case(
        court,
        case_id,
        0,
        guilty,
        innocent,
        lambda signatures: court.rule(case_id, True, 5 * UNIT, signatures),
        lambda: court.accusations(case_id),
    )


@pytest.fixture
def blame(bonds) -> Case:
    """Which members of a cluster failed its job."""
    mask, other = (keccak(members.to_bytes(32, "big")) for members in (0b101, 0b010))
    return Case(
        bonds,
        JOB.to_bytes(32, "big"),
        ROUND,
        mask,
        other,
        lambda signatures: bonds.blame(JOB, ROUND, 0b101, signatures),
        lambda: bonds.blamed(JOB),
    )


CONSUMERS = ["usage_batch", "epoch_root", "attestation_result", "verdict", "blame"]


@pytest.fixture(params=CONSUMERS)
def case(request: pytest.FixtureRequest) -> Case:
    return request.getfixturevalue(request.param)


@pytest.fixture
def signed(case: Case, sign_report) -> Callable[..., bytes]:
    """Signatures over the case's report under the present committee."""

    def _signed(signers: list[LocalAccount]) -> bytes:
        return sign_report(
            signers,
            case.consumer,
            subject=case.subject,
            epoch=case.epoch,
            payload=case.payload,
        )

    return _signed


def accepted(case: Case, signatures: bytes) -> None:
    before = case.effect()
    case.submit(signatures)
    assert case.effect() != before


def refused(case: Case, signatures: bytes, reason: str | None = None) -> None:
    """Without a reason: signed under another digest, which recovers keys of nobody."""
    before = case.effect()
    if reason is None:
        refuse(case.submit, signatures)
    else:
        with boa.reverts(reason):
            case.submit(signatures)
    assert case.effect() == before


# --- in the middle of a round ---------------------------------------------------------------


def test_report_of_the_present_committee(case, signed, oracles):
    accepted(case, signed(oracles[FIRST_FIVE]))


@pytest.mark.parametrize("removed", [0, 6], ids=["a signer", "another"])
def test_member_removed(case, signed, committee, oracles, removed):
    early = signed(oracles[FIRST_FIVE])
    rest = [oracle for oracle in oracles if oracle is not oracles[removed]]
    committee.configure([oracle.address for oracle in rest], 5, 1)
    refused(case, early)
    if removed == 0:
        refused(case, signed(oracles[FIRST_FIVE]), UNKNOWN)
    accepted(case, signed(rest[FIRST_FIVE]))


@pytest.mark.parametrize(("threshold", "reason"), [(4, COUNT), (6, COUNT)])
def test_threshold_changed(case, signed, committee, oracles, threshold, reason):
    early = signed(oracles[FIRST_FIVE])
    committee.configure([oracle.address for oracle in oracles], threshold, 1)
    refused(case, early, reason)
    # cut to the new number they are still signatures for the old committee
    if threshold < 5:
        refused(case, early[: threshold * 65])
    accepted(case, signed(oracles[:threshold]))


@pytest.mark.parametrize("rules", [1, 2], ids=["nothing", "rules"])
def test_configured_anew(case, signed, committee, oracles, rules):
    """Even with the same members and threshold the number, and so the digest, is another."""
    early = signed(oracles[FIRST_FIVE])
    committee.configure([oracle.address for oracle in oracles], 5, rules)
    refused(case, early)
    accepted(case, signed(oracles[FIRST_FIVE]))


def test_removed_and_listed_again(case, signed, committee, oracles):
    """The old digest does not come back with the old members."""
    early = signed(oracles[FIRST_FIVE])
    members = [oracle.address for oracle in oracles]
    committee.configure(members[1:], 5, 1)
    committee.configure(members, 5, 1)
    refused(case, early)
    accepted(case, signed(oracles[FIRST_FIVE]))


def test_key_rotated(case, signed, oracles, keys, rotate):
    """What the old key has signed counts until the overlap ends."""
    early = signed(oracles[FIRST_FIVE])
    rotate(oracles[0], *keys("fresh", 1))
    boa.env.time_travel(seconds=KEY_OVERLAP - 1)
    accepted(case, early)


def test_key_rotated_too_long_ago(case, signed, oracles, keys, rotate):
    early = signed(oracles[FIRST_FIVE])
    (fresh,) = keys("fresh", 1)
    rotate(oracles[0], fresh)
    boa.env.time_travel(seconds=KEY_OVERLAP)
    refused(case, early, EXPIRED)
    accepted(case, signed(ascending(fresh, *oracles[1:5])))


def test_key_rotated_twice(case, signed, oracles, keys, rotate):
    """A member whose key was stolen ends it at once by rotating twice."""
    early = signed(oracles[FIRST_FIVE])
    first, second = keys("fresh", 2)
    rotate(oracles[0], first)
    rotate(oracles[0], second)
    refused(case, early, UNKNOWN)
    accepted(case, signed(ascending(second, *oracles[1:5])))


def test_old_and_new_key_are_one_signer(case, signed, oracles, keys, rotate):
    (fresh,) = keys("fresh", 1)
    rotate(oracles[0], fresh)
    refused(case, signed(ascending(fresh, *oracles[:4])), TWICE)


def test_signer_left(case, signed, committee, oracles):
    early = signed(oracles[FIRST_FIVE])
    committee.leave(sender=oracles[0].address)
    refused(case, early, UNKNOWN)
    accepted(case, signed(oracles[1:6]))


def test_another_left(case, signed, committee, oracles):
    early = signed(oracles[FIRST_FIVE])
    committee.leave(sender=oracles[6].address)
    accepted(case, early)


@pytest.mark.parametrize("convicted", [0, 6], ids=["a signer", "another"])
def test_member_convicted(case, signed, committee, oracles, sign_report, consumer, convicted):
    early = signed(oracles[FIRST_FIVE])
    payloads = keccak(b"one"), keccak(b"another")
    signatures = [
        sign_report([oracles[convicted]], consumer, payload=payload) for payload in payloads
    ]
    committee.prove_equivocation(
        committee.config_digest(),
        consumer.address,
        b"\x11" * 32,
        7,
        payloads[0],
        signatures[0],
        payloads[1],
        signatures[1],
    )
    if convicted == 0:
        refused(case, early, UNKNOWN)
        accepted(case, signed(oracles[1:6]))
    else:
        accepted(case, early)


# --- equivocation ---------------------------------------------------------------------------


@pytest.fixture
def prove(case: Case, committee) -> Callable[..., None]:
    """Submit a member's two signatures for the case's two payloads."""

    def _prove(config: bytes, signatures: tuple[bytes, bytes], **options: Any) -> None:
        first, second = signatures
        committee.prove_equivocation(
            config,
            case.consumer.address,
            case.subject,
            case.epoch,
            case.payload,
            first,
            case.other_payload,
            second,
            **options,
        )

    return _prove


@pytest.fixture
def both(case: Case, sign_report) -> Callable[[LocalAccount], tuple[bytes, bytes]]:
    """A member signs both payloads of the case."""

    def _both(member: LocalAccount) -> tuple[bytes, bytes]:
        of_case = {"subject": case.subject, "epoch": case.epoch}
        return tuple(
            sign_report([member], case.consumer, payload=payload, **of_case)
            for payload in (case.payload, case.other_payload)
        )

    return _both


def test_two_truths_cost_the_bond(committee, token, oracles, both, prove, reporter):
    """In every domain that members sign in, with the payloads that are signed there."""
    supply, member = token.totalSupply(), oracles[3].address
    prove(committee.config_digest(), both(oracles[3]), sender=reporter)
    reward = MIN_BOND * REPORTER_BPS // 10_000
    assert (committee.bond_of(member), committee.retired(member)) == (0, True)
    assert token.balanceOf(reporter) == reward
    assert token.totalSupply() == supply - (MIN_BOND - reward)


def test_signing_a_round_anew_is_no_equivocation(committee, oracles, both, prove):
    """After `configure` members sign the round again; if they know better by then, they may."""
    old = committee.config_digest()
    before, _ = both(oracles[3])
    committee.configure([oracle.address for oracle in oracles], 6, 1)
    _, after = both(oracles[3])
    for config in (old, committee.config_digest()):
        with boa.reverts("oracle_committee: not a member's signature"):
            prove(config, (before, after))


def test_removal_is_no_way_out(committee, oracles, both, prove):
    """A member dropped after it signed two truths pays for them until its bond is free."""
    old, signatures = committee.config_digest(), both(oracles[0])
    committee.configure([oracle.address for oracle in oracles[1:]], 5, 1)
    boa.env.time_travel(seconds=BOND_DELAY - 1)
    prove(old, signatures)
    assert committee.bond_of(oracles[0].address) == 0
