"""What goes wrong is said in one sentence, leaves nothing half done, and a rerun heals it."""

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
def nothing_left() -> Iterator[None]:
    """Begin and end without a cluster."""
    inv("down")
    yield
    inv("down")


@pytest.fixture
def up() -> None:
    """A whole cluster; one that is up already stays."""
    said = inv("up")
    assert said.code == 0, said.err


def last(text: str) -> str:
    """Return the last line."""
    return text.strip().rpartition("\n")[2]


def test_nothing_runs() -> None:
    """`status` says so by its exit code, `down` is content, `serve` names the next command."""
    refused = inv("serve", "--detach")

    assert inv("status").code == 1
    assert inv("down") == (0, "", "")
    assert (refused.code, refused.out) == (3, "")
    assert last(refused.err).startswith("spark1: Ray does not answer at 192.168.177.11:6379")
    assert "`inv up --cluster rehearsal`" in last(refused.err)


def test_half_a_cluster_is_named_and_healed() -> None:
    """With the head alone, `serve` names the worker that is missing; `up` adds just that one."""
    head = inv("head")
    served = inv("serve", "--detach")
    healed = inv("up")

    assert head.code == 0, head.err
    assert (served.code, served.out) == (3, "")
    assert "spark2: not in the Ray cluster at 192.168.177.11:6379" in last(served.err)
    assert healed.code == 0, healed.err
    assert "spark1: Start Ray (head): already running" in healed.err


def test_a_dead_worker_is_started_again(up: None) -> None:
    """After a raylet was killed, `up` starts that node's Ray again and nothing else."""
    rehearsal.kill("spark2", "raylet")
    until = time.monotonic() + 10
    while rehearsal.status()["nodes"][1]["runtime"] != "ended" and time.monotonic() < until:
        pass
    healed = inv("up")

    assert healed.code == 0, healed.err
    assert "spark1: Start Ray (head): already running" in healed.err
    assert "spark2: Start Ray (worker)  " in healed.err
    assert rehearsal.status()["healthy"] is True


def test_a_taken_port_is_refused_before_anything_starts(up: None) -> None:
    """A port that something else listens on is named, with what to do."""
    python = str(ROOT / ".rehearsal/venv/bin/python")
    server = "import socket, time; s = socket.create_server(('0.0.0.0', 8888)); time.sleep(60)"
    enter = ["nsenter", "--target", (STATE / "spark1/init.pid").read_text("utf-8").strip(), "--net"]
    other = subprocess.Popen([*enter, python, "-c", server])
    try:
        time.sleep(1)
        said = inv("serve", "--detach")
    finally:
        other.kill()
        other.wait()

    assert (said.code, said.out) == (3, "")
    sentence = "spark1: cannot listen on 0.0.0.0, port 8888: Address already in use"
    assert last(said.err).startswith(sentence)
    assert rehearsal.status()["server"]["state"] == "not started"


def test_a_model_that_is_not_there_fails_with_its_own_words(up: None) -> None:
    """The first error of vLLM is shown, without its 60 frames, and the server is taken down.

    Its log still tells the cause later.
    """
    said = inv("serve", "--detach", "--model", "/nowhere/model")
    explained = inv("logs", "--explain")

    assert (said.code, said.out) == (4, "")
    assert "HFValidationError" in said.err
    assert "asyncio/runners.py" not in said.err
    assert (1, True) == (explained.code, "/nowhere/model" in explained.out)
    assert rehearsal.status()["server"]["state"] != "ready"


def test_ctrl_c_stops_what_it_started(up: None) -> None:
    """Interrupted while the model loads, `serve` stops the server and leaves Ray running."""
    serving = rehearsal.start("serve")
    until = time.monotonic() + 30
    while rehearsal.status()["server"]["state"] != "loading" and time.monotonic() < until:
        pass
    serving.send_signal(signal.SIGINT)
    out, err = serving.communicate(timeout=60)
    found = rehearsal.status()

    assert (serving.returncode, out) == (130, "")
    assert last(err) == "interrupted"
    assert found["server"]["state"] == "not started"
    assert [node["ray"] for node in found["nodes"]] == ["joined", "joined"]
    marks = {
        environment.get("SPARK_CLUSTER_SERVICE") for _, environment, _ in rehearsal.processes()
    }
    assert f"{STATE}/spark1/serve" not in marks


def test_stopping_the_server_leaves_a_healthy_cluster(up: None) -> None:
    """A server that was stopped on purpose is not a failure."""
    server = rehearsal.start("serve", "--detach")
    until = time.monotonic() + 30
    while rehearsal.status()["server"]["state"] != "loading" and time.monotonic() < until:
        pass
    stopped = inv("down", "--server")
    server.communicate(timeout=60)

    assert stopped.code == 0, stopped.err
    assert server.returncode == 4  # its server went away while it waited
    assert rehearsal.status()["healthy"] is True


def test_rehearse_leaves_a_cluster_that_was_up(up: None) -> None:
    """What the rehearsal did not start it does not end, whatever comes of it."""
    said = inv("rehearse")

    assert said.code == 0, said.err
    assert last(said.err).startswith("rehearsal: was up before, and stays up")
    assert rehearsal.status()["server"]["state"] == "ready"
    assert inv("down", "--server").code == 0


def test_two_at_once_agree(up: None) -> None:
    """Two `up` at the same time end with one cluster."""
    inv("down")
    both = [rehearsal.start("up"), rehearsal.start("up")]
    ends = [(run.communicate(timeout=200), run.returncode)[1] for run in both]
    inits = [argv for _, _, argv in rehearsal.processes() if argv[:2] == ["/bin/sh", "-c"]]

    assert ends == [0, 0]
    assert len(inits) == 3
    assert rehearsal.status()["healthy"] is True


def test_down_ends_what_lost_its_files(up: None) -> None:
    """Even without its run state, the cluster's processes are known by their environment."""
    subprocess.run(["rm", "-rf", str(STATE)], check=True)

    assert inv("down").code == 0
    assert remains() == []


def test_dry_run_by_hand() -> None:
    """The commands of `--dry up`, run by hand, make a cluster that `inv` takes as its own."""
    script = inv("--dry", "up").out
    done = subprocess.run(
        ["bash", "-e"], input=script, capture_output=True, text=True, timeout=120, check=False
    )
    until = time.monotonic() + 60
    while not (found := rehearsal.status())["healthy"] and time.monotonic() < until:
        pass

    assert done.returncode == 0, done.stderr
    assert found["healthy"] is True
    assert "spark2: Start Ray (worker): already running" in inv("up").err
    assert inv("down").code == 0
    assert remains() == []


def test_without_root() -> None:
    """Without the capability to make namespaces, a user namespace does it."""
    # SETFCAP stays: to map root into a user namespace, root needs it (user_namespaces(7)).
    drop = ["setpriv", "--bounding-set=-all,+setfcap", "--inh-caps=-all"]
    if os.geteuid():
        drop = []
    up = subprocess.run(
        [*drop, *rehearsal.command("up")], capture_output=True, text=True, check=False
    )
    names = subprocess.run(
        [*drop, *rehearsal.command("status")], capture_output=True, text=True, check=False
    )
    apart = Path(f"/proc/{rehearsal.init('spark1')}/ns/user").readlink()
    down = subprocess.run(
        [*drop, *rehearsal.command("down")], capture_output=True, text=True, check=False
    )

    assert apart != Path("/proc/self/ns/user").readlink()
    assert (up.returncode, names.returncode, down.returncode) == (0, 0, 0), up.stderr + down.stderr
    assert remains() == []


def test_a_kernel_that_forbids_namespaces_is_said_in_one_sentence() -> None:
    """Where neither root nor a user namespace may make namespaces, the remedy is named."""
    drop = ["setpriv", "--bounding-set=-all", "--inh-caps=-all"]
    if os.geteuid():
        pytest.skip("only root can drop the last capability")
    said = subprocess.run(
        [*drop, *rehearsal.command("up")], capture_output=True, text=True, check=False
    )

    assert said.returncode == 4
    assert "Operation not permitted (run as root, or let users make namespaces" in last(said.stderr)
    assert inv("down").code == 0
    assert remains() == []
