"""The full text that `--dry` prints for the clusters in `env/`: the files in `tests/dry/`.

After an intended change, write them again and read the difference:

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
    completion = plans.complete(cluster, request, runtime, prompt=PROMPT, tokens=TOKENS)
    steps = (*plans.up(cluster, runtime), *serve(cluster, runtime), completion)
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


def of_namespaces(verb: str, cluster: Cluster = REHEARSAL, *, rootless: bool = False) -> str:
    """Return the script of a verb for a rehearsal."""
    return script.text(VERBS[verb](cluster, namespace_runtime(cluster, rootless=rootless)))


def of_containers(verb: str, cluster: Cluster = TWO_SPARKS) -> str:
    """Return the script of a verb for two real machines, as a third one prints it."""
    return script.text(VERBS[verb](cluster, container_runtime(cluster)))


def sparks() -> str:
    """Return the commands that run on two Sparks, each with its environment."""
    cluster = replace(SPARKS, model="Qwen/Qwen3-4B", variables=SECRETS)
    request = vllm.request(cluster, vllm.ServeOptions(), CHECKOUT)
    lines = [(node, ray.start(cluster, node)) for node in cluster.nodes]
    return "\n".join(
        f"# {node.name}\n{Command(place=node.name, argv=argv, environment=variables).text}\n"
        for node, argv in (*lines, (cluster.head, vllm.serve(request)))
        for variables in [environment(cluster, node, token_path="/run/ray-token")]
    )


def syntax_error(shell: str, text: str) -> str:
    """Return the error of a shell that parses a script without running it."""
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed")
    result = subprocess.run([shell, "-n"], input=text, check=False, capture_output=True, text=True)
    return result.stderr or ("" if result.returncode == 0 else str(result.returncode))


def expected(name: str) -> str:
    """Return the text of a file in `tests/dry/`."""
    return (FOLDER / f"{name}.sh").read_text(encoding="utf-8")


@pytest.mark.parametrize("verb", VERBS)
def test_rehearsal(verb: str) -> None:
    """The whole script for the rehearsal is the recorded one."""
    assert expected(verb) == of_namespaces(verb)


@pytest.mark.parametrize("verb", ["up", "serve", "down"])
def test_two_sparks(verb: str) -> None:
    """The whole script for two real machines is the recorded one."""
    assert expected(f"two-sparks-{verb}") == of_containers(verb)


def test_commands_of_two_sparks() -> None:
    """Two real machines run the same commands, each with its own address and interfaces."""
    assert expected("sparks") == sparks()


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize("shell", ["sh", "bash"])
@pytest.mark.parametrize("rootless", [False, True], ids=["root", "rootless"])
def test_syntax(shell: str, verb: str, *, rootless: bool) -> None:
    """Shells can parse every script for the rehearsal."""
    assert "" == syntax_error(shell, of_namespaces(verb, rootless=rootless))


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize("shell", ["sh", "bash"])
def test_syntax_for_containers(shell: str, verb: str) -> None:
    """Shells can parse every script for real machines, with secrets."""
    assert "" == syntax_error(
        shell, of_containers(verb, with_variables(TWO_SPARKS, shared=SECRETS))
    )


@pytest.mark.parametrize("verb", VERBS)
def test_no_secret(verb: str) -> None:
    """No script contains a secret of the env files or its mask."""
    rehearsal = of_namespaces(verb, with_variables(REHEARSAL, shared=SECRETS))
    text = rehearsal + of_containers(verb, with_variables(TWO_SPARKS, shared=SECRETS))

    assert [] == [word for word in ("hf_secret", "sk_secret", "********") if word in text]


def test_secrets_of_the_env_files() -> None:
    """A script takes secrets from the environment of the shell that runs it."""
    text = of_namespaces("serve", with_variables(REHEARSAL, shared=SECRETS))

    assert {
        "${HF_TOKEN:?is set in env/cluster.env:7}",
        "${VLLM_API_KEY:?is set in env/cluster.env:8}",
    } == {line for line in text.splitlines() if line.startswith("${")}


if __name__ == "__main__":
    texts = {verb: of_namespaces(verb) for verb in VERBS} | {"sparks": sparks()}
    texts |= {f"two-sparks-{verb}": of_containers(verb) for verb in ("up", "serve", "down")}
    for name, text in texts.items():
        (FOLDER / f"{name}.sh").write_text(text, encoding="utf-8")
