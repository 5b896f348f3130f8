"""The program in the throw-away container: each fact from the place where Linux has it."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from cluster.checks.containers import container_facts
from cluster.facts.rdma import Device, rdma
from cluster.machine.container_view import container_fields, rdma_devices
from tests.clusters import ROOT

PROGRAM = ROOT / "docker" / "preflight.py"
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="a node is a Linux machine")


def written(path: Path, text: str) -> Path:
    """Write a file in new folders."""
    path.parent.mkdir(parents=True)
    path.write_text(text)
    return path


def printed(environment: dict[str, str]) -> str:
    """Return what the program prints; in the image `cluster` lies beside it."""
    command = [sys.executable, str(PROGRAM)]
    return subprocess.run(
        command, check=True, capture_output=True, text=True, env=environment
    ).stdout


def test_one_line_with_all_facts() -> None:
    """The last line is one JSON object with the facts of a container."""
    answer = printed({**os.environ, "PYTHONPATH": str(ROOT)})

    assert container_facts(json.loads(answer.splitlines()[-1])) is not None


def test_no_ray(tmp_path: Path) -> None:
    """Ray is really imported: the error of a broken one is one line."""
    broken = "raise OSError('libcore.so: cannot open shared object file\\nand more')"
    written(tmp_path / "ray" / "__init__.py", broken)
    fields = json.loads(printed({**os.environ, "PYTHONPATH": f"{tmp_path}:{ROOT}"}))

    assert "OSError: libcore.so: cannot open shared object file" == fields["ray_error"]


def test_ray(tmp_path: Path) -> None:
    """A Ray that can be imported has no error."""
    written(tmp_path / "ray" / "__init__.py", "")
    fields = json.loads(printed({**os.environ, "PYTHONPATH": f"{tmp_path}:{ROOT}"}))

    assert fields["ray_error"] is None


def test_device_files(tmp_path: Path) -> None:
    """The files of RDMA devices are listed by name; a missing folder counts as an empty one."""
    written(tmp_path / "dev" / "infiniband" / "uverbs0", "")
    (tmp_path / "dev" / "infiniband" / "rdma_cm").touch()

    assert ["rdma_cm", "uverbs0"] == container_fields(str(tmp_path))["infiniband"]
    assert [] == container_fields(str(tmp_path / "none"))["infiniband"]


@pytest.mark.parametrize(
    "capabilities, expected", [("00000000a80425fb", False), ("000001ffffffffff", True)]
)
def test_capability(capabilities: str, *, expected: bool, tmp_path: Path) -> None:
    """The capability to lock memory is found by the whole name of its field."""
    status = f"Cap:\t1\n\nCapEff:\t{capabilities}\n"
    written(tmp_path / "proc" / "self" / "status", status)

    assert container_fields(str(tmp_path))["ipc_lock"] is expected


def test_rdma_devices(tmp_path: Path) -> None:
    """Devices are printed as the question to a machine prints them, and read by its parser."""
    device = tmp_path / "sys" / "class" / "infiniband" / "mlx5_0"
    written(device / "ports" / "1" / "state", "4: ACTIVE\n")
    written(device / "device" / "uevent", "DRIVER=mlx5_core\nPCI_SLOT_NAME=0000:01:00.1\n")
    (device / "device" / "net" / "enp1s0f1np1").mkdir(parents=True)
    expected = Device(name="mlx5_0", netdev="enp1s0f1np1", pci="0000:01:00.1", state="ACTIVE")

    assert (expected,) == rdma({"devices": rdma_devices(str(tmp_path))}).devices
