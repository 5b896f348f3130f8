"""The verbs that only look: parse, call, print."""

from invoke import Context, task

from cluster.effects.verb import after_dashes, session, verb
from cluster.options import CLUSTER, DOCTOR, JSON, LOGS, NCCL, NODE, PROBE


@task(help=CLUSTER | JSON | PROBE)
@verb
def probe(
    c: Context,
    cluster: str = "default",
    write: bool = False,
    check: bool = False,
    json: bool = False,
) -> int:
    """Propose env files from what machines say of themselves; their names go after `--`."""
    from cluster.effects.diagnosis import probing

    return probing.probe(
        cluster, after_dashes(), write=write, check=check, json=json, dry=c.config.run.dry
    )


@task(help=CLUSTER | NODE | JSON | DOCTOR, iterable=["node"], optional=["explain"])
@verb
def doctor(
    c: Context,
    node: list[str],
    cluster: str = "default",
    explain: str | bool = "",
    fast: bool = False,
    json: bool = False,
) -> int:
    """Say why the cluster will not work, or not well, and what to do about it."""
    if explain:
        from cluster.doctor import pages

        name = "" if explain is True else explain
        print((pages.explained_as_json if json else pages.explained)(name), end="")
        return 0
    from cluster.effects.diagnosis import examining

    return examining.doctor(session(c, cluster), node, fast=fast, json=json)


@task(help=CLUSTER | JSON | NCCL)
@verb
def nccl(c: Context, largest: str = "256m", cluster: str = "default", json: bool = False) -> int:
    """Measure how fast the nodes are together, and which way NCCL takes."""
    from cluster.effects.diagnosis import measuring

    return measuring.nccl(session(c, cluster), largest=largest, json=json)


@task(help=CLUSTER | JSON)
@verb
def status(c: Context, cluster: str = "default", json: bool = False) -> int:
    """Show nodes and server; the exit code is 0 only when all is well."""
    from cluster.effects.observe import observe
    from cluster.results import status

    run = session(c, cluster)
    found = status.status(run.cluster, observe(run.cluster, run.runtime, run.services))
    print((status.as_json if json else status.text)(found), end="")
    return 0 if found.healthy else 1


@task(help=CLUSTER | NODE | LOGS, iterable=["node"])
@verb
def logs(
    c: Context,
    node: list[str],
    cluster: str = "default",
    follow: bool = False,
    lines: str = "100",
    explain: bool = False,
    json: bool = False,
) -> int:
    """Show the logs of Ray and the server, each line with its node."""
    from cluster.effects import logs

    logs.refuse(follow=follow, explain=explain, json=json)
    run = session(c, cluster)
    if explain:
        return logs.explain(run.cluster, run.services, run.traces(node), as_json=json)
    (logs.follow if follow else logs.show)(run.services, run.traces(node), logs.count(lines))
    return 0
