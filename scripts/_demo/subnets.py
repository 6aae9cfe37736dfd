"""Two subnets of the demo, and the two validators that judge who works in them."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from oracle.adapters.chain.client import Chain
from oracle.adapters.signer import Signer
from oracle.services.provider import Provider, Terms
from oracle.services.subnets import SubnetClient
from scripts._demo.actors import Actor
from scripts._demo.processes import CLEARWORK, Processes

WORK = 10**18
OWNER = "subnet owner"
VALIDATORS = ("first validator", "second validator")
# of a validator, beside its stake
STAKE = 2_000 * WORK
KINDS = ("inference", "training")
# each validator votes for the market at large and for one of the subnets
HALF = 5_000
# small, so that a place is judged within the demo's few epochs
RULES = {
    "max_uids": 16,
    "immunity_epochs": 2,
    "min_weights": 1,
    "commit_interval": 2,
    "reveal_delay": 1,
    "reveal_window": 4,
    "min_stake": 100 * WORK,
}
CONSENSUS = {
    "max_validators": 4,
    "kappa": 32_767,
    "bonds_moving_average": 900_000,
    "bonds_penalty": 65_535,
    "yuma": 3,
    "liquid_alpha": True,
    "alpha_low": 45_875,
    "alpha_high": 58_982,
    "alpha_steepness": 1_000,
    "activity_cutoff": 60,
    "owner_cut_bps": 1_800,
}


class Subnets:
    """`signer` opens an actor's key, `say` prints a line."""

    def __init__(
        self,
        chain: Chain,
        actors: dict[str, Actor],
        signer: Callable[[str], Signer],
        say: Callable[[str], None],
    ) -> None:
        self._chain = chain
        self._actors = actors
        self._signer = signer
        self._say = say
        # number of each validator's provider, by name
        self.validators: dict[str, int] = {}
        self.numbers: list[int] = []

    def open(self, miners: dict[str, int]) -> None:
        """Create both subnets, fill them, vote. `miners`: provider by the actor that owns it."""
        owner = SubnetClient(self._chain, self._signer(OWNER))
        self.numbers = [owner.create(kind, RULES, CONSENSUS) for kind in KINDS]
        for name in VALIDATORS:
            desk = Provider(self._chain, self._signer(name))
            address = self._actors[name].address
            number = desk.register(Terms(address, address, 1_000, 10_000, 2_000, ""))
            desk.stake(number, STAKE)
            self.validators[name] = number
        members = {**self.validators, **miners}
        for subnet in self.numbers:
            for name, provider in members.items():
                SubnetClient(self._chain, self._signer(name)).register(subnet, provider)
        for (name, provider), subnet in zip(self.validators.items(), self.numbers, strict=True):
            client = SubnetClient(self._chain, self._signer(name))
            client.vote(provider, {0: HALF, subnet: HALF})
        self._say(
            f"subnets {self.numbers}, validated by providers {list(self.validators.values())}, "
            f"worked in by {list(miners.values())}"
        )

    def start(self, processes: Processes, folder: Path, common: Sequence[str]) -> None:
        """Start a validator process each; `common`: options that name the chain."""
        for name, provider in self.validators.items():
            log = name.replace(" ", "-")
            processes.start(
                log,
                [*CLEARWORK, "validator", "run", str(provider), "--interval", "1",
                 "--state", str(folder / "validators" / log),
                 *self._actors[name].key_options(), *common],
            )  # fmt: skip

    def are_paid(self, summary: Any) -> bool:
        """Whether miners and validators of both subnets earn by an epoch's summary."""
        lines = {line["subnet"]: line for line in summary["subnets"]}
        return all(
            int(lines[subnet]["miners"]) and int(lines[subnet]["validators"])
            for subnet in self.numbers
        )
