"""What of an answer can be read: one part of another shape takes no other with it."""

from collections.abc import Callable
from typing import Any

from cluster.facts.part import UNREADABLE, Answers, Part


def readable(
    said: Answers, parts: tuple[Part[Any], ...], read: Callable[[Answers], object]
) -> Answers:
    """Return what was said in these parts; another text stands for what cannot be read.

    A part may be readable by itself and not with those before it: so each is tried with them.
    """
    its: Answers = {}
    for part in parts:
        if part.name in said:
            whole = {**its, part.name: said[part.name]}
            its = whole if _reads(read, whole) else {**its, part.name: part.instead}
    return its


def _reads(read: Callable[[Answers], object], its: Answers) -> bool:
    try:
        read(its)
    except UNREADABLE:
        return False
    return True
