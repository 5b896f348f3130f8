"""Run specs: what should run on a node, before any runtime says how."""

import json
from dataclasses import dataclass
from hashlib import sha256
from typing import Literal

from cluster.words import Environment

Service = Literal["ray", "serve"]


@dataclass(frozen=True, kw_only=True)
class RunSpec:
    """A program that keeps running on a node: its command line and its whole environment."""

    node: str
    service: Service
    argv: tuple[str, ...]
    environment: Environment
    """The variables of its node."""
    extra: Environment = ()
    """What it has besides them."""

    @property
    def digest(self) -> str:
        """Twelve hexadecimal digits that change with the spec, but not with a secret's value."""
        content = [
            self.argv,
            [(name, str(value)) for name, value in (*self.environment, *self.extra)],
        ]
        return sha256(json.dumps(content).encode()).hexdigest()[:12]
