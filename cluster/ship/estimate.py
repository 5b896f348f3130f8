"""How long the transfer of layers takes, and how much disk space a node needs for them."""

STREAM = 0.5e9
"""Bytes a second that reach a Spark: 25.0 GB had arrived, verified, after 45 s (this and the
next: scitrera/oci-relay, docs/benchmarks/native-2026-10-03.md)."""
UNPACK = 0.36e9
"""Bytes of layers that its engine unpacks in a second on one core: 25.0 GB in 70 s."""
SAVE = 0.22e9
"""Bytes of the whole image that `docker save` prepares in a second before it writes: 25 GB in 112 s
(scitrera/oci-relay, docs/benchmarks/deepseek-2026-10-03.md)."""
COMPRESSED = 0.45
"""The size of compressed layers to that of plain ones: a vLLM image of 24.9 GB has 11.2 GB in a
registry."""
START = 1.0
"""Seconds for connections and the final check."""
MEGABIT = 1e6 / 8


def seconds(parts: tuple[int, ...], link: int | None, *, compress: bool, saved: int = 0) -> float:
    """Return the seconds for parts of these sizes over a link of `link` Mb/s; unknown: no limit.

    The engine unpacks a part while the next is on its way: whichever takes longer counts in full,
    the other for one part. `saved` is the size of an image that `docker save` prepares whole first.
    """
    wire = (link or 0) * MEGABIT / (COMPRESSED if compress else 1)
    sending = sum(parts) / (min(STREAM, wire) if link else STREAM)
    unpacking = sum(parts) / UNPACK
    count = sum(size > 0 for size in parts)
    overlap = min(sending, unpacking) / max(1, count)
    return START + saved / SAVE + max(sending, unpacking) + overlap


def room(parts: tuple[int, ...], store: str) -> int:
    """Return the bytes of disk space that a node needs for parts of these sizes.

    An engine that unpacks at once stages a part first; containerd keeps the files.
    """
    return sum(parts) + (sum(parts) if store == "containerd" else max(parts))
