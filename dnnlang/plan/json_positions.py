"""JSON with positions: Python's own fast reader for the values, and a second look for the place of what is wrong.

Nobody pays for positions until something is wrong. Then `span` walks down to the place, and lets the fast reader
skip what lies before it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, Final

from dnnlang.collector import collector_paused
from dnnlang.diagnostics.diagnostic import Diagnostic, rule
from dnnlang.source import SourceFile, Span

NOT_JSON = rule(
    "DNN890",
    "not-json",
    "A plan file is not JSON, or JSON that two readers could understand differently.",
    why="Plans are exchanged as JSON (RFC 8259). A key that stands twice in an object, and NaN, are read differently "
    "by different programs, so they are refused too; so are numbers of more digits than any plan has, and brackets "
    "nested deeper.",
    wrong='{"format": "dnnlang plan", "version": 1,}\n',
    right='{"format": "dnnlang plan", "version": 1}\n',
    program=False,
)

Path = tuple[str | int, ...]
"""From the root to a value: keys of objects and indices of arrays."""

MAX_DEPTH: Final = 64
"""Of objects and arrays inside one another; a plan has about ten."""

_BLANK: Final = re.compile(r"[ \t\n\r]*")
_KEY: Final = re.compile(r"[A-Za-z_]\w*")
_LONG: Final = re.compile(r"(?<![\d.\"])\d{4000,}(?![\d.eE\"])")
_BRACKET: Final = re.compile(r'"(?:[^"\\]+|\\.)*"|[\[\]{}]', re.DOTALL)


class NotJsonError(Exception):
    """The text is not JSON; `diagnostic` says where and why."""

    def __init__(self, diagnostic: Diagnostic) -> None:
        super().__init__(diagnostic.message)
        self.diagnostic = diagnostic


class Document:
    """The JSON of a source: its `value` in Python's types, and where each part of it stands.

    Raises NotJsonError.
    """

    def __init__(self, source: SourceFile) -> None:
        self.source = source
        self.value = _read(source)
        self._starts: dict[Path, tuple[int, int]] = {(): self._extent(0)}

    def span(self, path: Path, *, key: bool = False) -> Span:
        """Where the value at `path` stands, or the key that it stands under.

        Of an object or array that goes over several lines, the bracket that opens it.
        """
        start, end = self._find(path)
        text = self.source.text
        if key and path and isinstance(path[-1], str):
            start, end = self._key(path)
        elif text[start] in "{[" and "\n" in text[start:end]:
            end = start + 1
        return Span(self.source, start, end)

    # ------------------------------------------------------------ finding

    def _find(self, path: Path) -> tuple[int, int]:
        for length in range(1, len(path) + 1):
            if path[:length] not in self._starts:
                self._walk(path[: length - 1])
        return self._starts[path]

    def _walk(self, path: Path) -> None:
        """Enter the children of the object or array at `path`."""
        self._starts.update((each, extent) for each, _, extent in self._children(path))

    def _key(self, path: Path) -> tuple[int, int]:
        return next(key for each, key, _ in self._children(path[:-1]) if each == path)

    def _children(self, path: Path) -> Iterator[tuple[Path, tuple[int, int], tuple[int, int]]]:
        """Path, extent of the key, and extent of the value, of each child. The text is known to be JSON."""
        text = self.source.text
        at, end = self._starts[path]
        is_object = text[at] == "{"
        at = _skip(text, at + 1)
        number = 0
        while at < end and text[at] not in "]}":
            name: str | int = number
            start = at
            if is_object:
                name, at = _SKIPPING.raw_decode(text, at)
                key = (start, at)
                at = _skip(text, _skip(text, at) + 1)
            else:
                key = (start, start)
            extent = self._extent(at)
            yield (*path, name), key, extent
            at = _skip(text, extent[1])
            if text[at] == ",":
                at = _skip(text, at + 1)
            number += 1

    def _extent(self, at: int) -> tuple[int, int]:
        """The extent of the value that begins at or behind `at`."""
        start = _skip(self.source.text, at)
        _, end = _SKIPPING.raw_decode(self.source.text, start)
        return start, end


def path_text(path: Path) -> str:
    """`plans[1].instructions[4].inputs[0]`; keys that are no names in brackets: `outputs["layer[3]"]`."""
    written = ""
    for part in path:
        if isinstance(part, int):
            written += f"[{part}]"
        elif _KEY.fullmatch(part):
            written += f".{part}" if written else part
        else:
            written += f"[{json.dumps(part, ensure_ascii=False)}]"
    return written or "the file"


def _skip(text: str, at: int) -> int:
    match = _BLANK.match(text, at)
    assert match is not None  # it matches nothing too
    return match.end()


# ---------------------------------------------------------------- reading


class _RefusedError(ValueError):
    """Something that JSON allows, or Python's reader, and a plan does not. `text` is what to look for."""

    def __init__(self, message: str, text: str) -> None:
        super().__init__(message)
        self.message = message
        self.text = text


@collector_paused()
def _read(source: SourceFile) -> Any:
    text = source.text
    try:
        return _READING.decode(text)
    except json.JSONDecodeError as error:
        raise NotJsonError(_syntax(source, error)) from None
    except RecursionError:
        at = _too_deep(text)
        message = f"objects and arrays inside one another, more than {MAX_DEPTH} deep"
        raise NotJsonError(NOT_JSON.at(Span(source, at, at + 1), message)) from None
    except _RefusedError as error:
        raise NotJsonError(NOT_JSON.at(_first(source, error.text), error.message)) from None
    except ValueError:  # Python converts no integers of thousands of digits
        long = _LONG.search(text)
        span = Span(source, long.start(), long.start() + 1) if long is not None else None
        raise NotJsonError(NOT_JSON.at(span, "a number has too many digits")) from None


def _syntax(source: SourceFile, error: json.JSONDecodeError) -> Diagnostic:
    end = len(source.text)
    start = min(error.pos, end)
    if not source.text.strip():
        return NOT_JSON.at(None, f"`{source.name}` is empty")
    message = error.msg[:1].lower() + error.msg[1:]
    if start >= len(source.text.rstrip()):
        message = "the file ends too early"
    return NOT_JSON.at(Span(source, start, min(start + 1, end)), f"this is not JSON: {message}")


def _too_deep(text: str) -> int:
    """Where the brackets are nested too deeply."""
    depth = 0
    for match in _BRACKET.finditer(text):
        depth += {"{": 1, "[": 1, "]": -1, "}": -1}.get(match[0], 0)
        if depth > MAX_DEPTH:
            return match.start()
    return 0


def _first(source: SourceFile, wanted: str) -> Span | None:
    """The first place outside strings (for a key: within one) where `wanted` stands."""
    if wanted.startswith('"'):
        return _second_key(source, wanted)
    for match in re.finditer(rf'"(?:[^"\\]+|\\.)*"|(?<![\w.+-])({re.escape(wanted)})(?![\w.])', source.text, re.DOTALL):
        if match[1] is not None:
            return Span(source, match.start(1), match.end(1))
    return None


def _second_key(source: SourceFile, wanted: str) -> Span | None:
    """The first key that stands in its object already."""
    text = source.text
    known: list[set[str] | None] = []
    for match in _BRACKET.finditer(text):
        token = match[0]
        if token in "{[":
            known.append(set() if token == "{" else None)
        elif token in "}]":
            known.pop()
        elif known and known[-1] is not None and text[_skip(text, match.end())] == ":":
            key = json.loads(token)
            if key in known[-1]:
                return Span(source, match.start(), match.end())
            known[-1].add(key)
    return None


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) < len(pairs):
        seen: set[str] = set()
        twice = next(name for name, _ in pairs if name in seen or seen.add(name))  # type: ignore[func-returns-value]
        raise _RefusedError(f"{json.dumps(twice, ensure_ascii=False)} stands twice in one object", '"')
    return made


def _no_constant(text: str) -> Any:
    raise _RefusedError(f"{text} is no number of JSON", text)


_READING: Final = json.JSONDecoder(object_pairs_hook=_object, parse_constant=_no_constant)
_SKIPPING: Final = json.JSONDecoder(object_pairs_hook=len, parse_int=len, parse_float=len)
"""For text that was read before, so that only the ends of values matter."""
