# SPDX-License-Identifier: Apache-2.0
# Sourced by scripts/test-bpf-in-vm.sh: two functions that only the TLB can tell apart, on an emulated PMU that has it.

# Misses are exact, but the emulated PMU counts the host's cycles as instructions: they are known from the workload.
tlb_misses() {
	local loads=3000000
	profile tlb -e cycles@99Hz,dTLB-load-misses@1009 -- "$workloads/tlb" $loads || return
	ask tlb "[x['fired'] for x in r['events']] == ['cycles', 'dTLB-load-misses']" "all(balanced(x) for x in r['events'])" \
		"abs(weight('dTLB-load-misses', 'walk_many_pages') / $loads - 1) <= 0.03" \
		"weight('dTLB-load-misses', 'stay_in_one_page') <= 0.005 * $loads"
}
attempt sampler/sample_to_perf_ring "many pages and one page are told apart by dTLB misses" tlb_misses
