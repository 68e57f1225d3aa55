/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A guest's virtio driver on the bench. */
#include "tests/devices/virtio_driver.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/pci/assign.h"

#define SLOT_OF_DEVICE 1
#define RING_MEMORY 0x100000u

#define MMIO_WINDOW 0xfef00000u
#define MMIO_NOTIFY 0x50u
#define MMIO_INTERRUPT_STATUS 0x60u
#define MMIO_INTERRUPT_ACK 0x64u
#define MMIO_CONFIG 0x100u

/* Offset and width: of the common structure, of the window. */
static const struct {
	uint8_t pci, pci_size, mmio;
} registers[] = {
	[DRIVER_REG_DEVICE_SELECT] = { 0x00, 4, 0x14 },
	[DRIVER_REG_DEVICE_FEATURES] = { 0x04, 4, 0x10 },
	[DRIVER_REG_DRIVER_SELECT] = { 0x08, 4, 0x24 },
	[DRIVER_REG_DRIVER_FEATURES] = { 0x0c, 4, 0x20 },
	[DRIVER_REG_STATUS] = { DRIVER_STATUS, 1, 0x70 },
	[DRIVER_REG_GENERATION] = { 0x15, 1, 0xfc },
	[DRIVER_REG_QUEUE_SELECT] = { 0x16, 2, 0x30 },
	[DRIVER_REG_QUEUE_SIZE] = { 0x18, 2, 0x38 },
	[DRIVER_REG_QUEUE_ENABLE] = { 0x1c, 2, 0x44 },
	[DRIVER_REG_AREAS] = { 0x20, 8, 0x80 },
};

uint64_t driver__read(struct driver *driver, uint64_t gpa, unsigned size)
{
	uint64_t value = 0;

	dispatch__access(driver->f->mmio, 0, gpa, false, &value, size);
	return value;
}

void driver__write(struct driver *driver, uint64_t gpa, unsigned size, uint64_t value)
{
	dispatch__access(driver->f->mmio, 0, gpa, true, &value, size);
}

uint64_t driver__get(struct driver *driver, enum driver_register reg)
{
	if (driver->mmio)
		return driver__read(driver, driver->common + registers[reg].mmio, 4);
	return driver__read(driver, driver->common + registers[reg].pci, registers[reg].pci_size);
}

void driver__set(struct driver *driver, enum driver_register reg, uint64_t value)
{
	if (driver->mmio)
		driver__write(driver, driver->common + registers[reg].mmio, 4, value);
	else
		driver__write(driver, driver->common + registers[reg].pci, registers[reg].pci_size,
			      value);
}

void driver__set_area(struct driver *driver, unsigned area, uint64_t gpa)
{
	uint64_t at = driver->common + (driver->mmio ? registers[DRIVER_REG_AREAS].mmio + 16 * area
						     : registers[DRIVER_REG_AREAS].pci + 8 * area);

	if (driver->mmio || !area) { /* in halves, or whole */
		driver__write(driver, at, 4, gpa & 0xffffffff);
		driver__write(driver, at + 4, 4, gpa >> 32);
	} else {
		driver__write(driver, at, 8, gpa);
	}
}

static uint64_t ecam_of(const struct driver *driver, unsigned reg)
{
	return GUEST_ECAM + ((uint64_t)driver->bus << 20) + (driver->devfn << 12) + reg;
}

uint32_t driver__config(struct driver *driver, unsigned reg, unsigned size)
{
	return (uint32_t)driver__read(driver, ecam_of(driver, reg), size);
}

void driver__set_config(struct driver *driver, unsigned reg, unsigned size, uint32_t value)
{
	driver__write(driver, ecam_of(driver, reg), size, value);
}

/* GPA of a place in a BAR. */
static uint64_t bar_at(struct driver *driver, unsigned bar, uint32_t offset)
{
	uint32_t low = driver__config(driver, PCI_BAR0 + 4 * bar, 4);
	uint64_t address = low & ~15u;

	if (low & PCI_BAR_64_BITS)
		address |= (uint64_t)driver__config(driver, PCI_BAR0 + 4 * bar + 4, 4) << 32;
	return address + offset;
}

/* What a driver does: it walks the capabilities, as if it knew nothing of the layout. */
static void find_structures(struct driver *driver)
{
	unsigned at = driver__config(driver, PCI_CAPABILITIES, 1);

	for (; at; at = driver__config(driver, at + 1, 1)) {
		unsigned id = driver__config(driver, at, 1), type = driver__config(driver, at + 3, 1);
		uint64_t gpa;

		if (id == PCI_CAP_MSIX) {
			uint32_t table = driver__config(driver, at + PCI_MSIX_TABLE, 4);

			driver->table = bar_at(driver, table & 7, table & ~7u);
		}
		if (id != PCI_CAP_VENDOR || type == 5)
			continue;
		gpa = bar_at(driver, driver__config(driver, at + 4, 1), driver__config(driver, at + 8, 4));
		if (type == 1)
			driver->common = gpa;
		if (type == 3)
			driver->isr = gpa;
		if (type == 4)
			driver->config = gpa;
		if (type == 2) {
			driver->notify = gpa;
			driver->notify_step = driver__config(driver, at + 16, 4);
		}
	}
	assert_true(driver->common && driver->isr && driver->notify && driver->table);
}

static void place_window(struct driver *driver)
{
	driver->common = MMIO_WINDOW;
	driver->config = MMIO_WINDOW + MMIO_CONFIG;
	driver->notify = MMIO_WINDOW + MMIO_NOTIFY;
}

struct driver *driver__create(const struct device_class *class, const char *options)
{
	struct driver *driver = calloc(1, sizeof(*driver));
	const char *transport = getenv("TRIVET_TEST_TRANSPORT");
	struct pci_windows windows;
	char text[400];

	assert_non_null(driver);
	driver->mmio = transport && !strcmp(transport, "mmio");
	driver->f = fixture__create(&device_class_pci_host, NULL);
	snprintf(text, sizeof(text), "transport=%s%s%s", driver->mmio ? "mmio" : "pci",
		 options ? "," : "", options ? options : "");
	fixture__add(driver->f, class, 0, text);
	driver->next_free = RING_MEMORY;
	if (driver->mmio) {
		place_window(driver);
		return driver;
	}
	driver->devfn = PCI_DEVFN(SLOT_OF_DEVICE, 0);
	pci_windows__init(&windows, &driver->f->services);
	pci__assign(&driver->f->pci, &windows);
	driver__set_config(driver, PCI_COMMAND, 2, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
	find_structures(driver);
	return driver;
}

void driver__destroy(struct driver *driver)
{
	fixture__destroy(driver->f);
	free(driver);
}

struct device *driver__device(struct driver *driver)
{
	return driver->f->dev->next;
}

unsigned driver__status(struct driver *driver)
{
	return (unsigned)driver__get(driver, DRIVER_REG_STATUS);
}

unsigned driver__negotiate(struct driver *driver, uint64_t features)
{
	uint64_t offered = 0;
	unsigned half;

	driver__set(driver, DRIVER_REG_STATUS, 0);
	assert_int_equal(driver__status(driver), 0);
	driver__set(driver, DRIVER_REG_STATUS, 3);
	for (half = 0; half < 2; half++) {
		driver__set(driver, DRIVER_REG_DEVICE_SELECT, half);
		offered |= driver__get(driver, DRIVER_REG_DEVICE_FEATURES) << 32 * half;
	}
	driver->features = (features | DRIVER_VERSION_1) & offered;
	for (half = 0; half < 2; half++) {
		driver__set(driver, DRIVER_REG_DRIVER_SELECT, half);
		driver__set(driver, DRIVER_REG_DRIVER_FEATURES, driver->features >> 32 * half & 0xffffffff);
	}
	driver__set(driver, DRIVER_REG_STATUS, 11);
	return driver__status(driver);
}

uint64_t driver__alloc(struct driver *driver, size_t size)
{
	uint64_t gpa = ALIGN_UP_TO(driver->next_free, 64u);

	driver->next_free = gpa + size;
	memset(driver__memory(driver, gpa, size), 0, size);
	return gpa;
}

void *driver__memory(struct driver *driver, uint64_t gpa, size_t size)
{
	void *host = guest_memory__pointer(&driver->f->memory, gpa, size);

	assert_non_null(host);
	return host;
}

void driver__enable(struct driver *driver, unsigned index, unsigned size)
{
	struct driver_queue *queue = &driver->queue[index];

	memset(queue, 0, sizeof(*queue));
	queue->packed = driver->features & DRIVER_PACKED;
	queue->size = size;
	queue->wrap = queue->used_wrap = true;
	queue->descriptors = driver__alloc(driver, 16 * size);
	queue->driver = driver__alloc(driver, 6 + 2 * size);
	queue->device = driver__alloc(driver, 6 + 8 * size);
	driver__set(driver, DRIVER_REG_QUEUE_SELECT, index);
	driver__set(driver, DRIVER_REG_QUEUE_SIZE, size);
	if (!driver->mmio)
		driver__write(driver, driver->common + 0x1a, 2, index + 1);
	driver__set_area(driver, 0, queue->descriptors);
	driver__set_area(driver, 1, queue->driver);
	driver__set_area(driver, 2, queue->device);
	driver__set(driver, DRIVER_REG_QUEUE_ENABLE, 1);
	assert_int_equal(driver__get(driver, DRIVER_REG_QUEUE_ENABLE), 1);
}

static void enable_messages(struct driver *driver)
{
	unsigned at = driver__config(driver, PCI_CAPABILITIES, 1), vector, count;

	while (driver__config(driver, at, 1) != PCI_CAP_MSIX)
		at = driver__config(driver, at + 1, 1);
	count = (driver__config(driver, at + PCI_MSIX_CONTROL, 2) & 0x7ff) + 1;
	for (vector = 0; vector < count; vector++) {
		driver__write(driver, driver->table + 16 * vector, 8, 0xfee00000);
		driver__write(driver, driver->table + 16 * vector + 8, 4, vector);
		driver__write(driver, driver->table + 16 * vector + 12, 4, 0);
	}
	driver__set_config(driver, at + PCI_MSIX_CONTROL, 2, PCI_MSIX_ENABLE);
	driver__write(driver, driver->common + 0x10, 2, 0);
}

void driver__start(struct driver *driver)
{
	if (!driver->mmio)
		enable_messages(driver);
	driver__set(driver, DRIVER_REG_STATUS, 15);
}

void driver__run(struct driver *driver, uint64_t features, unsigned queues, unsigned size)
{
	unsigned i;

	assert_int_equal(driver__negotiate(driver, features), 11);
	assert_int_equal(driver->features & features, features);
	for (i = 0; i < queues; i++)
		driver__enable(driver, i, size);
	driver__start(driver);
	assert_int_equal(driver__status(driver), 15);
}

/* ---- split ---- */

static void fill_split(struct split_descriptor *d, const struct driver_buffer *buffer, unsigned next,
		       bool last)
{
	*d = (struct split_descriptor){ .address = buffer->gpa,
					.length = buffer->length,
					.flags = (buffer->write ? RING_WRITE : 0) |
						 (last ? 0 : RING_NEXT),
					.next = (uint16_t)next };
}

static unsigned add_split(struct driver *driver, struct driver_queue *queue,
			  const struct driver_buffer *buffers, unsigned count)
{
	struct split_descriptor *table =
		driver__memory(driver, queue->descriptors, 16 * queue->size);
	struct split_avail *avail = driver__memory(driver, queue->driver, 4 + 2 * queue->size);
	unsigned head = queue->next % queue->size, i;

	for (i = 0; i < count; i++, queue->next++)
		fill_split(&table[queue->next % queue->size], &buffers[i],
			   (queue->next + 1) % queue->size, i + 1 == count);
	avail->ring[queue->avail++ % queue->size] = (uint16_t)head;
	avail->index = queue->avail;
	return head;
}

static bool used_split(struct driver *driver, struct driver_queue *queue, unsigned *id,
		       uint32_t *length)
{
	const struct split_used *used =
		driver__memory(driver, queue->device, 4 + 8 * queue->size);
	const struct split_used_element *element = &used->ring[queue->used_at % queue->size];

	if (used->index == queue->used_at)
		return false;
	*id = element->id;
	*length = element->length;
	queue->used_at++;
	return true;
}

/* ---- packed ---- */

static unsigned add_packed(struct driver *driver, struct driver_queue *queue,
			   const struct driver_buffer *buffers, unsigned count, unsigned extra)
{
	struct packed_descriptor *ring =
		driver__memory(driver, queue->descriptors, 16 * queue->size);
	unsigned id = queue->next, i;

	for (i = 0; i < count; i++) {
		uint16_t flags = (uint16_t)((buffers[i].write ? RING_WRITE : 0) | extra |
					    (i + 1 < count ? RING_NEXT : 0) |
					    (queue->wrap ? RING_AVAIL : RING_USED));

		ring[queue->next] = (struct packed_descriptor){
			buffers[i].gpa, buffers[i].length, (uint16_t)id, flags
		};
		if (++queue->next == queue->size) {
			queue->next = 0;
			queue->wrap = !queue->wrap;
		}
	}
	queue->taken[id] = count;
	return id;
}

static bool used_packed(struct driver *driver, struct driver_queue *queue, unsigned *id,
			uint32_t *length)
{
	const struct packed_descriptor *ring =
		driver__memory(driver, queue->descriptors, 16 * queue->size);
	const struct packed_descriptor *d = &ring[queue->used_at];

	if (!!(d->flags & RING_AVAIL) != queue->used_wrap ||
	    !!(d->flags & RING_USED) != queue->used_wrap)
		return false;
	*id = d->id;
	*length = d->length;
	assert_true(d->id < queue->size);
	queue->used_at = (uint16_t)(queue->used_at + queue->taken[d->id]);
	if (queue->used_at >= queue->size) {
		queue->used_at = (uint16_t)(queue->used_at - queue->size);
		queue->used_wrap = !queue->used_wrap;
	}
	return true;
}

/* ---- both ---- */

static struct driver_buffer make_table(struct driver *driver, bool packed,
				       const struct driver_buffer *buffers, unsigned count)
{
	struct driver_buffer table = { .gpa = driver__alloc(driver, 16 * count),
				       .length = 16 * count };
	void *memory = driver__memory(driver, table.gpa, table.length);
	unsigned i;

	for (i = 0; i < count; i++)
		if (packed)
			((struct packed_descriptor *)memory)[i] = (struct packed_descriptor){
				buffers[i].gpa, buffers[i].length, 0,
				buffers[i].write ? RING_WRITE : 0
			};
		else
			fill_split(&((struct split_descriptor *)memory)[i], &buffers[i], i + 1,
				   i + 1 == count);
	return table;
}

unsigned driver__add(struct driver *driver, unsigned index, const struct driver_buffer *buffers,
		     unsigned count, bool indirect)
{
	struct driver_queue *queue = &driver->queue[index];
	struct driver_buffer table;
	unsigned at = queue->next % queue->size, id;

	if (indirect) {
		table = make_table(driver, queue->packed, buffers, count);
		buffers = &table;
		count = 1;
	}
	if (queue->packed)
		return add_packed(driver, queue, buffers, count, indirect ? RING_INDIRECT : 0);
	id = add_split(driver, queue, buffers, count);
	if (indirect) {
		struct split_descriptor *d =
			driver__memory(driver, queue->descriptors, 16 * queue->size);

		d[at].flags |= RING_INDIRECT;
	}
	return id;
}

void driver__kick(struct driver *driver, unsigned queue)
{
	driver__write(driver, driver->notify + driver->notify_step * queue, driver->mmio ? 4 : 2, queue);
}

bool driver__used(struct driver *driver, unsigned index, unsigned *id, uint32_t *length)
{
	struct driver_queue *queue = &driver->queue[index];

	return queue->packed ? used_packed(driver, queue, id, length)
			     : used_split(driver, queue, id, length);
}

/* The bit of the vector, acknowledged. */
static unsigned take_bit(struct driver *driver, unsigned vector)
{
	unsigned bit = vector ? 1 : 2;

	if (!(driver__read(driver, MMIO_WINDOW + MMIO_INTERRUPT_STATUS, 4) & bit))
		return 0;
	driver__write(driver, MMIO_WINDOW + MMIO_INTERRUPT_ACK, 4, bit);
	return 1;
}

unsigned driver__interrupts(struct driver *driver, unsigned vector)
{
	struct fixture *f = driver->f;
	unsigned i, kept = 0, count = 0;

	if (driver->mmio)
		return take_bit(driver, vector);

	assert_true(f->message_count <= FIXTURE_MESSAGES);
	for (i = 0; i < f->message_count; i++)
		if (f->message[i].data == vector)
			count++;
		else
			f->message[kept++] = f->message[i];
	f->message_count = kept;
	return count;
}
