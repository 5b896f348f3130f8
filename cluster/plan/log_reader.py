"""The reader that a wait uses for the logs of the services that it watches."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from cluster.errors import Problem
from cluster.node import Cluster


@dataclass(frozen=True, kw_only=True)
class ServiceLog:
    """The lines that a service has logged."""

    node: str
    service: str
    lines: Sequence[str]

    @property
    def title(self) -> str:
        """The log's name in an explanation."""
        return f"{self.service} on {self.node}"


class Cause(Protocol):
    """The likely cause of a failure."""

    @property
    def problem(self) -> Problem:
        """The cause and its remedy, as one line of an error."""

    def reason(self, shown: Sequence[str]) -> tuple[str, ...]:
        """Return the lines that name the cause below the lines `shown` already."""


class LogReader(Protocol):
    """Reads logs of Ray and vLLM; the room `logs` has the one that knows their failures."""

    def is_fatal(self, line: str) -> bool:
        """Whether the service cannot recover from the event that this line reports."""

    def phase(self, line: str) -> str:
        """Return the phase that this line begins, for people; empty if it begins none."""

    def excerpt(self, lines: Sequence[str]) -> tuple[str, ...]:
        """Return the few lines that show why the service ended."""

    def likely_cause(self, cluster: Cluster, logs: Sequence[ServiceLog]) -> Cause | None:
        """Return the likely cause of the failures in these logs; None if it is unknown."""


class PlainReader:
    """Knows no failures: shows the end of a log as it is."""

    def is_fatal(self, _line: str) -> bool:
        """No line is fatal."""
        return False

    def phase(self, _line: str) -> str:
        """No line begins a phase."""
        return ""

    def excerpt(self, lines: Sequence[str]) -> tuple[str, ...]:
        """Return the last lines."""
        return tuple(lines[-3:])

    def likely_cause(self, _cluster: Cluster, _logs: Sequence[ServiceLog]) -> Cause | None:
        """No cause is known."""
        return None
