#!/bin/sh
# The commands of the rehearsal by hand: two nodes in Linux namespaces, Ray and one model on both,
# one completion, then everything is removed. Prints the phases, and at the end the seconds to the
# answer.
# `./inv rehearse` is compared with it, so it waits only where it must.
#
# Needs .rehearsal/venv and .rehearsal/model (`./inv rehearse` makes them), iproute2, util-linux and
# curl; root, or a kernel that lets users make namespaces.
# shellcheck disable=SC2086  # $unshare_user and $enter_user are several words, or none
# shellcheck disable=SC2016  # text in single quotes is for the inner shell
set -eu

repository=$(cd "$(dirname "$0")/.." && pwd)
rehearsal=$repository/.rehearsal
state=$(mktemp -d)
link=enp1s0f1np1
subnet=192.168.177
head=$subnet.11
began=$(date +%s%N)

if [ "$(id -u)" = 0 ]; then
    unshare_user="" enter_user=""
else
    unshare_user="--user --map-root-user" enter_user="--user --preserve-credentials"
fi

seconds() { awk -v ns="$(($(date +%s%N) - began))" 'BEGIN { printf "%.1f\n", ns / 1e9 }'; }
phase() { echo "$(seconds) s: $1"; }
failed() { echo "by_hand.sh: $1" >&2; tail -n 40 "$2" >&2; exit 1; }
until_exists() { # until_exists FILE LOG: up to 10 s; if namespaces are forbidden, the file never appears
    tries=500
    until [ -s "$1" ]; do
        tries=$((tries - 1))
        [ $tries -gt 0 ] || failed "no namespaces" "$2"
        sleep 0.02
    done
}
inside() { # inside PID COMMAND...: enter the namespaces that a holder keeps open
    holder=$1; shift
    nsenter --target "$holder" $enter_user --mount --net --uts --ipc --pid "$@"
}
on() { # on NUMBER COMMAND...: run with the environment of a node
    number=$1; shift
    inside "$(cat "$state/$number.pid")" --wd="$state" env -i \
        PATH="$rehearsal/venv/bin:/usr/sbin:/usr/bin:/sbin:/bin" LANG=C.UTF-8 \
        HOME="$state/home-$number" TMPDIR=/run/tmp RAY_TMPDIR=/run \
        RAY_ADDRESS=$head:6379 RAY_AUTH_MODE=token RAY_AUTH_TOKEN_PATH="$state/token" \
        GLOO_SOCKET_IFNAME=$link VLLM_HOST_IP=$subnet.1$number \
        VLLM_CACHE_ROOT="$rehearsal/cache" VLLM_CPU_CI_ENV=1 VLLM_NO_USAGE_STATS=1 \
        TORCHDYNAMO_DISABLE=1 HF_HUB_OFFLINE=1 \
        "$@"
}
ask() { on 1 curl --silent --fail "http://$head:8000$1" ${2:+--json "$2"}; }

# Killing the first process of the outermost PID namespace ends all processes of this script.
trap '[ ! -s "$state/outer.pid" ] || kill -KILL "$(cat "$state/outer.pid")"
    wait; rm -rf "$state"' EXIT
trap 'exit 130' INT TERM

head -c 32 /dev/urandom | od -An -tx1 | tr -d ' \n' >"$state/token"
chmod 600 "$state/token"
printf '%s\n' "127.0.0.1 localhost" "$head spark-1" "$subnet.12 spark-2" >"$state/hosts"

# At first, both holders still see the host's /proc, so /proc/self/stat starts with the PID that
# nsenter needs. `sleep & wait` is an init process that reaps its orphans.
unshare $unshare_user --mount --net --pid --fork --kill-child sh -ec '
    read -r pid _ </proc/self/stat
    ip link add fabric type bridge
    ip link set fabric up
    echo "$pid" >"$0"
    sleep infinity & wait' "$state/outer.pid" 2>"$state/outer.log" &
until_exists "$state/outer.pid" "$state/outer.log"
outer=$(cat "$state/outer.pid")

for number in 1 2; do
    mkdir "$state/ray-$number" "$state/home-$number"
    nsenter --target "$outer" $enter_user --mount --net --pid \
        unshare --mount --net --uts --ipc --pid --fork --kill-child sh -ec '
        read -r pid _ </proc/self/stat
        hostname "spark-$1"
        mount -t proc proc /proc
        mount -t tmpfs -o size=1g,mode=1777 tmpfs /dev/shm
        mount --bind "$0/hosts" /etc/hosts
        mount -t tmpfs tmpfs /run
        mkdir /run/ray /run/tmp
        mount --bind "$0/ray-$1" /run/ray
        ip link set lo up
        echo "$pid" >"$0/$1.pid"
        sleep infinity & wait' "$state" "$number" 2>"$state/holder-$number.log" &
    until_exists "$state/$number.pid" "$state/holder-$number.log"
    node=$(cat "$state/$number.pid")
    nsenter --target "$outer" $enter_user --net sh -ec "
        ip link add spark-$number type veth peer name $link netns $node
        ip link set spark-$number master fabric up"
    nsenter --target "$node" $enter_user --net sh -ec "
        ip addr add $subnet.1$number/24 dev $link
        ip link set $link up"
done
phase "two nodes on one link"

on 1 ray start --head --node-ip-address=$head --port=6379 --num-gpus=1 \
    --object-store-memory=200000000 --include-dashboard=false --disable-usage-stats \
    >"$state/head.log" 2>&1
phase "head up"
on 2 ray start --address=$head:6379 --node-ip-address=$subnet.12 --num-gpus=1 \
    --object-store-memory=200000000 --disable-usage-stats >"$state/worker.log" 2>&1
phase "worker joined"

on 1 vllm serve "$rehearsal/model" --served-model-name tiny --host $head --port 8000 \
    --tensor-parallel-size 2 --distributed-executor-backend ray --enforce-eager --dtype float32 \
    --max-model-len 1024 --kv-cache-memory-bytes 67108864 >"$state/serve.log" 2>&1 &
server=$!
tries=3000
until ask /health; do
    tries=$((tries - 1))
    { kill -0 $server && [ $tries -gt 0 ]; } || failed "no server" "$state/serve.log"
    sleep 0.2
done
phase "server ready"

# The prompt and the number of tokens are those of `inv rehearse`.
ask /v1/completions \
    '{"model": "tiny", "prompt": "Two machines", "max_tokens": 32, "temperature": 0}'
echo
phase "completion"
seconds
