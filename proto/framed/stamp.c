#include "proto/framed/stamp.h"

#define NS_PER_S INT64_C(1000000000)
#define DAY_S INT64_C(86400)
/* 0001-01-01T00:00:00 and 9999-12-31T23:59:59: what Python's datetime can say. */
#define FIRST_S INT64_C(-62135596800)
#define LAST_S INT64_C(253402300799)

static void put_digits(char *at, unsigned value, int digits)
{
	while (digits-- > 0) {
		at[digits] = (char)('0' + value % 10);
		value /= 10;
	}
}

/* Days since 1970 to a date of the Gregorian calendar, by eras of 400 years from 1 March 0000. */
static void put_date(int64_t days, char *out)
{
	int64_t z = days + 719468;
	int64_t era = z / 146097; /* z > 0: years begin at 1 */
	unsigned day_of_era = (unsigned)(z - era * 146097);
	unsigned year_of_era =
		(day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
	unsigned day_of_year = day_of_era -
			       (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
	unsigned shifted = (5 * day_of_year + 2) / 153; /* 0: March */
	unsigned month = shifted < 10 ? shifted + 3 : shifted - 9;
	unsigned year = (unsigned)(era * 400) + year_of_era + (month <= 2);

	put_digits(out, year, 4);
	out[4] = '-';
	put_digits(out + 5, month, 2);
	out[7] = '-';
	put_digits(out + 8, day_of_year - (153 * shifted + 2) / 5 + 1, 2);
}

size_t qn_framed_stamp(const struct qn_framed_clock *clock, char out[QN_FRAMED_STAMP_MAX])
{
	int64_t s = clock->wall_ns / NS_PER_S, ns = clock->wall_ns % NS_PER_S;

	if (ns < 0) {
		ns += NS_PER_S;
		s--;
	}
	s += clock->utc_offset_s;
	s = s < FIRST_S ? FIRST_S : s > LAST_S ? LAST_S : s;
	int64_t days = s >= 0 ? s / DAY_S : -((-s + DAY_S - 1) / DAY_S);
	unsigned of_day = (unsigned)(s - days * DAY_S);

	put_date(days, out);
	out[10] = 'T';
	put_digits(out + 11, of_day / 3600, 2);
	out[13] = ':';
	put_digits(out + 14, of_day / 60 % 60, 2);
	out[16] = ':';
	put_digits(out + 17, of_day % 60, 2);
	if (ns < 1000)
		return 19;
	out[19] = '.';
	put_digits(out + 20, (unsigned)(ns / 1000), 6);
	return 26;
}
