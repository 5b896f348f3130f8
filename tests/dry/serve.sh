# spark1: Check that Ray has spark1, spark2
env -i \
  PATH=/opt/spark/.rehearsal/venv/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
  HOME=/opt/spark/.state/rehearsal/spark1/home \
  TMPDIR=/run/tmp \
  VLLM_CACHE_ROOT=/opt/spark/.rehearsal/cache \
  LANG=C.UTF-8 \
  SPARK_CLUSTER_NODE=/opt/spark/.state/rehearsal/spark1 \
  VLLM_HOST_IP=192.168.177.11 \
  RAY_ADDRESS=192.168.177.11:6379 \
  NCCL_SOCKET_IFNAME==enp1s0f1np1 \
  NCCL_IB_DISABLE=1 \
  GLOO_SOCKET_IFNAME=enp1s0f1np1 \
  TP_SOCKET_IFNAME=enp1s0f1np1 \
  UCX_NET_DEVICES=enp1s0f1np1 \
  OMPI_MCA_btl_tcp_if_include=enp1s0f1np1 \
  NCCL_IGNORE_CPU_AFFINITY=1 \
  RAY_memory_monitor_refresh_ms=0 \
  RAY_AUTH_MODE=token \
  RAY_USAGE_STATS_ENABLED=0 \
  VLLM_NO_USAGE_STATS=1 \
  PYTORCH_CUDA_ALLOC_CONF=expandable_segments:True \
  VLLM_ENGINE_READY_TIMEOUT_S=3600 \
  RAY_AUTH_TOKEN_PATH=/opt/spark/.state/rehearsal/ray-token \
  VLLM_CPU_CI_ENV=1 \
  TORCHDYNAMO_DISABLE=1 \
  HF_HUB_OFFLINE=1 \
  nsenter --target "$(cat /opt/spark/.state/rehearsal/spark1/init.pid)" --net --mount --uts --ipc --pid python /opt/spark/docker/probe.py ray-nodes --address 192.168.177.11:6379 --count 2

# spark1: Check that port 8888 is free
env -i \
  PATH=/opt/spark/.rehearsal/venv/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
  HOME=/opt/spark/.state/rehearsal/spark1/home \
  TMPDIR=/run/tmp \
  VLLM_CACHE_ROOT=/opt/spark/.rehearsal/cache \
  LANG=C.UTF-8 \
  SPARK_CLUSTER_NODE=/opt/spark/.state/rehearsal/spark1 \
  VLLM_HOST_IP=192.168.177.11 \
  RAY_ADDRESS=192.168.177.11:6379 \
  NCCL_SOCKET_IFNAME==enp1s0f1np1 \
  NCCL_IB_DISABLE=1 \
  GLOO_SOCKET_IFNAME=enp1s0f1np1 \
  TP_SOCKET_IFNAME=enp1s0f1np1 \
  UCX_NET_DEVICES=enp1s0f1np1 \
  OMPI_MCA_btl_tcp_if_include=enp1s0f1np1 \
  NCCL_IGNORE_CPU_AFFINITY=1 \
  RAY_memory_monitor_refresh_ms=0 \
  RAY_AUTH_MODE=token \
  RAY_USAGE_STATS_ENABLED=0 \
  VLLM_NO_USAGE_STATS=1 \
  PYTORCH_CUDA_ALLOC_CONF=expandable_segments:True \
  VLLM_ENGINE_READY_TIMEOUT_S=3600 \
  RAY_AUTH_TOKEN_PATH=/opt/spark/.state/rehearsal/ray-token \
  VLLM_CPU_CI_ENV=1 \
  TORCHDYNAMO_DISABLE=1 \
  HF_HUB_OFFLINE=1 \
  nsenter --target "$(cat /opt/spark/.state/rehearsal/spark1/init.pid)" --net --mount --uts --ipc --pid python /opt/spark/docker/probe.py listen-free --host 0.0.0.0 --port 8888

# spark1: Make a folder
mkdir -p -m 700 /opt/spark/.state/rehearsal

# spark1: Generate a secret, unless it exists
test -s /opt/spark/.state/rehearsal/api-key || (umask 077; od -An -N32 -tx1 /dev/urandom | tr -d ' \n' >/opt/spark/.state/rehearsal/api-key)

# spark1: Serve /opt/spark/.rehearsal/model
rm -f /opt/spark/.state/rehearsal/spark1/serve.pid
env -i \
  PATH=/opt/spark/.rehearsal/venv/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
  HOME=/opt/spark/.state/rehearsal/spark1/home \
  TMPDIR=/run/tmp \
  VLLM_CACHE_ROOT=/opt/spark/.rehearsal/cache \
  LANG=C.UTF-8 \
  SPARK_CLUSTER_NODE=/opt/spark/.state/rehearsal/spark1 \
  SPARK_CLUSTER_SERVICE=/opt/spark/.state/rehearsal/spark1/serve \
  SPARK_CLUSTER_SPEC=09e29107b886 \
  VLLM_HOST_IP=192.168.177.11 \
  RAY_ADDRESS=192.168.177.11:6379 \
  NCCL_SOCKET_IFNAME==enp1s0f1np1 \
  NCCL_IB_DISABLE=1 \
  GLOO_SOCKET_IFNAME=enp1s0f1np1 \
  TP_SOCKET_IFNAME=enp1s0f1np1 \
  UCX_NET_DEVICES=enp1s0f1np1 \
  OMPI_MCA_btl_tcp_if_include=enp1s0f1np1 \
  NCCL_IGNORE_CPU_AFFINITY=1 \
  RAY_memory_monitor_refresh_ms=0 \
  RAY_AUTH_MODE=token \
  RAY_USAGE_STATS_ENABLED=0 \
  VLLM_NO_USAGE_STATS=1 \
  PYTORCH_CUDA_ALLOC_CONF=expandable_segments:True \
  VLLM_ENGINE_READY_TIMEOUT_S=3600 \
  RAY_AUTH_TOKEN_PATH=/opt/spark/.state/rehearsal/ray-token \
  VLLM_CPU_CI_ENV=1 \
  TORCHDYNAMO_DISABLE=1 \
  HF_HUB_OFFLINE=1 \
  sh -c 'for name in VLLM_API_KEY; do IFS= read -r "$name" <&3; export "$name"; done; exec "$@" 3<&-' secrets \
  setsid /bin/sh -c 'echo "$$" >"$1"; shift; exec "$@"' launch /opt/spark/.state/rehearsal/spark1/serve.pid nsenter --target "$(cat /opt/spark/.state/rehearsal/spark1/init.pid)" --net --mount --uts --ipc --pid vllm serve /opt/spark/.rehearsal/model --host 0.0.0.0 --port 8888 --gpu-memory-utilization 0.7 --tensor-parallel-size 2 --distributed-executor-backend ray --max-model-len 1024 --enforce-eager --dtype float32 --kv-cache-memory-bytes 67108864 --served-model-name tiny-llama \
  3<<EOF </dev/null >/opt/spark/.state/rehearsal/spark1/serve.log 2>&1 &
$(cat /opt/spark/.state/rehearsal/api-key)
EOF

# spark1: Wait until the model is ready
env -i \
  PATH=/opt/spark/.rehearsal/venv/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
  HOME=/opt/spark/.state/rehearsal/spark1/home \
  TMPDIR=/run/tmp \
  VLLM_CACHE_ROOT=/opt/spark/.rehearsal/cache \
  LANG=C.UTF-8 \
  SPARK_CLUSTER_NODE=/opt/spark/.state/rehearsal/spark1 \
  VLLM_HOST_IP=192.168.177.11 \
  RAY_ADDRESS=192.168.177.11:6379 \
  NCCL_SOCKET_IFNAME==enp1s0f1np1 \
  NCCL_IB_DISABLE=1 \
  GLOO_SOCKET_IFNAME=enp1s0f1np1 \
  TP_SOCKET_IFNAME=enp1s0f1np1 \
  UCX_NET_DEVICES=enp1s0f1np1 \
  OMPI_MCA_btl_tcp_if_include=enp1s0f1np1 \
  NCCL_IGNORE_CPU_AFFINITY=1 \
  RAY_memory_monitor_refresh_ms=0 \
  RAY_AUTH_MODE=token \
  RAY_USAGE_STATS_ENABLED=0 \
  VLLM_NO_USAGE_STATS=1 \
  PYTORCH_CUDA_ALLOC_CONF=expandable_segments:True \
  VLLM_ENGINE_READY_TIMEOUT_S=3600 \
  RAY_AUTH_TOKEN_PATH=/opt/spark/.state/rehearsal/ray-token \
  VLLM_CPU_CI_ENV=1 \
  TORCHDYNAMO_DISABLE=1 \
  HF_HUB_OFFLINE=1 \
  nsenter --target "$(cat /opt/spark/.state/rehearsal/spark1/init.pid)" --net --mount --uts --ipc --pid python /opt/spark/docker/probe.py http --url http://192.168.177.11:8888/health --timeout 5 --wait inf

# spark1: Check that the server completes a prompt
env -i \
  PATH=/opt/spark/.rehearsal/venv/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
  HOME=/opt/spark/.state/rehearsal/spark1/home \
  TMPDIR=/run/tmp \
  VLLM_CACHE_ROOT=/opt/spark/.rehearsal/cache \
  LANG=C.UTF-8 \
  SPARK_CLUSTER_NODE=/opt/spark/.state/rehearsal/spark1 \
  VLLM_HOST_IP=192.168.177.11 \
  RAY_ADDRESS=192.168.177.11:6379 \
  NCCL_SOCKET_IFNAME==enp1s0f1np1 \
  NCCL_IB_DISABLE=1 \
  GLOO_SOCKET_IFNAME=enp1s0f1np1 \
  TP_SOCKET_IFNAME=enp1s0f1np1 \
  UCX_NET_DEVICES=enp1s0f1np1 \
  OMPI_MCA_btl_tcp_if_include=enp1s0f1np1 \
  NCCL_IGNORE_CPU_AFFINITY=1 \
  RAY_memory_monitor_refresh_ms=0 \
  RAY_AUTH_MODE=token \
  RAY_USAGE_STATS_ENABLED=0 \
  VLLM_NO_USAGE_STATS=1 \
  PYTORCH_CUDA_ALLOC_CONF=expandable_segments:True \
  VLLM_ENGINE_READY_TIMEOUT_S=3600 \
  RAY_AUTH_TOKEN_PATH=/opt/spark/.state/rehearsal/ray-token \
  VLLM_CPU_CI_ENV=1 \
  TORCHDYNAMO_DISABLE=1 \
  HF_HUB_OFFLINE=1 \
  sh -c 'for name in VLLM_API_KEY; do IFS= read -r "$name" <&3; export "$name"; done; exec "$@" 3<&-' secrets \
  nsenter --target "$(cat /opt/spark/.state/rehearsal/spark1/init.pid)" --net --mount --uts --ipc --pid python /opt/spark/docker/probe.py http --url http://192.168.177.11:8888/v1/completions --method POST --body '{"prompt": "Hello", "max_tokens": 1, "temperature": 0}' --key-env VLLM_API_KEY --timeout 300 \
  3<<EOF
$(cat /opt/spark/.state/rehearsal/api-key)
EOF
