"""The table of variables and the table of those that are left out."""

import re
from dataclasses import replace
from ipaddress import IPv4Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cluster.environment.dropped import DROPPED
from cluster.environment.variables import VARIABLES, Variable, token_file
from cluster.node import Node
from cluster.reference import EXAMPLE
from cluster.settings.passthrough import REFUSED

ROWS = (*VARIABLES, token_file("/run/ray-token"))
NAMES = st.from_regex(r"[a-z][a-zA-Z0-9]{0,14}", fullmatch=True)
NODES = st.builds(
    replace,
    st.sampled_from(EXAMPLE.nodes),
    host_ip=st.builds(IPv4Address, st.integers(0, 2**32 - 1)),
    eth_if=NAMES,
    ib_if=st.lists(NAMES, max_size=4).map(tuple),
)


@given(NODES, NODES)
def test_shared_rows_are_the_same_everywhere(one: Node, other: Node) -> None:
    """A row that is not per node ignores the node, so what the head hands on is right."""
    shared = [row for row in VARIABLES if not row.per_node]

    assert [row.value(EXAMPLE, one) for row in shared] == [
        row.value(EXAMPLE, other) for row in shared
    ]


@given(NODES)
def test_gloo_gets_no_mark_of_nccl(node: Node) -> None:
    """Gloo takes plain names only, while NCCL's name is exact."""
    values = {row.name: row.value(EXAMPLE, node) for row in VARIABLES}

    assert values["GLOO_SOCKET_IFNAME"] == node.eth_if
    assert values["NCCL_SOCKET_IFNAME"] == f"={node.eth_if}"


@given(NODES)
def test_rdma_is_all_or_nothing(node: Node) -> None:
    """The three RDMA variables agree with each other on every node."""
    values = {row.name: row.value(EXAMPLE, node) for row in VARIABLES}
    rdma = (values["NCCL_IB_HCA"], values["NCCL_IB_DISABLE"], values["NCCL_NET"])

    assert rdma == (("=" + ",".join(node.ib_if), "0", "IB") if node.ib_if else (None, "1", None))


def test_names_are_unique() -> None:
    """No variable stands twice, and none is both set and left out."""
    names = [row.name for row in (*ROWS, *DROPPED)]

    assert sorted(set(names)) == sorted(names)


def test_generated_names_that_are_refused_in_files() -> None:
    """Among the generated variables exactly these cannot be overridden."""
    generated = {row.name for row in ROWS}

    assert {"RAY_ADDRESS", "VLLM_HOST_IP", "RAY_AUTH_TOKEN_PATH"} == generated & REFUSED.keys()


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_every_row_has_a_reason_and_a_public_source(row: Variable) -> None:
    """A row says why in whole sentences and links to where that is written."""
    assert re.fullmatch(r"[A-Z`].*\.", row.why)
    assert re.fullmatch(r"https://[a-z.-]+/\S+", row.source)


def test_every_left_out_variable_has_a_reason_and_a_public_source() -> None:
    """A dropped row says why and what does its work."""
    broken = [
        row.name
        for row in DROPPED
        if not (row.why.endswith(".") and row.instead and row.source.startswith("https://"))
    ]

    assert broken == []
