/* SPDX-License-Identifier: BSD-3-Clause */
/* All sockets as JSON, for `joyride ss`. */
#include <arpa/inet.h>
#include <linux/tcp.h>
#include <stdarg.h>
#include <stdio.h>

#include "jr_tcp_fsm.h"
#include "sock/pair.h"
#include "sock/sock.h"

#define DETAILS_MAX 20000u /* sockets: with more, TCP's details are left out */

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

/* What ss(8) shows with -i and -o. */
static void put_tcp(struct out *o, const struct jr_tcpcb *tp, jr_time now)
{
    struct tcp_info ti = {0};
    uint32_t len = sizeof ti;
    uint64_t left;
    unsigned count;
    const char *timer = jr_tcp_pending_timer(tp, now, &left, &count);

    if (timer)
        put(o, ",\"timer\":{\"name\":\"%s\",\"left_ms\":%llu,\"count\":%u}", timer,
            (unsigned long long)(left / (JR_SEC / 1000)), count);
    if (jr_tcp_getopt(tp, IPPROTO_TCP, TCP_INFO, &ti, &len, now) < 0)
        return;
    put(o,
        ",\"tcp\":{\"rto_us\":%u,\"rtt_us\":%u,\"rttvar_us\":%u,\"min_rtt_us\":%u,\"mss\":%u,\"pmtu\":%u,\"cwnd\":%u,"
        "\"ssthresh\":%u,\"snd_wnd\":%u,\"rcv_wnd\":%u,\"unacked\":%u,\"lost\":%u,\"retrans\":%u,\"retrans_total\":%u",
        ti.tcpi_rto, ti.tcpi_rtt, ti.tcpi_rttvar, ti.tcpi_min_rtt, ti.tcpi_snd_mss, ti.tcpi_pmtu, ti.tcpi_snd_cwnd,
        ti.tcpi_snd_ssthresh, ti.tcpi_snd_wnd, ti.tcpi_rcv_ssthresh, ti.tcpi_unacked, ti.tcpi_lost, ti.tcpi_retrans,
        ti.tcpi_total_retrans);
    put(o,
        ",\"bytes_sent\":%llu,\"bytes_acked\":%llu,\"bytes_received\":%llu,\"segs_out\":%u,\"segs_in\":%u,"
        "\"notsent\":%u,\"delivery_rate\":%llu,\"last_send_ms\":%u,\"last_receive_ms\":%u}",
        (unsigned long long)ti.tcpi_bytes_sent, (unsigned long long)ti.tcpi_bytes_acked,
        (unsigned long long)ti.tcpi_bytes_received, ti.tcpi_segs_out, ti.tcpi_segs_in, ti.tcpi_notsent_bytes,
        (unsigned long long)ti.tcpi_delivery_rate, ti.tcpi_last_data_sent, ti.tcpi_last_data_recv);
}

static void put_socket(struct out *o, const struct jr_sock *so, jr_time now)
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
    if (so->tp && so->ss->nsocks <= DETAILS_MAX)
        put_tcp(o, so->tp, now);
    if (so->st & JR_ST_LISTENING)
        put(o, ",\"backlog\":%u", so->backlog);
    put(o, ",\"ino\":%llu,\"seg\":%u,\"slot\":%u}", (unsigned long long)so->handle_ino, so->seg->id, so->slot);
}

size_t jr_socks_dump(struct jr_socks *ss, jr_time now, char *buf, size_t n)
{
    struct out o = {.buf = buf, .size = n};
    bool first = true;

    JR_LIST_EACH(l, &ss->all) {
        const struct jr_sock *so = JR_LIST_ENTRY(l, struct jr_sock, all);
        if (so->kind == JR_SOCK_NONE) /* a handle that waits for its socket() */
            continue;
        put(&o, "%s", first ? "" : ",");
        first = false;
        put_socket(&o, so, now);
    }
    return o.len;
}
