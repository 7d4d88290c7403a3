#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Renews the parts of docs/collectors.md that the program knows best: what each collector needs, and its tables.

    scripts/document_collectors.py build/ebpf-profiler [--check]

What stands between the two marks of a section is replaced; the rest of the section is written by hand and kept. A collector
without a section gets one. With --check nothing is written: exit code 1 when the page is not what would be written, or a
section lacks its sentence about cost. tests/integration/test_collectors.sh does that.
"""
import difflib
import json
import re
import subprocess
import sys

PAGE = "docs/collectors.md"
BEGIN, END = "<!-- from the program -->", "<!-- until here -->"


def ask(program, *args):
    return json.loads(subprocess.run([program, *args], check=True, capture_output=True, text=True).stdout)


def cell(text):
    return text.replace("|", "\\|")


def seconds(value):
    if value >= 3600 and value % 3600 == 0:
        return "hour" if value == 3600 else f"{value // 3600} hours"
    if value >= 60 and value % 60 == 0:
        return "minute" if value == 60 else f"{value // 60} minutes"
    return "second" if value == 1 else f"{value:g} seconds"


def when(collector):
    every = seconds(collector["interval_seconds"]) if collector["interval_seconds"] else None
    if collector["kind"] == "once":
        return f"at start and then every {every}"
    if collector["kind"] == "stream":
        return "as it comes" + (f", and every {every}" if every else "")
    return f"every {every}"


def known(collector, tables):
    lines = [BEGIN, ""]
    lines += [f"{collector['summary'][0].upper()}{collector['summary'][1:]}.", ""]
    lines += [f"- needs: {collector['needs']}",
              f"- read: {when(collector)}",
              f"- by default: {'on' if collector['enabled'] else 'off'}", ""]
    for table in tables:
        lines += [f"Table `{table['table']}`: {table['summary']}.", "", "| field | kind | unit | |", "| --- | --- | --- | --- |"]
        lines += [f"| `{c['name']}` | {c['kind']} | {cell(c['unit'])} | {cell(c['help'])} |" for c in table["columns"]]
        lines += [""]
    return "\n".join(lines + [END])


def split(page):
    """The text before the first section of a collector, and the sections by name."""
    parts = re.split(r"^## (?=[a-z_0-9]+$)", page, flags=re.M)
    return parts[0], {p.split("\n", 1)[0]: p.split("\n", 1)[1] for p in parts[1:]}


def renew(program, page):
    collectors = ask(program, "collectors", "--local", "--json", "--config", "systemd/ebpf-profiler.conf")["collectors"]
    tables = ask(program, "schema", "--json")["tables"]
    head, sections = split(page)
    out, lacking = [head.rstrip("\n") + "\n"], []
    for collector in collectors:
        name = collector["name"]
        text = sections.get(name, f"\n{BEGIN}\n{END}\n")
        block = known(collector, [t for t in tables if t["collector"] == name])
        text = re.sub(re.escape(BEGIN) + ".*" + re.escape(END), lambda _: block, text, flags=re.S)
        if "**Cost.**" not in text:
            lacking.append(name)
        out.append(f"## {name}\n\n{text.strip(chr(10))}\n")
    return "\n".join(out), lacking


def main():
    program, check = sys.argv[1], sys.argv[2:] == ["--check"]
    with open(PAGE, encoding="utf-8") as f:
        page = f.read()
    renewed, lacking = renew(program, page)
    if not check:
        with open(PAGE, "w", encoding="utf-8") as f:
            f.write(renewed)
        return 0
    sys.stdout.writelines(difflib.unified_diff(page.splitlines(True), renewed.splitlines(True), PAGE, "as the program says"))
    for name in lacking:
        print(f"{PAGE}: the section of {name} has no sentence '**Cost.** ...'")
    return 1 if renewed != page or lacking else 0


sys.exit(main())
