"""Runs a shell text on another machine through the user's own OpenSSH, or on this one."""

import os

from cluster.host import Host
from cluster.machine.processes import Completed, run

OPTIONS = (
    # Without questions; host keys are judged as the user has configured it.
    "BatchMode=yes",
    "ConnectTimeout=10",
    # The other side may vanish without a word: after 15 s, calls under way fail.
    "ServerAliveInterval=5",
    "ServerAliveCountMax=3",
    # A connection of its own: a shared one (ssh_config(5), ControlMaster) would keep the socket.
    "ControlMaster=no",
    "ControlPath=none",
    # The user's settings for a session by hand; a port that one uses already is no failure here.
    "ExitOnForwardFailure=no",
    "RemoteCommand=none",
    "StdinNull=no",
)
SSH = ("ssh", "-T", "-a", "-x", *(word for option in OPTIONS for word in ("-o", option)))
SECONDS = 60.0
"""For the whole answer, which an engine with many images may take; SSH itself answers in 10 s."""
SHELL = ("sh", "-s")
SENT_FROM = "SSH_CONNECTION"
"""Of a terminal that is itself a session over SSH: it would tell of that one."""


def command(its: Host) -> tuple[str, ...]:
    """Return the command that runs the shell text of its standard input on an engine's machine."""
    return (*SSH, "--", its.ssh_host, *SHELL) if its.ssh_host else SHELL


def tell(its: Host, text: str, seconds: float = SECONDS) -> Completed:
    """Run a shell text on an engine's machine, and return what came of it.

    Without SSH or within too long a time nothing comes, as if the machine had not answered.
    """
    own = {name: value for name, value in os.environ.items() if name != SENT_FROM}
    return run(command(its), tuple(own.items()), text=text, seconds=seconds)
