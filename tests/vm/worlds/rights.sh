# SPDX-License-Identifier: Apache-2.0
# Sourced by scripts/test-bpf-in-vm.sh: an ordinary user with some capabilities, on Debian's kernel, whose
# kernel.perf_event_paranoid = 3 refuses CAP_PERFMON, as mainline kernels never do.

rights=/tmp/rights
mkdir -p $rights
chmod 777 $rights $work

# as_user CAPABILITIES COMMAND...: uid 65534 with exactly these, separated by commas
as_user() {
	local caps=-all c
	for c in ${1//,/ }; do caps+=,+$c; done
	shift
	setpriv --reuid 65534 --regid 65534 --clear-groups --bounding-set "$caps" --inh-caps "$caps" --ambient-caps "$caps" "$@"
}
level() { cat /proc/sys/kernel/perf_event_paranoid; }

refused_at_three() {
	local code
	as_user bpf,perfmon "$PROFILER" record -d 1 -o $rights/refused.seg >"$work/refused.out" 2>&1
	code=$?
	cat "$work/refused.out"
	[ "$(level)" = 3 ] && [ $code -eq 4 ] && grep -q 'perf_event_paranoid' "$work/refused.out" && [ ! -e $rights/refused.seg ]
}
attempt - "perf_event_paranoid 3: CAP_PERFMON alone is refused, and the level is named" refused_at_three

root_at_three() {
	profile root3 -F 199 -- "$workloads/shares" functions 1 && ask root3 "known_function(e)"
}
attempt sampler/sample_to_perf_ring "perf_event_paranoid 3: root samples" root_at_three

sysctl_file_helps() {
	sysctl -q -p "$O/../systemd/ebpf-profiler.sysctl" || return
	echo "the level is $(level)"
	[ "$(level)" = 2 ]
}
attempt - "the sysctl file lowers it to 2" sysctl_file_helps

# samples CAPABILITIES EXPRESSION...
samples_with() {
	local caps=$1
	shift
	rm -f $rights/user.seg
	as_user "$caps" "$PROFILER" record -F 199 -o $rights/user.seg -- "$workloads/shares" functions 1 >"$work/user.out" 2>&1 || {
		cat "$work/user.out"
		return 1
	}
	"$PROFILER" report --json --limit 0 $rights/user.seg >"$work/user.json" && ask user "known_function(e)" "balanced(e)" "$@"
}
attempt sampler/sample_to_perf_ring "an ordinary user with CAP_BPF and CAP_PERFMON samples" samples_with bpf,perfmon

# What `check` calls missing or lost, with each further capability: never more than before, in the end nothing.
lost_with() {
	as_user "$1" "$PROFILER" check --json >"$work/rights.json"
	python3 -c 'import json, sys
d = json.load(open(sys.argv[1]))
print(sum("CAP_" in l["what"] and " is missing" in l["what"] for l in d["lost"]))' "$work/rights.json"
}
capabilities=bpf,perfmon
before=$(lost_with $capabilities)
for c in sys_ptrace dac_read_search syslog; do
	capabilities+=,$c
	names_one_less() {
		local now
		now=$(lost_with $capabilities)
		echo "missing before: $before, now: $now"
		grep -o '"what": "[^"]*' "$work/rights.json"
		! grep -q "CAP_${c^^} is missing" "$work/rights.json" && [ "$now" -eq $((before - 1)) ] && before=$now
	}
	attempt - "with CAP_${c^^} too, check names one loss less" names_one_less
	attempt sampler/sample_to_perf_ring "and sampling goes on with CAP_${c^^}" samples_with $capabilities
done
nothing_is_missing() {
	as_user $capabilities "$PROFILER" check >"$work/rights.txt"
	! grep -v '(option)' "$work/rights.txt" | grep ' is missing'
}
attempt - "with the five, no capability is missing" nothing_is_missing
kernel_names() { samples_with $capabilities "functions_have_names(e)"; }
attempt sampler/sample_to_perf_ring "with the five, kernel functions have their names" kernel_names

for c in bpf perfmon; do
	without_one() {
		local code
		as_user "$([ $c = bpf ] && echo perfmon || echo bpf)" "$PROFILER" record -d 1 -o $rights/none.seg >"$work/none.out" 2>&1
		code=$?
		cat "$work/none.out"
		[ $code -eq 4 ] && grep -q "CAP_${c^^} is missing" "$work/none.out" && [ ! -e $rights/none.seg ]
	}
	attempt - "without CAP_${c^^}: exit code 4, it is named, no file is left" without_one
done
