"""GPUs, as `nvidia-smi` lists them."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Gpu:
    """One GPU."""

    name: str
    """`NVIDIA GB10`."""
    driver: str = ""
    memory: int | None = None
    """MiB; None where it is the machine's own, as on a Spark."""
    clock: int | None = None
    """MHz that its processors run at now."""

    @property
    def unified(self) -> bool:
        """Whether GPU and CPU share one memory."""
        return self.memory is None


@dataclass(frozen=True, kw_only=True)
class Client:
    """A process that computes on a GPU."""

    pid: int
    name: str
    memory: int | None = None
    """MiB; None when unknown."""


@dataclass(frozen=True, kw_only=True)
class Gpus:
    """All GPUs, and who uses them."""

    gpus: tuple[Gpu, ...] = ()
    clients: tuple[Client, ...] = ()
    error: str = ""
    """Why `nvidia-smi` did not tell; empty when it did."""
