"""The verbs that start nodes: `inv up`, `inv head` and `inv worker`."""

from cluster.node import Node
from cluster.plan import plans
from cluster.plan.steps import Plan
from cluster.session import Session
from cluster.start import steps


def up(session: Session, *, preflight: bool) -> None:
    """Start all nodes."""
    checks = _checks(session, session.cluster.nodes, preflight=preflight)
    session.start(plans.up(session.cluster, session.runtime, checks))


def head(session: Session, *, preflight: bool) -> None:
    """Start the head."""
    checks = _checks(session, (session.cluster.head,), preflight=preflight)
    session.start(plans.head(session.cluster, session.runtime, checks))


def workers(session: Session, names: list[str], *, preflight: bool) -> None:
    """Start the workers with these names; all workers without names."""
    nodes = session.nodes(names, session.cluster.workers)
    checks = _checks(session, nodes, preflight=preflight)
    session.start(plans.workers(session.cluster, nodes, session.runtime, checks))


def down(session: Session, *, server: bool) -> None:
    """Stop everything of the cluster, or the server alone."""
    stop = plans.stop_server if server else plans.down
    with session.alone():
        session.perform(stop(session.cluster, session.runtime))


def read_logs(session: Session) -> None:
    """Make waits explain the logs of services; a dry run reads no logs."""
    if not session.dry:
        from cluster.logs.reader import FailureReader

        session.reader = FailureReader()


def _checks(session: Session, nodes: tuple[Node, ...], *, preflight: bool) -> Plan:
    read_logs(session)
    return steps.checks(session.cluster, nodes, session.runtime) if preflight else ()
