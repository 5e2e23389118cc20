"""`train { … }`: every key, its default, its range."""

from __future__ import annotations

from fractions import Fraction

import pytest

from dnnlang.graph.architecture import Schedule, Settings
from dnnlang.graph.settings import SETTINGS
from tests.graph.programs import built, mistake, mistakes


def settings(body: str) -> Settings:
    return built(f"layer 1 sigmoid\ntrain {{ {body} }}").settings


def test_defaults() -> None:
    made = built("layer 1 sigmoid").settings
    assert made.optimizer.label == "adam"
    assert made.learning_rate == Fraction(1, 1000)
    assert made.schedule == Schedule("constant", ())
    assert (made.epochs, made.iterations, made.batch, made.seed) == (10, None, 32, 0)
    assert (made.l2, made.clip_norm, made.validation, made.patience) == (0, None, 0, None)
    assert settings("") == made


@pytest.mark.parametrize(
    ("body", "key", "value"),
    [
        ("learning_rate 0.0075", "learning_rate", Fraction(75, 10000)),
        ("learning_rate 1/100", "learning_rate", Fraction(1, 100)),
        ("epochs 3", "epochs", 3),
        ("iterations 2_500", "iterations", 2500),
        ("iterations 2500", "epochs", None),
        ("batch 64", "batch", 64),
        ("batch all", "batch", None),
        ("l2 0.01", "l2", Fraction(1, 100)),
        ("clip_norm 5", "clip_norm", 5),
        ("clip_norm off", "clip_norm", None),
        ("validation 0.2", "validation", Fraction(1, 5)),
        ("validation 0.2; patience 5", "patience", 5),
        ("patience off", "patience", None),
        ("seed 7", "seed", 7),
        ("schedule constant", "schedule", Schedule("constant", ())),
        ("schedule step(10, 0.5)", "schedule", Schedule("step", (("every", Fraction(10)), ("factor", Fraction(1, 2))))),
        ("schedule step(factor=0.5, every=10)", "schedule",
         Schedule("step", (("every", Fraction(10)), ("factor", Fraction(1, 2))))),
        ("schedule exponential(0.9)", "schedule", Schedule("exponential", (("base", Fraction(9, 10)),))),
        ("schedule inverse(decay=1)", "schedule", Schedule("inverse", (("decay", Fraction(1)),))),
        ("schedule cosine", "schedule", Schedule("cosine", (("warmup", Fraction(0)),))),
        ("schedule cosine(warmup=2)", "schedule", Schedule("cosine", (("warmup", Fraction(2)),))),
    ],
)  # fmt: skip
def test_values(body: str, key: str, value: object) -> None:
    assert getattr(settings(body), key) == value


def test_optimizers_have_options() -> None:
    assert settings("optimizer sgd").optimizer.label == "sgd"
    assert settings("optimizer adam(beta1=0.8)").optimizer.label == "adam(beta1=0.8)"


def test_settings_may_use_params() -> None:
    architecture = built("param rate = 0.1 in log(0.001 .. 1)\nlayer 1\ntrain { learning_rate rate / 2; epochs 2^3 }")
    assert (architecture.settings.learning_rate, architecture.settings.epochs) == (Fraction(1, 20), 8)


@pytest.mark.parametrize(
    "body",
    [
        "learning_rate 0",
        "learning_rate -1",
        "learning_rate fast",
        "epochs 0",
        "epochs 2.5",
        "epochs all",
        "iterations 0",
        "batch 0",
        "batch some",
        "l2 -1",
        "clip_norm 0",
        "validation 1",
        "validation -0.1",
        "patience 0; validation 0.1",
        "seed -1",
        "seed 0.5",
        "schedule 3",
        "schedule warp",
        "schedule step(3)",
        "schedule step(0, 0.5)",
        "schedule step(1.5, 0.5)",
        "schedule step(3, 0)",
        "schedule step(3, 0.5, 1)",
        "schedule step(3, 0.5, every=4)",
        "schedule step(3, fctor=0.5)",
        "schedule constant(3)",
        "schedule cosine(warmup=-1)",
        "optimizer 3",
    ],
)
def test_wrong_values(body: str) -> None:
    assert mistake(f"layer 1\ntrain {{ {body} }}").code == "DNN503"


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ("learning_rat 0.1", "DNN501"),
        ("epochs 3; epochs 4", "DNN502"),
        ("epochs 3; iterations 4", "DNN502"),
        ("patience 3", "DNN504"),
        ("patience 3; validation 0", "DNN504"),
        ("optimizer adm", "DNN401"),
        ("optimizer adam(beta=1)", "DNN402"),
    ],
)
def test_wrong_settings(body: str, code: str) -> None:
    assert mistake(f"layer 1\ntrain {{ {body} }}").code == code


def test_there_is_one_train_block() -> None:
    assert mistake("layer 1\ntrain { epochs 3 }\ntrain { batch 3 }").code == "DNN502"


def test_each_wrong_setting_is_told() -> None:
    assert [d.code for d in mistakes("layer 1\ntrain { epochs 0; lr 1; batch -1 }")] == ["DNN503", "DNN501", "DNN503"]
    assert mistake("layer 1\ntrain { lr 1 }").help == "here it is called `learning_rate`"


@pytest.mark.parametrize("record", SETTINGS, ids=lambda record: record.key)
def test_every_key_is_documented_and_its_default_can_be_written(record: object) -> None:
    assert record.sentence.endswith(".")  # type: ignore[attr-defined]
    key, default = record.key, record.default_text()  # type: ignore[attr-defined]
    assert settings(f"{key} {default}") == built("layer 1 sigmoid").settings
