/*
 * Eight bytes at a time in one register, for the scanners of proto. Internal to proto.
 *
 * Purpose: find the first byte of a kind without a branch a byte. Each mask has the top bit of
 * every byte set that is of its kind; above the first hit borrows and carries may set more, so
 * only the first is to be trusted: qn_swar_first().
 * Threads: no state.
 */
#ifndef QN_SWAR_H
#define QN_SWAR_H

#include <stdint.h>
#include <string.h>

#define QN_SWAR_EACH(byte) (UINT64_C(0x0101010101010101) * (byte))
#define QN_SWAR_TOPS QN_SWAR_EACH(0x80)

/* The first byte in memory becomes the lowest, on every machine. */
static inline uint64_t qn_swar_load(const char *at)
{
	uint64_t word;

	memcpy(&word, at, sizeof(word));
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
	word = __builtin_bswap64(word);
#endif
	return word;
}

/* The index of the first hit of a mask that is not 0. */
static inline unsigned qn_swar_first(uint64_t mask)
{
	return (unsigned)__builtin_ctzll(mask) / 8;
}

/* Bytes that a JSON string cannot hold as they are or that need a look: " \ <0x20 >=0x80. */
static inline uint64_t qn_swar_special(uint64_t word)
{
	uint64_t quote = word ^ QN_SWAR_EACH('"');
	uint64_t backslash = word ^ QN_SWAR_EACH('\\');

	return ((quote - QN_SWAR_EACH(1)) | (backslash - QN_SWAR_EACH(1)) |
		(word - QN_SWAR_EACH(0x20)) | word) &
	       QN_SWAR_TOPS;
}

/* Bytes that are no ASCII digit. */
static inline uint64_t qn_swar_not_digit(uint64_t word)
{
	uint64_t value = word ^ QN_SWAR_EACH('0');

	return ((value + QN_SWAR_EACH(0x76)) | value) & QN_SWAR_TOPS;
}

#endif
