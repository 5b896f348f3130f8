"""Tools for the tests of `inv ship`: hosts with the repository, images, and received bytes."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.live import hosts
from tests.live.hosts import Kind, Lan
from tests.live.machine import INTERFACE, Machine
from tests.live.rehearsal import ROOT

MEGA = 1_000_000


@dataclass(frozen=True, kw_only=True)
class Shipped:
    """The outcome of `inv ship --json`."""

    code: int
    results: dict[str, str]
    """The result of each node."""
    sent: dict[str, int]
    """The bytes that each host received on the fast link meanwhile."""
    errors: str
    """All of its standard error."""

    @property
    def problem(self) -> str:
        """The sentence about the problem."""
        return self.errors.strip().rpartition("\n")[2]

    @property
    def place(self) -> str:
        """The node or thing that the sentence names."""
        return self.problem.partition(":")[0]

    @property
    def remedy(self) -> str:
        """The command that the sentence ends with."""
        match = re.search(r"`([^`]+)`[^`]*\)$", self.problem)
        return match[1] if match else ""


@dataclass(frozen=True, kw_only=True)
class Site:
    """The repository of a user of these hosts, with a cluster of them."""

    tree: Path
    lan: Lan

    def command(self, image: str, *words: str) -> list[str]:
        """Return the command line of `inv ship --json`."""
        program = [sys.executable, "-m", "invoke", "ship", "--json", "--image", image]
        return ["env", "--chdir", str(self.tree), *program, *words]

    def ship(self, image: str, *words: str) -> Shipped:
        """Ship an image of the first host, and wait for the end."""
        with self.shipping(image, *words) as run:
            return run.wait()

    @contextmanager
    def shipping(self, image: str, *words: str) -> Iterator["Run"]:
        """Start to ship an image of the first host."""
        before = self.received()
        with self.lan.hosts[0].start(self.command(image, *words)) as process:
            run = Run(site=self, process=process, before=before)
            try:
                yield run
            finally:
                run.kill()

    def received(self) -> dict[str, int]:
        """Return how many bytes each host has received on the fast link."""
        return {host.name: host.interface_bytes()[0] for host in self.lan.hosts}


@dataclass(frozen=True, kw_only=True)
class Run:
    """A running `inv ship`."""

    site: Site
    process: "subprocess.Popen[str]"
    before: dict[str, int]

    @property
    def pid(self) -> int:
        """The process ID of `inv` itself, the child of the process that was started."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        return int(children.read_text("utf-8").split()[0])

    def kill(self) -> None:
        """Kill it if it still runs."""
        if self.process.poll() is None:
            os.kill(self.pid, signal.SIGKILL)

    def until(self, host: Machine, growth: int) -> None:
        """Wait until a host has received `growth` bytes."""
        wait_until(lambda: host.interface_bytes()[0] - self.before[host.name] >= growth)

    def wait(self) -> Shipped:
        """Wait for the end; return the outcome."""
        out, err = self.process.communicate(timeout=90)
        nodes: list[dict[str, Any]] = json.loads(out)["nodes"] if out else []
        after = self.site.received()
        return Shipped(
            code=self.process.returncode,
            results={node["node"]: node["result"] for node in nodes},
            sent={name: after[name] - before for name, before in self.before.items()},
            errors=err,
        )


@contextmanager
def new_site(
    folder: Path, names: tuple[str, ...], kinds: Mapping[str, Kind] | None = None
) -> Iterator[Site]:
    """Start hosts, and copy the repository for a cluster of all; the first host ships."""
    tree = folder / "tree"
    for name in ("cluster", "docker"):
        shutil.copytree(ROOT / name, tree / name)
    shutil.copy(ROOT / "tasks.py", tree)
    with hosts.made(folder / "lan", names, kinds=kinds) as lan:
        (tree / "env").mkdir()
        (tree / "env" / "cluster.env").write_text("", "utf-8")
        for host in lan.hosts:
            role = "head" if host is lan.hosts[0] else "worker"
            text = (
                f"ROLE={role}\nHOST_IP={host.address}\nETH_IF={INTERFACE}\nSSH_HOST={host.name}\n"
            )
            (tree / "env" / f"{host.name}.env").write_text(text, "utf-8")
        yield Site(tree=tree, lan=lan)


def build(host: Machine, name: str, *sizes: int, base: str = "scratch") -> str:
    """Build an image with a layer of random bytes of each size; return its ID."""
    context = new_context(host.folder / "tmp" / "context", *sizes, base=base)
    try:
        return build_from(context, host, name)
    finally:
        shutil.rmtree(context)


def new_context(folder: Path, *sizes: int, base: str = "scratch") -> Path:
    """Write the build context of an image with a layer of random bytes of each size."""
    folder.mkdir()
    lines = [f"FROM {base}", "ENV SHIP=1"]
    for number, size in enumerate(sizes):
        lines.append(f"COPY random{number} /")
        with (folder / f"random{number}").open("wb") as file:
            subprocess.run(("head", "-c", str(size), "/dev/urandom"), stdout=file, check=True)
    (folder / "Dockerfile").write_text("\n".join(lines), "utf-8")
    return folder


def build_from(context: Path, host: Machine, name: str) -> str:
    """Build an image from a context; return its ID."""
    command = ("docker", "build", "--quiet", "--tag", name, str(context))
    host.run(command, env={"DOCKER_BUILDKIT": "1"}, check=True)
    return identity(host, name)


def identity(host: Machine, name: str) -> str:
    """Return the ID of a host's image; empty if there is none."""
    return host.docker("image", "ls", "--no-trunc", "--quiet", name)


def layers(host: Machine, name: str) -> list[str]:
    """Return the digests of an image's layers; fail if there is no such image."""
    text = host.docker("image", "inspect", "--format", "{{json .RootFS.Layers}}", name)
    digests: list[str] = json.loads(text)
    return digests


def wait_until(condition: Callable[[], object]) -> None:
    """Wait until a condition is true, at most 30 s."""
    end = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)
