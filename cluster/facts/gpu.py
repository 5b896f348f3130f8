"""GPUs, as `nvidia-smi` lists them."""

import re
from dataclasses import dataclass

from cluster.facts.part import Answers, Part, timeout

ROW = re.compile(r"^([^,\n]+), ([\d.]+), ([^,\n]+), ([^,\n]+)$", re.MULTILINE)
CLIENT = re.compile(r"^(\d+), (.*), ([^,\n]+)$", re.MULTILINE)


@dataclass(frozen=True, kw_only=True)
class Gpu:
    """One GPU."""

    name: str
    """`NVIDIA GB10`."""
    driver: str = ""
    memory: int | None = None
    """MiB; None if it is the machine's own, as on a Spark."""
    clock: int | None = None
    """Present clock of its processors in MHz."""

    @property
    def unified(self) -> bool:
        """Whether GPU and CPU share one memory."""
        return self.memory is None


@dataclass(frozen=True, kw_only=True)
class Client:
    """A process that uses a GPU."""

    pid: int
    name: str
    memory: int | None = None
    """MiB; None if unknown."""


@dataclass(frozen=True, kw_only=True)
class Gpus:
    """All GPUs, and the processes that use them."""

    gpus: tuple[Gpu, ...] = ()
    clients: tuple[Client, ...] = ()
    error: str = ""
    """Why `nvidia-smi` did not list them; empty if it did."""

    @property
    def silent(self) -> bool:
        """Whether `nvidia-smi` took too long: the machine may have GPUs nevertheless."""
        return bool(timeout(self.error))


def _gpus(text: str) -> tuple[tuple[Gpu, ...], str]:
    """Return the GPUs, or the message instead; errors come on standard output, too."""
    listed = tuple(_gpu(*row) for row in ROW.findall(text))
    return listed, "" if listed else timeout(text) or text.partition("\n")[0]


def _gpu(name: str, driver: str, memory: str, clock: str) -> Gpu:
    return Gpu(name=name, driver=driver, memory=_number(memory), clock=_number(clock))


def _clients(text: str) -> tuple[Client, ...]:
    """Return the processes; a name is a path, which may have commas in it."""
    return tuple(
        Client(pid=int(pid), name=name, memory=_number(memory))
        for pid, name, memory in CLIENT.findall(text)
    )


def _number(text: str) -> int | None:
    """Parse a number; a GPU prints `[N/A]` or the like for what it lacks or hides."""
    return int(text) if text.isdecimal() else None


GPUS = Part(name="gpus", parse=_gpus)
CLIENTS = Part(name="clients", parse=_clients, blocking=False)
PARTS = (GPUS, CLIENTS)


def gpus(answers: Answers) -> Gpus:
    """Parse all GPUs, and the processes that use them."""
    listed, error = GPUS.value(answers)
    return Gpus(gpus=listed, clients=CLIENTS.value(answers), error=error)
