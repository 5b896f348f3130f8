"""All env files of a cluster: the cluster and the sources of its values, or all problems."""

import subprocess
import sys
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cluster.errors import SettingsError
from cluster.machine.env_files import env_files
from cluster.node import KEYS, Cluster, Node, env_folder
from cluster.settings.settings import Settings, resolve
from cluster.settings.syntax import EnvText
from cluster.words import Secret

ROOT = Path(__file__).parent.parent

FILES = {
    "env/cluster.env": "SERVE_ARGS='--dtype auto'\nHF_TOKEN=hidden\nNCCL_DEBUG=WARN\n",
    "env/alpha.env": "ROLE=worker\nHOST_IP=192.168.177.12\nETH_IF=eth1\nNCCL_DEBUG=INFO\n",
    "env/beta.env": "ROLE=head\nHOST_IP=192.168.177.11\nETH_IF=eth0\nIB_IF=a,b\nSSH_HOST=me@beta\n",
}


def resolved(files: dict[str, str], name: str = "default") -> Settings:
    """Return the settings that these texts describe."""
    return resolve(name, tuple(EnvText(path=path, text=text) for path, text in files.items()))


def problems(files: dict[str, str], name: str = "default") -> list[str]:
    """Return the problems of these texts as the user reads them."""
    with pytest.raises(SettingsError) as error:
        resolved(files, name)
    return str(error.value).split("\n")


def test_cluster() -> None:
    """The files become a typed cluster, the head first."""
    expected = Cluster(
        name="default",
        runtime="docker",
        image="vllm-node",
        container="vllm_node",
        accelerator="nvidia",
        shm_size=16 * 2**30,
        hf_cache="~/.cache/huggingface",
        privileged=False,
        nodes=(
            Node(
                name="beta",
                role="head",
                host_ip=IPv4Address("192.168.177.11"),
                head_ip=IPv4Address("192.168.177.11"),
                eth_if="eth0",
                ib_if=("a", "b"),
                ssh_host="me@beta",
                gpus=1,
                variables=(),
            ),
            Node(
                name="alpha",
                role="worker",
                host_ip=IPv4Address("192.168.177.12"),
                head_ip=IPv4Address("192.168.177.11"),
                eth_if="eth1",
                ib_if=(),
                ssh_host="192.168.177.12",
                gpus=1,
                variables=(("NCCL_DEBUG", "INFO"),),
            ),
        ),
        subnet=IPv4Network("192.168.177.0/24"),
        head_port=6379,
        dashboard=True,
        object_store_memory=2**30,
        serve_host="0.0.0.0",  # noqa: S104 (nothing listens here)
        serve_port=8888,
        model="",
        gpu_memory_utilization=0.7,
        max_model_len=32768,
        serve_args=("--dtype", "auto"),
        variables=(("HF_TOKEN", Secret("hidden", "env/cluster.env:2")), ("NCCL_DEBUG", "WARN")),
    )

    assert expected == resolved(FILES).cluster


def test_sources() -> None:
    """Every value has its source: a line, the default, or the setting that it is derived from."""
    values = resolved(FILES).values
    names = list(KEYS["node"])

    assert [(value.section, value.key) for value in values] == [
        *(("cluster", name) for name in KEYS["cluster"]),
        *(("cluster", "HF_TOKEN"), ("cluster", "NCCL_DEBUG")),
        *(("beta", name) for name in names),
        *(("alpha", name) for name in (*names, "NCCL_DEBUG")),
    ]
    assert [value.source for value in values if value.section == "beta"] == [
        "env/beta.env:1",
        "env/beta.env:2",
        "env/beta.env:3",
        "env/beta.env:4",
        "derived from the head's HOST_IP",
        "env/beta.env:5",
        "default",
    ]


def test_subnet_as_written() -> None:
    """A written SUBNET is not derived."""
    files = FILES | {"env/cluster.env": "SUBNET=192.168.0.0/16"}

    assert IPv4Network("192.168.0.0/16") == resolved(files).cluster.subnet


def test_without_cluster_file() -> None:
    """Without cluster.env every shared key has its default."""
    files = {path: text for path, text in FILES.items() if path != "env/cluster.env"}

    assert {"default", "derived from the head's HOST_IP"} == {
        value.source for value in resolved(files).values if value.section == "cluster"
    }


def test_workers_by_name() -> None:
    """Workers are ordered by name, whatever the order of the files."""
    extra = {
        f"env/{name}.env": f"ROLE=worker\nHOST_IP=192.168.177.{number}\nETH_IF=eth0\n"
        for number, name in ((22, "c"), (21, "a"))
    }
    workers = resolved(FILES | extra).cluster.workers

    assert [node.name for node in workers] == ["a", "alpha", "c"]


def test_all_problems_at_once() -> None:
    """All problems are reported in one run: by file, by line, those of the cluster last."""
    files = {
        "env/lab/cluster.env": "SERVE_PORT=6379\nSUBNET=10.0.0.0\n\nCOLOUR=red\nbare\n",
        "env/lab/alpha.env": "ROLE=head\nHOST_IP=10.0.0\nETH_IF=eth0\nROLE=worker\n",
        "env/lab/beta.env": "HOST_IP=10.0.0.2\nNCLL_DEBUG=INFO\nROLE=head\n",
        "env/lab/gamma.env": "ROLE=worker\nHOST_IP=10.0.0.2\nETH_IF=a/b\n",
    }

    assert problems(files, "lab") == [
        (
            "env/lab/cluster.env:1: SERVE_PORT: 6379 is also HEAD_PORT "
            "(choose another port; both listen on the head)"
        ),
        (
            "env/lab/cluster.env:2: SUBNET: must be an IPv4 network, not `10.0.0.0` "
            "(for example 192.168.177.0/24)"
        ),
        "env/lab/cluster.env:4: COLOUR: unknown key (env/cluster.env.example lists all keys)",
        "env/lab/cluster.env:5: bare: has no value (write bare=value)",
        (
            "env/lab/alpha.env:2: HOST_IP: must be an IPv4 address, not `10.0.0` "
            "(for example 192.168.177.11)"
        ),
        "env/lab/alpha.env:4: ROLE: is already set on line 1 (keep one of them)",
        "env/lab/beta.env:2: NCLL_DEBUG: unknown key (did you mean NCCL_DEBUG?)",
        "env/lab/beta.env: ETH_IF: is missing (add ETH_IF=enp1s0f1np1)",
        (
            "env/lab/gamma.env:2: HOST_IP: 10.0.0.2 is already the address of beta "
            "(give every node its own address)"
        ),
        (
            "env/lab/gamma.env:3: ETH_IF: must be the name of one network interface, not `a/b` "
            "(write it as `ip -br link` prints it, for example enp1s0f1np1)"
        ),
        "env/lab/: 2 heads: alpha, beta (set ROLE=worker on all but one)",
    ]


def test_trouble() -> None:
    """An unreadable file is one problem among the others, and causes no further ones."""
    files = (
        EnvText(path="env/alpha.env", error="is not a file", remedy="remove it"),
        EnvText(path="env/beta.env", text=FILES["env/beta.env"] + "GPUS=no"),
    )
    with pytest.raises(SettingsError) as error:
        resolve("default", files)

    assert str(error.value) == (
        "env/alpha.env: is not a file (remove it)\n"
        "env/beta.env:6: GPUS: must be a number of GPUs, not `no` (write a number from 1 to 64)"
    )


def test_no_such_cluster() -> None:
    """A missing folder is the only problem."""
    file = EnvText(path="env/lba/", error="no such cluster", remedy="did you mean lab?")
    with pytest.raises(SettingsError) as error:
        resolve("lba", (file,))

    assert str(error.value) == "env/lba/: no such cluster (did you mean lab?)"
    assert error.value.exit_code == 2


def test_nothing() -> None:
    """For an empty folder the message has the commands that create the files."""
    assert problems({}) == [
        (
            "env/: no nodes (`inv probe --write -- HOST...` writes them,"
            " or start with `cp env/node.env.example env/spark1.env`)"
        )
    ]


def test_secrets_stay_hidden() -> None:
    """Neither a problem nor a printed cluster shows a secret."""
    wrong = 'HF_TOKEN="hidden\n'
    texts = [*problems(FILES | {"env/cluster.env": wrong}), repr(resolved(FILES))]

    assert [text for text in texts if "hidden" in text] == []


@pytest.mark.parametrize(
    "name,path", [("default", "env/"), ("lab", "env/lab/"), ("many/one", "env/many/one/")]
)
def test_folder(name: str, path: str) -> None:
    """The default cluster is in env/ itself, any other cluster in its folder."""
    assert path == env_folder(name)


def test_rehearsal() -> None:
    """The tracked rehearsal cluster is valid, and needs neither Docker nor RDMA."""
    cluster = resolve("rehearsal", env_files(str(ROOT), "rehearsal")).cluster

    assert cluster.runtime == "process"
    assert [(node.name, str(node.host_ip), node.ib_if) for node in cluster.nodes] == [
        ("spark1", "192.168.177.11", ()),
        ("spark2", "192.168.177.12", ()),
    ]


def test_example() -> None:
    """The tracked example is two Sparks with both twins of a port, and has no secret."""
    cluster = resolve("examples/two-sparks", env_files(str(ROOT), "examples/two-sparks")).cluster
    twins = ("rocep1s0f1", "roceP2p1s0f1")

    assert ("docker", 2, ()) == (cluster.runtime, cluster.gpus, cluster.variables)
    assert "RedHatAI/Qwen3-VL-235B-A22B-Instruct-NVFP4" == cluster.model
    assert [
        ("spark1", "192.168.177.11", "spark1", twins, ()),
        ("spark2", "192.168.177.12", "spark2", twins, ()),
    ] == [
        (node.name, str(node.host_ip), node.ssh_host, node.ib_if, node.variables)
        for node in cluster.nodes
    ]


def test_import_is_light() -> None:
    """Importing the settings loads none of the large libraries."""
    large = {"asyncio", "docker", "fabric", "invoke", "rich", "subprocess"}
    code = "import sys, cluster.settings; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )

    assert set() == large & set(done.stdout.split())


LINES = st.lists(
    st.tuples(
        st.sampled_from([*KEYS["cluster"], *KEYS["node"], "NCCL_X", "X_KEY"]),
        st.sampled_from(["=", "", " = ", "='", ':"']),
        st.sampled_from(
            ["head", "worker", "10.0.0.1", "10.0.0.2/24", "8888", "a,b", "", "1g", "x"]
        ),
    ).map("".join)
)


@given(st.dictionaries(st.sampled_from([*FILES, "env/X.env"]), LINES.map("\n".join)))
def test_never_raises_anything_else(files: dict[str, str]) -> None:
    """Any files are a cluster, or problems that each have a place and a remedy."""
    try:
        resolved(files)
    except SettingsError as error:
        lines = [str(problem) for problem in error.problems]
    else:
        lines = []

    assert [line for line in lines if not (line.startswith("env/") and line.endswith(")"))] == []
