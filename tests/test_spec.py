"""What makes two run specs the same."""

from dataclasses import replace

import pytest

from cluster.commands.run_spec import RunSpec
from cluster.words import FileText, Secret

SPEC = RunSpec(
    node="spark1",
    service="serve",
    argv=("vllm", "serve", "m"),
    environment=(("A", "1"), ("HF_TOKEN", Secret("hf_1", "env/cluster.env:1"))),
)


def test_digest() -> None:
    """The digest is stable: a service that was started yesterday is known today."""
    assert "7b78a3c06c4a" == SPEC.digest


@pytest.mark.parametrize(
    "other",
    [
        pytest.param(replace(SPEC, argv=("vllm", "serve", "n")), id="another word"),
        pytest.param(replace(SPEC, argv=("vllm", "serve m")), id="other words of the same line"),
        pytest.param(replace(SPEC, environment=SPEC.environment[:1]), id="a variable less"),
        pytest.param(
            replace(SPEC, environment=(("A", "2"), *SPEC.environment[1:])), id="another value"
        ),
    ],
)
def test_digest_of_another_spec(other: RunSpec) -> None:
    """What changes the command line or a variable changes the digest."""
    assert SPEC.digest != other.digest


@pytest.mark.parametrize(
    "secret", [Secret("hf_2", "env/cluster.env:1"), FileText("/run/key")], ids=["text", "file"]
)
def test_digest_without_secrets(secret: Secret | FileText) -> None:
    """A secret cannot be guessed from the digest, which everybody on the machine can read."""
    other = replace(SPEC, environment=(SPEC.environment[0], ("HF_TOKEN", secret)))

    assert SPEC.digest == other.digest
