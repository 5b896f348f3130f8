"""The digest of a run spec."""

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
    """The digest is the same in every run, so that a running service is recognised."""
    assert "7b78a3c06c4a" == SPEC.digest


@pytest.mark.parametrize(
    "changed",
    [
        pytest.param(replace(SPEC, argv=("vllm", "serve", "n")), id="different word"),
        pytest.param(replace(SPEC, argv=("vllm", "serve m")), id="different split"),
        pytest.param(replace(SPEC, environment=SPEC.environment[:1]), id="missing variable"),
        pytest.param(
            replace(SPEC, environment=(("A", "2"), *SPEC.environment[1:])), id="different value"
        ),
    ],
)
def test_digest_of_a_changed_spec(changed: RunSpec) -> None:
    """Any change of the command line or of a variable changes the digest."""
    assert SPEC.digest != changed.digest


@pytest.mark.parametrize(
    "secret", [Secret("hf_2", "env/cluster.env:1"), FileText("/run/key")], ids=["text", "file"]
)
def test_digest_without_secrets(secret: Secret | FileText) -> None:
    """The digest, which any user of the machine can read, does not depend on a secret's value."""
    changed = replace(SPEC, environment=(SPEC.environment[0], ("HF_TOKEN", secret)))

    assert SPEC.digest == changed.digest
