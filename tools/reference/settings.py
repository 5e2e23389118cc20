"""The settings of `train`, and the schedules of the learning rate."""

from __future__ import annotations

from dnnlang.graph.setting_values import SCHEDULES
from dnnlang.graph.settings import SETTINGS
from dnnlang.scalar.text import number
from tools.reference.facts import code, table


def setting_table() -> str:
    rows = ((code(s.key), s.type, code(s.default_text()), s.sentence) for s in SETTINGS)
    return table(("setting", "value", "default", ""), rows)


def schedule_table() -> str:
    rows = []
    for name, (formula, options) in SCHEDULES.items():
        written = [o.name if o.default is None else f"{o.name}={number(o.default)}" for o in options]
        rows.append((code(f"{name}({', '.join(written)})" if written else name), formula))
    return table(("schedule", "learning rate in epoch e = 0, 1, …"), rows)
