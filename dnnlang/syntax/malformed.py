"""Malformed samples, and what to say to those who write something like them. Read by the parser and by the tests.

In messages and help: $found is what does not fit, as a phrase; $text the same as it stands; $before is the
word or sign before it; $rest what follows it; $first is the first word of the statement.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Malformed:
    """Samples of one mistake. The first thing in a sample that does not fit is the mistake.

    `anywhere`: the message also fits in other statements than the sample's; `whatever`: also if something else
    stands at the place of the mistake, because the message is about what is missing; `after`: only after the
    same word or sign as in the sample; `at_before`: the message is about $before, so it points there.
    """

    message: str
    help: str
    samples: tuple[str, ...]
    anywhere: bool = False
    whatever: bool = False
    after: bool = False
    at_before: bool = False
    instead: str | None = None
    """Where the repair is certain: what to write in the place of what does not fit ("" to leave it out)."""
    and_before: bool = False
    """Does the repair replace $before as well?"""


FORMS: Final[Mapping[str, tuple[str, str]]] = {
    "START": ("a statement", "a statement begins with a kind of node (`layer 5 relu`) or a word like `param`, `train`"),
    "NODE": ("this node", "a node is written `KIND operand … from NODE, … as NAME key=value …`"),
    "INPUT": ("this input", "an input is written `input SIZE as NAME`; size and name may be left out"),
    "OUTPUT": ("this `output`", "outputs are written `output NODE, NODE`"),
    "PARAM": ("this param", "a param is written `param width = 64`, or `param width = 64 in {32, 64, 128}`"),
    "DIM": ("this dim", "a dim is written `dim NAME`"),
    "EXPECT": ("this `expect`", "write `expect W[2] : (7, 20)` for a shape, `expect n[2] == 7` for a number"),
    "LOSS": ("this loss", "a loss is written `loss mse`, or `loss mse from NODE weight=0.5`"),
    "TRAIN": ("these training settings", "settings are written `train { optimizer adam; epochs 10 }`, or one a line"),
    "DEFINE": ("this definition", "a definition is written `define activation swish(z; beta=1) = z * sigmoid(z)`"),
    "REPEAT": ("this `repeat`", "repetition is written `repeat 3 { … }` or `repeat i in 1 .. 3 { … }`"),
    "BLOCK": ("this block", "a block is written `block NAME(k; rate=0.1) from x { … }`"),
    "IMPORT": ("this import", 'an import is written `import "blocks.dnn"`'),
    "SETTING": ("this training setting", "a setting is written `KEY VALUE`: `learning_rate 0.01`"),
    "ASSIGNMENT": ("this step of an optimizer", "a step is written `NAME = FORMULA`: `w = w - rate * g`"),
}  # fmt: skip
"""What is being written, by the terminal it begins with: what to call it, and its form."""

MALFORMED: Final = (
    # ------------------------------------------------------------ how statements begin
    Malformed(
        "`$text(…)` looks like a call, but a statement begins here",
        "operands stand after the kind, side by side and without parentheses: `layer 5 relu`",
        ("layer(5, relu)", "repeat 2 { dropout(0.5) }"),
    ),
    Malformed(
        "a statement cannot begin with `$text`",
        "`from`, `as` and `in` stand on the same line as what they belong to",
        ("layer 5\n  as h", "add\nfrom x, y", "param a = 3\nin {3, 4}"),
    ),
    Malformed(
        "a statement cannot begin with `$text`",
        "`derivative` and `given` belong to a `define`, and stand on the same line; put the formula before it in "
        "`( )` to go over several lines",
        ("derivative 1", "given sum(y) = 1"),
    ),
    Malformed(
        "a statement cannot begin with a number",
        "a node begins with its kind: `layer $text`",
        ("64", "5 relu"),
    ),
    Malformed(
        "this `{` belongs to nothing",
        "it stands on the same line as its `train`, `repeat`, `block` or `define`",
        ("{ optimizer sgd }",),
    ),
    Malformed(
        "`$before =` does not begin a statement",
        "a number is named by `param $before = …`, a node by `as`: `layer 5 relu as $before`",
        ("width = 64", "h = layer 5"),
    ),
    # ------------------------------------------------------------ nodes
    Malformed(
        "operands are not separated by commas",
        "operands stand side by side, `layer 5 relu`; nodes that go in stand after `from`: `add from x, h`",
        (
            "layer 5, relu",
            "layer width, relu",
            "layer (5), relu",
            "layer -5, relu",
            "layer swish(2), 5",
            "layer n[1], relu",
            "layer 2 * 3, relu",
            "layer 2 * k, relu",
            "layer 2 + 3, relu",
            "layer 2 + k, relu",
            "layer 2 ^ 3, relu",
            "layer a < b, relu",
            "layer a < 3, relu",
            "layer 5 relu, 6",
            "layer 5 6, relu",
            "layer 5 swish(2), 5",
        ),
        instead="",
    ),
    Malformed(
        "`from` says what goes in, and stands before `as` and `key=value`",
        "the order is: operands, `from`, `as`, `key=value`",
        ("layer 5 as h from x", "loss mse weight=1 from x"),
    ),
    Malformed(
        "`$text` stands after a `key=value`, which come last",
        "the order is: operands, `from`, `as`, `key=value`",
        (
            "layer 5 init=he as h",
            "layer 5 init=he from h",
            "layer 5 init=he(2) as h",
            "layer 5 init=he(2) from h",
            "layer 5 l2=1 as h",
            "layer 5 l2=1 from h",
            "input 5 a=b as x",
            "input 5 a=2 as x",
        ),
    ),
    Malformed(
        "operands stand before `from`, `as` and `key=value`",
        "the order is: operands, `from`, `as`, `key=value`",
        (
            "layer from x 5",
            "layer as h 5",
            "layer init=he 5",
            "layer from x relu(2)",
            "layer as h relu(2)",
            "layer init=he relu(2)",
            "layer l2=1 5",
            "layer l2=1 relu(2)",
            "layer from x (5)",
            "layer as h (5)",
            "layer init=he (5)",
            "layer l2=1 (5)",
        ),
    ),
    Malformed(
        "`$before` does not fit here: after `from`, `as` and keys, only `key=value` may follow",
        "nodes after `from` are separated by commas, and operands stand before `from`",
        ("layer 5 from x relu", "add from a b", "layer 5 as h relu", "layer 5 init=he relu", "input as x y"),
        at_before=True,
    ),
    Malformed(
        "`from` takes nodes, by their names; it does not compute",
        "write `add from a, b as c` first, and use `c`",
        ("layer 5 from a + b", "layer 5 from a * b", "layer 5 from a - b", "output a + b"),
        anywhere=True,
    ),
    Malformed(
        "`from` takes nodes, by their names",
        "give the node a name with `as`, and use that; `_` is the node just before",
        (
            "layer 5 from 3",
            "layer 5 from (a)",
            "layer 5 from a, 3",
            "layer 5 from f(x)",
            "layer 5 from",
            "layer 5 from a,",
        ),
        whatever=True,
        after=True,
    ),
    Malformed(
        "an output comes out under one name",
        "write `as` with one name; for several parts, name them in several statements",
        ("layer 5 as a, b", "input 5 as a, b"),
    ),
    Malformed(
        "`as` gives a plain name, without an index",
        "write `as $before`, or another name",
        ("layer 5 as h[1]", "input as x[1]"),
    ),
    Malformed(
        "`->` is no sign of the language",
        "edges are drawn by `from` and `as`: a node goes on from the one before it, or from those after `from`",
        ("layer 5 -> relu", "input 3 -> layer 5"),
        anywhere=True,
        after=True,
    ),
    Malformed(
        "a node has no body",
        "only `train`, `repeat`, `block` and `define` have one",
        (
            "layer {3}",
            "layer 5 { }",
            "layer relu {}",
            "layer 5 relu {}",
            "layer 5 relu(3) {}",
            "gate 32 from a {}",
            "layer 5 as b {}",
            "layer init=he {}",
        ),
    ),
    Malformed(
        "a range stands only after `in`, or after `repeat`",
        "a node has one size; for several, write `repeat i in 1 .. 6 { … }`",
        ("layer 1 .. 6", "layer a .. b", "input 1 .. 6"),
    ),
    Malformed(
        "`:` separates nothing here",
        "operands stand after the kind, side by side: `layer 5 relu`",
        ("layer: 5", "layer 5: relu", "layer k: 3", "input: 5", "layer 5 relu: 3"),
    ),
    Malformed(
        "`=` does not fit here",
        "a key is a name: `init=he`; to name a node, write `as NAME`",
        ("layer 5 = 3", "layer (k) = 3", "layer 5 relu(2) = 3", "layer 2 * k = 3", "layer 5 as h = 3"),
    ),
    # ------------------------------------------------------------ output, dim
    Malformed(
        "the nodes of `output` are separated by commas",
        "write `output $before, $text`",
        ("output a b", "output a[1] b"),
    ),
    Malformed(
        "`output` takes nodes, by their names; it makes none",
        "write `layer …` as usual: what comes out of the network is the last node",
        ("output 3", "output 1 sigmoid", "output layer 1 sigmoid", "output dense 3"),
    ),
    Malformed(
        "`output` takes nodes, by their names",
        "give the node a name with `as`, and use that",
        ("output", "output a,", "output (a)"),
        whatever=True,
    ),
    Malformed(
        "a dim has no value: it stays a symbol until the network is loaded",
        "for a number that is known, write `param $before = …`",
        ("dim d = 5", "dim d 5"),
    ),
    Malformed(
        "`dim` declares one name",
        "write one `dim` for each",
        ("dim d, e", "dim d e"),
    ),
    # ------------------------------------------------------------ param
    Malformed(
        "a param has a value: `=` is missing after `$before`",
        "write `param $before = 64`; a size that is not known yet is a `dim`",
        ("param width 64", "param width", "param width : 64", "param width in {3, 4}"),
        whatever=True,
    ),
    Malformed(
        "`in` is missing before the values that the param may take",
        "write `param width = 64 in {32, 64, 128}`",
        ("param width = 64 {32, 64}", "param width = k {32, 64}", "param width = 2 * 3 {32, 64}"),
    ),
    Malformed(
        "the value of a param is one expression, so $found does not fit after it",
        "write `param width = 64 in {32, 64, 128}`, or begin a new line",
        (
            "param width = 64 65",
            "param width = 64 relu",
            "param width = k relu",
            "param width = 64, 65",
            "param width = k, l",
            "param width = 64 .. 65",
        ),
    ),
    Malformed(
        "this is neither a range nor a set of values",
        "what a param may be is written `1 .. 6`, `log(1e-4 .. 1e-1)` or `{32, 64, 128}`",
        (
            "param width = 64 in 32",
            "param width = 64 in k",
            "param width = 64 in log(3)",
            "param width = 64 in log(k)",
            "param width = 64 in [32, 64]",
            "param width = 64 in (32, 64)",
            "param width = 64 in 32, 64",
            "param width = 64 in",
        ),
    ),
    Malformed(
        "`{ }` holds no value",
        "write the values that the param may take: `{32, 64, 128}`",
        ("param width = 64 in {}",),
    ),
    Malformed(
        "the values are separated by commas",
        "write `{$before, $text}`",
        ("param width = 64 in {32 64}", "param width = 64 in {a b}", "param width = 64 in {32 b}"),
    ),
    Malformed(
        "a value is missing after the last comma",
        "take the comma away, or write one more value",
        ("param width = 64 in {32,}",),
        after=True,
    ),
    Malformed(
        "`{ }` holds values one by one; a range stands without it",
        "write `in 1 .. 6`",
        ("param width = 64 in {1 .. 6}", "param width = 64 in {a .. b}"),
    ),
    # ------------------------------------------------------------ expect
    Malformed(
        "what is expected is missing",
        "write `expect W[2] : (7, 20)` for a shape, `expect n[2] == 7` for a number",
        ("expect parameters", "expect W[1]", "expect n[1] + 3", "expect 3", "expect n[1] + k", "expect wide(128, m)"),
    ),
    Malformed(
        "a single `=` states nothing",
        "write `==` for a number, `:` for a shape: `expect W[2] : (7, 20)`",
        ("expect parameters = 3", "expect W[1] = (3, 4)", "expect 3 = 3", "expect n[1] + 3 = 7"),
    ),
    Malformed(
        "`:` is missing before the shape",
        "write `expect W[2] : (7, 20)`",
        ("expect W[1] (3, 4)", "expect wide (128, m)"),
    ),
    Malformed(
        "a shape is written with `:` and two sizes, rows and columns",
        "write `expect W[2] : (7, 20)`",
        (
            "expect W[1] :",
            "expect W[1] : 3",
            "expect W[1] : (3)",
            "expect W[1] : (a)",
            "expect W[1] : (3, 4, 5)",
            "expect W[1] : (3, m, 5)",
            "expect W[1] : [3, 4]",
            "expect W[1] : (3 4)",
            "expect W[1] : (3 x)",
            "expect W[1] : 3, 4",
            "expect W[1] : ()",
            "expect W[1] : (3,)",
            "expect W[1] == (3, 4)",
            "expect W[1] == (a, 4)",
        ),
    ),
    # ------------------------------------------------------------ loss
    Malformed(
        "the name of the loss is missing",
        "write `loss mse`, `loss binary_cross_entropy`, …",
        ("loss", "loss from x", "loss = mse", "loss 3"),
        whatever=True,
    ),
    Malformed(
        "each loss has its own statement",
        "write `loss mse` and `loss mae` on lines of their own; they add up",
        ("loss mse, mae", "loss huber(2), mae"),
    ),
    Malformed(
        "a weight is written with its key",
        "write `weight=$text`",
        ("loss mse 0.5", "loss huber(2) 0.5", "loss mse from x 0.5"),
    ),
    Malformed(
        "`$before` does not fit here: after the loss only `from NODE` and `key=value` may follow",
        "write `loss mse from NODE weight=0.5`",
        ("loss mse mae", "loss huber(2) mae", "loss mse from x y"),
        at_before=True,
    ),
    # ------------------------------------------------------------ train
    Malformed(
        "`{` is missing after `train`, on the same line",
        "write `train { optimizer adam; epochs 10 }`, or one setting a line",
        ("train", "train optimizer sgd", "train:"),
        whatever=True,
    ),
    Malformed(
        "a setting has no `$text` between its key and its value",
        "write `$before $rest`",
        ("train { optimizer = sgd }", "train { optimizer: sgd }"),
        instead="",
    ),
    Malformed(
        "the value of `$before` is missing",
        "write it after the key, as in `learning_rate 0.01`",
        ("train { optimizer }", "train { optimizer\n}"),
    ),
    Malformed(
        "settings are separated by a newline or `;`",
        "write each on its own line; options stand in parentheses, as in `adam(beta1=0.9)`",
        (
            "train { optimizer sgd, epochs 3 }",
            "train { optimizer sgd epochs 3 }",
            "train { epochs 3, batch 3 }",
            "train { epochs 3 batch 3 }",
            "train { optimizer sgd(2), batch 3 }",
            "train { optimizer sgd(2) batch 3 }",
        ),
    ),
    Malformed(
        "options stand in parentheses that touch the name",
        "write them as in `adam(beta1=0.9)`",
        (
            "train { optimizer adam 0.9 }",
            "train { optimizer adam (0.9) }",
            "train { optimizer adam(0.9) 3 }",
        ),
    ),
    Malformed(
        "`loss` is no setting, but a statement of its own",
        "move it out of `train { … }`",
        ("train { loss mse }",),
    ),
    Malformed(
        "`$text(…)` looks like a call, but a setting begins here",
        "write the key and then the value, without parentheses: `optimizer adam`",
        ("train { optimizer(adam) }",),
    ),
    # ------------------------------------------------------------ define
    Malformed(
        "what `define` defines is missing",
        "write `define activation`, `define loss`, `define init` or `define optimizer`, and then the name",
        ("define", "define f(z) = z", "define 3", "define = 3"),
        whatever=True,
    ),
    Malformed(
        "the variables of `$before` are missing",
        "write `$before(z)` for an activation, `(a, y)` for a loss, `(fan_in, fan_out)` for an init, `(w, g)` for an "
        "optimizer",
        ("define activation f", "define activation f = 3", "define activation f z = z", "define optimizer o { }"),
        whatever=True,
    ),
    Malformed(
        "the formula is missing",
        "write `=` and the formula, or for an optimizer its steps in `{ }`",
        ("define activation f(z)", "define activation f(z) z", "define activation f(z): z", "define activation f(z) 3"),
        whatever=True,
    ),
    Malformed(
        "options with defaults stand after a `;`, not a comma",
        "write `(z; $before=…)`",
        ("define activation f(z, slope=0.1) = z", "block f(k, rate=0.1) { }", "block f(rate=0.1) { }"),
    ),
    Malformed(
        "the option `$before` needs a default",
        "write `; $before=…`",
        ("define activation f(z; slope) = z", "block f(k; rate) { }", "block f(k; rate, x=1) { }"),
        whatever=True,
    ),
    Malformed(
        "$found does not fit after the formula",
        "after it may stand `derivative FORMULA`, `given sum(y) = 1`, and `init=NAME loss=NAME`",
        (
            "define activation f(z) = z 3",
            "define activation f(z) = z, 3",
            "define activation f(z) = 3, 3",
            "define activation f(z) = z = 3",
            "define activation f(z) = 3 = 3",
            "define activation f(z) = max(z, 0) 3",
            "define activation f(z) = z { }",
        ),
    ),
    Malformed(
        "`$before` does not fit after the formula",
        "after it may stand `derivative FORMULA`, `given sum(y) = 1`, and `init=NAME loss=NAME`",
        ("define activation f(z) = 3 z", "define activation f(z) = z k 3", "define activation f(z) = z init=he k"),
        at_before=True,
    ),
    Malformed(
        "`given` states an equation",
        "write `given sum(y) = 1`",
        ("define loss f(a, y) = a given sum(y)", "define loss f(a, y) = a given y", "define loss f(a, y) = a given 3"),
        whatever=True,
    ),
    Malformed(
        "a step gives a value to a name",
        "a step is written `NAME = FORMULA`, as in `w = w - rate * g`",
        ("define optimizer o(w, g) { w }", "define optimizer o(w, g) { w - g }", "define optimizer o(w, g) { w == g }"),
        whatever=True,
    ),
    # ------------------------------------------------------------ repeat, block, import
    Malformed(
        "`{` is missing after `$before`, on the same line",
        "what is repeated stands in `{ }`: `repeat 3 { layer 8 relu }`",
        ("repeat 3", "repeat 3: layer 8", "repeat 1 .. 3", "repeat i in 1 .. 3", "repeat i in 3 layer 8"),
        whatever=True,
    ),
    Malformed(
        "`{` is missing after `$before`, on the same line",
        "what is repeated stands in `{ }`: `repeat depth { layer 8 relu }`, `repeat i in 1 .. 3 { layer 8 relu }`",
        (
            "repeat depth",
            "repeat depth layer 8",
            "repeat i = 1 .. 3 { }",
            "repeat 1 .. k",
            "repeat i in k",
            "repeat i in 1 .. k",
        ),
        whatever=True,
    ),
    Malformed(
        "the number of repetitions is missing",
        "write `repeat 3 { … }` or `repeat i in 1 .. 3 { … }`",
        ("repeat", "repeat { layer 5 }"),
    ),
    Malformed(
        "the name of the block is missing",
        "write `block residual(k) from x { … }`",
        ("block", "block { }", "block (k) { }"),
        whatever=True,
    ),
    Malformed(
        "`{` is missing before the body of the block, on the same line",
        "write `block NAME(k) from x { … }`",
        (
            "block f(k)",
            "block f",
            "block f(k) from x",
            "block f(k): layer k",
            "block f(k) as g { }",
            "block f(k) from x as y { }",
        ),
        whatever=True,
    ),
    Malformed(
        "nothing can stand after the body of a block",
        "a block has its name at the beginning; begin a new line for what follows",
        ("block f(k) { } as g", "block f(k) { } layer 5"),
    ),
    Malformed(
        "after the body of a `repeat` only `as NAME` may follow",
        "begin a new line for the next statement",
        ("repeat 3 { } layer 5", "repeat 3 { } 5", "repeat 3 { } from x"),
    ),
    Malformed(
        "the path is missing, in quotes",
        'write `import "blocks.dnn"`',
        ("import", "import blocks", "import blocks.dnn", "import (3)"),
        whatever=True,
    ),
    Malformed(
        "nothing can stand after the path",
        "an import brings in all definitions, blocks and params of the file, under their own names",
        ('import "blocks.dnn" as b', 'import "blocks.dnn" 3', 'import "a.dnn", "b.dnn"'),
        whatever=True,
    ),
    # ------------------------------------------------------------ expressions, in whatever statement
    Malformed(
        "strings stand only after `import`",
        "names are written without quotes",
        ('layer "relu"', 'layer 5 "relu"', 'layer k "relu"', 'loss "mse"', 'param a = "b"', 'f "a" b'),
        anywhere=True,
        instead="$bare",
    ),
    Malformed(
        "only one comparison can stand here",
        "put one of them in parentheses",
        ("layer a < b < c", "expect a == b == c", "layer (a < b < c)", "layer (3 < 4 < 5)", "expect 3 < 4 < 5"),
        anywhere=True,
    ),
    Malformed(
        "a power is written `^`",
        "write `2^3`",
        ("layer 2 ** 3", "param a = 2**b"),
        anywhere=True,
        after=True,
        instead="^",
        and_before=True,
    ),
    Malformed(
        "a value is missing after `$before`",
        "write a number, a name or an expression in parentheses",
        (
            "layer 5 +",
            "layer ()",
            "param a =",
            "layer (2 * )",
            "param a = 3 in 1 ..",
            "expect W[] == 3",
            "layer 2 / * 3",
        ),
        anywhere=True,
        whatever=True,
    ),
    Malformed(
        "a value is missing after `$before`",
        "take the comma away, or write one more argument",
        ("layer f(a, )", "layer f(a,, b)"),
        anywhere=True,
        whatever=True,
    ),
    Malformed(
        "a value is missing before `$text`",
        "write the first argument, or take the comma away",
        ("layer f(, a)",),
        anywhere=True,
    ),
    Malformed(
        "a comma is missing between `$before` and `$text`",
        "arguments are separated by commas",
        ("layer f(a b)", "layer f(3 b)", "layer f(a 3)", "layer f(3 4)", "layer f(a + b c)", "layer f(a g(c))"),
        anywhere=True,
    ),
    Malformed(
        "arguments are separated by commas",
        "`;` separates variables from options only where something is defined",
        ("layer f(a; b)", "layer f(3; b)", "layer f(a; b=3)", "layer f(3; b=3)"),
        anywhere=True,
    ),
    Malformed(
        "an input is given the number of its units alone",
        "write `input 784`; each sample is a column, and the number of samples m stays open",
        ("input (784, m)", "input (k, m)", "input (m, 784)"),
    ),
    Malformed(
        "an input has one size: how many numbers a sample has",
        "for 28 by 28 pixels write `input 28 * 28`",
        ("input 28 28", "input k 28", "input 28, 28", "input k, 28"),
    ),
    Malformed(
        "in parentheses there is one value here, so $found does not fit",
        "a call's parenthesis touches its name: `f(a, b)`; operands stand outside, side by side",
        ("layer (a, b)", "layer (3, 4)", "layer (a b)", "layer (3 4)", "layer (a = b)", "layer (3 = b)"),
        anywhere=True,
    ),
    Malformed(
        "an index is one value, so `]` is expected before $found",
        "write it as in `W[2]`, `n[L - 1]` or `gamma[norm]`",
        (
            "expect W[1, 2] == 3",
            "expect W[a, 2] == 3",
            "expect W[1 2] == 3",
            "expect W[a b] == 3",
            "expect W[1:2] == 3",
        ),
        anywhere=True,
    ),
    Malformed(
        "a name is missing after `$before`",
        "names consist of letters, digits and `_`, and begin with a letter or `_`",
        ("layer 5 as", "param", "dim 3", "block f(a,) { }", "layer 5 as (h)"),
        anywhere=True,
        whatever=True,
    ),
)
