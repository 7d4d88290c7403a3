// SPDX-License-Identifier: Apache-2.0
/*
 * Claims: from rows, registers and a stack the unwinder finds the callers that a reader of the rows
 * finds by hand, says why it stopped where it stopped, gives the same stack whether its cache is
 * cold or warm, and knows whether frame pointers would have given it.
 */
#include "tests/unit/unwind_shim.h"

#include <errno.h>
#include <stdio.h>

#define CODE 0x400000ULL /* of the module with rows */
#define JIT 0x500000ULL
#define BARE 0x600000ULL /* of the module without rows */
#define STACK 0x7000ULL
#define NOWHERE 0x900000ULL
#define MAX_WORDS 96

/* Places in the module, by what their rows say. */
enum place {
	GAP = 0x000,
	FRAMELESS = 0x100, /* cfa = sp + 8 */
	PUSHED = 0x200, /* cfa = sp + 24, rbp at cfa - 16 */
	FRAMED = 0x300, /* cfa = rbp + 16, rbp at cfa - 16 */
	PLT = 0x400, /* cfa = sp + 8, or + 16 from the 11th byte on */
	TRAMPOLINE = 0x500, /* a signal frame */
	ROOT = 0x600,
	DEREF = 0x700, /* cfa = *(sp + 8) + 16 */
	EXPRESSION = 0x800, /* unsupported */
	FP_GONE = 0x900, /* cfa = sp + 8, rbp undefined */
	REALIGNED = 0xa00, /* cfa = *(rbp - 8), rbp at *(rbp) */
	ARM_LEAF = 0xb00, /* cfa = sp, ra in lr */
	ARM_PAIR = 0xc00, /* cfa = sp + 16, {fp, lr} at sp */
	ARM_LARGE = 0xd00, /* cfa = sp + 8000, {fp, lr} at sp */
	END_OF_CODE = 0xe00,
	DENSE = 0x1000, /* a row a byte for a page: frameless when even, framed when odd */
	DENSE_END = 0x1100,
};

static const struct unwind_row head[] = {
	{ FRAMELESS, 1, 0, ROW_RULE(ROW_CFA_SP, ROW_FP_SAME, 0) },
	{ PUSHED, 3, -2, ROW_RULE(ROW_CFA_SP, ROW_FP_AT_CFA, 0) },
	{ FRAMED, 2, -2, ROW_RULE(ROW_CFA_FP, ROW_FP_AT_CFA, 0) },
	{ PLT, 11, 0, ROW_RULE(ROW_CFA_PLT, ROW_FP_SAME, 0) },
	{ TRAMPOLINE, 0, 0, ROW_RULE(ROW_SIGNAL, 0, 0) },
	{ ROOT, 0, 0, ROW_RULE(ROW_END, 0, 0) },
	{ DEREF, ROW_DEREF_WORDS(1, 2), 0, ROW_RULE(ROW_CFA_DEREF_SP, ROW_FP_SAME, 0) },
	{ EXPRESSION, ROW_WHY_EXPRESSION, 0, ROW_RULE(ROW_UNSUPPORTED, 0, 0) },
	{ FP_GONE, 1, 0, ROW_RULE(ROW_CFA_SP, ROW_FP_UNDEFINED, 0) },
	{ REALIGNED, ROW_DEREF_WORDS(-1, 0), 0, ROW_RULE(ROW_CFA_DEREF_FP, ROW_FP_AT_BASE, 0) },
	{ ARM_LEAF, 0, 0, ROW_RULE(ROW_CFA_SP, ROW_FP_SAME, ROW_RA_IN_LR) },
	{ ARM_PAIR, 2, -2, ROW_RULE(ROW_CFA_SP, ROW_FP_AT_CFA, 0) },
	{ ARM_LARGE, 1000, 0, ROW_RULE(ROW_CFA_SP, ROW_FP_AT_BASE, 0) },
	{ END_OF_CODE, 0, 0, ROW_RULE(ROW_NONE, 0, 0) },
};

static struct unwind_row rows[512];
static uint32_t n_rows;

static void fill_rows(void)
{
	memcpy(rows, head, sizeof(head));
	n_rows = sizeof(head) / sizeof(head[0]);
	for (uint32_t pc = DENSE; pc < DENSE_END; pc++, n_rows++)
		rows[n_rows] = pc & 1 ? (struct unwind_row){ pc, 2, -2, head[2].rule }
				      : (struct unwind_row){ pc, 1, 0, head[0].rule };
	rows[n_rows++] = (struct unwind_row){ DENSE_END, 0, 0, ROW_RULE(ROW_NONE, 0, 0) };
}

/* A table on the heap, as the store takes it. */
static struct unwind_table *new_table(const struct unwind_row *from, uint32_t n, bool go)
{
	struct unwind_table *t = calloc(1, sizeof(*t));
	struct unwind_summary *summary;

	assert_non_null(t);
	t->block_size = sizeof(*summary) + n * sizeof(*from);
	t->block = calloc(1, t->block_size);
	summary = t->block;
	assert_non_null(summary);
	summary->go = go;
	t->summary = summary;
	memcpy(summary + 1, from, n * sizeof(*from));
	t->rows = (const struct unwind_row *)(summary + 1);
	t->n_rows = n;
	return t;
}

struct fixture {
	struct object_table *objects;
	struct row_store *store;
	struct object *code, *go, *bare;
};

static struct object *new_object(struct fixture *f, const char *path)
{
	struct object_key key = { .kind = OBJECT_FILE, .path = path };

	return object_table_get(f->objects, &key);
}

static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	fill_rows();
	shim_init(1);
	f->objects = object_table_new();
	assert_int_equal(row_store_new(&shim.maps, &f->store), 0);
	f->code = new_object(f, "/code");
	f->go = new_object(f, "/go");
	f->bare = new_object(f, "/bare");
	f->code->rows = new_table(rows, n_rows, false);
	f->go->rows = new_table(rows, 1, true);
	shim.maps.mappings[0] = (struct unwind_mapping){
		.start = CODE,
		.end = CODE + 0x10000,
		.bias = CODE,
		.slot = row_store_slot(f->store, f->code),
	};
	shim.maps.mappings[1] = (struct unwind_mapping){
		.start = JIT, .end = JIT + 0x1000, .bias = 0, .how = UNWIND_BY_FP
	};
	shim.maps.mappings[2] = (struct unwind_mapping){
		.start = BARE,
		.end = BARE + 0x10000,
		.bias = BARE,
		.slot = row_store_slot(f->store, f->bare),
	};
	shim.maps.mappings[3] = (struct unwind_mapping){
		.start = 0x700000,
		.end = 0x800000,
		.bias = 0x700000,
		.slot = row_store_slot(f->store, f->go),
	};
	shim.cpu.n = 4;
	shim.cpu.space = 1;
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	row_store_free(f->store);
	object_unref(f->code);
	object_unref(f->go);
	object_unref(f->bare);
	object_table_free(f->objects);
	free(f);
	shim_done();
	return 0;
}

struct walk_case {
	int line;
	bool arm64;
	uint64_t pc, sp, fp, lr; /* sp and fp in words of the stack */
	uint64_t stack[MAX_WORDS];
	uint64_t expected[16]; /* up to 0 */
	enum stack_status status;
	uint32_t limit;
};

#define AT(place) (CODE + (place))
/* A return address: its row is the one of the byte before. */
#define RET(place) (CODE + (place) + 5)
#define SP(word) (STACK + (word) * 8ULL)

static const struct walk_case cases[] = {
	{ __LINE__, 0, AT(ROOT), 0, 0, 0, { 0 }, { AT(ROOT) }, STACK_COMPLETE, 0 },
	{ __LINE__, 0, AT(FRAMELESS), 0, 0, 0, { RET(ROOT) }, { AT(FRAMELESS), RET(ROOT) },
	  STACK_COMPLETE, 0 },
	/* A call may be the last instruction: what follows has another rule. */
	{ __LINE__, 0, AT(FRAMELESS), 0, 0, 0, { AT(DEREF), }, { AT(FRAMELESS), AT(DEREF) },
	  STACK_COMPLETE, 0 },
	/* rbp goes through three frames and comes back. */
	{ __LINE__, 0, AT(FRAMELESS), 0, 6, 0,
	  { RET(PUSHED), 0, SP(8), RET(FRAMED), 0, 0, 0, 0, SP(12), RET(FRAMELESS), RET(ROOT) },
	  { AT(FRAMELESS), RET(PUSHED), RET(FRAMED), RET(FRAMELESS), RET(ROOT) }, STACK_COMPLETE,
	  0 },
	{ __LINE__, 0, AT(PLT) + 10, 0, 0, 0, { RET(ROOT) }, { AT(PLT) + 10, RET(ROOT) },
	  STACK_COMPLETE, 0 },
	{ __LINE__, 0, AT(PLT) + 11, 0, 0, 0, { 77, RET(ROOT) }, { AT(PLT) + 11, RET(ROOT) },
	  STACK_COMPLETE, 0 },
	{ __LINE__, 0, AT(DEREF), 0, 0, 0, { 0, SP(4), 0, 0, 0, RET(ROOT) },
	  { AT(DEREF), RET(ROOT) }, STACK_COMPLETE, 0 },
	{ __LINE__, 0, AT(REALIGNED), 0, 6, 0,
	  { 0, 0, 0, 0, 0, SP(10), SP(20), 0, 0, RET(FRAMED), 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, SP(40),
	    RET(ROOT) },
	  { AT(REALIGNED), RET(FRAMED), RET(ROOT) }, STACK_COMPLETE, 0 },
	/* rsp + 40 of the ucontext: r8 ... r15, rdi, rsi, rbp (10), rbx, rdx, rax, rcx, rsp, rip. */
	{ __LINE__, 0, AT(FRAMELESS), 0, 0, 0,
	  { [0] = RET(TRAMPOLINE), [1 + 15] = SP(50), [1 + 20] = SP(40), [1 + 21] = AT(FRAMED),
	    [50] = 0, [51] = RET(ROOT) },
	  { AT(FRAMELESS), RET(TRAMPOLINE), AT(FRAMED), RET(ROOT) }, STACK_COMPLETE, 0 },
	/* The first instruction of a function was interrupted: not looked up a byte before. */
	{ __LINE__, 0, AT(FRAMELESS), 0, 0, 0,
	  { [0] = RET(TRAMPOLINE), [1 + 20] = SP(40), [1 + 21] = AT(FRAMELESS), [40] = RET(ROOT) },
	  { AT(FRAMELESS), RET(TRAMPOLINE), AT(FRAMELESS), RET(ROOT) }, STACK_COMPLETE, 0 },
	{ __LINE__, 0, AT(EXPRESSION), 0, 0, 0, { 0 }, { AT(EXPRESSION) }, STACK_UNSUPPORTED, 0 },
	{ __LINE__, 0, AT(FP_GONE), 0, 3, 0, { RET(FRAMED), 0, 0, 0, RET(ROOT) },
	  { AT(FP_GONE), RET(FRAMED) }, STACK_UNSUPPORTED, 0 },
	/* It is not needed, so that its loss does not matter. */
	{ __LINE__, 0, AT(FP_GONE), 0, 3, 0, { RET(FRAMELESS), RET(ROOT) },
	  { AT(FP_GONE), RET(FRAMELESS), RET(ROOT) }, STACK_COMPLETE, 0 },
	{ __LINE__, 0, AT(GAP) + 1, 0, 0, 0, { 0 }, { AT(GAP) + 1 }, STACK_NO_ROWS, 0 },
	{ __LINE__, 0, AT(END_OF_CODE), 0, 0, 0, { 0 }, { AT(END_OF_CODE) }, STACK_NO_ROWS, 0 },
	{ __LINE__, 0, CODE + 0x8000, 0, 0, 0, { 0 }, { CODE + 0x8000 }, STACK_NO_ROWS, 0 },
	{ __LINE__, 0, AT(FRAMELESS), 0, 0, 0, { BARE + 8 }, { AT(FRAMELESS), BARE + 8 },
	  STACK_NO_ROWS, 0 },
	{ __LINE__, 0, AT(FRAMELESS), 0, 0, 0, { NOWHERE }, { AT(FRAMELESS), NOWHERE },
	  STACK_NO_MAPPING, 0 },
	{ __LINE__, 0, AT(FRAMELESS), 0, 0, 0, { 0 }, { AT(FRAMELESS) }, STACK_NO_MAPPING, 0 },
	/* A word that is no address at all. */
	{ __LINE__, 0, AT(FRAMELESS), 0, 0, 0, { ~0ULL }, { AT(FRAMELESS) }, STACK_NO_MAPPING, 0 },
	/* The stack ends. */
	{ __LINE__, 0, AT(FRAMELESS), MAX_WORDS, 0, 0, { 0 }, { AT(FRAMELESS) }, STACK_FAULT, 0 },
	{ __LINE__, 0, AT(FRAMED), 0, MAX_WORDS, 0, { 0 }, { AT(FRAMED) }, STACK_FAULT, 0 },
	{ __LINE__, 0, AT(FRAMELESS), MAX_WORDS - 1, 0, 0, { [MAX_WORDS - 1] = RET(ROOT) },
	  { AT(FRAMELESS), RET(ROOT) }, STACK_COMPLETE, 0 },
	/* A frame that goes back down. */
	{ __LINE__, 0, AT(FRAMED), 8, 2, 0, { 0, 0, 0, RET(ROOT) }, { AT(FRAMED) },
	  STACK_UNSUPPORTED, 0 },
	/* Through code without rows, and back. */
	{ __LINE__, 0, AT(FRAMELESS), 0, 4, 0,
	  { JIT + 16, 0, 0, 0, SP(8), RET(FRAMED), 0, 0, 0, RET(ROOT) },
	  { AT(FRAMELESS), JIT + 16, RET(FRAMED), RET(ROOT) }, STACK_JIT, 0 },
	{ __LINE__, 0, JIT + 4, 0, 4, 0, { 0, 0, 0, 0, 0, JIT + 40 }, { JIT + 4, JIT + 40 },
	  STACK_UNVERIFIED, 0 },
	{ __LINE__, 0, JIT + 4, 8, 4, 0, { 0 }, { JIT + 4 }, STACK_JIT, 0 },
	/* Go's code has no rows and keeps frame pointers. */
	{ __LINE__, 0, 0x700800, 0, 4, 0, { 0, 0, 0, 0, 0, RET(ROOT) }, { 0x700800, RET(ROOT) },
	  STACK_JIT, 0 },
	/* Depth. */
	{ __LINE__, 0, AT(FRAMELESS), 0, 0, 0, { RET(FRAMELESS), RET(FRAMELESS), RET(ROOT) },
	  { AT(FRAMELESS), RET(FRAMELESS) }, STACK_TRUNCATED, 2 },
	{ __LINE__, 0, AT(FRAMELESS), 0, 0, 0, { RET(FRAMELESS), RET(ROOT) },
	  { AT(FRAMELESS), RET(FRAMELESS), RET(ROOT) }, STACK_COMPLETE, 3 },
	/* A page with a row a byte: the search takes all its steps. */
	{ __LINE__, 0, AT(DENSE), 0, 0, 0, { RET(ROOT) }, { AT(DENSE), RET(ROOT) },
	  STACK_COMPLETE, 0 },
	{ __LINE__, 0, AT(DENSE_END - 1), 0, 2, 0, { 0, 0, 0, RET(ROOT) },
	  { AT(DENSE_END - 1), RET(ROOT) }, STACK_COMPLETE, 0 },
	{ __LINE__, 0, AT(DENSE + 129), 0, 2, 0, { 0, 0, 0, RET(ROOT) },
	  { AT(DENSE + 129), RET(ROOT) }, STACK_COMPLETE, 0 },
	{ __LINE__, 0, AT(DENSE_END), 0, 2, 0, { 0 }, { AT(DENSE_END) }, STACK_NO_ROWS, 0 },
	/* arm64: a leaf returns by lr, its callers by what they saved. */
	{ __LINE__, 1, AT(ARM_LEAF), 0, 0, RET(ARM_PAIR), { 0, RET(ROOT) },
	  { AT(ARM_LEAF), RET(ARM_PAIR), RET(ROOT) }, STACK_COMPLETE, 0 },
	{ __LINE__, 1, AT(ARM_PAIR), 0, 0, RET(PLT), { 0, RET(ARM_LEAF) },
	  { AT(ARM_PAIR), RET(ARM_LEAF) }, STACK_UNSUPPORTED, 0 },
	/* Signed return addresses. */
	{ __LINE__, 1, AT(ARM_LEAF), 0, 0, RET(ARM_PAIR) | 0x7fULL << 48,
	  { 0, RET(ROOT) | 0x55ULL << 48 }, { AT(ARM_LEAF), RET(ARM_PAIR), RET(ROOT) },
	  STACK_COMPLETE, 0 },
	{ __LINE__, 1, AT(ARM_LARGE), 0, 0, 0, { SP(3), RET(ROOT) }, { AT(ARM_LARGE), RET(ROOT) },
	  STACK_COMPLETE, 0 },
	/* After a signal frame, lr is the interrupted leaf's again: regs[29] at 312 + 232. */
	{ __LINE__, 1, AT(ARM_LEAF), 0, 0, RET(TRAMPOLINE),
	  { [68] = 0, [69] = RET(ARM_PAIR), [70] = SP(80), [71] = AT(ARM_LEAF), [81] = RET(ROOT) },
	  { AT(ARM_LEAF), RET(TRAMPOLINE), AT(ARM_LEAF), RET(ARM_PAIR), RET(ROOT) },
	  STACK_COMPLETE, 0 },
};

static void check_case(const struct walk_case *c, const char *how)
{
	size_t n = 0;

	shim.memory = c->stack;
	shim.memory_start = STACK;
	shim.memory_size = sizeof(c->stack);
	shim.cpu.arm64 = c->arm64;
	shim.cpu.pc = c->pc;
	shim.cpu.sp = SP(c->sp);
	shim.cpu.fp = SP(c->fp);
	shim.cpu.lr = c->lr;
	shim_walk(c->limit ? c->limit : SAMPLE_MAX_FRAMES, shim.keeps_fp);
	while (n < 16 && c->expected[n])
		n++;
	if (shim.cpu.frames != n || shim.cpu.status != c->status ||
	    memcmp(shim.cpu.pcs, c->expected, n * sizeof(c->expected[0])) != 0) {
		for (size_t i = 0; i < shim.cpu.frames; i++)
			print_message("frame %zu: 0x%llx\n", i, (unsigned long long)shim.cpu.pcs[i]);
		fail_msg("line %d, %s: %u frames, status %u", c->line, how, shim.cpu.frames,
			 shim.cpu.status);
	}
}

static void finds_callers(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		memset(shim.cpu.cache, 0, sizeof(shim.cpu.cache));
		check_case(&cases[i], "cold cache");
		check_case(&cases[i], "warm cache");
	}
}

/* Words: the leaf's return address at 0, then frames {rbp, return address} at 4, 8 and 12. */
#define CHAIN(first, second, third)                                                                \
	{                                                                                          \
		[0] = first, [4] = SP(8), [5] = second, [8] = SP(12), [9] = third, [12] = 0,      \
		[13] = RET(ROOT)                                                                   \
	}

static const struct {
	struct walk_case walk;
	uint32_t flags, flags_by_fp; /* of a walk by rows; of one that may go by frame pointers */
} fp_cases[] = {
	/* Every caller keeps its frame; that the leaf has none does not matter. */
	{ { __LINE__, 0, AT(FRAMELESS), 0, 4, 0, CHAIN(RET(FRAMED), RET(FRAMED), RET(FRAMED)),
	    { AT(FRAMELESS), RET(FRAMED), RET(FRAMED), RET(FRAMED), RET(ROOT) },
	    STACK_COMPLETE, 0 },
	  SAMPLE_FP_SAME, SAMPLE_BY_FP },
	/* The second of the callers has none: it is followed by who called it. A walk by frame
	 * pointers would pass over that one and still end well. */
	{ { __LINE__, 0, AT(FRAMELESS), 0, 4, 0,
	    { [0] = RET(FRAMED), [4] = SP(8), [5] = RET(FRAMELESS), [6] = RET(FRAMED), [8] = 0,
	      [9] = RET(ROOT) },
	    { AT(FRAMELESS), RET(FRAMED), RET(FRAMELESS), RET(FRAMED), RET(ROOT) },
	    STACK_COMPLETE, 0 },
	  SAMPLE_FP_DIFFERS, 0 },
	/* It ends where rows say that there is a caller: not a root, and walked again. */
	{ { __LINE__, 0, AT(FRAMELESS), 0, 4, 0,
	    { [0] = RET(FRAMED), [4] = 0, [5] = RET(FRAMELESS), [6] = RET(ROOT) },
	    { AT(FRAMELESS), RET(FRAMED), RET(FRAMELESS), RET(ROOT) }, STACK_COMPLETE, 0 },
	  SAMPLE_FP_DIFFERS, SAMPLE_FP_DIFFERS },
	/* A register that holds something else: below the stack, odd, outside of it. */
	{ { __LINE__, 0, AT(FRAMELESS), 4, 0, 0, { [4] = RET(PUSHED), [5] = 0, [6] = 0,
						   [7] = RET(ROOT) },
	    { AT(FRAMELESS), RET(PUSHED), RET(ROOT) }, STACK_COMPLETE, 0 },
	  SAMPLE_FP_DIFFERS, SAMPLE_FP_DIFFERS },
	{ { __LINE__, 0, AT(FRAMELESS), 0, MAX_WORDS, 0, { RET(PUSHED), 0, 0, RET(ROOT) },
	    { AT(FRAMELESS), RET(PUSHED), RET(ROOT) }, STACK_COMPLETE, 0 },
	  SAMPLE_FP_DIFFERS, SAMPLE_FP_DIFFERS },
	/* A root with a frame pointer: the walk would go on. */
	{ { __LINE__, 0, AT(FRAMELESS), 0, 4, 0,
	    { [0] = RET(FRAMED), [4] = SP(8), [5] = RET(ROOT), [8] = 0, [9] = RET(FRAMED) },
	    { AT(FRAMELESS), RET(FRAMED), RET(ROOT) }, STACK_COMPLETE, 0 },
	  SAMPLE_FP_DIFFERS, SAMPLE_FP_DIFFERS },
	/* A handler that keeps its frame was entered from a leaf without one; its frame pointer is
	 * that of the leaf's caller. Neither proof nor the contrary, and never passed over. */
	{ { __LINE__, 0, AT(FRAMELESS), 0, 2, 0,
	    { [0] = RET(FRAMED), [2] = SP(80), [3] = RET(TRAMPOLINE), [4 + 15] = SP(80),
	      [4 + 20] = SP(76), [4 + 21] = AT(FRAMELESS), [76] = RET(FRAMED), [80] = 0,
	      [81] = RET(ROOT) },
	    { AT(FRAMELESS), RET(FRAMED), RET(TRAMPOLINE), AT(FRAMELESS), RET(FRAMED),
	      RET(ROOT) },
	    STACK_COMPLETE, 0 },
	  0, 0 },
	/* No caller between the leaf and the root: nothing is learned. */
	{ { __LINE__, 0, AT(FRAMELESS), 0, MAX_WORDS, 0, { RET(JIT - CODE) },
	    { AT(FRAMELESS), RET(JIT - CODE) }, STACK_FAULT, 0 },
	  0, 0 },
	/* Depth. */
	{ { __LINE__, 0, AT(FRAMELESS), 0, 4, 0, CHAIN(RET(FRAMED), RET(FRAMED), RET(FRAMED)),
	    { AT(FRAMELESS), RET(FRAMED), RET(FRAMED) }, STACK_TRUNCATED, 3 },
	  0, SAMPLE_BY_FP },
	/* arm64: the pair lies at the frame pointer, wherever the frame ends. */
	{ { __LINE__, 1, AT(ARM_LEAF), 0, 0, RET(ARM_LARGE), { [0] = 0, [1] = RET(ROOT) },
	    { AT(ARM_LEAF), RET(ARM_LARGE), RET(ROOT) }, STACK_COMPLETE, 0 },
	  SAMPLE_FP_SAME, SAMPLE_BY_FP },
};

static void check_fp_case(const struct walk_case *c, bool keeps_fp, uint32_t flags)
{
	const char *how = keeps_fp ? "by frame pointers" : "by rows";

	shim.cpu.fp_turn = 0;
	shim.keeps_fp = keeps_fp;
	check_case(c, how);
	shim.keeps_fp = false;
	if (unwind_flags(&shim.cpu) != flags)
		fail_msg("line %d, %s: flags 0x%x", c->line, how, unwind_flags(&shim.cpu));
}

static void compares_with_frame_pointers(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(fp_cases) / sizeof(fp_cases[0]); i++)
		check_fp_case(&fp_cases[i].walk, false, fp_cases[i].flags);
}

/* Where a frame is passed over only a look at rows, now and then, can tell. */
static void walks_by_frame_pointers(void **state)
{
	static const uint64_t passed[] = { AT(FRAMELESS), RET(FRAMED), RET(FRAMELESS), RET(ROOT) };
	uint32_t differed = 0;

	(void)state;
	for (size_t i = 0; i < sizeof(fp_cases) / sizeof(fp_cases[0]); i++)
		if (fp_cases[i].walk.line != fp_cases[1].walk.line)
			check_fp_case(&fp_cases[i].walk, true, fp_cases[i].flags_by_fp);
	shim.memory = fp_cases[1].walk.stack;
	for (int i = 0; i < 2 * UNWIND_ROWS_EVERY; i++) {
		shim.cpu.arm64 = 0;
		shim.cpu.pc = AT(FRAMELESS);
		shim.cpu.sp = SP(0);
		shim.cpu.fp = SP(4);
		shim_walk(SAMPLE_MAX_FRAMES, true);
		differed += unwind_flags(&shim.cpu) == SAMPLE_FP_DIFFERS;
		if (unwind_flags(&shim.cpu) == SAMPLE_BY_FP)
			assert_memory_equal(shim.cpu.pcs, passed, sizeof(passed));
	}
	assert_int_equal(differed, 2);
}

/* What one process's cache remembers is another one's only when they share their mappings. */
static void keeps_spaces_apart(void **state)
{
	static const uint64_t stack[] = { RET(ROOT) };

	(void)state;
	shim.memory = stack;
	shim.memory_start = STACK;
	shim.memory_size = sizeof(stack);
	for (uint32_t space = 1; space <= 2; space++) {
		shim.cpu.pc = AT(FRAMELESS);
		shim.cpu.sp = STACK;
		shim.cpu.space = space;
		shim_walk(SAMPLE_MAX_FRAMES, false);
		assert_int_equal(shim.cpu.status, space == 1 ? STACK_COMPLETE : STACK_NO_MAPPING);
		shim.cpu.n = 0;
	}
}

/* Each of many mappings is found, and nothing between them. */
static void finds_each_mapping(void **state)
{
	const uint32_t n = 1000, first = 10;

	(void)state;
	for (uint32_t i = 0; i < n; i++)
		shim.maps.mappings[first + i] = (struct unwind_mapping){
			.start = 0x10000 + i * 0x3000ULL,
			.end = 0x10000 + i * 0x3000ULL + 0x2000,
			.how = UNWIND_BY_FP,
		};
	shim.cpu.first = first;
	for (shim.cpu.n = 1; shim.cpu.n <= n; shim.cpu.n += shim.cpu.n < 140 ? 1 : 333)
		for (uint32_t i = 0; i < shim.cpu.n; i++) {
			uint64_t start = 0x10000 + i * 0x3000ULL;

			assert_int_equal(unwind_find_mapping(&shim.cpu, start), 0);
			assert_int_equal(shim.cpu.start, start);
			assert_int_equal(unwind_find_mapping(&shim.cpu, start + 0x1fff), 0);
			assert_int_equal(unwind_find_mapping(&shim.cpu, start + 0x2000), -1);
			assert_int_equal(unwind_find_mapping(&shim.cpu, start - 1), -1);
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(finds_callers, set_up, tear_down),
		cmocka_unit_test_setup_teardown(compares_with_frame_pointers, set_up, tear_down),
		cmocka_unit_test_setup_teardown(walks_by_frame_pointers, set_up, tear_down),
		cmocka_unit_test_setup_teardown(keeps_spaces_apart, set_up, tear_down),
		cmocka_unit_test_setup_teardown(finds_each_mapping, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
