#include "hil/gpio/gpio_list.h"

#include <stdlib.h>
#include <string.h>

#include "proto/json/json.h"

#define COLUMNS 96

/* ---- text ---- */

struct paragraph {
	FILE *out;
	size_t column, words;
};

static void put_word(struct paragraph *paragraph, const char *word)
{
	size_t len = strlen(word);

	if (paragraph->words > 0)
		paragraph->column += (size_t)fprintf(paragraph->out, ",");
	if (paragraph->words == 0 || paragraph->column + 1 + len > COLUMNS)
		paragraph->column = (size_t)fprintf(paragraph->out, "\n    %s", word) - 1;
	else
		paragraph->column += (size_t)fprintf(paragraph->out, " %s", word);
	paragraph->words++;
}

/* A line with neither name nor user is one of hundreds on some chips: it is only counted. */
static void put_lines(const struct gpio_line_info *lines, size_t n, FILE *out)
{
	struct paragraph paragraph = { .out = out };
	char word[2 * GPIO_NAME_SIZE + 24];
	size_t nameless = 0;

	for (size_t i = 0; i < n; i++) {
		const struct gpio_line_info *line = &lines[i];
		if (line->name[0] == '\0' && !line->used) {
			nameless++;
			continue;
		}
		int len = line->name[0] != '\0'
				  ? snprintf(word, sizeof(word), "%s", line->name)
				  : snprintf(word, sizeof(word), "offset %u", line->offset);
		if (line->used)
			snprintf(word + len, sizeof(word) - (size_t)len, " (used by %s)",
				 line->consumer[0] != '\0' ? line->consumer : "somebody");
		put_word(&paragraph, word);
	}
	if (nameless > 0 && nameless < n) {
		snprintf(word, sizeof(word), "%zu without a name", nameless);
		put_word(&paragraph, word);
	}
}

static void put_text(const struct gpio_chip_info *chip, const struct gpio_line_info *lines,
		     size_t n, FILE *out)
{
	fprintf(out, "%-16s %s, %u line%s", chip->name, chip->label, chip->lines,
		chip->lines == 1 ? "" : "s");
	put_lines(lines, n, out);
	fputc('\n', out);
}

/* ---- JSON ---- */

static void put_string(const char *before, const char *text, FILE *out)
{
	char buf[6 * GPIO_NAME_SIZE + 2];
	struct qn_json_writer writer;

	qn_json_writer_init(&writer, buf, sizeof(buf));
	qn_json_put_string(&writer, text, strlen(text), true);
	fputs(before, out);
	fwrite(buf, 1, qn_json_written(&writer), out);
}

static void put_json(const struct gpio_chip_info *chip, const struct gpio_line_info *lines,
		     size_t n, FILE *out)
{
	put_string("{\"chip\": ", chip->name, out);
	put_string(", \"label\": ", chip->label, out);
	fputs(", \"lines\": [", out);
	for (size_t i = 0; i < n; i++) {
		fprintf(out, "%s{\"offset\": %u", i > 0 ? ", " : "", lines[i].offset);
		put_string(", \"name\": ", lines[i].name, out);
		fprintf(out, ", \"used\": %s", lines[i].used ? "true" : "false");
		put_string(", \"used_by\": ", lines[i].consumer, out);
		fputc('}', out);
	}
	fputs("]}\n", out);
}

/* ---- */

static void put_refused(const struct gpio_chip_info *chip, const char *why, bool json, FILE *out)
{
	const char *slash = strrchr(chip->path, '/'),
		   *name = slash != NULL ? slash + 1 : chip->path;

	if (!json) {
		fprintf(out, "%-16s %s\n", name, why);
		return;
	}
	put_string("{\"chip\": ", name, out);
	put_string(", \"error\": ", why, out);
	fputs("}\n", out);
}

int gpio_list(const struct gpio *gpio, bool json, FILE *out, size_t *ret_count,
	      struct gpio_fault *fault)
{
	struct gpio_chip_info *chips, chip;
	struct gpio_line_info *lines;
	size_t count, n;
	int rc = gpio_chips(gpio, &chips, &count, fault);

	if (rc < 0)
		return rc;
	for (size_t i = 0; i < count; i++) {
		rc = chips[i].error < 0 ? chips[i].error
					: gpio_lines(gpio, chips[i].path, &chip, &lines, &n, NULL);
		if (rc < 0) {
			put_refused(&chips[i], strerror(-rc), json, out);
			continue;
		}
		(json ? put_json : put_text)(&chip, lines, n, out);
		free(lines);
	}
	free(chips);
	*ret_count = count;
	return 0;
}
