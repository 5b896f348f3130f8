"""Where Ray's token is, in a container that was started by hand."""

import pytest

from cluster.launcher.authentication import MOUNTED, Authentication, authentication

OWN = "/tokens/ray"


@pytest.mark.parametrize(
    "variables, files, expected",
    [
        ({}, {}, Authentication(chosen=False)),
        ({"RAY_AUTH_TOKEN": ""}, {}, Authentication(chosen=False)),
        ({"RAY_AUTH_TOKEN": "t"}, {MOUNTED: True}, Authentication()),
        ({}, {MOUNTED: True}, Authentication(path=MOUNTED)),
        ({"RAY_AUTH_MODE": "TOKEN"}, {MOUNTED: True}, Authentication(path=MOUNTED)),
        ({"RAY_AUTH_TOKEN_PATH": OWN}, {OWN: True, MOUNTED: True}, Authentication(path=OWN)),
        ({"RAY_AUTH_MODE": "disabled"}, {MOUNTED: True}, Authentication()),
    ],
    ids=["nothing", "empty", "variable", "mounted", "mode", "named", "switched off"],
)
def test_token(variables: dict[str, str], files: dict[str, bool], expected: Authentication) -> None:
    """Ray's own order, then the mounted file; without any, nobody has chosen."""
    assert expected == authentication(variables, files)


@pytest.mark.parametrize(
    "variables, files, expected",
    [
        ({}, {MOUNTED: False}, f"{MOUNTED}: holds no token that can be read"),
        ({"RAY_AUTH_TOKEN_PATH": OWN}, {}, f"{OWN}: holds no token that can be read"),
        ({"RAY_AUTH_MODE": "token"}, {}, "RAY_AUTH_MODE: wants a token"),
    ],
    ids=["empty file", "no file", "mode alone"],
)
def test_no_token(variables: dict[str, str], files: dict[str, bool], expected: str) -> None:
    """Who asked for a token never gets a Ray without one."""
    remedy = "mount one: docker run -v /path/to/token:/run/secrets/ray-token:ro"
    found = authentication(variables, files).problems

    assert [f"run-cluster-node: {expected} ({remedy})"] == [str(problem) for problem in found]
