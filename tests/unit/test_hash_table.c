// SPDX-License-Identifier: Apache-2.0
// A hash table holds what was added and not removed, whatever the hashes are.
#include "util/hash_table.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "util/cleanup.h"

#define NODES 2000

struct item {
	struct hash_node node;
	bool added, seen;
};

static unsigned int count(const struct hash_table *t, uint64_t hash)
{
	unsigned int n = 0;

	for (struct hash_node *node = hash_table_first(t, hash); node; node = hash_node_next(node))
		n++;
	return n;
}

static void see(struct hash_node *node, void *userdata)
{
	struct item *item = container_of(node, struct item, node);

	assert_true(item->added);
	assert_false(item->seen);
	item->seen = true;
	if (userdata)
		hash_table_remove(userdata, node);
}

// Every hash has as many nodes as were added with it and not removed, through growth and removal.
static void test_model(void **state)
{
	static struct item items[NODES];
	unsigned int model[64] = { 0 }, random = 1, seen = 0, n = 0;
	struct hash_table t = { 0 };

	(void)state;
	assert_null(hash_table_first(&t, 1));
	for (unsigned int step = 0; step < 20000; step++) {
		struct item *item;

		random = random * 1103515245 + 12345;
		item = &items[random / 65536 % NODES];
		if (item->added) {
			model[item->node.hash % 64]--;
			hash_table_remove(&t, &item->node);
			n--;
		} else {
			uint64_t hash = random / 256 % 64; /* many share one, and a bucket */

			assert_int_equal(hash_table_add(&t, &item->node, hash), 0);
			model[hash]++;
			n++;
		}
		item->added = !item->added;
		assert_int_equal(t.n, n);
		assert_int_equal(count(&t, step % 64), model[step % 64]);
	}
	hash_table_each(&t, see, NULL);
	for (size_t i = 0; i < NODES; i++) {
		seen += items[i].seen;
		items[i].seen = false;
	}
	assert_int_equal(seen, n);
	hash_table_each(&t, see, &t);
	assert_int_equal(t.n, 0);
	hash_table_done(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_model) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
