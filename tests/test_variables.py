"""The variables that the project sets, and those that it leaves out."""

import re
from dataclasses import replace
from ipaddress import IPv4Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cluster.environment.variables import DROPPED, VARIABLES, Variable, token_file
from cluster.node import Node
from cluster.reference.tables import EXAMPLE
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
def test_shared_variables_do_not_depend_on_the_node(first: Node, second: Node) -> None:
    """A variable that is not per node is the same on all nodes, so the head may pass it on."""
    shared = [row for row in VARIABLES if not row.per_node]

    assert [row.value(EXAMPLE, first) for row in shared] == [
        row.value(EXAMPLE, second) for row in shared
    ]


@given(NODES)
def test_gloo_gets_plain_names(node: Node) -> None:
    """Gloo gets the plain name of the interface, NCCL the exact form."""
    values = {row.name: row.value(EXAMPLE, node) for row in VARIABLES}

    assert values["GLOO_SOCKET_IFNAME"] == node.eth_if
    assert values["NCCL_SOCKET_IFNAME"] == f"={node.eth_if}"


@given(NODES)
def test_rdma_is_all_or_nothing(node: Node) -> None:
    """The three RDMA variables are consistent on every node."""
    values = {row.name: row.value(EXAMPLE, node) for row in VARIABLES}
    rdma = (values["NCCL_IB_HCA"], values["NCCL_IB_DISABLE"], values["NCCL_NET"])

    assert rdma == (("=" + ",".join(node.ib_if), "0", "IB") if node.ib_if else (None, "1", None))


def test_names_are_unique() -> None:
    """No variable is listed twice, and none is both set and left out."""
    names = [row.name for row in (*ROWS, *DROPPED)]

    assert sorted(set(names)) == sorted(names)


def test_generated_names_that_are_refused_in_files() -> None:
    """These variables of the project, and no others, cannot be overridden in env files."""
    generated = {row.name for row in ROWS}

    assert {"RAY_ADDRESS", "VLLM_HOST_IP", "RAY_AUTH_TOKEN_PATH"} == generated & REFUSED.keys()


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_every_row_has_a_reason_and_a_public_source(row: Variable) -> None:
    """A row has a reason in whole sentences and a public source."""
    assert re.fullmatch(r"[A-Z`].*\.", row.why)
    assert re.fullmatch(r"https://[a-z.-]+/\S+", row.source)


def test_every_left_out_variable_has_a_reason_and_a_public_source() -> None:
    """A row of a left out variable has a reason, a replacement and a public source."""
    broken = [
        row.name
        for row in DROPPED
        if not (row.why.endswith(".") and row.instead and row.source.startswith("https://"))
    ]

    assert broken == []
