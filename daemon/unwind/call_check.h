/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Do the return addresses of a stack follow calls? A wrong rule gives some other word of the stack,
 * and few words of a stack are addresses behind a call that are not really callers.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define CALL_BYTES_BEFORE 8
#define CALL_BYTES_AFTER 16

/* Around an address: the bytes before it, and those from it on. */
struct call_site {
	uint8_t bytes[CALL_BYTES_BEFORE + CALL_BYTES_AFTER];
};

enum call_answer {
	CALL_UNKNOWN, /* the memory could not be read */
	CALL_RIGHT, /* behind a call */
	CALL_WRONG,
	CALL_SIGNAL, /* the return from a signal handler: nobody called it, nor did its caller call */
};

/* Machine code of this architecture, or of `machine` (EM_X86_64, EM_AARCH64) for tests. */
enum call_answer call_site_judge(const struct call_site *site);
enum call_answer call_site_judge_for(uint16_t machine, const struct call_site *site);

/*
 * The addresses of a stack, leaf first; answers[i] is about the return address pcs[i], of which
 * answers[0] is none. Reads the code of a live process with one system call; CALL_UNKNOWN from
 * where that failed. False: the process is gone.
 */
bool call_check(pid_t pid, const uint64_t *pcs, size_t n, enum call_answer *answers);
/*
 * What was read is what lay there then, which may be another program or library than when the stack was
 * taken, from `mappings`. After call_check(): an answer CALL_WRONG about code of a file that the process
 * does not map any more becomes CALL_UNKNOWN.
 */
struct mappings;
void call_check_confirm(pid_t pid, const struct mappings *mappings, const uint64_t *pcs, size_t n,
			enum call_answer *answers);
