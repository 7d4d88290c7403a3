/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Everything that can be configured. `record` fills one from its options, `daemon` from
 * ebpf-profiler.conf and its drop-ins; after loading it is const.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "sampler/settings.h"
#include "util/cleanup.h"

struct profile_config {
	char *name; /* "" for record */
	char *events; /* the specs, comma separated */
	uint64_t freq_hz, period; /* defaults for them; 0: each event's own */
	struct sample_filter filter;
	char **counters; /* events counted on the CPU and read at each sample; at most 8 */
	bool split; /* a program at each context switch ends the counters' deltas */
	bool kernel_stacks, user_stacks;
	bool idle; /* keep pid 0 */
	bool enabled;
};

struct config {
	struct profile_config *profiles;
	size_t n_profiles;

	/* [sampler] */
	enum transport transport;
	enum attach_mode attach;
	uint64_t ring_bytes; /* per CPU */
	unsigned int stack_depth; /* of each half, <= 127 */
	uint64_t drain_interval_ns;
	bool exclude_self;
	char *btf; /* file, or directory in BTFHub layout; NULL: search */
	bool allow_unsafe; /* attach although the kernel is known to be dangerous for it */
	double cpu_budget_percent; /* of one CPU, own share; 0: no back-off */

	/* [store] */
	char *state_directory;
	uint64_t rotate_bytes, rotate_ns;
	uint64_t retain_bytes, retain_ns;
	unsigned int keep_free_percent;
	uint64_t sync_interval_ns;
	int compression_level;

	/* [symbols] */
	char *symbol_cache_directory; /* "" : none */
	uint64_t symbol_cache_bytes;
	char *debug_directory;

	/* [daemon] */
	char *control_socket;
	char *control_group; /* group of the socket, "" : the daemon's own */
	uint64_t status_interval_ns;
};

/* Built-in defaults, no profiles; 0 or -ENOMEM. */
int config_init(struct config *c);
void config_done(struct config *c);

/*
 * Defaults, then `path` (NULL: /etc/ebpf-profiler/ebpf-profiler.conf, which may be missing), then
 * its drop-ins (conf.d beside it and PATH.d, *.conf, sorted by name); without any [profile NAME]
 * one called "cpu" is added, cycles at 99 Hz. Unknown keys and sections warn; a bad value fails.
 * *ret_messages gets a heap string with a line "file:line: text" for each warning and error (those
 * of a warning begin with "warning: "), or NULL. 0, -EINVAL, or the errno of reading; *ret is set
 * on success only.
 */
int config_load(const char *path, struct config *ret, char **ret_messages);
/* The same from one text, which messages call `name`. */
int config_load_text(const char *name, const char *text, size_t size, struct config *ret,
		     char **ret_messages);

/* Writes every key with its value in the file's syntax; what it writes loads to the same config. */
struct buffer;
void config_dump(const struct config *c, struct buffer *out);

/*
 * Puts the names of the keys that differ and that a reload does not change, separated by commas;
 * nothing when there are none.
 */
void config_put_start_keys(const struct config *running, const struct config *fresh,
			   struct buffer *out);

/* A profile with every key at its default; valid until the next call. NULL when out of memory. */
struct profile_config *config_add_profile(struct config *c, const char *name);
