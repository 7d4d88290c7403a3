# SPDX-License-Identifier: Apache-2.0
# Sourced by scripts/test-bpf-in-vm.sh: 2 sockets, 4 NUMA nodes, 32 CPUs, of which every other one goes offline.

for cpu in $(seq 1 2 31); do echo 0 >/sys/devices/system/cpu/cpu$cpu/online; done

topology() {
	lscpu | grep -E '^(Socket|NUMA|CPU\(s\)|On-line)'
	[ "$(nproc)" = 16 ] && [ "$(ls -d /sys/devices/system/node/node[0-9]* | wc -l)" -eq 4 ] &&
		[ "$(lscpu | sed -n 's/^Socket(s): *//p')" = 2 ]
}
attempt - "the guest is what it should be" topology

# Resident set + (ring size + 128 KiB) x online CPUs is the documented formula. What the kernel gave is told by the pages
# that the process has mapped of perf events.
mapped_rings() { # PID
	python3 -SE - "/proc/$1/maps" <<-'PY'
		import re, sys
		lines = [re.match("([0-9a-f]+)-([0-9a-f]+) .*\\[perf_event\\]", line) for line in open(sys.argv[1])]
		print(sum(int(m[2], 16) - int(m[1], 16) for m in lines if m))
	PY
}

memory_formula() {
	local recording rings expected
	echo 1 >/proc/sys/kernel/bpf_stats_enabled
	"$PROFILER" record -F 19 -d 300 --ring-size 256K -o $work/many.seg 2>$work/many.err &
	recording=$!
	# It samples when all rings are mapped.
	until "$O/vm-programs/program_runs" $recording | grep -q '_to_.*ring [1-9]'; do
		kill -0 $recording || { cat $work/many.err; return 1; }
		sleep 0.2
	done
	echo 0 >/proc/sys/kernel/bpf_stats_enabled
	rings=$(mapped_rings $recording)
	kill -INT $recording
	wait $recording || { cat $work/many.err; return 1; }
	expected=$(((256 + 128) * 1024 * 16))
	echo "mapped rings $rings bytes, formula $expected"
	# Each ring has a page of its own for the kernel's pointers.
	[ "$rings" -ge $expected ] && [ "$rings" -le $((expected + 2 * 4096 * 16)) ]
}
attempt - "memory of the rings is (ring size + 128 KiB) x online CPUs" memory_formula

samples_all() {
	profile all -F 19 -- "$workloads/shares" threads 2 || return
	ask all "balanced(e)" "e['samples'] > 10" "r['host']['cpus'] == 16" "r['host']['numa_nodes'] == 4"
}
attempt sampler/sample_to_perf_ring "a command on 16 of 32 CPUs" samples_all
attempt - "the collector of NUMA nodes sees four" eval '"$PROFILER" collect numa_stats -n 2 -I 200 --json >$work/numa.json; cat $work/numa.json; grep -q "\"node\":3" $work/numa.json'
