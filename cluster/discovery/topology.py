"""How hosts are joined: by a cable, a switch, a ring, or by no fast link at all."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Literal

from cluster.discovery import questions, ring
from cluster.discovery.oddities import oddities
from cluster.discovery.remark import Remark, remark
from cluster.discovery.seat import Seat, Seats
from cluster.discovery.wiring import Chosen, Hosts, Spot, Wiring
from cluster.facts.ports import Port, ports

Kind = Literal["alone", "direct", "switch", "ring", "sockets", "undecided"]
PAIR = 2


@dataclass(frozen=True, kw_only=True)
class Topology:
    """What joins the hosts, and the seat of each; without seats there are questions."""

    kind: Kind
    """`direct` is of two hosts, also with a switch between them: nothing would be different."""
    seats: Seats = field(default_factory=dict)
    warnings: tuple[Remark, ...] = ()
    questions: tuple[Remark, ...] = ()


def topology(hosts: Hosts, chosen: Chosen) -> Topology:
    """Return how hosts are joined, by what each said of itself and of whom it reaches.

    What was reached decides, never how many interfaces are up or what they are called; where that
    leaves a choice, it is the files', then the first host's first port.
    """
    if clashes := tuple(questions.twice(hosts)):
        return Topology(kind="undecided", questions=clashes)
    found = _topology(Wiring(hosts, chosen))
    mute = tuple(questions.mute(hosts)) if found.questions else ()
    return replace(found, questions=mute or found.questions)


def _topology(wiring: Wiring) -> Topology:
    if len(wiring.hosts) == 1:
        return _alone(wiring)
    if met := wiring.meeting(wiring.fast()):
        return _fabric(wiring, met)
    if order := ring.ring(wiring):
        return _ring(wiring, order)
    if any(facts.rdma.devices for facts in wiring.hosts.values()):
        return Topology(kind="undecided", questions=questions.unjoined(wiring))
    return _sockets(wiring)


def _fabric(wiring: Wiring, met: tuple[Spot, ...]) -> Topology:
    seats = {
        spot.host: Seat(spot=spot, ports=(_holder(wiring, spot),), peers=_peers(met, spot))
        for spot in met
    }
    kind: Kind = "direct" if len(met) == PAIR else "switch"
    return Topology(kind=kind, seats=seats, warnings=tuple(oddities(wiring, seats)))


def _ring(wiring: Wiring, order: ring.Ring) -> Topology:
    """Return a ring: it has no network that all share, so Ray needs another that all are in.

    NVIDIA dgx-spark-playbooks, connect-three-sparks.
    """
    if met := wiring.meeting(wiring.slow()):
        seats = {
            spot.host: Seat(spot=spot, ports=ring.used(wiring, spot.host), peers=_peers(met, spot))
            for spot in met
        }
        warnings = (*ring.warnings(wiring, order), *oddities(wiring, seats))
        return Topology(kind="ring", seats=seats, warnings=warnings)
    message = "a ring, and no other network that all of them share"
    return _question(", ".join(order), message, "Ray needs one: connect the RJ45 port of each")


def _sockets(wiring: Wiring) -> Topology:
    place = ", ".join(wiring.hosts)
    if met := wiring.meeting(wiring.slow()):
        seats = {spot.host: Seat(spot=spot, peers=_peers(met, spot)) for spot in met}
        message = "no RDMA device: sockets only, several times slower"
        warnings = (
            remark(place, message, "on a Spark: `sudo modprobe mlx5_ib` there"),
            *_others(wiring, met),
        )
        return Topology(kind="sockets", seats=seats, warnings=warnings)
    message = "no network in which all of them answer"
    return _question(place, message, "connect them, and let them answer pings")


def _others(wiring: Wiring, met: tuple[Spot, ...]) -> Iterator[Remark]:
    """Yield another network that joins all of them: which is faster, nobody has measured."""
    rows = tuple(
        tuple(spot for spot in row if spot.interface != one.interface)
        for row, one in zip(wiring.slow(), met, strict=True)
    )
    if other := wiring.meeting(rows):
        first = other[0]
        message = f"{first.interface.name} joins them as well; left out"
        remedy = f"write HOST_IP={first.address.ip} if that is the faster one, and probe again"
        yield remark(first.host, message, remedy)


def _alone(wiring: Wiring) -> Topology:
    """Return the seat of a host that nobody else was asked about: nothing proves its cable."""
    (name,), (fast,), (slow,) = wiring.hosts, wiring.fast(), wiring.slow()
    doors = {_holder(wiring, spot).name: spot for spot in reversed(fast)}
    if len(doors) > 1:
        message = f"{' and '.join(reversed(doors))} have a cable"
        return _question(name, message, "name the hosts at their other ends as well")
    if not fast and not slow:
        return _question(name, "no interface has an IPv4 address and a cable", "connect it")
    spot = (*fast, *slow)[0]
    seat = Seat(spot=spot, ports=(_holder(wiring, spot),) if fast else ())
    message = "the only host that was asked: where its cables lead is not known"
    warnings = (remark(name, message, "name the others as well"), *oddities(wiring, {name: seat}))
    return Topology(kind="alone", seats={name: seat}, warnings=warnings)


def _question(place: str, message: str, remedy: str) -> Topology:
    return Topology(kind="undecided", questions=(remark(place, message, remedy),))


def _holder(wiring: Wiring, spot: Spot) -> Port:
    """Return the port that an interface is a twin of."""
    return next(
        port
        for port in ports(wiring.hosts[spot.host])
        if any(twin.interface == spot.interface for twin in port.twins)
    )


def _peers(met: tuple[Spot, ...], spot: Spot) -> tuple[Spot, ...]:
    return tuple(one for one in met if one is not spot)
