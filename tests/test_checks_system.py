"""The findings of the checks of a node's system: the exact text, and none on a healthy one."""

from dataclasses import replace
from ipaddress import IPv4Address
from typing import Any

import pytest

from cluster.checks import system
from cluster.checks.gpus import GPUS
from cluster.checks.node_report import NodeReport
from cluster.facts.gpu import Gpu, Gpus
from cluster.facts.links import Links
from tests.clusters import REHEARSAL, SPARKS, extra_worker
from tests.node_reports import findings, healthy, node_report, with_facts, with_interface

NAMES = ("driver", "driver-same", "not-a-spark")
SYSTEM = (
    *(check for check in system.SYSTEM if check.name != "kernel-memory"),
    *(check for check in GPUS if check.name in NAMES),
)
SPARK, OTHER = healthy()
ALONE = node_report(cluster=replace(SPARKS, nodes=SPARKS.nodes[:1]))
LINK = "enp1s0f1np1"
PC = with_facts(SPARK, gpus=Gpus(gpus=(Gpu(name="NVIDIA GeForce RTX 4090", memory=24564),)))
HOSTS = (
    "(write the line `192.168.177.11 spark1` in its /etc/hosts, in place of the present one:"
    " `ssh -t spark1 sudoedit /etc/hosts`)"
)
UPDATE = (
    "`ssh -t spark1 'sudo apt-get update && sudo apt-get full-upgrade'`,"
    " `ssh -t spark2 'sudo apt-get update && sudo apt-get full-upgrade'`, then restart them"
)
REMOVED = "[shared-memory-removal] spark1: its shared memory may be removed when user you logs out:"
LINGER = "(`ssh -t spark1 sudo loginctl enable-linger you`)"


def machine(before: NodeReport = SPARK, **changes: Any) -> NodeReport:  # noqa: ANN401 (fields of Machine)
    """Return the same node with a change of the machine itself."""
    return with_facts(before, machine=replace(before.facts.machine, **changes))


def driven(before: NodeReport, driver: str) -> NodeReport:
    """Return the same node with another driver."""
    return with_facts(before, gpus=Gpus(gpus=(Gpu(name="NVIDIA GB10", driver=driver),)))


def virtual() -> tuple[NodeReport, ...]:
    """Return the nodes of a rehearsal, on a machine with many faults."""
    machine_report = machine(
        resolved=(), target="graphical.target", early_oom=False, remove_ipc=True
    )
    rehearsal = replace(REHEARSAL, shm_size=None)
    return tuple(replace(machine_report, cluster=rehearsal, node=node) for node in rehearsal.nodes)


@pytest.mark.parametrize(
    "reports",
    [
        pytest.param((), id="nobody"),
        pytest.param((SPARK,), id="one Spark"),
        pytest.param((SPARK, OTHER), id="two Sparks"),
        pytest.param(virtual(), id="namespaces"),
        pytest.param(
            (
                with_interface(
                    machine(resolved=(IPv4Address("192.168.177.11"),)), LINK, addresses=()
                ),
            ),
            id="named, without the address",
        ),
        pytest.param((machine(ALONE, resolved=(IPv4Address("127.0.1.1"),)),), id="alone"),
        pytest.param(
            (with_facts(SPARK, links=Links(error="ip: not found")),), id="unknown interfaces"
        ),
        pytest.param(
            (with_facts(SPARK, lead=None), with_facts(OTHER, lead=9.0)), id="unknown clock"
        ),
        pytest.param(
            (with_facts(SPARK, lead=-1.0), with_facts(OTHER, lead=1.0)), id="nearly one time"
        ),
        pytest.param(
            (SPARK, machine(OTHER, architecture="x86_64", kernel="6.8.0-87-generic")),
            id="another kind of machine",
        ),
        pytest.param((SPARK, with_facts(OTHER, gpus=Gpus(error="no driver"))), id="no driver"),
        pytest.param((machine(remove_ipc=True),), id="lingers"),
        pytest.param((machine(remove_ipc=True, linger=False),), id="its own shared memory"),
        pytest.param(
            (
                machine(
                    node_report(cluster=replace(SPARKS, privileged=True)),
                    remove_ipc=True,
                    linger=False,
                    user="root",
                ),
            ),
            id="root",
        ),
    ],
)
def test_no_findings(reports: tuple[NodeReport, ...]) -> None:
    """Healthy nodes, and nodes that a check does not apply to, have no findings."""
    assert [] == findings(SYSTEM, *reports)


@pytest.mark.parametrize(
    "resolved, expected",
    [
        pytest.param((), "nothing", id="unknown"),
        pytest.param(("127.0.1.1",), "127.0.1.1, which no other node reaches", id="Debian"),
        pytest.param(
            ("10.9.9.9", "10.0.0.11"), "10.9.9.9, which none of its interfaces has", id="foreign"
        ),
        pytest.param(("172.17.0.1",), "172.17.0.1 of docker0, a bridge", id="Docker"),
    ],
)
def test_own_name(resolved: tuple[str, ...], expected: str) -> None:
    """The first address that a machine's own name resolves to must be one that others reach."""
    report = machine(resolved=tuple(IPv4Address(address) for address in resolved))

    assert [f"[hostname] spark1: its own name, spark1, resolves to {expected} {HOSTS}"] == findings(
        SYSTEM, report, OTHER
    )


@pytest.mark.parametrize(
    "leads, sentence",
    [
        pytest.param(
            (0.0, 5.04),
            "clocks differ by 5.0 s; against this machine's: spark1 +0.0 s, spark2 +5.0 s"
            " (`ssh -t spark2 sudo timedatectl set-ntp true`)",
            id="one is wrong",
        ),
        pytest.param(
            (-40.0, 3600.0),
            "clocks differ by 3640.0 s; against this machine's: spark1 -40.0 s, spark2 +3600.0 s"
            " (`ssh -t spark1 sudo timedatectl set-ntp true`,"
            " `ssh -t spark2 sudo timedatectl set-ntp true`)",
            id="both are",
        ),
    ],
)
def test_clocks(leads: tuple[float, float], sentence: str) -> None:
    """Clocks that differ are one finding; its remedy sets those that this machine's contradicts."""
    nodes = tuple(
        with_facts(report, lead=lead) for report, lead in zip((SPARK, OTHER), leads, strict=True)
    )

    assert [f"[clock] spark1, spark2: {sentence}"] == findings(SYSTEM, *nodes)


def test_kernels() -> None:
    """Different kernels are one finding, with the nodes of each."""
    lab = replace(SPARKS, nodes=(*SPARKS.nodes, extra_worker()))
    first, second, third_node = (node_report(node.name, lab) for node in lab.nodes)
    late = "`ssh -t spark3 'sudo apt-get update && sudo apt-get full-upgrade'`"

    assert [
        (
            "[kernel-same] spark1, spark2, spark3: kernels differ: 6.17.0-1031-nvidia on"
            " spark1, spark3; 6.14.0-1015-nvidia on spark2"
            f" ({UPDATE.replace(', then', f', {late}, then')})"
        )
    ] == findings(SYSTEM, first, machine(second, kernel="6.14.0-1015-nvidia"), third_node)


def test_a_kernel_that_breaks_rdma() -> None:
    """A kernel with a finding of its own is not also reported as a different one."""
    memory = replace(OTHER.facts.machine.memory, cma_total=0, cma_free=0)
    broken = machine(OTHER, kernel="7.0.0-1019-nvidia", memory=memory)

    assert [] == findings(SYSTEM, SPARK, broken)


def test_drivers() -> None:
    """Drivers that differ are one finding."""
    assert [
        (
            "[driver-same] spark1, spark2: GPU drivers differ: 580.95.05 on spark1;"
            f" 580.126.09 on spark2 ({UPDATE})"
        )
    ] == findings(SYSTEM, SPARK, driven(OTHER, "580.126.09"))


def test_a_driver_that_hangs() -> None:
    """A driver of branch 590 has a finding, and is not also reported as a different one."""
    assert [
        (
            "[driver] spark2: GPU driver 590.48.01 can hang while it captures CUDA graphs on a"
            " Spark (`ssh -t spark2 sudo apt-get install nvidia-driver-580-open`, then restart it;"
            " or write SERVE_ARGS=--enforce-eager in env/cluster.env)"
        )
    ] == findings(SYSTEM, SPARK, driven(OTHER, "590.48.01"))


@pytest.mark.parametrize(
    "report, sentence",
    [
        pytest.param(
            machine(early_oom=False),
            "[early-oom] spark1: no program is ended before memory is exhausted:"
            " no earlyoom, no systemd-oomd (`ssh -t spark1 sudo apt-get install earlyoom`)",
            id="no early OOM killer",
        ),
        pytest.param(
            machine(target="graphical.target"),
            "[desktop] spark1: boots into a desktop, which takes memory from the model"
            " (`ssh -t spark1 sudo systemctl set-default multi-user.target`, and for now"
            " `ssh -t spark1 sudo systemctl isolate multi-user.target`, which ends the desktop)",
            id="desktop",
        ),
        pytest.param(
            machine(
                node_report(cluster=replace(SPARKS, privileged=True)), remove_ipc=True, linger=False
            ),
            f"{REMOVED} RemoveIPC, and PRIVILEGED=true {LINGER}",
            id="privileged",
        ),
        pytest.param(
            machine(
                node_report(cluster=replace(SPARKS, shm_size=None)), remove_ipc=True, linger=False
            ),
            f"{REMOVED} RemoveIPC, and SHM_SIZE=host {LINGER}",
            id="the node's shared memory",
        ),
        pytest.param(
            machine(PC, early_oom=False, target="graphical.target"),
            "[not-a-spark] spark1: its GPU is NVIDIA GeForce RTX 4090, not the GB10 of a Spark"
            " (`inv build --arch CAPABILITY` makes an image for it: docs/image.md)",
            id="a PC with a desktop",
        ),
    ],
)
def test_one_node(report: NodeReport, sentence: str) -> None:
    """A note about a node is reported for that node alone."""
    assert [sentence] == findings(SYSTEM, report)


def test_without_gpus() -> None:
    """A cluster that computes on CPUs has no findings about GPUs."""
    cpus = replace(SPARKS, accelerator="none")
    first, second = (node_report(node.name, cpus) for node in cpus.nodes)

    assert [] == findings(
        SYSTEM,
        machine(first, early_oom=False, target="graphical.target"),
        driven(second, "590.48.01"),
    )
