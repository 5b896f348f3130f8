"""A part of the question to a machine: its name, and the parser of its answer."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

HEADING = re.compile(r"^== (.+)\n", re.MULTILINE)
TIMEOUT = re.compile(r"^\S+: no answer within \d+ s$", re.MULTILINE)
Value_co = TypeVar("Value_co", covariant=True)
Answers = Mapping[str, str]
"""What each part printed, by its name."""
UNREADABLE = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError)
"""What parsing an answer of another shape raises."""


@dataclass(frozen=True, kw_only=True)
class Part(Generic[Value_co]):
    """A function of `question.sh`, and the parser of what it prints."""

    name: str
    """The name of the shell function, and the heading of its answer."""
    parse: Callable[[str], Value_co]
    """Parses what the function printed; an answer of another shape raises one of `UNREADABLE`."""
    instead: str = ""
    """The text that stands for an answer of another shape."""
    blocking: bool = True
    """Whether a check that blocks needs it, so that the fast form includes it."""

    def value(self, answers: Answers) -> Value_co:
        """Parse the part's answer; a part that was not asked counts as one that printed nothing."""
        return self.parse(answers.get(self.name, "").strip())


@dataclass(frozen=True, kw_only=True)
class Subject:
    """Parts that are parsed together."""

    parts: tuple[Part[Any], ...]
    parse: Callable[[Answers], object]

    def readable(self, answers: Answers) -> Answers:
        """Return the answers of these parts, with another text for each that cannot be parsed.

        A part may be readable by itself and not with those before it, so each is tried with them.
        """
        result: Answers = {}
        for part in self.parts:
            if part.name in answers:
                longer = {**result, part.name: answers[part.name]}
                result = longer if self._parses(longer) else {**result, part.name: part.instead}
        return result

    def _parses(self, answers: Answers) -> bool:
        try:
            self.parse(answers)
        except UNREADABLE:
            return False
        return True


def alone(part: Part[Any]) -> Subject:
    """Return the subject of a part that is parsed by itself."""
    return Subject(parts=(part,), parse=part.value)


def timeout(text: str) -> str:
    """Return the line which says that a program took too long; empty if none did."""
    match = TIMEOUT.search(text)
    return match[0] if match else ""


def answers(text: str) -> Answers:
    """Return the text under each heading; what precedes the first heading is ignored."""
    sections = HEADING.split(text)[1:]
    return dict(zip(sections[::2], sections[1::2], strict=True))
