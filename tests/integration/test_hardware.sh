#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# scripts/run-hardware-tests.sh is honest whatever happens, and what it tests without a PMU holds here.
. "$(dirname "$0")/lib.sh"
runner=$PWD/scripts/run-hardware-tests.sh
host_tests=$PWD/tests/hardware

# expect CODE PATTERN COMMAND...: exit code, and a sentence in what it prints
expect() {
	local want=$1 pattern=$2 code
	shift 2
	"$@" >"$work/expect.out" 2>&1
	code=$?
	cat "$work/expect.out"
	echo "exit code $code, expected $want"
	[ $code -eq "$want" ] && grep -qE -- "$pattern" "$work/expect.out"
}

# --- what people type ---

check "--help" expect 0 'Exit codes: 0 PASS' "$runner" --help
check "--list names each test with its claim" expect 0 '10-generic-events +Each generic and cache event' "$runner" --list
check "an unknown option" expect 2 "unknown argument '--nonsense'" "$runner" --nonsense
check "an option without its value" expect 2 'needs a value' "$runner" --only
check "an unknown test names those there are" expect 2 "no test 'nonsense', there are: 01-machine " "$runner" --only nonsense
check "no test is left" expect 2 'no test is left' "$runner" --only 10 --skip generic-events
check "a wrong duration" expect 2 "'soon' is no duration" "$runner" --duration soon
check "a build that is not there" expect 2 'no directory' "$runner" --build /does/not/exist
check "an output directory with something in it" expect 2 'do not mix' "$runner" --build "$O" --output "$work"
check "numbers, names and both mean the same test" [ "$("$runner" --list --only=41,rates,10-generic-events | wc -l)" = 3 ]
documented() {
	local t missing=0
	for t in "$host_tests"/[0-9][0-9]-*.sh; do
		t=$(basename "$t" .sh)
		grep -q "^| $t |" docs/hardware-testing.md || { echo "$t is not in docs/hardware-testing.md" && missing=1; }
		[ -n "$(sed -n '3s/^# //p' "$host_tests/$t.sh")" ] || { echo "$t claims nothing" && missing=1; }
	done
	return $missing
}
check "every test claims something and is documented" documented
if [ "$(id -u)" -ne 0 ]; then
	check "without root it says so" expect 4 'need root' "$runner" --build "$O" --output "$work/results"
	skip "the rest" "needs root"
	finish
fi

# --- settings come back, whatever happens ---

# A host of its own: sysctls that are ordinary files, in a mount namespace. fake COMMAND...
cat >"$work/fake.sh" <<-'END'
	directory=$1
	shift
	mount --bind "$directory/paranoid" /proc/sys/kernel/perf_event_paranoid
	mount --bind "$directory/watchdog" /proc/sys/kernel/nmi_watchdog
	exec "$@"
END
echo 3 >"$work/paranoid"
echo 1 >"$work/watchdog"
fake() {
	exec unshare -m bash "$work/fake.sh" "$work" "$@"
}
restored() {
	grep . "$work/paranoid" "$work/watchdog"
	[ "$(cat "$work/paranoid")" = 3 ] && [ "$(cat "$work/watchdog")" = 1 ]
}
if ! (fake true) 2>"$work/fake.err"; then
	skip "settings come back" "no mount namespace: $(head -n 1 "$work/fake.err")"
	finish
fi

# await COMMAND...: half a minute
await() {
	local _
	for _ in $(seq 300); do
		"$@" >/dev/null 2>&1 && return
		sleep 0.1
	done
	"$@"
}

# A test of our own; its output is what the arguments are. own NAME LINE...
own() {
	mkdir -p "$work/tests"
	{
		printf '#!/bin/sh\n# SPDX\n# The claim of %s.\n' "$1"
		printf '%s\n' "${@:2}"
	} >"$work/tests/$1.sh"
}
# A PMU decides between PASS and SKIP.
success=77
! "$PROFILER" check --json | grep -A 2 '"sampling_cycles"' | grep -q '"available": true' || success=0

run=0
# with_own_tests WANTED-CODE: a run of what own() made, in $results
with_own_tests() {
	run=$((run + 1))
	results=$work/results-$run
	(HARDWARE_TESTS=$work/tests fake "$runner" --build "$O" --output "$results") >"$work/run.out" 2>&1
	local code=$?
	cat "$work/run.out"
	rm -rf "$work/tests"
	echo "exit code $code, expected $1"
	[ $code -eq "$1" ]
}
complete() {
	for f in test-report.md hardware-tests.log junit.xml machine.md settings.before; do
		[ -s "$results/$f" ] || { echo "$f is missing" && return 1; }
		tar -tzf "$results.tar.gz" | grep -q "/$f\$" || { echo "$f is not in the tarball" && return 1; }
	done
	python3 -c 'import sys, xml.dom.minidom; xml.dom.minidom.parse(sys.argv[1])' "$results/junit.xml"
}
says() {
	grep -E -- "$1" "$results/test-report.md" || { cat "$results/test-report.md" && return 1; }
}
# suite TEST ATTRIBUTE: of junit.xml
suite() {
	python3 -c '
import sys, xml.dom.minidom
for s in xml.dom.minidom.parse(sys.argv[1]).getElementsByTagName("testsuite"):
    if s.getAttribute("name") == sys.argv[2]: print(s.getAttribute(sys.argv[3]))' "$results/junit.xml" "$1" "$2"
}

check "a dry run" expect 0 'perf_event_paranoid from 3 to 2, and back' bash -c \
	"exec unshare -m bash '$work/fake.sh' '$work' '$runner' --dry-run --output '$work/dry'"
check "a dry run changes nothing and writes nothing" eval 'restored && [ ! -e "$work/dry" ] && [ ! -e "$work/dry.tar.gz" ]'

own 10-good 'cat /proc/sys/kernel/perf_event_paranoid /proc/sys/kernel/nmi_watchdog' 'echo "ok 1 - it holds"' 'echo 1..1'
check "tests that pass: PASS with a PMU, SKIP without one" with_own_tests $success
check "the settings were made" eval '[ "$(head -n 2 "$results/tap/10-good.tap" | paste -s -d " " -)" = "2 0" ]'
check "and are as before" restored
check "report, log, JUnit, facts, tarball" complete
if [ $success -eq 77 ]; then check "the report says SKIP" says '^\*\*SKIP: no hardware PMU'; else check "the report says PASS" says '^\*\*PASS'; fi

own 10-good 'echo "ok 1 - it holds"' 'echo 1..1'
own 11-bad 'echo "# because"' 'echo "not ok 1 - this does not hold"' 'echo "ok 2 - this does"' 'echo 1..2' 'exit 1'
own 12-after 'echo "ok 1 - still run"' 'echo 1..1'
check "one failure fails the run, and the others still run" with_own_tests 1
check "the report says FAIL" says '^\*\*FAIL: 1 claims do not hold'
check "with claim and reason" says '11-bad: this does not hold \(because\)'
check "and what came after it" says '\| 12-after \| PASS \|'
check "in JUnit, too" [ "$(suite 11-bad failures)/$(suite 11-bad tests)" = 1/2 ]
check "all of it is there" complete

own 10-silent 'exit 0'
own 11-crash 'echo "ok 1 - so far"' 'kill -SEGV $$'
own 12-short 'echo "ok 1 - one of two"' 'echo 1..2'
own 13-code 'echo "ok 1 - good"' 'echo 1..1' 'exit 3'
own 14-odd 'printf "not ok 1 - a|b <c> & \"d\" \001\377 \`e\`\n"' 'echo 1..1'
check "tests that fail without saying so fail" with_own_tests 1
for t in 10-silent 11-crash 12-short 13-code 14-odd; do check "$t" says "\| $t \| \*\*FAIL\*\* \|"; done
check "odd names do not break report or JUnit" complete
check "settings are as before" restored

own 10-skip 'echo "ok 1 - nothing to see # SKIP no such hardware"' 'echo 1..1'
check "only skips: SKIP, never PASS" with_own_tests 77
check "with the reason" says '10-skip: nothing to see \(no such hardware\)'

# --- interrupted ---

# interrupted SIGNAL WANTED-CODE: while a test runs that would run for ever
interrupted() {
	local pid code
	run=$((run + 1))
	results=$work/results-$run
	own 10-good 'echo "ok 1 - it holds"' 'echo 1..1'
	own 11-long "sleep 1000 & echo \$! >$work/child; echo \"ok 1 - begun\"; touch $work/begun; wait"
	own 12-never 'echo "ok 1 - never"' 'echo 1..1'
	rm -f "$work/begun"
	(HARDWARE_TESTS=$work/tests fake "$runner" --build "$O" --output "$results") >"$work/run.out" 2>&1 &
	pid=$!
	await test -e "$work/begun" || return 1
	grep . "$work/paranoid" "$work/watchdog"
	[ "$(cat "$work/watchdog")" = 0 ] || return 1
	kill "-$1" $pid
	wait $pid
	code=$?
	rm -rf "$work/tests"
	cat "$work/run.out"
	echo "exit code $code, expected $2"
	[ $code -eq "$2" ]
}
child_is_gone() {
	! kill -0 "$(cat "$work/child")" 2>/dev/null
}
# A shell's background commands ignore SIGINT; as the runner is one here, it is told by TERM and HUP.
for signal in TERM:143 HUP:129; do
	check "${signal%:*} while a test runs" interrupted ${signal%:*} ${signal#*:}
	check "${signal%:*}: settings are as before" restored
	check "${signal%:*}: report, log, JUnit, facts, tarball" complete
	check "${signal%:*}: the report says it was interrupted" says "^\*\*INTERRUPTED: ended by signal $((${signal#*:} - 128))"
	check "${signal%:*}: and what did not run" says '\| 12-never \| not run \|'
	check "${signal%:*}: nothing of the test runs on" child_is_gone
done

# From a terminal of its own an interrupt key does the same.
by_key() {
	run=$((run + 1))
	results=$work/results-$run
	own 11-long "echo \"ok 1 - begun\"; touch $work/begun; sleep 1000"
	rm -f "$work/begun"
	HARDWARE_TESTS=$work/tests python3 - "$work" "$runner" "$O" "$results" <<-'END'
		import os, pty, sys, time
		work, runner, build, results = sys.argv[1:]
		pid, terminal = pty.fork()
		if pid == 0:
		    os.execvp("unshare", ["unshare", "-m", "bash", work + "/fake.sh", work, runner, "--build", build, "--output", results])
		while not os.path.exists(work + "/begun"):
		    time.sleep(0.1)
		os.write(terminal, b"\x03")
		while True:
		    try:
		        if not os.read(terminal, 4096): break
		    except OSError:
		        break
		sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) & 255)
	END
	local code=$?
	rm -rf "$work/tests"
	echo "exit code $code, expected 130"
	[ $code -eq 130 ]
}
check "the interrupt key while a test runs" by_key
check "the interrupt key: settings are as before" restored
check "the interrupt key: report, log, JUnit, facts, tarball" complete

check "kill -9 while a test runs" interrupted KILL 137
check "kill -9: settings are as before all the same" await restored
check "kill -9: nothing of the test runs on" await child_is_gone

# --- what can be proven without a PMU ---

count() {
	"$O/hardware/count" -o "$work/counts" "$@"
}
for how in "" -g -a "-a -g"; do
	rm -f "$work/counts"
	check "count $how: page faults of a known number, and time" eval \
		"count $how page-faults,task-clock -- '$O/workloads/pages' 20000 && [ \"\$(wc -l <'$work/counts')\" = 2 ] &&
		awk '\$1 == \"page-faults\" && (\$2 < 20000 || (\"$how\" !~ /a/ && \$2 > 20400)) { bad = 1 } \$3 != \$4 || \$4 == 0 { bad = 1 }
		END { exit bad }' '$work/counts'"
done
check "count: the exit code is the command's" expect 7 '^page-faults [1-9]' sh -c \
	"'$O/hardware/count' page-faults -- sh -c 'exit 7'"
check "count: an unknown event" expect 3 'near|known' count page-fault -- true
check "the loop of known instructions does what it says" expect 0 '^1000100$' "$O/workloads/instructions" 1000001
check "the streaming loop moves what it says" expect 0 '^209715200 ' "$O/workloads/stream" read 10 20
check "wrong usage of the workloads" eval '! "$O/workloads/instructions" -1 && ! "$O/workloads/stream" read 0 1 && ! "$O/workloads/stream" copy 1 1'

# A program nobody holds is found: pinned, it outlives the one who loaded it.
finds_leak() {
	printf '%s\n' '__attribute__((section("perf_event"), used)) int sample_to_leak(void *c) { return 0; }' \
		'__attribute__((section("license"), used)) char L[] = "GPL";' |
		clang -g -O2 -target bpf -x c -c -o "$work/leak.o" - || return 1
	cat >"$work/leak.sh" <<-END
		mount -t bpf bpf /sys/fs/bpf && bpftool prog load $work/leak.o /sys/fs/bpf/leak &&
			exec $host_tests/50-start-stop.sh $O
	END
	unshare -m env PATH="$PATH:/usr/sbin" bash "$work/leak.sh" >"$work/leak.out" 2>&1 && return 1
	cat "$work/leak.out"
	grep -q '^not ok 2 - no program is left' "$work/leak.out" && ! grep -q '^not ok 1 ' "$work/leak.out"
}
check "a BPF program that is left behind is found" finds_leak

results=$work/results
expect "$success" '^(PASS|SKIP): ' "$runner" --build "$O" --duration 2 --skip overhead --output "$results" >"$work/run.txt"
code=$?
[ $code -eq 0 ] || sed 's/^/# /' "$work/run.txt" "$results/hardware-tests.log"
result $code "the hardware tests that this machine can run: $(sed -n 's/^\*\*\(.*\)\*\*$/\1/p' "$results/test-report.md")"
check "report, log, JUnit, facts, tarball" complete
check "known workloads, rates, hotplug and the rest were tested" eval '[ "$(grep -c "^.*	pass	" "$results/results.tsv")" -gt 30 ]'

# The guests of the lab have no other shell.
if command -v busybox >/dev/null; then
	mkdir "$work/bin"
	busybox --install -s "$work/bin" 2>/dev/null
	check "the same by busybox alone" expect "$success" '^(PASS|SKIP): ' \
		env PATH="$work/bin" HARDWARE_TESTS="$host_tests" "$work/bin/sh" "$runner" --build "$O" --duration 1 \
		--only machine,msr,two-profilers,start-stop --output "$work/busybox"
else
	skip "the same by busybox alone" "busybox is not installed"
fi
finish
