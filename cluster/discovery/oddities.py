"""What is odd about how hosts are joined, though it works: cables, twins and addresses."""

from collections.abc import Iterator

from cluster.discovery import netplan
from cluster.discovery.remark import Remark, remark
from cluster.discovery.seat import Seat, Seats
from cluster.discovery.wiring import Wiring
from cluster.facts.ports import Port, Twin, ports


def oddities(wiring: Wiring, seats: Seats) -> Iterator[Remark]:
    """Yield warnings, host by host."""
    new = netplan.missing(
        wiring.hosts, {name: seat.ports[0] for name, seat in seats.items() if len(seat.ports) == 1}
    )
    for name, seat in seats.items():
        yield from _left_out(wiring, name, seat, alone=len(seats) == 1)
        for port in seat.ports:
            yield from _twins(name, port, netplan.lines(new[name]) if name in new else ())


def _left_out(wiring: Wiring, name: str, seat: Seat, *, alone: bool) -> Iterator[Remark]:
    """Yield the ports with a cable that the cluster does not use."""
    spare = (port for port in ports(wiring.hosts[name]) if port.alive and port not in seat.ports)
    for port in spare if not alone else ():
        reached = wiring.neighbours(name, port)
        message = (
            f"reaches {reached[0]} as well: a second cable adds nothing"
            if reached
            else "has a cable, and none of these hosts answers there"
        )
        yield remark(name, f"{port.name} {message}; left out")


def _twins(name: str, port: Port, lines: tuple[str, ...]) -> Iterator[Remark]:
    for twin in port.twins:
        if not twin.device.active:
            state = twin.device.state or "without a port"
            message = f"{twin.device.name} is {state}: half of {port.name}'s bandwidth is missing"
            yield remark(name, message, "take the cable out and in; look at `ibdev2netdev` there")
        elif twin.alive and not netplan.own(port, twin):
            remedy = f"add these lines to {netplan.FILE} there, then `sudo netplan apply`"
            yield remark(name, _without(port, twin), remedy if lines else "", lines)


def _without(port: Port, twin: Twin) -> str:
    """Say what is wrong with the addresses of a twin."""
    its = twin.interface.addresses
    if shared := next((one for one in its if not one.is_link_local), None):
        first = next(one for one in port.twins if _within(one, shared.network))
        where = f"both in {shared.network}: the kernel sends all by one of them"
        return f"{first.interface.name} and {twin.interface.name} are {where}"
    has = f"only {its[0].ip}, which changes" if its else "no address"
    return f"{twin.interface.name} has {has}: NCCL may not reach it"


def _within(twin: Twin, network: object) -> bool:
    return any(one.network == network for one in twin.interface.addresses)
