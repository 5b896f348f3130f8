"""What can go wrong, as the user will read it.

    ClusterError             1   the base: one or more lines, no traceback
    ├── SettingsError        2   env/ files are wrong; every problem at once
    ├── RefusedError         3   asked for what cannot work, a flag or a moment; nothing was started
    └── NodeError            4   a node failed; says which, what, and the next command

The number is the exit code of the task.
"""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Problem:
    """One thing that is wrong, where it is, and what to do about it."""

    place: str
    """A node's name, `env/spark1.env:3: HOST_IP`, or a command."""
    message: str
    remedy: str = ""
    """A command, or an instruction."""

    def __str__(self) -> str:
        """Render as `place: what (remedy)`."""
        return f"{self.place}: {self.message}" + (f" ({self.remedy})" if self.remedy else "")

    @property
    def fields(self) -> dict[str, str]:
        """The problem as JSON output has it: `place`, `what` and `remedy`."""
        return {"place": self.place, "what": self.message, "remedy": self.remedy}


class ClusterError(Exception):
    """Anything that a user can cause or cure: printed as its problems, one a line."""

    exit_code = 1

    def __init__(self, *problems: Problem) -> None:
        """Hold the problems in the order in which they are printed."""
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems = problems


class SettingsError(ClusterError):
    """The env files are wrong."""

    exit_code = 2


class RefusedError(ClusterError):
    """The request cannot work on this cluster as it is; nothing was started."""

    exit_code = 3


class NodeError(ClusterError):
    """Something failed on a node."""

    exit_code = 4
