#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The judge of the virtual machines sees every kind of failure: of a row, a guest, a kernel, a skip, a program. No guest is
# booted; their consoles are written here.
. "$(dirname "$0")/lib.sh"

judge="python3 $PWD/tests/vm/matrix.py judge"
say() { printf '@vm'; printf '\t%s' "$@"; echo; }

# One guest that does all it should, but for what the caller's sed program changes in its console.
guest() { # NAME [SED [KEY VALUE]...]: KEY of the file `guest`
	local dir=$work/results/$1 program=sampler/sample_to_perf_ring edit=${2:-}
	rm -rf "$work/results"
	mkdir -p "$dir"
	{
		echo "arch amd64"
		echo "kernel 5.10"
		echo "release 5.10."
		echo "tests matrix"
		echo "seconds 20"
		echo "exit 0"
	} >"$dir/guest"
	{
		say kernel 5.10.0-1-cloud-amd64 x86_64
		say objects sampler.bpf.o 1234
		say result PASS $program verified 0 '100 instructions'
		say insns $program 100
		say result FAIL unverifiable/reads_through_null verified 0 'Permission denied'
		say log unverifiable/reads_through_null verified "R1 invalid mem access 'map_value_or_null'"
		say log unverifiable/reads_through_null verified 'processed 6 insns'
		say result SKIP $program 'attached by link, triggered' 0 'bpf_link for perf events needs Linux 5.15'
		say result PASS $program 'attached by ioctl, triggered' 1.5 ''
		while read -r name instructions; do
			say result PASS "$name" verified 0 "$instructions"
			say insns "$name" "$instructions"
			say result PASS "$name" 'attached, triggered' 0 ''
		done < <(awk '$2 == "amd64" && $3 == "5.10" && $1 != "sampler/sample_to_perf_ring" { print $1, $4 }' tests/vm/verifier-budget.conf)
		say result PASS - 'the whole way' 2 ''
		say end
	} | sed -e "$edit" >"$dir/console"
	shift 2
	while [ $# -ge 2 ]; do
		sed -i "s|^$1 .*|$1 $2|" "$dir/guest"
		shift 2
	done
}

verdict() {
	$judge "$work/results" --json "$work/out.json" --junit "$work/out.xml" --markdown "$work/out.md" >"$work/out" 2>&1
	code=$?
}

# seen WHAT PATTERN [GUEST'S ARGUMENTS]: it is a failure, told by a line with the pattern, in every form of report.
seen() {
	guest one "${@:3}"
	verdict
	local found=0
	[ $code -eq 1 ] && grep -qE "^FAILED: one: .*$2" "$work/out" && grep -q '"status": "FAIL"' "$work/out.json" &&
		grep -q '<failure' "$work/out.xml" && grep -q '^## Failures' "$work/out.md" || found=1
	[ $found -eq 0 ] || sed 's/^/# /' "$work/out"
	result $found "$1 is a failure"
}

guest one ''
verdict
[ $code -eq 0 ] || sed 's/^/# /' "$work/out"
result $code "a guest that does all it should passes"
result "$(tail -n 1 "$work/out" | grep -qE '^[0-9]+ passed, 0 failed, 1 skipped$'; echo $?)" "and its expected skip is counted as one"
result "$(grep -qE '^all else' "$work/out" && grep -q 'not run' "$work/out"; echo $?)" "kernels that were not run are told as not run"
check "the JSON is valid" python3 -m json.tool "$work/out.json"
check "the JUnit file is valid XML" python3 -c 'import sys, xml.etree.ElementTree as x; x.parse(sys.argv[1])' "$work/out.xml"
check "the Markdown file has the objects' sums" grep -q 'sampler.bpf.o.*1234' "$work/out.md"

seen "a row that failed" 'the whole way' 's/PASS\t-\tthe whole way/FAIL\t-\tthe whole way/'
seen "an unverifiable program that is accepted" 'unverifiable program is seen' '/log\tunver/d; s/FAIL\tunver/PASS\tunver/'
seen "an unverifiable program that nobody tried" 'unverifiable program is seen' '/unver/d'
seen "an unverifiable program refused without the verifier's words" 'unverifiable program is seen' '/log\tunver/d'
seen "a program that a verifier refuses" 'sample_to_perf_ring: verified' 's/PASS\tsampler.sample_to_perf_ring\tverified/FAIL\tsampler\/sample_to_perf_ring\tverified/'
seen "a program that nothing triggers" 'is triggered' '/triggered/d'
seen "a skip that is not expected" 'does not expect it' 's/needs Linux 5.15/is out today/'
seen "a skip on another kernel" 'does not expect it' '' kernel 6.1 release 5.10.
seen "a panic" 'panicked' 's/^@vm\tend/[ 3.1] Kernel panic - not syncing: Attempted to kill init!/'
seen "a guest that hangs" 'hung after' '/^@vm\tend/d' exit 124
seen "a guest that stops early" "stopped after .the whole way" '/^@vm\tend/d'
seen "a guest that says nothing" "stopped after .nothing" 'd'
seen "another kernel than the one given" 'was given, 5.10' '' release 6.12.
seen "a broken line" 'a broken line' 's/^@vm\tinsns\tsampler.*/@vm\tinsns/'

program=$(awk '$1 !~ /^#/ && $2 == "amd64" && $3 == "5.10" { print $1; exit }' tests/vm/verifier-budget.conf)
if [ -n "$program" ]; then
	seen "a program for which the verifier works much harder" 'verifier budget' "s|^\(@vm\tinsns\t$program\)\t.*|\1\t999999|"
fi

guest one ''
cp -r "$work/results/one" "$work/results/two"
sed -i 's/1234/5678/' "$work/results/two/console"
verdict
result "$([ $code -eq 1 ] && grep -q 'sampler.bpf.o differs' "$work/out"; echo $?)" "guests that were given different objects are a failure"

for wrong in '--kernel 9.9' '--arch sparc' '--guest nobody' '--timeout soon' '--nonsense' '--kernel'; do
	# shellcheck disable=SC2086
	scripts/run-vm-tests.sh --no-build $wrong >"$work/out" 2>&1
	code=$?
	result "$([ $code -eq 2 ] && [ "$(wc -l <"$work/out")" -eq 1 ]; echo $?)" "run-vm-tests.sh $wrong: one sentence, exit code 2 (got $code)"
done
scripts/run-vm-tests.sh --no-build --kernel-image "$work/absent" >"$work/out" 2>&1
result "$([ $? -eq 2 ] && grep -q 'cannot be read' "$work/out"; echo $?)" "run-vm-tests.sh with an image that is not there: one sentence, exit code 2"

finish
