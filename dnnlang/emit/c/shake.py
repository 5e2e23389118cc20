"""Of the native backend's headers what a program needs: its functions and macros, with all that these use.

The headers are our own and written in one layout: definitions begin at the left margin, end with `;` or `}`, and the
comment that belongs to one stands right above it. More of C need not be understood.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

_WORD: Final = re.compile(r"[A-Za-z_]\w*")
_COMMENT: Final = re.compile(r"/\*.*?\*/", re.DOTALL)
_CONDITION: Final = re.compile(r"\s*#\s*(if|ifdef|ifndef|elif|else|endif)\b(.*)")
_DEFINE: Final = re.compile(r"#define (\w+)")
_FUNCTION: Final = re.compile(r"(\w+)\s*\(")
_POINTER: Final = re.compile(r"typedef .*\(\*(\w+)\)")
_INDEX: Final = re.compile(r"\[[^\]]*\]")
_ATTRIBUTE: Final = re.compile(r"__attribute__\(\(.*\)\)")


@dataclass(frozen=True, slots=True)
class _Item:
    """A definition with its comment; or a line of a condition, which has no names."""

    text: str
    names: tuple[str, ...]
    uses: frozenset[str]
    condition: str = ""


def needed(headers: Sequence[str], used_by: Iterable[str], known: Mapping[str, int]) -> str:
    """The definitions in `headers` that the texts in `used_by` use, by way of others too, in order.

    `known` are macros whose numbers are fixed: conditions on them are decided.
    """
    items = [item for text in headers for item in _items(_decided(text.splitlines(), known))]
    wanted = set().union(*(_words(text) for text in used_by))
    for item in items:
        if item.condition:
            wanted |= item.uses
    waiting = True
    live: set[int] = set()
    while waiting:
        waiting = False
        for number, item in enumerate(items):
            if number not in live and not wanted.isdisjoint(item.names):
                live.add(number)
                wanted |= item.uses
                waiting = True
    kept = [item for number, item in enumerate(items) if item.condition or number in live]
    lines: list[str] = []
    for item in _without_empty(kept):
        if "\n" in item.text and lines and not _CONDITION.match(lines[-1]):
            lines.append("")
        lines += item.text.split("\n")
        if "\n" in item.text:
            lines.append("")
    return re.sub(r"\n\n\n+", "\n\n", "\n".join(lines))


def _words(text: str) -> frozenset[str]:
    return frozenset(_WORD.findall(_COMMENT.sub(" ", text)))


# ---------------------------------------------------------------- conditions


def _decided(lines: Iterable[str], known: Mapping[str, int]) -> Iterator[str]:
    """The lines without those of conditions that are known, and without guards against a second inclusion."""
    stack: list[bool | None] = []  # of each open condition: does what follows stay? None: it is not known
    taken: list[bool] = []  # was one of its branches true?
    for line in lines:
        found = _CONDITION.match(line)
        if found is None:
            if False not in stack:
                yield line
            continue
        word, rest = found.groups()
        if word == "endif":
            if stack.pop() is None and False not in stack:
                yield line
            taken.pop()
        elif word in ("if", "ifdef", "ifndef"):
            value = _value(word, rest, known)
            stack.append(value)
            taken.append(value is True)
            if value is None and False not in stack:
                yield line
        elif stack[-1] is None:
            if False not in stack:
                yield line
        elif taken[-1]:
            stack[-1] = False
        else:
            stack[-1] = True if word == "else" else _value("if", rest, known)
            taken[-1] = stack[-1] is True
            if stack[-1] is None and False not in stack:
                yield f"#if{rest}"


def _value(word: str, rest: str, known: Mapping[str, int]) -> bool | None:
    """Is the condition true, as far as `known` says?"""
    name = rest.split("/*")[0].strip()
    if word in ("ifdef", "ifndef"):
        guard = name.startswith("DNN_") and name.endswith("_H")
        defined = False if guard else True if name in known else None
        return defined if word == "ifdef" or defined is None else not defined
    parts = [_comparison(part.strip(), known) for part in name.split("&&")]
    if False in parts:
        return False
    return None if None in parts else True


def _comparison(text: str, known: Mapping[str, int]) -> bool | None:
    name, equals, number = (part.strip() for part in text.partition("=="))
    if name not in known:
        return None
    return known[name] == int(number) if equals else known[name] != 0


# ---------------------------------------------------------------- definitions


def _items(lines: Iterable[str]) -> Iterator[_Item]:
    rest = iter(lines)
    above: list[str] = []
    for line in rest:
        if not line.strip() or line.startswith(("#include", "#error")):
            above = []
        elif line.startswith("/*"):
            above = [line]
            while "*/" not in above[-1]:
                above.append(next(rest))
        elif _CONDITION.match(line):
            above = []
            yield _Item(line, (), _words(line.replace("#", " ")), _CONDITION.sub(r"\1", line))
        else:
            body = list(_body(line, rest))
            text = "\n".join(body)
            yield _Item("\n".join([*above, text]), _names(text), _words(text))
            above = []


def _body(first: str, rest: Iterator[str]) -> Iterator[str]:
    """The lines of the definition that begins with `first`."""
    line, depth = first, 0
    while True:
        yield line
        code = _COMMENT.sub("", line).split("/*")[0].rstrip()
        depth += code.count("{") - code.count("}")
        ends = not line.endswith("\\") if first.startswith("#") else depth == 0 and code.endswith((";", "}"))
        if ends:
            return
        line = next(rest)


def _names(text: str) -> tuple[str, ...]:
    """What a definition is called by those that use it."""
    if define := _DEFINE.match(text):
        return (define.group(1),)
    plain = _INDEX.sub("", _ATTRIBUTE.sub("", _COMMENT.sub("", text)))
    if pointer := _POINTER.match(plain):
        return (pointer.group(1),)
    if plain.startswith(("typedef", "struct", "enum")):
        return tuple(_WORD.findall(plain.rstrip("; \n").rpartition("}")[2])[-1:])
    head = plain.partition("=")[0].partition("{")[0]
    function = _FUNCTION.search(head)
    return (function.group(1),) if function else tuple(_WORD.findall(head)[-1:])


def _without_empty(items: Sequence[_Item]) -> list[_Item]:
    """The items without conditions that hold nothing any more."""
    kept: list[_Item] = []
    for item in items:
        kept.append(item)
        if item.condition != "endif":
            continue
        start = len(kept) - 2
        while kept[start].condition not in ("if", "ifdef", "ifndef") and kept[start].condition:
            start -= 1
        if kept[start].condition in ("if", "ifdef", "ifndef"):
            del kept[start:]
    return kept
