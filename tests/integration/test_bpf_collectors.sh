#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The collectors with BPF programs count exactly what workloads of known numbers do: exec, processes, oom, syscalls, sockets.
. "$(dirname "$0")/lib.sh"

workloads=$O/workloads
. "$(dirname "$0")/collecting.sh"
own_tracefs

# --- exec ---

all_kinds() { # OPTION...
	local many long both thread untouched descriptor missing
	collect exec --set argv=full "$@" || return
	run "$workloads/calls" arguments 100 3 || return
	many=$pid
	run "$workloads/calls" arguments 1 600 || return
	long=$pid
	run "$workloads/calls" arguments 200 300 || return
	both=$pid
	run "$workloads/calls" thread || return
	thread=$pid
	run "$workloads/calls" untouched || return
	untouched=$pid
	run "$workloads/calls" descriptor || return
	descriptor=$pid
	run "$workloads/calls" missing || return
	missing=$pid
	judge "len(rows('exec', pid=$many)) == 2" \
		"argv(rows('exec', pid=$many)[1]) == ['calls', 'end'] + [chr(97 + i % 26) * 3 for i in range(100)]" \
		"rows('exec', pid=$many)[1]['arguments'] == 102 and 'cut' not in rows('exec', pid=$many)[1]" \
		"argv(rows('exec', pid=$long)[1])[2] == 'a' * 600 and rows('exec', pid=$long)[1]['result'] == 0" \
		"rows('exec', pid=$both)[1]['cut'] == 'more' and 4096 < sum(len(a) + 1 for a in argv(rows('exec', pid=$both)[1])) < 8192" \
		"argv(rows('exec', pid=$thread)[1]) == ['calls', 'end', 'of a thread'] and rows('exec', pid=$thread)[1]['result'] == 0" \
		"argv(rows('exec', pid=$untouched)[1]) == ['calls', 'end', 'out of sight']" \
		"argv(rows('exec', pid=$descriptor)[1]) == ['calls', 'end', 'by descriptor']" \
		"rows('exec', pid=$missing)[1]['result'] == -2 and rows('exec', pid=$missing)[1]['file'] == '/nonexistent'" \
		"argv(rows('exec', pid=$missing)[1]) == ['not', 'there']" \
		"all(r['ppid'] == $$ for r in rows('exec', pid=$missing))" "total('exec_losses').get('lost', 0) == 0"
}
if [ -e /sys/kernel/tracing/events/syscalls ]; then
	check "exec by tracepoints: arguments, results, threads, pages never touched" all_kinds --set attach=tracepoint
	check "the same through perf rings" all_kinds --set attach=tracepoint --set transport=perf
else
	skip "exec by tracepoints" "tracefs is not there"
fi
if [ -e /sys/bus/event_source/devices/kprobe ]; then
	check "exec by kprobes" all_kinds --set attach=kprobe
else
	skip "exec by kprobes" "this kernel has none"
fi

# As Linux 4.18, which describes no types: no parent, no page that was never touched, and the perf ring alone.
without_types() {
	local world=(unshare -m sh -c 'mount -t tmpfs none /sys/kernel/btf && exec "$@"' sh) many missing
	collect exec --set argv=full --set attach=tracepoint || return
	run "$workloads/calls" arguments 100 3 || return
	many=$pid
	run "$workloads/calls" missing || return
	missing=$pid
	judge "argv(rows('exec', pid=$many)[1]) == ['calls', 'end'] + [chr(97 + i % 26) * 3 for i in range(100)]" \
		"[r['result'] for r in rows('exec', pid=$missing)] == [0, -2]" \
		"all(r.get('ppid', $$) == $$ for r in rows('exec', pid=$many))" "total('exec_losses').get('lost', 0) == 0"
}
if [ -e /sys/kernel/tracing/events/syscalls ] && [ -e /sys/kernel/btf ]; then
	check "exec on a kernel that does not describe its types" without_types
else
	skip "exec on a kernel that does not describe its types" "tracefs is not there"
fi

only_programs() {
	collect exec --set attach=none || return
	run "$workloads/calls" arguments 3 5 || return
	one=$pid
	run "$workloads/calls" missing || return
	missing=$pid
	judge "[r['argv'] for r in rows('exec', pid=$one)] == ['$workloads/calls', 'calls']" \
		"len(rows('exec', pid=$missing)) == 1" "rows('exec_losses')[-1]['attach'] == 'none'" "rows('exec', pid=$one)[1]['uid'] == $(id -u)"
}
check "exec without calls: programs that started, with their first argument alone" only_programs

# Each start is a row or a counted loss; every start is counted for its user. An emulated machine takes STORM processes.
starts=${STORM:-5000}
storm() { # OPTION...
	collect exec "$@" || return
	run "$workloads/calls" storm "$starts"
	judge "len([r for r in rows('exec', ppid=$pid) if r.get('result') == 0]) + total('exec_losses').get('lost', 0) >= $starts" \
		"len(rows('exec', ppid=$pid)) <= $starts" "total('exec_users', uid=$(id -u))['calls'] >= $starts" \
		"total('exec_losses')['events'] == len(rows('exec'))"
}
check "$starts short processes: nothing is lost uncounted" storm
check "$starts short processes through perf rings" storm --set transport=perf

# --- processes ---

lives() {
	collect processes || return
	sh -c 'sleep 0.3; exit 3' &
	local failing=$!
	sh -c 'kill -9 $$' &
	local killed=$!
	wait $failing $killed
	run "$workloads/calls" thread || return
	threads=$pid
	judge "[r['event'] for r in rows('processes', pid=$failing)] == ['fork', 'exec', 'exit']" \
		"rows('processes', pid=$failing)[2]['status'] == 3 and 3e8 < rows('processes', pid=$failing)[2]['duration'] < 2e10" \
		"all(r['ppid'] == $$ for r in rows('processes', pid=$failing))" \
		"rows('processes', pid=$killed, event='exit')[0]['signal'] == 9" \
		"'status' not in rows('processes', pid=$killed, event='exit')[0]" \
		"len(rows('processes', pid=$threads, event='exit')) == 1" \
		"total('processes_counts')['threads'] >= 1 and total('processes_losses').get('lost', 0) == 0"
}
check "processes: fork, exec and exit once each, status, signal, duration" lives

# --- cgroups, and memory that runs out ---

cgroups=/sys/fs/cgroup
controller=
for c in "$cgroups/memory" "$cgroups"; do
	[ -e "$c/memory.limit_in_bytes" ] || grep -qsw memory "$c/cgroup.subtree_control" && controller=$c && break
done
group=$controller/ebpf-profiler-test.$$
limit_memory() {
	if [ -e "$group/memory.max" ]; then
		echo 30M >"$group/memory.max"
		echo 0 >"$group/memory.swap.max"
	else
		echo 30M >"$group/memory.limit_in_bytes"
		echo 30M >"$group/memory.memsw.limit_in_bytes"
	fi 2>/dev/null
}
run_out() {
	collect processes oom || return
	mkdir "$group"
	limit_memory
	run sh -c 'echo $$ >"$1/cgroup.procs" && exec python3 -c "bytearray(100 << 20)"' sh "$group"
	rmdir "$group"
	judge "len(rows('oom', pid=$pid)) == 1" "rows('oom', pid=$pid)[0].get('command', 'python3').startswith('python3')" \
		"10e6 < rows('oom', pid=$pid)[0].get('anon', 30e6) < 40e6" \
		"rows('processes', pid=$pid, event='exit')[0]['signal'] == 9" \
		"[r['event'] for r in rows('processes_cgroups') if r['path'].endswith('/$(basename "$group")')] == ['created', 'destroyed']"
}
if [ -n "$controller" ] && [ -w "$controller" ]; then
	check "a process killed for want of memory is told once, and its cgroup" run_out
else
	skip "a process killed for want of memory is told once" "no memory controller that may be used"
fi

# --- system calls ---

known_calls() { # yes|no: with latency
	collect syscalls --set latency="$1" --set top=10000 || return
	run "$workloads/calls" getppid 10000 || return
	many=$pid
	run "$workloads/calls" bpf 7 || return
	bpf=$pid
	judge "total('syscalls', command='calls', pid=$many, syscall='getppid')['calls'] == 10000" \
		"'errors' not in total('syscalls', command='calls', pid=$many, syscall='getppid')" \
		"total('syscalls', command='calls', pid=$many, syscall='close')['errors'] == 1000" \
		"total('syscalls_bpf', command='calls', pid=$bpf, bpf='MAP_CREATE')['calls'] == 21" \
		"total('syscalls_bpf', command='calls', pid=$bpf, bpf='MAP_CREATE')['errors'] == 14" \
		"total('syscalls_sums', syscall='getppid')['calls'] >= 10000" \
		"not any(r['uncounted'] for r in rows('syscalls_losses'))" \
		"sum(rows('syscalls', pid=$many, syscall='getppid')[-1].get('latency', [])) == (10000 if '$1' == 'yes' else 0)"
}
check "syscalls: 10,000 calls, their errors, commands of bpf(2)" known_calls no
check "the same with latency: each call is in the histogram" known_calls yes

# A thread that is not the first one replaces the process: its execve begins as one thread and ends as another.
moving_calls() { # yes|no: with latency
	collect syscalls --set latency="$1" --set top=10000 || return
	run "$workloads/calls" moving 1000 || return
	judge "total('syscalls', command='moving-a', pid=$pid, syscall='getppid')['calls'] == 10000" \
		"total('syscalls', command='moving-b', pid=$pid, syscall='getppid')['calls'] == 10000" \
		"total('syscalls', command='calls', pid=$pid, syscall='getppid')['calls'] == 1000" \
		"total('syscalls', command='moving-b', pid=$pid, syscall='prctl')['calls'] == 1000" \
		"total('syscalls', command='calls', pid=$pid, syscall='execve')['calls'] == 2" \
		"not any(r['uncounted'] or r['untimed'] for r in rows('syscalls_losses'))" \
		"sum(rows('syscalls', command='moving-a', pid=$pid, syscall='getppid')[-1].get('latency', [])) == (10000 if '$1' == 'yes' else 0)"
}
check "calls of threads that change CPU, name and program are under who made them" moving_calls no
check "the same with latency" moving_calls yes

# By the programs that copy: where the kernel does not describe its types, but a file for CO-RE does.
by_copies() { # yes|no: with latency
	# shellcheck disable=SC2016
	local inside=(unshare -m sh -c 'mount -t tmpfs none /etc && printf "ID=test\nVERSION_ID=1\n" >/etc/os-release &&
		types=/etc/ebpf-profiler/btf/test/1/$(uname -m) && mkdir -p "$types" &&
		cp /sys/kernel/btf/vmlinux "$types/$(uname -r).btf" && mount -t tmpfs none /sys/kernel/btf && exec "$@"' sh)

	moving_calls "$1"
}
if [ -e /sys/kernel/btf/vmlinux ]; then
	check "the same by the programs for older kernels" by_copies no
	check "the same with latency" by_copies yes
else
	skip "the same by the programs for older kernels" "this kernel does not describe its types"
fi

# Two keys for each name, which is more than there is room for.
many_names() { # yes|no: with latency
	collect syscalls --set latency="$1" --set top=10000 || return
	run "$workloads/calls" names 9000 || return
	judge "any(r['uncounted'] > 1000 for r in rows('syscalls_losses'))" \
		"8000 < sum(t['calls'] for t in totals('syscalls', pid=$pid)) < 18000" \
		"sum(t['calls'] for t in totals('syscalls', pid=$pid)) + rows('syscalls_losses')[-1]['uncounted'] >= 18000"
}
check "keys beyond the room for them are counted as what they are" many_names no

# Two reads at the least; the last one tells of every key.
has_reads() { [ "$(grep -c '"syscalls_others"' "$work/rows")" -ge 3 ]; }
of_one_read() { # EXPRESSION: of a read, which is given by its time t
	echo "all($1 for t in {r['monotonic_ns'] for r in rows('syscalls_others')})"
}
bounded_rows() {
	collect syscalls --set top=3 -I 300 || return
	run "$workloads/calls" getppid 10000 || return
	until_true 20 has_reads || return
	judge "$(of_one_read "len(rows('syscalls', monotonic_ns=t)) <= 3 or rows('syscalls_others', monotonic_ns=t)[0]['keys'] == 0")" \
		"any(r['keys'] > 0 for r in rows('syscalls_others'))" \
		"$(of_one_read "sum(r['calls'] for r in rows('syscalls', monotonic_ns=t) + rows('syscalls_others', monotonic_ns=t)) ==
			sum(r['calls'] for r in rows('syscalls_sums', monotonic_ns=t))")" \
		"$(of_one_read "sum(r['errors'] for r in rows('syscalls', monotonic_ns=t) + rows('syscalls_others', monotonic_ns=t)) ==
			sum(r['errors'] for r in rows('syscalls_sums', monotonic_ns=t))")" \
		"total('syscalls_sums', syscall='getppid')['calls'] >= 10000"
}
check "top bounds the rows of a read, and what is left out is one more, so that they add up" bounded_rows

# --- sockets ---

exchange() { # OPTION...
	local client server port refused
	collect sockets "$@" || return
	run "$workloads/exchange" 123457
	read -r _ client _ server _ port _ refused <"$work/out"
	judge "[r['event'] for r in rows('sockets', pid=$client, result=0)] == ['connect', 'close']" \
		"[r['event'] for r in rows('sockets', pid=$server)] == ['accept', 'close']" \
		"rows('sockets', pid=$client, event='connect')[0]['remote_port'] == $port" \
		"rows('sockets', pid=$client, event='connect')[0]['remote'] == '127.0.0.1'" \
		"rows('sockets', pid=$server, event='accept')[0]['local_port'] == $port" \
		"[r['remote_port'] for r in rows('sockets', pid=$client, result=-111)] == [$refused]" \
		"rows('sockets', pid=$client, event='close')[0]['sent'] == 123457" \
		"rows('sockets', pid=$server, event='close')[0]['received'] == 123457" \
		"total('sockets_traffic', pid=$client)['sent'] == 123457 + 300" \
		"total('sockets_traffic', pid=$server)['received'] == 123457 + 300" \
		"total('sockets_traffic', pid=$client)['closes'] == 1 and total('sockets_traffic', pid=$server)['closes'] == 1" \
		"total('sockets_traffic', pid=$client)['connects'] == 2 and total('sockets_traffic', pid=$client)['connect_errors'] == 1" \
		"total('sockets_tcp')['resets_received'] >= 1" "total('sockets_losses').get('lost', 0) == 0"
}
check "sockets: one connect, one accept, bytes, two closes and none of a file" exchange
check "the same through perf rings" exchange --set transport=perf

finish
