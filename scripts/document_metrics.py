#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes docs/metrics.md from the catalogue:

    scripts/document_metrics.py build/ebpf-profiler >docs/metrics.md

tests/integration/test_metrics.sh compares the two.
"""
import json
import subprocess
import sys

GROUPS = [
    ("every CPU", None),
    ("Intel", ["broadwell-ep", "skylake-sp", "icelake-sp", "sapphire-rapids", "granite-rapids"]),
    ("AMD", ["zen2", "zen2-desktop", "zen3", "zen3-desktop", "zen4", "zen4-desktop", "zen5", "zen5-desktop"]),
    ("Arm", ["neoverse-n1", "neoverse-v1", "neoverse-n2", "neoverse-v2"]),
    *((f"Zen {n}", [f"zen{n}", f"zen{n}-desktop"]) for n in (2, 3, 4, 5)),
    ("EPYC", ["zen2", "zen3", "zen4", "zen5"]),
]

HEAD = """# Metrics

What is computed of counted events, for each CPU family the catalogue knows. `ebpf-profiler metrics` tells which of them the
machine at hand can compute, and which event is missing for the rest; `ebpf-profiler metrics -v` shows formulas and encodings.
This page is written by `scripts/document_metrics.py` from the program's own tables.

**Absent is not zero.** A value is absent when an event did not run in the interval, when a constant has no meaning for what is
summed (there is no `sockets` in a process), and when a denominator is zero.

**Scope.** Counts are summed over an aggregate before the formula, and the scope is the smallest one for which the value is
true: a hardware thread (`cpu`), a `core` where its threads share what is counted, a `socket`, the `host`. Larger aggregates
are always right: the sum is formed first, the ratio once.

**Near the truth (~).** A proxy, an undocumented event, a known erratum: the value carries the mark, and the reason is below.

**LLC** is the last level, never an L2 or an L1 event in disguise: the kernel's generic `cache-misses` is not used, for it is
the L2 on AMD and the L1 on Arm.

**Look above**: a threshold somebody published, those of the top-down method. Elsewhere what is much depends on the program.

**Top-down** on Intel before Ice Lake counts for a core, not for a thread: any-thread events tick on both, which the constant
`smt` takes back. From Ice Lake on, the parts of PERF_METRICS count only in a group led by `slots`, and only their shares of
their own sum mean something. AMD's Zen 2 and 3, Neoverse N1 and CPUs without a table have stalled cycles instead, marked ~.
"""


def cpus(names, everyone):
    if set(names) == set(everyone):
        return GROUPS[0][0]
    left, out = list(names), []
    for title, members in GROUPS[1:]:
        if set(members) <= set(left):
            out.append(title)
            left = [n for n in left if n not in members]
    return ", ".join(out + left)


def merge(rows):
    """rows: (family, key) in order; families that share a key become one line."""
    merged = {}
    for family, key in rows:
        merged.setdefault(key, []).append(family)
    return merged


def in_order(rows):
    """Sorts rows by name, in an order that agrees with that of each family."""
    order, last, family = [], None, None
    for f, key in rows:
        last = None if f != family else last
        if key[0] not in order:
            order.insert(order.index(last) + 1 if last else 0, key[0])
        last, family = key[0], f
    return sorted(rows, key=lambda row: order.index(row[1][0]))


def threshold(metric):
    return f"{100 * metric['threshold']:g} %" if "threshold" in metric else ""


def metric_line(metric):
    meaning = metric["summary"] + (f" ~ {metric['approximate']}" if metric["approximate"] else "")
    unit = metric["unit"] or "share"
    return (metric["name"], meaning, f"`{metric['formula']}`", unit, metric["scope"], threshold(metric), metric["source"])


def event_line(event):
    group = f", led by `{event['leader']}`" if event["leader"] else ""
    return (event["name"], f"`{event['spec']}`{group}", event["native"], event["source"])


def table(columns, merged, everyone):
    print("|", " | ".join(columns), "|")
    print("|", " | ".join("---" for _ in columns), "|")
    for key, families in merged.items():
        print("|", " | ".join((f"`{key[0]}`", cpus(families, everyone), *key[1:])), "|")


def main():
    out = subprocess.run([sys.argv[1], "metrics", "--cpu", "all", "--json"], check=True, stdout=subprocess.PIPE).stdout
    catalogue = json.loads(out)
    everyone = [c["name"] for c in catalogue["cpus"]]
    metrics, events = [], []
    for cpu in catalogue["cpus"]:
        seen = set()
        for m in cpu["metrics"]:
            metrics.append((cpu["name"], metric_line(m)))
            for e in m["events"]:
                if e["name"] not in seen:
                    events.append((cpu["name"], event_line(e)))
                    seen.add(e["name"])

    print(HEAD)
    print("## CPUs\n")
    print("| `--cpu` | CPU |\n| --- | --- |")
    for c in catalogue["cpus"]:
        print(f"| `{c['name']}` | {c['title']} |")
    print("\n## Metrics\n")
    table(("metric", "CPUs", "meaning", "formula", "unit", "scope", "look above", "formula published by"),
          merge(in_order(metrics)), everyone)
    print("\nBesides events, formulas name constants:\n")
    print("| constant | meaning |\n| --- | --- |")
    for c in catalogue["constants"]:
        print(f"| `{c['name']}` | {c['meaning']} |")
    print("\n## Events\n")
    print("A numbered PMU stands for all its instances: `uncore_imc` for `uncore_imc_0`, `uncore_imc_1` ..., whatever the")
    print("gaps. `r...` is a raw encoding of the core PMU.\n")
    table(("event", "CPUs", "counted as", "vendor's name", "encoding published by"), merge(in_order(events)), everyone)


main()
