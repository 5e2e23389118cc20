"""A network as a C library for those who embed it: model.h, model.c, a Makefile, and a test with its numbers.

The code is the native backend's, without threads and for one number at a time: C99 that needs nothing but math.h and
string.h. All memory is the caller's; weights are constants, or with training lie in the arena.
"""

from __future__ import annotations

from importlib.resources import files
from typing import Final

import numpy as np

from dnnlang.diagnostics import rule
from dnnlang.emit.c.check import check_c
from dnnlang.emit.c.expected import expected
from dnnlang.emit.c.header import MARK, heading, model_h
from dnnlang.emit.c.interface import interface
from dnnlang.emit.c.source import model_c
from dnnlang.emit.c.text import in_ascii
from dnnlang.emit.c.variant import variant
from dnnlang.errors import UsageError
from dnnlang.network import NOT_FITTED, Network
from dnnlang.program import Program

FILES: Final = ("model.h", "model.c", "test.c", "Makefile")
MOST_SAMPLES: Final = 10**9
VECTOR_BYTES: Final = (32,)
"""Widths of vectors that a macro turns on, for models that take as many samples as one holds."""

NOT_EMITTED = rule(
    "DNN879",
    "no-c",
    "A network cannot be written as C as it is.",
    why="Weights are written as numbers, so each of them must be one, and memory is laid out for a known batch.",
    wrong="dnnc compile autoencoder.dnn --emit c --with-training -o model   # in a program that trains on all samples",
    right="dnnc compile autoencoder.dnn --emit c --with-training --batch 32 -o model",
    program=False,
)


def c_files(
    network: Network, *, program: Program | None = None, training: bool = False, samples: int | None = None
) -> dict[str, str]:
    """The text of each file, by name. `samples` is the most that a call takes: 1, or for training the batch.

    The plans are those of `program`, the network's own compiled with other options, if it is given.

    Raises UsageError where weights are not finite, statistics not measured, or the batch is not known.
    """
    _refuse(network)
    count = _samples(network, training, samples)
    offered = interface(network, program or network.program, samples=count, training=training)
    lanes = [(width, width * 8 // offered.bits) for width in VECTOR_BYTES]
    variants = [variant(offered, 0)]
    variants += [variant(offered, width) for width, numbers in lanes if offered.samples >= numbers]
    top = {name: heading(offered, name, what) for name, what in _TITLES.items()}
    makefile = (files("dnnlang.emit.c") / "Makefile.in").read_text(encoding="utf-8")
    return {
        "model.h": model_h(offered, variants),
        "model.c": model_c(offered, variants, top["model.c"]),
        "test.c": check_c(offered, expected(offered), top["test.c"]),
        "Makefile": makefile.replace("{heading}", in_ascii(top["Makefile"]).strip("/* ")),
    }


def is_ours(text: str) -> bool:
    """Was this the beginning of a file that an earlier call made?"""
    return MARK in text.partition("\n")[0]


_TITLES: Final = {
    "model.c": "code and weights of",
    "test.c": "compares what model.c computes with what the NumPy backend did, for",
    "Makefile": "builds model.c, made from",
}


def _samples(network: Network, training: bool, samples: int | None) -> int:
    if samples is not None and samples > MOST_SAMPLES:
        raise UsageError(NOT_EMITTED.at(None, f"{samples:,} samples in one call are more than an `int` of C counts"))
    if samples is not None:
        return samples
    if not training:
        return 1
    batch = network.program.architecture.settings.batch
    if batch is None:
        message = "the program trains on all samples at once, and nobody said how many these are"
        raise UsageError(NOT_EMITTED.at(None, message, help="give the batch: `--batch 32`"))
    return batch


def _refuse(network: Network) -> None:
    program = network.program
    for name, array in network.tensors.items():
        if np.isfinite(array).all():
            continue
        statistic = program.architecture.statistics.get(name)
        if statistic is not None and statistic.initial is None:
            message = f"this `standardize` has not seen the training data: {name} is not known"
            raise UsageError(NOT_FITTED.at(statistic.span, message, help="train it first, and give the model file"))
        message = f"{name} has entries that are no finite numbers"
        raise UsageError(NOT_EMITTED.at(None, message, help="train the network again, with a lower learning rate"))


__all__ = ["FILES", "NOT_EMITTED", "c_files", "is_ours"]
