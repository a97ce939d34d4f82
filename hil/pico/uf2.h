/*
 * UF2: firmware in blocks of 512 bytes, each with its own address.
 *
 * Purpose: refuse a file that is damaged, cut, or for another chip before a board is put into its
 * boot ROM, which takes what it understands, ignores the rest, and says nothing.
 * Ownership: none. Errors: enum uf2_fault and the number of the block. Threads: any.
 * Source: https://github.com/microsoft/uf2 (the format), RP2040 datasheet 2.8.4.2 and RP2350
 * datasheet 5.5 (families, 256 bytes a block).
 */
#ifndef PICO_UF2_H
#define PICO_UF2_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define UF2_BLOCK 512

enum uf2_family {
	UF2_RP2040 = 0xe48bff56,
	UF2_ABSOLUTE = 0xe48bff57,
	UF2_DATA = 0xe48bff58,
	UF2_RP2350_ARM_S = 0xe48bff59,
	UF2_RP2350_RISCV = 0xe48bff5a,
	UF2_RP2350_ARM_NS = 0xe48bff5b,
};

enum uf2_fault {
	UF2_OK,
	UF2_EMPTY,
	UF2_CUT, /* not a whole number of blocks */
	UF2_BAD_MAGIC,
	UF2_BAD_PAYLOAD, /* not the 256 bytes that the boot ROM takes, or not on such a boundary */
	UF2_NO_FAMILY,   /* no family id: the boot ROM would ignore it */
	UF2_BAD_NUMBER,  /* block numbers that do not run from 0 */
	UF2_BAD_COUNT,   /* a total that differs between blocks, or from what is there */
	UF2_BAD_ADDRESS, /* past the end of the address space, or not above the last block's */
	UF2_TOO_MANY,    /* families */
};

#define UF2_FAMILIES 4

struct uf2_part {
	uint32_t family;
	uint32_t blocks;
	uint32_t first, end; /* addresses; end is exclusive */
};

struct uf2 {
	struct uf2_part parts[UF2_FAMILIES];
	size_t part_count;
	uint32_t blocks;
};

/* On a fault *ret is untouched and *ret_block says which block (from 0). */
enum uf2_fault uf2_check(const void *bytes, size_t len, struct uf2 *ret, size_t *ret_block);
/* Whether anything in it is for that chip. */
bool uf2_for_rp2040(const struct uf2 *uf2);
bool uf2_for_rp2350(const struct uf2 *uf2);
const char *uf2_fault_text(enum uf2_fault fault);
const char *uf2_family_text(uint32_t family);

#endif
