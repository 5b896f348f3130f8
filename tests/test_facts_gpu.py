"""GPUs and who uses them, from what `nvidia-smi` 580 prints on an H100 and on a Spark."""

import pytest

from cluster.facts.gpu import Client, Gpu, Gpus, gpus

SPARK = Gpu(name="NVIDIA GB10", driver="580.95.05", clock=208)
H100 = Gpu(name="NVIDIA H100 80GB HBM3", driver="580.159.04", memory=81_559, clock=345)
LATE = Gpus(error="nvidia-smi: no answer within 10 s")


@pytest.mark.parametrize(
    "text, expected",
    [
        ("NVIDIA GB10, 580.95.05, [N/A], 208\n", Gpus(gpus=(SPARK,))),
        ("NVIDIA H100 80GB HBM3, 580.159.04, 81559, 345\n" * 2, Gpus(gpus=(H100, H100))),
        ("", Gpus()),
        ("nvidia-smi: not found\n", Gpus(error="nvidia-smi: not found")),
        ("nvidia-smi: no answer within 10 s\n", LATE),
        ("Unable to\nnvidia-smi: no answer within 10 s\n", LATE),
        ("No devices were found\n", Gpus(error="No devices were found")),
        (
            (
                "Failed to initialize NVML: Driver/library version mismatch\n"
                "NVML library version: 580.95\n"
            ),
            Gpus(error="Failed to initialize NVML: Driver/library version mismatch"),
        ),
    ],
)
def test_gpus(text: str, expected: Gpus) -> None:
    """Each row is a GPU; without a row, the first line is the error."""
    assert expected == gpus({"gpus": text})


@pytest.mark.parametrize(
    "answer, expected",
    [(LATE, True), (Gpus(error="nvidia-smi: not found"), False), (Gpus(), False)],
)
def test_silent(answer: Gpus, expected: bool) -> None:  # noqa: FBT001 (the expected value)
    """A program that times out does not mean that there are no GPUs."""
    assert expected == answer.silent


def test_clients() -> None:
    """Each process that uses a GPU has a row; a Spark may not list listed memory."""
    text = "643, python3, 612\n7, /opt/a, b/VLLM::EngineCore, [N/A]\nNo running processes found\n"
    expected = (
        Client(pid=643, name="python3", memory=612),
        Client(pid=7, name="/opt/a, b/VLLM::EngineCore"),
    )

    assert Gpus(clients=expected) == gpus({"clients": text})


@pytest.mark.parametrize("gpu, expected", [(SPARK, True), (H100, False)])
def test_unified(gpu: Gpu, expected: bool) -> None:  # noqa: FBT001 (the expected value)
    """A GPU without memory of its own uses the machine's."""
    assert expected == gpu.unified
