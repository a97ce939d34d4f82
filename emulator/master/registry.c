#include "emulator/master/parts.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static uint32_t hash_of(const char *id, size_t len)
{
	uint64_t h = UINT64_C(0xcbf29ce484222325); /* FNV-1a */

	for (size_t i = 0; i < len; i++)
		h = (h ^ (unsigned char)id[i]) * UINT64_C(0x100000001b3);
	return (uint32_t)(h ^ h >> 32);
}

int registry_init(struct master *master)
{
	uint32_t size = 16;

	while (size < master->options.limits.targets * 2)
		size *= 2;
	master->table_mask = size - 1;
	master->table = calloc(size, sizeof(*master->table));
	master->remotes = calloc(master->options.limits.targets, sizeof(*master->remotes));
	return master->table != NULL && master->remotes != NULL ? 0 : -ENOMEM;
}

void registry_release(struct master *master)
{
	free(master->table);
	free(master->remotes);
}

/* The slot of that id, or the empty one where it would stand. */
static uint32_t slot_of(const struct master *master, const char *id, size_t len, uint32_t hash)
{
	uint32_t slot = hash & master->table_mask;

	for (;; slot = (slot + 1) & master->table_mask) {
		uint32_t entry = master->table[slot];
		if (entry == 0)
			return slot;
		const struct remote *remote = &master->remotes[entry - 1];
		if (remote->hash == hash && remote->id_len == len &&
		    memcmp(remote->id, id, len) == 0)
			return slot;
	}
}

int64_t master_find(const struct master *master, const char *id, size_t len)
{
	return (int64_t)master->table[slot_of(master, id, len, hash_of(id, len))] - 1;
}

int64_t registry_enter(struct master *master, const char *id, size_t len)
{
	uint32_t hash = hash_of(id, len);
	uint32_t slot = slot_of(master, id, len, hash);

	if (master->table[slot] != 0)
		return (int64_t)master->table[slot] - 1;
	if (master->count == master->options.limits.targets)
		return -1;
	struct remote *remote = &master->remotes[master->count];
	*remote = (struct remote){ .hash = hash, .id_len = (uint8_t)len };
	memcpy(remote->id, id, len);
	master->table[slot] = ++master->count;
	return (int64_t)master->count - 1;
}

uint32_t master_count(const struct master *master)
{
	return master->count;
}

const struct remote *master_remote(const struct master *master, uint32_t number)
{
	return &master->remotes[number];
}

uint32_t master_known(const struct master *master)
{
	return master->known;
}

void master_forget(struct master *master, uint32_t number)
{
	struct remote *remote = &master->remotes[number];

	if (!remote->known)
		return;
	remote->known = false;
	master->known--;
	master->totals.forgotten++;
	commands_drop_kept(master, remote);
	master_tell(master, EVENT_M_FORGOTTEN, remote, 0, 0, NULL, 0);
}

int64_t master_adopt(struct master *master, const char *id, size_t len, uint32_t ip)
{
	int64_t number = len > 0 && len < sizeof(((struct remote *)0)->id)
				 ? registry_enter(master, id, len)
				 : -1;

	if (number < 0)
		return -ENOSPC;
	struct remote *remote = &master->remotes[number];
	if (!remote->known)
		master->known++;
	remote->known = true;
	remote->ip = ip;
	return number;
}

uint32_t master_forget_failed(struct master *master)
{
	uint32_t forgotten = 0;

	for (uint32_t i = 0; i < master->count; i++) {
		struct remote *remote = &master->remotes[i];
		if (!remote->known || remote->last <= MASTER_OK + 1 || remote->spoke ||
		    remote->under_way > 0)
			continue;
		master_forget(master, i);
		forgotten++;
	}
	return forgotten;
}

uint32_t master_lost_targets(const struct master *master)
{
	uint32_t lost = 0;

	for (uint32_t i = 0; i < master->count; i++)
		lost += master->remotes[i].last > MASTER_OK + 1;
	return lost;
}
