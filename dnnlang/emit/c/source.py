"""model.c: the functions of the headers that it needs, the weights, the plans, and what the caller calls."""

from __future__ import annotations

import re
from collections.abc import Sequence
from importlib.resources import files
from typing import Final

from dnnlang.backends.native import source as native
from dnnlang.emit.c.interface import Argument, Interface, Tensor
from dnnlang.emit.c.shake import needed
from dnnlang.emit.c.text import in_ascii, literals, table, wrapped
from dnnlang.emit.c.variant import Variant

_LARGE_INDEX: Final = re.compile(r"\bint64_t\b")
_FUNCTION: Final = re.compile(r"^static (?:inline )?(?=[^=;{]*\()", re.MULTILINE)
_LOCAL: Final = """/* A function that one of the widths of vectors may have no use for. */
#if defined(__GNUC__)
#define LOCAL static __attribute__((unused))
#else
#define LOCAL static
#endif"""


def model_c(offered: Interface, variants: Sequence[Variant], heading: str) -> str:
    """The text of model.c; the first of the variants is the one without extensions."""
    plain, *vectors = variants
    code = "\n\n".join(
        [
            *_in_variants([(v.vector_bytes, v.code) for v in (*vectors, plain)]),
            *_functions(offered),
        ]
    )
    known = {"REAL_BITS": offered.bits, **({} if vectors else {"VECTOR_BYTES": 0})}
    headers = [_portable() if name == "run.h" else native.header(name) for name in native.HEADERS]
    library = needed(headers, [code], known)
    if vectors:
        library = f"{_LOCAL}\n\n{_FUNCTION.sub('LOCAL ', library)}"
    parts = [
        heading,
        '#include "model.h"\n\n#include <math.h>\n#include <stddef.h>\n#include <stdint.h>\n#include <string.h>',
        _settings(offered, variants),
        # Values have no more numbers than pointers can tell apart, so this is wide enough, and fast on any machine.
        _LARGE_INDEX.sub("ptrdiff_t", library),
        *_weights(offered),
        _LARGE_INDEX.sub("ptrdiff_t", code),
    ]
    return in_ascii("\n\n".join(part.strip("\n") for part in parts) + "\n")


def _portable() -> str:
    return (files("dnnlang.emit.c") / "portable.h").read_text(encoding="utf-8")


def _settings(offered: Interface, variants: Sequence[Variant]) -> str:
    vectors = "#define VECTOR_BYTES MODEL_VECTORS" if len(variants) > 1 else "#define VECTOR_BYTES 0"
    rows = [f"#define SAMPLE_ROW {v.sample_row}" for v in (*variants[1:], variants[0])]
    if not offered.training:
        macros = ["\n".join(f"#define {name} {n}" for name, n, _ in v.macros) for v in (*variants[1:], variants[0])]
        rows = [f"{row}\n{macro}" for row, macro in zip(rows, macros, strict=True)]
    bytes_ = [v.vector_bytes for v in (*variants[1:], variants[0])]
    return "\n".join(
        [
            f"#define REAL_BITS {offered.bits}",
            vectors,
            f"#define SCALARS {variants[0].scalars}",
            *_in_variants(list(zip(bytes_, rows, strict=True))),
        ]
    )


def _in_variants(texts: Sequence[tuple[int, str]]) -> list[str]:
    """Each text for its width of vectors; the last is the one for none."""
    if len(texts) == 1 or len({text for _, text in texts}) == 1:
        return [texts[-1][1]]
    (_, first), *others = texts
    made = f"#if MODEL_VECTORS == {texts[0][0]}\n{first}\n"
    for bytes_, text in others[:-1]:
        made += f"#elif MODEL_VECTORS == {bytes_}\n{text}\n"
    return [f"{made}#else\n{others[-1][1]}\n#endif"]


# ---------------------------------------------------------------- weights


def _weights(offered: Interface) -> list[str]:
    found = [t for t in offered.tensors.values() if not offered.training or t.stored]
    return ["\n".join(_data(t, offered)) for t in found]


def _data(tensor: Tensor, offered: Interface) -> list[str]:
    rows, columns = tensor.array.shape
    declaration = f"static const real {tensor.data}[{columns}][{tensor.row}]"
    numbers = literals(tensor.array.T, offered.bits)
    return table(declaration, [numbers[start : start + rows] for start in range(0, rows * columns, rows)])


# ---------------------------------------------------------------- what is called from outside


def prototypes(offered: Interface) -> dict[str, str]:
    """Each public function's head, by its name."""
    real = offered.real
    inputs = [f"const {real} *{a.identifier}" for a in offered.inputs]
    outputs = [f"{real} *{a.identifier}" for a in offered.outputs]
    targets = [f"const {real} *{a.identifier}" for a in offered.targets]
    first = ["model_arena *arena", "int m"]
    heads = {"model_forward": ("int", [*first, *inputs, *outputs])}
    if offered.training:
        heads["model_init"] = ("void", ["model_arena *arena"])
        heads["model_step"] = (real, [*first, *inputs, *targets, "double rate"])
    return {name: _head(type_, name, arguments) for name, (type_, arguments) in heads.items()}


def _head(type_: str, name: str, arguments: Sequence[str]) -> str:
    start = f"{type_} {name}("
    lines = wrapped(arguments, " " * len(start))
    return start + "\n".join(lines).strip() + ")"


def _functions(offered: Interface) -> list[str]:
    heads = prototypes(offered)
    run = ["    env here;", "    if (!begin(&here, m)) return {};"]
    forward = [
        *run,
        f"    run_forward(&here, arena->numbers, {_passed(offered.inputs, offered.outputs)});",
        "    return 0;",
    ]
    made = [_body(heads["model_forward"], forward, "-1")]
    if not offered.training:
        return made
    copies = [
        f"    memcpy(arena->numbers + {t.place}, {t.data}, sizeof {t.data});"
        for t in offered.tensors.values()
        if t.stored
    ]
    steps = offered.network.steps
    init = ["    memset(arena, 0, sizeof *arena);", *copies, *([f"    arena->steps = {steps}u;"] if steps else [])]
    seed = offered.network.seed % 2**64
    step = [
        *run,
        "    here.step = ++arena->steps;",
        f"    here.seed = (uint64_t){seed}u;" if seed < 2**31 else f"    here.seed = UINT64_C({seed});",
        "    here.rate = rate;",
        f"    run_step(&here, arena->numbers, {_passed(offered.inputs, offered.targets)});",
        "    return (real)(here.J[0][0] + here.penalty[0][0]);",
    ]
    return [_body(heads["model_init"], init), *made, _body(heads["model_step"], step, "(real)NAN")]


def _passed(*arguments: Sequence[Argument]) -> str:
    return ", ".join(a.identifier for part in arguments for a in part)


def _body(head: str, lines: Sequence[str], refused: str = "") -> str:
    return "\n".join([f"{head} {{", *(line.replace("{}", refused) for line in lines), "}"])
