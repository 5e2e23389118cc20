"""Diagnostics in bodies: each mistake once, and with the lines on which the body is used."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from itertools import islice
from typing import Final

from dnnlang.diagnostics import Diagnostic, Diagnostics, Label
from dnnlang.graph.architecture import Copy

MOST_SHOWN: Final = 4
"""Bodies around a mistake that are pointed at, the innermost first."""
PATIENCE: Final = 20
"""Repeated mistakes after which no more copies are made: they would only repeat it again."""


class Located(Diagnostics):
    """Adds to `inner`. What is found in a copy of a body points at the use as well, and is added once."""

    def __init__(self, inner: Diagnostics) -> None:
        self.found = inner.found
        self.within: Copy | None = None
        self._seen: set[tuple[str, object, int]] = set()
        self._repeated = 0

    def add(self, diagnostic: Diagnostic) -> None:
        span = diagnostic.span
        key = (diagnostic.code, span and span.source, span.start if span is not None else 0)
        if key in self._seen and self.within is not None:
            self._repeated += 1
            return
        self._seen.add(key)
        if self.within is not None:
            diagnostic = replace(diagnostic, labels=(*diagnostic.labels, *use_labels(self.within)))
        self.found.append(diagnostic)

    @property
    def tired(self) -> bool:
        """Have so many mistakes been repeated that more copies of bodies are of no use?"""
        return self._repeated >= PATIENCE

    @contextmanager
    def at(self, within: Copy | None) -> Iterator[None]:
        """What is added meanwhile concerns a node in this copy."""
        before, self.within = self.within, within
        try:
            yield
        finally:
            self.within = before


def use_labels(within: Copy | None) -> Iterator[Label]:
    """Where the bodies around a place are used."""
    if within is not None:
        yield from (Label(copy.span, _told(copy)) for copy in islice(within.outwards(), MOST_SHOWN))


def _told(copy: Copy) -> str:
    made = copy.expansion
    if made.count is None:
        return f"the block `{made.name}` is used here"
    if made.counter is None:
        return f"in copy {copy.number:,} of {made.count:,}"
    return f"in the copy with {made.counter} = {made.first + copy.number - 1:,}"
