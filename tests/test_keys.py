"""The settings that Cluster and Node declare, and keys that a dataclass declares in general."""

from dataclasses import dataclass, fields
from ipaddress import IPv4Address

import pytest

from cluster.node import KEYS, Cluster, Node
from cluster.settings import values
from cluster.settings.keys import Derived, Key, Scope, keys, setting
from cluster.settings.passthrough import has_prefix
from cluster.settings.values import WrongValueError

OWNERS: dict[Scope, type] = {"cluster": Cluster, "node": Node}
NOT_SETTINGS = {"name", "nodes", "variables"}
ALL = [key for scope in KEYS.values() for key in scope.values()]


@dataclass(frozen=True, kw_only=True)
class Example:
    """A dataclass with one setting of each kind, and a field that is not a setting."""

    label: str
    port: int = setting("80", parse=values.port, meaning="Default.")
    address: IPv4Address = setting(parse=values.address, example="10.0.0.1", meaning="Required.")
    host: str = setting(
        parse=values.ssh_host,
        derived=Derived(source="ADDRESS", value=lambda host_ip, _head_ip: str(host_ip)),
        example="spark1",
        meaning="Derived.",
    )


def test_declaration() -> None:
    """A field becomes a key of the same name in capitals, with all that its declaration states."""
    port, address, host = keys(Example).values()

    assert ["PORT", "ADDRESS", "HOST"] == list(keys(Example))
    assert (
        Key(
            name="PORT",
            parse=values.port,
            default="80",
            derived=None,
            meaning="Default.",
            example="80",
            advised=False,
        )
        == port
    )
    assert [False, True, False] == [key.required for key in (port, address, host)]
    assert host.derived
    assert "10.0.0.2" == host.derived.value(IPv4Address("10.0.0.2"), IPv4Address("10.0.0.1"))


def test_default_of_a_field() -> None:
    """A constant default is the parsed default of the field; other settings must be given."""
    example = Example(label="x", address=IPv4Address("10.0.0.1"), host="spark1")

    assert 80 == example.port
    with pytest.raises(TypeError, match="address"):
        Example(label="x", host="spark1")


@pytest.mark.parametrize("scope", ["cluster", "node"])
def test_fields_are_settings(scope: Scope) -> None:
    """Every field of Cluster and Node is a setting, except for the names, nodes and variables."""
    names = {field.name for field in fields(OWNERS[scope])} - NOT_SETTINGS

    assert names == {name.lower() for name in KEYS[scope]}


@pytest.mark.parametrize("key", ALL, ids=lambda key: str(key.name))
def test_examples_and_defaults_are_valid(key: Key) -> None:
    """Each example and default is valid, and the meaning mentions the default."""
    try:
        key.parse(key.example)
        key.parse(key.default or key.example)
    except WrongValueError as wrong:
        pytest.fail(f"{key.name}: {wrong.message}")

    assert key.required == key.meaning.endswith(" Required.")
    assert bool(key.derived or key.default == "") == ("Default: " in key.meaning)


def test_no_key_twice() -> None:
    """No key is in both scopes, and only one looks like a variable that passes through."""
    names = [key.name for key in ALL]

    assert len(names) == len(set(names))
    assert ["HF_CACHE"] == [name for name in names if has_prefix(name)]
