# SPDX-License-Identifier: Apache-2.0
# Sourced by scripts/test-bpf-in-vm.sh: the service under a real systemd that is PID 1.

name=ebpf-profiler
state=/var/lib/$name

property() { systemctl show -P "$1" $name.service; }
status_has() { property StatusText | grep -qE -e "$1"; }
journal_has() { journalctl -q -u $name.service | grep -qE -e "$1"; }
other_process() { # PID: the service runs, and not as this one
	local now
	now=$(property MainPID)
	[ "$now" != 0 ] && [ "$now" != "$1" ] && systemctl -q is-active $name.service
}

await() { # COMMAND...
	for _ in $(seq 60); do
		"$@" && return
		sleep 0.3
	done
	systemctl status --no-pager $name.service
	journalctl -q -n 20 -u $name.service
	return 1
}

# Emulated, it costs far above its budget.
configure() { # <text
	mkdir -p /etc/$name/conf.d
	{
		printf '[daemon]\nstatus-interval = 1s\n[sampler]\ncpu-budget = 0\n'
		cat
	} >/etc/$name/conf.d/vm.conf
}

# Takes effect when the service starts. A guest that its host keeps waiting can itself be late by seconds: the short time is for
# the test of the watchdog alone.
watchdog_after() { # SECONDS
	mkdir -p /run/systemd/system/$name.service.d
	printf '[Service]\nWatchdogSec=%s\nRestartSec=1\n' "$1" >/run/systemd/system/$name.service.d/vm.conf
	systemctl daemon-reload
}

installed() {
	"$O/../scripts/install.sh" install "$O" || return
	watchdog_after 60
	getent passwd $name && systemctl cat $name.service | grep -q '^Type=notify'
}
attempt - "make install" installed
attempt - "perf_event_paranoid is lowered to 2 by a file, as install says" \
	eval 'cat /etc/sysctl.d/50-$name.conf; [ "$(cat /proc/sys/kernel/perf_event_paranoid)" = 2 ]'

configure </dev/null
attempt - "systemctl start" systemctl start $name.service
# A CPU that idles gives no samples; one that never does takes the machine from everything else here.
while :; do
	"$workloads/shares" functions 1 >/dev/null
	sleep 2
done &
busy=$!
attempt sampler/sample_to_perf_ring "STATUS tells event, rate, samples and memory" \
	await status_has 'sampling cpu-clock at 99 Hz on 2 CPUs .*samples/s, .* lost.*memory'
attempt - "it is not root" eval 'ps -o user:32= -p "$(property MainPID)" | grep -qx $name'
attempt - "the journal says that it started" await journal_has 'Started|sampling|open'
attempt - "status answers" eval '$name status && $name status --json | python3 -m json.tool'

configure <<<'[profile cpu]
rate = 49'
attempt - "systemctl reload with a good configuration" eval 'systemctl reload $name.service && await status_has " at 49 Hz"'
configure <<<'[profile cpu]
rate = often'
bad_reload() {
	! systemctl reload $name.service && await journal_has 'conf.d/vm.conf:6: .rate = often. is not possible' && status_has ' at 49 Hz'
}
attempt - "with a bad one it fails, file and line are in the journal, the old one stays" bad_reload
configure </dev/null

pid=$(property MainPID)
kill -KILL "$pid"
attempt - "after kill -9 it is started again" await other_process "$pid"
attempt - "the segment it left is whole" eval '$name verify $state/*.seg'

watchdog_after 5
systemctl restart $name.service
pid=$(property MainPID)
kill -STOP "$pid"
attempt - "when it hangs, the watchdog ends it and it is started again" await other_process "$pid"
attempt - "the journal says why" eval 'journalctl -q | grep "$name.service: Watchdog timeout"'
attempt sampler/sample_to_perf_ring "it samples again" await status_has 'sampling cpu-clock'
watchdog_after 60
systemctl restart $name.service

pid=$(property MainPID)
programs=$(cat "/proc/$pid"/fdinfo/* 2>/dev/null | sed -n 's/^prog_id:\t//p' | sort -u)
attempt - "it has BPF programs while it runs" [ -n "$programs" ]
attempt - "systemctl stop" systemctl stop $name.service
attempt - "it ended by itself, with 0" eval '[ "$(property Result):$(property ExecMainStatus)" = success:0 ]'
none_left() {
	local id
	for id in $programs; do ! bpftool prog show id "$id" || return 1; done
	! bpftool prog show | grep -E '_ring|close_deltas|replaced'
}
attempt - "nothing is left in bpftool prog" await none_left
attempt - "all segments are sealed and whole" eval '! ls $state/*.seg.active && $name verify $state/*.seg'
attempt - "the report has the known function" eval '$name report --limit 0 $state | grep burn_seventy'
kill $busy
wait $busy
attempt - "make uninstall" eval '"$O/../scripts/install.sh" uninstall "$O" --purge && ! getent passwd $name && ! ls /usr/bin/$name 2>/dev/null'
