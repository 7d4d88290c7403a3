# SPDX-License-Identifier: Apache-2.0
# Sourced by scripts/test-bpf-in-vm.sh: every BPF program of the collectors attached and triggered, and what came of it.

# shellcheck source=/dev/null
source "$O/../tests/vm/triggers.sh"

# As a kernel that does not describe its types, whose description lies in a file that the product looks for.
elsewhere=/etc/ebpf-profiler/btf/$(. /etc/os-release && echo "$ID/$VERSION_ID")/$(uname -m)
mkdir -p "$elsewhere"
cp /sys/kernel/btf/vmlinux "$elsewhere/$(uname -r).btf"
# An array, not a function: the process in the background is the collector itself, which gets the signals.
without_btf=(unshare -m sh -c 'mount -t tmpfs none /sys/kernel/btf && exec "$@"' sh)

is_refused() { # OBJECT PROGRAM: by this kernel's verifier, as matrix.sh has seen
	grep -qE $'^(refused|unknown)\t'"$1.bpf.o"$'\t'"$2"$'\t' "$work/verified"
}

ran() { # PROGRAM
	awk -v name="$1" '$1 == name && $2 > 0 { ran = 1 } END { exit !ran }' "$work/runs"
}

# Those of which none has run yet, one a line. What the verifier refuses never will.
not_run_yet() { # PID OBJECT ONE/OTHER...
	local pid=$1 object=$2 programs program
	shift 2
	"$O/vm-programs/program_runs" "$pid" >"$work/runs"
	for programs; do
		for program in ${programs//\// }; do
			! ran "$program" && ! is_refused "$object" "$program" || continue 2
		done
		echo "$programs"
	done
}

rows_are_there() { # PATTERNS
	local pattern rest="$1 && "
	while [ -n "$rest" ]; do
		pattern=${rest%% && *}
		rest=${rest#* && }
		grep -qE -e "$pattern" "$work/rows" || { echo "no row has $pattern"; return 1; }
	done
}

# Triggers until all has run and the rows are there. Leaves in $missing the programs that did not run, in $refused why the
# collector, or the trigger, cannot work here, if so.
collect_once() { # OPTIONS PROGRAMS BTF TRIGGER ROWS
	local collecting code=0 hide=()
	[ "$3" != hidden ] || hide=("${without_btf[@]}")
	missing=$2 refused=''
	# shellcheck disable=SC2086
	"${hide[@]}" "$PROFILER" collect --json -I 300 $1 >"$work/rows" 2>"$work/collect.err" &
	collecting=$!
	for _ in $(seq 100); do
		sleep 0.2
		kill -0 $collecting 2>/dev/null || break
		[ -n "$("$O/vm-programs/program_runs" $collecting)" ] || continue
		"$4" >"$work/trigger.out" 2>&1 || {
			[ $? -ne 77 ] || { refused=$(cat "$work/trigger.out") && break; }
			continue
		}
		# shellcheck disable=SC2086
		missing=$(not_run_yet $collecting "${1%% *}" $2)
		if [ -z "$missing" ] && rows_are_there "$5" >/dev/null; then break; fi
	done
	kill -INT $collecting 2>/dev/null
	wait $collecting || code=$?
	cat "$work/collect.err"
	[ $code -ne 69 ] || refused=$(tail -n 1 "$work/collect.err")
	if [ -n "$refused" ]; then
		echo "$refused"
		return 77
	fi
	[ $code -eq 0 ] && rows_are_there "$5" && return
	tail -n 5 "$work/rows"
	return 1
}

run_collector() { # OPTIONS PROGRAMS BTF TRIGGER ROWS
	local object=${1%% *} how=${1#* } programs program missing refused
	[ "$how" != "$1" ] || how="as it is"
	[ "$3" = - ] || how+=", BTF $3"
	attempt "$object" "$how: rows come" collect_once "$@"
	for programs in $2; do
		for program in ${programs//\// }; do
			judge_program "$object" "$program" "$how: attached, triggered"
		done
	done
}

# With the variables of run_collector.
judge_program() { # OBJECT PROGRAM TEST
	if [ -n "$refused" ]; then
		emit SKIP "$1/$2" "$3" 0 "$refused"
	elif is_refused "$1" "$2"; then
		emit SKIP "$1/$2" "$3" 0 "this kernel's verifier refuses it"
	elif grep -qxF -- "$programs" <<<"$missing"; then
		emit FAIL "$1/$2" "$3" 0 "it did not run"
	elif ! ran "$2"; then
		emit SKIP "$1/$2" "$3" 0 "this kernel takes the other form of it"
	else
		emit PASS "$1/$2" "$3" 0 ""
	fi
}

make_disk
echo 1 >/proc/sys/kernel/bpf_stats_enabled
while IFS='|' read -r options programs btf trigger patterns; do
	run_collector "$options" "$programs" "$btf" "$trigger" "$patterns" </dev/null
done < <(sed -e '/^[[:space:]]*#/d' -e '/^[[:space:]]*$/d' -e 's/[[:space:]]*|[[:space:]]*/|/g' "$O/../tests/vm/collectors.conf")
echo 0 >/proc/sys/kernel/bpf_stats_enabled
rm -r /etc/ebpf-profiler/btf
