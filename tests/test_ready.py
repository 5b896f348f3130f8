"""The endpoint and the completion that `inv serve` and `inv rehearse` print at the end."""

import json
from dataclasses import replace

from cluster.commands import vllm
from cluster.commands.vllm import ServeOptions
from cluster.serve import ready
from cluster.words import Secret
from tests.clusters import REHEARSAL, namespace_runtime

REQUEST = vllm.request(REHEARSAL, ServeOptions(), "/opt/spark")
ENTER = 'nsenter --target "$(cat /opt/spark/.state/rehearsal/spark1/init.pid)" --net'
KEY = "/opt/spark/.state/rehearsal/api-key"


def test_beyond_loopback() -> None:
    """A server beyond loopback is shown with its URL, its key file and a line to try both."""
    expected = f"""\
model  tiny-llama
url    http://192.168.177.11:8888/v1
key    {KEY}
try    {ENTER} curl --silent http://192.168.177.11:8888/v1/models \
--header "Authorization: Bearer $(cat {KEY})"
"""

    assert expected == ready.text(ready.endpoint(REHEARSAL, REQUEST, namespace_runtime()))


def test_loopback() -> None:
    """A server on loopback has no key."""
    expected = f"""\
model  tiny-llama
url    http://127.0.0.1:8888/v1
try    {ENTER} curl --silent http://127.0.0.1:8888/v1/models
"""
    local = replace(REQUEST, host="127.0.0.1")

    assert expected == ready.text(ready.endpoint(REHEARSAL, local, namespace_runtime()))


def test_key_from_the_settings() -> None:
    """The user's own key is shown by the name of its variable."""
    cluster = replace(REHEARSAL, variables=(("VLLM_API_KEY", Secret("sk_mine", "env/x.env:1")),))
    server = ready.endpoint(cluster, REQUEST, namespace_runtime())

    assert {
        "model": "tiny-llama",
        "url": "http://192.168.177.11:8888/v1",
        "key_file": "",
        "example": f"{ENTER} curl --silent http://192.168.177.11:8888/v1/models"
        ' --header "Authorization: Bearer $VLLM_API_KEY"',
    } == json.loads(ready.as_json(server))


def test_completion() -> None:
    """The answer follows the prompt, below the ranks that computed it."""
    expected = """\
ranks   spark1 192.168.177.11 enp1s0f1np1, spark2 192.168.177.12 enp1s0f1np1
prompt  Two machines
answer  joined by one cable.
"""

    assert expected == ready.completion(REHEARSAL, "Two machines", " joined by one cable.")
