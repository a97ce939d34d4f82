/* Whatever is sent to a virtual board's Python, it ends, and in its own memory. */
#include "fixtures/bench/board/python.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct python python;
	static struct files files;
	static struct python_result result;
	struct python_env env = { .files = &files, .unique_id = "e6614104031a2b30" };

	if (python.heap == NULL)
		python_init(&python);
	python_reset(&python);
	files_init(&files);
	/* Twice: the second run finds the names of the first. */
	python_run(&python, &env, (const char *)data, size, &result);
	env.interactive = true;
	python_run(&python, &env, (const char *)data, size, &result);
	for (size_t i = 0; i < FILES_MAX; i++)
		free(files.at[i].bytes);
	return 0;
}
