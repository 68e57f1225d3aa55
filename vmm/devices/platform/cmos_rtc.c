/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * CMOS memory and real-time clock (Motorola MC146818A data sheet; PC wiring: ports 70H/71H, IRQ 8).
 *
 * The clock is the host's plus an offset. Flags of register C are worked out when they are looked
 * at, and by a timer while their interrupt is enabled.
 */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "vmm/acpi/aml.h"
#include "vmm/acpi/ports.h"
#include "vmm/device/device.h"
#include "vmm/devices/classes.h"
#include "vmm/loop/loop.h"
#include "vmm/memory/guest_memory.h"

#define RTC_PORT 0x70
#define CMOS_BYTES 128
#define NS_PER_SECOND 1000000000ll
#define UIP_NS 244000 /* register A's warning time before an update */
#define SECONDS_PER_DAY 86400

enum {
	RTC_SECONDS,
	RTC_SECONDS_ALARM,
	RTC_MINUTES,
	RTC_MINUTES_ALARM,
	RTC_HOURS,
	RTC_HOURS_ALARM,
	RTC_WEEKDAY,
	RTC_DAY,
	RTC_MONTH,
	RTC_YEAR,
	RTC_A,
	RTC_B,
	RTC_C,
	RTC_D,
};

#define A_UIP 0x80u
#define A_DIVIDER 0x70u
#define A_DIVIDER_RUN 0x20u
#define A_RATE 0x0fu
#define B_SET 0x80u
#define B_PIE 0x40u
#define B_AIE 0x20u
#define B_UIE 0x10u
#define B_SQWE 0x08u
#define B_BINARY 0x04u
#define B_24H 0x02u
#define C_IRQF 0x80u
#define C_PF 0x40u
#define C_AF 0x20u
#define C_UF 0x10u
#define D_VALID 0x80u
#define HOURS_PM 0x80u
#define ALARM_ANY 0xc0u

struct rtc {
	struct device dev;
	pthread_mutex_t lock; /* guards all below */
	struct irq_wire irq;
	struct loop_timer *timer;
	uint8_t index;
	uint8_t cmos[CMOS_BYTES]; /* time of day in 0-9 and century: valid while B_SET only */
	int64_t offset;		  /* ns from the host's real time to the guest's */
	int64_t seen_second;	  /* flags are right up to here (guest seconds since 1970) */
	uint64_t seen_tick;	  /* and here (periods) */
};

static int64_t guest_ns(const struct rtc *rtc)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (int64_t)now.tv_sec * NS_PER_SECOND + now.tv_nsec + rtc->offset;
}

static int64_t seconds_of(int64_t ns)
{
	return ns / NS_PER_SECOND - (ns % NS_PER_SECOND < 0);
}

static bool is_running(const struct rtc *rtc)
{
	return !(rtc->cmos[RTC_B] & B_SET) && (rtc->cmos[RTC_A] & A_DIVIDER) == A_DIVIDER_RUN;
}

/* ---- time of day in registers ---- */

static uint8_t encode(const struct rtc *rtc, int value)
{
	return (uint8_t)(rtc->cmos[RTC_B] & B_BINARY ? value : value / 10 * 16 + value % 10);
}

static int decode(const struct rtc *rtc, uint8_t value)
{
	return rtc->cmos[RTC_B] & B_BINARY ? value : (value >> 4) * 10 + (value & 15);
}

static uint8_t encode_hour(const struct rtc *rtc, int hour)
{
	if (rtc->cmos[RTC_B] & B_24H)
		return encode(rtc, hour);
	return encode(rtc, hour % 12 ? hour % 12 : 12) | (hour >= 12 ? HOURS_PM : 0);
}

static int decode_hour(const struct rtc *rtc, uint8_t value)
{
	if (rtc->cmos[RTC_B] & B_24H)
		return decode(rtc, value);
	return decode(rtc, value & ~HOURS_PM) % 12 + (value & HOURS_PM ? 12 : 0);
}

static void load_registers(struct rtc *rtc)
{
	time_t seconds = (time_t)seconds_of(guest_ns(rtc));
	struct tm tm = { 0 };

	gmtime_r(&seconds, &tm);
	rtc->cmos[RTC_SECONDS] = encode(rtc, tm.tm_sec);
	rtc->cmos[RTC_MINUTES] = encode(rtc, tm.tm_min);
	rtc->cmos[RTC_HOURS] = encode_hour(rtc, tm.tm_hour);
	rtc->cmos[RTC_WEEKDAY] = encode(rtc, tm.tm_wday + 1);
	rtc->cmos[RTC_DAY] = encode(rtc, tm.tm_mday);
	rtc->cmos[RTC_MONTH] = encode(rtc, tm.tm_mon + 1);
	rtc->cmos[RTC_YEAR] = encode(rtc, tm.tm_year % 100);
	rtc->cmos[RTC_CENTURY_INDEX] = encode(rtc, (tm.tm_year + 1900) / 100 % 100);
}

/* What the guest wrote becomes the time; nonsense is what timegm() makes of it. */
static void store_registers(struct rtc *rtc)
{
	struct tm tm = {
		.tm_sec = decode(rtc, rtc->cmos[RTC_SECONDS]),
		.tm_min = decode(rtc, rtc->cmos[RTC_MINUTES]),
		.tm_hour = decode_hour(rtc, rtc->cmos[RTC_HOURS]),
		.tm_mday = decode(rtc, rtc->cmos[RTC_DAY]),
		.tm_mon = decode(rtc, rtc->cmos[RTC_MONTH]) - 1,
		.tm_year = decode(rtc, rtc->cmos[RTC_YEAR]) +
			   decode(rtc, rtc->cmos[RTC_CENTURY_INDEX]) * 100 - 1900,
	};
	int64_t seconds = timegm(&tm), now = guest_ns(rtc);

	rtc->offset += (seconds - seconds_of(now)) * NS_PER_SECOND;
	rtc->seen_second = seconds;
}

static bool is_time_register(unsigned index)
{
	switch (index) {
	case RTC_SECONDS:
	case RTC_MINUTES:
	case RTC_HOURS:
	case RTC_WEEKDAY:
	case RTC_DAY:
	case RTC_MONTH:
	case RTC_YEAR:
	case RTC_CENTURY_INDEX:
		return true;
	}
	return false;
}

/* ---- flags and interrupts ---- */

/* Periods per 32768 Hz cycle: rates 1 and 2 are those of 8 and 9 (data sheet, table 5). */
static unsigned period_shift(const struct rtc *rtc)
{
	unsigned rate = rtc->cmos[RTC_A] & A_RATE;

	return !rate ? 0 : rate <= 2 ? rate + 6 : rate - 1;
}

static uint64_t tick_now(void)
{
	uint64_t ns = loop__now();

	return ns / NS_PER_SECOND * 32768 + ns % NS_PER_SECOND * 32768 / NS_PER_SECOND;
}

static uint64_t time_of_tick(uint64_t tick)
{
	return tick / 32768 * NS_PER_SECOND +
	       (tick % 32768 * NS_PER_SECOND + 32767) / 32768;
}

static bool alarm_field_matches(uint8_t alarm, int decoded, int value)
{
	return (alarm & ALARM_ANY) == ALARM_ANY || decoded == value;
}

static bool alarm_matches(const struct rtc *rtc, int64_t second)
{
	int of_day = (int)((second % SECONDS_PER_DAY + SECONDS_PER_DAY) % SECONDS_PER_DAY);
	uint8_t s = rtc->cmos[RTC_SECONDS_ALARM], m = rtc->cmos[RTC_MINUTES_ALARM],
		h = rtc->cmos[RTC_HOURS_ALARM];

	return alarm_field_matches(s, decode(rtc, s), of_day % 60) &&
	       alarm_field_matches(m, decode(rtc, m), of_day / 60 % 60) &&
	       alarm_field_matches(h, decode_hour(rtc, h), of_day / 3600);
}

static void note_seconds(struct rtc *rtc)
{
	int64_t second = seconds_of(guest_ns(rtc)), s;

	if (!is_running(rtc) || second <= rtc->seen_second) {
		rtc->seen_second = second;
		return;
	}
	rtc->cmos[RTC_C] |= C_UF;
	s = rtc->seen_second + 1;
	if (second - s >= SECONDS_PER_DAY) /* the alarm looks at the time of day only */
		s = second - SECONDS_PER_DAY + 1;
	for (; s <= second && !(rtc->cmos[RTC_C] & C_AF); s++)
		if (alarm_matches(rtc, s))
			rtc->cmos[RTC_C] |= C_AF;
	rtc->seen_second = second;
}

static void note_periods(struct rtc *rtc)
{
	unsigned shift = period_shift(rtc);
	uint64_t tick = tick_now();

	if (shift && tick >> shift != rtc->seen_tick >> shift)
		rtc->cmos[RTC_C] |= C_PF;
	rtc->seen_tick = tick;
}

static void arm_timer(struct rtc *rtc)
{
	uint8_t b = rtc->cmos[RTC_B];
	unsigned shift = period_shift(rtc);
	uint64_t when = UINT64_MAX;

	if (b & (B_AIE | B_UIE) && is_running(rtc)) {
		int64_t ns = guest_ns(rtc);

		when = loop__now() + (uint64_t)((seconds_of(ns) + 1) * NS_PER_SECOND - ns);
	}
	if (b & B_PIE && shift) {
		uint64_t at = time_of_tick(((rtc->seen_tick >> shift) + 1) << shift);

		when = at < when ? at : when;
	}
	if (when == UINT64_MAX)
		loop__timer_cancel(rtc->timer);
	else
		loop__timer_arm(rtc->timer, when);
}

/* Brings flags, wire and timer up to date. */
static void catch_up(struct rtc *rtc)
{
	uint8_t *c = &rtc->cmos[RTC_C];

	note_seconds(rtc);
	note_periods(rtc);
	*c &= ~C_IRQF;
	if (*c & rtc->cmos[RTC_B] & (C_PF | C_AF | C_UF))
		*c |= C_IRQF;
	irq_wire__set(&rtc->irq, *c & C_IRQF);
	arm_timer(rtc);
}

static void on_timer(void *opaque)
{
	struct rtc *rtc = opaque;

	pthread_mutex_lock(&rtc->lock);
	catch_up(rtc);
	pthread_mutex_unlock(&rtc->lock);
}

/* ---- ports ---- */

static bool update_is_near(const struct rtc *rtc)
{
	int64_t ns = guest_ns(rtc);

	return is_running(rtc) && (seconds_of(ns) + 1) * NS_PER_SECOND - ns <= UIP_NS;
}

static uint8_t read_cmos(struct rtc *rtc, unsigned index)
{
	uint8_t value;

	if (is_time_register(index) && !(rtc->cmos[RTC_B] & B_SET))
		load_registers(rtc);
	switch (index) {
	case RTC_A:
		return rtc->cmos[RTC_A] | (update_is_near(rtc) ? A_UIP : 0);
	case RTC_C:
		catch_up(rtc);
		value = rtc->cmos[RTC_C];
		rtc->cmos[RTC_C] = 0;
		irq_wire__set(&rtc->irq, false);
		return value;
	case RTC_D:
		return D_VALID;
	}
	return rtc->cmos[index];
}

static void write_b(struct rtc *rtc, uint8_t value)
{
	bool was_set = rtc->cmos[RTC_B] & B_SET;

	if (value & B_SET) {
		if (!was_set)
			load_registers(rtc); /* frozen as of now */
		value &= ~B_UIE;	     /* data sheet: SET clears UIE */
		rtc->cmos[RTC_B] = value;
	} else {
		rtc->cmos[RTC_B] = value;
		if (was_set)
			store_registers(rtc);
	}
}

static void write_cmos(struct rtc *rtc, unsigned index, uint8_t value)
{
	switch (index) {
	case RTC_A:
		catch_up(rtc);
		rtc->cmos[RTC_A] = value & ~A_UIP;
		break;
	case RTC_B:
		catch_up(rtc);
		write_b(rtc, value);
		break;
	case RTC_C:
	case RTC_D:
		return;
	default:
		if (is_time_register(index) && !(rtc->cmos[RTC_B] & B_SET)) {
			load_registers(rtc);
			rtc->cmos[index] = value;
			store_registers(rtc);
		} else {
			rtc->cmos[index] = value;
		}
	}
	catch_up(rtc);
}

static void access_ports(void *opaque, struct access *access)
{
	struct rtc *rtc = opaque;

	pthread_mutex_lock(&rtc->lock);
	if (access->offset == 0 && access->write)
		rtc->index = access->value % CMOS_BYTES; /* bit 7 masks NMI, of which there is none */
	else if (access->offset == 1 && access->write)
		write_cmos(rtc, rtc->index, (uint8_t)access->value);
	else if (access->offset == 1)
		access->value = read_cmos(rtc, rtc->index);
	/* The index port cannot be read on a PC. */
	pthread_mutex_unlock(&rtc->lock);
}

/* ---- what firmware leaves in CMOS (the PC's customary places) ---- */

static void put16(struct rtc *rtc, unsigned index, uint64_t value, uint64_t most)
{
	value = value < most ? value : most;
	rtc->cmos[index] = (uint8_t)value;
	rtc->cmos[index + 1] = (uint8_t)(value >> 8);
}

static void describe_memory(struct rtc *rtc)
{
	uint64_t size = rtc->dev.services->memory->size;
	uint64_t low = size < GUEST_LOW_RAM_END ? size : GUEST_LOW_RAM_END;
	uint64_t high = (size - low) >> 16;
	uint64_t above_1m = low > (1 << 20) ? (low - (1 << 20)) >> 10 : 0;
	uint64_t above_16m = low > (16 << 20) ? (low - (16 << 20)) >> 16 : 0;

	put16(rtc, 0x15, 640, 0xffff);
	put16(rtc, 0x17, above_1m, 0xffff);
	put16(rtc, 0x30, above_1m, 0xffff);
	put16(rtc, 0x34, above_16m, 0xffff);
	rtc->cmos[0x5b] = (uint8_t)high;
	rtc->cmos[0x5c] = (uint8_t)(high >> 8);
	rtc->cmos[0x5d] = (uint8_t)(high >> 16);
}

static void reset(struct device *dev)
{
	struct rtc *rtc = container_of_type(dev, struct rtc, dev);

	pthread_mutex_lock(&rtc->lock);
	rtc->index = 0;
	rtc->cmos[RTC_A] = A_DIVIDER_RUN | 6; /* 1024 Hz */
	rtc->cmos[RTC_B] = (rtc->cmos[RTC_B] & B_BINARY) | B_24H;
	rtc->cmos[RTC_C] = 0;
	rtc->cmos[0x0f] = 0;	/* shutdown status: a normal start */
	rtc->cmos[0x14] = 0x06; /* equipment: FPU, pointing device */
	rtc->cmos[0x38] = 0x40; /* boot from: disk, CD, network */
	rtc->cmos[0x3d] = 0x32;
	rtc->cmos[0x5f] = (uint8_t)(dev->services->cpus - 1);
	describe_memory(rtc);
	rtc->seen_second = seconds_of(guest_ns(rtc));
	rtc->seen_tick = tick_now();
	catch_up(rtc);
	pthread_mutex_unlock(&rtc->lock);
}

static int realize(struct device *dev, char *error, size_t error_size)
{
	struct rtc *rtc = container_of_type(dev, struct rtc, dev);
	int err;

	pthread_mutex_init(&rtc->lock, NULL);
	irq_wire__connect(&rtc->irq, dev->services->irqs, RTC_IRQ);
	err = loop__timer(dev->services->loop, on_timer, rtc, &rtc->timer);
	if (err) {
		snprintf(error, error_size, "device rtc: cannot make a timer: %s", strerror(-err));
		return err;
	}
	return device__claim_ports(dev, RTC_PORT, 2, 1, access_ports, error, error_size);
}

static void remove_rtc(struct device *dev)
{
	struct rtc *rtc = container_of_type(dev, struct rtc, dev);

	loop__timer_free(rtc->timer);
	pthread_mutex_destroy(&rtc->lock);
}

static void describe(struct device *dev, struct aml *aml)
{
	aml__device(aml, "RTC");
	aml__name_eisaid(aml, "_HID", "PNP0B00");
	aml__resources(aml, "_CRS");
	aml__io(aml, RTC_PORT, 1, 2);
	aml__irq(aml, RTC_IRQ);
	aml__end_resources(aml);
	aml__end(aml);
}

static int after_load(struct device *dev)
{
	struct rtc *rtc = container_of_type(dev, struct rtc, dev);

	if (rtc->index >= CMOS_BYTES)
		return -EINVAL;
	pthread_mutex_lock(&rtc->lock);
	rtc->seen_tick = tick_now();
	catch_up(rtc);
	pthread_mutex_unlock(&rtc->lock);
	return 0;
}

static const struct state_field state_fields[] = {
	STATE_FIELD(struct rtc, index, 1),
	STATE_ARRAY(struct rtc, cmos, 1),
	STATE_FIELD(struct rtc, offset, 1),
	STATE_FIELD(struct rtc, seen_second, 1),
	{ NULL },
};

static const struct state_table state = { 1, state_fields, after_load };

const struct device_class device_class_rtc = {
	.name = "rtc",
	.help = "MC146818 real-time clock and CMOS memory",
	.bus = DEVICE_BUS_ISA,
	.builtin = true,
	.max = 1,
	.size = sizeof(struct rtc),
	.state = &state,
	.realize = realize,
	.reset = reset,
	.remove = remove_rtc,
	.acpi = describe,
};
