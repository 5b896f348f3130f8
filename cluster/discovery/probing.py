"""`inv probe`: asks machines how they are joined, and writes the env files that describe them."""

import shlex
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from cluster import scripts
from cluster.discovery.files import Files
from cluster.errors import NodeError, Problem, RefusedError
from cluster.facts import asking
from cluster.facts.facts import JOINING, Facts, Request
from cluster.host import Host
from cluster.machine import env_files, files, ssh
from cluster.machine.local_addresses import is_local, is_loopback
from cluster.machine.places import ROOT
from cluster.machine.terminal import Report, show
from cluster.node import DEFAULT
from cluster.settings import settings
from cluster.settings.envfile import EnvText
from cluster.settings.schema import HOST_IP, SSH_HOST
from cluster.settings.values import LABEL, WrongValueError, ssh_host
from cluster.words import shell_line

if TYPE_CHECKING:
    from cluster.discovery.outcome import Outcome

COMMAND = "inv probe"
HERE = "this machine"
NEXT = "# Then each tries the addresses of the others from its interfaces: a second question.\n"


@dataclass(frozen=True, kw_only=True)
class Machine:
    """A machine to ask."""

    engine: Host
    destination: str = ""
    """How it was named, if others would know it by that."""
    node: str = ""
    """The node that it is, if a file says so."""


Machines = dict[str, Machine]
"""By what they are called."""


def probe(  # noqa: PLR0913 (an argument for each option of the command line)
    name: str, hosts: tuple[str, ...], *, write: bool, check: bool, json: bool, dry: bool
) -> int:
    """Print how a cluster's env files should change, or change them; return the exit code.

    `hosts` are destinations of SSH; without any, the nodes that have files are asked, or this
    machine when there are none. A machine that cannot be asked raises NodeError.
    """
    if write and check:
        message = "one of them writes, the other never does"
        raise RefusedError(Problem(place="--write --check", message=message, remedy="give one"))
    its = Files(name=name, texts=_texts(name, new=bool(hosts)))
    its.check()
    machines = _named(hosts) or _described(its) or {HERE: Machine(engine=Host(name=HERE))}
    if dry:
        show(_by_hand(machines))
        return 0
    found = _outcome(its, machines)
    if write and not found.questions:
        for change in found.changed:
            files.write(f"{ROOT}/{change.path}", change.after)
    show(_page(found, _command(name, hosts), write=write, check=check, json=json))
    if check:
        return found.drift_code
    return 0 if write and not found.questions else found.code


def _page(found: "Outcome", command: str, *, write: bool, check: bool, json: bool) -> str:
    from cluster.discovery import pages

    if json:
        return pages.as_json(found)
    if check:
        return pages.drift(found)
    return pages.text(found) + (pages.written(found) if write else pages.ending(found, command))


def _outcome(its: Files, machines: Machines) -> "Outcome":
    """Ask all machines twice: what they are, then whom of the others they reach."""
    # What a dry run does without is not waited for: this is a quarter of all that would be loaded.
    from cluster.discovery import naming
    from cluster.discovery.outcome import outcome
    from cluster.discovery.proposal import Host
    from cluster.discovery.topology import Topology, topology

    report = Report()
    with report.step(its.name, "Ask what the machines are"):
        engines = {called: one.engine for called, one in machines.items()}
        said = _all(asking.examine(engines, dict.fromkeys(machines, _question())))
    known = tuple(file.page for file in its.nodes)
    names = {
        called: machines[called].node or naming.node(machines[called].destination, facts, known)
        for called, facts in said.items()
    }
    if doubts := tuple(naming.doubts(names, said)):
        return outcome(its, (), Topology(kind="undecided", questions=doubts))
    facts = {names[called]: one for called, one in said.items()}
    with report.step(its.name, "Ask whom each of them reaches"):
        facts |= _reached({names[called]: one for called, one in engines.items()}, facts)
    hosts = (
        Host(
            name=node,
            destination=machines[called].destination,
            facts=facts[node],
            file=its.written(node),
        )
        for called, node in names.items()
    )
    return outcome(its, tuple(hosts), topology(facts, its.addresses))


def _reached(engines: dict[str, Host], facts: dict[str, Facts]) -> dict[str, Facts]:
    """Ask hosts about each other, and return their facts with what they reach."""
    from cluster.discovery import wiring

    asked = wiring.asked(facts).items()
    questions = {name: its.question for name, its in asked if its.pings}
    answers = _all(asking.examine(engines, questions))
    return {name: replace(facts[name], reach=its.reach) for name, its in answers.items()}


def _all(answers: dict[str, Facts | Problem]) -> dict[str, Facts]:
    """Return the answers of all machines: without one of them, nothing can be said of the rest."""
    whole = {name: one for name, one in answers.items() if not isinstance(one, Problem)}
    silent = tuple(one for one in answers.values() if isinstance(one, Problem))
    if problems := (*silent, *(its for name, one in whole.items() for its in _gaps(name, one))):
        raise NodeError(*problems)
    return whole


def _gaps(name: str, facts: Facts) -> Iterator[Problem]:
    """Yield what an answer lacks: half of one would be taken for a machine without the rest."""
    if facts.links.error:
        message = f"cannot list its interfaces: {facts.links.error}"
        yield Problem(place=name, message=message, remedy="`ip address` must work there")
    elif facts.unreadable:
        message = f"parts of its answer could not be read: {', '.join(facts.unreadable)}"
        remedy = "a defect of this tool: `inv --dry probe` prints what was asked"
        yield Problem(place=name, message=message, remedy=remedy)


def _texts(name: str, *, new: bool) -> tuple[EnvText, ...]:
    """Read a cluster's files to the letter; a cluster that is to be made has none yet."""
    folder = settings.folder(name)
    if new and not files.exists(f"{ROOT}/{folder}") and all(map(LABEL.fullmatch, name.split("/"))):
        return ()
    return tuple(
        its
        if its.trouble
        else replace(its, text=Path(ROOT, its.path).read_bytes().decode("utf-8-sig"))
        for its in env_files.env_files(Path(ROOT), name)
    )


def _named(hosts: tuple[str, ...]) -> Machines:
    """Return the machines with these names; one that ssh would take for a flag is refused."""
    return {host: _machine(host) for host in hosts}


def _machine(host: str) -> Machine:
    try:
        its = ssh_host(host)
    except WrongValueError as wrong:
        raise RefusedError(
            Problem(place="--", message=wrong.message, remedy=wrong.remedy)
        ) from None
    engine = Host(name=its, ssh_host="" if is_local(its) else its)
    return Machine(engine=engine, destination="" if is_loopback(its) else its)


def _described(its: Files) -> Machines:
    """Return the nodes that have files."""
    found: Machines = {}
    for page in (file.page for file in its.nodes):
        address = page.get(HOST_IP)
        way = page.get(SSH_HOST) or str(address or "")
        if not way:
            message = "says neither SSH_HOST nor HOST_IP"
            raise RefusedError(
                Problem(place=page.path, message=message, remedy=f"`{COMMAND} -- HOST...`")
            )
        here = bool(address) and is_local(str(address))
        engine = Host(name=page.name, ssh_host="" if here else way)
        found[page.name] = Machine(engine=engine, node=page.name)
    return found


def _question() -> str:
    """Return the first question: how a machine is joined; its Docker, for one, may be broken."""
    return Request(parts=JOINING).question


def _by_hand(machines: Machines) -> str:
    """Return the first question as shell text."""
    asked = (
        scripts.titled(
            called,
            asking.TITLE,
            scripts.here_document(shell_line(ssh.command(one.engine)), _question()),
        )
        for called, one in machines.items()
    )
    return "".join((*asked, NEXT))


def _command(name: str, hosts: tuple[str, ...]) -> str:
    """Return the command that writes what this one shows."""
    own = () if name == DEFAULT else ("--cluster", name)
    return (
        f"`{shlex.join((*COMMAND.split(), '--write', *own, *(('--', *hosts) if hosts else ())))}`"
    )
