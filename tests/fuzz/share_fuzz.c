/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fuzz target: the 9P server, on a folder of its own. The input is a client, and somebody on the host
 * who changes the folder under it.
 *
 * Input: how the share is made, then what happens and its arguments, again and again. What has to
 * hold: replies are well formed, nothing outside of the folder changes or is read, no descriptor stays
 * open.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "tests/fuzz/fuzz.h"
#include "vmm/share/internal.h"

#define REPLY_BYTES 20000u
#define SECRET "not for guests"

static char place[64], folder[80], secret[80];
static u8 request[70000], reply[REPLY_BYTES];

/* ---- the folder ---- */

static int remove_one(const char *path, const struct stat *stat, int what, struct FTW *ftw)
{
	return ftw->level ? remove(path) : 0;
}

static void remove_place(void)
{
	nftw(place, remove_one, 16, FTW_DEPTH | FTW_PHYS);
	rmdir(place);
}

static void write_secret(void)
{
	FILE *file = fopen(secret, "w");

	FUZZ_CHECK(file && fputs(SECRET, file) >= 0 && !fclose(file));
}

static void make_place(void)
{
	snprintf(place, sizeof(place), "%s/trivet-fuzz.XXXXXX", access("/dev/shm", W_OK) ? "/tmp" : "/dev/shm");
	FUZZ_CHECK(mkdtemp(place));
	snprintf(folder, sizeof(folder), "%s/in", place);
	snprintf(secret, sizeof(secret), "%s/secret", place);
	write_secret();
	atexit(remove_place);
}

/* Beside the folder is the secret, as it was, and nothing else. */
static void check_place(void)
{
	char text[40] = "";
	FILE *file = fopen(secret, "r");
	struct stat stat;

	FUZZ_CHECK(file && fread(text, 1, sizeof(text) - 1, file) == strlen(SECRET));
	fclose(file);
	FUZZ_CHECK(!strcmp(text, SECRET));
	FUZZ_CHECK(!lstat(secret, &stat) && stat.st_nlink == 1);
	/* Its own, its parent's and the folder's. */
	FUZZ_CHECK(!lstat(place, &stat) && stat.st_nlink <= 3);
	FUZZ_CHECK(rmdir(place) && errno == ENOTEMPTY);
}

/* ---- fields ---- */

static const char *const names[] = { "a", "b", "c", "link", "..", ".", "secret", "pipe" };

static void take_name(struct fuzz_input *in, struct wire_writer *out)
{
	u8 which = (u8)fuzz__take(in, 1);
	char name[300];
	size_t size;

	if (which < 0xe0) {
		wire__put_text(out, names[which % ARRAY_LENGTH(names)], strlen(names[which % ARRAY_LENGTH(names)]));
		return;
	}
	memset(name, 'x', sizeof(name));
	size = which < 0xf0 ? fuzz__take(in, 1) & 15 : 250 + (which & 15);
	fuzz__fill(in, name, size < 16 ? size : 0);
	wire__put_text(out, name, size);
	if (which == 0xff && out->used > size + 1)
		out->buf[out->used - size - 1] = 0xff; /* a length that is not so */
}

/* One character a field: digits are bytes, f a fid, n a name, w names of a walk, d the data. */
static void take_field(struct fuzz_input *in, struct wire_writer *out, char what)
{
	u8 bytes[64];
	size_t size;
	unsigned count;

	switch (what) {
	case 'f':
		wire__put(out, fuzz__take(in, 1) & 7, 4);
		return;
	case 'n':
		take_name(in, out);
		return;
	case 'w':
		count = (unsigned)fuzz__take(in, 1) & 31;
		wire__put(out, count, 2);
		while (count-- && in->left)
			take_name(in, out);
		return;
	case 'd':
		size = fuzz__fill(in, bytes, fuzz__take(in, 1) & 63);
		wire__put(out, size, 4);
		while (size)
			wire__put(out, bytes[--size], 1);
		return;
	default:
		wire__put(out, fuzz__take(in, (unsigned)(what - '0')), (unsigned)(what - '0'));
	}
}

/* Bodies of requests; sizes and counts are small where a large one is another test's. */
static const char *fields_of(u8 type)
{
	static const char *const fields[P9_TYPES] = {
		[P9_TSTATFS] = "f", [P9_TLOPEN] = "f4", [P9_TLCREATE] = "fn444", [P9_TSYMLINK] = "fnn4",
		[P9_TMKNOD] = "fn4444", [P9_TRENAME] = "ffn", [P9_TREADLINK] = "f", [P9_TGETATTR] = "f8",
		[P9_TSETATTR] = "f444488888", [P9_TXATTRWALK] = "ffn", [P9_TXATTRCREATE] = "fn84",
		[P9_TREADDIR] = "f84", [P9_TFSYNC] = "f4", [P9_TLOCK] = "f14884n", [P9_TGETLOCK] = "f1884n",
		[P9_TLINK] = "ffn", [P9_TMKDIR] = "fn44", [P9_TRENAMEAT] = "fnfn", [P9_TUNLINKAT] = "fn4",
		[P9_TAUTH] = "fnn4", [P9_TATTACH] = "f4nn4", [P9_TFLUSH] = "2", [P9_TWALK] = "ffw",
		[P9_TREAD] = "f84", [P9_TWRITE] = "f8d", [P9_TCLUNK] = "f", [P9_TREMOVE] = "f",
	};

	return type < P9_TYPES && fields[type] ? fields[type] : "4448";
}

/* ---- messages ---- */

static int cut(u8 *buf, size_t size, size_t piece, struct iovec *iov)
{
	int count = 0;

	for (; size && count < 100; count++) {
		size_t step = piece && piece < size && count < 99 ? piece : size;

		iov[count] = (struct iovec){ buf, step };
		buf += step;
		size -= step;
	}
	return count;
}

static void send(struct share *share, size_t size, size_t piece, size_t room)
{
	static struct iovec in[100], out[100];
	struct share_message message = { .request = in, .request_bytes = size,
					 .reply = out, .reply_bytes = room };
	struct wire_reader head;
	size_t got;

	message.request_count = cut(request, size, piece, in);
	message.reply_count = cut(reply, room, piece, out);
	got = share__serve(share, &message);
	FUZZ_CHECK(got >= P9_HEADER_BYTES && got <= room);
	FUZZ_CHECK(!memmem(reply, got, SECRET, strlen(SECRET)));
	head = (struct wire_reader){ .at = reply, .left = P9_HEADER_BYTES };
	FUZZ_CHECK(wire__take32(&head) == got);
	FUZZ_CHECK(wire__take(&head, 1) == P9_RLERROR ? got == SHARE_REPLY_LEAST : reply[4] == request[4] + 1);
}

static void begin(struct wire_writer *out, u8 type)
{
	*out = (struct wire_writer){ .buf = request, .size = sizeof(request) };
	wire__put(out, 0, 4);
	wire__put(out, type, 1);
	wire__put(out, 1, 2);
}

static void finish(struct share *share, struct wire_writer *out, size_t piece, size_t room)
{
	struct wire_writer head = { .buf = request, .size = 4 };

	wire__put(&head, out->used, 4);
	send(share, out->used, piece, room);
}

static void ask(struct share *share, struct fuzz_input *in, u8 type, u8 how)
{
	const char *fields = fields_of(type);
	struct wire_writer out;

	begin(&out, type);
	for (; *fields; fields++)
		take_field(in, &out, *fields);
	/* Sometimes without its end. */
	if (how & 0x80)
		out.used -= fuzz__take(in, 1) % (out.used - P9_HEADER_BYTES + 1);
	finish(share, &out, how & 0xf, how & 0x10 ? SHARE_REPLY_LEAST + (how & 0xf) * 9 : REPLY_BYTES);
}

static void ask_raw(struct share *share, struct fuzz_input *in)
{
	size_t size = P9_HEADER_BYTES + (fuzz__take(in, 1) & 63);

	memset(request, 0, P9_HEADER_BYTES + 64);
	fuzz__fill(in, request, size);
	send(share, size, 3, REPLY_BYTES);
}

static void agree(struct share *share)
{
	struct wire_writer out;

	begin(&out, P9_TVERSION);
	wire__put(&out, 16384, 4);
	wire__put_text(&out, "9P2000.L", 8);
	finish(share, &out, 0, REPLY_BYTES);
	begin(&out, P9_TATTACH);
	wire__put(&out, 0, 4);
	wire__put(&out, P9_NO_FID, 4);
	wire__put_text(&out, "", 0);
	wire__put_text(&out, "", 0);
	wire__put(&out, 0, 4);
	finish(share, &out, 0, REPLY_BYTES);
}

/* ---- somebody on the host ---- */

static void host_acts(struct fuzz_input *in)
{
	u8 what = (u8)fuzz__take(in, 1), which = (u8)fuzz__take(in, 1);
	char one[100], other[100];
	int fd;

	snprintf(one, sizeof(one), "%s/%s", folder, names[which & 3]);
	snprintf(other, sizeof(other), "%s/%s", folder, names[which >> 2 & 3]);
	switch (what & 7) {
	case 0:
		fd = open(one, O_CREAT | O_WRONLY | O_EXCL, 0644);
		if (fd >= 0)
			close(fd);
		break;
	case 1:
		mkdir(one, 0755);
		break;
	case 2:
		remove(one);
		break;
	case 3:
		rename(one, other);
		break;
	case 4:
		if (symlink("..", one)) /* there already */
			return;
		break;
	case 5:
		if (symlink(secret, one))
			return;
		break;
	case 6:
		mkfifo(one, 0666);
		break;
	default:
		/* Two levels, but not through a link: that would be out of the folder. */
		fd = open(one, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (fd >= 0) {
			mkdirat(fd, names[which >> 2 & 3], 0755);
			close(fd);
		}
	}
}

static void happen(struct share *share, struct fuzz_input *in)
{
	u8 what = (u8)fuzz__take(in, 1), how;

	if (what < 0xe0) {
		how = (u8)fuzz__take(in, 1);
		/* Requests have even numbers. */
		ask(share, in, (u8)(what << 1 & 0x7e), how);
	} else if (what < 0xf0) {
		host_acts(in);
	} else if (what < 0xf8) {
		ask_raw(share, in);
	} else {
		agree(share);
	}
}

static int next_descriptor(void)
{
	int fd = dup(2);

	close(fd);
	return fd;
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	struct fuzz_input in = { data, size };
	u8 how = (u8)fuzz__take(&in, 1);
	struct share_options options = { .folder = folder,
					 .read_only = (how & 7) == 7,
					 .security = how & 8 ? SHARE_SECURITY_MAPPED : SHARE_SECURITY_NONE,
					 .open_most = 20 };
	char error[200];
	struct share *share;
	int before;

	if (!*place)
		make_place();
	nftw(folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
	FUZZ_CHECK(!mkdir(folder, 0755) || errno == EEXIST);
	before = next_descriptor();
	FUZZ_CHECK(!share__open(&options, &share, error, sizeof(error)));
	agree(share);
	while (in.left)
		happen(share, &in);
	FUZZ_CHECK(share->open_files <= 20);
	share__reset(share);
	FUZZ_CHECK(!share->open_files && !share->fids && share->nodes == 1 && !share->xattr_bytes);
	share__close(share);
	FUZZ_CHECK(next_descriptor() == before);
	check_place();
	return 0;
}

size_t fuzz__seed(unsigned n, u8 *buf, size_t size)
{
	/* Numbers of requests are halved: 55 is walk, 6 lopen, 7 lcreate, 36 mkdir, 20 readdir. */
	static const u8 reading[] = { 0, 0xe0, 0, 0, 55, 0, 0, 1, 1, 0, 6, 0, 1, 0, 0, 0, 2,
				      59, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 3, 'x', 'y', 'z',
				      58, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10, 0 };
	static const u8 listing[] = { 8, 36, 0, 0, 1, 0, 0, 1, 0xed, 0, 0, 0, 0, 55, 0, 0, 2, 1, 1,
				      6, 0, 2, 0, 0, 0, 0, 20, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10, 0 };
	static const u8 links[] = { 0, 0xe1, 4, 3, 0xe1, 1, 0, 55, 0, 0, 1, 1, 3, 55, 0, 1, 2, 1, 6, 8, 0, 0, 3, 6, 0,
				    37, 0, 0, 0, 0, 1, 10, 0, 1, 1, 38, 0, 0, 0, 0, 0, 0, 2 };
	static const u8 creating[] = { 0, 55, 0, 0, 1, 0, 7, 0, 1, 0, 0, 0, 0, 2, 0, 0, 1, 0xa4, 0, 0, 0, 0,
				       38, 0, 0, 0, 0, 0, 0, 0, 12, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0 };
	static const struct {
		const u8 *bytes;
		size_t size;
	} seeds[] = { { reading, sizeof(reading) },
		      { listing, sizeof(listing) },
		      { links, sizeof(links) },
		      { creating, sizeof(creating) } };

	if (n >= ARRAY_LENGTH(seeds) || size < seeds[n].size)
		return 0;
	memcpy(buf, seeds[n].bytes, seeds[n].size);
	return seeds[n].size;
}
