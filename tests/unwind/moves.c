// SPDX-License-Identifier: Apache-2.0
/*
 * Is now here, now there, in code that is hard to unwind from; built without frame pointers by the
 * test that uses it.
 *
 *   moves plt            calls a function of a library through its stub
 *   moves vdso           asks for the time, which the kernel's own code tells
 *   moves jit            runs code that it wrote itself
 *   moves reload A B     loads and unloads two libraries in turn, in the same place
 *
 * Prints "ready" when it has begun.
 */
#include <dlfcn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

static volatile unsigned long turns;

static void begin(void)
{
	puts("ready");
	fflush(stdout);
}

/* The library does not call anybody: its stub is a good part of all there is. */
__attribute__((noinline)) static int through_stubs(void)
{
	begin();
	for (;;)
		turns += (unsigned long)rand() + (unsigned long)strnlen((const char *)&turns, 1);
	return (int)turns;
}

__attribute__((noinline)) static int in_the_vdso(void)
{
	struct timespec t;

	begin();
	for (;;) {
		clock_gettime(CLOCK_MONOTONIC, &t);
		turns += (unsigned long)t.tv_nsec;
	}
	return (int)turns;
}

#if defined(__x86_64__)
/* A frame, a loop that counts %rdi down, return. */
static const uint8_t code[] = { 0x55, 0x48, 0x89, 0xe5, 0x48, 0xff, 0xcf, 0x75, 0xfb, 0x5d, 0xc3 };
#else
static const uint32_t code[] = { 0xa9bf7bfd, 0x910003fd, 0xf1000400,
				 0x54ffffe1, 0xa8c17bfd, 0xd65f03c0 };
#endif

__attribute__((noinline)) static int in_own_code(void)
{
	char *memory = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC,
			    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	void (*run)(unsigned long turns) = (void (*)(unsigned long))memory;

	if (memory == MAP_FAILED)
		return 1;
	memcpy(memory, code, sizeof(code));
	__builtin___clear_cache(memory, memory + sizeof(code));
	begin();
	for (;;) {
		run(1000000);
		turns++;
	}
	return (int)turns;
}

static void spin(void)
{
	for (unsigned int i = 0; i < 20000000; i++)
		turns++;
}

/* What lies where the other one lay is not described by the other one's rows. */
__attribute__((noinline)) static int in_libraries(char **paths)
{
	begin();
	for (unsigned int i = 0;; i++) {
		void *library = dlopen(paths[i & 1], RTLD_NOW);
		int (*inside)(void (*)(void)) =
			library ? (int (*)(void (*)(void)))dlsym(library, "enter") : NULL;

		if (!inside)
			return 1;
		turns += (unsigned long)inside(spin);
		dlclose(library);
	}
	return (int)turns;
}

int main(int argc, char **argv)
{
	const char *name = argc > 1 ? argv[1] : "";
	int r = 1;

	if (strcmp(name, "plt") == 0)
		r = through_stubs();
	else if (strcmp(name, "vdso") == 0)
		r = in_the_vdso();
	else if (strcmp(name, "jit") == 0)
		r = in_own_code();
	else if (strcmp(name, "reload") == 0 && argc > 3)
		r = in_libraries(argv + 2);
	return r + (int)turns;
}
