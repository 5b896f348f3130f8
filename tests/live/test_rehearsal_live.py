"""The main job with real Ray and real vLLM: two nodes, tensor parallel 2, and some failures."""

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.live import rehearsal
from tests.live.rehearsal import ROOT, STATE, URL, inside, inv, remains

pytestmark = pytest.mark.live

SHOW = """#!{python} -I
import os, sys
words = [f"{{name}}={{value}}" for name, value in os.environ.items() if name != "PWD"]
words += sys.argv[sys.argv.index("nsenter"):]
print("\\0".join(words), end="\\0")
"""
"""Prints its environment and the command that would enter a node, instead of running it."""


@pytest.fixture(scope="module", autouse=True)
def no_cluster() -> Iterator[None]:
    """Start and end without a cluster."""
    inv("down")
    yield
    inv("down")


@pytest.fixture(scope="module")
def served() -> Iterator[str]:
    """Start a cluster and a server; yield the output of `serve`."""
    up = inv("up")
    assert up.code == 0, up.err
    served = inv("serve", "--detach", "--json")
    assert served.code == 0, served.err
    yield served.out
    inv("down")


def ask(path: str, *, key: str = "", body: str = "") -> tuple[int, str]:
    """Send a request from the worker's namespace, across the link; return status and body."""
    header = ["--header", f"Authorization: Bearer {key}"] if key else []
    data = ["--header", "Content-Type: application/json", "--data", body] if body else []
    write = ["--silent", "--write-out", "\n%{http_code}"]
    answer, _, code = inside("spark2", "curl", *write, *header, *data, f"{URL}{path}").rpartition(
        "\n"
    )
    return int(code), answer


def test_rehearse() -> None:
    """One command starts two nodes, answers a prompt, and leaves nothing on the machine."""
    run = inv("rehearse")

    assert run.code == 0, run.err
    assert run.out.splitlines()[-2:] == [
        "prompt  Two machines",
        "answer  joined by one cable serve a model that neither could hold alone.",
    ]
    assert remains() == []


def test_nodes_are_like_machines(served: str) -> None:
    """Each node has a separate name, address on `enp1s0f1np1`, and shared memory."""
    names = [inside(node, "hostname").strip() for node in ("spark1", "spark2")]
    links = [
        json.loads(inside(node, "ip", "-j", "-4", "address", "show", "enp1s0f1np1"))
        for node in names
    ]
    stat = ("stat", "--format", "%d", "/dev/shm")  # noqa: S108 (a mount point)
    memory = {inside(node, *stat).strip() for node in names}

    assert names == ["spark1", "spark2"]
    assert [link[0]["addr_info"][0]["local"] for link in links] == [
        "192.168.177.11",
        "192.168.177.12",
    ]
    assert len(memory) == 2


def test_tensor_parallel_traffic_crosses_the_link(served: str) -> None:
    """The two ranks exchange their results over the virtual ConnectX link."""
    key = Path(json.loads(served)["key_file"]).read_text("utf-8")
    counter = "/sys/class/net/enp1s0f1np1/statistics/tx_bytes"
    inside("spark2", "mount", "-t", "sysfs", "sysfs", "/sys")
    before = int(inside("spark2", "cat", counter))
    code, answer = ask(
        "/v1/completions", key=key, body='{"prompt": "Hello", "max_tokens": 32, "ignore_eos": true}'
    )
    sent = int(inside("spark2", "cat", counter)) - before

    assert code == 200
    assert json.loads(answer)["usage"]["completion_tokens"] == 32
    assert sent > 32 * 2 * 256 * 4  # tokens, layers, hidden size, bytes of float32


def test_doctor_and_bandwidth(served: str) -> None:
    """`doctor` asks the nodes from inside, and `nccl` measures their link."""
    healthy = inv("doctor")
    measured = inv("nccl", "--largest", "8m")
    explained = inv("logs", "--explain")

    assert (0, 0, 0) == (healthy.code, measured.code, explained.code)
    assert "gloo" in measured.out


def test_requests_without_the_key_are_refused(served: str) -> None:
    """Beyond loopback the server requires the generated key, which only its owner can read."""
    key_file = Path(json.loads(served)["key_file"])

    assert ask("/v1/models")[0] == 401
    assert ask("/v1/models", key="wrong")[0] == 401
    assert ask("/v1/models", key=key_file.read_text("utf-8"))[0] == 200
    assert key_file.stat().st_mode & 0o777 == 0o600


def test_ray_refuses_a_wrong_token(served: str) -> None:
    """Ray's control store refuses requests without the cluster's token."""
    token = STATE / "ray-token"
    probe = [str(ROOT / ".rehearsal/venv/bin/python"), str(ROOT / "docker/probe.py"), "ray-nodes"]
    wrong = ["env", "RAY_AUTH_MODE=token", "RAY_AUTH_TOKEN=" + "0" * 64]
    answer = json.loads(inside("spark2", *wrong, *probe, "--address", "192.168.177.11:6379"))

    assert token.stat().st_mode & 0o777 == 0o600
    assert answer["error"] == "unauthorized"


def test_secrets_are_in_no_command_line_and_no_log(served: str) -> None:
    """Neither the process list nor a log of the cluster or of Ray shows a token or a key."""
    secrets = [(STATE / name).read_text("utf-8") for name in ("ray-token", "api-key")]
    shown = " ".join(
        " ".join(rehearsal.strings(path)) for path in Path("/proc").glob("[0-9]*/cmdline")
    )
    logs = [
        path
        for path in STATE.rglob("*")
        if path.is_file() and path.suffix in (".log", ".out", ".err", ".command")
    ]
    texts = [shown, *(path.read_text("utf-8", errors="replace") for path in logs)]

    assert len(logs) > 10
    assert [secret for secret in secrets for text in texts if secret in text] == []


def test_dry_shows_what_runs(served: str, tmp_path: Path) -> None:
    """`--dry` prints the environment and command line of each running service."""
    show = tmp_path / "show"
    show.write_text(SHOW.format(python=sys.executable), encoding="utf-8")
    show.chmod(0o700)
    printed = inv("--dry", "up").out + inv("--dry", "serve").out
    for node, service in (("spark1", "ray"), ("spark2", "ray"), ("spark1", "serve")):
        saved = (STATE / node / f"{service}.command").read_text("utf-8")
        pid = (STATE / node / f"{service}.pid").read_text("utf-8").strip()
        # Only the command stays: `rm` and the PID file belong to the start.
        script = saved.partition("\n")[2].replace("  setsid ", f"  {show} ").replace("2>&1 &", "")
        script = script.replace(str(STATE / node / f"{service}.log"), str(tmp_path / "shown"))
        subprocess.run(["sh", "-c", script], check=True)
        shown = rehearsal.strings(tmp_path / "shown")
        running = rehearsal.strings(Path(f"/proc/{pid}/environ"))
        running += rehearsal.strings(Path(f"/proc/{pid}/cmdline"))

        assert saved in printed
        assert sorted(shown) == sorted(word for word in running if word != "PWD=/")


def test_again_changes_nothing(served: str) -> None:
    """What is already running is reported and left alone."""
    before = [(pid, argv) for pid, _, argv in rehearsal.processes() if "nsenter" in argv]
    up, serve = inv("up"), inv("serve", "--detach")
    after = [(pid, argv) for pid, _, argv in rehearsal.processes() if "nsenter" in argv]

    assert (up.code, serve.code, len(before)) == (0, 0, 3)
    assert "spark2: Start Ray (worker): already running" in up.err
    assert sorted(after) == sorted(before)


def test_different_settings_are_refused_while_serving(served: str) -> None:
    """A running server is not replaced by one with different settings."""
    run = inv("serve", "--detach", "--port", "8890")

    assert (run.code, run.out) == (3, "")
    remedy = "(first stop it with `inv down --server --cluster rehearsal`)"
    assert run.err == f"spark1: serve is already running with different settings {remedy}\n"


def test_status_of_a_healthy_cluster(served: str) -> None:
    """Every node has joined with its GPU, and the server is ready."""
    report = rehearsal.status()

    assert report["healthy"] is True
    assert [(node["node"], node["ray"], node["gpus"]) for node in report["nodes"]] == [
        ("spark1", "joined", 1),
        ("spark2", "joined", 1),
    ]
    server = report["server"]
    assert (server["state"], server["tp"], server["requests"]) == (
        "ready",
        2,
        0,
    )


def test_dead_raylet(served: str) -> None:
    """Within ten seconds `status` names the node whose raylet died; `down` still removes all."""
    rehearsal.kill("spark2", "raylet")
    until = time.monotonic() + 10
    while (report := rehearsal.status())["healthy"] and time.monotonic() < until:
        pass
    nodes = {node["node"]: node["runtime"] for node in report["nodes"]}

    assert report["healthy"] is False
    assert nodes == {"spark1": "running", "spark2": "ended"}
    assert inv("status").code == 1
    assert inv("down").code == 0
    assert remains() == []
