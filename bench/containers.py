"""How long `inv up` and `inv serve` take to an answer on two hosts, compared with by hand."""

import argparse
import json
import os
import re
import secrets
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

import pytest

from bench import rounds
from cluster.environment.environment import not_carried
from cluster.machine.env_files import env_files
from cluster.settings import settings
from tests.live import hosts
from tests.live.lan import CONTAINER, IMAGE, Site, cloned, equipped, place_model
from tests.live.machine import Machine

BAR = 1.10
"""The time that `inv` may take, as a multiple of the time by hand."""
SCRIPT = Path(__file__).resolve().parent / "containers_by_hand.sh"
TASKS = (("up",), ("serve", "--detach"))
PHASE = re.compile(r"(?P<at>\d+\.\d) s: (?P<title>.+)\n")
STEP = re.compile(r"(?P<title>.+)  (?P<seconds>\d+\.\d) s\n")
"""The line that `inv` prints when a step has ended (cluster/machine/terminal.py)."""
HOST_CONFIG = (
    *("CapAdd", "Devices", "Init", "IpcMode", "NetworkMode", "Privileged"),
    *("SecurityOpt", "ShmSize", "Ulimits"),
)
PROGRAMS = "/opt/venv/bin/python /opt/venv/bin/"
"""The beginning of the command lines of Ray and vLLM; programs that they start are not compared."""


class Event(NamedTuple):
    """A step that has ended."""

    message: str
    at: float
    """Seconds after the start."""
    seconds: float
    """The time that it took."""


def main(arguments: list[str]) -> None:
    """Measure and print the tables; exit with 1 if `inv` takes too long."""
    parser = argparse.ArgumentParser(prog="bench containers", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, help="measured runs of each side")
    parser.add_argument("--warmups", type=int, default=1, help="unmeasured rounds before that")
    parser.add_argument(
        "--image",
        default="",
        help="a file written by `docker save`, or an image of this machine's engine "
        "(default: build one with `inv build --arch cpu`)",
    )
    options = parser.parse_args(arguments)
    try:
        with tempfile.TemporaryDirectory() as folder, ready(Path(folder), options.image) as site:
            measure(site, options.rounds, options.warmups)
    except pytest.skip.Exception as reason:
        print(f"bench: skipped: {reason}")


def measure(site: Site, count: int, warmups: int) -> None:
    """Measure both sides in turns; print their times, and the time of each step."""
    place_files(site)
    load = os.getloadavg()[0]
    reference: list[str] = []
    sides = (
        Side("`sh bench/containers_by_hand.sh`", site, by_hand, reference),
        Side("`inv up` and `inv serve --detach`", site, with_inv, reference),
    )
    rows = rounds.rows(rounds.interleaved({side.name: side for side in sides}, count, warmups))
    print(f"Load before the first round: {load:.1f}\n\n{rounds.table(rows, digits=1)}")
    for side in sides:
        print(f"\n{events_table(side.name, side.runs[warmups:])}")
    ratio = rows[-1].ratio
    print(f"\nratio of medians: {ratio:.2f} (limit: {BAR:.2f})")
    sys.exit(ratio > BAR)


class Side:
    """One side of the comparison: a call starts the cluster and returns the seconds."""

    def __init__(
        self,
        name: str,
        site: Site,
        perform: Callable[[Site], list[Event]],
        reference: list[str],
    ) -> None:
        """`perform` starts the cluster; `reference` is what the very first run started."""
        self.name = name
        self.runs: list[list[Event]] = []
        self._site = site
        self._perform = perform
        self._reference = reference

    def __call__(self) -> float:
        """Measure once, and check that both sides start the same containers and programs."""
        clear(self._site)
        events = self._perform(self._site)
        started = [line for host in self._site.lan.hosts for line in running(host)]
        clear(self._site)
        self._reference.extend(() if self._reference else started)
        if differences := sorted(set(started) ^ set(self._reference)):
            sys.exit("\n".join(("bench: the two sides start different programs", *differences)))
        self.runs.append(events)
        print(f"{self.name}: {events[-1].at:.1f} s", file=sys.stderr, flush=True)
        return events[-1].at


def by_hand(site: Site) -> list[Event]:
    """Run the commands by hand; the script starts its clock after the login."""
    done = site.lan.control.run(["sh", SCRIPT, IMAGE], timeout=600)
    events: list[Event] = []
    for match in PHASE.finditer(done.stdout):
        at = float(match["at"])
        events.append(Event(match["title"], at, at - (events[-1].at if events else 0)))
    if done.returncode:
        sys.exit(f"bench: {SCRIPT.name} failed\n{done.stdout}{done.stderr}")
    return events


def with_inv(site: Site) -> list[Event]:
    """Run `inv up` and `inv serve`, whose last step is the same completion."""
    start = time.perf_counter()
    events: list[Event] = []
    for words in TASKS:
        task_start, output = time.perf_counter(), ""
        with site.start(*words) as process:
            for line in process.stderr or ():
                output += line
                if match := STEP.fullmatch(line):
                    at = time.perf_counter() - start
                    events.append(Event(match["title"], at, float(match["seconds"])))
        if process.returncode:
            sys.exit(f"bench: `inv {words[0]}` failed\n{output}")
        now = time.perf_counter()
        events.append(Event(f"`inv {' '.join(words)}` as a whole", now - start, now - task_start))
    return events


def running(host: Machine) -> Iterator[str]:
    """Yield the relevant settings, variables and programs of a host's container, line by line."""
    container: dict[str, Any] = json.loads(host.docker("inspect", CONTAINER))[0]
    # Docker's client and its SDK write an absent value differently.
    values = {key: container["HostConfig"][key] or None for key in HOST_CONFIG}
    programs = host.docker("exec", CONTAINER, "ps", "-e", "-o", "args=").splitlines()
    lines = (
        *(f"{key}: {value}" for key, value in values.items()),
        *(f"variable: {line}" for line in container["Config"]["Env"]),
        *(f"program: {line}" for line in programs if line.startswith(PROGRAMS)),
    )
    yield from (f"{host.name}: {line}" for line in lines)


def clear(site: Site) -> None:
    """Remove containers and run state; both sides keep their caches, in the same volumes."""
    for host in site.lan.hosts:
        host.docker("rm", "--force", CONTAINER, check=False)
    shutil.rmtree(site.state, ignore_errors=True)


def events_table(name: str, runs: list[list[Event]]) -> str:
    """Return the medians of each step over one side's rounds, as a Markdown table."""
    by_name: dict[str, list[Event]] = {}
    for event in (event for run in runs for event in run):
        by_name.setdefault(event.message, []).append(event)
    medians = [
        Event(message, median(run.at for run in same), median(run.seconds for run in same))
        for message, same in by_name.items()
    ]
    rows = (
        f"| {message} | {seconds:.1f} s | {at:.1f} s |"
        for message, at, seconds in sorted(medians, key=lambda event: event.at)
    )
    return "\n".join((f"| {name} | took | ended at |", "| --- | ---: | ---: |", *rows))


@contextmanager
def ready(folder: Path, image: str) -> Iterator[Site]:
    """Make two hosts with the image and the model, and a laptop with a clone."""
    if not image:
        with equipped(folder) as site:
            yield site
        return
    with hosts.made(folder / "lan") as lan:
        with tempfile.TemporaryDirectory() as files:
            file = saved(image, Path(files))
            for host in lan.hosts:
                load(host, file)
        place_model(lan)
        (folder / "laptop").mkdir()
        yield cloned(folder / "laptop", lan)


def saved(image: str, folder: Path) -> Path:
    """Return the file of an image; an image of the engine is saved into the folder first."""
    if Path(image).exists():
        return Path(image).resolve()
    file = folder / "image.tar"
    done = subprocess.run(["docker", "save", "--output", file, image], check=False)
    if done.returncode:
        sys.exit(f"bench: {image}: neither a file nor an image of this machine's engine")
    return file


def load(host: Machine, file: Path) -> None:
    """Load the image from a file on a host, and give it the name in the cluster's settings."""
    argv = ["docker", "load", "--quiet", "--input", str(file)]
    done = host.run(argv, timeout=600, check=True)
    host.docker("tag", done.stdout.split()[-1], IMAGE)


def place_files(site: Site) -> None:
    """Write the variables and secrets that the commands by hand need to ~/by-hand of each host."""
    cluster = settings.resolve("default", env_files(str(site.tree), "default")).cluster
    token, key = (secrets.token_hex(32) for _ in range(2))
    for host in site.lan.hosts:
        variables = site.inv("env", "--node", host.name, "--format", "docker", "--reveal").out
        files = {
            "node.env": variables,
            "not-carried.json": not_carried(cluster),
            "ray-token": token,
            "api-key": key,
        }
        folder = host.home / "by-hand"
        folder.mkdir()
        for name, text in files.items():
            (folder / name).touch(mode=0o600)
            (folder / name).write_text(text, "utf-8")
