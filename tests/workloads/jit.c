// SPDX-License-Identifier: Apache-2.0
/*
 * Code that lies in no file, as just-in-time compilers make it, moved by mremap, of which no
 * mapping record tells, and named by /tmp/perf-PID.map.
 *
 *   jit NAME SECONDS    burns in a function called NAME, at an address that every instance shares
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#define CODE ((void *)0x200000000000)
#define CODE_BYTES 4096

#if defined(__x86_64__)
/* A frame, a loop that counts %rdi down, return. */
static const uint8_t code[] = { 0x55, 0x48, 0x89, 0xe5, 0x48, 0xff, 0xcf, 0x75, 0xfb, 0x5d, 0xc3 };
#elif defined(__aarch64__)
/* A frame, a loop that counts x0 down, return. */
static const uint32_t code[] = { 0xa9bf7bfd, 0x910003fd, 0xf1000400,
				 0x54ffffe1, 0xa8c17bfd, 0xd65f03c0 };
#elif defined(__riscv)
/* A frame, a loop that counts a0 down, return. */
static const uint32_t code[] = { 0xff010113, 0x00113423, 0x00813023, 0x01010413, 0xfff50513,
				 0xfe051ee3, 0x00813083, 0x00013403, 0x01010113, 0x00008067 };
#else
#error "no code for this processor"
#endif

static void write_map(const char *name)
{
	char path[64];
	FILE *f;

	snprintf(path, sizeof(path), "/tmp/perf-%d.map", (int)getpid());
	f = fopen(path, "we");
	if (!f ||
	    fprintf(f, "%lx %x %s\n", (unsigned long)CODE, (unsigned int)sizeof(code), name) < 0 ||
	    fclose(f) != 0) {
		perror(path);
		exit(1);
	}
}

/* Executable memory at CODE; NULL on failure. */
static void *make_code(void)
{
	void *memory =
		mmap(NULL, CODE_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (memory == MAP_FAILED)
		return NULL;
	memcpy(memory, code, sizeof(code));
	if (mprotect(memory, CODE_BYTES, PROT_READ | PROT_EXEC) < 0)
		return NULL;
	memory = mremap(memory, CODE_BYTES, CODE_BYTES, MREMAP_MAYMOVE | MREMAP_FIXED, CODE);
	if (memory != CODE)
		return NULL;
	__builtin___clear_cache((char *)memory, (char *)memory + CODE_BYTES);
	return memory;
}

int main(int argc, char **argv)
{
	void *memory = make_code();
	void (*burn)(uint64_t);
	char path[64];
	time_t end;

	if (argc != 3 || !memory) {
		fprintf(stderr, "usage: jit NAME SECONDS\n");
		return 2;
	}
	write_map(argv[1]);
	/* A process without a map is asked for one once a second. */
	clock_nanosleep(CLOCK_MONOTONIC, 0, &(struct timespec){ .tv_sec = 1, .tv_nsec = 500000000 },
			NULL);
	memcpy(&burn, &memory, sizeof(burn));
	end = time(NULL) + atoi(argv[2]);
	while (time(NULL) < end)
		burn(1000000);
	snprintf(path, sizeof(path), "/tmp/perf-%d.map", (int)getpid());
	unlink(path);
	return 0;
}
