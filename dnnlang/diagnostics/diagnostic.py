"""What a diagnostic is: a documented rule, broken at a place, with advice."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from dnnlang.source import Span

Severity = Literal["error", "warning"]

RULES: dict[str, Rule] = {}
"""Every rule of every module imported so far, by code."""


@dataclass(frozen=True, slots=True)
class Rule:
    """A documented mistake. It stands in the module that finds the mistake.

    `wrong` and `right` are whole `.dnn` programs wherever the mistake is one in a program: `wrong` breaks
    this rule and no other, `right` breaks none. Where the mistake lies elsewhere (a CSV file, a call)
    `program` is False and they are excerpts for people to read.
    """

    code: str
    name: str
    summary: str
    why: str
    wrong: str
    right: str
    severity: Severity = "error"
    program: bool = True

    def at(
        self,
        span: Span | None,
        message: str,
        *,
        labels: Iterable[Label] = (),
        notes: Iterable[str] = (),
        help: str | None = None,
        fix: Fix | None = None,
    ) -> Diagnostic:
        """This rule, broken at `span` (None: no source text is to blame, as with an option)."""
        return Diagnostic(self, message, span, tuple(labels), tuple(notes), help, fix)


def rule(
    code: str,
    name: str,
    summary: str,
    *,
    why: str,
    wrong: str,
    right: str,
    severity: Severity = "error",
    program: bool = True,
) -> Rule:
    """Make a rule and enter it in RULES, so that `dnnc explain` and the documentation find it."""
    made = Rule(code, name, summary, why, wrong, right, severity, program)
    if code in RULES:
        raise ValueError(f"two rules are numbered {code}: {RULES[code].name} and {name}")
    RULES[code] = made
    return made


@dataclass(frozen=True, slots=True)
class Label:
    """A place in the source that has part of the blame, and which part."""

    span: Span
    message: str


@dataclass(frozen=True, slots=True)
class Edit:
    """Replace the text of `span` by `text`."""

    span: Span
    text: str


@dataclass(frozen=True, slots=True)
class Fix:
    """A repair that is certain to be meant."""

    message: str
    edits: tuple[Edit, ...]


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """One mistake: where (`span`), what (`message`), who else is to blame (`labels`), what to do (`help`)."""

    rule: Rule
    message: str
    span: Span | None
    labels: tuple[Label, ...] = ()
    notes: tuple[str, ...] = ()
    help: str | None = None
    fix: Fix | None = None
    denied: bool = False
    """Is it an error, though its rule is a warning, because the user said so (`--deny`)?"""

    @property
    def code(self) -> str:
        return self.rule.code

    @property
    def severity(self) -> Severity:
        return "error" if self.denied else self.rule.severity


class Diagnostics:
    """The diagnostics of one compile, in the order in which they were found."""

    def __init__(self) -> None:
        self.found: list[Diagnostic] = []

    def add(self, diagnostic: Diagnostic) -> None:
        self.found.append(diagnostic)

    @property
    def failed(self) -> bool:
        return any(d.severity == "error" for d in self.found)

    def in_source_order(self) -> list[Diagnostic]:
        """Sorted by file (in order of first mention) and position; those without a place come first."""
        files: dict[int, int] = {}
        for d in self.found:
            if d.span is not None:
                files.setdefault(id(d.span.source), len(files))
        return sorted(
            self.found,
            key=lambda d: (-1, 0) if d.span is None else (files[id(d.span.source)], d.span.start),
        )
