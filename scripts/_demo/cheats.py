"""The demo's cheats: a prover that skips work and an oracle that signs two truths.

    python -m scripts._demo.cheats agent --help
    python -m scripts._demo.cheats oracle --help

Neither lives in the product: the agent is the product's, with a multiplication of its own, the
oracle only publishes what its key signed.
"""

import argparse
import secrets
from pathlib import Path

import numpy as np
import uvicorn
from fastapi import FastAPI

from oracle.adapters.chain.client import Chain
from oracle.adapters.chain.deployment import Deployment
from oracle.adapters.gpu.numpy_backend import Int8Matrix, Int32Matrix, NumpyBackend
from oracle.adapters.signer.keystore import KeystoreSigner
from oracle.api.agent import run_agent
from oracle.api.schemas import StatementView
from oracle.domain.messages import Domain, Report
from oracle.services.agent import AgentConfig

# the share of C's rows that the cheat does not compute: one in ten
SKIPPED = 10


class LazyBackend(NumpyBackend):
    """Honest until the file `signal` exists; then a tenth of the rows of C is a copy of others."""

    def __init__(self, signal: Path) -> None:
        self._signal = signal

    def matmul(self, a: Int8Matrix, b: Int8Matrix) -> Int32Matrix:
        """See `Backend.matmul`; the product is short of a tenth of its work."""
        if not self._signal.exists():
            return super().matmul(a, b)
        computed = len(a) - len(a) // SKIPPED
        product = super().matmul(a[:computed], b)
        return np.concatenate([product, product[: len(a) - computed]])


def two_truths(chain: Chain, signer: KeystoreSigner) -> list[StatementView]:
    """Sign the posted report of the last epoch, and another one for the same epoch."""
    ledger = chain.contract("EpochLedger")
    last, _ = chain.read("EpochLedger", "last_epoch")
    config = bytes(chain.read("OracleCommittee", "config_digest"))
    subject = chain.read("EpochLedger", "disabled_count").to_bytes(32, "big")
    domain = Domain(chain.chain_id, chain.deployment.address("OracleCommittee"))
    truths = [bytes(chain.read("EpochLedger", "head")), secrets.token_bytes(32)]
    statements = []
    for number, payload in enumerate(truths, start=1):
        report = Report(config, ledger.address, subject, last, payload)
        statements.append(
            StatementView(
                id=number,
                config=config,
                consumer=ledger.address,
                subject=subject,
                round=last,
                payload=payload,
                oracle=signer.address,
                signature=signer.sign(report.digest(domain)),
            )
        )
    return statements


def serve_two_truths(options: argparse.Namespace) -> None:
    """Publish both statements as an oracle does, and no commits."""
    chain = Chain([options.rpc], Deployment.load(options.deployment)).connect()
    signer = KeystoreSigner.load(options.keystore, options.password_file)
    statements = two_truths(chain, signer)
    app = FastAPI()

    @app.get("/v1/statements")
    def _statements(after: int = 0) -> list[StatementView]:
        return [view for view in statements if view.id > after]

    @app.get("/v1/commits")
    def _commits() -> list[object]:
        return []

    uvicorn.run(app, host="127.0.0.1", port=options.port, log_level="warning")


def run_lazy_agent(options: argparse.Namespace) -> None:
    """The product's agent on the lazy backend."""
    config = AgentConfig(
        provider=options.provider,
        keystore=options.keystore,
        password_file=options.password_file,
        oracles=tuple(options.oracle),
        deployment=options.deployment,
        rpc=(options.rpc,),
        state=options.state,
        port=options.port,
        heartbeat_seconds=options.heartbeat_seconds,
        poll_seconds=options.poll_seconds,
        ops_per_second=options.ops_per_second,
    )
    run_agent(config, LazyBackend(options.signal))


def main() -> None:
    """Choose a cheat."""
    parser = argparse.ArgumentParser(description=__doc__)
    cheats = parser.add_subparsers(required=True)
    agent = cheats.add_parser("agent", help="an agent that skips a tenth once --signal exists")
    agent.set_defaults(run=run_lazy_agent)
    agent.add_argument("--signal", type=Path, required=True)
    agent.add_argument("--provider", type=int, required=True)
    agent.add_argument("--oracle", action="append", required=True)
    agent.add_argument("--state", type=Path, required=True)
    agent.add_argument("--heartbeat-seconds", type=float, required=True)
    agent.add_argument("--poll-seconds", type=float, required=True)
    agent.add_argument("--ops-per-second", type=int, required=True)
    oracle = cheats.add_parser("oracle", help="an oracle that signs two reports of one epoch")
    oracle.set_defaults(run=serve_two_truths)
    for cheat in (agent, oracle):
        cheat.add_argument("--keystore", type=Path, required=True)
        cheat.add_argument("--password-file", type=Path, required=True)
        cheat.add_argument("--deployment", type=Path, required=True)
        cheat.add_argument("--rpc", required=True)
        cheat.add_argument("--port", type=int, required=True)
    options = parser.parse_args()
    options.run(options)


if __name__ == "__main__":
    main()
