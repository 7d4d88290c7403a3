// SPDX-License-Identifier: Apache-2.0
#include "unwind/unwind_report.h"

#include <string.h>

#include "symbols/build_id.h"
#include "symbols/object.h"

/* --- the host --- */

enum host_column {
	STACKS,
	COMPLETE,
	TRUNCATED,
	FAULT,
	UNVERIFIED,
	NO_MAPPING,
	NO_ROWS,
	UNSUPPORTED,
	JIT,
	EARLY,
	BY_FP,
	PROCESSES,
	PROCESSES_BY_FP,
	FP_REVOKED,
	TABLES,
	ROWS_BYTES,
	EVICTED,
	REFUSED,
	CALLS_CHECKED,
	CALLS_RIGHT,
	BRANCH_STACKS,
	BRANCHES_CHECKED,
	BRANCHES_RIGHT,
	N_HOST_COLUMNS
};

#define CHANGE(name, what) { name, "", ROW_RATE, ROW_UNSIGNED, .help = what }
#define NOW(name, unit, what) { name, unit, ROW_GAUGE, ROW_UNSIGNED, .help = what }

static const struct row_column host_columns[N_HOST_COLUMNS] = {
	[STACKS] = CHANGE("stacks", "user stacks"),
	[COMPLETE] = CHANGE("complete", "of them, walked to a root"),
	[TRUNCATED] = CHANGE("truncated", "deeper than stack-depth"),
	[FAULT] = CHANGE("fault", "memory could not be read"),
	[UNVERIFIED] = CHANGE("unverified", "by frame pointers to where no root is known"),
	[NO_MAPPING] = CHANGE("no_mapping", "ended outside every mapping"),
	[NO_ROWS] = CHANGE("no_rows", "ended in code without rows"),
	[UNSUPPORTED] = CHANGE("unsupported", "ended at a rule that rows cannot express"),
	[JIT] = CHANGE("jit", "through code without rows, by its frame pointers"),
	[EARLY] = CHANGE("early", "taken before the rows of their code were there"),
	[BY_FP] = CHANGE("by_fp", "callers found by frame pointers that had proved to be right"),
	[PROCESSES] = NOW("processes", "", "processes that can be unwound"),
	[PROCESSES_BY_FP] = NOW("processes_by_fp", "", "of them, those walked by frame pointers"),
	[FP_REVOKED] = CHANGE("fp_revoked", "processes that went back to rows: a stack differed"),
	[TABLES] = NOW("tables", "", "binaries whose rows are there"),
	[ROWS_BYTES] = NOW("rows_bytes", "bytes", "memory their rows take"),
	[EVICTED] = CHANGE("evicted", "binaries whose rows had to make room"),
	[REFUSED] = CHANGE("refused", "binaries or processes for which there was no room"),
	[CALLS_CHECKED] = CHANGE("calls_checked", "return addresses that were checked"),
	[CALLS_RIGHT] = CHANGE("calls_right", "of them, follow a call"),
	[BRANCH_STACKS] = CHANGE("branch_stacks", "stacks taken to be compared with LBRs"),
	[BRANCHES_CHECKED] = CHANGE("branches_checked", "callers in them that were compared"),
	[BRANCHES_RIGHT] = CHANGE("branches_right", "of them, are the same there"),
};

static const struct row_table host_table = {
	.name = "unwind",
	.collector = UNWIND_COLLECTOR,
	.summary = "What became of user stacks",
	.columns = host_columns,
	.n_columns = N_HOST_COLUMNS,
	.no_metrics = true,
};

static struct row_value number(uint64_t n)
{
	return (struct row_value){ .present = true, .u = n };
}

static void put_host(const struct unwinder_status *now, const struct unwinder_status *last,
		     uint64_t time_ns, void (*put)(const struct row *row, void *userdata),
		     void *userdata)
{
	struct row_value v[N_HOST_COLUMNS] = {
		[BY_FP] = number(now->stacks_by_fp - last->stacks_by_fp),
		[PROCESSES] = number(now->processes),
		[PROCESSES_BY_FP] = number(now->processes_by_fp),
		[FP_REVOKED] = number(now->fp_revoked - last->fp_revoked),
		[TABLES] = number(now->tables),
		[ROWS_BYTES] = number(now->rows_bytes),
		[EVICTED] = number(now->evicted - last->evicted),
		[REFUSED] = number(now->refused - last->refused),
		[CALLS_CHECKED] = number(now->calls_checked - last->calls_checked),
		[CALLS_RIGHT] = number(now->calls_right - last->calls_right),
		[BRANCH_STACKS] = number(now->branch_stacks - last->branch_stacks),
		[BRANCHES_CHECKED] = number(now->branches_checked - last->branches_checked),
		[BRANCHES_RIGHT] = number(now->branches_right - last->branches_right),
	};
	uint64_t all = 0;

	/* The columns are in the order of the statuses. */
	for (unsigned int i = STACK_COMPLETE; i < STACK_STATUS_MAX; i++) {
		uint64_t n = now->stacks[i] - last->stacks[i];

		v[COMPLETE + i - STACK_COMPLETE] = number(n);
		all += n;
	}
	v[STACKS] = number(all);
	put(&(struct row){ &host_table, time_ns, v }, userdata);
}

/* --- binaries --- */

enum binary_column { BINARY, BUILD_ID, CHECKED, RIGHT, CONFIDENCE, STOPS, N_BINARY_COLUMNS };

static const struct row_column binary_columns[N_BINARY_COLUMNS] = {
	[BINARY] = { "binary", "", ROW_KEY, ROW_TEXT, .help = "path of the file" },
	[BUILD_ID] = { "build_id", "", ROW_KEY, ROW_TEXT, .help = "in hexadecimal" },
	[CHECKED] = CHANGE("checked", "return addresses, found by its rows, that were checked"),
	[RIGHT] = CHANGE("right", "of them, were right"),
	[CONFIDENCE] = { "confidence", "percent", ROW_GAUGE, ROW_REAL,
			 .help = "the share of right ones" },
	[STOPS] = CHANGE("stops", "stacks that ended in it without reaching their root"),
};

static const struct row_table binary_table = {
	.name = UNWIND_BINARIES_TABLE,
	.collector = UNWIND_COLLECTOR,
	.summary = "What the rows of each binary led to",
	.columns = binary_columns,
	.n_columns = N_BINARY_COLUMNS,
	.no_metrics = true,
};

struct binaries {
	uint64_t time_ns;
	void (*put)(const struct row *row, void *userdata);
	void *userdata;
};

static void put_binary(struct object *o, void *userdata)
{
	struct build_id id = { .size = o->build_id_size };
	char hex[2 * BUILD_ID_MAX + 1] = "";
	struct binaries *b = userdata;
	struct row_value v[N_BINARY_COLUMNS] = {
		[BINARY] = { .present = true, .text = record_string(o->path) },
		[CHECKED] = number(o->calls_checked),
		[RIGHT] = number(o->calls_right),
		[STOPS] = number(o->stops),
	};

	if (!o->calls_checked && !o->stops)
		return;
	memcpy(id.bytes, o->build_id, o->build_id_size);
	build_id_format(&id, hex);
	v[BUILD_ID] = (struct row_value){ .present = *hex, .text = record_string(hex) };
	if (o->calls_checked)
		v[CONFIDENCE] = (struct row_value){
			.present = true,
			.d = 100.0 * (double)o->calls_right / (double)o->calls_checked,
		};
	b->put(&(struct row){ &binary_table, b->time_ns, v }, b->userdata);
	o->calls_checked = o->calls_right = o->stops = 0;
}

void unwind_report(struct unwind_report *r, struct unwinder *u, uint64_t time_ns,
		   void (*put)(const struct row *row, void *userdata), void *userdata)
{
	struct binaries binaries = { time_ns, put, userdata };
	struct unwinder_status now;

	unwinder_get_status(u, &now);
	put_host(&now, &r->last, time_ns, put, userdata);
	unwinder_each_binary(u, put_binary, &binaries);
	r->last = now;
}
