/* SPDX-License-Identifier: BSD-3-Clause */
/* A packet as a script writes it, and one that was seen, in the same form. */
#ifndef DRILL_PACKET_H
#define DRILL_PACKET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/addr.h"

enum {
    PROTO_ICMP = 1,
    PROTO_IGMP = 2,
    PROTO_TCP = 6,
    PROTO_UDP = 17,
    PROTO_ICMPV6 = 58,
    PROTO_ARP = 256,
    PROTO_RAW = 257
};

enum { /* packet.flags, with the three bits of the ECN counter on top (RFC 9768) */
       F_FIN = 0x01,
       F_SYN = 0x02,
       F_RST = 0x04,
       F_PUSH = 0x08,
       F_ACK = 0x10,
       F_URG = 0x20,
       F_ECE = 0x40,
       F_CWR = 0x80,
       F_AE = 0x100,
};

enum {
    OPT_EOL = 0,
    OPT_NOP = 1,
    OPT_MSS = 2,
    OPT_WSCALE = 3,
    OPT_SACKOK = 4,
    OPT_SACK = 5,
    OPT_TS = 8,
    OPT_MD5 = 19,
    OPT_FO = 34,
    OPT_EXP = 254
};

struct tcp_opt {
    uint8_t kind;
    uint8_t len;      /* with the two bytes of head; 1 for NOP and EOL */
    uint8_t data[40]; /* as on the wire, behind the head; timestamps and SACK edges below instead */
    bool any_val, any_ecr;
    enum { MD5_AS_IT_IS, MD5_VALID, MD5_INVALID } md5; /* a signature: its bytes, or whether it is right */
    uint32_t val, ecr;
    unsigned nsack;
    uint32_t sack[4][2];
};

enum { ECN_UNCHECKED = -1, ECN_NOT = 0, ECN_ECT1 = 1, ECN_ECT0 = 2, ECN_CE = 3, ECN_ECT01 = 4 };

enum { IGMP_RECORDS = 4, IGMP_SOURCES = 8, ARP_BYTES = 28 };

struct igmp_record {
    uint8_t type;
    struct jr_addr group;
    unsigned nsrc;
    struct jr_addr src[IGMP_SOURCES];
};

struct igmp {
    uint8_t type, resp; /* resp: of a query, when it has to be answered */
    bool v3;            /* a query with what RFC 3376 added; its sources are in rec[0] */
    struct jr_addr group;
    unsigned nrec; /* of a version 3 report */
    struct igmp_record rec[IGMP_RECORDS];
};

struct arp {
    uint8_t op, sha, tha; /* stations by the last byte of their address */
    struct jr_addr spa, tpa;
};

struct bytes { /* mask 0: may be anything */
    unsigned n;
    uint8_t b[64], mask[64];
};

struct packet {
    bool inbound;
    int proto;
    bool v6;

    int ecn;      /* ECN_* */
    int tos, ttl; /* -1: default, or unchecked; tos has all eight bits */
    int df;       /* -1: unchecked */
    int id;       /* -1: any */
    int frag_off; /* bytes */
    bool mf;
    struct jr_addr src, dst;
    bool has_src, has_dst; /* written with addresses */
    struct bytes ip_opts;
    bool any_ip_opts;
    int said_proto;            /* inbound: what the IP header says instead of the truth; -1: the truth */
    uint32_t cut_from, cut_to; /* inbound: only these bytes behind the IP header, as a fragment; cut_to 0: all */

    uint16_t sport, dport; /* 0: those of the connection */
    uint16_t flags;
    uint32_t seq, end, len; /* len: payload, of any protocol */
    bool any_seq;           /* written "...(0)" */
    bool plain_seq;         /* written "0:0(0)!": as on the wire, whatever the stack began with */
    uint32_t ack;
    int win, urg; /* -1: default, or unchecked */
    bool any_opts;
    unsigned nopts;
    struct tcp_opt opts[20];
    bool bad_cksum, no_cksum;

    uint8_t icmp_type, icmp_code;
    int64_t mtu;           /* -1: none */
    int echo_id, echo_seq; /* -1: any */
    int pointer;           /* of a parameter problem; -1: any */
    struct bytes body;     /* behind the first eight bytes of ICMP; n 0: any */
    struct packet *quote;  /* of an ICMP error; NULL: of the last packet sent */

    struct igmp igmp;
    struct arp arp;
};

/* The wire form of a packet whose numbers are the wire's; returns its length, with the IP header. */
uint32_t packet_build(const struct packet *p, uint8_t *buf, uint32_t room);
/* false: not a packet that can be told in this form; why says what is wrong with it. */
bool packet_decode(const uint8_t *buf, uint32_t len, struct packet *p, const char **why);
/* What signatures are made and checked with from now on; NULL: nothing. */
void packet_md5_secret(const char *secret);
/* One line in the scripts' language. */
void packet_print(const struct packet *p, FILE *to);
/* The bytes, sixteen a line. */
void packet_hexdump(const uint8_t *buf, uint32_t len, FILE *to);

/* link.c: without the checksum; decoders return what is wrong or NULL. */
uint32_t igmp_build(const struct packet *p, uint8_t *at);
const char *igmp_decode(const uint8_t *b, uint32_t len, struct packet *p);
uint32_t arp_build(const struct packet *p, uint8_t *at);
const char *arp_decode(const uint8_t *b, struct packet *p);
void igmp_print(const struct packet *p, FILE *to);
void arp_print(const struct packet *p, FILE *to);

/* icmp names of both versions, for parsing and printing. */
bool icmp_type_named(const char *name, bool v6, uint8_t *type);
bool icmp_code_named(uint8_t type, const char *name, bool v6, uint8_t *code);
const char *icmp_type_name(uint8_t type, bool v6);
const char *icmp_code_name(uint8_t type, uint8_t code, bool v6);

#endif
