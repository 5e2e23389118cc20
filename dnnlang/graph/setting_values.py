"""How the values of `train` settings are read: numbers with ranges, words, optimizers, schedules."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

from dnnlang.diagnostics import Diagnostic, rule
from dnnlang.diagnostics.suggest import meant
from dnnlang.graph.architecture import Schedule
from dnnlang.graph.names import NumberNames
from dnnlang.graph.reader import Reader, decimal, text_of
from dnnlang.scalar.functions import Optimizer
from dnnlang.sizes import LIMIT
from dnnlang.syntax.tree import Call, Expression, Name

WRONG_SETTING = rule(
    "DNN503",
    "wrong-setting",
    "A setting of `train` has a value that it cannot have.",
    why="Each setting has one type and a range. Outside it, training could only fail, or mean something else.",
    wrong="layer 5 relu\nlayer 1 sigmoid\ntrain { batch 0 }\n",
    right="layer 5 relu\nlayer 1 sigmoid\ntrain { batch all }\n",
)

ALL: Final = "all"
OFF: Final = "off"

Read = Callable[[Expression, Reader], object]
"""Reads one value; None after a diagnostic."""


@dataclass(frozen=True, slots=True)
class ScheduleOption:
    """`default` None: must be given. Values are `above` a number, or at least `least`."""

    name: str
    default: Fraction | None
    above: int | None = None
    least: int | None = None
    whole: bool = False


SCHEDULES: Final[dict[str, tuple[str, tuple[ScheduleOption, ...]]]] = {
    "constant": ("α", ()),
    "step": (
        "α·factor^⌊e/every⌋",
        (ScheduleOption("every", None, least=1, whole=True), ScheduleOption("factor", None, above=0)),
    ),
    "exponential": ("α·base^e", (ScheduleOption("base", None, above=0),)),
    "inverse": ("α/(1 + decay·e)", (ScheduleOption("decay", None, least=0),)),
    "cosine": ("from α to 0 along a cosine, after a linear warmup", (ScheduleOption("warmup", Fraction(0), least=0),)),
}
"""Schedules of the learning rate α over the epoch e: formula and options."""


def number(name: str, *, above: int | None = None, least: int | None = None, below: int | None = None) -> Read:
    """A number in a range."""
    limits = ((above, "above"), (least, "at least"), (below, "below"))
    range_text = " and ".join(f"{word} {limit}" for limit, word in limits if limit is not None)

    def read(expression: Expression, reader: Reader) -> Fraction | None:
        value = _number(expression, reader, name, f"a number {range_text}")
        if value is None:
            return None
        too_low = (above is not None and value <= above) or (least is not None and value < least)
        if not too_low and (below is None or value < below):
            return value
        refuse(expression, reader, f"`{name}` is {range_text}, not {decimal(value)}", _example(name))
        return None

    return read


def whole(name: str, least: int, *, or_all: bool = False) -> Read:
    """A whole number, or `all`."""

    def read(expression: Expression, reader: Reader) -> object:
        if or_all and isinstance(expression, Name) and expression.id == ALL:
            return ALL
        wanted = f"a whole number of at least {least}{', or `all`' if or_all else ''}"
        value = _number(expression, reader, name, wanted, (ALL,) if or_all else ())
        if value is None:
            return None
        if value.denominator == 1 and least <= value < LIMIT:
            return value.numerator
        refuse(expression, reader, f"`{name}` is {wanted}, not {decimal(value)}", _example(name))
        return None

    return read


def or_off(read: Read) -> Read:
    """What `read` reads, or `off`."""

    def read_or_off(expression: Expression, reader: Reader) -> object:
        if not isinstance(expression, Name) or reader.scope.find(expression.id) is not None:
            return read(expression, reader)
        if expression.id == OFF:
            return OFF
        near = meant(expression.span, [OFF])
        if near is None:
            return read(expression, reader)
        message = f"this setting is a number or `{OFF}`, not `{expression.id}`"
        reader.found.add(WRONG_SETTING.at(expression.span, message, help=near.help, fix=near.fix))
        return None

    return read_or_off


def optimizer(expression: Expression, reader: Reader) -> Optimizer | None:
    if isinstance(expression, Name | Call):
        return reader.library.optimizer(expression, reader.number, reader.found)
    refuse(expression, reader, f"an optimizer belongs here, not `{text_of(expression)}`", "write one such as `adam`")
    return None


def schedule(expression: Expression, reader: Reader) -> Schedule | None:
    """`constant`, `step(10, 0.5)`, `cosine(warmup=2)`; options by position or by name."""
    if not isinstance(expression, Name | Call):
        message = f"a schedule belongs here, not `{text_of(expression)}`"
        refuse(expression, reader, message, "write one such as `cosine`")
        return None
    name = expression if isinstance(expression, Name) else expression.callee
    known = SCHEDULES.get(name.id)
    if known is None:
        reader.found.add(_unknown_schedule(name))
        return None
    options = known[1]
    given = _options(expression, name.id, options, reader) if isinstance(expression, Call) else {}
    if given is None:
        return None
    values: list[tuple[str, Fraction]] = []
    for option in options:
        written = given.get(option.name)
        value = option.default if written is None else _option(option, name.id, written, reader)
        if value is None:
            if written is None:
                missing = " and ".join(f"`{o.name}`" for o in options if o.default is None and o.name not in given)
                refuse(expression, reader, f"the schedule `{name.id}` needs {missing}", _usage(name.id))
            return None
        values.append((option.name, value))
    return Schedule(name.id, tuple(values))


def refuse(expression: Expression, reader: Reader, message: str, advice: str) -> None:
    reader.found.add(WRONG_SETTING.at(expression.span, message, help=advice))


def _number(
    expression: Expression, reader: Reader, name: str, wanted: str, words: tuple[str, ...] = ()
) -> Fraction | None:
    """A number; a word that is no param is told what belongs there."""
    if isinstance(expression, Name) and reader.scope.find(expression.id) is None:
        near = meant(expression.span, [*words, *NumberNames(reader).candidates(expression)])
        reader.found.add(
            WRONG_SETTING.at(
                expression.span,
                f"`{name}` is {wanted}, not `{expression.id}`",
                help=near.help if near is not None else _example(name),
                fix=near.fix if near is not None else None,
            )
        )
        return None
    return reader.number(expression)


def _call(schedule_name: str) -> str:
    examples = {"step": "step(every=10, factor=0.5)", "exponential": "exponential(base=0.95)"}
    examples |= {"inverse": "inverse(decay=0.1)", "cosine": "cosine(warmup=5)"}
    return examples.get(schedule_name, schedule_name)


def _usage(schedule_name: str) -> str:
    return f"write something like `schedule {_call(schedule_name)}`"


def _example(name: str) -> str:
    examples = {"learning_rate": "0.001", "epochs": "10", "iterations": "2500", "batch": "32", "l2": "0.01"}
    examples |= {"clip_norm": "1", "validation": "0.2", "patience": "5", "seed": "0"}
    return f"write something like `{name} {examples.get(name, '1')}`"


def _options(
    call: Call, name: str, options: tuple[ScheduleOption, ...], reader: Reader
) -> dict[str, Expression] | None:
    """The expression given for each option."""
    names = [o.name for o in options]
    usage = _usage(name)
    if len(call.arguments) > len(options):
        extra = call.arguments[len(options)]
        most = f"{len(options)} option{'' if len(options) == 1 else 's'}" if options else "no options"
        refuse(extra, reader, f"the schedule `{name}` has {most}, and here are {len(call.arguments)}", usage)
        return None
    given = dict(zip(names, call.arguments, strict=False))
    for keyword in call.keywords:
        key = keyword.key.id
        if key not in names or key in given:
            problem = "is given twice" if key in given else "does not exist"
            taken = {*given, *(k.key.id for k in call.keywords)}
            near = meant(keyword.key.span, [n for n in names if n not in taken]) if key not in given else None
            reader.found.add(
                WRONG_SETTING.at(
                    keyword.key.span,
                    f"the option `{key}` of the schedule `{name}` {problem}",
                    help=near.help if near is not None else usage,
                    fix=near.fix if near is not None else None,
                )
            )
            return None
        given[key] = keyword.value
    return given


def _option(option: ScheduleOption, schedule_name: str, written: Expression, reader: Reader) -> Fraction | None:
    value = reader.number(written, dict.fromkeys((o.name for o in SCHEDULES[schedule_name][1]), _call(schedule_name)))
    if value is None:
        return None
    fits = (option.above is None or value > option.above) and (option.least is None or value >= option.least)
    if fits and (value.denominator == 1 or not option.whole):
        return value
    limit = f"above {option.above}" if option.above is not None else f"at least {option.least}"
    wanted = f"a whole number of {limit}" if option.whole else limit
    message = f"`{option.name}` of the schedule `{schedule_name}` is {wanted}, not {decimal(value)}"
    refuse(written, reader, message, _usage(schedule_name))
    return None


def _unknown_schedule(name: Name) -> Diagnostic:
    near = meant(name.span, SCHEDULES)
    message = f"there is no schedule `{name.id}`"
    if near is None:
        return WRONG_SETTING.at(name.span, message, help=f"there are {', '.join(SCHEDULES)}")
    return WRONG_SETTING.at(name.span, message, help=near.help, fix=near.fix)
