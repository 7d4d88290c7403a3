#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Ten starts and stops leave no BPF program behind, and ten reloads of one daemon neither a program nor a descriptor.
. "$(dirname "$0")/lib.sh"
event=$(clock_event)

# What is loaded and has no holder: other profilers of this machine hold theirs.
leaked() {
	"$O/hardware/bpf_left" | awk '$2 == 7 && $3 ~ /^sample_to_/ { print $1 }' >"$work/loaded"
	cat /proc/[0-9]*/fdinfo/* 2>/dev/null | awk '$1 == "prog_id:" { print $2 }' >"$work/held"
	awk 'FILENAME == ARGV[1] { held[$1] = 1; next } !($1 in held)' "$work/held" "$work/loaded"
}
# A process between two looks, ours or another's, takes its programs along: only what stays is a leak.
none_leaked() {
	local i=0 first still
	first=$(leaked)
	while [ -n "$first" ] && [ $i -lt 50 ]; do
		sleep 0.1
		still=$(leaked)
		first=$(for id in $first; do echo "$still" | grep -x "$id"; done)
		i=$((i + 1))
	done
	[ -z "$first" ] || echo "programs without a holder: $first"
	[ -z "$first" ]
}
programs_of() { # PID
	cat "/proc/$1/fdinfo/"* 2>/dev/null | awk '$1 == "prog_id:" { print $2 }' | sort -u | grep -c .
}
[ -x "$O/hardware/bpf_left" ] || skip_all "bpf_left is not built"

ten_recordings() {
	local i=0
	while [ $i -lt 10 ]; do
		"$PROFILER" record -d 200ms -F 99 -e "$event,page-faults" -o "$work/cycle.seg" 2>"$work/cycle.err" || {
			cat "$work/cycle.err"
			return 1
		}
		i=$((i + 1))
	done
}
check "ten recordings, one after another" ten_recordings
check "no program is left" none_leaked

# --- one daemon, reloaded ---

write_config() { # HZ
	cat >"$work/daemon.conf" <<-END
		[store]
		directory = $work/store
		keep-free = 0
		[symbols]
		cache-directory = $work/cache
		[daemon]
		control-socket = $work/control
		[profile cpu]
		events = $event
		rate = $1
	END
}
# await COMMAND...: half a minute long
await() {
	local i=0
	until "$@" >/dev/null 2>&1; do
		i=$((i + 1))
		[ $i -lt 300 ] && kill -0 "$daemon" 2>/dev/null || return 1
		sleep 0.1
	done
}
descriptors() {
	set -- "/proc/$daemon/fd/"*
	echo $#
}
# Collectors open files while they read, and keep those of what came meanwhile: the fewest of some looks, and ten more is a
# leak, one for each reload.
fewest_descriptors() {
	local i=0 fewest now
	fewest=$(descriptors)
	while [ $i -lt 20 ]; do
		sleep 0.1
		now=$(descriptors)
		[ "$now" -ge "$fewest" ] || fewest=$now
		i=$((i + 1))
	done
	echo "$fewest"
}
as_few_descriptors_as() {
	[ "$(descriptors)" -le "$1" ]
}
asks() {
	"$PROFILER" status --socket "$work/control" >/dev/null 2>&1 || [ -S "$work/control" ]
}
reloads() {
	grep -ci reload "$work/daemon.err"
}
more_reloads_than() {
	[ "$(reloads)" -gt "$1" ]
}
reload_to() { # HZ
	local done_before
	done_before=$(reloads)
	write_config "$1"
	kill -HUP "$daemon"
	await more_reloads_than "$done_before"
}

mkdir "$work/store" "$work/cache"
write_config 99
"$PROFILER" daemon --config "$work/daemon.conf" 2>"$work/daemon.err" &
daemon=$!
started_pids=$daemon
check "a daemon starts" await asks
check "a first reload" reload_to 49
fds=$(fewest_descriptors)
programs=$(programs_of $daemon)
ten_reloads() {
	local i=0
	while [ $i -lt 10 ]; do
		reload_to $((51 + 2 * i)) || return 1
		i=$((i + 1))
	done
}
check "ten reloads with another rate each" ten_reloads
none_left=$(await as_few_descriptors_as $((fds + 9)) && echo yes)
measured "descriptors of the daemon before and after ten reloads" "$fds, $(descriptors)"
check "no descriptor is left by each of them" [ "$none_left" = yes ]
check "it holds as many programs as before ($programs)" [ "$(programs_of $daemon)" = "$programs" ]
kill -TERM $daemon
wait $daemon
check "the daemon stops" [ $? = 0 ]
started_pids=
sed 's/^/# /' "$work/daemon.err" | tail -n 20
check "and leaves no program" none_leaked
finish
