# SPDX-License-Identifier: Apache-2.0
# Sourced by scripts/test-bpf-in-vm.sh: an emulated PMU beside emulated CPUs that run as fast as the host lets them.
# Overflow interrupts are real but late, so that rates have a floor only; counts and periods hold.

sampled=sampler/sample_to_perf_ring
cpus=$(nproc)

hardware_fires() {
	profile fires -F 99 -e cycles,cpu-clock -- "$workloads/shares" functions 4 || return
	ask fires "[x['fired'] for x in r['events']] == ['cycles', 'cpu-clock']" "not any(x['reason'] for x in r['events'])" \
		"all(known_function(x) and balanced(x) for x in r['events'])"
}
# The rate is what the host lets through: of three tries one must have it.
half_of_the_rate() {
	for _ in 1 2 3; do
		hardware_fires || return
		ask fires "event('cycles')['samples'] >= 0.5 * 99 * event('cycles')['ledger']['running_ns'] / 1e9" && return
	done
	return 1
}
attempt $sampled "cycles and cpu-clock at 99 Hz together, at least half of the rate" half_of_the_rate

# What remains in a counter at the end is less than a period. Where the host keeps an emulated CPU waiting for longer than
# a period, the kernel drops whole ones: the sum can be short, never long.
periods_add_up() {
	profile periods -e cycles@100000007 -- "$workloads/shares" functions 8 || return
	ask periods "balanced(e)" "e['weight'] == e['samples'] * 100000007" "e['weight'] <= e['ledger']['count'] + 100000007" \
		"e['weight'] + $cpus * 100000007 >= 0.75 * e['ledger']['count']"
}
attempt $sampled "cycles by period: the sum of periods is not above the event's own count" periods_add_up

all_cpus() {
	local busy r
	"$workloads/shares" threads 300 >/dev/null &
	busy=$!
	profile host -F 99 -d 3 -e cycles --attach ioctl --transport bpf
	r=$?
	kill $busy
	wait $busy
	[ $r -eq 0 ] || return
	"$PROFILER" report --by cpu --json "$work/host.seg" >"$work/cpus.json" || return
	ask host "balanced(e)" "e['fired'] == 'cycles'" && ask cpus "len(e['rows']) == $cpus"
}
attempt sampler/sample_to_bpf_ring "cycles on all CPUs, by ioctl into BPF rings" all_cpus
