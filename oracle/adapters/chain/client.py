"""The chain as this project reads and writes it: several endpoints, expected errors, block pins.

Every failure leaves as a `ClearworkError`: an endpoint that is down is `Transient`, a call that
the contracts refuse is `Conflict` with their reason, a wrong chain is `Misconfigured`.
"""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any, TypeVar, cast
from urllib.parse import urlsplit

from eth_abi.abi import encode, is_encodable
from eth_abi.exceptions import DecodingError, EncodingError
from eth_typing import ChecksumAddress, HexStr
from hexbytes import HexBytes
from requests.exceptions import HTTPError, RequestException
from web3 import HTTPProvider, Web3
from web3.contract import Contract
from web3.contract.contract import ContractFunction
from web3.exceptions import (
    BadFunctionCallOutput,
    BadResponseFormat,
    BlockNotFound,
    ContractLogicError,
    MismatchedABI,
    TimeExhausted,
    TransactionNotFound,
    Web3RPCError,
)
from web3.logs import DISCARD
from web3.middleware import AttributeDictMiddleware
from web3.providers.base import JSONBaseProvider
from web3.types import RPCEndpoint, RPCResponse, TxParams

from oracle.adapters.chain import views
from oracle.adapters.chain.deployment import Deployment, load_abi
from oracle.adapters.chain.views import View
from oracle.adapters.signer import Signer
from oracle.domain.hashing import keccak
from oracle.errors import BadInput, ClearworkError, Conflict, Misconfigured, NotFound, Transient

# seconds an endpoint may take to answer
REQUEST_TIMEOUT = 10
# blocks asked for in one eth_getLogs, below the limits of public endpoints
LOG_RANGE = 5_000
# calls in one batched request, below the limits of public endpoints
BATCH_SIZE = 100
# HTTP statuses of endpoints that take no batch, or not one of that size
BATCH_IS_REFUSED = (400, 403, 404, 405, 413, 422, 501)
# `isValidSignature(bytes32,bytes)` returns its own selector when it agrees (ERC-1271)
ERC1271_MAGIC = bytes.fromhex("1626ba7e")
# gas that the contracts give it (contracts/modules/signatures.vy)
ERC1271_GAS = 200_000
# gas that a call from outside pays before it begins, and for each byte of its data (EIP-2028)
TRANSACTION_GAS = 21_000
NONZERO_BYTE_GAS = 16
ZERO_BYTE_GAS = 4
# gas allowed beyond the estimate, as a fraction: the state may change before the block
GAS_MARGIN = 4
# what a node answers about a block by a hash that is not in its chain (EIP-1898), or says instead
RESOURCE_NOT_FOUND = -32_001
BLOCK_IS_GONE = ("header not found", "unknown block", "block not found", "not currently canonical")
# what a node answers where another process has used the nonce that was drawn for the same key
NONCE_IS_TAKEN = ("nonce too low", "replacement transaction underpriced")
# how often `transact` draws one
NONCE_DRAWS = 5
# seconds `transact` waits for its transaction
CONFIRMATION_TIMEOUT = 120
# and between two looks at it
CONFIRMATION_POLL = 0.2

Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True)
class Block:
    """A block, named by its hash so that reads pinned to it can't move."""

    number: int
    hash: bytes
    # chain time in seconds
    timestamp: int


class _Endpoints(JSONBaseProvider):
    """Asks the endpoint that answered last, then the others. A JSON-RPC error is an answer."""

    def __init__(self, urls: Sequence[str]) -> None:
        super().__init__()
        # web3's own retries are off: repeating is the caller's decision
        self.endpoints = [
            HTTPProvider(
                url,
                request_kwargs={"timeout": REQUEST_TIMEOUT},
                exception_retry_configuration=None,
            )
            for url in urls
        ]
        self._preferred = 0

    def make_request(self, method: RPCEndpoint, params: Any) -> RPCResponse:
        return self._first_answer(lambda endpoint: endpoint.make_request(method, params))

    def make_batch_request(
        self, requests: list[tuple[RPCEndpoint, Any]]
    ) -> list[RPCResponse] | RPCResponse:
        return self._first_answer(lambda endpoint: _batch(endpoint, requests))

    def _first_answer(self, ask: Callable[[HTTPProvider], Answer]) -> Answer:
        failure: Exception | None = None
        for step in range(len(self.endpoints)):
            index = (self._preferred + step) % len(self.endpoints)
            try:
                response = ask(self.endpoints[index])
            except (RequestException, BadResponseFormat) as error:
                failure = error
            else:
                self._preferred = index
                return response
        names = ", ".join(redact(str(endpoint.endpoint_uri)) for endpoint in self.endpoints)
        raise Transient(
            f"no RPC endpoint answers ({names})", "Check that the node runs and the URL is right."
        ) from failure


def _batch(endpoint: HTTPProvider, requests: list[tuple[RPCEndpoint, Any]]) -> list[RPCResponse]:
    """Answers to all requests; asked one by one of an endpoint that takes no batch of them."""
    try:
        answers = endpoint.make_batch_request(requests)
    except HTTPError as error:
        if error.response.status_code not in BATCH_IS_REFUSED:
            raise
    else:
        # a node that refuses it as a whole sends one error
        if isinstance(answers, list):
            return answers
    return [endpoint.make_request(method, params) for method, params in requests]


class Chain:
    """One chain and the Clearwork contracts on it."""

    def __init__(self, urls: Sequence[str], deployment: Deployment) -> None:
        if not urls:
            raise Misconfigured("no RPC endpoint is set", "Set CLEARWORK_RPC_URLS.")
        self.deployment = deployment
        self._provider = _Endpoints(urls)
        # web3's other layers ask for the chain id twice with every call; `connect` checks it once
        self.w3 = Web3(self._provider, middleware=[AttributeDictMiddleware])
        self._contracts: dict[str, Contract] = {}
        self._sending = threading.Lock()

    @property
    def chain_id(self) -> int:
        """The id of the chain that the deployment is on."""
        return self.deployment.chain_id

    def connect(self) -> "Chain":
        """Check every endpoint that answers for its chain id and the contracts for their code.

        Raises `Misconfigured` for a wrong chain or an empty address, `Transient` where nobody
        answers. Returns itself.
        """
        reached = 0
        for endpoint in self._provider.endpoints:
            name = redact(str(endpoint.endpoint_uri))
            try:
                answer = endpoint.make_request(RPCEndpoint("eth_chainId"), [])
                chain_id = int(answer["result"], 16)
            except (RequestException, BadResponseFormat, KeyError, TypeError, ValueError):
                continue
            reached += 1
            if chain_id != self.chain_id:
                raise Misconfigured(
                    f"{name} is on chain {chain_id}, the deployment on chain {self.chain_id}",
                    f"Name an endpoint of chain {self.chain_id}, or deployments/{chain_id}.json.",
                )
        if not reached:
            self.head()
        for contract, address in self.deployment.addresses.items():
            with explained():
                code = self.w3.eth.get_code(Web3.to_checksum_address(address))
            if not code:
                raise Misconfigured(
                    f"there is no {contract} at {address} on chain {self.chain_id}",
                    "Deploy with `ape run deploy`: the chain was reset or the file is stale.",
                )
        return self

    def contract(self, name: str) -> Contract:
        """The web3 contract of this name in the deployment."""
        if name not in self._contracts:
            self._contracts[name] = self.w3.eth.contract(
                address=Web3.to_checksum_address(self.deployment.address(name)),
                abi=load_abi(name),
                # structs come back as named tuples
                decode_tuples=True,
            )
        return self._contracts[name]

    def read(
        self,
        contract: str,
        function: str,
        *args: Any,
        block: Block | None = None,
        caller: str | None = None,
    ) -> Any:
        """Call a view function, at the head or pinned to the hash of `block` (EIP-1898).

        `caller` is the contract that calls, where the answer depends on it. Raises `NotFound`
        where the chain does not have the block any more.
        """
        view, transaction = self._view(contract, function, args)
        if caller:
            transaction["from"] = Web3.to_checksum_address(caller)
        with explained(), _known(block):
            return _decode(view, self.w3.eth.call(transaction, _pinned(block)))

    def _view(self, contract: str, function: str, args: Sequence[Any]) -> tuple[View, TxParams]:
        view = views.find(contract, function, len(args))
        try:
            data = view.encode(args)
        except EncodingError:
            # web3 takes some more, and says what is wrong with the rest
            self.call(contract, function, *args)
            data = encode_call(contract, function, args)
        return view, {"to": self.contract(contract).address, "data": HexBytes(data)}

    def read_all(self, calls: Sequence[tuple[Any, ...]], block: Block | None) -> list[Any]:
        """Answers of many view functions, at the head or pinned to a block, in few requests.

        `calls`: contract, function and arguments of each. Raises `NotFound` where the chain does
        not have the block any more.
        """
        answers: list[Any] = []
        wanted = [self._view(contract, function, args) for contract, function, *args in calls]
        for first in range(0, len(wanted), BATCH_SIZE):
            part = wanted[first : first + BATCH_SIZE]
            with explained(), _known(block), self.w3.batch_requests() as batch:
                for _, transaction in part:
                    batch.add(self.w3.eth.call(transaction, _pinned(block)))
                found = cast(list[bytes], batch.execute())
                answers += [
                    _decode(view, answer) for (view, _), answer in zip(part, found, strict=True)
                ]
        return answers

    def call(self, contract: str, function: str, *args: Any) -> ContractFunction:
        """A call to read or to send; raises `BadInput` for an argument that its type can't hold."""
        try:
            call = self.contract(contract).functions[function](*args)
        except MismatchedABI as error:
            named = [one["inputs"] for one in load_abi(contract) if one.get("name") == function]
            inputs = next((each for each in named if len(each) == len(args)), None)
            if inputs is None:
                raise
            raise BadInput(
                f"{contract}.{function} does not take that: {_misfit(inputs, args)}",
                "Change it to a value that the type can hold.",
            ) from error
        # Vyper can't name several results, and web3 would fold unnamed ones into one
        call.decode_tuples = len(call.abi["outputs"]) == 1
        return call

    def calldata(self, contract: str, function: str, arguments: Sequence[Any]) -> bytes:
        """The encoded call of a function."""
        return encode_call(contract, function, arguments)

    def head(self) -> Block:
        """The latest block."""
        return self.block("latest")

    def finalized(self) -> Block:
        """The latest block that the chain calls final."""
        return self.block("finalized")

    def block(self, which: int | str) -> Block:
        """A block by number or tag; raises `NotFound` where the chain has none."""
        with explained():
            found = self.w3.eth.get_block(which)  # type: ignore[arg-type]
        return Block(found["number"], bytes(found["hash"]), found["timestamp"])

    def last_block_before(self, timestamp: int, until: Block) -> Block:
        """The last block before a chain time, at most `until`; the deployment's where none is.

        By bisection, so that missing or irregular blocks don't matter.
        """
        low, high = self.block(self.deployment.first_block), until
        if low.timestamp >= timestamp:
            return low
        while high.number - low.number > 1:
            middle = self.block((low.number + high.number) // 2)
            if middle.timestamp < timestamp:
                low = middle
            else:
                high = middle
        return low

    def timestamp(self) -> int:
        """Chain time in seconds: that of the latest block."""
        return self.head().timestamp

    def transaction(self, transaction: bytes) -> Any:
        """A transaction by its hash."""
        with explained():
            return self.w3.eth.get_transaction(HexBytes(transaction))

    def base_fee(self) -> int:
        """What the next block asks for a unit of gas at least, about: wei of the latest block."""
        with explained():
            return int(self.w3.eth.get_block("latest")["baseFeePerGas"])

    def balance(self, address: str) -> int:
        """Native coin of an account, in wei."""
        with explained():
            return int(self.w3.eth.get_balance(Web3.to_checksum_address(address)))

    def logs(
        self,
        contract: str,
        event: str,
        first: int | None = None,
        last: int | None = None,
        **topics: Any,
    ) -> Iterator[Any]:
        """Decoded logs of an event in blocks `first` to `last`, both included, in order.

        By default from the deployment to the head; `topics` filter by indexed arguments.
        """
        start = self.deployment.first_block if first is None else first
        end = self.head().number if last is None else last
        source = self.contract(contract).events[event]()
        while start <= end:
            stop = min(start + LOG_RANGE - 1, end)
            with explained():
                found = source.get_logs(
                    from_block=start, to_block=stop, argument_filters=topics or None
                )
            yield from found
            start = stop + 1

    def logs_of(
        self, contract: str, events: Sequence[str], first: int, last: int
    ) -> Iterator[tuple[str, Any]]:
        """Name and decoded log of every one of several events in blocks `first` to `last`, in the
        order in which they happened."""
        sources = {self.contract(contract).events[name]().topic: name for name in events}
        address = self.contract(contract).address
        for start in range(first, last + 1, LOG_RANGE):
            with explained():
                found = self.w3.eth.get_logs(
                    {
                        "address": address,
                        "fromBlock": start,
                        "toBlock": min(start + LOG_RANGE - 1, last),
                        "topics": [list(sources)],
                    }
                )
            for log in found:
                name = sources[HexStr(log["topics"][0].to_0x_hex())]
                yield name, self.contract(contract).events[name]().process_log(log)

    def has_code(self, account: str) -> bool:
        """Whether an account is a contract, or a key with code (EIP-7702)."""
        with explained():
            return bool(self.w3.eth.get_code(Web3.to_checksum_address(account)))

    def agrees(self, account: str, digest: bytes, signature: bytes, caller: str) -> bool:
        """Whether an account with code says now that it signed a digest (ERC-1271).

        `caller`: the contract that is going to ask it. It gets the gas that contracts give it.
        """
        data = ERC1271_MAGIC + encode(["bytes32", "bytes"], [digest, signature])
        paid = sum(NONZERO_BYTE_GAS if byte else ZERO_BYTE_GAS for byte in data)
        try:
            with explained():
                answer = self.w3.eth.call(
                    {
                        "to": Web3.to_checksum_address(account),
                        "from": Web3.to_checksum_address(caller),
                        "data": HexBytes(data),
                        "gas": ERC1271_GAS + TRANSACTION_GAS + paid,
                    }
                )
        except Conflict:
            return False
        return len(answer) >= 32 and answer[:4] == ERC1271_MAGIC

    def receipt(self, transaction: bytes) -> Any:
        """The receipt of a transaction that was mined."""
        with explained():
            return self.w3.eth.get_transaction_receipt(HexBytes(transaction))

    def event(self, receipt: Any, contract: str, event: str) -> Any:
        """Arguments of the one `event` of `contract` in a receipt; its other logs are skipped."""
        return self.events(receipt, contract, event)[0]

    def events(self, receipt: Any, contract: str, event: str) -> list[Any]:
        """Arguments of every `event` of `contract` in a receipt; its other logs are skipped."""
        source = self.contract(contract).events[event]()
        return [found.args for found in source.process_receipt(receipt, errors=DISCARD)]

    def transact(self, signer: Signer, call: ContractFunction, value: int = 0) -> Any:
        """Check, sign, send and confirm one call; returns the receipt.

        For people's tools. The oracle itself goes through its durable outbox. Raises
        `Conflict` with the contract's reason before anything is sent where the call would
        revert, `Misconfigured` for a key without coin.
        """
        sender = Web3.to_checksum_address(signer.address)
        # two threads with one key must not draw the same nonce
        with self._sending, explained(sender):
            sent = self._send(signer, sender, call, value)
        with explained(sender):
            receipt = self.w3.eth.wait_for_transaction_receipt(
                sent, timeout=CONFIRMATION_TIMEOUT, poll_latency=CONFIRMATION_POLL
            )
        if receipt["status"] != 1:
            raise Conflict(
                f"transaction {sent.to_0x_hex()} was mined but reverted",
                "Somebody was faster, or the state changed: read it again and retry.",
            )
        return receipt

    def _send(
        self, signer: Signer, sender: ChecksumAddress, call: ContractFunction, value: int
    ) -> HexBytes:
        """Sign and send with the next nonce; with another one where that was taken meanwhile, as
        by an oracle that runs with the same key."""
        draws = 0
        while True:
            draws += 1
            fields = call.build_transaction(
                {
                    "from": sender,
                    "value": Web3.to_wei(value, "wei"),
                    "nonce": self.w3.eth.get_transaction_count(sender, "pending"),
                    "chainId": self.chain_id,
                }
            )
            fields["gas"] += fields["gas"] // GAS_MARGIN
            signed = signer.sign_transaction(dict(fields))
            try:
                return self.w3.eth.send_raw_transaction(signed)
            except Web3RPCError as error:
                if not any(text in error.message.lower() for text in NONCE_IS_TAKEN):
                    raise
                own = HexBytes(keccak(signed))
                # an endpoint that took it and did not say so: never send it twice
                if self._is_known(own):
                    return own
                if draws == NONCE_DRAWS:
                    raise

    def _is_known(self, transaction: HexBytes) -> bool:
        try:
            self.w3.eth.get_transaction(transaction)
        except TransactionNotFound:
            return False
        return True


def _pinned(block: Block | None) -> Any:
    """A block as calls name it (EIP-1898): one that was replaced is not read from a side branch."""
    if block is None:
        return "latest"
    return {"blockHash": f"0x{block.hash.hex()}", "requireCanonical": True}


@contextmanager
def _known(block: Block | None) -> Iterator[None]:
    """Tell a block that is gone from a node that fails: who reads the head asks again."""
    try:
        yield
    except Web3RPCError as error:
        answer: Any = (error.rpc_response or {}).get("error") or {}
        message = str(answer.get("message", error.message))
        gone = answer.get("code") == RESOURCE_NOT_FOUND or any(
            text in message.lower() for text in BLOCK_IS_GONE
        )
        if block is None or not gone:
            raise
        raise NotFound(message, "The chain may have been reorganised: read again.") from error


def _decode(view: View, answer: bytes) -> Any:
    try:
        return view.decode(answer)
    except DecodingError as error:
        raise BadFunctionCallOutput(str(error)) from error


def _misfit(inputs: Sequence[dict[str, Any]], values: Sequence[Any]) -> str:
    """The first of the values that is not what the ABI says of it, in structs and lists too."""
    for described, value in zip(inputs, values, strict=True):
        name, kind = described["name"], described["type"]
        if kind == "tuple":
            parts = described["components"]
            fields = [value[part["name"]] for part in parts] if isinstance(value, dict) else value
            if found := _misfit(parts, fields):
                return f"{name}.{found}"
        elif kind == "tuple[]":
            one = {**described, "type": "tuple"}
            if found := _misfit([one] * len(value), value):
                return found
        elif not is_encodable(kind, value):
            return f"{name} = {value!r} is no {kind}"
    return ""


def encode_call(contract: str, function: str, arguments: Sequence[Any]) -> bytes:
    """The calldata of a function; needs no chain."""
    encoded = _coder(contract).encode_abi(function, args=list(arguments))
    return bytes.fromhex(encoded.removeprefix("0x"))


@cache
def _coder(contract: str) -> type[Contract]:
    return Web3().eth.contract(abi=load_abi(contract))


def redact(url: str) -> str:
    """A URL for logs: host only, because paths and queries of endpoints hold access tokens."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    return f"{parts.scheme}://{host}:{parts.port}" if parts.port else f"{parts.scheme}://{host}"


@contextmanager
def explained(sender: str | None = None) -> Iterator[None]:
    """Translate web3's exceptions into ours."""
    try:
        yield
    except ContractLogicError as error:
        reason = revert_reason(error)
        raise Conflict(f"the chain refuses: {reason}", "Read the state again and retry.") from error
    except BadFunctionCallOutput as error:
        raise Misconfigured(
            "the contract did not answer in the shape of its ABI",
            "Check that deployment file, ABIs and chain belong together.",
        ) from error
    except (BlockNotFound, TransactionNotFound) as error:
        raise NotFound(str(error), "The chain may have been reorganised: read again.") from error
    except TimeExhausted as error:
        raise Transient(str(error), "Look the transaction up before sending again.") from error
    except Web3RPCError as error:
        raise _rpc_error(error, sender) from error


def _rpc_error(error: Web3RPCError, sender: str | None) -> ClearworkError:
    message = error.message
    if error.rpc_response and "error" in error.rpc_response:
        message = error.rpc_response["error"].get("message", message)
    if "insufficient funds" in message.lower():
        return Misconfigured(
            f"{sender or 'the key'} can't pay for gas", f"Send some coin to {sender} and retry."
        )
    return Transient(f"the node answers: {message}", "Retry; if it stays, look at the node.")


def revert_reason(error: ContractLogicError) -> str:
    """The contract's own reason string, without the node's decoration."""
    text = str(error.message or error)
    for prefix in ("execution reverted: ", "revert: ", "execution reverted, data: "):
        text = text.removeprefix(prefix)
    return text
