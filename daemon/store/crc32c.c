// SPDX-License-Identifier: Apache-2.0
/*
 * SSE4.2 and ARMv8 have an instruction for CRC32C: some 8 GB/s. The portable way takes four bits at
 * a time from a table of sixteen, which is slow, but still far faster than zstd fills segments.
 */
#include "store/crc32c.h"

#include <string.h>
#if defined(__aarch64__)
#include <sys/auxv.h>
#ifndef HWCAP_CRC32
#define HWCAP_CRC32 (1 << 7)
#endif
#endif

uint32_t crc32c_portable(uint32_t crc, const void *data, size_t size)
{
	static const uint32_t table[16] = {
		0x00000000, 0x105ec76f, 0x20bd8ede, 0x30e349b1, 0x417b1dbc, 0x5125dad3,
		0x61c69362, 0x7198540d, 0x82f63b78, 0x92a8fc17, 0xa24bb5a6, 0xb21572c9,
		0xc38d26c4, 0xd3d3e1ab, 0xe330a81a, 0xf36e6f75,
	};
	const uint8_t *p = data;

	crc = ~crc;
	for (size_t i = 0; i < size; i++) {
		crc ^= p[i];
		crc = (crc >> 4) ^ table[crc & 15];
		crc = (crc >> 4) ^ table[crc & 15];
	}
	return ~crc;
}

#if defined(__x86_64__)
#define HAVE_INSTRUCTION __builtin_cpu_supports("sse4.2")
#define INSTRUCTION_TARGET __attribute__((target("sse4.2")))
#define CRC_8_BYTES(crc, value) ((uint32_t)__builtin_ia32_crc32di(crc, value))
#define CRC_BYTE(crc, value) __builtin_ia32_crc32qi(crc, value)
#elif defined(__aarch64__)
#define HAVE_INSTRUCTION (getauxval(AT_HWCAP) & HWCAP_CRC32)
#define INSTRUCTION_TARGET
#define CRC_8_BYTES(crc, value) arm_crc32c_8_bytes(crc, value)
#define CRC_BYTE(crc, value) arm_crc32c_byte(crc, value)

/* In assembly, since compilers disagree on how a function asks for the extension. */
static inline uint32_t arm_crc32c_8_bytes(uint32_t crc, uint64_t value)
{
	__asm__(".arch_extension crc\n\tcrc32cx %w0, %w0, %x1" : "+r"(crc) : "r"(value));
	return crc;
}

static inline uint32_t arm_crc32c_byte(uint32_t crc, uint8_t value)
{
	__asm__(".arch_extension crc\n\tcrc32cb %w0, %w0, %w1" : "+r"(crc) : "r"(value));
	return crc;
}
#endif

#ifdef HAVE_INSTRUCTION
INSTRUCTION_TARGET static uint32_t crc32c_instruction(uint32_t crc, const void *data, size_t size)
{
	const uint8_t *p = data;

	crc = ~crc;
	for (; size >= 8; size -= 8, p += 8) {
		uint64_t value;

		memcpy(&value, p, sizeof(value));
		crc = CRC_8_BYTES(crc, value);
	}
	for (; size > 0; size--, p++)
		crc = CRC_BYTE(crc, *p);
	return ~crc;
}
#endif

uint32_t crc32c(uint32_t crc, const void *data, size_t size)
{
#ifdef HAVE_INSTRUCTION
	if (HAVE_INSTRUCTION)
		return crc32c_instruction(crc, data, size);
#endif
	return crc32c_portable(crc, data, size);
}
