"""Whether a node's interface, address and RDMA devices are as its settings say."""

from collections.abc import Iterator

from cluster.errors import Problem
from cluster.preflight.facts import Facts, Interface
from cluster.preflight.site import Site
from cluster.spelling import did_you_mean

RJ45 = "enP7s7"
"""A Spark's 10 Gb/s port (NVIDIA dgx-spark-playbooks, connect-three-sparks)."""
ACTIVE = "ACTIVE"
DOCKERS = ("br-", "docker", "veth")
"""How the names of the interfaces begin that Docker makes."""
DEVICE_FILES = "/dev/infiniband"
LINK_LOCAL = "169.254."
"""Addresses that a node gives itself, others at every start (RFC 3927)."""


def ethernet(site: Site, found: Facts) -> Iterator[Problem]:
    """Yield what is wrong with ETH_IF and HOST_IP together: either may be the wrong one."""
    ours = next((one for one in found.interfaces if one.name == site.node.eth_if), None)
    holder = _holder(site, found)
    if found.interfaces_error:
        what = f"{site.cluster.image} cannot list the interfaces: {found.interfaces_error}"
        yield site.problem(what, site.renew)
    elif ours:
        if str(site.node.host_ip) not in ours.addresses:
            yield _apart(site, ours, holder)
        yield from _link(site, ours, found)
    elif holder and holder.name != RJ45:
        yield _absent(
            site,
            found,
            f"write ETH_IF={holder.name}, which has HOST_IP {site.node.host_ip},"
            f" in {site.own_file}",
        )
    else:
        otherwise = f"write the one of the ConnectX link in {site.own_file}"
        others = (one.name for one in _own(found) if one.name != RJ45)
        yield _absent(site, found, did_you_mean(site.node.eth_if, others, otherwise))
        yield _astray(site, holder)


def rdma(site: Site, found: Facts) -> Iterator[Problem]:
    """Yield what keeps RDMA from working; asked only of a node with IB_IF."""
    if not found.rdma:
        yield no_rdma(site)
    elif not any(name.startswith("uverbs") for name in found.device_files):
        what = f"has no {DEVICE_FILES}/uverbs* in its containers"
        yield site.problem(what, f"{site.on('sudo modprobe ib_uverbs')}, {_sockets(site)}")
    if found.rdma:
        yield from _devices(site, found)
    if found.memlock is not None:
        what = f"a container may lock {found.memlock >> 10} KiB in memory, too little for RDMA"
        yield site.problem(what, f"write PRIVILEGED=true in {site.shared_file}")


def no_rdma(site: Site) -> Problem:
    """Say that there is no RDMA at all, which Docker may be the first to notice."""
    what = f"has no RDMA device, and IB_IF is {','.join(site.node.ib_if)}"
    return site.problem(what, f"{site.on('sudo modprobe mlx5_ib')}, {_sockets(site)}")


def _sockets(site: Site) -> str:
    return f"or write IB_IF= in {site.own_file}, for sockets only"


def _holder(site: Site, found: Facts) -> Interface | None:
    """Return the interface that has HOST_IP."""
    address = str(site.node.host_ip)
    return next((one for one in found.interfaces if address in one.addresses), None)


def _absent(site: Site, found: Facts, remedy: str) -> Problem:
    there = ", ".join(f"{one.name} ({_addresses(one)})" for one in _own(found)) or "none"
    return site.problem(f"ETH_IF {site.node.eth_if} does not exist; there are: {there}", remedy)


def _astray(site: Site, holder: Interface | None) -> Problem:
    what = f"HOST_IP {site.node.host_ip} is on {_place(holder)}"
    return site.problem(what, f"write the address of the ConnectX link in {site.own_file}")


def _apart(site: Site, ours: Interface, holder: Interface | None) -> Problem:
    """Say where HOST_IP is: from another interface everything would work, and go the slow way."""
    place = f"{_place(holder)}, not on" if holder else f"{_place(holder)};"
    what = f"HOST_IP {site.node.host_ip} is on {place} ETH_IF {ours.name}"
    which = f"{', which' if holder else ''} has {_addresses(ours)}"
    return site.problem(f"{what}{which}", _together(site, ours, holder))


def _together(site: Site, ours: Interface, holder: Interface | None) -> str:
    """Return how HOST_IP and ETH_IF come together."""
    lasting = tuple(one for one in ours.addresses if not one.startswith(LINK_LOCAL))
    lines = (
        *((f"ETH_IF={holder.name}",) if holder and holder.name != RJ45 else ()),
        *(f"HOST_IP={address}" for address in lasting[:1]),
    )
    if lines:
        return f"write {' or '.join(lines)} in {site.own_file}"
    if holder:
        return f"give {ours.name} an address, and write it as HOST_IP in {site.own_file}"
    new = f"{site.node.host_ip}/{site.cluster.subnet.prefixlen}"
    return f"{site.on(f'sudo ip address add {new} dev {ours.name}')}, and netplan to keep it"


def _link(site: Site, ours: Interface, found: Facts) -> Iterator[Problem]:
    """Find a dead link; a cluster of one node needs none."""
    if not ours.enabled:
        remedy = f"{site.on(f'sudo ip link set {ours.name} up')}, and netplan to keep it so"
        yield site.problem(f"ETH_IF {ours.name} is switched off", remedy)
    elif not ours.carrier and site.cluster.workers:
        alive = ", ".join(one.name for one in _own(found) if one.enabled and one.carrier)
        what = f"ETH_IF {ours.name} has no link; those with one: {alive or 'none'}"
        yield site.problem(what, _cable(site))


def _devices(site: Site, found: Facts) -> Iterator[Problem]:
    there = ", ".join(f"{one} ({state or 'no port'})" for one, state in found.rdma.items())
    others = tuple(name for name in found.rdma if name not in site.node.ib_if)
    for name in site.node.ib_if:
        if name not in found.rdma:
            remedy = did_you_mean(name, others, f"write those of ETH_IF in {site.own_file}")
            yield site.problem(f"IB_IF {name} does not exist; there are: {there}", remedy)
    dead = ", ".join(name for name in site.node.ib_if if found.rdma.get(name, ACTIVE) != ACTIVE)
    if dead:
        yield site.problem(f"IB_IF {dead}: not {ACTIVE}; there are: {there}", _cable(site))


def _cable(site: Site) -> str:
    look = f"look at the cable and its other end by {site.on('ibdev2netdev')}"
    return f"{look}, or write the port that it is in as ETH_IF and IB_IF in {site.own_file}"


def _place(holder: Interface | None) -> str:
    if not holder:
        return "no interface"
    return f"{RJ45}, the 10 Gb/s port" if holder.name == RJ45 else holder.name


def _own(found: Facts) -> tuple[Interface, ...]:
    """Return the interfaces that are not Docker's."""
    return tuple(one for one in found.interfaces if not one.name.startswith(DOCKERS))


def _addresses(one: Interface) -> str:
    return ", ".join(one.addresses) or "no IPv4 address"
