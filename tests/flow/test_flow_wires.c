/*
 * What every wire has in common where targets dial out and stay: the connection is the
 * registration, is lost and dialled again, and who cannot dial any more stops everything.
 */
#include "tests/support/range.h"

#include "emulator/master/wire_framed.h"
#include "emulator/target/wire_framed.h"

#include <criterion/criterion.h>
#include <string.h>

static struct range range;
static struct settings *settings[2];
static struct target_framed options;
static struct master_framed master_options;

static void over_framed(void)
{
	/* Their defaults, as a config without any has them. */
	settings[0] = settings_load_text("", "target", NULL, 0, &target_framed_table, &options);
	settings[1] = settings_load_text("", "master", NULL, 0, &master_framed_table,
					 &master_options);
	range_init(&range, QN_SNYPER_CPYTHON);
	range.group.wire = target_wire(WIRE_FRAMED);
	range.group.wire_options = &options;
	range.options.listen.wire = WIRE_FRAMED;
	range.options.listen.wire_options = &master_options;
}

static void finish(void)
{
	range_release(&range);
	settings_free(settings[0]);
	settings_free(settings[1]);
}

static struct target *in_service(void)
{
	struct target *target = range_target(&range);

	range_master(&range);
	target_power_on(target);
	range_pass(&range, 10);
	cr_assert_eq(target->state, TARGET_DOWN);
	cr_assert(target->link != NULL && target->listener == NULL);
	range_trace(&range);
	return target;
}

static void stand_up(void)
{
	cr_assert_eq(master_command(range.master, 0, RANGE_STAND_UP, range.loop.now_ns,
				    (struct qn_text){ NULL, 0 }, NULL, NULL),
		     0);
	range_pass(&range, 10);
}

/* Its master ends while it rises, and it has no second attempt. */
Test(flow_wires, gives_up_in_the_middle_of_a_move, .init = over_framed, .fini = finish)
{
	struct target *target = in_service();

	stand_up();
	cr_assert_eq(target->state, TARGET_RISING);
	master_stop(range.master);
	range_pass(&range, 60000);
	cr_expect_eq(target->state, TARGET_GONE);
	cr_expect_eq(target->queue_len, 0);
	cr_expect(!target->registered && target->link == NULL);
	cr_expect_eq(range.env.totals.lost, 1u);
	cr_expect_eq(range.env.totals.registered, 0u);
	cr_expect(strstr(range_trace(&range), "gave_up") != NULL);
}

/* The master comes back, and the target to it; the move that was under way is done meanwhile. */
Test(flow_wires, dials_again, .init = over_framed, .fini = finish)
{
	struct target *target;

	range.group.attempts = 0;
	target = in_service();
	stand_up();
	master_stop(range.master);
	range_pass(&range, 100);
	cr_expect(!target->registered && target->link == NULL);
	cr_expect_eq(master_known(range.master), 0u);
	cr_assert_eq(master_listen(range.master), 0);
	range_pass(&range, 60000);
	cr_expect(target->registered && target->link != NULL);
	cr_expect_eq(target->state, TARGET_UP);
	cr_expect_eq(master_known(range.master), 1u);
	cr_expect_eq(master_count(range.master), 1u, "it is still the same");
	cr_expect_eq(range.env.totals.lost, 0u);
	const char *trace = range_trace(&range);
	cr_expect(strstr(trace, "disconnected") != NULL, "%s", trace);
}

/* What is under way on a link that ends has failed, and nobody waits for it. */
Test(flow_wires, commands_on_a_lost_link, .init = over_framed, .fini = finish)
{
	struct target *target = in_service();

	range.group.reply = TARGET_REPLY_DONE;
	stand_up();
	stand_up();
	cr_assert_eq(master_totals(range.master)->under_way, 2u);
	target_power_off(target);
	range_pass(&range, 10);
	cr_expect_eq(master_totals(range.master)->under_way, 0u);
	cr_expect_eq(master_totals(range.master)->failed, 2u);
	cr_expect_eq(master_known(range.master), 0u, "its connection was its registration");
}
