"""Firewall, disks, models and listeners, from what nft 1.0, iptables, coreutils and ss print."""

import pytest

from cluster.facts.facts import Facts, parse
from cluster.facts.firewall import Firewall, Listener, firewall
from cluster.facts.storage import Disk, Model, disk
from tests.test_facts import FRAME, NOTHING

UFW = """\
ENABLED=yes
table ip filter {
\tchain INPUT {
\t\ttype filter hook input priority filter; policy drop;
\t}
\tchain ufw-user-input {
\t}
\tchain FORWARD {
\t\ttype filter hook forward priority filter; policy drop;
\t}
}
table ip6 filter {
\tchain INPUT {
\t\ttype filter hook input priority filter; policy accept;
\t}
}
table inet guard {
\tchain in {
\t\ttype filter hook input priority -10; policy drop;
\t}
}
"""
TITLE = "Filesystem     1024-blocks      Used Available Capacity Mounted on\n"
ROOT = f"/var/lib/docker\n{TITLE}/dev/nvme0n1p2  3844548584 513048264 3331500320      14% /\n"
STORE = f"/var/lib/containerd\n{TITLE}/dev/my disk  100 90 10      90% /var/lib/containerd\n"
MODELS = f"/srv/spark/.cache/huggingface\n{TITLE}rpool/home 200 0 200 - /home\n"
SIZES = """\
8065520\t/srv/spark/.cache/huggingface/hub/models--Qwen--Qwen3-4B
528\t/srv/spark/my models/hub/models--gpt2
0 /srv/spark/.cache/huggingface/hub/models--meta-llama--Llama-3.1-8B
"""
LISTENERS = """\
LISTEN 0      4096      127.0.0.53%lo:53         0.0.0.0:*
LISTEN 0      128             0.0.0.0:22         0.0.0.0:*
LISTEN 0      511                   *:8265             *:*    users:(("ray::Dash",pid=7,fd=3))
LISTEN 0      4096               [::]:6379          [::]:*    users:(("gcs_server",pid=8,fd=9),("sh",pid=1,fd=1))
"""  # noqa: E501 (a line of ss)


def test_all_parts() -> None:
    """Only chains that drop incoming packets count, not those that forward or accept."""
    answers = {
        "firewall": UFW,
        "engine_disk": ROOT,
        "model_disk": MODELS,
        "models": SIZES,
        "listeners": LISTENERS,
    }
    expected = Facts(
        machine=NOTHING.machine,
        docker=NOTHING.docker,
        firewall=Firewall(ufw=True, drops=("ip filter INPUT", "inet guard in")),
        engine_disk=Disk(path="/var/lib/docker", free=3_411_456_327_680, total=3_936_817_750_016),
        model_disk=Disk(path="/srv/spark/.cache/huggingface", free=204_800, total=204_800),
        models=(
            Model(name="Qwen/Qwen3-4B", size=8_259_092_480),
            Model(name="gpt2", size=540_672),
            Model(name="meta-llama/Llama-3.1-8B", size=0),
        ),
        listeners=(
            Listener(address="127.0.0.53%lo", port=53),
            Listener(address="0.0.0.0", port=22),  # noqa: S104 (what ss prints)
            Listener(address="*", port=8265, process="ray::Dash"),
            Listener(address="[::]", port=6379, process="gcs_server"),
        ),
    )

    text = "".join(f"== {name}\n{answer}\n" for name, answer in answers.items())

    assert expected == parse(f"{text}{FRAME}")


@pytest.mark.parametrize(
    "text, expected",
    [
        ("ENABLED=no\n", Firewall(ufw=False)),
        ("-P INPUT ACCEPT\n", Firewall()),
        ("-P INPUT DROP\n-A INPUT -i lo -j ACCEPT\n", Firewall(drops=("ip filter INPUT",))),
        ("ENABLED=yes\n-P INPUT DROP\n", Firewall(ufw=True, drops=("ip filter INPUT",))),
    ],
)
def test_firewall(text: str, expected: Firewall) -> None:
    """Without nft, iptables lists the policy."""
    assert expected == firewall(text)


@pytest.mark.parametrize("text", [ROOT + STORE, STORE + ROOT])
def test_least_room(text: str) -> None:
    """Of the folders of an engine, the fuller one counts."""
    expected = Disk(path="/var/lib/containerd", free=10_240, total=102_400)

    assert expected == disk(text)


@pytest.mark.parametrize(
    "text", ["", "/var/lib/docker\n", f"{TITLE}", f"\n{TITLE}tmpfs 1 0 1 0% /"]
)
def test_no_disk(text: str) -> None:
    """A folder without numbers, or numbers without a folder, is no disk."""
    assert disk(text) is None
