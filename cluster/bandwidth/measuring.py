"""`inv nccl`: runs one rank per GPU inside the nodes, all at once, and prints the verdict."""

from contextlib import nullcontext

from cluster.bandwidth import ranks
from cluster.bandwidth.ranks import LIMIT_SECONDS, PORTS
from cluster.errors import NodeError, Problem, RefusedError
from cluster.machine.terminal import show
from cluster.plan import questions, services
from cluster.plan.steps import Parallel, Plan, RunQuery
from cluster.session import Session

TITLE = "Measure between the nodes"


def nccl(session: Session, *, largest: str, json: bool) -> int:
    """Measure between the nodes, or print each rank's command in a dry run; return the exit code.

    `largest` is the size of the largest buffer, as in `256m`.
    """
    cluster, sizes = session.cluster, ranks.buffer_sizes(largest)
    if cluster.gpus == 1:
        message = "has one GPU; a measurement needs two"
        raise RefusedError(Problem(cluster.name, message, "add a node"))
    session.refuse_stopped(cluster.nodes)
    port = PORTS[0] if session.dry else _free_port(session)
    with nullcontext() if session.dry else session.report.step(cluster.name, TITLE):
        answers = session.perform(_plan(session, sizes, port))
    if session.dry:
        return 0
    # A dry run does not wait for these imports.
    from cluster.bandwidth import measurement_report
    from cluster.bandwidth.rank_answer import rank_answer
    from cluster.bandwidth.rank_problems import RankResult
    from cluster.bandwidth.verdict import verdict

    results = [
        RankResult(answer=rank_answer(answer.output), error=answer.error, code=answer.code)
        for answer in answers
    ]
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


def _plan(session: Session, sizes: tuple[int, ...], port: int) -> Plan:
    """Run all ranks side by side, each to its end; they are in order."""
    branches, runtime = list[Plan](), session.runtime
    for rank in ranks.ranks(session.cluster):
        argv = (*runtime.rank_program, *ranks.arguments(rank, sizes, port))
        query = runtime.run_inside(rank.node, argv)
        title = ranks.title(rank)
        step = RunQuery(title=title, query=query, seconds=LIMIT_SECONDS, keeps_errors=True)
        branches.append((step,))
    return (Parallel(branches=tuple(branches)),)
