"""The server's life: start it and wait, follow it, stop it; and the rehearsal around it."""

from collections.abc import Callable

from cluster.commands import vllm
from cluster.errors import NodeError, Problem
from cluster.logs import logs
from cluster.machine.places import ROOT
from cluster.machine.terminal import show
from cluster.plan import plans, questions, services
from cluster.serve import ready
from cluster.session import Session
from cluster.start import start

Form = Callable[[ready.Endpoint], str]
PROMPT = "Two machines"
"""The tiny model has learned the rest of this sentence (docker/tiny_model.py)."""
TOKENS = 32


def serve(
    session: Session, options: vllm.ServeOptions, *, detach: bool, form: Form = ready.text
) -> vllm.ServeRequest:
    """Serve a model; without `detach` stay, show the log, and stop the server at the end."""
    request = vllm.request(session.cluster, options, ROOT)
    start.read_logs(session)
    session.equip()
    started = False
    try:
        with session.alone():
            started = _is_absent(session)
            _start(session, request, absent=started)
        _wait(session, request, form)
        if not (detach or session.dry):
            _stay(session)
    except BaseException as error:
        if started and not (detach and isinstance(error, KeyboardInterrupt)):
            failed = isinstance(error, NodeError)
            seconds = plans.FAILED_STOP_SECONDS if failed else plans.SERVER_STOP_SECONDS
            session.perform(plans.stop_server(session.cluster, session.runtime, seconds))
        raise
    return request


def rehearse(session: Session, *, keep: bool) -> None:
    """Start the cluster, serve, complete a prompt, and stop everything again unless `keep`.

    A cluster that was running before is left running.
    """
    request = vllm.request(session.cluster, vllm.ServeOptions(), ROOT)
    start.read_logs(session)
    session.equip()
    started = False
    try:
        with session.alone():
            started = not session.is_up()
            session.perform(plans.up(session.cluster, session.runtime))
        serve(session, vllm.ServeOptions(), detach=True, form=ready.text if keep else _nothing)
        _answer(session, request)
    finally:
        if started and not keep:
            start.down(session, server=False)
        elif not keep:
            remedy = f"stop it with: {session.cluster.inv('down')}"
            message = f"already running before the rehearsal, left running ({remedy})"
            session.report.note(f"{session.cluster.name}: {message}")


def _wait(session: Session, request: vllm.ServeRequest, form: Form) -> None:
    """Wait until the server answers, and print where it is."""
    session.perform(plans.ready(session.cluster, request, session.runtime))
    if not session.dry:
        show(form(ready.endpoint(session.cluster, request, session.runtime)))


def _answer(session: Session, request: vllm.ServeRequest) -> None:
    """Ask for the rest of a sentence, and print it."""
    cluster = session.cluster
    step = plans.complete(cluster, request, session.runtime, prompt=PROMPT, tokens=TOKENS)
    for answer in session.perform((step,)):  # none in a dry run
        show(ready.completion(cluster, PROMPT, questions.completed(answer.output)))


def _nothing(_endpoint: ready.Endpoint) -> str:
    """Print nothing about a server that is about to be stopped."""
    return ""


def _is_absent(session: Session) -> bool:
    """Whether no server is running, so that this run starts it, and stops it in the end."""
    handle = session.runtime.handle(session.cluster.head.name, "serve")
    return session.dry or services.find(handle) is None


def _start(session: Session, request: vllm.ServeRequest, *, absent: bool) -> None:
    """Start the server; one that is running is only compared with the request."""
    step = plans.server(session.cluster, request, session.runtime)
    plan = plans.serve(session.cluster, request, session.runtime)
    session.perform(plan if absent else (step,))


def _stay(session: Session) -> None:
    """Show the log until the server ends."""
    head = session.cluster.head.name
    session.report.note("Ctrl-C stops the server; `--detach` leaves it running")
    logs.follow((session.runtime.handle(head, "serve"),))
    remedy = f"next: {session.cluster.inv('logs', '--node', head)}"
    raise NodeError(Problem(place=head, message="the server has ended", remedy=remedy))
