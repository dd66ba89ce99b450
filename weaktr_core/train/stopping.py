"""Ctrl-C and SIGTERM: the step under way is finished and kept, then training stops."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager


class Stopped(KeyboardInterrupt):
    """Training was asked to stop and all it had is on disk: one line that says so.

    Attributes:
        signal: its number, for the exit code.
    """

    def __init__(self, message: str, number: int):
        super().__init__(message)
        self.signal = number


class Stopping:
    """Whether somebody has asked to stop.

    Attributes:
        signal: 0, or the number of the signal that came.
        patient: a first signal is noted only; else it interrupts at once, like a second.
    """

    def __init__(self) -> None:
        self.signal, self.since, self.patient = 0, 0.0, False

    def note(self, number: int, frame: object) -> None:
        """The signal handler."""
        # launchers hand on what the terminal has sent already: that is one wish, not two
        again = bool(self.signal) and time.monotonic() - self.since > 1
        self.signal, self.since = number, time.monotonic()
        if again or not self.patient:
            raise KeyboardInterrupt


def leave_to_main_process(_: int) -> None:
    """What a loader's process does with these signals: the main one will end it."""
    for kind in (signal.SIGINT, signal.SIGTERM):
        signal.signal(kind, signal.SIG_IGN)


@contextmanager
def stopping() -> Iterator[Stopping]:
    """Take note of signals for a while; only the main thread of a program can."""
    noted = Stopping()
    if threading.current_thread() is not threading.main_thread():
        yield noted
        return
    kinds = (signal.SIGINT, signal.SIGTERM)
    before = [signal.signal(kind, noted.note) for kind in kinds]
    try:
        yield noted
    finally:
        for kind, handler in zip(kinds, before, strict=True):
            signal.signal(kind, handler)
