"""`run-cluster-node`: looks at the machine, writes the variables down, and becomes Ray."""

import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterable
from contextlib import suppress
from errno import EADDRINUSE
from pathlib import Path
from resource import RLIM_INFINITY, RLIMIT_MEMLOCK, getrlimit
from tempfile import mkstemp
from typing import NoReturn

from cluster.environment.environment import not_carried
from cluster.errors import ClusterError, NodeError, Problem, RefusedError, SettingsError
from cluster.facts.links import Links, interfaces
from cluster.launcher import launcher, machine, persistence
from cluster.launcher.authentication import MOUNTED, TOKEN_PATH, authentication
from cluster.launcher.launch import Launch, contradictions, launch, variables, words
from cluster.launcher.launcher import PROGRAM
from cluster.launcher.machine import Machine

RAY_PROCESSES = {"gcs_server", "raylet"}
CAP_IPC_LOCK = 14
"""The bit of the capability to lock memory without limit (linux/capability.h)."""
NOT_CARRIED = ".config/vllm/ray_non_carry_over_env_vars.json"
"""Below the home folder: the list of `environment.not_carried`."""


def main(argv: list[str], root: Path = Path("/")) -> int:
    """Do what the words say; return an exit code only when Ray was not started.

    Files are looked for and written below `root`.
    """
    if "--help" in argv:
        print(launcher.usage(), end="")
        return 0
    try:
        _become_ray(tuple(argv), root)
    except ClusterError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    except OSError as error:
        where = error.filename or "this machine"
        print(f"{PROGRAM}: {where}: {error.strerror or error}", file=sys.stderr)
        return NodeError.exit_code


def _become_ray(argv: tuple[str, ...], root: Path) -> NoReturn:
    given = launcher.read(argv)
    configured = _configured(root)
    inherited = persistence.inherited(os.environ, configured)
    access = authentication(inherited, _token_files(root, inherited))
    it = launch(given, inherited, access, dashboard=_has_dashboard())
    if found := tuple(contradictions(it, inherited)):
        raise SettingsError(*found)
    here = _machine(it, root)
    if found := (*access.problems, *machine.problems(it.cluster, it.node, here)):
        raise RefusedError(*found)
    _write(root / persistence.FILE[1:], persistence.text(it.environment, configured))
    _keep_back(it, root)
    _say(it, machine.warnings(it.cluster, it.node, here))
    _exec(it.argv, variables(it, inherited))


def _say(it: Launch, warnings: Iterable[str]) -> None:
    for line in words(it):
        print(f"{PROGRAM}: {line}", flush=True)
    for line in (*it.warnings, *warnings):
        print(f"{PROGRAM}: warning: {line}", file=sys.stderr, flush=True)


def _exec(argv: tuple[str, ...], environ: dict[str, str]) -> NoReturn:
    try:
        os.execvpe(argv[0], argv, environ)  # noqa: S606 (Ray takes this program's place)
    except FileNotFoundError:
        remedy = "use the image that `inv build` makes"
        problem = Problem(place=PROGRAM, message=f"`{argv[0]}` is not on PATH", remedy=remedy)
        raise NodeError(problem) from None


def _configured(root: Path) -> dict[str, str]:
    """Return the variables of the container's first process: those of its configuration."""
    with suppress(OSError):
        return dict(persistence.strings((root / "proc/1/environ").read_bytes()))
    return {}


def _token_files(root: Path, inherited: dict[str, str]) -> dict[str, bool]:
    """Return which of the files exist where a token may be, and whether they hold one."""
    paths = filter(None, (inherited.get(TOKEN_PATH), MOUNTED))
    return {
        path: _has_text(root / path.lstrip("/"))
        for path in paths
        if (root / path.lstrip("/")).exists()
    }


def _has_text(path: Path) -> bool:
    try:
        return bool(path.read_text(encoding="utf-8").strip())
    except (OSError, UnicodeDecodeError):
        return False


def _has_dashboard() -> bool:
    """Tell whether Ray was installed with its dashboard; to ask Ray itself takes seconds."""
    program = shutil.which("ray")
    places = Path(program).parent.parent.glob("lib/python3*/site-packages") if program else ()
    return any((place / "aiohttp_cors").is_dir() for place in places)


def _machine(it: Launch, root: Path) -> Machine:
    store = (str(it.cluster.head.host_ip), it.cluster.head_port)
    is_head = it.node.role == "head"
    return Machine(
        links=_links(),
        rdma=tuple(sorted(_names(root / "sys/class/infiniband"))),
        verbs=any(name.startswith("uverbs") for name in _names(root / "dev/infiniband")),
        pinned=_pinned(root),
        shared=_free(root / "dev/shm"),
        ray=not RAY_PROCESSES.isdisjoint(_processes(root)),
        taken=is_head and _taken(store),
        head_answers=is_head or _answers(store),
    )


def _links() -> Links:
    try:
        done = subprocess.run(machine.SHOW_INTERFACES, capture_output=True, text=True, check=True)
    except FileNotFoundError:
        message, remedy = "`ip` is not on PATH", "install iproute2"
    except subprocess.CalledProcessError as error:
        message, remedy = f"`ip` failed: {error.stderr.strip()}", "look at `ip address`"
    else:
        return Links(interfaces=interfaces(done.stdout))
    raise NodeError(Problem(place=PROGRAM, message=message, remedy=remedy))


def _names(folder: Path) -> tuple[str, ...]:
    with suppress(FileNotFoundError):
        return tuple(path.name for path in folder.iterdir())
    return ()


def _pinned(root: Path) -> int | None:
    """Return how many bytes may be locked; None if the limit or a privilege says: all."""
    limit, _ = getrlimit(RLIMIT_MEMLOCK)
    with suppress(OSError):
        status = (root / "proc/self/status").read_text(encoding="utf-8").split()
        if int(status[status.index("CapEff:") + 1], 16) >> CAP_IPC_LOCK & 1:
            return None
    return None if limit == RLIM_INFINITY else limit


def _free(folder: Path) -> int:
    """Return the bytes that Ray can have there; without the folder, none."""
    with suppress(FileNotFoundError):
        found = os.statvfs(folder)
        return found.f_bavail * found.f_bsize
    return 0


def _taken(place: tuple[str, int]) -> bool:
    """Tell whether another program listens there; one whose port is only in TIME_WAIT does not."""
    with socket.socket() as server:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            server.bind(place)
        except OSError as error:
            return error.errno == EADDRINUSE
    return False


def _answers(place: tuple[str, int]) -> bool:
    with suppress(OSError), socket.create_connection(place, timeout=2.0):
        return True
    return False


def _processes(root: Path) -> set[str]:
    """Return the names of all processes; the kernel has the first 15 characters."""
    names = set()
    for path in (root / "proc").glob("[0-9]*/comm"):
        with suppress(OSError):  # it has just ended
            names.add(path.read_text(encoding="utf-8", errors="replace").strip())
    return names


def _write(path: Path, text: str) -> None:
    """Write a file at once: no shell reads half of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, aside = mkstemp(dir=path.parent)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8", errors="surrogateescape") as file:
            file.write(text)
        Path(aside).chmod(0o644)
        Path(aside).replace(path)
    except BaseException:
        Path(aside).unlink()
        raise


def _keep_back(it: Launch, root: Path) -> None:
    """Tell vLLM which variables belong to one node, unless the user has told it already."""
    path = root / os.environ.get("HOME", "/root").lstrip("/") / NOT_CARRIED
    if not path.exists():
        _write(path, not_carried(it.cluster))
