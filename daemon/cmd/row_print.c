// SPDX-License-Identifier: Apache-2.0
#include "cmd/row_print.h"

#include <inttypes.h>
#include <time.h>

#include "util/json.h"
#include "util/parse.h"

bool row_format_parse(const char *name, enum row_format *ret)
{
	static const char *const names[] = {
		[ROW_FORMAT_TEXT] = "text",
		[ROW_FORMAT_JSON] = "json",
		[ROW_FORMAT_CSV] = "csv",
	};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (strcmp(name, names[i]) == 0) {
			*ret = (enum row_format)i;
			return true;
		}
	return false;
}

/* RFC 3339 in UTC for programs, the time of day for people. */
static void put_time(struct buffer *out, uint64_t realtime_ns, bool utc)
{
	time_t seconds = (time_t)(realtime_ns / NSEC_PER_SEC);
	unsigned int us = (unsigned int)(realtime_ns % NSEC_PER_SEC / 1000);
	char text[64];
	struct tm tm;

	if (utc)
		gmtime_r(&seconds, &tm);
	else
		localtime_r(&seconds, &tm);
	strftime(text, sizeof(text), utc ? "%Y-%m-%dT%H:%M:%S" : "%H:%M:%S", &tm);
	buffer_printf(out, "%s.%06u%s", text, us, utc ? "Z" : "");
}

/* --- text --- */

static void put_counts(struct buffer *out, const struct row_value *v)
{
	for (size_t i = 0; i < v->counts.n; i++)
		buffer_printf(out, "%s%" PRIu64, i ? "," : "", v->counts.list[i]);
}

static void put_number(struct buffer *out, enum row_type type, const struct row_value *v)
{
	if (type == ROW_UNSIGNED)
		buffer_printf(out, "%" PRIu64, v->u);
	else if (type == ROW_SIGNED)
		buffer_printf(out, "%" PRId64, v->i);
	else
		buffer_printf(out, "%.7g", v->d);
}

static bool needs_quotes(struct record_bytes text)
{
	for (size_t i = 0; i < text.size; i++)
		if ((unsigned char)text.data[i] <= ' ' || strchr("\"=\\", text.data[i]))
			return true;
	return text.size == 0;
}

static void put_text(struct buffer *out, struct record_bytes text)
{
	if (!needs_quotes(text))
		text_put_safe(out, text.data, text.size);
	else
		json_put_quoted(out, text.data, text.size);
}

void row_print_value(struct buffer *out, const struct row_column *column,
		     const struct row_value *value)
{
	const char *unit = column->unit ? column->unit : "";

	if (!value->present)
		return;
	if (column->type == ROW_TEXT) {
		put_text(out, value->text);
		return;
	}
	if (column->type == ROW_COUNTS) {
		put_counts(out, value);
	} else if (column->type == ROW_UNSIGNED && strcmp(unit, "time") == 0) {
		put_time(out, value->u, true);
		return;
	} else if (column->type == ROW_UNSIGNED && strcmp(unit, "ns") == 0) {
		buffer_printf(out, "%.9gs", (double)value->u / 1e9);
		return;
	} else {
		put_number(out, column->type, value);
	}
	if (strcmp(unit, "percent") == 0)
		buffer_put_byte(out, '%');
	else if (strcmp(unit, "id") != 0)
		buffer_put(out, unit, strlen(unit));
}

static void print_text(struct buffer *out, const struct row *row, uint64_t realtime_ns)
{
	put_time(out, realtime_ns, false);
	buffer_put_byte(out, ' ');
	text_put_safe(out, row->table->name, strlen(row->table->name));
	for (size_t i = 0; i < row->table->n_columns; i++) {
		const struct row_column *c = &row->table->columns[i];

		if (!row->values[i].present)
			continue;
		buffer_put_byte(out, ' ');
		text_put_safe(out, c->name, strlen(c->name));
		buffer_put_byte(out, '=');
		row_print_value(out, c, &row->values[i]);
	}
	buffer_put_byte(out, '\n');
}

/* --- JSON --- */

static void json_value(struct json *j, const struct row_column *c, const struct row_value *v)
{
	switch (c->type) {
	case ROW_UNSIGNED:
		json_uint(j, c->name, v->u);
		break;
	case ROW_SIGNED:
		json_int(j, c->name, v->i);
		break;
	case ROW_REAL:
		json_double(j, c->name, v->d);
		break;
	case ROW_TEXT:
		json_string_n(j, c->name, v->text.data, v->text.size);
		break;
	case ROW_COUNTS:
		json_open_array(j, c->name);
		for (size_t i = 0; i < v->counts.n; i++)
			json_uint(j, NULL, v->counts.list[i]);
		json_close_array(j);
		break;
	}
}

static void print_json(struct buffer *out, const struct row *row, uint64_t realtime_ns)
{
	_cleanup_(buffer_donep) struct buffer time = {};
	struct json j;

	put_time(&time, realtime_ns, true);
	json_init(&j, out, false);
	json_open_object(&j, NULL);
	json_string_n(&j, "time", (const char *)time.data, time.size);
	json_uint(&j, "monotonic_ns", row->time_ns);
	json_string(&j, "collector", row->table->collector);
	json_string(&j, "table", row->table->name);
	for (size_t i = 0; i < row->table->n_columns; i++)
		if (row->values[i].present)
			json_value(&j, &row->table->columns[i], &row->values[i]);
	json_close_object(&j);
}

/* --- CSV: RFC 4180 --- */

static void put_csv(struct buffer *out, const char *text, size_t size)
{
	_cleanup_(buffer_donep) struct buffer safe = {};

	text_put_safe(&safe, text, size);
	if (safe.size && !memchr(safe.data, '"', safe.size) && !memchr(safe.data, ',', safe.size)) {
		buffer_put(out, safe.data, safe.size);
		return;
	}
	buffer_put_byte(out, '"');
	for (size_t i = 0; i < safe.size; i++) {
		if (safe.data[i] == '"')
			buffer_put_byte(out, '"');
		buffer_put_byte(out, safe.data[i]);
	}
	buffer_put_byte(out, '"');
}

static void csv_value(struct buffer *out, const struct row_column *c, const struct row_value *v)
{
	if (!v->present)
		return;
	if (c->type == ROW_TEXT) {
		put_csv(out, v->text.data, v->text.size);
	} else if (c->type == ROW_COUNTS) {
		buffer_put_byte(out, '"');
		put_counts(out, v);
		buffer_put_byte(out, '"');
	} else {
		put_number(out, c->type, v);
	}
}

static void print_csv(struct buffer *out, const struct row *row, uint64_t realtime_ns)
{
	put_time(out, realtime_ns, true);
	for (size_t i = 0; i < row->table->n_columns; i++) {
		buffer_put_byte(out, ',');
		csv_value(out, &row->table->columns[i], &row->values[i]);
	}
	buffer_put_byte(out, '\n');
}

void row_print_header(struct buffer *out, const struct row_table *table)
{
	buffer_printf(out, "time");
	for (size_t i = 0; i < table->n_columns; i++) {
		buffer_put_byte(out, ',');
		put_csv(out, table->columns[i].name, strlen(table->columns[i].name));
	}
	buffer_put_byte(out, '\n');
}

void row_print(struct buffer *out, enum row_format format, const struct row *row,
	       uint64_t realtime_ns)
{
	if (format == ROW_FORMAT_JSON)
		print_json(out, row, realtime_ns);
	else if (format == ROW_FORMAT_CSV)
		print_csv(out, row, realtime_ns);
	else
		print_text(out, row, realtime_ns);
}
