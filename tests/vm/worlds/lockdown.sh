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
attempt - "check names lockdown as what is in the way" check_names_it

record_names_it() {
	local code
	"$PROFILER" record -d 1 -o $work/locked.seg >$work/locked.out 2>&1
	code=$?
	cat $work/locked.out
	[ $code -ne 0 ] && [ $code -lt 126 ] && grep -qi lockdown $work/locked.out && [ ! -e $work/locked.seg ]
}
attempt - "record fails with a sentence that names it, and leaves no file" record_names_it

collectors_go_on() { "$PROFILER" collect cpu memory load -I 200 -n 2 --json | grep -q '"collector":"memory"'; }
attempt - "collectors that need neither work" collectors_go_on
