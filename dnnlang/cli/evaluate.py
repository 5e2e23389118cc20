"""Measure a trained model on data."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any, Final

from dnnlang.cli.data import add_data_options, for_model
from dnnlang.cli.output import write_result
from dnnlang.cli.parser import USAGE, Parser
from dnnlang.errors import UsageError

if TYPE_CHECKING:
    from dnnlang.cli.data import Samples
    from dnnlang.training.files import Model

EXAMPLE: Final = """example:
  dnnc evaluate digits.safetensors examples/data/digits.csv
"""
MOST_CLASSES: Final = 50
"""More than these are not listed one by one."""


def configure(parser: Parser) -> None:
    parser.add_argument("model", metavar="MODEL", help="a trained model (.safetensors)")
    add_data_options(parser)
    parser.add_argument("--backend", metavar="NAME", default="auto", help="auto (default), numpy or native")


def run(arguments: argparse.Namespace) -> int:
    from dnnlang.training.evaluation import measure, measure_of
    from dnnlang.training.files import load

    model = load(arguments.model, backend=arguments.backend)
    if model.layout is None:
        message = f"`{arguments.model}` was trained on arrays; it does not know which column is the target"
        raise UsageError(USAGE.at(None, message, help="train with `dnnc train`, which stores the columns"))
    samples = for_model(model, arguments.data, targets=True)
    assert samples.Y is not None  # targets were asked for
    loss, values = measure(model.network, samples.X, samples.Y, measure_of(model.network, samples.Y, model.layout))
    figures: dict[str, Any] = {"rows": f"{samples.rows:,}", "loss": f"{loss:.6g}"}
    figures |= {name: f"{value:.6g}" for name, value in values.items()}
    width = max(map(len, figures))
    lines = [f"{name:<{width}}  {value}" for name, value in figures.items()]
    write_result("\n".join([*lines, *_by_class(model, samples)]) + "\n", None)
    return 0


def _by_class(model: Model, samples: Samples) -> list[str]:
    """Precision and recall of each class, for a single target of classes."""
    from dnnlang.training.columns import target_uses
    from dnnlang.training.evaluation import of_target, outputs
    from dnnlang.training.layout import decoded

    uses = target_uses(model.network.program.architecture)
    if len(uses) > 1 or samples.Y is None:
        return []
    name, use = next(iter(uses.items()))
    target = samples.layout.targets[name]
    A = outputs(model.network, samples.X).get(use.node)
    if target.classes is None or A is None or len(target.classes) > MOST_CLASSES:
        return []
    given = decoded(target, of_target(samples.Y, name, use))
    found = decoded(target, A)
    width = max(5, *map(len, target.classes))
    lines = ["", f"{'class':<{width}}  {'rows':>7}  {'precision':>9}  {'recall':>9}"]
    for i, label in enumerate(target.classes):
        right = int(((given == i) & (found == i)).sum())
        rows, said = int((given == i).sum()), int((found == i).sum())
        lines.append(f"{label:<{width}}  {rows:>7,}  {_share(right, said):>9}  {_share(right, rows):>9}")
    return lines


def _share(part: int, whole: int) -> str:
    return f"{part / whole:.4f}" if whole else "-"
