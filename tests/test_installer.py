"""How pip and uv are run."""

import pytest

from cluster.rehearsal.installer import Attempt, Pip, Uv, pip_files, pip_settings, without

PIP = ("python", "-m", "pip", "--python", "/v/bin/python")
INSTALL = (*PIP, "install", "--no-input", "--no-deps", "--no-compile", "--progress-bar", "off")
HASTY = ("--timeout", "5", "--retries", "1")
UV = ("uv", "pip", "install", "--python", "/v/bin/python", "--no-deps")
TORCH = ("torch==2.13.0+cpu",)
LISTED = ("-r", "list.txt")
FOLDERS = ("one", "two")
PYTORCH = "https://download.pytorch.org/whl/cpu"
ENVIRON = {"HOME": "/opt/ada", "PIP_USER": "1"}


def pip(**settings: str) -> Pip:
    """Return pip with settings."""
    named = {name.replace("_", "-"): value for name, value in settings.items()}
    return Pip(program=PIP, settings=named, environ=ENVIRON)


def uv(settings: dict[str, str] | None = None, **environ: str) -> Uv:
    """Return uv with variables of its own and settings of pip."""
    environ = {"HOME": "/opt/ada"} | environ
    return Uv(python="/v/bin/python", settings=settings or {}, environ=environ)


def ran(*words: str, **variables: str) -> Attempt:
    """Return an attempt of pip with words, and variables beside those that are always there."""
    fixed = {"PIP_CONFIG_FILE": "/dev/null", "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    environment = {"HOME": "/opt/ada"} | fixed | variables
    return Attempt(argv=(*INSTALL, *words), environment=environment)


def ran_uv(*words: str, **variables: str) -> Attempt:
    """Return an attempt of uv with words and variables."""
    return Attempt(argv=(*UV, *words), environment={"HOME": "/opt/ada"} | variables)


def test_pip_without_settings_asks_pytorch() -> None:
    """PyTorch comes from its own index when nothing is configured; `user = true` never counts."""
    expected = (ran(*HASTY, *TORCH, PIP_INDEX_URL=PYTORCH),)

    assert expected == pip(user="true").torch(TORCH)


def test_pip_takes_the_wheel_at_hand_first() -> None:
    """Wheels at hand come before any index, configured indexes before PyTorch's."""
    extra = {"PIP_FIND_LINKS": "/wheels", "PIP_EXTRA_INDEX_URL": "https://a https://b"}
    expected = (
        ran(*TORCH, PIP_FIND_LINKS="/wheels", PIP_NO_INDEX="1"),
        ran(*HASTY, *TORCH, PIP_PROXY="http://p", **extra),
        ran(*HASTY, *TORCH, PIP_PROXY="http://p", PIP_INDEX_URL=PYTORCH),
    )
    tool = pip(find_links="/wheels", extra_index_url="https://a https://b", proxy="http://p")

    assert expected == tool.torch(TORCH)


def test_pip_asks_one_index_for_all_the_rest() -> None:
    """The extra indexes, which may be dead, are asked only when the one index fails."""
    index = {"PIP_CERT": "/ca", "PIP_INDEX_URL": "https://mirror"}
    expected = (
        ran(*LISTED, **index),
        ran(*LISTED, **index, PIP_EXTRA_INDEX_URL="https://dead"),
    )
    tool = pip(cert="/ca", index_url="https://mirror", extra_index_url="https://dead")

    assert expected == tool.packages(LISTED)


def test_pip_without_extras_tries_once() -> None:
    """Where no more is configured there is nothing to try again with."""
    expected = (ran(*LISTED),)

    assert expected == pip().packages(LISTED)


def test_pip_builds_folders_offline() -> None:
    """The plug-in is built with the setuptools of the environment, without any index."""
    expected = (ran("--no-build-isolation", *FOLDERS, PIP_CACHE_DIR="/cache", PIP_NO_INDEX="1"),)

    assert expected == pip(cache_dir="/cache", find_links="/wheels").folders(FOLDERS)


def test_uv_without_settings() -> None:
    """Ask what uv is configured for, then PyTorch's own index, and both not for long."""
    hasty = {"UV_HTTP_TIMEOUT": "5", "UV_HTTP_RETRIES": "1"}
    expected = (
        ran_uv(*TORCH, **hasty),
        ran_uv("--default-index", PYTORCH, *TORCH, **hasty),
    )

    assert expected == uv().torch(TORCH)


def test_uv_takes_the_wheel_at_hand_first() -> None:
    """Wheels at hand are those of uv's variable and of pip's settings, which uv does not read."""
    hasty = {"UV_HTTP_TIMEOUT": "5", "UV_HTTP_RETRIES": "1"}
    mine = {"UV_FIND_LINKS": "/mine", "UV_INDEX": "https://extra"}
    expected = (
        ran_uv("--no-index", *TORCH, **mine | {"UV_FIND_LINKS": "/mine,/a,/b"}),
        ran_uv(*TORCH, **mine, **hasty),
        ran_uv("--default-index", PYTORCH, *TORCH, **hasty),
    )

    assert expected == uv({"find-links": "/a /b"}, **mine).torch(TORCH)


def test_uv_asks_one_index_for_all_the_rest() -> None:
    """The extra indexes, which may be dead, are asked only when the one index fails."""
    expected = (
        ran_uv(*LISTED),
        ran_uv(*LISTED, UV_EXTRA_INDEX_URL="https://dead", UV_FIND_LINKS="/a"),
    )

    assert expected == uv({"find-links": "/a"}, UV_EXTRA_INDEX_URL="https://dead").packages(LISTED)


def test_uv_without_extras_tries_once() -> None:
    """Where no more is configured there is nothing to try again with."""
    expected = (ran_uv(*LISTED),)

    assert expected == uv().packages(LISTED)


def test_uv_builds_folders_offline() -> None:
    """The plug-in is built with the setuptools of the environment, without any index."""
    expected = (ran_uv("--no-build-isolation", "--no-index", *FOLDERS),)

    assert expected == uv().folders(FOLDERS)


def test_without() -> None:
    """Variables are left out by how their names begin."""
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
            {"XDG_CONFIG_HOME": "/xdg", "PIP_CONFIG_FILE": "/mine.conf"},
            (
                "/etc/xdg/pip/pip.conf",
                "/etc/pip.conf",
                "~/.pip/pip.conf",
                "/xdg/pip/pip.conf",
                "/venv/pip.conf",
                "/mine.conf",
            ),
            id="places that variables name",
        ),
        pytest.param({"PIP_CONFIG_FILE": "/dev/null"}, (), id="switched off, as pip does it"),
    ],
)
def test_pip_files(environ: dict[str, str], expected: tuple[str, ...]) -> None:
    """Settings files are where pip looks for them."""
    assert expected == pip_files(environ, "/venv")


def test_pip_settings() -> None:
    """Later files beat earlier ones, `[install]` beats `[global]`, variables beat files."""
    texts = (
        "[global]\nindex-url = https://one\nfind_links =\n    /a\n    /b\nproxy = http://p\n",
        "[global]\nindex-url = https://two\n[install]\nindex-url = https://three\n[list]\nx = 1\n",
        "broken",
    )
    environ = {"PIP_PROXY": "http://q", "PIP_RETRIES": "", "HOME": "/opt/ada"}
    expected = {"index-url": "https://three", "find-links": "/a /b", "proxy": "http://q"}

    assert expected == pip_settings(texts, environ)
