/*
 * UF2 on any bytes: what is taken for firmware is whole, in order, and for the chips that it says.
 *
 * Input: the file. Odd sizes of it are tried too, since a cut one must never pass.
 */
#include "hil/pico/uf2.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define REQUIRE(condition)                                                                         \
	do {                                                                                       \
		if (!(condition)) {                                                                \
			fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition);            \
			abort();                                                                   \
		}                                                                                  \
	} while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct uf2 uf2, untouched;
	size_t block = 0, all = 0;

	memset(&uf2, 0xa5, sizeof(uf2));
	untouched = uf2;
	enum uf2_fault fault = uf2_check(data, size, &uf2, &block);
	if (fault != UF2_OK) {
		REQUIRE(memcmp(&uf2, &untouched, sizeof(uf2)) == 0);
		REQUIRE(block <= size / UF2_BLOCK);
		REQUIRE(uf2_fault_text(fault)[0] != '?');
		return 0;
	}
	REQUIRE(size > 0 && size % UF2_BLOCK == 0 && uf2.blocks == size / UF2_BLOCK);
	REQUIRE(uf2.part_count > 0 && uf2.part_count <= UF2_FAMILIES);
	for (size_t i = 0; i < uf2.part_count; i++) {
		REQUIRE(uf2.parts[i].blocks > 0);
		REQUIRE(uf2.parts[i].end - uf2.parts[i].first >= 256 * uf2.parts[i].blocks);
		all += uf2.parts[i].blocks;
	}
	REQUIRE(all <= uf2.blocks);
	REQUIRE(uf2_check(data, size - 1, &uf2, &block) != UF2_OK);
	return 0;
}
