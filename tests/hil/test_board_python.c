/* The virtual board's Python: what a rig sends comes back as MicroPython would have it. */
#include "fixtures/bench/board/python.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

static struct files files;
static struct python python;
static struct python_result result;

static void start(void)
{
	files_init(&files);
	python_init(&python);
}

static void end(void)
{
	for (size_t i = 0; i < FILES_MAX; i++)
		free(files.at[i].bytes);
	free(python.heap);
}

TestSuite(board_python, .init = start, .fini = end);

static void run(const char *source)
{
	const struct python_env env = { .files = &files, .unique_id = "e6614104031a2b30" };

	python_run(&python, &env, source, strlen(source), &result);
	result.output[result.output_len] = '\0';
}

static void expect(const char *source, const char *output)
{
	run(source);
	cr_expect(result.traceback[0] == '\0', "%s: %s", source, result.traceback);
	cr_expect(strcmp(result.output, output) == 0, "%s gave \"%s\", not \"%s\"", source,
		  result.output, output);
}

static void expect_raise(const char *source, const char *last_line)
{
	run(source);
	cr_expect(result.end == PYTHON_RAISED && strstr(result.traceback, last_line) != NULL,
		  "%s: \"%s\", not %s", source, result.traceback, last_line);
}

Test(board_python, expressions)
{
	static const char *const cases[][2] = {
		{ "print(1+2*3, -7//2, -7%3, 1/2, 7>>1)", "7 -4 2 0.5 3\n" },
		{ "print(1 if 0 else 2, not 1, 0 or 'a', 1 and 'b')", "2 False a b\n" },
		{ "print([i*2 for i in range(5) if i%2], (1,), {'a':1})",
		  "[2, 6] (1,) {'a': 1}\n" },
		{ "print('abc'[1:], 'abc'[-1], b'ab'[0], 'b' in 'abc')", "bc c 97 True\n" },
		{ "print('%d-%s-%02x' % (3,'x',10), '{} {0}'.format(1,2))", "3-x-0a 1 1\n" },
		{ "print(repr(b'\\x00a\\n'), repr('it\\'s'))", "b'\\x00a\\n' \"it's\"\n" },
		{ "print('a,b'.split(','), '-'.join(['x','y']), ' q '.strip())",
		  "['a', 'b'] x-y q\n" },
		{ "print(len('abc'), int('12'), int('ff',16), str(5)+'!')", "3 12 255 5!\n" },
		{ "print(1,2,sep='-',end='.')", "1-2." },
		{ "a,b=1,2;a,b=b,a;a+=5;print(a,b)", "7 1\n" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		expect(cases[i][0], cases[i][1]);
}

Test(board_python, statements)
{
	expect("i=0\nwhile True:\n i+=1\n if i==2: continue\n if i>3: break\n print(i)\n",
	       "1\n3\n");
	expect("def f(a,b=2):\n return a*b\nprint(f(3),f(3,b=5))", "6 15\n");
	expect("try:\n 1/0\nexcept (ValueError,ZeroDivisionError) as e:\n print(e)\nfinally:\n print('f')",
	       "divide by zero\nf\n");
	expect("try:\n x=1\nexcept:\n pass\nelse:\n print('else')", "else\n");
	expect("for a,b in [(1,2),(3,4)]:\n print(a+b)", "3\n7\n");
	expect("if 0:\n print(1)\nelif 1:\n print(2)\nelse:\n print(3)", "2\n");
}

Test(board_python, exceptions)
{
	expect_raise("x", "NameError: name 'x' isn't defined\n");
	expect_raise("1/0",
		     "File \"<stdin>\", line 1, in <module>\nZeroDivisionError: divide by zero\n");
	expect_raise("print('a')\nraise ValueError('bad')",
		     "line 2, in <module>\nValueError: bad\n");
	expect_raise("print(", "line 2\nSyntaxError: invalid syntax\n");
	expect_raise("open('nope')", "OSError: [Errno 2] ENOENT\n");
	expect_raise("[][1]", "IndexError: list index out of range\n");
	expect_raise("import nothing", "ImportError: no module named 'nothing'\n");
	expect_raise("while True: pass", "RuntimeError");
	expect_raise("def f():\n return f()\nf()",
		     "RuntimeError: maximum recursion depth exceeded\n");
	/* Nothing runs where the syntax is wrong. */
	run("print(1)\nx = = 2");
	cr_expect(result.output_len == 0 && result.end == PYTHON_RAISED);
}

Test(board_python, files_outlive_what_runs)
{
	expect("f=open('t','wb');print(f.write(b'hello'));f.close()", "5\n");
	python_reset(&python);
	expect("import os;print(open('t').read(), os.stat('t')[6])", "hello 5\n");
	expect("import os;os.rename('t','u');os.mkdir('d');print(os.listdir())",
	       "['boot.py', 'main.py', 'u', 'd']\n");
	expect_raise("import os;os.remove('t')", "ENOENT");
	/* FIPS 180-4. */
	expect("import hashlib,binascii;h=hashlib.sha256(b'a');h.update(b'bc')\n"
	       "print(binascii.hexlify(h.digest()).decode())",
	       "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad\n");
}

Test(board_python, a_full_disk)
{
	expect("f=open('t','wb')\nfor i in range(847):\n n=f.write(bytes(1024))\nprint(n)",
	       "1024\n");
	expect_raise("f.write(bytes(4096))", "OSError: 28\n");
}

Test(board_python, hundreds_of_runs_need_no_more_memory)
{
	run("import binascii;f=open('t','wb')");
	size_t used = python.used;
	for (int i = 0; i < 1000; i++)
		expect("print(f.write(binascii.unhexlify('0011223344556677')))", "8\n");
	cr_expect(python.used == used);
}

Test(board_python, leaving)
{
	run("import machine;machine.reset()");
	cr_expect(result.end == PYTHON_RESET);
	run("import machine;machine.bootloader()");
	cr_expect(result.end == PYTHON_BOOTLOADER);
	run("raise SystemExit");
	cr_expect(result.end == PYTHON_SOFT_RESET);
	run("import time;time.sleep(0.25)");
	cr_expect(result.slept_ns == 250000000);
}
