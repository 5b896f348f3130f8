"""The verb `build`: gathers what there is to know, then prints the commands or performs them."""

import time
from pathlib import Path

from cluster.build import build_flags, image, stamps
from cluster.build.build_flags import Flags
from cluster.build.stamps import Stamps
from cluster.build.surroundings import around, text
from cluster.machine import processes
from cluster.machine.env_files import env_files
from cluster.machine.places import ROOT, STATE
from cluster.machine.terminal import Report, show
from cluster.node import DEFAULT
from cluster.session import load
from cluster.settings import schema


def build(flags: Flags, cluster: str, *, dry: bool, json: bool) -> None:
    """Build the image, and print what came of it; with `dry` print the commands instead."""
    name = flags.tag or _image(cluster)
    known = stamps.read(text(Path(STATE, image.STAMPS))) or ({} if dry else _labelled(name))
    asked = build_flags.build(flags, name, around(flags.arch), known, int(time.time()))
    if dry:
        show(image.script(asked))
        return
    # A dry run does without them, and does not wait for them.
    from cluster.build import built
    from cluster.build.docker_build import perform

    show((built.as_json if json else built.text)(perform(asked, Report())))


def _image(name: str) -> str:
    """Return the image of a cluster; whoever has described no machine yet may build as well."""
    described = name != DEFAULT or env_files(Path(ROOT), name)
    return load(name).cluster.image if described else str(schema.IMAGE.default)


def _labelled(name: str) -> dict[str, Stamps]:
    """Return the stamps of an image that is there: the file is lost, or the clone another."""
    labels = ("docker", "image", "inspect", "--format", "{{json .Config.Labels}}", name)
    return stamps.labelled(processes.run(labels).output)
