"""From the logs of all services to what went wrong: the cause first, each with the next command."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from cluster.logs import failure, logline
from cluster.logs.failure import Failure
from cluster.logs.logline import Line
from cluster.logs.signature import Signature, advice
from cluster.logs.signatures import SIGNATURES
from cluster.node import Cluster, Node
from cluster.node_context import NodeContext

LITERALS = [(literal, it) for it in SIGNATURES for literal in it.literals]
"""What a line must have before its signature is looked for: a log may have 100000 lines."""
READY = ("Application startup complete.", "Ray runtime started.")
"""What the programs survived before they say this is history."""
CODE = " " * 4
"""With this begin the lines of code in a traceback: they may hold the words of their errors."""
ADDRESS = re.compile(r" ?\bip=(?P<address>\S+)")
NEVER = "~"
"""Sorts after every time."""
REPETITION = 2
"""As `Failure.indirect`."""
UNKNOWN = "no known failure; this is the first error"


@dataclass(frozen=True, kw_only=True)
class Told:
    """What a service of a node has logged."""

    node: str
    service: str
    lines: Sequence[str] = field(repr=False)


@dataclass(frozen=True, kw_only=True)
class Explanation:
    """A line of a log, and what it means."""

    name: str
    """The signature; empty for an error that none knows."""
    node: str
    """Where it happened."""
    log: str
    """Whose log it is in: `serve on spark1`."""
    who: str
    """The process that said it, and its rank; empty when it did not say."""
    time: str
    """When, as in the log, without the year; empty when the log does not tell."""
    said: tuple[str, ...]
    """The line, without its decoration; of an unknown error its message."""
    meaning: str
    """The cause, in a sentence."""
    next: str
    """The next command, or an instruction."""
    indirect: int
    """How far it is from the cause, as `Failure.indirect`."""
    note: bool
    """It is no failure, but worth knowing."""


Order = tuple[int, str, int, int]
"""Distance from the cause, time, log, line."""
Ranked = tuple[Order, Explanation]


def explain(cluster: Cluster, logs: Sequence[Told]) -> tuple[Explanation, ...]:
    """Return what is known of the failures in these logs, the likely cause first, notes last.

    Where no signature tells of a cause, the error of the rank that failed first stands for it.
    """
    readers = [_Reader(cluster=cluster, at=at, told=told) for at, told in enumerate(logs)]
    known = [it for reader in readers for it in reader.known()]
    failed = [it.indirect for _, it in known if not it.note]
    reach = 0 if failed else REPETITION
    unknown = [] if 0 in failed else [it for reader in readers for it in reader.unknown(reach)]
    return _once([*known, *sorted(unknown, key=_order)[:1]])


def cause(found: Sequence[Explanation]) -> Explanation | None:
    """Return the likely cause; None where no signature tells of it."""
    first = next((it for it in found if not it.note), None)
    return first if first and first.name else None


def _order(ranked: Ranked) -> Order:
    return ranked[0]


def _once(found: list[Ranked]) -> tuple[Explanation, ...]:
    """Sort, leave out what a node has said before, and put the notes behind."""
    first: dict[tuple[str, str], Explanation] = {}
    for _, it in sorted(found, key=_order):
        repeated = it.indirect == REPETITION and it.name in {name for name, _ in first}
        if not repeated:
            first.setdefault((it.name, it.node), it)
    return tuple(sorted(first.values(), key=lambda it: it.note))


@dataclass(frozen=True, kw_only=True)
class _Reader:
    """Reads one log."""

    cluster: Cluster
    at: int
    """The number of the log."""
    told: Told

    @cached_property
    def lines(self) -> list[Line]:
        """The lines without their decoration."""
        return [logline.read(line) for line in self.told.lines]

    @cached_property
    def times(self) -> list[str]:
        """When each line was said: a line without a time was said after its process's last one."""
        last = {"": NEVER}
        times = []
        for line in self.lines:
            last[""] = last[line.process] = line.time or last.get(line.process, last[""])
            times.append(last[line.process])
        return times

    @cached_property
    def begin(self) -> int:
        """The number of the line since which the service has been ready; else 0."""
        ready = (at for at, line in enumerate(self.lines) if line.text.startswith(READY))
        return max(ready, default=0)

    def known(self) -> Iterator[Ranked]:
        """Find the lines that signatures know."""
        for number, line in enumerate(self.lines):
            signature, told = _known(line)
            if signature and not self._over(signature, number):
                yield self._explained(signature, told, number)

    def _over(self, signature: Signature, number: int) -> bool:
        """Tell whether it was survived, or a later line says that it is over."""
        later = self.lines[number:] if signature.until else []
        survived = number < self.begin and not signature.note
        return survived or any(signature.until in line.text for line in later)

    @cached_property
    def failures(self) -> list[Failure]:
        """What the log tells by itself, the likely cause first."""
        return failure.failures(self.told.lines)

    @cached_property
    def authors(self) -> dict[str, str]:
        """Who said what, where another process hands it on."""
        return {text: it.who for it in reversed(self.failures) for text in it.said}

    def _explained(self, signature: Signature, told: Mapping[str, str], number: int) -> Ranked:
        line = self.lines[number]
        said = failure.NOISE.sub("", line.text)
        who = self.authors.get(said, line.who)
        node = self._node(told.get("address") or _address(who))
        site = NodeContext(cluster=self.cluster, node=node)
        names = {str(each.host_ip): each.name for each in self.cluster.nodes}
        told = {field: names.get(value, value) for field, value in told.items()}
        repeated = REPETITION if failure.WRAPPER.search(line.text) else 0
        indirect = max(signature.indirect, repeated)
        return (indirect, self.times[number], self.at, number), Explanation(
            name=signature.name,
            node=node.name,
            log=self._log,
            who=_name(who),
            time=line.time,
            said=(said.strip(),),
            meaning=advice(signature.meaning, site, told),
            next=advice(signature.next, site, told),
            indirect=indirect,
            note=signature.note,
        )

    def unknown(self, reach: int) -> Iterator[Ranked]:
        """Find the failures that no signature knows, at most so far from the cause."""
        for it in self.failures:
            strange = all(_signature(text)[0] is None for text in it.said)
            if strange and it.number >= self.begin and it.indirect <= reach:
                yield self._unexplained(it)

    def _unexplained(self, it: Failure) -> Ranked:
        node = self._node(_address(it.who)).name
        return (it.indirect, self.times[it.number], self.at, it.number), Explanation(
            name="",
            node=node,
            log=self._log,
            who=_name(it.who),
            time=self.lines[it.number].time,
            said=(*it.said, *([f"at {it.where}"] if it.where else [])),
            meaning=UNKNOWN,
            next=f"next: {self.cluster.inv('logs', '--node', node)}",
            indirect=it.indirect,
            note=False,
        )

    def _node(self, address: str) -> Node:
        """Return the node with an address, else the one whose log it is."""
        nodes = self.cluster.nodes
        named = [node for node in nodes if node.name == self.told.node]
        return next((node for node in nodes if str(node.host_ip) == address), named[0])

    @property
    def _log(self) -> str:
        return f"{self.told.service} on {self.told.node}"


Known = tuple[Signature | None, Mapping[str, str]]


def _known(line: Line) -> Known:
    """Return the signature of a line and what its words told; None where there is none."""
    signature, told = (None, {}) if line.text.startswith(CODE) else _signature(line.text)
    return (None, {}) if signature and line.quiet and not signature.soft else (signature, told)


def _signature(text: str) -> Known:
    likely = (signature for literal, signature in LITERALS if literal in text)
    found = ((signature, signature.told(text)) for signature in likely)
    return next(((it, told) for it, told in found if told is not None), (None, {}))


def _address(who: str) -> str:
    found = ADDRESS.search(who)
    return found["address"] if found else ""


def _name(who: str) -> str:
    return ADDRESS.sub("", who)
