"""Compiled libraries, kept in the user's cache folder: private, written atomically, checked before use, bounded.

A library is found by a key, the hash of all that it was made from. Its file is `KEY-CONTENT.so`, where CONTENT is the
hash of what is in it, so that a file that was cut short or changed is seen and made again. Code is loaded only from a
folder that nobody else can write to.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import stat
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from dnnlang.errors import InternalError

LIMIT: Final = 256 * 2**20
"""Bytes; beyond them the least recently used libraries go."""

_DIGITS: Final = 32
"""Hexadecimal digits of each of the two hashes in a name."""

_ABANDONED: Final = 24 * 3600
"""Seconds after which what an interrupted compile left is removed."""

_BUILDING: Final = "building-"


class UnusableFolderError(Exception):
    """A folder that cannot be the cache; the text says why, to follow "…because"."""


def user_folder() -> Path:
    """Where this system keeps a user's caches. Raises UnusableFolderError where the user has no home."""
    if sys.platform == "win32":
        given = os.environ.get("LOCALAPPDATA", "")
        return Path(given) / "dnnlang" / "cache" if given else _home() / "AppData" / "Local" / "dnnlang" / "cache"
    if sys.platform == "darwin":
        return _home() / "Library" / "Caches" / "dnnlang"
    given = os.environ.get("XDG_CACHE_HOME", "")
    base = Path(given) if os.path.isabs(given) else _home() / ".cache"  # relative ones are invalid by the standard
    return base / "dnnlang"


def _home() -> Path:
    try:
        return Path.home()
    except RuntimeError:
        raise UnusableFolderError("the user has no home folder") from None


class Cache:
    """The libraries in one folder, which is made when the first is stored."""

    def __init__(self, folder: Path, limit: int = LIMIT) -> None:
        self.folder = folder
        self._limit = limit

    def find(self, key: str) -> Path | None:
        """The library of this key, if there is a sound one. Raises UnusableFolderError."""
        if not self.folder.exists():
            return None
        self._require_private()
        for path in sorted(self.folder.glob(f"{_digits(key)}-*")):
            if _is_sound(path):
                with suppress(OSError):
                    os.utime(path)
                return path
            with suppress(OSError):
                path.unlink()
        return None

    @contextmanager
    def workshop(self) -> Iterator[Path]:
        """A private folder to compile in, removed afterwards. Raises UnusableFolderError."""
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._require_private()
            made = Path(tempfile.mkdtemp(prefix=_BUILDING, dir=self.folder))
        except OSError as e:
            raise UnusableFolderError(f"it cannot be written: {e.strerror or e}") from None
        try:
            yield made
        finally:
            shutil.rmtree(made, ignore_errors=True)

    def store(self, key: str, made: Path, suffix: str) -> Path:
        """Moves the file `made` in a workshop to its place, and makes room for it."""
        made.chmod(0o700)
        content = hashlib.sha256(made.read_bytes()).hexdigest()
        path = self.folder / f"{_digits(key)}-{content[:_DIGITS]}{suffix}"
        try:
            os.replace(made, path)
        except OSError as e:
            if not _is_sound(path):  # Windows does not replace what another process has loaded
                raise UnusableFolderError(f"it cannot be written: {e.strerror or e}") from None
        self._tidy(path)
        return path

    def _require_private(self) -> None:
        found = self.folder.lstat()
        if not stat.S_ISDIR(found.st_mode):
            raise UnusableFolderError("it is not a folder")
        if sys.platform == "win32":  # there a user's folders are private by inheritance
            return
        if found.st_uid != os.geteuid():
            raise UnusableFolderError("it belongs to another user")
        if found.st_mode & 0o022:
            raise UnusableFolderError("others may write to it")

    def _tidy(self, newest: Path) -> None:
        """Removes the least recently used libraries beyond the limit, and what interrupted compiles left."""
        used: list[tuple[float, int, Path]] = []
        with suppress(OSError), os.scandir(self.folder) as entries:
            for entry in entries:
                found = entry.stat(follow_symlinks=False)
                if not entry.name.startswith(_BUILDING):
                    used.append((found.st_mtime, found.st_size, Path(entry.path)))
                elif found.st_mtime < time.time() - _ABANDONED:
                    shutil.rmtree(entry.path, ignore_errors=True)
        excess = sum(size for _, size, _ in used) - self._limit
        for _, size, path in sorted(used):
            if excess <= 0:
                return
            if path != newest:
                with suppress(OSError):
                    path.unlink()
                    excess -= size


def _digits(key: str) -> str:
    if len(key) < _DIGITS or not all(c in "0123456789abcdef" for c in key):
        raise InternalError(f"{key!r} is no key of the cache")
    return key[:_DIGITS]


def _is_sound(path: Path) -> bool:
    """Is it a plain file of this user, with the content that its name tells?"""
    try:
        found = path.lstat()
        if not stat.S_ISREG(found.st_mode) or (sys.platform != "win32" and found.st_uid != os.geteuid()):
            return False
        content = hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError:
        return False
    return path.stem.partition("-")[2] == content[:_DIGITS]
