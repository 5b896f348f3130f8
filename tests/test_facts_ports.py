"""What belongs together in a machine, whatever devices and interfaces are called."""

from cluster.facts.facts import Facts
from cluster.facts.ports import ports, twins
from tests.cabling import CARD, changed, device, spark


def described(facts: Facts) -> list[tuple[str, str, str]]:
    """Return the interface, the device and the port of each twin."""
    return [(twin.interface.name, twin.device.name, twin.port) for twin in twins(facts)]


def test_a_spark() -> None:
    """Twins are in the order of PCI addresses; the same function of both domains is one port."""
    assert [
        ("enp1s0f0np0", "rocep1s0f0", "01:00.0"),
        ("enp1s0f1np1", "rocep1s0f1", "01:00.1"),
        ("enP2p1s0f0np0", "roceP2p1s0f0", "01:00.0"),
        ("enP2p1s0f1np1", "roceP2p1s0f1", "01:00.1"),
    ] == described(spark())


def test_other_names() -> None:
    """Devices may be called mlx5_0, and interfaces have any name."""
    facts = spark()
    for number, (netdev, (name, _)) in enumerate(CARD.items()):
        facts = device(facts, name, name=f"mlx5_{number}", netdev=f"fast{number}")
        facts = changed(facts, netdev, name=f"fast{number}")

    assert [
        ("fast0", "mlx5_0", "01:00.0"),
        ("fast1", "mlx5_1", "01:00.1"),
        ("fast2", "mlx5_2", "01:00.0"),
        ("fast3", "mlx5_3", "01:00.1"),
    ] == described(facts)


def test_device_without_interface() -> None:
    """If the kernel names no interface of a device, its PCI address finds it."""
    facts = device(spark(), "rocep1s0f0", netdev="")
    facts = device(facts, "rocep1s0f1", netdev="", pci="")

    assert [
        ("enp1s0f0np0", "rocep1s0f0", "01:00.0"),
        ("enP2p1s0f0np0", "roceP2p1s0f0", "01:00.0"),
        ("enP2p1s0f1np1", "roceP2p1s0f1", "01:00.1"),
    ] == described(facts)


def test_software_device() -> None:
    """A device without a PCI address, as rdma_rxe makes, is a port of its own on any card."""
    facts = device(spark(), "rocep1s0f0", name="rxe0", pci="")

    assert [
        ("enp1s0f0np0", "rxe0", "rxe0"),
        ("enp1s0f1np1", "rocep1s0f1", "01:00.1"),
        ("enP2p1s0f0np0", "roceP2p1s0f0", "01:00.0"),
        ("enP2p1s0f1np1", "roceP2p1s0f1", "01:00.1"),
    ] == described(facts)


def test_alive() -> None:
    """A twin is alive if its interface is switched on and has a link."""
    facts = changed(spark(enp1s0f0np0="", enp1s0f1np1=""), "enp1s0f1np1", enabled=False)

    assert [True, False, False, False] == [twin.alive for twin in twins(facts)]


def test_ports() -> None:
    """The functions of a port, in two PCI domains, are its twins; the first port comes first."""
    facts = spark()

    assert [
        [("enp1s0f0np0", "rocep1s0f0"), ("enP2p1s0f0np0", "roceP2p1s0f0")],
        [("enp1s0f1np1", "rocep1s0f1"), ("enP2p1s0f1np1", "roceP2p1s0f1")],
    ] == [[(twin.interface.name, twin.device.name) for twin in port.twins] for port in ports(facts)]


def test_port_alive() -> None:
    """A port is alive if one of its twins has a link."""
    first, second = ports(spark(enp1s0f0np0=""))

    assert (True, False) == (first.alive, second.alive)
