"""Whether variables that were written by hand slow the cluster, or lead it astray."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from cluster.checks.alike import names
from cluster.checks.check import Check, Look, Patient
from cluster.checks.spark import computes
from cluster.errors import Problem

GLOO = "GLOO_SOCKET_IFNAME"
MARKS = "=^"
"""What NCCL's lists of interfaces begin with, and gloo's do not."""
OFF = ("", "0")
SLOW: dict[str, str] = {
    "NCCL_IB_DISABLE": "no RDMA, and IB_IF names RDMA devices",
    "NCCL_NET": "no RDMA, and IB_IF names RDMA devices",
    "NCCL_P2P_DISABLE": "GPUs of a node do not reach each other directly",
    "NCCL_SHM_DISABLE": "ranks of a node do not use shared memory",
    "NCCL_ALGO": "NCCL cannot choose the best algorithm for each size",
    "NCCL_PROTO": "NCCL cannot choose the best protocol for each size",
}
"""Variables for the search for a fault, and what they cost."""
SOCKETS = ("NCCL_IB_DISABLE", "NCCL_NET")
"""Those that are right on a node without RDMA."""


@dataclass(frozen=True, kw_only=True)
class Written:
    """A variable that somebody wrote into an env file."""

    name: str
    value: str
    """A secret as its mask."""
    file: str


Fault = Callable[[Patient, Written], str]
"""What is wrong with a variable on a node; nothing when it is well."""


def _debugging(patient: Patient, its: Written) -> str:
    if its.name not in SLOW or its.value in OFF or not computes(patient):
        return ""
    if its.name in SOCKETS and not patient.node.ib_if:
        return ""
    if its.name == "NCCL_NET" and its.value.casefold() != "socket":
        return ""
    return f"{its.name}={its.value} is for the search for a fault: {SLOW[its.name]}"


def _gloo(patient: Patient, its: Written) -> str:
    if its.name != GLOO or not its.value or patient.cluster.runtime == "process":
        return ""
    if any(mark in its.value for mark in MARKS):
        return f"{GLOO}={its.value} has NCCL's `=` or `^`, which gloo takes for part of a name"
    links = patient.facts.links
    unknown = ", ".join(name for name in its.value.split(",") if not links.named(name))
    if not unknown or links.error:
        return ""
    return f"{GLOO}={its.value} names no interface of this node: {unknown}"


def _each(fault: Fault) -> Look:
    """Turn what can be wrong with a variable into a look: what one line does to all, said once."""

    def look(patients: tuple[Patient, ...]) -> Iterator[Problem]:
        found = tuple(
            (its, line.file, words)
            for its in patients
            for line in _written(its)
            if (words := fault(its, line))
        )
        for file, message in dict.fromkeys((file, words) for _, file, words in found):
            where = tuple(its for its, *line in found if line == [file, message])
            yield Problem(place=names(where), message=message, remedy=f"take it out of {file}")

    return look


def _written(patient: Patient) -> Iterator[Written]:
    """Yield what somebody wrote for a node; its own file wins."""
    own = dict(patient.node.variables)
    for name, value in (dict(patient.cluster.variables) | own).items():
        file = patient.node_file if name in own else patient.cluster_file
        yield Written(name=name, value=str(value), file=file)


VARIABLES: tuple[Check, ...] = (
    Check(
        name="debugging",
        severity="slow",
        title="No variable is left from the search for a fault",
        looks_at=f"{', '.join(SLOW)} in the env files",
        why="They switch off what is fast, and nothing says so later. NVIDIA advises not to keep "
        "them.",
        remedy="Take them out of the env files.",
        source="NCCL's user guide, environment variables, debug",
        look=_each(_debugging),
    ),
    Check(
        name="gloo",
        severity="blocks",
        title="gloo is told interfaces that the node has",
        looks_at=f"{GLOO} in the env files, and `ip address`",
        why="PyTorch's CPU collectives end at once when the name is none of the node's. Names may "
        "differ between nodes, and have no marks as NCCL's do.",
        remedy="Leave the variable out: it is ETH_IF then.",
        source="torch.distributed, GLOO_SOCKET_IFNAME; vLLM pull request 40991",
        look=_each(_gloo),
    ),
)
