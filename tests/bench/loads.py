# SPDX-License-Identifier: Apache-2.0
"""Loads that run beside a recording, started and ended by process id."""
import contextlib
import os
import signal
import subprocess
import sys
import time


def busy_seconds():
    """CPU seconds all CPUs together were busy since boot."""
    with open("/proc/stat", encoding="ascii") as f:
        fields = [int(x) for x in f.readline().split()[1:]]
    user, nice, system, _idle, _iowait, irq, softirq, steal = fields[:8]
    return (user + nice + system + irq + softirq + steal) / os.sysconf("SC_CLK_TCK")


@contextlib.contextmanager
def running(commands):
    """Keeps the commands running; each is its own session and is ended with all it started."""
    children = [
        subprocess.Popen(c, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
        for c in commands
    ]
    try:
        time.sleep(0.5)
        yield
    finally:
        for child in children:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(child.pid, signal.SIGKILL)
            child.wait()


def steady(build, seconds):
    """One busy process per CPU, stacks of 18 frames."""
    return [[f"{build}/workloads/deep", str(seconds)]] * os.cpu_count()


COMPILE = "while :; do for f in daemon/*/*.c; do cc -std=gnu11 -D_GNU_SOURCE -O2 -w -I. -Idaemon -I{build}/gen -c -o /dev/null $f; done; done"
SEARCH = "while :; do find /usr/include /usr/share -type f -print0 2>/dev/null | xargs -0 grep -l 'unsigned long' 2>/dev/null; done"
INTERPRET = """
import collections, json, random, re
while True:
    rows = [{"id": i, "name": "n%d" % random.randrange(10**6), "tags": random.sample(range(99), 5)} for i in range(2000)]
    back = json.loads(json.dumps(rows))
    names = collections.Counter(re.sub(r"[0-9]", lambda m: chr(97 + int(m.group())), r["name"]) for r in back)
    sorted(names.items(), key=lambda kv: (kv[1], kv[0][::-1]))
    sum(t * t for r in back for t in r["tags"] if t % 3)
"""


def diverse(build, _seconds):
    """A compiler, an interpreter, find and grep: many processes, many different stacks."""
    return [
        ["sh", "-c", COMPILE.format(build=build)],
        [sys.executable, "-c", INTERPRET],
        ["sh", "-c", SEARCH],
    ]
