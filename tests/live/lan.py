"""The hosts as a user has them: a laptop with a clone of the repository, and one image on all."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.clone import RunResult, clone
from tests.live import hosts
from tests.live.hosts import Lan
from tests.live.machine import INTERFACE, Machine
from tests.live.rehearsal import ROOT, by_name

IMAGE = "vllm-node:cpu"
CONTAINER = "vllm_node"
NAMES = (
    *("__main__.py", "bootstrap.py", "inv", "requirements.txt", "tasks.py"),
    *("cluster", "docker"),
)
TINY = ".cache/huggingface/tiny"
"""The model, below the home folder of a host."""
HF_TOKEN = "hf_known_to_the_containers"
CLUSTER = {
    "RUNTIME": "docker",
    "IMAGE": IMAGE,
    "ACCELERATOR": "none",
    "SHM_SIZE": "1g",
    "OBJECT_STORE_MEMORY": "200000000",
    "MODEL": "/root/.cache/huggingface/tiny",
    "MAX_MODEL_LEN": "1024",
    "SERVE_ARGS": '"--enforce-eager --dtype float32 --kv-cache-memory-bytes 67108864 '
    '--served-model-name tiny-llama"',
    "VLLM_CPU_CI_ENV": "1",
    "TORCHDYNAMO_DISABLE": "1",
    "HF_HUB_OFFLINE": "1",
    "HF_TOKEN": HF_TOKEN,
}


@dataclass(frozen=True, kw_only=True)
class Site:
    """A clone on the laptop with env files for the hosts."""

    lan: Lan
    tree: Path
    outputs: list[str] = field(default_factory=list)
    """All that tasks have printed so far."""

    @property
    def state(self) -> Path:
        """Where the run state of the cluster is."""
        return self.tree / ".state" / "default"

    @property
    def containers(self) -> list[str]:
        """The names and states of the containers on each host."""
        words = ("ps", "--all", "--format", "{{.Names}} {{.State}}")
        return [host.docker(*words) for host in self.lan.hosts]

    def status(self) -> tuple[int, dict[str, Any]]:
        """Return exit code and output of `inv status --json`."""
        result = self.inv("status", "--json")
        return result.code, json.loads(result.out)

    def command(self, *words: str) -> list[str]:
        """Return the command line of a task."""
        return by_name(self.tree, *words)

    def inv(
        self, *words: str, host: Machine | None = None, stdin: str = "", seconds: float = 400
    ) -> RunResult:
        """Run a task to its end, on the laptop unless another host is named."""
        machine = host or self.lan.control
        return self.recorded(machine.run(self.command(*words), input=stdin, timeout=seconds))

    def recorded(self, completed: "subprocess.CompletedProcess[str]") -> RunResult:
        """Keep the output of a task, and return its result."""
        self.outputs.extend((completed.stdout, completed.stderr))
        return RunResult(completed.returncode, completed.stdout, completed.stderr)

    def start(self, *words: str) -> "subprocess.Popen[str]":
        """Start a task on the laptop."""
        return self.lan.control.start(self.command(*words))

    def end(self, process: "subprocess.Popen[str]", number: signal.Signals) -> RunResult:
        """Send a signal to a started task, and wait until it has ended."""
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
        for child in children.read_text("utf-8").split():
            os.kill(int(child), number)
        return self.wait(process)

    def wait(self, process: "subprocess.Popen[str]") -> RunResult:
        """Wait until a started task has ended."""
        out, err = process.communicate(timeout=100)
        return self.recorded(subprocess.CompletedProcess((), process.returncode, out, err))

    def describe(self, changes: dict[str, str] | None = None) -> None:
        """Write `env/cluster.env`, with some settings changed."""
        settings = CLUSTER | (changes or {})
        lines = "".join(f"{name}={value}\n" for name, value in settings.items())
        (self.tree / "env" / "cluster.env").write_text(lines, "utf-8")

    def describe_node(self, name: str, changes: dict[str, str] | None = None) -> None:
        """Write a node's env file, with some settings changed."""
        host = self.lan.host(name)
        role = "head" if host is self.lan.hosts[0] else "worker"
        settings = {"ROLE": role, "HOST_IP": host.address, "ETH_IF": INTERFACE, "SSH_HOST": name}
        lines = "".join(f"{key}={value}\n" for key, value in (settings | (changes or {})).items())
        (self.tree / "env" / f"{name}.env").write_text(lines, "utf-8")

    def new_clone(self, folder: Path) -> "Site":
        """Return a second clone with the same env files and no run state."""
        folder.mkdir()
        return cloned(folder, self.lan, self.outputs)


def cloned(folder: Path, lan: Lan, outputs: list[str] | None = None) -> Site:
    """Clone the repository, with the environment of these tests and env files for the hosts."""
    tree = clone(folder, *NAMES, ".dockerignore").tree
    for wheel in (tree / "docker" / "wheels").glob("*.whl"):
        wheel.unlink()
    python = tree / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n', "utf-8")
    python.chmod(0o755)
    shutil.copy(tree / "requirements.txt", tree / ".venv" / "made-from")
    (tree / ".venv" / "made-with").write_text(f"{os.environ.get('PYTHON', 'python3')}\n", "utf-8")
    (tree / "env").mkdir()
    site = Site(lan=lan, tree=tree, outputs=[] if outputs is None else outputs)
    site.describe()
    for host in lan.hosts:
        site.describe_node(host.name)
    return site


@contextmanager
def described(folder: Path) -> Iterator[Site]:
    """Make two hosts and a laptop with an engine and a base image; nothing is built yet."""
    with hosts.made(folder / "lan", control_engine=True) as lan:
        hosts.base_image(lan.control)
        (folder / "laptop").mkdir()
        yield cloned(folder / "laptop", lan)


@contextmanager
def equipped(folder: Path) -> Iterator[Site]:
    """Make hosts that are ready for `inv up` and `inv serve`: built and shipped as a user does."""
    with described(folder) as site:
        for words in (("build", "--arch", "cpu"), ("ship",)):
            result = site.inv(*words, seconds=900)
            assert result.code == 0, result.err
        place_model(site.lan)
        yield site


def place_model(lan: Lan) -> None:
    """Put the tiny model into the Hugging Face cache of each host; create it if it is missing."""
    first, *targets = lan.hosts
    source = ROOT / ".rehearsal" / "model"
    for host in lan.hosts:
        (host.home / TINY).parent.mkdir(parents=True, exist_ok=True)
    if source.exists():
        shutil.copytree(source, first.home / TINY)
    else:
        mounts = (f"{(first.home / TINY).parent}:/out", f"{ROOT}/docker:/programs:ro")
        options = [word for mount in mounts for word in ("--volume", mount)]
        program = ("python", "/programs/tiny_model.py", "/out/tiny")
        first.docker("run", "--rm", "--network", "none", *options, IMAGE, *program)
    for host in targets:
        shutil.copytree(first.home / TINY, host.home / TINY)


def steady(text: str) -> str:
    """Return a text with every duration as `N s`."""
    return re.sub(r"\d+\.\d s", "N s", text)
