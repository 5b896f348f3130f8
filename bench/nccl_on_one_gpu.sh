#!/bin/sh
# Run two ranks of docker/nccl.py on one GPU as if they were on two hosts, and keep NCCL's logs:
# `bench/nccl_on_one_gpu.sh FOLDER` writes RUN-RANK.json and RUN-RANK.err for each run, in a minute
# or two. The logs that the tests read (tests/captures/nccl) come from it.
#
# Each rank has its own network namespace, and a virtual cable with the name of a Spark's ConnectX
# interface joins both. Different NCCL_HOSTIDs make NCCL treat them as two hosts: it moves all data
# by its network transport, and allows both to use the same GPU.
#
# Needs root, iproute2, util-linux, and a python3 with PyTorch (or PYTHON=...). Where namespaces are
# forbidden both ranks use `lo`. BACKEND=gloo runs without a GPU.
set -u

out=${1:?a folder for the answers of the ranks}
program=$(cd "$(dirname "$0")/.." && pwd)/docker/nccl.py
python=${PYTHON:-python3} backend=${BACKEND:-nccl}
port=29520 first=enp1s0f1np1 second=enP2p1s0f1np1
sparks="=rocep1s0f1,roceP2p1s0f1"
short="--join 15 --deadline 60"
mkdir -p "$out"
out=$(cd "$out" && pwd)
scratch=$(mktemp -d)
trap 'kill "$(cat "$scratch/0.pid")" "$(cat "$scratch/1.pid")" 2>/dev/null; rm -rf "$scratch"' EXIT
trap 'exit 130' INT TERM

holder() { # holder NUMBER: keep a network namespace open
    # shellcheck disable=SC2016  # the inner shell's own number
    unshare --net sh -c 'echo "$$" >"$0"; exec sleep 900' "$scratch/$1.pid" &
    tries=50
    until [ -s "$scratch/$1.pid" ]; do
        tries=$((tries - 1))
        [ $tries -gt 0 ] || return 1
        sleep 0.1
    done
}
within() { # within NUMBER COMMAND...: run a command in a rank's network
    if [ -z "$cabled" ]; then
        shift
        "$@"
        return
    fi
    number=$1; shift
    nsenter --target "$(cat "$scratch/$number.pid")" --net "$@"
}
cable() { # cable NAME SUBNET: join both namespaces, with this name at both ends
    ip link add "$1" netns "$(cat "$scratch/0.pid")" type veth \
        peer name "$1" netns "$(cat "$scratch/1.pid")" || return 1
    for number in 0 1; do
        within "$number" ip address add "$2.1$((number + 1))/24" dev "$1" &&
            within "$number" ip link set "$1" up && within "$number" ip link set lo up || return 1
    done
}
rank() { # rank NUMBER RUN VARIABLES OPTION...: run a rank; its output and errors go to files
    number=$1 run=$2 variables=$3; shift 3
    # shellcheck disable=SC2086  # $variables and $short are several words
    within "$number" env NCCL_HOSTID="$number" NCCL_SOCKET_IFNAME="=$first" \
        GLOO_SOCKET_IFNAME=$first $variables timeout 90 "$python" "$program" \
        --rank "$number" --world 2 --master "$head:$port" --backend "$backend" $short "$@" \
        >"$out/$run-$number.json" 2>"$out/$run-$number.err"
}
run() { # run NAME VARIABLES OPTION...: run both ranks at once
    name=$1
    rank 1 "$@" &
    background=$!
    rank 0 "$@"
    code=$?
    wait $background
    echo "$name: rank 0 ended with $code, rank 1 with $?"
}
quickly() { run "$@" --sizes 8388608 --iterations 5; }

cabled=yes head=192.168.177.11
if ! { holder 0 && holder 1 && cable $first 192.168.177 && cable $second 192.168.178; }; then
    echo "no namespaces: both ranks use lo"
    cabled='' head=127.0.0.1 first=lo second=lo
fi
{
    date -u +%Y-%m-%d
    echo "interfaces: $first $second"
    "$python" -c 'import torch; print("torch", torch.__version__)'
    nvidia-smi --query-gpu=name,driver_version --format=csv,noheader
} >"$out/about.txt" 2>&1

run plain ""
run two-interfaces "NCCL_SOCKET_IFNAME==$first,$second"
quickly socket "NCCL_NET=Socket"
quickly disabled "NCCL_IB_DISABLE=1"
# The settings of a Spark without RDMA: NCCL falls back to sockets, unless NCCL_NET forbids it.
quickly no-device "NCCL_IB_HCA=$sparks NCCL_IB_DISABLE=0"
quickly no-device-strict "NCCL_IB_HCA=$sparks NCCL_IB_DISABLE=0 NCCL_NET=IB"
quickly wrong-interface "NCCL_SOCKET_IFNAME==enp9s9f9np9 GLOO_SOCKET_IFNAME=enp9s9f9np9"
quickly same-host "NCCL_HOSTID=one"
rank 0 alone ""
echo "alone: rank 0 ended with $?"
echo "in $out"
