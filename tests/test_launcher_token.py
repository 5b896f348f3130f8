"""Where Ray's token is, in a container that was started by hand."""

import pytest

from cluster.launcher.launch import MOUNTED, TokenSource, token_source

OWN = "/tokens/ray"


@pytest.mark.parametrize(
    "variables, files, expected",
    [
        ({}, {}, TokenSource(is_decided=False)),
        ({"RAY_AUTH_TOKEN": ""}, {}, TokenSource(is_decided=False)),
        ({"RAY_AUTH_TOKEN": "t"}, {MOUNTED: True}, TokenSource()),
        ({}, {MOUNTED: True}, TokenSource(path=MOUNTED)),
        ({"RAY_AUTH_MODE": "TOKEN"}, {MOUNTED: True}, TokenSource(path=MOUNTED)),
        ({"RAY_AUTH_TOKEN_PATH": OWN}, {OWN: True, MOUNTED: True}, TokenSource(path=OWN)),
        ({"RAY_AUTH_MODE": "disabled"}, {MOUNTED: True}, TokenSource()),
    ],
    ids=["nothing", "empty", "variable", "mounted", "mode", "named", "switched off"],
)
def test_token(variables: dict[str, str], files: dict[str, bool], expected: TokenSource) -> None:
    """Ray's own order, then the mounted file; without any, the user has not decided."""
    assert expected == token_source(variables, files)


@pytest.mark.parametrize(
    "variables, files, expected",
    [
        ({}, {MOUNTED: False}, f"{MOUNTED}: has no readable token"),
        ({"RAY_AUTH_TOKEN_PATH": OWN}, {}, f"{OWN}: has no readable token"),
        ({"RAY_AUTH_MODE": "token"}, {}, "RAY_AUTH_MODE: requires a token"),
    ],
    ids=["empty file", "no file", "mode alone"],
)
def test_no_token(variables: dict[str, str], files: dict[str, bool], expected: str) -> None:
    """A user who asked for a token never gets a Ray without one."""
    remedy = "mount one: docker run -v /path/to/token:/run/secrets/ray-token:ro"
    problems = token_source(variables, files).problems

    assert [f"run-cluster-node: {expected} ({remedy})"] == [str(problem) for problem in problems]
