#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The judge of the virtual machines sees every kind of failure: of a row, a guest, a kernel, a skip, a program. No guest is
# booted; their consoles are written here.
. "$(dirname "$0")/lib.sh"

judge="python3 $PWD/tests/vm/matrix.py judge"
say() { printf '@vm'; printf '\t%s' "$@"; echo; }

# One guest that does all it should, but for what the caller's sed program changes in its console. $of is a kernel of the
# verifier's budget, $release what the guest says that it runs; 5.10 without them.
guest() { # NAME [SED [KEY VALUE]...]: KEY of the file `guest`
	local dir=$work/results/$1 program=sampler/sample_to_perf_ring edit=${2:-}
	rm -rf "$work/results"
	mkdir -p "$dir"
	{
		echo "arch amd64"
		echo "kernel 5.10"
		echo "release 5.10."
		echo "tests sampler,collectors"
		echo "jobs 3"
		echo "seconds 20"
		echo "exit 0"
	} >"$dir/guest"
	{
		say kernel "${release:-5.10.0-1-cloud-amd64}" x86_64
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
		done < <(awk -v kernel="${of:-5.10}" '$2 == "amd64" && $3 == kernel && $1 != "sampler/sample_to_perf_ring" { print $1, $5 }' tests/vm/verifier-budget.conf)
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
check "the time of a guest is told against the bar" grep -q '^1 of 1 guests .* within 60 s, 3 at a time$' "$work/out"
guest one '' seconds 75
verdict
check "a longer one is named, and is no failure" sh -c "[ $code -eq 0 ] && grep -q '^0 of 1 guests .*; one took 75 s$' '$work/out'"
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
seen "a guest whose end nobody saw" 'nothing tells how the guest ended' '' exit ''
seen "a broken line" 'a broken line' 's/^@vm\tinsns\tsampler.*/@vm\tinsns/'

program=$(awk '$1 !~ /^#/ && $2 == "amd64" && $3 == "5.10" { print $1; exit }' tests/vm/verifier-budget.conf)
if [ -n "$program" ]; then
	seen "a program for which the verifier works much harder" 'verifier budget' "s|^\(@vm\tinsns\t$program\)\t.*|\1\t999999|"
fi

# The newest kernel of a suite is another one tomorrow.
newest=$(awk '$2 == "amd64" && $3 == "sid" { print $4; exit }' tests/vm/verifier-budget.conf)
of=sid
without_link='/attached by link/d'
jump="$without_link; s|^\(@vm\tinsns\t$program\)\t.*|\1\t999999|"
release=$newest.99-cloud-amd64
seen "a jump on the kernel of the record" 'verifier budget' "$jump" kernel sid release -
release=99.1-cloud-amd64
guest one "$jump" kernel sid release -
verdict
check "on a newer one it is a skip that says so" \
	sh -c "[ $code -eq 0 ] && grep -q 'skipped: one: $program: verifier budget: recorded on Linux $newest, this is 99.1: 999999' '$work/out'"
guest one "$without_link" kernel sid release -
verdict
check "a newer one without a jump passes" sh -c "[ $code -eq 0 ] && tail -n 1 '$work/out' | grep -q ' 0 failed, 0 skipped'"
seen "a program that a newer one refuses" 'verified' "$without_link; s|PASS\t$program\tverified|FAIL\t$program\tverified|" kernel sid release -
of='' release=''

# A kernel from elsewhere: without the modules of the lab, with a verifier of its own.
image="s|^\(@vm\tinsns\t$program\)\t.*|\1\t999999|
s|PASS\t\(block_io/[a-z]*\)\tattached.*|SKIP\t\1\tas it is: attached, triggered\t0\tthere is no block device|"
release=5.4.0-elsewhere
guest one "$image" kernel image release ''
verdict
[ $code -eq 0 ] || sed 's/^/# /' "$work/out"
check "an image that lacks what its kernel, or its modules, cannot have passes" [ $code -eq 0 ]
check "and has a column of its own" grep -qE '^program .* amd64 5\.4( |$)' "$work/out"
seen "a skip of an image for another reason" 'does not expect it' 's/needs Linux 5.15/is out today/' kernel image release ''
release=''

guest one ''
cp -r "$work/results/one" "$work/results/two"
sed -i 's/1234/5678/' "$work/results/two/console"
verdict
result "$([ $code -eq 1 ] && grep -q 'sampler.bpf.o differs' "$work/out"; echo $?)" "guests that were given different objects are a failure"

head -c 32 /dev/zero >"$work/junk"
for wrong in '--kernel 9.9' '--arch sparc' '--guest nobody' '--timeout soon' '--nonsense' '--kernel' "--kernel-image $work/absent" \
	"--kernel-image $work/junk" "--kernel-image $work/junk --arch arm64" "--kernel-image $work/junk --kernel 6.1"; do
	# shellcheck disable=SC2086
	scripts/run-vm-tests.sh --no-build $wrong >"$work/out" 2>&1
	code=$?
	result "$([ $code -eq 2 ] && [ "$(wc -l <"$work/out")" -eq 1 ]; echo $?)" "run-vm-tests.sh ${wrong//$work\//}: one sentence, exit code 2 (got $code)"
done

# The runner, with a machine that says $answer, or then hangs, and no other machine.
mkdir -p "$work/bin" "$work/lab/vm/kernels/amd64/5.10" "$work/lab/vm/kernels/riscv64/6.12" "$work/lab/vm/roots"
ln -s /usr/bin/* "$work/bin/"
rm -f "$work"/bin/qemu-system-*
touch "$work"/lab/vm/kernels/{amd64/5.10,riscv64/6.12}/vmlinuz "$work"/lab/vm/roots/{amd64,riscv64}.cpio
cat >"$work/bin/qemu-system-x86_64" <<-SH
	#!/bin/sh
	echo \$\$ "\$@" >"$work/machine"
	cat "$work/answer"
	[ ! -e "$work/flood" ] || yes
	[ ! -e "$work/hang" ] || exec sleep 300
SH
chmod +x "$work/bin/qemu-system-x86_64"
guest one ''
cp "$work/results/one/console" "$work/answer"

runner() { O=$work/lab PATH=$work/bin scripts/run-vm-tests.sh --no-build "$@" >"$work/out" 2>&1; }
tells() { # CODE PATTERN OPTION...: exactly one line has the pattern
	runner "${@:3}"
	local code=$?
	cat "$work/out"
	[ $code -eq "$1" ] && [ "$(grep -cE -e "$2" "$work/out")" -eq 1 ]
}
check "a run whose guest passes ends with 0" tells 0 ' passed, 0 failed, 1 skipped$' --guest amd64-5.10
check "without QEMU for one: a sentence, the others run, exit code 3" \
	tells 3 'qemu-system-riscv64 is not installed .*; not run: riscv64-6.12' --guest amd64-5.10 --guest riscv64-6.12
check "and they are told" grep -q ' passed, 0 failed, 1 skipped$' "$work/out"
check "without a kernel: the same" tells 3 'the kernel amd64 6.1 is not there; not run: amd64-6.1 $' --guest amd64-5.10 --guest amd64-6.1
check "and they are told" grep -q ' passed, 0 failed, 1 skipped$' "$work/out"

# A lab on a disk that a guest fills.
disk_fills() {
	touch "$work/flood"
	unshare -m bash -c 'cp -a "$1/lab/vm" "$1/small" && mount -t tmpfs -o size=512k none "$1/lab/vm" && cp -a "$1"/small/. "$1/lab/vm" &&
		{ O=$1/lab PATH=$1/bin scripts/run-vm-tests.sh --no-build --guest amd64-5.10 --again --json "$1/lab/vm/report.json" >"$1/out" 2>&1
		code=$?
		cp "$1/lab/vm/results/amd64-5.10/console" "$1/kept"
		exit $code; }' - "$work"
	local code=$?
	rm "$work/flood"
	cat "$work/out"
	[ $code -eq 3 ] && [ "$(grep -c '^run-vm-tests: no space is left below ' "$work/out")" -eq 1 ] && ! grep -q Traceback "$work/out"
}
if unshare -m true 2>/dev/null; then
	check "a disk that fills during a run: one sentence, exit code 3" disk_fills
	check "what the guests said until then is told" grep -qE '^FAILED: amd64-5.10: runs to the end: ' "$work/out"
	check "and kept" grep -q "the whole way" "$work/kept"
else
	skip "a disk that fills during a run" "no mount namespace"
fi

{ head -c 514 /dev/zero && echo HdrS; } >"$work/bzImage"
sed -i 's/5\.10\.0-1-cloud/5.4.0-cloud/' "$work/answer"
check "a kernel image runs sampler and collectors" tells 0 '^image-collectors .*5\.4\.0-cloud' --kernel-image "$work/bzImage"
check "and is what the machine was given" grep -q -- "-kernel $work/bzImage " "$work/machine"

touch "$work/hang"
sed -i '/^@vm\tend/d' "$work/answer"
check "a guest that never answers is stopped, and is a failure" \
	tells 1 "^FAILED: amd64-5.10: runs to the end: the guest hung after .* and was stopped after" --guest amd64-5.10 --timeout 1
check "what it said is kept" grep -q "the whole way" "$work/lab/vm/results/amd64-5.10/console"

rm -r "$work/machine" "$work/lab/vm/results"
O=$work/lab PATH=$work/bin background scripts/run-vm-tests.sh --no-build --guest amd64-5.10 >"$work/out" 2>&1
until_true 30 grep -q "the whole way" "$work/lab/vm/results/amd64-5.10/console"
kill -TERM $!
wait $!
code=$?
check "a run that is interrupted tells what it has, exit code 143" \
	sh -c "[ $code -eq 143 ] && grep -q 'nothing tells how the guest ended' '$work/out' && tail -n 1 '$work/out' | grep -q ' passed, '"
read -r machine _ <"$work/machine"
check "and leaves no guest" sh -c "! kill -0 ${machine:-1}"

finish
