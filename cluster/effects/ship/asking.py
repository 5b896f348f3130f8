"""Asks this machine and all nodes at once what their engines have, and nodes about each other."""

import os
import subprocess
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor

from cluster.effects import processes
from cluster.effects.containers.engines import SSH
from cluster.effects.processes import Completed
from cluster.errors import Problem
from cluster.nodes.engine import Engine, problem
from cluster.ship import survey
from cluster.ship.survey import Facts
from cluster.word import Word

ASK_SECONDS = 60.0
"""For the whole answer, which an engine with many images may take; SSH itself answers in 10 s."""
REACH_SECONDS = 30.0
HERE = Engine(node="this machine")
SHELL = ("sh", "-s")
NOT_FOUND, TIMEOUT = 127, 124
"""As a shell and timeout(1) say it."""


def ask(engines: tuple[Engine, ...]) -> dict[str, Facts | Problem]:
    """Ask engines, each in one round trip; return what they have or what is wrong, by node."""
    with ThreadPoolExecutor(max_workers=max(1, len(engines))) as pool:
        found = pool.map(_ask, engines)
        return {its.node: one for its, one in zip(engines, found, strict=True)}


def reach(probes: Mapping[str, tuple[Word, ...]]) -> dict[str, str]:
    """Run commands that succeed if a node is reached by another; return complaints, by its name."""
    with ThreadPoolExecutor(max_workers=max(1, len(probes))) as pool:
        complaints = dict(zip(probes, pool.map(_complaint, probes.values()), strict=True))
        return {name: complaint for name, complaint in complaints.items() if complaint}


def tell(its: Engine, text: str) -> Completed:
    """Run a shell text on an engine's machine, and return what came of it.

    Without SSH or within too long a time nothing comes, as if the machine had not answered.
    """
    argv = (*SSH, "--", its.ssh_host, *SHELL) if its.ssh_host else SHELL
    try:
        done = subprocess.run(
            argv,
            env={name: value for name, value in os.environ.items() if name != "SSH_CONNECTION"},
            input=text,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=ASK_SECONDS,
            check=False,
        )
    except FileNotFoundError as error:
        return Completed(code=NOT_FOUND, output="", error=str(error))
    except subprocess.TimeoutExpired:
        return Completed(code=TIMEOUT, output="", error=f"no answer within {ASK_SECONDS:g} s")
    return Completed(code=done.returncode, output=done.stdout, error=done.stderr)


def _ask(its: Engine) -> Facts | Problem:
    """Ask an engine; its answer holds settings of images that may be secret, and is never shown."""
    done = tell(its, survey.QUESTION)
    if done.code or not survey.answered(done.output):
        return problem(its, done.error)
    return survey.facts(done.output)


def _complaint(argv: tuple[Word, ...]) -> str:
    done = processes.run(argv, seconds=REACH_SECONDS)
    said = done.error.strip().splitlines() or [f"exit code {done.code}"]
    return said[-1] if done.code else ""
