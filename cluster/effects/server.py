"""The server's life: start it and wait, follow it, stop it; and the rehearsal around it."""

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from cluster import plan, question, ready, vllm
from cluster.advice import inv
from cluster.effects import logs, processes
from cluster.effects.session import ROOT, Session
from cluster.errors import NodeError, Problem

Form = Callable[[ready.Ready], str]
PROMPT = "Two machines"
"""The tiny model has learned how this goes on (docker/tiny_model.py)."""
TOKENS = 32


def serve(
    session: Session, flags: vllm.Flags, *, detach: bool, form: Form = ready.text
) -> vllm.Request:
    """Serve a model; without `detach` stay, show the log, and stop the server at Ctrl-C."""
    request = vllm.request(session.cluster, flags, str(ROOT))
    session.equip()
    with session.alone():
        ours = _absent(session)
        with _stopping(session, failed=ours, interrupted=ours and not detach):
            _start(session, request, absent=ours)
    with _stopping(session, failed=ours, interrupted=ours and not detach):
        session.perform(plan.ready(session.cluster, request, session.runtime))
        if not session.dry:
            found = ready.ready(session.cluster, request, session.runtime)
            print(form(found), end="", flush=True)
            if not detach:
                _stay(session)
    return request


def rehearse(session: Session, *, keep: bool) -> None:
    """Bring the cluster up, serve, complete a prompt, and take all down again unless `keep`."""
    cluster, runtime = session.cluster, session.runtime
    session.equip()
    try:
        with session.alone():
            session.perform(plan.up(cluster, runtime))
        request = serve(session, vllm.Flags(), detach=True, form=ready.text if keep else _silent)
        asked = plan.complete(cluster, request, runtime, prompt=PROMPT, tokens=TOKENS)
        heard = session.perform((asked,))
        if not session.dry:
            print(ready.answer(cluster, PROMPT, question.completed(heard)), end="", flush=True)
    finally:
        if not keep:
            session.perform(plan.down(cluster, runtime))


def _silent(_found: ready.Ready) -> str:
    """Tell nothing of a server that is about to be taken down."""
    return ""


def _absent(session: Session) -> bool:
    """Tell whether no server runs, so that this run is the one to start it, and to stop it."""
    trace = session.runtime.trace(session.cluster.head.name, "serve")
    return session.dry or processes.find(trace) is None


def _start(session: Session, request: vllm.Request, *, absent: bool) -> None:
    """Start the server; one that runs already is only compared with the request."""
    start = plan.server(session.cluster, request, session.runtime)
    steps = plan.serve(session.cluster, request, session.runtime)
    session.perform(steps if absent else (start,))


def _stay(session: Session) -> None:
    """Show the log until the server ends."""
    head = session.cluster.head.name
    session.report.note("Ctrl-C stops the server; `--detach` leaves it running")
    logs.follow((session.runtime.trace(head, "serve"),))
    what, logs_command = "the server has ended", inv(session.cluster, "logs", "--node", head)
    raise NodeError(Problem(place=head, what=what, remedy=f"next: {logs_command}"))


@contextmanager
def _stopping(session: Session, *, failed: bool, interrupted: bool) -> Iterator[None]:
    """Stop the server when the block fails or is interrupted, as the two flags say."""
    stop = plan.stop_server(session.cluster, session.runtime)
    before = signal.signal(signal.SIGTERM, _interrupt)
    try:
        yield
    except NodeError:
        session.perform(stop if failed else ())
        raise
    except KeyboardInterrupt:
        session.perform(stop if interrupted else ())
        raise
    finally:
        signal.signal(signal.SIGTERM, before)


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    """Take SIGTERM as Ctrl-C."""
    raise KeyboardInterrupt
