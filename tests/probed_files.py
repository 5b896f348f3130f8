"""Env files that a probe proposes for machines, from the files before it."""

from collections.abc import Mapping

from cluster.discovery.nodes import ClusterFiles, ProbedNode, Target
from cluster.discovery.probe_result import ProbeResult, probe_result
from cluster.discovery.topology import topology
from cluster.facts.facts import Facts
from cluster.host import Host
from cluster.settings.syntax import EnvText


def probed(
    facts: Mapping[str, Facts], texts: Mapping[str, str], *, named: bool = True
) -> ProbeResult:
    """Return the result of a probe; `named` machines are on the command line."""
    files = cluster_files(texts)
    files.check()
    nodes = (
        ProbedNode(
            name=name,
            target=Target(host=Host(name=name), destination=name if named else ""),
            facts=machine,
            file=files.file(name),
        )
        for name, machine in facts.items()
    )
    return probe_result(files, tuple(nodes), topology(facts, files.addresses))


def after(result: ProbeResult) -> dict[str, str]:
    """Return the new text of each file."""
    return {change.place: change.after for change in result.changes}


def cluster_files(texts: Mapping[str, str]) -> ClusterFiles:
    """Return the files of the default cluster."""
    files = (EnvText(path=path, text=text) for path, text in texts.items())
    return ClusterFiles(cluster="default", texts=tuple(files))


def codes(result: ProbeResult) -> tuple[int, int]:
    """Return the exit codes of a plain probe and of a check."""
    return result.exit_code(write=False, check=False), result.exit_code(write=False, check=True)
