"""The blanks between the tokens of one statement, and where the comments inside it settle."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Final

from dnnlang.syntax.pieces import CLOSING, OPENING, Piece

SEPARATOR: Final = 1
COMPARISON: Final = 2
TERM: Final = 3
FACTOR: Final = 4
_RANKS: Final = {
    "COMMA": SEPARATOR, "SEMICOLON": SEPARATOR, "COMPARE": COMPARISON, "PLUS": TERM, "MINUS": TERM,
    "STAR": FACTOR, "SLASH": FACTOR, "FLOOR": FACTOR,
}  # fmt: skip
"""Operators by how loosely they tie, the loosest first."""

# Types that this module gives to pieces, beside those of the grammar's terminals.
_SIGN: Final = "SIGN"  # a `-` in front of an operand, not between two
_KEY: Final = "KEY"  # the name in `key=value`
_GIVES: Final = "GIVES"  # and its `=`

_OPERAND_ENDS: Final = frozenset({"NAME", "NUMBER", "RPAR", "RSQB"})
_NONE_BEFORE: Final = CLOSING | {"COMMA", "SEMICOLON", "CIRCUMFLEX", "LSQB", _GIVES}
_NONE_BEHIND: Final = OPENING | {"CIRCUMFLEX", _SIGN, _GIVES}


def prepare(pieces: Sequence[Piece]) -> None:
    """Make the pieces of one statement ready to be laid out: their types, ranks and gaps, and comments settled."""
    if not pieces:
        return
    _classify(pieces)
    _space(pieces)
    _settle(pieces)


def _classify(pieces: Sequence[Piece]) -> None:
    """Say more about a piece than the terminals do: which minus is a sign, which `=` belongs to a key."""
    first = pieces[0].type
    declared = {"DEFINE": 2, "BLOCK": 1}.get(first)
    if declared is not None and pieces[declared + 1].type == "LPAR":
        pieces[declared].type = "CALLEE"  # `define loss huber (a, y)` may have a blank there
    depth = 0
    equation = first == "PARAM"  # whether the next `=` outside brackets has a formula on its right
    for i, piece in enumerate(pieces):
        before = pieces[i - 1].type if i else ""
        if piece.type == "MINUS" and (before not in _OPERAND_ENDS or (i == 1 and first == "NAME")):
            piece.type = _SIGN
        elif piece.type == "GIVEN":
            equation = True
        elif piece.type == "EQUAL" and not depth and (equation or i == 1 or before == "RPAR"):
            equation = False
        elif piece.type == "EQUAL":
            piece.type = _GIVES
            pieces[i - 1].type = _KEY
        piece.rank = _RANKS.get(piece.type, 0)
        depth += (piece.type in OPENING) - (piece.type in CLOSING)


def _space(pieces: Sequence[Piece]) -> None:
    """One blank between two pieces, two before a clause that follows a formula.

    None inside brackets, around `^`, around the `=` of a key, and around arithmetic that is by itself the value of a
    key or an index: `l2=1/2`, `W[l-1]`.
    """
    formula = pieces[0].type == "DEFINE"
    tight = [False]  # of each bracket that is open: whether there are no blanks around arithmetic
    for before, piece in pairwise(pieces):
        if before.type in OPENING:
            tight.append(before.type == "LSQB")
        elif before.type in CLOSING and len(tight) > 1:
            tight.pop()
        elif before.type == _KEY:
            tight[-1] = True
        elif before.rank == SEPARATOR:
            tight[-1] = False
        clause = piece.type in ("DERIVATIVE", "GIVEN") or (piece.type == _KEY and not tight[0])
        if formula and clause and len(tight) == 1:
            piece.gap = "  "
        elif not _touch(before, piece, tight=tight[-1]):
            piece.gap = " "


def _touch(before: Piece, piece: Piece, *, tight: bool) -> bool:
    if before.type in _NONE_BEHIND or piece.type in _NONE_BEFORE:
        return True
    if before.type == "CALLEE":
        return piece.type == "LPAR"
    return tight and (before.rank >= TERM or piece.rank >= TERM)


def _settle(pieces: Sequence[Piece]) -> None:
    """Move comments over a token where the line would otherwise begin with `,`, or end in an operator."""
    for before, piece in pairwise(pieces):
        if piece.type == _GIVES:  # nothing may part a key from its `=`: `loss` at the start of a line is a statement
            before.above += [before.behind, *piece.above] if before.behind is not None else piece.above
            before.behind, piece.above = None, []
        elif piece.above:
            continue
        elif piece.rank == SEPARATOR and piece.behind is None:
            before.behind, piece.behind = None, before.behind
        elif (piece.rank > SEPARATOR or piece.type == "CIRCUMFLEX") and before.behind is None:
            before.behind, piece.behind = piece.behind, None
