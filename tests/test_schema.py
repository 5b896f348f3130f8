"""The table of keys."""

from dataclasses import fields
from pathlib import Path

import pytest

from cluster.node import Cluster, Node
from cluster.settings.envfile import Assignment, Fault, parse
from cluster.settings.key import Key, Scope
from cluster.settings.passthrough import passes
from cluster.settings.schema import KEYS
from cluster.settings.values import WrongValueError

ROOT = Path(__file__).parent.parent
OWNER = {"cluster": Cluster, "node": Node}
NOT_KEYS = {"name", "nodes", "variables"}
EVERY = [*KEYS["cluster"], *KEYS["node"]]


@pytest.mark.parametrize("scope", ["cluster", "node"])
def test_keys_are_fields(scope: Scope) -> None:
    """Every field of Cluster and Node is a key, and every key a field."""
    attributes = {field.name for field in fields(OWNER[scope])} - NOT_KEYS

    assert attributes == {key.name.lower() for key in KEYS[scope]}


@pytest.mark.parametrize("key", EVERY, ids=lambda key: str(key.name))
def test_examples_and_defaults_are_right(key: Key[object]) -> None:
    """What the schema writes itself is right, and its prose tells of the default."""
    try:
        key.parse(key.example)
        key.parse(key.default or key.example)
    except WrongValueError as wrong:
        pytest.fail(f"{key.name}: {wrong.message}")

    assert key.required == key.meaning.endswith(" Required.")
    assert bool(key.derived or key.default == "") == ("Default: " in key.meaning)


def test_no_key_twice() -> None:
    """No key is in both scopes, and one alone looks like a variable that passes through."""
    names = [key.name for key in EVERY]

    assert len(names) == len(set(names))
    assert ["HF_CACHE"] == [name for name in names if passes(name)]


@pytest.mark.parametrize("scope", ["cluster", "node"])
def test_example_files_have_all_keys(scope: Scope) -> None:
    """The example file names every key of its scope once, in the order of the schema."""
    lines = (ROOT / f"env/{scope}.env.example").read_text(encoding="utf-8").splitlines()
    active = "\n".join(line.removeprefix("#") for line in lines if not line.startswith("# "))
    entries = parse(f"env/{scope}.env.example", active)
    written = [entry.key for entry in entries if isinstance(entry, Assignment)]
    names = [key.name for key in KEYS[scope]]

    assert [entry for entry in entries if isinstance(entry, Fault)] == []
    assert names == [name for name in written if name in names or not passes(name)]
