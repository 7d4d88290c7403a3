// SPDX-License-Identifier: Apache-2.0
#include "unwind/call_check.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/uio.h>

#include <linux/types.h>

#include "bpf/sample.h"
#include "process/procfs.h"
#include "process/process.h"
#include "util/cleanup.h"
#include "util/file.h"

/* ModRM with opcode extension 2: call r/m64. */
static int is_indirect_call(const uint8_t *at)
{
	return at[0] == 0xff && (at[1] >> 3 & 7) == 2;
}

/* The bytes end where the return address is: e8 rel32, or ff /2 with each length of its operand. */
static int x86_call_before(const uint8_t *end)
{
	static const size_t lengths[] = { 2, 3, 4, 6, 7 };

	if (end[-5] == 0xe8)
		return 1;
	for (size_t i = 0; i < ARRAY_SIZE(lengths); i++)
		if (is_indirect_call(end - lengths[i]))
			return 1;
	return 0;
}

/* bl, blr, and blraa and its kin. */
static int arm64_call_before(const uint8_t *end)
{
	uint32_t w;

	memcpy(&w, end - 4, sizeof(w));
	return (w & 0xfc000000) == 0x94000000 || (w & 0xfffffc1f) == 0xd63f0000 ||
	       (w & 0xfefff800) == 0xd63f0800;
}

/* What C libraries and vDSOs have for sa_restorer: the number of rt_sigreturn, a system call. */
static const uint8_t x86_sigreturn[] = { 0x48, 0xc7, 0xc0, 0x0f, 0, 0, 0, 0x0f, 0x05 };
static const uint8_t arm64_sigreturn[] = { 0x68, 0x11, 0x80, 0xd2, 0x01, 0, 0, 0xd4 };

enum call_answer call_site_judge_for(uint16_t machine, const struct call_site *site)
{
	const uint8_t *at = site->bytes + CALL_BYTES_BEFORE;

	if (machine == EM_X86_64 && memcmp(at, x86_sigreturn, sizeof(x86_sigreturn)) == 0)
		return CALL_SIGNAL;
	if (machine == EM_AARCH64 && memcmp(at, arm64_sigreturn, sizeof(arm64_sigreturn)) == 0)
		return CALL_SIGNAL;
	if (machine == EM_X86_64)
		return x86_call_before(at) ? CALL_RIGHT : CALL_WRONG;
	return arm64_call_before(at) ? CALL_RIGHT : CALL_WRONG;
}

enum call_answer call_site_judge(const struct call_site *site)
{
#ifdef __aarch64__
	return call_site_judge_for(EM_AARCH64, site);
#else
	return call_site_judge_for(EM_X86_64, site);
#endif
}

bool call_check(pid_t pid, const uint64_t *pcs, size_t n, enum call_answer *answers)
{
	struct call_site sites[SAMPLE_MAX_FRAMES];
	struct iovec local[SAMPLE_MAX_FRAMES], remote[SAMPLE_MAX_FRAMES];
	ssize_t got;

	n = MIN(n, (size_t)SAMPLE_MAX_FRAMES);
	for (size_t i = 0; i < n; i++) {
		answers[i] = CALL_UNKNOWN;
		local[i] = (struct iovec){ &sites[i], sizeof(sites[i]) };
		remote[i] = (struct iovec){ (void *)(uintptr_t)(pcs[i] - CALL_BYTES_BEFORE),
					    sizeof(sites[i]) };
	}
	if (n < 2)
		return true;
	got = process_vm_readv(pid, local + 1, n - 1, remote + 1, n - 1, 0);
	for (size_t i = 1; i < n && got >= (ssize_t)(i * sizeof(sites[0])); i++)
		answers[i] = call_site_judge(&sites[i]);
	return got >= 0 || errno == EFAULT;
}

/* The same place of the same file. A process in a chroot sees the end of the path that others see. */
static bool is_same(const struct mapping *m, const struct proc_map *now, uint64_t address)
{
	char path[4096];
	size_t whole, end = strlen(m->object->path);

	map_path_decode(now->path, now->path_size, path, sizeof(path));
	whole = strlen(path);
	return now->executable && address - now->start + now->pgoff == address - m->start + m->pgoff &&
	       whole >= end && strcmp(path + whole - end, m->object->path) == 0;
}

static bool still_maps(const struct buffer *maps, const struct mapping *m, uint64_t address)
{
	const char *text = (const char *)maps->data, *end = text ? text + maps->size : NULL;
	struct proc_map now;

	while (text && proc_next_map(&text, end, &now))
		if (address >= now.start && address < now.end)
			return is_same(m, &now, address);
	return false;
}

void call_check_confirm(pid_t pid, const struct mappings *mappings, const uint64_t *pcs, size_t n,
			enum call_answer *answers)
{
	struct buffer maps = {};
	bool read = false;
	char path[32];

	snprintf(path, sizeof(path), "/proc/%d/maps", (int)pid);
	for (size_t i = 1; i < n; i++) {
		const struct mapping *m = mappings_find(mappings, pcs[i] - 1);

		if (answers[i] != CALL_WRONG || !m || m->object->kind != OBJECT_FILE)
			continue;
		if (!read && file_read(AT_FDCWD, path, &maps) < 0)
			buffer_done(&maps);
		read = true;
		if (!still_maps(&maps, m, pcs[i] - 1))
			answers[i] = CALL_UNKNOWN;
	}
	buffer_done(&maps);
}
