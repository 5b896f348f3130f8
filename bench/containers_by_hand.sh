#!/bin/sh
# The commands for a cluster of two hosts by hand: a container on each, one model on both, one
# completion. Prints the phases, and the seconds to the answer at the end; leaves the containers
# running. `bench/containers.py` compares `inv up` and `inv serve` with it, and checks that both
# start the same programs. It works like a person with two terminals and all commands prepared:
# - It logs in on both hosts before the clock starts, so that no command costs a handshake.
# - It checks nothing first; the tokens and variables of each host are already in ~/by-hand.
# - It starts the worker immediately after the head: Ray's worker waits for its head by itself.
# - It polls Ray one second after each answer (`ray status` itself takes one or two), and the server
#   five times a second, faster than a person would.
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

on() { # on HOST COMMAND: run it in the terminal of a host
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
