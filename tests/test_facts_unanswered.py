"""What it means when a machine does not answer."""

import pytest

from cluster.facts.unanswered import unanswered
from cluster.host import Host

FAR, HERE = Host(name="spark2", ssh_host="dgx"), Host(name="spark1")


@pytest.mark.parametrize(
    "its, said, expected",
    [
        (
            FAR,
            "ssh: connect to host 192.168.1.9 port 22: No route to host\r\n",
            (
                "spark2: dgx does not answer: No route to host"
                " (check that it is on, and on this network: `ssh -v dgx`)"
            ),
        ),
        (
            FAR,
            "Warning: something\nsh: 12: Syntax error\n",
            "spark2: no answer: sh: 12: Syntax error (`ssh dgx` may show more)",
        ),
        (FAR, "", "spark2: no answer over SSH (try: `ssh dgx true`)"),
        (HERE, "timed out after 30 s", "spark1: no answer: timed out after 30 s"),
    ],
    ids=["ssh", "shell", "nothing", "here"],
)
def test_unanswered(its: Host, said: str, expected: str) -> None:
    """What SSH says has its own sentence; what else is said is shown as it is."""
    assert expected == str(unanswered(its, said))
