"""The output of `inv config`."""

import json

from cluster.settings import config
from cluster.settings.settings import Settings, resolve
from cluster.settings.syntax import EnvText

SETTINGS: Settings = resolve(
    "default",
    (
        EnvText(
            path="env/cluster.env",
            text="SERVE_ARGS=\"--seed 'b c'\"\nHF_TOKEN=hidden\nNCCL_X='a\nb'\nDASHBOARD=false\n"
            "SHM_SIZE=host\n",
        ),
        EnvText(
            path="env/spark1.env",
            text="ROLE=head\nHOST_IP=192.168.177.11\nETH_IF=eth0\nIB_IF=a,b\nVLLM_API_KEY=hidden",
        ),
    ),
)

TEXT = """\
cluster  RUNTIME                 docker                default
cluster  IMAGE                   vllm-node             default
cluster  CONTAINER               vllm_node             default
cluster  ACCELERATOR             nvidia                default
cluster  SHM_SIZE                host                  env/cluster.env:6
cluster  HF_CACHE                ~/.cache/huggingface  default
cluster  PRIVILEGED              false                 default
cluster  SUBNET                  192.168.177.0/24      derived from the head's HOST_IP
cluster  HEAD_PORT               6379                  default
cluster  DASHBOARD               false                 env/cluster.env:5
cluster  OBJECT_STORE_MEMORY     1073741824            default
cluster  SERVE_HOST              0.0.0.0               default
cluster  SERVE_PORT              8888                  default
cluster  MODEL                                         default
cluster  GPU_MEMORY_UTILIZATION  0.7                   default
cluster  MAX_MODEL_LEN           32768                 default
cluster  SERVE_ARGS              --seed 'b c'          env/cluster.env:1
cluster  HF_TOKEN                ********              env/cluster.env:2
cluster  NCCL_X                  a\\nb                  env/cluster.env:3
spark1   ROLE                    head                  env/spark1.env:1
spark1   HOST_IP                 192.168.177.11        env/spark1.env:2
spark1   ETH_IF                  eth0                  env/spark1.env:3
spark1   IB_IF                   a,b                   env/spark1.env:4
spark1   HEAD_IP                 192.168.177.11        derived from the head's HOST_IP
spark1   SSH_HOST                192.168.177.11        derived from HOST_IP
spark1   GPUS                    1                     default
spark1   VLLM_API_KEY            ********              env/spark1.env:5"""


def test_text() -> None:
    """Each value is one aligned line, so that `grep` works; secrets are masked."""
    assert config.text(SETTINGS) == TEXT


def test_as_json() -> None:
    """JSON has typed values, their sources, and masked secrets."""
    expected = {
        "cluster": {
            "RUNTIME": {"value": "docker", "source": "default"},
            "IMAGE": {"value": "vllm-node", "source": "default"},
            "CONTAINER": {"value": "vllm_node", "source": "default"},
            "ACCELERATOR": {"value": "nvidia", "source": "default"},
            "SHM_SIZE": {"value": "host", "source": "env/cluster.env:6"},
            "HF_CACHE": {"value": "~/.cache/huggingface", "source": "default"},
            "PRIVILEGED": {"value": False, "source": "default"},
            "SUBNET": {"value": "192.168.177.0/24", "source": "derived from the head's HOST_IP"},
            "HEAD_PORT": {"value": 6379, "source": "default"},
            "DASHBOARD": {"value": False, "source": "env/cluster.env:5"},
            "OBJECT_STORE_MEMORY": {"value": 1073741824, "source": "default"},
            "SERVE_HOST": {"value": "0.0.0.0", "source": "default"},  # noqa: S104 (only text)
            "SERVE_PORT": {"value": 8888, "source": "default"},
            "MODEL": {"value": "", "source": "default"},
            "GPU_MEMORY_UTILIZATION": {"value": 0.7, "source": "default"},
            "MAX_MODEL_LEN": {"value": 32768, "source": "default"},
            "SERVE_ARGS": {"value": ["--seed", "b c"], "source": "env/cluster.env:1"},
            "HF_TOKEN": {"value": "********", "source": "env/cluster.env:2"},
            "NCCL_X": {"value": "a\nb", "source": "env/cluster.env:3"},
        },
        "spark1": {
            "ROLE": {"value": "head", "source": "env/spark1.env:1"},
            "HOST_IP": {"value": "192.168.177.11", "source": "env/spark1.env:2"},
            "ETH_IF": {"value": "eth0", "source": "env/spark1.env:3"},
            "IB_IF": {"value": ["a", "b"], "source": "env/spark1.env:4"},
            "HEAD_IP": {"value": "192.168.177.11", "source": "derived from the head's HOST_IP"},
            "SSH_HOST": {"value": "192.168.177.11", "source": "derived from HOST_IP"},
            "GPUS": {"value": 1, "source": "default"},
            "VLLM_API_KEY": {"value": "********", "source": "env/spark1.env:5"},
        },
    }

    assert expected == json.loads(config.as_json(SETTINGS))
    assert config.as_json(SETTINGS).startswith('{\n  "cluster": {\n    "RUNTIME": {\n')
