/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * What hardware counts mean: a catalogue of metrics as data. For each CPU family a metric has a
 * formula over events and constants, a unit, a scope, and the place where it was published.
 *
 * The way of a metric: metric_family_detect -> metric_next -> metric_formula_parse, once -> the
 * names in it are events of the family (metric_event_find -> metric_event_specs, opened and counted
 * by the caller) or constants -> metric_eval over an interval, as often as wanted.
 *
 * A value that is not known is absent, never 0: an event that did not run, a constant that has no
 * meaning for the aggregate, a denominator of zero.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum metric_family {
	METRIC_GENERIC, /* the kernel's generic events; every CPU not known better */
	METRIC_BROADWELL_EP,
	METRIC_SKYLAKE_SP, /* and Cascade Lake */
	METRIC_ICELAKE_SP,
	METRIC_SAPPHIRE_RAPIDS, /* and Emerald Rapids */
	METRIC_GRANITE_RAPIDS,
	METRIC_ZEN2,
	METRIC_ZEN2_DESKTOP,
	METRIC_ZEN3,
	METRIC_ZEN3_DESKTOP,
	METRIC_ZEN4,
	METRIC_ZEN4_DESKTOP,
	METRIC_ZEN5,
	METRIC_ZEN5_DESKTOP,
	METRIC_NEOVERSE_N1,
	METRIC_NEOVERSE_V1,
	METRIC_NEOVERSE_N2,
	METRIC_NEOVERSE_V2,
	METRIC_N_FAMILIES,
};

/* The smallest aggregate for which a value is true: counts are summed over it before the formula.
 */
enum metric_scope {
	METRIC_CPU, /* one hardware thread, and everything larger */
	METRIC_CORE, /* the threads of a core share what is counted */
	METRIC_SOCKET,
	METRIC_HOST,
};

enum metric_unit {
	METRIC_PER_CYCLE,
	METRIC_PER_KILO, /* per 1000 instructions */
	METRIC_RATIO, /* of 1 */
	METRIC_HZ,
	METRIC_BYTES_PER_S,
	METRIC_WATT,
	METRIC_JOULE,
};

struct metric {
	uint32_t families; /* bits, 1 << enum metric_family */
	const char *name;
	enum metric_unit unit;
	enum metric_scope scope;
	const char *summary;
	const char *formula;
	double threshold; /* worth a look above it; 0: none is known */
	const char *approximate; /* why the value is only near the truth; NULL: it is as good as the
				    counters are */
	const char *source; /* who published the formula */
};

struct metric_event {
	uint32_t families;
	const char *name; /* in formulas */
	const char *spec; /* for pmu_events_parse, except that a numbered PMU stands for all its
			     instances: uncore_imc/event=0x04,umask=0x03/ */
	const char *native; /* what the vendor or the kernel calls it */
	const char *source; /* where the encoding was published */
	const char *leader; /* it counts only in a group led by this event of the family; NULL: in
			       any group */
};

/* What formulas may name besides events. */
struct metric_constant {
	const char *name, *meaning;
};

extern const struct metric_constant metric_constants[];
extern const size_t metric_n_constants;

const char *metric_family_name(enum metric_family family); /* "icelake-sp" */
const char *metric_family_title(enum metric_family family); /* "Intel Ice Lake-SP" */
/* False when there is no such name. */
bool metric_family_find(const char *name, enum metric_family *ret);
/*
 * The family of the CPU that `sysfs` (MIDR_EL1) or `procfs` (cpuinfo) describes; NULL: /sys, /proc.
 * A CPU that is not in the catalogue, or not described, is METRIC_GENERIC.
 */
enum metric_family metric_family_detect(const char *procfs, const char *sysfs);

/* The family's metrics in the order they are shown in; previous = NULL gives the first, the last is
 * followed by NULL. Each name comes once. */
const struct metric *metric_next(enum metric_family family, const struct metric *previous);
const struct metric *metric_find(enum metric_family family, const char *name);
const struct metric_event *metric_event_next(enum metric_family family,
					     const struct metric_event *previous);
const struct metric_event *metric_event_find(enum metric_family family, const char *name);
bool metric_is_constant(const char *name);

/*
 * The specs of all instances of the event's PMU, between commas, on the heap: what
 * pmu_events_parse takes. -ENOENT when this machine has no such PMU.
 */
int metric_event_specs(const struct metric_event *event, const char *sysfs, char **ret);

#define METRIC_MAX_NAMES 12
#define METRIC_MAX_OPS 48
#define METRIC_NAME_SIZE 24

/* A formula in postfix order, with each name in it once. */
struct metric_formula {
	struct metric_op {
		char kind; /* '#' constant, 'n' name, '+', '-', '*', '/', 'm' the larger of two */
		uint8_t name;
		double constant;
	} ops[METRIC_MAX_OPS];
	char names[METRIC_MAX_NAMES][METRIC_NAME_SIZE];
	size_t n_ops, n_names;
};

/*
 * Names, decimal numbers, + - * / with their usual precedence, parentheses and max(a, b). -EINVAL
 * for anything else, -E2BIG for more than fits; *ret_at is then where in `text` it went wrong.
 */
int metric_formula_parse(const char *text, struct metric_formula *ret, size_t *ret_at);

/*
 * The value of a name over the interval: of an event its count, scaled for the time it did not run,
 * multiplied by pmu_event.scale, and summed over the CPUs and boxes of the aggregate; of a constant
 * what metric_constants says. False: absent.
 */
typedef bool (*metric_lookup_fn)(const char *name, void *userdata, double *ret);

/*
 * 0; -ENODATA when a name is absent, which *ret_absent (may be NULL) then points to; -EDOM when a
 * denominator is zero or the result is not finite.
 */
int metric_eval(const struct metric_formula *f, metric_lookup_fn lookup, void *userdata,
		double *ret, const char **ret_absent);

/*
 * The constants that belong to the machine and not to an aggregate or interval: smt, width,
 * timer_hz. `sysfs` NULL: /sys. False: not known here, or another constant.
 */
bool metric_machine_constant(enum metric_family family, const char *name, const char *sysfs,
			     double *ret);

const char *metric_unit_name(enum metric_unit unit); /* "B/s"; "" for a ratio */
const char *metric_scope_name(enum metric_scope scope);
/* "12.3 GB/s", "4.5 %", "0.98"; returns out. */
char *metric_format(enum metric_unit unit, double value, char *out, size_t size);

/* One line of `ebpf-profiler metrics`. */
struct metric_listed {
	const struct metric *metric;
	struct metric_formula formula;
	bool available; /* everything the formula names can be had here */
	const struct metric_event *missing; /* the first event that cannot be counted; NULL: none,
					       or what is missing is a constant */
	char *reason; /* why it is not available; NULL: it is, or nothing was tried */
};

/*
 * The family's metrics whose names contain `pattern` (NULL: all). With `try`, each event they need
 * is opened on this machine, whose sysfs is `sysfs` (NULL: /sys).
 */
int metric_list(enum metric_family family, const char *pattern, bool try, const char *sysfs,
		struct metric_listed **ret, size_t *ret_n);
struct metric_listed *metric_listed_free(struct metric_listed *list, size_t n);
