#!/usr/bin/env bash
# Install packages while an image is built: `apt.sh [--upgrade] PACKAGE...`.
set -euo pipefail

# Docker's base images delete downloaded packages; the cache mount keeps them.
rm -f /etc/apt/apt.conf.d/docker-clean
options=(--yes -o Binary::apt::APT::Keep-Downloaded-Packages=true)
# Otherwise an unreachable mirror is only a warning, and the error that follows is misleading.
options+=(-o APT::Update::Error-Mode=any)
if [[ -s /run/secrets/ca ]]; then options+=(-o Acquire::https::CAInfo=/run/secrets/ca); fi
export DEBIAN_FRONTEND=noninteractive

apt-get "${options[@]}" update
if [[ ${1:-} == --upgrade ]]; then
    shift
    apt-get "${options[@]}" upgrade
fi
apt-get "${options[@]}" install --no-install-recommends "$@"
# These logs contain times, so the layer would differ with every build.
rm -rf /var/log/apt /var/log/dpkg.log /var/log/alternatives.log
