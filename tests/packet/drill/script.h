/* SPDX-License-Identifier: BSD-3-Clause */
/* A script as read: what it asks for at the top, then events in order. */
#ifndef DRILL_SCRIPT_H
#define DRILL_SCRIPT_H

#include <netinet/in.h>

#include "base/addr.h"
#include "expr.h"
#include "packet.h"
#include "text.h"

enum ip_version { IP_V4, IP_V6, IP_V4_MAPPED };

struct options { /* --name=value lines */
    enum ip_version ip_version;
    int64_t tolerance_us;
    int64_t ts_tick_us; /* 0: timestamp values are not checked */
    bool any_push;      /* where PUSH is set does not matter: the kernel has other rules */
    uint32_t mtu;
    struct jr_addr local, remote;
    uint8_t plen;
    uint16_t bind_port, connect_port;
    bool rst_unread;        /* close() with data unread resets, as the service's sockets and Linux' do */
    const char *md5_secret; /* what signs segments; NULL: nothing does */
    bool arp;               /* the script is about ARP too: nobody is known at first */
};

enum when_kind { WHEN_ABSOLUTE, WHEN_RELATIVE, WHEN_ANY };
struct when {
    enum when_kind kind;
    int64_t us, end_us; /* end_us: of a range, or of a call that blocks; else equal to us */
    bool range, blocking;
};

enum event_kind { EVENT_PACKET, EVENT_CALL, EVENT_COMMAND, EVENT_CODE };

struct call {
    const char *name;
    struct expr *args[8];
    unsigned nargs;
    struct expr *result; /* NULL: "?" */
    const char *err;     /* E...; NULL: none given */
};

struct event {
    struct event *next;
    int line;
    struct when when;
    enum event_kind kind;
    struct packet *packet;
    struct call *call;
    const char *text; /* of a command or code */
};

struct script {
    const char *file;
    struct options opt;
    struct event *first;
};

/* Defaults of the options; address families follow ip_version unless set. */
void options_init(struct options *o);
/* One "name=value"; false: no such option, or a bad value. */
bool options_set(struct options *o, const char *name, const char *value);
/* Fills in what depends on the others. */
void options_finish(struct options *o);

/* opt: what the options are where the script says nothing. */
void script_parse(struct script *s, const char *file, const char *content, const struct options *opt);
/* After the time: '<' or '>' has been read. */
struct packet *packet_parse(struct text *t, bool inbound);

/* link.c */
void parse_igmp(struct text *t, struct packet *p);
void parse_arp(struct text *t, struct packet *p);
struct jr_addr parse_addr4(struct text *t);
/* Hexadecimal digits; "xx" is a byte that may be anything. */
void parse_bytes(struct text *t, struct bytes *b);

#endif
