"""`inv nccl`: runs one rank per GPU inside the nodes, all at once, and prints the verdict."""

from typing import TYPE_CHECKING

from cluster.bandwidth import ranks
from cluster.bandwidth.ranks import LIMIT_SECONDS, PORTS, RunRank
from cluster.errors import NodeError, Problem, RefusedError
from cluster.machine.parallel import side_by_side
from cluster.machine.terminal import show
from cluster.plan import questions, script, services
from cluster.session import Session

if TYPE_CHECKING:
    from cluster.bandwidth.rank_problems import RankResult


def nccl(session: Session, *, largest: str, json: bool) -> int:
    """Measure between the nodes, or print each rank's command in a dry run; return the exit code.

    `largest` is the size of the largest buffer, as in `256m`.
    """
    cluster, sizes = session.cluster, ranks.buffer_sizes(largest)
    if cluster.gpus == 1:
        message, remedy = "has one GPU; a measurement needs two", "add a node"
        raise RefusedError(Problem(place=cluster.name, message=message, remedy=remedy))
    if session.dry:
        show(script.text(_steps(session, sizes, PORTS[0])))
        return 0
    # A dry run does not wait for these imports.
    from cluster.bandwidth import measurement_report
    from cluster.bandwidth.verdict import verdict

    session.refuse_stopped(cluster.nodes)
    with session.report.step(cluster.name, "Measure between the nodes"):
        steps = _steps(session, sizes, _free_port(session))
        results = side_by_side(_result, steps)
    judged = verdict(cluster, dict(enumerate(results)))
    show((measurement_report.as_json if json else measurement_report.text)(judged))
    return judged.exit_code


def _free_port(session: Session) -> int:
    """Return a port at which rank 0 can listen on the head."""
    cluster, runtime, message = session.cluster, session.runtime, ""
    for port in PORTS:
        free = questions.free(cluster, str(cluster.head.host_ip), port)
        command = runtime.run_inside(cluster.head, (*runtime.probe, *free.argv))
        problems = free.problems(services.ask(command).output)
        if not problems:
            return port
        message = problems[0].message
    remedy = f"free one of the ports from {PORTS[0]} to {PORTS[-1]} there"
    raise NodeError(Problem(place=cluster.head.name, message=message, remedy=remedy))


def _steps(session: Session, sizes: tuple[int, ...], port: int) -> tuple[RunRank, ...]:
    """Return the commands of all ranks, in order."""
    cluster, runtime = session.cluster, session.runtime
    return tuple(
        RunRank(
            title=ranks.title(rank, cluster.gpus),
            command=runtime.run_inside(
                rank.node,
                (*runtime.rank_program, *ranks.arguments(cluster, rank, sizes, port)),
            ),
        )
        for rank in ranks.ranks(cluster)
    )


def _result(step: RunRank) -> "RankResult":
    """Run a rank to its end; a node that cannot be reached is a result without an answer."""
    from cluster.bandwidth.rank_answer import rank_answer
    from cluster.bandwidth.rank_problems import RankResult

    try:
        done = services.ask(step.command, LIMIT_SECONDS)
    except NodeError as error:
        return RankResult(answer=None, error=str(error), code=error.exit_code)
    return RankResult(answer=rank_answer(done.output), error=done.error, code=done.code)
