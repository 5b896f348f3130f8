"""One real host on this machine: its own network, name, /run, shared memory, SSH server, engine.

A host is a set of namespaces. It ends with the process that holds them, and that process ends with
the program that started it, however that ends.
"""

import hashlib
import http.client
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO

INTERFACE = "enp1s0f1np1"
# Debian's own programs first: what else is installed need not fit Debian's engine.
PATH = "/usr/sbin:/usr/bin:/sbin:/bin"
SPACES = ("--net", "--mount", "--uts", "--ipc", "--pid")
SSHD = "/usr/sbin/sshd"  # it starts itself again for each connection, hence by its whole path
# The first line is the holder's number as this machine knows it; a new /proc would say 1. A new
# /sys shows the host's own interfaces, and hides the control groups, so they are put back. In
# /etc/docker an engine of Debian's version keeps what makes its ID. A Docker host forwards packets;
# the engines of these hosts are told to leave that alone, and a new network does not begin with it.
HOLD = """set -e
read -r pid rest </proc/self/stat
mount -t proc proc /proc
mount -t tmpfs -o mode=755 tmpfs /run
mkdir /run/sshd /run/cgroup /run/tmp
mount --bind "$1/tmp" /run/tmp
mount --rbind /sys/fs/cgroup /run/cgroup
mount -t sysfs sysfs /sys
mount --rbind /run/cgroup /sys/fs/cgroup
umount --lazy /run/cgroup
mount -t tmpfs -o mode=1777 tmpfs /dev/shm
mount --bind "$1/passwd" /etc/passwd
mount --bind "$1/hosts" /etc/hosts
mkdir -p /etc/docker
mount --bind "$1/docker" /etc/docker
echo 1 >/proc/sys/net/ipv4/ip_forward
hostname "$2"
ip link set lo up
echo "$pid"
exec >/dev/null
while :; do sleep 3600 & wait; done
"""
SSHD_CONFIG = """HostKey {folder}/host_key
PidFile /run/sshd.pid
PermitRootLogin prohibit-password
PasswordAuthentication no
KbdInteractiveAuthentication no
AllowStreamLocalForwarding yes
MaxStartups 100
SetEnv PATH={path} TMPDIR=/run/tmp
"""


class Machine:
    """A host: its programs have their own network, name, /run and home folder."""

    def __init__(
        self, name: str, address: str, folder: Path, *, offline: bool = True, disk: int = 0
    ) -> None:
        """Describe a host whose files lie in `folder`; the engine of one online reaches out.

        With a size in bytes, the data of its engine are on a disk of their own.
        """
        self.name = name
        self.address = address
        self.folder = folder
        self.home = folder / "home"
        self.group = f"live-{hashlib.sha256(bytes(folder)).hexdigest()[:12]}"
        self.path = f"{folder}/bin:{PATH}"
        self._offline = offline
        self._disk = disk
        self._holder: subprocess.Popen[str] | None = None
        self._services: dict[str, subprocess.Popen[bytes]] = {}
        self.init = 0

    @property
    def root(self) -> Path:
        """The host's file system as seen from outside; absolute links in it lead elsewhere."""
        return Path(f"/proc/{self.init}/root")

    @property
    def socket(self) -> Path:
        """The socket of the host's engine as seen from outside."""
        return self.root / "run/docker.sock"

    def run(
        self,
        argv: Sequence[str | Path],
        *,
        env: Mapping[str, str] | None = None,
        input: str | None = None,  # noqa: A002  (as subprocess.run names it)
        timeout: float = 120,
        check: bool = False,
    ) -> subprocess.CompletedProcess[str]:
        """Run a program on the host to its end; without input its standard input is empty."""
        return subprocess.run(
            [*self._enter(SPACES), *argv],
            env=self._variables(env or {}),
            input=input or "",
            capture_output=True,
            text=True,
            errors="replace",
            timeout=timeout,
            check=check,
        )

    def start(
        self, argv: Sequence[str | Path], *, env: Mapping[str, str] | None = None
    ) -> subprocess.Popen[str]:
        """Start a program on the host, with pipes; the PID in the result is its parent's."""
        return subprocess.Popen(
            [*self._enter(SPACES), *argv],
            env=self._variables(env or {}),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def docker(self, *argv: str, check: bool = True) -> str:
        """Run the Docker client on the host; return its output without the last newline."""
        result = self.run(["docker", *argv])
        if check and result.returncode:
            raise RuntimeError(f"{self.name}: docker {' '.join(argv)}: {result.stderr}")
        return result.stdout.removesuffix("\n")

    def interface_bytes(self, interface: str = INTERFACE) -> tuple[int, int]:
        """Return how many bytes the interface received and sent."""
        folder = self.root / "sys/class/net" / interface / "statistics"
        rx, tx = (int((folder / name).read_text("utf-8")) for name in ("rx_bytes", "tx_bytes"))
        return rx, tx

    def put_program(self, path: Path, text: str) -> None:
        """Write a program; in `bin` of this host's folder it comes before those of the machine."""
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, "utf-8")
        path.chmod(0o755)

    def start_engine(self, *, wait: bool = True) -> None:
        """Start the engine at the standard socket, and wait for its first answer."""
        flags = {
            "exec-root": "/run/docker",
            "pidfile": "/run/docker.pid",
            "host": "unix:///var/run/docker.sock",
            "bridge": "none",
            "iptables": "false",
            "ip-masq": "false",
            "ip-forward": "false",
            "cgroup-parent": f"/{self.group}",
            "exec-opt": "native.cgroupdriver=cgroupfs",
            "shutdown-timeout": 3,
        }
        argv = [*self.engine_words(), *(f"--{name}={value}" for name, value in flags.items())]
        spaces = SPACES if self._offline else SPACES[1:]
        self._serve("dockerd", argv, spaces)
        if wait:
            self.wait_engine()

    def engine_words(self) -> Sequence[str]:
        """Return the start of the engine's command: the program, and the folder of its data."""
        return ("dockerd", f"--data-root={self.folder}/engine/data")

    def wait_engine(self) -> None:
        """Wait for the first answer of the engine."""
        self._wait("dockerd", self._pings)

    def stop_engine(self) -> None:
        """Stop the engine as its service manager would; its containers end too."""
        self._end("dockerd", "docker.pid")

    def start_ssh(self) -> None:
        """Start the SSH server."""
        config = self.folder / "sshd_config"
        config.write_text(SSHD_CONFIG.format(folder=self.folder, path=self._path), "utf-8")
        self._serve("sshd", [SSHD, "-D", "-e", "-f", str(config)], SPACES)
        self._wait("sshd", (self.root / "run/sshd.pid").exists)

    def stop_ssh(self) -> None:
        """Stop the SSH server; open connections stay open."""
        self._end("sshd", "sshd.pid")

    def begin(self) -> None:
        """Start the process that holds the namespaces; it dies with this thread."""
        argv = ("unshare", *SPACES, "--fork", "--kill-child", "sh", "-c", HOLD)
        with self._log("holder") as log:
            self._holder = subprocess.Popen(
                ["setpriv", "--pdeathsig", "KILL", *argv, "hold", self.folder, self.name],
                env=self._variables({}),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        if self._holder.stdout:
            self.init = int(self._holder.stdout.readline() or 0)
            self._holder.stdout.close()
        if not self.init:
            raise RuntimeError(f"{self.name}: {self._log_end('holder')}")
        self._begin_data()

    def finish(self) -> None:
        """End the holder, and with it every process of the host; remove its files."""
        if self._holder and self._holder.poll() is None:
            # The first process of a PID namespace takes all others with it, and ends after them.
            os.kill(self.init or self._holder.pid, signal.SIGKILL)
            self._holder.wait(30)
        for service in self._services.values():
            service.wait(20)
        groups = Path("/sys/fs/cgroup")
        for group in (*groups.glob(f"*/{self.group}"), groups / self.group):
            for folder, _, _ in os.walk(group, topdown=False):
                Path(folder).rmdir()
        shutil.rmtree(self.folder)

    def _begin_data(self) -> None:
        """Create the folder of the engine's data; a separate disk ends with the namespaces."""
        data, disk = self.folder / "engine" / "data", self.folder / "engine" / "disk"
        data.mkdir(parents=True)
        if self._disk:
            with disk.open("wb") as file:
                file.truncate(self._disk)
            self.run(["mkfs.ext4", "-q", "-m", "0", disk], check=True)
            self.run(["mount", "-o", "loop", disk, data], check=True)

    @property
    def _path(self) -> str:
        """The PATH on this host: programs in `first` shadow all others."""
        return f"{self.folder}/first:{self.path}"

    def _serve(self, service: str, argv: Sequence[str], spaces: Sequence[str]) -> None:
        with self._log(service) as log:
            self._services[service] = subprocess.Popen(
                [*self._enter(spaces), *argv],
                env=self._variables({}),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    def _end(self, service: str, pid_file: str) -> None:
        self.run(["kill", (self.root / "run" / pid_file).read_text("utf-8").strip()], check=True)
        self._services.pop(service).wait(30)

    def _wait(self, service: str, ready: Callable[[], bool]) -> None:
        process = self._services[service]
        if not _wait_until(lambda: process.poll() is not None or ready(), 30) or process.poll():
            raise RuntimeError(f"{self.name}: {service}: {self._log_end(service)}")

    def _pings(self) -> bool:
        connection = http.client.HTTPConnection("engine", timeout=5)
        connection.sock = socket.socket(socket.AF_UNIX)
        with suppress(OSError), connection.sock:
            connection.sock.connect(str(self.socket))
            connection.request("GET", "/_ping")
            return connection.getresponse().read() == b"OK"
        return False

    def _enter(self, spaces: Sequence[str]) -> tuple[str, ...]:
        return ("nsenter", "--target", str(self.init), *spaces)

    def _variables(self, changes: Mapping[str, str]) -> dict[str, str]:
        path = f"{self._path}:{os.environ['PATH']}"
        variables = {"HOME": str(self.home), "PATH": path, "TMPDIR": "/run/tmp"}
        inherited = {
            name: value for name, value in os.environ.items() if not name.startswith("DOCKER_")
        }
        return inherited | variables | dict(changes)

    def _log(self, service: str) -> IO[bytes]:
        return (self.folder / f"{service}.log").open("ab")

    def _log_end(self, service: str) -> str:
        return (self.folder / f"{service}.log").read_text("utf-8", "replace")[-2000:]


def _wait_until(condition: Callable[[], object], seconds: float) -> bool:
    """Wait for a condition; return whether it became true in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True
