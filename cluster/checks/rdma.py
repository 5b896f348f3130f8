"""Whether a node's RDMA devices are those of its link, can be used, and are all used."""

from collections.abc import Iterable, Iterator

from cluster.checks.check import Check, Patient
from cluster.checks.choice import alien, left, names_of, others
from cluster.checks.fabric import absent, counterpart, in_ring, joined, machines, named, port_of
from cluster.checks.links import PLAYBOOK, cable
from cluster.checks.registration import REGISTRATION
from cluster.errors import Problem
from cluster.facts.ports import Twin, twins
from cluster.facts.rdma import ACTIVE, Device
from cluster.preflight import rdma
from cluster.text import did_you_mean


def _none(patient: Patient) -> Iterator[Problem]:
    if patient.node.ib_if and not patient.facts.rdma.devices:
        yield rdma.none(patient)


def _names(patient: Patient) -> Iterator[Problem]:
    unknown = absent(patient)
    if unknown and patient.facts.rdma.devices:
        verb = "does" if len(unknown) == 1 else "do"
        message = f"IB_IF {', '.join(unknown)} {verb} not exist; there are: {_there(patient)}"
        yield patient.problem(message, _right_names(patient, unknown))


def _right_names(patient: Patient, unknown: tuple[str, ...]) -> str:
    """Return how to find the right names: ETH_IF tells, if it is a ConnectX port."""
    own = port_of(patient.facts, patient.node.eth_if)
    if own:
        return _write(patient, (twin.device.name for twin in own))
    there = (device.name for device in patient.facts.rdma.devices)
    more = tuple(name for name in there if name not in patient.node.ib_if)
    otherwise = f"write those of the ConnectX link in {patient.node_file}"
    return did_you_mean(unknown[0], more, otherwise)


def _port(patient: Patient) -> Iterator[Problem]:
    devices = (device for device in patient.facts.rdma.devices if not device.active)
    its = {*patient.node.ib_if} - names_of(others(patient))
    looked = its or {*patient.node.ib_if} - names_of(alien(patient))
    dead = ", ".join(
        device.name
        for device in devices
        if device.name in looked and not _explained(patient, device)
    )
    if dead and not left(patient):
        message = f"IB_IF {dead}: not {ACTIVE}; there are: {_there(patient)}"
        yield patient.problem(message, cable(patient))


def _explained(patient: Patient, device: Device) -> bool:
    """Tell whether a device is not active because its interface has no link, said elsewhere.

    ETH_IF's own is said of the port, and that of one twin while the other twin has a link.
    """
    twin = next((one for one in twins(patient.facts) if one.device == device), None)
    if not twin or twin.alive:
        return False
    other = counterpart(patient.facts, twin)
    return twin in port_of(patient.facts, patient.node.eth_if) or bool(other and other.alive)


def _pair(patient: Patient) -> Iterator[Problem]:
    strange = ", ".join(twin.device.name for twin in alien(patient))
    if strange:
        verb = "are" if "," in strange else "is"
        message = f"IB_IF {strange} {verb} of another port than ETH_IF {patient.node.eth_if}"
        own = port_of(patient.facts, patient.node.eth_if)
        yield patient.problem(message, _write(patient, (twin.device.name for twin in own)))


def _files(patient: Patient) -> Iterator[Problem]:
    found = patient.facts.rdma
    if patient.node.ib_if and found.devices and not rdma.reachable(found.device_files):
        yield rdma.no_files(patient)


def _unused(patient: Patient) -> Iterator[Problem]:
    """Find active devices of a node without IB_IF; only NCCL would use them, and only with GPUs."""
    if not patient.node.ib_if and patient.cluster.accelerator != "none":
        own = port_of(patient.facts, patient.node.eth_if)
        every = twins(patient.facts) if in_ring(patient) else own
        names = tuple(twin.device.name for twin in every if twin.device.active)
        if names:
            verb = "is" if len(names) == 1 else "are"
            message = f"IB_IF is empty, and {', '.join(names)} {verb} {ACTIVE}"
            yield patient.problem(message, _write(patient, names))


def _unused_twins(patient: Patient) -> Iterator[Problem]:
    """Find twins that NCCL does not use: IB_IF leaves them out, or they are not active."""
    yield from _left_out(patient)
    for twin in named(patient):
        if twin.alive and not twin.device.active and _alone(patient, twin):
            message = (
                f"{twin.device.name} ({twin.device.state or 'no port'}) of IB_IF is not {ACTIVE}"
            )
            remedy = f"restart {patient.node.name}, or the machine at the cable's other end"
            yield patient.problem(message, remedy)


def _alone(patient: Patient, twin: Twin) -> bool:
    """Tell whether the other twin does all the work, and does it."""
    other = counterpart(patient.facts, twin)
    if other is None or other not in named(patient):
        return False
    return other.device.active and left(patient)


def _left_out(patient: Patient) -> Iterator[Problem]:
    """Find active devices beside those of IB_IF, where those are right as far as they go."""
    chosen = named(patient)
    ports = {twin.port for twin in chosen}
    every = twins(patient.facts)
    beside = every if in_ring(patient) else tuple(twin for twin in every if twin.port in ports)
    more = tuple(twin.device.name for twin in beside if twin.device.active and twin not in chosen)
    if chosen and more and not absent(patient) and not alien(patient):
        verb = "is" if len(more) == 1 else "are"
        message = f"IB_IF {','.join(patient.node.ib_if)} leaves out {', '.join(more)}, which {verb}"
        idle = names_of(twin for twin in others(patient) if not twin.device.active)
        kept = (name for name in patient.node.ib_if if name not in idle)
        yield patient.problem(f"{message} {ACTIVE}", _write(patient, (*kept, *more)))


def _there(patient: Patient) -> str:
    devices = patient.facts.rdma.devices
    return ", ".join(f"{one.name} ({one.state or 'no port'})" for one in devices)


def _write(patient: Patient, names: Iterable[str]) -> str:
    return f"write IB_IF={','.join(names)} in {patient.node_file}"


RDMA: tuple[Check, ...] = (
    Check(
        name="rdma-none",
        severity="blocks",
        title="A node with IB_IF has RDMA devices",
        looks_at="`/sys/class/infiniband`",
        why="NCCL is told to use RDMA and nothing else, so it ends rather than fall back to TCP.",
        remedy="load the driver, `mlx5_ib`; or leave IB_IF empty, for sockets only.",
        source="NCCL's user guide, NCCL_NET and NCCL_IB_HCA",
        look=machines(_none),
    ),
    Check(
        name="rdma-names",
        severity="blocks",
        title="The RDMA devices of IB_IF exist",
        looks_at="`/sys/class/infiniband`",
        why="NCCL takes the names to the letter, and finds no device under another.",
        remedy="write the devices of ETH_IF's port as IB_IF; some systems name them mlx5_N.",
        source="NCCL's user guide, NCCL_IB_HCA",
        look=machines(_names),
    ),
    Check(
        name="rdma-port",
        severity="blocks",
        title="RDMA devices of IB_IF are active, in a ring all of them",
        looks_at="`/sys/class/infiniband/*/ports/1/state`",
        why="NCCL leaves out ports that are not active, and ends when none is left.",
        remedy="look at the cable and its other end, or restart both machines.",
        source=f"{PLAYBOOK}; NCCL, src/transport/net_ib",
        look=joined(_port),
    ),
    Check(
        name="rdma-pair",
        severity="blocks",
        title="ETH_IF and IB_IF are of one port",
        looks_at="`/sys/class/infiniband/*/device/net`, and PCI addresses",
        why="The ranks agree over ETH_IF and send over IB_IF; the other port's cable is not in, or "
        "leads elsewhere.",
        remedy="write the RDMA devices of ETH_IF's port as IB_IF, both twins; in a ring, where "
        "ETH_IF is no ConnectX port, those of all ports.",
        source=f"{PLAYBOOK} and connect-three-sparks",
        look=joined(_pair),
    ),
    Check(
        name="rdma-files",
        severity="blocks",
        title="Programs can reach the RDMA devices",
        looks_at="`/dev/infiniband/uverbs*`",
        why="Containers are given these files; without them NCCL sees no device.",
        remedy="load the driver, `ib_uverbs`.",
        source="Linux, Documentation/infiniband/user_verbs.rst",
        look=machines(_files),
    ),
    Check(
        name="rdma-unused",
        severity="slow",
        title="RDMA is used where there is RDMA",
        looks_at="`/sys/class/infiniband/*/ports/1/state`, and IB_IF",
        why="Over TCP the link carries about half of what it could, with a longer wait for each "
        "message.",
        remedy="write the RDMA devices of ETH_IF's port as IB_IF.",
        source=f"catharsis.net.au/blog/nvidea-dgx-spark-benchmarking; {PLAYBOOK}",
        look=joined(_unused),
    ),
    Check(
        name="rdma-half",
        severity="slow",
        title="IB_IF names both twins of a port, and both are active",
        looks_at="`/sys/class/infiniband/*/device`: the twins are one function on two PCI "
        "domains; `ports/1/state`",
        why="Each twin has its own PCIe link of about 100 Gb/s: one device is half of the port.",
        remedy="write both as IB_IF, with a comma between them.",
        source="NVIDIA dgx-spark-playbooks, connect-two-sparks, performance_benchmarking_guide.md",
        look=joined(_unused_twins),
    ),
    *REGISTRATION,
)
