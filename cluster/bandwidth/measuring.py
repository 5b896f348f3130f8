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
        message = "has one GPU; a measurement needs two"
        raise RefusedError(Problem(cluster.name, message, "add a node"))
    if session.dry:
        show(script.text(_steps(session, sizes, PORTS[0])))
        return 0
    # A dry run does not wait for these imports.
    from cluster.bandwidth import measurement_report
    from cluster.bandwidth.verdict import verdict

    session.refuse_stopped(cluster.nodes)
    with session.report.step(cluster.name, "Measure between the nodes"):
        results = side_by_side(_result, _steps(session, sizes, _free_port(session)))
    judged = verdict(cluster, results)
    show((measurement_report.as_json if json else measurement_report.text)(judged))
    return judged.exit_code


def _free_port(session: Session) -> int:
    """Return a port at which rank 0 can listen on the head."""
    cluster, runtime, message = session.cluster, session.runtime, ""
    for port in PORTS:
        free = questions.free(cluster, str(cluster.head.host_ip), port)
        command = runtime.run_inside(cluster.head, (*runtime.probe, *free.argv))
        if not (problems := free.problems(services.ask(command).output)):
            return port
        message = problems[0].message
    remedy = f"free one of the ports from {PORTS[0]} to {PORTS[-1]} there"
    raise NodeError(Problem(cluster.head.name, message, remedy))


def _steps(session: Session, sizes: tuple[int, ...], port: int) -> tuple[RunRank, ...]:
    """Return the commands of all ranks, in order."""
    steps, runtime = list[RunRank](), session.runtime
    for rank in ranks.ranks(session.cluster):
        argv = (*runtime.rank_program, *ranks.arguments(rank, sizes, port))
        command = runtime.run_inside(rank.node, argv)
        steps.append(RunRank(title=ranks.title(rank), command=command))
    return tuple(steps)


def _result(step: RunRank) -> "RankResult":
    """Run a rank to its end; a node that cannot be reached is a result without an answer."""
    from cluster.bandwidth.rank_answer import rank_answer
    from cluster.bandwidth.rank_problems import RankResult

    try:
        done = services.ask(step.command, LIMIT_SECONDS)
    except NodeError as error:
        return RankResult(answer=None, error=str(error), code=error.exit_code)
    return RankResult(answer=rank_answer(done.output), error=done.error, code=done.code)
