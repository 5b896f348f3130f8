"""Commands in remedies: quoted for two shells where SSH runs them, bare on this machine."""

import shlex
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cluster.node_context import NodeContext
from tests.clusters import HEAD, SPARKS

CONTEXT = NodeContext(cluster=SPARKS, node=HEAD)


@pytest.mark.parametrize(
    "command, remote",
    [
        ("sudo ip link set enp1s0f1np1 up", "sudo ip link set enp1s0f1np1 up"),
        ("sudo ss -ltnp sport = :6379", "sudo ss -ltnp sport = :6379"),
        ("dmesg | tail", "'dmesg | tail'"),
        ("du -sh ~/hub/*", "'du -sh ~/hub/*'"),
        ("echo 'a b'", """'echo '"'"'a b'"'"''"""),
        ("true; true", "'true; true'"),
    ],
)
def test_command(command: str, remote: str) -> None:
    """A command with characters of the shell is quoted for SSH, and never on this machine."""
    assert f"`ssh -t spark1 {remote}`" == CONTEXT.command(command)
    assert f"`{command}`" == replace(CONTEXT, is_local=True).command(command)


@given(st.lists(st.text(min_size=1), min_size=1).map(shlex.join))
def test_any_command_arrives(command: str) -> None:
    """The node's shell gets the same words after this machine's shell and ssh."""
    words = shlex.split(CONTEXT.command(command).strip("`"))

    assert shlex.split(command) == shlex.split(" ".join(words[3:]))
