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
from eth_abi import encode
from eth_account.signers.local import LocalAccount

from oracle.domain.hashing import keccak
from oracle.domain.messages import EpochReport, Result
from oracle.domain.receipts import JobStatus, Receipt, pack
from tests.unit.conftest import HOUR

from .conftest import BOND_DELAY, KEY_OVERLAP, MIN_BOND, REPORTER_BPS, UNIT
from .test_verify import COUNT, EXPIRED, TWICE, UNKNOWN, ascending, refuse

ROUND = 1
TERMS = keccak(b"terms")
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
    market, escrow, registry, token, committee_signs, provider, device_class, operator
) -> Case:
    """Receipts of one running job."""
    card = result_of(provider, device_class, "card of the job")
    registry.record(
        astuple(card), ROUND, committee_signs(registry, card.device, ROUND, card.struct_hash())
    )
    token.approve(escrow, 2**256 - 1)
    escrow.list_asset(token)
    job = int(escrow.open_job(provider, token, 1, device_class, 3_600, 1_000, 0, TERMS))
    escrow.accept(job, sender=operator.address)
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
def verdict(court) -> Case:
    """The verdict on an accusation. A report binds the address of its consumer and asks no more
    of it, so a verdict convicts whatever the court does with it."""
    case_id = keccak(b"case")
    type_hash = keccak(b"Verdict(bytes32 caseId,bool guilty,uint96 loss)")
    guilty, innocent = (
        keccak(encode(["bytes32", "bytes32", "bool", "uint96"], [type_hash, case_id, *ruling]))
        for ruling in ((True, 5 * UNIT), (False, 0))
    )

    def submit(_signatures: bytes) -> None:
        raise NotImplementedError

    return Case(court, case_id, 0, guilty, innocent, submit, lambda: None)


CONSUMERS = ["usage_batch", "epoch_root", "attestation_result"]
EVERY_DOMAIN = pytest.mark.parametrize("case", [*CONSUMERS, "verdict"], indirect=True)


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


@EVERY_DOMAIN
def test_two_truths_cost_the_bond(case, committee, token, oracles, sign_report, reporter):
    """In every domain that members sign in, with the payloads that are signed there."""
    payloads = case.payload, case.other_payload
    signatures = [
        sign_report(
            [oracles[3]], case.consumer, subject=case.subject, epoch=case.epoch, payload=payload
        )
        for payload in payloads
    ]
    supply, member = token.totalSupply(), oracles[3].address
    committee.prove_equivocation(
        committee.config_digest(),
        case.consumer.address,
        case.subject,
        case.epoch,
        payloads[0],
        signatures[0],
        payloads[1],
        signatures[1],
        sender=reporter,
    )
    reward = MIN_BOND * REPORTER_BPS // 10_000
    assert (committee.bond_of(member), committee.retired(member)) == (0, True)
    assert token.balanceOf(reporter) == reward
    assert token.totalSupply() == supply - (MIN_BOND - reward)


@EVERY_DOMAIN
def test_signing_a_round_anew_is_no_equivocation(case, committee, oracles, sign_report):
    """After `configure` members sign the round again; if they know better by then, they may."""
    of_case = {"subject": case.subject, "epoch": case.epoch}
    old = committee.config_digest()
    before = sign_report([oracles[3]], case.consumer, payload=case.payload, **of_case)
    committee.configure([oracle.address for oracle in oracles], 6, 1)
    after = sign_report([oracles[3]], case.consumer, payload=case.other_payload, **of_case)
    for config in (old, committee.config_digest()):
        with boa.reverts("oracle_committee: not a member's signature"):
            committee.prove_equivocation(
                config,
                case.consumer.address,
                case.subject,
                case.epoch,
                case.payload,
                before,
                case.other_payload,
                after,
            )


@EVERY_DOMAIN
def test_removal_is_no_way_out(case, committee, oracles, sign_report):
    """A member dropped after it signed two truths pays for them until its bond is free."""
    old, payloads = committee.config_digest(), (case.payload, case.other_payload)
    signatures = [
        sign_report(
            [oracles[0]], case.consumer, subject=case.subject, epoch=case.epoch, payload=payload
        )
        for payload in payloads
    ]
    committee.configure([oracle.address for oracle in oracles[1:]], 5, 1)
    boa.env.time_travel(seconds=BOND_DELAY - 1)
    committee.prove_equivocation(
        old,
        case.consumer.address,
        case.subject,
        case.epoch,
        payloads[0],
        signatures[0],
        payloads[1],
        signatures[1],
    )
    assert committee.bond_of(oracles[0].address) == 0
