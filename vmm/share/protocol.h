/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * 9P2000.L: numbers of messages and constants in them, as diod's protocol.md and Linux's
 * 9p.h have them. All integers are little endian; a string is a length of 2 bytes and
 * as many bytes, a qid is type[1] version[4] path[8].
 */
#ifndef VMM_SHARE_PROTOCOL_H
#define VMM_SHARE_PROTOCOL_H

/* Requests; a reply is one more. */
enum p9_type {
	P9_RLERROR = 7,
	P9_TSTATFS = 8,
	P9_TLOPEN = 12,
	P9_TLCREATE = 14,
	P9_TSYMLINK = 16,
	P9_TMKNOD = 18,
	P9_TRENAME = 20,
	P9_TREADLINK = 22,
	P9_TGETATTR = 24,
	P9_TSETATTR = 26,
	P9_TXATTRWALK = 30,
	P9_TXATTRCREATE = 32,
	P9_TREADDIR = 40,
	P9_TFSYNC = 50,
	P9_TLOCK = 52,
	P9_TGETLOCK = 54,
	P9_TLINK = 70,
	P9_TMKDIR = 72,
	P9_TRENAMEAT = 74,
	P9_TUNLINKAT = 76,
	P9_TVERSION = 100,
	P9_TAUTH = 102,
	P9_TATTACH = 104,
	P9_TFLUSH = 108,
	P9_TWALK = 110,
	P9_TREAD = 116,
	P9_TWRITE = 118,
	P9_TCLUNK = 120,
	P9_TREMOVE = 122,
	P9_TYPES = 128,
};

#define P9_NO_FID 0xffffffffu
#define P9_WALK_MOST 16u /* names in a walk */
#define P9_MESSAGE_LEAST 4096u

#define P9_HEADER_BYTES 7u /* size[4] type[1] tag[2] */
#define P9_QID_BYTES 13u
#define P9_READ_HEADER_BYTES 11u  /* of Rread, Rreaddir: count[4] behind the header */
#define P9_WRITE_HEADER_BYTES 23u /* of Twrite: fid[4] offset[8] count[4] */

/* qid.type */
#define P9_QID_DIRECTORY 0x80u
#define P9_QID_SYMLINK 0x02u

/* Flags of lopen and lcreate are Linux's, in its generic numbers. */
#define P9_OPEN_ACCESS 03u
#define P9_OPEN_EXCLUSIVE 0200u
#define P9_OPEN_TRUNCATE 01000u
#define P9_OPEN_APPEND 02000u
#define P9_OPEN_DSYNC 010000u
#define P9_OPEN_DIRECTORY 0200000u
#define P9_OPEN_SYNC 04000000u

#define P9_UNLINK_DIRECTORY 0x200u

#define P9_GETATTR_BASIC 0x7ffull

/* Tsetattr's valid */
#define P9_SETATTR_MODE 0x001u
#define P9_SETATTR_UID 0x002u
#define P9_SETATTR_GID 0x004u
#define P9_SETATTR_SIZE 0x008u
#define P9_SETATTR_ATIME 0x010u
#define P9_SETATTR_MTIME 0x020u
#define P9_SETATTR_CTIME 0x040u
#define P9_SETATTR_ATIME_SET 0x080u
#define P9_SETATTR_MTIME_SET 0x100u

enum { P9_LOCK_READ, P9_LOCK_WRITE, P9_LOCK_UNLOCK };
enum { P9_LOCK_SUCCESS, P9_LOCK_BLOCKED, P9_LOCK_ERROR };

/* Txattrcreate's flags are setxattr's: */
#define P9_XATTR_REPLACE 2u

#define P9_STATFS_TYPE 0x01021997u /* V9FS_MAGIC */

#endif
