"""What `inv ship` takes, beside `docker save | ssh docker load` and a copy of the whole file."""

import argparse
import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import NamedTuple

import pytest

from bench import rounds, ship_images
from bench.ship_images import AFTER, BEFORE, MEGA, SMALL, Image
from tests.live import hosts
from tests.live.lan import Site, cloned
from tests.live.machine import Machine

NODES = ("spark1", "spark2", "spark3", "spark4")
NODE = NODES[0]
PIPE = f"docker save {AFTER} | ssh {NODE} docker load"
COPY = f"docker save --output saved.tar {AFTER}; ssh {NODE} docker load <saved.tar; rm saved.tar"
SHIP = "inv ship"
COLD, DELTA, NOTHING = "cold", "`--fast`", "nothing to do"
FAN = "four nodes, to one"
COLD_BAR, DELTA_BAR, NOTHING_BAR, BYTES_BAR, FAN_BAR = 0.9, 0.25, 1.0, 1.02, 1.5
# What runs a command, and tells seconds, KiB of the largest process, the exit code.
WATCH = """
import resource, subprocess, sys, time
began = time.perf_counter()
code = subprocess.run(sys.argv[1:], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL).returncode
took = time.perf_counter() - began
print(took, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss, code)
"""
SOURCES = """
import sys, time
from cluster.machine import streams
from cluster.ship import source
save = ("docker save", lambda image, root: streams.reader(("docker", "save", image)))
for kind, reader in (*source.STORAGE, save):
    start, size = time.perf_counter(), 0
    with reader(sys.argv[1], sys.argv[2]) as program:
        program.send_line("0")
        while chunk := program.read():
            size += len(chunk)
    if size:  # no container of an image without Python
        print(kind, time.perf_counter() - start, size, sep=";")
"""


class Run(NamedTuple):
    """One command that has ended."""

    seconds: float
    memory: int
    """KiB of its largest process."""
    received: int
    """Bytes that the first node has received meanwhile."""


class Bar(NamedTuple):
    """A number that may not be above another."""

    message: str
    found: float
    at_most: float


def main(arguments: list[str]) -> None:
    """Measure, and print the tables; the exit code is 1 when a bar is not met."""
    parser = argparse.ArgumentParser(prog="bench ship", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3, help="how often each side counts")
    parser.add_argument("--warmups", type=int, default=1, help="rounds before that do not count")
    which = parser.add_mutually_exclusive_group()
    which.add_argument(
        "--images",
        nargs=2,
        metavar=("BEFORE", "AFTER"),
        help="files that `docker save` wrote, or images of this machine's engine (default: what "
        "`inv build --arch cpu` makes, without and with `--fast`)",
    )
    which.add_argument("--size", type=int, help="make images of so many MB, of small files")
    parser.add_argument("--small", type=int, default=100, help="MB of the image for four nodes")
    options = parser.parse_args(arguments)
    try:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            with hosts.made(folder / "lan", NODES, control_engine=True) as lan:
                (folder / "laptop").mkdir()
                measure(cloned(folder / "laptop", lan), options)
    except pytest.skip.Exception as reason:
        print(f"bench: skipped: {reason}")


def measure(site: Site, options: argparse.Namespace) -> None:
    """Let all take turns; print what they took, and whether the bars are met."""
    image = ship_images.place(site, options)
    print(f"{image.whole / MEGA:.0f} MB of layers, {image.missing / MEGA:.0f} MB of them new\n")
    print(f"{sources(site)}\n", flush=True)
    bench = Bench(site, options.rounds, options.warmups)
    bars = [*bench.shipped(image), *bench.fanned()]
    lines = (f"| {bar.message} | {bar.found:.3f} | {bar.at_most:.2f} |" for bar in bars)
    print("\n".join(("|  | measured | at most |", "| --- | ---: | ---: |", *lines)))
    print(f"\nmemory of the largest process of `inv ship`: {bench.memory / 1024:.0f} MiB")
    sys.exit(any(bar.found > bar.at_most for bar in bars))


class Bench:
    """The contenders, and what they took."""

    def __init__(self, site: Site, count: int, warmups: int) -> None:
        """Take the hosts, and how often each is measured."""
        self._site = site
        self._count = count
        self._warmups = warmups
        self._runs: dict[str, list[Run]] = {}

    @property
    def memory(self) -> int:
        """The most that a process of `inv ship` had, in KiB."""
        return max(run.memory for its in self._runs.values() for run in its)

    def shipped(self, image: Image) -> tuple[Bar, ...]:
        """Measure one node in the three states that it can be in."""
        cold = self._table(COLD, lambda: clear(self._site.lan.host(NODE)), PIPE, COPY)
        delta = self._table(DELTA, self._with_base, PIPE, COPY)
        nothing = self._table(NOTHING, lambda: None)
        return (
            Bar(f"{COLD}, to `docker save` and `ssh`", cold[-1].median / cold[0].median, COLD_BAR),
            Bar(f"{COLD}, to the whole file", cold[-1].median / cold[1].median, COLD_BAR),
            Bar(f"{COLD}, bytes to those missing", self._bytes(COLD) / image.whole, BYTES_BAR),
            Bar(
                f"{DELTA}, to `docker save` and `ssh`",
                delta[-1].median / delta[0].median,
                DELTA_BAR,
            ),
            Bar(f"{DELTA}, to the whole file", delta[-1].median / delta[1].median, DELTA_BAR),
            Bar(f"{DELTA}, bytes to those missing", self._bytes(DELTA) / image.missing, BYTES_BAR),
            Bar(f"{NOTHING}, seconds", nothing[0].median, NOTHING_BAR),
        )

    def fanned(self) -> tuple[Bar, ...]:
        """Measure the small image to one node, and to four."""
        both = {
            f"{SHIP} --node {NODE}": self._measured(SMALL, self._clear, "--node", NODE),
            f"{SHIP}, four nodes": self._measured(SMALL, self._clear),
        }
        found = rounds.rows(rounds.interleaved(both, self._count, self._warmups))
        print(f"{rounds.table(found, digits=1)}\n", flush=True)
        return (Bar(FAN, found[1].ratio, FAN_BAR),)

    def _table(
        self, state: str, reset: Callable[[], None], *scripts: str
    ) -> tuple[rounds.Row, ...]:
        """Measure the scripts and `inv ship` in one state of the node, and print the table."""
        by_hand = {
            f"`{script}`".replace("|", "\\|"): self._script(script, reset) for script in scripts
        }
        ours = {f"`{SHIP}`, {state}": self._measured(state, reset, "--node", NODE)}
        found = rounds.rows(rounds.interleaved(by_hand | ours, self._count, self._warmups))
        print(f"{rounds.table(found, digits=1)}\n", flush=True)
        return found

    def _script(self, script: str, reset: Callable[[], None]) -> rounds.Measure:
        def measure() -> float:
            reset()
            argv = ["env", "--chdir", str(self._site.tree.parent), "sh", "-e", "-c", script]
            return told(script, watched(self._site, argv))

        return measure

    def _measured(self, state: str, reset: Callable[[], None], *words: str) -> rounds.Measure:
        def measure() -> float:
            reset()
            image = SMALL if state == SMALL else AFTER
            command = self._site.command("ship", "--image", image, *words)
            run = watched(self._site, command)
            self._runs.setdefault(state, []).append(run)
            return told(f"{SHIP}: {state}", run)

        return measure

    def _bytes(self, state: str) -> float:
        return median(run.received for run in self._runs[state])

    def _with_base(self) -> None:
        """Let the node have the image before, and nothing of the one after."""
        node = self._site.lan.host(NODE)
        if not node.docker("image", "ls", "--quiet", BEFORE):
            clear(node)
            copy = f"docker save {BEFORE} | ssh {NODE} docker load"
            self._site.lan.control.run(["sh", "-c", copy], timeout=600, check=True)
        node.docker("image", "rm", "--force", AFTER, check=False)
        node.docker("image", "prune", "--force")

    def _clear(self) -> None:
        for host in self._site.lan.hosts:
            clear(host)


def clear(host: Machine) -> None:
    """Remove all images of a host."""
    host.docker("image", "prune", "--all", "--force")


def watched(site: Site, argv: list[str]) -> Run:
    """Run a command on the laptop, and measure it; what others have written is on the disk."""
    os.sync()
    node = site.lan.host(NODE)
    before = node.interface_bytes()[0]
    done = site.lan.control.run([sys.executable, "-c", WATCH, *argv], timeout=900)
    seconds, memory, code = done.stdout.split()
    if int(code):
        sys.exit(f"bench: `{' '.join(argv)}` failed\n{done.stderr}")
    return Run(float(seconds), int(memory), node.interface_bytes()[0] - before)


def told(name: str, run: Run) -> float:
    """Say on standard error how a run went, and return its seconds."""
    print(f"{name}: {run.seconds:.1f} s, {run.received / MEGA:.1f} MB", file=sys.stderr, flush=True)
    return run.seconds


def sources(site: Site) -> str:
    """Return how long each way of reading takes to the last layer of the image, as a table."""
    control = site.lan.control
    image = control.docker("image", "inspect", "--format", "{{.Id}}", AFTER)
    root = control.docker("info", "--format", "{{.DockerRootDir}}")
    argv = [sys.executable, "-c", SOURCES, image, root]
    done = control.run(argv, env={"PYTHONPATH": str(site.tree)}, timeout=600)
    if done.returncode:
        sys.exit(f"bench: the sources cannot be compared\n{done.stderr}")
    rows = (line.split(";") for line in done.stdout.splitlines())
    lines = (f"| {kind} | {float(took):.1f} s | {int(n) / MEGA:.0f} MB |" for kind, took, n in rows)
    return "\n".join(("| source | all layers | |", "| --- | ---: | ---: |", *lines))
