#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The metrics in Prometheus' own hands: promtool finds nothing wrong with them, and a server scrapes them and knows the values.
. "$(dirname "$0")/lib.sh"

mkdir "$work/state" "$work/web" "$work/data"
# All of them: those that are off by default, too.
{
	cat <<-CONF
		[store]
		directory = $work/state
		[symbols]
		cache-directory =
		[metrics]
		textfile = $work/web/metrics
		textfile-interval = 1s
		[daemon]
		control-socket = $work/control
		[collector cgroup]
		interval = 1s
	CONF
	"$PROFILER" collectors --local --json | python3 -c '
import json, sys
for c in json.load(sys.stdin)["collectors"]:
    if c["available"] and not c["enabled"]:
        print("[collector %s]\nenabled = yes" % c["name"])'
} >"$work/daemon.conf"
background "$PROFILER" daemon --config "$work/daemon.conf" 2>"$work/daemon.log"

metrics() {
	"$PROFILER" status --socket "$work/control" --metrics >"$work/metrics" && grep -q "^$1" "$work/metrics"
}
check "the daemon answers with metrics of its collectors" until_true 30 metrics ebpf_profiler_memory_total_bytes
check "and of the inventory" until_true 10 metrics ebpf_profiler_cpu_info_info
check "and of control groups" until_true 10 metrics ebpf_profiler_cgroup
lint() {
	promtool check metrics <"$work/metrics" >"$work/lint" 2>&1
	local r=$?
	cat "$work/lint"
	[ $r -eq 0 ] && [ ! -s "$work/lint" ]
}
check "promtool accepts them without a remark" lint
check "the text file is the same, for whoever serves it" until_true 10 \
	grep -q '^ebpf_profiler_memory_total_bytes' "$work/web/metrics"

# --- a server ---

free_port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }
web=$(free_port)
background python3 -m http.server --bind 127.0.0.1 --directory "$work/web" "$web" >/dev/null 2>&1
server=$(free_port)
cat >"$work/prometheus.yml" <<-YML
	scrape_configs:
	  - job_name: ebpf-profiler
	    scrape_interval: 1s
	    static_configs: [{targets: ["127.0.0.1:$web"]}]
YML
background prometheus --config.file="$work/prometheus.yml" --storage.tsdb.path="$work/data" \
	--web.listen-address="127.0.0.1:$server" >"$work/prometheus.log" 2>&1

ask() { # QUERY: the first value
	python3 - "$server" "$1" <<-'PY'
		import json, sys, urllib.parse, urllib.request
		url = f"http://127.0.0.1:{sys.argv[1]}/api/v1/query?" + urllib.parse.urlencode({"query": sys.argv[2]})
		result = json.load(urllib.request.urlopen(url, timeout=5))["data"]["result"]
		print(int(float(result[0]["value"][1])))
	PY
}
is_up() { [ "$(ask up)" -eq 1 ]; }
check "a Prometheus server scrapes them" until_true 30 is_up
has_memory() { [ "$(ask ebpf_profiler_memory_total_bytes)" -eq $(($(sed -n 's/MemTotal: *\([0-9]*\) kB/\1/p' /proc/meminfo) * 1024)) ]; }
check "it knows this host's memory" until_true 10 has_memory
has_cpus() { [ "$(ask 'count(ebpf_profiler_cpu_user_seconds_total{cpu!="-1"})')" -eq "$(grep -c '^cpu[0-9]' /proc/stat)" ]; }
check "it knows every CPU's time" until_true 10 has_cpus

finish
