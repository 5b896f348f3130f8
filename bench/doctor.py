"""How long `inv doctor` takes on two nodes, compared with one SSH connection per question."""

import argparse
import subprocess
import tempfile
import time
from functools import partial
from pathlib import Path
from shlex import quote

from bench import rounds
from cluster.facts.facts import EXAMINING, FactsRequest
from tests.live import examined
from tests.live.lan import Site

SCRIPTS = "a connection for each question"
BAR = 2.0
"""Seconds for two nodes."""


def main(arguments: list[str]) -> None:
    """Make two hosts, measure and print the table."""
    parser = argparse.ArgumentParser(prog="bench doctor", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, help="measured runs of each command")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder, examined.sited(Path(folder, "site")) as site:
        contenders = {
            SCRIPTS: partial(seconds, site, *by_hand(site)),
            "`inv doctor`": partial(seconds, site, *site.command("doctor")),
            "`inv doctor --fast`": partial(seconds, site, *site.command("doctor", "--fast")),
        }
        counts = {name: connections(site, run) for name, run in contenders.items()}
        results = rounds.interleaved(contenders, options.rounds, warmups=1)
    print(rounds.table(rounds.rows(results), digits=2))
    print(f"\nSSH connections to both nodes together: {counts}; the limit is {BAR:g} s\n")


def by_hand(site: Site) -> tuple[str, ...]:
    """Return a command that asks every node every question separately, one after the other."""
    lines = []
    for number, part in enumerate(EXAMINING):
        file = site.tree / f"question{number}.sh"
        file.write_text(FactsRequest(parts=(part,)).question, "utf-8")
        lines += [f"ssh {host.name} sh -s <{quote(str(file))}" for host in site.lan.hosts]
    script = site.tree / "questions.sh"
    script.write_text("\n".join(lines), "utf-8")
    return ("sh", str(script))


def seconds(site: Site, *argv: str) -> float:
    """Run a command on the laptop to its end and return the seconds that it took."""
    start = time.perf_counter()
    done = site.lan.control.run(argv)
    elapsed = time.perf_counter() - start
    if done.stderr and done.returncode:
        raise subprocess.CalledProcessError(done.returncode, argv, done.stdout, done.stderr)
    return elapsed


def connections(site: Site, run: rounds.Measure) -> int:
    """Return the number of SSH connections that a command opens."""
    before = sum(map(examined.connections, site.lan.hosts))
    run()
    return sum(map(examined.connections, site.lan.hosts)) - before
