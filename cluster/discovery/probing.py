"""`inv probe`: asks machines for their facts and cables, and writes their env files."""

from collections.abc import Mapping
from dataclasses import replace
from ipaddress import IPv4Address
from typing import TYPE_CHECKING

from cluster.discovery import nodes
from cluster.discovery.nodes import ClusterFiles, Target
from cluster.errors import Problem, RefusedError
from cluster.facts import asking
from cluster.facts.facts import JOINING, Facts, FactsRequest
from cluster.host import Host
from cluster.machine import env_files, files
from cluster.machine.local_addresses import is_local, is_loopback
from cluster.machine.places import ROOT
from cluster.machine.terminal import Report, show
from cluster.node import env_folder
from cluster.plan.run import Run
from cluster.settings.syntax import EnvText
from cluster.settings.values import LABEL, option, ssh_host

if TYPE_CHECKING:
    from cluster.discovery.probe_result import ProbeResult

THIS_MACHINE = "this machine"
SECOND_QUESTION = "# Then each machine pings the addresses of all others from its interfaces.\n"


def probe(  # noqa: PLR0913 (an argument for each option of the command line)
    cluster: str, hosts: tuple[str, ...], *, write: bool, check: bool, json: bool, dry: bool
) -> int:
    """Print how a cluster's env files should change, or change them; return the exit code.

    `hosts` are SSH destinations. Without any, the nodes that have env files are asked, or this
    machine if there are none. A machine that does not answer raises NodeError.
    """
    if write and check:
        message = "cannot be combined: --check never writes"
        raise RefusedError(Problem("--write --check", message, "give one of them"))
    current = ClusterFiles(cluster=cluster, texts=_texts(cluster, hosts))
    current.check()
    this_machine = {THIS_MACHINE: Target(host=Host(name=THIS_MACHINE))}
    targets = {host: _named(host) for host in hosts} or _described(current) or this_machine
    run = Run(dry=dry)
    if dry:
        run.perform(asking.steps(*_first_question(targets)))
        show(SECOND_QUESTION)
        return 0
    # A dry run does not wait for the modules that decide: a quarter of all that it would load.
    from cluster.discovery import probe_result

    result = _ask(run.report, current, targets)
    if write and not result.questions:
        run.perform(result.needed)
    if json:
        show(probe_result.as_json(result))
    elif check:
        show(probe_result.drift(result))
    else:
        last = probe_result.next_step(result, cluster, hosts)
        show(probe_result.text(result) + (probe_result.written(result) if write else last))
    return result.exit_code(write=write, check=check)


def _first_question(targets: nodes.Targets) -> tuple[dict[str, Host], dict[str, str]]:
    """Return the machines, and what to ask each: how it is connected. Its Docker may be broken."""
    question = FactsRequest(parts=JOINING).question
    return {name: target.host for name, target in targets.items()}, dict.fromkeys(targets, question)


def _ask(report: Report, current: ClusterFiles, targets: nodes.Targets) -> "ProbeResult":
    """Ask all machines twice: for their facts, then for the machines that they reach."""
    from cluster.discovery.probe_result import probe_result, undecided
    from cluster.discovery.topology import topology

    with report.step(current.cluster, "Ask the machines for their facts"):
        answers = asking.examine(*_first_question(targets))
    probed = tuple(nodes.probed_nodes(current, targets, nodes.complete(answers)))
    if conflicts := tuple(nodes.name_conflicts(probed)):
        return undecided(conflicts)
    with report.step(current.cluster, "Ask which machines they reach"):
        hosts = {node.name: node.target.host for node in probed}
        facts = _with_reach(hosts, {node.name: node.facts for node in probed})
    return probe_result(current, probed, topology(facts, current.addresses))


def _with_reach(hosts: Mapping[str, Host], facts: dict[str, Facts]) -> dict[str, Facts]:
    """Ask machines about each other; return their facts with the addresses that they reach."""
    from cluster.discovery import wiring

    requests = wiring.requests(facts).items()
    questions = {name: request.question for name, request in requests if request.pings}
    answers = nodes.complete(asking.examine(hosts, questions))
    reached = {name: replace(facts[name], reach=answers[name].reach) for name in answers}
    return facts | reached


def _texts(cluster: str, hosts: tuple[str, ...]) -> tuple[EnvText, ...]:
    """Read a cluster's env files; for named hosts, the cluster may be new."""
    is_name = all(map(LABEL.fullmatch, cluster.split("/")))
    if hosts and is_name and not files.exists(f"{ROOT}/{env_folder(cluster)}"):
        return ()
    return env_files.env_files(ROOT, cluster)


def _named(destination: str) -> Target:
    """Return the machine of an SSH destination; words that ssh reads as a flag are refused."""
    host = option("--", ssh_host, destination)
    machine = Host(name=host, ssh_host="" if is_local(host) else host)
    return Target(host=machine, destination="" if is_loopback(host) else host)


def _described(current: ClusterFiles) -> dict[str, Target]:
    targets: dict[str, Target] = {}
    for file in current.nodes:
        name, address = file.parsed.name, file.parsed.get("HOST_IP", IPv4Address)
        destination = nodes.ssh_host(file)
        is_here = bool(address) and is_local(str(address))
        host = Host(name=name, ssh_host="" if is_here else destination)
        targets[name] = Target(host=host, node=name)
    return targets
