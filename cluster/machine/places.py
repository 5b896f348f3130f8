"""Where this repository and its run state are on this machine; paths are absolute."""

from pathlib import Path

ROOT = str(Path(__file__).resolve().parents[2])
"""The repository."""
STATE = f"{ROOT}/.state"
"""Run state: a folder for each cluster, with its secrets and pid files."""
REHEARSAL = f"{ROOT}/.rehearsal"
"""The environment of the rehearsal: Ray and vLLM for CPUs, and the tiny model."""
