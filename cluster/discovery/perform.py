"""Performs the changes of env files."""

from cluster.discovery.probe_result import FileChange
from cluster.machine import files
from cluster.machine.places import ROOT
from cluster.plan.perform import Performer, perform


@perform.register
def _(step: FileChange, _performer: Performer) -> None:
    files.write(f"{ROOT}/{step.place}", step.after)
