#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Each generic and cache event counts and samples, the periods of its samples add up to its count, and none is lost.
. "$(dirname "$0")/lib.sh"
need_pmu
event_list

# These count on every CPU that has them; others may stay at nothing under the loads of this test.
never_silent=' cycles instructions branches branch-misses cache-references cache-misses L1-dcache-loads ref-cycles '

if [ -n "${HARDWARE_EVENTS:-}" ]; then
	events=$(echo "$HARDWARE_EVENTS" | tr ',' '\n')
else
	events=$(awk -F '\t' '$2 == "alias" && $3 != "software" { print $1 }' "$work/events.tsv")
fi

counting_run() {
	load 3
	count -a "$1" -- sleep 1
	local code=$?
	end_started
	return $code
}

# A period that gives some two hundred samples on each CPU in a second, and is no round number; an emulator, where a load
# takes a while to start and an interrupt costs thousands of times more, gets twenty.
per_second=200
! is_virtual || per_second=20
period_for() {
	calc "int($1 / $(n_cpus) / $per_second) + 11"
}

sampling_run() {
	load 4
	profile sampled -d 1 -e "$1@$2"
	local code=$?
	end_started
	return $code
}

# A CPU ends with up to a period that became no sample; samples in flight at the end are a few.
adds_up() {
	local weight total
	weight=$(of_event sampled weight) total=$(ledger sampled count)
	[ "$(ledger sampled filtered)" -eq 0 ] || weight=$(calc "$weight + $(ledger sampled filtered) * $2")
	echo "$1: $(of_event sampled samples) samples stand for $weight of $total, period $2"
	holds "$weight <= $total * 1.01 && $weight >= $total * 0.98 - $2 * $(n_cpus)"
}

test_event() {
	local name=$1 total period
	if ! counting_run "$name"; then
		sed 's/^/# /' "$work/count.err"
		result 1 "$name counts"
		return
	fi
	total=$(counted count)
	if [ "$total" -eq 0 ]; then
		case $never_silent in
		*" $name "*) result 1 "$name counts: nothing in a second of load on all CPUs" ;;
		*) skip "$name counts and samples" "it never fired under the loads of this test" ;;
		esac
		return
	fi
	measured "$name per second" "$total"
	result 0 "$name counts: $total in a second"
	if [ "$(ability "$name")" = counts ]; then
		skip "$name samples" "$(reason "$name")"
		return
	fi
	period=$(period_for "$total")
	check "$name samples, one in $period" sampling_run "$name" "$period"
	[ -e "$work/sampled.json" ] || return
	check "$name: there are samples" [ "$(of_event sampled samples)" -gt 0 ]
	check "$name: no other event fired in its place" [ "$(of_event sampled fired)" = "$name" ]
	check "$name: none was lost" [ "$(ledger sampled lost)" = 0 ]
	check "$name: the periods add up to the count" adds_up "$name" "$period"
}

# What we cannot open, perf cannot either.
perf_opens() {
	perf_works && ! perf stat -a -x , -e "$1" true 2>&1 | grep -qE 'not supported|not counted|syntax error'
}
test_absence() {
	if perf_opens "$1"; then
		echo "# $(reason "$1")"
		result 1 "$1 cannot be opened, as perf sees it"
	else
		printf '%s\t%s\n' "$(reason "$1")" "$1" >>"$work/absent"
	fi
}

for name in $events; do
	case $(ability "$name") in
	unavailable) test_absence "$name" ;;
	*) test_event "$name" ;;
	esac
done

# What is absent for the same reason is told together.
if [ -e "$work/absent" ]; then
	sort "$work/absent" | awk -F '\t' '{ names[$1] = names[$1] (names[$1] == "" ? "" : " ") $2 }
		END { for (r in names) print names[r] "\t" r }' >"$work/groups"
	while IFS=$(printf '\t') read -r names why; do
		skip "$names" "$why"
	done <"$work/groups"
fi
finish
