"""What a machine is, in a few words for programs."""

from collections.abc import Mapping
from typing import Any

from cluster.facts.facts import Facts
from cluster.facts.rdma import Device


def summary(facts: Facts) -> Mapping[str, Any]:
    """Return facts as plain values; what is unknown is None."""
    machine, docker = facts.machine, facts.docker
    return {
        "hostname": machine.hostname,
        "system": machine.system or None,
        "kernel": machine.kernel or None,
        "driver": next((gpu.driver for gpu in facts.gpus.gpus), None),
        "docker": {"version": docker.version or None, "store": docker.store or None},
        "memlock": machine.memlock,
        "mtu": {its.name: its.mtu for its in facts.links.interfaces},
        "rdma": {its.name: _device(its) for its in facts.rdma.devices},
    }


def _device(its: Device) -> Mapping[str, Any]:
    return {
        "netdev": its.netdev or None,
        "state": its.state or None,
        "rate": its.rate,
        "link_layer": its.link_layer or None,
    }
