# spark1: Stop serve
docker --host ssh://spark1 exec vllm_node timeout 20 sh -c 'set -- "$(cat "$0")"; kill -s TERM "$1"; while kill -s 0 "$1" 2>/dev/null; do sleep 0.1; done; rm -f "$0"' /run/spark-vllm-cluster/serve.pid ||
  docker --host ssh://spark1 exec vllm_node sh -c 'kill -s KILL -- "-$(cat "$0")"; rm -f "$0"' /run/spark-vllm-cluster/serve.pid

# spark1: Stop ray
docker --host ssh://spark1 stop --time 5 vllm_node
docker --host ssh://spark1 rm vllm_node

# spark2: Stop ray
docker --host ssh://spark2 stop --time 5 vllm_node
docker --host ssh://spark2 rm vllm_node

# spark1: Remove the run state
rm -rf -- /opt/spark/.state/examples/two-sparks
