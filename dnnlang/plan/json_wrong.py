"""What is wrong in a part of a plan file, before it is known where in the file that part stands."""

from __future__ import annotations


class WrongError(Exception):
    """`path` leads from the part being read down to what is wrong."""

    def __init__(self, message: str, *path: str | int) -> None:
        super().__init__(message)
        self.message = message
        self.path = path
