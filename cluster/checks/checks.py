"""All checks, in the order in which a person would look."""

from collections.abc import Iterator

from cluster.checks.answers import ANSWERS
from cluster.checks.between import BETWEEN
from cluster.checks.check import Check, Patient
from cluster.checks.containers import CONTAINERS
from cluster.checks.links import LINKS
from cluster.checks.memory import MEMORY
from cluster.checks.rdma import RDMA
from cluster.checks.system import SYSTEM
from cluster.checks.variables import VARIABLES
from cluster.errors import Problem


def _look(_patients: tuple[Patient, ...]) -> Iterator[Problem]:
    """Find nothing: who answered is well, and of the others no patient is made."""
    return iter(())


ANSWER = Check(
    name="answer",
    severity="blocks",
    title="Every node can be asked",
    looks_at="`ssh SSH_HOST sh -s`, and what it says when it fails",
    why="Whoever does not let you in by SSH cannot be started, and nothing else is known of it.",
    remedy="Make `ssh SSH_HOST` work without a question: name, network, host key, key.",
    source="ssh(1) and ssh_config(5), BatchMode",
    look=_look,
)
CHECKS = (ANSWER, *ANSWERS, *LINKS, *RDMA, *SYSTEM, *MEMORY, *CONTAINERS, *BETWEEN, *VARIABLES)
