"""Sizes from their text: `2*d + 1`, `(d // 2)*m`, `max(8*m, 4*d)`; what `text` writes, and a little more."""

from __future__ import annotations

import re
from typing import Final

from dnnlang.sizes.bounds import Maximum, maximum
from dnnlang.sizes.errors import SizeError
from dnnlang.sizes.polynomial import Size, add, divide, floor_divide, multiply, power, subtract, symbol

MAX_LENGTH: Final = 200_000
"""Characters of a formula of 10,000 terms, roughly."""
MAX_DEPTH: Final = 100
"""Of parentheses inside one another."""
_DIGITS: Final = 19
"""2^63 has no more."""
_TOKEN: Final = re.compile(r"\s*(?:(\d+)|([^\W\d]\w*(?:\[[^\[\]]*\])?)|(//|[-+*/^(),]))")
_MAX: Final = "max"


class NotASizeError(SizeError):
    """The text is no formula."""


def read_size(text: str) -> Size:
    """The size that is written so. Raises SizeError: what is no formula, too large or inexact."""
    size = _Reader(text).whole()
    if isinstance(size, Maximum):
        raise NotASizeError("a maximum is no size")
    return size


def read_maximum(text: str) -> Size | Maximum:
    """The size, or maximum of sizes, that is written so. Raises SizeError."""
    return _Reader(text).whole()


class _Reader:
    """Recursive descent: a sum of products of powers."""

    def __init__(self, text: str) -> None:
        if len(text) > MAX_LENGTH:
            raise NotASizeError(f"a formula of {len(text):,} characters; {MAX_LENGTH:,} are too many")
        self._tokens = _tokens(text)
        self._at = 0
        self._depth = 0

    def whole(self) -> Size | Maximum:
        size = self._maximum() if self._next() == _MAX and self._next(1) == "(" else self._sum()
        if self._next():
            raise NotASizeError(f"`{self._next()}` stands where the formula should end")
        return size

    def _maximum(self) -> Size | Maximum:
        self._at += 2
        sizes = [self._sum()]
        while self._taken(","):
            sizes.append(self._sum())
        self._close()
        return maximum(*sizes)

    def _sum(self) -> Size:
        self._deeper()
        size: Size = subtract(0, self._product()) if self._taken("-") else self._product()
        while self._next() in ("+", "-"):
            operation = add if self._take() == "+" else subtract
            size = operation(size, self._product())
        self._depth -= 1
        return size

    def _product(self) -> Size:
        size = self._power()
        while self._next() in _PRODUCTS:
            size = _PRODUCTS[self._take()](size, self._power())
        return size

    def _power(self) -> Size:
        base = self._atom()
        return power(base, self._atom()) if self._taken("^") else base

    def _atom(self) -> Size:
        token = self._take()
        if token == "(":
            size = self._sum()
            self._close()
            return size
        if token.isdigit():
            if len(token) > _DIGITS:
                raise NotASizeError("a number in it is 2^63 or more")
            return add(int(token), 0)
        if token and (token[0].isalpha() or token[0] == "_"):
            return symbol(token)
        raise NotASizeError(f"`{token}` stands where a number or a name should" if token else "it ends too early")

    def _close(self) -> None:
        if not self._taken(")"):
            raise NotASizeError("a parenthesis is not closed")

    def _deeper(self) -> None:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise NotASizeError(f"parentheses inside one another, more than {MAX_DEPTH} deep")

    def _next(self, ahead: int = 0) -> str:
        return self._tokens[self._at + ahead] if self._at + ahead < len(self._tokens) else ""

    def _take(self) -> str:
        token = self._next()
        self._at += 1
        return token

    def _taken(self, token: str) -> bool:
        if self._next() != token:
            return False
        self._at += 1
        return True


_PRODUCTS: Final = {"*": multiply, "//": floor_divide, "/": divide}


def _tokens(text: str) -> list[str]:
    found = []
    at = 0
    end = len(text.rstrip())
    while at < end:
        match = _TOKEN.match(text, at)
        if match is None:
            raise NotASizeError(f"`{text[at : at + 20].strip()}` is no part of a formula")
        found.append(match[match.lastindex or 0])
        at = match.end()
    return found
