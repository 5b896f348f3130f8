"""`run-cluster-node` as a process: what it writes below a folder, and what Ray receives."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.container_machine import FILE, HEAD, ROOT, TOKEN, bash, handed_over, run, spark


@pytest.fixture(name="machine")
def _machine(tmp_path: Path) -> Path:
    """Return the root folder of a machine that can be a head."""
    return spark(tmp_path)


def test_head(machine: Path) -> None:
    """A head with a mounted token: three lines, the variables written down, and then Ray."""
    (machine / TOKEN).write_text("token-1\n", encoding="utf-8")
    expected = """\
run-cluster-node: head 192.168.177.11 on enp1s0f1np1, RDMA over rocep1s0f1
run-cluster-node: variables for every bash in this container: \
/etc/spark-vllm-cluster/environment.sh
run-cluster-node: ray start --block --head --port 6379 --include-dashboard=false \
--node-ip-address 192.168.177.11 --object-store-memory 1073741824 --disable-usage-stats
/bin/ray start --block --head --port 6379 --include-dashboard=false \
--node-ip-address 192.168.177.11 --object-store-memory 1073741824 --disable-usage-stats
"""
    written = """\
# Written by run-cluster-node at each start: the next start overwrites it.
export VLLM_HOST_IP=192.168.177.11
export RAY_ADDRESS=192.168.177.11:6379
export NCCL_SOCKET_IFNAME='=enp1s0f1np1'
export NCCL_IB_HCA='=rocep1s0f1'
export NCCL_IB_DISABLE=0
export NCCL_NET=IB
export GLOO_SOCKET_IFNAME=enp1s0f1np1
export TP_SOCKET_IFNAME=enp1s0f1np1
export UCX_NET_DEVICES=enp1s0f1np1
export OMPI_MCA_btl_tcp_if_include=enp1s0f1np1
export NCCL_IGNORE_CPU_AFFINITY=1
export RAY_memory_monitor_refresh_ms=0
export RAY_AUTH_MODE=token
export RAY_USAGE_STATS_ENABLED=0
export VLLM_NO_USAGE_STATS=1
export PYTORCH_CUDA_ALLOC_CONF=expandable_segments:True
export VLLM_ENGINE_READY_TIMEOUT_S=3600
export RAY_AUTH_TOKEN_PATH=/run/secrets/ray-token
"""

    assert run(machine, *HEAD) == (0, expected)
    assert written == (machine / FILE).read_text("utf-8").rpartition("export RUN_CLUSTER")[0]
    assert (machine / FILE).stat().st_mode & 0o777 == 0o644


def test_environment_of_ray(machine: Path) -> None:
    """Ray gets the variables of later shells, and those of the container."""
    run(machine, *HEAD, HF_TOKEN="hf_secret", LANG="C.UTF-8")
    shown = bash(machine, "env -0")[1].split("\0")
    later = dict(item.partition("=")[::2] for item in shown if item)
    ignored = {"BASH_ENV", "PATH", "PWD", "RUN", "RUN_CLUSTER_NODE_VARIABLES", "SHLVL", "_"}
    expected = {name: value for name, value in later.items() if name not in ignored}

    assert expected | {"HF_TOKEN": "hf_secret", "LANG": "C.UTF-8"} == handed_over(machine)


def test_second_run_in_a_shell_of_the_first(machine: Path) -> None:
    """Values of the first run do not count as the user's own: none is left."""
    run(machine, *HEAD)
    code, _ = bash(machine, '$RUN -r head -h 192.168.177.11 -e enp1s0f1np1 -i "" -p 6380')
    values = dict(
        line.removeprefix("export ").split("=", 1)
        for line in (machine / FILE).read_text("utf-8").splitlines()[1:]
    )

    assert code == 0
    assert values["RAY_ADDRESS"] == "192.168.177.11:6380"
    assert values["NCCL_IB_DISABLE"] == "1"
    assert {"NCCL_IB_HCA", "NCCL_NET"}.isdisjoint(values)
    assert {"NCCL_IB_HCA", "NCCL_NET"}.isdisjoint(handed_over(machine))
    assert "RUN_CLUSTER_NODE_VARIABLES" not in handed_over(machine)


def test_variables_of_the_container(machine: Path) -> None:
    """A configured value wins, and is not written: every shell has it anyway."""
    configured = {"NCCL_DEBUG": "INFO", "NCCL_IB_HCA": "=mine"}
    pairs = "".join(f"{name}={value}\0" for name, value in configured.items())
    (machine / "proc/1/environ").write_text(pairs, encoding="utf-8")
    run(machine, *HEAD, **configured)
    written = (machine / FILE).read_text("utf-8")

    assert configured == {name: handed_over(machine)[name] for name in configured}
    assert "NCCL_DEBUG" not in written
    assert "NCCL_IB_HCA" not in written


def test_typed_variables(machine: Path) -> None:
    """Variables of the calling shell are written to the file, except secrets."""
    run(machine, *HEAD, NCCL_DEBUG="a | b & 'c' \"$d\"\ne", HF_TOKEN="hf_secret")

    assert bash(machine, 'printf %s "$NCCL_DEBUG"') == (0, "a | b & 'c' \"$d\"\ne")
    assert "hf_secret" not in (machine / FILE).read_text("utf-8")


def test_token_is_never_shown(machine: Path) -> None:
    """A token in a variable reaches Ray, and is neither printed nor written."""
    code, printed = run(machine, *HEAD, RAY_AUTH_TOKEN="token-1")

    assert code == 0
    assert handed_over(machine)["RAY_AUTH_TOKEN"] == "token-1"
    assert "token-1" not in printed + (machine / FILE).read_text("utf-8")


def test_no_token(machine: Path) -> None:
    """Without a token Ray starts, and one line says what that means."""
    code, printed = run(machine, *HEAD)
    expected = (
        "run-cluster-node: warning: no token, so everyone who reaches Ray's ports can run programs"
        " on this machine (mount the same one on all nodes: "
        "docker run -v /path/to/token:/run/secrets/ray-token:ro)"
    )

    assert (code, expected) == (0, printed.splitlines()[-1])


def test_names_that_stay_on_the_head(machine: Path) -> None:
    """The file names for vLLM what belongs to one node; an existing file stays."""
    file = machine / "root/.config/vllm/ray_non_carry_over_env_vars.json"
    run(machine, *HEAD)
    first = json.loads(file.read_text("utf-8"))
    file.write_text("[]", encoding="utf-8")
    run(machine, *HEAD)

    assert "NCCL_IB_HCA" in first
    assert file.read_text("utf-8") == "[]"


def test_help(machine: Path) -> None:
    """`--help` comes before all checks."""
    code, printed = run(machine, "--role", "--help")

    assert (code, printed.splitlines()[3]) == (
        0,
        "  -r, --role     `head` on one machine, `node` (or `worker`) on every other",
    )


def test_dashboard(machine: Path) -> None:
    """Where Ray was installed with its dashboard, the head has it."""
    (machine / "lib/python3.12/site-packages/aiohttp_cors").mkdir(parents=True)
    _, printed = run(machine, *HEAD)

    assert "--include-dashboard=true --dashboard-host 127.0.0.1" in printed


def test_program_of_the_image() -> None:
    """The image's program is executable, and imports nothing but the standard library."""
    program = ROOT / "docker" / "run-cluster-node"
    statement = "import sys; from cluster.launcher import run_cluster_node; print(*sys.modules)"
    command = [
        sys.executable,
        "-IS",
        "-c",
        f"import sys; sys.path.insert(0, {str(ROOT)!r}); {statement}",
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    roots = {name.partition(".")[0] for name in done.stdout.split()}

    assert os.access(program, os.X_OK)
    assert {"cluster"} == roots - {*sys.stdlib_module_names, "__main__"}
