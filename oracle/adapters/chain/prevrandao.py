"""Whether a chain draws lots: attestation's beacons are its blocks' `prevrandao` (EIP-4399)."""

from web3 import Web3

from oracle.errors import Misconfigured

# distances from the newest block: chains on top of others take over a value for several blocks
LOOKS = (0, 1, 2, 4, 8, 16, 32, 64)


def check_prevrandao(w3: Web3) -> None:
    """Raises `Misconfigured` where `prevrandao` is the same in all blocks looked at.

    A chain of one block can't be told apart from one that draws.
    """
    newest = w3.eth.block_number
    seen = [w3.eth.get_block(newest - back)["mixHash"] for back in LOOKS if back <= newest]
    if len(seen) > 1 and len({bytes(one) for one in seen}) == 1:
        raise Misconfigured(
            f"prevrandao of this chain is always 0x{bytes(seen[0]).hex()}: every beacon of "
            "attestation would be known for ever",
            "Use a chain that draws it (EIP-4399); some rollups have a constant there.",
        )
