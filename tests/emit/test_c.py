"""`--emit c`: what is emitted computes what the NumPy backend does, and compiles without a warning."""

from __future__ import annotations

import re
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings

import dnnlang
from dnnlang.emit.c import FILES, c_files
from dnnlang.network import Network
from tests.conftest import Golden
from tests.emit.compilers import COMPILERS, SANITIZED, build, links, passes, run, write
from tests.exploring import examples
from tests.programs import ProgramSpec, programs

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
BOARD = HERE / "cortex_m"
needs_compiler = pytest.mark.skipif(not COMPILERS, reason="neither gcc nor clang is here")

SMALL = """input 2
layer 3 relu
layer 1 sigmoid
train { optimizer momentum; learning_rate 0.1; batch 8; seed 3 }
"""
MIXED = """# Everything that has steps of its own.
input 5 as left
input 4 as right
standardize from left as scaled
layer 5 tanh from scaled as l
layer 5 tanh from right as r
concat from l, r
dropout 0.3
batchnorm as bn
layer 10 relu as a
layernorm
layer 10 relu share=a
add from a, _
layer 3 softmax as species
layer 1 from a as width
output species, width
loss cross_entropy from species
loss mse from width weight=0.5
train { optimizer adam(epsilon=0.001); learning_rate 0.01; batch 17; l2 0.01; clip_norm 1.0; seed 5 }
"""


def loaded(text: str, dtype: str = "float32") -> Network:
    network = dnnlang.compile(text).load(backend="numpy", dtype=dtype)
    random = np.random.default_rng(0)
    network.standardize(
        {name: random.normal(2, 3, (network.units(name), 20)) for name in network.program.architecture.inputs}
    )
    return network


# ---------------------------------------------------------------- the numbers


@needs_compiler
@pytest.mark.parametrize("compiler", COMPILERS)
@pytest.mark.parametrize("level", ["-O0", "-O2"])
@pytest.mark.parametrize("training", [False, True], ids=["inference", "training"])
def test_numbers_are_those_of_numpy(compiler: str, level: str, training: bool, tmp_path: Path) -> None:
    folder = write(loaded(MIXED), tmp_path, training=training)
    build(folder, compiler, level)
    passes(folder)


@needs_compiler
@pytest.mark.parametrize("training", [False, True], ids=["inference", "training"])
def test_double(training: bool, tmp_path: Path) -> None:
    folder = write(loaded(MIXED, "float64"), tmp_path, training=training)
    assert "const double *x_left" in (folder / "model.h").read_text()
    build(folder, COMPILERS[0], "-O0")
    passes(folder)


@needs_compiler
@pytest.mark.parametrize("compiler", COMPILERS)
def test_vectors_give_the_same_numbers(compiler: str, tmp_path: Path) -> None:
    folder = write(loaded(MIXED), tmp_path, training=True)
    build(folder, compiler, "-O0", "-DDNN_VECTORS=32", "-Wno-psabi")
    passes(folder)
    wrong = run([compiler, "-DDNN_VECTORS=48", "-c", "model.c"], folder)
    assert "DNN_VECTORS is 32 for this model" in wrong.stderr


@needs_compiler
@pytest.mark.parametrize("compiler", COMPILERS)
@pytest.mark.parametrize("training", [False, True], ids=["inference", "training"])
def test_nothing_is_read_or_written_outside_its_place(compiler: str, training: bool, tmp_path: Path) -> None:
    if not links(compiler, *SANITIZED, folder=tmp_path):
        pytest.skip(f"{compiler} has no sanitizers here")
    folder = write(loaded(MIXED), tmp_path, training=training)
    build(folder, compiler, "-O0", *SANITIZED)
    passes(folder)


@needs_compiler
@settings(max_examples=examples(5), suppress_health_check=list(HealthCheck))
@given(spec=programs())
def test_any_program(spec: ProgramSpec, tmp_path_factory: pytest.TempPathFactory) -> None:
    network = loaded(spec.text)
    for training, samples in ((False, 1), (True, 9)):
        folder = write(network, tmp_path_factory.mktemp("c"), training=training, samples=samples)
        build(folder, COMPILERS[0], "-O0")
        passes(folder)


@pytest.mark.slow
@needs_compiler
@settings(max_examples=examples(60), suppress_health_check=list(HealthCheck))
@given(spec=programs(max_nodes=12))
def test_any_program_on_every_compiler(spec: ProgramSpec, tmp_path_factory: pytest.TempPathFactory) -> None:
    network = loaded(spec.text)
    for compiler in COMPILERS:
        for samples in (1, 3, 20):
            folder = write(network, tmp_path_factory.mktemp("c"), training=samples > 1, samples=samples)
            build(folder, compiler, "-O0")
            passes(folder)


@needs_compiler
@pytest.mark.parametrize("optimize", [0, 1, 2])
def test_every_level(optimize: int, tmp_path: Path) -> None:
    network = dnnlang.compile(SMALL, optimize=optimize).load()
    folder = write(network, tmp_path, training=True)
    build(folder, COMPILERS[0], "-O1")
    passes(folder)


@needs_compiler
def test_a_wrong_number_fails_the_test(tmp_path: Path) -> None:
    folder = write(loaded(SMALL), tmp_path)
    text = (folder / "model.c").read_text()
    weight = re.search(r"data_W_2\[3\].*?\{(-?[\d.]+)f", text, re.DOTALL)
    assert weight is not None
    (folder / "model.c").write_text(text[: weight.start(1)] + "0.123" + text[weight.end(1) :])
    build(folder, COMPILERS[0], "-O0")
    done = run([str(folder / "model_test")], folder)
    assert done.returncode == 1
    assert "failed" in done.stdout


# ---------------------------------------------------------------- training goes on


@needs_compiler
def test_training_goes_on_where_the_model_stands(tmp_path: Path) -> None:
    network = loaded(MIXED)
    random = np.random.default_rng(1)
    X = {"left": random.normal(2, 3, (5, 17)), "right": random.normal(size=(4, 17))}
    Y = {"Y[species]": np.eye(3)[:, random.integers(3, size=17)], "Y[width]": random.normal(size=(1, 17))}
    for _ in range(4):
        network.step(X, Y)
    folder = write(network, tmp_path, training=True)
    assert "arena->steps = 4u;" in (folder / "model.c").read_text()
    assert "trained for 4 steps" in (folder / "model.h").read_text()
    build(folder, COMPILERS[0], "-O1")
    passes(folder)
    assert network.steps == 4


# ---------------------------------------------------------------- the text


def test_the_header(golden: Golden) -> None:
    header = c_files(dnnlang.compile(SMALL).load(), training=True)["model.h"]
    golden(HERE / "model.h", re.sub(r"dnnlang [\d.]+", "dnnlang VERSION", header))


def test_depth_adds_calls_and_weights_but_no_functions() -> None:
    texts = []
    for layers in (3, 30):
        program = dnnlang.compile(f"input 8\nrepeat {layers} {{ layer 8 relu }}\nlayer 3 softmax\ntrain {{ batch 8 }}")
        texts.append(c_files(program.load(), training=True)["model.c"])
    few, many = (len(re.findall(r"^static void step_\d+", text, re.MULTILINE)) for text in texts)
    assert few == many
    assert texts[1].count("    step_") > texts[0].count("    step_")


@needs_compiler
def test_nothing_but_math_and_string_is_called(tmp_path: Path) -> None:
    if shutil.which("nm") is None:
        pytest.skip("nm is not here")
    folder = write(loaded(MIXED), tmp_path, training=True)
    assert run([COMPILERS[0], "-O1", "-c", "model.c"], folder).returncode == 0
    done = run(["nm", "-u", "model.o"], folder)
    called = set(re.findall(r"\bU (\w+)", done.stdout))
    allowed = {"memcpy", "memset", "memmove", "sqrt", "sqrtf", "pow", "powf", "exp", "_GLOBAL_OFFSET_TABLE_"}
    assert called <= allowed | {"__stack_chk_fail"}
    assert set(re.findall(r"#include <(\w+\.h)>", (folder / "model.c").read_text())) == {
        "math.h",
        "stddef.h",
        "stdint.h",
        "string.h",
    }


@needs_compiler
def test_the_header_is_one_of_cpp_too(tmp_path: Path) -> None:
    if shutil.which("g++") is None:
        pytest.skip("g++ is not here")
    folder = write(loaded(MIXED), tmp_path, training=True)
    done = run(["g++", "-Wall", "-Wextra", "-Werror", "-fsyntax-only", "-x", "c++", "model.h"], folder)
    assert done.returncode == 0, done.stderr


@needs_compiler
@pytest.mark.skipif(shutil.which("make") is None, reason="make is not here")
def test_make_test(tmp_path: Path) -> None:
    folder = write(loaded(SMALL), tmp_path)
    done = run(["make", f"CC={COMPILERS[0]}", "test"], folder)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.endswith("passed\n")
    assert done.stderr == ""


def test_the_files_say_what_they_are() -> None:
    made = c_files(loaded(SMALL))
    assert tuple(sorted(made)) == tuple(sorted(FILES))
    for name, text in made.items():
        assert text.isascii()
        assert f"{name}: " in text.partition("\n")[0]
        assert not [line for line in text.splitlines() if line != line.rstrip()]


# ---------------------------------------------------------------- another machine


@pytest.mark.skipif(
    shutil.which("arm-none-eabi-gcc") is None or shutil.which("qemu-system-arm") is None,
    reason="no compiler for Cortex-M, or no emulator of one (apt: gcc-arm-none-eabi, qemu-system-arm)",
)
@pytest.mark.parametrize("training", [False, True], ids=["inference", "training"])
def test_on_an_emulated_cortex_m3(training: bool, tmp_path: Path) -> None:
    folder = write(loaded(MIXED), tmp_path, training=training)
    flags = [
        "-std=c99",
        "-O2",
        "-mcpu=cortex-m3",
        "-mthumb",
        "-Wall",
        "-Wextra",
        "-Wpedantic",
        "-Wconversion",
        "-Werror",
    ]
    built = run(
        [
            "arm-none-eabi-gcc",
            *flags,
            "--specs=rdimon.specs",
            f"-T{BOARD / 'memory.ld'}",
            str(BOARD / "startup.c"),
            "model.c",
            "test.c",
            "-lm",
            "-o",
            "model.elf",
        ],
        folder,
    )
    assert built.returncode == 0, built.stderr
    machine = ["-M", "mps2-an385", "-display", "none", "-monitor", "none", "-serial", "none"]
    console = ["-semihosting-config", "enable=on,target=native"]
    done = run(["qemu-system-arm", *machine, *console, "-kernel", "model.elf"], folder)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.endswith("passed\n")


@needs_compiler
@pytest.mark.skipif(sys.platform != "linux", reason="-m32 is for Linux here")
def test_with_pointers_of_32_bits(tmp_path: Path) -> None:
    if not links(COMPILERS[0], "-m32", folder=tmp_path):
        pytest.skip("there is no library of 32 bits (apt: gcc-multilib)")
    folder = write(loaded(MIXED), tmp_path, training=True)
    build(folder, COMPILERS[0], "-O1", "-m32", "-msse2", "-mfpmath=sse")
    passes(folder)


# ---------------------------------------------------------------- the documentation


@needs_compiler
@pytest.mark.parametrize("training", [False, True], ids=["inference", "training"])
def test_the_programs_of_the_documentation(training: bool, tmp_path: Path) -> None:
    page = (ROOT / "docs" / "embedding.md").read_text(encoding="utf-8")
    shown = [text for text in re.findall(r"```c\n(.*?)```", page, re.DOTALL) if "int main" in text]
    (text,) = (each for each in shown if ("model_step" in each) is training)
    folder = write(dnnlang.compile_file(ROOT / "examples" / "iris.dnn").load(), tmp_path, training=training)
    (folder / "test.c").write_text(text)
    build(folder, COMPILERS[0], "-O1")
    done = run([str(folder / "model_test")], folder)
    assert done.returncode == 0
    numbers = [float(word) for word in re.findall(r"[\d.]+(?:e-?\d+)?", done.stdout)]
    if training:
        assert numbers[-1] < numbers[0]
    else:
        assert sum(numbers) == pytest.approx(1, abs=1e-4)
