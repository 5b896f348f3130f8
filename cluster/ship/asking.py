"""Asks this machine and all nodes at once what their engines have, and nodes about each other."""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor

from cluster.errors import Problem
from cluster.host import Host, host_problem
from cluster.machine import processes
from cluster.machine.ssh import tell
from cluster.ship import survey
from cluster.ship.survey import Facts
from cluster.words import Word

REACH_SECONDS = 30.0
HERE = Host(name="this machine")


def ask(engines: tuple[Host, ...]) -> dict[str, Facts | Problem]:
    """Ask engines, each in one round trip; return what they have or what is wrong, by node."""
    with ThreadPoolExecutor(max_workers=max(1, len(engines))) as pool:
        found = pool.map(_ask, engines)
        return {its.name: one for its, one in zip(engines, found, strict=True)}


def reach(probes: Mapping[str, tuple[Word, ...]]) -> dict[str, str]:
    """Run commands that succeed if a node is reached by another; return complaints, by its name."""
    with ThreadPoolExecutor(max_workers=max(1, len(probes))) as pool:
        complaints = dict(zip(probes, pool.map(_complaint, probes.values()), strict=True))
        return {name: complaint for name, complaint in complaints.items() if complaint}


def _ask(its: Host) -> Facts | Problem:
    """Ask an engine; its answer holds settings of images that may be secret, and is never shown."""
    done = tell(its, survey.QUESTION)
    if done.code or not survey.answered(done.output):
        return host_problem(its, done.error)
    return survey.facts(done.output)


def _complaint(argv: tuple[Word, ...]) -> str:
    done = processes.run(argv, seconds=REACH_SECONDS)
    said = done.error.strip().splitlines() or [f"exit code {done.code}"]
    return said[-1] if done.code else ""
