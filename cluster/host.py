"""How a machine is reached: SSH's options, and the meaning of errors of SSH and Docker.

It is always the user's own OpenSSH client, with their keys, agent, jumps, `Include` and host keys.
"""

import re
import shlex
from dataclasses import dataclass

from cluster.errors import Problem
from cluster.words import Word

LAYERS = "{{json .RootFS.Layers}}"
OPTIONS = (
    # Ask nothing; judge host keys as the user has configured it.
    "BatchMode=yes",
    "ConnectTimeout=10",
    # A machine may vanish silently: after 15 s, calls under way fail.
    "ServerAliveInterval=5",
    "ServerAliveCountMax=3",
    # A connection of its own: a shared one (ssh_config(5), ControlMaster) keeps its own forwardings
    # and its own address.
    "ControlMaster=no",
    "ControlPath=none",
    # These undo settings of the user for interactive sessions. A forwarded port that is in use is
    # no failure here.
    "ExitOnForwardFailure=no",
    "RemoteCommand=none",
    "StdinNull=no",
)
BULK_OPTIONS = (
    # A disk that pauses for some seconds must not end a copy.
    "ServerAliveInterval=10",
    "ClearAllForwardings=yes",
    "Compression=no",
)
SHELL = ("sh", "-s")
"""Runs the shell text of its standard input."""


@dataclass(frozen=True, kw_only=True)
class Host:
    """A machine: this one, one that SSH reaches, or a namespace of this one."""

    name: str
    """The node's name, or `this machine`."""
    ssh_host: str = ""
    """What `ssh` is given; empty when no SSH is needed."""
    entry: tuple[Word, ...] = ()
    """The words in front of a command that run it in a namespace of this machine."""

    @property
    def url(self) -> str:
        """The value of `docker --host`; empty for this machine's own engine."""
        return f"ssh://{self.ssh_host}" if self.ssh_host else ""

    @property
    def shell(self) -> tuple[Word, ...]:
        """The command that runs the shell text of its standard input on the machine."""
        return self.ssh(*SHELL) if self.ssh_host else (*self.entry, *SHELL)

    def ssh(self, *words: str, options: tuple[str, ...] = ()) -> tuple[str, ...]:
        """Return the command that runs another over SSH; `options` override the usual ones."""
        return (*ssh(*options), "--", self.ssh_host, *words)

    @property
    def configuration(self) -> tuple[str, ...]:
        """The command that prints how SSH would reach the machine, and connects to nothing."""
        return ("ssh", "-T", "-G", self.ssh_host)

    def tunnel(self, local: str, remote: str, *words: str) -> tuple[str, ...]:
        """Return an SSH command that also forwards a Unix socket of the machine to a local path."""
        return (*ssh(), "-L", f"{local}:{remote}", "--", self.ssh_host, *words)

    def docker(self, *words: Word) -> tuple[Word, ...]:
        """Return a command line of the Docker client for the machine's engine."""
        return ("docker", *(("--host", self.url) if self.url else ()), *words)

    def layers(self, image: str) -> tuple[Word, ...]:
        """Return the command that prints the digests of an image's layers."""
        return self.docker("image", "inspect", "--format", LAYERS, image)

    def session(self, argv: tuple[str, ...], *, terminal: bool) -> tuple[str, ...]:
        """Return a command that has the user's own input and output, or their terminal.

        Over SSH it has no option of this project: with a terminal, SSH may ask.
        """
        tty = ("-t",) if terminal else ()
        return ("ssh", *tty, self.ssh_host, shlex.join(argv)) if self.ssh_host else argv

    def line(self, line: str) -> str:
        """Return a shell line for the machine, to be typed: with a terminal, as `sudo` may ask."""
        return f"ssh -t {self.ssh_host} {shlex.quote(line)}" if self.ssh_host else line


THIS_MACHINE = Host(name="this machine")


def ssh(*options: str) -> tuple[str, ...]:
    """Return the SSH client with this project's options, without a destination.

    No terminal, which would change bytes, and no forwarding of the agent or of X11. `options` stand
    in front: of an option that is given twice, the first counts (ssh_config(5)).
    """
    words = (word for option in (*options, *OPTIONS) for word in ("-o", option))
    return ("ssh", "-T", "-a", "-x", *words)


@dataclass(frozen=True, kw_only=True)
class Complaint:
    """An error of ssh or Docker and its meaning; templates use `host` and the named groups."""

    words: str
    """A regular expression."""
    message: str
    remedy: str
    cure: str = ""
    """A shell line for the machine: `{cure}` in the remedy."""


SSH_COMPLAINTS = (
    # Two answers to a host key that ssh_config(5), StrictHostKeyChecking, does not accept.
    Complaint(
        words=r"Host key for (?P<key>\S+) has changed",
        message="the host key of {host} has changed",
        remedy="if the machine was reinstalled: `ssh-keygen -R {key}`, then `ssh {host}`",
    ),
    Complaint(
        words=r"Host key verification failed",
        message="the host key of {host} is unknown",
        remedy="run `ssh {host}` once, and accept the key if its fingerprint is right",
    ),
    Complaint(
        words=r"Permission denied \((?P<methods>[\w,-]+)\)",
        message="{host} rejected the SSH login ({methods})",
        remedy="`ssh-copy-id {host}`, or set user and key in ~/.ssh/config",
    ),
    Complaint(
        words=r"Could not resolve hostname (?P<name>[^:]+):",
        message="no address found for {name}",
        remedy="correct SSH_HOST or the name given, or add the machine to ~/.ssh/config",
    ),
    Complaint(
        words=r"connect to host \S+ port (?P<port>\d+): Connection refused",
        message="no SSH server is listening on {host}, port {port}",
        remedy="start it there: `sudo systemctl start ssh`",
    ),
    Complaint(
        words=r"connect to host \S+ port \d+: (?P<reason>.+)",
        message="{host} does not answer: {reason}",
        remedy="check that it is on, and on this network: `ssh -v {host}`",
    ),
    # A machine without free memory still completes TCP handshakes.
    Complaint(
        words=r"timed out during banner exchange|Connection to \S+ port \d+ timed out",
        message="{host} accepts connections, but its SSH server does not answer",
        remedy="the machine may be overloaded: wait and try again, or restart it",
    ),
    Complaint(
        words=r"Timeout, server .* not responding|closed by remote host|client_loop: .*|"
        r"Connection (closed|reset) by \S+ port \d+",
        message="the SSH connection to {host} was lost",
        remedy="check it with `ssh {host}`, then run the same command again",
    ),
    Complaint(
        words=r"\bssh: (command )?not found|No such file or directory: 'ssh'|"
        r"`ssh` is not installed",
        message="`ssh` is not installed on this machine",
        remedy="`sudo apt-get install openssh-client`",
    ),
)
# Without an engine, the SDK repeats the operating system's error; the client has its own words.
DOCKER_COMPLAINTS = (
    Complaint(
        words=r"\bdocker: (command )?not found|command not found: docker\b|"
        r"No such file or directory: 'docker'",
        message="`docker` is not on the PATH of {host}",
        remedy="install it: https://docs.docker.com/engine/install",
    ),
    Complaint(
        words=r"permission denied while trying to connect|PermissionError\(13|"
        r"dial unix \S+: connect: permission denied",
        message="this user may not use Docker on {host}",
        remedy="`{cure}`, then log in there again",
        cure='sudo usermod -aG docker "$USER"',
    ),
    # Over SSH the client hides the reason: it says the same when the user may not use the socket.
    Complaint(
        words=r"Cannot connect to the Docker daemon at http://docker\.example\.com",
        message="the Docker engine does not answer",
        remedy="`{cure}` shows the reason",
        cure="docker version",
    ),
    Complaint(
        words=r"(?i:cannot connect to the Docker daemon)|failed to connect to the docker API|"
        r"FileNotFoundError\(2|ConnectionRefusedError\(111",
        message="the Docker engine is not running",
        remedy="`{cure}`",
        cure="sudo systemctl start docker",
    ),
    Complaint(
        words=r"buildx component is missing or broken|unknown command: docker buildx|"
        r"'buildx' is not a docker command",
        message="the Docker client of this machine lacks its plug-in `buildx`",
        remedy="`sudo apt-get install docker-buildx-plugin`, or the system's `docker-buildx`",
    ),
    # The Docker client of that machine works: only the forwarding is forbidden.
    Complaint(
        words=r"channel \d+: open failed",
        message="{host} does not let SSH forward its /var/run/docker.sock",
        remedy="set `AllowStreamLocalForwarding yes` in its sshd_config; it needs Docker as well",
    ),
    Complaint(
        words=r"Connection aborted|Connection broken|Read timed out|Connection reset|Broken pipe",
        message="the Docker engine closed the connection",
        remedy="check it with `{cure}`, then run the same command again",
        cure="docker version",
    ),
    # An answer of the engine as the SDK shows it: status, address and, at the end, the message.
    Complaint(
        words=r'(?s)Error for http.*?\("(?P<reason>.+)"\)',
        message="Docker reports: {reason}",
        remedy="",
    ),
)


def host_problem(host: Host, text: str) -> Problem:
    """Return the problem that ssh, the Docker client or the SDK describe in `text`."""
    return (
        ssh_problem(host, text) or _explained(host, text, DOCKER_COMPLAINTS) or _unknown(host, text)
    )


def ssh_problem(host: Host, text: str) -> Problem | None:
    """Return the problem that ssh describes; None if these are not words of ssh."""
    return _explained(host, text, SSH_COMPLAINTS)


def _explained(host: Host, text: str, complaints: tuple[Complaint, ...]) -> Problem | None:
    name = host.ssh_host or "this machine"
    for complaint in complaints:
        if match := re.search(complaint.words, text):
            groups = {key: value.strip() for key, value in match.groupdict().items()}
            message = complaint.message.format(host=name, **groups)
            cure = host.line(complaint.cure)
            remedy = complaint.remedy.format(host=name, cure=cure, **groups)
            return Problem(place=host.name, message=message, remedy=remedy)
    return None


def _unknown(host: Host, text: str) -> Problem:
    """Show the last line as it is."""
    last = text.strip().rpartition("\n")[2] or "no error message"
    remedy = f"`{host.line('docker version')}` may show more"
    return Problem(place=host.name, message=f"Docker does not answer: {last}", remedy=remedy)
