"""`python -m tools.reference` writes the pages and plots of the language reference into docs/."""

from __future__ import annotations

from tools.reference.facts import ROOT
from tools.reference.pages import DOCS, pages


def main() -> None:
    made = pages()
    for path, text in made.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8", newline="\n")
    for stray in sorted(set((DOCS / "plots").glob("*.svg")) - set(made)):
        stray.unlink()
    print(f"{len(made)} files in {DOCS.relative_to(ROOT)}/")


if __name__ == "__main__":
    main()
