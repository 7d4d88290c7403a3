# SPDX-License-Identifier: Apache-2.0
# Sourced by scripts/test-bpf-in-vm.sh: a machine whose PMU is switched off says what fires instead of cycles.

falls_back() {
	profile off -F 99 -e cycles -- "$workloads/shares" functions 2 || return
	grep -q 'cpu-clock fires instead of cycles' "$work/off.err" || return
	ask off "e['requested'] == 'cycles' and e['fired'] == 'cpu-clock' and e['reason']" "known_function(e)" "balanced(e)"
}
attempt sampler/sample_to_perf_ring "cycles gives way to cpu-clock, and the file says so" falls_back

refuses() {
	"$PROFILER" record -d 1 -e instructions -o "$work/refused.seg" 2>"$work/refused.err"
	[ $? -eq 69 ] && cat "$work/refused.err" && grep -q 'cannot sample' "$work/refused.err" && [ ! -e "$work/refused.seg" ]
}
attempt - "instructions cannot be sampled: exit code 69 and a sentence" refuses

check_names_it() {
	"$PROFILER" check >"$work/check.txt"
	[ $? -eq 3 ] && cat "$work/check.txt" && grep -q 'No sampling of hardware cycles' "$work/check.txt"
}
attempt - "check says what is lost" check_names_it
