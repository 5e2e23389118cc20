"""Training from the command line: what is written, what is said, and that nothing is lost."""

from __future__ import annotations

import csv
import io
import json
import os
import pty
import select
import signal
import subprocess
import time
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

import dnnlang
from dnnlang.errors import ModelFileError
from dnnlang.training.files import UNWRITABLE
from tests.cli.tools import command, environment, points, process

TRAIN = ("train", "moons.dnn", "moons.csv", "--target", "side")


def test_train_evaluate_predict(dnnc, folder):
    done = dnnc(*TRAIN)
    assert done.status == 0
    assert "held-out accuracy" in done.out
    assert "next: dnnc predict moons.safetensors" in done.out
    assert sum(line.startswith("epoch ") for line in done.err.splitlines()) == 6
    assert (folder / "moons.safetensors").exists()

    done = dnnc("evaluate", "moons.safetensors", "moons.csv")
    assert done.status == 0
    assert "accuracy" in done.out

    shuffled = io.StringIO()
    rows = list(csv.reader(io.StringIO(points(5))))
    csv.writer(shuffled).writerows([row[1], "9", row[0]] for row in [["x", "y"], *rows[1:]])
    (folder / "unseen.csv").write_text(shuffled.getvalue().replace("9,x", "id,x", 1))
    done = dnnc("predict", "moons.safetensors", "unseen.csv")
    assert done.status == 0
    table = list(csv.DictReader(io.StringIO(done.out)))
    assert list(table[0]) == ["side", "side=above", "side=below"]
    assert "id" in done.err
    with_target = dnnc("predict", "moons.safetensors", "moons.csv")
    assert with_target.out.splitlines()[1:6] == done.out.splitlines()[1:6]


def test_python_keeps_what_the_command_line_knows(dnnc, folder):
    dnnc(*TRAIN)
    dnnlang.load("moons.safetensors").save("again.safetensors")
    assert (
        dnnc("predict", "again.safetensors", "moons.csv").out == dnnc("predict", "moons.safetensors", "moons.csv").out
    )


def test_a_model_from_python_takes_columns_in_their_order(dnnc, folder):
    network = dnnlang.compile("input 2; layer 1").load()
    network.parameters["W[1]"] = [[1, 10]]
    network.save("p.safetensors")
    (folder / "two.csv").write_text("a,b\n1,2\n3,4\n")
    assert dnnc("predict", "p.safetensors", "two.csv").out == "A[1][0]\n21.0\n43.0\n"
    done = dnnc("predict", "p.safetensors", "moons.csv")
    assert done.status == 1
    assert "column names" in done.err
    assert dnnc("evaluate", "p.safetensors", "two.csv").status == 2


def test_params_and_sizes_are_stored(dnnc, folder):
    (folder / "w.dnn").write_text("param width = 4\nlayer width relu\nlayer 2 softmax\ntrain { epochs 1 }")
    assert dnnc("train", "w.dnn", "moons.csv", "--target", "side", "-D", "width=3", "-D", "n[0]=2", "-O0").status == 0
    assert dnnlang.load("w.safetensors").parameters["W[1]"].shape == (3, 2)
    assert "-O0" in dnnc("compile", "w.safetensors").out
    assert "-O1" in dnnc("compile", "w.safetensors", "-O1").out
    assert dnnc("compile", "w.safetensors", "-D", "width=5").status == 2
    assert dnnc("train", "w.dnn", "moons.csv", "--target", "side", "-D", "n[0]=7").status == 1


def test_predictions_go_to_a_file(dnnc, folder):
    dnnc(*TRAIN, "-o", "m.safetensors")
    done = dnnc("predict", "m.safetensors", "moons.csv", "-o", "p.csv")
    assert (done.status, done.out) == (0, "")
    assert len((folder / "p.csv").read_text().splitlines()) == 49


def test_a_regression(dnnc, folder):
    (folder / "r.dnn").write_text("layer 8 tanh; layer 1\ntrain { epochs 30; learning_rate 0.02 }")
    rows = [(i / 20 - 1, j / 10) for i in range(40) for j in range(3)]
    (folder / "r.csv").write_text("u,v,w\n" + "".join(f"{u},{v},{2 * u - v}\n" for u, v in rows))
    done = dnnc("train", "r.dnn", "r.csv", "--target", "w")
    assert done.status == 0
    assert "training rmse" in done.out
    assert "training r2" in done.out
    out = dnnc("predict", "r.safetensors", "r.csv").out.splitlines()
    assert out[0] == "w"
    assert abs(float(out[1]) - (2 * rows[0][0] - rows[0][1])) < 0.5
    assert "r2" in dnnc("evaluate", "r.safetensors", "r.csv").out


def test_two_text_classes_on_one_unit(dnnc, folder):
    (folder / "b.dnn").write_text("layer 4 tanh; layer 1 sigmoid\ntrain { epochs 40; learning_rate 0.05; batch 8 }")
    assert dnnc("train", "b.dnn", "moons.csv", "--target", "side").status == 0
    table = list(csv.DictReader(io.StringIO(dnnc("predict", "b.safetensors", "moons.csv").out)))
    truth = list(csv.DictReader(io.StringIO(points())))
    right = sum(a["side"] == b["side"] for a, b in zip(table, truth, strict=True))
    assert right >= 44
    assert all((float(row["side=below"]) > 0.5) == (row["side"] == "below") for row in table)


def test_history_and_report(dnnc, folder):
    (folder / "moons.dnn").write_text((folder / "moons.dnn").read_text() + "# <script>alert(1)</script>\n")
    done = dnnc(*TRAIN, "--history", "h.jsonl", "--report", "r.html")
    assert done.status == 0
    records = [json.loads(line) for line in (folder / "h.jsonl").read_text().splitlines()]
    assert [record["epoch"] for record in records] == [1, 2, 3, 4, 5, 6]
    assert records[-1]["validation_loss"] < records[0]["validation_loss"]
    assert records[0].keys() >= {"loss", "validation_metric", "learning_rate", "samples_per_second", "step"}
    html = (folder / "r.html").read_text()
    assert "<svg" in html
    assert "&lt;script&gt;" in html
    assert "<script" not in html
    assert "http" not in html.replace("http-equiv", "")


def test_the_same_training_gives_the_same_file(dnnc, folder):
    dnnc(*TRAIN, "-o", "a.safetensors")
    dnnc(*TRAIN, "-o", "b.safetensors")
    assert (folder / "a.safetensors").read_bytes() == (folder / "b.safetensors").read_bytes()


@pytest.mark.parametrize("settings", ["epochs 6", "epochs 6; patience 4", "iterations 23"])
@pytest.mark.parametrize("after", [1, 7, 13])
def test_resuming_gives_bit_for_bit_the_same_model(dnnc, folder, monkeypatch, settings, after):
    program = (folder / "moons.dnn").read_text().replace("epochs 6", settings + "; schedule cosine")
    program = program.replace("input 2", "input 2\nstandardize")
    program = program.replace("layer 2 softmax", "batchnorm\ndropout 0.2\nlayer 2 softmax")
    (folder / "moons.dnn").write_text(program)
    assert dnnc(*TRAIN, "-o", "whole.safetensors").status == 0

    from dnnlang.training.loop import Run

    step = Run._steps

    def interrupting(self, *arguments):
        step(self, *arguments)
        if self.state.step == after:
            os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(Run, "_steps", interrupting)
    done = dnnc(*TRAIN, "-o", "part.safetensors")
    assert done.status == 130
    assert "--resume part.safetensors" in done.err
    monkeypatch.undo()
    os.chdir(folder)
    done = dnnc(*TRAIN, "--resume", "part.safetensors")
    assert done.status == 0
    assert (folder / "part.safetensors").read_bytes() == (folder / "whole.safetensors").read_bytes()


def test_more_epochs_go_on_where_fewer_ended(dnnc, folder):
    dnnc(*TRAIN, "-o", "six.safetensors")
    program = (folder / "moons.dnn").read_text()
    (folder / "moons.dnn").write_text(program.replace("epochs 6", "epochs 3"))
    dnnc(*TRAIN, "-o", "m.safetensors")
    (folder / "moons.dnn").write_text(program)
    assert dnnc(*TRAIN, "--resume", "m.safetensors").status == 0
    assert (folder / "m.safetensors").read_bytes() == (folder / "six.safetensors").read_bytes()


def test_resuming_with_other_data_says_so(dnnc, folder):
    dnnc(*TRAIN)
    (folder / "moons.csv").write_text(points(50))
    assert "other data" in dnnc(*TRAIN, "--resume", "moons.safetensors").err


def test_resuming_another_network_is_refused(dnnc, folder):
    dnnc(*TRAIN)
    (folder / "moons.dnn").write_text((folder / "moons.dnn").read_text().replace("layer 8", "layer 9"))
    done = dnnc(*TRAIN, "--resume", "moons.safetensors")
    assert done.status == 2
    assert "W[1]" in done.err


def test_patience_keeps_the_best_parameters(dnnc, folder):
    program = (folder / "moons.dnn").read_text().replace("epochs 6", "epochs 300; patience 3")
    (folder / "moons.dnn").write_text(program.replace("learning_rate 0.02", "learning_rate 0.4"))
    done = dnnc(*TRAIN, "--history", "h.jsonl")
    records = [json.loads(line) for line in (folder / "h.jsonl").read_text().splitlines()]
    assert done.status == 0
    assert len(records) < 300
    best = min(record["validation_loss"] for record in records)
    assert records[-4]["validation_loss"] == best
    assert f"epoch {records[-4]['epoch']}" in done.out
    metadata = load_file(folder / "moons.safetensors")
    assert not np.array_equal(metadata["W[1]"], metadata["last/W[1]"])
    shown = next(line for line in done.out.splitlines() if line.startswith("held-out loss"))
    assert float(shown.split()[2]) == pytest.approx(best, rel=1e-3)


def test_numbers_that_go_wrong(dnnc, folder):
    (folder / "moons.dnn").write_text("layer 8 relu; layer 2\nloss mse\ntrain { learning_rate 1e15; optimizer sgd }")
    (folder / "moons.csv").write_text("x,y,u,v\n1,2,3,4\n-2,3,1,2\n")
    done = dnnc("train", "moons.dnn", "moons.csv", "--target", "u,v")
    assert done.status == 3
    assert "step" in done.err
    assert "learning_rate" in done.err
    assert any(name in done.err for name in ("Z[", "A[", "W[", "the loss itself"))
    assert not (folder / "moons.safetensors").exists()


# ---------------------------------------------------------------- processes


LONG = """layer 64 tanh; layer 64 tanh; layer 2 softmax
train { epochs 100000; batch 4 }
"""


def start(folder: Path, **settings: object) -> subprocess.Popen[str]:
    (folder / "long.dnn").write_text(LONG)
    return subprocess.Popen(
        command("train", "long.dnn", "moons.csv", "--target", "side"),
        cwd=folder,
        env=environment(),
        text=True,
        **settings,
    )


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_signals_leave_a_checkpoint(dnnc, folder, number, status):
    running = start(folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert running.stderr is not None
    running.stderr.readline()
    running.send_signal(number)
    _, err = running.communicate(timeout=30)
    assert running.returncode == status
    assert "Traceback" not in err
    assert "--resume long.safetensors" in err
    assert dnnc("evaluate", "long.safetensors", "moons.csv").status == 0


def test_kill_leaves_a_whole_model_or_none(dnnc, folder, monkeypatch):
    (folder / "sitecustomize.py").write_text("import dnnlang.cli.watchers as w\nw.EVERY = 0.0\nw.SHARE = 0\n")
    env = environment()
    (folder / "long.dnn").write_text(LONG)
    arguments = command("train", "long.dnn", "moons.csv", "--target", "side")
    for wait in (0.05, 0.13, 0.21):
        running = subprocess.Popen(
            arguments,
            cwd=folder,
            env=env | {"PYTHONPATH": f"{folder}{os.pathsep}{env['PYTHONPATH']}"},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert running.stderr is not None
        assert any(line.startswith("epoch 1/") for line in running.stderr)
        time.sleep(wait)
        running.kill()
        running.communicate()
        assert dnnc("evaluate", "long.safetensors", "moons.csv").status == 0


def test_training_goes_on_when_nobody_reads_any_more(dnnc, folder):
    arguments = " ".join(command(*TRAIN))
    done = subprocess.run(["bash", "-c", f"{arguments} 2>&1 | head -n 1"], cwd=folder, env=environment(), check=True)
    assert done.returncode == 0
    assert dnnc("evaluate", "moons.safetensors", "moons.csv").status == 0


def test_a_checkpoint_that_fails_does_not_end_the_training(dnnc, folder, monkeypatch):
    from dnnlang.cli import watchers

    def full(*_):
        raise ModelFileError(UNWRITABLE.at(None, "the disk is full"))

    monkeypatch.setattr(watchers, "EVERY", 0.0)
    monkeypatch.setattr(watchers, "save", full)
    done = dnnc(*TRAIN)
    assert done.status == 0
    assert "the disk is full" in done.err
    assert (folder / "moons.safetensors").exists()


def test_resuming_with_fewer_epochs_than_were_done(dnnc, folder):
    dnnc(*TRAIN)
    (folder / "moons.dnn").write_text((folder / "moons.dnn").read_text().replace("epochs 6", "epochs 2"))
    done = dnnc(*TRAIN, "--resume", "moons.safetensors")
    assert done.status == 0
    assert "trained 6 epochs" in done.out


def test_targets_that_are_no_distribution(dnnc, folder):
    (folder / "p.csv").write_text("x,y,p,q\n1,2,0.5,0.5\n2,1,0.5,0.6\n1,1,1,0\n2,2,0,1\n")
    done = dnnc("train", "moons.dnn", "p.csv", "--target", "p,q")
    assert done.status == 1
    assert "error[" in done.err


def test_off_a_terminal_there_are_plain_lines(folder):
    done = process(*TRAIN, cwd=folder)
    assert done.returncode == 0
    for text in (done.stdout, done.stderr):
        assert not [c for c in text if ord(c) < 32 and c != "\n"]
    assert len(done.stderr.splitlines()) == 6


def test_on_a_terminal_there_is_a_live_bar(folder):
    text = on_terminal(folder, (folder / "moons.dnn").read_text().replace("epochs 6", "epochs 60"))
    assert "\x1b[" in text
    assert "loss" in text
    assert "samples/s" in text
    assert "100 %" in text
    assert "epoch 60/60" in text


def test_no_color_is_honoured(folder):
    text = on_terminal(folder, (folder / "moons.dnn").read_text(), NO_COLOR="1")
    assert "samples/s" in text
    assert "\x1b[3" not in text


def on_terminal(folder: Path, program: str, **env: str) -> str:
    """What appears on a terminal while `program` is trained."""
    (folder / "moons.dnn").write_text(program)
    ours, theirs = pty.openpty()
    running = subprocess.Popen(
        command(*TRAIN), cwd=folder, env=environment() | env, stdin=theirs, stdout=theirs, stderr=theirs
    )
    os.close(theirs)
    seen = b""
    deadline = time.monotonic() + 40
    while time.monotonic() < deadline:
        ready, _, _ = select.select([ours], [], [], 1)
        try:
            piece = os.read(ours, 65536) if ready else b""
        except OSError:  # the other end is closed
            break
        seen += piece
        if not piece and running.poll() is not None:
            break
    os.close(ours)
    assert running.wait(10) == 0
    return seen.decode()
