"""Whether the disks of a node have space, and all nodes have the model."""

import shlex
from collections.abc import Iterator

from cluster.checks.check import Reports, check, each
from cluster.checks.node_report import NodeReport, is_machine, node_names
from cluster.errors import Problem

NEEDED = 2_000_000_000
"""Free bytes for logs and compile caches, beside the image."""
NEARLY_FULL = 20
"""A disk is nearly full if no more than one part in so many is free."""


@check("disk", "blocks", is_machine)
@each
def _disk(report: NodeReport) -> Iterator[Problem]:
    """Docker has 2 GB of free disk space.

    Looks at: `df` of Docker's folder and, with that store, of containerd's
    Why: Logs and what Triton, FlashInfer and vLLM compile are kept there; on a full disk containers
      do not start, or fail with unrelated errors.
    Do: Remove what no container uses: `docker system prune`.
    Known from: docker-system-prune(1)
    """
    disk = report.facts.engine_disk
    if disk and disk.free < NEEDED:
        message = f"Docker has {disk.free / 1e9:.1f} GB of free disk space, {NEEDED / 1e9:g} GB"
        prune = report.command("docker system prune")
        yield report.problem(f"{message} needed", f"{prune} removes what no container uses")


@check("model-disk", "note", is_machine)
@each
def _model_disk(report: NodeReport) -> Iterator[Problem]:
    """There is disk space for models.

    Looks at: `df` of HF_CACHE
    Why: Each node downloads the whole model, and stops where the disk is full.
    Do: Remove models that are not served, or write another HF_CACHE.
    Known from: vLLM's guide to multi-node serving: models at the same path on every node
    """
    # Report a disk that models may fill, unless it is Docker's, and full already.
    disk, engine = report.facts.model_disk, report.facts.engine_disk
    if not disk or disk.free * NEARLY_FULL > disk.total:
        return
    if not (engine and engine.free < NEEDED and engine.total == disk.total):
        message = f"HF_CACHE has {disk.free / 1e9:.1f} of {disk.total / 1e9:.1f} GB left"
        show = report.command(f"du -sh {shlex.quote(disk.path)}/hub/*")
        instead = f"write another HF_CACHE in {report.cluster_file}"
        yield report.problem(message, f"{show} shows what models take; or {instead}")


@check("models", "note", is_machine)
def _models(reports: Reports) -> Iterator[Problem]:
    """MODEL is on all nodes, or on none.

    Looks at: the folders of HF_CACHE/hub
    Why: A node that lacks the model downloads it first, and the others wait for it.
    Do: Copy it from a node that has it, over the fast link.
    Known from: vLLM's guide to multi-node serving: models at the same path on every node
    """
    # Report nodes that lack the model that others have; the cache has no folders of paths.
    holders = tuple(report for report in reports if _size(report))
    for report in reports:
        if holders and not _size(report):
            message = f"lacks {report.cluster.model} ({_size(holders[0]) / 1e9:.1f} GB), which is"
            yield report.problem(
                f"{message} on {node_names(holders)}", _copy_model(holders[0], report)
            )


def _size(report: NodeReport) -> int:
    """Return the bytes of MODEL in a node's cache; 0 if it is not there."""
    models = report.facts.models
    return next((model.size for model in models if model.name == report.cluster.model), 0)


def _copy_model(source: NodeReport, target: NodeReport) -> str:
    """Return how the model comes to a node: by a download, or from another over the fast link."""
    download = "`inv serve` lets the node download it"
    source_disk = source.facts.model_disk
    target_disk = target.facts.model_disk
    if not source_disk or not target_disk:
        return download
    model = f"{source_disk.path}/hub/models--{source.cluster.model.replace('/', '--')}"
    folder = f"{target.facts.machine.user}@{target.node.host_ip}:{target_disk.path}/hub"
    copy = shlex.join(("rsync", "--archive", "--mkpath", model, folder))
    return f"{download}; {source.command(copy)} copies it over the link"


DISKS = (_disk, _model_disk, _models)
