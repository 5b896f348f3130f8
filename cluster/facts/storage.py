"""The disks of a machine that images and models need, and its models."""

import re
from dataclasses import dataclass

from cluster.facts.part import Part

DISK = re.compile(r"^(/.*)\nFilesystem .*\n.*?\s(\d+)\s+-?\d+\s+(\d+)\s+(?:\d+%|-)\s", re.MULTILINE)
MODEL = re.compile(r"^(\d+)\s+/.*/models--(.+)$", re.MULTILINE)


@dataclass(frozen=True, kw_only=True)
class Disk:
    """A file system."""

    path: str
    """The folder that was asked for, as that machine writes it."""
    free: int
    """Bytes that a user may fill."""
    total: int


@dataclass(frozen=True, kw_only=True)
class Model:
    """A model in the cache of Hugging Face."""

    name: str
    """`Qwen/Qwen3-4B`."""
    size: int
    """Bytes on disk; 0 if counting them took too long."""


def disk(text: str) -> Disk | None:
    """Parse `df`, with the folder's name before it; of two folders, return the fuller one."""
    disks = (
        Disk(path=path, free=int(free) * 1024, total=int(total) * 1024)
        for path, total, free in DISK.findall(text)
    )
    return min(disks, key=lambda disk: disk.free, default=None)


def models(text: str) -> tuple[Model, ...]:
    """Parse `du`: in the cache's folders, `--` stands for `/`."""
    cached = (
        Model(name=name.replace("--", "/"), size=int(size) * 1024)
        for size, name in MODEL.findall(text)
    )
    return tuple(sorted(cached, key=lambda model: model.name))


ENGINE_DISK = Part(name="engine_disk", parse=disk)
MODEL_DISK = Part(name="model_disk", parse=disk, blocking=False)
MODELS = Part(name="models", parse=models, blocking=False)
