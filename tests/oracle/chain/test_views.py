"""What is encoded and decoded here is what web3 makes of the same ABI, for every view there is."""

from typing import Any

import pytest
from eth_abi.abi import encode
from eth_abi.exceptions import DecodingError, EncodingError
from eth_abi.tools import get_abi_strategy
from eth_utils.abi import collapse_if_tuple
from hypothesis import given, settings
from hypothesis import strategies as st
from web3 import Web3
from web3.middleware import AttributeDictMiddleware
from web3.providers.base import JSONBaseProvider

from oracle.adapters.chain import views
from oracle.adapters.chain.deployment import load_abi
from scripts._project import CONTRACTS, OPTIONAL

VIEWS = [
    (contract, described)
    for contract in (*CONTRACTS, *OPTIONAL)
    for described in load_abi(contract)
    if described["type"] == "function"
    and described["stateMutability"] in ("view", "pure")
    and described["outputs"]
]


class Answers(JSONBaseProvider):
    """A node that gives one answer to every call, and keeps the last."""

    def __init__(self) -> None:
        super().__init__()
        self.answer = b""
        self.data = ""

    def make_request(self, method: Any, params: Any) -> Any:
        assert method == "eth_call"
        self.data = params[0]["data"]
        return {"jsonrpc": "2.0", "id": 1, "result": "0x" + self.answer.hex()}


NODE = Answers()
W3 = Web3(NODE, middleware=[AttributeDictMiddleware])


def types(described: list[dict[str, Any]]) -> list[str]:
    return [collapse_if_tuple(each) for each in described]


def values(kinds: list[str]) -> st.SearchStrategy[tuple[Any, ...]]:
    return st.tuples(*(get_abi_strategy(kind) for kind in kinds))


@pytest.mark.parametrize(
    ("contract", "described"), VIEWS, ids=[f"{name}.{each['name']}" for name, each in VIEWS]
)
@settings(max_examples=2, deadline=None)
@given(data=st.data())
def test_as_web3(contract: str, described: dict[str, Any], data: st.DataObject) -> None:
    inputs, outputs = types(described["inputs"]), types(described["outputs"])
    arguments = data.draw(values(inputs))
    NODE.answer = encode(outputs, data.draw(values(outputs)))
    view = views.find(contract, described["name"], len(arguments))

    theirs = W3.eth.contract(address="0x" + "11" * 20, abi=[described], decode_tuples=True)
    call = theirs.functions[described["name"]](*map(checksummed, arguments, inputs))
    call.decode_tuples = len(outputs) == 1
    expected = call.call()
    assert view.encode(arguments).hex() == NODE.data.removeprefix("0x")
    found = view.decode(NODE.answer)
    assert found == expected
    assert names(found) == names(expected)


def checksummed(value: Any, kind: str) -> Any:
    """As web3 takes it: it refuses addresses without their checksum."""
    if kind == "address":
        return Web3.to_checksum_address(value)
    if kind.endswith("]"):
        return [checksummed(each, kind[: kind.rindex("[")]) for each in value]
    if kind.startswith("("):
        # no struct of a view's arguments has a struct in it
        return tuple(checksummed(*each) for each in zip(value, kind[1:-1].split(","), strict=True))
    return value


def names(value: Any) -> Any:
    return getattr(value, "_fields", None)


def test_what_a_type_can_not_hold() -> None:
    with pytest.raises(EncodingError):
        views.find("ProviderRegistry", "provider_info", 1).encode([2**24])


def test_an_answer_of_another_shape() -> None:
    view = views.find("ProviderStaking", "is_jailed", 1)
    for answer in (b"", bytes(31), b"\xff" * 32):
        with pytest.raises(DecodingError):
            view.decode(answer)


def test_a_function_that_is_not_there() -> None:
    with pytest.raises(LookupError, match="no function provider_info of 2 arguments"):
        views.find("ProviderRegistry", "provider_info", 2)
