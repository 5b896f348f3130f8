"""A failure is one sentence and leaves nothing half done; a second run repairs it."""

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.live import rehearsal
from tests.live.rehearsal import ROOT, STATE, inv, remains

pytestmark = pytest.mark.live


@pytest.fixture(autouse=True, scope="module")
def no_cluster() -> Iterator[None]:
    """Start and end without a cluster."""
    inv("down")
    yield
    inv("down")


@pytest.fixture
def up() -> None:
    """Start a complete cluster, unless it is running."""
    run = inv("up")
    assert run.code == 0, run.err


def last(text: str) -> str:
    """Return the last line."""
    return text.strip().rpartition("\n")[2]


def test_nothing_runs() -> None:
    """`status` has an exit code for it, `down` succeeds, `serve` names the next command."""
    refused = inv("serve", "--detach")

    assert inv("status").code == 1
    assert inv("down") == (0, "", "")
    assert (refused.code, refused.out) == (3, "")
    assert last(refused.err).startswith("spark1: Ray does not answer at 192.168.177.11:6379")
    assert "`inv up --cluster rehearsal`" in last(refused.err)


def test_missing_worker() -> None:
    """With the head alone, `serve` names the missing worker; `up` starts only that one."""
    head = inv("head")
    served = inv("serve", "--detach")
    repaired = inv("up")

    assert head.code == 0, head.err
    assert (served.code, served.out) == (3, "")
    assert "spark2: not in the Ray cluster at 192.168.177.11:6379" in last(served.err)
    assert repaired.code == 0, repaired.err
    assert "spark1: Start Ray (head): already running" in repaired.err


def test_dead_worker(up: None) -> None:
    """After a raylet was killed, `up` restarts Ray on that node and nothing else."""
    rehearsal.kill("spark2", "raylet")
    until = time.monotonic() + 10
    while rehearsal.status()["nodes"][1]["runtime"] != "ended" and time.monotonic() < until:
        pass
    repaired = inv("up")

    assert repaired.code == 0, repaired.err
    assert "spark1: Start Ray (head): already running" in repaired.err
    assert "spark2: Start Ray (worker)  " in repaired.err
    assert rehearsal.status()["healthy"] is True


def test_port_in_use(up: None) -> None:
    """A port that another program uses is an error before anything starts."""
    python = str(ROOT / ".rehearsal/venv/bin/python")
    server = "import socket, time; s = socket.create_server(('0.0.0.0', 8888)); time.sleep(60)"
    enter = ["nsenter", "--target", (STATE / "spark1/init.pid").read_text("utf-8").strip(), "--net"]
    listener = subprocess.Popen([*enter, python, "-c", server])
    try:
        time.sleep(1)
        run = inv("serve", "--detach")
    finally:
        listener.kill()
        listener.wait()

    assert (run.code, run.out) == (3, "")
    sentence = "spark1: cannot listen on 0.0.0.0, port 8888: Address already in use"
    assert last(run.err).startswith(sentence)
    assert rehearsal.status()["server"]["state"] == "not started"


def test_missing_model(up: None) -> None:
    """The error is the first one of vLLM without its 60 frames, and the server is stopped.

    `logs --explain` finds the cause afterwards.
    """
    run = inv("serve", "--detach", "--model", "/nowhere/model")
    explained = inv("logs", "--explain")

    assert (run.code, run.out) == (4, "")
    assert "HFValidationError" in run.err
    assert "asyncio/runners.py" not in run.err
    assert (1, True) == (explained.code, "/nowhere/model" in explained.out)
    assert rehearsal.status()["server"]["state"] != "ready"


def test_ctrl_c_stops_the_server(up: None) -> None:
    """Interrupted while the model loads, `serve` stops the server and leaves Ray running."""
    serving = rehearsal.start("serve")
    until = time.monotonic() + 30
    while rehearsal.status()["server"]["state"] != "loading" and time.monotonic() < until:
        pass
    serving.send_signal(signal.SIGINT)
    out, err = serving.communicate(timeout=60)
    report = rehearsal.status()

    assert (serving.returncode, out) == (130, "")
    assert last(err) == "interrupted"
    assert report["server"]["state"] == "not started"
    assert [node["ray"] for node in report["nodes"]] == ["joined", "joined"]
    marks = {
        environment.get("SPARK_CLUSTER_SERVICE") for _, environment, _ in rehearsal.processes()
    }
    assert f"{STATE}/spark1/serve" not in marks


def test_stopping_the_server_leaves_a_healthy_cluster(up: None) -> None:
    """A server that was stopped by `down` is not a failure."""
    server = rehearsal.start("serve", "--detach")
    until = time.monotonic() + 30
    while rehearsal.status()["server"]["state"] != "loading" and time.monotonic() < until:
        pass
    stopped = inv("down", "--server")
    server.communicate(timeout=60)

    assert stopped.code == 0, stopped.err
    assert server.returncode == 4  # the server ended while `serve` waited
    assert rehearsal.status()["healthy"] is True


def test_rehearse_leaves_a_running_cluster(up: None) -> None:
    """The rehearsal does not stop a cluster that it did not start."""
    run = inv("rehearse")

    assert run.code == 0, run.err
    assert last(run.err).startswith("rehearsal: already running before the rehearsal")
    assert rehearsal.status()["server"]["state"] == "ready"
    assert inv("down", "--server").code == 0


def test_two_at_once(up: None) -> None:
    """Two simultaneous `up` start one cluster."""
    inv("down")
    runs = [rehearsal.start("up"), rehearsal.start("up")]
    codes = [(run.communicate(timeout=200), run.returncode)[1] for run in runs]
    inits = [argv for _, _, argv in rehearsal.processes() if argv[:2] == ["/bin/sh", "-c"]]

    assert codes == [0, 0]
    assert len(inits) == 3
    assert rehearsal.status()["healthy"] is True


def test_down_without_run_state(up: None) -> None:
    """Without run state, `down` finds the cluster's processes by their environment."""
    subprocess.run(["rm", "-rf", str(STATE)], check=True)

    assert inv("down").code == 0
    assert remains() == []


def test_dry_run_by_hand() -> None:
    """The commands of `--dry up`, run by hand, start a cluster that `inv` recognises."""
    script = inv("--dry", "up").out
    completed = subprocess.run(
        ["bash", "-e"], input=script, capture_output=True, text=True, timeout=120, check=False
    )
    until = time.monotonic() + 60
    while not (report := rehearsal.status())["healthy"] and time.monotonic() < until:
        pass

    assert completed.returncode == 0, completed.stderr
    assert report["healthy"] is True
    assert "spark2: Start Ray (worker): already running" in inv("up").err
    assert inv("down").code == 0
    assert remains() == []


def test_without_root() -> None:
    """Without the capability for namespaces, the nodes are in a user namespace."""
    # SETFCAP stays: to map root into a user namespace, root needs it (user_namespaces(7)).
    drop = ["setpriv", "--bounding-set=-all,+setfcap", "--inh-caps=-all"]
    if os.geteuid():
        drop = []
    up = subprocess.run(
        [*drop, *rehearsal.command("up")], capture_output=True, text=True, check=False
    )
    status = subprocess.run(
        [*drop, *rehearsal.command("status")], capture_output=True, text=True, check=False
    )
    user_namespace = Path(f"/proc/{rehearsal.init('spark1')}/ns/user").readlink()
    down = subprocess.run(
        [*drop, *rehearsal.command("down")], capture_output=True, text=True, check=False
    )

    assert user_namespace != Path("/proc/self/ns/user").readlink()
    assert (up.returncode, status.returncode, down.returncode) == (0, 0, 0), up.stderr + down.stderr
    assert remains() == []


def test_kernel_without_namespaces() -> None:
    """If neither root nor a user namespace may create namespaces, the error has the remedy."""
    drop = ["setpriv", "--bounding-set=-all", "--inh-caps=-all"]
    if os.geteuid():
        pytest.skip("only root can drop the last capability")
    completed = subprocess.run(
        [*drop, *rehearsal.command("up")], capture_output=True, text=True, check=False
    )

    assert completed.returncode == 4
    problem = "Operation not permitted (run as root, or let users make namespaces"
    assert problem in last(completed.stderr)
    assert inv("down").code == 0
    assert remains() == []
