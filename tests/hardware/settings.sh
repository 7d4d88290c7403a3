#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Host settings that the hardware tests touch, or make the kernel touch: saved once, restored exactly.
#
# usage: settings.sh save FILE       writes "PATH VALUE" of each to FILE
#        settings.sh restore FILE    writes back what differs; says what it did; fails when something could not be
#        settings.sh apply           what the tests want: a level that lets sampling through, all counters free
#        settings.sh rate FILE       sets the highest sample rate back, which the kernel lowers by itself
#        settings.sh plan            says what apply would change
#        settings.sh guard FILE FIFO RUNNING
#                                    waits until nobody holds FIFO open for writing (its holder ended, in whatever way),
#                                    ends the process group whose id stands in RUNNING, restores
set -u
kernel=/proc/sys/kernel

# The kernel itself lowers the sample rate when samples take long, and keeps it there until the next boot.
paths() {
	local p
	for p in /sys/devices/system/cpu/cpu[0-9]*/online $kernel/perf_cpu_time_max_percent \
		$kernel/perf_event_max_sample_rate $kernel/perf_event_paranoid $kernel/nmi_watchdog; do
		[ ! -r "$p" ] || echo "$p"
	done
}

save() {
	local p
	paths | while read -r p; do echo "$p $(cat "$p")"; done >"$1"
}

restore() {
	local p value code=0
	while read -r p value; do
		[ "$(cat "$p" 2>/dev/null)" != "$value" ] || continue
		# The shell opens the file before the command runs, so that a refusal must be caught around it.
		if { echo "$value" >"$p"; } 2>/dev/null && [ "$(cat "$p")" = "$value" ]; then
			echo "$p is $value again"
		else
			echo "$p was $value and cannot be set back; it is $(cat "$p" 2>/dev/null)"
			code=1
		fi
	done <"$1"
	return $code
}

rate() {
	local p value
	grep perf_event_max_sample_rate "$1" | while read -r p value; do
		[ "$(cat "$p")" = "$value" ] || { echo "$value" >"$p"; } 2>/dev/null
	done
}

# wishes: "PATH VALUE REASON" of what should be otherwise now
wishes() {
	local paranoid watchdog
	paranoid=$(cat $kernel/perf_event_paranoid 2>/dev/null || echo 0)
	watchdog=$(cat $kernel/nmi_watchdog 2>/dev/null || echo 0)
	[ "$paranoid" -le 2 ] ||
		echo "$kernel/perf_event_paranoid 2 above 2 some kernels refuse even root without CAP_SYS_ADMIN"
	[ "$watchdog" = 0 ] ||
		echo "$kernel/nmi_watchdog 0 the watchdog keeps a counter of each core busy"
}

apply() {
	local p value reason
	wishes | while read -r p value reason; do
		if { echo "$value" >"$p"; } 2>/dev/null; then
			echo "$p set to $value: $reason"
		else
			echo "$p cannot be set to $value: $reason"
		fi
	done
}

plan() {
	local p value reason
	wishes | while read -r p value reason; do
		echo "$p from $(cat "$p") to $value, and back: $reason"
	done
}

guard() {
	local group
	trap '' HUP INT TERM
	read -r _ <"$2"
	group=$(cat "$3" 2>/dev/null)
	if [ -n "$group" ]; then
		kill -TERM "-$group" 2>/dev/null && sleep 2
		kill -KILL "-$group" 2>/dev/null
	fi
	restore "$1"
}

case ${1:-} in
save | restore | rate) [ $# -eq 2 ] && "$1" "$2" ;;
apply | plan) "$1" ;;
guard) guard "$2" "$3" "$4" ;;
*)
	sed -n 's/^# usage: /usage: /p' "$0" >&2
	exit 2
	;;
esac
