/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The tree of names that fids stand for: as much of the folder as the client has in hand. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/share/internal.h"

static struct share_node **bucket_of(struct share *share, const struct share_node *parent,
				     const char *name)
{
	uint64_t hash = share->seed ^ (uintptr_t)parent;

	for (; *name; name++)
		hash = (hash ^ (uint8_t)*name) * 0x100000001b3ull;
	hash *= 0x9e3779b97f4a7c15ull;
	return &share->node[hash >> (64 - SHARE_BUCKETS_SHIFT)];
}

static struct share_node *find(struct share *share, const struct share_node *parent, const char *name)
{
	struct share_node *node = *bucket_of(share, parent, name);

	while (node && (node->parent != parent || strcmp(node->name, name)))
		node = node->next;
	return node;
}

static void hang(struct share *share, struct share_node *node)
{
	struct share_node **bucket = bucket_of(share, node->parent, node->name);

	node->next = *bucket;
	*bucket = node;
}

/* Takes it out of the tree. What is below it stays there, and so is gone with it. */
static void detach(struct share *share, struct share_node *node)
{
	struct share_node **link = bucket_of(share, node->parent, node->name);
	struct share_node *parent = node->parent;

	while (*link != node)
		link = &(*link)->next;
	*link = node->next;
	node->parent = NULL;
	share_node__put(share, parent);
}

static struct share_node *create(struct share *share, const char *name)
{
	struct share_node *node;

	if (share->nodes == SHARE_NODES_MOST)
		return NULL;
	node = calloc(1, sizeof(*node));
	if (!node)
		return NULL;
	node->name = strdup(name);
	if (!node->name) {
		free(node);
		return NULL;
	}
	node->references = 1;
	share->nodes++;
	return node;
}

struct share_node *share_node__create_root(struct share *share)
{
	return create(share, "");
}

struct share_node *share_node__child(struct share *share, struct share_node *parent, const char *name)
{
	struct share_node *node = find(share, parent, name);

	if (node)
		return share_node__get(node);
	node = create(share, name);
	if (!node)
		return NULL;
	node->parent = share_node__get(parent);
	hang(share, node);
	return node;
}

void share_node__put(struct share *share, struct share_node *node)
{
	while (node && !--node->references) {
		struct share_node *parent = node->parent, **link;

		if (parent) {
			link = bucket_of(share, parent, node->name);
			while (*link != node)
				link = &(*link)->next;
			*link = node->next;
		}
		free(node->name);
		free(node);
		share->nodes--;
		node = parent;
	}
}

void share_node__forget(struct share *share, const struct share_node *parent, const char *name)
{
	struct share_node *node = find(share, parent, name);

	if (node)
		detach(share, node);
}

/* Others on the host can move folders between two looks of ours, so it is not impossible. */
static bool is_below(const struct share_node *node, const struct share_node *top)
{
	while (node && node != top)
		node = node->parent;
	return node;
}

void share_node__move(struct share *share, const struct share_node *parent, const char *name,
		      struct share_node *new_parent, const char *new_name)
{
	struct share_node *node = find(share, parent, name);
	char *copy;

	if (parent == new_parent && !strcmp(name, new_name))
		return;
	share_node__forget(share, new_parent, new_name);
	if (!node)
		return;
	copy = strdup(new_name);
	/* Nobody else may hold it: the two puts of a move must not free it. */
	share_node__get(node);
	share_node__get(new_parent);
	detach(share, node);
	if (!copy || is_below(new_parent, node)) {
		share_node__put(share, new_parent);
		free(copy);
	} else {
		free(node->name);
		node->name = copy;
		node->parent = new_parent;
		hang(share, node);
	}
	share_node__put(share, node);
}

int share_node__path(const struct share *share, const struct share_node *node, char path[PATH_MAX])
{
	char *at = path + PATH_MAX - 1;

	*at = 0;
	for (; node->parent; node = node->parent) {
		size_t length = strlen(node->name), slash = *at ? 1 : 0;

		if (length + slash > (size_t)(at - path))
			return -ENAMETOOLONG;
		if (slash)
			*--at = '/';
		at -= length;
		memcpy(at, node->name, length);
	}
	if (node != share->root_node)
		return -ENOENT;
	if (*at)
		memmove(path, at, (size_t)(path + PATH_MAX - at));
	else
		memcpy(path, ".", sizeof("."));
	return 0;
}
