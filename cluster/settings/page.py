"""One env file read against the schema: typed values, variables to pass through, and its faults."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TypeVar, cast

from cluster.settings import passthrough
from cluster.settings.envfile import Assignment, EnvText, Fault, parse
from cluster.settings.key import Key, Scope
from cluster.settings.schema import KEYS
from cluster.settings.values import WrongValueError, label
from cluster.text import nearest
from cluster.words import Environment, Secret

T = TypeVar("T")

CLUSTER_FILE = "cluster.env"


@dataclass(frozen=True, kw_only=True)
class Page:
    """What one file says."""

    path: str
    scope: Scope
    name: str
    """The node's name, which is the file's; `cluster` for the file that all nodes share."""
    values: dict[str, object]
    """Typed values of what is right: the constant defaults, then what is written, in its order."""
    lines: dict[str, int]
    """Where each key and each variable is written."""
    tried: frozenset[str]
    """Keys that the file sets, rightly, wrongly or perhaps: all of them when it cannot be read."""
    faults: tuple[Fault, ...]

    def __getitem__(self, key: Key[T]) -> T:
        """Return the value of a key that has one."""
        return cast("T", self.values[key.name])

    def get(self, key: Key[T]) -> T | None:
        """Return the value of a key; None when it is missing, wrong or to be derived."""
        return cast("T | None", self.values.get(key.name))

    @property
    def variables(self) -> Environment:
        """The variables to pass through, in the order of the file; no key of ours is one."""
        names = (name for name in self.values if name in self.lines and _passes(name))
        found = {name: self.values[name] for name in names}
        return tuple(cast("dict[str, str | Secret]", found).items())

    def place(self, name: str) -> str:
        """Return the `FILE:LINE` where the file sets a key or a variable."""
        return f"{self.path}:{self.lines[name]}"

    def fault(self, key: Key[object], message: str, remedy: str) -> Fault:
        """Return a fault at the line on which the file sets a key."""
        return Fault(
            path=self.path, line=self.lines[key.name], key=key.name, message=message, remedy=remedy
        )


def page(file: EnvText) -> Page:
    """Read one file; all that is wrong with it is in its faults."""
    path = PurePosixPath(file.path)
    scope: Scope = "cluster" if path.name == CLUSTER_FILE else "node"
    entries = parse(file.path, file.text)
    written = [entry for entry in entries if isinstance(entry, Assignment)]
    results = {entry.key: _read(path, scope, entry) for entry in written}
    faults = (
        *_of_file(file, path, scope),
        *(found for found in (*entries, *results.values()) if isinstance(found, Fault)),
    )
    tried = _all(scope) if file.trouble else {*results, *_mentioned(faults)}
    return Page(
        path=file.path,
        scope=scope,
        name=path.stem,
        values=_defaults(scope, tried) | _without_faults(results),
        lines={entry.key: entry.line for entry in written},
        tried=frozenset(tried),
        faults=(*faults, *_missing(file.path, scope, tried)),
    )


def _passes(name: str) -> bool:
    """Tell whether a name is a variable to pass through: a key may have such a prefix, too."""
    return passthrough.passes(name) and not any(name in _all(scope) for scope in KEYS)


def _all(scope: Scope) -> set[str]:
    return {key.name for key in KEYS[scope]}


def _without_faults(results: dict[str, object]) -> dict[str, object]:
    return {key: result for key, result in results.items() if not isinstance(result, Fault)}


def _of_file(file: EnvText, path: PurePosixPath, scope: Scope) -> Iterator[Fault]:
    """Yield what is wrong with the file itself: it cannot be read, or its name is no name."""
    if file.trouble:
        yield Fault(path=file.path, message=file.trouble, remedy=file.remedy)
    elif scope == "node":
        try:
            label(path.stem)
        except WrongValueError as wrong:
            yield Fault(
                path=file.path,
                message=f"a node is named after its file, and a name {wrong.message}",
                remedy=f"rename the file, {wrong.remedy}.env",
            )


def _read(path: PurePosixPath, scope: Scope, entry: Assignment) -> object:
    """Return the typed value of a key, the value of a variable, or a fault."""
    if _passes(entry.key):
        return _variable(path, entry)
    key = next((key for key in KEYS[scope] if key.name == entry.key), None)
    return _value(path, key, entry) if key else _stranger(path, scope, entry)


def _value(path: PurePosixPath, key: Key[object], entry: Assignment) -> object:
    if not entry.value and key.default != "":
        remedy = f"write {key.name}={key.example}" if key.required else "set it or remove the line"
        return _fault(path, entry, "is empty", remedy)
    try:
        return key.parse(entry.value)
    except WrongValueError as wrong:
        return _fault(path, entry, wrong.message, wrong.remedy)


def _variable(path: PurePosixPath, entry: Assignment) -> object:
    if refusal := passthrough.REFUSED.get(entry.key):
        return _fault(path, entry, *refusal)
    if not entry.value and passthrough.is_secret(entry.key, entry.value):
        return _fault(path, entry, "is empty", "set it or remove the line")
    return passthrough.value(entry.key, entry.value, f"{path}:{entry.line}")


def _stranger(path: PurePosixPath, scope: Scope, entry: Assignment) -> Fault:
    """Describe a key that this file does not have: it is another file's, or it is misspelled."""
    if entry.key in _all("node"):
        message = "belongs to a node's file"
        return _fault(path, entry, message, f"move it to {path.parent}/<node>.env")
    if entry.key in _all("cluster"):
        message = "belongs to the whole cluster"
        return _fault(path, entry, message, f"move it to {path.parent / CLUSTER_FILE}")
    meant = nearest(entry.key, _all(scope)) or passthrough.nearest_name(entry.key)
    remedy = f"did you mean {meant}?" if meant else f"env/{scope}.env.example has all keys"
    return _fault(path, entry, "unknown key", remedy, meant)


def _fault(
    path: PurePosixPath, entry: Assignment, message: str, remedy: str, *mentions: str
) -> Fault:
    return Fault(
        path=str(path),
        line=entry.line,
        key=entry.key,
        message=message,
        remedy=remedy,
        mentions=mentions,
    )


def _mentioned(faults: tuple[Fault, ...]) -> Iterator[str]:
    return (key for fault in faults for key in fault.mentions)


def _defaults(scope: Scope, tried: set[str]) -> dict[str, object]:
    return {
        key.name: key.parse(key.default)
        for key in KEYS[scope]
        if key.default is not None and key.name not in tried
    }


def _missing(path: str, scope: Scope, tried: set[str]) -> Iterator[Fault]:
    for key in KEYS[scope]:
        if key.required and key.name not in tried:
            yield Fault(
                path=path,
                key=key.name,
                message="is missing",
                remedy=f"add {key.name}={key.example}",
            )
