# SPDX-License-Identifier: Apache-2.0
# Sourced, after lib.sh, by the tests that judge stacks: processes that stay at a place, recorded and compared with what
# elfutils' unwinder finds there.
export PYTHONDONTWRITEBYTECODE=1
truth=tests/integration/stack_truth.py

# start NAME INNER COMMAND...: INNER stack frames may differ from one moment to the next.
places=() staying=()
start() {
	local name=$1 inner=$2
	shift 2
	background "$@" >"$work/$name.out" 2>&1
	places+=("$!:$inner:$name") staying+=("$!")
}
all_there() { [ "$(grep -l ready "$work"/*.out | wc -l)" -eq ${#places[@]} ]; }
stop_all() {
	kill -KILL "${staying[@]}"
	wait "${staying[@]}"
	staying=() places=()
	rm -f "$work"/*.out
} 2>/dev/null

record_all() { # FILE SECONDS OPTION...
	"$PROFILER" record --unwind dwarf --symbol-cache "$work/cache" -o "$1" -d "$2" "${@:3}" \
		-p "$(IFS=,; echo "${staying[*]}")" 2>"$work/record.err"
}
# A busy host builds rows slowly; those that are in the cache are there at once.
rows_are_built() { # OPTION...
	record_all "$work/warm.seg" 1 "$@" && "$PROFILER" report "$work/warm.seg" | grep -E '^Stacks +user (9[0-9]|100)[.][0-9]+ % complete'
}

# The lines of $work/truth.tap as results of ours.
tell_truth() {
	local line
	while IFS= read -r line; do
		case $line in
		"ok "*) result 0 "${line#ok * - }" ;;
		"not ok "*) result 1 "${line#not ok * - }" ;;
		*) echo "$line" ;;
		esac
	done <"$work/truth.tap"
}

# judge_all FILE: a line for each process.
judge_all() {
	python3 $truth places "$1" "${places[@]}" >"$work/truth.tap" 2>&1
	tell_truth
	check "every process was judged" test "$(grep -c '^ok\|^not ok' "$work/truth.tap")" -eq ${#places[@]}
}
