"""One byte string per document, so that two machines hash the same thing (RFC 8785)."""

import json
from collections.abc import Mapping, Sequence

from oracle.domain.hashing import keccak
from oracle.errors import BadInput

Value = str | int | bool | None
Tree = Value | Sequence["Tree"] | Mapping[str, "Tree"]

# the largest integer that every JSON reader keeps: numbers are IEEE doubles to many (I-JSON)
MAX_INTEGER = 2**53 - 1


def canonical_json(document: Mapping[str, Tree]) -> bytes:
    """The document as RFC 8785 writes it: no spaces, keys in UTF-16 order, UTF-8.

    Raises `BadInput` for what has no such form or loses its value elsewhere: fractions,
    integers beyond 2^53 - 1 (write them as decimal strings) and lone surrogates.
    """
    text = json.dumps(_ordered(document), separators=(",", ":"), ensure_ascii=False)
    try:
        return text.encode()
    except UnicodeEncodeError as error:
        raise BadInput(
            "a document with half a character (a lone surrogate)", "Send text that is Unicode."
        ) from error


def canonical_hash(document: Mapping[str, Tree]) -> bytes:
    """Keccak of the canonical JSON: how a document enters a signed message."""
    return keccak(canonical_json(document))


def _ordered(tree: Tree) -> Tree:
    if tree is None or isinstance(tree, str):
        return tree
    if isinstance(tree, int):
        if -MAX_INTEGER <= tree <= MAX_INTEGER:
            return tree
        raise BadInput(
            f"{tree} is beyond 2^53 - 1, which not every JSON reader keeps",
            "Write it as a decimal string.",
        )
    if isinstance(tree, Mapping):
        # the order of ASCII is the same either way, and an encoding less per key
        key = None if "".join(tree).isascii() else _utf16
        return {name: _ordered(tree[name]) for name in sorted(tree, key=key)}
    if isinstance(tree, list | tuple):
        return [_ordered(branch) for branch in tree]
    raise BadInput(f"{tree!r} has no canonical form", "Use text, whole numbers, lists and objects.")


def _utf16(name: str) -> bytes:
    return name.encode("utf-16-be", "surrogatepass")
