"""Where the contracts are: `deployments/<chain id>.json` and the ABIs next to it."""

import json
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from oracle.domain.recovery import checksum
from oracle.errors import Misconfigured

_REPOSITORY_ABI = Path(__file__).parents[3] / "deployments" / "abi"


@dataclass(frozen=True, slots=True)
class Deployment:
    """The published contracts of one chain."""

    chain_id: int
    network: str
    # contract name -> checksum address
    addresses: dict[str, str]
    # contract name -> number of the block it was created in
    blocks: dict[str, int]

    @classmethod
    def load(cls, path: Path) -> "Deployment":
        """Read a deployment file; raises `Misconfigured` where it is missing or malformed."""
        try:
            content = json.loads(path.read_text())
            contracts = content["contracts"]
            return cls(
                chain_id=int(content["chain_id"]),
                network=str(content["network"]),
                addresses={name: _address(entry["address"]) for name, entry in contracts.items()},
                blocks={name: int(entry["block"]) for name, entry in contracts.items()},
            )
        except OSError as error:
            raise Misconfigured(
                f"no deployment at {path}",
                "Deploy with `ape run deploy`, or name the file deployments/<chain id>.json.",
            ) from error
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise Misconfigured(
                f"{path} is not a deployment file: {error!r}",
                "Use the file that `ape run deploy` wrote for this chain.",
            ) from error

    def address(self, name: str) -> str:
        """Checksum address of a contract; raises `Misconfigured` for one not deployed here."""
        try:
            return self.addresses[name]
        except KeyError:
            raise Misconfigured(
                f"the deployment on chain {self.chain_id} has no {name}",
                "Deploy it, or use a deployment file that lists it.",
            ) from None

    @property
    def first_block(self) -> int:
        """Number of the block from which logs are worth reading."""
        return min(self.blocks.values(), default=0)


@cache
def load_abi(name: str) -> list[dict[str, Any]]:
    """The ABI of a contract: package data of an installed wheel, else the repository's file."""
    packaged = files("oracle").joinpath("abi", f"{name}.json")
    source = packaged if packaged.is_file() else _REPOSITORY_ABI / f"{name}.json"
    try:
        abi: list[dict[str, Any]] = json.loads(source.read_text())
    except OSError as error:
        raise Misconfigured(
            f"no ABI of {name} in deployments/abi", "Write it with `ape run export_abi`."
        ) from error
    return abi


def _address(text: str) -> str:
    raw = bytes.fromhex(text.removeprefix("0x"))
    if len(raw) != 20:
        raise ValueError(f"not an address: {text}")
    return checksum(raw)
