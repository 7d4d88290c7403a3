#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Profiles the whole machine for ten seconds, prints the top of the report and writes a flame graph.
#
# usage: scripts/run.sh PROGRAM [SECONDS]
set -eu
program=$1 seconds=${2:-10}
profile=$PWD/ebpf-profiler.seg flame=$PWD/flame.html

say() { printf '\n== %s\n' "$*"; }

as_root=()
if [ "$(id -u)" -ne 0 ]; then
	command -v sudo >/dev/null || { echo "run: sampling the whole machine needs root, and there is no sudo" >&2; exit 4; }
	as_root=(sudo)
fi

say "What this machine can do"
# 0 full, 3 degraded; with anything else nothing can be sampled, and the check has said why.
code=0
checked=$("${as_root[@]}" "$program" check) || code=$?
sed -n '/^Verdict/,$p' <<<"$checked"
case $code in 0 | 3) ;; *) exit $code ;; esac

say "Sampling the whole machine for $seconds seconds"
"${as_root[@]}" "$program" record -d "$seconds" -o "$profile"

say "Where the time went"
[ ${#as_root[@]} -eq 0 ] || sudo chown "$(id -u):$(id -g)" "$profile"
"$program" report --limit=20 "$profile"

"$program" flame -o "$flame" "$profile"
say "Written"
echo "  profile      $profile"
echo "  flame graph  $flame (open it in a browser)"
