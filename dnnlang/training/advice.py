"""What an expert would say once the data are seen: warnings before the first update."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from dnnlang.diagnostics.allow import is_allowed
from dnnlang.diagnostics.diagnostic import Diagnostic, Label
from dnnlang.errors import DnnWarning
from dnnlang.graph.advice.data import BATCH_LARGER, UNSCALED
from dnnlang.graph.architecture import Architecture, Node
from dnnlang.graph.kinds.batchnorm import Batchnorm
from dnnlang.graph.kinds.layer import LayerDetail
from dnnlang.graph.kinds.layernorm import Layernorm
from dnnlang.graph.kinds.standardize import Standardize
from dnnlang.training.state import Data, parts, samples
from dnnlang.training.table import Array

if TYPE_CHECKING:
    from dnnlang.network import Network

FAR: Final = 30.0
"""A root mean square above which inputs count as unscaled; pixels of 0 … 255 are at about 100."""
LOOKED_AT: Final = 4096
"""Samples that are looked at, evenly spaced."""
SCALING: Final = (Standardize, Batchnorm, Layernorm)
PACKAGE: Final = str(Path(__file__).parent.parent)


def advice(network: Network, X: Data, held: int) -> list[Diagnostic]:
    """Warnings about X, the (n[0], m) to train on while `held` more samples are held out; allowed ones left out."""
    return [d for d in (*_batch(network, samples(X), held), *_scale(network, X)) if not is_allowed(d)]


def warn(network: Network, X: Data, held: int) -> None:
    """Show what `advice` says as Python warnings, each at the line that called into the package."""
    for diagnostic in advice(network, X, held):
        warnings.warn(DnnWarning(diagnostic), stacklevel=_frames_within() + 1)


def _frames_within() -> int:
    """How many frames from the caller's up to the first outside the package."""
    frame, count = sys._getframe(1), 1
    while frame.f_back is not None and frame.f_code.co_filename.startswith(PACKAGE):
        frame, count = frame.f_back, count + 1
    return count - 1


def _batch(network: Network, count: int, held: int) -> Iterator[Diagnostic]:
    settings = network.program.architecture.settings
    place = settings.places.get("batch")
    if place is None or settings.batch is None or settings.batch <= count:
        return
    notes = [f"{held:,} more are held out by `validation`"] if held else []
    yield BATCH_LARGER.at(
        place,
        f"`batch` is {settings.batch:,}, but there are only {count:,} samples to train on, so each epoch is one update",
        notes=notes,
        help="write `batch all` if that is meant, or a smaller number such as `batch 32`",
    )


def _scale(network: Network, X: Data) -> Iterator[Diagnostic]:
    architecture = network.program.architecture
    for name, array in parts(X).items():
        node = name or architecture.inputs[0]
        layer = _unscaled_reader(architecture, node)
        if layer is None:
            continue
        size = _root_mean_squares(array)
        unit = int(np.argmax(size))
        if size[unit] <= FAR:
            continue
        far = int((size > FAR).sum())
        what = _column(network, node, unit)
        low, high = float(array[unit].min()), float(array[unit].max())
        values = f"goes from {low:.4g} to {high:.4g}" if low < high else f"is {low:.4g} in all samples"
        others = f", and {far - 1:,} more of the inputs are like it" if far > 1 else ""
        declared = architecture.nodes[node].span
        implied = layer.span.start <= declared.start < layer.span.end
        yield UNSCALED.at(
            layer.span if implied else declared,
            f"the inputs are not scaled: {what} {values}{others}",
            labels=[] if implied else [Label(layer.span, "trained on these numbers as they are")],
            help="write `standardize` on a line before the first layer; the model file keeps what it measures",
        )


def _root_mean_squares(array: Array) -> Array:
    """Of each unit, over at most LOOKED_AT samples."""
    count = array.shape[1]
    some = array if count <= LOOKED_AT else array[:, np.linspace(0, count - 1, LOOKED_AT).astype(np.int64)]
    root: Array = np.sqrt(np.mean(np.square(some, dtype=np.float64), axis=1))
    return root


def _unscaled_reader(architecture: Architecture, start: str) -> Node | None:
    """A layer that the input reaches with nothing between them that scales it."""
    reached = {start}
    for name, node in architecture.nodes.items():
        if not reached.intersection(node.inputs) or isinstance(node.kind, SCALING):
            continue
        if isinstance(node.detail, LayerDetail):
            return node
        reached.add(name)
    return None


def _column(network: Network, node: str, unit: int) -> str:
    """How to call a unit of an input: by its column where a table was read."""
    columns = network.layout.inputs.get(node, ()) if network.layout is not None else ()
    if unit < len(columns):
        return f"the column `{columns[unit]}`"
    return f"feature {unit}" + (f" of `{node}`" if len(network.program.architecture.inputs) > 1 else "")
