"""The flags of `vllm serve` that count here, recognised however vLLM lets them be spelled."""

from collections.abc import Iterable, Mapping

SECRET_FLAGS: Mapping[str, str] = {"--api-key": "VLLM_API_KEY", "--hf-token": "HF_TOKEN"}
"""Flags whose value everybody would see in the list of processes, with the variable to set."""
MULTIPLIERS = ("--pipeline-parallel-size", "-pp", "--data-parallel-size", "-dp")
"""Flags that multiply the GPUs of a tensor parallel group: stages and replicas."""


def meant(word: str, flags: Iterable[str]) -> str:
    """Return the one of `flags` that vLLM takes a word for; empty when it is none.

    vLLM takes `_` for `-` in a name (vllm/utils/argparse_utils.py), and the beginning of a name
    for the whole (Python's argparse, "Argument abbreviations").
    """
    plain = word.partition("=")[0].replace("_", "-")
    begun = plain.startswith("-") and plain.strip("-")
    fitting = (flag for flag in flags if flag == plain or (begun and flag.startswith(plain)))
    return next(fitting, "")
