"""What can go wrong, as the user reads it.

    ClusterError             1   base of all: one or more problems, no traceback
    ├── SettingsError        2   the env files are wrong; all problems at once
    ├── RefusedError         3   the request cannot work, now or at all; nothing was started
    └── NodeError            4   a node failed: which one, how, and the next command

The number is the exit code of the verb.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Problem:
    """A problem: its place, what is wrong, and what to do."""

    place: str
    """A node's name, `env/spark1.env:3: HOST_IP`, or a command."""
    message: str
    remedy: str = ""
    """A command, or an instruction."""

    def __str__(self) -> str:
        """Return `place: message (remedy)`."""
        return f"{self.place}: {self.message}" + (f" ({self.remedy})" if self.remedy else "")

    @property
    def fields(self) -> dict[str, str]:
        """The problem in JSON output: `place`, `what` and `remedy`."""
        return {"place": self.place, "what": self.message, "remedy": self.remedy}


class ClusterError(Exception):
    """An error that the user can cause or solve, printed as one line for each problem."""

    exit_code = 1

    def __init__(self, *problems: Problem) -> None:
        """Keep the problems in the order in which they are printed."""
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems = problems


class SettingsError(ClusterError):
    """The env files are wrong."""

    exit_code = 2


class RefusedError(ClusterError):
    """The request cannot work on the cluster as it is; nothing was started."""

    exit_code = 3


class NodeError(ClusterError):
    """Something failed on a node."""

    exit_code = 4
