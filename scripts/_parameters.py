"""What a deployment is made of: `deployments/params/<network>.yaml`, checked before transaction 1.

The bounds are those of the contracts' constructors, and a test compares them. Amounts of tokens
are written in whole tokens and kept in base units; times are written as "14 days" or in seconds.
"""

import re
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Annotated, Literal, Self

import yaml
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    model_validator,
)

from oracle.domain.attestation.challenge import KEEP_EPOCHS
from oracle.domain.recovery import checksum
from oracle.errors import BadInput
from scripts._anvil import test_key

UNIT = 10**18
BPS = 10_000
HOUR = 3_600
DAY = 24 * HOUR
MAX_AMOUNT = 2**96 - 1
# a feed answers in USD with 8 decimals
ANSWER_UNIT = 10**10
ZERO_ADDRESS = "0x" + 40 * "0"
# what `deployments/params/*.yaml` calls the token that this deployment creates
OWN_TOKEN = "WorkToken"
# and the credits that are bought with it
CREDITS = "ComputeCredits"

_SECONDS = {"second": 1, "minute": 60, "hour": HOUR, "day": DAY}
_DURATION = re.compile(r"(\d+) (second|minute|hour|day)s?")
_ADDRESS = re.compile(r"0x[0-9a-fA-F]{40}")
_TEST_KEY = re.compile(r"test/(\d{1,2})")
_ALLOW_TEST_KEYS = "allow test keys"


def _base_units(value: object) -> int:
    """Base units of an amount in whole tokens: an integer, or a decimal number in quotes."""
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise ValueError("write an amount of tokens as an integer, or in quotes: '0.5'")
    try:
        amount = Decimal(value) * UNIT
    except InvalidOperation:
        raise ValueError(f"not an amount of tokens: {value!r}") from None
    if amount != amount.to_integral_value():
        raise ValueError(f"{value} has more than 18 decimals")
    return int(amount)


def _seconds(value: object) -> int:
    """Seconds of a duration such as "14 days"."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    match = _DURATION.fullmatch(str(value))
    if match is None:
        raise ValueError(f"not a duration: {value!r}; write '14 days', '1 hour', '20 seconds'")
    return int(match[1]) * _SECONDS[match[2]]


def _address(value: object, info: ValidationInfo) -> str:
    """Checksum address of an account, or of the public test key `test/<index>`."""
    match = _TEST_KEY.fullmatch(str(value))
    if match is not None:
        if not (info.context or {}).get(_ALLOW_TEST_KEYS):
            raise ValueError(f"{value} is a key that everybody knows; name an account of yours")
        return str(test_key(int(match[1])).address)
    if _ADDRESS.fullmatch(str(value)) is None:
        raise ValueError(f"not an address: {value!r}; write '0x' and 40 digits, in quotes")
    address = checksum(bytes.fromhex(str(value)[2:]))
    if value not in (address, str(value).lower()):
        raise ValueError(f"{value} has a typing error: its checksum is wrong")
    return address


Tokens = Annotated[int, BeforeValidator(_base_units), Field(gt=0, le=MAX_AMOUNT)]
Seconds = Annotated[int, BeforeValidator(_seconds), Field(ge=0)]
Account = Annotated[str, BeforeValidator(_address)]
Bps = Annotated[int, Field(ge=0, le=BPS)]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Allocation(_Section):
    """Tokens that exist from the start."""

    account: Account
    amount: Tokens


class TokenParameters(_Section):
    """WorkToken."""

    name: str = Field(min_length=1, max_length=25)
    symbol: str = Field(min_length=1, max_length=5)
    max_supply: Tokens
    allocations: list[Allocation] = Field(max_length=64)

    @model_validator(mode="after")
    def _within_the_cap(self) -> Self:
        if sum(allocation.amount for allocation in self.allocations) > self.max_supply:
            raise ValueError("the allocations are more than max_supply")
        return self


class TimelockParameters(_Section):
    """Timelock: who may change anything after the hand-over, and how long everybody is warned."""

    min_delay: Annotated[Seconds, Field(gt=0, le=90 * DAY)]
    proposers: list[Account] = Field(min_length=1, max_length=255)
    # nobody named: anyone may execute what was proposed in time
    executors: list[Account] = Field(max_length=255)


class CommitteeParameters(_Section):
    """OracleCommittee."""

    members: list[Account] = Field(min_length=1, max_length=31)
    threshold: int
    min_bond: Tokens
    # the deployer pays every member's bond; else each member bonds itself before it counts
    bond_members: bool = False
    bond_delay: Annotated[Seconds, Field(le=365 * DAY)]
    key_overlap: Annotated[Seconds, Field(le=7 * DAY)]
    equivocation_reporter_bps: Annotated[Bps, Field(le=5_000)]
    rules_version: Annotated[int, Field(ge=1, lt=2**32)]

    @model_validator(mode="after")
    def _majority(self) -> Self:
        count = len(self.members)
        if len(set(self.members)) != count:
            raise ValueError("a member is named twice")
        if not count < 2 * self.threshold <= 2 * count:
            raise ValueError(
                f"threshold {self.threshold} is not more than half of {count} members, "
                "and at most all of them"
            )
        return self


class StakingParameters(_Section):
    """ProviderStaking."""

    unbonding_period: Annotated[Seconds, Field(gt=0, le=365 * DAY)]
    lock_period: Annotated[Seconds, Field(gt=0, le=30 * DAY)]
    min_self_bond: Annotated[Tokens, Field(ge=10**9)]
    min_delegation: Annotated[Tokens, Field(ge=10**9)]


class DeviceClassParameters(_Section):
    """One class of GPUs; classes are numbered from 1 in the order of the file."""

    name: str
    min_ops_per_second: Annotated[int, Field(gt=0, lt=2**64)]
    min_memory_mb: Annotated[int, Field(ge=0, lt=2**32)]
    stake_per_device: Tokens


class RegistryParameters(_Section):
    """DeviceRegistry."""

    attestation_period: Annotated[Seconds, Field(gt=0, le=30 * DAY)]
    class_delay: Annotated[Seconds, Field(le=365 * DAY)]
    classes: list[DeviceClassParameters] = Field(min_length=1, max_length=64)


class SlaParameters(_Section):
    """One service level; they are numbered from 1 in the order of the file."""

    name: str
    collateral_per_gpu: Tokens
    compensation_bps: Bps
    uptime_bps: Bps = 0
    capacity_grace: Annotated[Seconds, Field(le=30 * DAY)]


class EscrowParameters(_Section):
    """JobEscrow, JobRegistry and ServiceBonds."""

    assets: list[Literal["WorkToken", "ComputeCredits"] | Account] = Field(
        min_length=1, max_length=255
    )
    dispute_window: Annotated[Seconds, Field(ge=5, le=30 * DAY)]
    job_timeout: Annotated[Seconds, Field(le=90 * DAY)]
    fee_bps: Annotated[Bps, Field(le=1_000)]
    burn_bps: Bps
    treasury: Account
    guardian: Account
    slas: list[SlaParameters] = Field(max_length=64)

    @model_validator(mode="after")
    def _timeout_after_window(self) -> Self:
        if self.job_timeout < self.dispute_window:
            raise ValueError("job_timeout is shorter than dispute_window")
        if self.treasury == ZERO_ADDRESS:
            raise ValueError("treasury is the zero address")
        return self


Usd = Annotated[int, BeforeValidator(_base_units), Field(ge=10**6, le=10**27)]


class PriceParameters(_Section):
    """Prices and GovernorFeed: what the work token is worth, in USD with 18 decimals."""

    guardian: Account
    # answers the work token's feed
    governor: Account
    first_answer: Usd
    max_age: Annotated[Seconds, Field(gt=0, le=7 * DAY)]
    grace: Annotated[Seconds, Field(le=7 * DAY)]
    lower: Usd
    upper: Usd
    max_deviation_bps: Annotated[Bps, Field(gt=0)]
    interval: Annotated[Seconds, Field(gt=0, le=7 * DAY)]

    @model_validator(mode="after")
    def _a_first_price(self) -> Self:
        if not self.lower < self.upper:
            raise ValueError("lower is not below upper")
        if not self.lower <= self.first_answer <= self.upper:
            raise ValueError("first_answer is not from lower to upper")
        if self.first_answer % ANSWER_UNIT:
            raise ValueError("first_answer has more than 8 decimals")
        if self.governor == ZERO_ADDRESS:
            raise ValueError("governor is the zero address")
        return self


class TargetParameters(_Section):
    """What the devices of one class are owed under the supply policy `demand`."""

    # name of a class in registry.classes
    device_class: str
    usd_per_hour: Annotated[int, BeforeValidator(_base_units), Field(gt=0, le=1_000 * UNIT)]
    # time of more devices counts as that of so many
    max_devices: Annotated[int, Field(gt=0, le=10_000_000)]


class DemandParameters(_Section):
    """DemandPolicy: budgets that cover what attested devices are owed in USD."""

    # epochs' worth of what is owed that the fee vault keeps
    reserve_epochs: Annotated[int, Field(ge=0, le=100_000)]
    # of what it holds beyond, burnt each epoch
    burn_bps: Annotated[Bps, Field(ge=5_000)]
    # by which targets move per epoch at most
    step_bps: Annotated[Bps, Field(gt=0, le=1_000)]
    # of the moving averages
    average_epochs: Annotated[int, Field(gt=0, le=100_000)]
    # of the allowance, released for an epoch without a price
    stale_bps: Annotated[Bps, Field(le=100)]
    # releases that an epoch waits for its figures
    wait_epochs: Annotated[int, Field(gt=0, le=168)]
    # notice of a change of a target
    target_epochs: Annotated[int, Field(gt=0, le=10_000)]
    targets: list[TargetParameters] = Field(min_length=1, max_length=64)

    @property
    def rule(self) -> tuple[int, int, int, int, int]:
        """As the constructor of DemandPolicy takes it."""
        return (
            self.reserve_epochs, self.burn_bps, self.step_bps, self.average_epochs, self.stale_bps
        )  # fmt: skip


class EmissionParameters(_Section):
    """EmissionsController, EpochLedger and RewardDistributor."""

    # chain time in seconds of the start of epoch 0; null means the time of deployment
    genesis: Annotated[int, Field(ge=0, lt=2**64)] | None
    epoch_length: Annotated[Seconds, Field(gt=0, le=30 * DAY)]
    # from posting an epoch's report to the first claim against it
    activation_delay: Annotated[Seconds, Field(gt=0, le=30 * DAY)]
    initial_emission: Tokens
    block_seconds: Annotated[Seconds, Field(gt=0, le=HOUR)]
    # part of each budget that follows fees, and its bound in bps of a subnet's own fees
    beta_bps: Annotated[Bps, Field(le=5_000)]
    cap_ratio_bps: Annotated[Bps, Field(le=9_500)]
    guardian: Account
    vesting_period: Annotated[Seconds, Field(gt=0, le=4 * 365 * DAY)]
    immediate_bps: Bps
    # that claims take at once, and as much more per day; 0 for any
    outflow_cap: Annotated[int, BeforeValidator(_base_units), Field(ge=0, le=MAX_AMOUNT)]
    # how much of the schedule is granted: all of it, or what devices are owed in USD
    policy: Literal["halving", "demand"] = "halving"
    # the terms of `demand`; none under halving
    demand: DemandParameters | None = None

    @model_validator(mode="after")
    def _terms_of_the_policy(self) -> Self:
        if (self.policy == "demand") != (self.demand is not None):
            raise ValueError("write the section demand with policy: demand, and only then")
        return self

    @model_validator(mode="after")
    def _claims_drain(self) -> Self:
        if 0 < self.outflow_cap * self.block_seconds < self.initial_emission * DAY:
            raise ValueError(
                "outflow_cap must be at least a day of the initial emission, or 0 for none, so "
                "that claims never wait for ever"
            )
        return self


class SalePriceParameters(_Section):
    """A price that each sale raises and that falls back to its floor in a straight line."""

    floor: Tokens
    # by which a sale raises it
    factor_bps: Annotated[int, Field(ge=BPS, le=100_000)]
    # from any price to the floor
    period: Annotated[Seconds, Field(gt=0, le=365 * DAY)]

    @property
    def as_struct(self) -> tuple[int, int, int]:
        """As the constructor of SubnetRegistry takes it."""
        return self.floor, self.factor_bps, self.period


class SubnetParameters(_Section):
    """SubnetRegistry and SubnetVotes."""

    # notice of a change of a subnet's parameters
    parameter_epochs: Annotated[int, Field(ge=1, le=10_000)]
    # for which a vote counts
    vote_epochs: Annotated[int, Field(ge=1, lt=2**64)]
    subnet_price: SalePriceParameters
    uid_price: SalePriceParameters


CasePeriod = Annotated[Seconds, Field(gt=0, le=30 * DAY)]


class CourtParameters(_Section):
    """SlashingCourt."""

    # penalties, in bps of the stake behind the provider
    false_attestation_bps: Annotated[Bps, Field(gt=0)]
    missed_challenge_bps: Annotated[Bps, Field(gt=0)]
    downtime_bps: Annotated[Bps, Field(gt=0)]
    fraud_bps: Annotated[Bps, Field(gt=0)]
    max_penalty_bps: Annotated[Bps, Field(gt=0)]
    daily_cap_bps: Annotated[Bps, Field(gt=0)]
    correlation_multiplier: Annotated[int, Field(ge=0, le=100)]
    reporter_bps: Bps
    jail: Annotated[Seconds, Field(gt=0, le=365 * DAY)]
    # bonds of accusers and of whoever appeals
    accusation_bond: Annotated[Tokens, Field(gt=0)]
    appeal_bond: Annotated[Tokens, Field(gt=0)]
    answer_period: CasePeriod
    verdict_period: CasePeriod
    appeal_period: CasePeriod
    arbiter_period: CasePeriod
    # decides appeals; null means nobody: the committee's verdicts stand
    arbiter: Account | None

    @model_validator(mode="after")
    def _no_penalty_over_the_largest(self) -> Self:
        shares = (
            self.false_attestation_bps, self.missed_challenge_bps, self.downtime_bps,
            self.fraud_bps,
        )  # fmt: skip
        if max(shares) > self.max_penalty_bps:
            raise ValueError("max_penalty_bps must be at least every other penalty")
        return self

    @property
    def longest_case(self) -> int:
        """Seconds from an accusation to the end of its last period."""
        return self.answer_period + self.verdict_period + self.appeal_period + self.arbiter_period


class LeafRequestParameters(_Section):
    """LeafRequests."""

    bond: Tokens
    answer_period: CasePeriod
    # epochs after its own in which a leaf of a commit can be asked for
    request_epochs: Annotated[int, Field(ge=0, lt=KEEP_EPOCHS)]


class Parameters(_Section):
    """A whole deployment."""

    role_change_delay: Seconds
    token: TokenParameters
    timelock: TimelockParameters
    committee: CommitteeParameters
    staking: StakingParameters
    registry: RegistryParameters
    escrow: EscrowParameters
    prices: PriceParameters
    emissions: EmissionParameters
    subnets: SubnetParameters
    court: CourtParameters
    leaf_requests: LeafRequestParameters

    @model_validator(mode="after")
    def _targets_are_of_classes(self) -> Self:
        targets = self.emissions.demand.targets if self.emissions.demand else []
        named = [target.device_class for target in targets]
        if len(set(named)) != len(named):
            raise ValueError("emissions.demand.targets names a class twice")
        unknown = set(named) - {each.name for each in self.registry.classes}
        if unknown:
            raise ValueError(
                f"emissions.demand.targets names no class of registry.classes: {sorted(unknown)}"
            )
        return self

    @model_validator(mode="after")
    def _leave_before_a_change(self) -> Self:
        if self.role_change_delay <= self.staking.unbonding_period:
            raise ValueError(
                "role_change_delay must be longer than staking.unbonding_period, so that "
                "everybody can leave before a role that reaches their stake changes hands"
            )
        return self

    @model_validator(mode="after")
    def _cases_end_before_the_court_can_be_replaced(self) -> Self:
        if self.role_change_delay < self.court.longest_case:
            raise ValueError(
                "role_change_delay must be at least the sum of the court's four periods, so "
                "that no case outlives the court that heard it"
            )
        return self

    @model_validator(mode="after")
    def _stake_stands_in_one_place_per_epoch(self) -> Self:
        if self.staking.unbonding_period < self.emissions.epoch_length:
            raise ValueError(
                "staking.unbonding_period must be at least emissions.epoch_length, so that "
                "the same stake never votes twice in an epoch"
            )
        return self

    @model_validator(mode="after")
    def _votes_do_not_outlast_stake(self) -> Self:
        if self.subnets.vote_epochs * self.emissions.epoch_length > self.staking.unbonding_period:
            raise ValueError(
                "subnets.vote_epochs must last no longer than staking.unbonding_period, so that "
                "stake that has left does not go on voting elsewhere"
            )
        return self

    @model_validator(mode="after")
    def _leaves_can_be_shown_and_stake_can_be_slashed(self) -> Self:
        epoch, answer = self.emissions.epoch_length, self.leaf_requests.answer_period
        askable = (self.leaf_requests.request_epochs + 1) * epoch
        if askable + answer > KEEP_EPOCHS * epoch:
            raise ValueError(
                "leaf_requests.request_epochs, one more and answer_period must be at most "
                f"{KEEP_EPOCHS} epochs, after which agents forget what they committed to"
            )
        if askable + 2 * answer >= self.staking.unbonding_period:
            raise ValueError(
                "leaf_requests.request_epochs, one more and twice answer_period must be shorter "
                "than staking.unbonding_period, so that stake can't leave before a conviction"
            )
        return self

    @classmethod
    def load(cls, path: Path, *, allow_test_keys: bool) -> Self:
        """Read and check a parameter file; raises `BadInput` with every reason.

        `allow_test_keys` lets it name public test keys, which only a local chain may do.
        """
        try:
            content = yaml.safe_load(path.read_text())
        except OSError:
            raise BadInput(
                f"there is no parameter file {path}", "Copy deployments/params/local.yaml."
            ) from None
        except yaml.YAMLError as error:
            raise BadInput(f"{path} is not YAML: {error}", "Mend the file.") from None
        try:
            return cls.model_validate(content, context={_ALLOW_TEST_KEYS: allow_test_keys})
        except ValidationError as error:
            reasons = [
                f"  {'.'.join(str(part) for part in reason['loc']) or 'file'}: {reason['msg']}"
                for reason in error.errors()
            ]
            raise BadInput(
                "\n".join([f"{path} can't be deployed:", *reasons]),
                "deployments/params/local.yaml shows every value with its unit.",
            ) from None
