"""Why ranks did not measure: the first causes, with what to do, and not what followed from them."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from cluster.bandwidth.answer import Answer
from cluster.bandwidth.seat import Seat
from cluster.errors import Problem
from cluster.node import Cluster
from cluster.node_context import NodeContext

LATE = 124
"""The exit code of a command that was ended because its time was over (coreutils, timeout)."""
OLD_IMAGE = "nccl.py': [Errno 2]"
"""Python's words for a program that is not there."""
NO_INTERFACE = ("no socket interface found", "Unable to find address for:")
"""NCCL's words (bootstrap.cc), and gloo's."""
NO_NETWORK = "Failed to initialize any NET plugin"
"""NCCL's words (plugin/net.cc) when NCCL_NET names a network that it cannot have."""
ONE_GPU = "Duplicate GPU detected"
NO_MEMORY = "out of memory"
SOURCE = re.compile(r"\[\S+:\d+\] ")
"""A place in a program, in front of gloo's messages."""
NOISE = ("[W", "[E", "frame #", "Exception raised from")
"""How what PyTorch's own log says begins."""
NO_WAY = ("cannot reach rank 0:", "no word from rank")


@dataclass(frozen=True, kw_only=True)
class Heard:
    """What came back from a rank."""

    answer: Answer | None
    error: str = ""
    """The text of its standard error, or why it could not be run."""
    code: int = 0


Said = Mapping[int, Heard]


def failures(cluster: Cluster, seats: tuple[Seat, ...], said: Said) -> Iterator[Problem]:
    """Yield why there is no measurement; nothing when every rank has one."""
    silent = tuple(seat for seat in seats if said[seat.rank].answer is None)
    failed = tuple((seat, its) for seat in seats if (its := said[seat.rank].answer) and its.error)
    first = tuple((seat, its) for seat, its in failed if not (its.follows or _explained(its, said)))
    if silent:
        yield from (_silent(cluster, seat, said[seat.rank]) for seat in silent)
    else:
        yield from (_problem(cluster, seat, its) for seat, its in first or failed)


def _explained(answer: Answer, said: Said) -> bool:
    """Tell whether the ranks that did not come say themselves why."""
    others = [said[rank].answer for rank in answer.missing]
    return bool(others) and all(its and its.error for its in others)


def _silent(cluster: Cluster, seat: Seat, heard: Heard) -> Problem:
    site = NodeContext(cluster=cluster, node=seat.node)
    if OLD_IMAGE in heard.error:
        return site.problem(f"{cluster.image} is older than `inv nccl`", site.new_image)
    lines = [line for line in heard.error.splitlines() if line and not line.startswith(NOISE)]
    last = f": {lines[-1]}" if lines else ""
    message = "did not end" if heard.code == LATE else f"ended with code {heard.code}"
    return site.problem(f"rank {seat.rank} {message} and gave no answer{last}", _doctor(cluster))


def _problem(cluster: Cluster, seat: Seat, answer: Answer) -> Problem:
    site = NodeContext(cluster=cluster, node=seat.node)
    error = SOURCE.sub("", answer.error, count=1).partition(". ")[0]
    message = f"rank {seat.rank} failed at `{answer.during}`: {error}"
    return site.problem(message, _remedy(site, answer))


def _remedy(site: NodeContext, answer: Answer) -> str:
    """Say what to do about an error whose words are known; `inv doctor` looks for the others."""
    doctor = _doctor(site.cluster)
    if any(words in answer.error for words in NO_INTERFACE):
        return f"mend ETH_IF in {site.node_file}; {doctor} says what the node has"
    if NO_NETWORK in answer.error and answer.transport.no_device:
        return f"NCCL finds no RDMA device of IB_IF that it may use: {doctor}"
    if ONE_GPU in answer.error:
        return f"mend GPUS in {site.node_file}: a GPU takes one rank"
    if NO_MEMORY in answer.error:
        smaller = site.cluster.inv("nccl", "--largest", "8m")
        return f"{smaller}, or stop what uses the memory"
    if answer.error.startswith(NO_WAY):
        return f"a firewall, or a wrong address: {doctor}"
    return doctor


def _doctor(cluster: Cluster) -> str:
    return cluster.inv("doctor")
