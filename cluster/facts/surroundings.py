"""Firewall, disks, models and listening ports of a machine."""

from dataclasses import dataclass


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
    """Bytes on disk."""


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
