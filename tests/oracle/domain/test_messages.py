"""Our EIP-712 against eth-account's, for every struct anybody signs."""

from dataclasses import fields, replace
from typing import Any

import pytest
from eth_account import Account
from eth_account.messages import encode_typed_data
from hypothesis import given
from hypothesis import strategies as st

from oracle.domain import messages
from oracle.domain.messages import Domain, Message
from oracle.domain.recovery import recover

ADDRESS = "0x" + "11" * 20
KINDS = sorted(
    {value for value in vars(messages).values() if isinstance(value, type)}
    & {kind for kind in vars(messages).values() if getattr(kind, "TYPE", None)},
    key=lambda kind: kind.__name__,
)


def _types(kind: type[Message]) -> list[dict[str, str]]:
    inside = kind.TYPE[kind.TYPE.index("(") + 1 : -1]
    return [dict(zip(("type", "name"), part.split(), strict=True)) for part in inside.split(",")]


def _value(solidity: str) -> st.SearchStrategy[Any]:
    if solidity == "address":
        return st.binary(min_size=20, max_size=20).map(lambda raw: "0x" + raw.hex())
    if solidity == "bytes32":
        return st.binary(min_size=32, max_size=32)
    if solidity == "bool":
        return st.booleans()
    return st.integers(0, 2 ** int(solidity.removeprefix("uint")) - 1)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
@given(data=st.data())
def test_digests_are_those_of_eth_account(kind: type[Message], data: st.DataObject) -> None:
    types = _types(kind)
    assert len(types) == len(fields(kind))  # type: ignore[arg-type]
    values = [data.draw(_value(one["type"])) for one in types]
    message = kind(*values)
    domain = Domain(data.draw(st.integers(1, 2**64)), ADDRESS)

    key = Account.from_key(b"\1" * 32)
    typed = encode_typed_data(
        {
            "name": "Clearwork",
            "version": "1",
            "chainId": domain.chain_id,
            "verifyingContract": ADDRESS,
        },
        {kind.TYPE.split("(")[0]: types},
        {one["name"]: value for one, value in zip(types, values, strict=True)},
    )
    signature = bytes(key.sign_message(typed).signature)
    assert recover(message.digest(domain), signature) == key.address


def test_another_chain_or_contract_is_another_digest() -> None:
    voucher = messages.Voucher(1, 2, 3)
    home = Domain(1, ADDRESS)
    for other in (replace(home, chain_id=2), replace(home, verifying_contract="0x" + "22" * 20)):
        assert voucher.digest(other) != voucher.digest(home)


@pytest.mark.parametrize(
    "message",
    [
        messages.Voucher(2**64, 0, 0),
        messages.Voucher(0, 2**40, 0),
        messages.Voucher(0, 0, 2**8),
        messages.Voucher(-1, 0, 0),
        messages.Ack(b"short", 0),
        messages.Report(bytes(32), "0x1234", bytes(32), 0, bytes(32)),
    ],
)
def test_what_does_not_fit_its_type_is_never_signed(message: Message) -> None:
    with pytest.raises(OverflowError):
        message.struct_hash()
