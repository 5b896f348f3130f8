"""What went wrong on the ranks: no measurement, wrong data, the wrong transport."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from cluster.bandwidth.rank_answer import RankAnswer, RdmaDevice
from cluster.bandwidth.ranks import Rank, readable_size
from cluster.errors import Problem
from cluster.node import Cluster
from cluster.node_context import NodeContext

TIMED_OUT = 124
"""The exit code of a command that was ended because its time was over (coreutils, timeout)."""
NO_PROGRAM = "nccl.py': [Errno 2]"
"""Python's message for a program that does not exist."""
NO_INTERFACE = ("no socket interface found", "Unable to find address for:")
"""NCCL's message (bootstrap.cc), and gloo's."""
NO_NETWORK = "Failed to initialize any NET plugin"
"""NCCL's message (plugin/net.cc) when the network named by NCCL_NET is not available."""
SHARED_GPU = "Duplicate GPU detected"
NO_MEMORY = "out of memory"
UNREACHABLE = "cannot reach rank 0:"
SOURCE = re.compile(r"\[\S+:\d+\] ")
"""A place in a program, in front of gloo's messages."""
NOISE = ("[W", "[E", "frame #", "Exception raised from")
"""The first words of lines of PyTorch's own log."""
NCCL = "nccl"
FORCING = {"NCCL_IB_DISABLE": "1", "NCCL_NET": "Socket"}
"""Variables that keep NCCL from RDMA."""


@dataclass(frozen=True, kw_only=True)
class RankResult:
    """What came back from a rank."""

    answer: RankAnswer | None
    error: str = ""
    """Its standard error, or why it could not be run."""
    code: int = 0


Results = Mapping[int, RankResult]
"""By the number of the rank."""
Answers = Mapping[int, RankAnswer]


def failures(cluster: Cluster, ranks: tuple[Rank, ...], results: Results) -> Iterator[Problem]:
    """Yield the first causes of a missing measurement, not what followed from them."""
    silent = [rank for rank in ranks if results[rank.number].answer is None]
    if silent:
        yield from (_no_answer(cluster, rank, results[rank.number]) for rank in silent)
        return
    answers = {number: result.answer for number, result in results.items() if result.answer}
    failed = [rank for rank in ranks if answers[rank.number].error]
    first = [rank for rank in failed if not _is_consequence(answers[rank.number], answers)]
    for rank in first or failed:
        yield _failure(NodeContext(cluster=cluster, node=rank.node), rank, answers[rank.number])


def _is_consequence(answer: RankAnswer, answers: Answers) -> bool:
    """Whether a rank failed only because others did, which report their own errors."""
    missing = [answers[number].error for number in answer.missing]
    return answer.failed_after_peer or (bool(missing) and all(missing))


def _no_answer(cluster: Cluster, rank: Rank, result: RankResult) -> Problem:
    context = NodeContext(cluster=cluster, node=rank.node)
    if NO_PROGRAM in result.error:
        return context.problem(f"{cluster.image} is older than `inv nccl`", context.new_image)
    lines = [line for line in result.error.splitlines() if line and not line.startswith(NOISE)]
    last = f": {lines[-1]}" if lines else ""
    end = "timed out" if result.code == TIMED_OUT else f"ended with code {result.code}"
    message = f"rank {rank.number} {end} without an answer{last}"
    return context.problem(message, cluster.inv("doctor"))


def _failure(context: NodeContext, rank: Rank, answer: RankAnswer) -> Problem:
    error = SOURCE.sub("", answer.error, count=1).partition(". ")[0]
    message = f"rank {rank.number} failed at `{answer.stage}`: {error}"
    return context.problem(message, _failure_remedy(context, answer))


def _failure_remedy(context: NodeContext, answer: RankAnswer) -> str:
    """Return the remedy for a known error message; `inv doctor` for all others."""
    doctor = context.cluster.inv("doctor")
    if any(words in answer.error for words in NO_INTERFACE):
        return f"correct ETH_IF in {context.node_file}; {doctor} shows the node's interfaces"
    if NO_NETWORK in answer.error and answer.log.no_device:
        return f"NCCL found no usable RDMA device in IB_IF: {doctor}"
    if SHARED_GPU in answer.error:
        return f"correct GPUS in {context.node_file}: each GPU runs one rank"
    if NO_MEMORY in answer.error:
        return f"{context.cluster.inv('nccl', '--largest', '8m')}, or stop what uses the memory"
    if answer.missing or answer.error.startswith(UNREACHABLE):
        return f"firewall or wrong address: {doctor}"
    return doctor


def wrong_data(cluster: Cluster, ranks: tuple[Rank, ...], answers: Answers) -> Iterator[Problem]:
    """Yield the measurements whose buffer held wrong data."""
    for rank in ranks:
        for row in answers[rank.number].measurements:
            if not row.right:
                message = f"{row.operation} of {readable_size(row.size)} returned wrong data"
                remedy = "try another cable, then NVIDIA's nccl-tests"
                yield NodeContext(cluster=cluster, node=rank.node).problem(message, remedy)


def sockets(cluster: Cluster, ranks: tuple[Rank, ...], answers: Answers) -> Iterator[Problem]:
    """Yield the ranks that leave their node over sockets although it has RDMA."""
    for rank in ranks:
        answer = answers[rank.number]
        active = [device for device in answer.rdma if device.active]
        suspect = answer.log.uses_sockets or answer.log.lacks_transport
        if answer.backend == NCCL and suspect and (active or rank.node.ib_if):
            context = NodeContext(cluster=cluster, node=rank.node)
            message = f"rank {rank.number} {_transport(answer)}, but {_rdma(rank, active)}"
            yield context.problem(message, _sockets_remedy(context, active))


def _transport(answer: RankAnswer) -> str:
    log = answer.log
    if log.lacks_transport:
        return "has no transport in its NCCL log"
    return f"uses TCP sockets on {' and '.join(log.carriers or log.socket_interfaces)}"


def _rdma(rank: Rank, active: list[RdmaDevice]) -> str:
    if active:
        return f"the node has active RDMA devices: {', '.join(device.name for device in active)}"
    return f"IB_IF is {','.join(rank.node.ib_if)}"


def _sockets_remedy(context: NodeContext, active: list[RdmaDevice]) -> str:
    """Name the variables that keep NCCL from RDMA; its log does not mention NCCL_NET."""
    variables = dict((*context.cluster.variables, *context.node.variables))
    forcing = [name for name, value in FORCING.items() if variables.get(name) == value]
    if forcing:
        return f"remove {' and '.join(forcing)} from the env files, then {_restart(context)}"
    if not context.node.ib_if:
        return _set_ib_if(context, [twin.name for twin in active if twin.port == active[0].port])
    return context.cluster.inv("doctor")


def idle_twins(cluster: Cluster, ranks: tuple[Rank, ...], answers: Answers) -> Iterator[Problem]:
    """Yield the nodes that use one twin of a port while the other is active as well."""
    for rank in ranks:
        rdma, carriers = answers[rank.number].rdma, answers[rank.number].log.carriers
        ports = {device.port for device in rdma if device.name in carriers}
        idle = (device for device in rdma if device.active and device.name not in carriers)
        twins = tuple(device.name for device in idle if device.port in ports)
        if twins:
            context = NodeContext(cluster=cluster, node=rank.node)
            names = ", ".join(twins)
            message = f"rank {rank.number} leaves {names} idle, the other twin of its port"
            yield context.problem(message, _twins_remedy(context, (*carriers, *twins)))


def _twins_remedy(context: NodeContext, devices: tuple[str, ...]) -> str:
    """Return how NCCL gets all devices; if IB_IF has them already, the reason is elsewhere."""
    if set(devices) <= set(context.node.ib_if):
        return context.cluster.inv("doctor")
    return _set_ib_if(context, devices)


def _set_ib_if(context: NodeContext, devices: Iterable[str]) -> str:
    return f"set IB_IF={','.join(devices)} in {context.node_file}, then {_restart(context)}"


def _restart(context: NodeContext) -> str:
    """Return the commands that apply new settings to a running cluster."""
    return f"{context.cluster.inv('down')} and {context.cluster.inv('up')}"
