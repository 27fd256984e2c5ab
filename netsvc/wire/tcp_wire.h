/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * TCP's header and options on the wire: a checked view of received bytes, and the writer of ours. Knows no
 * connection. RFC 9293 3.1 and 3.2, RFC 7323 (window scale, timestamps), RFC 2018 (SACK), RFC 2385 (MD5), RFC 7413
 * (Fast Open), RFC 5482 (user timeout).
 */
#ifndef JR_WIRE_TCP_WIRE_H
#define JR_WIRE_TCP_WIRE_H

#include <stdbool.h>
#include <stdint.h>

#define JR_TCP_HLEN 20u    /* header without options */
#define JR_TCP_MAXOLEN 40u /* most bytes of options */
#define JR_TCP_TS_OLEN 12u /* the timestamps, padded */
#define JR_TCP_MAXWIN 65535u
#define JR_TCP_MAX_WINSHIFT 14u

enum {
    TH_FIN = 0x01,
    TH_SYN = 0x02,
    TH_RST = 0x04,
    TH_PUSH = 0x08,
    TH_ACK = 0x10,
    TH_URG = 0x20,
    TH_ECE = 0x40,
    TH_CWR = 0x80,
};

struct jr_tcp_hdr { /* network order */
    uint16_t sport, dport;
    uint32_t seq, ack;
    uint8_t off; /* high nibble: header length in 32-bit words */
    uint8_t flags;
    uint16_t win, sum, urp;
} __attribute__((packed));
_Static_assert(sizeof(struct jr_tcp_hdr) == JR_TCP_HLEN, "wire layout");

enum { /* jr_tcp_opts.flags: which options are there */
       TOF_MSS = 1u << 0,
       TOF_SCALE = 1u << 1,
       TOF_TS = 1u << 2,
       TOF_SACKPERM = 1u << 3,
       TOF_SACK = 1u << 4,
       TOF_SIGNATURE = 1u << 5,
       TOF_FASTOPEN = 1u << 6,
       TOF_UTO = 1u << 7,
};

#define JR_TCP_MAX_SACK 4u
#define JR_TCP_MD5_BYTES 16u
#define JR_TCP_FO_MIN 4u /* bytes of a Fast Open cookie */
#define JR_TCP_FO_MAX 16u

struct jr_tcp_opts { /* host order */
    uint32_t flags;
    uint16_t mss;
    uint8_t wscale;
    uint8_t nsack;
    uint32_t tsval, tsecr;
    uint32_t sack[JR_TCP_MAX_SACK][2]; /* left edge, right edge */
    const uint8_t *digest;             /* of a received segment: the signature in its header */
    uint32_t uto;                      /* seconds; what is beyond 32767 goes as minutes */
    uint8_t cookie_len;                /* 0: the peer asks for a cookie, or we do */
    uint8_t cookie[JR_TCP_FO_MAX];
};

/* A header in host order. */
struct jr_tcp_view {
    uint16_t sport, dport;
    uint32_t seq, ack;
    uint16_t win, urp;
    uint8_t flags;
    uint8_t hlen; /* bytes, with options */
    bool ae;      /* the flag left of CWR (RFC 9768) */
};

/* Reads the fixed header of len bytes at p; false when it is cut short or its data offset is impossible. */
bool jr_tcp_parse(const uint8_t *p, uint32_t len, struct jr_tcp_view *out);

/* Reads the options (len bytes at p). Unknown ones are skipped; false at the first one whose length is
 * impossible, with what came before it in out. MSS, scale, SACK-permitted and Fast Open count only with syn. */
bool jr_tcp_parse_opts(const uint8_t *p, uint32_t len, bool syn, struct jr_tcp_opts *out);

/* The layout nearly every segment has: nop, nop, timestamps and nothing else (RFC 7323 appendix A). */
bool jr_tcp_parse_ts_only(const uint8_t *p, uint32_t len, uint32_t *tsval, uint32_t *tsecr);

/* Bytes jr_tcp_build_opts() will write: a multiple of four, at most 40. As many SACK blocks as fit are kept. */
uint32_t jr_tcp_opts_len(struct jr_tcp_opts *o);
/* Padded with end-of-options. Returns where the signature goes, zeroed; NULL without TOF_SIGNATURE. */
uint8_t *jr_tcp_build_opts(uint8_t *dst, const struct jr_tcp_opts *o);
void jr_tcp_build(uint8_t *dst, const struct jr_tcp_view *v);

#endif
