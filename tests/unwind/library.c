// SPDX-License-Identifier: Apache-2.0
/* What tests/unwind/places.c loads while it runs. */
int enter(void (*callee)(void));

__attribute__((noinline)) static int deeper(void (*callee)(void), int n)
{
	volatile int kept = n;

	if (n == 0)
		callee();
	return n ? deeper(callee, n - 1) + kept : kept;
}

int enter(void (*callee)(void))
{
	return deeper(callee, 4) + 1;
}
