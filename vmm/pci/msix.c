/* SPDX-License-Identifier: GPL-2.0-or-later */
/* MSI-X: the table, its masks, and messages on their way. */
#include "vmm/pci/msix.h"

#include <errno.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define ENTRY_DATA 8
#define ENTRY_CONTROL 12
#define CONTROL_MASKED 1u

int msix__add(struct msix *msix, struct pci_function *function, unsigned count, unsigned bar,
	      uint32_t table, uint32_t pba)
{
	uint8_t bytes[PCI_MSIX_BYTES] = { 0 }, writable[PCI_MSIX_BYTES] = { 0 };
	uint16_t control = (uint16_t)(count - 1);

	if (!count || count > MSIX_MOST || table % 8 || pba % 8)
		return -EINVAL;
	table |= bar; /* the low three bits say which BAR */
	pba |= bar;
	memcpy(&bytes[PCI_MSIX_CONTROL], &control, sizeof(control));
	memcpy(&bytes[PCI_MSIX_TABLE], &table, sizeof(table));
	memcpy(&bytes[PCI_MSIX_PBA], &pba, sizeof(pba));
	writable[PCI_MSIX_CONTROL + 1] = (PCI_MSIX_ENABLE | PCI_MSIX_MASK_ALL) >> 8;
	msix->capability = pci_function__add_capability(function, PCI_CAP_MSIX, bytes, sizeof(bytes),
							writable);
	if (!msix->capability)
		return -ENOSPC;
	pthread_mutex_init(&msix->lock, NULL);
	msix->function = function;
	msix->hub = function->dev->services->messages;
	msix->count = count;
	memset(msix->wire, -1, sizeof(msix->wire));
	function->msix = msix;
	msix__reset(msix);
	return 0;
}

void msix__use_wires(struct msix *msix)
{
	msix->uses_wires = true;
}

/* ---- wires ---- */

/* Has the vector's eventfd send this message. The lock is held. */
static bool wire_vector(struct msix *msix, unsigned vector, const struct irq_message *message)
{
	uint64_t bit = BIT64(vector % 64);

	if (msix->wired[vector / 64] & bit)
		return true;
	if (msix->wire[vector] < 0)
		msix->wire[vector] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (msix->wire[vector] < 0 || message_hub__wire(msix->hub, msix->wire[vector], message)) {
		msix->uses_wires = false; /* refused once is refused again */
		return false;
	}
	msix->wired[vector / 64] |= bit;
	return true;
}

/*
 * The vector is masked, or its message is another from now on. A signal that nobody had looked at yet
 * is pending. The lock is held.
 */
static void unwire_vector(struct msix *msix, unsigned vector)
{
	uint64_t bit = BIT64(vector % 64), count;

	if (!(msix->wired[vector / 64] & bit))
		return;
	message_hub__wire(msix->hub, msix->wire[vector], NULL);
	msix->wired[vector / 64] &= ~bit;
	if (read(msix->wire[vector], &count, sizeof(count)) == sizeof(count))
		msix->pending[vector / 64] |= bit;
}

static void unwire_all(struct msix *msix)
{
	unsigned vector;

	for (vector = 0; vector < msix->count; vector++)
		unwire_vector(msix, vector);
}

void msix__destroy(struct msix *msix)
{
	unsigned vector;

	if (!msix->function)
		return;
	unwire_all(msix);
	for (vector = 0; vector < msix->count; vector++)
		if (msix->wire[vector] >= 0)
			close(msix->wire[vector]);
	msix->function->msix = NULL;
	msix->function = NULL;
	pthread_mutex_destroy(&msix->lock);
}

static uint32_t entry_control(const struct msix *msix, unsigned vector)
{
	uint32_t control;

	memcpy(&control, &msix->table[vector * MSIX_ENTRY_BYTES + ENTRY_CONTROL], sizeof(control));
	return control;
}

static bool is_masked(const struct msix *msix, unsigned vector)
{
	return msix->masked || entry_control(msix, vector) & CONTROL_MASKED;
}

/* The lock is held. */
static void send_vector(struct msix *msix, unsigned vector)
{
	const uint8_t *entry = &msix->table[vector * MSIX_ENTRY_BYTES];
	struct irq_message message;

	memcpy(&message.address, entry, sizeof(message.address));
	memcpy(&message.data, entry + ENTRY_DATA, sizeof(message.data));
	/* A message is a write to memory: not without leave to master the bus. */
	if (!pci_function__may_master(msix->function))
		return;
	if (msix->uses_wires && wire_vector(msix, vector, &message))
		eventfd_write(msix->wire[vector], 1);
	else
		message_hub__send(msix->hub, &message);
}

/* Messages that waited for their mask to go. The lock is held. */
static void send_pending(struct msix *msix)
{
	unsigned vector;

	if (!msix->enabled)
		return;
	for (vector = 0; vector < msix->count; vector++) {
		uint64_t bit = BIT64(vector % 64);

		if (!(msix->pending[vector / 64] & bit) || is_masked(msix, vector))
			continue;
		msix->pending[vector / 64] &= ~bit;
		send_vector(msix, vector);
	}
}

void msix__access_table(struct msix *msix, struct access *access)
{
	pthread_mutex_lock(&msix->lock);
	if (access->offset >= msix->count * MSIX_ENTRY_BYTES ||
	    access->size > msix->count * MSIX_ENTRY_BYTES - access->offset) {
		access->value = 0;
	} else if (!access->write) {
		access->value = 0;
		memcpy(&access->value, &msix->table[access->offset], access->size);
	} else if (access->size >= 4 && access->offset % access->size == 0) {
		/* Others than aligned words and double words are undefined (6.8.2). */
		memcpy(&msix->table[access->offset], &access->value, access->size);
		unwire_vector(msix, (unsigned)access->offset / MSIX_ENTRY_BYTES);
		send_pending(msix);
	}
	pthread_mutex_unlock(&msix->lock);
}

void msix__access_pba(struct msix *msix, struct access *access)
{
	if (access->write)
		return;
	pthread_mutex_lock(&msix->lock);
	access->value = 0;
	if (access->offset < sizeof(msix->pending) &&
	    access->size <= sizeof(msix->pending) - access->offset)
		memcpy(&access->value, (const char *)msix->pending + access->offset, access->size);
	pthread_mutex_unlock(&msix->lock);
}

bool msix__raise(struct msix *msix, unsigned vector)
{
	bool enabled;

	pthread_mutex_lock(&msix->lock);
	enabled = msix->enabled;
	if (enabled && vector < msix->count) {
		if (is_masked(msix, vector))
			msix->pending[vector / 64] |= BIT64(vector % 64);
		else
			send_vector(msix, vector);
	}
	pthread_mutex_unlock(&msix->lock);
	return enabled;
}

void msix__reset(struct msix *msix)
{
	uint32_t control = CONTROL_MASKED;
	unsigned vector;

	pthread_mutex_lock(&msix->lock);
	unwire_all(msix);
	msix->enabled = false;
	msix->masked = false;
	memset(msix->pending, 0, sizeof(msix->pending));
	memset(msix->table, 0, sizeof(msix->table));
	for (vector = 0; vector < msix->count; vector++)
		memcpy(&msix->table[vector * MSIX_ENTRY_BYTES + ENTRY_CONTROL], &control,
		       sizeof(control));
	pthread_mutex_unlock(&msix->lock);
}

void msix__update(struct msix *msix)
{
	uint32_t control =
		pci_function__read(msix->function, msix->capability + PCI_MSIX_CONTROL, 2);

	pthread_mutex_lock(&msix->lock);
	msix->enabled = control & PCI_MSIX_ENABLE;
	msix->masked = control & PCI_MSIX_MASK_ALL;
	if (!msix->enabled || msix->masked)
		unwire_all(msix);
	send_pending(msix);
	pthread_mutex_unlock(&msix->lock);
}

static const struct state_field state_fields[] = {
	STATE_ARRAY(struct msix, table, 1),
	STATE_ARRAY(struct msix, pending, 1),
	{ NULL },
};

const struct state_table msix_state = { 1, state_fields, NULL };
