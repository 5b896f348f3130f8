"""Real hosts on this machine, joined by a switch, and a laptop to work from: `with made(...)`.

The switch is a bridge in its own network namespace, so names and addresses never collide: neither
with this machine's, nor with those of another run. `lan.control` is the laptop.
"""

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from tests.live.machine import INTERFACE, Machine

CACHE = Path(__file__).resolve().parents[2] / ".state" / "live"
BASE = "debian:12-slim"
NEEDED = ("dockerd", "ip", "nsenter", "ping", "setpriv", "sshd", "ssh-keygen", "unshare")
NETWORK = "192.168.177"
Kind = Callable[[str, str, Path], Machine]
"""Describes a host by its name, its address and the folder of its files."""


class Lan:
    """The hosts, and the laptop on the same network."""

    def __init__(
        self, folder: Path, names: Sequence[str], kinds: Mapping[str, Kind] | None = None
    ) -> None:
        """Describe the hosts; nothing is started yet."""
        self.folder = folder
        self.control = Machine("control", f"{NETWORK}.1", folder / "control", offline=False)
        self.hosts = tuple(
            (kinds or {}).get(name, Machine)(name, f"{NETWORK}.{number}", folder / name)
            for number, name in enumerate(names, 11)
        )

    def host(self, name: str) -> Machine:
        """Return a host by its name."""
        return next(host for host in self.hosts if host.name == name)


@contextmanager
def made(
    folder: Path,
    names: Sequence[str] = ("spark1", "spark2"),
    *,
    control_engine: bool = False,
    kinds: Mapping[str, Kind] | None = None,
) -> Iterator[Lan]:
    """Make hosts with running engines and SSH servers; end them, and remove their files.

    `control_engine` gives the laptop an engine, too: its containers have this machine's network.
    `kinds` has the hosts that are of a special kind.
    """
    skip_unless_possible()
    lan = Lan(folder, names, kinds)
    machines = (lan.control, *lan.hosts)
    with ExitStack() as undo:
        _write_files(lan, undo)
        switch = undo.enter_context(_switch())
        for machine in machines:
            undo.callback(machine.finish)
            machine.begin()
            _plug(machine, switch, "eth0" if machine is lan.control else INTERFACE)
        engines = machines if control_engine else lan.hosts
        for machine in engines:
            machine.start_engine(wait=False)
        for machine in lan.hosts:
            machine.start_ssh()
        for machine in engines:
            machine.wait_engine()
        yield lan


def skip_unless_possible() -> None:
    """Skip the test where hosts cannot be made, with what is missing."""
    if os.geteuid():
        pytest.skip("only root can make hosts")
    path = f"{os.environ['PATH']}:/usr/sbin:/sbin"
    missing = [program for program in NEEDED if not shutil.which(program, path=path)]
    if missing:
        pytest.skip(f"not installed: {', '.join(missing)}")


def base_image(host: Machine, name: str = BASE) -> str:
    """Load a minimal Debian into an engine; it is created once on this machine. Return its name."""
    file = CACHE / f"{name.replace(':', '-')}.tar"
    if host.docker("image", "ls", "--quiet", name):
        return name
    if not file.exists():
        _make_base_image(host, name, file)
    host.docker("load", "--quiet", "--input", str(file))
    return name


def _make_base_image(host: Machine, name: str, file: Path) -> None:
    """Import a Debian from packages; its archive keeps the ID, so that all hosts have the same."""
    if not shutil.which("debootstrap", path="/usr/sbin"):
        pytest.skip("not installed: debootstrap")
    rootfs, half = host.folder / "rootfs", file.with_suffix(f".{os.getpid()}")
    file.parent.mkdir(parents=True, exist_ok=True)
    command = ("/usr/sbin/debootstrap", "--variant=minbase", "bookworm", rootfs)
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    assert not done.returncode, done.stdout.decode(errors="replace")[-2000:]
    for path in ("usr/share/doc", "usr/share/locale", "usr/share/man", "var/cache/apt"):
        shutil.rmtree(rootfs / path)
    pack = host.run(
        ["sh", "-c", 'tar -C "$1" -c . | docker import - "$2"', "pack", rootfs, name], timeout=300
    )
    assert not pack.returncode, pack.stderr
    shutil.rmtree(rootfs)
    host.docker("save", "--output", str(half), name)
    half.replace(file)


@contextmanager
def _switch() -> Iterator[int]:
    """Make a network namespace with a bridge; yield the number of the process that holds it."""
    script = "ip link add fabric type bridge && ip link set fabric up && echo up && exec sleep 1d"
    holder = subprocess.Popen(
        ["setpriv", "--pdeathsig", "KILL", "unshare", "--net", "sh", "-c", script],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
    )
    with holder:
        assert holder.stdout
        try:
            assert holder.stdout.readline() == "up\n"
            yield holder.pid
        finally:
            holder.kill()


def _plug(host: Machine, switch: int, interface: str) -> None:
    """Join the host to the switch."""
    last = host.address.rpartition(".")[2]
    on_switch = ("nsenter", "--target", str(switch), "--net", "ip", "-batch", "-")
    cable = f"""link add port{last} type veth peer name {interface} netns {host.init}
link set port{last} master fabric up
"""
    subprocess.run(on_switch, input=cable, text=True, check=True)
    address = f"address add {host.address}/24 dev {interface}\nlink set {interface} up\n"
    host.run(["ip", "-batch", "-"], input=address, check=True)


def _write_files(lan: Lan, undo: ExitStack) -> None:
    """Write accounts, names and keys: all hosts accept one key, and know each other."""
    lan.folder.mkdir(parents=True, exist_ok=True)
    key = lan.folder / "client_key"
    undo.callback(key.unlink, missing_ok=True)
    undo.callback(key.with_suffix(".pub").unlink, missing_ok=True)
    _new_key(key)
    for machine in (lan.control, *lan.hosts):
        for name in ("docker", "tmp"):
            (machine.folder / name).mkdir(parents=True)
        _new_key(machine.folder / "host_key")
    known_hosts = "".join(
        f"{host.address} {_public(host.folder / 'host_key')}\n" for host in lan.hosts
    )
    aliases = "".join(f"Host {host.name}\n  HostName {host.address}\n" for host in lan.hosts)
    for machine in (lan.control, *lan.hosts):
        _write_system(machine, lan)
        shell = machine.home / ".ssh"
        shell.mkdir(mode=0o700, parents=True)
        shutil.copy(key, shell / "id_ed25519")
        (shell / "authorized_keys").write_text(f"{_public(key)}\n", "utf-8")
        (shell / "known_hosts").write_text(known_hosts, "utf-8")
        (shell / "config").write_text(aliases, "utf-8")


def _write_system(machine: Machine, lan: Lan) -> None:
    """Write a host's /etc/passwd, which is where OpenSSH finds a home folder, and /etc/hosts."""
    users = Path("/etc/passwd").read_text("utf-8").splitlines()
    accounts = [user for user in users if not user.startswith("root:")]
    root = f"root:x:0:0:root:{machine.home}:/bin/sh"
    (machine.folder / "passwd").write_text("\n".join((root, *accounts, "")), "utf-8")
    # As Debian and Ubuntu install it: the host's own name is no address of the network.
    names = f"127.0.0.1 localhost\n127.0.1.1 {machine.name}\n"
    (machine.folder / "hosts").write_text(names, "utf-8")


def _new_key(path: Path) -> None:
    command = ("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", path.name, "-f", path)
    subprocess.run(command, check=True)


def _public(key: Path) -> str:
    return key.with_suffix(".pub").read_text("utf-8").strip()
