#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Measures the product beside perf and prints one table: bar, measured, verdict. See bench.py --help.
#
# usage: tests/bench/run.sh BUILD [OPTION]... [MEASUREMENT]...
set -eu
cd "$(dirname "$0")/../.."
exec python3 -B tests/bench/bench.py "$@"
