# SPDX-License-Identifier: Apache-2.0
# Sourced by scripts/test-bpf-in-vm.sh: an emulated PMU whose machine counts its own time in instructions (-icount), so
# that rates, counts and ratios are exact: every instruction takes the same time, two cycles.

sampled=sample_to_perf_ring

at_rate() { # EVENT
	profile rate -e "$1@99Hz" -- "$workloads/shares" functions 4 || return
	ask rate "e['fired'] == '$1'" "balanced(e)" "abs(e['samples'] / (99 * e['ledger']['running_ns'] / 1e9) - 1) <= 0.03"
}
attempt $sampled "cycles at 99 Hz: rate x time within 3 %" at_rate cycles
attempt $sampled "instructions at 99 Hz: rate x time within 3 %" at_rate instructions

by_period() { # EVENT TRANSPORT ATTACH
	profile period -e "$1@1000003" --transport "$2" --attach "$3" -- "$workloads/shares" functions 1 || return
	ask period "e['fired'] == '$1'" "balanced(e)" "e['weight'] == e['samples'] * 1000003" \
		"abs(e['samples'] / (e['ledger']['count'] / 1000003) - 1) <= 0.03" \
		"abs(e['ledger']['count'] - e['weight']) <= 1000003 + 0.002 * e['ledger']['count']"
}
attempt $sampled "cycles by period: count / period samples, and the periods add up to the count" by_period cycles perf link
attempt sample_to_bpf_ring "cycles by period, into BPF rings by ioctl" by_period cycles bpf ioctl
attempt $sampled "instructions by period: count / period samples, and the periods add up" by_period instructions perf ioctl

together() {
	profile together -e cycles@99Hz,instructions@99Hz,cpu-clock@99Hz,page-faults@1 -- "$workloads/shares" functions 3 || return
	ask together "[x['fired'] for x in r['events']] == ['cycles', 'instructions', 'cpu-clock', 'page-faults']" \
		"all(balanced(x) for x in r['events'])" "seventy_twenty_ten(event('cycles'))" \
		"seventy_twenty_ten(event('instructions'))" \
		"event('page-faults')['weight'] == event('page-faults')['ledger']['count']" \
		"abs(event('instructions')['ledger']['count'] / event('cycles')['ledger']['count'] - 0.5) <= 0.005"
}
attempt $sampled "hardware and software events together; 0.500 instructions a cycle within 1 %" together

known_count() {
	local known
	profile known -e instructions@100003 -- "$workloads/instructions" 200000000 || return
	known=$(cat "$work/known.out")
	ask known "abs(rows(e)['known_instructions']['self_weight'] / $known - 1) <= 0.02" "balanced(e)"
}
attempt $sampled "an instruction count known by construction, within 2 % in its function" known_count
