"""The verbs that look at machines: parse, call, print."""

from invoke import Context, task

from cluster.effects.verb import after_dashes, session, verb
from cluster.options import CLUSTER, DOCTOR, JSON, NCCL, PROBE


@task(help=CLUSTER | JSON | PROBE)
@verb
def probe(
    c: Context,
    write: bool = False,
    check: bool = False,
    cluster: str = "default",
    json: bool = False,
) -> int:
    """Describe the machines after `--` in env files; without any, the nodes there are."""
    from cluster.effects.diagnosis import probing

    return probing.probe(
        cluster, after_dashes(), write=write, check=check, json=json, dry=c.config.run.dry
    )


@task(help=CLUSTER | JSON | DOCTOR)
@verb
def doctor(
    c: Context,
    explain: str = "",
    fast: bool = False,
    cluster: str = "default",
    json: bool = False,
) -> int:
    """Say why the cluster will not work, or not well, and what to do about it."""
    if explain:
        from cluster.doctor import pages

        print(pages.explained(explain), end="")
        return 0
    from cluster.effects.diagnosis import examining

    return examining.doctor(session(c, cluster), fast=fast, json=json)


@task(help=CLUSTER | JSON | NCCL)
@verb
def nccl(c: Context, largest: str = "256m", cluster: str = "default", json: bool = False) -> int:
    """Measure how fast the nodes are together, and which way NCCL takes."""
    from cluster.effects.diagnosis import measuring

    return measuring.nccl(session(c, cluster), largest=largest, json=json)
