/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The pair of 8259A interrupt controllers with the edge/level control registers of the PIIX.
 *
 * Everything here runs under chip->lock. See the 8259A data sheet (Intel 231468) for ICW and OCW.
 */
#include "core/irqchip/chip.h"
#include "core/irqchip/lapic.h"
#include "core/vm/vm.h"

#define MASTER 0
#define SLAVE 1
#define CASCADE 2 /* the master's input that the slave drives */

/* Timer, keyboard, cascade, and RTC, coprocessor can't be level-triggered (PIIX, ELCR1/2). */
static const u8 elcr_mask[2] = {0xf8, 0xde};

/* ICW4 needed, ICW1 level and single, OCW bits. */
#define ICW1 0x10
#define ICW1_IC4 0x01
#define ICW1_SINGLE 0x02
#define ICW4_AEOI 0x02
#define ICW4_SFNM 0x10
#define OCW3 0x08
#define OCW3_READ 0x02
#define OCW3_POLL 0x04
#define OCW3_SET_MASK_MODE 0x40

/* Rank 0 to 7 (0 first) of the first set bit in rotation order, or 8. */
static unsigned first_rank(const struct kvm_pic_state *s, u8 mask)
{
	unsigned rank;

	for (rank = 0; rank < 8; rank++)
		if (mask >> ((rank + s->priority_add) & 7) & 1)
			return rank;
	return 8;
}

/* In-service bits that block requests of their rank and below. */
static u8 blocking(const struct kvm_pic_state *s)
{
	return s->special_mask ? s->isr & ~s->imr : s->isr;
}

/* The input this chip would interrupt for, or -1. */
static int requested(const struct irqchip *chip, unsigned which)
{
	const struct kvm_pic_state *s = &chip->pic.chip[which];
	unsigned rank = first_rank(s, s->irr & ~s->imr);
	u8 service = blocking(s);

	/* The slave has its own priorities: in special fully nested mode it may interrupt itself. */
	if (which == MASTER && s->special_fully_nested_mode)
		service &= ~(1 << CASCADE);
	if (rank == 8 || rank >= first_rank(s, service))
		return -1;
	return (rank + s->priority_add) & 7;
}

/* The first vCPU that listens to INTR looks for interrupts. */
static void wake_listener(struct vm *vm)
{
	u32 i, n = __atomic_load_n(&vm->nr_vcpus, __ATOMIC_ACQUIRE);

	for (i = 0; i < n; i++) {
		if (!lapic__accepts_pic(vm->vcpus[i]))
			continue;
		vcpu__request(vm->vcpus[i], REQ_EVENT);
		return;
	}
}

/* Recomputes the slave's wire to the master, and INTR. */
static void update_output(struct irqchip *chip)
{
	struct pic *pic = &chip->pic;
	bool output;

	if (requested(chip, SLAVE) >= 0)
		pic->chip[MASTER].irr |= 1 << CASCADE;
	else
		pic->chip[MASTER].irr &= ~(1 << CASCADE);
	output = requested(chip, MASTER) >= 0;
	if (output == pic->output)
		return;
	__atomic_store_n(&pic->output, output, __ATOMIC_RELEASE);
	if (output)
		wake_listener(chip->vm);
}

void pic__init(struct irqchip *chip)
{
	unsigned i;

	for (i = 0; i < 2; i++)
		chip->pic.chip[i].elcr_mask = elcr_mask[i];
}

/* A level of an input: sets IRR for a high level, or a rising edge. */
static int drive_input(struct kvm_pic_state *s, unsigned input, bool level)
{
	u8 bit = 1 << input;
	bool request = level && ((s->elcr & bit) || !(s->last_irr & bit));
	int status = 1;

	if (request) {
		status = !(s->irr & bit);
		s->irr |= bit;
	} else if (!level && (s->elcr & bit)) {
		s->irr &= ~bit;
	}
	s->last_irr = level ? s->last_irr | bit : s->last_irr & ~bit;
	return s->imr & bit ? -1 : status;
}

int pic__set_line(struct irqchip *chip, unsigned pin, enum line_source source, bool level)
{
	struct pic *pic = &chip->pic;
	int status;

	if (level)
		pic->lines[pin] |= 1 << source;
	else
		pic->lines[pin] &= ~(1 << source);
	status = drive_input(&pic->chip[pin / 8], pin % 8, pic->lines[pin]);
	update_output(chip);
	return status;
}

static void end_of_interrupt(struct irqchip *chip, unsigned which, unsigned input)
{
	chip->pic.chip[which].isr &= ~(1 << input);
	chip__acknowledged(chip, which == MASTER ? KVM_IRQCHIP_PIC_MASTER : KVM_IRQCHIP_PIC_SLAVE,
			   input);
}

static void put_in_service(struct irqchip *chip, unsigned which, unsigned input)
{
	struct kvm_pic_state *s = &chip->pic.chip[which];

	s->isr |= 1 << input;
	if (!(s->elcr >> input & 1))
		s->irr &= ~(1 << input);
	if (!s->auto_eoi)
		return;
	if (s->rotate_on_auto_eoi)
		s->priority_add = (input + 1) & 7;
	end_of_interrupt(chip, which, input);
}

u8 pic__acknowledge(struct irqchip *chip)
{
	struct pic *pic = &chip->pic;
	int input = requested(chip, MASTER);
	unsigned which = MASTER;

	/* A request that is gone by INTA is answered with input 7, and not in service. */
	if (input < 0) {
		input = 7;
	} else {
		put_in_service(chip, MASTER, input);
		if (input == CASCADE) {
			which = SLAVE;
			input = requested(chip, SLAVE);
			if (input < 0)
				input = 7;
			else
				put_in_service(chip, SLAVE, input);
		}
	}
	/* INTR falls with INTA, so that the next request is a new one for the listener. */
	__atomic_store_n(&pic->output, 0, __ATOMIC_RELEASE);
	update_output(chip);
	return (pic->chip[which].irq_base & 0xf8) + input;
}

static void initialize(struct irqchip *chip, unsigned which, u8 icw1)
{
	struct kvm_pic_state *s = &chip->pic.chip[which];
	u8 dropped = s->isr | (s->irr & ~s->elcr);
	unsigned input;

	s->init4 = icw1 & ICW1_IC4;
	chip->pic.single[which] = icw1 & ICW1_SINGLE;
	s->last_irr = 0;
	s->irr &= s->elcr;
	s->isr = 0;
	s->imr = 0;
	s->priority_add = 0;
	s->special_mask = 0;
	s->read_reg_select = 0;
	s->poll = 0;
	s->rotate_on_auto_eoi = 0;
	if (!s->init4) {
		s->special_fully_nested_mode = 0;
		s->auto_eoi = 0;
	}
	s->init_state = 1;
	/* Nobody will end what was dropped: whoever waits for it goes on. */
	for (input = 0; input < 8; input++)
		if (dropped >> input & 1)
			end_of_interrupt(chip, which, input);
	update_output(chip);
}

static void write_ocw2(struct irqchip *chip, unsigned which, u8 value)
{
	struct kvm_pic_state *s = &chip->pic.chip[which];
	bool rotate = value & 0x80, specific = value & 0x40, eoi = value & 0x20;
	unsigned input = value & 7;

	if (!eoi && !specific) { /* rotate in automatic EOI mode: set or clear */
		s->rotate_on_auto_eoi = rotate;
		return;
	}
	if (!eoi && !rotate) /* 010: no operation */
		return;
	if (!specific) {
		unsigned rank = first_rank(s, blocking(s));

		if (rank == 8)
			return;
		input = (rank + s->priority_add) & 7;
	}
	if (rotate)
		s->priority_add = (input + 1) & 7;
	if (eoi)
		end_of_interrupt(chip, which, input);
	update_output(chip);
}

static void write_ocw3(struct irqchip *chip, unsigned which, u8 value)
{
	struct kvm_pic_state *s = &chip->pic.chip[which];

	if (value & OCW3_POLL)
		s->poll = 1;
	if (value & OCW3_READ)
		s->read_reg_select = value & 1;
	if (value & OCW3_SET_MASK_MODE) {
		s->special_mask = value >> 5 & 1;
		update_output(chip);
	}
}

static void write_mask(struct irqchip *chip, unsigned which, u8 value)
{
	struct kvm_pic_state *s = &chip->pic.chip[which];
	u8 unmasked = s->imr & ~value;
	unsigned input;

	s->imr = value;
	for (input = 0; input < 8; input++)
		if (unmasked >> input & 1)
			chip__unmasked(chip,
				       which == MASTER ? KVM_IRQCHIP_PIC_MASTER
						       : KVM_IRQCHIP_PIC_SLAVE,
				       input);
	update_output(chip);
}

/* The odd port: the mask, or the rest of the initialisation sequence. */
static void write_data(struct irqchip *chip, unsigned which, u8 value)
{
	struct kvm_pic_state *s = &chip->pic.chip[which];

	switch (s->init_state) {
	case 1: /* ICW2 */
		s->irq_base = value & 0xf8;
		if (chip->pic.single[which])
			s->init_state = s->init4 ? 3 : 0;
		else
			s->init_state = 2;
		break;
	case 2: /* ICW3: the wiring is fixed */
		s->init_state = s->init4 ? 3 : 0;
		break;
	case 3: /* ICW4 */
		s->special_fully_nested_mode = !!(value & ICW4_SFNM);
		s->auto_eoi = !!(value & ICW4_AEOI);
		s->init_state = 0;
		break;
	default:
		write_mask(chip, which, value);
	}
}

void pic__write(struct irqchip *chip, u16 port, u8 value)
{
	unsigned which = port == 0x4d0 || port == 0x4d1 ? port & 1 : port >> 7;

	if (port >= 0x4d0) {
		chip->pic.chip[which].elcr = value & elcr_mask[which];
		update_output(chip);
	} else if (port & 1) {
		write_data(chip, which, value);
	} else if (value & ICW1) {
		initialize(chip, which, value);
	} else if (value & OCW3) {
		write_ocw3(chip, which, value);
	} else {
		write_ocw2(chip, which, value);
	}
}

/* The read after a poll command is an INTA of this chip alone. */
static u8 read_poll(struct irqchip *chip, unsigned which)
{
	int input = requested(chip, which);

	chip->pic.chip[which].poll = 0;
	if (input < 0)
		return 7;
	put_in_service(chip, which, input);
	update_output(chip);
	return 0x80 | input;
}

u8 pic__read(struct irqchip *chip, u16 port)
{
	struct kvm_pic_state *s;

	if (port >= 0x4d0)
		return chip->pic.chip[port & 1].elcr;
	s = &chip->pic.chip[port >> 7];
	if (s->poll)
		return read_poll(chip, port >> 7);
	if (port & 1)
		return s->imr;
	return s->read_reg_select ? s->isr : s->irr;
}

void pic__set_state(struct irqchip *chip, unsigned which, const struct kvm_pic_state *state)
{
	struct kvm_pic_state *s = &chip->pic.chip[which];

	*s = *state;
	s->elcr_mask = elcr_mask[which];
	s->elcr &= s->elcr_mask;
	s->priority_add &= 7;
	update_output(chip);
}
