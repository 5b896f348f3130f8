"""The flags of `inv ship`, and which of their values cannot work."""

from dataclasses import dataclass
from typing import Literal, get_args

from cluster.errors import Problem
from cluster.node import Cluster
from cluster.text import did_you_mean

Via = Literal["auto", "star", "chain"]
Compress = Literal["auto", "none", "zstd"]


@dataclass(frozen=True, kw_only=True)
class ShipOptions:
    """The flags as given."""

    image: str = ""
    plan: bool = False
    via: str = "auto"
    compress: str = "auto"
    prune: bool = False
    json: bool = False

    def problems(self, cluster: Cluster) -> tuple[Problem, ...]:
        """Return a problem for each value that is unknown, and one if nothing can be shipped."""
        unknown = (
            Problem(
                place=f"--{flag}",
                message=f"no such value: `{value}`",
                remedy=did_you_mean(value, values, f"one of {', '.join(values)}"),
            )
            for flag, value, values in (
                ("via", self.via, get_args(Via)),
                ("compress", self.compress, get_args(Compress)),
            )
            if value not in values
        )
        if cluster.runtime != "process":
            return tuple(unknown)
        message = "its nodes are namespaces of this machine, there is nothing to ship"
        return (*unknown, Problem(place=cluster.name, message=message))
