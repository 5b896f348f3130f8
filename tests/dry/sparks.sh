# spark1
env -i \
  VLLM_HOST_IP=192.168.177.11 \
  RAY_ADDRESS=192.168.177.11:6379 \
  NCCL_SOCKET_IFNAME==enp1s0f1np1 \
  NCCL_IB_HCA==rocep1s0f1,roceP2p1s0f1 \
  NCCL_IB_DISABLE=0 \
  NCCL_NET=IB \
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
  RAY_AUTH_TOKEN_PATH=/run/ray-token \
  sh -c 'for name in HF_TOKEN; do IFS= read -r "$name" <&3; export "$name"; done; exec "$@" 3<&-' secrets \
  ray start --block --head --port 6379 --include-dashboard=true --dashboard-host 127.0.0.1 --dashboard-port 8265 --node-ip-address 192.168.177.11 --object-store-memory 1073741824 --disable-usage-stats \
  3<<EOF
${HF_TOKEN:?is set in env/cluster.env:7}
EOF

# spark2
env -i \
  VLLM_HOST_IP=192.168.177.12 \
  RAY_ADDRESS=192.168.177.11:6379 \
  NCCL_SOCKET_IFNAME==enp1s0f0np0 \
  NCCL_IB_HCA==rocep1s0f0,roceP2p1s0f0 \
  NCCL_IB_DISABLE=0 \
  NCCL_NET=IB \
  GLOO_SOCKET_IFNAME=enp1s0f0np0 \
  TP_SOCKET_IFNAME=enp1s0f0np0 \
  UCX_NET_DEVICES=enp1s0f0np0 \
  OMPI_MCA_btl_tcp_if_include=enp1s0f0np0 \
  NCCL_IGNORE_CPU_AFFINITY=1 \
  RAY_memory_monitor_refresh_ms=0 \
  RAY_AUTH_MODE=token \
  RAY_USAGE_STATS_ENABLED=0 \
  VLLM_NO_USAGE_STATS=1 \
  PYTORCH_CUDA_ALLOC_CONF=expandable_segments:True \
  VLLM_ENGINE_READY_TIMEOUT_S=3600 \
  RAY_AUTH_TOKEN_PATH=/run/ray-token \
  sh -c 'for name in HF_TOKEN; do IFS= read -r "$name" <&3; export "$name"; done; exec "$@" 3<&-' secrets \
  ray start --block --address 192.168.177.11:6379 --node-ip-address 192.168.177.12 --object-store-memory 1073741824 --disable-usage-stats \
  3<<EOF
${HF_TOKEN:?is set in env/cluster.env:7}
EOF

# spark1
env -i \
  VLLM_HOST_IP=192.168.177.11 \
  RAY_ADDRESS=192.168.177.11:6379 \
  NCCL_SOCKET_IFNAME==enp1s0f1np1 \
  NCCL_IB_HCA==rocep1s0f1,roceP2p1s0f1 \
  NCCL_IB_DISABLE=0 \
  NCCL_NET=IB \
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
  RAY_AUTH_TOKEN_PATH=/run/ray-token \
  sh -c 'for name in HF_TOKEN; do IFS= read -r "$name" <&3; export "$name"; done; exec "$@" 3<&-' secrets \
  vllm serve Qwen/Qwen3-4B --host 127.0.0.1 --port 8000 --gpu-memory-utilization 0.7 --tensor-parallel-size 2 --distributed-executor-backend ray --max-model-len 32768 \
  3<<EOF
${HF_TOKEN:?is set in env/cluster.env:7}
EOF
