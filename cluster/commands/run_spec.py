"""Run specs: what should run on a node, independent of the runtime."""

import json
from dataclasses import dataclass
from hashlib import sha256
from typing import Literal

from cluster.words import Environment

Service = Literal["ray", "serve"]


@dataclass(frozen=True, kw_only=True)
class RunSpec:
    """A long-running program on a node: its command line and its whole environment."""

    node: str
    service: Service
    argv: tuple[str, ...]
    environment: Environment
    """The variables of the node."""
    extra: Environment = ()
    """Further variables of this program."""

    @property
    def digest(self) -> str:
        """Twelve hexadecimal digits that depend on the spec, but not on the values of secrets."""
        content = [
            self.argv,
            [(name, str(value)) for name, value in (*self.environment, *self.extra)],
        ]
        return sha256(json.dumps(content).encode()).hexdigest()[:12]
