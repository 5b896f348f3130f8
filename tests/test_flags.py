"""The flags of vLLM, recognised as vLLM recognises them."""

import argparse

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cluster.commands.flags import MULTIPLIERS, SECRET_FLAGS, full_flag

KNOWN = (*SECRET_FLAGS, *MULTIPLIERS, "--tensor-parallel-size", "-tp")


@pytest.mark.parametrize(
    "word, flag",
    [
        ("--api-key", "--api-key"),
        ("--api-key=topsecret", "--api-key"),
        ("--api_key", "--api-key"),
        ("--api-k", "--api-key"),
        ("--api_k=topsecret", "--api-key"),
        ("--hf-t", "--hf-token"),
        ("--pipeline-parallel", "--pipeline-parallel-size"),
        ("-pp=2", "-pp"),
        ("-t", "-tp"),
        ("--api-keys", ""),
        ("--data-parallel-size-local", ""),
        ("-tp2", ""),
        ("api-key", ""),
        ("2", ""),
        ("-", ""),
        ("--", ""),
        ("--=", ""),
        ("", ""),
    ],
)
def test_full_flag(word: str, flag: str) -> None:
    """A flag is recognised in full, abbreviated, with a value and with `_` for `-`."""
    assert flag == full_flag(word, KNOWN)


@given(st.sampled_from(KNOWN), st.integers(3, 30), st.sampled_from(["", "=1"]))
def test_abbreviations_are_those_of_argparse(flag: str, length: int, value: str) -> None:
    """An abbreviation that argparse accepts is recognised here as well."""
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument(flag, dest="value")
    word = flag[:length] + value
    options = parser.parse_args([word] if value else [word, "1"])

    assert ("1", flag) == (options.value, full_flag(word, (flag,)))
