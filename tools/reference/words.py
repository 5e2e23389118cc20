"""Operators, words, functions and limits of the language."""

from __future__ import annotations

from typing import Final

from dnnlang.diagnostics import Diagnostics
from dnnlang.errors import InternalError
from dnnlang.graph.amount import MAX_NODES
from dnnlang.graph.definition_options import default_number
from dnnlang.graph.finish import MAX_BYTES
from dnnlang.graph.formulas import FUNCTIONS
from dnnlang.graph.scope import RESERVED as NOTATION
from dnnlang.scalar.expression import Expr
from dnnlang.scalar.limits import TERM_LIMIT
from dnnlang.sizes import LIMIT, MAX_TERMS
from dnnlang.syntax.files import LARGEST, source_from_text
from dnnlang.syntax.parser import parse
from dnnlang.syntax.rules import MAX_BODIES
from dnnlang.syntax.tokens import RESERVED
from dnnlang.syntax.tree import MAX_DEPTH, DefineStatement
from tools.reference.facts import LIBRARY, code, table, words

OPERATORS: Final = (
    ("`^`, grouped from the right", "2^z^2", "2^(z^2)"),
    ("`-` before an operand", "-z^2", "-(z^2)"),
    ("`*` `/` `//`, from the left", "8 / z * 2", "(8 / z) * 2"),
    ("`+` `-`, from the left", "z - 4 - 3 * z", "(z - 4) - (3 * z)"),
    ("one of `<` `<=` `>` `>=` `==` `!=`", "z + 1 < 2 * z", "(z + 1) < (2 * z)"),
)
"""Most tightly binding first: the operators, an expression, and what it means. That it means this is checked."""

MEANINGS: Final = {
    "exp": "e to the power of x",
    "log": "the natural logarithm",
    "sqrt": "the square root",
    "abs": "the absolute value",
    "tanh": "the hyperbolic tangent",
    "erf": "the error function",
    "sin": "the sine of x in radians",
    "cos": "the cosine",
    "sign": "-1, 0 or 1",
    "max": "the larger of two; of one argument, the largest unit of the column",
    "min": "the smaller of two; of one argument, the smallest unit of the column",
    "sum": "over the units of the column",
    "mean": "over the units of the column",
    "where": "a where c is not 0, else b",
}
ARGUMENTS: Final = {1: "(x)", 2: "(a, b)", 3: "(c, a, b)"}


def precedence() -> str:
    for _, written, meant in OPERATORS:
        if _read(written) is not _read(meant):
            raise InternalError(f"`{written}` does not mean `{meant}`")
    return table(("operators", "so that", "is"), [(o, code(written), code(meant)) for o, written, meant in OPERATORS])


def _read(formula: str) -> Expr:
    """The expression that a formula in z is."""
    found = Diagnostics()
    source = source_from_text("precedence", f"define activation example(z) = {formula}\n", found)
    statements = parse(source, found).statements if source is not None else ()
    definitions = [s for s in statements if isinstance(s, DefineStatement)]
    activation = LIBRARY.extend(definitions, found).activation(definitions[0].name, default_number, found)
    if activation is None:
        raise InternalError(f"`{formula}` is not a formula")
    return activation.value


def reserved() -> str:
    return f"These words begin statements and clauses, and can be no names: {words(sorted(RESERVED))}.\n"


def reserved_names() -> str:
    meanings = ", ".join(f"{code(name)} ({meaning})" for name, meaning in NOTATION.items())
    return f"The notation has names of its own, which nothing else can be called: {meanings}."


def functions() -> str:
    rows = []
    for name, function in FUNCTIONS.items():
        written = " or ".join(code(f"{name}{ARGUMENTS[n]}") for n in sorted(function.arities, reverse=True))
        rows.append((written, MEANINGS[name]))
    return table(("function", ""), rows)


def limits() -> str:
    rows = (
        ("bytes of a file", f"up to {LARGEST:,}"),
        ("depth of an expression in parentheses, calls and powers", f"up to {MAX_DEPTH}"),
        ("depth of bodies in bodies", f"up to {MAX_BODIES}"),
        ("nodes, once repetitions and blocks are written out", f"below {MAX_NODES:,}"),
        ("a whole number in a size", f"below 2^{LIMIT.bit_length() - 1}"),
        ("terms of a size", f"below {MAX_TERMS:,}"),
        ("terms of a formula, once the definitions in it are written out", f"up to {TERM_LIMIT:,}"),
        ("bytes of all parameters in float32", f"below 2^{MAX_BYTES.bit_length() - 1}"),
    )
    return table(("what", "limit"), rows)
