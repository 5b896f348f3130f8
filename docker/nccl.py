"""Measure what the nodes move between their GPUs: `nccl.py --rank 0 --world 2 --master HOST:PORT`.

One process per rank, all started within the deadline; rank 0 listens at HOST:PORT. The last line of
the output is JSON: what was measured, what this rank sees of its network, and NCCL's own log. An
error is an answer as well, with exit code 1. Without a GPU it measures gloo, PyTorch's own.
"""

import argparse
import json
import os
import shutil
import socket
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

Answer = dict[str, Any]
Step = Callable[[], object]
MIB = 1 << 20
SIZES = (8 * MIB, 64 * MIB, 256 * MIB)
LEAST_BYTES = 1 << 10  # something for every rank
MOST_BYTES = 1 << 30  # NVIDIA's own test of 16 GB takes 32 GB a node: that has frozen machines
ITEM = 4  # bytes of a float32
WARM_UP = 3  # rounds before the clock runs
ROUNDS = 20  # rounds at most
SECONDS = 2.0  # for one operation at one size, unless a single round takes longer
DEADLINE = 180.0  # seconds for everything
PAUSE = 0.1  # seconds between two tries
LOG_LIMIT = 256_000  # characters of NCCL's log that are kept
# What shows the transport: INIT and NET name devices and channels, ENV the variables that count.
SUBSYSTEMS = "INIT,BOOTSTRAP,ENV,NET"
FAILED = "failed"
RDMA = Path("/sys/class/infiniband")
NETWORK = Path("/sys/class/net")


class Rank:
    """One of the processes: what it has found out, and how it ends."""

    def __init__(self, options: argparse.Namespace) -> None:
        """Send NCCL's log to a file of this rank's own: elsewhere it would be amid the output."""
        self.number, self.world = options.rank, options.world
        self.host, _, port = options.master.rpartition(":")
        self.port = int(port)
        self.deadline = options.deadline
        self.now = "import torch"
        self.answer: Answer = {"rank": self.number, "world": self.world, "measurements": []}
        self.store: Any = None
        self._ending = threading.Lock()
        self._folder = "" if options.log else tempfile.mkdtemp(prefix="nccl-")
        self._log = Path(options.log or self._folder, "" if options.log else "log")
        os.environ |= {"NCCL_DEBUG": "INFO", "NCCL_DEBUG_SUBSYS": SUBSYSTEMS}
        os.environ["NCCL_DEBUG_FILE"] = str(self._log)

    def end(self, error: str = "", **more: Any) -> None:
        """Print the answer, and end at once: a collective whose peer is gone never returns."""
        self._ending.acquire()  # for good: the first thread to come here is the one that answers
        failure = {"error": error, "during": self.now, **more} if error else {}
        answer = {**self.answer, **failure, "log": log_text(self._log)}
        if self._folder:
            shutil.rmtree(self._folder, ignore_errors=True)
        print(json.dumps(answer, ensure_ascii=False), flush=True)
        os._exit(1 if error else 0)

    def late(self) -> None:
        """Answer when the time is over."""
        self.end(f"not done after {self.deadline:g} s")

    def tell(self) -> None:
        """Let the others know that this rank has failed, so that they need not wait for it."""
        if self.store is not None:
            self.store.set(FAILED, str(self.number))
            time.sleep(1)  # with rank 0 the store ends, and they must have read it

    def watch(self, store: Any) -> None:
        """End when another rank has failed. A store that is gone says nothing."""
        try:
            store.wait([FAILED], timedelta(seconds=self.deadline))
            culprit = int(store.get(FAILED))
        except Exception:  # noqa: BLE001 -- whatever is wrong here shows in the main thread
            return
        if culprit != self.number:
            self.end(f"rank {culprit} failed", failed=culprit)


def joined(rank: Rank, seconds: float) -> Any:
    """Return the store in which the ranks meet, once all are there."""
    from torch.distributed import TCPStore

    patience = timedelta(seconds=seconds)
    rank.now = f"meet at {rank.host}:{rank.port}"
    if rank.number == 0:
        # PyTorch's own would listen on all interfaces, and it asks nobody for a password.
        server = socket.create_server((rank.host, rank.port))
        store = TCPStore(
            rank.host,
            rank.port,
            is_master=True,
            timeout=patience,
            wait_for_workers=False,
            master_listen_fd=server.detach(),
        )
    else:
        reach(rank.host, rank.port, seconds)
        store = TCPStore(rank.host, rank.port, timeout=patience, wait_for_workers=False)
    rank.store = store
    store.set(f"here {rank.number}", "")
    missing = absent(store, rank.world, seconds)
    if missing:
        rank.end(f"no word from rank {', '.join(map(str, missing))}", missing=missing)
    other = TCPStore(rank.host, rank.port, timeout=patience, wait_for_workers=False)
    threading.Thread(target=rank.watch, args=[other], daemon=True).start()
    return store


def reach(host: str, port: int, seconds: float) -> None:
    """Wait until rank 0 listens; PyTorch's own way ends without a word of why."""
    until = time.monotonic() + seconds
    while (why := refused(host, port, max(0.1, until - time.monotonic()))) is not None:
        if time.monotonic() > until:
            raise OSError(f"cannot reach rank 0: {why}")
        time.sleep(PAUSE)


def refused(host: str, port: int, timeout: float) -> str | None:
    """Say why a TCP connection fails; None when it succeeds."""
    try:
        socket.create_connection((host, port), timeout=timeout).close()
    except OSError as error:
        return error.strerror or str(error)
    return None


def absent(store: Any, world: int, seconds: float) -> list[int]:
    """Return the ranks that have not come in time."""
    until = time.monotonic() + seconds
    ranks = range(world)
    while missing := [rank for rank in ranks if not store.check([f"here {rank}"])]:
        if time.monotonic() > until:
            break
        time.sleep(PAUSE)
    return missing


class Group:
    """The ranks once they have met."""

    def __init__(self, rank: Rank, store: Any, most: int) -> None:
        """Start the backend; `most` is the size in bytes of the one buffer that is used."""
        import torch
        import torch.distributed

        self.torch, self.dist = torch, torch.distributed
        self.rank, self.store = rank, store
        cuda = rank.answer["backend"] == "nccl"
        self.device = torch.device("cuda:0" if cuda else "cpu")
        self.synchronize = torch.cuda.synchronize if cuda else lambda: None
        if cuda:
            torch.cuda.set_device(self.device)
        rank.now = f"start {rank.answer['backend']}"
        self.dist.init_process_group(
            rank.answer["backend"],
            store=store,
            rank=rank.number,
            world_size=rank.world,
            timeout=timedelta(seconds=rank.deadline),
            device_id=self.device if cuda else None,
        )
        # Its older name warns since PyTorch 2.13, which has the new one.
        self.gather = getattr(self.dist, "all_gather_single", self.dist.all_gather_into_tensor)
        self.signal = torch.zeros(1, device=self.device)
        self.whole = torch.zeros(most // ITEM, device=self.device)
        self.part = torch.zeros(most // ITEM // rank.world, device=self.device)

    def together(self) -> None:
        """Go on when all are here."""
        self.dist.all_reduce(self.signal)
        self.synchronize()

    def agreed(self, name: str, value: int) -> int:
        """Return rank 0's value on every rank."""
        if self.rank.number == 0:
            self.store.set(name, str(value))
        return int(self.store.get(name))

    def timed(self, step: Step, rounds: int) -> float:
        """Return the seconds of one round."""
        self.together()
        began = time.perf_counter()
        for _ in range(rounds):
            step()
        self.synchronize()
        return (time.perf_counter() - began) / rounds

    def measure(self, size: int, options: argparse.Namespace) -> Iterator[Answer]:
        """Measure both operations with one buffer, and check what they leave in it."""
        world, count = self.rank.world, size // ITEM // self.rank.world
        whole, mine = self.whole[: count * world], self.part[:count]
        each = self.torch.arange(1.0, world + 1, device=self.device).unsqueeze(1)
        steps: dict[str, tuple[Step, Any]] = {
            "all_reduce": (lambda: self.dist.all_reduce(whole), each.sum()),
            "all_gather": (lambda: self.gather(whole, mine), each),
        }
        for name, (step, expected) in steps.items():
            self.rank.now = f"{name} of {size} bytes"
            whole.zero_()
            self.timed(step, WARM_UP)
            fitting = int(options.seconds / self.timed(step, 1))
            rounds = max(1, min(options.iterations, fitting))
            rounds = self.agreed(f"{name} {size}", rounds)
            seconds = self.timed(step, rounds)
            whole.fill_(self.rank.number + 1)
            mine.fill_(self.rank.number + 1)
            step()
            right = bool((whole.view(world, count) == expected).all())
            row = measured(name, count * world * ITEM, seconds, world)
            yield {**row, "iterations": rounds, "right": right}

    def leave(self) -> None:
        """End in order, when all have what they need."""
        self.together()
        self.rank.now = "end"
        self.dist.destroy_process_group()


def measured(name: str, size: int, seconds: float, world: int) -> Answer:
    """Return one row, with bandwidths in GB/s (nccl-tests, doc/PERFORMANCE.md)."""
    algorithm = size / seconds / 1e9
    factor = (world - 1) / world * (2 if name == "all_reduce" else 1)
    row = {"operation": name, "bytes": size, "seconds": seconds}
    return {**row, "algorithm": algorithm, "bus": algorithm * factor}


def versions(backend: str) -> Answer:
    """Choose the backend, and tell what computes."""
    import torch

    chosen = backend if backend != "auto" else "nccl" if torch.cuda.is_available() else "gloo"
    found = {"backend": chosen, "torch": str(torch.__version__), "nccl": "", "device": "CPU"}
    if chosen == "nccl":
        found["nccl"] = ".".join(map(str, torch.cuda.nccl.version()))
        found["device"] = torch.cuda.get_device_name(0)
    return found


def network() -> Answer:
    """Tell which interfaces and RDMA devices this rank sees, and how fast they are."""
    names = [name for _, name in socket.if_nameindex()]
    devices = sorted(RDMA.iterdir()) if RDMA.is_dir() else []
    return {
        "interfaces": {name: speed(NETWORK / name / "speed") for name in names},
        "rdma": {device.name: rdma(device) for device in devices},
    }


def rdma(device: Path) -> Answer:
    """Tell the state and the rate of a device's port 1, and what its PCI Express slot can move."""
    port, slot = device / "ports/1", device / "device"
    return {
        "state": first_line(port / "state"),
        "rate": first_line(port / "rate"),
        "layer": first_line(port / "link_layer"),
        "pci": slot.resolve().name if slot.exists() else "",
        "pci_speed": first_line(slot / "current_link_speed"),
        "pci_width": first_line(slot / "current_link_width"),
    }


def speed(path: Path) -> int | None:
    """Return an interface's speed in Mb/s; None when it has none, as without a cable."""
    text = first_line(path)
    return int(text) if text.isdigit() else None


def first_line(path: Path) -> str:
    """Return the first line of a file of the kernel's; empty when there is nothing to be read."""
    try:
        return path.read_text().strip().partition("\n")[0]
    except OSError:
        return ""


def log_text(path: Path) -> str:
    """Return NCCL's log; of a very long one its beginning and its end."""
    try:
        text = path.read_text(errors="replace")
    except OSError:
        return ""
    half = LOG_LIMIT // 2
    return text if len(text) <= LOG_LIMIT else f"{text[:half]}\n[...]\n{text[-half:]}"


def sentence(error: Exception) -> str:
    """Return what PyTorch's message says, without its stack: NCCL's own words where it has any."""
    lines = str(error).partition("\nException raised from")[0].strip().splitlines()
    last = [line for before, line in pairwise(lines) if before == "Last error:"]
    return (last or lines or [repr(error)])[0].strip()


def sizes(text: str) -> tuple[int, ...]:
    """Read the sizes: bytes with commas between."""
    found = tuple(int(word) for word in text.split(","))
    if not all(LEAST_BYTES <= size <= MOST_BYTES for size in found):
        raise argparse.ArgumentTypeError(f"a buffer has {LEAST_BYTES} to {MOST_BYTES} bytes")
    return found


def parser() -> argparse.ArgumentParser:
    """Describe the command line."""
    root = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    root.add_argument("--rank", type=int, required=True)
    root.add_argument("--world", type=int, required=True, help="number of ranks")
    root.add_argument("--master", required=True, help="HOST:PORT at which rank 0 listens")
    root.add_argument("--backend", choices=("auto", "nccl", "gloo"), default="auto")
    root.add_argument("--sizes", type=sizes, default=SIZES, help="bytes of a buffer, with commas")
    root.add_argument("--iterations", type=int, default=ROUNDS, help="rounds at most")
    root.add_argument("--seconds", type=float, default=SECONDS, help="for one line of the result")
    root.add_argument("--join", type=float, default=60.0, help="seconds for all ranks to come")
    root.add_argument("--deadline", type=float, default=DEADLINE, help="seconds for everything")
    root.add_argument("--log", default="", help="file for NCCL's log, which stays")
    return root


def main() -> None:
    """Measure, and answer."""
    options = parser().parse_args()
    rank = Rank(options)
    timer = threading.Timer(options.deadline, rank.late)
    timer.daemon = True
    timer.start()
    try:
        rank.answer |= network()
        rank.answer |= versions(options.backend)
        group = Group(rank, joined(rank, options.join), max(options.sizes))
        for size in options.sizes:
            rank.answer["measurements"].extend(group.measure(size, options))
        group.leave()
    except Exception as error:  # noqa: BLE001 -- PyTorch's errors differ between its versions
        rank.tell()
        rank.end(sentence(error))
    rank.end()


if __name__ == "__main__":
    main()
