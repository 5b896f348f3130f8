"""Addresses for the twins of ports that have none, as lines of a netplan file."""

from collections.abc import Iterator, Mapping
from ipaddress import IPv4Address, IPv4Interface, IPv4Network
from itertools import chain

from cluster.discovery.wiring import Hosts
from cluster.facts.ports import Port, Twin

FILE = "/etc/netplan/40-cx7.yaml"
"""NVIDIA's name for it (dgx-spark-playbooks, connect-two-sparks)."""
REMEDY = f"put these lines into {FILE} there, mode 600, then `sudo netplan apply`"
FIRST_NETWORK = IPv4Network("192.168.177.0/24")
FIRST_NUMBER = 11

New = dict[str, dict[str, IPv4Interface]]
"""The address for each interface that needs one, by host."""


def lines(addresses: Mapping[str, IPv4Interface]) -> tuple[str, ...]:
    """Return the text of the file."""
    return (
        *("network:", "  version: 2", "  ethernets:"),
        *(
            line
            for name, address in addresses.items()
            for line in (f"    {name}:", f"      addresses: [{address}]")
        ),
    )


def missing(hosts: Hosts, used: Mapping[str, Port]) -> New:
    """Return addresses for the twins of these ports that have no lasting one of their own.

    The first twins share a network, and so do the second ones: two in one network would make it
    a matter of luck which of them is used (NVIDIA dgx-spark-playbooks, connect-two-sparks).
    """
    found: New = {}
    for number in range(max((len(port.twins) for port in used.values()), default=0)):
        twins = {
            host: port.twins[number] for host, port in used.items() if number < len(port.twins)
        }
        _add(found, hosts, used, twins)
    return found


def own(port: Port, twin: Twin) -> IPv4Interface | None:
    """Return the lasting address of a twin, in a network that no twin before it has."""
    before = port.twins[: port.twins.index(twin)]
    taken = {one.network for its in before for one in its.interface.addresses}
    lasting = (one for one in twin.interface.addresses if not one.is_link_local)
    return next((one for one in lasting if one.network not in taken), None)


def _add(found: New, hosts: Hosts, used: Mapping[str, Port], twins: Mapping[str, Twin]) -> None:
    """Add the addresses of those twins that share a network."""
    has = {host: own(used[host], twin) for host, twin in twins.items()}
    taken = {one.ip for one in _all(hosts, found)}
    network = next((one.network for one in has.values() if one), None) or _free(hosts, found)
    for position, (host, twin) in enumerate(twins.items()):
        wanted = _number(used[host], FIRST_NUMBER + position)
        if not has[host] and (address := _address(network, wanted, taken)):
            taken.add(address)
            new = IPv4Interface(f"{address}/{network.prefixlen}")
            found.setdefault(host, {})[twin.interface.name] = new


def _all(hosts: Hosts, found: New) -> Iterator[IPv4Interface]:
    """Yield every address that is taken, of whatever interface."""
    for facts in hosts.values():
        yield from (one for its in facts.links.interfaces for one in its.addresses)
    yield from (one for its in found.values() for one in its.values())


def _free(hosts: Hosts, found: New) -> IPv4Network:
    """Return the first /24 in which nobody has an address."""
    taken = {one.network for one in _all(hosts, found)}
    start = int(FIRST_NETWORK.network_address)
    nets = (IPv4Network((start + (number << 8), 24)) for number in range(1 << 16))
    return next(net for net in nets if not any(net.overlaps(other) for other in taken))


def _number(port: Port, otherwise: int) -> int:
    """Return the number that a host has in the network of its first twin, for the others, too."""
    first = own(port, port.twins[0])
    return int(first.ip) - int(first.network.network_address) if first else otherwise


def _address(network: IPv4Network, wanted: int, taken: set[IPv4Address]) -> IPv4Address | None:
    """Return a host's address in a network, with the wanted number if it is free."""
    numbers = chain((wanted,), range(1, network.num_addresses - 1))
    inside = (network[number] for number in numbers if 0 < number < network.num_addresses - 1)
    return next((one for one in inside if one not in taken), None)
