"""The verbs as they are typed: exit code, output and errors, without a network or a process."""

import shlex
import subprocess
import sys
from collections.abc import Callable

import pytest
from invoke.main import program

import tasks
from cluster.plan import plans, script
from cluster.session import runtime
from tests.clone import Said
from tests.clusters import REHEARSAL, ROOT

Inv = Callable[..., Said]
LIST = """\
Available tasks:

  build      Build the image that the containers run.
  config     Show the settings, and where each value comes from.
  doctor     Say why the cluster will not work, or not well, and what to do
             about it.
  down       Stop everything of this cluster, and remove what it left.
  env        Print the environment of a node's container.
  exec       Run the command after `--` on the head, or on the nodes that are
             named.
  head       Start Ray's head, and wait until it answers.
  logs       Show the logs of Ray and the server, each line with its node.
  nccl       Measure how fast the nodes are together, and which way NCCL takes.
  probe      Propose env files from what machines say of themselves; their
             names go after `--`.
  rehearse   Run the main job on this machine: up, serve, one completion, down.
  serve      Serve a model on all GPUs; flags for `vllm serve` go after `--`.
  shell      Open a shell on a node, with all its variables.
  ship       Copy the image to all nodes that lack it, over the fast link.
  status     Show nodes and server; the exit code is 0 only when all is well.
  test       Pass the project's own checks: lint, types and unit tests.
  up         Start the head and all workers, and wait until the cluster is
             whole.
  worker     Start Ray on the workers, and wait until they have joined.

"""
VARIABLES = {
    "VLLM_HOST_IP": "192.168.177.12",
    "RAY_ADDRESS": "192.168.177.11:6379",
    "NCCL_SOCKET_IFNAME": "=enp1s0f1np1",
    "NCCL_IB_DISABLE": "1",
    "GLOO_SOCKET_IFNAME": "enp1s0f1np1",
    "TP_SOCKET_IFNAME": "enp1s0f1np1",
    "UCX_NET_DEVICES": "enp1s0f1np1",
    "OMPI_MCA_btl_tcp_if_include": "enp1s0f1np1",
    "NCCL_IGNORE_CPU_AFFINITY": "1",
    "RAY_memory_monitor_refresh_ms": "0",
    "RAY_AUTH_MODE": "token",
    "RAY_USAGE_STATS_ENABLED": "0",
    "VLLM_NO_USAGE_STATS": "1",
    "PYTORCH_CUDA_ALLOC_CONF": "expandable_segments:True",
    "VLLM_ENGINE_READY_TIMEOUT_S": "3600",
    "RAY_AUTH_TOKEN_PATH": f"{ROOT}/.state/rehearsal/ray-token",
    "VLLM_CPU_CI_ENV": "1",
    "TORCHDYNAMO_DISABLE": "1",
    "HF_HUB_OFFLINE": "1",
}


@pytest.fixture(name="inv")
def _inv(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Inv:
    """Run a verb in this process."""
    monkeypatch.chdir(ROOT)

    def run(*arguments: str) -> Said:
        monkeypatch.setattr(sys, "argv", ["inv", *arguments])
        code = 0
        try:
            program.run(sys.argv)
        except SystemExit as end:
            code = int(end.code or 0)
        return Said(code, *capsys.readouterr())

    return run


def refused(sentence: str, code: int) -> Said:
    """Return a run that does nothing but say what is wrong."""
    return Said(code, "", f"{sentence}\n")


def served(out: str) -> list[str]:
    """Return the words of the printed `vllm serve` line."""
    (line,) = (line for line in out.splitlines() if " vllm serve " in line)
    words = shlex.split(line.removesuffix("\\"))
    return words[words.index("vllm") :]


def places() -> set[str]:
    """Return what is in the repository's folder, beside what Python and coverage leave."""
    left = ("__pycache__", ".coverage")
    return {path.name for path in ROOT.iterdir() if not path.name.startswith(left)}


def test_list(inv: Inv) -> None:
    """The verbs are listed, each with a sentence."""
    assert Said(0, LIST, "") == inv("--list")


@pytest.mark.parametrize(
    "words", [("--dry", "up", "--cluster", "rehearsal"), ("up", "--dry", "--cluster", "rehearsal")]
)
def test_dry(inv: Inv, words: tuple[str, ...]) -> None:
    """Wherever `--dry` stands, the plan is printed, and nothing else."""
    expected = script.text(plans.up(REHEARSAL, runtime(REHEARSAL)))

    assert Said(0, expected, "") == inv(*words)


def test_dry_leaves_nothing(inv: Inv) -> None:
    """A verb that only prints makes no file and no folder."""
    before = places()
    for verb in ("head", "worker", "up", "serve", "down", "rehearse"):
        assert (0, "") == inv(verb, "--dry", "--cluster", "rehearsal")[::2]

    assert before == places()


def test_flags_for_vllm() -> None:
    """What stands after `--` reaches `vllm serve` word for word, JSON and quotes as well."""
    extra = ["--speculative-config", '{"method": "ngram", "a": "it\'s $HOME"}', "--seed=1", ""]
    command = ["-m", "invoke", "serve", "--dry", "--cluster", "rehearsal", "--tp", "1", "--"]
    run = subprocess.run(
        [sys.executable, *command, *extra], check=False, capture_output=True, text=True, cwd=ROOT
    )

    assert (0, "") == (run.returncode, run.stderr)
    assert [
        *("vllm", "serve", f"{ROOT}/.rehearsal/model", "--host", "0.0.0.0", "--port", "8888"),  # noqa: S104 (printed)
        *("--gpu-memory-utilization", "0.7", "--tensor-parallel-size", "1"),
        *("--distributed-executor-backend", "ray", "--max-model-len", "1024"),
        *REHEARSAL.serve_args,
        *extra,
    ] == served(run.stdout)


@pytest.mark.parametrize(
    "words, sentence, code",
    [
        pytest.param(
            "up --cluster rehearsal2",
            "env/rehearsal2/: no such cluster (did you mean rehearsal?)",
            2,
            id="cluster",
        ),
        pytest.param(
            "serve --cluster rehearsal --tp 3",
            "inv serve: --tp: 3 GPUs wanted, the cluster has 2"
            " (at most 2 in all, or describe more nodes)",
            3,
            id="more GPUs than there are",
        ),
        pytest.param(
            "serve --cluster rehearsal --port x --max-model-len 4k",
            "inv serve: --port: should be a TCP port: `x` (write a number from 1 to 65535)\n"
            "inv serve: --max-model-len: should be a number of tokens: `4k`"
            " (write a number from 1 to 100000000)",
            3,
            id="no numbers",
        ),
        pytest.param(
            "serve --cluster rehearsal -- --api-key k",
            "inv serve: --api-key: would show a secret in the list of processes"
            " (set VLLM_API_KEY in env/rehearsal/cluster.env)",
            3,
            id="a secret",
        ),
        pytest.param(
            "serve --cluster rehearsal --bogus", "No idea what '--bogus' is!", 1, id="unknown flag"
        ),
        pytest.param(
            "env --node spark3 --cluster rehearsal",
            "--node spark3: no such node in cluster rehearsal (did you mean spark2?)",
            3,
            id="node",
        ),
        pytest.param(
            "env --node spark1 --cluster rehearsal --format yaml",
            "--format: no such format: `yaml` (one of dotenv, shell, docker, json)",
            3,
            id="format",
        ),
        pytest.param("nothing", "No idea what 'nothing' is!", 1, id="verb"),
    ],
)
def test_refused(inv: Inv, words: str, sentence: str, code: int) -> None:
    """What cannot be done is a sentence on standard error and an exit code, dry or not."""
    verb, *flags = words.split()

    assert refused(sentence, code) == inv(verb, *flags)
    assert refused(sentence, code) == inv("--dry", verb, *flags)


@pytest.mark.parametrize(
    "form, expected",
    [
        ("dotenv", [f"{name}={value}" for name, value in VARIABLES.items()]),
        ("shell", [f"export {name}={value}" for name, value in VARIABLES.items()]),
        ("docker", [f"{name}={value}" for name, value in VARIABLES.items()]),
        (
            "json",
            [
                "{",
                *(f'  "{name}": "{value}",' for name, value in list(VARIABLES.items())[:-1]),
                '  "HF_HUB_OFFLINE": "1"',
                "}",
            ],
        ),
    ],
)
def test_env(inv: Inv, form: str, expected: list[str]) -> None:
    """The environment of a node is printed for the program that is to read it."""
    said = inv("env", "--node", "spark2", "--cluster", "rehearsal", "--format", form)
    lines = [line.replace("'", "") for line in said.out.splitlines()]

    assert (0, expected, "") == (said.code, lines, said.err)


def test_config(inv: Inv) -> None:
    """The settings are a table of four columns, one value a line."""
    said = inv("config", "--cluster", "rehearsal")
    rows = [line.split(maxsplit=2) for line in said.out.splitlines()]
    keys = [f"{section} {key}" for section, key, _ in rows]

    assert (0, "") == (said.code, said.err)
    assert [
        *("cluster RUNTIME", "cluster IMAGE", "cluster CONTAINER", "cluster ACCELERATOR"),
        *("cluster SHM_SIZE", "cluster HF_CACHE", "cluster PRIVILEGED"),
        *("cluster SUBNET", "cluster HEAD_PORT", "cluster DASHBOARD"),
        *("cluster OBJECT_STORE_MEMORY", "cluster SERVE_HOST", "cluster SERVE_PORT"),
        *("cluster MODEL", "cluster GPU_MEMORY_UTILIZATION", "cluster MAX_MODEL_LEN"),
        "cluster SERVE_ARGS",
        *(f"cluster {name}" for name, _ in REHEARSAL.variables),
        *("spark1 ROLE", "spark1 HOST_IP", "spark1 ETH_IF", "spark1 IB_IF", "spark1 HEAD_IP"),
        *("spark1 SSH_HOST", "spark1 GPUS"),
        *("spark2 ROLE", "spark2 HOST_IP", "spark2 ETH_IF", "spark2 IB_IF", "spark2 HEAD_IP"),
        *("spark2 SSH_HOST", "spark2 GPUS"),
    ] == keys


def test_short_options() -> None:
    """`-c` is `--cluster` wherever a verb has it."""
    flags = {context.name: context.flags for context in tasks.ns.to_contexts()}
    short = {name for name, its in flags.items() if "--cluster" in its and "-c" in its}

    assert {name for name, its in flags.items() if "--cluster" in its} == short
    assert [] == [name for name in short if "cluster" not in flags[name]["-c"].names]
