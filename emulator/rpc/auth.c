#include "emulator/rpc/parts.h"

#include "emulator/base/units.h"

#include <stdio.h>

/* Who may ask, and how often. */

/* In a time that says nothing about where they differ. */
static bool same_secret(const char *a, size_t a_len, const char *b, size_t b_len)
{
	unsigned char differs = a_len != b_len;

	for (size_t i = 0; i < a_len && i < b_len; i++)
		differs |= (unsigned char)(a[i] ^ b[i]);
	return differs == 0;
}

static void draw_secret(struct rpc_server *server, char out[RPC_SECRET_LEN])
{
	static const char digits[] = "0123456789abcdef";
	unsigned char bytes[RPC_SECRET_LEN / 2];

	rpc_random(server, bytes, sizeof(bytes));
	for (size_t i = 0; i < sizeof(bytes); i++) {
		out[2 * i] = digits[bytes[i] >> 4];
		out[2 * i + 1] = digits[bytes[i] & 15];
	}
}

bool rpc_auth_ok(const struct rpc_session *session)
{
	const struct rpc_server *server = session->server;

	if (server->options.token == NULL || session->client)
		return true;
	if (session->auth_until_ns > 0)
		return session->auth_until_ns > server->loop->now_ns;
	return session->authorized;
}

bool rpc_auth_bearer(const struct rpc_server *server, struct qn_text authorization)
{
	const char *token = server->options.token;

	if (token == NULL)
		return true;
	return authorization.len > 7 && strncasecmp(authorization.at, "Bearer ", 7) == 0 &&
	       same_secret(authorization.at + 7, authorization.len - 7, token, strlen(token));
}

bool rpc_allowed(struct rpc_session *session)
{
	const struct rpc_options *options = &session->server->options;
	int64_t now = session->server->loop->now_ns;

	if (options->rate == 0)
		return true;
	/* A second's worth may come at once; then so many a second. */
	if (session->rate_ns < now)
		session->rate_ns = now;
	if (session->rate_ns - now >= NS_PER_S)
		return false;
	session->rate_ns += NS_PER_S / options->rate;
	return true;
}

static void answer_session(struct rpc_session *session, const struct rpc_call *call,
			   struct rpc_auth *auth)
{
	const struct rpc_options *options = &session->server->options;
	char result[256];

	auth->until_ns = session->server->loop->now_ns + options->token_life_ns;
	session->auth_until_ns = auth->until_ns;
	session->authorized = true;
	int len =
		snprintf(result, sizeof(result),
			 "{\"authenticated\":true,\"sessionId\":\"%.*s\",\"refreshToken\":\"%.*s\","
			 "\"expiresIn\":%lld}",
			 RPC_SECRET_LEN, auth->id, RPC_SECRET_LEN, auth->refresh,
			 (long long)(options->token_life_ns / NS_PER_S));
	rpc_answer(session, call->token, (struct qn_text){ result, (size_t)len });
}

static void authenticate(struct rpc_session *session, const struct rpc_call *call)
{
	struct rpc_server *server = session->server;
	const char *token = server->options.token;
	struct qn_text given;

	if (qn_jsonrpc_member(call->params, "token", &given) != QN_JSON_STRING) {
		if (token != NULL) {
			rpc_error(session, call->token, QN_JSONRPC_BAD_PARAMS, NULL);
			return;
		}
		given = rpc_text("\"\"");
	}
	given = qn_jsonrpc_unquoted(given);
	if (token != NULL && !same_secret(given.at, given.len, token, strlen(token))) {
		server->stats.unauthorized++;
		rpc_error(session, call->token, QN_JSONRPC_UNAUTHORIZED, NULL);
		return;
	}
	/* The oldest goes: a table that a peer could fill would lock out everybody. */
	struct rpc_auth *auth = &server->auth[server->auth_next++ % RPC_AUTH_MAX];
	draw_secret(server, auth->id);
	draw_secret(server, auth->refresh);
	answer_session(session, call, auth);
}

/* A session that goes on, on this connection or on another; its refresh token is used up. */
static void refresh(struct rpc_session *session, const struct rpc_call *call)
{
	struct rpc_server *server = session->server;
	struct qn_text given;

	if (qn_jsonrpc_member(call->params, "refreshToken", &given) != QN_JSON_STRING) {
		rpc_error(session, call->token, QN_JSONRPC_BAD_PARAMS, NULL);
		return;
	}
	given = qn_jsonrpc_unquoted(given);
	for (unsigned i = 0; i < RPC_AUTH_MAX; i++) {
		struct rpc_auth *auth = &server->auth[i];
		if (auth->until_ns == 0 ||
		    !same_secret(given.at, given.len, auth->refresh, RPC_SECRET_LEN))
			continue;
		draw_secret(server, auth->refresh);
		answer_session(session, call, auth);
		return;
	}
	server->stats.unauthorized++;
	rpc_error(session, call->token, QN_JSONRPC_UNAUTHORIZED, NULL);
}

bool rpc_auth_call(struct rpc_session *session, const struct rpc_call *call)
{
	bool first = rpc_is(call->method, "auth.authenticate");

	if (!first && !rpc_is(call->method, "auth.refresh"))
		return false;
	if (call->token.len == 0)
		return true;
	if (first)
		authenticate(session, call);
	else
		refresh(session, call);
	return true;
}
