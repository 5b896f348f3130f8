"""A verb of `tasks.py`: its options and letters, its words, and how errors end it."""

import os
import signal
import sys
from collections.abc import Callable, Mapping
from functools import wraps
from types import FrameType
from typing import TYPE_CHECKING, Any

from invoke import Argument, Context, Exit, Task

from cluster.command_line import Positional
from cluster.errors import ClusterError, NodeError
from cluster.machine import terminal
from cluster.options import LETTERS, SHARED

if TYPE_CHECKING:
    from cluster.session import Session

SIGPIPE = 141
"""The exit code of a program whose reader has ended, as a shell reports it."""
INTERRUPTED = 130


class Verb(Task[Any]):
    """A task whose options have chosen letters, and whose words may stand for an option."""

    def __init__(self, body: Callable[..., object], **settings: Any) -> None:  # noqa: ANN401 (Invoke's own settings)
        """`words` are what words without dashes stand for; `settings` are Invoke's."""
        self.words: Positional | None = settings.pop("words", None)
        self._arguments: list[Argument] = []
        super().__init__(_guarded(body), auto_shortflags=False, **settings)

    def arg_opts(self, name: str, default: str, taken_names: set[str]) -> dict[str, Any]:
        """Describe one option, with its letter, and with the shared help unless it has its own."""
        option: dict[str, Any] = super().arg_opts(name, default, taken_names)
        option["names"] += LETTERS.get(name, "")
        option.setdefault("help", SHARED.get(name))
        return option

    def get_arguments(self, ignore_unknown_help: bool | None = None) -> list[Argument]:  # noqa: FBT001 (Invoke's signature)
        """Return the options; they are made once, as Invoke takes the help away when it does."""
        self._arguments = self._arguments or super().get_arguments(ignore_unknown_help)
        return self._arguments


def verb(
    *,
    name: str = "",
    words: Positional | None = None,
    help: Mapping[str, str] | None = None,  # noqa: A002 (as Invoke names it)
    optional: tuple[str, ...] = (),
    repeatable: tuple[str, ...] = (),
) -> Callable[[Callable[..., object]], Verb]:
    """Make a verb of a function: `optional` options may lack their value."""

    def make(function: Callable[..., object]) -> Verb:
        return Verb(
            function,
            name=name or function.__name__,
            words=words,
            help=help,
            optional=optional,
            iterable=repeatable,
        )

    return make


def session(c: Context, cluster: str, *, recreate: bool = False) -> "Session":
    """Return this run on a cluster: printing with `--dry`, otherwise performing."""
    from cluster.session import Session

    return Session(cluster, dry=c.config.run.dry, recreate=recreate)


def after_dashes() -> tuple[str, ...]:
    """Return the words after `--`, which are for another program, or names."""
    return tuple(sys.argv[sys.argv.index("--") + 1 :]) if "--" in sys.argv else ()


def _guarded(function: Callable[..., object]) -> Callable[..., None]:
    """Turn errors that a user can cause into a line and an exit code; defects keep a traceback."""

    @wraps(function)
    def run(*arguments: Any, **options: Any) -> None:  # noqa: ANN401 (whatever the task takes)
        for number in (signal.SIGTERM, signal.SIGHUP):
            if signal.getsignal(number) is not signal.SIG_IGN:  # as `nohup` wants it
                signal.signal(number, _interrupt)
        try:
            code = function(*arguments, **options)
            sys.stdout.flush()
        except ClusterError as error:
            raise Exit(terminal.as_typed(str(error)), error.exit_code) from None
        except KeyboardInterrupt:
            raise Exit("interrupted", INTERRUPTED) from None
        except BrokenPipeError:
            # The reader has gone, as `| head` does; Python must not write to it at its end either.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise Exit(code=SIGPIPE) from None
        except OSError as error:
            place = error.filename or "this machine"
            raise Exit(f"{place}: {error.strerror or error}", NodeError.exit_code) from None
        if isinstance(code, int) and code:
            raise Exit(code=code)

    return run


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    """Treat the end of the terminal and a request to terminate as Ctrl-C."""
    raise KeyboardInterrupt
