// SPDX-License-Identifier: Apache-2.0
/*
 * Major page faults without a disk: pages of a file that was never written, whose reading is the
 * file system's work all the same (ramfs; tmpfs calls it minor).
 *
 *   majors FILE USER KERNEL    makes FILE; the first touch of so many pages is by a load, and by
 *                              write(2) out of them
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

static unsigned long page_bytes;

static const volatile char *map_holes(const char *path, unsigned long pages)
{
	int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	void *memory;

	if (fd < 0 || ftruncate(fd, (off_t)(pages * page_bytes)) < 0)
		return NULL;
	memory = mmap(NULL, pages * page_bytes, PROT_READ, MAP_SHARED, fd, 0);
	if (memory == MAP_FAILED || madvise(memory, pages * page_bytes, MADV_RANDOM) < 0)
		return NULL;
	return memory;
}

int main(int argc, char **argv)
{
	unsigned long user, kernel;
	const volatile char *memory;
	int ends[2];
	char byte;

	if (argc != 4) {
		fprintf(stderr, "usage: majors FILE USER KERNEL\n");
		return 2;
	}
	user = strtoul(argv[2], NULL, 10);
	kernel = strtoul(argv[3], NULL, 10);
	page_bytes = (unsigned long)sysconf(_SC_PAGESIZE);
	memory = map_holes(argv[1], user + kernel);
	if (!memory || pipe(ends) < 0) {
		perror("majors");
		return 1;
	}
	for (unsigned long i = 0; i < user; i++)
		(void)memory[i * page_bytes];
	for (unsigned long i = user; i < user + kernel; i++)
		if (write(ends[1], (const void *)(memory + i * page_bytes), 1) != 1 ||
		    read(ends[0], &byte, 1) != 1)
			return 1;
	return 0;
}
