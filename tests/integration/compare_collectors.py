#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Collectors beside /proc, /sys, vmstat, ss and iostat, read before and after: compare_collectors.py PROFILER.

A counter must lie between the two readings; a value that never changes must be the same; a gauge must lie between the two
readings or near them (stated below). Whatever changed the wrong way meanwhile is read again.
"""
import json
import os
import re
import shutil
import subprocess
import sys

PROFILER = sys.argv[1]
HZ_NS = 10_000_000  # USER_HZ is 100 everywhere


def collected(*names):
    out = subprocess.run([PROFILER, "collect", *names, "-n", "1", "--json"], check=True, capture_output=True, text=True)
    rows = [json.loads(line) for line in out.stdout.splitlines() if line.startswith("{")]
    return [r for r in rows if "table" in r]


def lines(path):
    with open(path, encoding="ascii", errors="replace") as f:
        return f.read().splitlines()


def counters():
    """(table, key, column) -> value, as /proc says."""
    out = {}
    for line in lines("/proc/stat"):
        word = line.split()
        if re.fullmatch(r"cpu\d*", word[0]):
            cpu = int(word[0][3:] or -1)
            for name, value in zip(["user", "nice", "system", "idle", "iowait", "irq", "softirq", "steal"], word[1:]):
                out["cpu", cpu, name] = int(value) * HZ_NS
        elif word[0] == "ctxt":
            out["system", None, "context_switches"] = int(word[1])
    for line in lines("/proc/diskstats"):
        word = line.split()
        for name, value in zip(["reads", "reads_merged", "sectors_read", "read_time", "writes", "writes_merged",
                                "sectors_written", "write_time"], word[3:]):
            out["disk", word[2], name] = int(value)
    for line in lines("/proc/net/dev")[2:]:
        name, numbers = line.split(":")
        numbers = numbers.split()
        for column, i in [("rx", 0), ("rx_packets", 1), ("tx", 8), ("tx_packets", 9)]:
            out["network", name.strip(), column] = int(numbers[i])
    names, values = [line.split()[1:] for line in lines("/proc/net/snmp") if line.startswith("Tcp:")]
    snmp = dict(zip(names, map(int, values)))
    for column, name in [("active_opens", "ActiveOpens"), ("passive_opens", "PassiveOpens"), ("in_segments", "InSegs"),
                         ("out_segments", "OutSegs"), ("out_resets", "OutRsts")]:
        out["tcp", None, column] = snmp[name]
    return out


def key(row):
    for name in ("cpu", "device", "interface"):
        if name in row and row["table"] in ("cpu", "disk", "network"):
            return row[name]
    return None


def compare_counters():
    before = counters()
    rows = collected("cpu", "disk", "network", "tcp", "system")
    after = counters()
    seen, wrong = 0, []
    for (table, k, column), low in before.items():
        high = after.get((table, k, column))
        row = next((r for r in rows if r["table"] == table and key(r) == k), None)
        # iowait and idle may go backwards (proc_stat(5)); partitions and empty devices have no row.
        if row is None or high is None or high < low:
            continue
        seen += 1
        if not low <= row[column] <= high:
            wrong.append(f"{table} {k} {column}: {row[column]} is not in {low} .. {high}")
    return seen, wrong


def meminfo():
    return {m[1]: int(m[2]) * 1024 for m in (re.match(r"(\S+):\s+(\d+) kB", line) for line in lines("/proc/meminfo")) if m}


def compare_memory():
    before, row, after = meminfo(), collected("memory")[0], meminfo()
    wrong = []
    for column, name in [("total", "MemTotal"), ("swap_total", "SwapTotal"), ("vmalloc_total", "VmallocTotal"),
                         ("commit_limit", "CommitLimit")]:
        if row[column] != before[name]:
            wrong.append(f"memory {column}: {row[column]}, /proc says {before[name]}")
    for column, name in [("free", "MemFree"), ("available", "MemAvailable"), ("cached", "Cached"), ("slab", "Slab"),
                         ("anonymous", "AnonPages"), ("page_tables", "PageTables")]:
        near = 64 << 20  # others allocate meanwhile
        if not min(before[name], after[name]) - near <= row[column] <= max(before[name], after[name]) + near:
            wrong.append(f"memory {column}: {row[column]}, /proc says {before[name]} .. {after[name]}")
    if shutil.which("vmstat"):
        total = int(re.search(r"(\d+) K total memory", subprocess.check_output(["vmstat", "-s"], text=True))[1]) * 1024
        if total != row["total"]:
            wrong.append(f"memory total: {row['total']}, vmstat says {total}")
    return 10, wrong


def listening():
    out = subprocess.check_output(["ss", "-Htln"], text=True)
    return len(out.splitlines())


def compare_sockets():
    """ss asks by netlink, the collector reads /proc/net/tcp."""
    if not shutil.which("ss"):
        return 0, []
    before, row, after = listening(), collected("tcp")[0], listening()
    if before <= row["state_listen"] <= after or before > after:
        return 1, []
    return 1, [f"tcp state_listen: {row['state_listen']}, ss says {before} .. {after}"]


def transferred():
    """KiB that devices read and wrote, as iostat sums them up."""
    told = json.loads(subprocess.check_output(["iostat", "-d", "-k", "-o", "JSON"], text=True, env={**os.environ, "LC_ALL": "C"}))
    disks = told["sysstat"]["hosts"][0]["statistics"][0]["disk"]
    return {d["disk_device"]: (d["kB_read"], d["kB_wrtn"]) for d in disks}


def compare_disks():
    if not shutil.which("iostat"):
        return 0, []
    before, rows, after = transferred(), {r["device"]: r for r in collected("disk")}, transferred()
    wrong = []
    for device in before.keys() & after.keys() & rows.keys():
        for i, column in enumerate(["sectors_read", "sectors_written"]):
            low, value, high = before[device][i], rows[device][column] // 2, after[device][i]
            if not low <= value <= high:
                wrong.append(f"disk {device} {column}: {value} KiB, iostat says {low} .. {high}")
    return len(before), wrong


def main():
    failed = 0
    for name, compare, least in [("counters of cpu, disk, network, tcp and system lie between two readings of /proc",
                                  compare_counters, 30),
                                 ("memory agrees with /proc/meminfo and vmstat", compare_memory, 10),
                                 ("listening sockets agree with ss", compare_sockets, 0),
                                 ("bytes of disks agree with iostat", compare_disks, 0)]:
        seen, wrong = compare()
        if wrong or seen < least:
            failed = 1
            print(f"{name}: NO ({seen} values compared)", *wrong, sep="\n  ")
        else:
            print(f"{name}: {seen} values compared")
    return failed


sys.exit(main())
