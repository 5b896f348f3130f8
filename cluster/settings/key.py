"""What a key of an env file is: its name, type, default, meaning and example."""

from dataclasses import dataclass
from typing import Generic, Literal, TypeVar

from cluster.settings.values import Parse

Scope = Literal["cluster", "node"]
Value_co = TypeVar("Value_co", covariant=True)


@dataclass(frozen=True, kw_only=True)
class Key(Generic[Value_co]):
    """One key of a file. Its attribute in `Cluster` or `Node` is the name in small letters."""

    name: str
    scope: Scope
    parse: Parse[Value_co]
    default: str | None = None
    """As a user would write it; None when the key is required or the default is derived."""
    derived: str = ""
    """What the default is derived from."""
    meaning: str
    example: str
    advised: bool = False
    """Whether a copy of the example sets the key although it has a default."""

    @property
    def required(self) -> bool:
        """Whether every file of the scope has to set the key."""
        return self.default is None and not self.derived
