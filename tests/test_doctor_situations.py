"""The doctor's findings in whole clusters: as they are, and with one thing broken."""

import pytest

from cluster.checks.check import Finding
from cluster.checks.checks import CHECKS
from cluster.checks.diagnosis import diagnosis
from tests.broken_links import BETWEEN, LINKS, MANY, RDMA
from tests.broken_machines import CONTAINERS, MACHINE
from tests.edits import (
    BIG_UNANSWERED,
    ETH,
    NOT_BOUND,
    UNANSWERED,
    each,
    files,
    line,
    on,
    section,
    tagged,
)
from tests.situations import ALL, HEALTHY, Edit, Situation, situation

FOUND = """\
one-cable: exit code 0
both-ports: exit code 0
  note hostname spark1
  note hostname spark2
  note early-oom spark1
  note early-oom spark2
  note desktop spark1
  note desktop spark2
  note swap spark1
  note swap spark2
switch: exit code 0
ring: exit code 0
asymmetric: exit code 0
eight: exit code 0
one-subnet: exit code 1
  slow twin-subnets spark1
  slow twin-subnets spark2
no-address: exit code 4
  blocks address spark1
  blocks address spark2
  slow twin-address spark1
  slow twin-address spark2
  note hostname spark1
  note hostname spark2
  note early-oom spark1
  note early-oom spark2
  note desktop spark1
  note desktop spark2
  note swap spark1
  note swap spark2
pc: exit code 4
  blocks image pc
  note not-a-spark pc
vm: exit code 4
  blocks docker vm
"""
"""Severity, check and place of each finding."""
BROKEN = LINKS | RDMA | MACHINE | CONTAINERS | BETWEEN | MANY
HARMLESS: dict[str, tuple[str, tuple[Edit, ...]]] = {
    "the right GID row": ("one-cable", (line("cluster.env", "NCCL_IB_GID_INDEX=3"),)),
    "another right GID row": ("both-ports", (line("cluster.env", "NCCL_IB_GID_INDEX=5"),)),
    "a name for gloo": ("one-cable", (line("cluster.env", f"GLOO_SOCKET_IFNAME={ETH}"),)),
    "GPUs by CDI": ("one-cable", (line("cluster.env", "ACCELERATOR=cdi"),)),
    "GPUs by CDI, told by files": (
        "one-cable",
        (line("cluster.env", "ACCELERATOR=cdi"), *each((r',"DiscoveredDevices":\[[^]]*\]', ""))),
    ),
    "a firewall that lets in": ("one-cable", each(("^ENABLED=no", "ENABLED=yes"))),
    "a firewall that drops pings alone": ("one-cable", each(UNANSWERED)),
    "a model that nobody has yet": ("one-cable", each(section("models", ""))),
    "the machine's own shared memory, and a user who lingers": (
        "one-cable",
        (line("cluster.env", "SHM_SIZE=host"),),
    ),
    "NCCL told to take RDMA alone": ("one-cable", (line("cluster.env", "NCCL_NET=IB"),)),
    "the clock of a second ago": ("one-cable", (("spark2", r"^1795470000\.27", "1795470001.27"),)),
    "no bash to connect with": ("one-cable", each((r"^(port \S+ \d+) 1 .*", r"\1 127 "))),
    "a Wi-Fi that leads out": (
        "one-cable",
        each(('("dst":"default",.*?"dev":)"enP7s7"', r'\1"wlP9s9"')),
    ),
    "a container that has ended": (
        "one-cable",
        each(section("container", "exited\n")),
    ),
    "four devices, and one cable": (
        "one-cable",
        files(("IB_IF=.*", "IB_IF=rocep1s0f0,roceP2p1s0f0,rocep1s0f1,roceP2p1s0f1")),
    ),
    "large pings that get lost one way": ("one-cable", on("spark1", BIG_UNANSWERED)),
    "a ping that may not be bound": (
        "one-cable",
        each(NOT_BOUND, (r"^(port \S+ \d+) [01]\b.*", r"\1 127 ")),
    ),
    "a VLAN on the port": (
        "one-cable",
        (*files(("ETH_IF=.*", f"ETH_IF={ETH}.7")), *tagged("spark1", 11), *tagged("spark2", 12)),
    ),
    "rules that nobody may read": ("switch", each(section("firewall", "ENABLED=no\n"))),
}
"""Harmless changes: the situation, and the edits."""
NEVER_FOUND = ("answer",)
"""Checks that have no finding about a machine that answered."""


def _shown(result: Finding) -> str:
    return f"{result.check.severity} {result.check.name} {result.problem.place}"


def _verdict(case: Situation) -> str:
    result = diagnosis(case.cluster, case.facts)
    lines = (f"  {_shown(finding)}\n" for finding in result.findings)
    return f"{case.name}: exit code {result.exit_code}\n{''.join(lines)}"


def test_findings_in_every_situation() -> None:
    """All checks of all machines report this and nothing else."""
    assert FOUND == "".join(_verdict(situation(name)) for name in ALL)


@pytest.mark.parametrize("name", HEALTHY)
def test_nothing_blocks_or_slows_a_healthy_cluster(name: str) -> None:
    """A cluster that works gets notes at most, also in the fast form that comes before `inv up`."""
    case = situation(name)

    assert () == diagnosis(case.cluster, case.facts).of("blocks")
    assert () == diagnosis(case.cluster, case.facts).of("slow")
    assert 0 == diagnosis(case.cluster, case.facts, fast=True).exit_code


@pytest.mark.parametrize("name", BROKEN)
def test_one_broken_thing(name: str) -> None:
    """One broken thing has the finding of its own check, and no other."""
    case = BROKEN[name]
    changed = situation(case.situation, *case.edits)

    result = diagnosis(changed.cluster, changed.facts).findings

    assert case.findings == tuple(_shown(finding) for finding in result)


@pytest.mark.parametrize("name", HARMLESS)
def test_harmless_changes(name: str) -> None:
    """A change that breaks nothing changes no verdict."""
    machines, edits = HARMLESS[name]
    before, after = situation(machines), situation(machines, *edits)

    assert _verdict(before) == _verdict(after)


def test_every_check_reports_something() -> None:
    """Every check has a broken thing that it reports."""
    names = [line.split()[1] for case in BROKEN.values() for line in case.findings]
    recorded = [line.split()[1] for line in FOUND.splitlines() if line.startswith("  ")]

    assert sorted({check.name for check in CHECKS} - {*NEVER_FOUND}) == sorted({*names, *recorded})


def test_fewer_than_all_nodes_is_no_error() -> None:
    """With `--node` only some nodes are asked, and the others have no findings."""
    case = situation("switch")
    answers = {name: facts for name, facts in case.facts.items() if name in ("spark2", "spark4")}

    assert () == diagnosis(case.cluster, answers).findings
