"""`# dnnc: allow DNN320`: a comment that silences warnings on its line.

What else stands in such a comment is itself worth a warning: a code that does not exist would silence nothing, and one
that silences nothing any more hides what it was written for.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Final

from dnnlang.diagnostics.diagnostic import RULES, Diagnostic, Diagnostics, Edit, Fix, rule
from dnnlang.diagnostics.suggest import meant
from dnnlang.source import SourceFile, Span

UNKNOWN_ALLOW = rule(
    "DNN390",
    "unknown-allow",
    "A comment `# dnnc: …` does not name the code of a warning.",
    why="Such a comment silences the warnings that it names, on its line. Errors cannot be silenced, and a code that "
    "does not exist would silence nothing.",
    wrong="layer 5 relu\nlayer 1 sigmoid  # dnnc: allow DNN399\n",
    right="param width = 5  # dnnc: allow DNN321\nlayer 5 relu\nlayer 1 sigmoid\n",
    severity="warning",
)
UNNEEDED_ALLOW = rule(
    "DNN391",
    "unneeded-allow",
    "A comment silences a warning that is not given on its line.",
    why="It is left over from an earlier version of the line, or stands on the wrong one; the next warning of that "
    "code would be silenced with nobody noticing.",
    wrong="layer 5 relu\nlayer 1 sigmoid  # dnnc: allow DNN321\n",
    right="layer 5 relu\nlayer 1 sigmoid\n",
    severity="warning",
)

ALL: Final = "warnings"
"""What stands for every code, after `--deny`."""
_COMMENT: Final = re.compile(r"#[ \t]*dnnc:(?P<words>[^#\r\n]*)")
_WORD: Final = re.compile(r"[^\s,]+")


@dataclass(slots=True)
class _Comment:
    """One comment: the words after `dnnc:`, and which of them silenced something."""

    span: Span
    words: list[Span]
    used: set[str] = field(default_factory=set)

    @property
    def codes(self) -> list[Span]:
        """What should be codes; empty if the comment says something else than `allow`."""
        return self.words[1:] if self.words and self.words[0].text == "allow" else []


def silence(found: Diagnostics, sources: Iterable[SourceFile], *, finished: bool) -> None:
    """Take out the warnings that comments allow, and warn of comments that allow nothing.

    `finished`: every check was made, so that a comment that silenced nothing is not needed.
    """
    comments = {(id(c.span.source), c.span.line): c for source in sources for c in _comments(source)}
    if not comments:
        return
    found.found[:] = [d for d in found.found if not _allowed(d, comments)]
    for comment in comments.values():
        for diagnostic in _doubts(comment, finished=finished):
            found.add(diagnostic)


def is_allowed(diagnostic: Diagnostic) -> bool:
    """Does a comment on its line silence this warning? For those that are found after the compile."""
    if diagnostic.span is None:
        return False
    source = diagnostic.span.source
    return _allowed(diagnostic, {(id(source), c.span.line): c for c in _comments(source)})


def deny(found: Iterable[Diagnostic], codes: Iterable[str]) -> list[Diagnostic]:
    """The diagnostics, warnings of these codes (`warnings`: all of them) turned into errors."""
    refused = set(codes)
    return [replace(d, denied=True) if d.severity == "warning" and refused & {d.code, ALL} else d for d in found]


def _comments(source: SourceFile) -> Iterator[_Comment]:
    if "dnnc:" not in source.text:
        return
    for match in _COMMENT.finditer(source.text):
        line = source.text.rfind("\n", 0, match.start()) + 1
        before = source.text[line : match.start()]
        if before.count('"') % 2:  # in the path of an import
            continue
        start, end = match.span()
        text = match.group("words")
        offset = match.start("words")
        words = [Span(source, offset + w.start(), offset + w.end()) for w in _WORD.finditer(text)]
        yield _Comment(Span(source, start, end - (len(text) - len(text.rstrip()))), words)


def _allowed(diagnostic: Diagnostic, comments: dict[tuple[int, int], _Comment]) -> bool:
    span = diagnostic.span
    if span is None or diagnostic.rule.severity != "warning":
        return False
    for line in dict.fromkeys((span.line, span.end_line)):
        comment = comments.get((id(span.source), line))
        if comment is not None and any(code.text == diagnostic.code for code in comment.codes):
            comment.used.add(diagnostic.code)
            return True
    return False


def _doubts(comment: _Comment, *, finished: bool) -> Iterator[Diagnostic]:
    if not comment.codes:
        near = meant(comment.words[0], ["allow"]) if comment.words else None
        yield UNKNOWN_ALLOW.at(
            comment.span,
            "this comment allows nothing",
            help="write the code of a warning: `# dnnc: allow DNN321`" if near is None else near.help,
            fix=near.fix if near is not None else None,
        )
        return
    warnings = [code for code, known in RULES.items() if known.severity == "warning"]
    for code in comment.codes:
        known = RULES.get(code.text)
        if known is None:
            upper = code.text.upper()
            near = meant(code, [upper] if upper in warnings else [])
            yield UNKNOWN_ALLOW.at(
                code,
                f"there is no warning `{code.text}`",
                help=near.help if near is not None else "a warning begins with its code, such as DNN321",
                fix=near.fix if near is not None else None,
            )
        elif known.severity != "warning":
            yield UNKNOWN_ALLOW.at(
                code, f"{code.text} is an error, and cannot be allowed", help="correct what it is about"
            )
        elif finished and known.program and code.text not in comment.used:
            yield UNNEEDED_ALLOW.at(
                code,
                f"there is no warning {code.text} on this line",
                help="take it out of the comment",
                fix=_without(code, comment),
            )


def _without(code: Span, comment: _Comment) -> Fix:
    """The comment without this code; no comment if it was the only one."""
    text = code.source.text
    start, end = code.start, code.end
    if len(comment.codes) == 1:
        start, end = comment.span.start, comment.span.end
    while start > 0 and text[start - 1] in " \t,":
        start -= 1
    return Fix("take it out", (Edit(Span(code.source, start, end), ""),))
