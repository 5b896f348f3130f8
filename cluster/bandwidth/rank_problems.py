"""What went wrong on the ranks: no measurement, wrong data, the wrong transport."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from cluster.bandwidth.rank_answer import RankAnswer, RdmaDevice
from cluster.bandwidth.ranks import Rank, readable_size
from cluster.errors import Problem
from cluster.node import Cluster

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


Answers = Mapping[Rank, RankAnswer]


def failures(results: Mapping[Rank, RankResult]) -> Iterator[Problem]:
    """Yield the first causes of a missing measurement, not what followed from them."""
    if silent := [rank for rank, result in results.items() if result.answer is None]:
        yield from (_no_answer(rank, results[rank]) for rank in silent)
        return
    answers = [(rank, result.answer) for rank, result in results.items()]
    failed = [(rank, answer) for rank, answer in answers if answer and answer.error]
    numbers = {rank.number for rank, _ in failed}
    first = [(rank, answer) for rank, answer in failed if not _is_consequence(answer, numbers)]
    yield from (_failure(rank, answer) for rank, answer in first or failed)


def _is_consequence(answer: RankAnswer, failed: set[int]) -> bool:
    """Whether a rank failed only because others did, which report their own errors."""
    return answer.failed_after_peer or (bool(answer.missing) and failed.issuperset(answer.missing))


def _no_answer(rank: Rank, result: RankResult) -> Problem:
    if NO_PROGRAM in result.error:
        return rank.problem(f"{rank.cluster.image} is older than `inv nccl`", rank.new_image)
    lines = [line for line in result.error.splitlines() if line and not line.startswith(NOISE)]
    last = f": {lines[-1]}" if lines else ""
    end = "timed out" if result.code == TIMED_OUT else f"ended with code {result.code}"
    message = f"rank {rank.number} {end} without an answer{last}"
    return rank.problem(message, rank.cluster.inv("doctor"))


def _failure(rank: Rank, answer: RankAnswer) -> Problem:
    error = SOURCE.sub("", answer.error, count=1).partition(". ")[0]
    message = f"rank {rank.number} failed at `{answer.stage}`: {error}"
    return rank.problem(message, _failure_remedy(rank, answer))


def _failure_remedy(rank: Rank, answer: RankAnswer) -> str:
    """Return the remedy for a known error message; `inv doctor` for all others."""
    doctor = rank.cluster.inv("doctor")
    if any(words in answer.error for words in NO_INTERFACE):
        return f"correct ETH_IF in {rank.node_file}; {doctor} shows the node's interfaces"
    if NO_NETWORK in answer.error and answer.log.no_device:
        return f"NCCL found no usable RDMA device in IB_IF: {doctor}"
    if SHARED_GPU in answer.error:
        return f"correct GPUS in {rank.node_file}: each GPU runs one rank"
    if NO_MEMORY in answer.error:
        return f"{rank.cluster.inv('nccl', '--largest', '8m')}, or stop what uses the memory"
    if answer.missing or answer.error.startswith(UNREACHABLE):
        return f"firewall or wrong address: {doctor}"
    return doctor


def wrong_data(answers: Answers) -> Iterator[Problem]:
    """Yield the measurements whose buffer held wrong data."""
    for rank, answer in answers.items():
        for row in answer.measurements:
            if not row.right:
                message = f"{row.operation} of {readable_size(row.size)} returned wrong data"
                yield rank.problem(message, "try another cable, then NVIDIA's nccl-tests")


def sockets(answers: Answers) -> Iterator[Problem]:
    """Yield the ranks that leave their node over sockets although it has RDMA."""
    for rank, answer in answers.items():
        log, active = answer.log, [device for device in answer.rdma if device.active]
        suspect = log.uses_sockets or log.lacks_transport
        if answer.backend == NCCL and suspect and (active or rank.node.ib_if):
            transport = f"uses TCP sockets on {' and '.join(log.carriers or log.socket_interfaces)}"
            if log.lacks_transport:
                transport = "has no transport in its NCCL log"
            names = ", ".join(device.name for device in active)
            rdma = f"the node has active RDMA devices: {names}"
            rdma = rdma if active else f"IB_IF is {','.join(rank.node.ib_if)}"
            message = f"rank {rank.number} {transport}, but {rdma}"
            yield rank.problem(message, _sockets_remedy(rank, active))


def _sockets_remedy(rank: Rank, active: list[RdmaDevice]) -> str:
    """Name the variables that keep NCCL from RDMA; its log does not mention NCCL_NET."""
    variables = dict((*rank.cluster.variables, *rank.node.variables))
    forcing = [name for name, value in FORCING.items() if variables.get(name) == value]
    if forcing:
        return f"remove {' and '.join(forcing)} from the env files, then {_restart(rank.cluster)}"
    if not rank.node.ib_if:
        return _set_ib_if(rank, [twin.name for twin in active if twin.port == active[0].port])
    return rank.cluster.inv("doctor")


def idle_twins(answers: Answers) -> Iterator[Problem]:
    """Yield the nodes that use one twin of a port while the other is active as well."""
    for rank, answer in answers.items():
        carriers = answer.log.carriers
        ports = {device.port for device in answer.rdma if device.name in carriers}
        idle = (device for device in answer.rdma if device.active and device.name not in carriers)
        if twins := tuple(device.name for device in idle if device.port in ports):
            names, devices = ", ".join(twins), (*carriers, *twins)
            message = f"rank {rank.number} leaves {names} idle, the other twin of its port"
            # If IB_IF has all of them already, the reason is elsewhere.
            is_set = set(devices) <= set(rank.node.ib_if)
            yield rank.problem(
                message, rank.cluster.inv("doctor") if is_set else _set_ib_if(rank, devices)
            )


def _set_ib_if(rank: Rank, devices: Iterable[str]) -> str:
    return f"set IB_IF={','.join(devices)} in {rank.node_file}, then {_restart(rank.cluster)}"


def _restart(cluster: Cluster) -> str:
    return f"{cluster.inv('down')} and {cluster.inv('up')}"
