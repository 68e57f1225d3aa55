/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ACPI fixed hardware: PM1a event and control blocks, the 3.579545 MHz timer (ACPI 6.4, 4.8.3).
 * There is no SMI and no legacy mode: SCI_EN is always set. Any interrupt of the real-time clock is an
 * alarm to it, as in an ICH9 (316972, 13.8.3.1, RTC_STS).
 */
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "vmm/acpi/ports.h"
#include "vmm/device/device.h"
#include "vmm/devices/classes.h"
#include "vmm/loop/loop.h"

#define PM_TIMER_HZ 3579545ull
#define NS_PER_SECOND 1000000000ull

#define EVENT_TIMER 0x0001u
#define EVENT_POWER_BUTTON 0x0100u
#define EVENT_RTC 0x0400u
#define EVENT_WAKE 0x8000u
#define EVENTS_ENABLED_MASK (EVENT_TIMER | 0x0020u | EVENT_POWER_BUTTON | 0x0200u | EVENT_RTC)

#define CONTROL_SCI_EN 0x0001u
#define CONTROL_SLP_TYP(c) ((c) >> 10 & 7)
#define CONTROL_SLP_EN 0x2000u
#define CONTROL_KEPT 0x1c02u /* SLP_TYP, BM_RLD */

#define SMI_EN_APMC 0x20u

struct acpi_pm {
	struct device dev;
	pthread_mutex_t lock; /* guards all below */
	struct irq_wire sci;
	struct loop_timer *timer;
	uint16_t status, enable, control;
	uint64_t epoch;	   /* loop__now() when the timer was 0 */
	uint64_t seen_half; /* timer >> 31 up to which EVENT_TIMER was noted */
};

static uint64_t timer_ticks(const struct acpi_pm *pm)
{
	uint64_t ns = loop__now() - pm->epoch;

	return ns / NS_PER_SECOND * PM_TIMER_HZ + ns % NS_PER_SECOND * PM_TIMER_HZ / NS_PER_SECOND;
}

static uint64_t time_of_ticks(const struct acpi_pm *pm, uint64_t ticks)
{
	return pm->epoch + ticks / PM_TIMER_HZ * NS_PER_SECOND +
	       (ticks % PM_TIMER_HZ * NS_PER_SECOND + PM_TIMER_HZ - 1) / PM_TIMER_HZ;
}

/* The timer's status bit is set whenever its most significant bit changes (4.8.3.1). */
static void update(struct acpi_pm *pm)
{
	uint64_t half = timer_ticks(pm) >> 31;

	if (half != pm->seen_half)
		pm->status |= EVENT_TIMER;
	pm->seen_half = half;
	if (pm->enable & EVENT_TIMER && !(pm->status & EVENT_TIMER))
		loop__timer_arm(pm->timer, time_of_ticks(pm, (half + 1) << 31));
	else
		loop__timer_cancel(pm->timer);
	irq_wire__set(&pm->sci, pm->status & pm->enable);
}

static void on_timer(void *opaque)
{
	struct acpi_pm *pm = opaque;

	pthread_mutex_lock(&pm->lock);
	update(pm);
	pthread_mutex_unlock(&pm->lock);
}

/* The bytes of an access as a mask over 32 bits at the block's start, and the value in place. */
static uint32_t place(const struct access *access, uint32_t *value)
{
	unsigned shift = (unsigned)(access->offset % 4) * 8;
	uint32_t mask = access->size >= 4 ? ~0u : (1u << access->size * 8) - 1;

	*value = ((uint32_t)access->value & mask) << shift;
	return mask << shift;
}

static void access_events(void *opaque, struct access *access)
{
	struct acpi_pm *pm = opaque;
	uint32_t value, mask = place(access, &value);

	pthread_mutex_lock(&pm->lock);
	update(pm);
	if (access->write) {
		pm->status &= (uint16_t)~value; /* write one to clear */
		pm->enable = (uint16_t)((pm->enable & ~(mask >> 16)) | value >> 16) &
			     EVENTS_ENABLED_MASK;
		update(pm);
	} else {
		access->value = (pm->status | (uint32_t)pm->enable << 16) >> access->offset * 8;
	}
	pthread_mutex_unlock(&pm->lock);
}

/* True if the guest asked to be switched off. */
static bool write_control(struct acpi_pm *pm, uint32_t mask, uint32_t value)
{
	uint32_t control = (pm->control & ~mask) | value;

	pm->control = (control & CONTROL_KEPT) | CONTROL_SCI_EN;
	return value & CONTROL_SLP_EN && (CONTROL_SLP_TYP(control) == ACPI_SLEEP_TYPE_S5 ||
					  CONTROL_SLP_TYP(control) == ACPI_SLEEP_TYPE_FIRMWARE);
}

static void access_control(void *opaque, struct access *access)
{
	struct acpi_pm *pm = opaque;
	const struct device_services *services = pm->dev.services;
	uint32_t value, mask = place(access, &value);
	bool off = false;

	pthread_mutex_lock(&pm->lock);
	if (access->write)
		off = write_control(pm, mask, value);
	else
		access->value = (uint32_t)pm->control >> access->offset * 8;
	pthread_mutex_unlock(&pm->lock);
	if (off)
		services->request(services->opaque, DEVICE_REQUEST_POWER_OFF, 0);
}

static void access_timer(void *opaque, struct access *access)
{
	struct acpi_pm *pm = opaque;

	if (!access->write) /* epoch changes at reset only, with vCPUs standing still */
		access->value = (uint32_t)timer_ticks(pm) >> access->offset * 8;
}

/*
 * There is no SMM. Firmware that finds the APM port's SMI enabled takes it that SMM is set up, and
 * leaves it alone.
 */
static void access_smi(void *opaque, struct access *access)
{
	if (!access->write)
		access->value = (uint64_t)SMI_EN_APMC >> access->offset * 8;
}

static void press_power_button(struct device *dev)
{
	struct acpi_pm *pm = container_of_type(dev, struct acpi_pm, dev);

	pthread_mutex_lock(&pm->lock);
	pm->status |= EVENT_POWER_BUTTON;
	update(pm);
	pthread_mutex_unlock(&pm->lock);
}

/* The clock's interrupt, whoever has its line; how a kernel that uses the HPET hears of alarms. */
static void note_alarm(void *opaque)
{
	struct acpi_pm *pm = opaque;

	pthread_mutex_lock(&pm->lock);
	pm->status |= EVENT_RTC;
	update(pm);
	pthread_mutex_unlock(&pm->lock);
}

static void reset(struct device *dev)
{
	struct acpi_pm *pm = container_of_type(dev, struct acpi_pm, dev);

	pthread_mutex_lock(&pm->lock);
	pm->status = 0;
	pm->enable = 0;
	pm->control = CONTROL_SCI_EN;
	pm->epoch = loop__now();
	pm->seen_half = 0;
	update(pm);
	pthread_mutex_unlock(&pm->lock);
}

static int realize(struct device *dev, char *error, size_t error_size)
{
	struct acpi_pm *pm = container_of_type(dev, struct acpi_pm, dev);
	int err;

	pthread_mutex_init(&pm->lock, NULL);
	irq_wire__connect(&pm->sci, dev->services->irqs, ACPI_SCI);
	irq_hub__listen(dev->services->irqs, RTC_IRQ, note_alarm, pm);
	err = loop__timer(dev->services->loop, on_timer, pm, &pm->timer);
	if (err) {
		snprintf(error, error_size, "device acpi-pm: cannot make a timer: %s", strerror(-err));
		return err;
	}
	err = device__claim_ports(dev, ACPI_PM1_EVENT_PORT, 4, 4, access_events, error, error_size);
	if (!err)
		err = device__claim_ports(dev, ACPI_PM1_CONTROL_PORT, 2, 2, access_control, error,
					  error_size);
	if (!err)
		err = device__claim_ports(dev, ACPI_PM_TIMER_PORT, 4, 4, access_timer, error,
					  error_size);
	if (!err)
		err = device__claim_ports(dev, ACPI_SMI_PORT, 8, 4, access_smi, error, error_size);
	return err;
}

static void remove_pm(struct device *dev)
{
	struct acpi_pm *pm = container_of_type(dev, struct acpi_pm, dev);

	irq_hub__listen(dev->services->irqs, RTC_IRQ, NULL, NULL);
	loop__timer_free(pm->timer);
	pthread_mutex_destroy(&pm->lock);
}

static int after_load(struct device *dev)
{
	on_timer(container_of_type(dev, struct acpi_pm, dev));
	return 0;
}

static const struct state_field state_fields[] = {
	STATE_FIELD(struct acpi_pm, status, 1),	   STATE_FIELD(struct acpi_pm, enable, 1),
	STATE_FIELD(struct acpi_pm, control, 1),   STATE_FIELD(struct acpi_pm, epoch, 1),
	STATE_FIELD(struct acpi_pm, seen_half, 1), { NULL },
};

static const struct state_table state = { 1, state_fields, after_load };

const struct device_class device_class_acpi_pm = {
	.name = "acpi-pm",
	.help = "ACPI power management registers and timer",
	.bus = DEVICE_BUS_ISA,
	.builtin = true,
	.max = 1,
	.size = sizeof(struct acpi_pm),
	.state = &state,
	.realize = realize,
	.reset = reset,
	.remove = remove_pm,
	.power_button = press_power_button,
};
