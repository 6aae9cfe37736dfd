"""A contract that answers what it is told, for whoever asks others."""

from eth_abi import encode
from eth_utils import function_signature_to_4byte_selector as selector

from tests.unit.market import load_odd


class Source:
    """tests/contracts/told_source.vy: each function answers what it is told."""

    def __init__(self) -> None:
        self.contract = load_odd("told_source")

    def tell(self, signature: str, answer: bytes) -> None:
        self.contract.tell(selector(signature), answer)

    def amounts(self, signature: str, amounts: list[int]) -> None:
        self.tell(signature, encode(["uint256[]"], [amounts]))

    def number(self, signature: str, number: int) -> None:
        self.tell(signature, number.to_bytes(32, "big"))
