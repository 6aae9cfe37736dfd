"""Calls that may be made on another host: a closed list, with JSON between the hosts."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from pydantic import ConfigDict, TypeAdapter

_BYTES_AS_HEX = ConfigDict(ser_json_bytes="hex", val_json_bytes="hex")


@dataclass(frozen=True, slots=True)
class Call:
    """A function, and how its arguments and its result travel.

    `local` are its first arguments, which each host has of its own and nobody sends.
    """

    function: Callable[..., Any]
    arguments: TypeAdapter[tuple[Any, ...]]
    result: TypeAdapter[tuple[Any]]
    local: tuple[Any, ...] = ()

    @classmethod
    def of(
        cls, function: Callable[..., Any], arguments: Any, result: Any, local: tuple[Any, ...] = ()
    ) -> "Call":
        """A call by the types of its arguments (a tuple) and of its result."""
        return cls(
            function,
            TypeAdapter(arguments, config=_BYTES_AS_HEX),
            # a tuple, because a data class takes no configuration from outside
            TypeAdapter(tuple[result], config=_BYTES_AS_HEX),
            local,
        )

    @property
    def name(self) -> str:
        """What hosts call it."""
        return self.function.__name__

    def pack(self, args: tuple[Any, ...]) -> str:
        """Arguments as JSON, without the local ones."""
        return self.arguments.dump_json(args[len(self.local) :]).decode()

    def unpack(self, text: str) -> tuple[Any, ...]:
        """All arguments again; raises `ValueError` for JSON that is none of this call."""
        return (*self.local, *self.arguments.validate_json(text))

    def pack_result(self, result: Any) -> str:
        """A result as JSON."""
        return self.result.dump_json((result,)).decode()

    def unpack_result(self, text: str) -> Any:
        """The result again; raises `ValueError` for JSON that is none of this call."""
        (result,) = self.result.validate_json(text)
        return result
