#include "emulator/master/jsonrpc_options.h"
#include "emulator/master/parts.h"

#include "emulator/base/units.h"
#include "emulator/rpc/client.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/*
 * Commands over connections that are kept: each target has an RPC client of its own, with its pool,
 * its attempts and its circuit breaker. They share parser and rooms.
 */

struct jsonrpc_calls {
	struct master_listener *listener;
	struct rpc_server shared;
	struct rpc_client_options options;
	struct rpc_client **clients; /* by the target's number; NULL: never called */
	uint32_t *ips;
};

int jsonrpc_calls_new(struct master_listener *listener, struct jsonrpc_calls **ret)
{
	const struct master_jsonrpc *own = listener->options.wire_options;
	const struct master_options *options = &listener->master->options;
	struct jsonrpc_calls *calls = calloc(1, sizeof(*calls));

	if (calls == NULL)
		return -ENOMEM;
	calls->listener = listener;
	calls->options = rpc_client_defaults;
	calls->options.shared = &calls->shared;
	calls->options.from = (struct net_addr){ listener->options.at.ip, 0 };
	calls->options.pool = (unsigned)own->pool;
	calls->options.batch_max = (size_t)own->batch;
	calls->options.attempts = (unsigned)own->attempts;
	calls->options.first_ns = own->first_ns;
	calls->options.connect_ns = options->connect_timeout_ns;
	calls->options.answer_ns = options->answer_timeout_ns;
	calls->options.breaker_failures = (uint32_t)own->breaker_failures;
	calls->options.breaker_open_ns = own->breaker_open_ns;
	calls->options.token = own->token[0] != '\0' ? own->token : NULL;
	calls->options.fallback = own->fallback;
	calls->options.deflate = own->deflate;
	calls->options.calls = 64;
	calls->clients = calloc(options->limits.targets, sizeof(struct rpc_client *));
	calls->ips = calloc(options->limits.targets, sizeof(*calls->ips));
	int rc = -ENOMEM;
	if (calls->clients != NULL && calls->ips != NULL)
		rc = rpc_client_shared(listener->master->loop, (size_t)own->message_max,
				       &calls->shared);
	if (rc < 0) {
		free(calls->clients);
		free(calls->ips);
		free(calls);
		return rc;
	}
	*ret = calls;
	return 0;
}

void jsonrpc_calls_free(struct jsonrpc_calls *calls)
{
	if (calls == NULL)
		return;
	for (uint32_t i = 0; i < calls->listener->master->options.limits.targets; i++)
		rpc_client_discard(calls->clients[i]);
	rpc_server_release(&calls->shared);
	free(calls->clients);
	free(calls->ips);
	free(calls);
}

/* NULL: there is no memory for another one. */
static struct rpc_client *client_of(struct jsonrpc_calls *calls, uint32_t number)
{
	struct master_listener *listener = calls->listener;
	const struct remote *remote = &listener->master->remotes[number];
	uint16_t port = listener->options.target_port;
	struct net_addr to = { remote->ip, port != 0 ? port : listener->address.port };
	struct rpc_client *client = calls->clients[number];

	if (client == NULL) {
		calls->options.to = to;
		if (rpc_client_new(listener->master->loop, listener->net, &calls->options,
				   &client) < 0)
			return NULL;
		calls->clients[number] = client;
	} else if (calls->ips[number] != remote->ip) {
		rpc_client_move(client, to);
	}
	calls->ips[number] = remote->ip;
	return client;
}

static void done(void *context, const struct rpc_answer *answer)
{
	struct command *command = context;

	switch (answer->outcome) {
	case RPC_OK:
		if (jsonrpc_fits((enum range_word)command->type, answer->text))
			master_called(command, MASTER_OK, NULL, true);
		else
			master_called(command, MASTER_FAILED, "wrong_type", true);
		break;
	case RPC_ERROR: master_called(command, MASTER_FAILED, "error", true); break;
	case RPC_LOST: master_called(command, MASTER_LOST, "no answer in time", false); break;
	case RPC_REFUSED:
		command->master->totals.timed_out_connecting++;
		master_called(command, MASTER_LOST, "no connection in time", false);
		break;
	case RPC_BROKEN:
		command->master->totals.reset++;
		master_called(command, MASTER_FAILED, "the connection broke", false);
		break;
	}
}

bool jsonrpc_calls_call(struct jsonrpc_calls *calls, struct command *command,
			const struct master_request *request)
{
	struct master *master = command->master;
	const char *method = jsonrpc_method(request->word);
	struct rpc_client *client = client_of(calls, command->number);
	struct qn_text params = { NULL, 0 };
	char text[96];

	if (client == NULL) {
		master->totals.no_resources++;
		master_called(command, MASTER_FAILED, strerror(ENOMEM), false);
		return true;
	}
	if (request->word == RANGE_ACTIVATE && request->duration.len > 0) {
		int len = snprintf(text, sizeof(text), "{\"duration\":%.*s}",
				   (int)request->duration.len, request->duration.at);
		params = (struct qn_text){ text, (size_t)len };
	}
	master_tell(master, EVENT_M_SENT, &master->remotes[command->number], command->type, 0,
		    method, strlen(method));
	int rc = rpc_client_call(client, method, params, done, command);
	if (rc == -EAGAIN) {
		master->totals.refused++;
		master_called(command, MASTER_FAILED, "its circuit breaker is open", false);
	} else if (rc < 0) {
		master->totals.no_resources++;
		master_called(command, MASTER_FAILED, strerror(-rc), false);
	}
	return true;
}
