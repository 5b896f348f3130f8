"""An existing container compared with the expected one: changes and obstacles."""

import json
from dataclasses import replace

import pytest

from cluster.containers.comparison import (
    Comparison,
    ContainerState,
    ImageState,
    changes,
    container_state,
    obstacle,
)
from cluster.containers.container import SETTINGS, Container, Mount
from cluster.words import Secret
from tests.clusters import SPARKS

INHERITED = {"PATH": "/opt/venv/bin", "HF_HOME": "/image"}
VARIABLES = {"NCCL_DEBUG": "INFO", "HF_TOKEN": "hf_secret"}
CONTAINER = Container(
    name="vllm_node",
    image="vllm-node",
    argv=("run-service", "ray", "0123456789ab", "ray", "start"),
    environment=(("NCCL_DEBUG", "INFO"), ("HF_TOKEN", Secret("hf_secret", "env/cluster.env:7"))),
    mounts=(Mount(source="/data", target="/models"),),
    accelerator="nvidia",
    shm_size=1 << 30,
    rdma=True,
    privileged=False,
)
STATE = ContainerState(
    id="c0ffee",
    running=True,
    exit_code=0,
    image_id="sha256:1",
    argv=CONTAINER.argv,
    environment={**INHERITED, **VARIABLES},
    labels={SETTINGS: json.dumps(CONTAINER.settings)},
    started=0.0,
    commands=(),
)
CHANGED_SETTINGS = CONTAINER.settings | {"SHM_SIZE": "2", "IMAGE": ""}
IMAGE = ImageState(inherited=INHERITED, current_id="sha256:1")
RUNNING = Comparison(running=True, owner="default", changes=("SHM_SIZE", "NCCL_DEBUG"))
FOREIGN = (
    "spark2: a container named vllm_node exists that this tool did not make"
    " (remove it with `docker rm --force`, or set another CONTAINER)"
)


def without(name: str) -> dict[str, str]:
    """Return the variables of the container except for this one."""
    return {key: value for key, value in STATE.environment.items() if key != name}


@pytest.mark.parametrize(
    "state, expected",
    [
        pytest.param(STATE, (), id="the same"),
        pytest.param(
            replace(STATE, labels={SETTINGS: json.dumps(CHANGED_SETTINGS)}),
            ("IMAGE", "SHM_SIZE"),
            id="settings",
        ),
        pytest.param(
            replace(STATE, argv=(*STATE.argv, "--x")), ("the command line",), id="command"
        ),
        pytest.param(
            replace(STATE, argv=(*STATE.argv[:2], "ba9876543210", *STATE.argv[3:])),
            (),
            id="a digest alone, which only repeats the comparison",
        ),
        pytest.param(
            replace(STATE, environment=STATE.environment | {"NCCL_DEBUG": "WARN"}),
            ("NCCL_DEBUG",),
            id="another value",
        ),
        pytest.param(
            replace(STATE, environment=STATE.environment | {"HF_TOKEN": "hf_old"}),
            ("HF_TOKEN",),
            id="another secret",
        ),
        pytest.param(
            replace(STATE, environment=without("NCCL_DEBUG")), ("NCCL_DEBUG",), id="a new variable"
        ),
        pytest.param(
            replace(STATE, environment=STATE.environment | {"OMP_NUM_THREADS": "1"}),
            ("OMP_NUM_THREADS",),
            id="a removed variable",
        ),
        pytest.param(
            replace(STATE, environment=STATE.environment | {"HF_HOME": "/mine"}),
            ("HF_HOME",),
            id="a removed variable that the image sets",
        ),
        pytest.param(
            replace(STATE, labels={SETTINGS: "{}"}, argv=(), environment={}),
            (
                *("IMAGE", "ACCELERATOR", "SHM_SIZE", "HF_CACHE", "PRIVILEGED", "IB_IF"),
                *("the command line", "NCCL_DEBUG", "HF_TOKEN", "PATH", "HF_HOME"),
            ),
            id="everything",
        ),
    ],
)
def test_changes(state: ContainerState, expected: tuple[str, ...]) -> None:
    """Every setting and variable that differs is named, without its value."""
    assert expected == changes(CONTAINER, state, IMAGE, VARIABLES)


def test_rebuilt_image() -> None:
    """A container of an older image differs in IMAGE, unless no image has the name now."""
    rebuilt, gone = (replace(IMAGE, current_id=number) for number in ("sha256:2", ""))

    assert ("IMAGE",) == changes(CONTAINER, STATE, rebuilt, VARIABLES)
    assert () == changes(CONTAINER, STATE, gone, VARIABLES)


def test_container_state() -> None:
    """The engine's description is parsed; fields without a value are empty."""
    description = {
        "Id": "c0ffee",
        "Image": "sha256:1",
        "State": {"Running": False, "ExitCode": 137, "StartedAt": "2026-11-30T12:00:00.123456789Z"},
        "Config": {"Cmd": None, "Env": ["A=1=2"], "Labels": None},
        "ExecIDs": None,
    }
    state = container_state(description)

    assert ("", "", 137, 1796040000.0) == (
        state.owner,
        state.digest,
        state.exit_code,
        state.started,
    )
    assert ((), {"A": "1=2"}, ()) == (state.argv, state.environment, state.commands)


@pytest.mark.parametrize(
    "comparison, recreate, expected",
    [
        pytest.param(
            RUNNING,
            False,
            "spark2: vllm_node is already running with different settings: SHM_SIZE, NCCL_DEBUG"
            " (`inv up --recreate` replaces it, and ends what it serves)",
            id="running, changed",
        ),
        pytest.param(RUNNING, True, "None", id="running, changed, recreate"),
        pytest.param(replace(RUNNING, changes=()), False, "None", id="running, unchanged"),
        pytest.param(replace(RUNNING, running=False), False, "None", id="ended"),
        pytest.param(replace(RUNNING, owner=""), False, FOREIGN, id="foreign"),
        pytest.param(replace(RUNNING, owner=""), True, FOREIGN, id="foreign, recreate"),
        pytest.param(
            Comparison(running=False, owner="", changes=()),
            True,
            FOREIGN,
            id="foreign, ended",
        ),
    ],
)
def test_obstacle(comparison: Comparison, recreate: bool, expected: str) -> None:  # noqa: FBT001 (a table)
    """Only containers of this cluster are replaced; a running one needs `recreate`."""
    assert expected == str(obstacle(SPARKS, "spark2", comparison, recreate=recreate))


def test_obstacle_in_a_named_cluster() -> None:
    """The message names the container and the command of the cluster."""
    lab = replace(SPARKS, name="lab", container="mine")

    assert (
        "spark1: mine is already running with different settings: SHM_SIZE, NCCL_DEBUG"
        " (`inv up --recreate --cluster lab` replaces it, and ends what it serves)"
    ) == str(obstacle(lab, "spark1", replace(RUNNING, owner="lab"), recreate=False))


def test_obstacle_of_another_cluster() -> None:
    """A container of another cluster is never replaced, not even with `recreate`."""
    assert (
        "spark1: the container vllm_node belongs to cluster lab"
        " (`inv down --cluster lab`, or set another CONTAINER)"
    ) == str(obstacle(SPARKS, "spark1", replace(RUNNING, owner="lab"), recreate=True))
