"""A container that is there, and the one that should be: what differs, and what hinders."""

import json
from dataclasses import replace

import pytest

from cluster.containers.container import Container, Found, Known, Mount, changes, obstacle
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
KNOWN = Known(
    settings=json.dumps(CONTAINER.settings),
    argv=CONTAINER.argv,
    environment={**INHERITED, **VARIABLES},
    inherited=INHERITED,
)
RUNNING = Found(running=True, owner="default", changes=("SHM_SIZE", "NCCL_DEBUG"))
ALIEN = (
    "spark2: there is a container vllm_node that this tool did not make"
    " (remove it by `docker rm --force`, or choose another name by CONTAINER)"
)


def without(name: str) -> dict[str, str]:
    """Return the variables of the container, but for one."""
    return {key: value for key, value in KNOWN.environment.items() if key != name}


@pytest.mark.parametrize(
    "known, expected",
    [
        pytest.param(KNOWN, (), id="the same"),
        pytest.param(
            replace(
                KNOWN, settings=json.dumps(CONTAINER.settings | {"SHM_SIZE": "2", "IMAGE": ""})
            ),
            ("IMAGE", "SHM_SIZE"),
            id="settings",
        ),
        pytest.param(
            replace(KNOWN, argv=(*KNOWN.argv, "--x")), ("the command line",), id="command"
        ),
        pytest.param(
            replace(KNOWN, argv=(*KNOWN.argv[:2], "ba9876543210", *KNOWN.argv[3:])),
            (),
            id="a digest alone, which tells nothing that the rest does not",
        ),
        pytest.param(
            replace(KNOWN, environment=KNOWN.environment | {"NCCL_DEBUG": "WARN"}),
            ("NCCL_DEBUG",),
            id="another value",
        ),
        pytest.param(
            replace(KNOWN, environment=KNOWN.environment | {"HF_TOKEN": "hf_old"}),
            ("HF_TOKEN",),
            id="another secret",
        ),
        pytest.param(
            replace(KNOWN, environment=without("NCCL_DEBUG")), ("NCCL_DEBUG",), id="a new variable"
        ),
        pytest.param(
            replace(KNOWN, environment=KNOWN.environment | {"OMP_NUM_THREADS": "1"}),
            ("OMP_NUM_THREADS",),
            id="a variable that is gone",
        ),
        pytest.param(
            replace(KNOWN, environment=KNOWN.environment | {"HF_HOME": "/mine"}),
            ("HF_HOME",),
            id="a variable that is gone, and was one of the image's",
        ),
        pytest.param(
            replace(KNOWN, settings="{}", argv=(), environment={}),
            (
                *("IMAGE", "ACCELERATOR", "SHM_SIZE", "HF_CACHE", "PRIVILEGED", "IB_IF"),
                *("the command line", "NCCL_DEBUG", "HF_TOKEN", "PATH", "HF_HOME"),
            ),
            id="everything",
        ),
    ],
)
def test_changes(known: Known, expected: tuple[str, ...]) -> None:
    """Each key and each variable that differs is named, and no value is."""
    assert expected == changes(CONTAINER, known, VARIABLES)


@pytest.mark.parametrize(
    "found, recreate, expected",
    [
        pytest.param(
            RUNNING,
            False,
            "spark2: vllm_node runs with another value of SHM_SIZE, NCCL_DEBUG"
            " (`inv up --recreate` replaces it, and ends what it serves)",
            id="runs otherwise",
        ),
        pytest.param(RUNNING, True, "None", id="runs otherwise and is given up"),
        pytest.param(replace(RUNNING, changes=()), False, "None", id="runs as it should"),
        pytest.param(replace(RUNNING, running=False), False, "None", id="has ended"),
        pytest.param(replace(RUNNING, owner=""), False, ALIEN, id="somebody else's"),
        pytest.param(replace(RUNNING, owner=""), True, ALIEN, id="somebody else's all the same"),
        pytest.param(
            Found(running=False, owner="", changes=()), True, ALIEN, id="somebody else's, ended"
        ),
    ],
)
def test_obstacle(found: Found, recreate: bool, expected: str) -> None:  # noqa: FBT001 (a table)
    """A container is replaced when it is ours, and runs otherwise only when it is said so."""
    assert expected == str(obstacle(SPARKS, "spark2", found, recreate=recreate))


def test_obstacle_of_a_cluster_with_a_name() -> None:
    """The command and the container are those of the cluster."""
    lab = replace(SPARKS, name="lab", container="mine")

    assert (
        "spark1: mine runs with another value of SHM_SIZE, NCCL_DEBUG"
        " (`inv up --recreate --cluster lab` replaces it, and ends what it serves)"
    ) == str(obstacle(lab, "spark1", replace(RUNNING, owner="lab"), recreate=False))


def test_obstacle_of_another_cluster() -> None:
    """A container of another cluster is left to that cluster, whatever is given up."""
    assert (
        "spark1: there is the container vllm_node of cluster lab"
        " (`inv down --cluster lab`, or choose another name by CONTAINER)"
    ) == str(obstacle(SPARKS, "spark1", replace(RUNNING, owner="lab"), recreate=True))
