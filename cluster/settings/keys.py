"""What a key of an env file is, and how a field of a dataclass is declared as a setting."""

from collections.abc import Callable
from dataclasses import MISSING, dataclass, field, fields
from functools import partial
from ipaddress import IPv4Address
from typing import Any, Generic, Literal, TypeVar, cast

from cluster.settings.values import Parse

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)

Scope = Literal["cluster", "node"]
ROW = "setting"
"""The entry in a field's metadata that holds its key."""


@dataclass(frozen=True, kw_only=True)
class Derived(Generic[T_co]):
    """A default that follows from addresses."""

    source: str
    """What it is derived from, in words."""
    value: Callable[[IPv4Address, IPv4Address], T_co]
    """Computes the default from the HOST_IP of the node and that of the head."""


@dataclass(frozen=True, kw_only=True)
class Key:
    """One key of an env file."""

    name: str
    parse: Parse[Any]
    default: str | None
    """As a user would write it; None when the key is required or its default is derived."""
    derived: Derived[Any] | None
    meaning: str
    example: str
    advised: bool
    """Whether the example file sets the key although it has a default."""

    @property
    def required(self) -> bool:
        """Whether every file of the scope has to set the key."""
        return self.default is None and not self.derived


def setting(  # noqa: PLR0913 (a row of the table)
    default: str | None = None,
    *,
    parse: Parse[T],
    meaning: str,
    example: str = "",
    derived: Derived[T] | None = None,
    advised: bool = False,
) -> T:
    """Declare a field as a setting, whose key is the field's name in capitals.

    A default is written as a user would write it, and becomes the field's own default; it is also
    the example unless another is given. Without a default the field is required.
    """
    row = partial(
        Key,
        parse=parse,
        default=default,
        derived=derived,
        meaning=meaning,
        example=example or str(default),
        advised=advised,
    )
    value = MISSING if default is None else parse(default)
    return cast("T", field(default=value, metadata={ROW: row}))


def keys(owner: type) -> dict[str, Key]:
    """Return the settings that a dataclass declares, by key, in the order of its fields."""
    rows = ((entry.name.upper(), entry.metadata.get(ROW)) for entry in fields(owner))
    return {name: row(name=name) for name, row in rows if row}
