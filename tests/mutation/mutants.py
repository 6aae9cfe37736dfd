"""Small changes to a Vyper source, each of which some unit test should notice."""

import io
import token as kinds
import tokenize
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

# what each operator or name is replaced by, one mutant per replacement
SWAPS = {
    "<": ("<=", ">="),
    "<=": ("<", ">"),
    ">": (">=", "<="),
    ">=": (">", "<"),
    "==": ("!=",),
    "!=": ("==",),
    "+": ("-",),
    "-": ("+",),
    "+=": ("-=",),
    "-=": ("+=",),
    "*": ("//",),
    "//": ("*",),
    "*=": ("//=",),
    "//=": ("*=",),
    "<<": (">>",),
    ">>": ("<<",),
    "&": ("|",),
    "|": ("&",),
    "and": ("or",),
    "or": ("and",),
    "not": ("",),
    "min": ("max",),
    "max": ("min",),
    "True": ("False",),
    "False": ("True",),
    "unsafe_add": ("unsafe_sub",),
    "unsafe_sub": ("unsafe_add",),
    "unsafe_mul": ("unsafe_div",),
    "unsafe_div": ("unsafe_mul",),
}
# a statement that starts with one of these isn't removed: it is needed to compile
KEPT = {"if", "elif", "else", "for", "return", "pass"}
LAYOUT = (kinds.NL, kinds.INDENT, kinds.DEDENT, kinds.COMMENT)


@dataclass(frozen=True, slots=True)
class Mutant:
    """One change: `source[start:end]` becomes `replacement`."""

    # path below contracts/
    file: str
    # the function around it, empty for a constant
    function: str
    line: int
    # the whole statement on one line, without comments
    before: str
    after: str
    start: int
    end: int
    replacement: str

    @property
    def id(self) -> str:
        """What names the change among all of a source."""
        return f"{self.file}:{self.start}:{self.replacement}"

    def described(self) -> dict[str, str | int]:
        """The mutant for people and reports."""
        return {
            "id": self.id,
            "file": self.file,
            "function": self.function,
            "line": self.line,
            "before": self.before,
            "after": self.after,
        }

    def apply(self, source: str) -> str:
        return source[: self.start] + self.replacement + source[self.end :]


def built_on(contracts: Path, file: str) -> list[str]:
    """A source and our own modules that it imports, directly or not."""
    found: list[str] = []
    waiting = [file]
    while waiting:
        current = waiting.pop(0)
        if current in found:
            continue
        found.append(current)
        for line in (contracts / current).read_text().splitlines():
            match line.split():
                case ["from", ".modules" | ".", "import", name, *_]:
                    waiting.append(f"modules/{name}.vy")
    return found


def mutants(file: str, source: str) -> Iterator[Mutant]:
    """Every mutant of a source, in its order."""
    starts = [0]
    for text in source.splitlines(keepends=True):
        starts.append(starts[-1] + len(text))

    def offset(position: tuple[int, int]) -> int:
        return starts[position[0] - 1] + position[1]

    function = ""
    for statement in _statements(source):
        first = statement[0]
        if first.start[1] == 0:
            function = statement[1].string if first.string == "def" else ""
        # logs are left out: they move no money, and the tests compare those that matter
        if first.string in ("def", "@", "log") or first.type == kinds.STRING:
            continue
        if not function and "constant" not in [token.string for token in statement]:
            continue
        before = _flat(source, statement, offset)
        for token, replacement in _changes(statement):
            start, end = offset(token.start), offset(token.end)
            after = _flat(source, statement, offset, token, replacement)
            yield Mutant(file, function, token.start[0], before, after, start, end, replacement)
        if function and _removable(statement):
            start, end = offset(first.start), offset(statement[-1].end)
            yield Mutant(file, function, first.start[0], before, "pass", start, end, "pass")


def _statements(source: str) -> Iterator[list[tokenize.TokenInfo]]:
    """The tokens of each logical line."""
    statement: list[tokenize.TokenInfo] = []
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type in (kinds.NEWLINE, kinds.ENDMARKER):
            if statement:
                yield statement
            statement = []
        elif token.type not in LAYOUT:
            statement.append(token)


def _changes(statement: list[tokenize.TokenInfo]) -> Iterator[tuple[tokenize.TokenInfo, str]]:
    for token in statement:
        for replacement in SWAPS.get(token.string, ()):
            yield token, replacement
        if token.type == kinds.NUMBER:
            value = int(token.string, 0)
            for other in (value - 1, value + 1):
                # literals of a fixed size keep theirs
                is_hex = token.string.startswith("0x")
                yield token, f"0x{other:0{len(token.string) - 2}x}" if is_hex else str(other)


def _removable(statement: list[tokenize.TokenInfo]) -> bool:
    """Whether it is an assertion, an assignment, a call or a jump, but no declaration."""
    return statement[0].string not in KEPT and (len(statement) == 1 or statement[1].string != ":")


def _flat(
    source: str,
    statement: list[tokenize.TokenInfo],
    offset: Callable[[tuple[int, int]], int],
    changed: tokenize.TokenInfo | None = None,
    replacement: str = "",
) -> str:
    texts = [replacement if token is changed else token.string for token in statement]
    flat = texts[0]
    for (left, right), text in zip(pairwise(statement), texts[1:], strict=True):
        apart = source[offset(left.end) : offset(right.start)]
        broken = "\n" in apart and left.string not in "([" and right.string not in ")]"
        flat += (" " if apart == " " or broken else "") + text
    return flat.replace("  ", " ")
