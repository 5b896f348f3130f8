"""All env files of a cluster as one checked Cluster, with the source of every value."""

from collections.abc import Iterator
from dataclasses import dataclass

from cluster.errors import SettingsError
from cluster.node import DEFAULT, Cluster, Node
from cluster.settings import crosscheck, schema
from cluster.settings.envfile import EnvText, Fault
from cluster.settings.key import Key
from cluster.settings.page import CLUSTER_FILE, Page, page
from cluster.settings.schema import KEYS


@dataclass(frozen=True, kw_only=True)
class Setting:
    """One resolved value: what it is and where it comes from."""

    section: str
    """`cluster`, or the node's name."""
    key: str
    value: object
    source: str
    """`env/spark1.env:3`, `default`, or `derived from ...`."""


@dataclass(frozen=True, kw_only=True)
class Settings:
    """A cluster, and every value of it with its source."""

    cluster: Cluster
    values: tuple[Setting, ...]


def folder(name: str) -> str:
    """Return the folder of a cluster's env files, from the repository's root."""
    return "env/" if name == DEFAULT else f"env/{name}/"


def resolve(name: str, files: tuple[EnvText, ...]) -> Settings:
    """Return the cluster that the files describe; a SettingsError holds all their problems."""
    nodes = tuple(page(file) for file in files if not file.path.endswith(f"/{CLUSTER_FILE}"))
    shared = _shared(name, files)
    if faults := _faults(name, shared, nodes):
        raise SettingsError(*(fault.problem for fault in faults))
    head, *workers = sorted(nodes, key=lambda node: (node[schema.ROLE] != "head", node.name))
    cluster = _cluster(name, shared, head, tuple(workers))
    return Settings(cluster=cluster, values=tuple(_settings(cluster, shared, (head, *workers))))


def _shared(name: str, files: tuple[EnvText, ...]) -> Page:
    """Return what all nodes share; without a cluster.env every key has its default."""
    path = f"{folder(name)}{CLUSTER_FILE}"
    return page(next((file for file in files if file.path == path), EnvText(path=path)))


def _faults(name: str, shared: Page, nodes: tuple[Page, ...]) -> list[Fault]:
    """Return all faults by file and line, those of the whole cluster last."""
    pages = (shared, *nodes)
    order = {its.path: number for number, its in enumerate(pages)}
    faults = [fault for its in pages for fault in its.faults]
    faults += crosscheck.faults(name, shared, nodes)
    return sorted(faults, key=lambda fault: (order.get(fault.path, len(pages)), fault.position))


def _cluster(name: str, shared: Page, head: Page, workers: tuple[Page, ...]) -> Cluster:
    return Cluster(
        name=name,
        runtime=shared[schema.RUNTIME],
        image=shared[schema.IMAGE],
        container=shared[schema.CONTAINER],
        accelerator=shared[schema.ACCELERATOR],
        shm_size=shared[schema.SHM_SIZE],
        hf_cache=shared[schema.HF_CACHE],
        privileged=shared[schema.PRIVILEGED],
        nodes=tuple(_node(node, head) for node in (head, *workers)),
        subnet=shared.get(schema.SUBNET) or crosscheck.around(head[schema.HOST_IP]),
        head_port=shared[schema.HEAD_PORT],
        dashboard=shared[schema.DASHBOARD],
        object_store_memory=shared[schema.OBJECT_STORE_MEMORY],
        serve_host=shared[schema.SERVE_HOST],
        serve_port=shared[schema.SERVE_PORT],
        model=shared[schema.MODEL],
        gpu_memory_utilization=shared[schema.GPU_MEMORY_UTILIZATION],
        max_model_len=shared[schema.MAX_MODEL_LEN],
        serve_args=shared[schema.SERVE_ARGS],
        variables=shared.variables,
    )


def _node(node: Page, head: Page) -> Node:
    return Node(
        name=node.name,
        role=node[schema.ROLE],
        host_ip=node[schema.HOST_IP],
        head_ip=head[schema.HOST_IP],
        eth_if=node[schema.ETH_IF],
        ib_if=node[schema.IB_IF],
        ssh_host=node.get(schema.SSH_HOST) or str(node[schema.HOST_IP]),
        gpus=node[schema.GPUS],
        variables=node.variables,
    )


def _settings(cluster: Cluster, shared: Page, nodes: tuple[Page, ...]) -> Iterator[Setting]:
    yield from _section("cluster", cluster, shared)
    for node, its in zip(cluster.nodes, nodes, strict=True):
        yield from _section(node.name, node, its)


def _section(section: str, owner: Cluster | Node, its: Page) -> Iterator[Setting]:
    """Yield the keys of one file in the schema's order, then its variables in the file's."""
    for key in KEYS[its.scope]:
        value = getattr(owner, key.name.lower())
        yield Setting(section=section, key=key.name, value=value, source=_source(its, key))
    for name, value in its.variables:
        yield Setting(section=section, key=name, value=value, source=its.place(name))


def _source(its: Page, key: Key[object]) -> str:
    if key.name in its.lines:
        return its.place(key.name)
    return f"derived from {key.derived}" if key.derived else "default"
