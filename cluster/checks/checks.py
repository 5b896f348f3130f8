"""All checks, in the order in which a person would look."""

from collections.abc import Iterator

from cluster.checks.address_conflicts import ADDRESS_CONFLICTS
from cluster.checks.check import check, each
from cluster.checks.containers import CONTAINERS
from cluster.checks.disks import DISKS
from cluster.checks.gpus import GPUS
from cluster.checks.images import IMAGES
from cluster.checks.interfaces import INTERFACES
from cluster.checks.memory import MEMORY
from cluster.checks.node_report import NodeReport
from cluster.checks.ray_ports import RAY_PORTS
from cluster.checks.rdma import RDMA
from cluster.checks.reach import REACH
from cluster.checks.system import SYSTEM
from cluster.checks.twins import TWINS
from cluster.checks.variables import VARIABLES
from cluster.errors import Problem


@check("answer", "blocks")
@each
def silent_node(_report: NodeReport) -> Iterator[Problem]:
    """Every node answers.

    Looks at: `ssh SSH_HOST sh -s`, and its error message
    Why: A node without an SSH login cannot be started, and nothing is known about it.
    Do: Make `ssh SSH_HOST` work without a prompt: name, network, host key, key.
    Known from: ssh(1) and ssh_config(5), BatchMode
    """
    # Report nothing: a node that answered is fine, and of the others there is no report.
    return iter(())


@check("unreadable", "note")
@each
def unreadable_answer(report: NodeReport) -> Iterator[Problem]:
    """Every part of an answer can be read.

    Looks at: the answers to the question that `inv --dry doctor` prints
    Why: A part that could not be read counts as missing, so other findings may be wrong or missing.
    Do: A defect of this tool: report it with the part's answer, which that question gets.
    Known from: cluster/facts, where each question is next to the parser of its answer
    """
    if parts := report.facts.unreadable:
        message = f"parts of its answer could not be read: {', '.join(parts)}"
        dry = report.cluster.inv("--dry", "doctor")
        yield report.problem(message, f"a defect of this tool: {dry} prints the question")


CHECKS = (
    silent_node,
    unreadable_answer,
    *ADDRESS_CONFLICTS,
    *INTERFACES,
    *TWINS,
    *RDMA,
    *SYSTEM,
    *MEMORY,
    *CONTAINERS,
    *GPUS,
    *IMAGES,
    *DISKS,
    *REACH,
    *RAY_PORTS,
    *VARIABLES,
)
