"""Files that are there whole or not at all."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO


@contextmanager
def replacing(path: str | os.PathLike[str]) -> Iterator[IO[bytes]]:
    """A temporary file beside `path` that takes its place when the block ends, and vanishes if it fails.

    The bytes reach the disk before the name does, so a crash or a kill at any moment leaves the old file
    or the new one. A symbolic link keeps pointing where it did. Raises OSError.
    """
    target = Path(os.path.realpath(path))
    number, temporary = tempfile.mkstemp(prefix=f".{target.name}.", suffix=".part", dir=target.parent)
    try:
        with os.fdopen(number, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, _mode_for(target))
        os.replace(temporary, target)
    except BaseException:
        with suppress(OSError):
            os.unlink(temporary)
        raise
    _sync_folder(target.parent)


def write_bytes(path: str | os.PathLike[str], content: bytes | Callable[[IO[bytes]], None]) -> None:
    """Put `content` (or what it writes) in the place of `path`, atomically. Raises OSError."""
    with replacing(path) as file:
        if callable(content):
            content(file)
        else:
            file.write(content)


def write_text(path: str | os.PathLike[str], text: str) -> None:
    """UTF-8, line ends as they stand."""
    write_bytes(path, text.encode("utf-8"))


def refusal(path: str | os.PathLike[str]) -> str | None:
    """Why a file cannot be written there, found out before hours of work; None if nothing is in the way."""
    target = Path(os.path.realpath(path))
    if target.is_dir():
        return "it is a folder"
    if not target.parent.exists():
        return f"there is no folder `{target.parent}`"
    if not target.parent.is_dir():
        return f"`{target.parent}` is not a folder"
    if not os.access(target.parent, os.W_OK | os.X_OK):
        return f"the folder `{target.parent}` is not writable"
    return None


def _mode_for(target: Path) -> int:
    """What the replaced file allowed, or what a new file would (mkstemp's own mode is private)."""
    try:
        return target.stat().st_mode & 0o777
    except OSError:
        mask = os.umask(0)
        os.umask(mask)
        return 0o666 & ~mask


def _sync_folder(folder: Path) -> None:
    """The new name itself must survive a power cut; some systems cannot open folders, and need not."""
    with suppress(OSError):
        number = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(number)
        finally:
            os.close(number)
