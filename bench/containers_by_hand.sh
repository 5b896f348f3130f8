#!/bin/sh
# The cluster of two hosts typed by hand: a container on each, one model over both, one completion.
# Prints the phases, and the seconds to the answer on the last line; leaves the containers running.
# It is what `inv up` and `inv serve` are measured against (`bench/containers.py` runs it, and checks
# that both start the same), so it does what somebody with two terminals and all lines at hand does:
# - logs in on both hosts before the clock starts: then a command there costs no handshake;
# - checks nothing first, and has the tokens and variables of each host in ~/by-hand already;
# - starts the worker at once after the head: Ray's worker waits for its head by itself;
# - asks Ray a second after it has answered (`ray status` itself needs one or two), and the server
#   five times a second, quicker than a person would.
#
# Usage: containers_by_hand.sh IMAGE, where `ssh spark1` and `ssh spark2` need no password.
set -eu

image=$1
head=192.168.177.11
worker=192.168.177.12
control=$(mktemp -d)
trap 'for host in spark1 spark2; do on $host -O exit 2>/dev/null || true; done
    rm -rf "$control"' EXIT
trap 'exit 130' INT TERM

on() { # on HOST COMMAND: type it in the terminal there
    ssh -o ControlPath="$control/%n" -o BatchMode=yes "$@"
}
seconds() { awk -v ns="$(($(date +%s%N) - began))" 'BEGIN { printf "%.1f\n", ns / 1e9 }'; }
phase() { echo "$(seconds) s: $1"; }

for host in spark1 spark2; do
    on $host -o ControlMaster=yes -o ControlPersist=yes -N -f
done
options="--detach --name vllm_node --network host --init --shm-size 1g \
    --security-opt no-new-privileges --ulimit stack=67108864 \
    --volume ~/.cache/huggingface:/root/.cache/huggingface \
    --volume vllm_node-cache:/var/cache/spark-vllm-cluster \
    --volume ~/by-hand/ray-token:/run/secrets/ray-token:ro \
    --volume ~/by-hand/not-carried.json:/root/.config/vllm/ray_non_carry_over_env_vars.json:ro \
    --env-file by-hand/node.env"

began=$(date +%s%N)

on spark1 "docker run $options $image \
    ray start --block --head --port 6379 --include-dashboard=false --node-ip-address $head \
    --object-store-memory 200000000 --num-gpus 1 --disable-usage-stats" >/dev/null
on spark2 "docker run $options $image \
    ray start --block --address $head:6379 --node-ip-address $worker \
    --object-store-memory 200000000 --num-gpus 1 --disable-usage-stats" >/dev/null
phase "both containers started"

on spark1 "for try in \$(seq 60); do
        nodes=\$(docker exec vllm_node ray status 2>/dev/null | grep -c ' node_')
        [ \$nodes != 2 ] || exit 0
        sleep 1
    done; docker logs vllm_node; exit 1" >&2
phase "Ray has both nodes"

on spark1 "VLLM_API_KEY=\$(cat by-hand/api-key) docker exec --detach --env VLLM_API_KEY vllm_node \
    vllm serve /root/.cache/huggingface/tiny --host 0.0.0.0 --port 8888 \
    --gpu-memory-utilization 0.7 --tensor-parallel-size 2 --distributed-executor-backend ray \
    --max-model-len 1024 --enforce-eager --dtype float32 --kv-cache-memory-bytes 67108864 \
    --served-model-name tiny-llama"
on spark1 "for try in \$(seq 1500); do
        ! curl --silent --fail http://$head:8888/health || exit 0
        sleep 0.2
    done; exit 1" >&2
phase "server ready"

# The prompt and the number of tokens are those of `inv serve`.
on spark1 "curl --silent --show-error --fail http://$head:8888/v1/completions \
    --header \"Authorization: Bearer \$(cat by-hand/api-key)\" \
    --json '{\"prompt\": \"Hello\", \"max_tokens\": 1, \"temperature\": 0}'"
echo
phase "completion"
seconds
