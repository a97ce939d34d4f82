#include "hil/pico/uf2.h"

#include <stdbool.h>
#include <string.h>

#define MAGIC_FIRST UINT32_C(0x0A324655)
#define MAGIC_SECOND UINT32_C(0x9E5D5157)
#define MAGIC_END UINT32_C(0x0AB16F30)
#define FLAG_NOT_MAIN_FLASH UINT32_C(0x00000001)
#define FLAG_FAMILY UINT32_C(0x00002000)
#define PAYLOAD 256

struct block {
	uint32_t flags, address, payload, number, count, family;
};

static uint32_t word(const unsigned char *at)
{
	return (uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 |
	       (uint32_t)at[3] << 24;
}

static enum uf2_fault read_block(const unsigned char *at, struct block *ret)
{
	if (word(at) != MAGIC_FIRST || word(at + 4) != MAGIC_SECOND || word(at + 508) != MAGIC_END)
		return UF2_BAD_MAGIC;
	*ret = (struct block){ word(at + 8),  word(at + 12), word(at + 16),
			       word(at + 20), word(at + 24), word(at + 28) };
	if ((ret->flags & FLAG_FAMILY) == 0)
		return UF2_NO_FAMILY;
	if (ret->payload != PAYLOAD || ret->address % PAYLOAD != 0)
		return UF2_BAD_PAYLOAD;
	if (ret->address > UINT32_MAX - PAYLOAD)
		return UF2_BAD_ADDRESS;
	return UF2_OK;
}

static struct uf2_part *part_of(struct uf2 *uf2, uint32_t family)
{
	for (size_t i = 0; i < uf2->part_count; i++)
		if (uf2->parts[i].family == family)
			return &uf2->parts[i];
	if (uf2->part_count == UF2_FAMILIES)
		return NULL;
	struct uf2_part *part = &uf2->parts[uf2->part_count++];
	part->family = family;
	return part;
}

/*
 * Each family counts its own blocks. A file for the RP2350 begins with a block of the absolute
 * family that says "0 of 2" and has no second (erratum E10): that one may stay incomplete.
 */
static enum uf2_fault add_block(struct uf2 *uf2, const struct block *block,
				uint32_t counts[UF2_FAMILIES])
{
	struct uf2_part *part = part_of(uf2, block->family);

	if (part == NULL)
		return UF2_TOO_MANY;
	uint32_t *count = &counts[part - uf2->parts];
	if (part->blocks == 0) {
		part->first = block->address;
		*count = block->count;
	} else if (block->address < part->end) {
		return UF2_BAD_ADDRESS;
	}
	if (block->number != part->blocks)
		return UF2_BAD_NUMBER;
	if (block->count != *count || block->number >= block->count)
		return UF2_BAD_COUNT;
	part->blocks++;
	part->end = block->address + PAYLOAD;
	return UF2_OK;
}

enum uf2_fault uf2_check(const void *bytes, size_t len, struct uf2 *ret, size_t *ret_block)
{
	const unsigned char *at = bytes;
	uint32_t counts[UF2_FAMILIES] = { 0 };
	struct uf2 uf2 = { .blocks = 0 };
	enum uf2_fault fault = UF2_OK;
	size_t blocks = len / UF2_BLOCK, i = 0;

	if (len == 0)
		fault = UF2_EMPTY;
	for (; fault == UF2_OK && i < blocks; i++) {
		struct block block;
		fault = read_block(at + i * UF2_BLOCK, &block);
		/* What is not for the flash is comment, and no boot ROM writes it. */
		if (fault == UF2_OK && (block.flags & FLAG_NOT_MAIN_FLASH) == 0)
			fault = add_block(&uf2, &block, counts);
		if (fault != UF2_OK)
			break;
	}
	if (fault == UF2_OK && len % UF2_BLOCK != 0)
		fault = UF2_CUT;
	if (fault == UF2_OK && uf2.part_count == 0)
		fault = UF2_EMPTY;
	for (size_t p = 0; fault == UF2_OK && p < uf2.part_count; p++) {
		bool erratum = uf2.parts[p].family == UF2_ABSOLUTE && uf2.parts[p].blocks == 1 &&
			       counts[p] == 2;
		if (uf2.parts[p].blocks != counts[p] && !erratum)
			fault = UF2_BAD_COUNT;
	}
	if (fault != UF2_OK) {
		*ret_block = i;
		return fault;
	}
	uf2.blocks = (uint32_t)blocks;
	*ret = uf2;
	return UF2_OK;
}

static bool has(const struct uf2 *uf2, uint32_t family)
{
	for (size_t i = 0; i < uf2->part_count; i++)
		if (uf2->parts[i].family == family)
			return true;
	return false;
}

bool uf2_for_rp2040(const struct uf2 *uf2)
{
	return has(uf2, UF2_RP2040);
}

bool uf2_for_rp2350(const struct uf2 *uf2)
{
	return has(uf2, UF2_RP2350_ARM_S) || has(uf2, UF2_RP2350_RISCV) ||
	       has(uf2, UF2_RP2350_ARM_NS);
}

const char *uf2_fault_text(enum uf2_fault fault)
{
	switch (fault) {
	case UF2_OK: return "ok";
	case UF2_EMPTY: return "holds nothing for a flash";
	case UF2_CUT: return "ends in the middle of a block";
	case UF2_BAD_MAGIC: return "is no UF2 block";
	case UF2_BAD_PAYLOAD: return "does not hold 256 bytes on a boundary of 256";
	case UF2_NO_FAMILY: return "names no family: a boot ROM would ignore it";
	case UF2_BAD_NUMBER: return "is not the next in number";
	case UF2_BAD_COUNT: return "counts other blocks than there are";
	case UF2_BAD_ADDRESS: return "goes below the one before it, or past the end of memory";
	case UF2_TOO_MANY: return "is of one family too many";
	}
	return "?";
}

const char *uf2_family_text(uint32_t family)
{
	switch (family) {
	case UF2_RP2040: return "RP2040";
	case UF2_ABSOLUTE: return "absolute";
	case UF2_DATA: return "data";
	case UF2_RP2350_ARM_S: return "RP2350 (ARM, secure)";
	case UF2_RP2350_RISCV: return "RP2350 (RISC-V)";
	case UF2_RP2350_ARM_NS: return "RP2350 (ARM, non-secure)";
	default: return "another chip";
	}
}
