# SPDX-License-Identifier: Apache-2.0
# Sourced by scripts/test-bpf-in-vm.sh: users' own programs at hooks that a machine of `make check` need not have: kprobes, entries
# of kernel functions, LSM (this guest's command line has 'bpf' in lsm=). Each is loaded, attached, runs, and is gone.

bpffs=$work/bpffs
mkdir "$bpffs"
mount -t bpf bpf "$bpffs"
echo 1 >/proc/sys/kernel/bpf_stats_enabled

manage() { "$PROFILER" programs --store "$bpffs/ebpf-profiler" "$@"; }

runs_of() {
	manage --json | python3 -SE -c 'import json, sys
print(sum(p["runs"] for p in json.load(sys.stdin)["programs"] if p["name"] == sys.argv[1]))' "$1"
}

# hook OBJECT PROGRAM: what it waits for happens twenty times.
hook() {
	local id before after
	id=$(manage load "$O/vm-programs/hooks/$1.bpf.o") || return
	manage attach "$id" || return
	before=$(runs_of "$2")
	for _ in $(seq 20); do (: </dev/null); done
	after=$(runs_of "$2")
	echo "it ran $before, then $after times"
	[ "$after" -ge $((before + 20)) ] || return
	manage detach "$id" && manage unload "$id" || return
	manage >"$work/list" || return
	! grep "$2" "$work/list"
}
attempt - "a user's kprobe program is attached, runs and is gone" hook kprobe exiting
attempt - "a user's kretprobe program is attached, runs and is gone" hook kretprobe opened
attempt - "a user's program at a function's entry is attached, runs and is gone" hook fentry entering_exit
attempt - "a user's LSM program is attached, runs and is gone" hook lsm opening
