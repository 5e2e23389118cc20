"""The loop, through the Python API."""

from __future__ import annotations

import json

import numpy as np
import pytest
from safetensors.numpy import load_file

import dnnlang
from dnnlang.errors import DataError, DnnError, ModelFileError, NumericError
from dnnlang.training.files import Model, load, read, resume, save
from dnnlang.training.loop import Observer, Run


def plane(m: int = 60, seed: int = 0):
    random = np.random.default_rng(seed)
    X = random.normal(size=(3, m))
    return X, np.array([[1.0, -2.0, 0.5]]) @ X + 1


def network(settings: str, layers: str = "layer 4 tanh; layer 1", **options):
    return dnnlang.compile(f"input 3; {layers}\ntrain {{ {settings} }}").load(dtype="float64", **options)


def test_a_straight_line_is_learned():
    X, Y = plane()
    made = network("epochs 200; learning_rate 0.05; batch 10; optimizer sgd", "layer 1")
    history = made.fit(X, Y)
    assert made.parameters["W[1]"] == pytest.approx(np.array([[1, -2, 0.5]]), abs=1e-6)
    assert made.parameters["b[1]"] == pytest.approx(np.array([[1]]), abs=1e-6)
    assert len(history) == 200
    assert history[-1].loss < 1e-12
    assert history[-1].metric < 1e-5


@pytest.mark.parametrize(
    ("settings", "steps", "epochs"),
    [
        ("epochs 3; batch 25", 9, 3),
        ("epochs 3; batch all", 3, 3),
        pytest.param("epochs 2; batch 1000", 2, 2, marks=pytest.mark.filterwarnings("ignore::dnnlang.DnnWarning")),
        ("iterations 7; batch 25", 7, 3),
        ("iterations 6; batch 25", 6, 2),
        ("iterations 5; batch all", 5, 5),
        ("epochs 2; batch 25; validation 0.5", 4, 2),
    ],
)
def test_how_long_a_run_is(settings, steps, epochs):
    X, Y = plane()
    made = network(settings)
    history = made.fit(X, Y)
    assert (made.steps, len(history), history[-1].epoch, history[-1].step) == (steps, epochs, epochs, steps)


def test_every_epoch_sees_every_sample_once_in_an_order_of_its_own(monkeypatch):
    X, Y = plane(20)
    made = network("epochs 2; batch 6; seed 4")
    seen = []
    updates = made.updates

    def recording(x, y, columns, rate):
        seen.extend(X[0, row] for row in columns)
        return updates(x, y, columns, rate)

    monkeypatch.setattr(made, "updates", recording)
    made.fit(X, Y)
    assert [len(batch) for batch in seen] == [6, 6, 6, 2] * 2
    first, second = np.concatenate(seen[:4]), np.concatenate(seen[4:])
    assert sorted(first) == sorted(second) == sorted(X[0])
    assert not np.array_equal(first, second)


def test_schedules_reach_the_update(monkeypatch):
    X, Y = plane(20)
    made = network("epochs 3; batch all; learning_rate 0.1; schedule step(every=1, factor=0.5); optimizer sgd")
    rates = [record.learning_rate for record in made.fit(X, Y)]
    assert rates == pytest.approx([0.1, 0.05, 0.025])


def test_the_loss_of_an_epoch_is_the_mean_over_samples(monkeypatch):
    X, Y = plane(20)
    made = network("epochs 1; batch 6")
    losses = []
    updates = made.updates

    def recording(x, y, columns, rate):
        found = updates(x, y, columns, rate)
        losses.extend((J, columns.shape[1]) for J in found)
        return found

    monkeypatch.setattr(made, "updates", recording)
    [record] = made.fit(X, Y)
    assert record.loss == pytest.approx(sum(J * m for J, m in losses) / 20)


def test_validation_leaves_the_penalty_out_and_is_not_trained_on(monkeypatch):
    X, Y = plane(40)
    made = network("epochs 2; batch all; l2 50; validation 0.25; learning_rate 0.01")
    run = Run(made, X, Y)
    history = run.go()
    assert run.held is not None
    held = {tuple(column) for column in run.held[0].T}
    assert len(held) == 10
    assert not held & {tuple(column) for column in run.X.T}
    A = made.forward(run.held[0])
    assert history[-1].validation_loss == pytest.approx(float(np.mean((A - run.held[1]) ** 2)))


def test_dicts_and_class_indices():
    random = np.random.default_rng(0)
    made = dnnlang.compile(
        "input 2 as u\ninput 1 as v\nconcat from u, v\nlayer 3 softmax\ntrain { epochs 2; validation 0.2 }"
    ).load()
    X = {"u": random.normal(size=(2, 30)), "v": random.normal(size=(1, 30))}
    history = made.fit(X, np.arange(30) % 3)
    assert history[-1].validation_metric is not None
    assert 0 <= history[-1].validation_metric <= 1


def test_observers_may_stop_a_run():
    X, Y = plane()
    seen = []

    class Watching(Observer):
        def step(self, run):
            seen.append(run.state.step)
            if run.state.step == 4:
                run.stop()

        def end(self, run):
            seen.append("end")

    made = network("epochs 5; batch 10")
    assert made.fit(X, Y, observers=[Watching()]) == []
    assert seen == [1, 2, 3, 4, "end"]
    assert made.steps == 4


@pytest.mark.parametrize("swap", [False, True])
def test_arrays_that_do_not_belong_together(swap):
    X, Y = plane()
    with pytest.raises(DnnError, match=r"X\.T"):
        network("epochs 1").fit(X.T if swap else X[:, :-1], Y)


def test_no_samples():
    with pytest.raises(DataError):
        network("epochs 1").fit(np.zeros((3, 0)), np.zeros((1, 0)))


# ---------------------------------------------------------------- numbers that go wrong


def test_the_first_value_that_overflows_is_named_and_the_parameters_are_kept():
    X, Y = plane()
    made = network("epochs 90; batch 20; learning_rate 1e6; optimizer sgd", "layer 4 relu; layer 4 relu; layer 1")
    with pytest.raises(NumericError) as caught:
        made.fit(X, Y)
    found = caught.value.diagnostics[0]
    assert found.code == "DNN850"
    assert any(name in found.message for name in ("Z[1]", "Z[2]", "Z[3]", "W[1]", "W[2]", "W[3]", "the loss itself"))
    assert f"step {made.steps + 1}" in found.message
    assert "learning_rate" in (found.help or "")


def test_a_nan_is_found_by_replaying_to_the_step_before_it():
    X = np.array([[0.5, -1.0, 2.0, 3.0]])
    made = dnnlang.compile("input 1; layer 1 log as l\nlayer 1\ntrain { epochs 1; batch 1; learning_rate 1e-9 }").load()
    made.parameters["W[1]"] = [[1.0]]
    with pytest.raises(NumericError) as caught:
        made.fit(X, X)
    found = caught.value.diagnostics[0]
    assert "A[1]" in found.message
    assert found.span is not None
    assert found.span.line == 1


# ---------------------------------------------------------------- files


def test_a_saved_network_computes_the_same(tmp_path):
    X, Y = plane()
    made = network("epochs 3; optimizer adam")
    made.fit(X, Y)
    made.save(tmp_path / "m.safetensors")
    again = dnnlang.load(tmp_path / "m.safetensors")
    assert np.array_equal(again.forward(X), made.forward(X))
    assert again.steps == made.steps
    assert again.dtype == "float64"
    assert made.step(X, Y) == again.step(X, Y)
    assert np.array_equal(again.parameters["W[1]"], made.parameters["W[1]"])


def test_tensor_names(tmp_path):
    made = network("epochs 2; optimizer adam; validation 0.2; patience 5")
    run = Run(made, *plane())
    run.go()
    save(Model(made, training=run.state), tmp_path / "m.safetensors")
    names = set(load_file(tmp_path / "m.safetensors"))
    assert {"W[1]", "b[2]", "optimizer/v/W[1]", "optimizer/s/b[2]", "best/W[1]", "last/b[1]", "history"} <= names


def test_params_and_sizes_are_those_of_the_training(tmp_path):
    program = dnnlang.compile("param width = 4\nlayer width relu\nlayer 1", params={"width": 6})
    made = program.load(sizes={"n[0]": 5})
    made.save(tmp_path / "m.safetensors")
    assert dnnlang.load(tmp_path / "m.safetensors").parameters["W[1]"].shape == (6, 5)


def test_a_model_keeps_its_meaning_when_the_library_changes(tmp_path, monkeypatch):
    X, _ = plane()
    made = network("epochs 1", "layer 4 sigmoid; layer 1")
    made.save(tmp_path / "m.safetensors")

    from dnnlang.training import definitions

    stored = read(tmp_path / "m.safetensors")
    old = dict(stored.metadata["definitions"])
    assert "activation sigmoid" in old
    old["activation sigmoid"] = "define activation sigmoid(z) = z * 0 + 3"
    text = definitions.with_definitions(stored.metadata["source"]["text"], old)
    again = dnnlang.compile(text).load(dtype="float64")
    for name, array in made.parameters.items():
        again.parameters[name] = array
    expected = made.parameters["W[2]"] @ np.full((4, 60), 3.0) + made.parameters["b[2]"]
    assert again.forward(X) == pytest.approx(expected)
    assert definitions.with_definitions("layer 1", stored.metadata["definitions"]) == "layer 1"


def test_the_history_of_a_resumed_run_is_whole(tmp_path):
    X, Y = plane()
    made = network("epochs 2; batch 20")
    run = Run(made, X, Y)
    run.go()
    save(Model(made, training=run.state), tmp_path / "m.safetensors")
    longer = network("epochs 4; batch 20")
    state = resume(longer, read(tmp_path / "m.safetensors"))
    assert [record.epoch for record in longer.fit(X, Y, state=state)] == [1, 2, 3, 4]
    straight = network("epochs 4; batch 20")
    expected = straight.fit(X, Y)
    assert [r.loss for r in state.history] == [r.loss for r in expected]
    assert np.array_equal(longer.parameters["W[1]"], straight.parameters["W[1]"])


def test_a_model_that_was_never_trained_cannot_be_resumed(tmp_path):
    made = network("epochs 2")
    made.save(tmp_path / "m.safetensors")
    with pytest.raises(ModelFileError, match="no training"):
        resume(network("epochs 2"), read(tmp_path / "m.safetensors"))


def test_metadata_is_json_text_under_one_key(tmp_path):
    from safetensors import safe_open

    network("epochs 2").save(tmp_path / "m.safetensors")
    with safe_open(tmp_path / "m.safetensors", framework="numpy") as file:
        metadata = file.metadata()
    assert list(metadata) == ["dnnlang"]
    data = json.loads(metadata["dnnlang"])
    assert data["source"]["text"].startswith("input 3")
    assert data["format"] == 1
    assert load(tmp_path / "m.safetensors").layout is None
