/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Locks of files' ranges. The guest's kernel keeps its own processes apart; here the guest is kept
 * apart from others on the host, with locks of the fid's open file. Nothing waits: Linux asks again.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "vmm/share/internal.h"

#define CLIENT_MOST 256u

struct lock_request {
	struct share_fid *fid;
	uint8_t type;
	uint64_t start, length; /* length 0: to the end */
	uint32_t process;
	char client[CLIENT_MOST];
};

/* What is behind fid and type, and for a lock its flags, is the same in both. */
static int take_request(struct share *share, struct share_call *call, bool has_flags,
			struct lock_request *request)
{
	int err = share_fid__take(share, call, &request->fid);

	if (err)
		return err;
	request->type = (uint8_t)wire__take(&call->in, 1);
	if (has_flags)
		wire__take32(&call->in); /* whether it waits is the client's matter */
	request->start = wire__take64(&call->in);
	request->length = wire__take64(&call->in);
	request->process = wire__take32(&call->in);
	err = wire__take_text(&call->in, request->client, sizeof(request->client));
	if (err)
		return err;
	if (request->fid->kind != FID_FILE)
		return -EBADF;
	if (request->type > P9_LOCK_UNLOCK || request->start > INT64_MAX ||
	    request->length > INT64_MAX - request->start)
		return -EINVAL;
	return 0;
}

static void fill(const struct lock_request *request, struct flock *lock)
{
	static const short types[] = { F_RDLCK, F_WRLCK, F_UNLCK };

	*lock = (struct flock){ .l_type = types[request->type], .l_whence = SEEK_SET,
				.l_start = (off_t)request->start, .l_len = (off_t)request->length };
}

/*
 * Whether the host has a say. flock() in the guest locks what is open for anything, and comes here as
 * the same message; the host's ranges need the file open for it. A share that is read only lets a
 * guest do nothing to others.
 */
static bool concerns_host(const struct share *share, const struct lock_request *request)
{
	int access = request->fid->open_flags & O_ACCMODE;

	if (share->options.read_only)
		return false;
	if (request->type == P9_LOCK_READ)
		return access != O_WRONLY;
	return request->type != P9_LOCK_WRITE || access != O_RDONLY;
}

int share_lock__lock(struct share *share, struct share_call *call)
{
	struct lock_request request;
	uint8_t status = P9_LOCK_SUCCESS;
	struct flock lock;
	int err = take_request(share, call, true, &request);

	if (err)
		return err;
	fill(&request, &lock);
	if (concerns_host(share, &request) && fcntl(request.fid->fd, F_OFD_SETLK, &lock)) {
		if (errno != EAGAIN && errno != EACCES)
			return -errno;
		status = P9_LOCK_BLOCKED;
	}
	wire__put(&call->out, status, 1);
	return 0;
}

int share_lock__getlock(struct share *share, struct share_call *call)
{
	struct lock_request request;
	struct flock lock;
	int err = take_request(share, call, false, &request);

	if (err)
		return err;
	fill(&request, &lock);
	/* Linux says nothing of the lock that it wants to know about; any other one counts then. */
	if (request.type == P9_LOCK_UNLOCK)
		lock.l_type = F_WRLCK;
	if (!concerns_host(share, &request))
		lock.l_type = F_UNLCK;
	else if (fcntl(request.fid->fd, F_OFD_GETLK, &lock))
		return -errno;
	if (lock.l_type == F_UNLCK)
		request.type = P9_LOCK_UNLOCK;
	else
		request.type = lock.l_type == F_RDLCK ? P9_LOCK_READ : P9_LOCK_WRITE;
	wire__put(&call->out, request.type, 1);
	wire__put(&call->out, (uint64_t)lock.l_start, 8);
	wire__put(&call->out, (uint64_t)lock.l_len, 8);
	/* Who on the host it is says nothing to the guest. */
	wire__put(&call->out, request.type == P9_LOCK_UNLOCK ? request.process : 0, 4);
	wire__put_text(&call->out, request.client, strlen(request.client));
	return 0;
}
