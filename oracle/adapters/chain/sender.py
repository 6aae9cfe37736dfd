"""The oracle's own transactions, piece by piece: the outbox puts a database commit between."""

import time
from dataclasses import dataclass
from typing import Any

from eth_account.typed_transactions.typed_transaction import TypedTransaction
from hexbytes import HexBytes
from web3 import Web3

from oracle.adapters.chain.client import Chain, explained
from oracle.adapters.signer import Signer
from oracle.domain.hashing import keccak
from oracle.domain.records import Attempt
from oracle.errors import NotFound

# gas estimates get this much on top, in percent: state moves between estimate and block
GAS_MARGIN = 25
WEI_PER_GWEI = 10**9


@dataclass(frozen=True, slots=True)
class Fees:
    """EIP-1559 caps, wei per gas."""

    max_fee: int
    priority_fee: int


@dataclass(frozen=True, slots=True)
class Mined:
    """What a receipt says."""

    block: int
    succeeded: bool


class Sender:
    """One key's transactions on one chain, never above the fee cap."""

    def __init__(self, chain: Chain, signer: Signer, fee_cap: int) -> None:
        self._chain = chain
        self._signer = signer
        self._fee_cap = fee_cap
        self._sender = Web3.to_checksum_address(signer.address)

    def estimate(self, contract: str, calldata: bytes) -> int:
        """Gas limit for a call; raises `Conflict` with the contract's reason if it reverts."""
        with explained(self._sender):
            gas = self._chain.w3.eth.estimate_gas(
                {
                    "from": self._sender,
                    "to": self._chain.contract(contract).address,
                    "data": HexBytes(calldata),
                }
            )
        return gas * (100 + GAS_MARGIN) // 100

    def fees(self) -> Fees:
        """Caps that hold for a few doublings of nothing and one of the base fee."""
        with explained():
            base = self._chain.w3.eth.get_block("latest")["baseFeePerGas"]
            tip = min(self._chain.w3.eth.max_priority_fee, self._fee_cap)
        return Fees(max_fee=min(2 * base + tip, self._fee_cap), priority_fee=tip)

    def dearer(self, last: Attempt, factor: int, unit: int) -> Fees | None:
        """Both caps `factor / unit` above the last attempt's, None beyond the fee cap."""
        max_fee = -(-last.max_fee * factor // unit)
        if max_fee > self._fee_cap:
            return None
        return Fees(max_fee, min(max_fee, -(-last.priority_fee * factor // unit)))

    def nonce(self) -> int:
        """The first nonce that no mined transaction has used."""
        with explained():
            return self._chain.w3.eth.get_transaction_count(self._sender, "latest")

    def sign(self, contract: str, calldata: bytes, nonce: int, gas: int, fees: Fees) -> Attempt:
        """A signed transaction, not sent."""
        return self._sign(
            {
                "type": 2,
                "chainId": self._chain.chain_id,
                "nonce": nonce,
                "to": self._chain.contract(contract).address,
                "value": 0,
                "data": calldata,
                "gas": gas,
            },
            fees,
        )

    def resign(self, last: Attempt, fees: Fees) -> Attempt:
        """The same transaction at the same nonce with other fees."""
        fields = TypedTransaction.from_bytes(HexBytes(last.raw)).as_dict()
        kept = ("type", "chainId", "nonce", "to", "value", "data", "gas")
        return self._sign({name: fields[name] for name in kept}, fees)

    def _sign(self, fields: dict[str, Any], fees: Fees) -> Attempt:
        raw = self._signer.sign_transaction(
            {**fields, "maxFeePerGas": fees.max_fee, "maxPriorityFeePerGas": fees.priority_fee}
        )
        return Attempt(
            hash=keccak(raw),
            nonce=fields["nonce"],
            raw=raw,
            max_fee=fees.max_fee,
            priority_fee=fees.priority_fee,
            sent_at=int(time.time()),
        )

    def broadcast(self, raw: bytes) -> None:
        """Hand a raw transaction to the network; any refusal is `Transient`: unknown."""
        with explained(self._sender):
            self._chain.w3.eth.send_raw_transaction(HexBytes(raw))

    def receipt(self, transaction: bytes) -> Mined | None:
        """Where a transaction was mined, None if it was not."""
        try:
            with explained():
                found = self._chain.w3.eth.get_transaction_receipt(HexBytes(transaction))
        except NotFound:
            return None
        return Mined(found["blockNumber"], found["status"] == 1)
