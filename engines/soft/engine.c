/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The software engine's table of operations, and its per-vCPU state. */
#include "engines/soft/translate/translate.h"

static int setup(const char **why)
{
	decode__init();
	return soft__vectors_setup(why);
}

static void teardown(void)
{
	soft__vectors_teardown();
}

static int create_vm(struct vm *vm, const struct engine_config *config)
{
	struct soft_vm *soft = host__alloc(sizeof(*soft));

	if (!soft)
		return -ENOMEM;
	soft->config = *config;
	room__init(&soft->room, config->memory);
	check__init_turns(&soft->turns);
	vm->engine_vm = soft;
	return 0;
}

static void destroy_vm(struct vm *vm)
{
	check__destroy_turns(&soft__vm(vm)->turns);
	host__free(vm->engine_vm);
}

static bool host_has_bmi2(void)
{
	u32 regs[4];

	host__cpuid(0, 0, regs);
	if (regs[0] < 7)
		return false;
	host__cpuid(7, 0, regs);
	return regs[1] >> 8 & 1;
}

static void set_rooms(struct soft_vcpu *soft)
{
	soft->room[ROOM_BLOCKS] = (struct room){ .start = soft->cache.arena, .most = SOFT_CACHE_SIZE };
	soft->room[ROOM_YOUNG] = (struct room){ .start = soft->cache.young, .most = SOFT_YOUNG_SIZE };
	soft->room[ROOM_CODE] = (struct room){ .start = soft->area.write, .most = SOFT_HOT_SIZE };
	soft->room[ROOM_COLD] = (struct room){ .start = soft->area.write + SOFT_HOT_SIZE,
					       .most = SOFT_COLD_SIZE };
	soft->room[ROOM_FAULTS] = (struct room){ .start = (u8 *)soft->faults,
						 .most = SOFT_FAULT_ENTRIES * sizeof(*soft->faults) };
}

static int create_translator(struct vcpu *vcpu, struct soft_vcpu *soft)
{
	int rc = -ENOMEM;

	host__timer_init(&soft->pulse, soft__pulse);
	soft->heat_limit = host__tunable("TRIVET_SOFT_HEAT", SOFT_HEAT);
	soft->inlines_vectors = host__tunable("TRIVET_SOFT_VECTORS", 1);
	soft->counts = host__tunable("TRIVET_SOFT_COUNT", 0);
	soft->follows = host__tunable("TRIVET_SOFT_FOLLOW", 0);
	soft->groups_apart = host__tunable("TRIVET_SOFT_APART", 0);
	soft->straddle_countdown = SOFT_STRADDLES;
	soft->straddles_left = SOFT_STRADDLES_ANY;
	soft->loop_straddles_left = SOFT_LOOP_STRADDLES;
	soft->host_has_bmi2 = host_has_bmi2();
	soft->faults = host__alloc_sparse(SOFT_FAULT_ENTRIES * sizeof(*soft->faults));
	if (!soft->faults)
		goto destroy_timer;
	soft->translation = host__alloc_sparse(sizeof(*soft->translation));
	if (!soft->translation)
		goto free_faults;
	rc = area__create(&soft->area, SOFT_CODE_SIZE);
	if (rc)
		goto free_translation;
	set_rooms(soft);
	rc = room__create(vcpu);
	if (rc)
		goto destroy_area;
	glue__generate(vcpu);
	context__renumber(soft);
	show__glue(vcpu);
	return 0;

destroy_area:
	area__destroy(&soft->area);
free_translation:
	host__free_sparse(soft->translation, sizeof(*soft->translation));
free_faults:
	host__free_sparse(soft->faults, SOFT_FAULT_ENTRIES * sizeof(*soft->faults));
destroy_timer:
	host__timer_destroy(&soft->pulse);
	return rc;
}

static void destroy_translator(struct vcpu *vcpu)
{
	struct soft_vcpu *soft = vcpu->soft;

	room__destroy(vcpu);
	area__destroy(&soft->area);
	host__free_sparse(soft->translation, sizeof(*soft->translation));
	host__free_sparse(soft->faults, SOFT_FAULT_ENTRIES * sizeof(*soft->faults));
	host__timer_destroy(&soft->pulse);
}

static int create_vcpu(struct vcpu *vcpu)
{
	struct soft_vcpu *soft = (struct soft_vcpu *)(vcpu + 1);
	int rc;

	rc = block_cache__init(&soft->cache);
	if (rc)
		return rc;
	vcpu->soft = soft;
	rc = create_translator(vcpu, soft);
	if (rc)
		goto destroy_cache;
	rc = soft__vectors_create(vcpu);
	if (rc)
		goto destroy_translator;
	rc = check__create(vcpu);
	if (rc)
		goto destroy_vectors;
	tlb__flush_all(vcpu);
	return 0;

destroy_vectors:
	soft__vectors_destroy(vcpu);
destroy_translator:
	destroy_translator(vcpu);
destroy_cache:
	vcpu->soft = NULL;
	block_cache__destroy(&soft->cache);
	return rc;
}

static void destroy_vcpu(struct vcpu *vcpu)
{
	struct soft_vcpu *soft = vcpu->soft;

	if (!soft)
		return;
	check__destroy(vcpu);
	soft__vectors_destroy(vcpu);
	destroy_translator(vcpu);
	block_cache__destroy(&soft->cache);
	vcpu->soft = NULL;
}

struct soft_vectors *soft__vectors(struct vcpu *vcpu)
{
	return &vcpu->soft->vectors;
}

/* The run loop delivers vcpu->exception itself when it enters guest code. */
static void inject_exception(struct vcpu *vcpu)
{
	vcpu->exception.pending = true;
}

static bool tells_writes(const struct vcpu *vcpu)
{
	return __atomic_load_n(&vcpu->vm->tells_writes, __ATOMIC_ACQUIRE);
}

static void inject_interrupt(struct vcpu *vcpu, u8 vector, bool soft_interrupt)
{
	u32 events = __atomic_load_n(&vcpu->vm->device_events, __ATOMIC_ACQUIRE);

	/* A device may have written code before it interrupted. */
	if (events != vcpu->soft->device_events && !tells_writes(vcpu))
		vcpu->soft->outside++;
	vcpu->soft->device_events = events;
	vcpu->soft->injection = soft_interrupt ? INJECT_SOFT_INTERRUPT : INJECT_INTERRUPT;
	vcpu->soft->injection_vector = vector;
}

static void inject_nmi(struct vcpu *vcpu)
{
	vcpu->soft->injection = INJECT_NMI;
	vcpu->soft->injection_vector = X86_NMI;
}

static void want_window(struct vcpu *vcpu, bool interrupt, bool nmi)
{
	vcpu->soft->want_interrupt_window = interrupt;
	vcpu->soft->want_nmi_window = nmi;
}

static void load_vcpu(struct vcpu *vcpu)
{
	/* User space may have written code since the last KVM_RUN. */
	if (!tells_writes(vcpu))
		vcpu->soft->outside++;
	soft__vectors_load(vcpu);
}

static void state_changed(struct vcpu *vcpu)
{
	tlb__flush_all(vcpu);
	block_cache__flush(vcpu);
	x86__mode_changed(vcpu);
}

const struct engine_ops soft_engine = {
	.name = "soft",
	.vcpu_size = sizeof(struct soft_vcpu),
	.setup = setup,
	.teardown = teardown,
	.vm_create = create_vm,
	.vm_destroy = destroy_vm,
	.vcpu_create = create_vcpu,
	.vcpu_destroy = destroy_vcpu,
	.vcpu_load = load_vcpu,
	.vcpu_put = soft__vectors_put,
	.run = soft__run,
	.inject_exception = inject_exception,
	.inject_interrupt = inject_interrupt,
	.inject_nmi = inject_nmi,
	.want_window = want_window,
	.state_changed = state_changed,
	.vector_exec = soft__vector_exec,
	.vector_save = soft__vector_save,
	.vector_changed = soft__vector_changed,
};
