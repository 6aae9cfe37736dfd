# pragma version 0.4.3
# pragma nonreentrancy on
"""
@title Reward distributor
@license Apache-2.0
@author Clearwork
@notice Holds the epoch budgets and pays them out against the reward root of the newest
        active epoch report. A leaf names who (a provider, or an account such as an
        oracle's) and how much over all time; a claim pays what is new since the last one,
        to whom the leaf names, whoever calls. A provider's part goes through its stake:
        a share at once, the rest linearly over `VESTING_PERIOD`, and until then it is
        collateral that the slashing court may take.
@dev Leaf: keccak256(keccak256(abi_encode(chain id, this contract, uint8 kind, bytes32 key,
     uint256 cumulative))) in a tree of sorted pairs (OpenZeppelin's StandardMerkleTree).
     No keeper is needed: a claim that the adopted root does not prove makes this contract
     adopt the ledger's active root, and is checked against that.
     Whatever a root says, all claims together never pass the total that the report
     declared and that the ledger held against the budgets: a budget is reserved when it
     comes in, and only what the adopted report declared is taken out of the reserve.
     Claims together take at most `outflow_cap` at once, and as much more per day. What is open
     beyond that is held back: a claim above it is paid in part, and the rest when it is called
     again. The owner can set no cap below a day of the schedule's highest emission, so the queue
     ends.
     Trust: the ledger for roots and totals, the controller for what it takes back, the
     staking contract to pass rewards on (it may pull tokens from here), all immutable;
     the COURT role may take unvested rewards to pay a victim or burn them, nothing else.
@custom:security security@clearwork.example
@custom:kill Nothing stops claims against a root that is active. The guardian of the ledger
             can disable a report until then; the owner can empty COURT, after the delay.
"""

from ethereum.ercs import IERC20
from snekmate.auth import ownable
from snekmate.auth import ownable_2step

from .interfaces import IEpochLedger
from .interfaces import IProviderRegistry
from .interfaces import IProviderStaking
from .interfaces import IRewardDistributor
from .interfaces import IWorkToken
from .modules import claim_head
from .modules import delayed_roles
from .modules import outflow_word
from .modules import vesting

implements: IRewardDistributor

initializes: ownable
initializes: ownable_2step[ownable := ownable]
initializes: delayed_roles[ownable := ownable]

exports: (
    # owner
    ownable_2step.owner,
    ownable_2step.pending_owner,
    ownable_2step.transfer_ownership,
    ownable_2step.accept_ownership,
    ownable_2step.renounce_ownership,
    # roles
    delayed_roles.ROLE_CHANGE_DELAY,
    delayed_roles.role_holder,
    delayed_roles.pending_role,
    delayed_roles.set_role,
    delayed_roles.apply_role,
)


# of the emissions controller
interface Schedule:
    def INITIAL_EMISSION() -> uint256: view
    def BLOCK_SECONDS() -> uint256: view


# role that may take unvested rewards
COURT: public(constant(bytes32)) = keccak256("COURT")
# leaf kinds: the key is a provider id, or an account's address, as a number
PROVIDER: public(constant(uint8)) = 1
ACCOUNT: public(constant(uint8)) = 2
# depth of the deepest tree: four billion leaves
MAX_PROOF: constant(uint256) = 32
BPS: constant(uint256) = 10_000
DAY: constant(uint256) = 86_400
MAX_VESTING_PERIOD: constant(uint256) = 4 * 365 * 86_400
# amounts are packed in 96 bits
MAX_AMOUNT: constant(uint256) = 2**96 - 1

# token that is paid
TOKEN: public(immutable(IERC20))
# says which reward root is active
LEDGER: public(immutable(IEpochLedger))
# pays budgets in and takes back what no leaf took
CONTROLLER: public(immutable(address))
# providers' rewards go through it
STAKING: public(immutable(IProviderStaking))
# seconds over which a provider's vesting part vests
VESTING_PERIOD: public(immutable(uint256))
# bps of a provider's reward that are paid at once
IMMEDIATE_BPS: public(immutable(uint256))

# adopted root and base units here that no claim may touch, packed by `claim_head`: budgets
# whose report is not active yet, what still vests, and what is held back
head: uint256
# base units that active reports declared and the cap holds back for now
held: public(uint256)
# base units that claims take at once at most, and as much more per day; 0 is no cap
outflow_cap: public(uint256)
# what they took lately, packed by `outflow_word`
outflow: uint256
# cumulative rewards that the adopted report declared, base units
adopted_total: public(uint256)
# account => base units claimed over all time
claimed_by_account: HashMap[address, uint256]
# provider => base units claimed over all time and what of them still vests, packed by
# `vesting`
rewards: HashMap[uint24, uint256]


@deploy
def __init__(
    token: IERC20,
    ledger: IEpochLedger,
    controller: address,
    staking: IProviderStaking,
    vesting_period: uint256,
    immediate_bps: uint256,
    outflow_cap: uint256,
    role_change_delay: uint256,
):
    """
    @param token token that is paid, at most 2^96 - 1 base units ever
    @param ledger says which reward root is active
    @param controller pays budgets in and takes back what no leaf took
    @param staking providers' rewards go through it
    @param vesting_period seconds over which a provider's vesting part vests, 1 to 4 years
    @param immediate_bps bps of a provider's reward that are paid at once
    @param outflow_cap base units that claims take per day, 0 for any; see `set_outflow_cap`
    @param role_change_delay seconds between scheduling and applying a change of a role
    """
    ownable.__init__()
    ownable_2step.__init__()
    delayed_roles.__init__(role_change_delay)
    max_supply: uint256 = staticcall IWorkToken(token.address).MAX_SUPPLY()
    assert max_supply <= MAX_AMOUNT, "reward_distributor: supply out of bounds"
    assert (
        vesting_period != 0 and vesting_period <= MAX_VESTING_PERIOD
    ), "reward_distributor: vesting period out of bounds"
    assert immediate_bps <= BPS, "reward_distributor: immediate share out of bounds"
    TOKEN = token
    LEDGER = ledger
    CONTROLLER = controller
    STAKING = staking
    VESTING_PERIOD = vesting_period
    IMMEDIATE_BPS = immediate_bps
    self._set_outflow_cap(outflow_cap)
    # the token treats the maximum as unlimited, so that no claim has to approve again
    assert extcall token.approve(
        staking.address, max_value(uint256), default_return_value=True
    ), "reward_distributor: approval failed"


# --- permissionless -----------------------------------------------------------------------


@external
def claim(
    kind: uint8, key: bytes32, cumulative: uint256, proof: DynArray[bytes32, MAX_PROOF]
) -> uint256:
    """
    @notice Pay whom the leaf names what is new in it since the last claim. Anyone may call.
    @dev A jailed provider's claim waits until its term is over; nothing is lost, the next
         claim pays all of it. A claim of more than the cap lets out now is paid in part.
    @param kind `PROVIDER` or `ACCOUNT`
    @param key provider id or account address, as a number
    @param cumulative base units the leaf grants over all time
    @param proof siblings from the leaf up to the root
    @return paid base units that went out now, what had vested included
    """
    node: bytes32 = self._leaf(kind, key, cumulative)
    for sibling: bytes32 in proof:
        if convert(node, uint256) < convert(sibling, uint256):
            node = keccak256(abi_encode(node, sibling))
        else:
            node = keccak256(abi_encode(sibling, node))
    head: uint256 = self.head
    if not claim_head._has_root(head, node):
        head = self._adopt(head)
        assert claim_head._has_root(head, node), "reward_distributor: not in the active root"

    paid: uint256 = 0
    vests: uint256 = 0
    claimed: uint256 = 0
    if kind == ACCOUNT:
        account: address = convert(convert(key, uint160), address)
        paid, claimed = self._claim_account(account, cumulative, head)
    else:
        assert kind == PROVIDER, "reward_distributor: unknown kind"
        provider: uint24 = convert(convert(key, uint256), uint24)
        paid, vests, claimed = self._claim_provider(provider, cumulative, head)
    log IRewardDistributor.Claimed(kind=kind, key=key, paid=paid, vesting=vests, cumulative=claimed)
    return paid


@internal
def _adopt(head: uint256) -> uint256:
    """
    @dev Take over the ledger's active root. The totals of reports only rise; what a report
         adds was reserved when its epochs' budgets came in, and is open to claims now.
    @return head the head from now on
    """
    root: bytes32 = empty(bytes32)
    total: uint256 = 0
    root, total = staticcall LEDGER.active_rewards()
    opened: uint256 = total - self.adopted_total
    adopted: uint256 = self._hold(
        claim_head._free(claim_head._with_root(head, root), opened), opened
    )
    self.head = adopted
    self.adopted_total = total
    log IRewardDistributor.RootAdopted(root=root, total=total)
    return adopted


@internal
def _hold(head: uint256, opened: uint256) -> uint256:
    """
    @dev Hold back what is open to claims beyond the cap, from now on.
    @param head with `opened` taken out of the reserve
    @param opened base units that were not open before
    @return head the head from now on; storing it is left to the caller
    """
    cap: uint256 = self.outflow_cap
    held: uint256 = self.held
    if cap == 0 and held == 0:
        return head
    open: uint256 = self._open(head)
    total: uint256 = open + held
    let_out: uint256 = total
    if cap != 0:
        # what was opened just now was not there to be taken
        level: uint256 = outflow_word._level(self.outflow, open - min(open, opened), cap)
        let_out = min(total, cap - min(cap, level))
        self.outflow = outflow_word._pack(level, let_out)
    if total - let_out != held:
        self.held = total - let_out
    return claim_head._reserve(claim_head._free(head, held), total - let_out)


@internal
def _claim_account(account: address, cumulative: uint256, head: uint256) -> (uint256, uint256):
    """
    @return paid base units that went out now
    @return claimed base units over all time
    """
    claimed: uint256 = self.claimed_by_account[account]
    due: uint256 = 0
    after: uint256 = 0
    due, after = self._due(cumulative, claimed, head)
    claimed = unsafe_add(claimed, due)
    self.claimed_by_account[account] = claimed
    if after != head:
        self.head = after
    self._send(account, due)
    return due, claimed


@internal
def _due(cumulative: uint256, claimed: uint256, head: uint256) -> (uint256, uint256):
    """
    @dev Claims are paid out of what is here and not reserved, so they end at the totals
         that active reports declared. (A gift to this contract would raise that; it would
         be the giver's.) Only a claim that takes all that is open looks at the cap again, so
         that others pay no gas for it.
    @return due base units to pay now
    @return head the head from now on; storing it is left to the caller
    """
    assert cumulative > claimed, "reward_distributor: nothing to claim"
    due: uint256 = unsafe_sub(cumulative, claimed)
    if due < self._open(head):
        return due, head
    after: uint256 = self._hold(head, 0)
    open: uint256 = self._open(after)
    if due > open:
        assert self.held != 0, "reward_distributor: over the declared total"
        assert open != 0, "reward_distributor: outflow of the day is used up"
        due = open
    if self.outflow_cap != 0:
        # counted at once: what shows only at the next look would not fall until then
        level: uint256 = outflow_word._level(self.outflow, open, 0)
        self.outflow = outflow_word._pack(level + due, open - due)
    return due, after


@internal
@view
def _open(head: uint256) -> uint256:
    return staticcall TOKEN.balanceOf(self) - claim_head._reserved(head)


@internal
def _send(receiver: address, amount: uint256):
    assert extcall TOKEN.transfer(receiver, amount), "reward_distributor: transfer failed"


@internal
def _claim_provider(
    provider: uint24, cumulative: uint256, head: uint256
) -> (uint256, uint256, uint256):
    """
    @dev The share paid at once is rounded down, the rest of what is due vests.
    @return paid base units passed on to the provider's stake, what had vested included
    @return vests base units that vest from now on
    @return claimed base units over all time
    """
    assert not staticcall STAKING.is_jailed(provider), "reward_distributor: provider is jailed"
    word: uint256 = self.rewards[provider]
    claimed: uint256 = vesting._claimed(word)
    due: uint256 = 0
    after: uint256 = 0
    due, after = self._due(cumulative, claimed, head)
    claimed = unsafe_add(claimed, due)
    # `due` is below 2^96 and the share at most 1
    immediate: uint256 = unsafe_div(unsafe_mul(due, IMMEDIATE_BPS), BPS)
    vests: uint256 = unsafe_sub(due, immediate)
    vested: uint256 = 0
    unvested: uint256 = 0
    left: uint256 = 0
    vested, unvested, left = vesting._split(word)
    self.rewards[provider] = vesting._add(claimed, unvested, left, vests, VESTING_PERIOD)
    self.head = claim_head._free(claim_head._reserve(after, vests), vested)
    paid: uint256 = unsafe_add(immediate, vested)
    self._add_rewards(provider, paid)
    return paid, vests, claimed


@internal
def _add_rewards(provider: uint24, amount: uint256):
    if amount != 0:
        extcall STAKING.add_rewards(provider, amount, IProviderRegistry.PaymentKind.EMISSION)


@external
def adopt():
    """
    @notice Take over the ledger's active root and total. A claim does it by itself where
            the adopted root does not prove it; whoever calls this first spares the next
            claimant the gas, and makes a total that rose under the same root count.
    """
    self._adopt(self.head)


@external
def release(provider: uint24) -> uint256:
    """
    @notice Pay a provider what has vested. Anyone may call; a jailed provider is paid too,
            since what has vested is its own.
    @param provider provider id
    @return paid base units passed on to the provider's stake
    """
    word: uint256 = self.rewards[provider]
    vested: uint256 = 0
    unvested: uint256 = 0
    left: uint256 = 0
    vested, unvested, left = vesting._split(word)
    assert vested != 0, "reward_distributor: nothing vested"
    self.rewards[provider] = vesting._rest(word, unvested, left)
    self.head = claim_head._free(self.head, vested)
    self._pay_vested(provider, vested)
    return vested


@internal
def _pay_vested(provider: uint24, vested: uint256):
    log IRewardDistributor.VestingReleased(provider=provider, amount=vested)
    self._add_rewards(provider, vested)


# --- controller ---------------------------------------------------------------------------


@external
def fund(amount: uint256):
    """
    @notice Controller: count a budget that has just come in. It is reserved until the
            report about its epochs is active.
    @param amount base units
    """
    self._check_controller()
    head: uint256 = claim_head._reserve(self.head, amount)
    assert (
        claim_head._reserved(head) <= staticcall TOKEN.balanceOf(self)
    ), "reward_distributor: budget is not here"
    self.head = head


@internal
@view
def _check_controller():
    assert msg.sender == CONTROLLER, "reward_distributor: caller is not the controller"


@external
def give_back(amount: uint256):
    """
    @notice Controller: take back what no leaf of an active report took.
    @param amount base units
    """
    self._check_controller()
    self.head = claim_head._free(self.head, amount)
    self._send(CONTROLLER, amount)


# --- court --------------------------------------------------------------------------------


@external
def seize_vesting(
    provider: uint24, amount: uint256, victim: address, victim_amount: uint256
) -> uint256:
    """
    @notice COURT: take rewards that a provider has not vested yet, pay a victim out of them
            first, and burn the rest. What has vested is the provider's own and is paid to
            it; what is not taken goes on vesting until the same end.
    @param provider provider id
    @param amount base units to take at most; the largest value takes everything unvested
    @param victim who is paid first
    @param victim_amount base units the victim is paid at most
    @return seized base units taken, 0 if nothing was vesting
    """
    delayed_roles._check_role(COURT)
    word: uint256 = self.rewards[provider]
    vested: uint256 = 0
    unvested: uint256 = 0
    left: uint256 = 0
    vested, unvested, left = vesting._split(word)
    seized: uint256 = min(amount, unvested)
    if seized == 0:
        return 0
    self.rewards[provider] = vesting._rest(
        word, unvested - seized, left if seized < unvested else 0
    )
    self.head = claim_head._free(self.head, vested + seized)
    paid: uint256 = min(victim_amount, seized)
    log IRewardDistributor.VestingSeized(
        provider=provider, victim=victim, victim_amount=paid, burnt=seized - paid
    )
    if vested != 0:
        self._pay_vested(provider, vested)
    if paid != 0:
        self._send(victim, paid)
    if paid != seized:
        extcall IWorkToken(TOKEN.address).burn(seized - paid)
    return seized


# --- owner --------------------------------------------------------------------------------


@external
def set_outflow_cap(outflow_cap: uint256):
    """
    @notice Owner: change how much claims take at once, and per day.
    @param outflow_cap base units, at least what the schedule emits in a day before the first
           halving; 0 for no cap
    """
    ownable._check_owner()
    # what was taken until now falls at the old rate
    head: uint256 = self._hold(self.head, 0)
    self._set_outflow_cap(outflow_cap)
    self.head = self._hold(head, 0)


@internal
def _set_outflow_cap(outflow_cap: uint256):
    assert outflow_cap <= MAX_AMOUNT, "reward_distributor: outflow cap out of bounds"
    if outflow_cap != 0:
        schedule: Schedule = Schedule(CONTROLLER)
        assert (
            outflow_cap * staticcall schedule.BLOCK_SECONDS()
            >= staticcall schedule.INITIAL_EMISSION() * DAY
        ), "reward_distributor: outflow cap below a day of emission"
    previous: uint256 = self.outflow_cap
    if previous == 0:
        # nothing was counted without a cap
        self.outflow = 0
    log IRewardDistributor.OutflowCapChanged(previous=previous, current=outflow_cap)
    self.outflow_cap = outflow_cap


# --- views --------------------------------------------------------------------------------


@external
@view
def claimed(kind: uint8, key: bytes32) -> uint256:
    """
    @notice What a leaf has been claimed for over all time, its vesting part included.
    @param kind `PROVIDER` or `ACCOUNT`
    @param key provider id or account address, as a number
    @return claimed base units
    """
    if kind == ACCOUNT:
        return self.claimed_by_account[convert(convert(key, uint160), address)]
    if kind == PROVIDER:
        return vesting._claimed(self.rewards[convert(convert(key, uint256), uint24)])
    return 0


@external
@view
def unvested(provider: uint24) -> uint256:
    """
    @notice Collateral: rewards of a provider that have not vested by now, base units.
    @param provider provider id
    """
    return vesting._split(self.rewards[provider])[1]


@external
@view
def releasable(provider: uint24) -> uint256:
    """
    @notice Rewards of a provider that have vested and wait for `release`, base units.
    @param provider provider id
    """
    return vesting._split(self.rewards[provider])[0]


@external
@view
def vesting_end(provider: uint24) -> uint256:
    """
    @notice Chain time in seconds at which everything claimed for a provider has vested;
            now, where nothing waits.
    @param provider provider id
    """
    return block.timestamp + vesting._split(self.rewards[provider])[2]


@external
@view
def reserved() -> uint256:
    """
    @notice Base units here that no claim may touch: budgets whose report is not active
            yet, and what vests or waits for `release`. What the cap holds back is not among
            them.
    """
    return claim_head._reserved(self.head) - self.held


@external
@view
def open_to_claims() -> uint256:
    """
    @notice Base units that all claims together may take before one looks at the cap again,
            which may let out some of what is `held`. The first claim against a newer active
            report adds what that report declared.
    """
    return self._open(self.head)


@external
@view
def leaf(kind: uint8, key: bytes32, cumulative: uint256) -> bytes32:
    """
    @notice The hash that stands for an entry in the reward tree.
    @param kind `PROVIDER` or `ACCOUNT`
    @param key provider id or account address, as a number
    @param cumulative base units over all time
    """
    return self._leaf(kind, key, cumulative)


@internal
@view
def _leaf(kind: uint8, key: bytes32, cumulative: uint256) -> bytes32:
    return keccak256(keccak256(abi_encode(chain.id, self, kind, key, cumulative)))
