"""Services on nodes: found, asked, their logs read, whichever runtime they belong to.

Each function has its cases in the `perform` module of the room that the handle or query comes from;
the module is loaded when the first of its values arrives.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import singledispatch
from importlib import import_module
from typing import TYPE_CHECKING, Protocol, TypeVar

from cluster.machine.processes import Completed
from cluster.machine.terminal import Report
from cluster.plan.runtime import Runtime
from cluster.plan.steps import Handle, Query

if TYPE_CHECKING:
    from functools import _SingleDispatchCallable

Result = TypeVar("Result")


@dataclass(frozen=True, kw_only=True)
class RunningService:
    """A service that runs."""

    argv: tuple[str, ...]
    digest: str
    """Of its run spec."""
    since: float
    """Start, in seconds since 1970."""


class Log(Protocol):
    """A log that is read as it grows."""

    @property
    def exists(self) -> bool:
        """Whether there is a log."""

    def new_lines(self) -> list[str]:
        """Return the whole lines that are new since the last call; none when there is no log."""

    def remaining_lines(self) -> list[str]:
        """Return all lines that are new, an unfinished last line included."""


@singledispatch
def find(handle: Handle, *, timed: bool = False) -> RunningService | None:
    """Return a running service; only if `timed` with its start, which may need a question more."""
    return case(find, handle)(handle, timed=timed)


@singledispatch
def was_started(handle: Handle) -> bool:
    """Whether a service was started at some time and not taken down."""
    return case(was_started, handle)(handle)


@singledispatch
def exit_code(handle: Handle) -> int | None:
    """Return the code with which a service has ended, where the runtime keeps it."""
    return case(exit_code, handle)(handle)


@singledispatch
def ask(query: Query, seconds: float | None = None) -> Completed:
    """Run a query to its end; one that takes longer than `seconds` gives code 124."""
    return case(ask, query)(query, seconds)


@singledispatch
def log(handle: Handle) -> Log:
    """Return the log of a service, read from its top."""
    return case(log, handle)(handle)


@singledispatch
def equip(runtime: Runtime, report: Report) -> None:
    """Install what a runtime needs on this machine, unless it is complete."""
    case(equip, runtime)(runtime, report)


def case(function: "_SingleDispatchCallable[Result]", value: object) -> Callable[..., Result]:
    """Load the `perform` module of a value's room, and return the function's case for the value."""
    room = type(value).__module__.rpartition(".")[0]
    import_module(f"{room}.perform")
    implementation, default = function.dispatch(type(value)), function.dispatch(object)
    if implementation is default:
        raise NotImplementedError(f"{room}.perform has no {default.__name__} of {value!r}")
    return implementation
