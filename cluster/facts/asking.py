"""Asks machines, all at once and each over one connection, and reads what they say."""

import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from cluster.errors import Problem
from cluster.facts import facts
from cluster.facts.facts import Facts
from cluster.facts.unanswered import unanswered
from cluster.host import Host
from cluster.machine import ssh
from cluster.machine.processes import Completed

TITLE = "Ask for facts"
"""What a dry run calls it."""
SECONDS = 30.0
"""For a whole answer: SSH gives up an address after 10 s, and each part of a question sooner."""

Tell = Callable[[Host, str], Completed]
"""Runs a shell text on a machine."""


def by_ssh(its: Host, text: str) -> Completed:
    """Run a shell text on a machine, in at most `SECONDS`."""
    return ssh.tell(its, text, SECONDS)


def ask(
    engines: Mapping[str, Host], questions: Mapping[str, str], tell: Tell = by_ssh
) -> dict[str, str | Problem]:
    """Run a shell text on each of these machines; return what each printed, or what is wrong.

    Only those with a question are asked.
    """

    def one(name: str) -> str | Problem:
        return _answer(engines[name], tell(engines[name], questions[name]))

    with ThreadPoolExecutor(max_workers=max(1, len(questions))) as pool:
        return dict(zip(questions, pool.map(one, questions), strict=True))


def examine(
    engines: Mapping[str, Host], questions: Mapping[str, str], tell: Tell = by_ssh
) -> dict[str, Facts | Problem]:
    """Ask machines a bundle of questions; return what each said of itself, or what is wrong."""
    arrived: dict[str, float] = {}

    def timed(its: Host, text: str) -> Completed:
        done = tell(its, text)
        arrived[its.name] = time.time()
        return done

    said = ask(engines, questions, timed)
    return {
        name: one if isinstance(one, Problem) else _read(engines[name], one, arrived)
        for name, one in said.items()
    }


def _answer(its: Host, done: Completed) -> str | Problem:
    return unanswered(its, done.error) if done.code else done.output


def _read(its: Host, text: str, arrived: Mapping[str, float]) -> Facts | Problem:
    """Read an answer, and compare its clock with ours at the moment when it was complete."""
    try:
        found = facts.parse(text)
    except ValueError as error:
        return unanswered(its, str(error))
    clock = found.machine.clock
    return replace(found, lead=None if clock is None else clock - arrived[its.name])
