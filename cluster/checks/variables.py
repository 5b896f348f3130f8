"""Whether variables in the env files slow the cluster down, or stop it."""

from collections.abc import Callable, Iterator
from functools import wraps

from cluster.checks.check import Reports, Rule, check
from cluster.checks.node_report import NodeReport, is_machine, node_names, uses_gpus
from cluster.errors import Problem

GLOO = "GLOO_SOCKET_IFNAME"
MARKS = "=^"
"""What NCCL's lists of interfaces begin with, and gloo's do not."""
OFF = ("", "0")
COSTS: dict[str, str] = {
    "NCCL_IB_DISABLE": "no RDMA, although IB_IF names RDMA devices",
    "NCCL_NET": "no RDMA, although IB_IF names RDMA devices",
    "NCCL_P2P_DISABLE": "GPUs of a node do not reach each other directly",
    "NCCL_SHM_DISABLE": "ranks of a node do not use shared memory",
    "NCCL_ALGO": "NCCL cannot choose the best algorithm for each size",
    "NCCL_PROTO": "NCCL cannot choose the best protocol for each size",
}
"""Variables for debugging, and what they cost."""
SOCKETS = ("NCCL_IB_DISABLE", "NCCL_NET")
"""Those that are right on a node without RDMA."""


Fault = Callable[[NodeReport, str, str], str]
"""What is wrong on a node with a variable, its name and its value; empty if nothing is."""


def _each_variable(fault_of: Fault) -> Rule:
    """Turn a fault of a variable into a rule: the same line of a file is one problem of all nodes.

    What nodes have in files of their own, which win, is a problem of each. Secrets are masked.
    """

    @wraps(fault_of)
    def rule(reports: Reports) -> Iterator[Problem]:
        faults: dict[tuple[str, str], list[NodeReport]] = {}
        for report in reports:
            node_variables = dict(report.node.variables)
            for name, value in (dict(report.cluster.variables) | node_variables).items():
                file = report.node_file if name in node_variables else report.cluster_file
                if message := fault_of(report, name, str(value)):
                    faults.setdefault((file, message), []).append(report)
        for (file, message), nodes in faults.items():
            yield Problem(place=node_names(nodes), message=message, remedy=f"remove it from {file}")

    return rule


@check("debugging", "slow", uses_gpus)
@_each_variable
def _debugging(report: NodeReport, name: str, value: str) -> str:
    """No variable is left over from debugging.

    Looks at: NCCL_IB_DISABLE, NCCL_NET, NCCL_P2P_DISABLE, NCCL_SHM_DISABLE, NCCL_ALGO, NCCL_PROTO
      in the env files
    Why: They switch off what is fast, and nothing shows it later. NVIDIA advises not to keep them.
    Do: Remove them from the env files.
    Known from: NCCL's user guide, environment variables, debug
    """
    is_harmless = (
        name not in COSTS
        or value in OFF
        or (name in SOCKETS and not report.node.ib_if)
        or (name == "NCCL_NET" and value.casefold() != "socket")
    )
    return "" if is_harmless else f"{name}={value} is for debugging: {COSTS[name]}"


@check("gloo", "blocks", is_machine)
@_each_variable
def _gloo(report: NodeReport, name: str, value: str) -> str:
    """gloo is given interfaces that the node has.

    Looks at: GLOO_SOCKET_IFNAME in the env files, and `ip address`
    Why: PyTorch's CPU collectives fail at once when the node has no interface of this name. Names
      may differ between nodes, and have no marks as NCCL's do.
    Do: Leave the variable out: it is ETH_IF then.
    Known from: torch.distributed, GLOO_SOCKET_IFNAME; vLLM pull request 40991
    """  # noqa: D403 (a program is written as it writes itself)
    if name != GLOO or not value:
        return ""
    if any(mark in value for mark in MARKS):
        return f"{GLOO}={value} has NCCL's `=` or `^`, which gloo takes for part of a name"
    links = report.facts.links
    unknown = ", ".join(interface for interface in value.split(",") if not links.named(interface))
    is_fine = links.error or not unknown
    return "" if is_fine else f"{GLOO}={value} names no interface of this node: {unknown}"


VARIABLES = (_debugging, _gloo)
