# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=dash
#
# Sourced by the hardware tests, which are TAP programs for any POSIX shell and need nothing but the usual tools of
# busybox and what was built. usage of each: NN-name.sh [BUILD]
#
# Environment: HARDWARE_SECONDS   one measurement (5)
#              HARDWARE_EVENTS    instead of the events of 10-generic-events, separated by commas
#              HARDWARE_SOAK      how long 60-soak runs, in seconds (0: it is skipped)
#
# A test whose claim needs something this machine lacks skips with the reason; it decides by trying.
set -u
export LC_ALL=C
tests=$(cd "$(dirname "$0")" && pwd)
O=$(cd "${1:-$tests/../../build}" && pwd) || exit 1
PROFILER=$O/ebpf-profiler
workloads=$O/workloads
seconds=${HARDWARE_SECONDS:-5} # shellcheck disable=SC2034 # the tests use it
tests_run=0 tests_failed=0 started_pids=''
work=$(mktemp -d "${TMPDIR:-/tmp}/hardware-test.XXXXXX") || exit 1

# Ends what this test started; what is left of a command that was cut short goes with it.
end_started() {
	local p
	for p in $started_pids; do kill "$p" 2>/dev/null; done
	for p in $started_pids; do wait "$p" 2>/dev/null; done
	started_pids=''
	[ ! -s "$work/background.err" ] || sed 's/^/# /' "$work/background.err"
	rm -f "$work/background.err"
}
cleanup() {
	end_started
	rm -rf "$work"
}
trap cleanup EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM

# --- results ---

# result CODE CLAIM: one TAP line; 0 is success.
result() {
	tests_run=$((tests_run + 1))
	if [ "$1" -eq 0 ]; then
		echo "ok $tests_run - $2"
	else
		echo "not ok $tests_run - $2"
		tests_failed=$((tests_failed + 1))
	fi
}

# check CLAIM COMMAND...: its failure is the test's, and what it printed tells why.
check() {
	local claim=$1 code=0
	shift
	"$@" >"$work/check.out" 2>&1 || code=$?
	[ $code -eq 0 ] || sed 's/^/# /' "$work/check.out"
	result $code "$claim"
}

skip() {
	tests_run=$((tests_run + 1))
	echo "ok $tests_run - $1 # SKIP $2"
}

# measured NAME VALUE: a figure for the report.
measured() {
	echo "# measured: $1 = $2"
}

finish() {
	echo "1..$tests_run"
	[ $tests_failed -eq 0 ]
	exit
}

# skip_all REASON: the claim of the whole test, which its second line is.
skip_all() {
	skip "$(claim_of "$0")" "$1"
	finish
}

# claim_of FILE: the sentence of its first comment behind the licence.
claim_of() {
	sed -n '3s/^# //p' "$1"
}

# background COMMAND...: ended at exit, or by end_started; its pid is in $!.
background() {
	"$@" >/dev/null 2>>"$work/background.err" &
	started_pids="$started_pids $!"
}

# --- numbers ---

# calc EXPRESSION: awk's arithmetic, whole numbers as such.
calc() {
	awk "BEGIN { x = $1; if (x == int(x) && x < 9e15 && x > -9e15) printf \"%.0f\\n\", x; else printf \"%.6g\\n\", x }"
}
# holds EXPRESSION
holds() {
	awk "BEGIN { exit !($1) }"
}
# near CLAIM GOT EXPECTED PERCENT
near() {
	if [ -z "$2" ] || [ -z "$3" ]; then
		result 1 "$1: no figure (got '$2', expected '$3')"
		return
	fi
	holds "($2) - ($3) <= ($3) * $4 / 100 && ($3) - ($2) <= ($3) * $4 / 100"
	result $? "$1: $2, expected $3 within $4 %"
}

# --- the machine ---

# value FILE PATH: one value of JSON, by its path: events.0.ledger.lost
value() {
	[ -e "$1.flat" ] || awk -f "$tests/json.awk" "$1" >"$1.flat"
	awk -F '\t' -v path="$2" '$1 == path { print $2; exit }' "$1.flat"
}

cpus() { # of the machine that are online, one a line
	list_of "$(cat /sys/devices/system/cpu/online)"
}
# list_of 0-3,8: each number on a line
list_of() {
	echo "$1" | tr ',' '\n' | awk -F - 'NF { for (i = $1; i <= $NF; i++) print i }'
}
n_cpus() {
	cpus | grep -c .
}

# core_pmus: the PMUs of the cores under whatever name the kernel gives them.
core_pmus() {
	local d name
	for d in /sys/bus/event_source/devices/*; do
		name=${d##*/}
		case $name in
		cpu | cpum_cf) echo "$name" ;;
		arm_spe* | '*') ;;
		*) [ ! -e "$d/cpus" ] || echo "$name" ;;
		esac
	done
}

assess() {
	[ -e "$work/check.json" ] || "$PROFILER" check --json >"$work/check.json" 2>/dev/null
}
is_virtual() {
	assess
	[ "$(value "$work/check.json" machine.virtualised)" = true ]
}
# A PMU counts only when an event can be opened: names alone are no proof.
has_pmu() {
	assess
	[ "$(value "$work/check.json" features.sampling_cycles.available)" = true ]
}
need_pmu() {
	has_pmu || skip_all "no hardware PMU: cycles cannot be sampled here"
}
# The event that carries the tests of the way of a sample: hardware where there is some.
clock_event() {
	if has_pmu; then echo cycles; else echo cpu-clock; fi
}
has() {
	command -v "$1" >/dev/null 2>&1
}
perf_works() {
	has perf && perf stat -e task-clock true >/dev/null 2>&1
}

# On one CPU, of the kind that generic events of a hybrid machine count on.
pinned() {
	local cpu=/sys/bus/event_source/devices/cpu_core/cpus
	if [ -e $cpu ]; then cpu=$(list_of "$(cat $cpu)" | tail -n 1); else cpu=$(cpus | tail -n 1); fi
	if has taskset; then taskset -c "$cpu" "$@"; else "$@"; fi
}

# event_list: every event of this machine as NAME TAB SOURCE TAB PMU TAB ABILITY TAB REASON, in $work/events.tsv
event_list() {
	[ ! -e "$work/events.tsv" ] || return 0
	"$PROFILER" events --json >"$work/events.json" || return 1
	awk -f "$tests/json.awk" "$work/events.json" | awk -F '\t' '
		function flush() { if (at != "") print f["name"] "\t" f["source"] "\t" f["pmu"] "\t" f["ability"] "\t" f["reason"] }
		$1 ~ /^events\.[0-9]+\./ {
			split($1, part, ".")
			if (part[2] "" != at) { flush(); at = part[2] ""; split("", f) }
			f[part[3]] = $2
		}
		END { flush() }' >"$work/events.tsv"
}
# ability NAME: samples, counts, unavailable, or nothing for an unknown event
ability() {
	awk -F '\t' -v name="$1" '$1 == name { print $4; exit }' "$work/events.tsv"
}
reason() {
	awk -F '\t' -v name="$1" '$1 == name { print $5; exit }' "$work/events.tsv"
}

# --- loads ---

# Of one streaming load: beyond most caches, and no burden on a small machine.
stream_megabytes() {
	awk '/^MemAvailable/ { m = $2 / 1024 / 16; print (m < 8 ? 8 : m > 512 ? 512 : int(m)) }' /proc/meminfo
}

# buffer_megabytes [COPIES]: of so many at once. All caches are smaller than a quarter of each, as long as memory allows.
buffer_megabytes() {
	local cache
	cache=$(cat /sys/devices/system/cpu/cpu*/cache/index3/size 2>/dev/null | sed 's/K//' | sort -n | tail -n 1)
	awk -v kb="${cache:-32768}" -v copies="${1:-1}" '/^MemAvailable/ {
		want = kb * 8 / 1024; most = $2 / 1024 / 4 / copies; x = want > 256 ? want : 256; print int(x < most ? x : most) }' /proc/meminfo
}

# load SECONDS: every CPU busy with calls and branches, two of them with memory; ends by itself or by end_started.
load() {
	local i=0 megabytes
	megabytes=$(stream_megabytes)
	for _ in $(cpus); do
		case $i in
		1 | 3) background "$workloads/stream" read "$megabytes" seconds "$1" ;;
		*) background "$workloads/deep" "$1" ;;
		esac
		i=$((i + 1))
	done
}

# --- counting and sampling ---

# count OPTION... EVENTS -- COMMAND...: fills $work/counts, a line an event; the command's output goes to $work/truth
count() {
	rm -f "$work/counts"
	"$O/hardware/count" -o "$work/counts" "$@" >"$work/truth" 2>"$work/count.err"
}
# counted COLUMN [LINE]: of the last count; columns: name count enabled running fds scale unit scaled
counted() {
	awk -v column="$1" -v line="${2:-1}" 'NR == line {
		n = split("name count enabled running fds scale unit", names, " ")
		for (i = 1; i <= n; i++) f[names[i]] = $i
		f["scaled"] = f["running"] > 0 ? sprintf("%.0f", f["count"] * f["enabled"] / f["running"]) : 0
		print f[column]
	}' "$work/counts"
}

# beside_perf EVENT PERCENT COMMAND...: perf stat around our own counting; it sees a little more time than we do.
beside_perf() {
	local event=$1 percent=$2 theirs
	shift 2
	if ! perf_works; then
		skip "perf stat counts the same of $event" "perf is not installed"
		return
	fi
	rm -f "$work/beside" "$work/perf.csv"
	perf stat -a -x , -o "$work/perf.csv" -e "$event" -- "$O/hardware/count" -a -o "$work/beside" "$event" -- "$@" \
		>/dev/null 2>&1
	theirs=$(awk -F , '!/^#/ && $1 + 0 > 0 { print $1; exit }' "$work/perf.csv" 2>/dev/null)
	if [ -z "$theirs" ]; then
		skip "perf stat counts the same of $event" "perf cannot count it"
	else
		near "perf stat counts the same of $event" "$(awk '{ printf "%.6f\n", $2 * $6 }' "$work/beside")" "$theirs" "$percent"
	fi
}

# profile NAME OPTION...: a recording, and its report as $work/NAME.json
profile() {
	local name=$1 code=0
	shift
	rm -f "$work/$name".*
	"$PROFILER" record -o "$work/$name.seg" "$@" >"$work/truth" 2>"$work/$name.err" || code=$?
	cat "$work/$name.err"
	[ $code -eq 0 ] || return $code
	"$PROFILER" report --json --limit=0 "$work/$name.seg" >"$work/$name.json"
}
# ledger NAME FIELD [EVENT]: EVENT is a number, 0 the first
ledger() {
	value "$work/$1.json" "events.${3:-0}.ledger.$2"
}
# of_event NAME FIELD [EVENT]
of_event() {
	value "$work/$1.json" "events.${3:-0}.$2"
}
# share NAME ROW [FIELD]: self_percent of the row called ROW in the first event, 0 when it is not there
share() {
	value "$work/$1.json" '' >/dev/null
	awk -F '\t' -v row="$2" -v field="${3:-self_percent}" '
		$1 ~ /^events\.0\.rows\.[0-9]+\.name$/ && $2 == row { at = $1; sub(/name$/, field, at) }
		at != "" && $1 == at { print $2; found = 1; exit }
		END { if (!found) print 0 }' "$work/$1.json.flat"
}
