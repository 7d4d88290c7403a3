#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Over a long time memory grows by less than 100 KB a minute and 10 MB in all, and no sample is lost.
. "$(dirname "$0")/lib.sh"
soak=${HARDWARE_SOAK:-0}
[ "$soak" -gt 0 ] || skip_all "only with --soak DURATION"
event=$(clock_event)

rss_kb() {
	awk '/^VmRSS/ { print $2 }' "/proc/$daemon/status" 2>/dev/null
}

mkdir "$work/store" "$work/cache"
cat >"$work/daemon.conf" <<-END
	[store]
	directory = $work/store
	retain-size = 256M
	keep-free = 0
	[symbols]
	cache-directory = $work/cache
	[daemon]
	control-socket = $work/control
	[profile cpu]
	events = $event
	rate = 99
END
"$PROFILER" daemon --config "$work/daemon.conf" 2>"$work/daemon.err" &
daemon=$!
started_pids=$daemon

# Processes come and go, so that tables fill and empty. The first tenth warms up caches.
step=$(calc "$soak >= 600 ? 30 : int($soak / 20) + 2")
began=$(date +%s)
: >"$work/rss"
while now=$(($(date +%s) - began)) && [ $now -lt "$soak" ] && kill -0 $daemon 2>/dev/null; do
	"$workloads/storm" 50 5 >/dev/null
	pinned "$workloads/deep" $((step - 1)) >/dev/null
	[ $((now * 10)) -lt "$soak" ] || echo "$now $(rss_kb)" >>"$work/rss"
done
kill -0 $daemon
check "the daemon lived for $soak s" [ $? = 0 ]

# Least squares: KB a second.
set -- $(awk '{ n++; x += $1; y += $2; xx += $1 * $1; xy += $1 * $2; if (n == 1) first = $2; last = $2 }
	END { d = n * xx - x * x; printf "%.3f %d %d %d", d ? (n * xy - x * y) / d * 60 : 0, last - first, last, n }' "$work/rss")
measured "memory, KB a minute" "$1"
measured "memory, KB grown in all" "$2"
measured "memory at the end, KB" "$3"
if [ "$soak" -lt 300 ]; then
	skip "memory grows by less than 100 KB a minute" "five minutes at least show a trend; $1 KB a minute over $4 looks"
else
	check "memory grows by less than 100 KB a minute ($1)" holds "$1 < 100"
fi
check "memory grows by less than 10 MB in all ($2 KB)" holds "$2 < 10240"
kill -TERM $daemon
wait $daemon
check "the daemon stops" [ $? = 0 ]
started_pids=
"$PROFILER" report --json "$work/store" >"$work/soak.json"
check "there are samples: $(of_event soak samples)" [ "$(of_event soak samples)" -gt 0 ]
check "none was lost" [ "$(ledger soak lost)" = 0 ]
check "the files are sound" "$PROFILER" verify "$work/store"
finish
