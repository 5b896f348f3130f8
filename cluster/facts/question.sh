# Prints what a machine is, part by part: each part under a heading with its name.
#
# POSIX shell. A part reads nothing from standard input, changes nothing, and prints nothing rather
# than fail where a file or a program is missing; no program has the name of a part. Assignments
# stand in front of this text (cluster/facts/facts.py):
#
#   parts             names of the parts to print
#   image, container  the cluster's image, and its container on this machine
#   docker_seconds    time limit of each call of the Docker client
#   cache             the model cache (HF_CACHE)
#   pings             lines of `interface address`: peers to ping, and the interface to do it from
#   ports             lines of `address port`: where to connect to
#   routes_to         addresses whose routes to print
#
# shellcheck shell=sh
# shellcheck disable=SC2154 # those assignments
# shellcheck disable=SC2329 # `"$part"` at the end runs the functions
#
# A shell reads the braces to their end before it runs any of this: so no program takes the rest of
# the text for its input, and half of the text does nothing.
{
# A user's PATH need not have `ip` (Debian).
PATH="$PATH:/usr/sbin:/sbin"
LC_ALL=C
export PATH LC_ALL

# Runs a program with a time limit in seconds; whatever goes wrong is part of the output.
within() {
  if command -v "$2" >/dev/null; then
    timeout -k 1 "$@" 2>&1
    case $? in 124 | 137) printf '\n%s\n' "$2: no answer within $1 s" ;; esac
  else
    echo "$2: not found"
  fi
}

# Network interfaces and routes (links.py).

addresses() {
  within 2 ip -j -d address
}

routes() {
  within 2 ip -j route
}

# A device without a driver's folder, or without a cable, has none of these. A name in `uevent` is a
# PCI address, which the folder of a virtio device or of a function within a function is not.
adapters() {
  grep -sE '^([0-9]|PCI_SLOT_NAME=)' /dev/null \
    /sys/class/net/*/speed \
    /sys/class/net/*/device/current_link_speed \
    /sys/class/net/*/device/current_link_width \
    /sys/class/net/*/device/uevent
}

# RDMA devices (rdma.py).

# A port has 256 GID rows, most of them empty: reading the type of an empty row fails (EINVAL), and
# its value is all zeros. One `grep` reads them all; a process for each would take seconds.
devices() {
  printf '%s\n' /sys/class/infiniband/* /sys/class/infiniband/*/device/net/* /dev/infiniband/*
  grep -sE '^PCI_SLOT_NAME=' /dev/null /sys/class/infiniband/*/device/uevent
  timeout -k 1 3 grep -sEv '^((0000:){7}0000)?$' /dev/null \
    /sys/class/infiniband/*/ports/1/state \
    /sys/class/infiniband/*/ports/1/link_layer \
    /sys/class/infiniband/*/ports/1/rate \
    /sys/class/infiniband/*/ports/1/gids/* \
    /sys/class/infiniband/*/ports/1/gid_attrs/types/* \
    /sys/class/infiniband/*/ports/1/gid_attrs/ndevs/*
}

# NVIDIA's script takes longer than all other parts together: it runs only where sysfs lacks an
# interface.
netdevs() {
  for device in /sys/class/infiniband/*; do
    if [ -e "$device" ] && ! [ -e "$device/device/net" ]; then
      timeout -k 1 2 ibdev2netdev
      break
    fi
  done
}

# The machine itself (machine.py).

# A shell's own `ulimit` counts KiB in dash, bash and busybox.
# shellcheck disable=SC3045 # these three have `ulimit -l`
system() {
  echo "names $(uname -nrm)"
  echo "user $(id -un)"
  echo "memlock $(ulimit -l)"
  grep -s . /dev/null \
    /proc/meminfo /proc/pressure/memory /proc/cmdline /etc/os-release /etc/dgx-release
}

resolved() {
  timeout -k 1 2 getent ahostsv4 "$(uname -n)"
}

# Files and their order: logind.conf(5), CONFIGURATION DIRECTORIES AND PRECEDENCE.
sessions() {
  [ -d /run/systemd/system ] || return
  echo systemd
  [ ! -e "/var/lib/systemd/linger/$(id -un)" ] || echo linger
  for folder in /usr/lib /usr/local/lib /run /etc; do
    grep -sE '^[[:space:]]*RemoveIPC[[:space:]]*=' /dev/null \
      "$folder/systemd/logind.conf" "$folder"/systemd/logind.conf.d/*.conf
  done
  timeout -k 1 2 systemctl get-default
  timeout -k 1 2 systemctl is-active earlyoom systemd-oomd
}

# The addresses of both ends of the SSH connection; a local shell has none.
connection() {
  printf '%s\n' "$SSH_CONNECTION"
}

programs() {
  command -v zstd
}

# GPUs (gpu.py).

gpus() {
  within 10 nvidia-smi --format=csv,noheader,nounits \
    --query-gpu=name,driver_version,memory.total,clocks.sm
}

clients() {
  timeout -k 1 10 nvidia-smi --format=csv,noheader,nounits \
    --query-compute-apps=pid,process_name,used_memory
}

# Docker (docker.py).

engine() {
  within "$docker_seconds" docker info --format '{{json .}}'
}

# Raw JSON, because `--format` has only the fields that the client knows. `--all`: Docker 29 lists
# images without a name only then. That an image vanishes after the list was made does not matter.
images() {
  list=$(timeout -k 1 "$docker_seconds" docker image ls --all --quiet --no-trunc 2>&1) || {
    echo "docker image ls: ${list:-no answer}"
    return
  }
  ids=$(printf '%s\n' "$list" | grep '^sha256:' | sort -u)
  # shellcheck disable=SC2086 # several words
  [ -z "$ids" ] || timeout -k 1 "$docker_seconds" docker image inspect $ids
}

image() {
  within "$docker_seconds" docker image inspect -- "$image"
}

container() {
  within "$docker_seconds" docker container inspect --format '{{.State.Status}}' -- "$container"
}

toolkit() {
  timeout -k 1 2 nvidia-ctk --version
}

cdi() {
  printf '%s\n' /etc/cdi/* /var/run/cdi/*
}

# Firewall and listening ports (firewall.py).

# Only root may read the rules. iptables only where there is no nft: listing its rules loads modules.
firewall() {
  grep -s '^ENABLED=' /etc/ufw/ufw.conf
  as_root=
  [ "$(id -u)" = 0 ] || as_root='sudo -n'
  # shellcheck disable=SC2086 # none or two words
  timeout -k 1 2 $as_root nft list chains || timeout -k 1 2 $as_root iptables -S INPUT
}

listeners() {
  timeout -k 1 2 ss -Hltnp
}

# Disks and models (storage.py).

engine_disk() {
  info=$(
    timeout -k 1 "$docker_seconds" docker info --format '{{.DockerRootDir}}|{{json .DriverStatus}}'
  ) || return
  set -- "${info%%|*}"
  case $info in *io.containerd.snapshotter*) set -- "$@" /var/lib/containerd ;; esac
  for folder; do
    echo "$folder"
    timeout -k 1 2 df -Pk "$folder"
  done
}

case $cache in \~ | \~/*) cache=$HOME${cache#\~} ;; esac

model_disk() {
  echo "$cache"
  while [ ! -e "$cache" ] && [ "${cache%/*}" != "$cache" ]; do cache=${cache%/*}; done
  timeout -k 1 2 df -Pk "${cache:-/}"
}

models() {
  for model in "$cache"/hub/models--*; do
    [ ! -d "$model" ] || timeout -k 1 2 du -sk "$model" || echo "0 $model" &
  done
  wait
}

# Peers (reach.py). All attempts run at once.

# Prints a label, the exit code and the output of a command as one line. The line is written at
# once, so that lines of attempts at the same time stay whole; the shell's own splitting of words
# puts the output on one line.
try() {
  set -f
  unset IFS
  label=$1 && shift
  output=$("$@" 2>&1)
  # shellcheck disable=SC2086 # split into words
  set -- "$label $?" $output
  printf '%s\n' "$*"
}

ping_of_size() {
  try "ping $1 $2 $3" ping -n -c 2 -i 0.2 -W 1 -M 'do' -I "$1" -s "$(($3 - 28))" "$2"
}

# Every ping is sent twice: a small one, and one as large as the interface lets through.
reach() {
  set -f
  IFS='
'
  for line in $pings; do
    interface=${line% *} address=${line##* }
    ping_of_size "$interface" "$address" 84 &
    read -r mtu <"/sys/class/net/$interface/mtu" && ping_of_size "$interface" "$address" "$mtu" &
  done
  for line in $ports; do
    address=${line% *} port=${line##* }
    try "port $address $port" timeout -k 1 2 bash -c ": </dev/tcp/$address/$port" &
  done
  for address in $routes_to; do
    try "route $address" timeout -k 1 2 ip -j route get "$address" &
  done
  wait
}

# All parts run at once, each into a file of its own: the whole takes as long as the slowest. The
# files are in memory where possible, so that a machine with a full disk still answers.
in_folder() {
  answers=$(mktemp -d "$1/facts.XXXXXXXX") || return
  (echo >"$answers/room") || { rm -rf "$answers" && return 1; }
}

answers=
trap 'rm -rf "$answers"' EXIT
trap 'exit 1' HUP INT PIPE TERM
in_folder /dev/shm 2>/dev/null || in_folder "${TMPDIR:-/tmp}" 2>/dev/null || {
  echo 'neither /dev/shm nor /tmp has room' >&2
  exit 1
}
cd "$answers" || exit
for part in $parts; do
  {
    echo "== $part"
    "$part"
    echo
  } >"./$part" 2>/dev/null &
done
wait
# shellcheck disable=SC2086 # several words
cat $parts
echo '== clock'
date +%s.%N
echo
echo '== end'
exit 0
} </dev/null
