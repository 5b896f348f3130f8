"""`run-cluster-node` as a process where it cannot start: one line for each reason, and a code."""

from pathlib import Path

import pytest

from tests.container_machine import FILE, HEAD, TOKEN, run, script, spark


@pytest.fixture(name="machine")
def _machine(tmp_path: Path) -> Path:
    """Return the root folder of a machine that can be a head."""
    return spark(tmp_path)


def test_wrong_flags(machine: Path) -> None:
    """Wrong flags are settings that are wrong: exit code 2, and nothing is written."""
    expected = "run-cluster-node: --gpu: unknown flag (did you mean --gpus?)\n"

    assert run(machine, *HEAD, "--gpu", "1") == (2, expected)
    assert not (machine / FILE).exists()


def test_contradiction(machine: Path) -> None:
    """A variable that contradicts the flags is as wrong as a flag."""
    expected = (
        "run-cluster-node: VLLM_HOST_IP: is set in this container, but flags decide it: "
        "`10.0.0.1` (start the container without it)\n"
    )

    assert run(machine, *HEAD, VLLM_HOST_IP="10.0.0.1") == (2, expected)


def test_wrong_machine(machine: Path) -> None:
    """All that a machine lacks to be the node is reported at once: exit code 3."""
    (machine / "proc/7").mkdir()
    (machine / "proc/7/comm").write_text("raylet\n", encoding="utf-8")
    (machine / "sys/class/infiniband/rocep1s0f1").rename(machine / "sys/class/infiniband/mlx5_0")
    (machine / TOKEN).write_text("\n", encoding="utf-8")
    script(machine, "ip", "echo '[]'")
    expected = """\
run-cluster-node: /run/secrets/ray-token: has no readable token \
(mount one: docker run -v /path/to/token:/run/secrets/ray-token:ro)
run-cluster-node: Ray already runs in this container (stop it: `ray stop`)
run-cluster-node: --eth-if enp1s0f1np1 does not exist; interfaces: none \
(start the container with --net=host)
run-cluster-node: --ib-if rocep1s0f1 does not exist; RDMA devices: mlx5_0 (no port) \
(write the devices of the ConnectX link as --ib-if)
"""

    assert run(machine, *HEAD) == (3, expected)
    assert not (machine / FILE).exists()


def test_bare_machine(machine: Path) -> None:
    """A missing folder counts as an empty one."""
    for name in ("sys/class/infiniband/rocep1s0f1", "sys/class/infiniband", "dev/shm"):
        (machine / name).rmdir()
    code, printed = run(machine, *HEAD[:-1], "")

    assert code == 0
    assert printed.splitlines()[-1] == (
        "run-cluster-node: warning: shared memory has 0 of 0 MiB free, "
        "but Ray's object store needs 1024 MiB "
        "(start the container with --ipc=host or --shm-size=16g)"
    )


@pytest.mark.parametrize(
    "name, expected",
    [
        ("ip", "`ip` is not on the PATH (install iproute2)"),
        ("ray", "`ray` is not on the PATH (use the image that `inv build` makes)"),
    ],
)
def test_missing_program(machine: Path, name: str, expected: str) -> None:
    """A missing program is the node's failure: exit code 4."""
    (machine / "bin" / name).unlink()
    code, printed = run(machine, *HEAD, PATH=f"{machine}/bin")

    assert code == 4
    assert printed.splitlines()[-1] == f"run-cluster-node: {expected}"


def test_program_that_fails(machine: Path) -> None:
    """The error of `ip` is part of the message."""
    script(machine, "ip", "echo 'Operation not permitted' >&2; exit 1")
    expected = (
        "run-cluster-node: `ip` failed: Operation not permitted (see what `ip address` prints)\n"
    )

    assert run(machine, *HEAD) == (4, expected)


def test_file_in_the_way(machine: Path) -> None:
    """An error of the system about a file is shown without a traceback."""
    (machine / "etc").write_text("", encoding="utf-8")
    expected = "run-cluster-node: /etc/spark-vllm-cluster: Not a directory\n"

    assert run(machine, *HEAD) == (4, expected)
