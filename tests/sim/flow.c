/* SPDX-License-Identifier: BSD-3-Clause */
#include "flow.h"

#include <linux/tcp.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "base/bits.h"

#define APP_TICK_US 1000u
#define EMBRYO_BYTES 65536u

/* A byte of the stream that depends on where it is. */
static uint8_t pattern(uint64_t off) { return (uint8_t)(off * 131 + (off >> 8) * 7 + (off >> 20)); }

static uint64_t used(const struct jr_sockbuf *sb) { return sb->tail - sb->head; }

static void fill(struct flow *f, uint64_t n)
{
    struct jr_sockbuf *sb = &f->tx.snd;
    for (uint64_t i = 0; f->sim->conf.check && i < n; i++)
        sb->base[(sb->tail + i) & (sb->cap - 1)] = pattern(sb->tail + i);
    sb->tail += n;
}

void flow_write(struct flow *f)
{
    struct jr_sockbuf *sb = &f->tx.snd;
    uint64_t n = sb->cap - used(sb);
    if (f->tx.tp == NULL || f->tx.closed || f->finished || !f->res.connected)
        return;
    if (f->conf.bytes != 0)
        n = jr_min_u64(n, f->conf.bytes - sb->tail);
    if (f->conf.app_bps != 0 || f->conf.on_ms != 0)
        n = jr_min_u64(n, f->budget > sb->tail ? f->budget - sb->tail : 0);
    if (n != 0) {
        fill(f, n);
        jr_tcp_send(f->tx.tp, sim_now(f->sim));
    }
    bool over = (f->conf.bytes != 0 && sb->tail == f->conf.bytes) ||
                (f->conf.stop_s != 0 && sim_seconds(f->sim) >= f->conf.stop_s);
    if (over) {
        f->finished = true;
        jr_tcp_shutdown(f->tx.tp, sim_now(f->sim));
    }
}

static void flow_read(struct flow *f)
{
    struct jr_sockbuf *sb = &f->rx.rcv;
    for (uint64_t at = sb->head; f->sim->conf.check && at < sb->tail; at++)
        f->res.intact &= sb->base[at & (sb->cap - 1)] == pattern(at);
    sb->head = sb->tail;
    f->res.acked = sb->head;
    if (f->conf.bytes != 0 && sb->head == f->conf.bytes && f->res.done_s == 0)
        f->res.done_s = sim_seconds(f->sim) - f->conf.start_s;
    jr_tcp_recved(f->rx.tp, sim_now(f->sim));
}

/* Moves the bytes to where a larger ring has them; edge: behind the last that lies there. */
static void enlarge(struct jr_sockbuf *sb, uint64_t edge, uint32_t cap, bool real)
{
    uint8_t *old = real ? malloc(sb->cap) : NULL;
    if (old != NULL)
        memcpy(old, sb->base, sb->cap);
    for (uint64_t at = sb->head; old != NULL && at < edge; at++)
        sb->base[at & (cap - 1)] = old[at & (sb->cap - 1)];
    sb->cap = cap;
    free(old);
}

static void grow(struct end *e, jr_time now)
{
    const struct sim_conf *c = &e->flow->sim->conf;
    const uint32_t snd = jr_min_u32(jr_tcp_snd_want(e->tp), c->bufsize);
    const uint32_t rcv = jr_min_u32(jr_tcp_rcv_want(e->tp), c->bufsize);
    if (snd > e->snd.cap) {
        enlarge(&e->snd, e->snd.tail, snd, c->check);
        if (e == &e->flow->tx)
            flow_write(e->flow);
    }
    if (rcv > e->rcv.cap) {
        enlarge(&e->rcv, jr_max_u64(jr_tcp_rcv_edge(e->tp), e->rcv.tail), rcv, c->check);
        jr_tcp_buffers_changed(e->tp, now);
    }
}

static void on_event(void *so, struct jr_tcpcb *tp, uint32_t events, jr_time now)
{
    struct end *e = so;
    struct flow *f = e->flow;
    if ((events & JR_TCP_EV_ERROR) && e != &f->listener)
        f->res.error = jr_tcp_error(tp);
    if (events & JR_TCP_EV_ACCEPT) {
        f->rx.tp = jr_tcp_accept(tp);
        if (f->rx.tp != NULL)
            jr_tcp_attach(f->rx.tp, &f->rx, &f->rx.snd, &f->rx.rcv);
    }
    if ((events & JR_TCP_EV_WANT) && e != &f->listener && !e->closed)
        grow(e, now);
    if (events & JR_TCP_EV_CONNECTED)
        f->res.connected = true;
    if (e == &f->tx && (events & (JR_TCP_EV_CONNECTED | JR_TCP_EV_TX)))
        flow_write(f);
    if (e == &f->rx && (events & JR_TCP_EV_RX))
        flow_read(f);
    if (e == &f->rx && (events & JR_TCP_EV_RX_FIN) && !e->closed)
        jr_tcp_close(tp, false, now);
    if (events & JR_TCP_EV_CLOSED)
        e->closed = true;
}

/* For what comes in the same burst as the ACK that makes the connection. */
static bool embryo_rcvbuf(void *so, struct jr_sockbuf *rcv)
{
    (void)so;
    rcv->base = malloc(EMBRYO_BYTES);
    rcv->cap = EMBRYO_BYTES;
    return true;
}

static void embryo_free(void *so, struct jr_sockbuf *rcv)
{
    (void)so;
    free(rcv->base);
}

static const struct jr_tcp_upcalls upcalls = {on_event, embryo_rcvbuf, embryo_free};

static void end_init(struct end *e, struct flow *f)
{
    const struct sim *s = f->sim;
    const uint32_t cap = s->conf.bufsize;
    e->flow = f;
    e->snd.cap = e->rcv.cap = s->conf.bufstart != 0 ? s->conf.bufstart : cap;
    e->snd.base = s->conf.check ? malloc(cap) : s->zeroes;
    e->rcv.base = s->conf.check ? malloc(cap) : s->sink;
}

bool flow_listen(struct flow *f)
{
    struct sim *s = f->sim;
    const struct jr_endpoint at = {.addr = s->host[1].ip.addr, .port = (uint16_t)(SIM_PORT_BASE + f->index)};
    end_init(&f->tx, f);
    end_init(&f->rx, f);
    f->listener.flow = f;
    f->res.intact = true;
    f->listener.tp = jr_tcp_open(s->host[1].tcp, &upcalls, &f->listener);
    return f->listener.tp != NULL && jr_tcp_bind(f->listener.tp, &at, 0) == 0 &&
           jr_tcp_listen(f->listener.tp, 2, sim_now(s)) == 0;
}

static void ask_again(struct flow *f)
{
    sim_queue_push(&f->sim->q,
                   (struct sim_event){.at = f->sim->now + APP_TICK_US * 1000, .kind = EV_APP, .arg = f->index});
}

void flow_start(struct flow *f)
{
    struct sim *s = f->sim;
    const struct jr_endpoint at = {.addr = s->host[1].ip.addr, .port = (uint16_t)(SIM_PORT_BASE + f->index)};
    f->started = true;
    f->tx.tp = jr_tcp_open(s->host[0].tcp, &upcalls, &f->tx);
    jr_tcp_attach(f->tx.tp, &f->tx, &f->tx.snd, &f->tx.rcv);
    if (f->conf.cc[0] != 0 &&
        jr_tcp_setopt(f->tx.tp, IPPROTO_TCP, TCP_CONGESTION, f->conf.cc, (uint32_t)strlen(f->conf.cc), sim_now(s)) != 0)
        f->res.error = -1;
    if (f->conf.max_pacing_rate != 0 &&
        jr_tcp_setopt(f->tx.tp, SOL_SOCKET, SO_MAX_PACING_RATE, &f->conf.max_pacing_rate,
                      sizeof f->conf.max_pacing_rate, sim_now(s)) != 0)
        f->res.error = -1;
    if (f->res.error == 0)
        f->res.error = jr_tcp_connect(f->tx.tp, &at, sim_now(s));
    s->host[0].dirty = true;
}

void flow_app(struct flow *f)
{
    const struct sim_flow *c = &f->conf;
    if (!f->started) {
        flow_start(f);
        if (c->app_bps != 0 || c->on_ms != 0 || c->stop_s != 0)
            ask_again(f);
        return;
    }
    const uint64_t ms = (uint64_t)((sim_seconds(f->sim) - c->start_s) * 1000);
    const bool on = c->on_ms == 0 || ms % (c->on_ms + c->off_ms) < c->on_ms;
    if (on && c->app_bps != 0)
        f->budget += c->app_bps / 8 * APP_TICK_US / 1000000;
    else if (on)
        f->budget = f->tx.snd.tail + f->tx.snd.cap;
    else if (c->app_bps == 0)
        f->budget = f->tx.snd.tail;
    flow_write(f);
    f->sim->host[0].dirty = true;
    if (!f->finished)
        ask_again(f);
}

void flow_sample(struct flow *f)
{
    struct sim *s = f->sim;
    struct tcp_info ti = {0};
    uint32_t len = sizeof ti;
    if (f->tx.tp == NULL || f->tx.closed || !f->res.connected ||
        jr_tcp_getopt(f->tx.tp, IPPROTO_TCP, TCP_INFO, &ti, &len, sim_now(s)) != 0)
        return;
    f->res.segs = ti.tcpi_data_segs_out;
    f->res.rexmits = ti.tcpi_total_retrans;
    if (s->warm && !f->finished) {
        f->rtt_sum += ti.tcpi_rtt;
        f->cwnd_sum += ti.tcpi_snd_cwnd;
        f->samples++;
    }
    if (s->conf.trace != NULL)
        fprintf(s->conf.trace, "%.6f,%u,%u,%d,%u,%llu,%u,%u,%llu\n", sim_seconds(s), f->index, ti.tcpi_snd_cwnd,
                ti.tcpi_snd_ssthresh == INT32_MAX ? -1 : (int)ti.tcpi_snd_ssthresh, ti.tcpi_rtt,
                (unsigned long long)f->res.acked, ti.tcpi_total_retrans, ti.tcpi_ca_state,
                (unsigned long long)sim_wire_queue(&s->wire[0], s->now));
}

void flow_close(struct flow *f)
{
    struct end *ends[] = {&f->tx, &f->rx, &f->listener};
    for (int i = 0; i < 3; i++)
        if (ends[i]->tp != NULL && !ends[i]->closed)
            jr_tcp_close(ends[i]->tp, true, sim_now(f->sim));
}

bool flow_fini(struct flow *f)
{
    struct end *ends[] = {&f->tx, &f->rx, &f->listener};
    bool ok = true;
    for (int i = 0; i < 3; i++)
        ok &= ends[i]->tp == NULL || ends[i]->closed;
    for (int i = 0; i < 2 && f->sim->conf.check; i++) {
        free(ends[i]->snd.base);
        free(ends[i]->rcv.base);
    }
    return ok;
}
