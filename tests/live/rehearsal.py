"""The rehearsal cluster of this repository, controlled by `inv` as a user does."""

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.clone import RunResult

ROOT = Path(__file__).resolve().parents[2]
STATE = ROOT / ".state" / "rehearsal"
MARK = "SPARK_CLUSTER_NODE"
URL = "http://192.168.177.11:8888"


def by_name(tree: Path, *words: str) -> list[str]:
    """Return a command line that finds `inv` on the PATH, so that messages call it `inv`."""
    return ["sh", "-c", 'PATH=$0:$PATH; exec inv "$@"', str(tree), *words]


def command(*arguments: str) -> list[str]:
    """Return the command line of a verb on the rehearsal cluster; flags for vLLM stay last."""
    words = list(arguments)
    end = words.index("--") if "--" in words else len(words)
    return by_name(ROOT, *words[:end], "--cluster", "rehearsal", *words[end:])


def inv(*arguments: str, seconds: float = 400) -> RunResult:
    """Run a verb on the rehearsal cluster to its end."""
    completed = subprocess.run(
        command(*arguments),
        cwd="/",
        capture_output=True,
        stdin=subprocess.DEVNULL,
        text=True,
        timeout=seconds,
        check=False,
    )
    return RunResult(completed.returncode, completed.stdout, completed.stderr)


def start(*arguments: str) -> subprocess.Popen[str]:
    """Start a verb on the rehearsal cluster."""
    pipe = subprocess.PIPE
    return subprocess.Popen(command(*arguments), cwd="/", stdout=pipe, stderr=pipe, text=True)


def status() -> dict[str, Any]:
    """Return the output of `inv status --json`."""
    report: dict[str, Any] = json.loads(inv("status", "--json").out)
    return report


def processes(node: str = "") -> Iterator[tuple[int, dict[str, str], list[str]]]:
    """Yield PID, environment and command line of every process of the cluster, or of a node."""
    for entry in Path("/proc").glob("[0-9]*"):
        environment = dict(pair.split("=", 1) for pair in strings(entry / "environ") if "=" in pair)
        place = environment.get(MARK, "")
        if place == f"{STATE}/{node}" or (not node and place.startswith(f"{STATE}/")):
            yield int(entry.name), environment, strings(entry / "cmdline")


def strings(path: Path) -> list[str]:
    """Return the strings of a file of /proc; none if the process is gone."""
    try:
        return path.read_bytes().decode(errors="replace").split("\0")[:-1]
    except OSError:
        return []


def init(node: str) -> str:
    """Return the PID of the process that holds a node's namespaces."""
    return (STATE / node / "init.pid").read_text(encoding="utf-8").strip()


def inside(node: str, *argv: str) -> str:
    """Run a command in the namespaces of a node, and return its output."""
    pid = init(node)
    enter = ["nsenter", "--target", pid, "--net", "--uts", "--mount", "--ipc", "--pid"]
    return subprocess.run([*enter, *argv], capture_output=True, text=True, check=True).stdout


def kill(node: str, program: str) -> None:
    """Kill a program of a node as an accident would."""
    (pid,) = (pid for pid, _, argv in processes(node) if argv and argv[0].endswith(program))
    os.kill(pid, signal.SIGKILL)


def remains() -> list[str]:
    """Return everything that a cluster may have left: processes, files, mounts, interfaces."""
    lives = [f"{pid} {argv}" for pid, _, argv in processes()]
    files = [str(STATE)] if STATE.exists() else []
    mounts = [
        line
        for line in Path("/proc/mounts").read_text("utf-8").splitlines()
        if str(ROOT / ".state") in line
    ]
    links = [link["ifname"] for link in json.loads(subprocess.check_output(["ip", "-j", "link"]))]
    strays = [name for name in links if name.startswith(("port", "fabric", "enp1s0f1np1"))]
    return [*lives, *files, *mounts, *strays]
