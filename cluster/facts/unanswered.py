"""The problem of a machine that gave no answer."""

from cluster.errors import Problem
from cluster.host import Host, ssh_problem


def unanswered(host: Host, text: str) -> Problem:
    """Return the problem that ssh or the machine's shell printed; unknown words as they are."""
    if problem := ssh_problem(host, text):
        return problem
    last = text.strip().rpartition("\n")[2]
    if last:
        remedy = f"`ssh {host.ssh_host}` may show more" if host.ssh_host else ""
        return Problem(place=host.name, message=f"no answer: {last}", remedy=remedy)
    if not host.ssh_host:
        return Problem(place=host.name, message="no answer")
    remedy = f"try: `ssh {host.ssh_host} true`"
    return Problem(place=host.name, message="no answer over SSH", remedy=remedy)
