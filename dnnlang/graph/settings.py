"""`train { … }`: a closed set of keys. Each is one record, from which its documentation is made too."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Final

from dnnlang.diagnostics import Diagnostic, Diagnostics, Label, rule
from dnnlang.diagnostics.suggest import meant, replacement
from dnnlang.errors import InternalError
from dnnlang.graph.architecture import Schedule, Settings
from dnnlang.graph.reader import Reader
from dnnlang.graph.setting_values import ALL, OFF, Read, number, optimizer, or_off, schedule, whole
from dnnlang.scalar.functions import Optimizer
from dnnlang.source import Span
from dnnlang.syntax.tree import Setting, TrainStatement

UNKNOWN_SETTING = rule(
    "DNN501",
    "unknown-setting",
    "`train` has a key that does not exist.",
    why="The keys are a closed set, so that a misspelt one is never ignored.",
    wrong="layer 5 relu\nlayer 1 sigmoid\ntrain { learning_rat 0.01 }\n",
    right="layer 5 relu\nlayer 1 sigmoid\ntrain { learning_rate 0.01 }\n",
)
SETTING_TWICE = rule(
    "DNN502",
    "setting-twice",
    "A setting is made twice, or two settings exclude each other, or there are two `train` blocks.",
    why="Only one of them could hold, and which one should not be guessed.",
    wrong="layer 5 relu\nlayer 1 sigmoid\ntrain { epochs 10; iterations 500 }\n",
    right="layer 5 relu\nlayer 1 sigmoid\ntrain { epochs 10 }\n",
)
PATIENCE_ALONE = rule(
    "DNN504",
    "patience-without-validation",
    "`patience` is set, but no data are held out to judge by.",
    why="Early stopping watches the loss on held-out data; without `validation` there are none.",
    wrong="layer 5 relu\nlayer 1 sigmoid\ntrain { patience 5 }\n",
    right="layer 5 relu\nlayer 1 sigmoid\ntrain { validation 0.2; patience 5 }\n",
)


@dataclass(frozen=True, slots=True)
class SettingKey:
    """One key of `train`: type and default as documentation shows them, and how its value is read.

    `default` is the value itself; `off` and `all` stand for themselves, the optimizer's is its name.
    """

    key: str
    type: str
    default: object
    sentence: str
    read: Read

    def default_text(self) -> str:
        """As one would write it."""
        if isinstance(self.default, Schedule):
            return self.default.name
        return f"{float(self.default):g}" if isinstance(self.default, Fraction) else str(self.default)


SETTINGS: Final[tuple[SettingKey, ...]] = (
    SettingKey("optimizer", "an optimizer, with its options", "adam", "How a step changes the parameters.", optimizer),
    SettingKey(
        "learning_rate", "number above 0", Fraction(1, 1000), "α, the size of a step.", number("learning_rate", above=0)
    ),
    SettingKey(
        "schedule",
        "constant, step(every, factor), exponential(base), inverse(decay) or cosine(warmup=0)",
        Schedule("constant", ()),
        "How the learning rate changes with the epoch e.",
        schedule,
    ),
    SettingKey("epochs", "whole number", 10, "Passes over the data; not with `iterations`.", whole("epochs", 1)),
    SettingKey("iterations", "whole number", OFF, "Update steps; not with `epochs`.", or_off(whole("iterations", 1))),
    SettingKey("batch", "whole number, or all", 32, "Columns in a mini-batch.", whole("batch", 1, or_all=True)),
    SettingKey(
        "l2",
        "number, 0 or more",
        Fraction(0),
        "λ of the penalty λ/(2m) Σ‖W‖²; m is the batch's.",
        number("l2", least=0),
    ),
    SettingKey(
        "clip_norm",
        "number above 0, or off",
        OFF,
        "The largest norm of all gradients together; longer ones are shortened to it.",
        or_off(number("clip_norm", above=0)),
    ),
    SettingKey(
        "validation",
        "number, 0 or more and below 1",
        Fraction(0),
        "The fraction of the data held out, stratified for classes.",
        number("validation", least=0, below=1),
    ),
    SettingKey(
        "patience",
        "whole number, or off",
        OFF,
        "Epochs without a better validation loss before training stops; the best parameters are kept.",
        or_off(whole("patience", 1)),
    ),
    SettingKey("seed", "whole number", 0, "Of initialisation, split, shuffling and dropout.", whole("seed", 0)),
)
"""Every key of `train`, in the order in which documentation lists them."""

_BY_KEY: Final = {record.key: record for record in SETTINGS}
ELSEWHERE: Final = {
    **dict.fromkeys(("lr", "alpha", "rate", "step_size"), "learning_rate"),
    **dict.fromkeys(("batch_size", "batchsize", "minibatch", "mini_batch"), "batch"),
    **dict.fromkeys(("weight_decay", "regularization", "lambda"), "l2"),
    **dict.fromkeys(("validation_split", "val", "holdout", "test"), "validation"),
    **dict.fromkeys(("steps", "updates"), "iterations"),
    **dict.fromkeys(("early_stopping", "early_stop"), "patience"),
    "gradient_clip": "clip_norm",
    "random_state": "seed",
}
"""What other tools call the settings."""


def read_settings(blocks: Sequence[TrainStatement], reader: Reader) -> Settings | None:
    """The settings of a program, defaults filled in. None after an error."""
    for extra in blocks[1:]:
        reader.found.add(
            SETTING_TWICE.at(
                Span(extra.span.source, extra.span.start, extra.span.start + len("train")),
                "there is a `train` block already",
                labels=[Label(blocks[0].span, "the first one")],
                help="put all settings into one block",
            )
        )
    written: dict[str, Setting] = {}
    values: dict[str, object] = {}
    complete = len(blocks) < 2
    for setting in blocks[0].settings if blocks else ():
        record = _BY_KEY.get(setting.key.id)
        if record is None:
            reader.found.add(_unknown(setting, {s.key.id for s in blocks[0].settings}))
            complete = False
            continue
        if setting.key.id in written:
            reader.found.add(_twice(setting, written[setting.key.id]))
            complete = False
            continue
        written[setting.key.id] = setting
        values[record.key] = record.read(setting.value, reader)
        complete = complete and values[record.key] is not None
    unknown = any(s.key.id not in _BY_KEY for b in blocks[:1] for s in b.settings)
    complete = _agree(written, values, reader.found, unknown=unknown) and complete
    places = {key: setting.span for key, setting in written.items()}
    return _settings(values, places, reader) if complete else None


def _agree(written: Mapping[str, Setting], values: Mapping[str, object], found: Diagnostics, *, unknown: bool) -> bool:
    """`unknown`: there are misspelt settings, which may be those that are missing."""
    if "epochs" in written and "iterations" in written and values["iterations"] != OFF:
        earlier, later = sorted((written["epochs"], written["iterations"]), key=lambda setting: setting.span.start)
        found.add(
            SETTING_TWICE.at(
                later.span,
                "training is measured in `epochs` or in `iterations`, not in both",
                labels=[Label(earlier.span, "the other one")],
                help="take one of them out",
            )
        )
        return False
    if unknown or values.get("patience") in (None, OFF) or values.get("validation", Fraction(0)) != 0:
        return True
    found.add(
        PATIENCE_ALONE.at(
            written["patience"].span,
            "`patience` watches the loss on held-out data, and nothing is held out",
            help="add `validation 0.2`, or take `patience` out",
        )
    )
    return False


def _settings(written: Mapping[str, object], places: Mapping[str, Span], reader: Reader) -> Settings:
    values: dict[str, Any] = {record.key: record.default for record in SETTINGS} | dict(written)
    values = {key: None if value in (OFF, ALL) else value for key, value in values.items()}
    if values["iterations"] is not None:
        values["epochs"] = None
    if not isinstance(values["optimizer"], Optimizer):
        values["optimizer"] = _default_optimizer(values["optimizer"], reader)
    return Settings(**values, places=places)


def _default_optimizer(name: str, reader: Reader) -> Optimizer:
    statement = reader.library.statement("optimizer", name)
    default = reader.library.optimizer(statement.name, reader.number, reader.found) if statement is not None else None
    if default is None:
        raise InternalError(f"the default optimizer {name} is not usable")
    return default


def _unknown(setting: Setting, taken: set[str]) -> Diagnostic:
    """`taken` are all keys that are written: what is set already is not what was meant."""
    key = setting.key
    other = ELSEWHERE.get(key.id)
    message = f"there is no setting `{key.id}`"
    if key.id == "shuffle":
        return UNKNOWN_SETTING.at(
            key.span, message, help="take it out: each epoch goes through the data in a new order"
        )
    if other is not None:
        return UNKNOWN_SETTING.at(
            key.span, message, help=f"here it is called `{other}`", fix=replacement(key.span, other)
        )
    near = meant(key.span, [name for name in _BY_KEY if name not in taken])
    if near is None:
        return UNKNOWN_SETTING.at(key.span, message, help=f"there are {', '.join(_BY_KEY)}")
    return UNKNOWN_SETTING.at(key.span, message, help=near.help, fix=near.fix)


def _twice(setting: Setting, first: Setting) -> Diagnostic:
    return SETTING_TWICE.at(
        setting.span,
        f"`{setting.key.id}` is set already",
        labels=[Label(first.span, "here")],
        help="take one of them out",
    )
