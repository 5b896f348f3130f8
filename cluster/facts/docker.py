"""The Docker engine of a machine, the cluster's image, and its container."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from cluster.ship.survey import Image


@dataclass(frozen=True, kw_only=True)
class Docker:
    """What `docker info`, `docker image inspect` and `docker ps` say."""

    error: str = ""
    """What Docker said instead of an answer, as it was; empty when the engine answers."""
    version: str = ""
    store: str = ""
    """`containerd`, or the storage driver that unpacks layers: `overlay2`."""
    root: str = ""
    """The engine's folder."""
    runtimes: tuple[str, ...] = ()
    """Names, like `runc` and `nvidia`."""
    cdi: tuple[str, ...] = ()
    """CDI devices, like `nvidia.com/gpu=all`, or the specification files where Docker tells none."""
    toolkit: str = ""
    """Version of the NVIDIA Container Toolkit; empty without it."""
    image: Image | None = None
    """The cluster's image; None when the engine has none of that name."""
    labels: Mapping[str, str] = field(default_factory=dict)
    """Of the image: ours begin with `spark-vllm-cluster.`."""
    container: str = ""
    """State of the cluster's container: `running`, `exited`; empty when there is none."""
