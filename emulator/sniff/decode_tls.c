#include "emulator/sniff/dialog.h"

/* What is seen of TLS without its keys: records (RFC 8446, 5.1). And bytes of no known wire. */

#define HEAD 5
#define RECORD_MAX (16384 + 2048) /* RFC 5246, 6.2.3, is the more generous one */

enum decode_step decode_tls(struct dialog *dialog, enum way way, const char *bytes, size_t len,
			    size_t fresh, bool ended, size_t *taken, struct said *said)
{
	static const char *const names[] = { "change_cipher_spec", "alert", "handshake",
					     "application_data", "heartbeat" };
	const unsigned char *at = (const unsigned char *)bytes;

	(void)dialog;
	(void)way;
	(void)fresh;
	(void)ended;
	if (len < HEAD)
		return DECODE_MORE;
	size_t size = (size_t)at[3] << 8 | at[4];
	if (at[0] < 20 || at[0] > 24 || at[1] != 3 || size > RECORD_MAX) {
		said->code = QN_E_SYNTAX;
		said->fault.text = "no record of TLS";
		words_safe(said, (struct qn_text){ bytes, len }, 32);
		return DECODE_LOST;
	}
	if (len < HEAD + size)
		return DECODE_MORE;
	*taken = HEAD + size;
	words_add(said, "TLS %s, %zu bytes", names[at[0] - 20], size);
	return DECODE_SAID;
}

enum decode_step decode_raw(struct dialog *dialog, enum way way, const char *bytes, size_t len,
			    size_t fresh, bool ended, size_t *taken, struct said *said)
{
	(void)dialog;
	(void)way;
	(void)fresh;
	(void)ended;
	*taken = len;
	words_add(said, "%zu bytes ", len);
	words_safe(said, (struct qn_text){ bytes, len }, 48);
	return DECODE_SAID;
}
