"""Runs a shell text on another machine through the user's own OpenSSH, or on this one."""

import os

from cluster.effects.containers.engines import SSH
from cluster.effects.processes import Completed, run
from cluster.nodes.engine import Engine

SECONDS = 60.0
"""For the whole answer, which an engine with many images may take; SSH itself answers in 10 s."""
SHELL = ("sh", "-s")
SENT_FROM = "SSH_CONNECTION"
"""Of a terminal that is itself a session over SSH: it would tell of that one."""


def command(its: Engine) -> tuple[str, ...]:
    """Return the command that runs the shell text of its standard input on an engine's machine."""
    return (*SSH, "--", its.ssh_host, *SHELL) if its.ssh_host else SHELL


def tell(its: Engine, text: str, seconds: float = SECONDS) -> Completed:
    """Run a shell text on an engine's machine, and return what came of it.

    Without SSH or within too long a time nothing comes, as if the machine had not answered.
    """
    own = {name: value for name, value in os.environ.items() if name != SENT_FROM}
    return run(command(its), tuple(own.items()), text=text, seconds=seconds)
