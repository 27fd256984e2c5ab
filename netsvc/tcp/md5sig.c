/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The MD5 option, RFC 2385 2.0: a digest over the pseudo header, the header without options and with a zero checksum,
 * the data and a key that both ends were given. Options are Linux's TCP_MD5SIG and TCP_MD5SIG_EXT.
 */
#include "tcp/md5sig.h"

#include <linux/tcp.h> /* not netinet/tcp.h, whose TH_* are macros */
#include <netinet/in.h>
#include <stdlib.h>

#include "base/byteorder.h"
#include "base/md5.h"

#define PROTO_TCP 6
#define CKSUM_AT 16u /* where the checksum lies in the header */

struct jr_tcp_md5key {
    struct jr_tcp_md5key *next;
    struct jr_addr peer;
    uint8_t bits; /* of peer that count, 0 to 128 */
    uint8_t len;
    uint8_t key[TCP_MD5SIG_MAXKEYLEN];
};

static bool matches(const struct jr_tcp_md5key *k, struct jr_addr a)
{
    uint32_t bytes = k->bits / 8, rest = k->bits % 8;
    if (memcmp(k->peer.b, a.b, bytes) != 0)
        return false;
    return rest == 0 || ((k->peer.b[bytes] ^ a.b[bytes]) & (uint8_t)(0xff << (8 - rest))) == 0;
}

const struct jr_tcp_md5key *jr_md5sig_key(const struct jr_tcpcb *tp, struct jr_addr peer)
{
    const struct jr_tcp_md5key *best = NULL;
    for (const struct jr_tcp_md5key *k = tp->md5_keys; k != NULL; k = k->next)
        if ((best == NULL || k->bits > best->bits) && matches(k, peer))
            best = k;
    return best;
}

static bool read_peer(const struct sockaddr_storage *ss, struct jr_addr *peer)
{
    if (ss->ss_family == AF_INET) {
        struct sockaddr_in in;
        memcpy(&in, ss, sizeof in);
        *peer = jr_addr_v4(in.sin_addr.s_addr);
        return true;
    }
    if (ss->ss_family != AF_INET6)
        return false;
    struct sockaddr_in6 in6;
    memcpy(&in6, ss, sizeof in6);
    memcpy(peer->b, &in6.sin6_addr, sizeof peer->b);
    return true;
}

/* A change may concern the peer that tp is connected to. */
static void choose(struct jr_tcpcb *tp) { tp->md5 = tp->fport != 0 ? jr_md5sig_key(tp, tp->faddr) : NULL; }

static int remove_key(struct jr_tcpcb *tp, struct jr_addr peer, uint8_t bits)
{
    for (struct jr_tcp_md5key **k = &tp->md5_keys; *k != NULL; k = &(*k)->next) {
        if ((*k)->bits != bits || !jr_addr_eq((*k)->peer, peer))
            continue;
        struct jr_tcp_md5key *gone = *k;
        *k = gone->next;
        free(gone);
        tp->tcp->md5_keys--;
        return 0;
    }
    return -ENOENT;
}

static int add_key(struct jr_tcpcb *tp, struct jr_addr peer, uint8_t bits, const uint8_t *key, uint32_t len)
{
    struct jr_tcp_md5key *k = calloc(1, sizeof *k);
    if (k == NULL)
        return -ENOMEM;
    (void)remove_key(tp, peer, bits);
    k->peer = peer;
    k->bits = bits;
    k->len = (uint8_t)len;
    memcpy(k->key, key, len);
    k->next = tp->md5_keys;
    tp->md5_keys = k;
    tp->tcp->md5_keys++;
    return 0;
}

int jr_md5sig_set(struct jr_tcpcb *tp, const void *val, uint32_t len, bool ext)
{
    struct tcp_md5sig sig;
    struct jr_addr peer;
    if (len < sizeof sig)
        return -EINVAL;
    memcpy(&sig, val, sizeof sig);
    if (sig.tcpm_keylen > TCP_MD5SIG_MAXKEYLEN || !read_peer((const struct sockaddr_storage *)&sig.tcpm_addr, &peer))
        return -EINVAL;
    bool v4 = jr_addr_is_v4(peer);
    uint8_t bits = 128;
    if (ext && (sig.tcpm_flags & TCP_MD5SIG_FLAG_PREFIX)) {
        if (sig.tcpm_prefixlen > (v4 ? 32 : 128))
            return -EINVAL;
        bits = (uint8_t)(sig.tcpm_prefixlen + (v4 ? 96 : 0));
    }
    int err = sig.tcpm_keylen == 0 ? remove_key(tp, peer, bits)
                                   : add_key(tp, peer, bits, sig.tcpm_key, sig.tcpm_keylen);
    choose(tp);
    return err;
}

bool jr_md5sig_inherit(struct jr_tcpcb *tp, const struct jr_tcpcb *l)
{
    for (const struct jr_tcp_md5key *k = l->md5_keys; k != NULL; k = k->next)
        if (add_key(tp, k->peer, k->bits, k->key, k->len) != 0)
            return false;
    choose(tp);
    return true;
}

void jr_md5sig_free(struct jr_tcpcb *tp)
{
    while (tp->md5_keys != NULL) {
        struct jr_tcp_md5key *k = tp->md5_keys;
        tp->md5_keys = k->next;
        free(k);
        tp->tcp->md5_keys--;
    }
    tp->md5 = NULL;
}

static void add_pseudo(struct jr_md5 *m, struct jr_addr src, struct jr_addr dst, uint32_t len)
{
    uint8_t tail[8] = {0};
    if (jr_addr_is_v4(src)) {
        jr_md5_update(m, &src.b[12], 4);
        jr_md5_update(m, &dst.b[12], 4);
        tail[1] = PROTO_TCP;
        jr_store_be16(tail + 2, (uint16_t)len);
        jr_md5_update(m, tail, 4);
        return;
    }
    jr_md5_update(m, src.b, sizeof src.b);
    jr_md5_update(m, dst.b, sizeof dst.b);
    jr_store_be32(tail, len);
    tail[7] = PROTO_TCP;
    jr_md5_update(m, tail, 8);
}

void jr_md5sig_sign(const struct jr_tcp_md5key *key, struct jr_addr src, struct jr_addr dst, const uint8_t *th,
                    uint32_t len, uint8_t *digest)
{
    static const uint8_t no_cksum[2];
    const uint32_t hlen = (uint32_t)(th[12] >> 4) * 4;
    struct jr_md5 m;
    jr_md5_init(&m);
    add_pseudo(&m, src, dst, len);
    jr_md5_update(&m, th, CKSUM_AT);
    jr_md5_update(&m, no_cksum, sizeof no_cksum);
    jr_md5_update(&m, th + CKSUM_AT + 2, JR_TCP_HLEN - CKSUM_AT - 2);
    jr_md5_update(&m, th + hlen, len - hlen);
    jr_md5_update(&m, key->key, key->len);
    jr_md5_final(&m, digest);
}

bool jr_md5sig_accept(struct jr_tcp *tcp, const struct jr_tcpcb *owner, const struct jr_tcp_seg *seg)
{
    struct jr_tcp_opts o;
    const uint8_t *p = jr_pkt_data(seg->pkt);
    const struct jr_tcp_md5key *key = owner != NULL ? jr_md5sig_key(owner, seg->rx->src) : NULL;
    (void)jr_tcp_parse_opts(p + JR_TCP_HLEN, seg->hdr.hlen - JR_TCP_HLEN, seg->flags & TH_SYN, &o);
    bool is_signed = o.flags & TOF_SIGNATURE;
    if (owner == NULL || (key == NULL && !is_signed))
        return true;
    if (key == NULL || !is_signed) {
        jr_count(tcp->counters, key == NULL ? JR_C_TCP_SIG_UNEXPECTED : JR_C_TCP_SIG_MISSING);
        return false;
    }
    uint8_t want[JR_TCP_MD5_BYTES], diff = 0;
    jr_md5sig_sign(key, seg->rx->src, seg->rx->dst, p, seg->pkt->len, want);
    for (uint32_t i = 0; i < sizeof want; i++)
        diff |= want[i] ^ o.digest[i];
    if (diff != 0)
        jr_count(tcp->counters, JR_C_TCP_SIG_BAD);
    return diff == 0;
}
