// SPDX-License-Identifier: Apache-2.0
/*
 * libiberty does the work; this file keeps hostile names from doing theirs. A name of a few dozen
 * bytes can stand for gigabytes of text, because parts may refer to parts. The C++ and Rust
 * demanglers give their text piece by piece to a callback, which leaves by longjmp() when it has
 * enough; they hold no memory then, except Rust's for one identifier in punycode, of the name's own
 * length. D's returns a whole string, so that the number of references is limited beforehand.
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

#define INPUT_BYTES_MAX 4096
#define D_INPUT_BYTES_MAX 1024
/* k references at each of n / k levels multiply the text by k^(n / k), at most 3^8 here. */
#define D_REFERENCES_MAX 24

struct output {
	char *out;
	size_t size, room;
	jmp_buf full;
};

static void append(const char *text, size_t size, void *userdata)
{
	struct output *o = userdata;
	size_t n = MIN(size, o->room - o->size);

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

static bool run_d(const char *name, char *out, size_t out_size)
{
	_cleanup_free_ char *text = NULL;
	size_t references = 0;

	for (const char *p = name; *p; p++)
		references += *p == 'Q';
	if (references > D_REFERENCES_MAX || strlen(name) > D_INPUT_BYTES_MAX)
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
		       run(cplus_demangle_v3_callback, name, out, out_size);
	if (strncmp(name, "_R", 2) == 0)
		return run(rust_demangle_callback, name, out, out_size);
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
