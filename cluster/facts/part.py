"""A question in shell and the parser of its answer, side by side."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

HEADING = re.compile(r"^== (.+)\n", re.MULTILINE)
LATE = re.compile(r"^\S+: no answer within \d+ s$", re.MULTILINE)
Value_co = TypeVar("Value_co", covariant=True)
Answers = Mapping[str, str]
"""What each part printed, by its name."""
UNREADABLE = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError)
"""What reading an answer of another shape raises."""


@dataclass(frozen=True, kw_only=True)
class Part(Generic[Value_co]):
    """Shell lines that print one subject, and what reads it.

    The lines are POSIX shell, read nothing from standard input, change nothing, and print nothing
    rather than fail where a file or program is not there.
    """

    name: str
    """The heading of the answer, and the name of the shell function: no program is called so."""
    question: str
    """The body of that function, each line of it indented."""
    read: Callable[[str], Value_co]
    """From what the lines printed; an answer of another shape raises one of `UNREADABLE`."""
    instead: str = ""
    """What is read in the place of an answer of another shape."""
    blocking: bool = True
    """Whether a check that blocks looks at it, so that the fast form has to ask as well."""

    def of(self, answers: Answers) -> Value_co:
        """Read the part's answer; one that was not asked reads as if nothing had been printed."""
        return self.read(answers.get(self.name, "").strip())

    @property
    def function(self) -> str:
        """The question as a shell function."""
        return f"{self.name}() {{\n{self.question}}}\n"


def late(text: str) -> str:
    """Return the line that says that a program took too long; empty when none did."""
    found = LATE.search(text)
    return found[0] if found else ""


def answers(text: str) -> Answers:
    """Return what stands under each heading of an answer; what comes before the first is none."""
    words = HEADING.split(text)[1:]
    return dict(zip(words[::2], words[1::2], strict=True))
