"""Asks machines for facts: all at once, each over one connection."""

from collections.abc import Mapping
from dataclasses import replace

from cluster.errors import Problem
from cluster.facts import facts
from cluster.facts.facts import Facts
from cluster.facts.unanswered import unanswered
from cluster.host import Host
from cluster.machine.processes import Completed

TITLE = "Ask for facts"
"""The title of the question in a dry run."""
SECONDS = 30.0
"""Time limit of an answer: SSH gives up an address after 10 s, each part of a question sooner."""


def examine(
    hosts: Mapping[str, Host], questions: Mapping[str, str], seconds: float = 0.0
) -> dict[str, Facts | Problem]:
    """Ask each machine that has a question; return its facts, or the problem instead of them.

    `seconds` limits each answer, by default to `SECONDS`.
    """
    # A dry run asks nobody, and does not wait for Fabric: it takes 0.1 s to import.
    from cluster.machine.hosts import ask

    results = ask(hosts, questions, seconds or SECONDS)
    return {name: _facts(hosts[name], result) for name, result in results.items()}


def _facts(host: Host, result: Completed) -> Facts | Problem:
    """Parse an answer, and compare the machine's clock with ours when the answer was complete."""
    if result.code:
        return unanswered(host, result.error)
    try:
        parsed = facts.parse(result.output)
    except ValueError as error:
        return unanswered(host, str(error))
    clock = parsed.machine.clock
    return replace(parsed, lead=None if clock is None else clock - result.ended)
