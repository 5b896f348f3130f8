"""The machine itself, from the files of a Spark (DGX OS 7, kernel 6.17) and of others."""

from ipaddress import IPv4Address

import pytest

from cluster.facts.machine import MachineFacts, Memory, machine

SYSTEM = """\
names spark1 6.17.0-1031-nvidia aarch64
user spark
memlock 15700016
/proc/meminfo:MemTotal:       125602544 kB
/proc/meminfo:MemFree:        20000000 kB
/proc/meminfo:MemAvailable:   118000000 kB
/proc/meminfo:Cached:         97000000 kB
/proc/meminfo:SwapCached:            1 kB
/proc/meminfo:SwapTotal:      16777212 kB
/proc/meminfo:SwapFree:       16777208 kB
/proc/meminfo:HugePages_Total:       0
/proc/meminfo:CmaTotal:          65536 kB
/proc/meminfo:CmaFree:           61440 kB
/proc/pressure/memory:some avg10=0.00 avg60=1.25 avg300=0.40 total=152662945
/proc/pressure/memory:full avg10=0.00 avg60=0.75 avg300=0.20 total=39342043
/proc/cmdline:BOOT_IMAGE=/boot/vmlinuz-6.17.0-1031-nvidia root=UUID=1b3f ro quiet splash
/etc/os-release:PRETTY_NAME="Ubuntu 24.04.3 LTS"
/etc/os-release:NAME="Ubuntu"
/etc/dgx-release:DGX_NAME="DGX Spark"
/etc/dgx-release:DGX_PRETTY_NAME="NVIDIA DGX Spark"
/etc/dgx-release:DGX_SWBUILD_DATE="2025-09-10-13-50-03"
/etc/dgx-release:DGX_SWBUILD_VERSION="7.2.3"
/etc/dgx-release:DGX_OTA_VERSION="7.3.1"
/etc/dgx-release:DGX_OTA_DATE="Wed Nov 19 05:05:30 PM CET 2025"
/etc/dgx-release:DGX_OTA_VERSION="7.5.0"
"""
RESOLVED = """\
127.0.1.1       STREAM spark1
127.0.1.1       DGRAM
127.0.1.1       RAW
192.168.177.11  STREAM
"""
SESSIONS = """\
systemd
linger
/etc/systemd/logind.conf:RemoveIPC=no
graphical.target
inactive
active
"""
EXPECTED = MachineFacts(
    hostname="spark1",
    user="spark",
    system="NVIDIA DGX OS 7.5.0",
    kernel="6.17.0-1031-nvidia",
    architecture="aarch64",
    command_line="BOOT_IMAGE=/boot/vmlinuz-6.17.0-1031-nvidia root=UUID=1b3f ro quiet splash",
    memory=Memory(
        total=128_617_005_056,
        available=120_832_000_000,
        free=20_480_000_000,
        cached=99_328_000_000,
        swap_total=17_179_865_088,
        swap_free=17_179_860_992,
        cma_total=67_108_864,
        cma_free=62_914_560,
    ),
    pressure=1.25,
    memlock=16_076_816_384,
    resolved=(IPv4Address("127.0.1.1"), IPv4Address("192.168.177.11")),
    linger=True,
    target="graphical.target",
    early_oom=True,
    clock=1_795_472_055.473_014_2,
)
NOTHING = MachineFacts(
    hostname="",
    memory=Memory(total=0, available=0, free=0, cached=0, swap_total=0, swap_free=0),
)


def test_machine() -> None:
    """A machine is described by its files and a few programs."""
    answers = {
        "system": SYSTEM,
        "resolved": RESOLVED,
        "sessions": SESSIONS,
        "clock": "1795472055.4730142\n\n",
    }

    assert EXPECTED == machine(answers)


def test_nothing() -> None:
    """A machine without an answer has no facts and no limit."""
    assert NOTHING == machine({})


@pytest.mark.parametrize(
    "text, expected",
    [
        ('/etc/dgx-release:DGX_SWBUILD_VERSION="7.2.3"\n', "NVIDIA DGX OS 7.2.3"),
        ("/etc/os-release:PRETTY_NAME=Arch Linux\n", "Arch Linux"),
        ("/etc/os-release:PRETTY_NAME='A=B'\n\n/etc/os-release:# a comment\n", "A=B"),
        ("/etc/os-release:ID=debian\n", ""),
    ],
)
def test_distribution(text: str, expected: str) -> None:
    """DGX OS has the version of its last update or of the factory; other systems have a name."""
    assert expected == machine({"system": text}).system


@pytest.mark.parametrize(
    "text, expected",
    [("memlock unlimited\n", None), ("memlock 0\n", 0), ("memlock 8192\n", 8_388_608)],
)
def test_memlock(text: str, expected: int | None) -> None:
    """Shells print the limit in KiB."""
    assert expected == machine({"system": text}).memlock


@pytest.mark.parametrize(
    "text, expected",
    [
        ("1795472055.473014200\n\n", 1_795_472_055.473_014_2),
        ("1795472055.%N\n\n", None),
        ("1795472055.N\n\n", None),
        ("1795472055.\n\n", None),
        ("date: invalid date\n\n", None),
        ("\n", None),
    ],
)
def test_clock(text: str, expected: float | None) -> None:
    """A clock without fractions of seconds is not compared."""
    assert expected == machine({"clock": text}).clock


@pytest.mark.parametrize(
    "text, expected",
    [
        ("", False),
        ("systemd\n", True),
        ("systemd\n/usr/lib/systemd/logind.conf:RemoveIPC=no\n", False),
        ("systemd\n/usr/lib/systemd/logind.conf:  RemoveIPC = YES\n", True),
        (
            (
                "systemd\n/usr/lib/systemd/logind.conf:RemoveIPC=yes\n"
                "/etc/systemd/logind.conf:RemoveIPC=no\n"
            ),
            False,
        ),
        (
            (
                "systemd\n/usr/lib/systemd/logind.conf.d/50-a.conf:RemoveIPC=no\n"
                "/etc/systemd/logind.conf.d/10-b.conf:RemoveIPC=yes\n"
            ),
            False,
        ),
        (
            (
                "systemd\n/usr/lib/systemd/logind.conf.d/50-a.conf:RemoveIPC=no\n"
                "/etc/systemd/logind.conf:RemoveIPC=no\n"
                "/etc/systemd/logind.conf.d/50-a.conf:RemoveIPC=1\n"
            ),
            True,
        ),
    ],
)
def test_remove_ipc(text: str, expected: bool) -> None:  # noqa: FBT001 (the expected value)
    """Under systemd it is on unless a file turns it off: drop-ins by name, /etc first."""
    assert expected == machine({"sessions": text}).remove_ipc
