/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Lists of connections: rings through a head. */
#ifndef VMM_VSOCK_LIST_H
#define VMM_VSOCK_LIST_H

#include "base/types.h"
#include "vmm/vsock/connection.h"

static inline void vsock_list__init(struct vsock_link *head)
{
	head->next = head;
	head->previous = head;
}

static inline void vsock_list__append(struct vsock_link *head, struct vsock_link *link)
{
	link->previous = head->previous;
	link->next = head;
	head->previous->next = link;
	head->previous = link;
}

/* One that is in no list is fine. */
static inline void vsock_list__remove(struct vsock_link *link)
{
	if (!link->next)
		return;
	link->previous->next = link->next;
	link->next->previous = link->previous;
	link->next = NULL;
	link->previous = NULL;
}

static inline bool vsock_list__is_empty(const struct vsock_link *head)
{
	return head->next == head;
}

/* The first connection of the list that goes through its `member`, or NULL. */
#define VSOCK_LIST_FIRST(head, member)                                                             \
	(vsock_list__is_empty(head)                                                                \
		 ? NULL                                                                            \
		 : container_of_type((head)->next, struct vsock_connection, member))

#endif
