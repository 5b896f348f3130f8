# all nodes: Check that no other container is in the way
docker --host ssh://spark1 ps --all --filter 'name=^vllm_node$'
docker --host ssh://spark2 ps --all --filter 'name=^vllm_node$'

# all nodes: Check that nothing blocks the cluster
inv doctor --fast --cluster examples/two-sparks

# spark1: Check that spark1 can run Ray
docker --host ssh://spark1 run --rm \
  --network host \
  --init \
  --shm-size 17179869184 \
  --security-opt no-new-privileges \
  --ulimit stack=67108864 \
  --device /dev/infiniband \
  --cap-add IPC_LOCK \
  --ulimit memlock=-1 \
  --gpus all \
  vllm-node python /opt/spark-vllm-cluster/preflight.py

# spark2: Check that spark2 can run Ray
docker --host ssh://spark2 run --rm \
  --network host \
  --init \
  --shm-size 17179869184 \
  --security-opt no-new-privileges \
  --ulimit stack=67108864 \
  --device /dev/infiniband \
  --cap-add IPC_LOCK \
  --ulimit memlock=-1 \
  --gpus all \
  vllm-node python /opt/spark-vllm-cluster/preflight.py

# spark1: Make a folder
mkdir -p -m 700 /opt/spark/.state/examples/two-sparks

# spark1: Write a file
printf %s '[
  "GLOO_SOCKET_IFNAME",
  "NCCL_IB_DISABLE",
  "NCCL_IB_HCA",
  "NCCL_NET",
  "NCCL_SOCKET_IFNAME",
  "OMPI_MCA_btl_tcp_if_include",
  "RAY_AUTH_TOKEN_PATH",
  "TP_SOCKET_IFNAME",
  "UCX_NET_DEVICES",
  "VLLM_API_KEY",
  "VLLM_HOST_IP"
]
' >/opt/spark/.state/examples/two-sparks/not-carried.json

# spark1: Generate a secret, unless it exists
test -s /opt/spark/.state/examples/two-sparks/ray-token ||
  docker --host ssh://spark1 cp vllm_node:/run/secrets/ray-token /opt/spark/.state/examples/two-sparks/ray-token 2>/dev/null ||
  (umask 077; od -An -N32 -tx1 /dev/urandom | tr -d ' \n' >/opt/spark/.state/examples/two-sparks/ray-token)

# spark1: Start Ray (head)
docker --host ssh://spark1 create \
  --name vllm_node \
  --network host \
  --init \
  --shm-size 17179869184 \
  --security-opt no-new-privileges \
  --ulimit stack=67108864 \
  --device /dev/infiniband \
  --cap-add IPC_LOCK \
  --ulimit memlock=-1 \
  --gpus all \
  --volume "$(ssh spark1 'printf %s "$HOME"')"/.cache/huggingface:/root/.cache/huggingface \
  --volume vllm_node-cache:/var/cache/spark-vllm-cluster \
  --volume vllm_node-logs:/var/log/spark-vllm-cluster \
  --label spark-vllm-cluster.cluster=examples/two-sparks \
  --label spark-vllm-cluster.node=spark1 \
  --label spark-vllm-cluster.service=ray \
  --label spark-vllm-cluster.spec=af2bb363a0d2 \
  --label 'spark-vllm-cluster.settings={"IMAGE": "vllm-node", "ACCELERATOR": "nvidia", "SHM_SIZE": "17179869184", "HF_CACHE": "~/.cache/huggingface", "PRIVILEGED": "false", "IB_IF": "true"}' \
  --env VLLM_HOST_IP=192.168.177.11 \
  --env RAY_ADDRESS=192.168.177.11:6379 \
  --env NCCL_SOCKET_IFNAME==enp1s0f1np1 \
  --env NCCL_IB_HCA==rocep1s0f1,roceP2p1s0f1 \
  --env NCCL_IB_DISABLE=0 \
  --env NCCL_NET=IB \
  --env GLOO_SOCKET_IFNAME=enp1s0f1np1 \
  --env TP_SOCKET_IFNAME=enp1s0f1np1 \
  --env UCX_NET_DEVICES=enp1s0f1np1 \
  --env OMPI_MCA_btl_tcp_if_include=enp1s0f1np1 \
  --env NCCL_IGNORE_CPU_AFFINITY=1 \
  --env RAY_memory_monitor_refresh_ms=0 \
  --env RAY_AUTH_MODE=token \
  --env RAY_USAGE_STATS_ENABLED=0 \
  --env VLLM_NO_USAGE_STATS=1 \
  --env PYTORCH_CUDA_ALLOC_CONF=expandable_segments:True \
  --env VLLM_ENGINE_READY_TIMEOUT_S=3600 \
  --env RAY_AUTH_TOKEN_PATH=/run/secrets/ray-token \
  vllm-node run-service ray 01cef3a1fe4c ray start --block --head --port 6379 --include-dashboard=true --dashboard-host 127.0.0.1 --dashboard-port 8265 --node-ip-address 192.168.177.11 --object-store-memory 1073741824 --disable-usage-stats
docker --host ssh://spark1 cp /opt/spark/.state/examples/two-sparks/ray-token vllm_node:/run/secrets/ray-token
docker --host ssh://spark1 cp /opt/spark/.state/examples/two-sparks/not-carried.json vllm_node:/root/.config/vllm/ray_non_carry_over_env_vars.json
docker --host ssh://spark1 start vllm_node

# spark2: Start Ray (worker)
docker --host ssh://spark2 create \
  --name vllm_node \
  --network host \
  --init \
  --shm-size 17179869184 \
  --security-opt no-new-privileges \
  --ulimit stack=67108864 \
  --device /dev/infiniband \
  --cap-add IPC_LOCK \
  --ulimit memlock=-1 \
  --gpus all \
  --volume "$(ssh spark2 'printf %s "$HOME"')"/.cache/huggingface:/root/.cache/huggingface \
  --volume vllm_node-cache:/var/cache/spark-vllm-cluster \
  --volume vllm_node-logs:/var/log/spark-vllm-cluster \
  --label spark-vllm-cluster.cluster=examples/two-sparks \
  --label spark-vllm-cluster.node=spark2 \
  --label spark-vllm-cluster.service=ray \
  --label spark-vllm-cluster.spec=0b46824a43cc \
  --label 'spark-vllm-cluster.settings={"IMAGE": "vllm-node", "ACCELERATOR": "nvidia", "SHM_SIZE": "17179869184", "HF_CACHE": "~/.cache/huggingface", "PRIVILEGED": "false", "IB_IF": "true"}' \
  --env VLLM_HOST_IP=192.168.177.12 \
  --env RAY_ADDRESS=192.168.177.11:6379 \
  --env NCCL_SOCKET_IFNAME==enp1s0f1np1 \
  --env NCCL_IB_HCA==rocep1s0f1,roceP2p1s0f1 \
  --env NCCL_IB_DISABLE=0 \
  --env NCCL_NET=IB \
  --env GLOO_SOCKET_IFNAME=enp1s0f1np1 \
  --env TP_SOCKET_IFNAME=enp1s0f1np1 \
  --env UCX_NET_DEVICES=enp1s0f1np1 \
  --env OMPI_MCA_btl_tcp_if_include=enp1s0f1np1 \
  --env NCCL_IGNORE_CPU_AFFINITY=1 \
  --env RAY_memory_monitor_refresh_ms=0 \
  --env RAY_AUTH_MODE=token \
  --env RAY_USAGE_STATS_ENABLED=0 \
  --env VLLM_NO_USAGE_STATS=1 \
  --env PYTORCH_CUDA_ALLOC_CONF=expandable_segments:True \
  --env VLLM_ENGINE_READY_TIMEOUT_S=3600 \
  --env RAY_AUTH_TOKEN_PATH=/run/secrets/ray-token \
  vllm-node run-service ray ad8fab1792d1 ray start --block --address 192.168.177.11:6379 --node-ip-address 192.168.177.12 --object-store-memory 1073741824 --disable-usage-stats
docker --host ssh://spark2 cp /opt/spark/.state/examples/two-sparks/ray-token vllm_node:/run/secrets/ray-token
docker --host ssh://spark2 cp /opt/spark/.state/examples/two-sparks/not-carried.json vllm_node:/root/.config/vllm/ray_non_carry_over_env_vars.json
docker --host ssh://spark2 start vllm_node

# spark1: Wait until Ray has spark1, spark2
docker --host ssh://spark1 exec vllm_node python /opt/spark-vllm-cluster/probe.py ray-nodes --address 192.168.177.11:6379 --count 2 --wait 120
