"""`run-cluster-node` as a process: what it writes below a folder, and what it hands to Ray.

`ip` and `ray` are scripts of the test here; in a container, with the real ones, is a live test.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PROGRAM = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from cluster.effects.launching import main
sys.exit(main(sys.argv[3:], Path(sys.argv[2])))
"""
HEAD = (
    *("--role", "head", "--host-ip", "192.168.177.11"),
    *("--eth-if", "enp1s0f1np1", "--ib-if", "rocep1s0f1"),
)
LINK = {
    "ifname": "enp1s0f1np1",
    "operstate": "UP",
    "addr_info": [{"family": "inet", "local": "192.168.177.11"}],
}
FILE = "etc/spark-vllm-cluster/environment.sh"
TOKEN = "run/secrets/ray-token"


@pytest.fixture(name="machine")
def _machine(tmp_path: Path) -> Path:
    """Return the root folder of a machine that can be a head."""
    for folder in ("bin", "sys/class/infiniband/rocep1s0f1", "dev/infiniband/uverbs0", "dev/shm"):
        (tmp_path / folder).mkdir(parents=True)
    for folder in ("proc/1", "proc/self", "root", "run/secrets"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "proc/1/environ").write_bytes(b"HOME=/root\0")
    (tmp_path / "proc/1/comm").write_bytes(b"docker-init\n")
    (tmp_path / "proc/self/status").write_text("CapEff:\t000001ffffffffff\n", encoding="utf-8")
    (tmp_path / "program").write_text(PROGRAM, encoding="utf-8")
    script(tmp_path, "ip", f"echo '{json.dumps([LINK])}'")
    script(tmp_path, "ray", f'echo "$0" "$@"; env -0 > {tmp_path}/seen')
    return tmp_path


def script(machine: Path, name: str, text: str) -> None:
    """Put a shell script on the PATH of a machine."""
    file = machine / "bin" / name
    file.write_text(f"#!/bin/sh\n{text}\n", encoding="utf-8")
    file.chmod(0o755)


def run(machine: Path, *argv: str, **variables: str) -> tuple[int, str]:
    """Run the program; return its exit code and what it printed, output before errors."""
    environ = {"PATH": f"{machine}/bin:/usr/bin:/bin", "HOME": "/root", **variables}
    done = subprocess.run(
        [sys.executable, "-IS", f"{machine}/program", str(ROOT), str(machine), *argv],
        env=environ,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, (done.stdout + done.stderr).replace(str(machine), "")


def handed_over(machine: Path) -> dict[str, str]:
    """Return the environment that Ray got."""
    pairs = (item.partition("=") for item in (machine / "seen").read_text("utf-8").split("\0"))
    return {name: value for name, _, value in pairs if name not in {"", "PWD", "PATH"}}


def bash(machine: Path, command: str) -> tuple[int, str]:
    """Run the program in a bash that reads the variables first, as every bash of the image does."""
    environ = {
        "PATH": f"{machine}/bin:/usr/bin:/bin",
        "HOME": "/root",
        "BASH_ENV": str(machine / FILE),
        "RUN": f"{sys.executable} -IS {machine}/program {ROOT} {machine}",
    }
    done = subprocess.run(
        ["bash", "-c", command], env=environ, capture_output=True, text=True, check=False
    )
    return done.returncode, done.stdout + done.stderr


def test_head(machine: Path) -> None:
    """A head with a mounted token: three lines, the variables written down, and then Ray."""
    (machine / TOKEN).write_text("token-1\n", encoding="utf-8")
    expected = """\
run-cluster-node: head 192.168.177.11 on enp1s0f1np1, RDMA by rocep1s0f1
run-cluster-node: variables for every bash in this container: \
/etc/spark-vllm-cluster/environment.sh
run-cluster-node: ray start --block --head --port 6379 --include-dashboard=false \
--node-ip-address 192.168.177.11 --object-store-memory 1073741824 --disable-usage-stats
/bin/ray start --block --head --port 6379 --include-dashboard=false \
--node-ip-address 192.168.177.11 --object-store-memory 1073741824 --disable-usage-stats
"""
    written = """\
# Written by run-cluster-node at each start: the next one writes it anew.
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
    """Ray gets exactly what later shells have, beside what the container was given."""
    run(machine, *HEAD, HF_TOKEN="hf_secret", LANG="C.UTF-8")
    shown = bash(machine, "env -0")[1].split("\0")
    later = dict(item.partition("=")[::2] for item in shown if item)
    own = {"BASH_ENV", "PATH", "PWD", "RUN", "RUN_CLUSTER_NODE_VARIABLES", "SHLVL", "_"}
    expected = {name: value for name, value in later.items() if name not in own}

    assert expected | {"HF_TOKEN": "hf_secret", "LANG": "C.UTF-8"} == handed_over(machine)


def test_second_run_in_a_shell_of_the_first(machine: Path) -> None:
    """Values of the first run are no wishes of the user: nothing of them is left."""
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
    """A configured value wins, and is left to the container, which gives it to every shell."""
    configured = {"NCCL_DEBUG": "INFO", "NCCL_IB_HCA": "=mine"}
    pairs = "".join(f"{name}={value}\0" for name, value in configured.items())
    (machine / "proc/1/environ").write_text(pairs, encoding="utf-8")
    run(machine, *HEAD, **configured)
    written = (machine / FILE).read_text("utf-8")

    assert configured == {name: handed_over(machine)[name] for name in configured}
    assert "NCCL_DEBUG" not in written
    assert "NCCL_IB_HCA" not in written


def test_typed_variables(machine: Path) -> None:
    """What only the calling shell has is written down, but for secrets."""
    run(machine, *HEAD, NCCL_DEBUG="a | b & 'c' \"$d\"\ne", HF_TOKEN="hf_secret")

    assert bash(machine, 'printf %s "$NCCL_DEBUG"') == (0, "a | b & 'c' \"$d\"\ne")
    assert "hf_secret" not in (machine / FILE).read_text("utf-8")


def test_token_is_never_shown(machine: Path) -> None:
    """A token in a variable is handed over, and neither printed nor written."""
    code, printed = run(machine, *HEAD, RAY_AUTH_TOKEN="token-1")

    assert code == 0
    assert handed_over(machine)["RAY_AUTH_TOKEN"] == "token-1"
    assert "token-1" not in printed + (machine / FILE).read_text("utf-8")


def test_no_token(machine: Path) -> None:
    """Without a token Ray starts, and one line says what that means."""
    code, printed = run(machine, *HEAD)
    expected = (
        "run-cluster-node: warning: no token, so whoever reaches Ray's ports can run programs here "
        "(mount the same one on all nodes: "
        "docker run -v /path/to/token:/run/secrets/ray-token:ro)"
    )

    assert (code, expected) == (0, printed.splitlines()[-1])


def test_names_that_stay_on_the_head(machine: Path) -> None:
    """The file tells vLLM what belongs to one node; one that is there already stays."""
    file = machine / "root/.config/vllm/ray_non_carry_over_env_vars.json"
    run(machine, *HEAD)
    first = json.loads(file.read_text("utf-8"))
    file.write_text("[]", encoding="utf-8")
    run(machine, *HEAD)

    assert "NCCL_IB_HCA" in first
    assert file.read_text("utf-8") == "[]"


def test_help(machine: Path) -> None:
    """Help comes before all checks, whatever else is said."""
    code, printed = run(machine, "--role", "--help")

    assert (code, printed.splitlines()[3]) == (
        0,
        "  -r, --role     `head` on one machine, `node` (or `worker`) on every other",
    )


def test_wrong_flags(machine: Path) -> None:
    """Wrong flags are settings that are wrong: exit code 2, and nothing is written."""
    expected = "run-cluster-node: --gpu: is no flag (did you mean --gpus?)\n"

    assert run(machine, *HEAD, "--gpu", "1") == (2, expected)
    assert not (machine / FILE).exists()


def test_contradiction(machine: Path) -> None:
    """A variable against the flags is as wrong as a flag."""
    expected = (
        "run-cluster-node: VLLM_HOST_IP: is set in this container, but flags decide it: "
        "`10.0.0.1` (start the container without it)\n"
    )

    assert run(machine, *HEAD, VLLM_HOST_IP="10.0.0.1") == (2, expected)


def test_wrong_machine(machine: Path) -> None:
    """A machine that cannot be the node is told all that it lacks: exit code 3."""
    (machine / "proc/7").mkdir()
    (machine / "proc/7/comm").write_text("raylet\n", encoding="utf-8")
    (machine / "sys/class/infiniband/rocep1s0f1").rename(machine / "sys/class/infiniband/mlx5_0")
    (machine / TOKEN).write_text("\n", encoding="utf-8")
    script(machine, "ip", "echo '[]'")
    expected = """\
run-cluster-node: /run/secrets/ray-token: holds no token that can be read \
(mount one: docker run -v /path/to/token:/run/secrets/ray-token:ro)
run-cluster-node: Ray runs here already (end it: `ray stop`)
run-cluster-node: --eth-if: there is no interface enp1s0f1np1; there is none but lo \
(start the container with --net=host)
run-cluster-node: --ib-if: there is no RDMA device rocep1s0f1; here: mlx5_0 \
(`ibdev2netdev` pairs them with interfaces)
"""

    assert run(machine, *HEAD) == (3, expected)
    assert not (machine / FILE).exists()


def test_bare_machine(machine: Path) -> None:
    """Folders that a machine does not have stand for devices that it does not have."""
    for name in ("sys/class/infiniband/rocep1s0f1", "sys/class/infiniband", "dev/shm"):
        (machine / name).rmdir()
    code, printed = run(machine, *HEAD[:-1], "")

    assert code == 0
    assert printed.splitlines()[-1] == (
        "run-cluster-node: warning: 0 MiB of shared memory are free, "
        "Ray's object store wants 1024 MiB "
        "(start the container with --ipc=host or --shm-size=16g)"
    )


@pytest.mark.parametrize(
    "name, expected",
    [
        ("ip", "`ip` is not on PATH (install iproute2)"),
        ("ray", "`ray` is not on PATH (use the image that `inv build` makes)"),
    ],
)
def test_missing_program(machine: Path, name: str, expected: str) -> None:
    """A program that is not there is the node's failure: exit code 4."""
    (machine / "bin" / name).unlink()
    code, printed = run(machine, *HEAD, PATH=f"{machine}/bin")

    assert code == 4
    assert printed.splitlines()[-1] == f"run-cluster-node: {expected}"


def test_program_that_fails(machine: Path) -> None:
    """What `ip` complains about is handed on."""
    script(machine, "ip", "echo 'Operation not permitted' >&2; exit 1")
    expected = "run-cluster-node: `ip` failed: Operation not permitted (look at `ip address`)\n"

    assert run(machine, *HEAD) == (4, expected)


def test_file_in_the_way(machine: Path) -> None:
    """What the system says about a file is told without a traceback."""
    (machine / "etc").write_text("", encoding="utf-8")
    expected = "run-cluster-node: /etc/spark-vllm-cluster: Not a directory\n"

    assert run(machine, *HEAD) == (4, expected)


def test_dashboard(machine: Path) -> None:
    """Where Ray was installed with its dashboard, the head has it."""
    (machine / "lib/python3.12/site-packages/aiohttp_cors").mkdir(parents=True)
    _, printed = run(machine, *HEAD)

    assert "--include-dashboard=true --dashboard-host 127.0.0.1" in printed


def test_program_of_the_image() -> None:
    """The image's program is executable, and imports nothing but the standard library."""
    program = ROOT / "docker" / "run-cluster-node"
    statement = "import sys; from cluster.effects import launching; print(*sys.modules)"
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
