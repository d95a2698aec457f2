"""Paths: places inside a state, as tuples of keys and indexes, and the two ways to write them.

::

    messages[-1].content      dotted: what people read, and the way changes are printed
    config["odd key"]         any str key; by_id[42]: an int key, or an index of a list
    grid[(1, 2)]              other keys as Python literals
    messages[-3:]             a slice, for reading
    /messages/0/content       JSON Pointer (RFC 6901), where the text begins with "/"
                              the empty text, in either way: the whole state

The dotted form says exactly which key is meant: `parse_path(format_path(p)) == p`, types
included, for steps that are str, int or another literal (bool, None, float, bytes, complex,
tuples and frozensets of these). A JSON Pointer cannot: its steps are text, and come back as
`Token`, which the container they meet resolves.

Nothing is evaluated: a bracket is parsed as Python syntax and only literals are taken from it.

Imports: errors.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Hashable, Iterable
from typing import Any, Final, TypeAlias, cast

from casckpt.errors import InvalidInputError

__all__ = [
    "PATH_CHARS_MAX",
    "Path",
    "Step",
    "Token",
    "as_path",
    "format_path",
    "format_step",
    "parse_path",
    "to_pointer",
]

Step: TypeAlias = "Hashable | slice[Any, Any, Any]"
"""A dict key, an index, a `Token`, or, for reading, a slice."""
Path: TypeAlias = tuple[Step, ...]

PATH_CHARS_MAX: Final = 1 << 16
"""A longer text is refused: parsing a literal takes stack and memory in proportion."""
_LITERAL_DEPTH_MAX: Final = 64
_DECIMAL_BITS_MAX: Final = 8192
"""Ints of more bits are written in hexadecimal: Python bounds the digits of decimal ones."""

# Characters that end a bare name. Everything else, "-" and "/" and "$" too, may stand in one.
_NOT_IN_NAME: Final = frozenset(".[]\"'")
_INDEX = re.compile(r"0|[1-9][0-9]{0,17}", re.ASCII)
_HEX = "[0-9a-fA-F]"
_ATOM = re.compile(
    rf"""(?P<quoted>
          "(?: [^"\\\r\n\0] | \\ (?: [\\'"abfnrtv] | x{_HEX}{{2}} | u{_HEX}{{4}} | U{_HEX}{{8}} ) )*"
        | '(?: [^'\\\r\n\0] | \\ (?: [\\'"abfnrtv] | x{_HEX}{{2}} | u{_HEX}{{4}} | U{_HEX}{{8}} ) )*'
        | b"(?: [\ !#-\[\]-~] | \\ (?: [\\'"abfnrtv] | x{_HEX}{{2}} ) )*"
        | b'(?: [\ -&(-\[\]-~] | \\ (?: [\\'"abfnrtv] | x{_HEX}{{2}} ) )*'
        )
    | (?P<float> -? (?: [0-9]+\.[0-9]*(?:e[+-]?[0-9]+)? | [0-9]+e[+-]?[0-9]+ | inf | nan ) )
    | -? (?: 0x{_HEX}+ | 0 | [1-9][0-9]{{0,4299}} )
    | None | True | False
    """,
    re.ASCII | re.VERBOSE,
)
"""A literal of one piece. Anything Python would warn about (odd escapes, 1or 2) is left out."""
_NAMED: Final[dict[str, Hashable]] = {"None": None, "True": True, "False": False}
_SLICE_INDEX = "(-?[0-9]{1,18})?"
_SLICE = re.compile(f"{_SLICE_INDEX}:{_SLICE_INDEX}(?::{_SLICE_INDEX})?", re.ASCII)
_BRACKETS: Final = {"(": ")", "frozenset({": "})", "complex(": ")"}
_INT_TOKEN = re.compile(r"0|-?[1-9][0-9]{0,4299}", re.ASCII)


class Token(str):
    """A step of a JSON Pointer: text whose meaning depends on the container it meets.

    It equals the str it is made of. Containers ask it: `in_sequence`, `in_mapping`.
    """

    __slots__ = ()

    def in_sequence(self) -> int:
        """The index it names in a list.

        Raises:
            InvalidInputError: it is not an index: "-" (the place behind the last entry,
                where there is nothing to read), a leading zero, a sign, a name.
        """
        if _INDEX.fullmatch(self):
            return int(self)
        if self == "-":
            raise InvalidInputError(
                '"-" in a JSON Pointer is the place behind the last entry: nothing to read there',
                step=str(self),
            )
        raise InvalidInputError(f"not an index of a list: {str(self)!r}", step=str(self))

    def in_mapping(self) -> tuple[str | int, ...]:
        """The keys it may name in a dict, to be tried in order: the text, then the int."""
        if _INT_TOKEN.fullmatch(self):
            return (str(self), int(self))
        return (str(self),)


def as_path(path: str | Iterable[Step] | None) -> Path:
    """What callers pass as `path=`: a text to parse, a sequence of steps, or None for the root.

    Raises:
        InvalidInputError: neither of them, a text that does not parse, an unhashable step.
    """
    if path is None:
        return ()
    if isinstance(path, str):
        return parse_path(path)
    if not isinstance(path, (list, tuple)):
        raise InvalidInputError(
            f"a path is a text, or a list or tuple of steps, not {type(path).__name__}"
        )
    for position, step in enumerate(path):
        try:
            hash(None if type(step) is slice else step)
        except TypeError:
            raise InvalidInputError(
                f"step {position} of the path is a {type(step).__name__}: not a key or index",
                position=position,
            ) from None
    return tuple(path)


def parse_path(text: str) -> Path:
    """Parse either way of writing a path; JSON Pointer if `text` begins with "/".

    Raises:
        InvalidInputError: it does not parse; `details` has the `position` (0-based).
    """
    if len(text) > PATH_CHARS_MAX:
        raise InvalidInputError(f"a path of more than {PATH_CHARS_MAX} characters")
    if text.startswith("/"):
        return _parse_pointer(text)
    steps: list[Step] = []
    at = 0
    while at < len(text):
        if text[at] == "[":
            cut = _SLICE.match(text, at + 1)
            step: Step
            step, end = (_slice(cut), cut.end()) if cut else _literal(text, at + 1)
            if not text.startswith("]", end):
                raise _error(text, end, 'expected "]"')
            steps.append(step)
            at = end + 1
        else:
            if at or text[0] == ".":
                if text[at] != ".":
                    raise _error(text, at, 'expected "." or "["')
                at += 1
            end = at
            while end < len(text) and not _ends_name(text[end]):
                end += 1
            steps.append(_name(text, at, end))
            at = end
    return tuple(steps)


def format_path(path: Iterable[Step]) -> str:
    """The dotted form; "" for the root. A step that is no literal is written as its repr."""
    parts: list[str] = []
    for step in path:
        if isinstance(step, str) and _is_plain_name(step):
            parts.append(f".{step}" if parts else str(step))
        else:
            parts.append(f"[{format_step(step)}]")
    return "".join(parts)


def format_step(step: Step) -> str:
    """One step as it stands in a bracket: a Python literal where there is one."""
    if isinstance(step, str):
        return _quote(step)
    if type(step) is int:
        return str(step) if step.bit_length() <= _DECIMAL_BITS_MAX else hex(step)
    if type(step) is tuple:
        inner = ", ".join(map(format_step, step))
        return f"({inner},)" if len(step) == 1 else f"({inner})"
    if type(step) is slice:
        bounds = ["" if bound is None else str(bound) for bound in (step.start, step.stop)]
        return ":".join(bounds if step.step is None else [*bounds, str(step.step)])
    if type(step) is complex:
        return f"complex({step.real!r}, {step.imag!r})"
    if type(step) is frozenset:
        return f"frozenset({{{', '.join(sorted(map(format_step, step)))}}})"
    return repr(step)


def to_pointer(path: Iterable[Step]) -> str:
    """The JSON Pointer of a path of str and int steps.

    Raises:
        InvalidInputError: another kind of step, which JSON has no name for.
    """
    parts = []
    for position, step in enumerate(path):
        if type(step) is not int and not isinstance(step, str):
            raise InvalidInputError(
                f"JSON Pointer has no name for the step {format_step(step)}", position=position
            )
        parts.append("/" + str(step).replace("~", "~0").replace("/", "~1"))
    return "".join(parts)


def _parse_pointer(text: str) -> Path:
    for found in re.finditer("~(?![01])", text):
        raise _error(text, found.start(), '"~" in a JSON Pointer is written "~0"')
    return tuple(Token(part.replace("~1", "/").replace("~0", "~")) for part in text[1:].split("/"))


def _ends_name(char: str) -> bool:
    return char in _NOT_IN_NAME or char.isspace() or not char.isprintable()


def _is_plain_name(key: str) -> bool:
    return key.isidentifier()


def _name(text: str, start: int, end: int) -> str:
    name = text[start:end]
    if not name:
        raise _error(text, start, "expected a name")
    if _INT_TOKEN.fullmatch(name):
        raise _error(text, start, f'write [{name}] for an index, ["{name}"] for a str key')
    return name


def _slice(found: re.Match[str]) -> Step:
    bounds = [None if index is None else int(index) for index in found.groups()]
    return slice(*bounds)


def _literal(text: str, at: int, depth: int = 0) -> tuple[Hashable, int]:
    """The literal that begins at `at`, and where it ends."""
    if depth > _LITERAL_DEPTH_MAX:
        raise _error(text, at, "nested too deeply")
    found = _ATOM.match(text, at)
    if found is None:
        return _compound(text, at, depth)
    atom, end = found[0], found.end()
    if atom in _NAMED:
        return _NAMED[atom], end
    if found["quoted"]:
        try:
            return ast.literal_eval(atom), end
        except (SyntaxError, ValueError):
            raise _error(text, at, "a bad escape in a string") from None
    if found["float"]:
        return float(atom), end
    return int(atom, 16 if "x" in atom else 10), end


def _compound(text: str, at: int, depth: int) -> tuple[Hashable, int]:
    """A tuple, frozenset or complex number."""
    head = next((head for head in _BRACKETS if text.startswith(head, at)), None)
    if head is None:
        word = re.match(r"[^\]\s]*", text[at:])
        hint = f' (a str key is written ["{word[0]}"])' if word and word[0].isidentifier() else ""
        raise _error(text, at, f"expected a literal{hint}")
    start, close, at = at, _BRACKETS[head], at + len(head)
    items: list[Hashable] = []
    comma = True
    while not text.startswith(close, at):
        if not comma:
            raise _error(text, at, f'expected "," or "{close}"')
        item, at = _literal(text, at, depth + 1)
        items.append(item)
        comma = text.startswith(",", at)
        at += comma
        at += text.startswith(" ", at) and comma
    at += len(close)
    if head == "(":
        if len(items) == 1 and not comma:
            raise _error(text, start, "a tuple of one is written (x,)")
        return tuple(items), at
    if head == "complex(":
        if len(items) != 2 or not all(type(item) is float for item in items):
            raise _error(text, start, "expected complex(1.0, 2.0)")
        real, imaginary = cast("list[float]", items)
        return complex(real, imaginary), at
    return frozenset(items), at


def _quote(text: str) -> str:
    """A double-quoted Python literal without characters that a terminal could act upon."""
    parts = ['"']
    for char in text:
        code = ord(char)
        if char in '"\\':
            parts.append("\\" + char)
        elif char == "\n":
            parts.append("\\n")
        elif char == "\t":
            parts.append("\\t")
        elif char.isprintable():
            parts.append(char)
        elif code < 0x100:
            parts.append(f"\\x{code:02x}")
        else:
            parts.append(f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}")
    parts.append('"')
    return "".join(parts)


def _error(text: str, position: int, message: str) -> InvalidInputError:
    return InvalidInputError(
        f"path {_quote(text[:200])}, character {position}: {message}",
        text=text[:200],
        position=position,
    )
