#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The service under a real systemd, in namespaces: install, start, status, reload, rotate, crash, hang, stop, uninstall.
source "$(dirname "$0")/lib.sh"
source "$(dirname "$0")/systemd.sh"

name=ebpf-profiler
program=/usr/bin/$name
state=/var/lib/$name
unit_dir=$(pkg-config --variable=systemdsystemunitdir systemd)

# await COMMAND...: until it succeeds; fails after half a minute.
await() {
	local _
	for _ in $(seq 300); do
		"$@" >/dev/null 2>&1 && return 0
		sleep 0.1
	done
	"$@"
}

property() {
	inside systemctl show --value -p "$1" $name.service
}
property_is() {
	[ "$(property "$1")" = "$2" ]
}
main_pid() { # 0: none
	property MainPID
}
status_has() {
	inside $program status | grep -q -- "$1"
}
segments() { # sealed ones
	inside sh -c "ls $state/*.seg 2>/dev/null | wc -l"
}
more_segments_than() {
	[ "$(segments)" -gt "$1" ]
}
writes() {
	inside sh -c "ls $state/*.seg.active"
}
message_id() {
	sed -n "s/^#define MESSAGE_$1 \"\(.*\)\".*/\1/p" daemon/engine/messages.h
}
# journal NAME: messages with this id, as JSON, one a line
journal() {
	inside journalctl -q -o json "MESSAGE_ID=$(message_id "$1")"
}
journal_has() { # NAME TEXT
	journal "$1" | grep -q -- "$2"
}
write_config() {
	inside sh -c "cat >/etc/$name/conf.d/test.conf"
}
# running PID: the service runs, as another process than PID
restarted_from() {
	property_is ActiveState active && [ "$(main_pid)" != "$1" ]
}
start() {
	inside systemctl reset-failed $name.service 2>/dev/null
	inside systemctl start $name.service
}
# fails_with CODE: the service gives up with this exit code, and is not started again
fails_with() {
	inside systemctl reset-failed $name.service 2>/dev/null
	inside systemctl start $name.service && return 1
	property_is ExecMainStatus "$1" && property_is ActiveState failed && property_is NRestarts 0
}

if ! boot_systemd; then
	skip "the service under a real systemd" "systemd does not boot in namespaces here: $systemd_error"
	finish
fi
trap 'shut_down_systemd; cleanup' EXIT

# --- install and start ---

check "make install on a running system" inside "$PWD/scripts/install.sh" install "$O"
check "it made user, group and directories" inside sh -c "
	getent passwd $name && getent group $name && [ \"\$(stat -c %U:%a $state)\" = $name:750 ]"
inside ln -s "$unit_dir/$name.service" /run/units/$name.service
inside mkdir -p /run/units/$name.service.d
# A watchdog that can be waited for.
inside sh -c "printf '[Service]\nWatchdogSec=4\nRestartSec=0\n' >/run/units/$name.service.d/test.conf"
write_config <<<'[daemon]
status-interval = 1s'
inside systemctl daemon-reload

check "systemctl start returns when it is ready" start
check "it is active" property_is ActiveState active
check "STATUS names the event that fires, the rate and the CPUs" \
	await sh -c "$(declare -f property inside); systemd_pid=$systemd_pid name=$name; property StatusText |
		grep -E 'sampling (cycles|cpu-clock) at 99 Hz on [0-9]+ CPUs? .* samples/s, .* lost.* disk .*own CPU .*memory .*rings'"
pid=$(main_pid)
if [ "${pid:-0}" -eq 0 ]; then
	inside journalctl -q -u $name.service | sed 's/^/# /'
	finish
fi
process_status() {
	inside sh -c "cat /proc/$pid/status" | grep -qP "$1"
}
check "it runs as $name, not as root" process_status "^Uid:\t$(inside id -u $name)\t"
check "it has the five capabilities and no other" process_status '^CapEff:\t000000c400080004$'
check "it can gain none" process_status '^NoNewPrivs:\t1$'
check "its system calls are filtered" process_status '^Seccomp:\t2$'
check "the start is in the journal, with its fields" \
	sh -c "$(declare -f journal message_id inside); systemd_pid=$systemd_pid; journal STARTED |
		grep '\"PRIORITY\":\"6\"' | grep '\"CODE_FILE\"' | grep '\"_SYSTEMD_UNIT\":\"$name.service\"'"
check "journalctl -x explains it" sh -c "
	nsenter -t $systemd_pid --mount --pid -- journalctl -q -x MESSAGE_ID=$(message_id STARTED) | grep 'All events are open'"

# --- status ---

check "status answers" inside $program status
check "status --json is JSON, with the state" \
	sh -c "nsenter -t $systemd_pid --mount --pid -- $program status --json |
		python3 -c 'import json,sys; s=json.load(sys.stdin); assert s[\"state\"]==\"running\" and s[\"pid\"]==$pid and s[\"events\"], s'"
check "the control socket is for owner and group only" \
	inside sh -c "[ \"\$(stat -c %a:%G /run/$name/control)\" = 660:$name ]"
check "others are refused with 4 and a sentence" inside sh -c "
	setpriv --reuid=65534 --regid=65534 --clear-groups $program status 2>/tmp/out
	[ \$? -eq 4 ] && grep -q 'group $name' /tmp/out"
check "members of the group are answered" inside sh -c "
	setpriv --reuid=65534 --regid=65534 --groups=\$(getent group $name | cut -d: -f3) $program status"
check "samples arrive" await sh -c "nsenter -t $systemd_pid --mount --pid -- $program status --json |
	python3 -c 'import json,sys; assert json.load(sys.stdin)[\"samples\"] > 0'"

# --- rotate and reload ---

await writes >/dev/null
before=$(segments)
check "status --rotate is answered" inside $program status --rotate
check "and seals the segment" await more_segments_than "$before"
await writes >/dev/null
before=$(segments)
inside kill -USR1 "$pid"
check "SIGUSR1 seals the segment" await more_segments_than "$before"

write_config <<<'[daemon]
status-interval = 1s
[profile cpu]
rate = 49'
check "systemctl reload" inside systemctl reload $name.service
check "a changed rate is in effect" await status_has ' at 49 Hz'
check "and in the journal" await journal_has RELOADED reload
check "who asked for it, too" inside sh -c "journalctl -q -u $name.service | grep -q 'reload asked for by pid [0-9]*, uid [0-9]'"
write_config <<<'[daemon]
status-interval = 1s
control-group = adm
[profile cpu]
rate = 49'
inside systemctl reload $name.service
check "what only a start can change is named" \
	inside sh -c "journalctl -q -u $name.service | grep -q 'only from the next start on: control-group'"
write_config <<<'[daemon]
status-interval = 1s
[profile cpu]
rate = often'
check "systemctl reload fails on a wrong configuration" \
	sh -c "! nsenter -t $systemd_pid --mount --pid -- systemctl reload $name.service"
check "the journal has file and line" \
	await journal_has RELOAD_FAILED 'conf.d/test.conf:4: .rate = often. is not possible'
check "the old one stays in effect" await status_has ' at 49 Hz'
check "status --reload tells the reason" sh -c "
	nsenter -t $systemd_pid --mount --pid -- $program status --reload >$work/out 2>&1
	[ \$? -eq 1 ] && grep -q 'conf.d/test.conf:4: ' $work/out"
check "--check-config tells it, too, and exits with 6" inside sh -c "
	$program daemon --check-config >/tmp/out 2>&1
	[ \$? -eq 6 ] && grep -q 'conf.d/test.conf:4: ' /tmp/out"
inside kill -HUP "$pid"
reload_failures_are() {
	[ "$(journal RELOAD_FAILED | wc -l)" -ge "$1" ]
}
check "SIGHUP reloads as well" await reload_failures_are 3
check "it is the same process still" property_is MainPID "$pid"
write_config <<<'[daemon]
status-interval = 1s'

# --- a second daemon ---

check "a second daemon is refused with a sentence" inside sh -c "
	$program daemon >/tmp/out 2>&1 && exit 1
	grep -q 'nother ebpf-profiler' /tmp/out || { cat /tmp/out; exit 1; }"
check "which does not disturb the first" property_is MainPID "$pid"
check "nor the segment it writes" await writes

# --- crash and hang ---

inside kill -KILL "$pid"
check "after kill -9 it is started again" await restarted_from "$pid"
check "and the segment it left is sealed and whole" inside sh -c "
	[ \$(find $state -name '*.seg.active' | wc -l) -le 1 ] && $program verify $state/*.seg"
pid=$(main_pid)
inside kill -STOP "$pid"
check "a daemon that hangs is ended by the watchdog and started again" await restarted_from "$pid"
check "the journal says why" inside sh -c "journalctl -q | grep -q '$name.service: Watchdog timeout'"

# --- stop ---

pid=$(main_pid)
check "samples arrive again" await status_has 'at 99 Hz'
bpf_ids() { # prog_id or map_id of the daemon
	inside sh -c "cat /proc/$pid/fdinfo/*" 2>/dev/null | sed -n "s/^$1:\t//p" | sort -u
}
programs=$(bpf_ids prog_id) maps=$(bpf_ids map_id)
none_left() { # prog|map ID...
	local kind=$1 id
	shift
	for id; do ! bpftool "$kind" show id "$id" || return 1; done
}
check "it has BPF programs and maps while it runs" [ -n "$programs" -a -n "$maps" ]
check "systemctl stop" inside systemctl stop $name.service
check "it ended by itself, with 0" sh -c "$(declare -f property inside); systemd_pid=$systemd_pid name=$name
	[ \"\$(property Result):\$(property ExecMainStatus)\" = success:0 ]"
# shellcheck disable=SC2086
check "no BPF program of it is left" await none_left prog $programs
# shellcheck disable=SC2086
check "no BPF map of it is left" await none_left map $maps
check "the last segment is sealed" inside sh -c "! ls $state/*.seg.active"
check "all segments are whole" inside sh -c "$program verify $state/*.seg"
check "the report reads them without privilege" inside sh -c "
	setpriv --reuid=65534 --regid=65534 --groups=\$(getent group $name | cut -d: -f3) --bounding-set=-all --inh-caps=-all \
		$program report $state | grep -E 'cpu-clock|cycles'"
check "the control socket is gone" inside sh -c "! ls /run/$name/control"
check "status says that no daemon runs, and exits with 5" inside sh -c "
	$program status 2>/tmp/out
	[ \$? -eq 5 ] && grep -q 'systemctl start' /tmp/out"

check "kernel functions have their names, in spite of the sandbox" sh -c "
	nsenter -t $systemd_pid --mount --pid -- $program report --limit=0 $state | grep -E ' [a-z_0-9.]+ +\[kernel\]'"

# --- a full disk ---

inside mount -t tmpfs -o size=1M,mode=750,uid="$(inside id -u $name)",gid="$(inside id -g $name)" tmpfs $state
write_config <<<'[daemon]
status-interval = 1s
[store]
retain-size = 0
keep-free = 0'
start
pid=$(main_pid)
inside sh -c "cat /dev/zero >$state/filler 2>/dev/null"
check "a full disk is in STATUS" await sh -c "$(declare -f property inside); systemd_pid=$systemd_pid name=$name
	property StatusText | grep 'DEGRADED: writing suspended: No space left on device'"
check "and in the journal" await journal_has WRITING_SUSPENDED suspended
fed() { # the watchdog was fed twice since then
	[ "$(property WatchdogTimestampMonotonic)" -gt $(($1 + 2000000)) ]
}
check "the watchdog is fed meanwhile" await fed "$(property WatchdogTimestampMonotonic)"
inside rm $state/filler
check "writing resumes by itself" await journal_has WRITING_RESUMED dropped
check "in the same process" property_is MainPID "$pid"
inside systemctl stop $name.service
check "and what was written is whole" inside sh -c "$program verify $state/*.seg"
inside umount $state

# --- what cannot start ---

write_config <<<'[sampler]
ring-size = 1'
check "a wrong configuration: exit 6, not tried again" fails_with 6
inside rm /etc/$name/conf.d/test.conf
inside sh -c "printf '[Service]\nAmbientCapabilities=\nCapabilityBoundingSet=\nAmbientCapabilities=CAP_PERFMON\nCapabilityBoundingSet=CAP_PERFMON\n' \
	>/run/units/$name.service.d/zz.conf"
inside systemctl daemon-reload
check "without CAP_BPF: exit 4, not tried again" fails_with 4
check "and the journal names the capability" inside sh -c "journalctl -q -u $name.service -n 20 | grep CAP_BPF"
inside rm /run/units/$name.service.d/zz.conf
inside systemctl daemon-reload

inside sh -c "printf '[Service]\nProtectKernelLogs=yes\n' >/run/units/$name.service.d/zz.conf"
inside systemctl daemon-reload
start
check "hidden kernel names are in STATUS" await sh -c "$(declare -f property inside); systemd_pid=$systemd_pid name=$name
	property StatusText | grep 'kernel functions have no names'"
check "and in the journal, with the reason" journal_has KERNEL_SYMBOLS_HIDDEN CAP_SYSLOG
inside systemctl stop $name.service
inside rm /run/units/$name.service.d/zz.conf
inside systemctl daemon-reload

# --- drop-ins ---

for d in systemd/drop-ins/*.conf; do
	inside cp "$PWD/$d" /run/units/$name.service.d/zz.conf
	inside systemctl daemon-reload
	check "it starts with ${d##*/}" start
	inside systemctl stop $name.service
done

pins=/sys/fs/bpf/$name-maps
inside cp "$PWD/systemd/drop-ins/pinning.conf" /run/units/$name.service.d/zz.conf
inside systemctl daemon-reload
write_config <<<"[daemon]
status-interval = 1s
pin-maps = $pins"
start
check "with pinning.conf its maps are pinned, for its user" inside sh -c "
	ls $pins | grep -qE '^[a-z_]+-[0-9]+\$' && [ \$(stat -c %U:%a $pins) = $name:750 ]"
check "and bpftool reads them" inside sh -c "for pin in $pins/*; do bpftool map show pinned \$pin || exit; done"
inside systemctl stop $name.service
check "which are gone with it, as is their directory" inside sh -c "! ls -d $pins"
inside rm /etc/$name/conf.d/test.conf
inside rm /run/units/$name.service.d/zz.conf
inside systemctl daemon-reload

# --- uninstall ---

start
check "make uninstall stops it" sh -c "nsenter -t $systemd_pid --mount --pid -- $PWD/scripts/install.sh uninstall $O >$work/log &&
	! nsenter -t $systemd_pid --mount --pid -- systemctl -q is-active $name.service"
check "profiles and their owner are kept, and that is said" sh -c "grep -q 'are kept' $work/log &&
	nsenter -t $systemd_pid --mount -- sh -c 'ls $state/*.seg && getent passwd $name'"
check "nothing else is left" inside sh -c "
	! ls /etc/$name $program $unit_dir/$name.service /usr/share/$name /var/cache/$name 2>/dev/null"
inside "$PWD/scripts/install.sh" install "$O" >"$work/log" 2>&1
check "with PURGE=yes profiles and user go, too" inside sh -c "
	PURGE=yes $PWD/scripts/install.sh uninstall $O && ! ls $state 2>/dev/null && ! getent passwd $name && ! getent group $name"

# --- perf_event_paranoid, on kernels of one's choice ---

pretend() { # FILE TEXT: FILE in /proc reads TEXT
	inside sh -c "echo '$2' >/tmp/${1##*/} && mount --bind /tmp/${1##*/} $1"
}
level_is() {
	[ "$(inside cat /proc/sys/kernel/perf_event_paranoid)" = "$1" ]
}
sysctl_file=/etc/sysctl.d/50-$name.conf
pretend /proc/sys/kernel/perf_event_paranoid 3
pretend /proc/version 'Linux version 6.12.1 (me@host) (gcc (Debian 12.2.0-14) 12.2.0) #1 SMP PREEMPT_DYNAMIC Sun Nov 1'
inside "$PWD/scripts/install.sh" install "$O" >"$work/log" 2>&1
check "install leaves a kernel of one's own alone, though built by Debian's compiler, and says so" sh -c "
	grep -q 'is 3 and stays so' $work/log && ! nsenter -t $systemd_pid --mount -- ls $sysctl_file"
pretend /proc/version 'Linux version 6.1.0-18-amd64 (debian-kernel@lists.debian.org) (gcc-12 (Debian 12.2.0-14) 12.2.0) #1 SMP PREEMPT_DYNAMIC Debian 6.1.76-1 (2024-02-01)'
inside "$PWD/scripts/install.sh" install "$O" >"$work/log" 2>&1
check "on a Debian kernel it lowers the level to 2" level_is 2
check "by a file, and says that it is for the whole host" sh -c "
	grep -q 'from 3 to 2 for the whole host' $work/log && nsenter -t $systemd_pid --mount -- grep -q '^kernel.perf_event_paranoid = 2' $sysctl_file"
inside "$PWD/scripts/install.sh" install "$O" >"$work/log" 2>&1
PURGE=yes inside "$PWD/scripts/install.sh" uninstall "$O" >"$work/log" 2>&1
check "uninstall sets the former level back, also after a second install" level_is 3
check "and takes the file away" inside sh -c "! ls $sysctl_file"

finish
