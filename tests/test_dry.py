"""The full output of `--dry` for the clusters in `env/`: the files of `tests/dry/`.

After a change that is meant, write them anew and read the difference:

    .nox/unit/bin/python -m tests.test_dry && git diff tests/dry
"""

import shutil
import subprocess
from collections.abc import Callable
from dataclasses import replace

import pytest

from cluster.commands import ray, vllm
from cluster.environment.environment import environment
from cluster.namespaces.steps import Command
from cluster.node import Cluster
from cluster.plan import plans, script
from cluster.plan.runtime import Runtime
from cluster.plan.steps import Plan
from cluster.serve.server import PROMPT, TOKENS
from cluster.start.steps import checks
from cluster.words import Secret
from tests.clusters import (
    CHECKOUT,
    REHEARSAL,
    ROOT,
    SPARKS,
    TWO_SPARKS,
    container_runtime,
    namespace_runtime,
    with_variables,
)

FOLDER = ROOT / "tests" / "dry"
SECRETS = (
    ("HF_TOKEN", Secret("hf_secret", "env/cluster.env:7")),
    ("VLLM_API_KEY", Secret("sk_secret", "env/cluster.env:8")),
)


def serve(cluster: Cluster, runtime: Runtime) -> Plan:
    """Return the steps of `inv serve`."""
    request = vllm.request(cluster, vllm.ServeOptions(), CHECKOUT)
    ready = plans.ready(cluster, request, runtime)
    return (*plans.serve(cluster, request, runtime), *ready)


def rehearse(cluster: Cluster, runtime: Runtime) -> Plan:
    """Return the steps of `inv rehearse`."""
    request = vllm.request(cluster, vllm.ServeOptions(), CHECKOUT)
    asked = plans.complete(cluster, request, runtime, prompt=PROMPT, tokens=TOKENS)
    steps = (*plans.up(cluster, runtime), *serve(cluster, runtime), asked)
    return (*steps, *plans.down(cluster, runtime))


VERBS: dict[str, Callable[[Cluster, Runtime], Plan]] = {
    "up": lambda cluster, runtime: plans.up(
        cluster, runtime, checks(cluster, cluster.nodes, runtime)
    ),
    "head": lambda cluster, runtime: plans.head(
        cluster, runtime, checks(cluster, (cluster.head,), runtime)
    ),
    "worker": lambda cluster, runtime: plans.workers(
        cluster, cluster.workers, runtime, checks(cluster, cluster.workers, runtime)
    ),
    "serve": serve,
    "down": plans.down,
    "rehearse": rehearse,
}


def printed(verb: str, cluster: Cluster = REHEARSAL, *, rootless: bool = False) -> str:
    """Return the script that a verb prints."""
    return script.text(VERBS[verb](cluster, namespace_runtime(cluster, rootless=rootless)))


def contained(verb: str, cluster: Cluster = TWO_SPARKS) -> str:
    """Return the script that a verb prints for two real machines, on a third one."""
    return script.text(VERBS[verb](cluster, container_runtime(cluster)))


def sparks() -> str:
    """Return the commands that run on two Sparks, each in its environment, as shell text."""
    cluster = replace(SPARKS, model="Qwen/Qwen3-4B", variables=SECRETS)
    request = vllm.request(cluster, vllm.ServeOptions(), CHECKOUT)
    lines = [(node, ray.start(cluster, node)) for node in cluster.nodes]
    return "\n".join(
        f"# {node.name}\n{Command(place=node.name, argv=argv, environment=variables).text}\n"
        for node, argv in (*lines, (cluster.head, vllm.serve(request)))
        for variables in [environment(cluster, node, token_path="/run/ray-token")]
    )


def unread(shell: str, text: str) -> str:
    """Return the shell's errors about a script, which it checks without running it."""
    if shutil.which(shell) is None:
        pytest.skip(f"there is no {shell} here")
    run = subprocess.run([shell, "-n"], input=text, check=False, capture_output=True, text=True)
    return run.stderr or ("" if run.returncode == 0 else str(run.returncode))


def expected(name: str) -> str:
    """Return the text of a file."""
    return (FOLDER / f"{name}.sh").read_text(encoding="utf-8")


@pytest.mark.parametrize("verb", VERBS)
def test_printed(verb: str) -> None:
    """The whole script is equal to the reviewed one."""
    assert expected(verb) == printed(verb)


@pytest.mark.parametrize("verb", ["up", "serve", "down"])
def test_two_sparks(verb: str) -> None:
    """The whole script for two real machines is equal to the reviewed one."""
    assert expected(f"two-sparks-{verb}") == contained(verb)


def test_lines_of_two_sparks() -> None:
    """Two real machines get the same commands, each with its address and interfaces."""
    assert expected("sparks") == sparks()


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize("shell", ["sh", "bash"])
@pytest.mark.parametrize("rootless", [False, True], ids=["root", "rootless"])
def test_a_shell_can_read_it(shell: str, verb: str, *, rootless: bool) -> None:
    """Each script is valid for a shell."""
    assert "" == unread(shell, printed(verb, rootless=rootless))


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize("shell", ["sh", "bash"])
def test_a_shell_can_read_that_of_containers(shell: str, verb: str) -> None:
    """Each script for real machines is valid for a shell, also with secrets."""
    assert "" == unread(shell, contained(verb, with_variables(TWO_SPARKS, shared=SECRETS)))


@pytest.mark.parametrize("verb", VERBS)
def test_no_secret(verb: str) -> None:
    """No script contains a secret of the env files, or a mask that could be taken for one."""
    of_processes = printed(verb, with_variables(REHEARSAL, shared=SECRETS))
    text = of_processes + contained(verb, with_variables(TWO_SPARKS, shared=SECRETS))

    assert [] == [word for word in ("hf_secret", "sk_secret", "********") if word in text]


def test_secret_of_the_env_files() -> None:
    """A command that needs a secret gets it from the shell that runs the script."""
    text = printed("serve", with_variables(REHEARSAL, shared=SECRETS))

    assert {
        "${HF_TOKEN:?is set in env/cluster.env:7}",
        "${VLLM_API_KEY:?is set in env/cluster.env:8}",
    } == {line for line in text.splitlines() if line.startswith("${")}


if __name__ == "__main__":
    texts = {verb: printed(verb) for verb in VERBS} | {"sparks": sparks()}
    texts |= {f"two-sparks-{verb}": contained(verb) for verb in ("up", "serve", "down")}
    for each, text in texts.items():
        (FOLDER / f"{each}.sh").write_text(text, encoding="utf-8")
