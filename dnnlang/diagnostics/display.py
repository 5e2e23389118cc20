"""How text looks on a terminal: columns, tabs, and characters that must not reach it."""

from __future__ import annotations

import unicodedata

TAB = 4


def printable(text: str) -> str:
    """`text` with a visible sign for each character that a terminal would act on; newlines stay."""
    if text.isprintable():
        return text
    return "".join(c if c == "\n" else _sign(c) for c in text)


def cells(line: str) -> list[str]:
    """What to show for each character of a line; the widths of the strings are the widths on the terminal."""
    shown = []
    column = 0
    for character in line:
        cell = " " * (TAB - column % TAB) if character == "\t" else _sign(character)
        shown.append(cell)
        column += width(cell)
    return shown


def width(text: str) -> int:
    """Columns that `text` takes on a terminal."""
    if text.isascii():
        return len(text)
    return sum(_character_width(c) for c in text)


def _character_width(character: str) -> int:
    if character.isascii():
        return 1
    if unicodedata.category(character) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def _sign(character: str) -> str:
    if character.isprintable():
        return character
    code = ord(character)
    if code < 0x20:
        return chr(0x2400 + code)  # the Unicode pictures of the control characters
    if unicodedata.category(character) == "Zs":
        return " "
    return "\N{SYMBOL FOR DELETE}" if code == 0x7F else "\N{REPLACEMENT CHARACTER}"
