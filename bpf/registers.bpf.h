/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#pragma once
/*
 * System calls in the registers of whoever called, on each architecture: one object serves all, the
 * kernel's description of pt_regs tells which one it is. `from` is what the tracepoints sys_enter
 * and sys_exit give, and what the functions of system calls are called with.
 *
 * READ is how a field is reached: REGISTERS_COPY copies it, for programs that were given a mere
 * address; REGISTERS_ACCESS reads it in place, in tp_btf programs.
 */
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

#define REGISTERS_COPY(from, field) BPF_CORE_READ(from, field)
#define REGISTERS_ACCESS(from, field) ((from)->field)

#define REGISTERS_X86(from) ((struct pt_regs___x86 *)(from))
#define REGISTERS_ARM64(from) ((struct pt_regs___arm64 *)(from))
#define REGISTERS_RISCV(from) ((struct pt_regs___riscv *)(from))

#define REGISTERS_CHOOSE(from, READ, x86, arm64, riscv)                                            \
	(bpf_core_field_exists(REGISTERS_X86(from)->orig_ax)                                       \
		 ? (__u64)READ(REGISTERS_X86(from), x86)                                           \
	 : bpf_core_field_exists(REGISTERS_ARM64(from)->syscallno)                                 \
		 ? (__u64)READ(REGISTERS_ARM64(from), arm64)                                       \
	 : bpf_core_field_exists(REGISTERS_RISCV(from)->orig_a0)                                   \
		 ? (__u64)READ(REGISTERS_RISCV(from), riscv)                                       \
		 : 0)

#define CALL_NUMBER(from, READ) ((__u32)REGISTERS_CHOOSE(from, READ, orig_ax, syscallno, a7))

/* The arguments, also where the call returns: the first register may hold the result by then. */
#define CALL_FIRST(from, READ) REGISTERS_CHOOSE(from, READ, di, orig_x0, orig_a0)
#define CALL_SECOND(from, READ) REGISTERS_CHOOSE(from, READ, si, regs[1], a1)
#define CALL_THIRD(from, READ) REGISTERS_CHOOSE(from, READ, dx, regs[2], a2)
#define CALL_FOURTH(from, READ) REGISTERS_CHOOSE(from, READ, r10, regs[3], a3)

/* Of a function, where it returns. */
#define FUNCTION_RESULT(from, READ) REGISTERS_CHOOSE(from, READ, ax, regs[0], a0)
/* Of a function, where it begins. */
#define FUNCTION_FIRST(from, READ) REGISTERS_CHOOSE(from, READ, di, regs[0], a0)

#define REGISTERS_USER32_CS 0x23 /* x86: arch/x86/include/asm/segment.h */
#define REGISTERS_MODE32 0x10 /* arm64: PSR_MODE32_BIT */

/* Calls of 32-bit programs are numbered differently. Those of riscv do not matter. */
#define CALL_IS_32BIT(from, READ)                                                                  \
	(bpf_core_field_exists(REGISTERS_X86(from)->orig_ax)                                       \
		 ? (READ(REGISTERS_X86(from), cs) & 0xffff) == REGISTERS_USER32_CS                 \
	 : bpf_core_field_exists(REGISTERS_ARM64(from)->syscallno)                                 \
		 ? (READ(REGISTERS_ARM64(from), pstate) & REGISTERS_MODE32) != 0                   \
		 : 0)
