#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# RAPL counts energy: more under load than at rest, in credible watts, and as powercap and perf see it.
. "$(dirname "$0")/lib.sh"
event=power/energy-pkg/
[ -e /sys/bus/event_source/devices/power/events/energy-pkg ] || skip_all "this machine shows no power/energy-pkg/"
count -a $event -- true || skip_all "$(tail -n 1 "$work/count.err")"

joules() {
	awk '{ printf "%.6f\n", $2 * $6 }' "${1:-$work/counts}"
}
# zones: microjoules of all packages by powercap, where it may be read
zones() {
	local z
	for z in /sys/class/powercap/intel-rapl:[0-9]; do
		case $(cat "$z/name" 2>/dev/null) in
		package-*) cat "$z/energy_uj" ;;
		esac
	done 2>/dev/null | awk '{ s += $1 } END { if (NR) printf "%.0f\n", s }'
}

count -a $event -- sleep "$seconds"
idle=$(joules)
load $((seconds + 3))
before=$(zones)
count -a $event -- sleep "$seconds"
after=$(zones)
busy=$(joules)
end_started
watts=$(calc "$busy / $seconds")
measured "watts of all packages at rest" "$(calc "$idle / $seconds")"
measured "watts of all packages under load" "$watts"
check "energy is counted once for each package" [ "$(counted fds)" = "$(list_of "$(cat /sys/bus/event_source/devices/power/cpumask)" | grep -c .)" ]
check "the unit is Joules" [ "$(counted unit)" = Joules ]
check "load takes more energy than rest" holds "$busy > $idle"
check "between 1 and 2000 watts" holds "$watts > 1 && $watts < 2000"

if [ -z "$before" ]; then
	skip "powercap counts the same" "/sys/class/powercap cannot be read"
elif holds "$after < $before"; then
	skip "powercap counts the same" "its counter wrapped meanwhile"
else
	near "powercap counts the same" "$busy" "$(calc "($after - $before) / 1e6")" 5
fi
beside_perf $event 5 sleep "$seconds"
finish
