#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Tries every BPF program on the kernel that runs here, with the root that scripts/build-vm-images.sh made: the same bytes as
# in the guests of scripts/run-vm-tests.sh, whatever this distribution has. Needs root, and nothing installed but cpio.
#
# usage: tests/vm/lima/run.sh [TEST]...     (sampler profiles collectors)
set -eu
cd "$(dirname "$0")/../../.."
[ $# -gt 0 ] || set -- sampler profiles collectors
[ "$(id -u)" -eq 0 ] || { echo "run.sh: this needs root" >&2; exit 4; }
archive=$PWD/build/vm/roots/amd64.cpio
[ -r "$archive" ] || { echo "run.sh: $archive is missing; scripts/build-vm-images.sh --arch amd64 makes it" >&2; exit 3; }

root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
(cd "$root" && cpio --extract --make-directories --quiet <"$archive")
# Mounts of its own, gone with it.
unshare --mount sh -euc '
	root=$1
	shift
	for d in proc sys dev; do mount --rbind /$d "$root/$d"; done
	for d in run tmp var/tmp; do mount -t tmpfs none "$root/$d"; done
	exec chroot "$root" /usr/bin/env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C TERM=dumb \
		/opt/ebpf-profiler/scripts/test-bpf-in-vm.sh "$@"
' sh "$root" "$@" | tee "$root/console"
! grep -q "^@vm$(printf '\t')result$(printf '\t')FAIL$(printf '\t')" <(grep -v unverifiable/ "$root/console") &&
	grep -q "^@vm$(printf '\t')end" "$root/console"
