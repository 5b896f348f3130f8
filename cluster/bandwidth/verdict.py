"""What a measurement is worth: what is wrong with it, what is slow, and the exit code."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from cluster.bandwidth import bandwidth, failures, transports
from cluster.bandwidth.answer import Answer, Row
from cluster.bandwidth.seat import Seat, seats
from cluster.errors import NodeError, Problem
from cluster.node import Cluster

SLOW = 1
"""The exit code of a cluster that works, but not well; `inv doctor` has the same."""


@dataclass(frozen=True, kw_only=True)
class Result:
    """What was measured, and what is to be said of it."""

    cluster: str
    seats: tuple[Seat, ...]
    answers: Mapping[int, Answer]
    """Of the ranks that answered."""
    rows: tuple[Row, ...] = ()
    link: float | None = None
    """GB/s that the link can carry, by its slowest end; None when nobody tells."""
    mark: float | None = None
    """NVIDIA's pass mark for all_gather on the bus, in GB/s; None where it does not apply."""
    enough: float = 0.0
    """GB/s that are enough with buffers of this size; 0 when there is no mark for it."""
    failures: tuple[Problem, ...] = ()
    slow: tuple[Problem, ...] = ()

    @property
    def gathered(self) -> float:
        """GB/s on the bus of all_gather at the largest size."""
        return bandwidth.gathered(self.rows)

    @property
    def exit_code(self) -> int:
        """0, or 1 when it is slow, or 4 when it is not as it should be."""
        return NodeError.exit_code if self.failures else SLOW if self.slow else 0


def result(cluster: Cluster, said: Mapping[int, failures.Heard]) -> Result:
    """Judge what the ranks said."""
    its = seats(cluster)
    answers = {rank: heard.answer for rank, heard in said.items() if heard.answer}
    broken = tuple(failures.failures(cluster, its, said))
    if broken:
        return Result(cluster=cluster.name, seats=its, answers=answers, failures=broken)
    rows = bandwidth.slowest(answers.values())
    mark = bandwidth.mark(cluster, answers)
    enough = bandwidth.enough(mark or 0.0, max((row.size for row in rows), default=0))
    return Result(
        cluster=cluster.name,
        seats=its,
        answers=answers,
        rows=rows,
        link=_link(answers),
        mark=mark,
        enough=enough,
        failures=transports.failures(cluster, its, answers),
        slow=tuple(_slow(cluster, its, answers, bandwidth.gathered(rows), enough)),
    )


def _link(answers: Mapping[int, Answer]) -> float | None:
    """Return what the slowest end can carry; None when one of them does not tell."""
    links = [bandwidth.link(its) for its in answers.values()]
    known = [its for its in links if its is not None]
    return min(known) if len(known) == len(links) else None


def _slow(
    cluster: Cluster,
    its: tuple[Seat, ...],
    answers: Mapping[int, Answer],
    gathered: float,
    enough: float,
) -> Iterator[Problem]:
    """Yield that the mark is missed, and the nodes that use one twin of a port, if any."""
    if gathered >= enough:
        return
    idle = tuple(transports.idle_twins(cluster, its, answers))
    message = f"all_gather moves {gathered:.1f} GB/s, and should move {enough:.1f} GB/s"
    places = ", ".join(dict.fromkeys(seat.node.name for seat in its))
    remedy = "use the idle twin of the port first" if idle else cluster.inv("doctor")
    yield Problem(place=places, message=message, remedy=remedy)
    yield from idle
