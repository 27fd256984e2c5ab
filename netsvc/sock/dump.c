/* SPDX-License-Identifier: BSD-3-Clause */
/* All sockets as JSON, for `joyride ss`. */
#include <arpa/inet.h>
#include <stdarg.h>
#include <stdio.h>

#include "jr_tcp_fsm.h"
#include "sock/pair.h"
#include "sock/sock.h"

struct out {
    char *buf;
    size_t size, len; /* len: what it would be with room for everything */
};

static void put(struct out *o, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void put(struct out *o, const char *fmt, ...)
{
    const size_t at = o->len < o->size ? o->len : o->size;
    va_list ap;
    int n;

    va_start(ap, fmt);
    n = vsnprintf(o->size ? o->buf + at : NULL, o->size - at, fmt, ap);
    va_end(ap);
    if (n > 0)
        o->len += (size_t)n;
}

static void put_string(struct out *o, const char *name, const char *s)
{
    put(o, ",\"%s\":\"", name);
    for (; *s; s++) {
        const unsigned char c = (unsigned char)*s;
        if (c < 0x20 || c >= 0x7f || c == '"' || c == '\\')
            put(o, "\\u%04x", c);
        else
            put(o, "%c", c);
    }
    put(o, "\"");
}

static void put_endpoint(struct out *o, const char *name, const struct jr_endpoint *ep, bool known)
{
    char text[INET6_ADDRSTRLEN] = "";

    if (!known) {
        put(o, ",\"%s\":null", name);
        return;
    }
    if (jr_addr_is_v4(ep->addr))
        inet_ntop(AF_INET, &ep->addr.w[3], text, sizeof text);
    else
        inet_ntop(AF_INET6, ep->addr.b, text, sizeof text);
    put(o, ",\"%s\":{\"addr\":\"%s\",\"port\":%u}", name, text, ep->port);
}

static const char *state_name(const struct jr_sock *so)
{
    if (so->kind == JR_SOCK_NONE)
        return "UNUSED";
    if (so->st & JR_ST_PAIR)
        return so->st & JR_ST_DEAD ? "CLOSED" : "ESTABLISHED";
    if (so->kind == JR_SOCK_STREAM)
        return so->tp ? jr_tcp_state_name(jr_tcp_state(so->tp)) : "CLOSED";
    return so->st & JR_ST_CONNECTED ? "ESTABLISHED" : "UNCONN";
}

static void put_socket(struct out *o, const struct jr_sock *so)
{
    uint64_t rx = jr_sockbuf_used(&so->rcv), tx = jr_sockbuf_used(&so->snd);

    if (so->pair && (so->st & JR_ST_PAIR))
        jr_pair_queues(so, &rx, &tx);
    put(o, "{\"proto\":\"%s\",\"state\":\"%s\"", so->kind == JR_SOCK_DGRAM ? "udp" : "tcp", state_name(so));
    put_endpoint(o, "local", &so->local, so->st & JR_ST_BOUND);
    put_endpoint(o, "remote", &so->remote, so->st & (JR_ST_CONNECTED | JR_ST_CONNECTING));
    put(o, ",\"rx_queue\":%llu,\"tx_queue\":%llu,\"rx_cap\":%u,\"tx_cap\":%u,\"accept_queue\":%u",
        (unsigned long long)rx, (unsigned long long)tx, so->rcv.cap, so->snd.cap,
        (so->st & JR_ST_LISTENING) && so->tp ? jr_tcp_accept_count(so->tp) + so->nqueue : 0);
    put(o, ",\"route\":\"%s\",\"open\":%s,\"moved\":%s,\"pid\":%d,\"uid\":%u",
        so->st & JR_ST_PAIR ? "local" : "service", so->handle_open ? "true" : "false", so->old_seg ? "true" : "false",
        so->peer->pid, so->peer->uid);
    put_string(o, "comm", so->peer->comm);
    put_string(o, "exe", so->peer->exe);
    put(o, ",\"seg\":%u,\"slot\":%u}", so->seg->id, so->slot);
}

size_t jr_socks_dump(struct jr_socks *ss, char *buf, size_t n)
{
    struct out o = {.buf = buf, .size = n};
    bool first = true;

    JR_LIST_EACH(l, &ss->all) {
        const struct jr_sock *so = JR_LIST_ENTRY(l, struct jr_sock, all);
        if (so->kind == JR_SOCK_NONE) /* a handle that waits for its socket() */
            continue;
        put(&o, "%s", first ? "" : ",");
        first = false;
        put_socket(&o, so);
    }
    return o.len;
}
