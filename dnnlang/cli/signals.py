"""Ctrl-C and SIGTERM while training: finish the update, write a checkpoint, then leave."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any


class Interrupted:
    """Which signal came, if any."""

    def __init__(self) -> None:
        self.signal: int | None = None

    @property
    def status(self) -> int:
        """The exit status: 130 or 143."""
        return 128 + (self.signal or 0)


@contextmanager
def stopping(stop: Callable[[], None]) -> Iterator[Interrupted]:
    """Within the block the first SIGINT or SIGTERM calls `stop`; a second one is a KeyboardInterrupt."""
    interrupted = Interrupted()
    if threading.current_thread() is not threading.main_thread():  # only the main thread may handle signals
        yield interrupted
        return

    def handle(number: int, frame: FrameType | None) -> None:
        if interrupted.signal is not None:
            raise KeyboardInterrupt
        interrupted.signal = number
        stop()

    before: dict[int, Any] = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield interrupted
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
