"""The machines to probe, the nodes that they are, and the env files that describe them."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address
from pathlib import PurePosixPath

from cluster.errors import NodeError, Problem, RefusedError, SettingsError
from cluster.facts.facts import Facts
from cluster.host import Host
from cluster.node import CLUSTER_FILE, env_folder
from cluster.settings.env_file import EnvFile, parse_file
from cluster.settings.syntax import Assignment, EnvText, Fault, parse_lines
from cluster.settings.values import WrongValueError, label, shown

ENV = ".env"
SHARED = CLUSTER_FILE.removesuffix(ENV)
"""The name of the file that all nodes share; other files are named after their nodes."""


@dataclass(frozen=True, kw_only=True)
class CurrentFile:
    """An env file before the probe."""

    parsed: EnvFile
    text: str | None
    """None if there is no such file."""
    raw: Mapping[str, str]
    """The values as they are written."""


@dataclass(frozen=True, kw_only=True)
class ClusterFiles:
    """The env files of a cluster before the probe."""

    cluster: str
    texts: tuple[EnvText, ...]

    def file(self, node: str) -> CurrentFile:
        """Return the file of a node, or the one that all nodes share; empty if it is missing."""
        path = f"{env_folder(self.cluster)}{node}{ENV}"
        text = next((file.text for file in self.texts if file.path == path), None)
        entries = parse_lines(path, text or "")
        raw = {entry.key: entry.value for entry in entries if isinstance(entry, Assignment)}
        parsed = parse_file(EnvText(path=path, text=text or ""))
        return CurrentFile(parsed=parsed, text=text, raw=raw)

    @property
    def shared(self) -> CurrentFile:
        """The file that all nodes share."""
        return self.file(SHARED)

    @property
    def nodes(self) -> tuple[CurrentFile, ...]:
        """The files of nodes."""
        names = (PurePosixPath(file.path).stem for file in self.texts)
        return tuple(self.file(name) for name in names if name != SHARED)

    @property
    def addresses(self) -> dict[str, IPv4Address]:
        """The HOST_IP of each node whose file has one."""
        pairs = ((file.parsed.name, file.parsed.get("HOST_IP", IPv4Address)) for file in self.nodes)
        return {name: address for name, address in pairs if address}

    def check(self) -> None:
        """Raise for text that cannot be edited, and for a cluster whose nodes are no machines."""
        unreadable = [file for file in self.texts if file.error]
        problems = [Problem(file.path, file.error, file.remedy) for file in unreadable]
        entries = (entry for file in self.texts for entry in parse_lines(file.path, file.text))
        problems += [entry.problem for entry in entries if isinstance(entry, Fault)]
        if problems:
            raise SettingsError(*problems)
        if self.shared.parsed.get("RUNTIME", str) == "process":
            message = "its nodes are namespaces of this machine and have no ports"
            remedy = "its env files are complete, there is nothing to probe"
            raise RefusedError(Problem(f"cluster {self.cluster}", message, remedy))


@dataclass(frozen=True, kw_only=True)
class Target:
    """A machine to probe."""

    host: Host
    destination: str = ""
    """Its SSH destination on the command line, unless that only works on this machine."""
    node: str = ""
    """Its node, if an env file describes it."""


Targets = Mapping[str, Target]
"""By the name on the command line, or the node's name."""


@dataclass(frozen=True, kw_only=True)
class ProbedNode:
    """A machine that answered, as a node of the cluster."""

    name: str
    """Empty if no name of the machine can be a node's name."""
    target: Target
    facts: Facts
    file: CurrentFile


def ssh_host(file: CurrentFile) -> str:
    """Return how a node with a file is reached; raise RefusedError if the file does not tell."""
    host = file.parsed.get("SSH_HOST", str) or str(file.parsed.get("HOST_IP", IPv4Address) or "")
    if not host:
        message = "has neither SSH_HOST nor HOST_IP"
        raise RefusedError(Problem(file.parsed.path, message, "`inv probe -- HOST...`"))
    return host


def complete(answers: Mapping[str, Facts | Problem]) -> dict[str, Facts]:
    """Return the facts of all machines; raise NodeError if any of them is missing.

    Without the answer of one machine, the topology of all others is unknown.
    """
    facts = {name: answer for name, answer in answers.items() if isinstance(answer, Facts)}
    missing = (answer for answer in answers.values() if isinstance(answer, Problem))
    gaps = (problem for name, answer in facts.items() for problem in _gaps(name, answer))
    if problems := (*missing, *gaps):
        raise NodeError(*problems)
    return facts


def _gaps(name: str, facts: Facts) -> Iterator[Problem]:
    """Yield what an answer lacks: an incomplete one looks like a machine without that hardware."""
    if facts.links.error:
        message = f"cannot list its interfaces: {facts.links.error}"
        yield Problem(name, message, "make `ip address` work there")
    elif facts.unreadable:
        message = f"these parts of its answer are unreadable: {', '.join(facts.unreadable)}"
        yield Problem(name, message, "a defect of this tool: `inv --dry probe` prints the question")


def probed_nodes(
    files: ClusterFiles, targets: Targets, facts: Mapping[str, Facts]
) -> Iterator[ProbedNode]:
    """Yield the node that each target is."""
    parsed = tuple(file.parsed for file in files.nodes)
    for key, target in targets.items():
        name = target.node or _name(target.destination, facts[key], parsed)
        yield ProbedNode(name=name, target=target, facts=facts[key], file=files.file(name))


def _name(destination: str, facts: Facts, files: tuple[EnvFile, ...]) -> str:
    """Return a node's name; empty if no name of the machine is valid.

    The file that has the machine's address or destination comes first, then the alias of
    ~/.ssh/config, then the machine's own name.
    """
    alias = destination.rpartition("@")[2]
    described = (file.name for file in files if _describes(file, destination, facts))
    hostname = facts.machine.hostname.partition(".")[0].lower().replace("_", "-")
    return next(described, "") or next(filter(_is_label, (alias, hostname)), "")


def _describes(file: EnvFile, destination: str, facts: Facts) -> bool:
    if destination:
        return destination in {file.get("SSH_HOST", str), str(file.get("HOST_IP", IPv4Address))}
    addresses = {entry.ip for link in facts.links.interfaces for entry in link.addresses}
    return file.get("HOST_IP", IPv4Address) in addresses


def _is_label(name: str) -> bool:
    try:
        return bool(label(name))
    except WrongValueError:
        return False


def name_conflicts(nodes: tuple[ProbedNode, ...]) -> Iterator[Problem]:
    """Yield the machines that were named twice, or have no name of their own."""
    places: dict[str, str] = {}
    cards: dict[tuple[str, ...], str] = {}
    for node in nodes:
        place = node.target.destination or "this machine"
        macs = _macs(node.facts)
        if macs and (first := cards.setdefault(macs, place)) != place:
            yield Problem(place, f"is the same machine as {first}", "name it once")
        elif not node.name:
            message = f"{shown(node.facts.machine.hostname)} is not valid as a node's name"
            remedy = "give it an alias like spark1 in ~/.ssh/config, and use the alias"
            yield Problem(place, message, remedy)
        elif (first := places.setdefault(node.name, place)) != place:
            message = f"is also called {node.name}, like {first}"
            yield Problem(place, message, "use different aliases")


def _macs(facts: Facts) -> tuple[str, ...]:
    """Return the MAC addresses of a machine's physical network cards."""
    return tuple(sorted(link.mac for link in facts.links.interfaces if link.pci and link.mac))
