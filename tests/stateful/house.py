"""The clearing house: the real escrow and job registry with what they call, and who uses them.

The committee, its ledger, the device registry and the court are one contract that says what it
was told (contracts/referee.vy): signatures and proofs have machines and tests of their own.
"""

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from eth_account import Account
from eth_account.signers.local import LocalAccount

from oracle.domain.hashing import keccak
from oracle.domain.messages import Domain, Message
from tests.stateful.conftest import DEPLOYER, deploy, deploy_token
from tests.stateful.evm import Contract, Evm, address_of
from tests.unit.conftest import (
    DAY,
    DISPUTE_WINDOW,
    EPOCH_LENGTH,
    JOB_TIMEOUT,
    LOCK_PERIOD,
    MIN_DELEGATION,
    MIN_SELF_BOND,
    ROLE_DELAY,
    ROOT,
    UNBONDING_PERIOD,
    UNIT,
    role,
    sign,
)

CHAIN_ID = 1
CLASS = 1
NOBODY = "0x" + "00" * 20
PURSE = 60_000 * UNIT
SELF_BOND = 1_000 * UNIT
# when it is listed
ODD_SUPPLY = 2**112 - 1
# what the thief has of the odd token later: more than an escrow may hold
HOARD = 2**113
DEVICES = 4
FEE_BPS = 250
BURN_BPS = 3_000
FEE_DELAY = 3 * DAY
# collateral per GPU in base units, the customer's part of it in bps, uptime, and the seconds for
# which devices may be missing; level 0 promises nothing
LEVELS = ((0, 0, 0, 0), (10 * UNIT, 5_000, 0, DAY), (7 * UNIT + 1, 3_333, 0, 0), (0, 5_000, 0, 0))
SUBNETS = (0, 1)
# provider and GPUs
MEMBERS = ((1, 2), (2, 1))
# most collateral per GPU that its members agreed on: less than level 1 asks for
MEMBER_COLLATERAL = 8 * UNIT
CLUSTER = 2**23


def signer(name: str) -> LocalAccount:
    """A key for somebody who signs."""
    account: LocalAccount = Account.from_key(keccak(name.encode()))
    return account


def address(key: LocalAccount) -> str:
    return str(key.address).lower()


@dataclass(kw_only=True)
class House:
    """The contracts, the actors, and a tally of what the machines did."""

    evm: Evm
    token: Contract
    odd: Contract
    providers: Contract
    staking: Contract
    clusters: Contract
    bonds: Contract
    offers: Contract
    jobs: Contract
    escrow: Contract
    referee: Contract
    customers: list[LocalAccount]
    # provider n is number n - 1; the last one has no operator
    owners: list[str]
    operators: list[LocalAccount]
    payouts: list[str]
    thief: LocalAccount
    # a customer that is a contract
    wallet: Contract
    # who slashes and jails
    court: str = address_of("court")
    treasury: str = address_of("treasury")
    guardian: str = address_of("guardian")
    steps: int = 0
    longest: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    signed: dict[Any, bytes] = field(default_factory=dict)

    def sign(
        self, key: LocalAccount, message: Message, contract: Contract, chain_id: int = CHAIN_ID
    ) -> bytes:
        """The same message is signed once for all runs."""
        known = key.address, message, contract.address, chain_id
        if known not in self.signed:
            self.signed[known] = sign(key, message, Domain(chain_id, contract.address))
        return self.signed[known]


def open_house() -> House:
    """Deploy and wire what jobs need, with three providers and a cluster of two of them."""
    evm = Evm()
    token = deploy_token(evm)
    odd = evm.deploy(ROOT / "tests" / "contracts" / "odd_token.vy", ODD_SUPPLY, sender=DEPLOYER)
    contracts = Path(__file__).parent / "contracts"
    referee = evm.deploy(contracts / "referee.vy", sender=DEPLOYER)
    wallet = evm.deploy(contracts / "fickle_wallet.vy", sender=DEPLOYER)
    evm.wallets[wallet.address.lower()] = wallet
    providers = deploy(evm, "ProviderRegistry", UNBONDING_PERIOD)
    staking = deploy(
        evm,
        "ProviderStaking",
        providers,
        token,
        evm.timestamp,
        EPOCH_LENGTH,
        UNBONDING_PERIOD,
        LOCK_PERIOD,
        MIN_SELF_BOND,
        MIN_DELEGATION,
        ROLE_DELAY,
    )
    clusters = deploy(evm, "ClusterRegistry", providers, ROLE_DELAY)
    bonds = deploy(evm, "ServiceBonds", staking, referee, clusters, referee, ROLE_DELAY)
    offers = deploy(evm, "OfferBook", providers, ROLE_DELAY)
    jobs = deploy(evm, "JobRegistry", providers, clusters, bonds, offers, JOB_TIMEOUT, ROLE_DELAY)
    escrow = deploy(
        evm,
        "JobEscrow",
        token,
        providers,
        clusters,
        jobs,
        referee,
        referee,
        NOBODY,
        DISPUTE_WINDOW,
        FEE_BPS,
        BURN_BPS,
        House.treasury,
        House.guardian,
        FEE_DELAY,
    )
    for contract, name, holder in (
        (staking, "LOCKER", bonds),
        (staking, "SLASHER", House.court),
        (clusters, "ESCROW", escrow),
        (bonds, "JOBS", jobs),
        (offers, "JOBS", jobs),
        (jobs, "ESCROW", escrow),
        (jobs, "COURT", referee),
    ):
        contract.set_role(role(name), holder, sender=DEPLOYER)
    house = House(
        evm=evm,
        token=token,
        odd=odd,
        providers=providers,
        staking=staking,
        clusters=clusters,
        bonds=bonds,
        offers=offers,
        jobs=jobs,
        escrow=escrow,
        referee=referee,
        customers=[signer(f"customer {i}") for i in range(2)],
        owners=[address_of(f"owner {i}") for i in range(3)],
        operators=[signer(f"operator {i}") for i in range(2)],
        payouts=[address_of(f"payout {i}") for i in range(3)],
        thief=signer("thief"),
        wallet=wallet,
    )
    for level in LEVELS[1:]:
        bonds.add_sla(*level, sender=DEPLOYER)
    for asset in (token, odd):
        asset.approve(escrow, 2**256 - 1, sender=DEPLOYER)
        for subnet in SUBNETS:
            escrow.list_asset(asset, subnet, sender=DEPLOYER)
    keys = (*house.customers, house.thief)
    for account in (*map(address, keys), wallet.address.lower()):
        token.transfer(account, PURSE, sender=DEPLOYER)
        odd.transfer(account, PURSE, sender=DEPLOYER)
        for asset in (token, odd):
            asset.approve(escrow, 2**256 - 1, sender=account)
    # customers that are owed something don't pay it themselves, the thief may
    token.approve(bonds, 2**256 - 1, sender=address(house.thief))
    odd.grow(house.thief.address, HOARD - PURSE, sender=DEPLOYER)
    for i, owner in enumerate(house.owners):
        operator = house.operators[i].address if i < len(house.operators) else NOBODY
        providers.register(operator, house.payouts[i], 0, 0, 5_000, "", sender=owner)
        token.transfer(owner, SELF_BOND + PURSE, sender=DEPLOYER)
        token.approve(staking, 2**256 - 1, sender=owner)
        token.approve(bonds, 2**256 - 1, sender=owner)
        staking.stake(i + 1, SELF_BOND, sender=owner)
        referee.enter(i + 1, DEVICES)
    clusters.form(list(MEMBERS), CLASS, MEMBER_COLLATERAL, 0, sender=house.owners[0])
    clusters.join(CLUSTER, 1, sender=house.owners[1])
    return house
