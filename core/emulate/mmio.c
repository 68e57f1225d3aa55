/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Device memory: in-kernel devices, ioeventfds, then user space. */
#include "core/emulate/system.h"
#include "core/irqchip/irqchip.h"

enum exec_result io__mmio_read(struct vcpu *vcpu, u64 gpa, unsigned size, void *data)
{
	struct vcpu_io *io = &vcpu->io;

	if (irqchip__mmio_read(vcpu, gpa, size, data))
		return EXEC_NEXT;
	if (io->next < io->nr_answers) {
		const struct vcpu_io_fragment *answer = &io->answer[io->next];

		if (answer->kind != IO_MMIO || answer->address != gpa || answer->size != size)
			return EXEC_FAIL;
		memcpy(data, answer->data, size);
		io->next++;
		return EXEC_NEXT;
	}
	if (io->nr_answers >= VCPU_IO_FRAGMENTS)
		return EXEC_FAIL;
	io->want = (struct vcpu_io_fragment){
		.address = gpa,
		.kind = IO_MMIO,
		.size = size,
		.count = 1,
	};
	return EXEC_EXIT;
}

enum exec_result io__mmio_write(struct vcpu *vcpu, u64 gpa, unsigned size, const void *data)
{
	struct vcpu_io *io = &vcpu->io;
	struct vcpu_io_fragment *fragment;

	if (irqchip__mmio_write(vcpu, gpa, size, data) ||
	    ioeventfd__mmio_write(vcpu, gpa, size, data))
		return EXEC_NEXT;
	if (io->nr_writes >= VCPU_IO_FRAGMENTS)
		return EXEC_FAIL;
	fragment = &io->write[io->nr_writes++];
	*fragment = (struct vcpu_io_fragment){
		.address = gpa,
		.kind = IO_MMIO,
		.size = size,
		.count = 1,
	};
	memcpy(fragment->data, data, size);
	vcpu->leave = 1;
	return EXEC_NEXT;
}
