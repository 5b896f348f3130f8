"""The Docker engine of a node: how to reach it, and what can be wrong with it."""

import re
import shlex
from dataclasses import dataclass

from cluster.errors import Problem
from cluster.words import Word

LAYERS = "{{json .RootFS.Layers}}"


@dataclass(frozen=True, kw_only=True)
class Host:
    """A Docker engine."""

    name: str
    ssh_host: str = ""
    """How `ssh` reaches its machine; empty for the engine of this machine."""

    @property
    def url(self) -> str:
        """What `docker --host` takes; empty for this machine's own."""
        return f"ssh://{self.ssh_host}" if self.ssh_host else ""

    def docker(self, *words: Word) -> tuple[Word, ...]:
        """Return a command line of the Docker client for this engine."""
        return ("docker", *(("--host", self.url) if self.url else ()), *words)

    def layers(self, image: str) -> tuple[Word, ...]:
        """Return the command that prints the digests of an image's layers."""
        return self.docker("image", "inspect", "--format", LAYERS, image)

    def there(self, line: str) -> str:
        """Return the shell line that runs another on the engine's machine, with a terminal."""
        return f"ssh -t {self.ssh_host} {shlex.quote(line)}" if self.ssh_host else line


@dataclass(frozen=True, kw_only=True)
class Cause:
    """Words of ssh or Docker that tell what is wrong; templates know `host` and the groups."""

    words: str
    message: str
    remedy: str
    cure: str = ""
    """A shell line for the engine's machine: `{cure}` in the remedy."""


SSH = (
    # Two answers to a host key that ssh_config(5), StrictHostKeyChecking, does not let pass.
    Cause(
        words=r"Host key for (?P<key>\S+) has changed",
        message="the host key of {host} is not the one that SSH knows",
        remedy="if the machine was installed anew: `ssh-keygen -R {key}`, then `ssh {host}`",
    ),
    Cause(
        words=r"Host key verification failed",
        message="SSH does not know the host key of {host}",
        remedy="`ssh {host}` once, and accept the key if its fingerprint is right",
    ),
    Cause(
        words=r"Permission denied \((?P<methods>[\w,-]+)\)",
        message="SSH does not let this user in at {host} ({methods})",
        remedy="`ssh-copy-id {host}`, or name user and key in ~/.ssh/config",
    ),
    Cause(
        words=r"Could not resolve hostname (?P<name>[^:]+):",
        message="no address is known for {name}",
        remedy="correct SSH_HOST or the name given, or name the machine in ~/.ssh/config",
    ),
    Cause(
        words=r"connect to host \S+ port (?P<port>\d+): Connection refused",
        message="no SSH server listens on {host}, port {port}",
        remedy="start it there: `sudo systemctl start ssh`",
    ),
    Cause(
        words=r"connect to host \S+ port \d+: (?P<why>.+)",
        message="{host} does not answer: {why}",
        remedy="is it switched on, and on this network? `ssh -v {host}`",
    ),
    Cause(
        words=r"Timeout, server .* not responding|closed by remote host|client_loop: .*|"
        r"Connection (closed|reset) by \S+ port \d+",
        message="the SSH connection to {host} was lost",
        remedy="`ssh {host}` shows whether it answers; then the same command again",
    ),
    Cause(
        words=r"\bssh: (command )?not found|No such file or directory: 'ssh'|`ssh` is not there",
        message="there is no `ssh` on this machine",
        remedy="`sudo apt-get install openssh-client`",
    ),
)
# Without an engine, the SDK tells what the operating system said; the client has its own words.
DOCKER = (
    Cause(
        words=r"\bdocker: (command )?not found|command not found: docker\b|"
        r"No such file or directory: 'docker'",
        message="there is no `docker` on the PATH of {host}",
        remedy="install it: https://docs.docker.com/engine/install",
    ),
    Cause(
        words=r"permission denied while trying to connect|PermissionError\(13|"
        r"dial unix \S+: connect: permission denied",
        message="this user may not use Docker on {host}",
        remedy="`{cure}`, then log in there again",
        cure='sudo usermod -aG docker "$USER"',
    ),
    # Over SSH the client hides why: it says the same when the user may not use the socket.
    Cause(
        words=r"Cannot connect to the Docker daemon at http://docker\.example\.com",
        message="the Docker engine of {host} does not answer",
        remedy="`{cure}` says why",
        cure="docker version",
    ),
    Cause(
        words=r"(?i:cannot connect to the Docker daemon)|failed to connect to the docker API|"
        r"FileNotFoundError\(2|ConnectionRefusedError\(111",
        message="the Docker engine of {host} does not run",
        remedy="`{cure}`",
        cure="sudo systemctl start docker",
    ),
    Cause(
        words=r"buildx component is missing or broken|unknown command: docker buildx|"
        r"'buildx' is not a docker command",
        message="the Docker client of this machine lacks its plug-in `buildx`",
        remedy="`sudo apt-get install docker-buildx-plugin`, or the system's `docker-buildx`",
    ),
    # The client there is content, and this way alone is closed.
    Cause(
        words=r"channel \d+: open failed",
        message="{host} does not let SSH forward its /var/run/docker.sock",
        remedy="needs `AllowStreamLocalForwarding yes` in its sshd_config, and Docker there",
    ),
    Cause(
        words=r"Connection aborted|Connection broken|Read timed out|Connection reset|Broken pipe",
        message="the Docker engine of {host} broke off the connection",
        remedy="`{cure}` shows whether it runs; then the same command again",
        cure="docker version",
    ),
    # An answer of the engine, as the SDK shows it: status, address and, at the end, the words.
    Cause(words=r'(?s)Error for http.*?\("(?P<why>.+)"\)', message="Docker says: {why}", remedy=""),
)


def host_problem(engine: Host, text: str) -> Problem:
    """Return what is wrong, from what ssh, the Docker client or the SDK said."""
    host = engine.ssh_host or "this machine"
    for cause in (*SSH, *DOCKER):
        if found := re.search(cause.words, text):
            groups = {name: value.strip() for name, value in found.groupdict().items()}
            message = cause.message.format(host=host, **groups)
            cure = engine.there(cause.cure)
            remedy = cause.remedy.format(host=host, cure=cure, **groups)
            return Problem(place=engine.name, message=message, remedy=remedy)
    return _unknown(engine, text)


def _unknown(engine: Host, text: str) -> Problem:
    """Show the last words as they are."""
    last = text.strip().rpartition("\n")[2] or "no word of it"
    remedy = f"`{engine.there('docker version')}` may say more"
    return Problem(place=engine.name, message=f"Docker does not answer: {last}", remedy=remedy)
