"""What a flag of `vllm serve` is, and how a field of a request is declared as one."""

from collections.abc import Callable
from dataclasses import MISSING, dataclass, field, fields
from functools import partial
from typing import Any, TypeVar, cast

from cluster.node import KEYS, Cluster
from cluster.settings.values import Parse

T = TypeVar("T")

ROW = "flag"
"""The entry in a field's metadata that holds its flag."""


@dataclass(frozen=True, kw_only=True)
class ServeFlag:
    """A flag of `vllm serve` that is an option of `inv serve`."""

    field: str
    name: str
    """As vLLM calls it, dashes included."""
    aliases: tuple[str, ...]
    """Other names that vLLM accepts."""
    positional: bool
    """Whether the line has the value without a name."""
    followed_by: tuple[str, ...]
    """Constant words that the line needs after the value."""
    key: str
    """The setting that gives parser and default; empty when there is none."""
    derived: Callable[[Cluster], Any] | None
    """Returns the default in a cluster, where no setting gives it."""
    parse: Parse[Any]
    """Parses the text of the option."""
    kind: Callable[[str], Any]
    """Converts a word of the line."""
    meaning: str

    @property
    def option(self) -> str:
        """The option of `inv serve`, without dashes."""
        return self.field.replace("_", "-")

    @property
    def optional(self) -> bool:
        """Whether the flag has no default, so that the line may lack it."""
        return not (self.key or self.derived)

    @property
    def help(self) -> str:
        """The help text of the option."""
        return f"{self.meaning} (default: {self.key})" if self.key else self.meaning

    def default(self, cluster: Cluster) -> Any:  # noqa: ANN401 (the type is the row's)
        """Return the value for a cluster when the option is not given; None if it is optional."""
        if self.key:
            return getattr(cluster, self.key.lower())
        return self.derived(cluster) if self.derived else None

    def words(self, value: object) -> tuple[str, ...]:
        """Render the flag as words of the line: none for a value of None."""
        if value is None:
            return ()
        name = () if self.positional else (self.name,)
        return (*name, str(value), *self.followed_by)

    def value(self, words: tuple[str, ...]) -> Any:  # noqa: ANN401 (the type is the row's)
        """Return the value with which a line begins; None unless it begins with this flag."""
        try:
            value = self.kind(words[0 if self.positional else 1])
        except (IndexError, ValueError):
            return None
        rendered = self.words(value)
        return value if rendered == words[: len(rendered)] else None


def serve_flag(  # noqa: PLR0913 (the columns of a table)
    name: str,
    *,
    kind: Callable[[str], T],
    meaning: str,
    key: str = "",
    derived: Callable[[Cluster], T] | None = None,
    parse: Parse[T] | None = None,
    aliases: tuple[str, ...] = (),
    positional: bool = False,
    followed_by: tuple[str, ...] = (),
) -> T:
    """Declare a field as a flag of `vllm serve`; it is optional without `key` and `derived`."""
    row = partial(
        ServeFlag,
        name=name,
        aliases=aliases,
        positional=positional,
        followed_by=followed_by,
        key=key,
        derived=derived,
        parse=parse or (KEYS["cluster"][key].parse if key else kind),
        kind=kind,
        meaning=meaning,
    )
    return cast("T", field(default=MISSING if key or derived else None, metadata={ROW: row}))


def serve_flags(owner: type) -> tuple[ServeFlag, ...]:
    """Return the flags that a dataclass declares, in the order of its fields."""
    rows = ((entry.name, entry.metadata.get(ROW)) for entry in fields(owner))
    return tuple(row(field=name) for name, row in rows if row)
