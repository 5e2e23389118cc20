"""The report of a training run: one HTML file that needs no other, with the loss curve drawn as SVG."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Final

from dnnlang.diagnostics.diagnostic import rule
from dnnlang.errors import UsageError
from dnnlang.graph.architecture import Settings
from dnnlang.training.atomic import write_text
from dnnlang.training.state import Record
from dnnlang.version import __version__

if TYPE_CHECKING:
    from dnnlang.training.files import Model
    from dnnlang.training.loop import Run

UNWRITABLE = rule(
    "DNN851",
    "unwritable-report",
    "The report cannot be written there.",
    why="The folder must exist and be writable.",
    wrong="dnnc train iris.dnn iris.csv --target species --report /no/such/folder/report.html",
    right="dnnc train iris.dnn iris.csv --target species --report report.html",
    program=False,
)

WIDTH: Final = 720
HEIGHT: Final = 280
MARGIN: Final = (16, 16, 40, 64)  # top, right, bottom, left
POINTS: Final = 1000
"""More points than pixels show nothing."""

_STYLE: Final = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem;
  color: #1b1b1b; background: #fff; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.15rem; margin-top: 2rem; }
table { border-collapse: collapse; }
td, th { padding: .15rem 1.2rem .15rem 0; text-align: left; vertical-align: top; }
td:last-child { font-variant-numeric: tabular-nums; }
pre { overflow-x: auto; padding: .8rem; background: #f4f4f2; font: 13px/1.45 ui-monospace, monospace; }
svg { max-width: 100%; height: auto; } svg text { font: 12px system-ui, sans-serif; fill: currentColor; }
.grid { stroke: currentColor; stroke-opacity: .15; } .axis { stroke: currentColor; stroke-opacity: .5; }
.a { stroke: #0b62a4; } .b { stroke: #c4560c; } .line { fill: none; stroke-width: 1.8; }
footer { margin-top: 3rem; font-size: .85rem; opacity: .7; }
@media (prefers-color-scheme: dark) { body { color: #e6e6e6; background: #17181a; } pre { background: #222427; }
  .a { stroke: #6cb6f5; } .b { stroke: #f5a55c; } }
"""


@dataclass(frozen=True, slots=True)
class Curve:
    """Values over epochs, and how the curve is called."""

    name: str
    style: str
    points: Sequence[tuple[float, float]]


def write_report(
    path: str | os.PathLike[str], model: Model, run: Run, reached: Mapping[str, float], seconds: float
) -> None:
    """Write the report to `path`, atomically. Raises UsageError."""
    try:
        write_text(path, report(model, run, reached, seconds))
    except OSError as error:
        message = f"cannot write the report `{os.fspath(path)}`: {error.strerror or error}"
        raise UsageError(UNWRITABLE.at(None, message)) from None


def report(model: Model, run: Run, reached: Mapping[str, float], seconds: float) -> str:
    """The report as HTML. `reached`: the final figures by name."""
    program = model.network.program
    architecture = program.architecture
    name = escape(os.path.basename(architecture.source.name))
    history = run.state.history
    figures = {key: _figure(key, value) for key, value in reached.items()}
    figures |= {
        "epochs": f"{run.state.epoch:,}",
        "updates": f"{run.state.step:,}",
        "time": f"{seconds:.1f} s",
        "ended by": run.state.finished or "interruption",
        "rows trained on": f"{run.count:,}",
    }
    if run.held is not None:
        from dnnlang.training.state import samples

        figures["rows held out"] = f"{samples(run.held[0]):,}"
    parts = [
        f"<h1>Training of {name}</h1>",
        _table(figures),
        "<h2>Loss</h2>",
        chart(_loss_curves(history)),
        *_metric_part(run.state.metric, history),
        "<h2>Settings</h2>",
        _table(_settings(architecture.settings)),
        *_data_part(model),
        "<h2>Program</h2>",
        f"<pre>{escape(architecture.source.text)}</pre>",
        "<h2>Plan</h2>",
        f"<pre>{escape(str(program))}</pre>",
        f"<footer>dnnlang {escape(__version__)}</footer>",
    ]
    body = "\n".join(parts)
    return (
        f'<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">\n<title>Training of {name}</title>\n'
        f"<style>{_STYLE}</style>\n</head>\n<body>\n{body}\n</body>\n</html>\n"
    )


def chart(curves: Sequence[Curve]) -> str:
    """Curves over epochs as SVG; the value axis is logarithmic where positive values span two decades or more."""
    curves = [curve for curve in curves if curve.points]
    if not curves:
        return "<p>No epoch was completed.</p>"
    xs = [x for curve in curves for x, _ in curve.points]
    ys = [y for curve in curves for _, y in curve.points]
    logarithmic = min(ys) > 0 and max(ys) / min(ys) >= 100
    x_axis = _Axis(min(xs), max(xs), MARGIN[3], WIDTH - MARGIN[1], logarithmic=False)
    y_axis = _Axis(min(ys), max(ys), HEIGHT - MARGIN[2], MARGIN[0], logarithmic=logarithmic)
    parts = [f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}" role="img">']
    for value in y_axis.ticks():
        y = y_axis.at(value)
        parts.append(f'<line class="grid" x1="{MARGIN[3]}" x2="{WIDTH - MARGIN[1]}" y1="{y:.1f}" y2="{y:.1f}"/>')
        parts.append(f'<text x="{MARGIN[3] - 8}" y="{y + 4:.1f}" text-anchor="end">{value:.4g}</text>')
    bottom = HEIGHT - MARGIN[2]
    parts.append(f'<line class="axis" x1="{MARGIN[3]}" x2="{WIDTH - MARGIN[1]}" y1="{bottom}" y2="{bottom}"/>')
    parts += [
        f'<text x="{x_axis.at(value):.1f}" y="{bottom + 16}" text-anchor="middle">{value:,.0f}</text>'
        for value in x_axis.ticks()
        if value == int(value)
    ]
    parts.append(
        f'<text x="{(MARGIN[3] + WIDTH - MARGIN[1]) / 2:.0f}" y="{HEIGHT - 6}" text-anchor="middle">epoch</text>'
    )
    for i, curve in enumerate(curves):
        points = " ".join(f"{x_axis.at(x):.1f},{y_axis.at(y):.1f}" for x, y in _thinned(curve.points))
        parts.append(f'<polyline class="line {curve.style}" points="{points}"/>')
        if len(curve.points) == 1:
            x, y = curve.points[0]
            parts.append(f'<circle class="{curve.style}" cx="{x_axis.at(x):.1f}" cy="{y_axis.at(y):.1f}" r="3"/>')
        top, left = MARGIN[0] + 6 + 18 * i, WIDTH - MARGIN[1] - 150
        parts.append(f'<line class="line {curve.style}" x1="{left}" x2="{left + 22}" y1="{top}" y2="{top}"/>')
        parts.append(f'<text x="{left + 28}" y="{top + 4}">{escape(curve.name)}</text>')
    return "\n".join([*parts, "</svg>"])


@dataclass(frozen=True, slots=True)
class _Axis:
    """From values to pixels; `first` and `last` are the pixels of the lowest and the highest value."""

    low: float
    high: float
    first: float
    last: float
    logarithmic: bool

    def at(self, value: float) -> float:
        low, high, value = self._scale(self.low), self._scale(self.high), self._scale(value)
        if high == low:
            return (self.first + self.last) / 2
        return self.first + (self.last - self.first) * (value - low) / (high - low)

    def ticks(self) -> list[float]:
        if self.logarithmic:
            powers = range(math.ceil(math.log10(self.low)), math.floor(math.log10(self.high)) + 1)
            return [10.0**power for power in powers]
        if self.high == self.low:
            return [self.low]
        step = _round_step((self.high - self.low) / 5)
        first = math.ceil(self.low / step - 1e-9)
        return [k * step for k in range(first, math.floor(self.high / step + 1e-9) + 1)]

    def _scale(self, value: float) -> float:
        return math.log10(value) if self.logarithmic else value


def _round_step(step: float) -> float:
    """1, 2 or 5 times a power of ten, no less than `step`."""
    power = 10.0 ** math.floor(math.log10(step))
    return next(power * digit for digit in (1, 2, 5, 10) if power * digit >= step * (1 - 1e-9))


def _thinned(points: Sequence[tuple[float, float]]) -> Sequence[tuple[float, float]]:
    if len(points) <= POINTS:
        return points
    return [points[i * (len(points) - 1) // (POINTS - 1)] for i in range(POINTS)]


def _loss_curves(history: Sequence[Record]) -> list[Curve]:
    trained = [(float(r.epoch), r.loss) for r in history]
    held = [(float(r.epoch), r.validation_loss) for r in history if r.validation_loss is not None]
    return [Curve("training", "a", trained), Curve("held out", "b", held)]


def _metric_part(name: str, history: Sequence[Record]) -> list[str]:
    trained = [(float(r.epoch), r.metric) for r in history if r.metric is not None and math.isfinite(r.metric)]
    held = [
        (float(r.epoch), r.validation_metric)
        for r in history
        if r.validation_metric is not None and math.isfinite(r.validation_metric)
    ]
    if not trained and not held:
        return []
    return [f"<h2>{escape(name)}</h2>", chart([Curve("training", "a", trained), Curve("held out", "b", held)])]


def _settings(settings: Settings) -> dict[str, str]:
    options = ", ".join(f"{name}={float(value):g}" for name, value in settings.schedule.options)
    table = {
        "optimizer": settings.optimizer.label,
        "learning_rate": f"{float(settings.learning_rate):g}",
        "schedule": f"{settings.schedule.name}({options})" if options else settings.schedule.name,
        "epochs": None if settings.epochs is None else f"{settings.epochs:,}",
        "iterations": None if settings.iterations is None else f"{settings.iterations:,}",
        "batch": "all" if settings.batch is None else f"{settings.batch:,}",
        "l2": f"{float(settings.l2):g}",
        "clip_norm": "off" if settings.clip_norm is None else f"{float(settings.clip_norm):g}",
        "validation": f"{float(settings.validation):g}",
        "patience": "off" if settings.patience is None else f"{settings.patience:,}",
        "seed": str(settings.seed),
    }
    return {name: value for name, value in table.items() if value is not None}


def _data_part(model: Model) -> list[str]:
    if model.layout is None:
        return []
    rows = {f"input {name}": _names(columns) for name, columns in model.layout.inputs.items()}
    for name, target in model.layout.targets.items():
        rows[f"target {name}"] = _names(target.columns)
        if target.classes is not None:
            rows[f"classes of {name}"] = _names(target.classes)
    return ["<h2>Columns</h2>", _table(rows)]


def _names(names: Sequence[str], limit: int = 40) -> str:
    return ", ".join(names[:limit]) + (f" and {len(names) - limit} more" if len(names) > limit else "")


def _figure(name: str, value: float) -> str:
    return f"{100 * value:.2f} %" if "accuracy" in name else f"{value:.5g}"


def _table(rows: Mapping[str, str]) -> str:
    cells = "\n".join(f"<tr><td>{escape(name)}</td><td>{escape(value)}</td></tr>" for name, value in rows.items())
    return f"<table>\n{cells}\n</table>"
