"""View functions as an ABI describes them, prepared once.

web3 looks the function up, checks the ABI and maps every type anew with each call, which takes
longer than a node on this machine takes to answer; an oracle reads some dozens of facts in every
block.
"""

from collections import namedtuple
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

from eth_abi.abi import decode, encode
from eth_utils.abi import collapse_if_tuple
from eth_utils.address import to_checksum_address

from oracle.adapters.chain.deployment import load_abi
from oracle.domain.hashing import keccak

Shape = Callable[[Any], Any]


class View:
    """One function of an ABI: encodes its arguments and decodes its answer."""

    def __init__(self, described: dict[str, Any]) -> None:
        self._inputs = [collapse_if_tuple(each) for each in described["inputs"]]
        self._outputs = [collapse_if_tuple(each) for each in described["outputs"]]
        self._shapes = [_shape(each) for each in described["outputs"]]
        signature = f"{described['name']}({','.join(self._inputs)})"
        self._selector = keccak(signature.encode())[:4]

    def encode(self, arguments: Sequence[Any]) -> bytes:
        """The calldata; raises what eth_abi raises for arguments that the types can't hold."""
        return self._selector + encode(self._inputs, arguments)

    def decode(self, answer: bytes) -> Any:
        """What the function returned: one value, or a list of them.

        Structs are named tuples, arrays lists, addresses have their checksum. Raises
        `DecodingError` of eth_abi for an answer of another shape.
        """
        values = decode(self._outputs, answer)
        shaped = [shape(value) for shape, value in zip(self._shapes, values, strict=True)]
        return shaped[0] if len(shaped) == 1 else shaped


@cache
def find(contract: str, function: str, arguments: int) -> View:
    """The function of this name that takes so many arguments."""
    for each in load_abi(contract):
        if each.get("name") == function and len(each.get("inputs", ())) == arguments:
            return View(each)
    raise LookupError(f"{contract} has no function {function} of {arguments} arguments")


def _shape(described: dict[str, Any]) -> Shape:
    """How a decoded value of this type is handed out."""
    kind: str = described["type"]
    if kind.endswith("]"):
        one = _shape({**described, "type": kind[: kind.rindex("[")]})
        return lambda values: [one(value) for value in values]
    if kind == "tuple":
        parts = described["components"]
        names = [part["name"] for part in parts]
        make = namedtuple("Struct", names, rename=True)  # type: ignore[misc]  # names are data
        shapes = [_shape(part) for part in parts]
        return lambda values: make(
            *(shape(value) for shape, value in zip(shapes, values, strict=True))
        )
    return to_checksum_address if kind == "address" else lambda value: value
