// SPDX-License-Identifier: Apache-2.0
/*
 * libiberty does the work; this file keeps hostile names from making it work for ever, on the main
 * thread. Three kinds of excess are possible within a hundred bytes:
 *
 * - text: parts refer to parts, so that a short name stands for gigabytes. C++ and Rust give their
 *   text piece by piece to a callback, which leaves by longjmp() when the output is full. They hold
 *   no memory then, except Rust's for one identifier in punycode, of the name's own length. D's
 *   demangler returns the whole string, so that its references are counted beforehand.
 * - time without text, in C++: the type of a conversion operator ("cv") is parsed twice at every
 *   level, and a pack expansion ("Dp", "sp", "sZ") looks through all its pattern, references
 *   resolved, for a pack. Of 72,632 names of clang, LLVM and libstdc++ what follows
 *   refuses 80.
 * - time without text, in Rust: the binder of an impl path counts its lifetimes up without printing
 *   them, and the name says how many.
 *
 * What is refused stays as it is in the symbol table.
 */
#include <ctype.h>
#include <libiberty/demangle.h>
#include <setjmp.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#undef ARRAY_SIZE /* libiberty has its own */

#include "symbols/symbols.h"
#include "util/cleanup.h"

#define INPUT_BYTES_MAX 2048
#define CXX_CONVERSIONS_MAX 4 /* 2^4 times the work, and operators between them multiply it */
#define CXX_CONVERSION_BYTES_MAX 256 /* of a name with any: references multiply the work, too */
#define CXX_CONVERSION_LISTS_MAX 8 /* in such a name: each list of arguments doubles it again */
#define CXX_EXPANSIONS_MAX 16
/* k references at each of n / k levels multiply the work by k^(n / k), at most 3^(n / 3). */
#define CXX_REFERENCES_MAX 16 /* when there is an expansion */
#define D_INPUT_BYTES_MAX 256
#define D_REFERENCES_MAX 24
#define RUST_BINDER_DIGITS_MAX 2 /* of base 62 */

struct output {
	char *out;
	size_t size, room;
	jmp_buf full;
};

static void append(const char *text, size_t size, void *userdata)
{
	struct output *o = userdata;
	size_t n = MIN(size, o->room - o->size);

	if (n > 0)
		memcpy(o->out + o->size, text, n);
	o->size += n;
	if (n < size)
		longjmp(o->full, 1);
}

static void copy(const char *text, char *out, size_t out_size)
{
	size_t n = strnlen(text, out_size - 1);

	memcpy(out, text, n);
	out[n] = '\0';
}

typedef int (*demangler)(const char *mangled, int options, demangle_callbackref callback,
			 void *opaque);

/* False: not such a name, or not a sound one. What does not fit is cut off. */
static bool run(demangler f, const char *name, char *out, size_t out_size)
{
	struct output o = { .out = out, .room = out_size - 1 };

	if (setjmp(o.full) == 0) {
		if (!f(name, DMGL_NO_OPTS, append, &o))
			return false;
	}
	o.out[o.size] = '\0';
	return o.size > 0;
}

/* Also counts such letters inside identifiers: the limits leave room for them. */
static size_t count(const char *name, const char *letters)
{
	size_t n = 0;

	for (const char *p = name; (p = strstr(p, letters)); p++)
		n++;
	return n;
}

/* "cv", but not of an identifier that begins so: "N2cv3MatE". */
static size_t count_cxx_conversions(const char *name)
{
	size_t n = 0;

	for (const char *p = name; (p = strstr(p, "cv")); p++)
		n += p == name || !isdigit((unsigned char)p[-1]);
	return n;
}

/* "S_", "S0_", "SZ1_" ... */
static size_t count_cxx_references(const char *name)
{
	size_t n = 0;

	for (const char *p = name; (p = strchr(p, 'S')); p++)
		n += p[1 + strspn(p + 1, "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ")] == '_';
	return n;
}

/* "S_", "S1A_", "St" ..., "T_", "T0_", "C1", "D0": bytes of it, or 0. */
static size_t cxx_token(const char *p)
{
	size_t n;

	if (p[0] == 'S' && p[1] && strchr("tabsiod", p[1]))
		return 2;
	if ((p[0] == 'C' || p[0] == 'D') && isdigit((unsigned char)p[1]))
		return 2;
	if (p[0] == 'S')
		n = 1 + strspn(p + 1, "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ");
	else if (p[0] == 'T')
		n = 1 + strspn(p + 1, "0123456789");
	else
		return 0;
	return p[n] == '_' ? n + 1 : 0;
}

/*
 * Where an expression may begin (X, decltype, noexcept, the bound of an array, a literal), or where
 * a number need not be the length of an identifier: vectors, lambdas, thunks, temporaries,
 * discriminators, default arguments, operators of vendors. "aS1_" is a signed char and a
 * substitution or an assignment and an identifier, "C2" a constructor or the begin of a complex
 * number's type; of "C1E" both have the same length.
 */
static bool is_unclear_cxx(char before, const char *p)
{
	switch (*p) {
	case 'X':
	case 'A':
	case 'L':
	case 'U':
	case 'G':
		return true;
	case 'C':
		return isdigit((unsigned char)p[1]) && (p[1] != '1' || p[2] != 'E');
	case 'D':
		return !p[1] || strchr("tTOvF", p[1]);
	case 'T':
		return !p[1] || strchr("hvcC", p[1]);
	case 'S':
		return before && strchr("alr", before) &&
		       (isdigit((unsigned char)p[1]) || isupper((unsigned char)p[1]));
	default:
		return isdigit((unsigned char)*p) && before && strchr("_vd", before);
	}
}

/*
 * "sp" or "sZ": an expansion in an expression. Identifiers ("8dispatch") are passed over, up to the
 * first place at which what a number means depends on more than its neighbours.
 */
static bool expands_expressions(const char *name)
{
	const char *p = name + strcspn(name, "Z");
	char before = 0;

	p += *p == 'Z';
	p += *p == 'L'; /* internal linkage */
	while (*p && !is_unclear_cxx(before, p)) {
		size_t token = cxx_token(p);
		char *end = (char *)p;
		unsigned long n = 0;

		if (isdigit((unsigned char)*p)) {
			n = strtoul(p, &end, 10);
			if (n == 0 || n > strlen(end))
				break;
			p = end + n;
			before = 'E';
		} else if (token) {
			p += token;
			before = 'E';
		} else {
			before = *p++;
		}
		if (before == 's' && (*p == 'p' || *p == 'Z'))
			return true;
	}
	return strstr(p, "sp") || strstr(p, "sZ");
}

/*
 * Each of the two costs may be borne, their product not. Looking for the pack of an expansion,
 * libiberty 12 runs into parts of expressions and lambdas that hold no pointers, and crashes:
 * expansions are taken where they are plain types only.
 */
static bool is_cheap_cxx(const char *name)
{
	size_t expansions = count(name, "Dp"), conversions = count_cxx_conversions(name);

	if (expands_expressions(name))
		return false;
	if (expansions == 0)
		return conversions == 0 || (conversions <= CXX_CONVERSIONS_MAX &&
					    strlen(name) <= CXX_CONVERSION_BYTES_MAX &&
					    count(name, "I") <= CXX_CONVERSION_LISTS_MAX);
	return conversions == 0 && expansions <= CXX_EXPANSIONS_MAX && !strstr(name, "Ul") &&
	       !strstr(name, "X") && count_cxx_references(name) <= CXX_REFERENCES_MAX;
}

static size_t base_62_digits(const char *p)
{
	size_t n = 0;

	while (isalnum((unsigned char)p[n]))
		n++;
	return p[n] == '_' ? n : 0;
}

/* A binder ("G", base-62 number, "_") follows the "F" of a function type or the "D" of a dyn. */
static bool is_cheap_rust(const char *name)
{
	for (const char *p = name; (p = strchr(p, 'G')); p++)
		if (p > name && (p[-1] == 'F' || p[-1] == 'D') &&
		    base_62_digits(p + 1) > RUST_BINDER_DIGITS_MAX)
			return false;
	return true;
}

static bool run_d(const char *name, char *out, size_t out_size)
{
	_cleanup_free_ char *text = NULL;

	if (count(name, "Q") > D_REFERENCES_MAX || strlen(name) > D_INPUT_BYTES_MAX)
		return false;
	text = dlang_demangle(name, DMGL_NO_OPTS);
	if (!text)
		return false;
	copy(text, out, out_size);
	return true;
}

static bool demangle_whole(const char *name, char *out, size_t out_size)
{
	/* Rust's legacy names are C++ names with a hash at their end. */
	if (strncmp(name, "_Z", 2) == 0 || strncmp(name, "_GLOBAL_", 8) == 0)
		return run(rust_demangle_callback, name, out, out_size) ||
		       (is_cheap_cxx(name) && run(cplus_demangle_v3_callback, name, out, out_size));
	if (strncmp(name, "_R", 2) == 0)
		return is_cheap_rust(name) && run(rust_demangle_callback, name, out, out_size);
	if (strncmp(name, "_D", 2) == 0 && isdigit((unsigned char)name[2]))
		return run_d(name, out, out_size);
	return false;
}

void demangle(const char *name, char *out, size_t out_size)
{
	char plain[INPUT_BYTES_MAX + 1];
	size_t size = strnlen(name, sizeof(plain));
	const char *suffix;

	if (out_size == 0)
		return;
	if (name[0] != '_' || size > INPUT_BYTES_MAX) {
		copy(name, out, out_size);
		return;
	}
	memcpy(plain, name, size + 1);
	suffix = size > 4 && strcmp(name + size - 4, "@plt") == 0 ? "@plt" : "";
	plain[size - strlen(suffix)] = '\0';
	if (!demangle_whole(plain, out, out_size)) {
		copy(name, out, out_size);
		return;
	}
	size = strlen(out);
	copy(suffix, out + size, out_size - size);
}
