"""Training on the native backend: interrupted, resumed, gone wrong, chosen by itself, with threads and forks around."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
import tracemalloc
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import dnnlang
from dnnlang.backends import choice
from dnnlang.backends.native import pace, toolchain
from dnnlang.backends.native.execute import Executable
from dnnlang.backends.native.toolchain import available
from dnnlang.cli import main
from dnnlang.errors import NumericError
from dnnlang.training.loop import Run
from tests.backends.native.comparing import assert_alike, bits, both, copy, data_for, loaded
from tests.backends.native.test_native_backend import PROGRAMS
from tests.backends.test_numpy_memory import arrays_made, drawn, run_once
from tests.cli.tools import points

pytestmark = [
    pytest.mark.skipif(not available(), reason="no C compiler"),
    pytest.mark.usefixtures("compiled_in_a_hurry"),
]

EXAMPLES = sorted((Path(__file__).parents[3] / "examples").glob("*.dnn"))
SETTINGS = "epochs 6; batch 8; learning_rate 0.02; validation 0.25; seed 1; schedule cosine"
NETWORK = "input 2; standardize; layer 8 tanh; batchnorm; dropout 0.2; layer 2 softmax"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "moons.dnn").write_text(f"{NETWORK}\ntrain {{ {SETTINGS} }}\n")
    (tmp_path / "moons.csv").write_text(points())
    return tmp_path


TRAIN = ("train", "moons.dnn", "moons.csv", "--target", "side", "--backend", "native")


def run(*arguments: object) -> int:
    return main([str(a) for a in arguments])


# ---------------------------------------------------------------- many steps


def test_many_steps_in_one_call_are_the_same_steps() -> None:
    program = dnnlang.compile(PROGRAMS["dropout"])
    X, Y = data_for(program, 40)
    one, many = (loaded(program, "native", "float32", 3) for _ in range(2))
    columns = np.random.default_rng(0).integers(0, 40, (9, 16))
    losses = [
        one.step({n: a[:, c] for n, a in X.items()}, {n: a[:, c] for n, a in Y.items()}, learning_rate=0.1)
        for c in columns
    ]
    assert many.train(X, Y, 9, columns=columns, learning_rate=0.1).tolist() == losses
    assert bits(many.tensors.values()) == bits(one.tensors.values())
    assert many.steps == one.steps == 9
    assert many.train(X, Y, 5).tolist() == [one.step(X, Y) for _ in range(5)]


def test_training_gives_what_numpy_gives() -> None:
    text = f"{NETWORK}\ntrain {{ {SETTINGS}; optimizer momentum }}"
    program = dnnlang.compile(text)
    X, Y = data_for(program, 50)
    numpy, native = both(program, "float64")
    copy(numpy, native)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected, got = numpy.fit(X, Y), native.fit(X, Y)
    assert [r.loss for r in got] == pytest.approx([r.loss for r in expected], rel=1e-9)
    for name, array in numpy.tensors.items():
        np.testing.assert_allclose(native.tensors[name], array, rtol=1e-7, atol=1e-9)


@pytest.mark.parametrize("after", [1, 7, 13])
def test_resuming_gives_bit_for_bit_the_same_model(folder: Path, monkeypatch: pytest.MonkeyPatch, after: int) -> None:
    assert run(*TRAIN, "-o", "whole.safetensors") == 0
    steps = Run._steps

    def interrupting(self: Run, *arguments: object) -> None:
        steps(self, *arguments)
        if self.state.step >= after:
            os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(Run, "_steps", interrupting)
    assert run(*TRAIN, "-o", "part.safetensors") == 130
    monkeypatch.setattr(Run, "_steps", steps)
    assert run(*TRAIN, "--resume", "part.safetensors") == 0
    assert (folder / "part.safetensors").read_bytes() == (folder / "whole.safetensors").read_bytes()


# ---------------------------------------------------------------- Ctrl-C

LONG = """import sys, numpy as np, dnnlang
network = dnnlang.compile("input 2; layer 32 tanh; layer 1; train { epochs 100000000; validation 0 }").load(
    backend="native"
)
X, Y = np.random.default_rng(0).normal(size=(2, 64)), np.zeros((1, 64))
network.step(X, Y)
print("begun", flush=True)
try:
    WAY
except KeyboardInterrupt:
    print(network.steps > 0, flush=True)
"""


@pytest.mark.parametrize("way", ["network.fit(X, Y)", "network.train(X, Y, 10**9)"])
@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
def test_ctrl_c_ends_training(way: str) -> None:
    """Without it this would take hours; how fast it ends is measured loosely, because machines stall."""
    arguments = [sys.executable, "-c", LONG.replace("WAY", way)]
    running = subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert running.stdout is not None
    assert running.stdout.readline() == "begun\n"
    time.sleep(0.5)
    running.send_signal(signal.SIGINT)
    out, err = running.communicate(timeout=30)
    assert (out, running.returncode) == ("True\n", 0), err


def test_calls_are_cut_so_that_signals_are_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    program = dnnlang.compile("input 2; layer 8 tanh; layer 1")
    X, Y = data_for(program, 64)
    network = program.load(backend="native")
    calls: list[int] = []
    call = Executable._call

    def noted(self: Executable, sections, sources, step, times, *rest) -> None:
        calls.append(times)
        call(self, sections, sources, step, times, *rest)

    monkeypatch.setattr(Executable, "_call", noted)
    monkeypatch.setattr(pace, "LONG", 1e-9)
    monkeypatch.setattr(pace, "SHORT", 1e-9)
    network.train(X, Y, 10)
    assert calls == [1] * 10
    monkeypatch.setattr(pace, "LONG", 3600)
    network.train(X, Y, 50)
    assert calls[10:] == [50]


# ---------------------------------------------------------------- numbers that go wrong


@pytest.mark.parametrize("batch", ["", "batch 7;"])
def test_a_loss_that_is_no_number_is_the_same_error(batch: str) -> None:
    text = f"input 1; layer 4 relu; layer 1\ntrain {{ epochs 90; {batch} learning_rate 30; optimizer sgd }}"
    X = np.linspace(-1, 1, 20).reshape(1, -1)
    messages = []
    for backend in ("numpy", "native"):
        network = dnnlang.compile(text).load(backend=backend, dtype="float64")
        with pytest.raises(NumericError) as caught:
            network.fit(X, 3 * X + 1)
        messages.append((caught.value.diagnostics[0].message, network.steps))
    assert messages[0] == messages[1]
    assert "step" in messages[0][0]


def test_a_logarithm_of_what_is_negative() -> None:
    X = np.array([[0.5, -1.0, 2.0, 3.0]])
    text = "input 1; layer 1 log as l\nlayer 1\ntrain { epochs 1; batch 1; learning_rate 1e-9 }"
    found = []
    for backend in ("numpy", "native"):
        network = dnnlang.compile(text).load(backend=backend)
        network.parameters["W[1]"] = [[1.0]]
        with pytest.raises(NumericError) as caught:
            network.fit(X, X)
        found.append(caught.value.diagnostics[0].message)
    assert found[0] == found[1]
    assert "A[1]" in found[0]


# ---------------------------------------------------------------- which backend


def long_run(steps: int) -> dnnlang.Network:
    text = f"input 20; layer 64 relu; layer 64 relu; layer 1; train {{ iterations {steps}; batch 8 }}"
    return dnnlang.compile(text).load(backend="auto")


def test_auto_chooses_by_the_work_alone() -> None:
    few, many = long_run(10), long_run(1_000_000)
    assert few.backend == many.backend == "numpy"
    assert few.prefer_fastest(8, 10) is None
    for _ in range(2):
        said = many.prefer_fastest(8, 1_000_000)
        assert many.backend == "native"
        assert said is not None
        assert said.startswith("native, because NumPy would take about ")
    assert few.backend == "numpy"
    assert many.prefer_fastest(8, 1_000_000) == long_run(1_000_000).prefer_fastest(8, 1_000_000)


def test_auto_goes_on_with_what_it_has() -> None:
    network = loaded(dnnlang.compile(PROGRAMS["plain"]), "auto", "float32", 0)
    other = loaded(dnnlang.compile(PROGRAMS["plain"]), "native", "float32", 0)
    X, Y = data_for(network.program, 9)
    network.step(X, Y)
    other.step(X, Y)
    network.prefer_fastest(9, 10**9)
    assert network.backend == "native"
    assert_alike(network.tensors, other.tensors, "float32")
    assert_alike(network.state, other.state, "float32")
    assert network.step(X, Y) == pytest.approx(other.step(X, Y), rel=1e-5)


def test_auto_without_a_compiler_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(toolchain, "_command", lambda: None)
    network = long_run(1_000_000)
    assert network.prefer_fastest(8, 1_000_000) == f"numpy, {choice.why('numpy', 1e9).partition(', ')[2]}"
    assert network.backend == "numpy"
    assert network.prefer_fastest(8, 10) is None


def test_auto_with_a_compiler_that_fails_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CC", "false")
    network = long_run(1_000_000)
    said = network.prefer_fastest(8, 1_000_000)
    assert said is not None
    assert said.startswith("numpy, because the C compiler")
    assert network.backend == "numpy"
    assert np.isfinite(network.step(np.ones((20, 3)), np.ones((1, 3))))


def test_one_line_says_which_backend(folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch) -> None:
    monkeypatch.setattr(choice, "WORTH_IT", 0.0)
    assert run(*TRAIN[:-2]) == 0
    lines = [line for line in capsys.readouterr().err.splitlines() if "backend" in line]
    assert len(lines) == 1
    assert lines[0].startswith("backend: native, because NumPy would take about")
    assert run(*TRAIN) == 0
    assert "backend" not in capsys.readouterr().err  # it was asked for


# ---------------------------------------------------------------- processes and threads


def test_two_networks_of_one_plan_in_two_threads(on_threads: Callable[[int], None]) -> None:
    on_threads(2)
    program = dnnlang.compile(PROGRAMS["wide"])
    X, Y = data_for(program, 40)
    alone = loaded(program, "native", "float32", 0)
    expected = [alone.train(X, Y, 60), *alone.tensors.values()]
    results: dict[int, list[bytes]] = {}

    def work(n: int) -> None:
        network = loaded(program, "native", "float32", 0)
        results[n] = bits([network.train(X, Y, 60), *network.tensors.values()])

    threads = [threading.Thread(target=work, args=(n,)) for n in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results[0] == results[1] == bits(expected)


FORKING = """import os, sys, numpy as np, dnnlang
from dnnlang.backends.native.execute import Executable
Executable._threads = lambda *_: 2
os.environ["DNNLANG_THREADS"] = "2"
network = dnnlang.compile("input 20; layer 40 tanh; layer 1").load(backend="native")
X, Y = np.random.default_rng(0).normal(size=(20, 64)), np.zeros((1, 64))
network.train(X, Y, 50)
child = os.fork()
J = network.train(X, Y, 50)[-1]
if child == 0:
    print(J, flush=True)
    os._exit(0)
_, status = os.waitpid(child, 0)
print(J, status, flush=True)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
def test_a_forked_process_goes_on() -> None:
    done = subprocess.run([sys.executable, "-c", FORKING], capture_output=True, text=True, timeout=60, check=False)
    child, parent = done.stdout.splitlines()
    assert parent == f"{child} 0", done.stderr


# ---------------------------------------------------------------- memory


@pytest.mark.parametrize("purpose", ["inference", "gradients", "step"])
@pytest.mark.parametrize("name", ["plain", "normal", "several", "dropout"])
def test_memory_is_what_is_allocated(name: str, purpose: str) -> None:
    program = dnnlang.compile(PROGRAMS[name])
    for m, dtype in ((33, "float64"), (3000, "float32")):
        X, Y = drawn(program, m, dtype)

        def once(X=X, Y=Y, dtype=dtype) -> dnnlang.Network:
            network = program.load(backend="native", dtype=dtype)
            run_once(network, purpose, X, Y)
            return network

        said = once().memory(m, purpose=purpose).peak
        assert arrays_made(once) == said
        assert program.load(backend="native", dtype=dtype).memory(m, purpose=purpose).peak == said


def test_a_step_allocates_nothing() -> None:
    """Not in Python, where a call makes the array of its losses; nor in C, whose source calls no allocator."""
    program = dnnlang.compile(PROGRAMS["dropout"])
    X, Y = drawn(program, 3000, "float32")
    network = program.load(backend="native")
    x, y = network.read(X, Y)
    network.updates(x, y, None, 0.1, 3)
    tracemalloc.start()
    network.updates(x, y, None, 0.1, 200)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 10_000
    written = network._runner.known(program.plan("step"), 3000)._library.written.text
    assert not [word for word in ("malloc", "calloc", "realloc", "alloca(", "free(") if word in written]


# ---------------------------------------------------------------- the command line


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda p: p.stem)
def test_gradients_of_the_examples(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    if path.stem == "cats":
        pytest.skip("12288 inputs: it takes a while")
    assert run("gradcheck", path, "--backend", "native") == 0
    assert "agree with central differences" in capsys.readouterr().out


def test_train_evaluate_predict(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(*TRAIN) == 0
    said = []
    for backend in ("numpy", "native"):
        capsys.readouterr()
        assert run("evaluate", "moons.safetensors", "moons.csv", "--backend", backend) == 0
        assert run("predict", "moons.safetensors", "moons.csv", "--backend", backend, "-o", f"{backend}.csv") == 0
        said.append(capsys.readouterr().out)
    assert said[0].splitlines()[0] == said[1].splitlines()[0]
    first, second = ((folder / f"{b}.csv").read_text().splitlines() for b in ("numpy", "native"))
    assert [line.split(",")[0] for line in first] == [line.split(",")[0] for line in second]


@pytest.mark.parametrize("command", ["train", "evaluate", "predict", "gradcheck"])
def test_help_names_the_backends(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(command, "--help") == 0
    out = capsys.readouterr().out
    assert "numpy" in out
    assert "native" in out
