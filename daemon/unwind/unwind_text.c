// SPDX-License-Identifier: Apache-2.0
#include "unwind/unwind_text.h"

#include <stdio.h>
#include <string.h>

static const char *const why_names[] = {
	[ROW_WHY_REGISTER] = "register", [ROW_WHY_EXPRESSION] = "expression",
	[ROW_WHY_RETURN] = "return",	 [ROW_WHY_OFFSET] = "offset",
	[ROW_WHY_DAMAGED] = "damaged",
};

struct names {
	const char *sp, *fp;
};

static struct names names_of(uint16_t machine)
{
	return machine == EM_AARCH64 ? (struct names){ "sp", "x29" }
				     : (struct names){ "rsp", "rbp" };
}

/* The register that the CFA is counted from; NULL: none. */
static const char *base_of(const struct names *n, unsigned int kind)
{
	switch (kind) {
	case ROW_CFA_SP:
	case ROW_CFA_DEREF_SP:
		return n->sp;
	case ROW_CFA_FP:
	case ROW_CFA_DEREF_FP:
		return n->fp;
	}
	return NULL;
}

static void put_cfa(const struct unwind_row *row, const char *base, struct unwind_words *w)
{
	unsigned int kind = ROW_CFA(row->rule), why = (unsigned int)row->cfa_words;

	switch (kind) {
	case ROW_CFA_SP:
	case ROW_CFA_FP:
		snprintf(w->cfa, sizeof(w->cfa), "%s%+d", base, row->cfa_words * 8);
		break;
	case ROW_CFA_DEREF_SP:
	case ROW_CFA_DEREF_FP:
		snprintf(w->cfa, sizeof(w->cfa), "*(%s%+d)%+d", base,
			 ROW_DEREF_OFFSET(row->cfa_words), ROW_DEREF_ADD(row->cfa_words));
		break;
	case ROW_CFA_PLT:
		snprintf(w->cfa, sizeof(w->cfa), "plt%+d", row->cfa_words);
		break;
	case ROW_UNSUPPORTED:
		snprintf(w->cfa, sizeof(w->cfa), "unsupported %s",
			 why < ARRAY_SIZE(why_names) && why_names[why] ? why_names[why] : "rule");
		break;
	default:
		snprintf(w->cfa, sizeof(w->cfa), "%s", unwind_kind_name(kind));
	}
}

static void put_fp(const struct unwind_row *row, const char *base, struct unwind_words *w)
{
	switch (ROW_FP(row->rule)) {
	case ROW_FP_SAME:
		snprintf(w->fp, sizeof(w->fp), "same");
		break;
	case ROW_FP_UNDEFINED:
		snprintf(w->fp, sizeof(w->fp), "lost");
		break;
	default:
		snprintf(w->fp, sizeof(w->fp), "%s%+d",
			 ROW_FP(row->rule) == ROW_FP_AT_CFA || !base ? "c" : base,
			 row->fp_words * 8);
	}
}

static void put_ra(uint16_t machine, const struct unwind_row *row, const char *base,
		   struct unwind_words *w)
{
	if (machine != EM_AARCH64)
		snprintf(w->ra, sizeof(w->ra), "c-8");
	else if (ROW_RA(row->rule) == ROW_RA_IN_LR)
		snprintf(w->ra, sizeof(w->ra), "lr");
	else
		snprintf(w->ra, sizeof(w->ra), "%s%+d",
			 ROW_FP(row->rule) == ROW_FP_AT_BASE && base ? base : "c",
			 row->fp_words * 8 + 8);
}

void unwind_text_words(uint16_t machine, const struct unwind_row *row, struct unwind_words *ret)
{
	struct names n = names_of(machine);
	unsigned int kind = ROW_CFA(row->rule);
	const char *base = base_of(&n, kind);
	struct unwind_words w = { 0 };

	put_cfa(row, base ? base : "", &w); /* a rule without a register names none */
	if (base || kind == ROW_CFA_PLT) {
		put_fp(row, base, &w);
		put_ra(machine, row, base, &w);
	}
	*ret = w;
}

void unwind_text_put(struct buffer *b, uint16_t machine, const struct unwind_row *row)
{
	struct unwind_words w;

	unwind_text_words(machine, row, &w);
	buffer_put(b, w.cfa, strlen(w.cfa));
	if (w.fp[0])
		buffer_printf(b, " %s %s", w.fp, w.ra);
}
