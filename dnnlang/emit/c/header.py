"""model.h: what the caller needs to know, first in words, then as macros, types and functions."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePath
from typing import Final

from dnnlang.backends.native.steps import constant
from dnnlang.emit.c.interface import Argument, Interface
from dnnlang.emit.c.names import comment
from dnnlang.emit.c.source import prototypes
from dnnlang.emit.c.text import in_ascii, wrapped
from dnnlang.emit.c.variant import Variant
from dnnlang.version import __version__

FORMAT: Final = 1
"""Of the emitted library: what functions mean and how numbers lie. A change that callers notice counts it up."""
MARK: Final = "`dnnc compile --emit c` writes it anew"
"""In the first line of each file."""
MOST_NAMES: Final = 40


def heading(offered: Interface, file: str, what: str) -> str:
    """The comment at the top of a file, by which it is known as ours."""
    name = comment(PurePath(offered.network.program.architecture.source.name).name, "a program")
    return f"/* {file}: {what} {name}. Made by dnnlang {__version__}; {MARK}. */"


def model_h(offered: Interface, variants: Sequence[Variant]) -> str:
    """The text of model.h."""
    sections = [
        heading(offered, "model.h", _title(offered)),
        "\n".join(["/*", *_description(offered, variants[0]), "*/"]),
        "#ifndef MODEL_H\n#define MODEL_H",
        *(["#include <stdint.h>"] if offered.training else []),
        _constants(offered),
        _variants(offered, variants),
        _arena(offered),
        '#ifdef __cplusplus\nextern "C" {\n#endif',
        *_functions(offered),
        "#ifdef __cplusplus\n}\n#endif",
        "#endif",
    ]
    return in_ascii("\n\n".join(sections) + "\n")


def _title(offered: Interface) -> str:
    return "training and inference of" if offered.training else "inference with"


# ---------------------------------------------------------------- in words


def _description(offered: Interface, plain: Variant) -> list[str]:
    size = offered.bits // 8
    steps = offered.network.steps
    trained = f"trained for {steps:,} steps" if steps else "not trained: its weights are the initial ones"
    flash, ram = plain.flash_numbers * size, _arena_bytes(offered, plain)
    return [
        f"   The network is {trained}. Numbers are of type {offered.real}.",
        "",
        f"   Memory      {flash:,} bytes of constants (flash), {ram:,} bytes of arena (RAM), beside the code",
        f"   Samples     {_samples(offered)}",
        *_arguments("Inputs", offered.inputs),
        *_arguments("Outputs", offered.outputs),
        *_arguments("Targets", offered.targets),
        "",
        "   Nodes, with what each computes of a sample:",
        *_nodes(offered),
        "",
        "   Parameters, statistics and state:",
        *_tensors(offered),
        *_notes(offered),
    ]


def _samples(offered: Interface) -> str:
    if offered.samples == 1:
        return "1 at a time: m is 1"
    return f"up to {offered.samples:,} at a time, one behind the other: number i of sample s is x[s * units + i]"


def _arguments(title: str, arguments: Sequence[Argument]) -> list[str]:
    lines = []
    for number, a in enumerate(arguments):
        units = f"{a.units:,} number{'' if a.units == 1 else 's'}"
        lines.append(f"   {title if number == 0 else '':11} {a.identifier}: {units} a sample")
        if 0 < len(a.labels) <= MOST_NAMES:
            names = [comment(label, f"(unit {n})") for n, label in enumerate(a.labels)]
            lines += wrapped(names, " " * 17)
    return lines


def _nodes(offered: Interface) -> list[str]:
    nodes = list(offered.network.program.architecture.nodes.values())
    shown = nodes if len(nodes) <= MOST_NAMES else [*nodes[: MOST_NAMES - 1], nodes[-1]]
    lines = [
        f"   {comment(node.name, 'node'):20} {constant(node.units):>8,}  {comment(node.statement)}".rstrip()
        for node in shown
    ]
    if len(shown) < len(nodes):
        lines.insert(-1, f"   ... and {len(nodes) - len(shown):,} more")
    return lines


def _tensors(offered: Interface) -> list[str]:
    tensors = list(offered.tensors.values())
    lines = []
    for t in tensors[:MOST_NAMES]:
        rows, columns = t.array.shape
        place = f"from arena->numbers[{t.place}] on" if offered.training else t.data
        lines.append(f"   {comment(t.name.replace('/', ' of '), t.data):20} {rows:>5,} x {columns:<5,}  {place}")
    if len(tensors) > MOST_NAMES:
        lines.append(f"   ... and {len(tensors) - MOST_NAMES:,} more")
    return lines


def _notes(offered: Interface) -> list[str]:
    if not offered.training:
        return []
    return [
        "",
        "   Entry (i, j), counted from 0, of the tensor at MODEL_T is arena->numbers[MODEL_T + j * MODEL_ROW_T + i].",
    ]


# ---------------------------------------------------------------- for the compiler


def _constants(offered: Interface) -> str:
    lines = [f"#define MODEL_FORMAT {FORMAT}", f"#define MODEL_SAMPLES {offered.samples} /* the most in one call */"]
    if offered.training:
        rate = offered.network.learning_rate
        lines.append(f"#define MODEL_RATE {rate!r} /* the program's learning rate, before its schedule */")
    return "\n".join(lines)


def _variants(offered: Interface, variants: Sequence[Variant]) -> str:
    plain, *vectors = variants
    if not vectors:
        return "\n".join(_macros(offered, plain))
    lines = [
        "/* With -DDNN_VECTORS=BYTES, for all files, vectors of so many bytes are used, an extension of GCC and Clang;",
        "   without it, nothing beyond C99. */",
    ]
    for number, v in enumerate(vectors):
        condition = f"defined(DNN_VECTORS) && DNN_VECTORS == {v.vector_bytes}"
        lines += [f"#{'elif' if number else 'if'} {condition}", *_macros(offered, v)]
    allowed = " or ".join(str(v.vector_bytes) for v in vectors)
    lines += ["#elif defined(DNN_VECTORS) && DNN_VECTORS != 0", f'#error "DNN_VECTORS is {allowed} for this model"']
    return "\n".join([*lines, "#else", *_macros(offered, plain), "#endif"])


def _macros(offered: Interface, v: Variant) -> list[str]:
    size = offered.bits // 8
    lines = [
        f"#define MODEL_VECTORS {v.vector_bytes}",
        f"#define MODEL_FLASH_BYTES {v.flash_numbers * size} /* of constants */",
        f"#define MODEL_ARENA_BYTES {_arena_bytes(offered, v)}",
        f"#define MODEL_ARENA_ALIGNMENT {_alignment(offered, v)}",
    ]
    if offered.training:
        lines += [f"#define {name} {number}" for name, number, _ in v.macros]
    return lines


def _alignment(offered: Interface, v: Variant) -> int:
    return max(v.vector_bytes, offered.bits // 8)


def _arena_bytes(offered: Interface, v: Variant) -> int:
    needed = v.arena_numbers * offered.bits // 8 + (4 if offered.training else 0)
    alignment = _alignment(offered, v)
    return -(-needed // alignment) * alignment


def _arena(offered: Interface) -> str:
    size = offered.bits // 8
    steps = ["    uint32_t steps; /* updates so far */"] if offered.training else []
    counted = "MODEL_ARENA_BYTES" if not offered.training else "(MODEL_ARENA_BYTES - MODEL_ARENA_ALIGNMENT)"
    aligned = "#if MODEL_VECTORS\n    __attribute__((aligned(MODEL_ARENA_ALIGNMENT)))\n#endif\n"
    return "\n".join(
        [
            "/* All memory that a call uses beside the stack: yours to place, MODEL_ARENA_BYTES at a multiple of",
            "   MODEL_ARENA_ALIGNMENT. Calls with different arenas may run at the same time. */",
            "typedef struct {",
            f"{aligned}    {offered.real} numbers[{counted} / {size}];",
            *steps,
            "} model_arena;",
        ]
    )


def _functions(offered: Interface) -> list[str]:
    heads = prototypes(offered)
    fresh = "" if offered.training else " The arena need not be initialized."
    refused = "if m is not 1 ... MODEL_SAMPLES"
    told = {
        "model_init": "Fills the arena with the initial weights; first of all.",
        "model_forward": f"Computes the outputs of m samples.{fresh}\n   Returns 0; -1 {refused}.",
        "model_step": "One update by the optimizer of the program, from m samples and their targets: a class is 1 on\n"
        f"   its unit, 0 on the others. Returns J before the update; NaN, and changes nothing,\n   {refused}.",
    }
    return [f"/* {told[name]} */\n{heads[name]};" for name in told if name in heads]
