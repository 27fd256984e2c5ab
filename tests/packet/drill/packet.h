/* SPDX-License-Identifier: BSD-3-Clause */
/* A packet as a script writes it, and one that was seen, in the same form. */
#ifndef DRILL_PACKET_H
#define DRILL_PACKET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/addr.h"

enum { PROTO_ICMP = 1, PROTO_TCP = 6, PROTO_UDP = 17, PROTO_ICMPV6 = 58, PROTO_ARP = 256, PROTO_RAW = 257 };

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
    uint32_t val, ecr;
    unsigned nsack;
    uint32_t sack[4][2];
};

enum { ECN_UNCHECKED = -1, ECN_NOT = 0, ECN_ECT1 = 1, ECN_ECT0 = 2, ECN_CE = 3, ECN_ECT01 = 4 };

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
    bool has_addr; /* written with addresses */

    uint16_t sport, dport; /* 0: those of the connection */
    uint16_t flags;
    uint32_t seq, end, len; /* len: payload, of any protocol */
    bool plain_seq;         /* written "0:0(0)!": as on the wire, whatever the stack began with */
    uint32_t ack;
    int win, urg; /* -1: default, or unchecked */
    bool any_opts;
    unsigned nopts;
    struct tcp_opt opts[20];
    bool bad_cksum;

    uint8_t icmp_type, icmp_code;
    int64_t mtu;           /* -1: none */
    int echo_id, echo_seq; /* -1: any */
    struct packet *quote;  /* of an ICMP error; NULL: of the last packet sent */

    int arp_op; /* who asks whom */
};

/* The wire form of a packet whose numbers are the wire's; returns its length, with the IP header. */
uint32_t packet_build(const struct packet *p, uint8_t *buf, uint32_t room);
/* false: not a packet that can be told in this form; why says what is wrong with it. */
bool packet_decode(const uint8_t *buf, uint32_t len, struct packet *p, const char **why);
/* One line in the scripts' language. */
void packet_print(const struct packet *p, FILE *to);
/* The bytes, sixteen a line. */
void packet_hexdump(const uint8_t *buf, uint32_t len, FILE *to);

/* icmp names of both versions, for parsing and printing. */
bool icmp_type_named(const char *name, bool v6, uint8_t *type);
bool icmp_code_named(uint8_t type, const char *name, bool v6, uint8_t *code);
const char *icmp_type_name(uint8_t type, bool v6);
const char *icmp_code_name(uint8_t type, uint8_t code, bool v6);

#endif
