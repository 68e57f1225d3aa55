/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fuzz target: everything a guest, an ioctl caller or time can do to the irqchip of a machine with
 * three vCPUs, one of them with an ID beyond 8 bits. The fake locks and sanitizers are the oracle.
 */
#include "fake.h"
#include "tests/fuzz/fuzz.h"

struct input {
	const u8 *p;
	size_t left;
};

static u64 take(struct input *in, unsigned size)
{
	u64 value = 0;

	while (size-- && in->left) {
		value = value << 8 | *in->p++;
		in->left--;
	}
	return value;
}

static void fill(struct input *in, void *buf, size_t size)
{
	u8 *b = buf;

	/* What the input does not have stays as the last get left it: near-valid states. */
	for (; size && in->left; size--)
		*b++ = take(in, 1);
}

static void access_port(struct vcpu *vcpu, struct input *in)
{
	static const u16 ports[] = {0x20, 0x21, 0xa0, 0xa1, 0x4d0, 0x4d1, 0x40,
				    0x41, 0x42, 0x43, 0x61, 0x70};
	u8 what = take(in, 1);
	u16 port = ports[(what & 0xf) % ARRAY_LENGTH(ports)];
	unsigned size = 1U << (what >> 4 & 3) % 3;
	u32 value = take(in, size);

	if (what & 0x80) {
		if (!irqchip__port_write(vcpu, port, size, value))
			ioeventfd__port_write(vcpu, port, size, value);
	} else {
		irqchip__port_read(vcpu, port, size, &value);
	}
}

static void access_memory(struct vcpu *vcpu, struct input *in)
{
	u8 what = take(in, 1);
	u64 base = what & 1 ? 0xfec00000 : lapic__get_base(vcpu) & ~0xfffULL;
	u64 gpa = base + take(in, 2) % 0x1010;
	unsigned size = (what >> 1 & 7) + 1;
	u8 data[8] = {0};

	if (what & 0x20)
		gpa &= ~0xfULL; /* mostly real registers */
	if (what & 0x40)
		size = 4;
	if (what & 0x80) {
		fill(in, data, size);
		if (!irqchip__mmio_write(vcpu, gpa, size, data))
			ioeventfd__mmio_write(vcpu, gpa, size, data);
	} else {
		irqchip__mmio_read(vcpu, gpa, size, data);
	}
}

static void access_msr(struct vcpu *vcpu, struct input *in)
{
	u8 what = take(in, 1);
	u64 value = take(in, 1 + (what & 7));

	switch (what >> 3) {
	case 0:
		lapic__set_base(vcpu, value);
		break;
	case 1:
		lapic__set_base_host(vcpu, (value & 0xfff) | 0xfee00000);
		break;
	case 2:
		lapic__set_deadline(vcpu, value);
		break;
	case 3:
		lapic__set_deadline(vcpu, x86__guest_tsc(vcpu) + value % 100000);
		break;
	case 4:
		lapic__set_pv_eoi(vcpu, value);
		break;
	case 5:
		lapic__set_tpr(vcpu, value);
		break;
	case 6:
		lapic__pv_send_ipi(vcpu, value, ~value, value >> 7 & 0x1ff, take(in, 3));
		break;
	case 7:
		fake_ram[value % FAKE_RAM] = value >> 16;
		break;
	default:
		if (what & 0x80)
			lapic__write_msr(vcpu, 0x800 + take(in, 1), value);
		else
			lapic__read_msr(vcpu, 0x800 + take(in, 1), &value);
	}
}

static void save_and_restore(struct vm *vm, struct vcpu *vcpu, struct input *in)
{
	struct kvm_irqchip chip = {.chip_id = take(in, 1) % 6};
	struct kvm_lapic_state lapic;
	struct kvm_pit_state2 pit;

	switch (chip.chip_id) {
	case 3:
		lapic__get_state(vcpu, &lapic);
		fill(in, &lapic, sizeof(lapic));
		lapic__set_state(vcpu, &lapic);
		break;
	case 4:
		pit__get(vm, &pit);
		fill(in, &pit, sizeof(pit));
		pit__set(vm, &pit);
		break;
	case 5:
		lapic__reset(vcpu, take(in, 1) & 1);
		break;
	default:
		irqchip__get(vm, &chip);
		fill(in, &chip.chip, MIN_OF(take(in, 1), sizeof(chip.chip)));
		irqchip__set(vm, &chip);
	}
}

static void route(struct vm *vm, struct input *in)
{
	struct kvm_irq_routing_entry entries[8];
	unsigned i, n = take(in, 1) % 9;

	memset(entries, 0, sizeof(entries));
	for (i = 0; i < n; i++) {
		u8 what = take(in, 1);

		entries[i].gsi = what & 0x80 ? take(in, 2) : take(in, 1) % 32;
		entries[i].type = what & 3;
		entries[i].flags = (what >> 2 & 0xf) == 0xf;
		entries[i].u.irqchip.irqchip = take(in, 1) % 4;
		entries[i].u.irqchip.pin = take(in, 1) % 26;
		if (entries[i].type == KVM_IRQ_ROUTING_MSI) {
			entries[i].u.msi.address_lo = 0xfee00000 | take(in, 3);
			entries[i].u.msi.address_hi = take(in, 1) << 8;
			entries[i].u.msi.data = take(in, 2);
		}
	}
	irqchip__set_routing(vm, entries, n, 0);
}

static void configure(struct vm *vm, struct input *in)
{
	struct kvm_irqfd irqfd = {0};
	struct kvm_ioeventfd io = {0};
	struct kvm_coalesced_mmio_zone zone = {0};

	switch (take(in, 1) % 5) {
	case 0:
		irqfd.fd = 10 + take(in, 1) % 5;
		irqfd.gsi = take(in, 1) % 32;
		irqfd.flags = take(in, 1) % 5;
		irqfd.resamplefd = 10 + take(in, 1) % 5;
		irqfd__configure(vm, &irqfd);
		break;
	case 1:
		io.fd = 9 + take(in, 1) % 5;
		io.flags = take(in, 1) % 9;
		io.len = take(in, 1) % 9;
		io.addr = io.flags & KVM_IOEVENTFD_FLAG_PIO ? 0x70 : 0xfec00000 + take(in, 2);
		io.datamatch = take(in, 1);
		ioeventfd__configure(vm, &io);
		break;
	case 2:
		zone.addr = take(in, 1) ? 0x70 : 0xfec00000 + take(in, 2);
		zone.size = take(in, 2);
		zone.pio = take(in, 1) % 3;
		if (take(in, 1) & 1)
			coalesced__register(vm, &zone);
		else
			coalesced__unregister(vm, &zone);
		break;
	case 3:
		pit__set_reinject(vm, take(in, 1) & 1);
		break;
	default:
		vm->x2apic_32bit_ids = take(in, 1) & 1;
		vm->x2apic_no_broadcast_quirk = take(in, 1) & 1;
		vm->disabled_quirks = take(in, 1);
	}
}

static void step(struct vm *vm, struct input *in, u8 op)
{
	struct vcpu *vcpu = vm->vcpus[op >> 4 & 3 ? (op >> 4 & 3) - 1 : 0];
	struct kvm_msi msi = {0};
	int status;
	u8 vector;

	switch (op & 0xf) {
	case 0:
	case 1:
		access_port(vcpu, in);
		break;
	case 2:
	case 3:
	case 4:
		access_memory(vcpu, in);
		break;
	case 5:
	case 6:
		access_msr(vcpu, in);
		break;
	case 7:
		irqchip__line(vm, take(in, 1) % 40, op & 0x40, op & 0x80 ? &status : NULL);
		break;
	case 8:
		msi.address_lo = 0xfee00000 | take(in, 3);
		msi.data = take(in, 2);
		irqchip__msi(vm, &msi);
		break;
	case 9:
		/* A second at most, or the clock of a fast timer keeps the target busy. */
		fake__advance(take(in, 1 + (op >> 6)) % 1000000000);
		break;
	case 10:
		if (irqchip__has_interrupt(vcpu))
			irqchip__take_interrupt(vcpu);
		lapic__before_entry(vcpu);
		lapic__take_init(vcpu);
		lapic__take_sipi(vcpu, &vector);
		break;
	case 11:
		save_and_restore(vm, vcpu, in);
		break;
	case 12:
		route(vm, in);
		break;
	case 13:
		configure(vm, in);
		break;
	case 14:
		fake__signal(10 + take(in, 1) % 5);
		break;
	default:
		irqchip__take_interrupt(vcpu);
	}
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	static u64 ring[512];
	struct kvm_pit_config config = {.flags = KVM_PIT_SPEAKER_DUMMY};
	struct input in = {.p = data, .left = size};
	struct vm *vm;
	u8 kind = take(&in, 1);

	if (kind & 1) {
		vm = fake__split_vm(2, 24);
	} else {
		vm = fake__vm(2);
		pit__create(vm, &config);
	}
	fake__add_vcpu(vm, 300);
	vm->vcpus[0]->coalesced = (struct kvm_coalesced_mmio_ring *)ring;
	if (kind & 2)
		fake__enable_apics(vm);
	while (in.left)
		step(vm, &in, take(&in, 1));
	fake__free(vm);
	return 0;
}

size_t fuzz__seed(unsigned n, u8 *buf, size_t size)
{
	/* The machine's kind, then steps: an operation each, with arguments. */
	static const u8 ports[] = { 2, 0x00, 0x80, 0x11, 0x00, 0x81, 0x08, 0x00, 0x81, 0x04, 0x00,
				    0x81, 0x01, 0x07, 0x00, 0x0a, 0x0f };
	static const u8 timer[] = { 0, 0x00, 0x89, 0x34, 0x00, 0x86, 0x10, 0x00, 0x86, 0x10, 0x49,
				    0xff, 0xff, 0xff, 0x0a };
	static const u8 route[] = { 3, 0x0c, 2, 0x01, 5, 0, 5, 0x02, 6, 0, 0, 0x10, 0x20, 0x30, 0,
				    0x00, 0x41, 0x47, 5, 0x47, 6, 0x0a, 0x0b, 3, 1, 2, 3, 4 };
	static const u8 events[] = { 2, 0x0d, 0, 1, 4, 0, 2, 0x0e, 1, 0x0d, 1, 2, 3, 4, 5, 0x0a };
	static const struct {
		const u8 *bytes;
		size_t size;
	} seeds[] = { { ports, sizeof(ports) },
		      { timer, sizeof(timer) },
		      { route, sizeof(route) },
		      { events, sizeof(events) } };

	if (n >= ARRAY_LENGTH(seeds) || size < seeds[n].size)
		return 0;
	memcpy(buf, seeds[n].bytes, seeds[n].size);
	return seeds[n].size;
}
