"""The program that measures, as far as it needs no PyTorch; the live suite runs it with one."""

import importlib.util
import json
import socket
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from cluster.bandwidth.answer import answer
from cluster.bandwidth.seat import arguments, seats
from cluster.bandwidth.sizes import sizes
from tests.clusters import ROOT, SPARKS

PROGRAM = ROOT / "docker" / "nccl.py"


@pytest.fixture(name="program", scope="module")
def _program() -> ModuleType:
    spec = importlib.util.spec_from_file_location("nccl", PROGRAM)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    with pytest.MonkeyPatch.context() as python:
        python.syspath_prepend(PROGRAM.parent)  # as Python does for a program
        spec.loader.exec_module(module)
    return module


def test_the_program_understands(program: ModuleType) -> None:
    """The program takes what `inv nccl` tells it."""
    (_, seat) = seats(SPARKS)
    found = program.parser().parse_args(arguments(SPARKS, seat, sizes("1g"), 29520))

    assert (1, 2, "192.168.177.11:29520", sizes("1g"), 180.0) == (
        found.rank,
        found.world,
        found.master,
        found.sizes,
        found.deadline,
    )


def test_the_default_sizes_are_the_same(program: ModuleType) -> None:
    """By hand the program measures what `inv nccl` does without options."""
    assert sizes("256m") == program.SIZES


@pytest.mark.parametrize("words", ["1023", "1073741825", "8388608,17179869184", "much"])
def test_sizes_that_are_refused(
    program: ModuleType, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """No caller can make a buffer that freezes a machine."""
    with pytest.raises(SystemExit):
        program.parser().parse_args(
            ["--rank", "0", "--world", "2", "--master", "h:1", "--sizes", words]
        )

    assert "--sizes" in capsys.readouterr().err


def test_an_error_is_an_answer(tmp_path: Path) -> None:
    """Without PyTorch the last line is JSON that says so, and no folder is left."""
    command = [sys.executable, "-S", str(PROGRAM), "--rank", "0", "--world", "2"]
    done = subprocess.run(
        [*command, "--master", "127.0.0.1:1"],
        check=False,
        capture_output=True,
        text=True,
        env={"TMPDIR": str(tmp_path)},
    )
    found = answer(done.stdout)

    assert found
    assert (1, "No module named 'torch'", "import torch", "") == (
        done.returncode,
        found.error,
        found.during,
        done.stderr,
    )
    assert [] == list(tmp_path.iterdir())


@pytest.mark.skipif(sys.platform != "linux", reason="sysfs is Linux's")
def test_the_network(program: ModuleType) -> None:
    """Every interface of this machine is named."""
    expected = {name for _, name in socket.if_nameindex()}

    assert expected == set(program.network()["interfaces"])


def test_an_rdma_device(program: ModuleType, tmp_path: Path) -> None:
    """A device is told as sysfs has it; what is not there is empty."""
    slot = tmp_path / "devices" / "0000:01:00.1"
    port = tmp_path / "infiniband" / "rocep1s0f1" / "ports" / "1"
    for folder in (slot, port):
        folder.mkdir(parents=True)
    (tmp_path / "infiniband" / "rocep1s0f1" / "device").symlink_to(slot)
    (slot / "net" / "enp1s0f1np1").mkdir(parents=True)
    (slot / "current_link_speed").write_text("32.0 GT/s PCIe\n")
    (port / "state").write_text("4: ACTIVE\n")
    (port / "rate").write_text("200 Gb/sec (4X HDR)\n")
    expected = {
        "state": "4: ACTIVE",
        "rate": "200 Gb/sec (4X HDR)",
        "layer": "",
        "pci_speed": "32.0 GT/s PCIe",
        "pci_width": "",
        "pci": "0000:01:00.1",
        "interfaces": ["enp1s0f1np1"],
    }

    assert expected == program.rdma(tmp_path / "infiniband" / "rocep1s0f1")


def test_a_long_log_loses_its_middle(program: ModuleType) -> None:
    """What a rank sends stays small, with the beginning and the end of the log."""
    text = "a" * 200_000 + "b" * 200_000

    assert "a" * 128_000 + "\n[...]\n" + "b" * 128_000 == program.shortened(text)
    assert "short" == program.shortened("short")


@pytest.mark.parametrize(
    "message,expected",
    [
        (
            (
                "NCCL error in: /pytorch/torch/csrc/distributed/c10d/NCCLUtils.cpp:94, invalid"
                " usage (run with NCCL_DEBUG=WARN for details), NCCL version 2.28.9\n"
                "ncclInvalidUsage: This usually reflects invalid usage of NCCL library.\n"
                "Last error:\n"
                "Bootstrap : no socket interface found"
            ),
            "Bootstrap : no socket interface found",
        ),
        (
            "recvValue failed\nException raised from recvBytes at Utils.hpp:682\nframe #0",
            "recvValue failed",
        ),
        ("", "ValueError('')"),
    ],
)
def test_an_error_in_a_sentence(program: ModuleType, message: str, expected: str) -> None:
    """NCCL's own words are told where there are any, and no stack."""
    assert expected == program.sentence(ValueError(message))


def test_a_refused_connection(program: ModuleType) -> None:
    """Why rank 0 cannot be reached is told in the system's words."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"127.0.0.1:{server.getsockname()[1]}"
        reached = program.refusal(address)

    assert ("", "Connection refused") == (reached, program.refusal(address))


def test_the_answer_of_a_gpu_is_one_line() -> None:
    """What was captured on an H100 is the program's whole output, on its last line."""
    captures = ROOT / "tests" / "captures" / "nccl" / "h100"
    lines = [path.read_text(encoding="utf-8").splitlines() for path in captures.glob("*.json")]

    assert 17 == len(lines)
    assert [1] * 17 == [len(text) for text in lines]
    assert all(json.loads(text[0])["world"] == 2 for text in lines)
