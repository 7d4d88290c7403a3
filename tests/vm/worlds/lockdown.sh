# SPDX-License-Identifier: Apache-2.0
# Sourced by scripts/test-bpf-in-vm.sh: lockdown=confidentiality. There is no way back: it is the last test of its guest.

echo confidentiality >/sys/kernel/security/lockdown

check_names_it() {
	local code
	"$PROFILER" check >$work/lockdown.txt
	code=$?
	cat $work/lockdown.txt
	[ $code -ne 0 ] && sed -n '/^Verdict/,$p' $work/lockdown.txt | grep -qi lockdown
}
attempt - "check says what lockdown takes away" check_names_it

sampling_goes_on() {
	profile locked -F 199 -- "$workloads/shares" functions 2 && ask locked "known_function(e)" "balanced(e)"
}
attempt sampler/sample_to_perf_ring "lockdown forbids to read the kernel's memory, not to sample" sampling_goes_on

collectors_go_on() { "$PROFILER" collect cpu memory load -I 200 -n 2 --json | grep -q '"collector":"memory"'; }
attempt - "collectors that need neither work" collectors_go_on
