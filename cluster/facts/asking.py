"""Asks machines for facts: all at once, each over one connection."""

from collections.abc import Mapping
from dataclasses import replace

from cluster import scripts
from cluster.errors import Problem
from cluster.facts.facts import Facts, parse
from cluster.host import Host, ssh_problem
from cluster.machine.processes import Completed
from cluster.plan.steps import ShellStep
from cluster.words import shell_line

TITLE = "Ask for facts"
SECONDS = 30.0
"""Time limit of an answer: SSH gives up an address after 10 s, each part of a question sooner."""


def steps(hosts: Mapping[str, Host], questions: Mapping[str, str]) -> tuple[ShellStep, ...]:
    """Return the questions that `examine` asks, as steps to print."""
    texts = {
        name: scripts.here_document(shell_line(hosts[name].shell), question)
        for name, question in questions.items()
    }
    return tuple(ShellStep(place=name, title=TITLE, text=text) for name, text in texts.items())


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
        return no_answer(host, result.error)
    try:
        facts = parse(result.output)
    except ValueError as error:
        return no_answer(host, str(error))
    clock = facts.machine.clock
    return replace(facts, lead=None if clock is None else clock - result.ended)


def no_answer(host: Host, text: str) -> Problem:
    """Return the problem that ssh or the machine's shell printed; unknown words as they are."""
    if problem := ssh_problem(host, text):
        return problem
    last = text.strip().rpartition("\n")[2]
    if last:
        remedy = f"`ssh {host.ssh_host}` may show more" if host.ssh_host else ""
        return Problem(place=host.name, message=f"no answer: {last}", remedy=remedy)
    if not host.ssh_host:
        return Problem(place=host.name, message="no answer")
    remedy = f"try: `ssh {host.ssh_host} true`"
    return Problem(place=host.name, message="no answer over SSH", remedy=remedy)
