"""docker/reach.py: package indexes for the commands of a build."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from tests.clusters import ROOT

PROGRAM = ROOT / "docker" / "reach.py"
SHOW = "import os; print(*sorted(n + '=' + os.environ[n] for n in os.environ if n[:3] == 'UV_'))"


@pytest.fixture(name="reach", scope="module")
def _reach() -> ModuleType:
    spec = importlib.util.spec_from_file_location("reach", PROGRAM)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_settings(reach: ModuleType) -> None:
    """Later sections win, old names are replaced, and lists become one line."""
    text = "[global]\nindex_url = https://a\ndefault-timeout = 9\n[install]\nindex-url =\n  https://b\n"

    assert reach.settings(text) == {"index-url": "https://b", "timeout": "9"}


def test_variables_for_pip_and_uv(reach: ModuleType) -> None:
    """Both installers get the settings; uv searches all indexes, as pip does."""
    options = {
        "index-url": "https://me:word@a/simple",
        "extra-index-url": "https://b file:///here https://c",
        "find-links": "/wheels https://d https://e",
        "timeout": "9",
        "user": "yes",
    }
    expected = {
        "PIP_INDEX_URL": "https://me:word@a/simple",
        "UV_DEFAULT_INDEX": "https://me:word@a/simple",
        "PIP_EXTRA_INDEX_URL": "https://b https://c",
        "UV_INDEX": "https://b https://c",
        "UV_INDEX_STRATEGY": "unsafe-best-match",
        "PIP_FIND_LINKS": "https://d https://e",
        "UV_FIND_LINKS": "https://d,https://e",
        "PIP_TIMEOUT": "9",
        "UV_HTTP_TIMEOUT": "9",
    }

    assert expected == reach.variables(options)


def test_paths_of_the_users_machine(reach: ModuleType) -> None:
    """Settings with paths of the user's machine alone give no variables."""
    assert reach.variables({"find-links": "/wheels", "extra-index-url": "file:///here"}) == {}


def test_a_broken_file_is_not_shown(
    reach: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An error does not show the wrong line, which may contain a password."""
    broken = tmp_path / "pip"
    broken.write_text("https://me:word@a\n")
    monkeypatch.setattr(reach, "PIP", broken)

    with pytest.raises(SystemExit) as caught:
        reach.main()

    assert caught.value.code == "the build secret `pip` is not a valid pip.conf (correct the file)"


def test_without_secrets() -> None:
    """Without secrets the command runs without additional variables."""
    environment = {name: os.environ[name] for name in os.environ if not name.startswith("UV_")}
    command = (sys.executable, PROGRAM, sys.executable, "-c", SHOW)
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)

    assert done.stdout == "\n"
