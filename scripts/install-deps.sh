#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Installs the Debian packages that building, running and testing need and this machine lacks. Quiet when there is
# nothing to do. Needs root only when something is missing.
#
# usage: install-deps.sh [vm|hardware]
#   vm         what the virtual machines of scripts/run-vm-tests.sh need, too
#   hardware   only what scripts/run-hardware-tests.sh needs: to build, and perf to compare with
set -euo pipefail

build=(
	gcc libc6-dev make clang llvm bpftool libbpf-dev libelf-dev libpfm4-dev libsystemd-dev libzstd-dev zlib1g-dev
	liblzma-dev libinih-dev libiberty-dev libcap-dev linux-libc-dev pkg-config
)
tests=(
	libcmocka-dev libclang-rt-14-dev linux-perf zstd golang-go binutils strace python3 gdb elfutils chromium
	systemd groff-base procps passwd util-linux diffutils
	iproute2 prometheus postgresql busybox
)
vm=(
	qemu-system-x86 qemu-system-arm qemu-system-misc opensbi cpio zstd xz-utils
	gcc-aarch64-linux-gnu gcc-riscv64-linux-gnu
)
case ${1:-} in
'') packages=("${build[@]}" "${tests[@]}") ;;
vm) packages=("${build[@]}" "${tests[@]}" "${vm[@]}") ;;
hardware) packages=("${build[@]}" linux-perf util-linux) ;;
*)
	sed -n 's/^# usage: /usage: /p' "$0" >&2
	exit 2
	;;
esac

missing=()
for p in "${packages[@]}"; do
	[ "$(dpkg-query -W -f='${db:Status-Status}' "$p" 2>/dev/null)" = installed ] || missing+=("$p")
done
[ ${#missing[@]} -eq 0 ] && exit 0

if [ "$(id -u)" -ne 0 ]; then
	echo "install-deps: these packages are missing, and installing them needs root: ${missing[*]}" >&2
	exit 1
fi
echo "install-deps: installing ${missing[*]}"
export DEBIAN_FRONTEND=noninteractive
log=$(mktemp)
trap 'rm -f "$log"' EXIT
if ! { apt-get update -q && apt-get install -y -q --no-install-recommends "${missing[@]}"; } >"$log" 2>&1; then
	tail -n 20 "$log" >&2
	echo "install-deps: apt-get failed" >&2
	exit 1
fi
