"""One env file checked against its keys: typed values, variables to pass through, and faults."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TypeVar, cast

from cluster.node import CLUSTER_FILE, KEYS
from cluster.settings import passthrough
from cluster.settings.keys import Key, Scope
from cluster.settings.syntax import Assignment, EnvText, Fault, parse_lines
from cluster.settings.values import WrongValueError, label
from cluster.text import nearest
from cluster.words import Environment, Secret

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class EnvFile:
    """The content of one file."""

    path: str
    scope: Scope
    name: str
    """The node's name, which is the file's; `cluster` for the file that all nodes share."""
    values: dict[str, object]
    """Typed values without faults: the constant defaults, then the file's in its order."""
    lines: dict[str, int]
    """Line of each key and variable."""
    attempted: frozenset[str]
    """Keys that the file sets or tries to set: all of them when it cannot be read."""
    faults: tuple[Fault, ...]

    def get(self, name: str, kind: type[T]) -> T | None:
        """Return the value of a key; None when it is missing, wrong or to be derived."""
        value = self.values.get(KEYS[self.scope][name].name)
        return value if isinstance(value, kind) else None

    @property
    def variables(self) -> Environment:
        """The variables to pass through, in the order of the file."""
        names = (name for name in self.values if name in self.lines and _is_variable(name))
        variables = {name: self.values[name] for name in names}
        return tuple(cast("dict[str, str | Secret]", variables).items())

    def place(self, name: str) -> str:
        """Return `FILE:LINE` of a key or a variable."""
        return f"{self.path}:{self.lines[name]}"

    def fault(self, name: str, message: str, remedy: str) -> Fault:
        """Return a fault at the line of a key."""
        line = self.lines[name]
        return Fault(path=self.path, line=line, key=name, message=message, remedy=remedy)


def parse_file(file: EnvText) -> EnvFile:
    """Parse one file and check each of its lines; all problems are in its faults."""
    path = PurePosixPath(file.path)
    scope: Scope = "cluster" if path.name == CLUSTER_FILE else "node"
    entries = parse_lines(file.path, file.text)
    assignments = [entry for entry in entries if isinstance(entry, Assignment)]
    results = {entry.key: _value(scope, entry) for entry in assignments}
    faults = (
        *_file_faults(file, path, scope),
        *(result for result in (*entries, *results.values()) if isinstance(result, Fault)),
    )
    mentioned = {key for fault in faults for key in fault.mentions}
    attempted = {*KEYS[scope]} if file.error else {*results, *mentioned}
    values = {key: result for key, result in results.items() if not isinstance(result, Fault)}
    return EnvFile(
        path=file.path,
        scope=scope,
        name=path.stem,
        values=_defaults(scope, attempted) | values,
        lines={entry.key: entry.line for entry in assignments},
        attempted=frozenset(attempted),
        faults=(*faults, *_missing(file.path, scope, attempted)),
    )


def _is_variable(name: str) -> bool:
    """Whether a name is a variable to pass through; a key of ours may have the same prefix."""
    return passthrough.has_prefix(name) and not any(name in keys for keys in KEYS.values())


def _file_faults(file: EnvText, path: PurePosixPath, scope: Scope) -> Iterator[Fault]:
    """Yield the faults of the file itself: it cannot be read, or its name is not a node's name."""
    if file.error:
        yield Fault(path=file.path, message=file.error, remedy=file.remedy)
    elif scope == "node":
        try:
            label(path.stem)
        except WrongValueError as wrong:
            yield Fault(
                path=file.path,
                message=f"the file's name is the node's name, which {wrong.message}",
                remedy=f"rename the file, {wrong.remedy}.env",
            )


def _value(scope: Scope, entry: Assignment) -> object:
    """Return the typed value of a key, the value of a variable, or a fault."""
    if _is_variable(entry.key):
        return _variable(entry)
    key = KEYS[scope].get(entry.key)
    return _setting(key, entry) if key else _unknown(scope, entry)


def _setting(key: Key, entry: Assignment) -> object:
    if not entry.value and key.default != "":
        remedy = f"write {key.name}={key.example}" if key.required else "set it or remove the line"
        return entry.fault("is empty", remedy)
    try:
        return key.parse(entry.value)
    except WrongValueError as wrong:
        return entry.fault(wrong.message, wrong.remedy)


def _variable(entry: Assignment) -> object:
    if refusal := passthrough.REFUSED.get(entry.key):
        return entry.fault(*refusal)
    if not entry.value and passthrough.is_secret(entry.key, entry.value):
        return entry.fault("is empty", "set it or remove the line")
    return passthrough.value(entry.key, entry.value, f"{entry.path}:{entry.line}")


def _unknown(scope: Scope, entry: Assignment) -> Fault:
    """Describe a key that this file cannot have: it belongs elsewhere, or is misspelled."""
    folder = PurePosixPath(entry.path).parent
    if entry.key in KEYS["node"]:
        return entry.fault("is a setting of a single node", f"move it to {folder}/<node>.env")
    if entry.key in KEYS["cluster"]:
        message = "is a setting of the whole cluster"
        return entry.fault(message, f"move it to {folder / CLUSTER_FILE}")
    name = nearest(entry.key, KEYS[scope]) or passthrough.nearest_name(entry.key)
    remedy = f"did you mean {name}?" if name else f"env/{scope}.env.example lists all keys"
    return entry.fault("unknown key", remedy, name)


def _defaults(scope: Scope, attempted: set[str]) -> dict[str, object]:
    return {
        key.name: key.parse(key.default)
        for key in KEYS[scope].values()
        if key.default is not None and key.name not in attempted
    }


def _missing(path: str, scope: Scope, attempted: set[str]) -> Iterator[Fault]:
    for key in KEYS[scope].values():
        if key.required and key.name not in attempted:
            remedy = f"add {key.name}={key.example}"
            yield Fault(path=path, key=key.name, message="is missing", remedy=remedy)
