"""How long two hosts take to an answer with `inv up` and `inv serve`, beside the same by hand."""

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
"""What `inv` may take, as a multiple of by hand."""
SCRIPT = Path(__file__).resolve().parent / "containers_by_hand.sh"
TASKS = (("up",), ("serve", "--detach"))
PHASE = re.compile(r"(?P<at>\d+\.\d) s: (?P<what>.+)\n")
STEP = re.compile(r"(?P<what>.+)  (?P<took>\d+\.\d) s\n")
"""The line that `inv` leaves for a step that has ended (cluster/machine/terminal.py)."""
HOST_CONFIG = (
    *("CapAdd", "Devices", "Init", "IpcMode", "NetworkMode", "Privileged"),
    *("SecurityOpt", "ShmSize", "Ulimits"),
)
PROGRAMS = "/opt/venv/bin/python /opt/venv/bin/"
"""How the command lines of Ray and vLLM begin: what they start themselves is their own affair."""


class Event(NamedTuple):
    """Something that has ended: what, how long after the start, and how long it took."""

    message: str
    at: float
    took: float


def main(arguments: list[str]) -> None:
    """Measure, and print the tables; the exit code is 1 when `inv` takes too long."""
    parser = argparse.ArgumentParser(prog="bench containers", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, help="how often each side counts")
    parser.add_argument("--warmups", type=int, default=1, help="rounds before that do not count")
    parser.add_argument(
        "--image",
        default="",
        help="a file that `docker save` wrote, or an image of this machine's engine "
        "(default: made by `inv build --arch cpu`)",
    )
    options = parser.parse_args(arguments)
    try:
        with tempfile.TemporaryDirectory() as folder, ready(Path(folder), options.image) as site:
            measure(site, options.rounds, options.warmups)
    except pytest.skip.Exception as reason:
        print(f"bench: skipped: {reason}")


def measure(site: Site, count: int, warmups: int) -> None:
    """Let both sides take turns; print what they took, and what each spends its time with."""
    place_files(site)
    load = os.getloadavg()[0]
    first: list[str] = []
    by_hand = Side("`sh bench/containers_by_hand.sh`", site, typed, first)
    ours = Side("`inv up` and `inv serve --detach`", site, with_inv, first)
    found = rounds.interleaved({side.name: side for side in (by_hand, ours)}, count, warmups)
    rows = rounds.rows(found)
    print(f"Load before the first round: {load:.1f}\n\n{rounds.table(rows, digits=1)}")
    for side in (by_hand, ours):
        print(f"\n{events_table(side.name, side.runs[warmups:])}")
    ratio = rows[-1].ratio
    print(f"\nratio of medians {ratio:.2f}, at most {BAR:.2f} is allowed")
    sys.exit(ratio > BAR)


class Side:
    """One of the two: called, it brings the cluster up from nothing and returns the seconds."""

    def __init__(
        self,
        name: str,
        site: Site,
        perform: Callable[[Site], list[Event]],
        first: list[str],
    ) -> None:
        """Take what brings the cluster up; `first` gets what the first of all runs started."""
        self.name = name
        self.runs: list[list[Event]] = []
        self._site = site
        self._perform = perform
        self._first = first

    def __call__(self) -> float:
        """Measure once, and see that it has started what the other side starts."""
        clear(self._site)
        events = self._perform(self._site)
        started = [line for host in self._site.lan.hosts for line in running(host)]
        clear(self._site)
        self._first.extend(() if self._first else started)
        if different := set(started) ^ set(self._first):
            sys.exit("bench: the two sides start different things\n" + "\n".join(sorted(different)))
        self.runs.append(events)
        print(f"{self.name}: {events[-1].at:.1f} s", file=sys.stderr, flush=True)
        return events[-1].at


def typed(site: Site) -> list[Event]:
    """Run the commands typed by hand; its own clock starts when it has logged in."""
    done = site.lan.control.run(["sh", SCRIPT, IMAGE], timeout=600)
    events: list[Event] = []
    for found in PHASE.finditer(done.stdout):
        at = float(found["at"])
        events.append(Event(found["what"], at, at - (events[-1].at if events else 0)))
    if done.returncode:
        sys.exit(f"bench: {SCRIPT.name} failed\n{done.stdout}{done.stderr}")
    return events


def with_inv(site: Site) -> list[Event]:
    """Run `inv up` and `inv serve`, whose last step is the same completion."""
    began = time.perf_counter()
    events: list[Event] = []
    for words in TASKS:
        started, said = time.perf_counter(), ""
        with site.start(*words) as process:
            for line in process.stderr or ():
                said += line
                if found := STEP.fullmatch(line):
                    at = time.perf_counter() - began
                    events.append(Event(found["what"], at, float(found["took"])))
        if process.returncode:
            sys.exit(f"bench: `inv {words[0]}` failed\n{said}")
        now = time.perf_counter()
        events.append(Event(f"`inv {' '.join(words)}` as a whole", now - began, now - started))
    return events


def running(host: Machine) -> Iterator[str]:
    """Yield what a host runs, so far as it could make a difference, line by line."""
    found: dict[str, Any] = json.loads(host.docker("inspect", CONTAINER))[0]
    # Docker's client and its SDK say differently that there is none.
    values = {key: found["HostConfig"][key] or None for key in HOST_CONFIG}
    programs = host.docker("exec", CONTAINER, "ps", "-e", "-o", "args=").splitlines()
    lines = (
        *(f"{key}: {value}" for key, value in values.items()),
        *(f"variable: {line}" for line in found["Config"]["Env"]),
        *(f"program: {line}" for line in programs if line.startswith(PROGRAMS)),
    )
    yield from (f"{host.name}: {line}" for line in lines)


def clear(site: Site) -> None:
    """Remove containers and run state; caches stay, which both sides have in the same volumes."""
    for host in site.lan.hosts:
        host.docker("rm", "--force", CONTAINER, check=False)
    shutil.rmtree(site.state, ignore_errors=True)


def events_table(name: str, runs: list[list[Event]]) -> str:
    """Return the medians of what one side's rounds spent their time with, as a Markdown table."""
    by_name: dict[str, list[Event]] = {}
    for event in (event for run in runs for event in run):
        by_name.setdefault(event.message, []).append(event)
    medians = [
        Event(message, median(each.at for each in its), median(each.took for each in its))
        for message, its in by_name.items()
    ]
    rows = (
        f"| {message} | {took:.1f} s | {at:.1f} s |"
        for message, at, took in sorted(medians, key=lambda event: event.at)
    )
    return "\n".join((f"| {name} | took | ended at |", "| --- | ---: | ---: |", *rows))


@contextmanager
def ready(folder: Path, image: str) -> Iterator[Site]:
    """Make two hosts that have the image and the model, and a laptop with a clone."""
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
    """Return the file of an image; one that is named is saved into the folder first."""
    if Path(image).exists():
        return Path(image).resolve()
    file = folder / "image.tar"
    done = subprocess.run(["docker", "save", "--output", file, image], check=False)
    if done.returncode:
        sys.exit(f"bench: {image}: neither a file nor an image of this machine's engine")
    return file


def load(host: Machine, file: Path) -> None:
    """Give a host the image of a file, with the name that the cluster's settings have."""
    argv = ["docker", "load", "--quiet", "--input", str(file)]
    done = host.run(argv, timeout=600, check=True)
    host.docker("tag", done.stdout.split()[-1], IMAGE)


def place_files(site: Site) -> None:
    """Put into ~/by-hand of each host what somebody who types has there: variables, secrets."""
    cluster = settings.resolve("default", env_files(site.tree, "default")).cluster
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
