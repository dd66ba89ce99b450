"""Values from outside, checked against the type that is written beside them.

A field says what it takes where it is declared::

    epochs: Annotated[int, Range(1)] = 4
    schedule: Literal["one-cycle", "cosine"] = "one-cycle"

and settings, command arguments and checkpoint files are checked by one function.
"""

from __future__ import annotations

import argparse
import ast
import math
import sys
from collections.abc import Callable
from dataclasses import dataclass
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

from weaktr_core.errors import WeakTrError


class SettingError(WeakTrError, ValueError):
    """A setting or argument that is unknown or makes no sense: one line."""


MOST = sys.float_info.max


@dataclass(frozen=True)
class Range:
    """Smallest and largest value of a number, both allowed; ``above`` is not.

    Infinity is out of range unless it is named.
    """

    low: float = -MOST
    high: float = MOST
    above: float = -math.inf

    def __str__(self) -> str:
        lower = f" above {self.above:g}" if self.above > -math.inf else ""
        lower = f" from {self.low:g}" if self.low > -MOST else lower
        return lower + (f" to {self.high:g}" if self.high < MOST else "")

    def __contains__(self, value: float) -> bool:
        return self.low <= value <= self.high and value > self.above


Count = Annotated[int, Range(1)]
Rate = Annotated[float, Range(0, 1000)]
Share = Annotated[float, Range(0, 1)]
Scale = Annotated[float, Range(0.05, 8)]
Pixels = Annotated[int, Range(8, 8192)]


def check(value: Any, hint: Any, name: str) -> Any:
    """A value as its type wants it: lists become tuples, one number a tuple of one.

    Args:
        value: from JSON, a command line or Python.
        hint: a type, ``Annotated[int, Range(…)]``, ``Literal[…]``, a tuple, a union with
            None, a ``TypedDict``, or ``Any``.
        name: of the setting, for the complaint.

    Raises:
        SettingError: the value is of another type, out of range, or none of the choices.
    """
    found = convert(value, hint, name)
    if found is _WRONG:
        raise SettingError(f"{name}: expected {words(hint)}, came {short(value)}")
    return found


_WRONG: Any = object()


def short(value: Any) -> str:
    """A value as Python writes it, cut where it is long."""
    try:
        text = repr(value)
    except ValueError:  # a whole number of more digits than Python writes
        return "a number of too many digits"
    return text if len(text) <= 80 else f"{text[:77]}..."


def convert(value: Any, hint: Any, name: str) -> Any:
    """The value, or `_WRONG`; a branch for each kind of type."""
    kind, inner = get_origin(hint), get_args(hint)
    if hint is Any:
        return value
    if kind is Annotated:
        found = convert(value, inner[0], name)
        return found if found is not _WRONG and found in inner[1] else _WRONG
    if kind in (Union, UnionType):
        tried = (convert(value, it, name) for it in inner)
        return next((it for it in tried if it is not _WRONG), _WRONG)
    if kind is Literal:
        return value if isinstance(value, str) and value in inner else _WRONG
    if kind is tuple:
        return convert_tuple(value, inner, name)
    if kind is dict:
        known = value if isinstance(value, dict) else {None: None}
        found = {k: convert(v, inner[1], name) for k, v in known.items() if k is not None}
        return _WRONG if None in known or _WRONG in found.values() else found
    if hasattr(hint, "__total__"):
        return convert_options(value, hint, name)
    return convert_plain(value, hint)


def convert_plain(value: Any, hint: Any) -> Any:
    """None, bool, int, float and str; a bool is no number, and NaN is none."""
    if hint in (None, type(None)):
        return value if value is None else _WRONG
    if hint is float:
        is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
        return value if is_number and not math.isnan(value) else _WRONG
    is_bool = isinstance(value, bool) and hint is not bool
    return value if isinstance(value, hint) and not is_bool else _WRONG


def convert_tuple(value: Any, inner: tuple, name: str) -> Any:
    """``tuple[X, ...]`` of at least one, or of as many as there are types."""
    items = list(value) if isinstance(value, (list, tuple)) else [value]
    types = [inner[0]] * len(items) if inner[-1] is ... else list(inner)
    if len(types) != len(items) or not items:
        return _WRONG
    found = [convert(it, hint, name) for it, hint in zip(items, types, strict=True)]
    return _WRONG if any(it is _WRONG for it in found) else tuple(found)


def convert_options(value: Any, hint: Any, name: str) -> Any:
    """A dictionary of the options that a ``TypedDict`` allows, and of no other.

    Raises:
        SettingError: for an option that is unknown or wrong; it is named.
    """
    known = get_type_hints(hint, include_extras=True)
    if not isinstance(value, dict):
        return _WRONG
    if unknown := sorted(set(map(str, value)) - set(known)):
        raise SettingError(
            f"{name}: no option {', '.join(unknown)}; there are: {', '.join(known)}"
        )
    if missing := sorted(hint.__required_keys__ - set(value)):
        raise SettingError(f"{name}: {', '.join(missing)} missing")
    return {key: check(it, known[key], f"{name}.{key}") for key, it in value.items()}


PLAIN = {
    int: "a whole number",
    float: "a number",
    str: "a word",
    bool: "True or False",
    dict: "values by name",
}


def words(hint: Any) -> str:
    """A type as one says it."""
    kind, inner = get_origin(hint), get_args(hint)
    if kind is Annotated:
        return f"{words(inner[0])}{inner[1]}"
    if kind in (Union, UnionType):
        return " or ".join(words(it) for it in inner)
    if kind is Literal:
        return "one of " + ", ".join(inner)
    if kind is tuple:
        count = "one or more of" if inner[-1] is ... else f"{len(inner)} of"
        return f"{count} {words(inner[0])}"
    if hasattr(hint, "__total__"):
        return "options by name"
    return PLAIN.get(kind or hint, "None")


def literal(text: str) -> Any:
    """What a text on the command line says: a Python literal, else the text itself."""
    special = {"none": None, "true": True, "false": False}
    if text.lower() in special:
        return special[text.lower()]
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return text


def argument(hint: Any) -> Callable[[str], Any]:
    """What argparse calls with the text of an argument: the value, or a complaint."""

    def parse(text: str) -> Any:
        found = convert(literal(text), hint, "")
        found = convert(text, hint, "") if found is _WRONG else found
        if found is _WRONG:
            raise argparse.ArgumentTypeError(f"expected {words(hint)}, came {text!r}")
        return found

    return parse
