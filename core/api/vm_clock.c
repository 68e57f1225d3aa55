/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The machine's clocks: kvmclock and the TSC's rate (api.rst 4.29, 4.30, 4.55, 4.56). */
#include "core/api/table.h"

/* How far the asked-for TSC rate may be from the host's to pass as the same: 250 ppm, as KVM. */
#define TSC_TOLERANCE_PPM 250

s64 api__get_clock(struct api_call *call)
{
	struct kvm_clock_data *data = call->data;

	u64 tsc;

	data->clock = clock__now_ns(call->vm, &tsc);
	data->host_tsc = tsc;
	data->realtime = host__realtime_ns();
	data->flags = KVM_CLOCK_TSC_STABLE | KVM_CLOCK_REALTIME | KVM_CLOCK_HOST_TSC;
	return 0;
}

s64 api__set_clock(struct api_call *call)
{
	const struct kvm_clock_data *data = call->data;
	u64 clock = data->clock;

	if (data->flags & ~KVM_CLOCK_REALTIME)
		return -EINVAL;
	if (data->flags & KVM_CLOCK_REALTIME) {
		u64 now = host__realtime_ns();

		/* Time that passed since the clock was read; never backwards. */
		if (now > data->realtime)
			clock += now - data->realtime;
	}
	clock__set_ns(call->vm, clock);
	return 0;
}

s64 api__get_tsc_khz(struct api_call *call)
{
	return call->vm->tsc_khz;
}

/* Guests read the host's TSC, so its rate is the only one there is (no KVM_CAP_TSC_CONTROL). */
s64 api__set_tsc_khz(struct api_call *call)
{
	u64 host = host__tsc_khz(), slack = host * TSC_TOLERANCE_PPM / 1000000;
	u64 khz = call->arg;

	if (!khz)
		return 0;
	return khz >= host - slack && khz <= host + slack ? 0 : -EINVAL;
}
