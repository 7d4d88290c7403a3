# SPDX-License-Identifier: Apache-2.0
# Sourced by scripts/test-bpf-in-vm.sh: cgroup v2 alone, then v1 alone. Samples carry the cgroup, and a filter takes it.

cgroups_are() { # KIND
	"$PROFILER" check --json >"$work/check.json"
	grep '"cgroups"' "$work/check.json"
	grep -q "\"cgroups\": \"$1\"" "$work/check.json"
}

# One burner in a cgroup of its own, one outside of it.
in_cgroup() { # DIRECTORY
	local busy=() r
	mkdir -p "$1/vm-inside"
	sh -c "echo \$\$ >'$1/vm-inside/cgroup.procs'; exec '$workloads/shares' functions 300" >/dev/null &
	busy+=($!)
	"$workloads/deep" 300 >/dev/null 2>&1 &
	busy+=($!)
	profile cgroup -F 199 -d 3 --cgroup /vm-inside
	r=$?
	kill "${busy[@]}" 2>/dev/null
	wait "${busy[@]}" 2>/dev/null
	rmdir "$1/vm-inside"
	[ $r -eq 0 ] && ask cgroup "share(e, 'burn_seventy') > 25" "e['samples'] > 20" "set(r['name'] for r in e['rows']) & {'burn_seventy'}" ||
		return
	"$PROFILER" report --by process "$work/cgroup.seg" >"$work/by-process"
	cat "$work/by-process"
	! grep -q ' deep ' "$work/by-process"
}
attempt - "cgroup v2 alone: it is seen" cgroups_are v2
attempt sampler/sample_to_perf_ring "cgroup v2 alone: a cgroup is sampled, and nothing else" in_cgroup /sys/fs/cgroup

umount /sys/fs/cgroup
mount -t tmpfs none /sys/fs/cgroup
mkdir -p /sys/fs/cgroup/systemd /sys/fs/cgroup/cpu,cpuacct
mount -t cgroup -o none,name=systemd cgroup /sys/fs/cgroup/systemd
mount -t cgroup -o cpu,cpuacct cgroup /sys/fs/cgroup/cpu,cpuacct
attempt - "cgroup v1 alone: it is seen" cgroups_are v1
attempt sampler/sample_to_perf_ring "cgroup v1 alone: a cgroup is sampled, and nothing else" in_cgroup /sys/fs/cgroup/systemd
umount /sys/fs/cgroup/systemd /sys/fs/cgroup/cpu,cpuacct /sys/fs/cgroup
mount -t cgroup2 cgroup2 /sys/fs/cgroup
