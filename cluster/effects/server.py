"""The server's life: start it and wait, follow it, stop it; and the rehearsal around it."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from cluster import plan, question, vllm
from cluster.effects import logs, processes
from cluster.effects.session import ROOT, Session
from cluster.errors import NodeError, Problem
from cluster.namespace import SPEC
from cluster.step import Plan

PROMPT = "Two machines are one when"
TOKENS = 16


def serve(session: Session, flags: vllm.Flags, *, detach: bool) -> vllm.Request:
    """Serve a model; without `detach` stay, show the log, and stop the server at Ctrl-C."""
    request = vllm.request(session.cluster, flags, str(ROOT))
    with _stopping(session, on_interrupt=not detach):
        session.perform(_steps(session, request))
        if session.dry:
            return request
        print(_ready(session, request), flush=True)
        if not detach:
            session.report.note("Ctrl-C stops the server; `--detach` leaves it running")
            logs.follow((session.runtime.trace(session.cluster.head.name, "serve"),))
            what = "the server has ended"
            head = session.cluster.head.name
            raise NodeError(
                Problem(place=head, what=what, remedy=f"next: `inv logs --node {head}`")
            )
    return request


def rehearse(session: Session, *, keep: bool) -> None:
    """Bring the cluster up, serve, answer a prompt, and take everything down again unless `keep`."""
    try:
        session.perform(plan.up(session.cluster, session.runtime))
        request = serve(session, vllm.Flags(), detach=True)
        heard = session.perform(
            (
                plan.complete(
                    session.cluster, request, session.runtime, prompt=PROMPT, tokens=TOKENS
                ),
            )
        )
        if not session.dry:
            print(f"{PROMPT}{question.completed(heard)}", flush=True)
    finally:
        if not keep:
            session.perform(plan.down(session.cluster, session.runtime))


def _steps(session: Session, request: vllm.Request) -> Plan:
    """Return the plan for a server; one that runs as asked is only waited for."""
    steps = plan.serve(session.cluster, request, session.runtime)
    running = (
        None
        if session.dry
        else processes.find(session.runtime.trace(session.cluster.head.name, "serve"))
    )
    if running is None:
        return steps
    start = plan.server(session.cluster, request, session.runtime)
    if running.environment.get(SPEC) == start.spec.digest:
        return plan.ready(session.cluster, request, session.runtime)
    return (start,)


def _ready(session: Session, request: vllm.Request) -> str:
    url = vllm.url(session.cluster, request)
    return f"{request.model} is ready at {url}/v1"


@contextmanager
def _stopping(session: Session, *, on_interrupt: bool) -> Iterator[None]:
    """Stop the server when the block fails, and when it is interrupted and that means stop."""

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    except NodeError:
        session.perform(plan.stop_server(session.cluster, session.runtime))
        raise
    except KeyboardInterrupt:
        if on_interrupt:
            session.perform(plan.stop_server(session.cluster, session.runtime))
        raise
    finally:
        signal.signal(signal.SIGTERM, before)
