"""What keeps a node from starting its container: the exact problem for every answer."""

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cluster.checks.preflight import preflight_problems
from cluster.node import Cluster
from cluster.node_context import NodeContext
from tests.answers import RENEW, capture, changed, judged
from tests.clusters import HEAD, SPARKS

SHM = "shared memory has 1023 of 16384 MiB free, but Ray's object store needs 1024 MiB"


def test_a_good_node() -> None:
    """A healthy node has no problems."""
    assert [] == judged(capture("head"))


def test_noise_before_the_answer() -> None:
    """The output of a library during its import is not part of the answer."""
    assert [] == judged(f"a warning\n{capture('head')}\n")


def test_everything_at_once() -> None:
    """All problems of a node are reported at once, each with its remedy."""
    assert [
        f"spark1: vllm-node cannot import Ray: ModuleNotFoundError: No module named 'ray' {RENEW}",
        (
            "spark1: RDMA devices cannot be used: no /dev/infiniband/uverbs*"
            " (`ssh -t spark1 sudo modprobe ib_uverbs`, or write IB_IF= in env/spark1.env,"
            " for sockets only)"
        ),
        (
            "spark1: only 8192 KiB of memory can be locked, too little for RDMA"
            " (write PRIVILEGED=true in env/cluster.env)"
        ),
        (
            "spark1: shared memory has 512 of 512 MiB free, but Ray's object store needs 1024 MiB"
            " (write a larger SHM_SIZE or a smaller OBJECT_STORE_MEMORY in env/cluster.env)"
        ),
    ] == judged(capture("troubled"))


@pytest.mark.parametrize(
    "shm_size, privileged, remedy",
    [
        pytest.param(
            1 << 30,
            False,
            "(write a larger SHM_SIZE or a smaller OBJECT_STORE_MEMORY in env/cluster.env)",
            id="sized",
        ),
        pytest.param(
            None,
            False,
            "(`ssh -t spark1 ls -lS /dev/shm` shows what fills it;"
            " or write a smaller OBJECT_STORE_MEMORY in env/cluster.env)",
            id="the node's own",
        ),
        pytest.param(
            1 << 30,
            True,
            "(`ssh -t spark1 ls -lS /dev/shm` shows what fills it;"
            " or write a smaller OBJECT_STORE_MEMORY in env/cluster.env)",
            id="privileged",
        ),
    ],
)
def test_shared_memory(shm_size: int | None, *, privileged: bool, remedy: str) -> None:
    """One page too few is a problem; the remedy is a larger SHM_SIZE only where that counts."""
    free = (1 << 30) - 4096
    text = changed(lambda answer: answer["shm"].update(free=free))
    cluster = replace(SPARKS, shm_size=shm_size, privileged=privileged)

    assert [f"spark1: {SHM} {remedy}"] == judged(text, cluster=cluster)


def test_just_enough() -> None:
    """Ray may use all of SHM_SIZE."""
    text = changed(lambda answer: answer.update(shm={"free": 1 << 30, "total": 1 << 30}))

    assert [] == judged(text)


def test_sockets_only() -> None:
    """Without IB_IF neither RDMA devices nor locked memory are required."""
    text = changed(lambda answer: answer.update(infiniband=[], ipc_lock=False))

    assert [] == judged(text, replace(HEAD, ib_if=()))


@pytest.mark.parametrize(
    "memlock, ipc_lock",
    [
        pytest.param(None, False, id="no limit"),
        pytest.param(65536, True, id="a limit that does not count"),
    ],
)
def test_locked_memory(memlock: int | None, *, ipc_lock: bool) -> None:
    """Without a limit, or with the capability that no limit binds, memory can be locked."""
    text = changed(lambda answer: answer.update(memlock=memlock, ipc_lock=ipc_lock))

    assert [] == judged(text)


def test_commands_and_files_of_another_cluster() -> None:
    """Commands and files in remedies are those of the cluster."""
    lab = replace(SPARKS, name="lab", image="lab-node")
    node = replace(HEAD, ssh_host="me@spark-01")
    text = changed(lambda answer: answer.update(ray_error="ImportError: libcore.so", infiniband=[]))

    assert [
        (
            "spark1: lab-node cannot import Ray: ImportError: libcore.so"
            " (`inv build --cluster lab`, then `inv ship --cluster lab`)"
        ),
        (
            "spark1: RDMA devices cannot be used: no /dev/infiniband/uverbs*"
            " (`ssh -t me@spark-01 sudo modprobe ib_uverbs`, or write IB_IF= in env/lab/spark1.env,"
            " for sockets only)"
        ),
    ] == judged(text, node, lab)


@pytest.mark.parametrize(
    "text, output",
    [
        pytest.param("", "no answer", id="nothing"),
        pytest.param("\n \n", "no answer", id="blank"),
        pytest.param("exec format error\n", "exec format error", id="another architecture"),
        pytest.param('{"free": true}', '{"free": true}', id="another question's answer"),
        pytest.param(f"a warning\n{'x' * 400}", "x" * 300, id="a long line"),
    ],
)
def test_no_answer(text: str, output: str) -> None:
    """An answer without facts is one problem, which shows it."""
    assert [f"spark1: vllm-node cannot examine the node: {output} {RENEW}"] == judged(text)


@pytest.mark.parametrize(
    "cluster, output, sentence",
    [
        pytest.param(
            SPARKS,
            'error gathering device information while adding custom device "/dev/infiniband":'
            " no such file or directory",
            "has no RDMA device, but IB_IF is rocep1s0f1,roceP2p1s0f1"
            " (`ssh -t spark1 sudo modprobe mlx5_ib`, or write IB_IF= in env/spark1.env,"
            " for sockets only)",
            id="no RDMA",
        ),
        pytest.param(
            SPARKS,
            'could not select device driver "" with capabilities: [[gpu]]',
            "Docker cannot give containers GPUs: could not select device driver"
            ' "" with capabilities: [[gpu]]'
            " (`ssh -t spark1 sudo apt-get install nvidia-container-toolkit`,"
            " `ssh -t spark1 sudo nvidia-ctk runtime configure --runtime=docker`,"
            " then `ssh -t spark1 sudo systemctl restart docker`;"
            " or write ACCELERATOR=cdi in env/cluster.env)",
            id="no NVIDIA runtime",
        ),
        pytest.param(
            replace(SPARKS, accelerator="cdi"),
            "CDI device injection failed: unresolvable CDI devices nvidia.com/gpu=all",
            "Docker cannot give containers GPUs: CDI device injection failed: unresolvable CDI"
            " devices nvidia.com/gpu=all"
            " (`ssh -t spark1 sudo nvidia-ctk cdi generate --output=/etc/cdi/nvidia.yaml`,"
            " then `ssh -t spark1 sudo systemctl restart docker`;"
            " or write ACCELERATOR=nvidia in env/cluster.env)",
            id="no CDI specification",
        ),
    ],
)
def test_docker_refuses(cluster: Cluster, output: str, sentence: str) -> None:
    """If Docker refuses the container, the remedy is for the node and not for the image."""
    assert [f"spark1: {sentence}"] == judged(output, cluster=cluster)


def test_this_machine() -> None:
    """On this machine a remedy needs no SSH."""
    text = changed(lambda answer: answer.update(infiniband=[]))
    context = NodeContext(cluster=SPARKS, node=HEAD, is_local=True)

    assert [
        (
            "spark1: RDMA devices cannot be used: no /dev/infiniband/uverbs*"
            " (`sudo modprobe ib_uverbs`, or write IB_IF= in env/spark1.env, for sockets only)"
        )
    ] == [str(problem) for problem in preflight_problems(context, text)]


STRANGE = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=5,
)


@given(
    key=st.sampled_from(sorted(json.loads(capture("head")))),
    value=STRANGE,
    text=st.text(),
)
def test_no_answer_is_too_strange(key: str, value: object, text: str) -> None:
    """Any answer becomes a problem of the node, never a traceback."""
    strange = (text, json.dumps(value), changed(lambda answer: answer.update({key: value})))

    assert all(line.startswith("spark1: ") for answer in strange for line in judged(answer))
