// SPDX-License-Identifier: Apache-2.0
// C++, Rust and D names become readable; others stay; a hostile one costs no more than its length.
#include "symbols_fixture.h"

#include "symbols/symbols.h"

static void names_become_readable(void **state)
{
	static const struct {
		int line;
		const char *name, *expected;
	} cases[] = {
		{ __LINE__, "_ZNSt6vectorIiSaIiEE9push_backERKi",
		  "std::vector<int, std::allocator<int> >::push_back" },
		{ __LINE__, "_ZN3FooC2Ev", "Foo::Foo" },
		{ __LINE__, "_ZN3FoolsERKS_", "Foo::operator<<" },
		{ __LINE__, "_ZN12_GLOBAL__N_13runEv", "(anonymous namespace)::run" },
		{ __LINE__, "_ZZ4mainENKUlvE_clEv", "main::{lambda()#1}::operator()" },
		{ __LINE__, "_ZSt4moveIRiEONSt16remove_referenceIT_E4typeEOS2_",
		  "std::move<int&>" },
		{ __LINE__, "_ZN3fooEv@plt", "foo@plt" },
		{ __LINE__, "memcpy@plt", "memcpy@plt" },
		{ __LINE__, "_ZN4core3fmt5Write9write_fmt17h0123456789abcdefE",
		  "core::fmt::Write::write_fmt" },
		{ __LINE__,
		  "_ZN4core3ptr42drop_in_place$LT$alloc..string..String$GT$17h0123456789abcdefE",
		  "core::ptr::drop_in_place<alloc::string::String>" },
		{ __LINE__, "_ZN3foo17h0123456789abcdefE.llvm.1234567", "foo" },
		{ __LINE__, "_RNvCs4fqI2P2rA04_7mycrate3foo", "mycrate::foo" },
		{ __LINE__, "_RINvNtC3std3mem8align_ofdE", "std::mem::align_of::<f64>" },
		{ __LINE__, "_RNvMs_Cs1_4testNtB4_3Foo3bar", "<test::Foo>::bar" },
		{ __LINE__, "_D3std5stdio7writelnFZv", "std.stdio.writeln()" },
		/* "sp" in identifiers is no expansion, wherever a number before one is surely its
		   length */
		{ __LINE__,
		  "_ZN5clang24TemplateDeclInstantiator18VisitNamespaceDeclEPNS_13NamespaceDeclE",
		  "clang::TemplateDeclInstantiator::VisitNamespaceDecl" },
		{ __LINE__, "_Z8dispatchI3espET_S1_", "dispatch<esp>" },
		{ __LINE__, "_ZL8dispatchv", "dispatch" },
		/* numbers that only look like lengths, over which an expansion would be missed */
		{ __LINE__, "_Z1fIXT_4aN9spT_EEvv", "_Z1fIXT_4aN9spT_EEvv" },
		{ __LINE__, "_Z1fIcEvC9aN9aaaaaaaDTspT_E", "_Z1fIcEvC9aN9aaaaaaaDTspT_E" },
		{ __LINE__, "_ZZ1gvEd9_1fIXspT_EEvv", "_ZZ1gvEd9_1fIXspT_EEvv" },
		/* no such names */
		{ __LINE__, "main", "main" },
		{ __LINE__, "", "" },
		{ __LINE__, "_", "_" },
		{ __LINE__, "_Z", "_Z" },
		{ __LINE__, "_ZN", "_ZN" },
		{ __LINE__, "_R", "_R" },
		{ __LINE__, "_Dmain", "_Dmain" },
		{ __LINE__, "_ZN9999999999999999999999foo", "_ZN9999999999999999999999foo" },
		{ __LINE__, "_Zfoo@plt", "_Zfoo@plt" },
		{ __LINE__, "@plt", "@plt" },
		{ __LINE__, "f\xff\n;`", "f\xff\n;`" },
		{ __LINE__, "i", "i" }, /* a type, not a name */
		{ __LINE__, "bpf_prog_6deef7357e7b4530", "bpf_prog_6deef7357e7b4530" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		char out[256];

		demangle(cases[i].name, out, sizeof(out));
		if (strcmp(out, cases[i].expected) != 0)
			fail_msg("line %d: \"%s\"", cases[i].line, out);
	}
}

static void output_is_cut_to_its_room(void **state)
{
	static const char *const names[] = { "_ZNSt6vectorIiSaIiEE9push_backERKi@plt",
					     "_RINvNtC3std3mem8align_ofdE",
					     "_D3std5stdio7writelnFZv", "plain_name", "_Zbroken" };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		char whole[256];

		demangle(names[i], whole, sizeof(whole));
		for (size_t size = 0; size < sizeof(whole); size++) {
			_cleanup_free_ char *out = malloc(size ? size : 1);

			demangle(names[i], out, size);
			if (size == 0)
				continue;
			assert_int_equal(strlen(out), MIN(size - 1, strlen(whole)));
			assert_memory_equal(out, whole, strlen(out));
		}
	}
}

struct text {
	char data[70000];
	size_t size;
};

static void put(struct text *t, const char *s)
{
	size_t n = strlen(s);

	assert_true(t->size + n < sizeof(t->data));
	memcpy(t->data + t->size, s, n + 1);
	t->size += n;
}

static void repeat(struct text *t, const char *s, int n)
{
	while (n-- > 0)
		put(t, s);
}

static void put_reference(struct text *t, int n)
{
	static const char digits[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ";
	char s[8];

	snprintf(s, sizeof(s), n ? "S%c_" : "S_", n ? digits[n - 1] : 0);
	put(t, s);
}

/* A type of n levels, each of which is a pair of the one below. */
static void put_pairs(struct text *t, int n)
{
	put(t, "1p");
	for (int i = 0; i < n - 1; i++) {
		put(t, "I");
		put_reference(t, 1);
	}
	put(t, "IiiE");
	for (int i = 0; i < n - 1; i++) {
		put_reference(t, 2 + i);
		put(t, "E");
	}
}

static void doubling_pack(struct text *t, int n)
{
	put(t, "_ZN1aCI1");
	put_pairs(t, n);
	put(t, "IDp");
	put_reference(t, n + 1);
	put(t, "EEv");
}

static void doubling_text(struct text *t, int n)
{
	put(t, "_ZN1aI");
	put_pairs(t, n);
	put(t, "EEv");
}

static void doubling_conversion(struct text *t, int n)
{
	put(t, "_Z");
	repeat(t, "cvT_IL_Z", n);
	put(t, "1x");
	repeat(t, "EE", n);
	put(t, "v");
}

static void deep_pointers(struct text *t, int n)
{
	put(t, "_Z1fI");
	repeat(t, "P", n * 50);
	put(t, "iEvv");
}

static void deep_templates(struct text *t, int n)
{
	put(t, "_Z1fI");
	repeat(t, "1aI", n * 50);
	put(t, "i");
	repeat(t, "E", n * 50);
	put(t, "Evv");
}

static void deep_expression(struct text *t, int n)
{
	put(t, "_Z1fIXng");
	repeat(t, "ng", n * 50);
	put(t, "Li0EEEvv");
}

static void endless_binder(struct text *t, int n)
{
	put(t, "_RNvMINtC1a1bFG");
	repeat(t, "z", n);
	put(t, "_EuEu1c");
}

static void many_binders(struct text *t, int n)
{
	put(t, "_RNvMINtC1a1bT");
	repeat(t, "FGzz_Eu", n * 6);
	put(t, "EEu1c");
}

static void doubling_rust(struct text *t, int n)
{
	char s[16];
	int previous = 8, at;

	put(t, "_RINvC1a1bTuuE");
	for (int i = 0; i < n; i++) {
		at = (int)t->size - 2;
		snprintf(s, sizeof(s), "TB%c_B%c_E", 'a' + previous % 26, 'a' + previous % 26);
		put(t, s);
		previous = at;
	}
	put(t, "E");
}

static void deep_rust(struct text *t, int n)
{
	put(t, "_RINvC1a1b");
	repeat(t, "R", n * 50);
	put(t, "uE");
}

static void doubling_d(struct text *t, int n)
{
	put(t, "_D1a");
	put(t, "1bS1aTi");
	for (int i = 0; i < n; i++)
		put(t, "HQeQg");
	put(t, "Zv");
}

static void long_number(struct text *t, int n)
{
	put(t, "_Z");
	repeat(t, "9", n * 50);
}

static void long_name(struct text *t, int n)
{
	char s[32];

	snprintf(s, sizeof(s), "_ZN%d", n * 1000);
	put(t, s);
	repeat(t, "x", n * 1000);
	put(t, "Ev");
}

static void hostile_names_end_soon(void **state)
{
	static const struct {
		int line;
		void (*make)(struct text *t, int n);
	} cases[] = {
		{ __LINE__, doubling_pack },	   { __LINE__, doubling_text },
		{ __LINE__, doubling_conversion }, { __LINE__, deep_pointers },
		{ __LINE__, deep_templates },	   { __LINE__, deep_expression },
		{ __LINE__, endless_binder },	   { __LINE__, many_binders },
		{ __LINE__, doubling_rust },	   { __LINE__, deep_rust },
		{ __LINE__, doubling_d },	   { __LINE__, long_number },
		{ __LINE__, long_name },
	};
	_cleanup_free_ struct text *t = malloc(sizeof(*t));

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		for (int n = 1; n < 34; n += 2) {
			char out[4096];

			t->size = 0;
			cases[i].make(t, n);
			/* Were it not bounded, it would be for hours: the test would time out. */
			demangle(t->data, out, sizeof(out));
			assert_non_null(memchr(out, '\0', sizeof(out)));
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_become_readable),
		cmocka_unit_test(output_is_cut_to_its_room),
		cmocka_unit_test(hostile_names_end_soon),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
