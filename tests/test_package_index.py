"""Where a build gets packages from."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cluster.build.package_index import folders, logins, settings
from cluster.words import Environment, Secret

MIRROR = "https://mirror.example/simple"
LOGIN = "https://ada:sesame@mirror.example/simple"


@pytest.mark.parametrize(
    "environ, pip, expected",
    [
        ({}, {}, ()),
        ({}, {"index-url": MIRROR}, (("index-url", MIRROR),)),
        ({"UV_INDEX_URL": MIRROR}, {}, (("index-url", MIRROR),)),
        ({"UV_DEFAULT_INDEX": f"own={MIRROR}"}, {}, (("index-url", MIRROR),)),
        ({"UV_DEFAULT_INDEX": "https://uv"}, {"index-url": MIRROR}, (("index-url", MIRROR),)),
        (
            {"UV_INDEX": "a=https://a https://b"},
            {"extra-index-url": "file:///opt/simple"},
            (("extra-index-url", "https://a https://b"),),
        ),
        (
            {"UV_FIND_LINKS": "/wheels,https://a/,https://b/"},
            {},
            (("find-links", "https://a/ https://b/"),),
        ),
        (
            {},
            {"trusted-host": "a:8080 b", "timeout": "180", "retries": "1", "no-index": "1"},
            (("trusted-host", "a:8080 b"), ("timeout", "180"), ("retries", "1")),
        ),
        ({}, {"index-url": LOGIN}, (("index-url", Secret(LOGIN, "pip's settings")),)),
        (
            {"PIP_INDEX_URL": LOGIN},
            {"index-url": LOGIN},
            (("index-url", Secret(LOGIN, "PIP_INDEX_URL")),),
        ),
        ({"UV_INDEX": LOGIN}, {}, (("extra-index-url", Secret(LOGIN, "UV_INDEX")),)),
    ],
)
def test_settings(environ: dict[str, str], pip: dict[str, str], expected: Environment) -> None:
    """Pip's settings, else uv's, without folders of this machine; logins are secrets."""
    assert expected == settings(environ, pip)


def test_folders() -> None:
    """The folders of both tools, each once: every place that is not a URL."""
    environ = {"UV_FIND_LINKS": "/a,https://x/,file:///b"}

    assert ("/a", "/b", "~/c") == folders(environ, {"find-links": "/a http://y ~/c"})
    assert () == folders({}, {})


def test_logins() -> None:
    """Each login in a list is found, exactly as it is written."""
    assert ("ada:sesame", "token") == logins(f"{LOGIN} {MIRROR} x=https://token@b/simple")


@given(st.dictionaries(st.sampled_from(["UV_INDEX", "UV_FIND_LINKS"]), st.text()), st.text())
def test_any_text(environ: dict[str, str], text: str) -> None:
    """No text raises, and a value that is not secret contains no login."""
    pairs = settings(environ, {"index-url": text, "trusted-host": text})
    plain = [value for _, value in pairs if isinstance(value, str)]

    assert [] == [login for value in plain for login in logins(value)]
    assert isinstance(folders(environ, {"find-links": text}), tuple)
