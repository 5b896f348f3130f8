"""Hosts for `inv doctor` and `inv probe`: one image on all, and a second network for SSH."""

import re
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from tests.live import hosts
from tests.live.hosts import Kind, Lan
from tests.live.lan import IMAGE, Site, cloned
from tests.live.machine import Machine

NAMES = ("spark1", "spark2")
OFFICE = "192.168.20"
RJ45 = "enP7s7"


@contextmanager
def sited(
    folder: Path, names: tuple[str, ...] = NAMES, kinds: Mapping[str, Kind] | None = None
) -> Iterator[Site]:
    """Make hosts that `inv doctor` finds nothing wrong with, and a laptop with their env files."""
    with hosts.made(folder / "lan", names, kinds=kinds) as lan:
        _office(lan)
        for host in lan.hosts:
            host.docker("tag", hosts.base_image(host), IMAGE)
            (host.home / ".cache" / "huggingface").mkdir(parents=True)
            text = f"127.0.0.1 localhost\n{host.address} {host.name}\n"
            (host.folder / "hosts").write_text(text, "utf-8")
        (folder / "laptop").mkdir()
        yield cloned(folder / "laptop", lan)


def connections(host: Machine) -> int:
    """Return how many SSH connections a host has accepted so far."""
    log = (host.folder / "sshd.log").read_text("utf-8", "replace")
    return len(re.findall("^Accepted publickey", log, re.MULTILINE))


def _office(lan: Lan) -> None:
    """Join all machines to a second network, over which the laptop reaches the hosts."""
    link = f"link add office type bridge\naddress add {OFFICE}.1/24 dev office\n"
    _ip(lan.control, f"{link}link set office up\n")
    shell = lan.control.home / ".ssh"
    files = (shell / "known_hosts", shell / "config")
    for host in lan.hosts:
        last = host.address.rpartition(".")[2]
        cable = f"link add desk{last} type veth peer name {RJ45} netns {host.init}\n"
        _ip(lan.control, f"{cable}link set desk{last} master office up\n")
        address = f"address add {OFFICE}.{last}/24 dev {RJ45}\nlink set {RJ45} up\n"
        host.run(["ip", "-batch", "-"], input=address, check=True)
        for file in files:
            file.write_text(
                re.sub(
                    rf"{re.escape(host.address)}\b", f"{OFFICE}.{last}", file.read_text("utf-8")
                ),
                "utf-8",
            )


def _ip(machine: Machine, lines: str) -> None:
    """Run lines of `ip -batch` in a machine's network; numbers of processes are those outside."""
    command = ("nsenter", "--target", str(machine.init), "--net", "ip", "-batch", "-")
    subprocess.run(command, input=lines, text=True, check=True)
