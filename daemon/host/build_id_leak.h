/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * A kernel fault that would spoil other people's profiles.
 *
 * perf_event_mmap_output() marks a mapping's record with PERF_RECORD_MISC_MMAP_BUILD_ID for an
 * event that asked for build-ids, and does not take the mark off for the events that get the same
 * record next: they read device and inode as a build-id. perf 6.1 aborts on such a file. An event
 * that is open all day must not do that to every perf on the host, so it asks for build-ids only
 * where they stay with it.
 */

/*
 * 1: the mark leaks (or another event on this host leaks it now); 0: it does not; negative errno:
 * not known, -EINVAL: the kernel has no build-ids in records (before 5.12). Needs no privilege. It
 * maps one page with an event of the calling thread, which the kernel serves after all system-wide
 * ones: should the mark leak, only a profiler of this very thread sees it.
 */
int host_build_id_leaks(void);
