"""What `bootstrap.py` accepts as pip, and from where: a small package index runs on loopback."""

import hashlib
import threading
from base64 import b64encode
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

import bootstrap


class Index(ThreadingHTTPServer):
    """A package index on loopback: its pages by path, and its requests with their authorization."""

    def __init__(self) -> None:
        """Listen on a free port."""
        super().__init__(("127.0.0.1", 0), RequestHandler)
        self.pages: dict[str, bytes] = {}
        self.requests: list[tuple[str, str | None]] = []

    def url(self, user: str = "") -> str:
        """Return the index's address, as in PIP_INDEX_URL."""
        return f"http://{user}127.0.0.1:{self.server_port}/simple/"


class RequestHandler(BaseHTTPRequestHandler):
    """One request to the index."""

    server: Index

    def do_GET(self) -> None:
        """Answer with the page of this path, or 404."""
        self.server.requests.append((self.path, self.headers["Authorization"]))
        page = self.server.pages.get(self.path)
        self.send_response(404 if page is None else 200)
        self.end_headers()
        self.wfile.write(page or b"")

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (the library's name)
        """Stay silent."""


@pytest.fixture
def index(monkeypatch: pytest.MonkeyPatch) -> Iterator[Index]:
    """Yield an empty index, with its address in PIP_INDEX_URL."""
    with Index() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        monkeypatch.setenv("PIP_INDEX_URL", server.url())
        yield server
        server.shutdown()
        thread.join()


@pytest.mark.parametrize(
    "page",
    [
        pytest.param('{"files":[{"filename":"%s","url":"../../f/%s"}]}', id="JSON, relative"),
        pytest.param('{"files":[{"url":"/f/%s","filename":"%s"}]}', id="JSON, from the root"),
        pytest.param('<a href="../../f/%s#sha256=0123">%s</a>', id="HTML, with a hash"),
    ],
)
def test_wheel_from_an_index(index: Index, monkeypatch: pytest.MonkeyPatch, page: str) -> None:
    """Pip's wheel is found on the page formats that indexes serve."""
    monkeypatch.setattr(bootstrap, "PIP_SHA256", hashlib.sha256(b"wheel").hexdigest())
    index.pages["/simple/pip/"] = (page % (bootstrap.PIP, bootstrap.PIP)).encode()
    index.pages[f"/f/{bootstrap.PIP}"] = b"wheel"

    assert b"wheel" == bootstrap.pip_wheel()
    assert [("/simple/pip/", None), (f"/f/{bootstrap.PIP}", None)] == index.requests


def test_password_of_an_index(index: Index, monkeypatch: pytest.MonkeyPatch) -> None:
    """A password in the index's URL is sent as a header, and stays out of the error."""
    monkeypatch.setenv("PIP_INDEX_URL", index.url("me:p%40ss@"))
    expected = f"cannot download pip from 127.0.0.1: HTTP Error 404: Not Found ({bootstrap.REMEDY})"

    with pytest.raises(bootstrap.BootstrapError) as caught:
        bootstrap.pip_wheel()

    assert expected == str(caught.value)
    assert [("/simple/pip/", f"Basic {b64encode(b'me:p@ss').decode()}")] == index.requests


def test_forged_wheel(index: Index) -> None:
    """A file with the wrong checksum is refused."""
    index.pages["/simple/pip/"] = f'"{bootstrap.PIP}"'.encode()
    index.pages[f"/simple/pip/{bootstrap.PIP}"] = b"forged"
    expected = f"the package index serves a different {bootstrap.PIP} ({bootstrap.REMEDY})"

    with pytest.raises(bootstrap.BootstrapError) as caught:
        bootstrap.pip_wheel()

    assert expected == str(caught.value)


def test_index_without_our_pip(index: Index) -> None:
    """An index that lacks this version of pip is an error."""
    index.pages["/simple/pip/"] = b'"pip-9.0.3-py2.py3-none-any.whl"'
    expected = f"{bootstrap.PIP} is not on the package index ({bootstrap.REMEDY})"

    with pytest.raises(bootstrap.BootstrapError) as caught:
        bootstrap.pip_wheel()

    assert expected == str(caught.value)


def test_unreachable_index(monkeypatch: pytest.MonkeyPatch) -> None:
    """An index that does not answer is an error with the reason."""
    with Index() as closed:
        monkeypatch.setenv("PIP_INDEX_URL", closed.url())
    expected = (
        f"cannot download pip from 127.0.0.1: [Errno 111] Connection refused ({bootstrap.REMEDY})"
    )

    with pytest.raises(bootstrap.BootstrapError) as caught:
        bootstrap.pip_wheel()

    assert expected == str(caught.value)


def test_index_of_the_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without PIP_INDEX_URL the index comes from pip's settings, and without those it is PyPI."""
    settings = tmp_path / "pip.conf"
    monkeypatch.delenv("PIP_INDEX_URL", raising=False)
    monkeypatch.setattr(bootstrap, "PIP_SETTINGS", (str(settings),))
    before = bootstrap.pip_index()
    settings.write_text("[global]\nindex-url = https://pypi.example/simple\n", encoding="utf-8")

    assert "https://pypi.org/simple" == before
    assert "https://pypi.example/simple" == bootstrap.pip_index()


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"index-url = https://me:pass@pypi.example/simple\n", id="no section"),
        pytest.param(b"[global]\nme pass\n", id="no key"),
        pytest.param(b"[global]\n# gr\xf6\xdfer\n", id="not UTF-8"),
    ],
)
def test_broken_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes) -> None:
    """The error names settings that cannot be read, and shows nothing of them."""
    settings = tmp_path / "pip.conf"
    settings.write_bytes(content)
    monkeypatch.delenv("PIP_INDEX_URL", raising=False)
    monkeypatch.setattr(bootstrap, "PIP_SETTINGS", (str(settings),))
    remedy = "correct it, or set PIP_INDEX_URL"
    expected = f"{settings}: not a valid settings file of pip ({remedy})"

    with pytest.raises(bootstrap.BootstrapError) as caught:
        bootstrap.pip_index()

    assert expected == str(caught.value)


def test_variable_over_broken_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With PIP_INDEX_URL, pip's settings are not read."""
    settings = tmp_path / "pip.conf"
    settings.write_bytes(b"broken")
    monkeypatch.setenv("PIP_INDEX_URL", "https://pypi.example/simple")
    monkeypatch.setattr(bootstrap, "PIP_SETTINGS", (str(settings),))

    assert "https://pypi.example/simple" == bootstrap.pip_index()


@pytest.mark.parametrize(
    "url",
    [
        "pypi.org/simple",
        "me:pass@pypi.org/simple",
        "https://[::1/simple",
        "https://pypi.example/s\xefmple",
    ],
)
def test_index_without_a_url(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    """An invalid URL is refused with an example, and not shown: it may contain a password."""
    monkeypatch.setenv("PIP_INDEX_URL", url)
    remedy = "write index-url like https://pypi.org/simple"
    expected = f"cannot download pip: the index is not a URL ({remedy})"

    with pytest.raises(bootstrap.BootstrapError) as caught:
        bootstrap.pip_wheel()

    assert expected == str(caught.value)


def test_index_without_a_host(monkeypatch: pytest.MonkeyPatch) -> None:
    """A URL without a host is an error with the reason."""
    monkeypatch.setenv("PIP_INDEX_URL", "https:/simple")
    expected = f"cannot download pip from /simple/pip/: no host given ({bootstrap.REMEDY})"

    with pytest.raises(bootstrap.BootstrapError) as caught:
        bootstrap.pip_wheel()

    assert expected == str(caught.value)


def test_page_that_is_not_utf_8(index: Index, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pip's wheel is found on a page in another encoding as well."""
    monkeypatch.setattr(bootstrap, "PIP_SHA256", hashlib.sha256(b"wheel").hexdigest())
    index.pages["/simple/pip/"] = b'gr\xf6\xdfer <a href="%s">' % bootstrap.PIP.encode()
    index.pages[f"/simple/pip/{bootstrap.PIP}"] = b"wheel"

    assert b"wheel" == bootstrap.pip_wheel()
