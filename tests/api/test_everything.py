"""One program with two inputs, three outputs, four losses, shared and tied weights and all normalizers, end to end."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import numpy as np
import pytest

import dnnlang
from dnnlang.cli import main
from dnnlang.training.files import Model, read, resume, save
from dnnlang.training.gradcheck import gradcheck
from dnnlang.training.loop import Observer, Run
from tests.api.schema import problems

PROGRAM = """
input 3 as left
input 3 as right
standardize from left as l
standardize from right as r
layer 6 tanh from l as a
layer 6 tanh from r as b share=a           # the two towers are one
concat from a, b
batchnorm as joined
layer 3 from a as back tie=transpose(a) bias=none
layer 4 relu from joined as hidden l2=0.1
dropout 0.25 as thinned
layernorm as normal
layer 3 softmax from normal as kind
layer 1 from normal as size
output kind, size, back
loss cross_entropy from kind
loss mse from size weight=0.5
loss huber from size weight=0.1
loss mse from back weight=0.2
train { epochs 4; batch 8; validation 0.2; l2 0.01; learning_rate 0.01; patience 9; clip_norm 5 }
"""
SCHEMA = json.loads(Path(dnnlang.__file__).with_name("plan").joinpath("plan.schema.json").read_text())


def arrays(m: int = 60, seed: int = 0) -> tuple[dict, dict]:
    rng = np.random.default_rng(seed)
    X = {"left": rng.normal(size=(3, m)) * 100 + 7, "right": rng.normal(size=(3, m))}
    total = X["left"].mean(0) / 100 + X["right"].mean(0)
    Y = {"kind": np.digitize(total, [-0.3, 0.3]), "size": total[None, :], "back": X["left"] / 100}
    return X, Y


def network(level: int = 2, dtype: str = "float64") -> dnnlang.Network:
    return dnnlang.compile(PROGRAM, optimize=level).load(dtype=dtype)


@pytest.mark.parametrize("level", [0, 1, 2])
def test_plans_are_printed_and_read_back(level: int) -> None:
    program = dnnlang.compile(PROGRAM, optimize=level)
    for purpose in ("inference", "gradients", "step"):
        listing = program.listing(purpose)
        assert dnnlang.read_plan(str(listing)) == listing
    assert problems(json.loads(program.to_json()), SCHEMA) == []
    lines = (line for step in program.backward for line in step.lines)
    sums = [line.formula for line in lines if line.output in ("dW[1]", "db[1]")]
    last = ["dW[1] += 1/m dZ[1] lᵀ", "db[1] += 1/m Σ dZ[1]", "dW[1] += 0.01/m W[1]"]
    if level == 2:
        last = ["dW[1] += 1/m dZ[1] lᵀ + 0.01/m W[1]", "db[1] += 1/m Σ dZ[1]"]
    assert sums == ["dW[1] = 1/m A[1] dZ[3]ᵀ", "dW[1] += 1/m dZ[2] rᵀ", "db[1] = 1/m Σ dZ[2]", *last]


def test_what_is_shared_is_counted_once() -> None:
    program = dnnlang.compile(PROGRAM)
    names = {"W[1]", "b[1]", "W[4]", "b[4]", "W[5]", "b[5]", "W[6]", "b[6]"}
    names |= {"gamma[joined]", "beta[joined]", "gamma[normal]", "beta[normal]"}
    assert program.parameters.keys() == names
    counted = 6 * 3 + 6 + 4 * 12 + 4 + 3 * 4 + 3 + 4 + 1 + 2 * 12 + 2 * 4
    assert f"{counted} parameters" in str(program)
    assert set(program.load().state) == {f"{s}/{name}" for s in "vs" for name in names}


@pytest.mark.parametrize("level", [0, 1, 2])
def test_gradients_agree_with_differences(level: int) -> None:
    compared = gradcheck(dnnlang.compile(PROGRAM, optimize=level))
    assert len(compared) == 12
    assert [c.name for c in compared if not c.passed] == []


def test_targets_go_by_node_or_by_their_own_name() -> None:
    net, (X, Y) = network(), arrays()
    net.standardize(X)
    renamed = {f"Y[{name}]": y for name, y in Y.items()}
    assert net.loss(X, Y) == net.loss(X, renamed)
    out = net.forward(X)
    assert {name: a.shape for name, a in out.items()} == {"kind": (3, 60), "size": (1, 60), "back": (3, 60)}


def test_losses_add_up_by_their_weights() -> None:
    net, (X, Y) = network(), arrays()
    net.standardize(X)
    out = net.forward(X)
    error = out["size"] - Y["size"]
    huber = np.where(abs(error) < 1, error**2 / 2, abs(error) - 0.5)
    J = -np.log(out["kind"][Y["kind"], np.arange(60)]).mean() + 0.5 * (error**2).mean() + 0.1 * huber.mean()
    J += 0.2 * ((out["back"] - Y["back"]) ** 2).mean()
    assert net.loss(X, Y, penalty=False) == pytest.approx(J, rel=1e-12)
    rates = {"W[1]": 0.01, "W[4]": 0.1, "W[5]": 0.01, "W[6]": 0.01}
    J += sum(rate / 120 * (net.parameters[name] ** 2).sum() for name, rate in rates.items())
    assert net.loss(X, Y) == pytest.approx(J, rel=1e-12)


def test_it_learns_and_all_levels_learn_the_same() -> None:
    X, Y = arrays()
    histories = []
    for level in (0, 1, 2):
        net = network(level)
        histories.append([record.loss for record in net.fit(X, Y)])
    assert histories[0][-1] < 0.8 * histories[0][0]
    assert histories[1] == pytest.approx(histories[0], rel=1e-9)
    assert histories[2] == pytest.approx(histories[0], rel=1e-9)


class _Stopping(Observer):
    def step(self, run: Run) -> None:
        if run.state.step == 11:
            run.stop()


def test_a_run_goes_on_bit_for_bit_from_a_file(tmp_path: Path) -> None:
    X, Y = arrays()
    whole, part = network(dtype="float32"), network(dtype="float32")
    whole.fit(X, Y)
    run = Run(part, X, Y, observers=[_Stopping()])
    run.go()
    save(Model(part, None, run.state), tmp_path / "part.safetensors")
    again = network(dtype="float32")
    state = resume(again, read(tmp_path / "part.safetensors"))
    assert state.step == 11
    again.fit(X, Y, state=state)
    assert again.steps == whole.steps
    for name, array in {**whole.tensors, **whole.state}.items():
        assert ({**again.tensors, **again.state}[name] == array).all(), name


def test_from_the_command_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    monkeypatch.chdir(tmp_path)
    Path("m.dnn").write_text(PROGRAM)
    X, Y = arrays()
    columns = {f"{side}{i}": X[side][i] for side in ("left", "right") for i in range(3)}
    columns |= {"kind": [("low", "mid", "top")[k] for k in Y["kind"]], "size": Y["size"][0]}
    columns |= {f"back{i}": Y["back"][i] for i in range(3)}
    text = io.StringIO()
    csv.writer(text).writerows([columns, *zip(*columns.values(), strict=True)])
    Path("d.csv").write_text(text.getvalue())
    routing = ["--target", "kind=kind", "--target", "size=size", "--target", "back=back0,back1,back2"]
    routing += ["--input", "left=left0,left1,left2", "--input", "right=right0,right1,right2"]
    assert main(["gradcheck", "m.dnn"]) == 0
    assert main(["train", "m.dnn", "d.csv", *routing, "-o", "m.safetensors"]) == 0
    capsys.readouterr()
    assert main(["evaluate", "m.safetensors", "d.csv"]) == 0
    said = capsys.readouterr().out
    assert all(f"of Y[{name}]" in said for name in ("kind", "size", "back"))
    assert main(["predict", "m.safetensors", "d.csv"]) == 0
    table = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert list(table[0]) == ["kind", "kind=low", "kind=mid", "kind=top", "size", "back0", "back1", "back2"]
    out = dnnlang.load("m.safetensors").forward(X)
    assert float(table[7]["size"]) == pytest.approx(out["size"][0, 7], rel=1e-5)
    assert float(table[7]["back2"]) == pytest.approx(out["back"][2, 7], rel=1e-5)
