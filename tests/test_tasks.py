"""The verbs as they are typed: exit code, output and errors, without a network or a process."""

import json
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path

import nox
import pytest
from invoke import Program
from invoke.main import program as plain_invoke

import tasks
from cluster.machine import program, terminal
from cluster.machine.program import SparkProgram
from cluster.plan import plans, script
from cluster.session import runtime
from tests.clone import RunResult
from tests.clusters import REHEARSAL, ROOT

Inv = Callable[..., RunResult]
START_PAGE = """\
inv VERB [--options]

  rehearse  Run the whole journey on this machine, without a GPU.
  probe     Propose env files from what the machines report.
  doctor    Find what keeps the cluster from working well.
  config    Show every setting and where its value comes from.
  env       Print the environment variables of a node.
  build     Build the image that the containers run.
  ship      Copy the image to the nodes over the fast link.
  up        Start the head and all workers.
  head      Start Ray on the head.
  worker    Start Ray on the workers.
  nccl      Measure the bandwidth between the nodes.
  serve     Serve a model on all GPUs.
  status    Show the state of the nodes and the server.
  logs      Show the logs of Ray and the server.
  exec      Run a command on the head, or on other nodes.
  shell     Open a shell on a node.
  down      Stop the cluster and clean up after it.
  test      Run this project's own checks: lint, types, unit tests.

  -R, --dry      print the commands of a verb without running them
  -h, --help     show this page, or the options of a verb
  -V, --version  show the version

`inv help VERB` shows the options of a verb.
Next: """
LOGS_PAGE = """\
inv logs [--options] [NODE]...

Show the logs of Ray and the server.

  -f, --follow           keep printing new lines until Ctrl-C
      --lines LINES      number of lines to show from the end of each log
  -e, --explain          diagnose the logs: what failed, why and what to do;
                         exits 1 if anything failed
  -n, --node NODE        only this node (repeatable)
  -c, --cluster CLUSTER  cluster to use: a folder in env/, or `default` for env/
                         itself
  -j, --json             print JSON (with --explain)
"""
LETTERS = {
    "cluster": "c",
    "detach": "d",
    "explain": "e",
    "follow": "f",
    "json": "j",
    "keep": "k",
    "model": "m",
    "node": "n",
    "port": "p",
    "tag": "t",
    "write": "w",
}
SERVE_DRY = ("serve", "--dry", "--cluster", "rehearsal", "--tp", "1")
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


@pytest.fixture(name="run")
def _run(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Callable[..., RunResult]:
    """Run a program in this process, in a terminal of 80 columns."""
    monkeypatch.chdir(ROOT)
    monkeypatch.setenv("COLUMNS", "80")

    def run(invoke: Program, *arguments: str) -> RunResult:
        monkeypatch.setattr(sys, "argv", ["inv", *arguments])
        code = 0
        try:
            invoke.run(sys.argv)
        except SystemExit as end:
            code = int(end.code or 0)
        return RunResult(code, *capsys.readouterr())

    return run


@pytest.fixture(name="inv")
def _inv(run: Callable[..., RunResult]) -> Inv:
    """Run a verb as `./inv` does."""
    return partial(run, SparkProgram(tasks.ns))


@pytest.fixture(name="plain")
def _plain(run: Callable[..., RunResult]) -> Inv:
    """Run a verb with Invoke alone, as an `inv` of the system does."""
    return partial(run, plain_invoke)


def refused(sentence: str, code: int) -> RunResult:
    """Return the outcome of a run that only prints an error."""
    return RunResult(code, "", f"{sentence}\n")


def served(out: str) -> list[str]:
    """Return the words of the printed `vllm serve` line."""
    (line,) = (line for line in out.splitlines() if " vllm serve " in line)
    words = shlex.split(line.removesuffix("\\"))
    return words[words.index("vllm") :]


def places() -> set[str]:
    """Return the entries of the repository's folder, without those of Python and coverage."""
    left = ("__pycache__", ".coverage")
    return {path.name for path in ROOT.iterdir() if not path.name.startswith(left)}


@pytest.mark.parametrize("words", ["", "help", "-h", "--help", "--list", "-l"])
def test_start_page(inv: Inv, words: str) -> None:
    """Without a verb, the verbs are listed in the order of the journey, and the next step."""
    page = inv(*words.split())

    assert (0, START_PAGE, "") == (page.code, page.out[: len(START_PAGE)], page.err)


@pytest.mark.parametrize("words", ["help logs", "logs -h", "logs --help", "-h logs", "logs x -h"])
def test_page_of_a_verb(inv: Inv, words: str) -> None:
    """All ways to ask for help on a verb show the same page."""
    assert RunResult(0, LOGS_PAGE, "") == inv(*words.split())


def test_every_option_is_explained(inv: Inv) -> None:
    """Every option of every verb has a meaning on the verb's page."""
    usage = SparkProgram(tasks.ns).usage.verbs.values()

    assert [] == [
        f"{verb.name} {option.names[0]}"
        for verb in usage
        for option in verb.options
        if not option.help
    ]


def test_summaries_are_short() -> None:
    """The first line of each description is an imperative sentence of under 60 characters."""
    summaries = [verb.summary for verb in SparkProgram(tasks.ns).usage.verbs.values()]

    assert [] == [line for line in summaries if len(line) >= 60 or not line.endswith(".")]


def test_letters() -> None:
    """An option has the letter of the table wherever a verb has the option, or none."""
    options = [option for verb in tasks.ns.tasks.values() for option in verb.get_arguments()]
    letters = {option.names[0]: option.names[1:] for option in options}

    assert LETTERS == {name: "".join(letter) for name, letter in letters.items() if letter}
    assert [] == [
        option.names for option in options if option.names[1:] != letters[option.names[0]]
    ]


def test_letters_of_the_program() -> None:
    """The program's own letters are none of those that options of verbs have."""
    letters = {name for option in SparkProgram(tasks.ns).core_args() for name in option.names[1:]}

    assert {"R", "V", "h", "l"} == letters
    assert set() == letters & set(LETTERS.values())


def test_version(inv: Inv) -> None:
    """The version is that of this project."""
    version = nox.project.load_toml(ROOT / "pyproject.toml")["project"]["version"]

    assert RunResult(0, f"spark-vllm-cluster {version}\n", "") == inv("--version")


def test_other_formats_of_the_list(inv: Inv) -> None:
    """The verbs are also there as JSON, in Invoke's own form."""
    listing = inv("--list", "--list-format", "json")

    assert set(tasks.ns.tasks) == {task["name"] for task in json.loads(listing.out)["tasks"]}


def test_plain_invoke(plain: Inv) -> None:
    """Invoke itself lists the verbs, and takes the explicit forms."""
    expected = script.text(plans.up(REHEARSAL, runtime(REHEARSAL)))

    assert "Serve a model on all GPUs." in plain("--list").out
    assert RunResult(0, expected, "") == plain("--dry", "up", "--cluster", "rehearsal")
    line = served(plain(*SERVE_DRY, "--model", "./x", "--", "--seed", "1").out)
    assert (f"{ROOT}/x", ["--seed", "1"]) == (line[2], line[-2:])


def test_positional_words(inv: Inv) -> None:
    """A model without `--model`, and a command without `--`, are what the person meant."""
    by_position = inv("exec", "--dry", "--cluster", "rehearsal", "ls", "-l", "--dry")
    explicit = inv("exec", "--dry", "--cluster", "rehearsal", "--", "ls", "-l", "--dry")

    line = served(inv(*SERVE_DRY, "./x", "--", "--seed", "1").out)
    assert (f"{ROOT}/x", ["--seed", "1"]) == (line[2], line[-2:])
    assert (0, explicit.out) == (by_position.code, by_position.out)
    assert by_position.out.endswith(" ls -l --dry\n")


@pytest.mark.parametrize(
    "called, command",
    [("./inv", "./inv"), ("../a b/inv", "'../a b/inv'"), ("sh", "sh"), (shutil.which("sh"), "sh")],
)
def test_messages_name_the_command(
    called: str, command: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Results and errors call the program as the user did: by its path, or its name on the PATH."""
    monkeypatch.setattr(terminal.Invocation, "command", "inv")
    monkeypatch.setattr(sys, "argv", [])
    for words in (["help", "up"], ["--dry", "up", "--cluster", "examples/two-sparks"], ["stats"]):
        with suppress(SystemExit):
            program.main(tasks.ns, called, words)
    output = capsys.readouterr()

    assert output.out.startswith(f"{command} up [--options]\n")
    assert f"\n{command} doctor --fast --cluster examples/two-sparks\n" in output.out
    assert f"{command}: no such verb: `stats` (did you mean status?)\n" == output.err


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_scripts(inv: Inv, shell: str) -> None:
    """Each shell gets a script of its own."""
    expected = (ROOT / f"cluster/machine/completion.{shell}").read_text(encoding="utf-8")

    assert RunResult(0, expected, "") == inv("--print-completion-script", shell)


def test_no_completion_script(inv: Inv) -> None:
    """The shells are named when there is no script for one."""
    sentence = "--print-completion-script: no such shell: `csh` (one of bash, fish, zsh)"

    assert refused(sentence, 1) == inv("--print-completion-script", "csh")


@pytest.mark.parametrize(
    "words, expected",
    [
        (["st"], "status\n"),
        (["up", "--cluster", "reh"], "rehearsal\n"),
        (["shell", "--cluster", "rehearsal", "sp"], "spark1\nspark2\n"),
    ],
)
def test_complete(inv: Inv, words: list[str], expected: str) -> None:
    """Verbs, clusters and nodes are completed."""
    assert RunResult(0, expected, "") == inv("--complete", "--", *words)


@pytest.mark.skipif(not shutil.which("bash"), reason="needs bash")
def test_complete_in_bash(tmp_path: Path) -> None:
    """Bash completes `inv` by its path, with what the program offers."""
    path = tmp_path / "a folder" / "inv"
    path.parent.mkdir()
    path.write_text(
        f'#!/bin/sh\nexec {sys.executable} -I {shlex.quote(str(ROOT))} "$0" "$@"\n',
        encoding="utf-8",
    )
    path.chmod(0o755)
    script_path = ROOT / "cluster/machine/completion.bash"
    program_text = f"""
        . {shlex.quote(str(script_path))}
        COMP_WORDS=(./inv st more) COMP_CWORD=1
        _spark_inv ./inv st ./inv
        printf '%s\\n' "${{COMPREPLY[@]}}"
        complete -p inv
    """
    done = subprocess.run(
        ["bash", "-c", program_text], check=True, capture_output=True, text=True, cwd=path.parent
    )

    assert ("status\ncomplete -o default -F _spark_inv inv\n", "") == (done.stdout, done.stderr)


@pytest.mark.parametrize(
    "words", [("--dry", "up", "--cluster", "rehearsal"), ("up", "--dry", "--cluster", "rehearsal")]
)
def test_dry(inv: Inv, words: tuple[str, ...]) -> None:
    """`--dry` prints only the plan, before or after the verb."""
    expected = script.text(plans.up(REHEARSAL, runtime(REHEARSAL)))

    assert RunResult(0, expected, "") == inv(*words)


def test_dry_leaves_nothing(inv: Inv) -> None:
    """A dry run creates no file and no folder."""
    before = places()
    for verb in ("head", "worker", "up", "serve", "down", "rehearse"):
        assert (0, "") == inv(verb, "--dry", "--cluster", "rehearsal")[::2]

    assert before == places()


def test_flags_for_vllm() -> None:
    """Words after `--` reach `vllm serve` unchanged, including JSON and quotes."""
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
            "inv serve: --tp: needs 3 GPUs, the cluster has 2"
            " (use at most 2, or describe more nodes)",
            3,
            id="more GPUs than there are",
        ),
        pytest.param(
            "serve --cluster rehearsal --port x --max-model-len 4k",
            "inv serve: --port: must be a TCP port, not `x` (write a number from 1 to 65535)\n"
            "inv serve: --max-model-len: must be a number of tokens, not `4k`"
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
            "serve --cluster rehearsal --prot 8",
            "inv serve: no such option: `--prot` (did you mean --port?)",
            1,
            id="option",
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
        pytest.param("serv", "inv: no such verb: `serv` (did you mean serve?)", 1, id="verb"),
    ],
)
def test_refused(inv: Inv, words: str, sentence: str, code: int) -> None:
    """A refused request is one sentence on standard error and an exit code, dry or not."""
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
    """The environment of a node is printed in the chosen format."""
    output = inv("env", "--node", "spark2", "--cluster", "rehearsal", "--format", form)
    lines = [line.replace("'", "") for line in output.out.splitlines()]

    assert (0, expected, "") == (output.code, lines, output.err)


def test_config(inv: Inv) -> None:
    """The settings are a table of four columns, one value a line."""
    output = inv("config", "--cluster", "rehearsal")
    rows = [line.split(maxsplit=2) for line in output.out.splitlines()]
    keys = [f"{section} {key}" for section, key, _ in rows]

    assert (0, "") == (output.code, output.err)
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
