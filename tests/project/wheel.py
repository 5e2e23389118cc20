"""Builds and installs the package in every supported way, and uses each from an empty folder.

    python tests/project/wheel.py COPY WORK

COPY is a copy of a checkout: its grammar/ is edited and put back. WORK is a folder that does not exist
yet. The Python that runs this needs `build`; the environments made here get nothing but the package.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

GRAMMAR = ("dnn.lark", "prelude.dnn")
EDIT = "\ndefine activation added_by_the_wheel_test(z) = 3 * z\n"
USES_EDIT = "layer 5 added_by_the_wheel_test; layer 1 sigmoid\n"


def run(*command: str | Path, cwd: Path, status: int = 0) -> str:
    """Run, and return stdout; what came out is shown if the exit status is another than `status`."""
    clean = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "VIRTUAL_ENV")}
    done = subprocess.run([*map(str, command)], cwd=cwd, env=clean, capture_output=True, text=True, check=False)
    if done.returncode != status:
        words = " ".join(map(str, command))
        sys.exit(f"{words}: exit status {done.returncode}, expected {status}\n{done.stdout}{done.stderr}")
    return done.stdout


def environment(folder: Path) -> Path:
    """A fresh virtual environment; returns the folder of its commands."""
    venv.create(folder, with_pip=True)
    return folder / ("Scripts" if os.name == "nt" else "bin")


def build(copy: Path, work: Path) -> Path:
    """checkout → sdist → wheel; returns the wheel."""
    run(sys.executable, "-m", "build", "--outdir", work / "dist", copy, cwd=work)
    (sdist,) = (work / "dist").glob("*.tar.gz")
    (wheel,) = (work / "dist").glob("*.whl")
    inside = zipfile.ZipFile(wheel).namelist()
    for name in [*(f"dnnlang/grammar/{g}" for g in GRAMMAR), "dnnlang/py.typed"]:
        if name not in inside:
            sys.exit(f"{wheel.name} lacks {name}")
    strangers = [name for name in inside if not name.startswith(("dnnlang/", "dnnlang-"))]
    if strangers:
        sys.exit(f"{wheel.name} would install outside its own folder: {strangers}")
    print(f"built {sdist.name} and from it {wheel.name}, {len(inside)} files")
    return wheel


def use_wheel(wheel: Path, copy: Path, work: Path) -> None:
    """Install the wheel and compile, train and predict in a folder that holds one example and its data."""
    commands = environment(work / "installed")
    run(commands / "python", "-m", "pip", "install", "--quiet", wheel, cwd=work)
    empty = work / "empty"
    empty.mkdir()
    run(commands / "dnnc", "--version", cwd=empty)
    shutil.copy(copy / "examples/iris.dnn", empty)
    shutil.copy(copy / "examples/data/iris.csv", empty)
    plan = run(commands / "dnnc", "compile", "iris.dnn", cwd=empty)
    if "dW[1]" not in plan:
        sys.exit(f"dnnc compile printed no plan:\n{plan}")
    run(commands / "dnnc", "train", "iris.dnn", "iris.csv", "--target", "species", "-o", "iris.safetensors", cwd=empty)
    predictions = run(commands / "dnnc", "predict", "iris.safetensors", "iris.csv", cwd=empty)
    if len(predictions.splitlines()) != 151:
        sys.exit(f"expected a header and 150 predictions:\n{predictions}")
    where = run(commands / "python", "-c", "import dnnlang; print(dnnlang.__file__)", cwd=empty)
    if str(work / "installed") not in where:
        sys.exit(f"the wheel test used another copy of the package: {where}")
    print("the wheel compiles, trains and predicts from an empty folder")


def use_editable(copy: Path, work: Path) -> None:
    """An editable install reads grammar/ of the checkout: an edit is seen at once, and undone at once."""
    commands = environment(work / "editable")
    run(commands / "python", "-m", "pip", "install", "--quiet", "-e", copy, cwd=work)
    stale = [path for name in GRAMMAR for path in (work / "editable").rglob(name)]
    if stale:
        sys.exit(f"an editable install made copies that can go stale: {stale}")
    folder = work / "edited"
    folder.mkdir()
    (folder / "program.dnn").write_text(USES_EDIT, encoding="utf-8")
    check = (commands / "dnnc", "check", "program.dnn")
    prelude = copy / "grammar/prelude.dnn"
    original = prelude.read_bytes()
    run(*check, cwd=folder, status=1)
    prelude.write_bytes(original + EDIT.encode())
    try:
        run(*check, cwd=folder)
    finally:
        prelude.write_bytes(original)
    run(*check, cwd=folder, status=1)
    print("an editable install sees an edit of grammar/prelude.dnn at once")


def main(copy: Path, work: Path) -> None:
    work.mkdir(parents=True)
    use_wheel(build(copy, work), copy, work)
    use_editable(copy, work)


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve(), Path(sys.argv[2]).resolve())
