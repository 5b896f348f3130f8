"""The process group of `nccl.py`'s ranks, and the collective operations that it measures."""

import argparse
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any, Protocol

Answer = dict[str, Any]
Step = Callable[[], object]
ITEM = 4  # bytes of a float32
WARM_UP = 3  # rounds before the clock runs
SECONDS = 2.0  # for one operation at one size, unless a single round takes longer


class Member(Protocol):
    """A connected rank, as its group sees it."""

    options: argparse.Namespace
    number: int
    world: int
    store: Any
    """PyTorch's store, shared by all ranks."""
    answer: Answer
    """The rank's answer so far, with the backend."""
    stage: str
    """What the rank is doing, for an error message."""


class Group:
    """The ranks once all are connected."""

    def __init__(self, rank: Member) -> None:
        """Start the backend, which connects every rank with every rank."""
        import torch
        import torch.distributed

        cuda = rank.answer["backend"] == "nccl"
        self.rank, self.torch, self.dist = rank, torch, torch.distributed
        self.device = torch.device(f"cuda:{rank.options.gpu}" if cuda else "cpu")
        self.synchronize = torch.cuda.synchronize if cuda else lambda: None
        if cuda:
            torch.cuda.set_device(self.device)
        rank.stage = f"start {rank.answer['backend']}"
        self.dist.init_process_group(
            rank.answer["backend"],
            store=rank.store,
            rank=rank.number,
            world_size=rank.world,
            timeout=timedelta(seconds=rank.options.deadline),
            device_id=self.device if cuda else None,
        )
        # Its older name warns since PyTorch 2.13, which has the new one.
        self.gather = getattr(self.dist, "all_gather_single", self.dist.all_gather_into_tensor)
        count = max(rank.options.sizes) // ITEM
        self.signal = torch.zeros(1, device=self.device)
        self.whole = torch.zeros(count, device=self.device)
        self.part = torch.zeros(count // rank.world, device=self.device)

    def wait_for_all(self) -> None:
        """Wait until every rank has come to this point."""
        self.dist.all_reduce(self.signal)
        self.synchronize()

    def timed(self, step: Step, rounds: int) -> float:
        """Return the seconds of one round."""
        self.wait_for_all()
        began = time.perf_counter()
        for _ in range(rounds):
            step()
        self.synchronize()
        return (time.perf_counter() - began) / rounds

    def rounds(self, name: str, once: float) -> int:
        """Return the number of rounds that fit into the time, by rank 0's clock."""
        if self.rank.number == 0:
            fitting = min(self.rank.options.iterations, int(SECONDS / once))
            self.rank.store.set(name, str(max(1, fitting)))
        return int(self.rank.store.get(name))

    def operations(self, whole: Any, part: Any) -> dict[str, tuple[Step, Any, float]]:
        """Return each operation, the data it leaves, and how often they cross a link."""
        inputs = self.torch.arange(1.0, self.rank.world + 1, device=self.device).unsqueeze(1)
        return {
            "all_reduce": (lambda: self.dist.all_reduce(whole), inputs.sum(), 2.0),
            "all_gather": (lambda: self.gather(whole, part), inputs, 1.0),
        }

    def measure(self, size: int) -> Iterator[Answer]:
        """Measure both operations with one buffer, and check the data they leave in it."""
        world, count = self.rank.world, size // ITEM // self.rank.world
        whole, part = self.whole[: count * world], self.part[:count]
        for name, (step, expected, crossings) in self.operations(whole, part).items():
            self.rank.stage = f"{name} of {size} bytes"
            whole.zero_()
            self.timed(step, WARM_UP)
            rounds = self.rounds(f"{name} {size}", self.timed(step, 1))
            seconds = self.timed(step, rounds)
            whole.fill_(self.rank.number + 1)
            part.fill_(self.rank.number + 1)
            step()
            # In GB/s; what crosses the links between the ranks: nccl-tests, doc/PERFORMANCE.md.
            algorithm = count * world * ITEM / seconds / 1e9
            yield {
                "operation": name,
                "bytes": count * world * ITEM,
                "iterations": rounds,
                "seconds": seconds,
                "algorithm": algorithm,
                "bus": algorithm * crossings * (world - 1) / world,
                "right": bool((whole.view(world, count) == expected).all()),
            }

    def leave(self) -> None:
        """End when no rank needs the group any more."""
        self.wait_for_all()
        self.rank.stage = "end"
        self.dist.destroy_process_group()
