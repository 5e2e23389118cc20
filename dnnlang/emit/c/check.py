"""test.c: runs the library and compares its numbers with those of the NumPy backend."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.resources import files

import numpy as np

from dnnlang.emit.c.expected import Expected
from dnnlang.emit.c.interface import Argument, Interface
from dnnlang.emit.c.names import comment
from dnnlang.emit.c.text import Array, in_ascii, literal, literals, wrapped


def check_c(offered: Interface, numbers: Expected, heading: str) -> str:
    """The text of test.c."""
    template = (files("dnnlang.emit.c") / "test.c").read_text(encoding="utf-8").strip("\n")
    head, _, helpers = template.partition("\n\nstatic model_arena")
    data = [
        *_arrays(offered.inputs, numbers.inputs, "", offered),
        *_arrays(offered.targets, numbers.targets, "", offered),
        *_arrays(offered.outputs, numbers.outputs, "expected_", offered),
    ]
    if offered.training:
        data += [*_arrays(offered.outputs, numbers.after, "trained_", offered), *_entries(offered, numbers)]
        data.append(_array("static const double", "losses", [literal(x) for x in numbers.losses]))
    rooms = [f"static {offered.real} {a.identifier}[{a.units * numbers.samples}];" for a in offered.outputs]
    parts = [heading, head, f"static model_arena{helpers}", *data, "\n".join(rooms), _main(offered, numbers)]
    return in_ascii("\n\n".join(parts) + "\n")


def _arrays(arguments: Sequence[Argument], arrays: Mapping[str, Array], stem: str, offered: Interface) -> list[str]:
    declaration = f"static const {offered.real}"
    return [
        _array(declaration, stem + a.identifier, literals(np.asarray(arrays[a.name]).T, offered.bits))
        for a in arguments
    ]


def _array(declaration: str, name: str, numbers: Sequence[str]) -> str:
    return "\n".join([f"{declaration} {name}[] = {{", *wrapped(numbers), "};"])


def _entries(offered: Interface, numbers: Expected) -> list[str]:
    """A record for each entry that is compared: where it lies in the arena, and what is there after training."""
    lines = []
    for tensor in offered.tensors.values():
        lines.append(f"    /* {comment(tensor.name.replace('/', ' of '), tensor.data)} */")
        lines += wrapped(
            f"{{{tensor.place} + {j} * {tensor.row} + {i}, {literal(x)}}}" for i, j, x in numbers.tensors[tensor.name]
        )
        lines[-1] += ","
    lines[-1] = lines[-1].rstrip(",")
    return [
        "\n".join(["static const struct {", "    size_t at;", "    double number;", "} entries[] = {", *lines, "};"])
    ]


def _main(offered: Interface, numbers: Expected) -> str:
    lines = ["int main(void) {"]
    if offered.training:
        lines.append("    model_init(&arena);")
    lines += _forward(offered, numbers.samples, "expected_", "output")
    if not offered.training and numbers.samples > 1:
        lines += _forward(offered, 1, "expected_", "output of one sample")
    if offered.training:
        passed = ", ".join(a.identifier for a in (*offered.inputs, *offered.targets))
        rate = repr(offered.network.learning_rate)
        lines += [
            "    for (size_t i = 0; i < COUNT(losses); ++i)",
            f'        compare("J", i, (double)model_step(&arena, {numbers.samples}, {passed}, {rate}), losses[i]);',
            "    for (size_t i = 0; i < COUNT(entries); ++i)",
            '        compare("tensor", i, (double)arena.numbers[entries[i].at], entries[i].number);',
            *_forward(offered, numbers.samples, "trained_", "output after training"),
        ]
    refused = ", ".join(a.identifier for a in (*offered.inputs, *offered.outputs))
    lines += [
        f"    if (model_forward(&arena, MODEL_SAMPLES + 1, {refused}) != -1)",
        '        ++failed, printf("too many samples pass\\n");',
        '    if (sizeof arena != MODEL_ARENA_BYTES) ++failed, printf("the arena has another size\\n");',
        '    printf("largest difference %.2g: %s\\n", largest, failed ? "failed" : "passed");',
        "    return failed != 0;",
        "}",
    ]
    return "\n".join(lines)


def _forward(offered: Interface, samples: int, stem: str, what: str) -> list[str]:
    passed = ", ".join(a.identifier for a in (*offered.inputs, *offered.outputs))
    lines = [f"    if (model_forward(&arena, {samples}, {passed}) != 0) ++failed;"]
    for a in offered.outputs:
        count = f"i < COUNT({a.identifier})" if samples != 1 else f"i < {a.units}"
        lines += [
            f"    for (size_t i = 0; {count}; ++i)",
            f'        compare("{what}", i, (double){a.identifier}[i], (double){stem}{a.identifier}[i]);',
        ]
    return lines
