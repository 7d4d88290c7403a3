/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * CRC32C (Castagnoli, reflected, polynomial 0x1edc6f41), as in iSCSI (RFC 3720 B.4) and ext4: finds
 * every error of up to three bits in a frame, and misses 1 of 2^32 of the others.
 */
#include <stddef.h>
#include <stdint.h>

/* `crc` is 0 at first, then the result of the bytes before. By the CPU's instruction when it has
 * one. */
uint32_t crc32c(uint32_t crc, const void *data, size_t size);

/* The same without the instruction. */
uint32_t crc32c_portable(uint32_t crc, const void *data, size_t size);
