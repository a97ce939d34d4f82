#include "tests/support/xml_check.h"

#include "proto/utf8.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#define DEPTH_MAX 64
#define ATTRIBUTES_MAX 32

struct name {
	const char *at;
	size_t len;
};

struct xml {
	const char *start, *at, *end;
	struct name open[DEPTH_MAX];
	unsigned depth, roots;
	const char *wrong;
};

static bool wrong(struct xml *xml, const char *what)
{
	xml->wrong = what;
	return false;
}

static bool same(struct name a, struct name b)
{
	return a.len == b.len && memcmp(a.at, b.at, a.len) == 0;
}

static bool take(struct xml *xml, const char *text)
{
	size_t len = strlen(text);

	if ((size_t)(xml->end - xml->at) < len || memcmp(xml->at, text, len) != 0)
		return false;
	xml->at += len;
	return true;
}

static bool skip_blanks(struct xml *xml)
{
	const char *from = xml->at;

	while (xml->at < xml->end && strchr(" \t\r\n", *xml->at) != NULL)
		xml->at++;
	return xml->at > from;
}

static bool read_name(struct xml *xml, struct name *ret)
{
	const char *from = xml->at;

	while (xml->at < xml->end &&
	       (isalnum((unsigned char)*xml->at) || strchr("_-:.", *xml->at) != NULL))
		xml->at++;
	*ret = (struct name){ from, (size_t)(xml->at - from) };
	return ret->len > 0 && !isdigit((unsigned char)*from) && *from != '-';
}

static bool reference(struct xml *xml)
{
	static const char *const known[] = { "&amp;", "&lt;", "&gt;", "&quot;", "&apos;" };

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (take(xml, known[i]))
			return true;
	unsigned code = 0;
	int used = 0;
	if (sscanf(xml->at, "&#%u;%n", &code, &used) != 1 || used == 0)
		return wrong(xml, "& that begins no reference");
	if (code < 0x20 && code != 9 && code != 10 && code != 13)
		return wrong(xml, "reference to a character that XML forbids");
	xml->at += used;
	return true;
}

/* Up to `stop` (content: '<'; attribute: its quote). */
static bool characters(struct xml *xml, char stop)
{
	while (xml->at < xml->end && *xml->at != stop) {
		unsigned char c = (unsigned char)*xml->at;
		if (c == '&') {
			if (!reference(xml))
				return false;
		} else if (c == '<') {
			return wrong(xml, "< inside an attribute");
		} else if (c < 0x20 && c != '\t' && c != '\n' && c != '\r') {
			return wrong(xml, "control character");
		} else {
			xml->at++;
		}
	}
	return true;
}

static bool attributes(struct xml *xml)
{
	struct name seen[ATTRIBUTES_MAX];
	unsigned count = 0;

	while (skip_blanks(xml) && xml->at < xml->end && *xml->at != '>' && *xml->at != '/') {
		if (count == ATTRIBUTES_MAX || !read_name(xml, &seen[count]))
			return wrong(xml, "attribute without a name, or too many");
		for (unsigned i = 0; i < count; i++)
			if (same(seen[i], seen[count]))
				return wrong(xml, "attribute repeated");
		count++;
		if (!take(xml, "=\""))
			return wrong(xml, "attribute without a value in double quotes");
		if (!characters(xml, '"'))
			return false;
		if (!take(xml, "\""))
			return wrong(xml, "attribute not closed");
	}
	return true;
}

static bool tag(struct xml *xml)
{
	struct name name;

	if (take(xml, "</")) {
		if (!read_name(xml, &name) || !take(xml, ">"))
			return wrong(xml, "malformed end tag");
		if (xml->depth == 0 || !same(name, xml->open[xml->depth - 1]))
			return wrong(xml, "end tag of something else");
		xml->depth--;
		return true;
	}
	if (!take(xml, "<") || !read_name(xml, &name))
		return wrong(xml, "< that begins no tag");
	if (!attributes(xml))
		return false;
	if (xml->depth == 0 && xml->roots++ > 0)
		return wrong(xml, "second root");
	if (take(xml, "/>"))
		return true;
	if (!take(xml, ">"))
		return wrong(xml, "tag not closed");
	if (xml->depth == DEPTH_MAX)
		return wrong(xml, "too deep");
	xml->open[xml->depth++] = name;
	return true;
}

static bool document(struct xml *xml)
{
	if (!take(xml, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"))
		take(xml, "<!DOCTYPE html>\n");
	while (xml->at < xml->end) {
		if (*xml->at == '<') {
			if (!tag(xml))
				return false;
			continue;
		}
		const char *from = xml->at;
		if (!characters(xml, '<'))
			return false;
		while (xml->depth == 0 && from < xml->at)
			if (!isspace((unsigned char)*from++))
				return wrong(xml, "text outside the root");
	}
	return (xml->depth == 0 && xml->roots == 1) || wrong(xml, "not all is closed");
}

bool xml_check(const char *text, size_t len, char *why, size_t cap)
{
	struct xml xml = { .start = text, .at = text, .end = text + len };
	size_t valid = qn_utf8_valid_len(text, len);

	if (valid != len) {
		snprintf(why, cap, "offset %zu: no UTF-8", valid);
		return false;
	}
	if (document(&xml))
		return true;
	snprintf(why, cap, "offset %zu: %s: %.40s", (size_t)(xml.at - text), xml.wrong,
		 xml.at < xml.end ? xml.at : "");
	return false;
}
