"""SubnetVotes: what counts when, and that nothing counts twice."""

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import boa
import pytest

from tests.unit.conftest import EPOCH_LENGTH, UNBONDING_PERIOD, UNIT, VOTE_EPOCHS, load, role
from tests.unit.subnets import NOBODY, STAKE, pass_epochs

ALL = (1, 10_000)
# epochs in which stake thaws
THAWS = UNBONDING_PERIOD // EPOCH_LENGTH


@pytest.fixture
def deploy(staking: Any, subnets: Any) -> Callable[..., Any]:
    def _deploy(**changes: Any) -> Any:
        arguments = {
            "staking": staking,
            "subnets": subnets,
            "vote_epochs": VOTE_EPOCHS,
            "role_change_delay": 0,
        } | changes
        return load("SubnetVotes", *arguments.values())

    return _deploy


def test_remembers_what_it_is_made_of(
    votes: Any, staking: Any, subnets: Any, ledger: Any, deployer: str
):
    assert votes.STAKING() == staking.address
    assert votes.SUBNETS() == subnets.address
    assert votes.VOTE_EPOCHS() == VOTE_EPOCHS
    assert votes.CONTROLLER() == role("CONTROLLER")
    assert (votes.GENESIS(), votes.EPOCH_LENGTH()) == (ledger.GENESIS(), EPOCH_LENGTH)
    assert votes.owner() == deployer
    assert votes.next_epoch() == 0


def test_begins_with_the_epoch_it_is_deployed_in(deploy: Callable[..., Any]):
    pass_epochs(7)
    assert deploy().next_epoch() == 7


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"staking": NOBODY}, "no staking"),
        ({"subnets": NOBODY}, "no subnets"),
        ({"vote_epochs": 0}, "votes that never count"),
        ({"vote_epochs": THAWS + 1}, "votes outlast stake"),
    ],
)
def test_bounds(deploy: Callable[..., Any], change: dict[str, Any], reason: str):
    with boa.reverts(f"subnet_votes: {reason}"):
        deploy(**change)


# --- casting --------------------------------------------------------------------------------


def test_a_vote_counts_from_its_epoch_for_as_long_as_votes_do(
    votes: Any,
    cast: Callable[..., None],
    take: Callable[[], list[int]],
    neuron: Callable[..., tuple[int, str]],
):
    assert take() == [0, 0, 0, 0]
    voter = neuron()
    cast(voter, (0, 2_500), (3, 7_500))
    (event,) = votes.get_logs()
    assert (event.provider, event.holder, event.stake) == (*voter, STAKE)
    assert (event.from_epoch, event.to_epoch) == (1, 1 + VOTE_EPOCHS)
    assert event.choices == [(0, 2_500), (3, 7_500)]
    assert votes.vote_of(*voter) == (STAKE, 1 + VOTE_EPOCHS)
    assert votes.choices_of(*voter) == [(0, 2_500), (3, 7_500)]
    expected = [STAKE // 4, 0, 0, 3 * STAKE // 4]
    for _ in range(VOTE_EPOCHS):
        assert take() == expected
    assert take() == [0, 0, 0, 0]


def test_a_new_vote_replaces_the_one_before(
    votes: Any, cast: Any, take: Callable[[], list[int]], neuron: Any, staking: Any, token: Any
):
    voter = neuron()
    cast(voter, ALL)
    cast(voter, (2, 10_000))
    assert take() == [0, 0, STAKE, 0]
    # more stake counts once it is voted with
    token.approve(staking, STAKE)
    staking.stake(voter[0], STAKE)
    assert take() == [0, 0, STAKE, 0]
    cast(voter, (1, 5_000), (2, 5_000))
    assert take() == [0, STAKE, STAKE, 0]
    cast(voter)
    assert votes.vote_of(*voter) == (0, 0)
    assert votes.choices_of(*voter) == []
    assert take() == [0, 0, 0, 0]
    pass_epochs(VOTE_EPOCHS)
    for _ in range(VOTE_EPOCHS):
        assert take() == [0, 0, 0, 0]


def test_a_vote_that_is_over_is_not_ended_again(cast: Any, take: Any, neuron: Any):
    voter, other = neuron(), neuron()
    cast(voter, ALL)
    cast(other, ALL)
    pass_epochs(VOTE_EPOCHS - 1)
    cast(other, ALL)
    pass_epochs(1)
    # the first is over now, the other goes on
    cast(voter)
    for _ in range(VOTE_EPOCHS):
        assert take()[1] == 2 * STAKE
    assert take()[1] == STAKE


def test_delegators_vote_with_what_is_theirs(
    cast: Any, take: Any, neuron: Any, staking: Any, token: Any, delegator: Any
):
    provider, owner = neuron()
    token.transfer(delegator.address, 50 * UNIT)
    with boa.env.prank(delegator.address):
        token.approve(staking, 50 * UNIT)
        staking.delegate(provider, 50 * UNIT, 0)
    cast((provider, owner), ALL)
    cast((provider, delegator.address), (2, 10_000))
    assert take() == [0, STAKE, 50 * UNIT, 0]


def test_parts_are_rounded_down(cast: Any, take: Any, neuron: Any):
    cast(neuron(STAKE + 1), (0, 3_333), (1, 3_333), (2, 3_334))
    parts = take()
    assert parts == [(STAKE + 1) * bps // 10_000 for bps in (3_333, 3_333, 3_334)] + [0]
    assert STAKE - 3 < sum(parts) <= STAKE + 1


@pytest.mark.parametrize(
    ("choices", "reason"),
    [
        ([(1, 9_999)], "choices are not 10 000 bps"),
        ([(1, 10_001)], "choices are not 10 000 bps"),
        ([(1, 5_000), (2, 5_001)], "choices are not 10 000 bps"),
        ([(2, 5_000), (1, 5_000)], "choices not ascending"),
        ([(1, 5_000), (1, 5_000)], "choices not ascending"),
        ([(0, 0), (1, 10_000)], "choice of nothing"),
        ([(4, 10_000)], "no such subnet"),
        ([(65_535, 10_000)], "no such subnet"),
    ],
)
def test_choices_that_are_none(cast: Any, take: Any, neuron: Any, choices: Any, reason: str):
    voter = neuron()
    with boa.reverts(f"subnet_votes: {reason}"):
        cast(voter, *choices)
    assert take() == [0, 0, 0, 0]


def test_eight_choices_at_most(
    votes: Any, create: Any, cast: Any, take: Any, neuron: Any, token: Any, subnet_owner: str
):
    # each subnet costs twice as much as the one before
    token.transfer(subnet_owner, 50_000 * UNIT)
    for _ in range(5):
        create()
    voter = neuron()
    eight = [(subnet, 1_250) for subnet in range(8)]
    cast(voter, *eight)
    assert votes.choices_of(*voter) == eight
    assert take() == [STAKE // 8] * 8 + [0]
    with boa.reverts():
        cast(voter, *[(subnet, 1_000) for subnet in range(9)])


def test_no_stake_no_vote(cast: Any, three: int, neuron: Any, stranger: str):
    provider, _ = neuron()
    with boa.reverts("subnet_votes: no stake"):
        cast((provider, stranger), ALL)
    with boa.reverts("subnet_votes: no stake"):
        cast((provider + 100, stranger), ALL)


def test_stake_that_has_voted_votes_nowhere_else_before_it_is_over(
    deploy: Any, three: int, neuron: Any, staking: Any, token: Any
):
    """Hopping: vote, unbond, and stake it behind somebody else."""
    votes = deploy(vote_epochs=THAWS)
    taker = str(boa.env.generate_address("controller"))
    votes.set_role(role("CONTROLLER"), taker)
    (first, owner), (second, other) = neuron(STAKE + 100 * UNIT), neuron()
    votes.vote(first, [ALL], sender=owner)
    staking.unbond(first, STAKE, sender=owner)
    pass_epochs(THAWS)
    for epoch in range(THAWS):
        assert votes.take(epoch, sender=taker)[1] == STAKE + 100 * UNIT
    staking.withdraw(first, 32, sender=owner)
    token.transfer(other, STAKE, sender=owner)
    token.approve(staking, STAKE, sender=other)
    staking.stake(second, STAKE, sender=other)
    votes.vote(second, [ALL], sender=other)
    pass_epochs(1)
    assert votes.take(THAWS, sender=taker)[1] == 2 * STAKE


# --- taking ---------------------------------------------------------------------------------


def test_epochs_are_taken_one_after_the_other(votes: Any, taker: str, stranger: str):
    with boa.reverts("subnet_votes: epoch has not ended"), boa.env.prank(taker):
        votes.take(0)
    pass_epochs(2)
    with boa.reverts("roles: caller lacks the role"), boa.env.prank(stranger):
        votes.take(0)
    with boa.reverts("subnet_votes: not the next epoch"), boa.env.prank(taker):
        votes.take(1)
    with boa.env.prank(taker):
        votes.take(0)
        with boa.reverts("subnet_votes: not the next epoch"):
            votes.take(0)
        votes.take(1)
        with boa.reverts("subnet_votes: epoch has not ended"):
            votes.take(2)
    assert votes.next_epoch() == 2


def test_votes_of_epochs_taken_late_are_those_of_their_time(cast: Any, take: Any, neuron: Any):
    one, other = neuron(), neuron()
    cast(one, ALL)
    pass_epochs(3)
    cast(other, (2, 10_000))
    cast(one, (3, 10_000))
    pass_epochs(4)
    assert [take() for _ in range(3)] == [[0, STAKE, 0, 0]] * 3
    assert [take() for _ in range(4)] == [[0, 0, STAKE, STAKE]] * 4


# --- skipping -------------------------------------------------------------------------------


@pytest.fixture
def late(votes: Any, controller: Any, three: int, neuron: Any) -> Any:
    """A controller that has pressed five epochs before it takes the votes."""
    pass_epochs(5)
    controller.press(5)
    controller.set_role(role("VOTES"), votes)
    votes.set_role(role("CONTROLLER"), controller)
    return controller


def split(controller: Any) -> list[int]:
    (event,) = [e for e in controller.get_logs() if type(e).__name__ == "BudgetSplit"]
    return list(event.shares)


def failures(controller: Any) -> list[int]:
    return [e.epoch for e in controller.get_logs() if type(e).__name__ == "SourceFailed"]


def test_epochs_that_were_pressed_without_votes_are_passed_over(
    votes: Any, late: Any, cast: Any, neuron: Any, stranger: str
):
    cast(neuron(), (2, 10_000))
    pass_epochs(1)
    late.press(1)
    assert failures(late) == [5]
    assert split(late)[1:] == []
    assert votes.next_epoch() == 0
    with boa.env.prank(stranger):
        assert votes.skip(2) == 2
        assert votes.skip(2**256 - 1) == 4
    assert votes.next_epoch() == 6
    pass_epochs(1)
    late.press(1)
    assert failures(late) == []
    assert [bool(share) for share in split(late)] == [False, False, True, False]


def test_nothing_else_can_be_passed_over(votes: Any, late: Any):
    with boa.reverts("subnet_votes: nothing to skip"):
        votes.skip(0)
    votes.skip(5)
    pass_epochs(3)
    for count in (1, 64):
        with boa.reverts("subnet_votes: nothing to skip"):
            votes.skip(count)
    assert votes.next_epoch() == 5


def test_one_call_passes_over_a_bounded_number(votes: Any, late: Any):
    pass_epochs(100)
    late.press(64)
    late.press(36)
    assert votes.MAX_SKIP() == 64
    assert votes.skip(1_000) == 64
    assert votes.skip(1_000) == 41
    assert votes.next_epoch() == late.next_epoch() == 105


def test_without_a_controller_there_is_nothing_to_follow(votes: Any, three: int):
    with boa.reverts("subnet_votes: no controller"):
        votes.skip(1)


def test_votes_are_those_of_their_time_after_a_skip(votes: Any, late: Any, cast: Any, neuron: Any):
    """A vote that ended in a skipped epoch does not go on counting."""
    one, other = neuron(), neuron()
    cast(one, ALL)
    cast(other, (3, 10_000))
    pass_epochs(2)
    cast(one)
    pass_epochs(1)
    late.press(8)
    assert failures(late) == [5, 6, 7]
    votes.skip(8)
    pass_epochs(1)
    late.press(1)
    assert [bool(share) for share in split(late)] == [False, False, False, True]


# --- a provider that changes hands -----------------------------------------------------------


@pytest.fixture
def hand_over(providers: Any) -> Callable[[int, str, str], None]:
    """Give a provider with its self-bond to another owner, who owns it from the next epoch on."""

    def _hand_over(provider: int, owner: str, to: str) -> None:
        providers.transfer_provider(provider, to, sender=owner)
        providers.accept_provider(provider, sender=to)
        pass_epochs(1)

    return _hand_over


def test_a_bond_votes_once_whoever_holds_it(
    votes: Any, cast: Any, take: Callable[[], list[int]], neuron: Any, hand_over: Any
):
    provider, first = neuron()
    owners = [first, *(str(boa.env.generate_address()) for _ in range(2)), first]
    cast((provider, first), ALL)
    assert take() == [0, STAKE, 0, 0]
    for owner, following in pairwise(owners):
        hand_over(provider, owner, following)
        cast((provider, following), (2, 10_000))
        ended, began = votes.get_logs()
        assert (ended.holder, ended.stake, ended.to_epoch) == (owner, 0, 0)
        assert (began.holder, began.stake) == (following, STAKE)
        assert votes.vote_of(provider, owner) == (0, 0)
        assert votes.choices_of(provider, owner) == []
        assert votes.bond_voter(provider) == following
        # the epoch that the handover ended, and the one that it was cast in
        assert sum(take()) == STAKE
        assert take() == [0, 0, STAKE, 0]
    for _ in range(VOTE_EPOCHS):
        assert sum(take()) <= STAKE


def test_a_former_owner_votes_with_its_delegation(
    votes: Any,
    cast: Any,
    take: Callable[[], list[int]],
    neuron: Any,
    hand_over: Any,
    staking: Any,
    token: Any,
):
    provider, first = neuron()
    token.transfer(first, UNIT)
    token.approve(staking, UNIT, sender=first)
    staking.delegate(provider, UNIT, 0, sender=first)
    cast((provider, first), ALL)
    second = str(boa.env.generate_address())
    hand_over(provider, first, second)
    # who hands it over keeps the vote until the new owner casts one
    assert votes.vote_of(provider, first)[0] == STAKE + UNIT
    cast((provider, second), ALL)
    cast((provider, first), (2, 10_000))
    assert votes.bond_voter(provider) == second
    while votes.next_epoch() < votes.current_epoch():
        assert sum(take()) in (0, STAKE + UNIT)
    assert take() == [0, STAKE, UNIT, 0]


# --- whatever happens ------------------------------------------------------------------------

# of each of the first owners and each of those who take over, behind every provider
DELEGATED = 3 * UNIT


@dataclass
class Crowd:
    """Two providers that change hands, and what each account's delegation is worth, base
    units."""

    providers: list[int]
    accounts: list[str]
    delegated: dict[tuple[int, int], int]

    @property
    def stake(self) -> int:
        return sum(self.bond(number) for number in range(2)) + sum(self.delegated.values())

    @staticmethod
    def bond(number: int) -> int:
        return (number + 1) * STAKE


@pytest.fixture
def crowd(neuron: Any, staking: Any, token: Any, votes: Any) -> Crowd:
    """The owners of two providers, and a third account; all of them delegate to the first."""
    made = [neuron(Crowd.bond(number)) for number in range(2)]
    accounts = [owner for _, owner in made] + [str(boa.env.generate_address())]
    first = made[0][0]
    delegated = {}
    for number, account in enumerate(accounts):
        token.transfer(account, DELEGATED)
        token.approve(staking, DELEGATED, sender=account)
        staking.delegate(first, DELEGATED, 0, sender=account)
        bond = Crowd.bond(0) if number == 0 else 0
        stake = staking.stake_at(first, account, votes.current_epoch())
        delegated[0, number] = stake - bond
    return Crowd([provider for provider, _ in made], accounts, delegated)


@dataclass
class Ballots:
    """Who has voted what until when, and in whose vote each self-bond is.

    By provider and account, all by their numbers in the crowd. `takes_over`: epoch from which the
    present owner's self-bond counts. `taken_over`: votes that a new owner's vote has ended.
    """

    crowd: Crowd
    taken_over: int = 0
    owner: list[int] = field(default_factory=lambda: [0, 1])
    takes_over: list[int] = field(default_factory=lambda: [0, 0])
    bond_voter: dict[int, int] = field(default_factory=dict)
    standing: dict[tuple[int, int], tuple[int, int, list[tuple[int, int]]]] = field(
        default_factory=dict
    )

    def stake(self, provider: int, account: int, epoch: int) -> int:
        owns = self.owner[provider] == account and self.takes_over[provider] <= epoch
        bond = self.crowd.bond(provider) if owns else 0
        return bond + self.crowd.delegated.get((provider, account), 0)

    def vote(self, provider: int, account: int, choices: list[tuple[int, int]], epoch: int) -> None:
        self.standing.pop((provider, account), None)
        if not choices:
            return
        if self.owner[provider] == account and self.takes_over[provider] <= epoch:
            # the self-bond was in another vote, which ends whole
            before = self.standing.pop((provider, self.bond_voter.get(provider, account)), None)
            self.taken_over += before is not None and before[1] > epoch
            self.bond_voter[provider] = account
        stake = self.stake(provider, account, epoch)
        self.standing[provider, account] = stake, epoch + VOTE_EPOCHS, choices

    def row(self, epoch: int) -> list[int]:
        counted = [0] * 4
        for stake, until, choices in self.standing.values():
            if epoch < until:
                for subnet, bps in choices:
                    counted[subnet] += stake * bps // 10_000
        return counted


# seeds by which new owners end votes of owners before them
@pytest.mark.parametrize("seed", range(2, 6))
def test_every_epoch_has_the_votes_that_stood_in_it(
    crowd: Crowd, providers: Any, votes: Any, taker: str, seed: int
):
    """Against a model, providers that change hands included; and no stake votes twice.

    Drawn by dice, not by Hypothesis, whose few examples hardly ever hold the steps that end a
    former owner's vote.
    """
    dice = random.Random(seed)
    epoch = votes.next_epoch()
    model = Ballots(crowd, takes_over=[epoch] * 2)
    expected: list[list[int]] = []

    def end(count: int) -> None:
        nonlocal epoch
        expected.extend(model.row(epoch + passed) for passed in range(count))
        epoch += count
        pass_epochs(count)

    for _ in range(40):
        end(dice.choice([0, 0, 0, 1, 1, 1, 2, 2, VOTE_EPOCHS - 1, VOTE_EPOCHS]))
        provider, account = dice.randrange(2), dice.randrange(3)
        number, who = crowd.providers[provider], crowd.accounts[account]
        what = dice.choice(["votes", "its owner votes", "takes it over", "takes it over, votes"])
        if what.startswith("takes"):
            owner = crowd.accounts[model.owner[provider]]
            providers.transfer_provider(number, who, sender=owner)
            providers.accept_provider(number, sender=who)
            model.owner[provider], model.takes_over[provider] = account, epoch + 1
            if what == "takes it over":
                continue
            end(1)
        elif what == "its owner votes":
            account = model.owner[provider]
            who = crowd.accounts[account]
        subnet, bps = dice.randrange(4), dice.randrange(10_001)
        choices = [(subnet, bps), (subnet + 1, 10_000 - bps)]
        choices = [choice for choice in choices if choice[1] and choice[0] < 4]
        if sum(choice[1] for choice in choices) != 10_000:
            choices = []
        if choices and not model.stake(provider, account, epoch):
            with boa.reverts("subnet_votes: no stake"):
                votes.vote(number, choices, sender=who)
            continue
        votes.vote(number, choices, sender=who)
        model.vote(provider, account, choices, epoch)
    end(1)
    taken = [list(votes.take(first, sender=taker)) for first in range(len(expected))]
    assert taken == expected
    assert all(sum(row) <= crowd.stake for row in taken)
    assert model.taken_over
