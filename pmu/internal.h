/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * What the files of pmu/ share. A name goes through the resolvers in the order of enum pmu_source;
 * each fills in type, config, exclude bits, precise_ip and its own default rate, and parse.c puts
 * the user's rate on top.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "pmu/pmu.h"

#define _cleanup_(f) __attribute__((cleanup(f)))
#define _printf_(a, b) __attribute__((format(printf, a, b)))
#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

static inline void pmu_freep(void *p)
{
	free(*(void **)p);
}

/* text.c */

/* Puts a heap sentence, control characters made visible, in *ret_error; returns `error`. */
int pmu_fail(char **ret_error, int error, const char *format, ...) _printf_(3, 4);
/* "rate of 0" and the like are decided by the caller; decimal or 0x, the whole of `s`. */
int pmu_parse_u64(const char *s, uint64_t *ret);
/* The file's text without trailing white space; at most 4 KiB, as sysfs writes. */
int pmu_read_file(char **ret, const char *format, ...) _printf_(2, 3);
int pmu_read_u64(uint64_t *ret, const char *format, ...) _printf_(2, 3);

/*
 * The resolvers. 0: found, everything but spec is set. -ENOENT with *ret_error untouched: not
 * theirs, the next one is asked. Any other failure, or -ENOENT with a sentence, is final.
 */
int catalog_resolve(const char *name, const char *sysfs, struct pmu_event *ev, char **ret_error);
int pfm_resolve(const char *name, const char *sysfs, struct pmu_event *ev, char **ret_error);
int sysfs_resolve(const char *name, const char *sysfs, struct pmu_event *ev, char **ret_error);
int raw_resolve(const char *name, const char *sysfs, struct pmu_event *ev, char **ret_error);

/* parse.c: one name without a rate; *ret_error is the reason alone, and may stay NULL on failure.
 */
int pmu_resolve(const char *name, const char *sysfs, struct pmu_event *ret, char **ret_error);

/* modifiers.c: the letters behind the last colon (or slash) of a name, without it. */
int pmu_apply_modifiers(struct perf_event_attr *attr, const char *text, char **ret_error);
bool pmu_are_modifiers(const char *text);
/* Sets precise_ip and what a precise event needs beside it for BPF; 0 takes both away. */
void pmu_set_precise(struct perf_event_attr *attr, unsigned int precise);

/* sysfs.c */

/* The PMU of the cores as a heap string, "" when there is none; NULL when out of memory. */
char *sysfs_core_pmu(const char *sysfs);
/* Name of the PMU with this type; -ENOENT. */
int sysfs_pmu_by_type(const char *sysfs, uint32_t type, char **ret_name);
/* Sets ev->pmu, ev->cpus and ev->countable_only from what sysfs says about the PMU. */
int sysfs_describe_pmu(const char *sysfs, const char *pmu, struct pmu_event *ev);

/*
 * Every name a resolver knows, for lists and for the nearest ones to a typo. `each` returns
 * non-zero to stop, and that is then returned.
 */
struct pmu_known {
	const char *name;
	const char *description; /* NULL: none */
	const char *pmu; /* NULL: unknown */
};

typedef int (*pmu_known_fn)(const struct pmu_known *known, void *userdata);
int catalog_each(pmu_known_fn each, void *userdata);
int pfm_each(pmu_known_fn each, void *userdata);
int sysfs_each(const char *sysfs, pmu_known_fn each, void *userdata);

#define ONLY_COUNTS "it only counts, it never samples"

/* The rate of events of which nothing better is known. */
#define PMU_DEFAULT_HZ 99

static inline void pmu_set_freq(struct perf_event_attr *attr, uint64_t hz)
{
	attr->freq = 1;
	attr->sample_freq = hz;
}

static inline bool pmu_is_sampled(const struct perf_event_attr *attr)
{
	return attr->freq ? attr->sample_freq > 0 : attr->sample_period > 0;
}

static inline void pmu_set_period(struct perf_event_attr *attr, uint64_t period)
{
	attr->freq = 0;
	attr->sample_period = period;
}
