/*
 * The virtual bench, seen from where a rig will stand: do its boards do what they say they do?
 *
 * Runs inside the bench, with two boards and virtual time; tests/hil/vm/run starts it there. Each
 * case ends the program where something is wrong. Usage: boards TRUTH-LOG [smoke]
 */
#include "tests/support/jsonl.h"
#include "tests/support/vm.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SERIAL_1 "e6614104031a2b30"
#define SERIAL_2 "e6614104031a2b31"
#define US INT64_C(1000)

static const char *truth;
/* In virtual time only the reading of clocks takes any, 256 ns each. In real time this is a smoke
 * test: no verdict hangs on times then, least of all on pulses. */
static int64_t near_ns = 3 * US;
static bool smoke;
static int64_t patience = VM_S; /* a busy machine is late without anybody's fault */
static char buf[65536];

static int64_t distance(int64_t a, int64_t b)
{
	return a > b ? a - b : b - a;
}

/* ---- lines ---- */

static void check_lines(int board1)
{
	static const char *const names[] = {
		"servo", "up", "down", "hit", "run", "bootsel", "power"
	};
	int loop = vm_chip("loop"), board2 = vm_chip("board2");

	VM_MUST(board1 >= 0 && board2 >= 0 && loop >= 0, "a chip is missing");
	VM_MUST(vm_chip("board3") < 0, "a board too many");
	for (int i = 0; i < 7; i++)
		VM_MUST(vm_line(board1, names[i]) == i, "line %s is not at %d", names[i], i);
	int in = vm_edges(loop, (unsigned)vm_line(loop, "in"));
	int out = vm_output(loop, (unsigned)vm_line(loop, "out"), false, false);
	for (int i = 1; i <= 20; i++) {
		struct vm_edge edge;
		int64_t t_ns = vm_now();
		vm_set(out, i % 2 == 1);
		VM_MUST(vm_edge(in, &edge, patience), "the loop lost an edge");
		VM_MUST(edge.rising == (i % 2 == 1), "the loop turned an edge round");
		VM_MUST(distance(edge.t_ns, t_ns) < near_ns, "the loop takes %" PRId64 " ns",
			edge.t_ns - t_ns);
	}
	close(in);
	close(out);
	close(loop);
	close(board2);
}

/* ---- pulses ---- */

/* So many frames, each with a pulse of that width. */
static void check_pulses(int edges, int64_t width_ns, int frames)
{
	struct vm_edge edge;
	int64_t rose = 0, before = 0;

	while (vm_edge(edges, &edge, 1))
		; /* what lay there */
	for (int i = 0; i < 2 * frames;) {
		if (smoke && i > 4)
			return;
		VM_MUST(vm_edge(edges, &edge, smoke ? patience : 100 * VM_MS), "no pulses");
		if (edge.rising) {
			VM_MUST(before == 0 || distance(edge.t_ns - before, 20 * VM_MS) < near_ns,
				"a frame of %" PRId64 " ns", edge.t_ns - before);
			before = rose = edge.t_ns;
			i++;
		} else if (rose != 0) {
			VM_MUST(distance(edge.t_ns - rose, width_ns) < near_ns,
				"a pulse of %" PRId64 " ns, not %" PRId64, edge.t_ns - rose,
				width_ns);
			i++;
		}
	}
}

/* ---- commands ---- */

/* A command's whole way: answer, servo, switches, console, each as the truth has it. */
static void check_move(int servo, int from, int to, int serial, bool up)
{
	const char *type = up ? "stand_up" : "lay_down";
	struct vm_answer answer;
	struct vm_edge edge;
	int64_t t_ns;

	while (vm_edge(from, &edge, 1) || vm_edge(to, &edge, 1))
		;
	VM_MUST(vm_command(1, type, "", &answer, patience), "%s: no answer", type);
	VM_MUST(strstr(answer.text, up ? "\"type\": \"standing\"" : "\"type\": \"down\"") != NULL,
		"%s: %s", type, answer.text);
	t_ns = vm_truth(truth, 1, "command", type, answer.sent_ns);
	VM_MUST(t_ns > 0 && t_ns - answer.sent_ns < near_ns, "%s: the truth lacks the command",
		type);
	/* Planted: 7 ms to the answer, 3 ms to the servo, 120 ms of moving. */
	VM_MUST(distance(answer.first_ns - t_ns, 7 * VM_MS) < near_ns,
		"%s: answered after %" PRId64, type, answer.first_ns - t_ns);
	VM_MUST(distance(vm_truth(truth, 1, "servo_set", "", t_ns) - t_ns, 3 * VM_MS) < near_ns,
		"%s: the servo was not set in time", type);
	VM_MUST(vm_edge(from, &edge, patience) && !edge.rising, "%s: no switch opened", type);
	VM_MUST(vm_edge(to, &edge, patience) && edge.rising, "%s: no switch closed", type);
	int64_t closed = vm_truth(truth, 1, "edge",
				  up ? "\"up\", \"level\": 1" : "\"down\", \"level\": 1", t_ns);
	VM_MUST(distance(edge.t_ns, closed) < near_ns, "%s: closed at %" PRId64 ", truly %" PRId64,
		type, edge.t_ns, closed);
	int64_t frame = vm_truth(truth, 1, "frame", "", t_ns);
	VM_MUST(frame - t_ns < 3 * VM_MS + 20 * VM_MS + near_ns, "%s: no frame in time", type);
	VM_MUST(vm_expect(serial, up ? "target_1: standing\r\n" : "target_1: down\r\n", buf,
			  sizeof(buf), patience),
		"%s: the console says \"%s\"", type, buf);
	check_pulses(servo, up ? 1500 * US : 500 * US, 20);
}

static void check_hit(int chip, int up, int hit)
{
	struct vm_answer answer;
	struct vm_edge edge;

	(void)chip;
	VM_MUST(vm_command(1, "activate", ", \"duration\": 5", &answer, patience),
		"activate: no answer");
	VM_MUST(vm_edge(up, &edge, patience) && edge.rising, "activate: it does not stand");
	/* It looks at its sensor after its wait of 500 ms. */
	vm_sleep(smoke ? 2 * VM_S : 600 * VM_MS);
	int64_t t_ns = vm_now();
	vm_set(hit, true);
	vm_sleep(smoke ? VM_S : 30 * VM_MS);
	vm_set(hit, false);
	int64_t seen = vm_truth(truth, 1, "hit_seen", "", t_ns);
	VM_MUST(seen > 0 && seen - t_ns <= 10 * VM_MS + near_ns, "the hit was not seen");
	VM_MUST(vm_edge(up, &edge, patience) && !edge.rising, "hit, and it does not fall");
	vm_sleep(VM_S);
	VM_MUST(!vm_edge(up, &edge, 1), "hit, and it moves twice");
}

/* ---- the REPL ---- */

static const char *replace(const char *in, const char *what, const char *by, char *to, size_t cap)
{
	const char *at = strstr(in, what);

	if (at == NULL)
		return in;
	snprintf(to, cap, "%.*s%s%s", (int)(at - in), in, by, at + strlen(what));
	return to;
}

/* The member's hexadecimal digits as bytes; its plain text is not exact. */
static size_t bytes_of(struct jsonl *lines, const char *member, char *to, size_t cap)
{
	struct qn_text hex = jsonl_must(lines, member);

	VM_MUST(hex.len % 2 == 0 && hex.len / 2 < cap, "line %u: %s", jsonl_number(lines), member);
	for (size_t i = 0; i < hex.len; i += 2) {
		char digits[3] = { hex.at[i], hex.at[i + 1], '\0' };
		to[i / 2] = (char)strtoul(digits, NULL, 16);
	}
	to[hex.len / 2] = '\0';
	return hex.len / 2;
}

/* What real firmware was asked and answered, byte for byte; but for the name of the board, and for
 * main.py, which it did not have. */
static void check_transcript(int serial)
{
	struct jsonl *lines = jsonl_open("fixtures/transcripts/repl_qemu_cortexm.jsonl");
	static char wanted[4096], changed[4096];
	unsigned cases = 0;

	while (jsonl_next(lines)) {
		struct qn_text name = jsonl_must(lines, "case");
		char known[64];
		snprintf(known, sizeof(known), "%.*s", (int)name.len, name.at);
		if (strcmp(known, "boot") == 0)
			continue;
		if (strcmp(known, "friendly_soft_reset") == 0)
			break; /* from here on main.py runs */
		size_t sent = bytes_of(lines, "sent_hex", changed, sizeof(changed));
		vm_write(serial, changed, sent);
		size_t bytes = bytes_of(lines, "recv_hex", wanted, sizeof(wanted));
		const char *text = replace(wanted, "2026-11-21; mps2-an385 with Cortex-M3",
					   "2025-04-15; Raspberry Pi Pico W with RP2040", changed,
					   sizeof(changed));
		size_t wanted_len = text == changed ? strlen(changed) : bytes;
		size_t len = vm_read_so_much(serial, buf, sizeof(buf), wanted_len, 2 * VM_S);
		VM_MUST(len == wanted_len && memcmp(buf, text, len) == 0, "%s: \"%s\", not \"%s\"",
			known, buf, text);
		cases++;
	}
	jsonl_close(lines);
	VM_MUST(cases > 30, "only %u cases of the transcript", cases);
}

static void run_raw(int serial, const char *code, const char *wanted)
{
	vm_write(serial, code, strlen(code));
	vm_write(serial, "\x04", 1);
	VM_MUST(vm_expect(serial, "\x04>", buf, sizeof(buf), patience), "no result of %s", code);
	VM_MUST(strncmp(buf, "OK", 2) == 0 && strncmp(buf + 2, wanted, strlen(wanted)) == 0,
		"%s gave \"%s\", not \"%s\"", code, buf, wanted);
}

static void check_files(int serial)
{
	run_raw(serial,
		"import binascii,machine;print(binascii.hexlify(machine.unique_id()).decode())",
		SERIAL_1 "\r\n\x04\x04>");
	run_raw(serial, "f=open('t.py','wb')\nprint(f.write(b'abc'))\nf.close()", "3\r\n\x04\x04>");
	/* FIPS 180-4's own example. */
	run_raw(serial,
		"import hashlib,binascii\nh=hashlib.sha256()\nf=open('t.py','rb')\nb=f.read(2)\n"
		"while b:\n h.update(b)\n b=f.read(2)\nprint(binascii.hexlify(h.digest()).decode())",
		"ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad\r\n\x04\x04>");
	run_raw(serial, "import os\nos.rename('t.py','u.py')\nprint(os.stat('u.py')[6])",
		"3\r\n\x04\x04>");
	run_raw(serial, "os.remove('t.py')",
		"\x04Traceback (most recent call last):\r\n  File \"<stdin>\", line 1, in <module>\r\n"
		"OSError: [Errno 2] ENOENT\r\n\x04>");
}

static int check_repl(int serial, int listener)
{
	struct vm_answer answer;
	char id[64];

	vm_write(serial, "\r\x03", 2);
	VM_MUST(vm_expect(serial, "KeyboardInterrupt: \r\n", buf, sizeof(buf), patience),
		"no Ctrl-C");
	vm_read(serial, buf, sizeof(buf), 300 * VM_MS);
	VM_MUST(!vm_command(1, "ping", "", &answer, patience), "interrupted, and it answers");
	vm_write(serial, "\r", 1);
	vm_read(serial, buf, sizeof(buf), 300 * VM_MS);
	check_transcript(serial);
	vm_write(serial, "\x01", 1);
	vm_read(serial, buf, sizeof(buf), 300 * VM_MS);
	check_files(serial);
	vm_write(serial, "\x02\x04", 2);
	VM_MUST(vm_registration(listener, id, sizeof(id), 5 * VM_S) && strcmp(id, "target_1") == 0,
		"it does not start again");
	return serial;
}

/* ---- reset and power ---- */

static void check_reset(int chip, int listener, int serial)
{
	int run = vm_output(chip, (unsigned)vm_line(chip, "run"), true, true);
	int bootsel = vm_output(chip, (unsigned)vm_line(chip, "bootsel"), true, true);
	char id[64], name[40];

	vm_set(run, false);
	vm_sleep(100 * VM_MS);
	VM_MUST(!vm_serial_name(SERIAL_1, name, sizeof(name)), "in reset, and still on USB");
	close(serial);
	vm_set(run, true);
	VM_MUST(vm_registration(listener, id, sizeof(id), 10 * VM_S), "reset, and it stays away");
	serial = vm_serial(SERIAL_1, 5 * VM_S);
	VM_MUST(serial >= 0 && vm_serial_name(SERIAL_1, name, sizeof(name)),
		"reset, and not on USB again");
	/* The kernel gives a tty's number back from a worker of its own: on a busy machine's clock
	 * that may be after the board is plugged in again, and boards are found by serial number
	 * anyway. */
	VM_MUST(smoke || strcmp(name, "ttyACM0") == 0, "it came back as %s", name);
	close(serial);

	vm_set(bootsel, false);
	vm_set(run, false);
	vm_sleep(100 * VM_MS);
	vm_set(run, true);
	vm_sleep(50 * VM_MS);
	vm_set(bootsel, true);
	VM_MUST(!vm_registration(listener, id, sizeof(id), 3 * VM_S),
		"in BOOTSEL its program runs");
	VM_MUST(!vm_serial_name(SERIAL_1, name, sizeof(name)), "in BOOTSEL it has a console");

	int power = vm_output(chip, (unsigned)vm_line(chip, "power"), false, false);
	vm_sleep(100 * VM_MS);
	vm_set(power, true);
	VM_MUST(vm_registration(listener, id, sizeof(id), 10 * VM_S), "power, and it stays away");
}

/* One after the other, as a master that serves one connection at a time. */
static void take_registrations(int listener, unsigned n)
{
	char id[64];

	while (n-- > 0)
		VM_MUST(vm_registration(listener, id, sizeof(id), 30 * VM_S), "nobody registers");
	/* They listen only then. */
	vm_sleep(100 * VM_MS);
}

int main(int argc, char **argv)
{
	VM_MUST(argc == 2 || argc == 3, "usage: boards TRUTH-LOG [smoke]");
	truth = argv[1];
	smoke = argc == 3;
	if (smoke) {
		near_ns = VM_S;
		patience = 8 * VM_S;
	}
	int chip = vm_chip("board1"), listener = vm_listen();
	int serial = vm_serial(SERIAL_1, 5 * VM_S);
	VM_MUST(serial >= 0, "no board 1 on USB");
	VM_MUST(vm_serial(SERIAL_2, 5 * VM_S) >= 0, "no board 2 on USB");
	check_lines(chip);
	take_registrations(listener, 2);

	int servo = vm_edges(chip, 0), up = vm_edges(chip, 1), down = vm_edges(chip, 2);
	int hit = vm_output(chip, 3, false, false);
	check_pulses(servo, 500 * US, 50);
	for (int i = 0; i < 3; i++) {
		check_move(servo, down, up, serial, true);
		check_move(servo, up, down, serial, false);
	}
	check_hit(chip, up, hit);
	check_repl(serial, listener);
	check_reset(chip, listener, serial);
	printf("the virtual bench does what it says\n");
	return 0;
}
