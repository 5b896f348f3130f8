"""How long the transfer of layers takes, and how much disk space a node needs for them."""

from cluster.ship.archive import ImageLayer, part_sizes

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


def seconds(
    layers: tuple[ImageLayer, ...], first: int, link: int | None, *, compress: bool
) -> float:
    """Return the seconds for the layers from `first` on over a link of `link` Mb/s.

    The engine unpacks a part while the next is on its way: whichever takes longer counts in full,
    the other for one part.
    """
    parts = tuple(filter(None, part_sizes(layers, first)))
    sending, unpacking = sum(parts) / _rate(link, compress=compress), sum(parts) / UNPACK
    return START + max(sending, unpacking) + min(sending, unpacking) / max(1, len(parts))


def seconds_of_save(whole: int, size: int, link: int | None, *, compress: bool) -> float:
    """Return the seconds for `size` bytes of an image that `docker save` prepares whole first."""
    return START + whole / SAVE + size / _rate(link, compress=compress) + size / UNPACK


def room(layers: tuple[ImageLayer, ...], first: int, store: str) -> int:
    """Return the bytes of disk space that a node needs for the layers from `first` on.

    An engine that unpacks at once stages a part first; containerd keeps the files.
    """
    parts = part_sizes(layers, first)
    return sum(parts) + (sum(parts) if store == "containerd" else max(parts))


def _rate(link: int | None, *, compress: bool) -> float:
    """Return the bytes of layers per second over a link; an unknown link is no limit."""
    wire = (link or 0) * MEGABIT / (COMPRESSED if compress else 1)
    return min(STREAM, wire) if link else STREAM
