"""All env files of a cluster as one checked Cluster, with the source of every value."""

from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address
from math import inf
from typing import Any, cast

from cluster.errors import SettingsError
from cluster.node import CLUSTER_FILE, KEYS, Cluster, Node, env_folder
from cluster.settings import crosscheck
from cluster.settings.env_file import EnvFile, parse_file
from cluster.settings.keys import Key
from cluster.settings.syntax import EnvText, Fault


@dataclass(frozen=True, kw_only=True)
class Setting:
    """One key or variable with its value."""

    section: str
    """`cluster`, or the node's name."""
    key: str
    value: object
    source: str
    """`env/spark1.env:3`, `default`, or `derived from ...`."""


@dataclass(frozen=True, kw_only=True)
class Settings:
    """A cluster, and all its values with their sources."""

    cluster: Cluster
    values: tuple[Setting, ...]


def resolve(name: str, files: tuple[EnvText, ...]) -> Settings:
    """Return the cluster that the files describe; a SettingsError has all their problems."""
    nodes = tuple(parse_file(file) for file in files if not file.path.endswith(f"/{CLUSTER_FILE}"))
    # Without a cluster.env every key has its default.
    path = f"{env_folder(name)}{CLUSTER_FILE}"
    shared = parse_file(next((file for file in files if file.path == path), EnvText(path=path)))
    if faults := _faults(name, shared, nodes):
        raise SettingsError(*(fault.problem for fault in faults))
    head, *workers = sorted(nodes, key=lambda node: (node.values["ROLE"] != "head", node.name))
    cluster = _cluster(name, shared, (head, *workers))
    owners: tuple[Cluster | Node, ...] = (cluster, *cluster.nodes)
    pairs = zip(owners, (shared, head, *workers), strict=True)
    values = tuple(setting for owner, file in pairs for setting in _settings(owner, file))
    return Settings(cluster=cluster, values=values)


def _faults(name: str, shared: EnvFile, nodes: tuple[EnvFile, ...]) -> list[Fault]:
    """Return all faults by file and line; those of a whole file and of the cluster come last."""
    files = (shared, *nodes)
    order = {file.path: number for number, file in enumerate(files)}
    faults = [fault for file in files for fault in file.faults]
    faults += crosscheck.faults(name, shared, nodes)
    return sorted(faults, key=lambda fault: (order.get(fault.path, len(files)), fault.line or inf))


def _cluster(name: str, shared: EnvFile, nodes: tuple[EnvFile, ...]) -> Cluster:
    addresses = tuple(cast("IPv4Address", node.values["HOST_IP"]) for node in nodes)
    head_ip = addresses[0]
    members = tuple(
        Node(name=node.name, variables=node.variables, **_fields(node, host_ip, head_ip))
        for node, host_ip in zip(nodes, addresses, strict=True)
    )
    fields = _fields(shared, head_ip, head_ip)
    return Cluster(name=name, nodes=members, variables=shared.variables, **fields)


def _fields(file: EnvFile, host_ip: IPv4Address, head_ip: IPv4Address) -> dict[str, Any]:
    """Return the values of a file's keys by field, derived ones included."""
    keys = KEYS[file.scope].values()
    derived = {key.name: key.derived.value(host_ip, head_ip) for key in keys if key.derived}
    values = derived | file.values
    return {key.name.lower(): values[key.name] for key in keys}


def _settings(owner: Cluster | Node, file: EnvFile) -> Iterator[Setting]:
    """Yield the keys of one file in the order of the fields, then its variables in the file's."""
    for key in KEYS[file.scope].values():
        value = getattr(owner, key.name.lower())
        yield Setting(section=file.name, key=key.name, value=value, source=_source(file, key))
    for name, value in file.variables:
        yield Setting(section=file.name, key=name, value=value, source=file.place(name))


def _source(file: EnvFile, key: Key) -> str:
    if key.name in file.lines:
        return file.place(key.name)
    return f"derived from {key.derived.source}" if key.derived else "default"
