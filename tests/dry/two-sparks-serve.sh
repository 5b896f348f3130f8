# spark1: Check that Ray has spark1, spark2
docker --host ssh://spark1 exec vllm_node python /opt/spark-vllm-cluster/probe.py ray-nodes --address 192.168.177.11:6379 --count 2

# spark1: Check that port 8888 is free
docker --host ssh://spark1 exec vllm_node python /opt/spark-vllm-cluster/probe.py listen-free --host 0.0.0.0 --port 8888

# spark1: Make a folder
mkdir -p -m 700 /opt/spark/.state/examples/two-sparks

# spark1: Generate a secret, unless it exists
test -s /opt/spark/.state/examples/two-sparks/api-key || (umask 077; od -An -N32 -tx1 /dev/urandom | tr -d ' \n' >/opt/spark/.state/examples/two-sparks/api-key)

# spark1: Serve RedHatAI/Qwen3-VL-235B-A22B-Instruct-NVFP4
sh -c 'for name in VLLM_API_KEY; do IFS= read -r "$name" <&3; export "$name"; done; exec "$@" 3<&-' secrets \
  docker --host ssh://spark1 exec --detach --env VLLM_API_KEY vllm_node run-service serve 6bc4bf7ec678 vllm serve RedHatAI/Qwen3-VL-235B-A22B-Instruct-NVFP4 --host 0.0.0.0 --port 8888 --gpu-memory-utilization 0.7 --tensor-parallel-size 2 --distributed-executor-backend ray --max-model-len 32768 \
  3<<EOF
$(cat /opt/spark/.state/examples/two-sparks/api-key)
EOF

# spark1: Wait until the model is ready
docker --host ssh://spark1 exec vllm_node python /opt/spark-vllm-cluster/probe.py http --url http://192.168.177.11:8888/health --timeout 5 --wait inf

# spark1: Check that the server completes a prompt
sh -c 'for name in VLLM_API_KEY; do IFS= read -r "$name" <&3; export "$name"; done; exec "$@" 3<&-' secrets \
  docker --host ssh://spark1 exec --env VLLM_API_KEY vllm_node python /opt/spark-vllm-cluster/probe.py http --url http://192.168.177.11:8888/v1/completions --method POST --body '{"prompt": "Hello", "max_tokens": 1, "temperature": 0}' --key-env VLLM_API_KEY --timeout 300 \
  3<<EOF
$(cat /opt/spark/.state/examples/two-sparks/api-key)
EOF
