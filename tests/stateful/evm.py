"""Contracts on revm: called as on titanoboa, a hundred times faster.

Long sequences need millions of calls, and py-evm takes two milliseconds for each. The bytecode
is the same: titanoboa's compiler and cache produce it.
"""

import re
from collections import namedtuple
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import pyrevm
import pytest
from eth_abi import decode, encode
from sha3 import keccak_256
from vyper.compiler.output import build_abi_output

from tests.compiled import compiled

GENESIS = 1_700_000_000
# pyrevm tells what a call reverted with in the text of its exception
_REVERT = re.compile(r"^Revert \{ gas_used: \d+, output: 0x([0-9a-f]*) \}")
_ERROR_STRING = keccak_256(b"Error(string)").digest()[:4]


class Reverted(Exception):
    """A call reverted; its text is the contract's reason."""


def address_of(name: str) -> str:
    """An address for an actor."""
    return "0x" + keccak_256(name.encode()).hexdigest()[-40:]


class Evm:
    """One chain in memory. Every call is a transaction in a block of its own."""

    def __init__(self) -> None:
        self._evm = pyrevm.EVM(spec_id="PRAGUE")
        self._block = 1
        self.timestamp = GENESIS
        # contracts that call whom they are told to: no transaction comes from a contract (EIP-3607)
        self.wallets: dict[str, Contract] = {}
        self._enter_block()

    def _enter_block(self) -> None:
        self._evm.set_block_env(pyrevm.BlockEnv(number=self._block, timestamp=self.timestamp))

    def time_travel(self, seconds: int) -> None:
        """Let chain time pass."""
        self.timestamp += seconds
        self._block += 1
        self._enter_block()

    @contextmanager
    def anchor(self) -> Iterator[None]:
        """Undo on the way out what happens inside."""
        checkpoint, block, timestamp = self._evm.snapshot(), self._block, self.timestamp
        try:
            yield
        finally:
            self._evm.revert(checkpoint)
            self._block, self.timestamp = block, timestamp
            self._enter_block()

    def deploy(self, source: Path, *arguments: Any, sender: str) -> "Contract":
        """Compile and deploy a contract."""
        data = compiled(source).compiler_data
        abi = build_abi_output(data)
        inputs = next((e["inputs"] for e in abi if e["type"] == "constructor"), [])
        code = data.bytecode + encode([_type(i) for i in inputs], [_plain(a) for a in arguments])
        self._evm.set_balance(sender, 10**24)
        return Contract(self, self._evm.deploy(sender, code), abi)

    def call(self, sender: str, to: str, data: bytes) -> bytes:
        """One transaction; raises `Reverted`."""
        if sender in self.wallets:
            data = self.wallets[sender].encode("execute", to, data)
            sender, to = address_of("anyone"), sender
        self._evm.reset_transient_storage()
        try:
            return bytes(self._evm.message_call(caller=sender, to=to, calldata=data))
        except RuntimeError as error:
            raise Reverted(_reason(str(error))) from None


class Contract:
    """A deployed contract; its functions are attributes."""

    def __init__(self, evm: Evm, address: str, abi: list[dict[str, Any]]) -> None:
        self._evm = evm
        self.address = address
        self._abi = abi

    @cached_property
    def _functions(self) -> dict[tuple[str, int], "Function"]:
        entries = [entry for entry in self._abi if entry["type"] == "function"]
        return {
            (e["name"], len(e["inputs"])): Function(self._evm, self.address, e) for e in entries
        }

    def encode(self, name: str, *arguments: Any) -> bytes:
        """The calldata of a call."""
        return self._functions[name, len(arguments)].encode(arguments)

    def __getattr__(self, name: str) -> Callable[..., Any]:
        functions = self._functions

        def call(*arguments: Any, sender: str = address_of("anyone")) -> Any:
            return functions[name, len(arguments)](arguments, sender)

        # a name's first call pays for the closure, later ones find it
        setattr(self, name, call)
        return call


class Function:
    """One function: how its arguments are encoded and its answer is read."""

    def __init__(self, evm: Evm, address: str, entry: dict[str, Any]) -> None:
        self._evm = evm
        self._address = address
        self._inputs = [_type(item) for item in entry["inputs"]]
        self._outputs = [_type(item) for item in entry["outputs"]]
        self._readers = [_reader(item) for item in entry["outputs"]]
        signature = f"{entry['name']}({','.join(self._inputs)})"
        self._selector = keccak_256(signature.encode()).digest()[:4]
        if entry["stateMutability"] == "view":
            # the same few questions are asked again and again
            self.encode = lru_cache(2**12)(self.encode)  # type: ignore[method-assign]

    def encode(self, arguments: tuple[Any, ...]) -> bytes:
        return self._selector + encode(self._inputs, [_plain(each) for each in arguments])

    def __call__(self, arguments: tuple[Any, ...], sender: str) -> Any:
        answer = self._evm.call(sender, self._address, self.encode(arguments))
        values = decode(self._outputs, answer)
        read = [reader(value) for reader, value in zip(self._readers, values, strict=True)]
        return read[0] if len(read) == 1 else tuple(read) or None


@contextmanager
def reverts(reason: str) -> Iterator[None]:
    """What happens inside must revert for this reason."""
    with pytest.raises(Reverted) as caught:
        yield
    assert str(caught.value) == reason


def _reason(text: str) -> str:
    found = _REVERT.match(text)
    if not found:
        return text
    output = bytes.fromhex(found[1])
    if output[:4] == _ERROR_STRING:
        return str(decode(["string"], output[4:])[0])
    return output.hex()


def _plain(argument: Any) -> Any:
    if isinstance(argument, Contract):
        return argument.address
    if isinstance(argument, tuple | list):
        return [_plain(each) for each in argument]
    return argument


def _type(item: dict[str, Any]) -> str:
    """The canonical type of an ABI item."""
    kind = str(item["type"])
    if kind.startswith("tuple"):
        return f"({','.join(_type(each) for each in item['components'])})" + kind[len("tuple") :]
    return kind


def _reader(item: dict[str, Any]) -> Callable[[Any], Any]:
    """Turns a decoded value into what titanoboa would return: structs have names."""
    kind = str(item["type"])
    if kind.endswith("]"):
        element = _reader({**item, "type": kind[: kind.rindex("[")]})
        return lambda values: [element(value) for value in values]
    if kind == "tuple":
        struct = namedtuple("Struct", [each["name"] for each in item["components"]])
        readers = [_reader(each) for each in item["components"]]
        return lambda values: struct(*(r(v) for r, v in zip(readers, values, strict=True)))
    return lambda value: value
