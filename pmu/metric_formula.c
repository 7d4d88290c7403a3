// SPDX-License-Identifier: Apache-2.0
/*
 * Formulas: recursive descent into postfix order, and a stack machine on which an unknown value
 * makes the result unknown.
 *
 *   sum     = product { ("+" | "-") product }
 *   product = operand { ("*" | "/") operand }
 *   operand = number | name | "max" "(" sum "," sum ")" | "(" sum ")"
 */
#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <string.h>

#include "pmu/internal.h"
#include "pmu/metric.h"

#define MAX_DEPTH 16 /* of parentheses, and so of what waits on the stack */

struct parser {
	const char *at;
	struct metric_formula *formula;
	unsigned int depth;
};

static void skip_blanks(struct parser *p)
{
	while (*p->at == ' ')
		p->at++;
}

static bool take(struct parser *p, char c)
{
	skip_blanks(p);
	if (*p->at != c)
		return false;
	p->at++;
	return true;
}

static int emit(struct parser *p, char kind, size_t name, double constant)
{
	struct metric_formula *f = p->formula;

	if (f->n_ops == METRIC_MAX_OPS)
		return -E2BIG;
	f->ops[f->n_ops++] = (struct metric_op){
		.kind = kind,
		.name = (uint8_t)name,
		.constant = constant,
	};
	return 0;
}

/* Digits with at most one point; locales have no say in it. */
static int parse_number(struct parser *p)
{
	double value = 0, unit = 1;
	bool fraction = false;

	for (; isdigit((unsigned char)*p->at) || (*p->at == '.' && !fraction); p->at++) {
		if (*p->at == '.') {
			fraction = true;
			continue;
		}
		value = value * 10 + (*p->at - '0');
		if (fraction)
			unit *= 10;
	}
	value /= unit;
	return isfinite(value) ? emit(p, '#', 0, value) : -EINVAL;
}

static int add_name(struct metric_formula *f, const char *name, size_t n, size_t *ret)
{
	if (n >= METRIC_NAME_SIZE)
		return -E2BIG;
	for (size_t i = 0; i < f->n_names; i++)
		if (strncmp(f->names[i], name, n) == 0 && !f->names[i][n]) {
			*ret = i;
			return 0;
		}
	if (f->n_names == METRIC_MAX_NAMES)
		return -E2BIG;
	memcpy(f->names[f->n_names], name, n);
	*ret = f->n_names++;
	return 0;
}

static int parse_sum(struct parser *p);

static int parse_max(struct parser *p)
{
	int r;

	if (!take(p, '('))
		return -EINVAL;
	r = parse_sum(p);
	if (r == 0 && !take(p, ','))
		r = -EINVAL;
	if (r == 0)
		r = parse_sum(p);
	if (r == 0 && !take(p, ')'))
		r = -EINVAL;
	return r < 0 ? r : emit(p, 'm', 0, 0);
}

static int parse_name(struct parser *p)
{
	const char *start = p->at;
	size_t n = strspn(start, "abcdefghijklmnopqrstuvwxyz0123456789_"), name;
	int r;

	p->at += n;
	if (n == 3 && memcmp(start, "max", 3) == 0)
		return parse_max(p);
	r = add_name(p->formula, start, n, &name);
	return r < 0 ? r : emit(p, 'n', name, 0);
}

static int parse_operand(struct parser *p)
{
	int r;

	skip_blanks(p);
	if (isdigit((unsigned char)*p->at))
		return parse_number(p);
	if (*p->at >= 'a' && *p->at <= 'z')
		return parse_name(p);
	if (!take(p, '('))
		return -EINVAL;
	r = parse_sum(p);
	return r < 0 ? r : take(p, ')') ? 0 : -EINVAL;
}

static int parse_product(struct parser *p)
{
	int r = parse_operand(p);

	while (r == 0) {
		char kind = take(p, '*') ? '*' : take(p, '/') ? '/' : 0;

		if (!kind)
			break;
		r = parse_operand(p);
		if (r == 0)
			r = emit(p, kind, 0, 0);
	}
	return r;
}

static int parse_sum(struct parser *p)
{
	int r;

	if (++p->depth > MAX_DEPTH)
		return -E2BIG;
	r = parse_product(p);
	while (r == 0) {
		char kind = take(p, '+') ? '+' : take(p, '-') ? '-' : 0;

		if (!kind)
			break;
		r = parse_product(p);
		if (r == 0)
			r = emit(p, kind, 0, 0);
	}
	p->depth--;
	return r;
}

int metric_formula_parse(const char *text, struct metric_formula *ret, size_t *ret_at)
{
	struct metric_formula f = { 0 };
	struct parser p = { .at = text, .formula = &f };
	int r = parse_sum(&p);

	skip_blanks(&p);
	if (r == 0 && *p.at)
		r = -EINVAL;
	if (r < 0) {
		*ret_at = (size_t)(p.at - text);
		return r;
	}
	*ret = f;
	return 0;
}

static int look_up(const struct metric_formula *f, metric_lookup_fn lookup, void *userdata,
		   double *values, const char **ret_absent)
{
	for (size_t i = 0; i < f->n_names; i++)
		if (!lookup(f->names[i], userdata, &values[i]) || !isfinite(values[i])) {
			if (ret_absent)
				*ret_absent = f->names[i];
			return -ENODATA;
		}
	return 0;
}

static int apply(char kind, double a, double b, double *ret)
{
	switch (kind) {
	case '+':
		*ret = a + b;
		return 0;
	case '-':
		*ret = a - b;
		return 0;
	case '*':
		*ret = a * b;
		return 0;
	case 'm':
		*ret = fmax(a, b);
		return 0;
	default:
		*ret = b != 0 ? a / b : 0;
		return b != 0 ? 0 : -EDOM;
	}
}

int metric_eval(const struct metric_formula *f, metric_lookup_fn lookup, void *userdata,
		double *ret, const char **ret_absent)
{
	double values[METRIC_MAX_NAMES], stack[METRIC_MAX_OPS];
	size_t n = 0;
	int r = look_up(f, lookup, userdata, values, ret_absent);

	for (size_t i = 0; i < f->n_ops && r == 0; i++) {
		const struct metric_op *op = &f->ops[i];

		if (op->kind == '#')
			stack[n++] = op->constant;
		else if (op->kind == 'n')
			stack[n++] = values[op->name];
		else {
			n--;
			r = apply(op->kind, stack[n - 1], stack[n], &stack[n - 1]);
		}
	}
	if (r < 0)
		return r;
	if (!isfinite(stack[0]))
		return -EDOM;
	*ret = stack[0];
	return 0;
}
