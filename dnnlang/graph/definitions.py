"""The library of definitions: `define` statements, the prelude's and the user's, bound to their options on use."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import cache
from typing import Final, TypeVar

from dnnlang.diagnostics import Diagnostic, Diagnostics, Label, rule
from dnnlang.diagnostics.suggest import meant, replacement
from dnnlang.errors import InternalError
from dnnlang.graph.definition_form import ELSEWHERE, NOUN, VARIABLES, families_meant, well_formed
from dnnlang.graph.definition_options import (
    BAD_OPTIONS,
    Numbers,
    as_expressions,
    bind_options,
    default_number,
    use_label,
)
from dnnlang.graph.definition_parts import derivative_of, formula_of, given_of
from dnnlang.graph.formulas import FUNCTIONS
from dnnlang.graph.optimizers import optimizer_body
from dnnlang.scalar.construct import put, total
from dnnlang.scalar.expression import Expr, variable
from dnnlang.scalar.functions import Activation, Initializer, Loss, Optimizer
from dnnlang.source import Span
from dnnlang.syntax.tree import Call, DefineStatement, Name

DEFAULT_INIT: Final = "xavier"
DEFAULT_LOSS: Final = "mse"

UNKNOWN_FUNCTION = rule(
    "DNN401",
    "unknown-definition",
    "No activation, loss, initializer or optimizer has this name.",
    why="Activations, losses, initializers and optimizers are definitions: the standard ones and your own. "
    "A name that neither has cannot be given a meaning, so nothing is guessed.",
    wrong="layer 5 rellu\nlayer 1 sigmoid\n",
    right="layer 5 relu\nlayer 1 sigmoid\n",
)
DEFINED_TWICE = rule(
    "DNN404",
    "defined-twice",
    "Two definitions of the same family have the same name.",
    why="A use could mean either. Definitions of different families may share a name.",
    wrong="define activation bump(z) = exp(-z^2)\ndefine activation bump(z) = 1 / (1 + z^2)\n"
    "layer 5 bump\nlayer 1 sigmoid\n",
    right="define activation bump(z) = exp(-z^2)\nlayer 5 bump\nlayer 1 sigmoid\n",
)
SHADOWS = rule(
    "DNN405",
    "shadows-standard",
    "A definition of yours has the name of a standard one, and takes its place in this program.",
    why="It is allowed, so that a name added to the standard library later breaks no program; but a reader may "
    "expect the standard one.",
    wrong="define activation relu(z) = max(z, 0.1 * z)\nlayer 5 relu\nlayer 1 sigmoid\n",
    right="define activation my_relu(z) = max(z, 0.1 * z)\nlayer 5 my_relu\nlayer 1 sigmoid\n",
    severity="warning",
)
CIRCLE = rule(
    "DNN406",
    "definition-circle",
    "An activation is defined by itself, directly or through others.",
    why="A formula must end in numbers and functions; one that contains itself never does.",
    wrong="define activation ping(z) = pong(z)\ndefine activation pong(z) = ping(z)\nlayer 5 ping\nlayer 1 sigmoid\n",
    right="define activation pong(z) = z / 2\ndefine activation ping(z) = pong(z)\nlayer 5 ping\nlayer 1 sigmoid\n",
)
Bound = TypeVar("Bound", Activation, Loss, Initializer, Optimizer)


class Library:
    """Definitions by family and name. A library is not changed: `extend` makes a larger one."""

    def __init__(self, standard: Library | None, definitions: Mapping[tuple[str, str], DefineStatement]) -> None:
        self._standard = standard
        self._definitions = definitions
        self._formulas: dict[tuple[str, str], Expr | None] = {}
        self._broken: set[tuple[str, str]] = set()  # mistakes in them were reported; their uses stay silent
        self._open: list[str] = []  # activations whose formulas are being read, to find circles

    @staticmethod
    def standard() -> Library:
        """The library of `grammar/prelude.dnn`, read once in a process."""
        return _standard()

    # ------------------------------------------------------------ what there is

    def names(self, family: str) -> list[str]:
        """The names of a family, the standard ones first."""
        before = self._standard.names(family) if self._standard is not None else []
        own = [name for f, name in self._definitions if f == family and name not in before]
        return before + own

    def has(self, family: str, name: str) -> bool:
        return self._find(family, name) is not None

    def is_activation(self, name: str) -> bool:
        """Can it be used as one: a definition, or a function of one argument?"""
        return self.has("activation", name) or (name in FUNCTIONS and 1 in FUNCTIONS[name].arities)

    def statement(self, family: str, name: str) -> DefineStatement | None:
        """The definition itself, for documentation and model files."""
        return self._find(family, name)

    def _find(self, family: str, name: str) -> DefineStatement | None:
        found = self._definitions.get((family, name))
        if found is None and self._standard is not None:
            return self._standard._find(family, name)
        return found

    # ------------------------------------------------------------ adding

    def extend(self, statements: Iterable[DefineStatement], found: Diagnostics) -> Library:
        """This library and the definitions of a program, each of which is checked now."""
        own: dict[tuple[str, str], DefineStatement] = {}
        broken: set[tuple[str, str]] = set()
        for statement in statements:
            if not well_formed(statement, found):
                broken.update((family, statement.name.id) for family in families_meant(statement))
                continue
            key = (statement.family.id, statement.name.id)
            if key in own:
                first = own[key].name.span
                found.add(
                    DEFINED_TWICE.at(
                        statement.name.span,
                        f"the {NOUN[key[0]]} `{key[1]}` is defined twice",
                        labels=[Label(first, "the first one"), Label(statement.name.span, "the second one")],
                        help="give one of them another name, or take one out",
                    )
                )
                continue
            if self.has(*key):
                found.add(
                    SHADOWS.at(
                        statement.name.span,
                        f"this takes the place of the standard {NOUN[key[0]]} `{key[1]}` in this program",
                        help="choose another name to keep both",
                    )
                )
            own[key] = statement
        if not own and not broken:
            return self
        extended = Library(self, own)
        extended._broken = broken
        sound = [key for key in own if extended._check(*key, found)]
        broken.update(own.keys() - sound)
        return extended

    def _check(self, family: str, name: str, found: Diagnostics) -> bool:
        statement = self._definitions[family, name]
        read: Callable[[Name | Call, Numbers, Diagnostics], object] = {
            "activation": self.activation,
            "loss": self.loss,
            "init": self.initializer,
            "optimizer": self.optimizer,
        }[family]
        sound = read(statement.name, default_number, found) is not None
        for keyword in statement.keys:  # `init=` and `loss=`
            value = keyword.value
            if isinstance(value, Name) and self._find(keyword.key.id, value.id) is None:
                self._unknown(keyword.key.id, value, found)
                sound = False
        return sound

    # ------------------------------------------------------------ using

    def activation(self, use: Name | Call, numbers: Numbers, found: Diagnostics) -> Activation | None:
        """The activation that `use` names, with its options. None after a diagnostic."""
        name = use.id if isinstance(use, Name) else use.callee.id
        if self._find("activation", name) is None and self.is_activation(name):
            if isinstance(use, Call):
                found.add(BAD_OPTIONS.at(use.span, f"`{name}` has no options", help=f"write `{name}` alone"))
                return None
            return Activation(name, FUNCTIONS[name].make(variable("z")), None, None, None)
        bound = self._bind("activation", use, numbers, found)
        if bound is None:
            return None
        statement, label, options = bound
        value = self._formula(statement, found)
        if value is None:
            return None
        value = put(value, options)
        stated = derivative_of(statement, options, value, self._call, found)
        if stated is None and statement.derivative is not None:
            return None
        keys = {k.key.id: k.value.id for k in statement.keys if isinstance(k.value, Name)}
        return Activation(label, value, keys.get("init"), keys.get("loss"), statement.span, stated)

    def loss(self, use: Name | Call, numbers: Numbers, found: Diagnostics) -> Loss | None:
        """The loss that `use` names, with its options; summed over the units unless it reduces itself."""
        bound = self._bind("loss", use, numbers, found)
        if bound is None:
            return None
        statement, label, options = bound
        value = self._formula(statement, found)
        if value is None:
            return None
        given = given_of(statement, options, self._call, found)
        if given is None:
            return None
        bound_value = put(value, options)
        return Loss(label, total(bound_value) if bound_value.per_unit else bound_value, given, statement.span)

    def initializer(self, use: Name | Call, numbers: Numbers, found: Diagnostics) -> Initializer | None:
        """The initializer that `use` names, with its options."""
        bound = self._bind("init", use, numbers, found)
        if bound is None:
            return None
        statement, label, options = bound
        value = self._formula(statement, found)
        return None if value is None else Initializer(label, put(value, options), statement.span)

    def optimizer(self, use: Name | Call, numbers: Numbers, found: Diagnostics) -> Optimizer | None:
        """The optimizer that `use` names, with its options."""
        bound = self._bind("optimizer", use, numbers, found)
        if bound is None:
            return None
        statement, label, options = bound
        body = optimizer_body(statement, self._call, found)
        if body is None:
            return None
        statements, state = body
        return Optimizer(label, tuple((name, put(e, options)) for name, e in statements), state, statement.span)

    def default_init(self, activation: Activation | None) -> Initializer:
        """The initializer of a layer that names none."""
        name = activation.init if activation is not None and activation.init is not None else DEFAULT_INIT
        return self._default(name if ("init", name) not in self._broken else DEFAULT_INIT, self.initializer)

    def default_loss(self, activation: Activation | None) -> Loss:
        """The loss of a program that names none and ends in `activation`."""
        name = activation.loss if activation is not None and activation.loss is not None else DEFAULT_LOSS
        return self._default(name if ("loss", name) not in self._broken else DEFAULT_LOSS, self.loss)

    def _default(self, name: str, bind: Callable[[Name | Call, Numbers, Diagnostics], Bound | None]) -> Bound:
        found = Diagnostics()
        bound = bind(Name(self._nowhere(), name), default_number, found)
        if bound is None:
            raise InternalError(f"the default `{name}` is not usable: {[d.message for d in found.found]}")
        return bound

    def _nowhere(self) -> Span:
        if not self._definitions and self._standard is not None:
            return self._standard._nowhere()
        statement = next(iter(self._definitions.values()))
        return Span(statement.span.source, 0, 0)

    def spellings(self) -> dict[str, str]:
        """The names of the standard activations that are one stable operation, by that operation."""
        if self._standard is not None:
            return self._standard.spellings()
        return dict(_spellings())

    # ------------------------------------------------------------ parts

    def _bind(
        self, family: str, use: Name | Call, numbers: Numbers, found: Diagnostics
    ) -> tuple[DefineStatement, str, dict[str, Expr]] | None:
        name = use.id if isinstance(use, Name) else use.callee.id
        if (family, name) in self._broken:
            return None
        statement = self._find(family, name)
        if statement is None:
            self._unknown(family, use if isinstance(use, Name) else use.callee, found)
            return None
        options = bind_options(statement, use, numbers, found)
        if options is None:
            return None
        label = use.id if isinstance(use, Name) else use_label(use, statement, options)
        return statement, label, as_expressions(options)

    def _unknown(self, family: str, name: Name, found: Diagnostics) -> None:
        if (family, name.id) in self._broken:
            return
        candidates = self.names(family)
        if family == "activation":
            functions = [n for n, f in FUNCTIONS.items() if 1 in f.arities and f.elementwise]
            candidates += [n for n in functions if n not in candidates]
        near = meant(name.span, candidates)
        other = ELSEWHERE[family].get(name.id.lower())
        fix = near.fix if near is not None else None
        if other is not None:
            advice, fix = f"here it is called `{other}`", replacement(name.span, other)
        elif near is not None:
            advice = near.help
        else:
            form = f"define {family} {name.id}({', '.join(VARIABLES[family])})"
            body = "{ w = … }" if family == "optimizer" else "= …"
            advice = f"there are {', '.join(candidates)};\nor write your own: `{form} {body}`"
        message = f"there is no {NOUN[family]} `{name.id}`"
        found.add(UNKNOWN_FUNCTION.at(name.span, message, help=advice, fix=fix))

    def _formula(self, statement: DefineStatement, found: Diagnostics) -> Expr | None:
        """The right side of a definition, in its canonical variables and its options; read once."""
        owner = self._owner(statement)
        key = (statement.family.id, statement.name.id)
        if key not in owner._formulas:
            owner._formulas[key] = owner._read(statement, found)
        return owner._formulas[key]

    def _owner(self, statement: DefineStatement) -> Library:
        if (
            self._standard is not None
            and self._definitions.get((statement.family.id, statement.name.id)) is not statement
        ):
            return self._standard._owner(statement)
        return self

    def _read(self, statement: DefineStatement, found: Diagnostics) -> Expr | None:
        if statement.value is None:
            raise InternalError(f"the definition of {statement.name.id} has no formula")
        family, name = statement.family.id, statement.name.id
        if family == "activation" and name in self._open:
            found.add(self._circle(statement, self._open[self._open.index(name) :]))
            return None
        self._open.append(name)
        try:
            return formula_of(statement, statement.value, self._call, found)
        finally:
            self._open.pop()

    def _circle(self, statement: DefineStatement, names: list[str]) -> Diagnostic:
        labels = []
        for name, following in zip(names, [*names[1:], names[0]], strict=True):
            definition = self._find("activation", name)
            if definition is not None and definition.value is not None:
                labels.append(Label(definition.value.span, f"`{name}` calls `{following}`"))
        return CIRCLE.at(
            statement.name.span,
            f"the activation `{names[0]}` is defined by itself: {' → '.join([*names, names[0]])}",
            labels=labels,
            help="write a formula of numbers and functions for one of them",
        )

    def _call(self, use: Call, arguments: list[Expr], found: Diagnostics) -> Expr | None:
        """An activation called as a function: its formula at the first argument; the rest are options."""
        if ("activation", use.callee.id) in self._broken:
            return None
        statement = self._find("activation", use.callee.id)
        if statement is None:
            candidates = [*FUNCTIONS, *self.names("activation")]
            near = meant(use.callee.span, candidates)
            found.add(
                UNKNOWN_FUNCTION.at(
                    use.callee.span,
                    f"there is no function or activation `{use.callee.id}`",
                    help=near.help if near is not None else f"there are {', '.join(FUNCTIONS)}",
                    fix=near.fix if near is not None else None,
                )
            )
            return None
        options = bind_options(statement, use, default_number, found, skip=1)
        value = self._formula(statement, found) if options is not None else None
        if options is None or value is None:
            return None
        return put(value, {"z": arguments[0], **as_expressions(options)})


@cache
def _standard() -> Library:
    from dnnlang.syntax.files import grammar_text, source_from_text
    from dnnlang.syntax.parser import parse

    found = Diagnostics()
    source = source_from_text("prelude.dnn", grammar_text("prelude.dnn"), found)
    tree = parse(source, found) if source is not None else None
    definitions: dict[tuple[str, str], DefineStatement] = {}
    for statement in tree.statements if tree is not None else ():
        if not isinstance(statement, DefineStatement) or not well_formed(statement, found):
            raise InternalError(f"the prelude is not a list of definitions: {statement.span}")
        definitions[statement.family.id, statement.name.id] = statement
    if found.failed:
        raise InternalError(f"the prelude has mistakes: {[f'{d.span}: {d.message}' for d in found.found]}")
    return Library(None, definitions)


@cache
def _spellings() -> tuple[tuple[str, str], ...]:
    from dnnlang.scalar.derive import forward

    library, found = Library.standard(), Diagnostics()
    z = variable("z")
    spelled: dict[str, str] = {}
    for name in library.names("activation"):
        statement = library.statement("activation", name)
        activation = library.activation(statement.name, default_number, found) if statement is not None else None
        if activation is None:
            continue
        value = forward(activation)
        if value.args == (z,):
            spelled.setdefault(value.op, name)
    return tuple(spelled.items())
