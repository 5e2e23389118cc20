"""The commands, and the little that can be said about each without importing it."""

from __future__ import annotations

from typing import Final

COMMANDS: Final[dict[str, str]] = {
    "check": "say what is wrong with programs",
    "compile": "print the plan of a program, or write it to a file",
    "train": "train a program on a table of data",
    "evaluate": "measure a trained model on data",
    "predict": "apply a trained model to data",
    "gradcheck": "compare every dW and db with differences of the loss",
    "verify": "check plans in JSON, whoever made them",
    "fmt": "lay programs out in the one way, in place",
    "explain": "explain a diagnostic",
}
"""Each stands in the module of its name: `configure(parser)` and `run(arguments) -> int`."""
