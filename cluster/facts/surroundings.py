"""Firewall, disks, models and listening ports of a machine."""

import re
from dataclasses import dataclass

from cluster.facts.part import Answers, Part

UFW = re.compile(r"^ENABLED=(\w+)", re.MULTILINE)
TABLE = re.compile(r"^(table (.+) \{\n)((?:.*\n)*?)^\}", re.MULTILINE)
DROPS = re.compile(r"^\s*chain (\S+) \{\n\s*type filter hook input .*policy drop;", re.MULTILINE)
POLICY = re.compile(r"^-P (INPUT) DROP$", re.MULTILINE)
DISK = re.compile(r"^(/.*)\nFilesystem .*\n.*?\s(\d+)\s+-?\d+\s+(\d+)\s+(?:\d+%|-)\s", re.MULTILINE)
MODEL = re.compile(r"^(\d+)\s+/.*/models--(.+)$", re.MULTILINE)
LISTENER = re.compile(
    r'^LISTEN\s+\d+\s+\d+\s+(\S+):(\d+)\s+\S+(?:\s+users:\(\("([^"]*)")?', re.MULTILINE
)


@dataclass(frozen=True, kw_only=True)
class Firewall:
    """What filters packets; reading rules takes root, so None means that nobody could look."""

    ufw: bool | None = None
    """Whether ufw is switched on."""
    drops: tuple[str, ...] = ()
    """Chains for incoming packets whose policy is to drop them, as `ip filter INPUT`."""


@dataclass(frozen=True, kw_only=True)
class Disk:
    """A file system."""

    path: str
    """The folder that was asked for, as it is on that machine."""
    free: int
    """Bytes that a user may fill."""
    total: int


@dataclass(frozen=True, kw_only=True)
class Model:
    """A model in the cache of Hugging Face."""

    name: str
    """`Qwen/Qwen3-4B`."""
    size: int
    """Bytes on disk; 0 when counting them took too long."""


@dataclass(frozen=True, kw_only=True)
class Listener:
    """A TCP port on which somebody listens."""

    address: str
    """`0.0.0.0`, `*`, `[::]`, `127.0.0.1`."""
    port: int
    process: str = ""
    """Who, when the asker may know."""


@dataclass(frozen=True, kw_only=True)
class Surroundings:
    """All of it."""

    firewall: Firewall = Firewall()
    engine_disk: Disk | None = None
    """Where Docker keeps its files."""
    model_disk: Disk | None = None
    """Where HF_CACHE is."""
    models: tuple[Model, ...] = ()
    listeners: tuple[Listener, ...] = ()


def _firewall(text: str) -> Firewall:
    """Read ufw's switch and what drops, by the list of nft or that of iptables."""
    switch = UFW.search(text)
    by_nft = (
        f"{table[2]} {chain[1]}"
        for table in TABLE.finditer(text)
        for chain in DROPS.finditer(table[3])
    )
    return Firewall(
        ufw=switch[1] == "yes" if switch else None,
        drops=(*by_nft, *(f"ip filter {chain}" for chain in POLICY.findall(text))),
    )


def _disk(text: str) -> Disk | None:
    """Read `df`, which a folder's name stands before; of two folders, that with less room."""
    found = (
        Disk(path=path, free=int(free) * 1024, total=int(total) * 1024)
        for path, total, free in DISK.findall(text)
    )
    return min(found, key=lambda disk: disk.free, default=None)


def _models(text: str) -> tuple[Model, ...]:
    """Read `du`: in the cache's folders, `--` stands for `/`."""
    found = (
        Model(name=name.replace("--", "/"), size=int(size) * 1024)
        for size, name in MODEL.findall(text)
    )
    return tuple(sorted(found, key=lambda model: model.name))


def _listeners(text: str) -> tuple[Listener, ...]:
    return tuple(
        Listener(address=address, port=int(port), process=process)
        for address, port, process in LISTENER.findall(text)
    )


FIREWALL = Part(
    name="firewall",
    parse=_firewall,
)
ENGINE_DISK = Part(
    name="engine_disk",
    parse=_disk,
)
MODEL_DISK = Part(
    name="model_disk",
    parse=_disk,
    blocking=False,
)
MODELS = Part(
    name="models",
    parse=_models,
    blocking=False,
)
LISTENERS = Part(
    name="listeners",
    parse=_listeners,
)
PARTS = (FIREWALL, ENGINE_DISK, MODEL_DISK, MODELS, LISTENERS)


def surroundings(said: Answers) -> Surroundings:
    """Read all of it."""
    return Surroundings(
        firewall=FIREWALL.value(said),
        engine_disk=ENGINE_DISK.value(said),
        model_disk=MODEL_DISK.value(said),
        models=MODELS.value(said),
        listeners=LISTENERS.value(said),
    )
