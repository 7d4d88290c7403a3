#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC3043 # `local`: dash, ash and bash have it
#
# Proves on a machine with a hardware PMU what was promised: installs, builds, runs tests/hardware, reports.
#
# usage: run-hardware-tests.sh [OPTION]...
#
#   --only LIST       these tests only: numbers or names, separated by commas (10,energy); --list shows them
#   --skip LIST       all but these
#   --duration TIME   of one measurement: 10, 30s, 2m (10)
#   --events LIST     instead of all generic and cache events in 10-generic-events
#   --soak TIME       run 60-soak for this long: 30m, 24h
#   --output DIR      results (./hardware-results-HOST-TIME); DIR.tar.gz is written beside it
#   --build DIR       what is built already; nothing is installed or compiled
#   --dry-run         say what would be done, and do nothing
#   --list            the tests and what each claims
#   --help
#
# It ends with test-report.md, hardware-tests.log, junit.xml, machine.md and a tarball, after a failure and a signal
# as well; settings of the host are then as they were. Needs root.
#
# Exit codes: 0 PASS; 1 FAIL; 77 SKIP: this machine has no hardware PMU, or nothing could be tested; 2 wrong usage;
# 4 not root; 128 + N interrupted by signal N. Plain POSIX shell and busybox are enough to run it with --build.
set -u
export LC_ALL=C
root=$(cd "$(dirname "$0")/.." && pwd)
tests=${HARDWARE_TESTS:-$root/tests/hardware} # elsewhere: tests of this script itself
here=$PWD
only='' skip='' duration=10 events='' soak=0 output='' build='' dry_run=no list=no
running='' signal=''

fail_usage() {
	echo "run-hardware-tests: $1; --help tells" >&2
	exit 2
}

# seconds_of TIME: 90, 90s, 5m, 24h
seconds_of() {
	echo "$1" | awk '/^[0-9]+[smh]?$/ && $0 + 0 > 0 { print $0 * ($0 ~ /m$/ ? 60 : $0 ~ /h$/ ? 3600 : 1); ok = 1 } END { exit !ok }'
}

parse_options() {
	local option
	while [ $# -gt 0 ]; do
		option=$1
		case $option in
		--*=*)
			shift
			set -- "${option%%=*}" "${option#*=}" "$@"
			continue
			;;
		--only | --skip | --duration | --events | --soak | --output | --build)
			[ $# -ge 2 ] && [ -n "$2" ] || fail_usage "$option needs a value"
			case $option in
			--only) only=$2 ;;
			--skip) skip=$2 ;;
			--duration) duration=$(seconds_of "$2") || fail_usage "'$2' is no duration" ;;
			--events) events=$2 ;;
			--soak) soak=$(seconds_of "$2") || fail_usage "'$2' is no duration" ;;
			--output) output=$2 ;;
			--build) build=$(cd "$2" 2>/dev/null && pwd) || fail_usage "there is no directory '$2'" ;;
			esac
			shift
			;;
		--dry-run) dry_run=yes ;;
		--list) list=yes ;;
		-h | --help)
			sed -n '5,/^set -u/s/^#\( \|$\)//p' "$0"
			exit 0
			;;
		*) fail_usage "unknown argument '$option'" ;;
		esac
		shift
	done
}

# --- which tests ---

all_tests() {
	local t
	for t in "$tests"/[0-9][0-9]-*.sh; do
		[ ! -e "$t" ] || basename "$t" .sh
	done
}
# names LIST: the tests meant by numbers, names, or both
names() {
	local word t found
	echo "$1" | tr ',' '\n' | while read -r word; do
		found=no
		for t in $(all_tests); do
			case $word in
			"$t" | "${t%%-*}" | "${t#*-}") echo "$t" && found=yes ;;
			esac
		done
		[ $found = yes ] || echo "unknown:$word"
	done
}
choose_tests() {
	local t wanted unwanted unknown
	wanted=$(if [ -n "$only" ]; then names "$only"; else all_tests; fi)
	unwanted=$(if [ -n "$skip" ]; then names "$skip"; fi)
	unknown=$(printf '%s\n%s\n' "$wanted" "$unwanted" | sed -n 's/^unknown://p' | head -n 1)
	[ -z "$unknown" ] || fail_usage "there is no test '$unknown', there are: $(all_tests | paste -s -d ' ' -)"
	chosen=$(for t in $wanted; do echo "$unwanted" | grep -qx "$t" || echo "$t"; done)
	[ -n "$chosen" ] || fail_usage "no test is left to run"
}
claim_of() {
	sed -n '3s/^# //p' "$tests/$1.sh"
}
print_list() {
	local t
	for t in $1; do printf '  %-22s %s\n' "$t" "$(claim_of "$t")"; done
}

# --- dry run ---

say_plan() {
	local plan
	if [ -z "$build" ]; then
		echo "Would install what is missing: scripts/install-deps.sh hardware"
		echo "Would build: make -C $root hardware-tests"
	else
		echo "Would use what is in $build"
	fi
	plan=$("$root/tests/hardware/settings.sh" plan)
	echo "Would set, and restore at the end whatever happens:"
	echo "${plan:-nothing needs to be changed}" | sed 's/^/  /'
	echo "Would run, $duration s for a measurement:"
	print_list "$chosen"
	echo "Would write $output/ and $output.tar.gz"
}

# --- stages ---

say() {
	echo "$*" | tee -a "$output/hardware-tests.log"
}

# stage NAME CLAIM COMMAND...: a step before the tests, told in the report as one of them
stage() {
	local name=$1 claim=$2 code=0
	shift 2
	say "== $claim"
	run_in_group "$output/tap/$name.out" "$@" || code=$?
	cat "$output/tap/$name.out" >>"$output/hardware-tests.log"
	{
		if [ $code -eq 0 ]; then echo "ok 1 - $claim"; else
			tail -n 20 "$output/tap/$name.out" | sed 's/^/# /'
			echo "not ok 1 - $claim"
		fi
		echo 1..1
	} >"$output/tap/$name.tap"
	rm -f "$output/tap/$name.out"
	echo "$code 0" >"$output/tap/$name.code"
	return $code
}

# run_in_group FILE COMMAND...: in a session of its own, so that all of it can be ended, and without the guard's pipe
run_in_group() {
	local file=$1 code=0
	shift
	setsid "$@" >"$file" 2>&1 </dev/null 9>&- &
	running=$!
	echo "$running" >"$output/.running"
	wait "$running" || code=$?
	running=''
	: >"$output/.running"
	return $code
}

end_group() {
	[ -n "$running" ] || return 0
	kill -TERM "-$running" 2>/dev/null
	sleep 1
	kill -KILL "-$running" 2>/dev/null
	wait "$running" 2>/dev/null
	running=''
}

install_and_build() {
	local installed=0
	stage 00-install "what building needs is installed" "$root/scripts/install-deps.sh" hardware || installed=$?
	stage 00-make "it builds" make -C "$root" -j "$(getconf _NPROCESSORS_ONLN)" hardware-tests || return 1
	# What matters is that it built; on a distribution that is not Debian packages are the operator's.
	[ $installed -eq 0 ] || forgive_install
	build=$root/build
}

forgive_install() {
	local why
	why=$(sed -n 's/^# //p' "$output/tap/00-install.tap" | tail -n 1)
	printf '1..1\nok 1 - what building needs is installed # SKIP it built without: %s\n' "$why" >"$output/tap/00-install.tap"
	echo "0 0" >"$output/tap/00-install.code"
}

look_at_machine() {
	"$root/tests/hardware/facts.sh" "$build" >"$output/machine.md" 2>&1
	"$build/ebpf-profiler" check --json >"$output/check.json" 2>>"$output/hardware-tests.log"
	"$build/ebpf-profiler" events --json >"$output/events.json" 2>>"$output/hardware-tests.log"
}

# The guard restores even if this shell is killed: the write end of the pipe closes with the last of its holders.
save_settings() {
	"$root/tests/hardware/settings.sh" save "$output/settings.before"
	mkfifo "$output/.guard" || return 1
	setsid "$root/tests/hardware/settings.sh" guard "$output/settings.before" "$output/.guard" "$output/.running" \
		>>"$output/hardware-tests.log" 2>&1 </dev/null &
	guard=$!
	exec 9>"$output/.guard"
}

restore_settings() {
	[ -e "$output/settings.before" ] && [ ! -e "$output/settings.restored" ] || return 0
	{
		echo 1..1
		if "$root/tests/hardware/settings.sh" restore "$output/settings.before" >"$output/settings.restored"; then
			echo "ok 1 - every setting of the host is as it was before"
		else
			sed 's/^/# /' "$output/settings.restored"
			echo "not ok 1 - every setting of the host is as it was before"
		fi
	} >"$output/tap/99-restore.tap"
	echo "0 0" >"$output/tap/99-restore.code"
	exec 9>&-
	wait "$guard" 2>/dev/null
	rm -f "$output/.guard" "$output/.running"
}

# The longest a test may take: many events on a slow guest, but not for ever.
limit_of() {
	case $1 in
	60-*) echo $((soak + 900)) ;;
	*) echo $((1800 + 60 * duration)) ;;
	esac
}

run_test() {
	local name=$1 code=0 began
	began=$(date +%s)
	say "== $name: $(claim_of "$name")"
	"$root/tests/hardware/settings.sh" rate "$output/settings.before"
	HARDWARE_SECONDS=$duration HARDWARE_EVENTS=$events HARDWARE_SOAK=$soak \
		run_in_group "$output/tap/$name.tap" timeout -k 10 "$(limit_of "$name")" sh "$tests/$name.sh" "$build" || code=$?
	echo "$code $(($(date +%s) - began))" >"$output/tap/$name.code"
	cat "$output/tap/$name.tap" >>"$output/hardware-tests.log"
	awk '/^not ok/ { print "   " $0; bad++ } /^ok .*# SKIP/ { skipped++; next } /^ok/ { good++ }
		END { printf "   %d passed, %d failed, %d skipped\n", good, bad, skipped }' "$output/tap/$name.tap"
}

run_tests() {
	local t
	[ "$("$root/tests/hardware/settings.sh" apply | tee -a "$output/settings.applied" | tee -a "$output/hardware-tests.log" | wc -l)" -eq 0 ] ||
		sed 's/^/   /' "$output/settings.applied"
	for t in $chosen; do run_test "$t"; done
}

# --- the end, whatever brought it ---

on_signal() {
	signal=$1
	exit
}

finish() {
	trap '' HUP INT TERM
	trap - EXIT
	if [ -n "$signal" ]; then
		say "== interrupted by signal $signal"
		end_group
	fi
	restore_settings
	[ -e "$output/machine.md" ] || "$root/tests/hardware/facts.sh" "$build" >"$output/machine.md" 2>&1
	"$root/tests/hardware/report.sh" "$output" "$signal" "$chosen"
	code=$?
	sed -n 's/^\*\*\(.*\)\*\*$/\1/p' "$output/test-report.md" | head -n 1
	pack || code=1
	exit $code
}

pack() {
	local name=${output##*/}
	if tar -C "${output%/*}" -czf "$output.tar.gz" "$name"; then
		echo "Report:  $output/test-report.md"
		echo "To send: $output.tar.gz"
	else
		echo "run-hardware-tests: $output.tar.gz could not be written; everything else is in $output" >&2
		return 1
	fi
}

prepare_output() {
	mkdir -p "$output/tap" || exit 1
	rmdir "$output/tap" && [ -z "$(ls -A "$output")" ] || fail_usage "'$output' is not empty: results of two runs do not mix"
	mkdir "$output/tap" && : >"$output/hardware-tests.log"
}

parse_options "$@"
choose_tests
[ $list = no ] || { print_list "$chosen" && exit 0; }
output=${output:-hardware-results-$(uname -n)-$(date +%Y%m%d-%H%M%S)}
case $output in /*) ;; *) output=$here/$output ;; esac
output=${output%/}
[ $dry_run = no ] || { say_plan && exit 0; }
[ "$(id -u)" -eq 0 ] || {
	echo "run-hardware-tests: counters of the whole host, settings and CPU hotplug need root" >&2
	exit 4
}
prepare_output
trap finish EXIT
trap 'on_signal 1' HUP
trap 'on_signal 2' INT
trap 'on_signal 15' TERM
if [ -z "$build" ]; then install_and_build || exit; fi
look_at_machine
save_settings && run_tests
