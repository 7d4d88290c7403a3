# SPDX-License-Identifier: Apache-2.0
# Sourced by scripts/test-bpf-in-vm.sh: two functions that only the TLB can tell apart, on an emulated PMU that has it.

tlb_misses() {
	profile tlb -e instructions@100003,dTLB-load-misses@1009 -- "$workloads/tlb" 3000000 || return
	ask tlb "all(balanced(x) for x in r['events'])" \
		"1000 * weight('dTLB-load-misses', 'walk_many_pages') / weight('instructions', 'walk_many_pages') >= 30" \
		"1000 * weight('dTLB-load-misses', 'stay_in_one_page') / weight('instructions', 'stay_in_one_page') <= 0.3" \
		"abs(weight('dTLB-load-misses', 'walk_many_pages') / 3000000 - 1) <= 0.03"
}
attempt sample_to_perf_ring "many pages and one page are told apart by dTLB misses" tlb_misses
