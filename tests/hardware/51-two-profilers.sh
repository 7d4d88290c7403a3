#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Two profilers at once both get their samples, and lose none.
. "$(dirname "$0")/lib.sh"
event=$(clock_event)

load $((seconds + 5))
"$PROFILER" record -d "$seconds" -F 199 -e $event -o "$work/other.seg" 2>"$work/other.err" &
other=$!
started_pids="$started_pids $other"
check "the one" profile one -d "$seconds" -F 97 -e $event
wait $other
check "the other" [ $? = 0 ]
end_started
"$PROFILER" report --json "$work/other.seg" >"$work/other.json"
for name in one other; do
	check "$name has samples: $(of_event $name samples)" [ "$(of_event $name samples)" -gt 10 ]
	check "$name lost none" [ "$(ledger $name lost)" = 0 ]
	check "$name: the event asked for fired" [ "$(of_event $name fired)" = $event ]
	measured "$name, samples" "$(of_event $name samples)"
	measured "$name, delivered %" "$(calc "100 * $(ledger $name seen) / $(ledger $name expected)")"
done
if is_virtual; then
	skip "both get at least 95 %" "a guest's interrupts are its host's matter"
else
	for name in one other; do
		check "$name gets at least 95 %" holds "$(ledger $name seen) >= 0.95 * $(ledger $name expected)"
	done
fi
finish
