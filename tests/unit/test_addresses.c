/*
 * Lists of addresses: single ones, ranges, networks.
 */
#include "emulator/base/net.h"
#include "emulator/fleet/addresses.h"

#include <criterion/criterion.h>

#include <string.h>

#define IP(a, b, c, d) ((uint32_t)(a) << 24 | (uint32_t)(b) << 16 | (uint32_t)(c) << 8 | (d))

Test(addresses, texts)
{
	static const struct {
		const char *text;
		uint32_t first, last;
	} cases[] = {
		{ "127.1.0.1", IP(127, 1, 0, 1), IP(127, 1, 0, 1) },
		{ "0.0.0.0", 0, 0 },
		{ "255.255.255.255", UINT32_MAX, UINT32_MAX },
		{ "127.1.0.1-127.1.3.255", IP(127, 1, 0, 1), IP(127, 1, 3, 255) },
		{ "10.0.0.9-10.0.0.9", IP(10, 0, 0, 9), IP(10, 0, 0, 9) },
		{ "0.0.0.0-255.255.255.255", 0, UINT32_MAX },
		{ "10.1.0.0/24", IP(10, 1, 0, 1), IP(10, 1, 0, 254) },
		{ "10.1.0.77/24", IP(10, 1, 0, 1), IP(10, 1, 0, 254) },
		{ "10.1.0.77/30", IP(10, 1, 0, 77), IP(10, 1, 0, 78) },
		{ "10.1.0.77/31", IP(10, 1, 0, 76), IP(10, 1, 0, 77) }, /* RFC 3021: both hosts */
		{ "10.1.0.77/32", IP(10, 1, 0, 77), IP(10, 1, 0, 77) },
		{ "127.0.0.0/8", IP(127, 0, 0, 1), IP(127, 255, 255, 254) },
		{ "128.0.0.0/1", IP(128, 0, 0, 1), UINT32_MAX - 1 },
		{ "1.2.3.4/0", 1, UINT32_MAX - 1 },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct address_list list = { 0 };
		const char *expected;
		cr_assert(addresses_add(&list, cases[i].text, &expected), "%s", cases[i].text);
		cr_expect_eq(list.count, 1);
		cr_expect(list.ranges[0].first == cases[i].first &&
				  list.ranges[0].last == cases[i].last,
			  "%s: %x to %x", cases[i].text, list.ranges[0].first, list.ranges[0].last);
		uint64_t total = (uint64_t)cases[i].last - cases[i].first + 1;
		cr_expect_eq(addresses_total(&list), total);
		cr_expect_eq(addresses_at(&list, 0), cases[i].first);
		cr_expect_eq(addresses_at(&list, total - 1), cases[i].last);
	}
}

Test(addresses, refused)
{
	static const char *const texts[] = {
		"",
		"x",
		"1.2.3",
		"1.2.3.4.5",
		"1.2.3.256",
		"1.2.3.-4",
		"1..3.4",
		"1.2.3.4 ",
		" 1.2.3.4",
		"1.2.3.4-",
		"-1.2.3.4",
		"1.2.3.4-1.2.3",
		"1.2.3.5-1.2.3.4",
		"1.2.3.4-1.2.3.5-1.2.3.6",
		"1.2.3.4/",
		"1.2.3.4/33",
		"1.2.3.4/-1",
		"1.2.3.4/+8",
		"1.2.3.4/ 8",
		"1.2.3.4/8x",
		"1.2.3.4/8/8",
		"/8",
		"1.2.3.4/4294967304",
		"1.2.3.4/99999999999999999999",
		"1.2.3.4-1.2.3.9/8",
		"0001.2.3.4",
		"1.2.3.4\n",
	};

	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
		struct address_list list = { .count = 1, .ranges = { { 7, 8 } } };
		const struct address_list before = list;
		const char *expected = NULL;
		cr_expect(!addresses_add(&list, texts[i], &expected), "\"%s\"", texts[i]);
		cr_expect(expected != NULL && strncmp(expected, "expected an address", 19) == 0);
		cr_expect(memcmp(&list, &before, sizeof(list)) == 0, "untouched");
	}
}

Test(addresses, lists_follow_their_order)
{
	struct address_list list = { 0 };
	const char *expected;

	cr_assert(addresses_add(&list, "10.0.0.5", &expected));
	cr_assert(addresses_add(&list, "10.0.0.1-10.0.0.3", &expected));
	cr_assert(addresses_add(&list, "9.0.0.0/30", &expected));
	const uint32_t all[] = { IP(10, 0, 0, 5), IP(10, 0, 0, 1), IP(10, 0, 0, 2),
				 IP(10, 0, 0, 3), IP(9, 0, 0, 1),  IP(9, 0, 0, 2) };
	cr_assert_eq(addresses_total(&list), 6);
	for (uint64_t i = 0; i < 6; i++)
		cr_expect_eq(addresses_at(&list, i), all[i], "number %u", (unsigned)i);
	while (list.count < ADDRESS_RANGES_MAX)
		cr_assert(addresses_add(&list, "0.0.0.0-255.255.255.255", &expected));
	cr_expect_eq(addresses_total(&list), 6 + (UINT64_C(61) << 32), "more than 32 bits");
	cr_expect_eq(addresses_at(&list, 6 + (UINT64_C(60) << 32)), 0);
	cr_expect(!addresses_add(&list, "1.2.3.4", &expected));
	cr_expect_str_eq(expected, "at most 64 ranges");
	cr_expect_eq(list.count, ADDRESS_RANGES_MAX);
}

Test(addresses, dotted_quads)
{
	char text[24];
	uint32_t ip = 7;

	cr_expect_str_eq(net_addr_text((struct net_addr){ UINT32_MAX, 65535 }, text, sizeof(text)),
			 "255.255.255.255:65535");
	cr_expect_str_eq(
		net_addr_text((struct net_addr){ IP(127, 0, 0, 1), 0 }, text, sizeof(text)),
		"127.0.0.1:0");
	cr_expect(net_ip_parse("1.2.3.45", 7, &ip) && ip == IP(1, 2, 3, 4), "by its length");
	cr_expect(!net_ip_parse("1.2.3.4", 6, &ip) && ip == IP(1, 2, 3, 4), "untouched");
	cr_expect(!net_ip_parse("1.2.3.4", 0, &ip));
}
