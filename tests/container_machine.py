"""A folder that stands for the machine of `run-cluster-node`, and the program as a process.

`ip` and `ray` are scripts here; in a container, with the real ones, is a live test.
"""

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PROGRAM = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from cluster.launcher.run_cluster_node import main
sys.exit(main(sys.argv[3:], sys.argv[2]))
"""
HEAD = (
    *("--role", "head", "--host-ip", "192.168.177.11"),
    *("--eth-if", "enp1s0f1np1", "--ib-if", "rocep1s0f1"),
)
LINK = {
    "ifname": "enp1s0f1np1",
    "flags": ["BROADCAST", "MULTICAST", "UP", "LOWER_UP"],
    "mtu": 9000,
    "link_type": "ether",
    "addr_info": [{"family": "inet", "local": "192.168.177.11", "prefixlen": 24}],
}
FILE = "etc/spark-vllm-cluster/environment.sh"
TOKEN = "run/secrets/ray-token"


def spark(folder: Path) -> Path:
    """Return the root folder of a machine that can be a head."""
    devices = ("sys/class/infiniband/rocep1s0f1", "dev/infiniband/uverbs0", "dev/shm")
    for name in (*devices, "bin", "proc/1", "proc/self", "root", "run/secrets"):
        (folder / name).mkdir(parents=True)
    (folder / "proc/1/environ").write_bytes(b"HOME=/root\0")
    (folder / "proc/1/comm").write_bytes(b"docker-init\n")
    (folder / "proc/self/status").write_text("CapEff:\t000001ffffffffff\n", encoding="utf-8")
    (folder / "program").write_text(PROGRAM, encoding="utf-8")
    script(folder, "ip", f"echo '{json.dumps([LINK])}'")
    script(folder, "ray", f'echo "$0" "$@"; env -0 > {folder}/seen')
    return folder


def script(machine: Path, name: str, text: str) -> None:
    """Put a shell script on the PATH of a machine."""
    file = machine / "bin" / name
    file.write_text(f"#!/bin/sh\n{text}\n", encoding="utf-8")
    file.chmod(0o755)


def run(machine: Path, *argv: str, **variables: str) -> tuple[int, str]:
    """Run the program; return its exit code and what it printed, output before errors."""
    environ = {"PATH": f"{machine}/bin:/usr/bin:/bin", "HOME": "/root", **variables}
    done = subprocess.run(
        [sys.executable, "-IS", f"{machine}/program", str(ROOT), str(machine), *argv],
        env=environ,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, (done.stdout + done.stderr).replace(str(machine), "")


def handed_over(machine: Path) -> dict[str, str]:
    """Return the environment that Ray got."""
    pairs = (item.partition("=") for item in (machine / "seen").read_text("utf-8").split("\0"))
    return {name: value for name, _, value in pairs if name not in {"", "PWD", "PATH"}}


def bash(machine: Path, command: str) -> tuple[int, str]:
    """Run the program in a bash that reads the variables first, as every bash of the image does."""
    environ = {
        "PATH": f"{machine}/bin:/usr/bin:/bin",
        "HOME": "/root",
        "BASH_ENV": str(machine / FILE),
        "RUN": f"{sys.executable} -IS {machine}/program {ROOT} {machine}",
    }
    done = subprocess.run(
        ["bash", "-c", command], env=environ, capture_output=True, text=True, check=False
    )
    return done.returncode, done.stdout + done.stderr
