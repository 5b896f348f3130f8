"""Measures `inv ship` against `docker save | ssh docker load` and a copy of the whole file."""

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
COLD_LIMIT, DELTA_LIMIT, NOTHING_LIMIT, BYTES_LIMIT, FAN_LIMIT = 0.9, 0.25, 1.0, 1.02, 1.5
# Runs a command; prints its seconds, the KiB of its largest process, and its exit code.
WATCH = """
import resource, subprocess, sys, time
start = time.perf_counter()
code = subprocess.run(sys.argv[1:], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL).returncode
seconds = time.perf_counter() - start
print(seconds, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss, code)
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
    """Bytes that the first node received meanwhile."""


class Limit(NamedTuple):
    """A measured value and its maximum."""

    title: str
    value: float
    maximum: float


def main(arguments: list[str]) -> None:
    """Measure and print the tables; exit with 1 if a value is above its maximum."""
    parser = argparse.ArgumentParser(prog="bench ship", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3, help="measured rounds")
    parser.add_argument("--warmups", type=int, default=1, help="unmeasured rounds before them")
    images = parser.add_mutually_exclusive_group()
    images.add_argument(
        "--images",
        nargs=2,
        metavar=("BEFORE", "AFTER"),
        help="files that `docker save` wrote, or images of this machine's engine (default: what "
        "`inv build --arch cpu` makes, without and with `--fast`)",
    )
    images.add_argument("--size", type=int, help="make images of so many MB, of small files")
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
    """Measure all in turn; print their times, and the values with their maxima."""
    image = ship_images.place(site, options)
    print(f"{image.whole / MEGA:.0f} MB of layers, {image.missing / MEGA:.0f} MB of them new\n")
    print(f"{sources(site)}\n", flush=True)
    bench = Bench(site, options.rounds, options.warmups)
    limits = [*bench.one_node(image), *bench.four_nodes()]
    lines = (f"| {limit.title} | {limit.value:.3f} | {limit.maximum:.2f} |" for limit in limits)
    print("\n".join(("|  | measured | at most |", "| --- | ---: | ---: |", *lines)))
    print(f"\nmemory of the largest process of `inv ship`: {bench.memory / 1024:.0f} MiB")
    sys.exit(any(limit.value > limit.maximum for limit in limits))


class Bench:
    """The commands that are compared, and their runs."""

    def __init__(self, site: Site, count: int, warmups: int) -> None:
        """`count` rounds are measured, after `warmups` that are not."""
        self._site = site
        self._count = count
        self._warmups = warmups
        self._runs: dict[str, list[Run]] = {}

    @property
    def memory(self) -> int:
        """The memory of the largest process of `inv ship`, in KiB."""
        return max(run.memory for runs in self._runs.values() for run in runs)

    def one_node(self, image: Image) -> tuple[Limit, ...]:
        """Measure one node in each of the three states that it can be in."""
        cold = self._table(COLD, lambda: clear(self._site.lan.host(NODE)), PIPE, COPY)
        delta = self._table(DELTA, self._with_base, PIPE, COPY)
        nothing = self._table(NOTHING, lambda: None)
        return (
            Limit(
                f"{COLD}, to `docker save` and `ssh`", cold[-1].median / cold[0].median, COLD_LIMIT
            ),
            Limit(f"{COLD}, to the whole file", cold[-1].median / cold[1].median, COLD_LIMIT),
            Limit(f"{COLD}, bytes to those missing", self._bytes(COLD) / image.whole, BYTES_LIMIT),
            Limit(
                f"{DELTA}, to `docker save` and `ssh`",
                delta[-1].median / delta[0].median,
                DELTA_LIMIT,
            ),
            Limit(f"{DELTA}, to the whole file", delta[-1].median / delta[1].median, DELTA_LIMIT),
            Limit(
                f"{DELTA}, bytes to those missing", self._bytes(DELTA) / image.missing, BYTES_LIMIT
            ),
            Limit(f"{NOTHING}, seconds", nothing[0].median, NOTHING_LIMIT),
        )

    def four_nodes(self) -> tuple[Limit, ...]:
        """Measure the small image to one node and to four."""
        both = {
            f"{SHIP} --node {NODE}": self._measured(SMALL, self._clear, "--node", NODE),
            f"{SHIP}, four nodes": self._measured(SMALL, self._clear),
        }
        rows = rounds.rows(rounds.interleaved(both, self._count, self._warmups))
        print(f"{rounds.table(rows, digits=1)}\n", flush=True)
        return (Limit(FAN, rows[1].ratio, FAN_LIMIT),)

    def _table(
        self, state: str, reset: Callable[[], None], *scripts: str
    ) -> tuple[rounds.Row, ...]:
        """Measure the scripts and `inv ship` in one state of the node, and print the table."""
        by_hand = {
            f"`{script}`".replace("|", "\\|"): self._script(script, reset) for script in scripts
        }
        inv_ship = {f"`{SHIP}`, {state}": self._measured(state, reset, "--node", NODE)}
        rows = rounds.rows(rounds.interleaved(by_hand | inv_ship, self._count, self._warmups))
        print(f"{rounds.table(rows, digits=1)}\n", flush=True)
        return rows

    def _script(self, script: str, reset: Callable[[], None]) -> rounds.Measure:
        def measure() -> float:
            reset()
            argv = ["env", "--chdir", str(self._site.tree.parent), "sh", "-e", "-c", script]
            return reported(script, run(self._site, argv))

        return measure

    def _measured(self, state: str, reset: Callable[[], None], *words: str) -> rounds.Measure:
        def measure() -> float:
            reset()
            image = SMALL if state == SMALL else AFTER
            command = self._site.command("ship", "--image", image, *words)
            measured = run(self._site, command)
            self._runs.setdefault(state, []).append(measured)
            return reported(f"{SHIP}: {state}", measured)

        return measure

    def _bytes(self, state: str) -> float:
        return median(run.received for run in self._runs[state])

    def _with_base(self) -> None:
        """Give the node the image before, and remove the one after."""
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


def run(site: Site, argv: list[str]) -> Run:
    """Run a command on the laptop and measure it, once earlier writes are on the disk."""
    os.sync()
    node = site.lan.host(NODE)
    before = node.interface_bytes()[0]
    done = site.lan.control.run([sys.executable, "-c", WATCH, *argv], timeout=900)
    seconds, memory, code = done.stdout.split()
    if int(code):
        sys.exit(f"bench: `{' '.join(argv)}` failed\n{done.stderr}")
    return Run(float(seconds), int(memory), node.interface_bytes()[0] - before)


def reported(name: str, measured: Run) -> float:
    """Print a run on standard error, and return its seconds."""
    line = f"{name}: {measured.seconds:.1f} s, {measured.received / MEGA:.1f} MB"
    print(line, file=sys.stderr, flush=True)
    return measured.seconds


def sources(site: Site) -> str:
    """Return a table of the seconds that each source takes to read all layers of the image."""
    control = site.lan.control
    image = control.docker("image", "inspect", "--format", "{{.Id}}", AFTER)
    root = control.docker("info", "--format", "{{.DockerRootDir}}")
    argv = [sys.executable, "-c", SOURCES, image, root]
    done = control.run(argv, env={"PYTHONPATH": str(site.tree)}, timeout=600)
    if done.returncode:
        sys.exit(f"bench: the sources cannot be compared\n{done.stderr}")
    rows = (line.split(";") for line in done.stdout.splitlines())
    lines = (
        f"| {kind} | {float(seconds):.1f} s | {int(size) / MEGA:.0f} MB |"
        for kind, seconds, size in rows
    )
    return "\n".join(("| source | all layers | |", "| --- | ---: | ---: |", *lines))
