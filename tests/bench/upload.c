// SPDX-License-Identifier: Apache-2.0
/*
 * Milliseconds of CPU time from a million rows in memory to rows that the BPF unwinder finds.
 *
 * usage: upload [ROWS]
 */
#include <linux/types.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "unwind/row_store.h"
#include "unwind/unwind_table.h"

static double now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t); /* others on this machine are not measured */
	return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

/* Rows as dense as a compiler's: one for 40 bytes of code. */
static struct unwind_table *make_table(uint32_t n)
{
	struct unwind_table *t = calloc(1, sizeof(*t));
	struct unwind_row *rows;

	if (!t)
		return NULL;
	t->block = calloc(1, sizeof(struct unwind_summary) + n * sizeof(*rows));
	if (!t->block)
		return unwind_table_free(t);
	t->summary = t->block;
	rows = (struct unwind_row *)((struct unwind_summary *)t->block + 1);
	for (uint32_t i = 0; i < n; i++)
		rows[i] = (struct unwind_row){ i * 40, (int16_t)(i % 9), 0, ROW_RULE(ROW_CFA_SP, 0, 0) };
	t->rows = rows;
	t->n_rows = n;
	return t;
}

int main(int argc, char **argv)
{
	uint32_t n = argc > 1 ? (uint32_t)strtoul(argv[1], NULL, 10) : 1000000;
	struct object_table *objects = object_table_new();
	struct object_key key = { .kind = OBJECT_FILE, .path = "/program" };
	struct object *o = objects ? object_table_get(objects, &key) : NULL;
	struct unwind_maps *maps;
	struct row_store *store;
	double started;

	if (!o || unwind_maps_open(n * 16ULL, 1, &maps) < 0 || row_store_new(maps, &store) < 0) {
		fprintf(stderr, "upload: no maps\n");
		return 1;
	}
	o->rows = make_table(n);
	started = now_ms();
	row_store_slot(store, o);
	printf("%.2f\n", now_ms() - started);
	n = o->rows_state == INDEX_READY;
	row_store_free(store);
	unwind_maps_close(maps);
	object_unref(o);
	object_table_free(objects);
	return !n;
}
