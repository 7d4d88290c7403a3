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
	bool memory_access; /* samples carry address, data source and latency */
	bool kernel_stacks, user_stacks;
	bool idle; /* keep pid 0 */
	bool enabled;
};

/* One collector, or all of them where a value is not given. */
enum collector_choice { COLLECTOR_CHOICE_AUTO, COLLECTOR_CHOICE_YES, COLLECTOR_CHOICE_NO };

struct collector_config {
	char *name; /* of the table in collect/collectors.c */
	enum collector_choice enabled; /* auto: as the collector says */
	uint64_t interval_ns; /* 0: the collector's own */
	unsigned int top;
	unsigned int argv; /* enum collector_argv */
	unsigned int transport; /* enum collector_transport */
	unsigned int attach; /* enum collector_attach */
	bool latency;
	uint64_t delta_min_ns, delta_max_ns;
	char *procfs, *sysfs, *dev; /* "": those of [collectors] */
	char *metrics, *events; /* to be counted */
	char *interfaces; /* of the network, to be watched */
	unsigned int reserve_counters;
	bool guests;
};

struct config {
	struct profile_config *profiles;
	size_t n_profiles;
	struct collector_config *collectors; /* those that are named */
	size_t n_collectors;

	/* [sampler] */
	enum transport transport;
	enum attach_mode attach;
	uint64_t ring_bytes; /* per CPU */
	unsigned int stack_depth; /* of each half, <= 127 */
	enum unwind_mode unwind;
	uint64_t unwind_bytes; /* of rows */
	unsigned int unwind_check; /* one in so many stacks is checked; 0: none */
	bool unwind_check_lbr; /* a few stacks a second are compared with LBRs */
	uint64_t drain_interval_ns;
	struct off_cpu_limits off_cpu;
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

	/* [collectors] */
	bool collectors_enabled;
	uint64_t collector_deadline_ns;
	char *procfs, *sysfs, *dev; /* "": HOST_PROC and so on, else /proc and so on */

	/* [metrics] */
	char *textfile; /* "": none */
	uint64_t textfile_interval_ns;
	unsigned int textfile_mode;

	/* [daemon] */
	char *control_socket;
	char *pin_maps; /* directory; "": our maps are not pinned */
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

/* A collector with every key at its default; valid until the next call. NULL when out of memory. */
struct collector_config *config_add_collector(struct config *c, const char *name);
/* The one called `name`; NULL: it is not named. */
const struct collector_config *config_find_collector(const struct config *c, const char *name);

/* A profile with every key at its default; valid until the next call. NULL when out of memory. */
struct profile_config *config_add_profile(struct config *c, const char *name);
