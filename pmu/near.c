// SPDX-License-Identifier: Apache-2.0
/*
 * The nearest names to one that nobody knows: few edits away, or made of the same words
 * ("llc-misses" and "LLC-load-misses").
 */
#include <ctype.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "pmu/internal.h"

#define MAX_NAME 100
#define MAX_NEAR 5

struct near {
	const char *name;
	size_t length;
	struct {
		char *name;
		unsigned int distance;
	} best[MAX_NEAR];
	size_t n;
};

static unsigned int min3(unsigned int a, unsigned int b, unsigned int c)
{
	unsigned int m = a < b ? a : b;

	return m < c ? m : c;
}

/* Optimal string alignment: insertions, deletions, replacements, and swaps of neighbours. */
static unsigned int edit_distance(const char *a, size_t na, const char *b, size_t nb)
{
	unsigned int rows[3][MAX_NAME + 1], *before = rows[0], *last = rows[1], *row = rows[2];

	for (size_t j = 0; j <= nb; j++)
		last[j] = (unsigned int)j;
	for (size_t i = 1; i <= na; i++) {
		unsigned int *spare = before;

		row[0] = (unsigned int)i;
		for (size_t j = 1; j <= nb; j++) {
			int x = tolower((unsigned char)a[i - 1]),
			    y = tolower((unsigned char)b[j - 1]);

			row[j] = min3(row[j - 1] + 1, last[j] + 1, last[j - 1] + (x != y));
			if (i > 1 && j > 1 && tolower((unsigned char)a[i - 2]) == y &&
			    tolower((unsigned char)b[j - 2]) == x && before[j - 2] + 1 < row[j])
				row[j] = before[j - 2] + 1;
		}
		before = last;
		last = row;
		row = spare;
	}
	return last[nb];
}

/* There are words in `name`, and every one stands somewhere in `in`. */
static bool has_words(const char *name, const char *in)
{
	bool any = false;

	while (*name) {
		char word[MAX_NAME + 1];
		size_t n = 0;

		while (isalnum((unsigned char)name[n])) {
			word[n] = name[n];
			n++;
		}
		word[n] = 0;
		if (n && !strcasestr(in, word))
			return false;
		any |= n > 0;
		name += n ? n : 1;
	}
	return any;
}

static void remember(struct near *near, const char *name, unsigned int distance)
{
	size_t at = near->n;
	char *copy;

	while (at > 0 && near->best[at - 1].distance > distance)
		at--;
	if (at == MAX_NEAR)
		return;
	copy = strdup(name);
	if (!copy)
		return;
	if (near->n == MAX_NEAR)
		free(near->best[--near->n].name);
	memmove(&near->best[at + 1], &near->best[at], (near->n - at) * sizeof(near->best[0]));
	near->best[at].name = copy;
	near->best[at].distance = distance;
	near->n++;
}

/* Smaller is nearer; UINT_MAX: not near. The same words rank behind a plain slip of the fingers. */
static unsigned int rank(const struct near *near, const char *name)
{
	unsigned int limit = near->length > 8 ? (unsigned int)near->length / 3 : 2;
	unsigned int distance = edit_distance(near->name, near->length, name, strlen(name));

	if (distance <= limit)
		return distance;
	if (near->length > 2 && has_words(near->name, name))
		return limit + distance;
	return UINT_MAX;
}

static int consider(const struct pmu_known *known, void *userdata)
{
	struct near *near = userdata;
	unsigned int distance;

	if (strlen(known->name) > MAX_NAME)
		return 0;
	distance = rank(near, known->name);
	if (distance != UINT_MAX)
		remember(near, known->name, distance);
	return 0;
}

char *pmu_near_names(const char *name, const char *sysfs)
{
	struct near near = { .name = name, .length = strlen(name) };
	char *text = NULL;

	if (!sysfs)
		sysfs = "/sys";
	if (near.length == 0 || near.length > MAX_NAME)
		return NULL;
	catalog_each(consider, &near);
	pfm_each(consider, &near);
	sysfs_each(sysfs, consider, &near);
	for (size_t i = 0; i < near.n; i++) {
		char *longer = NULL;

		if (asprintf(&longer, "%s%s%s", text ? text : "", text ? ", " : "",
			     near.best[i].name) < 0)
			longer = NULL;
		free(text);
		text = longer;
		free(near.best[i].name);
	}
	return text;
}
