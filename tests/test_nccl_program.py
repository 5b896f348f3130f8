"""docker/nccl.py without PyTorch; the live tests run it with PyTorch."""

import importlib.util
import json
import socket
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from cluster.bandwidth.rank_answer import rank_answer
from cluster.bandwidth.ranks import arguments, buffer_sizes, ranks
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


def test_arguments(program: ModuleType) -> None:
    """The program parses the arguments of `inv nccl`."""
    (_, rank) = ranks(SPARKS)
    options = program.parser().parse_args(arguments(rank, buffer_sizes("1g"), 29520))

    assert (1, 2, "192.168.177.11:29520", buffer_sizes("1g"), 180.0) == (
        options.rank,
        options.world,
        options.master,
        options.sizes,
        options.deadline,
    )


def test_the_default_sizes_are_the_same(program: ModuleType) -> None:
    """Without options the program measures the same sizes as `inv nccl`."""
    assert buffer_sizes("256m") == program.SIZES


@pytest.mark.parametrize("words", ["1023", "1073741825", "8388608,17179869184", "much"])
def test_sizes_that_are_refused(
    program: ModuleType, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """No caller can ask for a buffer that freezes a machine."""
    with pytest.raises(SystemExit):
        program.parser().parse_args(
            ["--rank", "0", "--world", "2", "--master", "h:1", "--sizes", words]
        )

    assert "--sizes" in capsys.readouterr().err


def test_an_error_is_an_answer(tmp_path: Path) -> None:
    """Without PyTorch the last line is JSON with the error, and no folder is left."""
    command = [sys.executable, "-S", str(PROGRAM), "--rank", "0", "--world", "2"]
    done = subprocess.run(
        [*command, "--master", "127.0.0.1:1"],
        check=False,
        capture_output=True,
        text=True,
        env={"TMPDIR": str(tmp_path)},
    )
    answer = rank_answer(done.stdout)

    assert answer
    assert (1, "No module named 'torch'", "import torch", "") == (
        done.returncode,
        answer.error,
        answer.stage,
        done.stderr,
    )
    assert [] == list(tmp_path.iterdir())


@pytest.mark.skipif(sys.platform != "linux", reason="sysfs is Linux's")
def test_the_network(program: ModuleType) -> None:
    """The answer lists every interface of this machine."""
    expected = {name for _, name in socket.if_nameindex()}

    assert expected == set(program.network()["interfaces"])


def test_an_rdma_device(program: ModuleType, tmp_path: Path) -> None:
    """A device has the values of sysfs; a missing file is an empty value."""
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
    """An answer stays small, with the beginning and the end of the log."""
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
def test_the_sentence_of_an_error(program: ModuleType, message: str, expected: str) -> None:
    """An error is NCCL's own message if there is one, without a stack."""
    assert expected == program.sentence(ValueError(message))


def test_a_refused_connection(program: ModuleType) -> None:
    """The system's message tells why rank 0 cannot be reached."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"127.0.0.1:{server.getsockname()[1]}"
        reached = program.refusal(address)

    assert ("", "Connection refused") == (reached, program.refusal(address))


def test_the_answer_of_a_gpu_is_one_line() -> None:
    """The output that was captured on an H100 is one line."""
    captures = ROOT / "tests" / "captures" / "nccl" / "h100"
    lines = [path.read_text(encoding="utf-8").splitlines() for path in captures.glob("*.json")]

    assert 17 == len(lines)
    assert [1] * 17 == [len(text) for text in lines]
    assert all(json.loads(text[0])["world"] == 2 for text in lines)
