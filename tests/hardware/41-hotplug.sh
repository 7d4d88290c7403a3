#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# A CPU that goes offline and comes back while sampling is noticed both times, and its samples come back.
. "$(dirname "$0")/lib.sh"
event=$(clock_event)
cpu=$(cpus | tail -n 1)
online=/sys/devices/system/cpu/cpu$cpu/online
[ -w "$online" ] && [ "$cpu" != 0 ] || skip_all "CPU $cpu cannot be switched off here"

bring_back() {
	[ "$(cat "$online")" = 1 ] || echo 1 >"$online"
}
trap 'bring_back; cleanup' EXIT
if ! echo 0 2>"$work/refused" >"$online" || ! bring_back; then
	skip_all "the kernel refuses to switch CPU $cpu off"
fi

# await PATTERN: in what the recording says
await() {
	local i=0
	until grep -q "$1" "$work/hotplug.err"; do
		i=$((i + 1))
		[ $i -lt 200 ] && kill -0 "$recording" 2>/dev/null || return 1
		sleep 0.1
	done
}

"$PROFILER" record -F 199 -e $event -o "$work/hotplug.seg" 2>"$work/hotplug.err" &
recording=$!
started_pids=$recording
check "sampling begins" await Sampling
echo 0 >"$online"
check "it is noticed that CPU $cpu goes offline" await "CPU $cpu went offline"
bring_back
check "it is noticed that CPU $cpu comes back" await "CPU $cpu went online"
back=$(date +%s)
if has taskset; then background taskset -c "$cpu" "$workloads/deep" 30; else load 30; fi
sleep 2
kill -INT $recording
wait $recording
check "the recording ends well" [ $? = 0 ]
sed 's/^/# /' "$work/hotplug.err"
"$PROFILER" report --json --since "@$back" --cpu "$cpu" "$work/hotplug.seg" >"$work/hotplug.json" 2>/dev/null
check "its samples come back" [ "$(of_event hotplug samples)" -gt 0 ]
"$PROFILER" report --json "$work/hotplug.seg" >"$work/hotplug.json" 2>/dev/null
rm -f "$work/hotplug.json.flat"
check "none was lost" [ "$(ledger hotplug lost)" = 0 ]
finish
