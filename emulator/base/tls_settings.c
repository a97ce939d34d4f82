#include "emulator/base/tls_settings.h"

#include "emulator/base/trouble.h"
#include "emulator/base/units.h"

#include <string.h>

#define TLS(member) offsetof(struct tls_settings, member)
static const struct setting settings[] = {
	{ .name = "ca",
	  .kind = SETTING_STRING,
	  .offset = TLS(ca),
	  .def = "build/certs/ca.pem",
	  .min = 1,
	  .max = 4096,
	  .help = "a PEM file: whose signature under the peer's certificate counts" },
	{ .name = "cert",
	  .kind = SETTING_STRING,
	  .offset = TLS(cert),
	  .def = "build/certs/agent.pem",
	  .min = 1,
	  .max = 4096,
	  .help = "a PEM file: our own certificate, its chain behind it" },
	{ .name = "key",
	  .kind = SETTING_STRING,
	  .offset = TLS(key),
	  .def = "build/certs/agent.key",
	  .min = 1,
	  .max = 4096,
	  .help = "a PEM file: the certificate's key" },
	{ .name = "hostname",
	  .kind = SETTING_STRING,
	  .offset = TLS(hostname),
	  .def = "",
	  .max = 253,
	  .help = "of the side that is connected to; empty: its address" },
	{ .name = "check_hostname",
	  .kind = SETTING_BOOL,
	  .offset = TLS(check_hostname),
	  .def = "true",
	  .help = "whether the certificate must be of that name" },
	{ .name = "handshake_timeout",
	  .kind = SETTING_DURATION,
	  .offset = TLS(handshake_timeout_ns),
	  .def = "5s",
	  .min = NS_PER_MS,
	  .max = 3600 * NS_PER_S,
	  .help = "for the handshake, from the connection on" },
	{ .name = NULL },
};
const struct setting_table tls_settings_table = { .title = "TLS, and whom it trusts",
						  .size = sizeof(struct tls_settings),
						  .settings = settings,
						  .origin_offset = SIZE_MAX };

int tls_settings_open(const struct tls_settings *tls, struct net *below,
		      struct net_tls_options *options, struct tls_context **ret_context,
		      struct net **ret_net)
{
	const struct tls_files files = { tls->ca, tls->cert, tls->key };
	struct tls_context *context;
	char why[512];

	int rc = tls_context_new(&files, &context, why, sizeof(why));
	if (rc < 0) {
		trouble_say("%s (./dev certs makes some to try with)", why);
		return rc;
	}
	options->context = context;
	options->hostname = tls->hostname[0] != '\0' ? tls->hostname : NULL;
	options->check_hostname = tls->check_hostname;
	options->handshake_timeout_ns = tls->handshake_timeout_ns;
	rc = net_tls_new(below, options, ret_net);
	if (rc < 0) {
		tls_context_free(context);
		return rc;
	}
	*ret_context = context;
	return 0;
}
