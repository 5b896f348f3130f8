"""Say as one line of JSON what matters about a node before its container starts.

Runs in a throw-away container of the cluster's image, with the network, the devices and the shared
memory of the real one: `preflight.py --ports 6379 8265`. These are facts and no judgement. Only the
standard library is imported, beside Ray: whether that works is one of the facts.
"""

import argparse
import json
import resource
import shutil
import socket
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

Facts = dict[str, Any]
DEVICE_FILES = Path("/dev/infiniband")
RDMA = Path("/sys/class/infiniband")
SHARED_MEMORY = Path("/dev/shm")  # noqa: S108 (the place itself is asked about)
CAP_IPC_LOCK = 14  # linux/capability.h
IP_SECONDS = 10


def ray() -> Facts:
    """Import Ray, and tell its version or why it failed."""
    try:
        import ray as imported
    except Exception as error:  # noqa: BLE001 -- a broken library raises anything
        return {"ray": None, "ray_error": f"{type(error).__name__}: {error}".splitlines()[0]}
    return {"ray": imported.__version__}


def vllm() -> str | None:
    """Tell vLLM's version without importing it, which takes many seconds."""
    try:
        return version("vllm")
    except PackageNotFoundError:
        return None


def addresses(program: str = "ip") -> Facts:
    """List all network interfaces; with `-4` those without an IPv4 address would be left out."""
    command = [program, "-j", "address"]
    try:
        done = subprocess.run(  # noqa: S603 (a list of words from above)
            command, check=True, capture_output=True, text=True, timeout=IP_SECONDS
        )
        return {"addresses": json.loads(done.stdout)}
    except subprocess.CalledProcessError as error:
        return {"addresses_error": error.stderr.strip() or str(error)}
    except (OSError, ValueError, subprocess.TimeoutExpired) as error:
        return {"addresses_error": str(error)}


def taken(port: int) -> str | None:
    """Say why a server could not listen on all interfaces; None when it could."""
    with socket.socket() as server:
        # As servers do: a port that is only in TIME_WAIT is free.
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            server.bind(("", port))
            server.listen()
        except OSError as error:
            return error.strerror
    return None


def space(path: Path) -> Facts:
    """Tell the bytes of a file system, without those that are kept for root."""
    usage = shutil.disk_usage(path)
    return {"free": usage.free, "total": usage.total}


def names(folder: Path) -> list[str]:
    """List what is in a folder; nothing when it does not exist."""
    return sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []


def state(device: Path) -> str:
    """Tell the state of an RDMA device's port 1, as `4: ACTIVE`; empty when it has none."""
    try:
        return (device / "ports/1/state").read_text().strip()
    except OSError:
        return ""


def field(path: Path, name: str) -> str:
    """Return the first word of a line like `MemAvailable:  123 kB`."""
    lines = (line.split() for line in path.read_text().splitlines())
    return next(words[1] for words in lines if words[:1] == [f"{name}:"])


def memlock() -> int | None:
    """Tell how many bytes a process may lock in memory; None means any number."""
    soft, _ = resource.getrlimit(resource.RLIMIT_MEMLOCK)
    return None if soft == resource.RLIM_INFINITY else soft


def facts(ports: list[int]) -> Facts:
    """Gather everything."""
    return {
        **ray(),
        "vllm": vllm(),
        **addresses(),
        "taken": {str(port): taken(port) for port in ports},
        "disk": space(Path("/"))["free"],
        "shm": space(SHARED_MEMORY),
        "memory": int(field(Path("/proc/meminfo"), "MemAvailable")) * 1024,
        "infiniband": names(DEVICE_FILES),
        "rdma": {name: state(RDMA / name) for name in names(RDMA)},
        "memlock": memlock(),
        "ipc_lock": bool(int(field(Path("/proc/self/status"), "CapEff"), 16) >> CAP_IPC_LOCK & 1),
    }


def parser() -> argparse.ArgumentParser:
    """Describe the command line."""
    root = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    root.add_argument("--ports", type=int, nargs="*", default=[], help="TCP ports to be free")
    return root


if __name__ == "__main__":
    print(json.dumps(facts(parser().parse_args().ports), ensure_ascii=False))
