/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * What this kernel can do for us, found by trying each thing, never by its version.
 *
 * Every probe loads the smallest program, map or event that shows it and removes it again; all of
 * them together take well under 300 ms and leave nothing behind.
 */
#include <stdbool.h>
#include <stddef.h>

enum host_feature {
	/* BPF programs */
	HOST_FEATURE_PERF_EVENT_PROGRAM,
	HOST_FEATURE_TRACEPOINT_PROGRAM,
	HOST_FEATURE_RAW_TRACEPOINT_PROGRAM,
	HOST_FEATURE_KPROBE_PROGRAM,
	HOST_FEATURE_TRACING_PROGRAM,
	HOST_FEATURE_XDP_PROGRAM,
	/* BPF maps */
	HOST_FEATURE_PERF_EVENT_ARRAY,
	HOST_FEATURE_RING_BUFFER,
	HOST_FEATURE_MAP_IN_MAP,
	HOST_FEATURE_MMAPABLE,
	HOST_FEATURE_MMAPABLE_LARGE,
	HOST_FEATURE_GLOBAL_DATA,
	HOST_FEATURE_BATCH,
	HOST_FEATURE_MEMCG,
	/* helpers of perf_event programs */
	HOST_FEATURE_GET_STACK,
	HOST_FEATURE_CGROUP_ID,
	HOST_FEATURE_READ_VALUE,
	HOST_FEATURE_LOOP,
	/* perf events */
	HOST_FEATURE_SOFTWARE_SAMPLING,
	HOST_FEATURE_CYCLES_SAMPLING,
	HOST_FEATURE_PERF_IOCTL,
	HOST_FEATURE_PERF_LINK,
	HOST_FEATURE_SIDEBAND_BUILD_ID,
	HOST_FEATURE_SIDEBAND_KSYMBOL,
	HOST_FEATURES,
};

enum host_feature_weight {
	HOST_FEATURE_NEEDED, /* nothing can be sampled without it */
	HOST_FEATURE_QUALITY, /* something is lost without it */
	HOST_FEATURE_FALLBACK, /* another way takes its place, nothing is lost */
};

struct host_feature_info {
	const char *name; /* for JSON */
	const char *title; /* for people */
	enum host_feature_weight weight;
	const char *without; /* what happens without it */
};

struct host_features {
	/* 0: there; else the negative errno of the attempt. -EPERM and -EACCES: not known. */
	int error[HOST_FEATURES];
};

void host_features_probe(struct host_features *ret);
const struct host_feature_info *host_feature_info(enum host_feature feature);

static inline bool host_has(const struct host_features *f, enum host_feature feature)
{
	return f->error[feature] == 0;
}

/* The attempt was refused, so that it says nothing about the kernel. */
bool host_feature_denied(const struct host_features *f, enum host_feature feature);
