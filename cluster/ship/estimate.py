"""How long a node takes for layers, and how much room it needs for them."""

from itertools import pairwise

from cluster.ship.archive import ends
from cluster.ship.content import Layer

STREAM = 0.5e9
"""Bytes a second that reach a Spark: 25.0 GB were there, and verified, after 45 s (this and the
next: scitrera/oci-relay, docs/benchmarks/native-2026-10-03.md)."""
UNPACK = 0.36e9
"""Bytes of layers that its engine unpacks in a second, on one core: 25.0 GB in 70 s."""
SAVE = 0.22e9
"""Bytes of the whole image that `docker save` prepares in a second before it writes: 25 GB in 112 s
(scitrera/oci-relay, docs/benchmarks/deepseek-2026-10-03.md)."""
PACKED = 0.45
"""What is left of layers when compressed: a vLLM image of 24.9 GB has 11.2 GB in a registry."""
START = 1.0
"""Seconds for connections and proof."""
MEGABIT = 1e6 / 8


def seconds(layers: tuple[Layer, ...], lowest: int, link: int | None, *, compress: bool) -> float:
    """Return how long the layers from `lowest` on take over a link of so many Mb/s.

    The engine unpacks a part while the next is on its way: what takes longer counts in full, the
    other for one part.
    """
    parts = tuple(filter(None, part_sizes(layers, lowest)))
    way, unpacking = sum(parts) / _rate(link, compress=compress), sum(parts) / UNPACK
    return START + max(way, unpacking) + min(way, unpacking) / max(1, len(parts))


def seconds_of_save(whole: int, size: int, link: int | None, *, compress: bool) -> float:
    """Return how long bytes of an image take that `docker save` must prepare as a whole first."""
    return START + whole / SAVE + size / _rate(link, compress=compress) + size / UNPACK


def room(layers: tuple[Layer, ...], lowest: int, store: str) -> int:
    """Return how many free bytes a node needs for the layers from `lowest` on.

    An engine that unpacks at once stages a part first; containerd keeps the files for good.
    """
    parts = part_sizes(layers, lowest)
    return sum(parts) + (sum(parts) if store == "containerd" else max(parts))


def part_sizes(layers: tuple[Layer, ...], lowest: int) -> tuple[int, ...]:
    """Return the bytes of each part of an image, without the layers below `lowest`."""
    return tuple(
        sum(layer.size for layer in layers[max(first, lowest) : last])
        for first, last in pairwise((0, *ends(layers)))
    )


def _rate(link: int | None, *, compress: bool) -> float:
    """Return how many bytes of layers a second go over a link; one that is unknown is no limit."""
    wire = (link or 0) * MEGABIT / (PACKED if compress else 1)
    return min(STREAM, wire) if link else STREAM
