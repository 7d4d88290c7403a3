/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#pragma once
/*
 * Kernel and compiler differences, one accessor each, with the reason.
 */

/*
 * Keeps the compiler from replacing a bounded 64-bit value by an unbounded 32-bit copy of it, which
 * verifiers before 5.7 cannot follow.
 */
