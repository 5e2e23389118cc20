"""Trained models: one `.safetensors` file that holds the network, its program and its training, and runs nothing.

Tensors are the parameters and statistics under the lesson's names, `optimizer/…` for the optimizer's state, `best/…`
and `last/…` for parameters and statistics that training keeps besides, `history` for the epochs. Everything else is
JSON in the metadata, under the one key `dnnlang`. The same training gives the same bytes.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from dnnlang.diagnostics.diagnostic import rule
from dnnlang.diagnostics.nearby import near_file
from dnnlang.errors import DnnError, ModelFileError
from dnnlang.training.atomic import refusal, write_bytes
from dnnlang.training.definitions import standard_definitions, with_definitions
from dnnlang.training.layout import Layout
from dnnlang.training.state import TrainingState
from dnnlang.training.table import Array
from dnnlang.version import __version__

if TYPE_CHECKING:
    from dnnlang.network import Network
    from dnnlang.program import Program

FORMAT: Final = 1
"""Of the metadata. A reader refuses what is newer."""
KEY: Final = "dnnlang"

UNREADABLE = rule(
    "DNN701",
    "unreadable-model",
    "The file is not a trained model, or a damaged one.",
    why="A trained model is a .safetensors file that `dnnc train` or `network.save` wrote. Its program, shapes and "
    "sizes are checked before anything is used; nothing in it is ever executed.",
    wrong="dnnc predict iris.csv iris.safetensors",
    right="dnnc predict iris.safetensors iris.csv",
    program=False,
)
UNWRITABLE = rule(
    "DNN702",
    "unwritable-model",
    "The model cannot be written there.",
    why="It is written beside its place and then moved there in one step, so the folder must exist and be writable.",
    wrong="dnnc train iris.dnn iris.csv --target species -o /no/such/folder/iris.safetensors",
    right="dnnc train iris.dnn iris.csv --target species -o iris.safetensors",
    program=False,
)
MISMATCH = rule(
    "DNN703",
    "model-does-not-match",
    "The tensors in the file are not those of its program.",
    why="Each parameter of the program must be in the file, in its shape and as floating-point numbers. A file whose "
    "tensors were renamed, cut or added to by another tool is refused rather than half used.",
    wrong="(a file whose W[1] is (4, 10), while its program says `layer 10` of `input 5`)",
    right="(a file as `dnnc train` wrote it)",
    program=False,
)
NEWER = rule(
    "DNN704",
    "model-too-new",
    "The model was written by a newer version.",
    why="What a later version stores, this one may not understand; it does not guess.",
    wrong="(a model written by a later dnnlang)",
    right="pip install --upgrade dnnlang",
    program=False,
)


@dataclass(slots=True)
class Model:
    """A trained network with what is known about its data and its training."""

    network: Network
    layout: Layout | None = None
    training: TrainingState | None = None


@dataclass(frozen=True, slots=True)
class Stored:
    """A model file that was read and checked, but not yet compiled and loaded."""

    path: str
    metadata: Mapping[str, Any]
    tensors: Mapping[str, Array]


def save(model: Model, path: str | os.PathLike[str]) -> None:
    """Write `model` to `path`, atomically. Raises ModelFileError."""
    from safetensors.numpy import save as to_bytes

    network = model.network
    tensors = network.tensors
    tensors |= {f"optimizer/{name}": array for name, array in network.state.items()}
    training = model.training
    if training is not None:
        tensors |= {f"best/{name}": array for name, array in (training.best or {}).items()}
        tensors |= {f"last/{name}": array for name, array in (training.last or {}).items()}
        tensors["history"] = training.history_array()
    metadata = json.dumps(_metadata(model), ensure_ascii=False, sort_keys=True, allow_nan=False)
    content = to_bytes({name: np.ascontiguousarray(array) for name, array in tensors.items()}, {KEY: metadata})
    try:
        write_bytes(path, content)
    except OSError as error:
        raise ModelFileError(
            UNWRITABLE.at(None, f"cannot write the model `{os.fspath(path)}`: {error.strerror or error}")
        ) from None


def check_writable(path: str | os.PathLike[str]) -> None:
    """Raise ModelFileError now if the model could not be written there later."""
    reason = refusal(path)
    if reason is not None:
        raise ModelFileError(UNWRITABLE.at(None, f"cannot write the model `{os.fspath(path)}`: {reason}"))


def load(path: str | os.PathLike[str], *, backend: str = "auto", dtype: str | None = None) -> Model:
    """Read, check, compile and load a trained model. Raises ModelFileError."""
    return realize(read(path), backend=backend, dtype=dtype)


def read(path: str | os.PathLike[str]) -> Stored:
    """The checked contents of a model file. Raises ModelFileError."""
    from safetensors import SafetensorError, safe_open

    name = os.fspath(path)
    try:
        if Path(name).is_dir():
            raise IsADirectoryError(0, "it is a folder")
        with open(name, "rb"):  # safetensors hides why a file cannot be opened
            pass
        with safe_open(name, framework="numpy") as file:
            metadata = _parsed(name, file.metadata())
            tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118 (not a dict)
    except FileNotFoundError:
        raise _unreadable(name, "there is no such file", near_file(name, ".safetensors")) from None
    except OSError as error:
        raise _unreadable(name, error.strerror or str(error), None) from None
    except MemoryError:
        raise _unreadable(name, "it is larger than the memory", None) from None
    except (SafetensorError, ValueError, TypeError, KeyError, AttributeError) as error:
        if name.endswith(".dnn"):
            advice = f"train it first: `dnnc train {name} DATA`"
            raise _unreadable(name, "it is a program, not a trained model", advice) from None
        raise _unreadable(
            name, f"it is not a safetensors file, or a damaged one ({_short(error)})", "train the model again"
        ) from None
    return Stored(name, metadata, tensors)


def compiled(stored: Stored, *, optimize: int | None = None) -> Program:
    """The program in a model file. Raises ModelFileError."""
    from dnnlang.program import compile_stored

    data = stored.metadata
    try:
        return compile_stored(
            data["source"]["name"],
            with_definitions(data["source"]["text"], data["definitions"]),
            imports={entry["name"]: entry["text"] for entry in data["imports"]},
            params={name: Fraction(value) for name, value in data["params"].items()},
            sizes={name: int(value) for name, value in data["sizes"].items()},
            optimize=data["optimize"] if optimize is None else optimize,
        )
    except DnnError as error:
        first = error.diagnostics[0].message if error.diagnostics else str(error)
        raise ModelFileError(
            UNREADABLE.at(None, f"the program in `{stored.path}` does not compile: {first}"), *error.diagnostics
        ) from None
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise _foreign(stored.path, error) from None


def realize(stored: Stored, *, backend: str = "auto", dtype: str | None = None) -> Model:
    """Compile the program of a model file and load it with the parameters. Raises ModelFileError."""
    program = compiled(stored)
    try:
        dtype = _dtype(stored) if dtype is None else dtype
        seed = int(stored.metadata["seed"])
        steps = int(stored.metadata["steps"])
        layout = stored.metadata["layout"]
        layout = None if layout is None else Layout.from_json(layout)
        training = _training(stored)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise _foreign(stored.path, error) from None
    shapes = {**program.parameters, **program.statistics}
    expected = {name: _numbers(shape) for name, shape in shapes.items()}
    _check_tensors(stored, "", expected)
    network = program.load(backend=backend, dtype=dtype, seed=seed)
    for prefix in ("best/", "last/"):
        if any(name.startswith(prefix) for name in stored.tensors):
            _check_tensors(stored, prefix, expected)
    if any(name.startswith("optimizer/") for name in stored.tensors) or training is not None:
        _check_tensors(stored, "optimizer/", {name: array.shape for name, array in network.state.items()})
        _fill(network.state, stored, "optimizer/")
    _fill(network.tensors, stored, "")
    network.steps = steps
    network.layout = layout
    _check_extra(stored, network)
    return Model(network, layout, training)


def resume(network: Network, stored: Stored) -> TrainingState:
    """Give a freshly loaded network the parameters, optimizer state and progress of a model. Raises ModelFileError."""
    try:
        training = _training(stored)
        steps = int(stored.metadata["steps"])
        dtype = _dtype(stored)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise _foreign(stored.path, error) from None
    if training is None:
        raise ModelFileError(UNREADABLE.at(None, f"`{stored.path}` holds no training to resume"))
    if dtype != network.dtype:
        raise ModelFileError(MISMATCH.at(None, f"`{stored.path}` holds {dtype} numbers; resume with the same"))
    expected = {name: array.shape for name, array in network.tensors.items()}
    for prefix, group in (("", True), ("best/", training.best), ("last/", training.last)):
        if group is not None:
            _check_tensors(stored, prefix, expected)
    _check_tensors(stored, "optimizer/", {name: array.shape for name, array in network.state.items()})
    _fill(network.tensors, stored, "")
    _fill(network.state, stored, "optimizer/")
    network.steps = steps
    return training


# ---------------------------------------------------------------- what is written


def _metadata(model: Model) -> dict[str, Any]:
    network = model.network
    program = network.program
    architecture = program.architecture
    return {
        "format": FORMAT,
        "written_by": f"dnnlang {__version__}",
        "language": 1,
        "source": {"name": Path(architecture.source.name).name, "text": architecture.source.text},
        "imports": [{"name": path, "text": source.text} for path, source in architecture.imports.items()],
        "definitions": standard_definitions(architecture.sources),
        "params": {name: str(value) for name, value in architecture.params.items()},
        "sizes": dict(network.sizes),
        "optimize": program.optimize,
        "dtype": network.dtype,
        "seed": network.seed,
        "steps": network.steps,
        "layout": None if model.layout is None else model.layout.to_json(),
        "training": None if model.training is None else model.training.numbers(),
    }


# ---------------------------------------------------------------- what is read


def _parsed(path: str, metadata: Mapping[str, str] | None) -> dict[str, Any]:
    if not metadata or KEY not in metadata:
        raise ModelFileError(
            UNREADABLE.at(
                None,
                f"`{path}` is a safetensors file, but not one that dnnlang wrote",
                help="give the model that `dnnc train` wrote",
            )
        )
    try:
        data = json.loads(metadata[KEY])
    except (ValueError, RecursionError) as error:
        raise _foreign(path, error) from None
    if not isinstance(data, dict) or not isinstance(data.get("format"), int):
        raise _foreign(path, None)
    if data["format"] > FORMAT:
        raise ModelFileError(
            NEWER.at(
                None,
                f"`{path}` was written by {str(data.get('written_by', 'a version'))[:40]}, which is newer than this",
                help="pip install --upgrade dnnlang",
            )
        )
    return data


def _training(stored: Stored) -> TrainingState | None:
    numbers = stored.metadata["training"]
    if numbers is None:
        return None
    history = stored.tensors.get("history")
    if history is None:
        raise KeyError("history")
    state = TrainingState.from_parts(numbers, history)
    state.best = _group(stored, "best/")
    state.last = _group(stored, "last/")
    return state


def _group(stored: Stored, prefix: str) -> dict[str, Array] | None:
    found = {name[len(prefix) :]: array.copy() for name, array in stored.tensors.items() if name.startswith(prefix)}
    return found or None


def _check_tensors(stored: Stored, prefix: str, expected: Mapping[str, tuple[int, ...]]) -> None:
    """The tensors under `prefix` that the program asks for are there, in shape and as finite-width floats."""
    for name, shape in expected.items():
        array = stored.tensors.get(prefix + name)
        if array is None:
            raise ModelFileError(MISMATCH.at(None, f"`{stored.path}` lacks {prefix}{name}, which its program has"))
        if array.shape != tuple(shape):
            raise ModelFileError(
                MISMATCH.at(
                    None,
                    f"{prefix}{name} in `{stored.path}` is {array.shape}, but the program says {tuple(shape)}",
                    help="the model belongs to another program, or to an earlier form of this one",
                )
            )
        if array.dtype.kind != "f":
            raise ModelFileError(
                MISMATCH.at(None, f"{prefix}{name} in `{stored.path}` holds {array.dtype}, not floating-point numbers")
            )


def _check_extra(stored: Stored, network: Network) -> None:
    known = {*network.tensors, "history"} | {f"optimizer/{name}" for name in network.state}
    known |= {f"{prefix}{name}" for prefix in ("best/", "last/") for name in network.tensors}
    extra = sorted(set(stored.tensors) - known)
    if extra:
        raise ModelFileError(MISMATCH.at(None, f"`{stored.path}` holds {extra[0]}, which its program does not have"))


def _fill(arrays: Mapping[str, Array], stored: Stored, prefix: str) -> None:
    for name, array in arrays.items():
        array[...] = stored.tensors[prefix + name]


def _dtype(stored: Stored) -> str:
    dtype = stored.metadata["dtype"]
    if dtype not in ("float32", "float64"):
        raise ValueError(f"dtype {dtype}")
    return str(dtype)


def _numbers(shape: tuple[Any, ...]) -> tuple[int, ...]:
    if not all(isinstance(size, int) for size in shape):
        raise ValueError("a size is open")
    return tuple(shape)


def _unreadable(path: str, reason: str, help: str | None) -> ModelFileError:
    return ModelFileError(UNREADABLE.at(None, f"cannot read the model `{path}`: {reason}", help=help))


def _foreign(path: str, error: Exception | None) -> ModelFileError:
    detail = "" if error is None else f" ({_short(error)})"
    return ModelFileError(UNREADABLE.at(None, f"the description inside `{path}` is damaged{detail}"))


def _short(error: Exception) -> str:
    text = f"{type(error).__name__}: {error}".splitlines()[0]
    return text if len(text) <= 120 else text[:119] + "…"
