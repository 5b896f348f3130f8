"""The program that a node is examined by: each fact from the place where Linux has it."""

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from cluster.checks.containers import container_facts
from tests.clusters import ROOT

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


def test_one_line_with_all_facts() -> None:
    """The last line is one JSON object that the other side understands."""
    command = [sys.executable, str(PROGRAM)]
    answer = subprocess.run(command, check=True, capture_output=True, text=True).stdout

    assert container_facts(json.loads(answer.splitlines()[-1])) is not None


def test_no_ray(tmp_path: Path) -> None:
    """Ray is really imported: one that is there and broken is found out, on one line."""
    broken = "raise OSError('libcore.so: cannot open shared object file\\nand more')"
    written(tmp_path / "ray" / "__init__.py", broken)
    command = [sys.executable, str(PROGRAM)]
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    done = subprocess.run(command, check=True, capture_output=True, text=True, env=environment)
    found = json.loads(done.stdout)

    assert "OSError: libcore.so: cannot open shared object file" == found["ray_error"]


def test_ray(tmp_path: Path) -> None:
    """Of a Ray that can be imported nothing is said."""
    written(tmp_path / "ray" / "__init__.py", "")
    command = [sys.executable, str(PROGRAM)]
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    done = subprocess.run(command, check=True, capture_output=True, text=True, env=environment)

    assert json.loads(done.stdout)["ray_error"] is None


def test_device_files(program: ModuleType, tmp_path: Path) -> None:
    """A folder is listed by name; one that does not exist holds nothing."""
    written(tmp_path / "infiniband" / "uverbs0", "")
    (tmp_path / "infiniband" / "rdma_cm").touch()

    assert ["rdma_cm", "uverbs0"] == program.names(tmp_path / "infiniband")
    assert [] == program.names(tmp_path / "none")


def test_fields_of_proc(program: ModuleType, tmp_path: Path) -> None:
    """A field is found by its whole name, tabs and units aside."""
    path = written(tmp_path / "proc" / "status", "Cap:\t1\n\nCapEff:\t00000000a80425fb\n")

    assert "00000000a80425fb" == program.field(path, "CapEff")
