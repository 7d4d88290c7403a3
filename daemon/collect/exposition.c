// SPDX-License-Identifier: Apache-2.0
#include "collect/exposition.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>

#include "util/json.h"

#define PREFIX "ebpf_profiler_"

/* How a unit is called there, and what one of ours is of one of theirs. */
static const struct unit {
	const char *ours, *theirs;
	double factor;
} units[] = {
	{ "", "", 1 },
	{ "id", "", 1 },
	{ "time", "_timestamp_seconds", 1e-9 },
	{ "ns", "_seconds", 1e-9 },
	{ "us", "_seconds", 1e-6 },
	{ "ms", "_seconds", 1e-3 },
	{ "s", "_seconds", 1 },
	{ "percent", "_ratio", 0.01 },
	{ "hz", "_hertz", 1 },
	{ "khz", "_hertz", 1e3 },
	{ "mhz", "_hertz", 1e6 },
	{ "Mbit/s", "_bytes_per_second", 125000 },
	{ "B/s", "_bytes_per_second", 1 },
	{ "Hz", "_hertz", 1 },
	{ "W", "_watts", 1 },
	{ "J", "_joules", 1 },
	{ "per cycle", "", 1 },
	{ "per 1000 instructions", "_per_1000_instructions", 1 },
};

static struct unit find_unit(const char *unit)
{
	for (size_t i = 0; i < ARRAY_SIZE(units); i++)
		if (strcmp(units[i].ours, unit) == 0)
			return units[i];
	return (struct unit){ .ours = unit, .theirs = NULL, .factor = 1 };
}

static struct unit unit_of(const struct row_column *c)
{
	return find_unit(c->unit ? c->unit : "");
}

static void put_metric_name(struct buffer *out, const struct row_table *t,
			    const struct row_column *c)
{
	struct unit unit = unit_of(c);

	buffer_printf(out, PREFIX "%s_%s", t->name, c->name);
	if (unit.theirs)
		buffer_printf(out, "%s", unit.theirs);
	else
		buffer_printf(out, "_%s", unit.ours);
	if (c->kind == ROW_COUNTER)
		buffer_printf(out, "_total");
}

static void put_help(struct buffer *out, const char *help)
{
	for (; *help; help++)
		if (*help == '\\')
			buffer_printf(out, "\\\\");
		else
			buffer_put_byte(out, (uint8_t)*help);
}

/* What is no UTF-8, and control characters, stand as \xNN; then quotes and backslashes are escaped.
 */
static void put_label_value(struct buffer *out, const char *text, size_t size)
{
	_cleanup_(buffer_donep) struct buffer safe = {};

	text_put_safe(&safe, text, size);
	buffer_put_byte(out, '"');
	for (size_t i = 0; i < safe.size; i++) {
		if (safe.data[i] == '"' || safe.data[i] == '\\')
			buffer_put_byte(out, '\\');
		buffer_put_byte(out, safe.data[i]);
	}
	buffer_put_byte(out, '"');
}

static void put_label(struct buffer *out, const struct row_column *c, const struct row_value *v,
		      bool first)
{
	char number[32];

	buffer_printf(out, "%s%s=", first ? "" : ",", c->name);
	if (c->type == ROW_TEXT) {
		put_label_value(out, v->text.data, v->text.size);
		return;
	}
	if (c->type == ROW_SIGNED)
		snprintf(number, sizeof(number), "%" PRId64, v->i);
	else
		snprintf(number, sizeof(number), "%" PRIu64, v->u);
	buffer_printf(out, "\"%s\"", number);
}

/* "{cpu="0",...", without the closing brace; `words`: texts as well. False: there is none. */
static bool put_labels(struct buffer *out, const struct row *row, bool words)
{
	bool first = true;

	for (size_t i = 0; i < row->table->n_columns; i++) {
		const struct row_column *c = &row->table->columns[i];

		if (!row->values[i].present ||
		    (c->kind != ROW_KEY && !(words && c->kind == ROW_WORDS)))
			continue;
		if (first)
			buffer_put_byte(out, '{');
		put_label(out, c, &row->values[i], first);
		first = false;
	}
	return !first;
}

static bool stands_for_others(const struct row *row)
{
	for (size_t i = 0; i < row->table->n_columns; i++)
		if (row->table->columns[i].kind == ROW_KEY &&
		    row->table->columns[i].type == ROW_SIGNED && row->values[i].present &&
		    row->values[i].i < 0)
			return true;
	return false;
}

static double number_of(const struct row_column *c, const struct row_value *v)
{
	if (c->type == ROW_REAL)
		return v->d;
	return c->type == ROW_SIGNED ? (double)v->i : (double)v->u;
}

static void put_number(struct buffer *out, const struct row_column *c, const struct row_value *v)
{
	double factor = unit_of(c).factor;

	/* Numbers beyond 2^53 stay whole as long as nothing is to be converted. */
	if (factor == 1 && c->type == ROW_UNSIGNED)
		buffer_printf(out, " %" PRIu64 "\n", v->u);
	else
		buffer_printf(out, " %.15g\n", number_of(c, v) * factor);
}

static void put_buckets(struct buffer *out, const struct row *row, size_t column)
{
	const struct row_value *v = &row->values[column];
	const struct row_column *c = &row->table->columns[column];
	double factor = unit_of(c).factor;
	uint64_t sum = 0;

	for (size_t i = 0; i <= v->counts.n; i++) {
		put_metric_name(out, row->table, c);
		buffer_printf(out, "_bucket");
		if (put_labels(out, row, false))
			buffer_put_byte(out, ',');
		else
			buffer_put_byte(out, '{');
		if (i == v->counts.n) {
			buffer_printf(out, "le=\"+Inf\"} %" PRIu64 "\n", sum);
			break;
		}
		sum += v->counts.list[i];
		buffer_printf(out, "le=\"%.9g\"} %" PRIu64 "\n",
			      (double)(1ULL << MIN(i, (size_t)63)) * factor, sum);
	}
	put_metric_name(out, row->table, c);
	buffer_printf(out, "_count");
	if (put_labels(out, row, false))
		buffer_put_byte(out, '}');
	buffer_printf(out, " %" PRIu64 "\n", sum);
}

static void put_sample(struct buffer *out, const struct row *row, size_t column)
{
	const struct row_column *c = &row->table->columns[column];

	if (c->type == ROW_COUNTS) {
		put_buckets(out, row, column);
		return;
	}
	put_metric_name(out, row->table, c);
	if (put_labels(out, row, false))
		buffer_put_byte(out, '}');
	put_number(out, c, &row->values[column]);
}

/* All rows' values of one column, one after the other, as the format wants them. */
static void put_metric(struct buffer *out, const struct row_table *t, size_t column,
		       const struct rows *rows)
{
	const struct row_column *c = &t->columns[column];
	bool first = true;

	if ((c->kind != ROW_GAUGE && c->kind != ROW_COUNTER) || c->type == ROW_TEXT)
		return;
	for (size_t i = 0; i < rows->n; i++) {
		const struct row *row = &rows->list[i];

		if (row->table != t || !row->values[column].present || stands_for_others(row))
			continue;
		if (first) {
			buffer_printf(out, "# HELP ");
			put_metric_name(out, t, c);
			buffer_put_byte(out, ' ');
			put_help(out, c->help ? c->help : t->summary);
			buffer_printf(out, "\n# TYPE ");
			put_metric_name(out, t, c);
			buffer_printf(out, " %s\n",
				      c->type == ROW_COUNTS    ? "histogram"
				      : c->kind == ROW_COUNTER ? "counter"
							       : "gauge");
		}
		first = false;
		put_sample(out, row, column);
	}
}

/* --- tables whose rows are metrics of their own --- */

static size_t find_column(const struct row_table *t, const char *name)
{
	size_t i = 0;

	while (i < t->n_columns && strcmp(t->columns[i].name, name) != 0)
		i++;
	return i;
}

/* What the first column says: letters, digits and '_' as they are, the rest as '_'. */
static void put_own_name(struct buffer *out, const struct row *row)
{
	const struct row_value *name = &row->values[0];
	size_t at = find_column(row->table, "unit");
	_cleanup_free_ char *unit = NULL;
	struct unit u;

	buffer_printf(out, PREFIX "%s_", row->table->name);
	for (size_t i = 0; i < name->text.size; i++)
		buffer_put_byte(out, isalnum((unsigned char)name->text.data[i])
					     ? (uint8_t)name->text.data[i]
					     : '_');
	if (at == row->table->n_columns || !row->values[at].present)
		return;
	unit = strndup(row->values[at].text.data, row->values[at].text.size);
	u = find_unit(unit ? unit : "");
	if (u.theirs)
		buffer_printf(out, "%s", u.theirs);
}

static bool same_text(const struct row_value *a, const struct row_value *b)
{
	return a->present == b->present && a->text.size == b->text.size &&
	       memcmp(a->text.data, b->text.data, a->text.size) == 0;
}

/* The labels but the first, which is the name already. */
static void put_other_labels(struct buffer *out, const struct row *row)
{
	bool first = true;

	for (size_t i = 1; i < row->table->n_columns; i++) {
		if (row->table->columns[i].kind != ROW_KEY || !row->values[i].present)
			continue;
		if (first)
			buffer_put_byte(out, '{');
		put_label(out, &row->table->columns[i], &row->values[i], first);
		first = false;
	}
	if (!first)
		buffer_put_byte(out, '}');
}

/* The rows of one name, beginning with rows->list[from], where it is seen first. */
static void put_one_name(struct buffer *out, const struct rows *rows, size_t from, size_t value)
{
	const struct row *first = &rows->list[from];
	bool headed = false;

	for (size_t i = from; i < rows->n; i++) {
		const struct row *row = &rows->list[i];

		if (row->table != first->table || !same_text(&row->values[0], &first->values[0]) ||
		    !row->values[value].present || stands_for_others(row))
			continue;
		if (!headed) {
			buffer_printf(out, "# HELP ");
			put_own_name(out, row);
			buffer_printf(out, " %s\n# TYPE ", row->table->summary);
			put_own_name(out, row);
			buffer_printf(out, " gauge\n");
		}
		headed = true;
		put_own_name(out, row);
		put_other_labels(out, row);
		put_number(out, &row->table->columns[value], &row->values[value]);
	}
}

static bool seen_before(const struct rows *rows, size_t i)
{
	for (size_t k = 0; k < i; k++)
		if (rows->list[k].table == rows->list[i].table &&
		    same_text(&rows->list[k].values[0], &rows->list[i].values[0]))
			return true;
	return false;
}

static void put_names(struct buffer *out, const struct row_table *t, const struct rows *rows)
{
	size_t value = find_column(t, "value");

	for (size_t i = 0; i < rows->n && value < t->n_columns; i++)
		if (rows->list[i].table == t && !seen_before(rows, i))
			put_one_name(out, rows, i, value);
}

static bool has_words(const struct row_table *t)
{
	for (size_t i = 0; i < t->n_columns; i++)
		if (t->columns[i].kind == ROW_WORDS)
			return true;
	return false;
}

static void put_info(struct buffer *out, const struct row_table *t, const struct rows *rows)
{
	bool first = true;

	for (size_t i = 0; i < rows->n; i++) {
		const struct row *row = &rows->list[i];

		if (row->table != t)
			continue;
		if (first)
			buffer_printf(out,
				      "# HELP " PREFIX "%s_info %s\n# TYPE " PREFIX
				      "%s_info gauge\n",
				      t->name, t->summary, t->name);
		first = false;
		buffer_printf(out, PREFIX "%s_info", t->name);
		if (put_labels(out, row, true))
			buffer_put_byte(out, '}');
		buffer_printf(out, " 1\n");
	}
}

void exposition_put_rows(struct buffer *out, const struct collector *c, const struct rows *rows)
{
	for (size_t i = 0; i < c->n_tables; i++) {
		const struct row_table *t = &c->tables[i];

		if (t->no_metrics)
			continue;
		if (t->by_name) {
			put_names(out, t, rows);
			continue;
		}
		if (c->kind == COLLECTOR_ONCE && has_words(t))
			put_info(out, t, rows);
		for (size_t k = 0; k < t->n_columns; k++)
			put_metric(out, t, k, rows);
	}
}

void exposition_put_head(struct buffer *out, const char *name, const char *type, const char *help)
{
	buffer_printf(out, "# HELP " PREFIX "%s %s\n# TYPE " PREFIX "%s %s\n", name, help, name,
		      type);
}

void exposition_put_value(struct buffer *out, const char *name, const char *label,
			  const char *label_value, double value)
{
	buffer_printf(out, PREFIX "%s", name);
	if (label) {
		buffer_printf(out, "{%s=", label);
		put_label_value(out, label_value, strlen(label_value));
		buffer_put_byte(out, '}');
	}
	buffer_printf(out, " %.15g\n", value);
}
