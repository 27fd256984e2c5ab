/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Segments, time and an app, as the input says. The first byte chooses the state to start in, the rest is a list of
 * steps: segments near the edges of the windows, wholly arbitrary ones, ICMP errors, calls of the app, the clock.
 * Whatever happens, nothing may leak and no check of the rig may fail.
 */
#include <stdlib.h>

#include "base/byteorder.h"
#include "rig.h"

struct jr_test *jr_test_first, **jr_test_last;
unsigned jr_test_failures;

struct input {
    const uint8_t *p;
    size_t n;
};

static uint8_t u8(struct input *in)
{
    if (in->n == 0)
        return 0;
    in->n--;
    return *in->p++;
}
static uint16_t u16(struct input *in)
{
    uint16_t hi = u8(in);
    return (uint16_t)(hi << 8 | u8(in));
}
/* Small numbers of either sign are what matters around an edge. */
static uint32_t near(struct input *in, uint32_t edge) { return edge + (uint32_t)(int32_t)(int16_t)u16(in); }

struct world {
    struct rig r;
    struct sock *s, *l;
    bool fin;
    uint32_t rcv_nxt, snd_max; /* relative, as the peer sees them */
};

static void look_at_sent(struct world *w)
{
    struct seg *g;
    while ((g = rig_pop(&w->r)) != NULL) {
        if (g->flags & TH_RST)
            continue;
        uint32_t end = g->seq + g->len + !!(g->flags & TH_SYN) + !!(g->flags & TH_FIN);
        if ((int32_t)(end - w->snd_max) > 0 || (g->flags & TH_SYN))
            w->snd_max = end;
        if (g->flags & TH_ACK)
            w->rcv_nxt = g->ack;
    }
}

static uint32_t build(struct world *w, struct input *in, uint8_t *p)
{
    struct rig *r = &w->r;
    uint32_t olen = u8(in) % 11 * 4, len = u8(in) % 4 ? u8(in) : u16(in) % 3000;
    struct jr_tcp_view v = {.sport = r->peer_port,
                            .dport = r->local_port,
                            .flags = u8(in),
                            .seq = near(in, w->rcv_nxt) + RIG_PEER_ISS,
                            .ack = near(in, w->snd_max) + r->iss,
                            .win = u16(in),
                            .urp = u8(in),
                            .hlen = (uint8_t)(20 + olen)};
    jr_tcp_build(p, &v);
    for (uint32_t i = 0; i < olen; i++)
        p[20 + i] = u8(in);
    if (olen >= 12 && u8(in) % 2) { /* timestamps that the connection believes */
        static const uint8_t lead[4] = {1, 1, 8, 10};
        memcpy(p + 20, lead, sizeof lead);
        jr_store_be32(p + 24, r->peer_tsval + (uint32_t)(r->now / JR_MS));
        jr_store_be32(p + 28, r->last_tsval);
    }
    memset(p + 20 + olen, 'z', len);
    return 20 + olen + len;
}

static void step_segment(struct world *w, struct input *in)
{
    static uint8_t p[4096];
    uint32_t n = build(w, in, p);
    ip_double_input(&w->r.ip, w->r.peer, w->r.local, p, n, true, w->r.now);
}

static void step_raw(struct world *w, struct input *in)
{
    uint8_t p[256];
    uint32_t n = u8(in);
    for (uint32_t i = 0; i < n; i++)
        p[i] = u8(in);
    ip_double_input(&w->r.ip, w->r.peer, w->r.local, p, n, true, w->r.now);
}

static void step_icmp(struct world *w, struct input *in)
{
    uint8_t quote[8];
    jr_store_be16(quote, w->r.local_port);
    jr_store_be16(quote + 2, w->r.peer_port);
    jr_store_be32(quote + 4, near(in, w->snd_max) + w->r.iss);
    const struct jr_ip_ctl ctl = {.src = w->r.local,
                                  .dst = w->r.peer,
                                  .type = u8(in),
                                  .code = u8(in),
                                  .mtu = u16(in),
                                  .quote = quote,
                                  .quote_len = sizeof quote};
    w->r.ip.tcp.ctlinput(w->r.ip.tcp.ctx, &ctl, w->r.now);
    if (w->r.ip.mtu < 600)
        w->r.ip.mtu = 600;
}

static void step_app(struct world *w, struct input *in)
{
    struct rig *r = &w->r;
    struct sock *s = w->s;
    uint8_t what = u8(in);
    uint32_t n = u16(in);
    if (s == NULL || s->closed)
        return;
    what = w->fin && (what % 10 <= 1 || what % 10 >= 8) ? 2 : what; /* nothing is written behind a FIN */
    switch (what % 10) {
    case 0:
    case 1:
        sock_write(r, s, n % (jr_sockbuf_space(&s->snd) + 1));
        break;
    case 2:
    case 3:
        s->rcv.head += n % (jr_sockbuf_used(&s->rcv) + 1);
        jr_tcp_recved(s->tp, r->now);
        break;
    case 4:
        w->fin = true;
        jr_tcp_shutdown(s->tp, r->now);
        break;
    case 5:
        w->fin |= n % 4 == 0;
        if (n % 4 == 0)
            jr_tcp_close(s->tp, n % 8 == 0, r->now);
        break;
    case 6: {
        int v = n % 3, name = what / 10;
        jr_tcp_setopt(s->tp, n & 8 ? 6 : 1, name, &v, sizeof v, r->now);
        break;
    }
    case 7: {
        uint8_t buf[512];
        uint32_t len = n % sizeof buf;
        jr_tcp_getopt(s->tp, 6, what / 10, buf, &len, r->now);
        break;
    }
    case 8:
        sock_put(s, n % (jr_sockbuf_space(&s->snd) + 1));
        jr_tcp_send_more(s->tp, r->now);
        break;
    case 9:
        jr_tcp_send_urgent(s->tp, s->snd.tail, r->now);
        break;
    }
}

static void step(struct world *w, struct input *in)
{
    switch (u8(in) % 16) {
    default:
        step_segment(w, in);
        break;
    case 1:
        step_raw(w, in);
        break;
    case 2:
        step_icmp(w, in);
        break;
    case 3:
    case 4:
    case 5:
    case 6:
        step_app(w, in);
        break;
    case 7:
        rig_advance(&w->r, (jr_time)u16(in) * 100);
        break;
    case 8:
        rig_advance(&w->r, (jr_time)u8(in) * JR_SEC);
        break;
    case 9:
        w->r.ip.pool.fail_in = u8(in) % 8;
        break;
    case 10:
        if (w->s == NULL && w->l != NULL)
            w->s = rig_accept(&w->r, w->l, 8192, 16384);
        break;
    }
    if (in->n % 3 == 0)
        rig_flush(&w->r);
    look_at_sent(w);
}

static void start_in(struct world *w, uint8_t where)
{
    struct rig *r = &w->r;
    const uint32_t what = where >> 4 & RIG_ALL;
    w->rcv_nxt = w->snd_max = 1;
    if (where % 8 == 0)
        return;
    if (where % 8 == 1) {
        w->l = rig_listen(r, 3);
        return;
    }
    if (where % 8 == 2) {
        const struct jr_endpoint to = {.addr = r->peer, .port = r->peer_port};
        w->s = rig_socket(r, 8192, 16384);
        jr_tcp_attach(w->s->tp, w->s, &w->s->snd, &w->s->rcv);
        jr_tcp_connect(w->s->tp, &to, r->now);
        return;
    }
    w->s = rig_passive_sized(r, what, 8192, 16384);
    w->fin = where % 8 == 4 || where % 8 == 6;
    if (w->fin)
        jr_tcp_shutdown(w->s->tp, r->now);
    if (where % 8 >= 5)
        rig_in(r, .flags = TH_FIN | TH_ACK, .seq = 1, .ack = 1);
    if (where % 8 == 7)
        sock_write(r, w->s, 8192);
    look_at_sent(w);
}

static void finish(struct world *w)
{
    w->r.ip.pool.fail_in = 0;
    if (w->s != NULL)
        rig_destroy(&w->r, w->s);
    if (w->l != NULL)
        rig_destroy(&w->r, w->l);
    rig_drain(&w->r);
    rig_advance(&w->r, 2000 * JR_SEC);
    rig_drain(&w->r);
    rig_end(&w->r);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct world w;
    struct input in = {data, size};
    memset(&w, 0, sizeof w);
    rig_init(&w.r);
    uint8_t where = u8(&in);
    w.r.cfg.syncache_cachelimit = where & 128 ? 0 : 8;
    rig_start(&w.r);
    start_in(&w, where);
    while (in.n != 0)
        step(&w, &in);
    finish(&w);
    if (jr_test_failures != 0)
        abort();
    return 0;
}
