"""A question in shell and the parser of its answer, side by side."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

Value_co = TypeVar("Value_co", covariant=True)


@dataclass(frozen=True, kw_only=True)
class Part(Generic[Value_co]):
    """Shell lines that print one subject, and what reads it.

    The lines are POSIX shell, read nothing from standard input, change nothing, and print nothing
    rather than fail where a file or program is not there.
    """

    name: str
    """The heading of the answer."""
    question: str
    read: Callable[[str], Value_co]
    """From what the lines printed; an answer of another shape raises one of `UNREADABLE`."""


UNREADABLE = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError)
"""What reading an answer of another shape raises."""
Answers = Mapping[str, str]
"""What each part printed, by its name."""
