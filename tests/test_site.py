"""Commands of remedies: whole for two shells where SSH runs them, bare on this machine."""

import shlex
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cluster.preflight.site import Site
from tests.clusters import HEAD, SPARKS

SITE = Site(cluster=SPARKS, node=HEAD)


@pytest.mark.parametrize(
    "command, there",
    [
        ("sudo ip link set enp1s0f1np1 up", "sudo ip link set enp1s0f1np1 up"),
        ("sudo ss -ltnp sport = :6379", "sudo ss -ltnp sport = :6379"),
        ("dmesg | tail", "'dmesg | tail'"),
        ("du -sh ~/hub/*", "'du -sh ~/hub/*'"),
        ("echo 'a b'", """'echo '"'"'a b'"'"''"""),
        ("true; true", "'true; true'"),
    ],
)
def test_command(command: str, there: str) -> None:
    """Only what a shell would take for its own is quoted, and nothing on this machine."""
    assert f"`ssh -t spark1 {there}`" == SITE.on(command)
    assert f"`{command}`" == replace(SITE, here=True).on(command)


@given(st.lists(st.text(min_size=1), min_size=1).map(shlex.join))
def test_any_command_arrives(command: str) -> None:
    """What the node's shell gets, after ours and ssh, are the words that were meant."""
    words = shlex.split(SITE.on(command).strip("`"))

    assert shlex.split(command) == shlex.split(" ".join(words[3:]))
