"""What `inv config` shows: every value with its source, as plain text or JSON."""

import json
from typing import cast

from cluster.settings.settings import Setting, Settings
from cluster.settings.values import one_line
from cluster.text import aligned
from cluster.words import shell_line

HOST = "host"
"""How SHM_SIZE is written when it has no size."""

Json = str | int | float | bool | list[str]


def text(settings: Settings) -> str:
    """Return one aligned line for each value."""
    rows = ((row.section, row.key, _text(row), row.source) for row in settings.values)
    return aligned(tuple(rows))


def as_json(settings: Settings) -> str:
    """Return `{section: {key: {"value": ..., "source": ...}}}`; secrets are masked."""
    sections: dict[str, dict[str, dict[str, Json]]] = {}
    for setting in settings.values:
        section = sections.setdefault(setting.section, {})
        section[setting.key] = {"value": _json(setting.value), "source": setting.source}
    return json.dumps(sections, indent=2)


def _text(setting: Setting) -> str:
    """Return a value as the user would write it, on one line; str() masks a secret."""
    if setting.key == "IB_IF":
        return ",".join(cast("tuple[str, ...]", setting.value))
    if isinstance(setting.value, tuple):
        return one_line(shell_line(setting.value))
    if isinstance(setting.value, bool):
        return str(setting.value).lower()
    if setting.value is None:
        return HOST
    return one_line(str(setting.value))


def _json(value: object) -> Json:
    """Return a value with the type that JSON has for it; addresses and masked secrets are text."""
    if value is None:
        return HOST
    if isinstance(value, tuple):
        return list(value)
    return value if isinstance(value, bool | int | float) else str(value)
