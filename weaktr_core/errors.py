"""The one kind of error that is meant for the user; imports nothing, so it is cheap."""

from __future__ import annotations


class WeakTrError(Exception):
    """Something outside that is missing, broken or not what was asked for: one line.

    Everything that reads files, settings or arguments raises a kind of it; any other
    exception is a bug.
    """
