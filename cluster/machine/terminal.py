"""What a person reads: results on standard output, progress on standard error, live if possible."""

import shlex
import shutil
import sys
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, TextIO

from cluster import text

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.live import Live

QUIET_SECONDS = 2.0
"""A quicker step prints only its last line."""
WIDEST = 100
"""Columns of the pages on a wider terminal."""


class Invocation:
    """How the user called this program; texts call it the same."""

    command = "inv"


def as_typed(output: str) -> str:
    """Return a text that calls this program as the user does."""
    return text.as_typed(output, shlex.quote(Invocation.command))


def show(result: str) -> None:
    """Print the result of a verb, complete with its last newline."""
    print(as_typed(result), end="", flush=True)


def show_lines(prefix: str, lines: Iterable[str], *, error: bool = False) -> None:
    """Print lines that came from a node, unchanged, each with a prefix."""
    for line in lines:
        print(f"{prefix} | {line}", file=sys.stderr if error else sys.stdout, flush=True)


def is_interactive() -> bool:
    """Whether a person types and reads."""
    return sys.stdin.isatty() and sys.stdout.isatty()


def width() -> int:
    """Return the columns to fill with text."""
    return min(shutil.get_terminal_size().columns, WIDEST)


class Progress:
    """A running step: its place, its title, and its present activity."""

    def __init__(self, report: "Report", place: str, title: str) -> None:
        """Start the clock."""
        self._report = report
        self._head = f"{place}: {title}"
        self._started = time.monotonic()
        self._activity = ""
        self._last_line = 0.0

    def update(self, activity: str, *, interval: float = 0.0) -> None:
        """Show what the step is doing now.

        Without a live view this prints a line, at most one per `interval` seconds.
        """
        if activity != self._activity:
            self._activity = activity
            if self.seconds - self._last_line >= interval:
                self._last_line = self.seconds
                self._report.show_activity(self)

    @property
    def seconds(self) -> float:
        """Seconds since the start."""
        return time.monotonic() - self._started

    @property
    def line(self) -> str:
        """The step as one line."""
        return f"{self._head}: {self._activity}" if self._activity else self._head

    @property
    def summary(self) -> str:
        """The ended step as one line."""
        return f"{self._head}  {self.seconds:.1f} s"


class Report:
    """Shows the steps that run side by side, and leaves a line for each that has ended."""

    def __init__(self, stream: TextIO | None = None) -> None:
        """Write to a stream, by default standard error."""
        self._stream = stream or sys.stderr
        self._lock = threading.RLock()
        self._steps: list[Progress] = []
        self._live: Live | None = None

    @contextmanager
    def step(self, place: str, title: str) -> Iterator[Progress]:
        """Show a step while the block runs."""
        progress = Progress(self, place, title)
        with self._lock:
            self._steps.append(progress)
            if self._live is None and self._stream.isatty():
                self._live = self._view()
        try:
            yield progress
        except BaseException:
            self._end(progress, f"{progress.summary}  failed")
            raise
        self._end(progress, progress.summary)

    def show_activity(self, progress: Progress) -> None:
        """Print the activity of a step, unless the step is quick or the live view shows it."""
        if self._live is None and progress.seconds > QUIET_SECONDS:
            self.note(progress.line)

    def note(self, line: str) -> None:
        """Print a line above the live view."""
        with self._lock:
            if self._live is None:
                print(as_typed(line), file=self._stream, flush=True)
            else:
                self._live.console.print(as_typed(line), markup=False, highlight=False)

    def _end(self, progress: Progress, line: str) -> None:
        with self._lock:
            self._steps.remove(progress)
            self.note(line)
            if self._live is not None and not self._steps:
                self._live.stop()
                self._live = None

    def _view(self) -> "Live":
        # rich takes 60 ms to import: only a person who watches waits for it.
        from rich.console import Console
        from rich.live import Live

        console = Console(file=self._stream)
        live = Live(
            get_renderable=self._rows, console=console, refresh_per_second=8, transient=True
        )
        live.start()
        return live

    def _rows(self) -> "RenderableType":
        from rich.console import Group
        from rich.spinner import Spinner
        from rich.text import Text

        steps = tuple(self._steps)
        rows = (Text(as_typed(f"{step.line}  {step.seconds:.0f} s")) for step in steps)
        return Group(*(Spinner("dots", text=row) for row in rows))
