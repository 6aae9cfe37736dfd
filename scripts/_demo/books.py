"""The demo's books: who holds what, and whether a token's numbers add up."""

from dataclasses import dataclass
from typing import Any

ZERO = "0x" + "00" * 20


@dataclass(frozen=True, slots=True)
class Conservation:
    """A token's books in base units, rebuilt from its Transfer log and read from its state.

    `ok` says that every token minted is burnt or held by somebody the log knows, that the
    log's balances are the contract's, and that the total supply agrees.
    """

    minted: int
    burnt: int
    sum_of_balances: int
    total_supply: int
    ok: bool


def conservation(token: Any) -> tuple[Conservation, dict[str, int]]:
    """Audit `token` (a web3 contract); also returns every holder's balance by address."""
    balances: dict[str, int] = {}
    minted = burnt = 0
    block = token.w3.eth.block_number
    for log in token.events.Transfer().get_logs(from_block=0, to_block=block):
        sender, receiver, amount = log.args.values()
        if sender == ZERO:
            minted += amount
        else:
            balances[sender] = balances.get(sender, 0) - amount
        if receiver == ZERO:
            burnt += amount
        else:
            balances[receiver] = balances.get(receiver, 0) + amount

    held = {
        holder: token.functions.balanceOf(holder).call(block_identifier=block)
        for holder in balances
    }
    supply = token.functions.totalSupply().call(block_identifier=block)
    total = sum(held.values())
    ok = minted - burnt == total == supply and held == balances
    return Conservation(minted, burnt, total, supply, ok), held
