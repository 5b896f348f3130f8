"""`inv doctor` on real hosts: no problem on healthy ones, and exactly the one that is broken."""

import json
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial

import pytest

from tests.live import examined
from tests.live.damage import unplugged
from tests.live.examined import OFFICE, RJ45
from tests.live.lan import IMAGE, Site
from tests.live.machine import INTERFACE, Machine

pytestmark = pytest.mark.live

GIGA = 1_000_000_000
Findings = set[tuple[str, str, str]]
"""Severity, place and check of each finding."""
Damage = Callable[[Site], AbstractContextManager[None]]
# What no engine may take: a disk of 3 GB, of which 1 GB is left.
FILL = 'fallocate --length 2G "$1/filler"'


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Two hosts with an engine, an image, two networks and nothing wrong; one has a small disk."""
    kinds = {"spark2": partial(Machine, disk=3 * GIGA)}
    with examined.sited(tmp_path_factory.mktemp("site"), kinds=kinds) as new:
        yield new


@pytest.fixture(scope="module")
def whole(site: Site) -> Findings:
    """The findings of healthy hosts: notes on this machine, and nothing else."""
    return findings(site)


def findings(site: Site, *words: str) -> Findings:
    """Return the findings of `inv doctor`."""
    result = site.inv("doctor", "--json", *words)
    assert result.out, result.err
    rows = json.loads(result.out)["findings"]
    return {(row["severity"], row["place"], row["check"]) for row in rows}


def ip(host: Machine, line: str) -> None:
    """Run one line of `ip -batch` on a host."""
    host.run(["ip", "-batch", "-"], input=f"{line}\n", check=True)


@contextmanager
def frames_differ(site: Site) -> Iterator[None]:
    """One end takes smaller packets than the other."""
    host = site.lan.hosts[1]
    ip(host, f"link set {INTERFACE} mtu 1400")
    yield
    ip(host, f"link set {INTERFACE} mtu 1500")


@contextmanager
def no_address(site: Site) -> Iterator[None]:
    """The interface of the link has lost its address."""
    host = site.lan.hosts[1]
    ip(host, f"address del {host.address}/24 dev {INTERFACE}")
    yield
    ip(host, f"address add {host.address}/24 dev {INTERFACE}")


@contextmanager
def wrong_name(site: Site) -> Iterator[None]:
    """The env file names the interface of the other port."""
    site.describe_node("spark2", {"ETH_IF": "enp1s0f0np0"})
    yield
    site.describe_node("spark2")


@contextmanager
def wrong_address(site: Site) -> Iterator[None]:
    """The env file has an address that no machine has."""
    site.describe_node("spark2", {"HOST_IP": "192.168.177.22"})
    yield
    site.describe_node("spark2")


@contextmanager
def slow_port(site: Site) -> Iterator[None]:
    """The env file has interface and address of the 10 Gb/s port."""
    site.describe({"SUBNET": "192.168.0.0/16"})
    site.describe_node("spark2", {"ETH_IF": RJ45, "HOST_IP": f"{OFFICE}.12"})
    yield
    site.describe()
    site.describe_node("spark2")


@contextmanager
def firewall(site: Site) -> Iterator[None]:
    """The head drops packets to Ray's port."""
    rule = ("INPUT", "--protocol", "tcp", "--dport", "6379", "--jump", "DROP")
    host = site.lan.hosts[0]
    host.run(["iptables", "--append", *rule], check=True)
    yield
    host.run(["iptables", "--delete", *rule], check=True)


@contextmanager
def foreign_name(site: Site) -> Iterator[None]:
    """`/etc/hosts` gives a host's own name to a machine that is not there."""
    with named(site.lan.hosts[1], "192.168.177.99"):
        yield


@contextmanager
def loopback_name(site: Site) -> Iterator[None]:
    """`/etc/hosts` is as Debian and Ubuntu install it."""
    with named(site.lan.hosts[1], "127.0.1.1"):
        yield


@contextmanager
def named(host: Machine, address: str) -> Iterator[None]:
    """Let a host's own name lead to an address."""
    file = host.folder / "hosts"
    text = file.read_text("utf-8")
    file.write_text(text.replace(host.address, address), "utf-8")
    yield
    file.write_text(text, "utf-8")


@contextmanager
def swapped(site: Site) -> Iterator[None]:
    """Each env file has the address of the other host."""
    first, second = site.lan.hosts
    site.describe_node("spark1", {"HOST_IP": second.address})
    site.describe_node("spark2", {"HOST_IP": first.address})
    yield
    site.describe_node("spark1")
    site.describe_node("spark2")


@contextmanager
def late_clock(site: Site) -> Iterator[None]:
    """A host's clock is a minute behind."""
    host = site.lan.hosts[1]
    program = host.folder / "first" / "date"
    host.put_program(program, '#!/bin/sh\nexec /usr/bin/date --date "1 minute ago" "$@"\n')
    yield
    program.unlink()


@contextmanager
def full_disk(site: Site) -> Iterator[None]:
    """The engine's disk has less room than logs and caches take."""
    host = site.lan.hosts[1]
    data = host.folder / "engine" / "data"
    host.run(["sh", "-c", FILL, "fill", data], check=True)
    yield
    host.run(["rm", data / "filler"], check=True)


@contextmanager
def switched_off(site: Site) -> Iterator[None]:
    """The interface of the link is switched off."""
    with unplugged(site.lan.hosts[1]):
        yield


@contextmanager
def no_image(site: Site) -> Iterator[None]:
    """A host lacks the image."""
    host = site.lan.hosts[1]
    host.docker("tag", IMAGE, "kept:1")
    host.docker("image", "rm", IMAGE)
    yield
    host.docker("tag", "kept:1", IMAGE)
    host.docker("image", "rm", "kept:1")


@contextmanager
def other_image(site: Site) -> Iterator[None]:
    """A host has a different image of the same name."""
    host = site.lan.hosts[1]
    host.docker("tag", IMAGE, "kept:1")
    new = host.run(
        ["docker", "build", "--quiet", "--tag", IMAGE, "-"], input="FROM kept:1\nENV A=b\n"
    )
    assert not new.returncode, new.stderr
    yield
    host.docker("tag", "kept:1", IMAGE)
    host.docker("image", "rm", "kept:1")


@contextmanager
def no_engine(site: Site) -> Iterator[None]:
    """A host's engine does not run."""
    host = site.lan.hosts[1]
    host.stop_engine()
    yield
    host.start_engine()


@contextmanager
def taken_port(site: Site) -> Iterator[None]:
    """Another program listens on Ray's port."""
    program = "import socket; s = socket.create_server(('', 6379)); print(flush=True); input()"
    with site.lan.hosts[0].start(["/usr/bin/python3", "-c", program]) as process:
        assert process.stdout
        process.stdout.readline()
        yield
        process.communicate("\n")


DAMAGES: dict[Damage, tuple[str, str, str]] = {
    frames_differ: ("slow", "spark1, spark2", "mtu-same"),
    no_address: ("blocks", "spark2", "address"),
    wrong_name: ("blocks", "spark2", "interface"),
    wrong_address: ("blocks", "spark2", "address"),
    slow_port: ("blocks", "spark2", "address"),
    firewall: ("blocks", "spark1, spark2", "head-port"),
    loopback_name: ("note", "spark2", "hostname"),
    foreign_name: ("note", "spark2", "hostname"),
    swapped: ("blocks", "spark1, spark2", "twice"),
    late_clock: ("slow", "spark1, spark2", "clock"),
    full_disk: ("blocks", "spark2", "disk"),
    switched_off: ("blocks", "spark2", "interface"),
    no_image: ("blocks", "spark2", "image"),
    other_image: ("blocks", "spark2", "same-image"),
    no_engine: ("blocks", "spark2", "docker"),
    taken_port: ("blocks", "spark1", "ports"),
}


def test_whole_hosts(site: Site, whole: Findings) -> None:
    """Nothing blocks or slows hosts with nothing wrong, and each is asked over one connection."""
    before = [examined.connections(host) for host in site.lan.hosts]
    result = site.inv("doctor")
    after = [examined.connections(host) for host in site.lan.hosts]

    assert 0 == result.code
    assert {"note"} >= {severity for severity, _, _ in whole}
    assert [1, 1] == [now - then for then, now in zip(before, after, strict=True)]


@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.__name__)
def test_one_thing_is_broken(site: Site, whole: Findings, damage: Damage) -> None:
    """The broken thing is found, and nothing else."""
    with damage(site):
        broken = findings(site)

    assert {DAMAGES[damage]} == broken - whole


def test_mended_hosts(site: Site, whole: Findings) -> None:
    """After the repairs the findings are those of healthy hosts."""
    assert whole == findings(site)
