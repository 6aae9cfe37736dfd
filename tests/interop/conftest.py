"""What people bring along: libraries from npm, their wallets, other people's contracts.

The market is that of the oracle tests, on anvil. Node.js runs the libraries: each script
beside this file is started once per test module and called over its standard input.
"""

import json
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import astuple
from pathlib import Path
from typing import Any

import pytest

from oracle.domain.attestation import device_id
from oracle.domain.hashing import keccak
from oracle.domain.messages import Report, Result
from oracle.domain.receipts import JobStatus
from oracle.errors import Conflict
from tests.oracle.conftest import *  # noqa: F403 - fixtures
from tests.oracle.conftest import ROOT, Live

HERE = Path(__file__).parent
NODE_MODULES = ROOT / "build" / "node-dev" / "node_modules"
LIBRARIES = ("viem", "ethers")
# GPU-seconds on every voucher that is brought to the chain
SECONDS = 90


@pytest.fixture(scope="session", autouse=True)
def _packages() -> None:
    if not (shutil.which("node") and shutil.which("npm")):
        pytest.skip("no Node.js here: install version 20 or newer with npm, then run `make test`")
    if not NODE_MODULES.is_dir():
        pytest.fail("the npm packages are missing: run `make build/.done/node-dev` once")


class Script:
    """A script of this folder in a process of its own; see lines.mjs."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process

    def __call__(self, function: str, **arguments: Any) -> Any:
        """Raises `ValueError` with the library's own words where it refuses."""
        assert self._process.stdin
        assert self._process.stdout
        print(json.dumps([function, arguments]), file=self._process.stdin, flush=True)
        answer = json.loads(self._process.stdout.readline())
        if "error" in answer:
            raise ValueError(answer["error"])
        return answer["result"]


@contextmanager
def script(name: str) -> Iterator[Script]:
    """Run one of the scripts; it ends with its standard input."""
    with subprocess.Popen(
        ["node", HERE / name], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        yield Script(process)


class Wallets:
    """EIP-712 hashes and signatures of a library; numbers go as strings, as JSON-RPC has them."""

    def __init__(self, node: Script) -> None:
        self._node = node

    def hash(self, library: str, typed_data: dict[str, Any]) -> bytes:
        return unhex(self._node("hash", library=library, typedData=typed_data))

    def sign(self, library: str, key: bytes, typed_data: dict[str, Any]) -> bytes:
        return unhex(
            self._node("sign", library=library, key="0x" + key.hex(), typedData=typed_data)
        )


@pytest.fixture(scope="module")
def wallets() -> Iterator[Wallets]:
    with script("wallets.mjs") as node:
        yield Wallets(node)


def unhex(text: str) -> bytes:
    return bytes.fromhex(text.removeprefix("0x"))


def typed_data(
    domain: dict[str, Any], name: str, fields: dict[str, str], *values: Any
) -> dict[str, Any]:
    """A struct as a wallet is asked to sign it."""
    return {
        "domain": domain,
        "types": {name: [{"name": field, "type": kind} for field, kind in fields.items()]},
        "primaryType": name,
        "message": {
            field: str(value) if isinstance(value, int) else value
            for field, value in zip(fields, values, strict=True)
        },
    }


def voucher_data(
    chain_id: int, escrow: str, job: int, seconds: int = SECONDS, status: int = JobStatus.RUNNING
) -> dict[str, Any]:
    """A voucher, written down apart from our own code."""
    domain = {
        "name": "Clearwork",
        "version": "1",
        "chainId": chain_id,
        "verifyingContract": escrow,
    }
    fields = {"job": "uint64", "cumulativeGpuSeconds": "uint40", "status": "uint8"}
    return typed_data(domain, "Voucher", fields, job, seconds, status)


def committee_signs(
    live: Live,
    contract: str,
    subject: bytes,
    epoch: int,
    payload: bytes,
) -> bytes:
    """Signatures of as many oracles as a report needs, ascending and joined."""
    config = live.read("OracleCommittee", "config_digest")
    report = Report(config, live.deployment.address(contract), subject, epoch, payload)
    signers = live.oracles[: live.read("OracleCommittee", "threshold")]
    return b"".join(live.sign(signer, report, "OracleCommittee") for signer in signers)


@pytest.fixture
def provider(live: Live) -> int:
    """A provider with one attested device."""
    number = live.register_provider()
    identity = keccak(b"card")
    unused = bytes(32)
    result = Result(
        number, device_id(identity, number), identity, 1, 2_000, 1_024, 10, unused, unused, unused
    )
    signatures = committee_signs(live, "DeviceRegistry", result.device, 1, result.struct_hash())
    live.send(live.operator, "DeviceRegistry", "record", astuple(result), 1, signatures)
    return number


def settle(live: Live, job: int, signature: bytes, status: int = JobStatus.RUNNING) -> Any:
    """Bring a voucher to the chain, as its provider does; returns the receipt."""
    voucher = (job, SECONDS, status, signature)
    return live.send(live.operator, "JobEscrow", "settle_voucher", *voucher)


def settled(live: Live, job: int) -> int:
    """GPU-seconds of a job that the escrow has settled."""
    return int(live.read("JobRegistry", "job_info", job).settled)


def refuse(live: Live, job: int, signature: bytes, why: str) -> None:
    """A signature that must settle nothing."""
    with pytest.raises(Conflict, match="job_escrow: bad signature"):
        settle(live, job, signature)
    assert settled(live, job) == 0, why
