/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Port I/O: permission, in-kernel devices, ioeventfds, then user space; IN and OUT. */
#include "core/emulate/segload.h"
#include "core/emulate/system.h"
#include "core/irqchip/irqchip.h"

#define TSS_IO_MAP_BASE 102

/* The I/O permission bitmap of the TSS: all bits of the access must be 0 (APM vol. 2, 12.2.4). */
static enum exec_result check_bitmap(struct vcpu *vcpu, u16 port, unsigned size)
{
	const struct x86_segment *tr = &vcpu->cpu.tr;
	enum exec_result r;
	u16 base, bits;
	u32 at;

	if (tr->unusable || !tr->present || (tr->type & ~SYSTEM_TYPE_BUSY) != SYSTEM_TSS ||
	    tr->limit < TSS_IO_MAP_BASE + 1)
		return x86__raise_gp(vcpu, 0);
	r = access__read(vcpu, tr->base + TSS_IO_MAP_BASE, &base, 2, ACCESS_IMPLICIT);
	if (r != EXEC_NEXT)
		return r;
	/* Two bytes are read for every port, so that a run of bits may cross into the second. */
	at = base + port / 8;
	if (at + 1 > tr->limit)
		return x86__raise_gp(vcpu, 0);
	r = access__read(vcpu, tr->base + at, &bits, 2, ACCESS_IMPLICIT);
	if (r != EXEC_NEXT)
		return r;
	if (bits >> (port & 7) & ((1u << size) - 1))
		return x86__raise_gp(vcpu, 0);
	return EXEC_NEXT;
}

enum exec_result port__check(struct vcpu *vcpu, u16 port, unsigned size)
{
	const struct x86_cpu *cpu = &vcpu->cpu;

	/* Virtual-8086 mode asks the bitmap whatever IOPL is. */
	if (likely(!x86__is_v86(cpu) && cpu->cpl <= x86__iopl(cpu)) || !x86__is_protected(cpu))
		return EXEC_NEXT;
	return check_bitmap(vcpu, port, size);
}

/* I/O breakpoints: R/W is 10b while CR4.DE is set (SDM vol. 3, 17.2.4 and 17.2.5). */
static void check_watchpoints(struct vcpu *vcpu, u16 port, unsigned size)
{
	static const u8 length[4] = { 1, 2, 8, 4 };
	const struct x86_cpu *cpu = &vcpu->cpu;

	if (likely(!(cpu->cr4 & CR4_DE) || !(cpu->dr7 & 0xff)))
		return;
	for (unsigned i = 0; i < 4; i++) {
		u64 bytes = length[cpu->dr7 >> (18 + 4 * i) & 3];
		u64 start = cpu->dr[i] & ~(bytes - 1);

		if ((cpu->dr7 >> (2 * i) & 3) && (cpu->dr7 >> (16 + 4 * i) & 3) == 2 &&
		    port < start + bytes && start < port + size) {
			vcpu->breakpoint_hits |= BIT64(i);
			vcpu->leave = 1;
		}
	}
}

static enum exec_result read_device(struct vcpu *vcpu, u16 port, unsigned size, u32 *value)
{
	struct vcpu_io *io = &vcpu->io;

	if (irqchip__port_read(vcpu, port, size, value))
		return EXEC_NEXT;
	if (io->next < io->nr_answers) {
		const struct vcpu_io_fragment *answer = &io->answer[io->next];

		if (answer->kind != IO_PIO || answer->address != port || answer->size != size)
			return EXEC_FAIL;
		*value = 0;
		memcpy(value, answer->data, size);
		io->next++;
		return EXEC_NEXT;
	}
	if (io->nr_answers >= VCPU_IO_FRAGMENTS)
		return EXEC_FAIL;
	io->want = (struct vcpu_io_fragment){
		.address = port,
		.kind = IO_PIO,
		.size = size,
		.count = 1,
	};
	return EXEC_EXIT;
}

enum exec_result port__read(struct vcpu *vcpu, u16 port, unsigned size, u32 *value)
{
	enum exec_result r = read_device(vcpu, port, size, value);

	if (r == EXEC_NEXT)
		check_watchpoints(vcpu, port, size);
	return r;
}

static enum exec_result write_device(struct vcpu *vcpu, u16 port, unsigned size, u32 value)
{
	struct vcpu_io *io = &vcpu->io;
	struct vcpu_io_fragment *fragment;

	if (irqchip__port_write(vcpu, port, size, value) ||
	    ioeventfd__port_write(vcpu, port, size, value))
		return EXEC_NEXT;
	if (io->nr_writes >= VCPU_IO_FRAGMENTS)
		return EXEC_FAIL;
	fragment = &io->write[io->nr_writes++];
	*fragment = (struct vcpu_io_fragment){
		.address = port,
		.kind = IO_PIO,
		.size = size,
		.count = 1,
	};
	memcpy(fragment->data, &value, size);
	vcpu->leave = 1;
	return EXEC_NEXT;
}

enum exec_result port__write(struct vcpu *vcpu, u16 port, unsigned size, u32 value)
{
	enum exec_result r = write_device(vcpu, port, size, value);

	if (r == EXEC_NEXT)
		check_watchpoints(vcpu, port, size);
	return r;
}

enum exec_result io__port_in(struct vcpu *vcpu, u16 port, unsigned size, u32 *value)
{
	enum exec_result r = port__check(vcpu, port, size);

	return r == EXEC_NEXT ? port__read(vcpu, port, size, value) : r;
}

enum exec_result io__port_out(struct vcpu *vcpu, u16 port, unsigned size, u32 value)
{
	enum exec_result r = port__check(vcpu, port, size);

	return r == EXEC_NEXT ? port__write(vcpu, port, size, value) : r;
}

/* E4-E7 name the port in a byte, EC-EF in DX. */
static u16 named_port(const struct x86_cpu *cpu, const struct insn *insn)
{
	return insn->opcode & 8 ? (u16)cpu->gpr[X86_RDX] : (u8)insn->imm;
}

static unsigned access_size(const struct insn *insn)
{
	return insn->opsize == 8 ? 4 : insn->opsize;
}

enum exec_result system__in(struct vcpu *vcpu, const struct insn *insn)
{
	struct x86_cpu *cpu = &vcpu->cpu;
	unsigned size = access_size(insn);
	enum exec_result r;
	u32 value;

	r = io__port_in(vcpu, named_port(cpu, insn), size, &value);
	if (r != EXEC_NEXT)
		return r;
	if (size == 1)
		*(u8 *)&cpu->gpr[X86_RAX] = value;
	else
		system__write_gpr(cpu, X86_RAX, size, value);
	return EXEC_NEXT;
}

enum exec_result system__out(struct vcpu *vcpu, const struct insn *insn)
{
	struct x86_cpu *cpu = &vcpu->cpu;
	enum exec_result r;

	r = io__port_out(vcpu, named_port(cpu, insn), access_size(insn), cpu->gpr[X86_RAX]);
	if (r != EXEC_NEXT)
		return r;
	return vcpu->io.nr_writes ? EXEC_STOP : EXEC_NEXT;
}
