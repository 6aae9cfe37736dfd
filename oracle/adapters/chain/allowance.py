"""Let one of our contracts pull an account's tokens: by approval, or by a permit in the call."""

from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

from oracle.adapters.chain.client import Chain, explained
from oracle.adapters.signer import Signer
from oracle.domain.hashing import keccak
from oracle.domain.messages import Message
from oracle.errors import ClearworkError

# chain seconds for which a permit can be used: until its own transaction is mined
PERMIT_SECONDS = 3_600


@dataclass(frozen=True, slots=True)
class PermitMessage(Message):
    """What a holder of tokens signs; the domain is the token's own (EIP-2612)."""

    TYPE: ClassVar[str] = (
        "Permit(address owner,address spender,uint256 value,uint256 nonce,uint256 deadline)"
    )
    owner: str
    spender: str
    value: int
    nonce: int
    deadline: int


class Permit(NamedTuple):
    """A signed permit as our contracts take it; `deadline` is chain time in seconds."""

    value: int
    deadline: int
    v: int
    r: bytes
    s: bytes


# tells a contract that there is an allowance already
NO_PERMIT = Permit(0, 0, 0, bytes(32), bytes(32))


class Allowance:
    """What `spender`, a contract of ours that pulls from its caller alone, may take of a token."""

    def __init__(self, chain: Chain, signer: Signer, token: str, spender: str) -> None:
        self._chain = chain
        self._signer = signer
        self._spender = spender
        self._token = chain.w3.eth.contract(
            address=chain.w3.to_checksum_address(token), abi=chain.contract("WorkToken").abi
        )

    def approve(self, amount: int) -> None:
        """Allow `amount` base units, in a transaction of its own where that is not so yet."""
        if not self._covers(amount):
            self._chain.transact(self._signer, self._token.functions.approve(self._spender, amount))

    def permit(self, amount: int) -> Permit:
        """A permit over `amount` base units for the call that pulls them.

        Where the allowance is there already, or the token knows no permits, `NO_PERMIT`: the
        allowance is there then.
        """
        if self._covers(amount):
            return NO_PERMIT
        try:
            permit = self._signed(amount)
            # a token may have another idea of permits than EIP-2612
            self._ask("permit", self._signer.address, self._spender, *permit)
        except ClearworkError:
            self.approve(amount)
            return NO_PERMIT
        return permit

    def _covers(self, amount: int) -> bool:
        return int(self._ask("allowance", self._signer.address, self._spender)) >= amount

    def _signed(self, amount: int) -> Permit:
        # the token's word: were it another token's, the spender still pulls from this key alone
        separator = self._ask("DOMAIN_SEPARATOR")
        nonce = self._ask("nonces", self._signer.address)
        deadline = self._chain.timestamp() + PERMIT_SECONDS
        message = PermitMessage(self._signer.address, self._spender, amount, nonce, deadline)
        signature = self._signer.sign(keccak(b"\x19\x01" + separator + message.struct_hash()))
        return Permit(amount, deadline, signature[64], signature[:32], signature[32:64])

    def _ask(self, function: str, *arguments: Any) -> Any:
        with explained():
            return self._token.functions[function](*arguments).call()
