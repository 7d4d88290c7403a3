#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The collectors of waits, I/O, faults, interrupts, packets and cgroups' traffic agree with the kernel's own accounts of workloads of known numbers.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/collecting.sh"

workloads=$O/workloads
if ! "$PROFILER" collect runqueue -n 1 >/dev/null 2>"$work/probe.err"; then
	skip "collectors with BPF programs" "$(tail -n 1 "$work/probe.err")"
	finish
fi

# --- runqueue ---

is_stopped() { [ "$(sed 's/.*) //; s/ .*//' "/proc/$1/stat")" = T ]; }
has_waited() { [ "$(cut -d' ' -f2 "/proc/$1/schedstat")" -gt 1000000000 ]; }

# Both of them at once wait half of the time; once stopped, neither waits any more.
two_on_one_cpu() {
	local one two p expressions=()
	collect runqueue || return
	background taskset -c 0 sh -c 'while :; do :; done' && one=$!
	background taskset -c 0 sh -c 'while :; do :; done' && two=$!
	for p in $one $two; do until_true 20 has_waited "$p" || return; done
	kill -STOP $one $two
	for p in $one $two; do until_true 10 is_stopped "$p" || return; done
	for p in $one $two; do
		wait_ns=$(cut -d' ' -f2 "/proc/$p/schedstat")
		expressions+=("abs(total('runqueue_processes', pid=$p)['time'] - $wait_ns) < 0.05 * $wait_ns + 2e7")
		expressions+=("sum(rows('runqueue_processes', pid=$p)[-1]['latency']) == total('runqueue_processes', pid=$p)['waits']")
	done
	judge "${expressions[@]}" "total('runqueue')['time'] >= total('runqueue_processes', pid=$one)['time']" \
		"not any(r['unwatched'] or r['uncounted'] for r in rows('runqueue_losses'))"
	p=$?
	kill -KILL $one $two
	wait $one $two 2>/dev/null
	return $p
}
check "two loops on one CPU wait as long as /proc/PID/schedstat says, within 5 %" two_on_one_cpu

# --- block_io ---

stat_of() { awk '{ print $1, $3 * 512, $5, $7 * 512, $16 + 0 }' "/sys/block/$1/stat"; }

# A loop device that is this test's alone. The kernel's account has a flush as a write of nothing, too.
known_requests() {
	local loop name before after
	truncate -s 16M "$work/disk"
	loop=$(losetup -f --show "$work/disk") || return
	name=$(basename "$loop")
	collect block_io || { losetup -d "$loop"; return 1; }
	read -ra before < <(stat_of "$name")
	dd if=/dev/zero of="$loop" bs=8k count=100 oflag=direct conv=fsync status=none
	dd if="$loop" of=/dev/null bs=4k count=300 iflag=direct status=none
	read -ra after < <(stat_of "$name")
	echo "${before[*]} to ${after[*]}"
	judge "total('block_io', device='$name', operation='write')['requests'] >= 100" \
		"total('block_io', device='$name', operation='read')['requests'] >= 300" \
		"total('block_io', device='$name', operation='read')['requests'] == $((after[0] - before[0]))" \
		"total('block_io', device='$name', operation='read')['bytes'] == $((after[1] - before[1]))" \
		"sum(total('block_io', device='$name', operation=o)['requests'] for o in ('write', 'flush')) == $((after[2] - before[2]))" \
		"total('block_io', device='$name', operation='write')['bytes'] == $((after[3] - before[3]))" \
		"total('block_io', device='$name', operation='flush')['requests'] == $((after[4] - before[4]))" \
		"all(sum(r['latency']) == r['requests'] and not r['errors'] for r in rows('block_io', device='$name'))" \
		"not any(r['untimed'] or r['uncounted'] for r in rows('block_io_losses'))"
	local r=$?
	losetup -d "$loop"
	return $r
}
truncate -s 1M "$work/probe"
if loop=$(losetup -f --show "$work/probe" 2>"$work/loop.err"); then
	losetup -d "$loop"
	check "block requests and bytes are those of /sys/block/*/stat" known_requests
else
	skip "block requests and bytes are those of /sys/block/*/stat" "no loop device: $(<"$work/loop.err")"
fi

# --- faults ---

pages=20000
known_faults() {
	local faults
	collect faults || return
	run "$workloads/pages" $pages
	faults=$(grep -o '[0-9]*$' "$work/out")
	judge "abs(total('faults_processes', pid=$pid)['user_minor'] - $pages) < 0.02 * $pages" \
		"abs(sum(rows('faults_processes', pid=$pid)[-1][k] for k in ('user_minor', 'user_major', 'kernel_minor', 'kernel_major')) - $faults) < 0.02 * $faults" \
		"rows('faults_processes', pid=$pid)[-1]['command'] == 'pages'" \
		"rows('faults_losses')[-1]['unseen'] < 0.02 * rows('faults')[-1]['user_minor'] and not rows('faults_losses')[-1]['uncounted']" \
		"total('faults')['user_minor'] >= total('faults_processes', pid=$pid)['user_minor']"
}
check "faults of a process that touches $pages pages, by its own account too, within 2 %" known_faults

by_perf() {
	local minor
	collect faults || return
	run perf stat -x, -o "$work/perf" -e minor-faults:u -- "$workloads/pages" $pages
	minor=$(sed -n 's/^\([0-9]*\),.*minor-faults.*/\1/p' "$work/perf")
	judge "abs(max(t['user_minor'] for t in rows('faults_processes', command='pages')) - $minor) < 0.02 * $minor"
}
if perf stat -e minor-faults:u true >/dev/null 2>&1; then
	check "and what perf stat counts, within 2 %" by_perf
else
	skip "and what perf stat counts" "perf is not there, or counts nothing"
fi

# CPUs come and go in a sysfs of the test's own, which tells of them as the kernel's would.
cpus_come_and_go() {
	local first second third minor
	mkdir -p "$work/sys/devices/system/cpu"
	echo 0 >"$work/sys/devices/system/cpu/online"
	collect faults -I 300ms --sysfs="$work/sys" || return
	run taskset -c 1 "$workloads/pages" $pages
	first=$pid
	echo 0-1 >"$work/sys/devices/system/cpu/online"
	two_reads || return
	run taskset -c 1 "$workloads/pages" $pages
	second=$pid
	echo 0 >"$work/sys/devices/system/cpu/online"
	two_reads || return
	run taskset -c 1 "$workloads/pages" $pages
	third=$pid
	judge "not rows('faults_processes', pid=$first, command='pages') and not rows('faults_processes', pid=$third, command='pages')" \
		"abs(total('faults_processes', pid=$second)['user_minor'] - $pages) < 0.02 * $pages" \
		"rows('faults_losses')[-1]['unseen'] < 0.02 * rows('faults')[-1]['user_minor']"
}
two_reads() {
	local reads
	reads=$(grep -c '"table":"faults_losses"' "$work/rows")
	until_true 10 sh -c "[ \$(grep -c '\"table\":\"faults_losses\"' '$work/rows') -ge $((reads + 2)) ]"
}
if taskset -c 0,1 true 2>/dev/null && [ "$(nproc --all)" -ge 2 ]; then
	check "faults of a CPU that comes online are counted, and no more when it goes" cpus_come_and_go
else
	skip "faults of a CPU that comes online are counted" "this machine has one CPU"
fi

# In a mount namespace of its own: ramfs, whose pages never have to be read and count as if they were.
known_majors() {
	mkdir -p "$work/ram"
	collect faults || return
	run unshare -m sh -c 'mount -t ramfs ramfs "$1" && exec "$2" "$1/holes" 300 200' sh "$work/ram" "$workloads/majors"
	judge "300 <= total('faults_processes', pid=$pid)['user_major'] <= 306" \
		"200 <= total('faults_processes', pid=$pid)['kernel_major'] <= 204"
}
if unshare -m mount -t ramfs ramfs /mnt 2>/dev/null; then
	check "300 major faults of user space and 200 of the kernel" known_majors
else
	skip "300 major faults of user space and 200 of the kernel" "no mount namespace"
fi

# --- irq ---

# Snapshots of the kernel's counts before and after all, and within: what the collector counted lies between.
soft_counts() { awk 'NR > 1 { n = 0; for (i = 2; i <= NF; i++) n += $i; sub(":", "", $1); print $1, n }' /proc/softirqs; }
hard_counts() { awk -v n="$(nproc)" '$1 ~ /^[0-9]+:$/ { s = 0; for (i = 2; i < 2 + n; i++) s += $i; print $1 + 0, s }' /proc/interrupts; }
irq_ticks() { awk '$1 == "cpu" { print $7 + $8 }' /proc/stat; }

between() {
	local ticks
	soft_counts >"$work/soft0" && hard_counts >"$work/hard0" && ticks=$(irq_ticks)
	collect irq || return
	soft_counts >"$work/soft1" && hard_counts >"$work/hard1"
	python3 - <<-'END'
		import socket, time
		r, s = (socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(2))
		r.bind(("127.0.0.1", 0))
		for i in range(20000):
		    s.sendto(b"x" * 1000, r.getsockname())
		    r.recv(2000)
	END
	sync -f "$work"
	soft_counts >"$work/soft2" && hard_counts >"$work/hard2"
	kill -INT "$collector"
	wait "$collector"
	soft_counts >"$work/soft3" && hard_counts >"$work/hard3" && ticks=$(($(irq_ticks) - ticks))
	python3 - "$work" "$ticks" "$(getconf CLK_TCK)" <<-'END'
		import json, sys
		work, ticks, hz = sys.argv[1], float(sys.argv[2]), float(sys.argv[3])
		last = {}
		for line in open(f"{work}/rows"):
		    row = json.loads(line)
		    if row.get("table") in ("irq_hard", "irq_soft"):
		        last[row["table"], str(row.get("number", row.get("name")))] = row
		bad, busy, time = 0, 0, 0
		for table, name, key in (("irq_soft", "soft", "name"), ("irq_hard", "hard", "number")):
		    counts = [dict(line.split() for line in open(f"{work}/{name}{i}")) for i in range(4)]
		    for what in counts[3]:
		        n = [int(c.get(what, 0)) for c in counts]
		        row = last.get((table, what), {"runs": 0, "time": 0})
		        busy += row["runs"] > 0
		        time += row["time"] / 1e9
		        # A chip may count what no handler saw, a shared line runs a handler for each device, and the tracepoints
		        # of a virtual machine were seen to miss up to 3 % of what wakes an idle CPU.
		        least, most = 0.9 * (n[2] - n[1]) - 3, n[3] - n[0]
		        if row["runs"] < least or (table == "irq_soft" and row["runs"] > most):
		            print(f"{table} {what}: {row['runs']} is not between {least} and {most}")
		            bad += 1
		        if row["runs"] and sum(row["latency"]) != row["runs"]:
		            print(f"{table} {what}: the histogram holds {sum(row['latency'])} of {row['runs']}")
		            bad += 1
		print(f"{busy} of them ran, {time:.3f} s; /proc/stat {ticks / hz:.3f} s")
		sys.exit(bad or busy < 4 or last["irq_soft", "NET_RX"]["runs"] < 10000 or abs(time - ticks / hz) > 0.5 + 0.5 * time)
	END
}
check "interrupts: runs are those of /proc/softirqs and /proc/interrupts, the time plausible beside /proc/stat" between

# --- xdp ---

net=ebpf-profiler-test-$$
# Two namespaces and a cable; nothing but the test's own packets: no IPv6, neighbours known.
lay_cable() {
	ip netns add "$net-a" && ip netns add "$net-b" || return
	ip link add name left netns "$net-a" type veth peer name right netns "$net-b" || return
	for side in a:left:1:2 b:right:2:1; do
		IFS=: read -r ns dev own peer <<<"$side"
		ip netns exec "$net-$ns" sysctl -qw net.ipv6.conf.all.disable_ipv6=1 2>/dev/null
		ip -n "$net-$ns" link set "$dev" address "02:00:00:00:00:0$own"
		ip -n "$net-$ns" addr add "10.9.9.$own/24" dev "$dev"
		ip -n "$net-$ns" link set "$dev" up
		ip -n "$net-$ns" neigh replace "10.9.9.$peer" lladdr "02:00:00:00:00:0$peer" dev "$dev" nud permanent
	done
}
take_up_cable() {
	[ ! -d "$group" ] || find "$group" -depth -type d -exec rmdir {} +
	ip netns del "$net-a" 2>/dev/null
	ip netns del "$net-b" 2>/dev/null
	cleanup
}
send() { # COUNT BYTES
	ip netns exec "$net-a" python3 - "$1" "$2" <<-'END'
		import socket, sys
		s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
		for i in range(int(sys.argv[1])):
		    s.sendto(b"x" * int(sys.argv[2]), ("10.9.9.2", 9))
	END
}
show() { ip -n "$net-b" -d link show right; }

datagrams() {
	local before
	before=$(show)
	collect xdp --set interfaces=right || return
	show | grep -q xdp || { echo "nothing is attached"; return 1; }
	send 50 100
	judge "total('xdp', interface='right')['ipv4_packets'] == 50" \
		"total('xdp', interface='right')['ipv4_bytes'] == 50 * (14 + 20 + 8 + 100)" \
		"rows('xdp')[-1]['ipv6_packets'] == 0 and rows('xdp')[-1]['mode'] in ('native', 'generic')" || return
	[ "$(show)" = "$before" ] || { echo "$before"; show; return 1; }
}
# A program of somebody else's stays, and is told of.
taken() {
	local holder
	collect xdp --set interfaces=right || return
	holder=$collector
	! ip netns exec "$net-b" "$PROFILER" collect xdp --set interfaces=right -n 1 2>"$work/second" || return
	grep -q "another XDP program is there" "$work/second" || { cat "$work/second"; return 1; }
	show | grep -q xdp || return
	kill -KILL "$holder"
	wait "$holder"
	until_true 10 sh -c "! ip -n $net-b -d link show right | grep -q xdp"
}
others() {
	! "$PROFILER" collect xdp -n 1 2>"$work/none" && grep -q "no interface is named" "$work/none" &&
		! "$PROFILER" collect xdp --set interfaces=nothing0 -n 1 2>"$work/none" && grep -q "no such interface" "$work/none"
}

# --- cgroup_traffic ---

unified=/sys/fs/cgroup
[ -e $unified/cgroup.procs ] || unified=$unified/unified
group=$unified/ebpf-profiler-test-$$.slice
container=docker-$(printf '0123456789abcdef%.0s' 1 2 3 4).scope
as_member() { # GROUP NAMESPACE PROGRAM
	sh -c 'echo $$ >"$1/cgroup.procs" && exec ip netns exec "$2" python3 -c "$3"' sh "$group/$1" "$net-$2" "$3"
}

# A container's inner group sends to a unit's; afterwards the root of cgroup v2 is as it was.
between_groups() {
	local receiver own="/${group##*/}" before
	before=$(bpftool cgroup show $unified)
	mkdir -p "$group/$container/inner" "$group/receiving.service" && ip -n "$net-a" link set lo up
	collect cgroup_traffic || return
	background as_member receiving.service b "$(cat <<-'END'
		import socket, sys
		s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
		s.bind(("10.9.9.2", 999))
		print("bound", flush=True)
		for i in range(50):
		    s.recv(2000)
	END
	)" >"$work/receiver"
	receiver=$!
	until_true 10 grep -q bound "$work/receiver" || return
	as_member "$container/inner" a "$(cat <<-'END'
		import socket
		s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
		for i in range(50):
		    s.sendto(b"x" * 100, ("10.9.9.2", 999))
		r = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
		r.bind(("127.0.0.1", 998))
		for i in range(7):
		    s.sendto(b"x" * 10, ("127.0.0.1", 998))
		    r.recv(2000)
	END
	)" || return
	wait $receiver || return
	judge "total('cgroup_traffic', cgroup='$own/receiving.service') == {'total': 'cgroup_traffic', 'cgroup': '$own/receiving.service', 'name': 'receiving.service', 'rx': 50 * (20 + 8 + 100), 'rx_packets': 50}" \
		"total('cgroup_traffic', cgroup='$own/$container/inner')['tx'] == 50 * (20 + 8 + 100)" \
		"total('cgroup_traffic', cgroup='$own/$container/inner')['lo_rx'] == 7 * (20 + 8 + 10)" \
		"total('cgroup_traffic', cgroup='$own/$container/inner')['lo_tx_packets'] == 7" \
		"total('cgroup_traffic', cgroup='$own/$container/inner')['name'] == '0123456789ab'" \
		"not any(r['uncounted'] for r in rows('cgroup_traffic_losses'))" || return
	[ "$(bpftool cgroup show $unified)" = "$before" ]
}
# A group that is gone is told once more, and then forgotten.
gone_group() {
	mkdir -p "$group/receiving.service"
	collect cgroup_traffic -I 500ms || return
	as_member receiving.service a 'import socket; socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b"x" * 72, ("10.9.9.2", 9))'
	until_true 10 grep -q receiving.service "$work/rows" || return
	rmdir "$group/receiving.service"
	told() { [ "$(grep -c '"table":"cgroup_traffic_losses"' "$work/rows")" -ge $(($1 + 4)) ]; }
	until_true 10 told "$(grep -c '"table":"cgroup_traffic_losses"' "$work/rows")" || return
	judge "all(r['tx'] == 100 for r in rows('cgroup_traffic', name='receiving.service'))" \
		"rows('cgroup_traffic', name='receiving.service')[-1]['monotonic_ns'] < rows('cgroup_traffic_losses')[-2]['monotonic_ns']"
}

trap take_up_cable EXIT
if lay_cable 2>"$work/cable.err"; then
	inside=(ip netns exec "$net-b")
	check "50 datagrams are 50 IPv4 packets of the right bytes, and the interface is as before" datagrams
	check "another's XDP program is not replaced; killing the collector frees the interface" taken
	inside=()
	if mkdir "$group" 2>"$work/group.err"; then
		check "what cgroups send each other is counted for each, and named; the hierarchy is as before" between_groups
		check "a cgroup that is gone is told once more, and forgotten" gone_group
	else
		skip "what cgroups send each other is counted for each" "$(<"$work/group.err")"
	fi
else
	skip "50 datagrams are 50 IPv4 packets" "no network namespaces: $(<"$work/cable.err")"
	skip "what cgroups send each other is counted for each" "no network namespaces: $(<"$work/cable.err")"
fi
check "interfaces that are not named, or not there, are sentences" others
finish
