"""`inv nccl`: runs a rank for each GPU inside the nodes, all at once, and prints what they say."""

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from cluster.bandwidth.seat import LATE_SECONDS, PORTS, Seat, arguments, seats, title
from cluster.bandwidth.sizes import sizes
from cluster.errors import NodeError, Problem, RefusedError
from cluster.machine.terminal import show
from cluster.plan import questions
from cluster.plan.steps import Inside
from cluster.session import Session

if TYPE_CHECKING:
    from cluster.bandwidth.failures import Heard


def nccl(session: Session, *, largest: str, json: bool) -> int:
    """Print what the nodes move between them, or the commands in a dry run; return the exit code.

    `largest` is the size of the largest buffer, as `256m`.
    """
    wanted, its = sizes(largest), _seats(session)
    if session.dry:
        show(_by_hand(session, its, wanted))
        return 0
    # What a dry run does without is not waited for.
    from cluster.bandwidth import pages
    from cluster.bandwidth.verdict import result

    _refuse_stopped(session)
    with session.report.step(session.cluster.name, "Measure between the nodes"):
        port = _free_port(session)
        asks = tuple(_ask(session, seat, wanted, port) for seat in its)
        with ThreadPoolExecutor(max_workers=len(asks)) as pool:
            said = dict(enumerate(pool.map(lambda ask: _heard(session, ask), asks)))
    found = result(session.cluster, said)
    show((pages.as_json if json else pages.text)(found))
    return found.exit_code


def _by_hand(session: Session, its: tuple[Seat, ...], wanted: tuple[int, ...]) -> str:
    """Return the command of each rank, under a comment that says where and what."""
    asks = (_ask(session, seat, wanted, PORTS[0]) for seat in its)
    return "\n".join(
        f"# {ask.place}: {title(seat, len(its))}\n{ask.text}\n"
        for seat, ask in zip(its, asks, strict=True)
    )


def _seats(session: Session) -> tuple[Seat, ...]:
    its = seats(session.cluster)
    if len(its) == 1:
        message, remedy = "has one GPU: there is nothing to measure between", "add a node"
        raise RefusedError(Problem(place=session.cluster.name, message=message, remedy=remedy))
    return its


def _refuse_stopped(session: Session) -> None:
    """Raise for the nodes that do not run."""
    cluster = session.cluster
    stopped = tuple(
        Problem(place=node.name, message="is not running", remedy=cluster.inv("up"))
        for node in cluster.nodes
        if session.services.find(session.runtime.trace(node.name, "ray")) is None
    )
    if stopped:
        raise RefusedError(*stopped)


def _free_port(session: Session) -> int:
    """Return a port at which rank 0 can listen on the head."""
    cluster, runtime, message = session.cluster, session.runtime, ""
    for port in PORTS:
        asked = questions.free(cluster, str(cluster.head.host_ip), port)
        ask = runtime.inside(cluster, cluster.head, (*runtime.probe, *asked.argv))
        problems = asked.problems(session.services.ask(ask).output)
        if not problems:
            return port
        message = problems[0].message
    remedy = f"free one of the ports from {PORTS[0]} to {PORTS[-1]} there"
    raise NodeError(Problem(place=cluster.head.name, message=message, remedy=remedy))


def _ask(session: Session, seat: Seat, wanted: tuple[int, ...], port: int) -> Inside:
    """Return the command of a rank."""
    cluster, runtime = session.cluster, session.runtime
    argv = (*runtime.bandwidth, *arguments(cluster, seat, wanted, port))
    return runtime.inside(cluster, seat.node, argv)


def _heard(session: Session, ask: Inside) -> "Heard":
    """Run a rank to its end."""
    from cluster.bandwidth.answer import answer
    from cluster.bandwidth.failures import Heard

    try:
        done = session.services.ask(ask, LATE_SECONDS)
    except NodeError as error:
        return Heard(answer=None, error=str(error), code=error.exit_code)
    return Heard(answer=answer(done.output), error=done.error, code=done.code)
