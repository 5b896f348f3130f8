"""Say as one line of JSON what a container of the cluster's image would find on a node.

Runs in a throw-away container, with the devices, the shared memory and the limits of the real one.
These are facts and no judgement. Only the standard library is imported, beside Ray: whether that
works is one of the facts.
"""

import json
import resource
import shutil
from pathlib import Path
from typing import Any

Facts = dict[str, Any]
DEVICE_FILES = Path("/dev/infiniband")
SHARED_MEMORY = Path("/dev/shm")  # noqa: S108 (the place itself is asked about)
CAP_IPC_LOCK = 14  # linux/capability.h


def ray_error() -> str | None:
    """Import Ray, and say why that failed; None when it worked."""
    try:
        import ray  # noqa: F401 (only whether it works is asked)
    except Exception as error:  # noqa: BLE001 -- a broken library raises anything
        return f"{type(error).__name__}: {error}".splitlines()[0]
    return None


def space(path: Path) -> Facts:
    """Tell the bytes of a file system, without those that are kept for root."""
    usage = shutil.disk_usage(path)
    return {"free": usage.free, "total": usage.total}


def names(folder: Path) -> list[str]:
    """List what is in a folder; nothing when it does not exist."""
    return sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []


def field(path: Path, name: str) -> str:
    """Return the first word of a line like `CapEff:  00000000a80425fb`."""
    lines = (line.split() for line in path.read_text().splitlines())
    return next(words[1] for words in lines if words[:1] == [f"{name}:"])


def memlock() -> int | None:
    """Tell how many bytes a process may lock in memory; None means any number."""
    soft, _ = resource.getrlimit(resource.RLIMIT_MEMLOCK)
    return None if soft == resource.RLIM_INFINITY else soft


def facts() -> Facts:
    """Gather everything."""
    return {
        "ray_error": ray_error(),
        "shm": space(SHARED_MEMORY),
        "infiniband": names(DEVICE_FILES),
        "memlock": memlock(),
        "ipc_lock": bool(int(field(Path("/proc/self/status"), "CapEff"), 16) >> CAP_IPC_LOCK & 1),
    }


if __name__ == "__main__":
    print(json.dumps(facts(), ensure_ascii=False))
