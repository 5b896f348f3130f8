"""The server's life: start it and wait, follow it, stop it; and the rehearsal around it."""

from collections.abc import Callable

from cluster.commands import vllm
from cluster.errors import NodeError, Problem
from cluster.logs import logs
from cluster.machine.places import ROOT
from cluster.machine.terminal import show
from cluster.plan import plans, questions
from cluster.serve import ready
from cluster.session import Session

Form = Callable[[ready.Endpoint], str]
PROMPT = "Two machines"
"""The tiny model has learned how this goes on (docker/tiny_model.py)."""
TOKENS = 32


def serve(
    session: Session, options: vllm.ServeOptions, *, detach: bool, form: Form = ready.text
) -> vllm.ServeRequest:
    """Serve a model; without `detach` stay, show the log, and stop the server at the end."""
    request = vllm.request(session.cluster, options, ROOT)
    session.equip()
    ours = False
    try:
        with session.alone():
            ours = _absent(session)
            _start(session, request, absent=ours)
        _wait(session, request, form)
        if not (detach or session.dry):
            _stay(session)
    except BaseException as error:
        if ours and not (detach and isinstance(error, KeyboardInterrupt)):
            failed = isinstance(error, NodeError)
            seconds = plans.FAILED_STOP_SECONDS if failed else plans.SERVER_STOP_SECONDS
            session.perform(plans.stop_server(session.cluster, session.runtime, seconds))
        raise
    return request


def rehearse(session: Session, *, keep: bool) -> None:
    """Bring the cluster up, serve, complete a prompt, and take all down again unless `keep`.

    A cluster that was up before stays up.
    """
    request = vllm.request(session.cluster, vllm.ServeOptions(), ROOT)
    session.equip()
    ours = False
    try:
        with session.alone():
            ours = not session.alive()
            session.perform(plans.up(session.cluster, session.runtime))
        serve(session, vllm.ServeOptions(), detach=True, form=ready.text if keep else _silent)
        _answer(session, request)
    finally:
        if ours and not keep:
            down(session)
        elif not keep:
            message = f"was up before, and stays up: {session.cluster.inv('down')} ends it"
            session.report.note(f"{session.cluster.name}: {message}")


def down(session: Session) -> None:
    """Stop everything of the cluster."""
    with session.alone():
        session.perform(plans.down(session.cluster, session.runtime))


def _wait(session: Session, request: vllm.ServeRequest, form: Form) -> None:
    """Wait until the server answers, and tell where it is."""
    session.perform(plans.ready(session.cluster, request, session.runtime))
    if not session.dry:
        found = ready.endpoint(session.cluster, request, session.runtime)
        show(form(found))


def _answer(session: Session, request: vllm.ServeRequest) -> None:
    """Ask for the rest of a sentence, and tell it."""
    cluster = session.cluster
    asked = plans.complete(cluster, request, session.runtime, prompt=PROMPT, tokens=TOKENS)
    heard = session.perform((asked,))
    if not session.dry:
        show(ready.completion(cluster, PROMPT, questions.completed(heard)))


def _silent(_found: ready.Endpoint) -> str:
    """Tell nothing of a server that is about to be taken down."""
    return ""


def _absent(session: Session) -> bool:
    """Tell whether no server runs, so that this run is the one to start it, and to stop it."""
    trace = session.runtime.trace(session.cluster.head.name, "serve")
    return session.dry or session.services.find(trace) is None


def _start(session: Session, request: vllm.ServeRequest, *, absent: bool) -> None:
    """Start the server; one that runs already is only compared with the request."""
    start = plans.server(session.cluster, request, session.runtime)
    steps = plans.serve(session.cluster, request, session.runtime)
    session.perform(steps if absent else (start,))


def _stay(session: Session) -> None:
    """Show the log until the server ends."""
    head = session.cluster.head.name
    session.report.note("Ctrl-C stops the server; `--detach` leaves it running")
    logs.follow(session.services, (session.runtime.trace(head, "serve"),))
    message, logs_command = "the server has ended", session.cluster.inv("logs", "--node", head)
    raise NodeError(Problem(place=head, message=message, remedy=f"next: {logs_command}"))
