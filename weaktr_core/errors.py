"""The one kind of error that is meant for the user; imports nothing, so it is cheap."""

from __future__ import annotations


class WeakTrError(Exception):
    """Something outside that is missing, broken or not what was asked for: one line.

    Everything that reads files, settings or arguments raises a kind of it; any other
    exception is a bug.
    """

    def __str__(self) -> str:
        """One line, whatever names from outside are in it: nothing steers a terminal."""
        line = " ".join(super().__str__().split())
        return "".join(sign if sign.isprintable() else ascii(sign)[1:-1] for sign in line)
