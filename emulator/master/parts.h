/*
 * What the files of the master share; nobody else includes this.
 *
 * registry.c: who there is. registrations.c: the listening side. commands.c: the asking side.
 */
#ifndef MASTER_PARTS_H
#define MASTER_PARTS_H

#include "emulator/base/pool.h"
#include "emulator/master/master.h"

#define OF(pointer, type, member) ((type *)((char *)(pointer)-offsetof(type, member)))

/* A command from when it is due to when its outcome is known. */
struct command {
	struct command *next; /* while it waits for a place under the cap */
	struct master *master;
	struct net_conn *conn;
	int64_t due_ns, sent_ns;
	uint32_t number;
	uint8_t type;
	bool spoke; /* it was answered by a message, though not as asked */
	struct qn_text duration;
	master_done *done;
	void *context;
};

struct master {
	struct loop *loop;
	struct net *net;
	struct events *events;
	struct master_options options;
	struct net_listener *listener; /* NULL: stopped */
	struct net_addr address;
	uint32_t registering; /* connections that are open for it */
	struct remote *remotes;
	uint32_t count, known;
	uint32_t *table; /* open addressing: number + 1, or 0 */
	uint32_t table_mask;
	struct pool commands;
	struct command *waiting, **waiting_end;
	bool draining;
	struct master_totals totals;
	struct master_command_stats stats[4];
};

/* registry.c */
int registry_init(struct master *master);
void registry_release(struct master *master);
/* The number of that id, entering it where it is new; -1: no room. */
int64_t registry_enter(struct master *master, const char *id, size_t len);

/* registrations.c */
bool registration_accept(struct net_listener *listener, struct net_conn *conn);

/* commands.c */
void commands_drop_kept(struct master *master, struct remote *remote);

void master_tell(struct master *master, enum event_kind kind, const struct remote *remote,
		 uint8_t type, int64_t value, const char *text, size_t text_len);

#endif
