/* SPDX-License-Identifier: BSD-3-Clause */
/* Signed segments (RFC 2385): the keys that a socket has for its peers, and what they make of a segment. */
#ifndef JR_TCP_MD5SIG_H
#define JR_TCP_MD5SIG_H

#include "tcp/tcpcb.h"

struct jr_tcp_md5key; /* one peer's, or a prefix's; a list */

/* TCP_MD5SIG and TCP_MD5SIG_EXT as tcp(7) has them: sets a peer's key, or with no key removes it. -EINVAL, -ENOENT,
 * -ENOMEM. */
int jr_md5sig_set(struct jr_tcpcb *tp, const void *val, uint32_t len, bool ext);
/* The key for this peer; NULL: segments aren't signed. */
const struct jr_tcp_md5key *jr_md5sig_key(const struct jr_tcpcb *tp, struct jr_addr peer);
/* The listener's keys for an accepted connection. false: no memory. */
bool jr_md5sig_inherit(struct jr_tcpcb *tp, const struct jr_tcpcb *listener);
void jr_md5sig_free(struct jr_tcpcb *tp);

/* Whether a received segment is signed as its owner (a connection or a listener; NULL: neither) wants. Counts. */
bool jr_md5sig_accept(struct jr_tcp *tcp, const struct jr_tcpcb *owner, const struct jr_tcp_seg *seg);
/* Writes the digest of the segment of len bytes at th, whose checksum field is zero. */
void jr_md5sig_sign(const struct jr_tcp_md5key *key, struct jr_addr src, struct jr_addr dst, const uint8_t *th,
                    uint32_t len, uint8_t *digest);

#endif
