/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * What became of user stacks, as rows of two tables: "unwind", of the host, and "unwind_binaries",
 * of each binary that was observed.
 */
#include <stdint.h>

#include "store/row.h"
#include "unwind/unwinder.h"

#define UNWIND_COLLECTOR "unwind"
#define UNWIND_BINARIES_TABLE "unwind_binaries"

/* As it was at the last report; all 0 at first. */
struct unwind_report {
	struct unwinder_status last;
};

/* What happened since the last report. */
void unwind_report(struct unwind_report *r, struct unwinder *u, uint64_t time_ns,
		   void (*put)(const struct row *row, void *userdata), void *userdata);
