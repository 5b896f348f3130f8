"""How vLLM recognises its flags, and the flags with a meaning for the cluster."""

from collections.abc import Iterable, Mapping

SECRET_FLAGS: Mapping[str, str] = {"--api-key": "VLLM_API_KEY", "--hf-token": "HF_TOKEN"}
"""Flags whose value the list of processes would show, with the variable to set instead."""
MULTIPLIERS = ("--pipeline-parallel-size", "-pp", "--data-parallel-size", "-dp")
"""Flags that multiply the GPUs of a tensor parallel group: stages and replicas."""


def full_flag(word: str, flags: Iterable[str]) -> str:
    """Return the flag among `flags` that vLLM takes a word for; empty when there is none.

    vLLM accepts `_` for `-` in a name (vllm/utils/argparse_utils.py), and the beginning of a name
    for the whole (Python's argparse, "Argument abbreviations").
    """
    prefix = word.partition("=")[0].replace("_", "-")
    abbreviates = prefix.startswith("-") and prefix.strip("-")
    matches = (
        flag for flag in flags if flag == prefix or (abbreviates and flag.startswith(prefix))
    )
    return next(matches, "")
