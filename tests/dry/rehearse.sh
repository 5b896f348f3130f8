# link: Make a folder
mkdir -p -m 700 /opt/spark/.state/rehearsal/link

# link: Write a file
printf %s '127.0.0.1 localhost
192.168.177.11 spark1
192.168.177.12 spark2
' >/opt/spark/.state/rehearsal/hosts

# spark1: Make a folder
mkdir -p -m 700 /opt/spark/.state/rehearsal/spark1/ray

# spark1: Make a folder
mkdir -p -m 700 /opt/spark/.state/rehearsal/spark1/home/.config/vllm

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
' >/opt/spark/.state/rehearsal/spark1/home/.config/vllm/ray_non_carry_over_env_vars.json

# spark2: Make a folder
mkdir -p -m 700 /opt/spark/.state/rehearsal/spark2/ray

# spark2: Make a folder
mkdir -p -m 700 /opt/spark/.state/rehearsal/spark2/home/.config/vllm

# spark2: Write a file
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
' >/opt/spark/.state/rehearsal/spark2/home/.config/vllm/ray_non_carry_over_env_vars.json

# link: Make the link
rm -f /opt/spark/.state/rehearsal/link/init.pid
env -i \
  PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
  SPARK_CLUSTER_NODE=/opt/spark/.state/rehearsal/link \
  setsid unshare --mount --net /bin/sh -c 'read -r pid rest </proc/self/stat; echo "$pid" >"$1"; trap "exit 0" TERM; while :; do sleep 3600 & wait; done' init /opt/spark/.state/rehearsal/link/init.pid \
  </dev/null >/opt/spark/.state/rehearsal/link/init.log 2>&1 &
timeout 10 sh -c 'until test -s "$0"; do sleep 0.05; done' /opt/spark/.state/rehearsal/link/init.pid
nsenter --target "$(cat /opt/spark/.state/rehearsal/link/init.pid)" --mount --net ip link add fabric type bridge
nsenter --target "$(cat /opt/spark/.state/rehearsal/link/init.pid)" --mount --net ip link set fabric up
touch /opt/spark/.state/rehearsal/link/ready

# spark1: Make the node
rm -f /opt/spark/.state/rehearsal/spark1/init.pid
env -i \
  PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
  SPARK_CLUSTER_NODE=/opt/spark/.state/rehearsal/spark1 \
  setsid nsenter --target "$(cat /opt/spark/.state/rehearsal/link/init.pid)" --mount --net unshare --net --mount --uts --ipc --pid --fork --kill-child /bin/sh -c 'read -r pid rest </proc/self/stat; echo "$pid" >"$1"; trap "exit 0" TERM; while :; do sleep 3600 & wait; done' init /opt/spark/.state/rehearsal/spark1/init.pid \
  </dev/null >/opt/spark/.state/rehearsal/spark1/init.log 2>&1 &
timeout 10 sh -c 'until test -s "$0"; do sleep 0.05; done' /opt/spark/.state/rehearsal/spark1/init.pid
nsenter --target "$(cat /opt/spark/.state/rehearsal/link/init.pid)" --mount --net ip link add port0 type veth peer name enp1s0f1np1 netns "$(cat /opt/spark/.state/rehearsal/spark1/init.pid)"
nsenter --target "$(cat /opt/spark/.state/rehearsal/link/init.pid)" --mount --net ip link set port0 master fabric up
nsenter --target "$(cat /opt/spark/.state/rehearsal/spark1/init.pid)" --net --mount --uts --ipc --pid ip link set lo up
nsenter --target "$(cat /opt/spark/.state/rehearsal/spark1/init.pid)" --net --mount --uts --ipc --pid ip address add 192.168.177.11/24 dev enp1s0f1np1
nsenter --target "$(cat /opt/spark/.state/rehearsal/spark1/init.pid)" --net --mount --uts --ipc --pid ip link set enp1s0f1np1 up
nsenter --target "$(cat /opt/spark/.state/rehearsal/spark1/init.pid)" --net --mount --uts --ipc --pid hostname spark1
nsenter --target "$(cat /opt/spark/.state/rehearsal/spark1/init.pid)" --net --mount --uts --ipc --pid mount -t proc proc /proc
nsenter --target "$(cat /opt/spark/.state/rehearsal/spark1/init.pid)" --net --mount --uts --ipc --pid mount -t tmpfs tmpfs /dev/shm
nsenter --target "$(cat /opt/spark/.state/rehearsal/spark1/init.pid)" --net --mount --uts --ipc --pid mount -t tmpfs tmpfs /run
nsenter --target "$(cat /opt/spark/.state/rehearsal/spark1/init.pid)" --net --mount --uts --ipc --pid mkdir /run/ray /run/tmp
nsenter --target "$(cat /opt/spark/.state/rehearsal/spark1/init.pid)" --net --mount --uts --ipc --pid mount --bind /opt/spark/.state/rehearsal/spark1/ray /run/ray
nsenter --target "$(cat /opt/spark/.state/rehearsal/spark1/init.pid)" --net --mount --uts --ipc --pid mount --bind /opt/spark/.state/rehearsal/hosts /etc/hosts
touch /opt/spark/.state/rehearsal/spark1/ready

# spark2: Make the node
rm -f /opt/spark/.state/rehearsal/spark2/init.pid
env -i \
  PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
  SPARK_CLUSTER_NODE=/opt/spark/.state/rehearsal/spark2 \
  setsid nsenter --target "$(cat /opt/spark/.state/rehearsal/link/init.pid)" --mount --net unshare --net --mount --uts --ipc --pid --fork --kill-child /bin/sh -c 'read -r pid rest </proc/self/stat; echo "$pid" >"$1"; trap "exit 0" TERM; while :; do sleep 3600 & wait; done' init /opt/spark/.state/rehearsal/spark2/init.pid \
  </dev/null >/opt/spark/.state/rehearsal/spark2/init.log 2>&1 &
timeout 10 sh -c 'until test -s "$0"; do sleep 0.05; done' /opt/spark/.state/rehearsal/spark2/init.pid
nsenter --target "$(cat /opt/spark/.state/rehearsal/link/init.pid)" --mount --net ip link add port1 type veth peer name enp1s0f1np1 netns "$(cat /opt/spark/.state/rehearsal/spark2/init.pid)"
nsenter --target "$(cat /opt/spark/.state/rehearsal/link/init.pid)" --mount --net ip link set port1 master fabric up
nsenter --target "$(cat /opt/spark/.state/rehearsal/spark2/init.pid)" --net --mount --uts --ipc --pid ip link set lo up
nsenter --target "$(cat /opt/spark/.state/rehearsal/spark2/init.pid)" --net --mount --uts --ipc --pid ip address add 192.168.177.12/24 dev enp1s0f1np1
nsenter --target "$(cat /opt/spark/.state/rehearsal/spark2/init.pid)" --net --mount --uts --ipc --pid ip link set enp1s0f1np1 up
nsenter --target "$(cat /opt/spark/.state/rehearsal/spark2/init.pid)" --net --mount --uts --ipc --pid hostname spark2
nsenter --target "$(cat /opt/spark/.state/rehearsal/spark2/init.pid)" --net --mount --uts --ipc --pid mount -t proc proc /proc
nsenter --target "$(cat /opt/spark/.state/rehearsal/spark2/init.pid)" --net --mount --uts --ipc --pid mount -t tmpfs tmpfs /dev/shm
nsenter --target "$(cat /opt/spark/.state/rehearsal/spark2/init.pid)" --net --mount --uts --ipc --pid mount -t tmpfs tmpfs /run
nsenter --target "$(cat /opt/spark/.state/rehearsal/spark2/init.pid)" --net --mount --uts --ipc --pid mkdir /run/ray /run/tmp
nsenter --target "$(cat /opt/spark/.state/rehearsal/spark2/init.pid)" --net --mount --uts --ipc --pid mount --bind /opt/spark/.state/rehearsal/spark2/ray /run/ray
nsenter --target "$(cat /opt/spark/.state/rehearsal/spark2/init.pid)" --net --mount --uts --ipc --pid mount --bind /opt/spark/.state/rehearsal/hosts /etc/hosts
touch /opt/spark/.state/rehearsal/spark2/ready

# spark1: Generate a secret, unless it exists
test -s /opt/spark/.state/rehearsal/ray-token || (umask 077; od -An -N32 -tx1 /dev/urandom | tr -d ' \n' >/opt/spark/.state/rehearsal/ray-token)

# spark1: Start Ray (head)
rm -f /opt/spark/.state/rehearsal/spark1/ray.pid
env -i \
  PATH=/opt/spark/.rehearsal/venv/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
  HOME=/opt/spark/.state/rehearsal/spark1/home \
  TMPDIR=/run/tmp \
  VLLM_CACHE_ROOT=/opt/spark/.rehearsal/cache \
  LANG=C.UTF-8 \
  SPARK_CLUSTER_NODE=/opt/spark/.state/rehearsal/spark1 \
  SPARK_CLUSTER_SERVICE=/opt/spark/.state/rehearsal/spark1/ray \
  SPARK_CLUSTER_SPEC=59f2d637c96c \
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
  setsid /bin/sh -c 'echo "$$" >"$1"; shift; exec "$@"' launch /opt/spark/.state/rehearsal/spark1/ray.pid nsenter --target "$(cat /opt/spark/.state/rehearsal/spark1/init.pid)" --net --mount --uts --ipc --pid ray start --block --head --port 6379 --include-dashboard=false --node-ip-address 192.168.177.11 --object-store-memory 200000000 --num-gpus 1 --temp-dir /run/ray --disable-usage-stats \
  </dev/null >/opt/spark/.state/rehearsal/spark1/ray.log 2>&1 &

# spark2: Start Ray (worker)
rm -f /opt/spark/.state/rehearsal/spark2/ray.pid
env -i \
  PATH=/opt/spark/.rehearsal/venv/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
  HOME=/opt/spark/.state/rehearsal/spark2/home \
  TMPDIR=/run/tmp \
  VLLM_CACHE_ROOT=/opt/spark/.rehearsal/cache \
  LANG=C.UTF-8 \
  SPARK_CLUSTER_NODE=/opt/spark/.state/rehearsal/spark2 \
  SPARK_CLUSTER_SERVICE=/opt/spark/.state/rehearsal/spark2/ray \
  SPARK_CLUSTER_SPEC=54c135af9975 \
  VLLM_HOST_IP=192.168.177.12 \
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
  setsid /bin/sh -c 'echo "$$" >"$1"; shift; exec "$@"' launch /opt/spark/.state/rehearsal/spark2/ray.pid nsenter --target "$(cat /opt/spark/.state/rehearsal/spark2/init.pid)" --net --mount --uts --ipc --pid ray start --block --address 192.168.177.11:6379 --node-ip-address 192.168.177.12 --object-store-memory 200000000 --num-gpus 1 --temp-dir /run/ray --disable-usage-stats \
  </dev/null >/opt/spark/.state/rehearsal/spark2/ray.log 2>&1 &

# spark1: Wait until Ray has spark1, spark2
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
  nsenter --target "$(cat /opt/spark/.state/rehearsal/spark1/init.pid)" --net --mount --uts --ipc --pid python /opt/spark/docker/probe.py ray-nodes --address 192.168.177.11:6379 --count 2 --wait 120

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
  nsenter --target "$(cat /opt/spark/.state/rehearsal/spark1/init.pid)" --net --mount --uts --ipc --pid python /opt/spark/docker/probe.py http --url http://192.168.177.11:8888/v1/completions --method POST --body '{"prompt": "Two machines", "max_tokens": 32, "temperature": 0}' --key-env VLLM_API_KEY --timeout 300 \
  3<<EOF
$(cat /opt/spark/.state/rehearsal/api-key)
EOF

# spark1: Stop serve
if grep -qsxzF SPARK_CLUSTER_SERVICE=/opt/spark/.state/rehearsal/spark1/serve /proc/"$(cat /opt/spark/.state/rehearsal/spark1/serve.pid 2>/dev/null)"/environ; then
  kill -s TERM -- -"$(cat /opt/spark/.state/rehearsal/spark1/serve.pid)"
  timeout 20 sh -c 'while kill -s 0 -- -"$(cat "$0")"; do sleep 0.1; done' /opt/spark/.state/rehearsal/spark1/serve.pid 2>/dev/null || kill -s KILL -- -"$(cat /opt/spark/.state/rehearsal/spark1/serve.pid)"
fi

# spark1: Stop ray
if grep -qsxzF SPARK_CLUSTER_SERVICE=/opt/spark/.state/rehearsal/spark1/ray /proc/"$(cat /opt/spark/.state/rehearsal/spark1/ray.pid 2>/dev/null)"/environ; then
  kill -s TERM -- -"$(cat /opt/spark/.state/rehearsal/spark1/ray.pid)"
  timeout 5 sh -c 'while kill -s 0 -- -"$(cat "$0")"; do sleep 0.1; done' /opt/spark/.state/rehearsal/spark1/ray.pid 2>/dev/null || kill -s KILL -- -"$(cat /opt/spark/.state/rehearsal/spark1/ray.pid)"
fi

# spark2: Stop ray
if grep -qsxzF SPARK_CLUSTER_SERVICE=/opt/spark/.state/rehearsal/spark2/ray /proc/"$(cat /opt/spark/.state/rehearsal/spark2/ray.pid 2>/dev/null)"/environ; then
  kill -s TERM -- -"$(cat /opt/spark/.state/rehearsal/spark2/ray.pid)"
  timeout 5 sh -c 'while kill -s 0 -- -"$(cat "$0")"; do sleep 0.1; done' /opt/spark/.state/rehearsal/spark2/ray.pid 2>/dev/null || kill -s KILL -- -"$(cat /opt/spark/.state/rehearsal/spark2/ray.pid)"
fi

# spark1: Kill leftover processes
grep -lzsE '^SPARK_CLUSTER_NODE=/opt/spark/\.state/rehearsal/spark1(/|$)' /proc/[0-9]*/environ | cut -d/ -f3 | xargs -r kill -KILL

# spark2: Kill leftover processes
grep -lzsE '^SPARK_CLUSTER_NODE=/opt/spark/\.state/rehearsal/spark2(/|$)' /proc/[0-9]*/environ | cut -d/ -f3 | xargs -r kill -KILL

# spark1: Remove the run state
rm -rf -- /opt/spark/.state/rehearsal/spark1

# spark2: Remove the run state
rm -rf -- /opt/spark/.state/rehearsal/spark2

# link: Kill leftover processes
grep -lzsE '^SPARK_CLUSTER_NODE=/opt/spark/\.state/rehearsal/link(/|$)' /proc/[0-9]*/environ | cut -d/ -f3 | xargs -r kill -KILL

# link: Remove the run state
rm -rf -- /opt/spark/.state/rehearsal
