"""What every verb shares: its session, the words after `--`, and an end without a traceback."""

import os
import signal
import sys
from collections.abc import Callable
from functools import wraps
from types import FrameType
from typing import TYPE_CHECKING, Any

from invoke import Context, Exit

from cluster.errors import ClusterError, NodeError
from cluster.machine.terminal import as_typed

if TYPE_CHECKING:
    from cluster.session import Session

SIGPIPE = 141
"""The exit code of a program whose reader has gone, as a shell gives it."""
INTERRUPTED = 130


def session(
    c: Context, cluster: str, *, recreate: bool = False, preflight: bool = True
) -> "Session":
    """Return this run on a cluster: printing with `--dry`, else performing."""
    from cluster.session import Session

    return Session(cluster, dry=c.config.run.dry, recreate=recreate, preflight=preflight)


def after_dashes() -> tuple[str, ...]:
    """Return the words after `--`, which are for another program, or names."""
    return tuple(sys.argv[sys.argv.index("--") + 1 :]) if "--" in sys.argv else ()


def verb(function: Callable[..., object]) -> Callable[..., None]:
    """Turn what a user can cause into one line and an exit code; a defect keeps its traceback."""

    @wraps(function)
    def run(*args: Any, **options: Any) -> None:  # noqa: ANN401 (whatever the task takes)
        for number in (signal.SIGTERM, signal.SIGHUP):
            if signal.getsignal(number) is not signal.SIG_IGN:  # as `nohup` wants it
                signal.signal(number, _interrupt)
        try:
            code = function(*args, **options)
            sys.stdout.flush()
        except ClusterError as error:
            raise Exit(as_typed(str(error)), error.exit_code) from None
        except KeyboardInterrupt:
            raise Exit("interrupted", INTERRUPTED) from None
        except BrokenPipeError:
            # The reader has gone, as `| head` does; Python must not write to it at its end either.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise Exit(code=SIGPIPE) from None
        except OSError as error:
            where = error.filename or "this machine"
            raise Exit(f"{where}: {error.strerror or error}", NodeError.exit_code) from None
        if isinstance(code, int) and code:
            raise Exit(code=code)

    return run


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    """Take the end of the terminal, and a polite request to end, as Ctrl-C."""
    raise KeyboardInterrupt
