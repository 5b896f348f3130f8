"""Measure the bandwidth between GPUs: `nccl.py --rank 0 --world 2 --master HOST:PORT`.

One process per rank, all started within a minute; rank 0 listens at HOST:PORT. The last line of the
output is JSON: the measurements, this rank's network devices, and NCCL's own log. An error is an
answer as well, with exit code 1. Without a GPU it measures gloo, PyTorch's own backend.
"""

import argparse
import json
import os
import shutil
import socket
import tempfile
import threading
import time
from datetime import timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

from process_group import Group

Answer = dict[str, Any]
MIB = 1 << 20
SIZES = (8 * MIB, 64 * MIB, 256 * MIB)
LEAST, MOST = 1 << 10, 1 << 30  # NVIDIA's own 16 GB take 32 GB a node: that has frozen machines
PAUSE = 0.1  # seconds between two attempts
LOG_LIMIT = 256_000  # characters of NCCL's log that are kept
FAILED = "failed"
NETWORK = Path("/sys/class/net")
RDMA = Path("/sys/class/infiniband")
RDMA_FACTS = {
    "state": "ports/1/state",
    "rate": "ports/1/rate",
    "layer": "ports/1/link_layer",
    "pci_speed": "device/current_link_speed",
    "pci_width": "device/current_link_width",
}


class Rank:
    """One of the processes: its answer, its connection to the other ranks, and its end."""

    def __init__(self, options: argparse.Namespace) -> None:
        """Send NCCL's log to a file of its own: by default it would be mixed into the output."""
        self.options, self.number, self.world = options, options.rank, options.world
        self.stage = "import torch"
        self.answer: Answer = {"rank": self.number, "world": self.world, "measurements": []}
        self.store: Any = None
        self._ending = threading.Lock()
        self._folder = "" if options.log else tempfile.mkdtemp(prefix="nccl-")
        self._log = Path(options.log or f"{self._folder}/log")
        # INIT and NET name devices and channels, ENV the variables that count.
        subsystems = "INIT,BOOTSTRAP,ENV,NET"
        os.environ |= {"NCCL_DEBUG": "INFO", "NCCL_DEBUG_SUBSYS": subsystems}
        os.environ["NCCL_DEBUG_FILE"] = str(self._log)

    def end(self, error: str = "", **details: Any) -> None:
        """Print the answer and exit at once: a collective whose peer is gone never returns."""
        self._ending.acquire()  # never released: only the first thread prints an answer
        failure = {"error": error, "during": self.stage, **details} if error else {}
        answer = {**self.answer, **failure, "log": shortened(text(self._log))}
        if self._folder:
            shutil.rmtree(self._folder, ignore_errors=True)
        print(json.dumps(answer, ensure_ascii=False), flush=True)
        os._exit(1 if error else 0)

    def time_out(self) -> None:
        """Answer when the time is over."""
        self.end(f"not done after {self.options.deadline:g} s")

    def announce_failure(self) -> None:
        """Tell the other ranks that this one has failed, so that they do not wait for it."""
        if self.store is not None:
            self.store.set(FAILED, str(self.number))
            time.sleep(1)  # the store ends with rank 0; the other ranks must read it first

    def watch(self, store: Any) -> None:
        """End when another rank has failed; a store that is gone is ignored."""
        try:
            store.wait([FAILED], timedelta(seconds=self.options.deadline))
            culprit = int(store.get(FAILED))
        except Exception:  # noqa: BLE001 -- the main thread reports what is wrong
            return
        if culprit != self.number:
            self.end(f"rank {culprit} failed", failed=culprit)

    def connect(self, *, listens: bool) -> Any:
        """Return a connection to the store that the ranks share; rank 0 holds it."""
        from torch.distributed import TCPStore

        host, _, port = self.options.master.rpartition(":")
        timeout = timedelta(seconds=self.options.join)
        options: Answer = {"timeout": timeout, "wait_for_workers": False}
        if listens:
            # PyTorch's own socket would listen on all interfaces, and the store has no password.
            server = socket.create_server((host, int(port)))
            options |= {"is_master": True, "master_listen_fd": server.detach()}
        return TCPStore(host, int(port), **options)

    def join(self) -> None:
        """Wait until all ranks are connected."""
        self.stage = f"meet at {self.options.master}"
        until = time.monotonic() + self.options.join
        while self.number and (reason := refusal(self.options.master)):
            if time.monotonic() > until:
                self.end(f"cannot reach rank 0: {reason}")
            time.sleep(PAUSE)
        self.store = self.connect(listens=self.number == 0)
        self.store.set(f"here {self.number}", "")
        while missing := [n for n in range(self.world) if not self.store.check([f"here {n}"])]:
            if time.monotonic() > until:
                self.end(f"rank {', '.join(map(str, missing))} did not connect", missing=missing)
            time.sleep(PAUSE)
        store = self.connect(listens=False)
        threading.Thread(target=self.watch, args=[store], daemon=True).start()


def refusal(master: str) -> str:
    """Return why a TCP connection fails, or nothing; PyTorch's own message has a hundred lines."""
    host, _, port = master.rpartition(":")
    try:
        socket.create_connection((host, int(port)), timeout=5).close()
    except OSError as error:
        return error.strerror or str(error)
    return ""


def versions(options: argparse.Namespace) -> Answer:
    """Choose the backend; return it, the versions and the GPU's name."""
    import torch

    backend = "nccl" if torch.cuda.is_available() else "gloo"
    backend = backend if options.backend == "auto" else options.backend
    answer = {"backend": backend, "torch": str(torch.__version__), "nccl": "", "device": "CPU"}
    if backend == "nccl":
        answer["nccl"] = ".".join(map(str, torch.cuda.nccl.version()))
        answer["device"] = torch.cuda.get_device_name(options.gpu)
    return answer


def network() -> Answer:
    """Return the interfaces, with their Mb/s, and the RDMA devices of this rank."""
    names = (name for _, name in socket.if_nameindex())
    speeds = ((name, text(NETWORK / name / "speed")) for name in names)
    devices = sorted(RDMA.iterdir()) if RDMA.is_dir() else []
    return {
        "interfaces": {name: int(mbps) if mbps.isdigit() else None for name, mbps in speeds},
        "rdma": {device.name: rdma(device) for device in devices},
    }


def rdma(device: Path) -> Answer:
    """Return the facts of a device's port 1, its PCI Express slot, and its interfaces."""
    facts = {name: text(device / path) for name, path in RDMA_FACTS.items()}
    interfaces = sorted(folder.name for folder in (device / "device" / "net").glob("*"))
    return {**facts, "pci": (device / "device").resolve().name, "interfaces": interfaces}


def text(path: Path) -> str:
    """Return the text of a file; empty if it cannot be read."""
    try:
        return path.read_text(errors="replace").strip()
    except OSError:
        return ""


def shortened(log: str) -> str:
    """Return a log; of a very long one only the beginning and the end."""
    limit = LOG_LIMIT // 2
    return log if len(log) <= LOG_LIMIT else f"{log[:limit]}\n[...]\n{log[-limit:]}"


def sentence(error: Exception) -> str:
    """Return PyTorch's message without its stack; NCCL's own message if there is one."""
    lines = str(error).partition("\nException raised from")[0].strip().splitlines()
    last = [line for before, line in pairwise(lines) if before == "Last error:"]
    return (last or lines or [repr(error)])[0].strip()


def sizes(words: str) -> tuple[int, ...]:
    """Parse sizes in bytes, separated by commas."""
    counts = tuple(int(word) for word in words.split(","))
    if not all(LEAST <= size <= MOST for size in counts):
        raise argparse.ArgumentTypeError(f"a buffer has {LEAST} to {MOST} bytes")
    return counts


def parser() -> argparse.ArgumentParser:
    """Describe the command line."""
    root = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    root.add_argument("--rank", type=int, required=True)
    root.add_argument("--world", type=int, required=True, help="number of ranks")
    root.add_argument("--master", required=True, help="HOST:PORT where rank 0 listens")
    root.add_argument("--gpu", type=int, default=0, help="number of the GPU on this node")
    root.add_argument("--backend", choices=("auto", "nccl", "gloo"), default="auto")
    root.add_argument("--sizes", type=sizes, default=SIZES, help="buffer sizes: bytes, with commas")
    root.add_argument("--iterations", type=int, default=20, help="largest number of rounds")
    root.add_argument("--join", type=float, default=60.0, help="seconds for all ranks to connect")
    root.add_argument("--deadline", type=float, default=180.0, help="seconds for everything")
    root.add_argument("--log", default="", help="file for NCCL's log, which is kept")
    return root


def main() -> None:
    """Measure, and print the answer."""
    rank = Rank(parser().parse_args())
    timer = threading.Timer(rank.options.deadline, rank.time_out)
    timer.daemon = True
    timer.start()
    try:
        rank.answer |= network()
        rank.answer |= versions(rank.options)
        rank.join()
        group = Group(rank)
        for size in rank.options.sizes:
            rank.answer["measurements"].extend(group.measure(size))
        group.leave()
    except Exception as error:  # noqa: BLE001 -- PyTorch's errors differ between its versions
        rank.announce_failure()
        rank.end(sentence(error))
    rank.end()


if __name__ == "__main__":
    main()
