#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Events of one group run together: the same time enabled, the same time running, ratios that mean something.
. "$(dirname "$0")/lib.sh"
need_pmu
event_list

# Members by preference; a group is as large as the counters allow, which is found by trying.
members='cycles instructions branches branch-misses cache-references cache-misses'

group=cycles size=1
for name in $members; do
	[ "$name" != cycles ] && [ "$(ability "$name")" = samples ] || continue
	count -g "$group,$name" -- true && [ "$(counted running)" -gt 0 ] || continue
	group=$group,$name size=$((size + 1))
done
measured "events in one group" "$size"
[ $size -ge 2 ] || skip_all "no second event of '$members' can be counted beside cycles"

check "$size events in one group count a command" count -g "$group" -- "$workloads/instructions" 300000000
line=1
while [ $line -le $size ]; do
	name=$(counted name $line)
	check "$name was enabled as long as its leader" [ "$(counted enabled $line)" = "$(counted enabled 1)" ]
	check "$name ran as long as its leader" [ "$(counted running $line)" = "$(counted running 1)" ]
	line=$((line + 1))
done
check "the group ran all the time" [ "$(counted enabled)" = "$(counted running)" ]

check "$size events in one group count the whole host" count -a -g "$group" -- "$workloads/instructions" 300000000
check "on every CPU" [ "$(counted fds)" = "$(n_cpus)" ]
check "cycles were counted" [ "$(counted count)" -gt 0 ]

# More members than any core has counters: the kernel must say no rather than count nothing.
too_many=cycles i=0
while [ $i -lt 64 ]; do too_many=$too_many,instructions i=$((i + 1)); done
if [ "$(ability instructions)" != samples ]; then
	skip "a group larger than the counters is refused" "instructions: $(reason instructions)"
elif count -g "$too_many" -- true; then
	check "a group larger than the counters never runs" [ "$(counted running)" = 0 ]
else
	check "a group larger than the counters is refused in a sentence" grep -q 'cannot count' "$work/count.err"
fi
finish
