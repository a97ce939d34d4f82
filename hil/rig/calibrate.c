#include "hil/rig/calibrate.h"

#include "hil/rig/rig.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/errqueue.h>
#include <linux/net_tstamp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define SENDS 200
#define CLOCK_READS 2000

static int64_t read_clock(clockid_t clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	return (int64_t)ts.tv_sec * NS_PER_S + ts.tv_nsec;
}

/* ---- the clock ---- */

static void measure_clock(struct calibration_run *run)
{
	int64_t last_ns = read_clock(CLOCK_MONOTONIC), steps[CLOCK_READS], narrowest = INT64_MAX;

	for (int i = 0; i < CLOCK_READS; i++) {
		int64_t now_ns = read_clock(CLOCK_MONOTONIC);
		steps[i] = now_ns - last_ns;
		last_ns = now_ns;
	}
	/* Being put aside is no property of the clock: the step that 99 % stay below. */
	struct loopback_stats stats = loopback_stats(steps, CLOCK_READS);
	run->clock_ns = stats.p99_ns > 1 ? stats.p99_ns : 1;
	for (int i = 0; i < 100; i++) {
		int64_t before_ns = read_clock(CLOCK_MONOTONIC);
		(void)read_clock(CLOCK_REALTIME);
		int64_t width_ns = read_clock(CLOCK_MONOTONIC) - before_ns;
		narrowest = width_ns < narrowest ? width_ns : narrowest;
	}
	run->realtime_ns = narrowest;
	run->wall_ns = read_clock(CLOCK_REALTIME);
}

/* ---- sending ---- */

/* Wall time of the stamp, or 0. */
static int64_t stamp_of(int fd)
{
	_Alignas(struct cmsghdr) char control[256];
	struct msghdr msg = { .msg_control = control, .msg_controllen = sizeof(control) };

	if (recvmsg(fd, &msg, MSG_ERRQUEUE | MSG_DONTWAIT) < 0)
		return 0;
	for (struct cmsghdr *c = CMSG_FIRSTHDR(&msg); c != NULL; c = CMSG_NXTHDR(&msg, c)) {
		struct scm_timestamping at;
		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_TIMESTAMPING)
			continue;
		memcpy(&at, CMSG_DATA(c), sizeof(at));
		return (int64_t)at.ts[0].tv_sec * NS_PER_S + at.ts[0].tv_nsec;
	}
	return 0;
}

/* A connection of this process to itself, over loopback. */
static int connect_to_self(int fds[2])
{
	struct sockaddr_in at = { .sin_family = AF_INET,
				  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(at);
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), rc = 0;

	fds[0] = fds[1] = -1;
	if (listener < 0 || bind(listener, (struct sockaddr *)&at, sizeof(at)) < 0 ||
	    listen(listener, 1) < 0 || getsockname(listener, (struct sockaddr *)&at, &len) < 0)
		rc = -errno;
	if (rc == 0) {
		fds[0] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
		if (fds[0] < 0 || connect(fds[0], (struct sockaddr *)&at, sizeof(at)) < 0)
			rc = -errno;
	}
	if (rc == 0) {
		fds[1] = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
		rc = fds[1] < 0 ? -errno : 0;
	}
	if (listener >= 0)
		close(listener);
	return rc;
}

static struct latency latency_of(const struct loopback_stats *stats)
{
	return (struct latency){ .n = (uint32_t)stats->n,
				 .mean_ns = (int64_t)stats->mean_ns,
				 .sd_ns = (int64_t)stats->stddev_ns,
				 .min_ns = stats->min_ns,
				 .max_ns = stats->max_ns };
}

/* Where the kernel gives no stamps there is nothing to correct: n stays 0. */
static void measure_sending(struct calibration_run *run)
{
	int flags = SOF_TIMESTAMPING_TX_SOFTWARE | SOF_TIMESTAMPING_SOFTWARE |
		    SOF_TIMESTAMPING_OPT_ID | SOF_TIMESTAMPING_OPT_TSONLY;
	int64_t values[SENDS];
	size_t n = 0;
	char byte = 'x';
	int fds[2];

	if (connect_to_self(fds) == 0 &&
	    setsockopt(fds[0], SOL_SOCKET, SO_TIMESTAMPING, &flags, sizeof(flags)) == 0)
		for (int i = 0; i < SENDS; i++) {
			int64_t before_ns = read_clock(CLOCK_REALTIME);
			if (send(fds[0], &byte, 1, MSG_NOSIGNAL) != 1 ||
			    recv(fds[1], &byte, 1, 0) != 1)
				break;
			int64_t stamp_ns = stamp_of(fds[0]);
			if (stamp_ns >= before_ns)
				values[n++] = stamp_ns - before_ns;
		}
	for (int i = 0; i < 2; i++)
		if (fds[i] >= 0)
			close(fds[i]);
	struct loopback_stats stats = loopback_stats(values, n);
	run->send = latency_of(&stats);
}

/* ---- the loop ---- */

static int request(struct gpio_line *line, const struct gpio *gpio, const struct bench *bench,
		   const struct bench_line *config, enum gpio_use use, struct rig_fault *fault)
{
	struct gpio_request request = { .chip = bench_line_chip(bench, NULL, config),
					.line = config->line,
					.use = use,
					.active_low = config->active_low,
					.buffer_edges = 1024 };
	struct gpio_fault why = { .text = "" };
	int rc = gpio_line_request(line, gpio, &request, &why);

	if (rc < 0)
		snprintf(fault->text, sizeof(fault->text), "calibration: %s", why.text);
	return rc;
}

static int measure_loop(const struct bench *bench, const struct gpio *gpio, size_t toggles,
			struct calibration_run *run, struct rig_fault *fault)
{
	struct gpio_line output = { .fd = -1 }, input = { .fd = -1 };
	struct loopback_params params = loopback_params_default;
	struct gpio_fault why = { .text = "" };

	params.toggles = toggles;
	int rc = request(&output, gpio, bench, &bench->calibration.output, GPIO_OUTPUT, fault);
	if (rc == 0)
		rc = request(&input, gpio, bench, &bench->calibration.input, GPIO_EDGES, fault);
	if (rc == 0) {
		rc = loopback_run(&output, &input, &params, NULL, &run->loop, &why);
		if (rc < 0)
			snprintf(fault->text, sizeof(fault->text), "calibration: %s",
				 why.text[0] != '\0' ? why.text : strerror(-rc));
	}
	gpio_line_release(&input);
	gpio_line_release(&output);
	run->has_loop = rc == 0;
	return rc;
}

int calibration_measure(const struct bench *bench, const struct gpio *gpio, size_t toggles,
			struct calibration_run *ret, struct rig_fault *fault)
{
	struct gpio own;

	gpio_init(&own);
	*ret = (struct calibration_run){ .has_loop = false };
	measure_clock(ret);
	measure_sending(ret);
	if (!bench->calibration.output.present)
		return 0;
	return measure_loop(bench, gpio != NULL ? gpio : &own, toggles, ret, fault);
}

struct calibration calibration_of(const struct calibration_run *run)
{
	return (struct calibration){
		.wall_ns = run->wall_ns,
		.edge = run->has_loop ? latency_of(&run->loop.latency) : (struct latency){ 0 },
		.send = run->send,
		.clock_ns = run->clock_ns,
		.realtime_ns = run->realtime_ns,
		.usb_ns = NS_PER_MS,
		.edges = run->has_loop ? run->loop.toggles : 0,
		.edges_lost = run->has_loop ? run->loop.lost : 0,
	};
}

/* ---- the one for a run ---- */

/* Not measured, and so wide: a loaded machine's interrupt takes less. */
#define ASSUMED_EDGE_NS (2 * NS_PER_MS)
#define QUICK_TOGGLES 50

void calibration_for_run(const struct bench *bench, const struct gpio *gpio,
			 struct calibration *ret, char *said, size_t cap)
{
	char path[4096];
	struct calibration_run run;
	struct rig_fault fault = { .text = "" };
	int64_t now_ns = read_clock(CLOCK_REALTIME);

	said[0] = '\0';
	if (calibration_path(bench, path, sizeof(path)) &&
	    calibration_load(path, bench, ret) == 0 &&
	    now_ns - ret->wall_ns < bench->calibration.max_age_ns && now_ns >= ret->wall_ns)
		return;
	int rc = calibration_measure(bench, gpio, QUICK_TOGGLES, &run, &fault);
	*ret = calibration_of(&run);
	if (rc == 0 && run.has_loop) {
		snprintf(said, cap,
			 "no stored calibration of bench %s: measured %d edges now; `quintain-hil "
			 "calibrate` measures more, once",
			 bench->name, QUICK_TOGGLES);
		return;
	}
	if (bench->calibration.required)
		return; /* every edge is then SUSPECT_CALIBRATION */
	ret->edge =
		(struct latency){ .n = 1, .mean_ns = 0, .min_ns = 0, .max_ns = ASSUMED_EDGE_NS };
	snprintf(said, cap,
		 "bench %s is not calibrated (%s): its edges count as up to %d ms wrong, which was "
		 "assumed and not measured",
		 bench->name, fault.text[0] != '\0' ? fault.text : "it has no loop",
		 (int)(ASSUMED_EDGE_NS / NS_PER_MS));
}
