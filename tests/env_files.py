"""Env files that probed machines get, from the files that are there."""

from collections.abc import Mapping

from cluster.discovery.files import Files
from cluster.discovery.outcome import Outcome, outcome
from cluster.discovery.proposal import Host
from cluster.discovery.topology import topology
from cluster.facts.facts import Facts
from cluster.settings.envfile import EnvText


def probed(facts: Mapping[str, Facts], texts: Mapping[str, str], *, named: bool = True) -> Outcome:
    """Return what becomes of files by what machines said."""
    files = read(texts)
    files.check()
    hosts = (
        Host(name=name, destination=name if named else "", facts=its, file=files.written(name))
        for name, its in facts.items()
    )
    return outcome(files, tuple(hosts), topology(facts, files.addresses))


def after(its: Outcome) -> dict[str, str]:
    """Return the text of each file."""
    return {change.path: change.after for change in its.changes}


def read(texts: Mapping[str, str]) -> Files:
    """Return the files of the default cluster."""
    its = (EnvText(path=path, text=text) for path, text in texts.items())
    return Files(name="default", texts=tuple(its))
