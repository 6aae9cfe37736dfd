"""Two subnets' worth of people on the live market: an owner, validators, the device's provider."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from eth_account.signers.local import LocalAccount

from oracle.adapters.signer.keystore import KeystoreSigner
from oracle.adapters.store.row_files import RowFiles
from oracle.services.provider import Provider, Terms
from oracle.services.subnets import SubnetClient
from oracle.services.validate import Validator
from scripts._anvil import test_key
from tests.oracle.conftest import UNIT, Live, Machine

STAKE = 2_000 * UNIT
RULES = {
    "max_uids": 8,
    "immunity_epochs": 2,
    "min_weights": 1,
    "commit_interval": 2,
    "reveal_delay": 1,
    "reveal_window": 2,
    "min_stake": 1_000 * UNIT,
}
CONSENSUS = {
    "max_validators": 4,
    "kappa": 32_767,
    "bonds_moving_average": 900_000,
    "bonds_penalty": 65_535,
    "yuma": 3,
    "liquid_alpha": False,
    "alpha_low": 45_875,
    "alpha_high": 58_982,
    "alpha_steepness": 1_000,
    "activity_cutoff": 60,
    "owner_cut_bps": 1_800,
}


@dataclass
class Scene:
    """One subnet of the live market. `validators`: provider by the key that owns it."""

    live: Live
    owner: LocalAccount
    subnet: int
    validators: dict[LocalAccount, int]
    miner: int
    folder: Path

    def client(self, key: LocalAccount) -> SubnetClient:
        return SubnetClient(self.live.chain, KeystoreSigner(key))

    def validator(self, key: LocalAccount, folder: str = "") -> Validator:
        """A validator process, with the files that it had before unless another folder is named."""
        provider = self.validators[key]
        files = RowFiles(self.folder / (folder or str(provider)))
        return Validator(self.live.chain, KeystoreSigner(key), provider, files, 5_000)


def funded(live: Live, index: int, tokens: int) -> LocalAccount:
    """A key with coin for gas, and work tokens in base units."""
    key = test_key(index)
    live.w3.provider.make_request("anvil_setBalance", [key.address, hex(10**20)])  # type: ignore[arg-type]
    live.send(live.deployer, "WorkToken", "transfer", key.address, tokens)
    return key


def new_provider(live: Live, key: LocalAccount, stake: int) -> int:
    """A provider owned and operated by one key."""
    desk = Provider(live.chain, KeystoreSigner(key))
    number = desk.register(Terms(key.address, key.address, 1_000, 10_000, 2_000, ""))
    desk.stake(number, stake)
    return number


@pytest.fixture
def owner(live: Live) -> LocalAccount:
    """Who can pay for a subnet."""
    return funded(live, 15, 10_000 * UNIT)


@pytest.fixture
def subnet(live: Live, owner: LocalAccount) -> int:
    """A subnet that nobody has a place in."""
    client = SubnetClient(live.chain, KeystoreSigner(owner))
    return client.create("inference", RULES, CONSENSUS)


@pytest.fixture
def scene(live: Live, machine: Machine, owner: LocalAccount, subnet: int, tmp_path: Path) -> Scene:
    """A subnet with two validators, uids 0 and 1, and the machine's provider, uid 2."""
    validators = {
        key: new_provider(live, key, STAKE)
        for key in (funded(live, index, STAKE + 1_000 * UNIT) for index in (16, 17))
    }
    scene = Scene(live, owner, subnet, validators, machine.provider, tmp_path / "rows")
    for key, provider in validators.items():
        scene.client(key).register(subnet, provider)
    live.send(live.deployer, "WorkToken", "transfer", live.provider_owner.address, 100 * UNIT)
    scene.client(live.provider_owner).register(subnet, machine.provider)
    return scene


@pytest.fixture
def pass_epochs(live: Live) -> Callable[[int], None]:
    """Let chain time pass so many epochs."""

    def _pass(count: int) -> None:
        now = live.read("EpochLedger", "current_epoch")
        live.enter_epoch(now + count)

    return _pass
