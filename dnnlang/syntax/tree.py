"""The syntax tree: frozen, and every node knows its span.

`depth` of an expression counts what is really nested (parentheses alone are not); the parser refuses
what is deeper than MAX_DEPTH, so whoever walks an expression may recurse. Sums and products are n-ary:
`1 + 1 + … + 1` is one node, whatever its length.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction

from dnnlang.source import SourceFile, Span

MAX_DEPTH = 200


@dataclass(frozen=True, slots=True)
class Name:
    """An identifier. Kinds, functions, params and nodes are all just names here."""

    span: Span
    id: str
    depth: int = 1


# ---------------------------------------------------------------- expressions


@dataclass(frozen=True, slots=True)
class Number:
    """A number, exactly as written: `0.1` is 1/10."""

    span: Span
    value: Fraction
    depth: int = 1


@dataclass(frozen=True, slots=True)
class Keyword:
    """`key=value`, in a call or as a clause of a statement."""

    span: Span
    key: Name
    value: Expression


@dataclass(frozen=True, slots=True)
class Call:
    """`callee(argument, …, key=value, …)`."""

    span: Span
    callee: Name
    arguments: tuple[Expression, ...]
    keywords: tuple[Keyword, ...]
    depth: int


@dataclass(frozen=True, slots=True)
class Index:
    """`W[2]`, `n[L - 1]`, `gamma[norm]`."""

    span: Span
    base: Name
    index: Expression
    depth: int


@dataclass(frozen=True, slots=True)
class Sum:
    """`a + b - c`: each term with its sign, +1 or -1."""

    span: Span
    terms: tuple[tuple[int, Expression], ...]
    depth: int


@dataclass(frozen=True, slots=True)
class Product:
    """`a * b / c // d`, applied from the left; the first factor's operator is `*`."""

    span: Span
    factors: tuple[tuple[str, Expression], ...]
    depth: int


@dataclass(frozen=True, slots=True)
class Power:
    """`base ^ exponent`; `^` groups to the right."""

    span: Span
    base: Expression
    exponent: Expression
    depth: int


@dataclass(frozen=True, slots=True)
class Negate:
    """`-operand`."""

    span: Span
    operand: Expression
    depth: int


@dataclass(frozen=True, slots=True)
class Compare:
    """One comparison: `<`, `<=`, `>`, `>=`, `==` or `!=`."""

    span: Span
    operator: str
    left: Expression
    right: Expression
    depth: int


Expression = Name | Number | Call | Index | Sum | Product | Power | Negate | Compare


# ---------------------------------------------------------------- domains of params


@dataclass(frozen=True, slots=True)
class Choices:
    """`{32, 64, 128}`."""

    span: Span
    values: tuple[Expression, ...]


@dataclass(frozen=True, slots=True)
class Range:
    """`1 .. 6`, or on a logarithmic scale `log(1e-4 .. 1e-1)`."""

    span: Span
    first: Expression
    last: Expression
    logarithmic: bool


Domain = Choices | Range


# ---------------------------------------------------------------- statements


@dataclass(frozen=True, slots=True)
class NodeStatement:
    """`KIND operand… [from NODE, …] [as NAME] [key=value …]`. `sources` is None without `from`."""

    span: Span
    kind: Name
    operands: tuple[Expression, ...]
    sources: tuple[Name | Index, ...] | None
    alias: Name | None
    keys: tuple[Keyword, ...]


@dataclass(frozen=True, slots=True)
class InputStatement:
    """`input [SIZE] [as NAME]`."""

    span: Span
    size: Expression | None
    alias: Name | None
    keys: tuple[Keyword, ...]


@dataclass(frozen=True, slots=True)
class OutputStatement:
    """`output NODE, …`."""

    span: Span
    nodes: tuple[Name | Index, ...]


@dataclass(frozen=True, slots=True)
class ParamStatement:
    """`param NAME = VALUE [in DOMAIN]`."""

    span: Span
    name: Name
    value: Expression
    domain: Domain | None


@dataclass(frozen=True, slots=True)
class DimStatement:
    """`dim NAME`."""

    span: Span
    name: Name


@dataclass(frozen=True, slots=True)
class ExpectShape:
    """`expect TENSOR : (rows, columns)`."""

    span: Span
    tensor: Name | Index
    rows: Expression
    columns: Expression


@dataclass(frozen=True, slots=True)
class ExpectRelation:
    """`expect n[2] == 7`, `expect parameters <= 5_000`."""

    span: Span
    relation: Compare


@dataclass(frozen=True, slots=True)
class LossStatement:
    """`loss KIND [from NODE] [weight=NUMBER]`; the kind may carry options: `loss huber(delta=2)`."""

    span: Span
    loss: Name | Call
    source: Name | Index | None
    keys: tuple[Keyword, ...]


@dataclass(frozen=True, slots=True)
class Setting:
    """One line of `train { … }`: a key and its value."""

    span: Span
    key: Name
    value: Expression


@dataclass(frozen=True, slots=True)
class TrainStatement:
    """`train { … }`."""

    span: Span
    settings: tuple[Setting, ...]


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter of a block, or an option of a definition; `default` is None where there is none."""

    span: Span
    name: Name
    default: Expression | None


@dataclass(frozen=True, slots=True)
class Assignment:
    """`w = w - rate * g` in the body of an optimizer."""

    span: Span
    name: Name
    value: Expression


@dataclass(frozen=True, slots=True)
class DefineStatement:
    """`define KIND NAME(variable, …; option=default, …) = body …` or, for an optimizer, `{ … }`.

    `family` is the word after `define` (activation, loss, init, optimizer), not yet checked. Exactly
    one of `value` and `body` is not None. `given` is the two sides of the stated equation.
    """

    span: Span
    family: Name
    name: Name
    variables: tuple[Name, ...]
    options: tuple[Parameter, ...]
    value: Expression | None
    body: tuple[Assignment, ...] | None
    derivative: Expression | None
    given: tuple[Expression, Expression] | None
    keys: tuple[Keyword, ...]


@dataclass(frozen=True, slots=True)
class RepeatStatement:
    """`repeat [i in] [first ..] last { … } [as NAME]`; `first` is None for a plain count."""

    span: Span
    head: Span
    variable: Name | None
    first: Expression | None
    last: Expression
    sources: tuple[Name | Index, ...] | None
    body: tuple[Statement, ...]
    alias: Name | None


@dataclass(frozen=True, slots=True)
class BlockStatement:
    """`block NAME(positional, …; option=default, …) from x, … { … }`. `inputs` is empty without `from`."""

    span: Span
    head: Span
    name: Name
    positional: tuple[Name, ...]
    options: tuple[Parameter, ...]
    inputs: tuple[Name, ...]
    body: tuple[Statement, ...]


@dataclass(frozen=True, slots=True)
class ImportStatement:
    """`import "path.dnn"`; `path` is the text between the quotes, at `path_span` (quotes included)."""

    span: Span
    path: str
    path_span: Span


Statement = (
    NodeStatement
    | InputStatement
    | OutputStatement
    | ParamStatement
    | DimStatement
    | ExpectShape
    | ExpectRelation
    | LossStatement
    | TrainStatement
    | DefineStatement
    | RepeatStatement
    | BlockStatement
    | ImportStatement
)


@dataclass(frozen=True, slots=True)
class Tree:
    """A whole file.

    Statements with a syntax error are left out. Then `complete` is False, and `lost` are the names in them:
    whoever misses one of these stays silent, because the mistake has been reported. Once imports are read
    (syntax/imports.py), `statements` has what the imported files declare in the place of each `import`, and `imports`
    are these files, by their path from the folder of the program.
    """

    source: SourceFile
    statements: tuple[Statement, ...]
    complete: bool = True
    lost: frozenset[str] = frozenset()
    imports: Mapping[str, SourceFile] = field(default_factory=dict)
