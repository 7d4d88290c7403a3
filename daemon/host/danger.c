// SPDX-License-Identifier: Apache-2.0
#include "host/danger.h"

#include <stdio.h>
#include <string.h>

#include "util/cleanup.h"

/*
 * Sources:
 * - user memory: mainline d319f344561d "mm: Fix copy_from_user_nofault()" in 6.4, in stable since
 *   6.1.36 and 6.3.10; 5.19 brought the bug; 5.19, 6.0 and 6.2 ended without the fix.
 *   opentelemetry-ebpf-profiler refuses the same range; report: parca-dev/parca-agent#1675.
 * - el9: yandex/perforator#68, hard lockup of 5.14.0-427.76.1.el9_4 under a profiler that reads
 *   user memory from hardware events.
 * - BPF ring: the ring's lock became an rqspinlock in 6.15; an NMI between taking the lock and
 *   noting it spins for the whole timeout. Fixed in 6.19-rc and, between December 2025 and February
 *   2026, in 6.18.y; 6.18.10 (February 2026) is taken as the first that has every part.
 * - riscv64: perf_callchain_user() reads without pagefault_disable(), which x86 and arm64 have. A page
 *   that is missing makes the scheduler wait for it under the lock of its run queue; seen on 6.12.
 * - PREEMPT_RT: mainline 8b62645b09f8 "bpf: Use raw_spinlock_t in ringbuf" in 6.12.
 */
#define USER_READ_WHAT "reading user memory at each sample"
#define USER_READ_REASON                                                                           \
	"the read can wait for a lock that the interrupted code holds, and then the whole "        \
	"machine hangs"
#define USER_READ_INSTEAD "Unwind by frame pointers, or update the kernel."

static const struct host_danger dangers[] = {
	{
		.plan = HOST_PLAN_READ_USER,
		.from = { 5, 19, 0 },
		.until = { 6, 1, 36 },
		.what = USER_READ_WHAT,
		.reason = USER_READ_REASON,
		.instead = USER_READ_INSTEAD,
	},
	{
		.plan = HOST_PLAN_READ_USER,
		.from = { 6, 2, 0 },
		.until = { 6, 3, 10 },
		.what = USER_READ_WHAT,
		.reason = USER_READ_REASON,
		.instead = USER_READ_INSTEAD,
	},
	{
		.plan = HOST_PLAN_READ_USER | HOST_PLAN_HARDWARE_EVENT,
		.from = { 5, 14, 0 },
		.until = { 5, 15, 0 },
		.vendor = ".el9",
		.last_build = 427,
		.what = USER_READ_WHAT " of a hardware event",
		.reason = "hard lockups were reported",
		.instead = USER_READ_INSTEAD,
	},
	{
		.plan = HOST_PLAN_BPF_RING | HOST_PLAN_HARDWARE_EVENT,
		.from = { 6, 15, 0 },
		.until = { 6, 18, 10 },
		.what = "a hardware event with the BPF ring buffer",
		.reason =
			"an NMI can find the ring's lock taken on its own CPU and then stalls the "
			"machine for 250 ms at a time",
		.instead = "Use the perf ring (transport = perf or auto).",
	},
	{
		.plan = HOST_PLAN_BPF_RING,
		.from = { 5, 8, 0 },
		.until = { 6, 12, 0 },
		.realtime_only = true,
		.what = "the BPF ring buffer in a sampling program on PREEMPT_RT",
		.reason = "the ring's lock may sleep there, and an interrupt must not",
		.instead = "Use the perf ring (transport = perf or auto).",
	},
	{
		.plan = HOST_PLAN_SWITCH_USER,
		.until = { -1U, 0, 0 },
		.machine = "riscv64",
		.what = "user stacks at context switches",
		.reason = "the read can wait for a page while the scheduler is locked, and then the "
			  "whole machine hangs",
		.instead = "Take kernel stacks alone (user-stacks = no, --no-user-stacks).",
	},
};

const struct host_danger *host_danger_table(size_t *ret_n)
{
	*ret_n = ARRAY_SIZE(dangers);
	return dangers;
}

static int compare(unsigned int major, unsigned int minor, unsigned int patch,
		   const struct host_version *v)
{
	if (major != v->major)
		return major < v->major ? -1 : 1;
	if (minor != v->minor)
		return minor < v->minor ? -1 : 1;
	return patch < v->patch ? -1 : patch > v->patch;
}

/* With an unknown patch level the kernel may be any X.Y.z: the earliest of them decides `until`. */
static bool in_range(const struct host_danger *d, const struct host_kernel *k)
{
	unsigned int latest = k->patch_known ? k->patch : -1U;

	return compare(k->major, k->minor, latest, &d->from) >= 0 &&
	       compare(k->major, k->minor, k->patch, &d->until) < 0;
}

bool host_danger_applies(const struct host_danger *d, const struct host_kernel *k)
{
	if (!in_range(d, k))
		return false;
	if (d->realtime_only && !k->realtime)
		return false;
	if (d->machine && strcmp(d->machine, k->machine) != 0)
		return false;
	return !d->vendor || (strstr(k->release, d->vendor) && k->build <= d->last_build);
}

const struct host_danger *host_danger_find(const struct host_kernel *k, unsigned int plan)
{
	for (size_t i = 0; i < ARRAY_SIZE(dangers); i++)
		if ((plan & dangers[i].plan) == dangers[i].plan &&
		    host_danger_applies(&dangers[i], k))
			return &dangers[i];
	return NULL;
}

char *host_danger_sentence(const struct host_danger *d, const struct host_kernel *k)
{
	char name[160], *sentence;

	if (asprintf(&sentence,
		     "Linux %s is dangerous for %s: %s. %s To attach all the same: "
		     "allow-unsafe = yes in [sampler], or --allow-unsafe-kernel.",
		     host_kernel_name(k, name, sizeof(name)), d->what, d->reason, d->instead) < 0)
		return NULL;
	return sentence;
}
