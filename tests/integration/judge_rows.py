#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Judges the JSON lines that 'ebpf-profiler collect --json' printed.

    judge_rows.py FILE EXPRESSION...

Each expression must be true. It sees `rows(TABLE, column=value...)`, the rows of a table that match; `totals(TABLE,
column=value...)`, the lines of totals that do; `total`, the one that does; `argv(row)`, a row's arguments as a list.
"""
import json
import shlex
import sys


def main():
    lines = []
    with open(sys.argv[1], encoding="utf-8") as f:
        for line in f:
            lines.append(json.loads(line))

    def matching(kind, name, wanted):
        return [x for x in lines if x.get(kind) == name and all(x.get(k) == v for k, v in wanted.items())]

    def rows(table, **wanted):
        return matching("table", table, wanted)

    def totals(table, **wanted):
        return matching("total", table, wanted)

    def total(table, **wanted):
        found = totals(table, **wanted)
        if len(found) != 1:
            raise SystemExit(f"{len(found)} totals of {table} with {wanted}: {found[:3]}")
        return found[0]

    names = {"rows": rows, "totals": totals, "total": total, "argv": lambda row: shlex.split(row["argv"])}
    failed = 0
    for text in sys.argv[2:]:
        if not eval(text, names):  # expressions of the test's own
            print(f"not true: {text}")
            failed = 1
    if failed:
        for line in lines[-12:]:
            print(json.dumps(line)[:400])
    return failed


if __name__ == "__main__":
    sys.exit(main())
