"""The flags of vLLM, as vLLM reads them."""

import argparse

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cluster.commands.flags import MULTIPLIERS, SECRET_FLAGS, meant

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
def test_meant(word: str, flag: str) -> None:
    """A flag is recognised in full, begun, with a value or with `_`; nothing else is."""
    assert flag == meant(word, KNOWN)


@given(st.sampled_from(KNOWN), st.integers(3, 30), st.sampled_from(["", "=1"]))
def test_abbreviations_are_those_of_argparse(flag: str, length: int, value: str) -> None:
    """What argparse takes for one flag alone is taken for it here as well."""
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument(flag, dest="found")
    word = flag[:length] + value
    found = parser.parse_args([word] if value else [word, "1"])

    assert ("1", flag) == (found.found, meant(word, (flag,)))
