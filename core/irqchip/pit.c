/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The 8254 programmable interval timer: three counters behind ports 40H to 43H, and port 61H with
 * the gate and the output of counter 2. Counters are computed from the time that has passed.
 *
 * Everything here runs under chip->lock unless it says otherwise. See the 8254 data sheet (Intel
 * 231164) for the modes.
 */
#include "core/irqchip/chip.h"
#include "core/irqchip/scale.h"
#include "core/vm/vm.h"

#define MODE_NONE 0xff /* no control word since reset */

/* Which byte comes next, and what a control word's access field selects. */
enum pit_access { ACCESS_LATCH, ACCESS_LOW, ACCESS_HIGH, ACCESS_WORD, ACCESS_WORD_SECOND };

/* Level-sensitive gates stop the count while low; the others only start it by their edge. */
static bool gate_stops(const struct kvm_pit_channel_state *c)
{
	return c->mode == 0 || c->mode == 2 || c->mode == 3 || c->mode == 4;
}

static u64 elapsed_ns(const struct pit *pit, unsigned n)
{
	const struct kvm_pit_channel_state *c = &pit->channel[n];
	u64 now = host__monotonic_ns();

	if (!c->gate && gate_stops(c))
		return pit->frozen_ns[n];
	return now > (u64)c->count_load_time ? now - (u64)c->count_load_time : 0;
}

/* Input clocks since the count was loaded. */
static u64 elapsed_clocks(const struct pit *pit, unsigned n)
{
	if (pit->null_count[n] || pit->untriggered[n])
		return 0;
	return scale__u64(elapsed_ns(pit, n), PIT_HZ, NS_PER_SECOND);
}

/* The counting element, binary. */
static u32 counter_value(const struct pit *pit, unsigned n)
{
	const struct kvm_pit_channel_state *c = &pit->channel[n];
	u32 wrap = c->bcd ? 10000 : 0x10000, count = c->count, phase, even, half;
	u64 clocks = elapsed_clocks(pit, n);

	if (!count) /* nothing was ever loaded */
		return 0;
	switch (c->mode) {
	case 2:
		return (count - clocks % count) % wrap;
	case 3: /* counts down by two, twice per period; an odd count loads one less */
		phase = clocks % count;
		half = (count + 1) / 2;
		even = count & ~1U;
		return (even - 2 * (phase < half ? phase : phase - half)) % wrap;
	default: /* wraps around and goes on */
		return (count % wrap + wrap - clocks % wrap) % wrap;
	}
}

static bool output(const struct pit *pit, unsigned n)
{
	const struct kvm_pit_channel_state *c = &pit->channel[n];
	u64 clocks = elapsed_clocks(pit, n);
	bool idle = pit->null_count[n] || pit->untriggered[n] || !c->count;

	switch (c->mode) {
	case 0:
		return !idle && clocks >= c->count;
	case 1:
		return idle || clocks >= c->count;
	case 2:
		return idle || !c->gate || clocks % c->count != c->count - 1;
	case 3:
		return idle || !c->gate || clocks % c->count < (c->count + 1) / 2;
	case 4:
	case 5:
		return idle || clocks != c->count;
	default:
		return false;
	}
}

static u16 to_bcd(u32 value)
{
	return value % 10 | value / 10 % 10 << 4 | value / 100 % 10 << 8 | value / 1000 % 10 << 12;
}

static u32 from_bcd(u16 bcd)
{
	return (bcd & 0xf) + (bcd >> 4 & 0xf) * 10 + (bcd >> 8 & 0xf) * 100 + (bcd >> 12) * 1000;
}

static u16 read_counter(const struct pit *pit, unsigned n)
{
	u32 value = counter_value(pit, n);

	return pit->channel[n].bcd ? to_bcd(value) : value;
}

static void latch_count(struct pit *pit, unsigned n)
{
	struct kvm_pit_channel_state *c = &pit->channel[n];

	if (c->count_latched) /* the first latch holds until it is read */
		return;
	c->latched_count = read_counter(pit, n);
	c->count_latched = c->rw_mode;
}

static void latch_status(struct pit *pit, unsigned n)
{
	struct kvm_pit_channel_state *c = &pit->channel[n];

	if (c->status_latched)
		return;
	c->status = output(pit, n) << 7 | pit->null_count[n] << 6 | (c->rw_mode & 3) << 4 |
		    (c->mode & 7) << 1 | (c->bcd & 1);
	c->status_latched = 1;
}

static void load_count(struct irqchip *chip, unsigned n, u16 value)
{
	struct pit *pit = &chip->pit;
	struct kvm_pit_channel_state *c = &pit->channel[n];
	u32 count = c->bcd ? from_bcd(value) : value;

	if (!count)
		count = c->bcd ? 10000 : 0x10000;
	c->count = count;
	c->count_load_time = host__monotonic_ns();
	pit->frozen_ns[n] = 0;
	pit->untriggered[n] = c->mode == 1 || c->mode == 5;
	pit->null_count[n] = false;
	if (n == 0)
		pit_timer__start(chip);
}

static void write_control(struct irqchip *chip, u8 value)
{
	struct pit *pit = &chip->pit;
	struct kvm_pit_channel_state *c;
	unsigned n = value >> 6, access = value >> 4 & 3;

	if (n == 3) { /* read-back: for each counter, latch count and status */
		for (n = 0; n < 3; n++) {
			if (!(value >> (n + 1) & 1))
				continue;
			if (!(value & 0x20))
				latch_count(pit, n);
			if (!(value & 0x10))
				latch_status(pit, n);
		}
		return;
	}
	if (access == ACCESS_LATCH) {
		latch_count(pit, n);
		return;
	}
	c = &pit->channel[n];
	c->rw_mode = access;
	c->read_state = access;
	c->write_state = access;
	c->mode = value >> 1 & 7;
	if (c->mode > 5) /* X10, X11 */
		c->mode -= 4;
	c->bcd = value & 1;
	c->count_latched = 0;
	c->status_latched = 0;
	pit->null_count[n] = true;
	if (n == 0)
		pit_timer__stop(chip);
}

static void write_counter(struct irqchip *chip, unsigned n, u8 value)
{
	struct kvm_pit_channel_state *c = &chip->pit.channel[n];

	switch (c->write_state) {
	case ACCESS_HIGH:
		load_count(chip, n, value << 8);
		break;
	case ACCESS_WORD:
		c->write_latch = value;
		c->write_state = ACCESS_WORD_SECOND;
		/* In mode 0 the first byte stops the count. */
		if (c->mode == 0) {
			chip->pit.null_count[n] = true;
			if (n == 0)
				pit_timer__stop(chip);
		}
		break;
	case ACCESS_WORD_SECOND:
		c->write_state = ACCESS_WORD;
		load_count(chip, n, c->write_latch | value << 8);
		break;
	default:
		load_count(chip, n, value);
	}
}

static u8 read_channel(struct pit *pit, unsigned n)
{
	struct kvm_pit_channel_state *c = &pit->channel[n];
	unsigned state = c->count_latched;
	u16 value = c->latched_count;

	if (c->status_latched) {
		c->status_latched = 0;
		return c->status;
	}
	if (state) { /* latched: the second byte, if there is one, is the high one */
		c->count_latched = state == ACCESS_WORD ? ACCESS_HIGH : 0;
		return state == ACCESS_HIGH ? value >> 8 : value;
	}
	value = read_counter(pit, n);
	switch (c->read_state) {
	case ACCESS_HIGH:
		return value >> 8;
	case ACCESS_WORD:
		c->read_state = ACCESS_WORD_SECOND;
		return value;
	case ACCESS_WORD_SECOND:
		c->read_state = ACCESS_WORD;
		return value >> 8;
	default:
		return value;
	}
}

static void set_gate(struct pit *pit, unsigned n, bool gate)
{
	struct kvm_pit_channel_state *c = &pit->channel[n];
	u64 now = host__monotonic_ns();

	if (gate == !!c->gate)
		return;
	if (!gate) {
		pit->frozen_ns[n] = elapsed_ns(pit, n);
		c->gate = 0;
		return;
	}
	c->gate = 1;
	if (c->mode == 0 || c->mode == 4) { /* goes on */
		c->count_load_time = now - pit->frozen_ns[n];
	} else { /* starts anew */
		c->count_load_time = now;
		pit->untriggered[n] = false;
	}
}

static u8 read_port_61(struct pit *pit)
{
	/* Bit 4 toggles with each memory refresh, about every 15 us. */
	u8 refresh = host__monotonic_ns() >> 14 & 1;
	bool speaker = pit->flags & KVM_PIT_FLAGS_SPEAKER_DATA_ON;

	return output(pit, 2) << 5 | refresh << 4 | speaker << 1 | !!pit->channel[2].gate;
}

u8 pit__read(struct irqchip *chip, u16 port)
{
	if (port == 0x61)
		return read_port_61(&chip->pit);
	return port == 0x43 ? 0 : read_channel(&chip->pit, port & 3);
}

void pit__write(struct irqchip *chip, u16 port, u8 value)
{
	struct pit *pit = &chip->pit;

	if (port == 0x61) {
		pit->flags &= ~KVM_PIT_FLAGS_SPEAKER_DATA_ON;
		if (value & 2)
			pit->flags |= KVM_PIT_FLAGS_SPEAKER_DATA_ON;
		set_gate(pit, 2, value & 1);
	} else if (port == 0x43) {
		write_control(chip, value);
	} else {
		write_counter(chip, port & 3, value);
	}
}

int pit__create(struct vm *vm, const struct kvm_pit_config *config)
{
	struct irqchip *chip = chip__of(vm);
	struct pit *pit;
	unsigned n;
	int ret = -EEXIST;

	if (!chip || chip->split)
		return -ENOENT;
	host__mutex_lock(&chip->lock);
	pit = &chip->pit;
	if (pit->present)
		goto unlock;
	for (n = 0; n < 3; n++) {
		pit->channel[n].mode = MODE_NONE;
		pit->channel[n].gate = n != 2;
		pit->channel[n].count = 0x10000;
		pit->channel[n].count_load_time = host__monotonic_ns();
	}
	pit->speaker = config->flags & KVM_PIT_SPEAKER_DUMMY;
	pit->reinject = true;
	pit_timer__reset_reinject(chip);
	chip__update_eoi_vectors(chip);
	__atomic_store_n(&pit->present, true, __ATOMIC_RELEASE);
	ret = 0;
unlock:
	host__mutex_unlock(&chip->lock);
	return ret;
}

/* The VM's irqchip with its lock taken, if it has a PIT. */
static struct irqchip *lock_pit(struct vm *vm)
{
	struct irqchip *chip = chip__of(vm);

	if (!chip)
		return NULL;
	host__mutex_lock(&chip->lock);
	if (chip->pit.present)
		return chip;
	host__mutex_unlock(&chip->lock);
	return NULL;
}

int pit__get(struct vm *vm, struct kvm_pit_state2 *state)
{
	struct irqchip *chip = lock_pit(vm);
	unsigned n;

	if (!chip)
		return -ENXIO;
	memset(state, 0, sizeof(*state));
	memcpy(state->channels, chip->pit.channel, sizeof(state->channels));
	/* A stopped count looks as if it had been loaded later. */
	for (n = 0; n < 3; n++)
		if (!chip->pit.channel[n].gate && gate_stops(&chip->pit.channel[n]))
			state->channels[n].count_load_time =
				host__monotonic_ns() - chip->pit.frozen_ns[n];
	state->flags = chip->pit.flags;
	host__mutex_unlock(&chip->lock);
	return 0;
}

int pit__set(struct vm *vm, const struct kvm_pit_state2 *state)
{
	struct irqchip *chip = lock_pit(vm);
	struct pit *pit;
	unsigned n;

	if (!chip)
		return -ENXIO;
	pit = &chip->pit;
	pit->flags = state->flags & (KVM_PIT_FLAGS_HPET_LEGACY | KVM_PIT_FLAGS_SPEAKER_DATA_ON);
	for (n = 0; n < 3; n++) {
		struct kvm_pit_channel_state *c = &pit->channel[n];
		u32 most;

		*c = state->channels[n];
		c->gate = !!c->gate;
		c->bcd = !!c->bcd;
		if (c->mode > 5)
			c->mode = MODE_NONE;
		most = c->bcd ? 10000 : 0x10000;
		if (!c->count || c->count > most)
			c->count = most;
		/* As KVM: times of another host mean nothing here, all counts start anew. */
		c->count_load_time = host__monotonic_ns();
		pit->frozen_ns[n] = 0;
		pit->null_count[n] = false;
		pit->untriggered[n] = false;
	}
	pit_timer__start(chip);
	host__mutex_unlock(&chip->lock);
	return 0;
}

int pit__set_reinject(struct vm *vm, bool reinject)
{
	struct irqchip *chip = lock_pit(vm);

	if (!chip)
		return -ENXIO;
	if (reinject && !chip->pit.reinject)
		pit_timer__reset_reinject(chip);
	chip->pit.reinject = reinject;
	chip__update_eoi_vectors(chip);
	host__mutex_unlock(&chip->lock);
	return 0;
}
