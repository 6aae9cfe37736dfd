"""The contracts as Ape compiles them: names in the order of deployment, ABIs, containers."""

import json
import os
import sys
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

from ape.contracts import ContractContainer
from ape.managers.project import LocalProject

from oracle.domain.hashing import keccak
from oracle.errors import Fatal

ROOT = Path(__file__).resolve().parents[1]

# ape-vyper looks for the compiler on PATH, where it is only if the environment is activated
os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])

# what every deployment has, in the order of deployment: each contract needs only those above
CONTRACTS = (
    "Timelock",
    "WorkToken",
    "OracleCommittee",
    "ProviderRegistry",
    "ProviderStaking",
    "DeviceRegistry",
    "EmissionsController",
    "EpochLedger",
    "RewardDistributor",
    "ClusterRegistry",
    "ServiceBonds",
    "OfferBook",
    "JobRegistry",
    "Prices",
    "GovernorFeed",
    "ComputeCredits",
    "JobEscrow",
    "SubnetRegistry",
    "SubnetVotes",
    "FeeMeter",
    "MatmulVerifier",
    "SlashingCourt",
    "LeafRequests",
)
# those that a deployment has where its parameters ask for them
OPTIONAL: tuple[str, ...] = ("DemandPolicy",)


@cache
def project() -> LocalProject:
    """This repository as an Ape project that keeps its compiled contracts under build/.

    Ape recompiles a contract whose own file has changed, not one whose imports have, so the
    cache is kept per state of all the sources.
    """
    digest = sha256()
    for source in [ROOT / "ape-config.yaml", *sorted((ROOT / "contracts").rglob("*.vy*"))]:
        digest.update(str(source.relative_to(ROOT)).encode())
        digest.update(source.read_bytes())
    cache_folder = ROOT / "build" / "contracts" / digest.hexdigest()[:16]
    return LocalProject(ROOT, manifest_path=cache_folder / "__local__.json")


def container(name: str) -> ContractContainer:
    """A compiled contract, ready to be deployed; compiles what has changed."""
    found: ContractContainer | None = project().get_contract(name)
    if found is None:
        raise Fatal(f"there is no contract {name}", f"Look into {ROOT / 'contracts'}.")
    return found


def abi_of(name: str) -> list[dict[str, Any]]:
    """The ABI of a contract as plain JSON values."""
    return [
        entry.model_dump(mode="json", by_alias=True, exclude_none=True)
        for entry in container(name).contract_type.abi
    ]


def abi_text(abi: list[dict[str, Any]]) -> str:
    """An ABI as it is published in deployments/abi."""
    return json.dumps(abi, indent=2) + "\n"


def abi_hash(abi: list[dict[str, Any]]) -> str:
    """Keccak-256 of the ABI in canonical JSON (sorted keys, no spaces)."""
    canonical = json.dumps(abi, sort_keys=True, separators=(",", ":"))
    return "0x" + keccak(canonical.encode()).hex()
