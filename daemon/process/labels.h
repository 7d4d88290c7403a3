/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * What a cgroup says about its processes, kept once for all of them: path, unit, container. A label
 * set lives as long as a process holds it.
 */
#include <stddef.h>
#include <stdint.h>

#include "util/cleanup.h"
#include "util/hash_table.h"

struct label_store;

struct labels {
	struct label_store *store;
	struct hash_node by_path, by_id;
	unsigned int refs;
	uint64_t cgroup_id; /* 0: not known */
	const char *unit, *container; /* "" when there is none */
	char path[];
};

struct label_store {
	struct hash_table by_path, by_id;
	/* Where cgroup v2 is mounted, when it is the only hierarchy; -1 otherwise: beside v1 the id
	 * in a sample says nothing about the path that matters. */
	int unified_fd;
	char *unified;
};

int label_store_init(struct label_store *s, const char *cgroupfs);
void label_store_done(struct label_store *s); /* no label set may be held any more */

/*
 * The labels of a path, with a reference; NULL: out of memory. cgroup_id 0 is unknown; any other is
 * believed only when the path's directory has it, and remembered for labels_by_id().
 */
struct labels *labels_by_path(struct label_store *s, const char *path, size_t size,
			      uint64_t cgroup_id);
/* With a reference. What is remembered costs nothing; NULL: not remembered. */
struct labels *labels_by_id(struct label_store *s, uint64_t cgroup_id);
/* Asks the kernel for the path of a cgroup that exists (5.5, CAP_DAC_READ_SEARCH); NULL: it does
 * not tell. */
struct labels *labels_by_handle(struct label_store *s, uint64_t cgroup_id);

struct labels *labels_ref(struct labels *l);
struct labels *labels_unref(struct labels *l);
DEFINE_CLEANUP(struct labels *, labels_unref);
