"""The whole job on two hosts with their own engines: up, serve, every kind of access, down."""

import json
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cluster.containers.runtime import LOGS, TOKEN
from tests.live.lan import CONTAINER, HF_TOKEN, IMAGE, Site, steady
from tests.live.machine import INTERFACE, Machine

pytestmark = [pytest.mark.live, pytest.mark.containers]

PROMPT = "Two machines"
ANSWER = " joined by one cable serve a model that neither could hold alone."
PRINT = "import json, os; print(json.dumps(dict(os.environ)))"
FROM_SHELL = ("_", "HOME", "HOSTNAME", "LS_COLORS", "OLDPWD", "PS1", "PWD", "SHLVL", "TERM")
COMMANDS = "for f in /proc/[0-9]*/cmdline; do tr '\\0' ' ' <$f; echo; done 2>/dev/null; ps -efww"


@pytest.fixture(scope="module")
def served(site: Site) -> Iterator[dict[str, str]]:
    """A cluster that serves a model; yields the output of `serve`."""
    site.inv("down")
    up = site.inv("up")
    assert (up.code, up.out) == (0, ""), up.err
    served = site.inv("serve", "--detach", "--json")
    assert served.code == 0, served.err
    yield json.loads(served.out)
    site.inv("down")


def identities(site: Site) -> list[str]:
    """Return the ID of the container on each host, with the time of its start."""
    words = ("--format", "{{.Id}} {{.State.StartedAt}}", CONTAINER)
    return [host.docker("inspect", *words) for host in site.lan.hosts]


def inspected(host: Machine) -> dict[str, Any]:
    """Return an engine's description of its container."""
    container: dict[str, Any] = json.loads(host.docker("inspect", CONTAINER))[0]
    return container


def cluster_variables(site: Site, node: str) -> dict[str, str]:
    """Return the variables that a node's container should have."""
    text = site.inv("env", "--node", node, "--format", "json", "--reveal").out
    variables: dict[str, str] = json.loads(text)
    return variables


def completed(site: Site, served: dict[str, str], prompt: str) -> str:
    """Return the server's completion of a prompt that the laptop sends."""
    key = Path(served["key_file"]).read_text("utf-8")
    request = {"model": served["model"], "prompt": prompt, "max_tokens": 32, "temperature": 0}
    lines = (f"Authorization: Bearer {key}", "Content-Type: application/json")
    config = "".join(f'header = "{line}"\n' for line in lines)
    url = f"{served['url']}/completions"
    argv = ["curl", "--silent", "--show-error", "--config", "-", "--data", json.dumps(request), url]
    done = site.lan.control.run(argv, input=config, check=True)
    text: str = json.loads(done.stdout)["choices"][0]["text"]
    return text


def test_both_ranks_answer(site: Site, served: dict[str, str]) -> None:
    """The model gives the answer that it has learned, and its ranks use the fast link."""
    before = [host.interface_bytes() for host in site.lan.hosts]
    answers = [completed(site, served, PROMPT) for _ in range(4)]
    after = [host.interface_bytes() for host in site.lan.hosts]
    grown = [
        new - old
        for new_counts, old_counts in zip(after, before, strict=True)
        for new, old in zip(new_counts, old_counts, strict=True)
    ]

    assert answers == [ANSWER] * 4
    assert min(grown) > 100_000, grown
    assert (served["model"], served["url"]) == ("tiny-llama", "http://192.168.177.11:8888/v1")


def test_variables_are_in_every_command(site: Site, served: dict[str, str]) -> None:
    """Every kind of command in a container has all variables of its node."""
    commands = (
        ("docker", "exec", CONTAINER, "python", "-c", PRINT),
        *(
            ("docker", "exec", CONTAINER, "bash", option, f"python -c '{PRINT}'")
            for option in ("-c", "-lc", "-ic")
        ),
    )
    count = len(site.outputs)
    for host in site.lan.hosts:
        expected = cluster_variables(site, host.name)
        texts = [host.run(command).stdout for command in commands]
        texts.append(site.inv("exec", "--node", host.name, "--", "python", "-c", PRINT).out)
        texts.append(in_shell(site, host.name, f"python -c '{PRINT}'")[1])
        variables_of_each = [
            json.loads(text[text.index("{") : text.rindex("}") + 1]) for text in texts
        ]

        assert expected["VLLM_HOST_IP"] == host.address
        assert expected["NCCL_SOCKET_IFNAME"] == f"={INTERFACE}"
        assert expected["HF_TOKEN"] == HF_TOKEN
        for variables in variables_of_each:
            assert expected == {name: variables.get(name) for name in expected}
    del site.outputs[count:]  # these tasks were asked to show secrets


def in_shell(site: Site, node: str, line: str) -> tuple[int, str]:
    """Type a line into `inv shell` at a terminal; return the exit code and the output."""
    task = " ".join(f"'{word}'" for word in site.command("shell", "--node", node))
    argv = ["script", "--quiet", "--return", "--command", task, "/dev/null"]
    result = site.recorded(site.lan.control.run(argv, input=f"tty\n{line}\nexit 7\n"))
    assert "/dev/pts/" in result.out, result.out
    return result.code, result.out.split("exit 7")[-2].split(line)[-1]


def test_exit_codes_and_input(site: Site, served: dict[str, str]) -> None:
    """The exit code and output of a command are those of `inv`, and it reads the input of `inv`."""
    nodes = ("--node", "spark1", "--node", "spark2")
    single = site.inv("exec", "--", "sh", "-c", "echo out; echo err >&2; exit 7")
    both = site.inv("exec", *nodes, "--", "sh", "-c", "hostname; test $(hostname) = spark1")
    fed = site.inv("exec", "--node", "spark2", "--", "wc", "-l", stdin="one\ntwo\n")
    absent = site.inv("exec", "--", "no-such-program")

    assert single == (7, "out\n", "err\n")
    assert both == (1, "spark1 | spark1\nspark2 | spark2\n", "")
    assert fed == (0, "2\n", "")
    assert absent.code in {126, 127}  # as `docker exec` of this version says it
    assert in_shell(site, "spark2", "true")[0] == 7


def test_logs(site: Site, served: dict[str, str]) -> None:
    """The logs of all nodes are shown, each line after its node; following them leaves nothing."""
    shown = site.inv("logs", "--lines", "1000")
    following = site.start("logs", "--follow", "--lines", "1")
    assert following.stdout
    first = [following.stdout.readline() for _ in range(3)]
    completed(site, served, PROMPT)
    news = following.stdout.readline()
    ended = site.end(following, signal.SIGINT)
    time.sleep(1)
    programs = [
        host.docker("exec", CONTAINER, "ps", "-e", "-o", "comm=") for host in site.lan.hosts
    ]
    prefixes = {" ".join(line.split(" ", 3)[:3]) for line in shown.out.splitlines()}

    assert prefixes == {"spark1 ray |", "spark2 ray |", "spark1 serve |"}
    assert prefixes == {" ".join(line.split(" ", 3)[:3]) for line in first}
    assert news.startswith("spark1 serve | ")
    assert (ended.code, ended.err) == (130, "interrupted\n")
    assert [text for text in programs if "tail" in text.split()] == []


def test_status(site: Site, served: dict[str, str]) -> None:
    """Every node has joined with its GPU, and the server is ready."""
    code, status = site.status()
    server = status["server"]

    assert (code, status["healthy"]) == (0, True)
    assert [(node["node"], node["ray"], node["gpus"]) for node in status["nodes"]] == [
        ("spark1", "joined", 1),
        ("spark2", "joined", 1),
    ]
    assert (server["state"], server["tp"], server["requests"]) == ("ready", 2, 0)


def test_again_changes_nothing(site: Site, served: dict[str, str]) -> None:
    """Running containers are left alone, and reported as such."""
    before = identities(site)
    up, serve = site.inv("up"), site.inv("serve", "--detach", "--json")

    assert (up.code, serve.code) == (0, 0), up.err + serve.err
    assert before == identities(site)
    assert json.loads(serve.out) == served
    assert [line for line in up.err.splitlines() if "already" in line] == [
        "spark1: Start Ray (head): already running",
        "spark2: Start Ray (worker): already running",
    ]


def test_changed_settings_are_refused(site: Site, served: dict[str, str]) -> None:
    """A running container is not replaced by itself: the changed keys are named."""
    before = identities(site)
    site.describe({"NCCL_DEBUG": "INFO", "SHM_SIZE": "2g"})
    refused = site.inv("up")
    site.describe()
    message = f"{CONTAINER} is already running with different settings: SHM_SIZE, NCCL_DEBUG"
    remedy = "(`inv up --recreate` replaces it, and ends what it serves)"

    assert (refused.code, refused.out) == (3, "")
    assert refused.err.splitlines()[1:] == [
        f"spark1: {message} {remedy}",
        f"spark2: {message} {remedy}",
    ]
    assert before == identities(site)


def test_secrets_stay_where_they_belong(site: Site, served: dict[str, str]) -> None:
    """Secrets are in no command line, label, log, image, or output of a task.

    The token of the hub is in the containers' environment, where every `docker exec` needs it; Ray
    reads its token from a file for root alone, and only the server's environment has the API key.
    """
    token, key = ((site.state / name).read_text("utf-8") for name in ("ray-token", "api-key"))
    shown = list(site.outputs)
    for host in site.lan.hosts:
        container = inspected(host)
        environment = dict(line.split("=", 1) for line in container["Config"].pop("Env"))
        mode = host.docker("exec", CONTAINER, "stat", "--format", "%a %u", TOKEN)
        content = host.docker("exec", CONTAINER, "cat", TOKEN)
        logs = ("sh", "-c", f"cat {LOGS}/* $(find /tmp/ray -type f -name '*.*')")
        shown += [json.dumps(container), host.docker("history", "--no-trunc", IMAGE)]
        shown += [host.run(["sh", "-c", COMMANDS]).stdout, host.docker("logs", CONTAINER)]
        shown += [host.docker("exec", CONTAINER, *argv) for argv in (("ps", "-efww"), logs)]

        assert (mode, content) == ("600 0", token)
        assert environment["HF_TOKEN"] == HF_TOKEN
        assert {token, key}.isdisjoint(environment.values())
    shown += [site.lan.control.run(["sh", "-c", COMMANDS]).stdout]

    assert all(len(secret) > 20 for secret in (token, key, HF_TOKEN))
    assert [
        text[max(0, at - 200) : at + 10]
        for secret in (token, key, HF_TOKEN)
        for text in shown
        if (at := text.find(secret)) >= 0
    ] == []


def test_another_clone_shares_the_token(site: Site, served: dict[str, str], tmp_path: Path) -> None:
    """A new clone on the head starts a worker for the cluster that the laptop has started.

    The log of the removed container is kept.
    """
    spark1, spark2 = site.lan.hosts
    old = spark2.docker("exec", CONTAINER, "cat", f"{LOGS}/ray.log")
    spark2.docker("rm", "--force", CONTAINER)
    kept = site.inv("logs", "--node", "spark2", "--lines", "1000")
    head = inspected(spark1)["Id"]
    clone = site.new_clone(tmp_path / "other")
    joined = clone.inv("worker", host=spark1)
    _, status = site.status()

    assert kept == (0, "".join(f"spark2 ray | {line}\n" for line in old.splitlines()), "")
    assert joined.code == 0, joined.err
    assert (clone.state / "ray-token").read_text("utf-8") == (site.state / "ray-token").read_text(
        "utf-8"
    )
    assert head == inspected(spark1)["Id"]
    assert [node["ray"] for node in status["nodes"]] == ["joined", "joined"]


def test_recreate(site: Site, served: dict[str, str]) -> None:
    """`--recreate` replaces containers with changed settings, and only those."""
    before = identities(site)
    site.describe({"NCCL_DEBUG": "INFO"})
    replaced = site.inv("up", "--recreate")
    after = identities(site)
    again = site.inv("up", "--recreate")
    site.describe()
    value = site.inv("exec", "--node", "spark2", "--", "printenv", "NCCL_DEBUG")

    assert (replaced.code, again.code) == (0, 0), replaced.err + again.err
    assert set(before).isdisjoint(after)
    assert after == identities(site)
    assert value == (0, "INFO\n", "")


def test_down_leaves_logs_alone(site: Site, served: dict[str, str]) -> None:
    """Nothing runs and no secret is left; the logs can still be read."""
    down = site.inv("down")
    logs = site.inv("logs", "--lines", "1")
    programs = [host.run(["ps", "-e", "-o", "comm="]).stdout.split() for host in site.lan.hosts]
    strays = [
        name
        for names in programs
        for name in names
        if name in ("gcs_server", "ray", "raylet", "vllm")
    ]

    assert (down.code, down.out) == (0, ""), down.err
    assert steady(down.err).splitlines() != []
    assert site.containers == ["", ""]
    assert strays == []
    assert not site.state.exists()
    assert {line.partition(" |")[0] for line in logs.out.splitlines()} == {
        "spark1 ray",
        "spark1 serve",
        "spark2 ray",
    }
    assert site.inv("down") == (0, "", "")
    assert site.inv("status").code == 1
