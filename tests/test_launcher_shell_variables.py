"""Variables for later shells: bash reads every value, and none outlives the next run."""

import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given
from hypothesis import strategies as st

from cluster.launcher.shell_variables import HEADER, MARK, inherited, text, variables
from cluster.words import Environment, Secret

FIRST = (("NCCL_IB_HCA", "=rocep1s0f1"), ("VLLM_HOST_IP", "192.168.177.11"))
SECOND = (("NCCL_IB_DISABLE", "1"), ("VLLM_HOST_IP", "192.168.177.12"))

TRICKY = st.sampled_from([*"'\"\\$`!#=~ \t\n\r{}[]()*?;&|<>%^", "${HOME}", "$(id)", "\\n"])
ANY = st.characters(exclude_categories=["Cs"], exclude_characters="\0")
VALUES = st.lists(TRICKY | ANY, max_size=12).map("".join)
MANY = st.lists(VALUES, max_size=20).map(
    lambda values: tuple((f"NCCL_V{index}", value) for index, value in enumerate(values))
)


def shell_environment(content: str, environ: dict[str, str]) -> dict[str, str]:
    """Return the environment of a bash that reads the file, as Linux keeps it."""
    with TemporaryDirectory() as folder:
        file = Path(folder, "environment.sh")
        file.write_text(content, encoding="utf-8", newline="")
        # Bash sets `_` and the like itself: only what `env -i` hands on is looked at.
        command = ["bash", "--norc", "-c", "exec env -0"]
        run = subprocess.run(
            command, env=environ | {"BASH_ENV": str(file)}, capture_output=True, check=True
        )
    ignored = {"BASH_ENV", "PWD", "SHLVL", "_"}
    return {name: value for name, value in variables(run.stdout) if name not in ignored}


def test_file() -> None:
    """One line for each variable, quoted; the mark comes last."""
    environment: Environment = (
        ("NCCL_SOCKET_IFNAME", "=enp1s0f1np1"),
        ("VLLM_TEXT", 'it\'s | & "$HOME"'),
        ("RAY_AUTH_MODE", "token"),
    )
    expected = """\
# Written by run-cluster-node at each start: the next start overwrites it.
export NCCL_SOCKET_IFNAME='=enp1s0f1np1'
export VLLM_TEXT='it'\\''s | & "$HOME"'
export RAY_AUTH_MODE=token
export RUN_CLUSTER_NODE_VARIABLES='9cf9d09a b10bcdde f6b5a5b5'
"""

    assert expected == text(environment, {})


def test_what_the_file_leaves_out() -> None:
    """The file has no secrets, no configured values, and no names that a shell cannot have."""
    environment: Environment = (
        ("HF_TOKEN", Secret("hf_secret", "this container")),
        ("NCCL_DEBUG", "INFO"),
        ("NCCL_A.B", "1"),
        ("NCCL_Ä", "1"),
    )

    assert f"{HEADER}export {MARK}=''\n" == text(environment, {"NCCL_DEBUG": "INFO"})


@given(MANY)
def test_values_survive_bash(environment: tuple[tuple[str, str], ...]) -> None:
    """Whatever a value holds, a shell gets it unchanged."""
    environ = shell_environment(text(environment, {}), {"PATH": "/usr/bin:/bin"})
    del environ[MARK]

    assert dict(environment) | {"PATH": "/usr/bin:/bin"} == environ


@given(MANY)
def test_a_shell_forgets_what_it_has_from_the_file(
    environment: tuple[tuple[str, str], ...],
) -> None:
    """The next run sees the variables of the container, without those of an earlier run."""
    given_to_it = {"PATH": "/usr/bin:/bin", "NCCL_DEBUG": "INFO"}

    assert given_to_it == inherited(
        shell_environment(text(environment, {}), given_to_it), given_to_it
    )


def test_a_second_run_leaves_one_value_each() -> None:
    """A shell of the first run and one of the second have their own values alone."""
    first = shell_environment(text(FIRST, {}), {"PATH": "/usr/bin:/bin"})
    second = shell_environment(text(SECOND, {}), inherited(first, {}))
    del second[MARK]

    assert dict(SECOND) | {"PATH": "/usr/bin:/bin"} == second


def test_a_shell_of_the_run_before_the_last() -> None:
    """Values of an overwritten file are recognised by the digests in the shell."""
    old = {"PATH": "/bin", **shell_environment(text(FIRST, {}), {"PATH": "/bin:/usr/bin"})}

    assert {"PATH": "/bin:/usr/bin"} == inherited(old, {})


def test_what_the_user_exports_afterwards() -> None:
    """A value that the user exports replaces the one of the file."""
    shell = shell_environment(text(FIRST, {}), {"PATH": "/usr/bin:/bin"}) | {"NCCL_IB_HCA": "=mine"}

    assert {"PATH": "/usr/bin:/bin", "NCCL_IB_HCA": "=mine"} == inherited(shell, {})


def test_configured_values_come_back() -> None:
    """A configured value that the file had replaced counts again."""
    configured = {"PATH": "/usr/bin:/bin", "NCCL_DEBUG": "INFO"}
    shell = shell_environment(text((("NCCL_DEBUG", "TRACE"),), configured), configured)

    assert shell["NCCL_DEBUG"] == "TRACE"
    assert configured == inherited(shell, configured)


def test_environment_of_a_process() -> None:
    """The kernel ends each variable with a NUL; bytes that are no text survive."""
    content = b"A=1\0B=x=y\nz\0junk\0C=\xff\0"

    assert [("A", "1"), ("B", "x=y\nz"), ("C", "\udcff")] == list(variables(content))
