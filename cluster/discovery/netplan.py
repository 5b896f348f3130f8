"""Addresses for the twins of ports that lack one, as lines of a netplan file."""

from collections.abc import Iterator, Mapping
from ipaddress import IPv4Address, IPv4Interface, IPv4Network
from itertools import chain

from cluster.discovery.wiring import Machines
from cluster.facts.ports import Port, Twin

FILE = "/etc/netplan/40-cx7.yaml"
"""NVIDIA's name for it (dgx-spark-playbooks, connect-two-sparks)."""
REMEDY = f"put these lines into {FILE} there, mode 600, then `sudo netplan apply`"
FIRST_NETWORK = IPv4Network("192.168.177.0/24")
FIRST_NUMBER = 11

NewAddresses = dict[str, dict[str, IPv4Interface]]
"""The address for each interface that needs one, by machine."""


def lines(addresses: Mapping[str, IPv4Interface]) -> tuple[str, ...]:
    """Return the text of the file."""
    rows = (f"    {name}:\n      addresses: [{new}]" for name, new in addresses.items())
    return tuple("\n".join(("network:\n  version: 2\n  ethernets:", *rows)).splitlines())


def new_addresses(machines: Machines, used: Mapping[str, Port]) -> NewAddresses:
    """Return addresses for the twins of these ports that have no usable one.

    All first twins share a network, and all second twins share a different one: with both twins in
    one network, chance decides which of them is used (NVIDIA dgx-spark-playbooks,
    connect-two-sparks).
    """
    new: NewAddresses = {}
    for index in range(max((len(port.twins) for port in used.values()), default=0)):
        _add(new, machines, used, index)
    return new


def usable_address(port: Port, twin: Twin) -> IPv4Interface | None:
    """Return the permanent address of a twin in a network that no earlier twin has."""
    earlier = port.twins[: port.twins.index(twin)]
    taken = {address.network for before in earlier for address in before.interface.addresses}
    permanent = (address for address in twin.interface.addresses if not address.is_link_local)
    return next((address for address in permanent if address.network not in taken), None)


def _add(new: NewAddresses, machines: Machines, used: Mapping[str, Port], index: int) -> None:
    """Add addresses for the twins with this index, which share a network."""
    twins = {name: port.twins[index] for name, port in used.items() if index < len(port.twins)}
    existing = {name: usable_address(used[name], twin) for name, twin in twins.items()}
    taken = {address.ip for address in _all(machines, new)}
    networks = (address.network for address in existing.values() if address)
    network = next(networks, None) or _free_network(machines, new)
    for position, (name, twin) in enumerate(twins.items()):
        number = _number(used[name], FIRST_NUMBER + position)
        if not existing[name] and (address := _free_address(network, number, taken)):
            taken.add(address)
            interface = IPv4Interface(f"{address}/{network.prefixlen}")
            new.setdefault(name, {})[twin.interface.name] = interface


def _all(machines: Machines, new: NewAddresses) -> Iterator[IPv4Interface]:
    """Yield every address that is taken, on whatever interface."""
    for facts in machines.values():
        yield from (address for link in facts.links.interfaces for address in link.addresses)
    yield from (address for addresses in new.values() for address in addresses.values())


def _free_network(machines: Machines, new: NewAddresses) -> IPv4Network:
    taken = {address.network for address in _all(machines, new)}
    start = int(FIRST_NETWORK.network_address)
    networks = (IPv4Network((start + (number << 8), 24)) for number in range(1 << 16))
    return next(free for free in networks if not any(free.overlaps(net) for net in taken))


def _number(port: Port, default: int) -> int:
    """Return the number of a machine in the network of its first twin, for all its networks."""
    first = usable_address(port, port.twins[0])
    return int(first.ip) - int(first.network.network_address) if first else default


def _free_address(
    network: IPv4Network, preferred: int, taken: set[IPv4Address]
) -> IPv4Address | None:
    """Return a free address in a network, with the preferred number if possible."""
    numbers = chain((preferred,), range(1, network.num_addresses - 1))
    inside = (network[number] for number in numbers if 0 < number < network.num_addresses - 1)
    return next((address for address in inside if address not in taken), None)
