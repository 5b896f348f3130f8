"""The command line: positional words, misspellings, help and completion."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cluster.command_line import (
    Option,
    Positional,
    ProgramUsage,
    VerbUsage,
    arguments,
    completions,
)
from cluster.errors import ClusterError

CLUSTER = Option(names=("--cluster", "-c"), value="required", help="cluster")
NODES = Option(names=("--node", "-n"), value="required", repeatable=True, help="node")
KEEP = Option(names=("--keep", "-k"), value="none", help="keep")
EXPLAIN = Option(names=("--explain", "-e"), value="optional", help="explain")
PREFLIGHT = Option(names=("--preflight", "--no-preflight"), value="none", help="preflight")
MODEL = Option(names=("--model", "-m"), value="required", help="model")
VERBS = {
    verb.name: verb
    for verb in (
        VerbUsage(name="up", text="Up.", options=(CLUSTER, KEEP, PREFLIGHT)),
        VerbUsage(name="probe", text="Probe.", options=(CLUSTER,), positional=Positional(usage="")),
        VerbUsage(
            name="doctor",
            text="Doctor.",
            options=(EXPLAIN, NODES, CLUSTER),
            positional=Positional(usage="", option="--node"),
        ),
        VerbUsage(
            name="serve",
            text="Serve.",
            options=(MODEL, KEEP, CLUSTER),
            positional=Positional(usage="", option="--model"),
        ),
        VerbUsage(
            name="env",
            text="Env.",
            options=(Option(names=("--node",), value="required"), CLUSTER),
            positional=Positional(usage="", option="--node", required=True, last=True),
        ),
        VerbUsage(
            name="exec",
            text="Exec.",
            options=(NODES, KEEP),
            positional=Positional(usage="", command=True, last=True),
        ),
    )
}
USAGE = ProgramUsage(
    verbs=VERBS,
    options=(
        Option(names=("--dry", "-R"), value="none", help="dry"),
        Option(names=("--help", "-h"), value="none", help="help"),
        Option(names=("--hide",), value="required"),
    ),
)


@pytest.mark.parametrize(
    "typed, explicit",
    [
        ("", ""),
        ("up", "up"),
        ("up --cluster lab -k", "up --cluster=lab -k"),
        ("up -clab", "up -c lab"),
        ("up -kc lab", "up -k -c lab"),
        ("up -kclab", "up -k -c lab"),
        ("up -c=lab", "up -c lab"),
        ("up --cluster=lab=b", "up --cluster=lab=b"),
        ("up --no-preflight", "up --no-preflight"),
        ("--dry up", "--dry up"),
        ("up --dry", "up --dry"),
        ("--hide both up", "--hide=both up"),
        ("probe spark1 spark2", "probe -- spark1 spark2"),
        ("probe spark1 --cluster lab spark2", "probe --cluster=lab -- spark1 spark2"),
        ("probe spark1 -- spark2", "probe -- spark1 spark2"),
        ("probe -- --spark1", "probe -- --spark1"),
        ("doctor spark1 spark2", "doctor --node=spark1 --node=spark2"),
        ("doctor --explain", "doctor --explain"),
        ("doctor --explain memory", "doctor --explain=memory"),
        ("doctor -e -n spark1", "doctor -e -n spark1"),
        ("serve Qwen/Qwen3-4B", "serve --model=Qwen/Qwen3-4B"),
        ("serve -k ./x -- --seed 1", "serve -k --model=./x -- --seed 1"),
        ("serve -", "serve --model=-"),
        ("up serve x", "up serve --model=x"),
        ("serve -m x doctor", "serve -m x doctor"),
        ("env up", "env --node=up"),
        ("env --node up", "env --node=up"),
        ("exec ls", "exec -- ls"),
        ("exec -n spark2 ls -n --help -- up", "exec -n spark2 -- ls -n --help -- up"),
        ("exec -- ls -l", "exec -- ls -l"),
        ("exec env", "exec -- env"),
        ("help", "--help"),
        ("help serve", "--help serve"),
        ("-h", "--help"),
        ("--help", "--help"),
        ("--help serve", "--help serve"),
        ("--help=serve", "--help serve"),
        ("serve -h", "--help serve"),
        ("serve --cluster lab --help --dry", "--help serve"),
        ("env --help", "--help env"),
        ("exec --help ls", "--help exec"),
    ],
)
def test_arguments(typed: str, explicit: str) -> None:
    """Positional words become the explicit form, and the explicit form stays as it is."""
    result = arguments(USAGE, typed.split())

    assert explicit.split() == list(result)
    assert result == arguments(USAGE, result)


@pytest.mark.parametrize(
    "typed, message",
    [
        ("docter", "inv: no such verb: `docter` (did you mean doctor?)"),
        ("zzz", "inv: no such verb: `zzz` (`inv help` lists the verbs)"),
        ("help srve", "inv: no such verb: `srve` (did you mean serve?)"),
        ("up --clustr lab", "inv up: no such option: `--clustr` (did you mean --cluster?)"),
        ("up --zzz", "inv up: no such option: `--zzz` (`inv help up` lists the options)"),
        ("up -z", "inv up: no such option: `-z` (`inv help up` lists the options)"),
        ("-zz", "inv: no such option: `-z` (`inv help` lists the options)"),
        ("--drt", "inv: no such option: `--drt` (did you mean --dry?)"),
        ("-c lab up", "inv: no such option: `-c` (options of a verb go after the verb)"),
        ("up lab", "inv up: unexpected word: `lab` (`inv help up` lists the options)"),
        ("up srve", "inv up: unexpected word: `srve` (did you mean serve?)"),
        ("up --cluster", "inv up: `--cluster` needs a value"),
        ("up -c --keep", "inv up: `--cluster` needs a value"),
        ("up --keep=1", "inv up: `--keep` takes no value"),
        ("up -c lab -c lab2", "inv up: `--cluster` is given twice: `lab2`"),
        ("serve x y", "inv serve: `--model` is given twice: `y`"),
        ("env", "inv env: `--node` is missing (`inv help env` lists the options)"),
    ],
)
def test_mistyped(typed: str, message: str) -> None:
    """What is mistyped is one line, with the word that was probably meant."""
    with pytest.raises(ClusterError) as caught:
        arguments(USAGE, typed.split())

    assert (message, 1) == (str(caught.value), caught.value.exit_code)


@given(st.lists(st.text()))
def test_commands_stay_whole(words: list[str]) -> None:
    """Whatever follows the first word of a command reaches it word for word."""
    assert ("exec", "-k", "--", "ls", *words) == arguments(USAGE, ["exec", "-k", "ls", *words])


@given(
    st.lists(st.sampled_from(["up", "serve", "x", "-k", "-c", "--cluster=lab", "--", "-kc", ""]))
)
def test_explicit_form_is_stable(words: list[str]) -> None:
    """The explicit form of any accepted line is its own explicit form."""
    try:
        result = arguments(USAGE, words)
    except ClusterError:
        return
    assert result == arguments(USAGE, result)


@pytest.mark.parametrize(
    "typed, expected",
    [
        ("", "up probe doctor serve env exec help"),
        ("e", "env exec"),
        ("zzz", ""),
        ("up --", "--cluster --keep --preflight --no-preflight --dry --help"),
        ("up ", "--cluster -c --keep -k --preflight --no-preflight --dry -R --help -h"),
        ("--d", "--dry"),
        ("up --cluster ", "default lab"),
        ("up -c l", "lab"),
        ("up --cluster = l", "lab"),
        ("doctor ", "default1 default2"),
        ("doctor --cluster lab ", "lab1 lab2"),
        ("doctor --node spark1 --e", "--explain"),
        ("exec -n ", "default1 default2"),
        ("serve Q", ""),
        ("serve -m ", ""),
        ("probe spark1 --c", "--cluster"),
        ("exec ls --k", ""),
        ("serve -- --k", ""),
        ("up --cluster --keep ", ""),
        ("zzz ", ""),
    ],
)
def test_completions(typed: str, expected: str) -> None:
    """Verbs, options, clusters and nodes are completed where they may stand."""
    result = completions(
        USAGE,
        typed.split(" "),
        clusters=lambda: ("default", "lab"),
        nodes=lambda cluster: (f"{cluster}1", f"{cluster}2"),
    )

    assert expected.split() == list(result)


def test_nothing_to_complete() -> None:
    """Without any word, the verbs are offered."""
    assert (*VERBS, "help") == completions(USAGE, (), tuple, lambda _: ())
