"""What commands and calls say about data, models, options and arrays.

`data/NAME.case`: files (`--- NAME`, then the text), then commands (`--- $ dnnc …`), of which the last one fails;
`NAME.txt` is what that one prints. `run/NAME.py`: a call that fails; `NAME.txt` shows its error.
"""

from __future__ import annotations

import re
import runpy
import shlex
from pathlib import Path

import pytest

from dnnlang.cli import main
from dnnlang.diagnostics.render import render
from dnnlang.errors import DnnError
from tests.conftest import Golden

HERE = Path(__file__).parent
CASES = sorted(HERE.glob("data/*.case"))
CALLS = sorted(HERE.glob("run/*.py"))


@pytest.mark.parametrize("case", CASES, ids=[p.stem for p in CASES])
def test_commands(
    case: Path, golden: Golden, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    _, *sections = re.split(r"^--- ", case.read_text(encoding="utf-8"), flags=re.MULTILINE)
    status = 0
    for section in sections:
        head, _, text = section.partition("\n")
        if not head.startswith("$ dnnc "):
            Path(head).write_text(text, encoding="utf-8")
            continue
        assert status == 0, "only the last command fails"
        capsys.readouterr()
        status = main(shlex.split(head)[2:])
    out, err = capsys.readouterr()
    assert str(tmp_path) not in out + err
    shown = re.sub(r"[\d,]+ samples/s", "… samples/s", err + out)
    golden(case.with_suffix(".txt"), f"{shown}exit status {status}\n")
    assert status in (1, 2, 3)


@pytest.mark.parametrize("call", CALLS, ids=[p.stem for p in CALLS])
def test_calls(call: Path, golden: Golden, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DnnError) as raised:
        runpy.run_path(str(call))
    said = render(raised.value.diagnostics, "full")
    assert str(tmp_path) not in said
    golden(call.with_suffix(".txt"), re.sub(r"this machine has [\d.]+ \w+", "this machine has … GiB", said))
