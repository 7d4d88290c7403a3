# SPDX-License-Identifier: Apache-2.0
# Sourced by scripts/test-bpf-in-vm.sh: every BPF program of the collectors verified, attached and triggered, and what came
# of it.

# shellcheck source=/dev/null
source "$O/../tests/vm/triggers.sh"

# As a kernel that does not describe its types, whose description lies in a file that the product looks for.
elsewhere=/etc/ebpf-profiler/btf/$(. /etc/os-release && echo "$ID/$VERSION_ID")/$(uname -m)
mkdir -p "$elsewhere"
cp /sys/kernel/btf/vmlinux "$elsewhere/$(uname -r).btf"
# An array, not a function: the process in the background is the collector itself, which gets the signals.
without_btf=(unshare -m sh -c 'mount -t tmpfs none /sys/kernel/btf && exec "$@"' sh)

declare -A runs=() # PROGRAM: how often it ran
read_runs() { # PID
	local name count
	runs=()
	while read -r name count; do runs[$name]=$((${runs[$name]:-0} + count)); done < <("$O/vm-programs/program_runs" "$1")
}

ran() { [ "${runs[$1]:-0}" -gt 0 ]; }

# Those of which none has run yet, one a line, in $missing. What the verifier refuses never will.
not_run_yet() { # OBJECT ONE/OTHER...
	local object=$1 programs program
	missing=''
	shift
	for programs; do
		for program in ${programs//\// }; do
			! ran "$program" && [ -z "${not_verified[$object/$program]:-}" ] || continue 2
		done
		missing+=$programs$'\n'
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
	missing=${2// /$'\n'}$'\n' refused=''
	# shellcheck disable=SC2086
	"${hide[@]}" "$PROFILER" collect --json -I 300 $1 >"$work/rows" 2>"$work/collect.err" &
	collecting=$!
	for _ in $(seq 100); do
		sleep 0.2
		kill -0 $collecting 2>/dev/null || break
		read_runs $collecting
		[ ${#runs[@]} -gt 0 ] || continue
		"$4" >"$work/trigger.out" 2>&1 || {
			[ $? -ne 77 ] || { refused=$(cat "$work/trigger.out") && break; }
			continue
		}
		read_runs $collecting
		# shellcheck disable=SC2086
		not_run_yet "${1%% *}" $2
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
	elif [ -n "${not_verified[$1/$2]:-}" ]; then
		emit SKIP "$1/$2" "$3" 0 "this kernel's verifier refuses it"
	elif [[ $'\n'$missing == *$'\n'$programs$'\n'* ]]; then
		emit FAIL "$1/$2" "$3" 0 "it did not run"
	elif ! ran "$2"; then
		emit SKIP "$1/$2" "$3" 0 "this kernel takes the other form of it"
	else
		emit PASS "$1/$2" "$3" 0 ""
	fi
}

collectors=()
for object in "$O"/bpf/*.bpf.o; do
	object=$(basename "$object" .bpf.o)
	[ "$object" = sampler ] || collectors+=("$object")
done
verify "${collectors[@]}"

make_disk
echo 1 >/proc/sys/kernel/bpf_stats_enabled
while IFS='|' read -r options programs btf trigger patterns; do
	run_collector "$options" "$programs" "$btf" "$trigger" "$patterns" </dev/null
done < <(sed -e '/^[[:space:]]*#/d' -e '/^[[:space:]]*$/d' -e 's/[[:space:]]*|[[:space:]]*/|/g' "$O/../tests/vm/collectors.conf")
echo 0 >/proc/sys/kernel/bpf_stats_enabled
rm -r /etc/ebpf-profiler/btf
