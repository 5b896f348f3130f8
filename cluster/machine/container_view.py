"""What a program inside a container sees of its machine, and how another program takes its place.

It runs in the isolated Python of the image too, so it imports no third-party package. `root` is
the folder that stands for `/`.
"""

import os
import resource
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from errno import EADDRINUSE
from pathlib import Path
from typing import Any, NoReturn

from cluster.machine import files, processes

CAP_IPC_LOCK = 14
"""The bit of the capability to lock memory without limit (linux/capability.h)."""
CONNECT_SECONDS = 2.0


def container_fields(root: str) -> dict[str, Any]:
    """Return the resources of the container as plain values (`checks.containers.container_facts`).

    `memlock` is in bytes, None without a limit; `ipc_lock` is the capability that no limit binds.
    """
    soft, _ = resource.getrlimit(resource.RLIMIT_MEMLOCK)
    return {
        "shm": _space(Path(root, "dev/shm")),
        "infiniband": sorted(path.name for path in Path(root, "dev/infiniband").glob("*")),
        "memlock": None if soft == resource.RLIM_INFINITY else soft,
        "ipc_lock": processes.has_capability(CAP_IPC_LOCK, root),
    }


def rdma_devices(root: str) -> str:
    """Return the RDMA devices and their files as `facts/question.sh` prints them."""
    devices = sorted(Path(root, "sys/class/infiniband").glob("*"))
    return "".join(
        f"{line}\n"
        for device in devices
        for line in (
            f"/{device.relative_to(root)}",
            *(f"/{path.relative_to(root)}" for path in device.glob("device/net/*")),
            *_rows(root, device / "device/uevent"),
            *_rows(root, device / "ports/1/state"),
        )
    )


def addresses() -> str:
    """Return the output of `ip -json address`.

    Raises FileNotFoundError without `ip`, and ChildProcessError with its error if it fails.
    """
    command = ("ip", "-json", "address")
    completed = subprocess.run(command, capture_output=True, text=True, check=False)
    if completed.returncode:
        raise ChildProcessError(completed.stderr.strip())
    return completed.stdout


def process_names(root: str) -> set[str]:
    """Return the names of all processes; the kernel has the first 15 characters."""
    return {files.text(str(path)).strip() for path in Path(root, "proc").glob("[0-9]*/comm")}


def first_variables(root: str) -> bytes:
    """Return the environment of the container's first process: that of its configuration."""
    with suppress(OSError):
        return Path(root, "proc/1/environ").read_bytes()
    return b""


def token_files(root: str, paths: tuple[str, ...]) -> dict[str, bool]:
    """Return which of these files exist, and whether they hold text."""
    located = {path: Path(root, path.lstrip("/")) for path in paths}
    return {path: _has_text(file) for path, file in located.items() if file.exists()}


def has_package(program: str, package: str) -> bool:
    """Whether the environment of a program on the PATH has a package; to import it takes long."""
    path = shutil.which(program)
    folders = Path(path).parent.parent.glob("lib/python3*/site-packages") if path else ()
    return any((folder / package).is_dir() for folder in folders)


def is_taken(host: str, port: int) -> bool:
    """Whether another program listens there; a port that is only in TIME_WAIT is free."""
    with socket.socket() as server:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            server.bind((host, port))
        except OSError as error:
            return error.errno == EADDRINUSE
    return False


def accepts(host: str, port: int) -> bool:
    """Whether a program accepts a connection there."""
    with suppress(OSError), socket.create_connection((host, port), timeout=CONNECT_SECONDS):
        return True
    return False


def show(text: str) -> None:
    """Write text to standard output at once."""
    sys.stdout.write(text)
    sys.stdout.flush()


def warn(text: str) -> None:
    """Write text to standard error at once."""
    sys.stderr.write(text)
    sys.stderr.flush()


def become(argv: tuple[str, ...], variables: dict[str, str]) -> NoReturn:
    """Replace this process by a program on the PATH; raise FileNotFoundError if there is none."""
    os.execvpe(argv[0], argv, variables)  # noqa: S606 (Ray takes this program's place)


def _space(folder: Path) -> dict[str, int]:
    """Return the bytes of a file system, without those reserved for root; 0 without the folder."""
    with suppress(FileNotFoundError):
        usage = shutil.disk_usage(folder)
        return {"free": usage.free, "total": usage.total}
    return {"free": 0, "total": 0}


def _rows(root: str, path: Path) -> Iterator[str]:
    return (f"/{path.relative_to(root)}:{line}" for line in files.text(str(path)).splitlines())


def _has_text(path: Path) -> bool:
    try:
        return bool(path.read_text(encoding="utf-8").strip())
    except (OSError, UnicodeDecodeError):
        return False
