"""What people showed to the contracts: signed commits and reports, read back from calldata.

Logs say what a contract concluded; the signatures are only in the transaction. One that reached
its contract through another one (a wallet, a multicall) is passed over: what such calldata means
is that other contract's affair.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import structlog
from eth_abi.exceptions import DecodingError
from hexbytes import HexBytes

from oracle.adapters.chain.client import LOG_RANGE, Block, Chain, explained
from oracle.domain.hashing import keccak
from oracle.domain.messages import Commit, EpochReport, Report, Result, Verdict
from oracle.domain.recovery import SIGNATURE_BYTES

_log = structlog.get_logger()

# blocks read again with every look, so that what a reorganisation moved there is not missed
OVERLAP = 12
# contract, event and function of everything that the committee signs
_REPORTS = (
    ("JobEscrow", "BatchSettled", "settle_batch"),
    ("DeviceRegistry", "DeviceAttested", "record"),
    ("EpochLedger", "EpochPosted", "post_epoch"),
    ("SlashingCourt", "Ruled", "rule"),
)


@dataclass(frozen=True, slots=True)
class SignedCommit:
    """A commit and the signature that came with it; not checked."""

    commit: Commit
    signature: bytes


@dataclass(frozen=True, slots=True)
class SignedReport:
    """A committee report and one of the signatures that came with it; not checked."""

    report: Report
    signature: bytes


class Filings:
    """Reads the blocks that it has not read before; at first the last `LOG_RANGE`."""

    def __init__(self, chain: Chain) -> None:
        self._chain = chain
        self._next: int | None = None

    def look(self) -> Iterator[SignedCommit | SignedReport]:
        """Commits shown to the court and reports signed by the committee since the last look.

        A look that is not taken to its end counts for nothing: the next begins where it did.
        Raises `Transient` where the chain does not answer.
        """
        head = self._chain.head().number
        first = head - LOG_RANGE + 1
        if self._next is not None:
            first = min(self._next, head + 1) - OVERLAP
        first = max(first, self._chain.deployment.first_block)
        yield from self._commits(first, head)
        yield from self._reports(first, head)
        self._next = head + 1

    def _commits(self, first: int, last: int) -> Iterator[SignedCommit]:
        for log in self._chain.logs("SlashingCourt", "Convicted", first, last):
            for arguments in self._calls("SlashingCourt", "convict_attestation", log):
                proof = arguments["proof"]
                yield SignedCommit(Commit(**proof["commit"]), bytes(proof["signature"]))

    def _reports(self, first: int, last: int) -> Iterator[SignedReport]:
        for contract, event, function in _REPORTS:
            for log in self._chain.logs(contract, event, first, last):
                for arguments in self._calls(contract, function, log):
                    report = self._report(contract, function, arguments, log)
                    signatures = bytes(arguments["signatures"])
                    for at in range(0, len(signatures), SIGNATURE_BYTES):
                        yield SignedReport(report, signatures[at : at + SIGNATURE_BYTES])

    def _calls(self, contract: str, function: str, log: Any) -> Iterator[dict[str, Any]]:
        """Arguments of the transaction behind a log, if it called this function itself."""
        target = self._chain.contract(contract)
        with explained():
            sent = self._chain.w3.eth.get_transaction(HexBytes(log["transactionHash"]))
        if sent.get("to") != target.address:
            return
        try:
            called, arguments = target.decode_function_input(sent["input"])
        except DecodingError as error:
            # contracts take encodings that readers refuse, such as padding that is not zero
            _log.warning("calldata can't be read", contract=contract, reason=str(error))
            return
        if called.fn_name == function:
            yield arguments

    def _report(self, contract: str, function: str, arguments: dict[str, Any], log: Any) -> Report:
        """What the committee signed, by the rules of the contract that it was signed for."""
        # the state that the signatures were checked against, as far as blocks tell
        block = Block(log["blockNumber"], bytes(log["blockHash"]), 0)
        if function == "settle_batch":
            subject, round_ = arguments["index"].to_bytes(32, "big"), arguments["epoch"]
            payload = keccak(bytes(arguments["receipts"]))
        elif function == "record":
            result = Result(**arguments["result"])
            subject, round_, payload = result.device, arguments["epoch"], result.struct_hash()
        elif function == "post_epoch":
            epoch = EpochReport(**arguments["report"])
            disabled = int(self._chain.read(contract, "disabled_count", block=block))
            subject, round_ = disabled.to_bytes(32, "big"), epoch.to_epoch
            payload = epoch.struct_hash()
        else:
            verdict = Verdict(arguments["case_id"], arguments["guilty"], arguments["loss"])
            subject, round_, payload = verdict.case_id, 0, verdict.struct_hash()
        config = bytes(self._chain.read("OracleCommittee", "config_digest", block=block))
        return Report(config, self._chain.deployment.address(contract), subject, round_, payload)
