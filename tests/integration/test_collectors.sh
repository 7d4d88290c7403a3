#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The collectors on the running machine: each delivers, or says why not; values agree with others' of the same moment; the
# manual page is theirs.
. "$(dirname "$0")/lib.sh"

"$PROFILER" collectors --local --json >"$work/collectors.json"
result $? "collectors --json succeeds"

# names TRUE|FALSE: of the collectors that are (not) available.
names() {
	python3 -c 'import json, sys
for c in json.load(open(sys.argv[1]))["collectors"]:
    if c["available"] == (sys.argv[2] == "true"):
        print(c["name"])' "$work/collectors.json" "$1"
}

one_row() { # NAME
	timeout 20 "$PROFILER" collect "$1" -I 200 -n 1 --json >"$work/row.json" && grep -q '"table":"'"$1" "$work/row.json"
}
for c in $(names true); do
	check "$c delivers a row" one_row "$c"
done

refused_with_reason() { # NAME
	"$PROFILER" collect "$1" -n 1 >"$work/out" 2>"$work/err"
	[ $? -eq 69 ] && [ ! -s "$work/out" ] && grep -q "$1" "$work/err" && [ "$(wc -c <"$work/err")" -gt 40 ]
}
for c in $(names false); do
	check "$c cannot work here, and says why" refused_with_reason "$c"
done

check "values agree with /proc, and with vmstat, ss and iostat where they are" tests/integration/compare_collectors.py "$PROFILER"

# In a mount namespace of its own: one file system over another, both of known sizes.
covered() {
	mkdir -p "$work/place"
	unshare -m sh -c 'mount -t tmpfs -o size=1M lower "$1" && mkdir "$1/inner" && mount -t tmpfs -o size=2M inner "$1/inner" &&
		mount -t tmpfs -o size=4M upper "$1" && exec "$2" collect filesystem -n 1 --json' sh "$work/place" "$PROFILER" >"$work/rows" &&
		python3 - "$work/rows" "$work/place" <<-'PY'
			import json, sys
			rows = [json.loads(line) for line in open(sys.argv[1]) if '"table"' in line]
			own = [(r["mount"], r["source"], r["size"]) for r in rows if r["mount"].startswith(sys.argv[2])]
			assert own == [(sys.argv[2], "upper", 4 << 20)], own
		PY
}
if unshare -m mount -t tmpfs tmpfs /mnt 2>"$work/err" && [ "$(printf '%s\n' 5.8 "$(uname -r)" | sort -V | head -n 1)" = 5.8 ]; then
	check "a file system that another one covers has no row" covered
else
	skip "a file system that another one covers has no row" "no mount namespace, or before Linux 5.8: $(<"$work/err")"
fi
# --- the hardware ---

hardware_agrees() {
	"$PROFILER" hardware --json >"$work/hardware.json" && python3 - "$work/hardware.json" <<-'PY'
		import json, os, sys
		tree = json.load(open(sys.argv[1]))
		nodes = {n["id"]: n for n in tree["nodes"]}
		kind = lambda k: {n["id"] for n in tree["nodes"] if n["kind"] == k}
		assert kind("cpu") == {f"cpu{c}" for c in range(os.cpu_count())}, kind("cpu")
		assert kind("interface") == {"interface-" + i for i in os.listdir("/sys/class/net") if i != "bonding_masters"}
		system = nodes["system"]["attributes"]
		assert system["boot_id"] == open("/proc/sys/kernel/random/boot_id").read().strip()
		if os.path.exists("/etc/machine-id"):
		    assert system["machine_id"] == open("/etc/machine-id").read().strip()
		memory = int(open("/proc/meminfo").readline().split()[1]) * 1024
		assert nodes["memory"]["attributes"]["total"] == memory
		for d in kind("disk"):
		    size = int(open(f"/sys/block/{d[5:]}/size").read()) * 512
		    assert nodes[d]["attributes"]["size"] == size, d
		for n in tree["nodes"]:
		    assert (n["parent"] is None) == (n["id"] == "system") and (n["parent"] is None or n["parent"] in nodes), n
		for r in tree["relations"]:
		    assert r["from"] in nodes and r["to"] in nodes, r
	PY
}
check "hardware --json agrees with /proc and /sys, and every relation has its nodes" hardware_agrees
check "hardware prints the same as a tree" sh -c "'$PROFILER' hardware | grep -q '^      cpu0 '"

check "docs/collectors.md lists the program's own tables" scripts/document_collectors.py "$PROFILER" --check

finish
