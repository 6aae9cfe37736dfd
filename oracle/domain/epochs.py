"""From what the chain says about an epoch to the leaves every oracle must agree on.

Everything here is a pure function of an `EpochInput`, in whole numbers, so oracles that read
the same finalized chain sign the same roots bit for bit (specs/emissions.md, sections 4
and 5; specs/contracts.md, EpochLedger).

Split of a budget, every division rounded down:

1. `oracle_share_bps` of it is the oracles' pool. Who submitted the report before this one
   gets the bounty out of it; the committee's members share the rest by signatures counted.
2. What is left of a subnet's share goes to its owner, miners and validators
   (oracle.domain.subnets).
3. What is left of the market at large pays providers for the credits they earned
   (oracle.domain.credits), then goes to providers by the operations per second of their live
   devices. A jailed provider's devices don't count.
4. What nobody takes (no signatures, no devices, dust) is reclaimed by the controller.

Rewards are cumulative: a leaf never falls and never disappears.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from oracle.domain.credits import redeem
from oracle.domain.leaves import (
    NOBODY,
    REWARD_KINDS,
    EpochLeaves,
    Leaf,
    LeafKind,
    account_key,
    provider_key,
)
from oracle.domain.receipts import AgreedReceipt
from oracle.domain.subnets import Step, SubnetInput, SubnetResult, run_subnet
from oracle.errors import BadInput

BPS = 10_000
# largest share of a budget the committee may be given: its rules can't eat the emission
MAX_ORACLE_SHARE_BPS = 2_000


@dataclass(frozen=True, slots=True)
class LiveDevice:
    """A device whose attestation is valid at the end of the epoch.

    `device`: its 32-byte id. `ops_per_second`: attested int8 operations per second.
    `jailed`: whether its provider is.
    """

    device: bytes
    provider: int
    ops_per_second: int
    jailed: bool = False


@dataclass(frozen=True, slots=True)
class EpochRules:
    """How a budget is split; part of the rules version that every report names.

    `oracle_share_bps`: bps of a budget for the committee. `submission_bounty`: base units of
    that share for whoever submitted the report before.
    """

    oracle_share_bps: int
    submission_bounty: int = 0

    def __post_init__(self) -> None:
        if not 0 <= self.oracle_share_bps <= MAX_ORACLE_SHARE_BPS or self.submission_bounty < 0:
            raise BadInput(
                f"epoch rules out of bounds: {self}",
                f"Use 0 to {MAX_ORACLE_SHARE_BPS} bps and a bounty that is not negative.",
            )


# how each version of the committee's rules splits a budget: 10 % to the oracles, of it a
# hundredth of a token to whoever submitted the report before
RULES: Mapping[int, EpochRules] = {
    1: EpochRules(oracle_share_bps=1_000, submission_bounty=10**16),
}


@dataclass(frozen=True, slots=True)
class EpochInput:
    """Everything a report is computed from, read at one finalized block.

    `budget`: base units granted to the epochs `from_epoch` to `to_epoch`. `previous`: reward
    leaves of the last report that was not disabled. `usage`: provider id to cumulative
    GPU-seconds settled. `receipts`: agreed and not settled, one a job. `signatures`: committee
    member to signatures counted in these epochs. `submitter`: sender of the last report, if
    there is one. `credits`: base units of credits owed by provider, those of earlier epochs
    included; `credits_worth`: base units of the work token that all of them are worth, 0 without
    a price. `subnets`: with the shares that they have of the budget; the rest is the market's
    at large. `registry`: address of SubnetRegistry. `start_of_next`: chain time at which the epoch
    after `to_epoch` starts; `epoch_length`: seconds. The order of nothing matters.
    """

    chain_id: int
    distributor: str
    ledger: str
    from_epoch: int
    to_epoch: int
    budget: int
    rules: EpochRules
    previous: Iterable[Leaf] = ()
    devices: Iterable[LiveDevice] = ()
    usage: Mapping[int, int] = field(default_factory=dict)
    receipts: Iterable[AgreedReceipt] = ()
    signatures: Mapping[str, int] = field(default_factory=dict)
    submitter: str | None = None
    subnets: Iterable[SubnetInput] = ()
    credits: Mapping[int, int] = field(default_factory=dict)
    credits_worth: int = 0
    registry: str = NOBODY
    start_of_next: int = 0
    epoch_length: int = 0


def close(epoch: EpochInput) -> EpochLeaves:
    """Split the budget and build the leaves.

    Raises `BadInput` where the snapshot contradicts itself: a device or job listed twice, a
    number below 0, epochs in the wrong order, a leaf that is no reward in `previous`.
    """
    devices = tuple(epoch.devices)
    previous = tuple(epoch.previous)
    receipts = tuple(sorted(epoch.receipts, key=lambda agreed: agreed.receipt.job))
    subnets = tuple(sorted(epoch.subnets, key=lambda source: source.subnet))
    _check(epoch, devices, previous, receipts, subnets)
    step = Step(epoch.to_epoch, epoch.start_of_next, epoch.epoch_length)
    results = [run_subnet(source, _net(epoch, source.share), step) for source in subnets]
    at_large = epoch.budget - sum(source.share for source in subnets)
    redeemed = redeem(epoch.credits, epoch.credits_worth, _net(epoch, at_large))
    gains = _split(epoch, at_large, devices, subnets, results, redeemed.paid)
    totals = {(leaf.kind, leaf.key): leaf.value for leaf in previous}
    for owner, gain in gains.items():
        totals[owner] = totals.get(owner, 0) + gain
    return EpochLeaves(
        chain_id=epoch.chain_id,
        distributor=epoch.distributor.lower(),
        ledger=epoch.ledger.lower(),
        from_epoch=epoch.from_epoch,
        to_epoch=epoch.to_epoch,
        reclaimed=epoch.budget - sum(gains.values()),
        rewards=tuple(Leaf(kind, key, value) for (kind, key), value in sorted(totals.items())),
        usage=tuple(
            Leaf(LeafKind.USAGE, provider_key(provider), seconds)
            for provider, seconds in sorted(epoch.usage.items())
        ),
        attestations=tuple(
            Leaf(LeafKind.ATTESTATION, device.device, device.ops_per_second)
            for device in sorted(devices, key=lambda d: d.device)
        ),
        receipts=receipts,
        registry=epoch.registry.lower(),
        subnets=tuple(result.record for result in results),
        owed_credits=tuple(sorted(redeemed.owed.items())),
    )


def _net(epoch: EpochInput, share: int) -> int:
    """A share of the budget without the oracles' part of it."""
    return share - share * epoch.rules.oracle_share_bps // BPS


def _split(
    epoch: EpochInput,
    at_large: int,
    devices: tuple[LiveDevice, ...],
    subnets: tuple[SubnetInput, ...],
    results: Sequence[SubnetResult],
    for_credits: Mapping[int, int],
) -> dict[tuple[LeafKind, bytes], int]:
    """Base units of the budget per leaf; never more than the budget together."""
    gains: dict[tuple[LeafKind, bytes], int] = {}

    def pay(kind: LeafKind, key: bytes, amount: int) -> None:
        if amount:
            gains[kind, key] = gains.get((kind, key), 0) + amount

    shares = (at_large, *(source.share for source in subnets))
    pool = sum(share - _net(epoch, share) for share in shares)
    bounty = 0
    if epoch.submitter is not None:
        bounty = min(epoch.rules.submission_bounty, pool)
        pay(LeafKind.ACCOUNT, account_key(epoch.submitter), bounty)
    signed = sum(epoch.signatures.values())
    for member, count in epoch.signatures.items():
        if count:
            pay(LeafKind.ACCOUNT, account_key(member), (pool - bounty) * count // signed)

    for provider, amount in for_credits.items():
        pay(LeafKind.PROVIDER, provider_key(provider), amount)
    by_speed = _net(epoch, at_large) - sum(for_credits.values())

    speeds: dict[int, int] = {}
    for device in devices:
        if not device.jailed:
            speeds[device.provider] = speeds.get(device.provider, 0) + device.ops_per_second
    total_speed = sum(speeds.values())
    for provider, speed in speeds.items():
        if speed:
            pay(LeafKind.PROVIDER, provider_key(provider), by_speed * speed // total_speed)

    for source, result in zip(subnets, results, strict=True):
        pay(LeafKind.ACCOUNT, account_key(source.owner), result.record.paid.owner)
        for provider, amount in result.providers.items():
            pay(LeafKind.PROVIDER, provider_key(provider), amount)
    return gains


def _check(
    epoch: EpochInput,
    devices: tuple[LiveDevice, ...],
    previous: tuple[Leaf, ...],
    receipts: tuple[AgreedReceipt, ...],
    subnets: tuple[SubnetInput, ...],
) -> None:
    remedy = "Read the snapshot again at one finalized block."
    if epoch.from_epoch > epoch.to_epoch:
        raise BadInput(f"epoch {epoch.from_epoch} is after {epoch.to_epoch}", remedy)
    numbers = [epoch.budget, *epoch.usage.values(), *epoch.signatures.values()]
    numbers += [epoch.credits_worth, *epoch.credits.values()]
    if min(numbers) < 0 or any(d.ops_per_second < 0 for d in devices):
        raise BadInput("a number in the epoch's snapshot is below 0", remedy)
    if len({d.device for d in devices}) != len(devices):
        raise BadInput("a device is listed twice in the epoch's snapshot", remedy)
    if len({agreed.receipt.job for agreed in receipts}) != len(receipts):
        raise BadInput("a job is listed twice in the epoch's snapshot", remedy)
    if len({source.subnet for source in subnets}) != len(subnets):
        raise BadInput("a subnet is listed twice in the epoch's snapshot", remedy)
    if sum(source.share for source in subnets) > epoch.budget:
        raise BadInput("the subnets' shares are more than the epoch's budget", remedy)
    if len({(leaf.kind, leaf.key) for leaf in previous}) != len(previous):
        raise BadInput("a leaf is listed twice in the last report", remedy)
    if any(leaf.kind not in REWARD_KINDS for leaf in previous):
        raise BadInput("the last report's rewards hold a leaf of another tree", remedy)
