"""The program that a node is examined by: each fact from the place where Linux has it."""

import importlib.util
import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from cluster.preflight.preflight import preflight
from tests.clusters import HEAD, ROOT, SPARKS, WORKER

PROGRAM = ROOT / "docker" / "preflight.py"
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="a node is a Linux machine")


@pytest.fixture(name="program", scope="module")
def _program() -> ModuleType:
    spec = importlib.util.spec_from_file_location("preflight", PROGRAM)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def written(path: Path, text: str) -> Path:
    """Write a file in new folders."""
    path.parent.mkdir(parents=True)
    path.write_text(text)
    return path


def ip(folder: Path, script: str) -> str:
    """Return the path of a program that stands for `ip`."""
    program = written(folder / "bin" / "ip", f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    return str(program)


def test_the_program_understands(program: ModuleType) -> None:
    """The program takes the words of every question."""
    asked = [preflight(SPARKS, node).argv for node in (HEAD, WORKER)]

    assert [[6379, 8265], []] == [program.parser().parse_args(words).ports for words in asked]


def test_one_line_with_all_facts() -> None:
    """The last line is one JSON object that the other side understands."""
    command = [sys.executable, str(PROGRAM), "--ports", "0"]
    answer = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    found = json.loads(answer.splitlines()[-1])

    assert [] == [
        str(problem)
        for problem in preflight(SPARKS, HEAD).problems(answer)
        if "cannot examine" in problem.what
    ]
    assert ({"0": None}, True) == (found["taken"], found["memory"] > 0)


def test_no_ray(tmp_path: Path) -> None:
    """Ray is really imported: one that is there and broken is found out, on one line."""
    broken = "raise OSError('libcore.so: cannot open shared object file\\nand more')"
    written(tmp_path / "ray" / "__init__.py", broken)
    command = [sys.executable, str(PROGRAM)]
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    done = subprocess.run(command, check=True, capture_output=True, text=True, env=environment)
    found = json.loads(done.stdout)

    assert (None, "OSError: libcore.so: cannot open shared object file") == (
        found["ray"],
        found["ray_error"],
    )


def test_a_port_in_use(program: ModuleType) -> None:
    """A listener on loopback alone is enough to keep others from all interfaces."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]

        assert "Address already in use" == program.taken(port)
    assert program.taken(port) is None


@pytest.mark.parametrize(
    "script, expected",
    [
        pytest.param('echo "[1, \\"$*\\"]"', {"addresses": [1, "-j address"]}, id="a list"),
        pytest.param(
            "echo 'Cannot open netlink socket' >&2; exit 1",
            {"addresses_error": "Cannot open netlink socket"},
            id="a failure",
        ),
        pytest.param(
            "echo Usage",
            {"addresses_error": "Expecting value: line 1 column 1 (char 0)"},
            id="no JSON",
        ),
    ],
)
def test_interfaces(
    program: ModuleType, tmp_path: Path, script: str, expected: dict[str, object]
) -> None:
    """The interfaces are what `ip` says, and why it says nothing is passed on."""
    assert expected == program.addresses(ip(tmp_path, script))


def test_no_ip(program: ModuleType, tmp_path: Path) -> None:
    """An image without `ip` says so."""
    path = str(tmp_path / "ip")

    assert {
        "addresses_error": f"[Errno 2] No such file or directory: '{path}'"
    } == program.addresses(path)


def test_rdma_devices(program: ModuleType, tmp_path: Path) -> None:
    """Devices and their states are those of sysfs; a device without ports has no state."""
    written(tmp_path / "roceP2p1s0f1" / "ports" / "1" / "state", "4: ACTIVE\n")
    (tmp_path / "mlx5_0").mkdir()

    assert {"mlx5_0": "", "roceP2p1s0f1": "4: ACTIVE"} == {
        name: program.state(tmp_path / name) for name in program.names(tmp_path)
    }


def test_no_rdma_devices(program: ModuleType, tmp_path: Path) -> None:
    """A folder that does not exist holds nothing."""
    assert [] == program.names(tmp_path / "infiniband")


def test_fields_of_proc(program: ModuleType, tmp_path: Path) -> None:
    """A field is found by its whole name, tabs and units aside."""
    path = written(tmp_path / "proc" / "status", "Cap:\t1\n\nCapEff:\t00000000a80425fb\n")

    assert "00000000a80425fb" == program.field(path, "CapEff")
