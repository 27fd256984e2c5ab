/* SPDX-License-Identifier: BSD-3-Clause */
#include "rig.h"

#include <stdlib.h>

#include "base/bits.h"
#include "base/byteorder.h"
#include "base/md5.h"

uint8_t pattern_at(uint64_t off) { return (uint8_t)(off * 2654435761u >> 13 ^ off); }

const void *pattern(uint64_t off, uint32_t n)
{
    static uint8_t buf[70000];
    for (uint32_t i = 0; i < n; i++)
        buf[i] = pattern_at(off + i);
    return buf;
}

static void on_event(void *so, struct jr_tcpcb *tp, uint32_t events, jr_time now)
{
    struct sock *s = so;
    (void)now;
    JR_CHECK(!s->closed);
    JR_CHECK(s->tp == tp);
    s->events |= events;
    s->calls++;
    if (events & JR_TCP_EV_ERROR)
        s->error = jr_tcp_error(tp);
    if (events & JR_TCP_EV_CLOSED) {
        s->closed = true;
        s->tp = NULL;
    }
    if (s->autoread && !s->closed && jr_sockbuf_used(&s->rcv) != 0) {
        s->rcv.head = s->rcv.tail;
        jr_tcp_recved(tp, now);
    }
}

static struct rig *the_rig;
static struct seg sent[RIG_MAX_SENT]; /* one rig at a time */

static bool embryo_rcvbuf(void *so, struct jr_sockbuf *rcv)
{
    (void)so;
    if (the_rig->no_embryo_buf)
        return false;
    rcv->cap = the_rig->embryo_cap;
    rcv->base = malloc(rcv->cap);
    the_rig->embryo_bufs++;
    return true;
}

static void embryo_free(void *so, struct jr_sockbuf *rcv)
{
    (void)so;
    free(rcv->base);
    the_rig->embryo_bufs--;
}

const struct jr_tcp_upcalls rig_upcalls = {on_event, embryo_rcvbuf, embryo_free};

/* RFC 2385 2.0 for IPv4, written apart from the stack's. */
static void sign(const struct rig *r, bool ours, const uint8_t *p, uint32_t len, uint8_t digest[16])
{
    const struct jr_addr src = ours ? r->local : r->peer, dst = ours ? r->peer : r->local;
    uint8_t head[32], hlen = (uint8_t)(p[12] >> 4 << 2);
    memcpy(head, src.b + 12, 4);
    memcpy(head + 4, dst.b + 12, 4);
    head[8] = 0;
    head[9] = 6;
    jr_store_be16(head + 10, (uint16_t)len);
    memcpy(head + 12, p, 20);
    head[28] = head[29] = 0;
    struct jr_md5 m;
    jr_md5_init(&m);
    jr_md5_update(&m, head, sizeof head);
    jr_md5_update(&m, p + hlen, len - hlen);
    jr_md5_update(&m, r->secret, strlen(r->secret));
    jr_md5_final(&m, digest);
}

static void check_signature(struct rig *r, const uint8_t *p, uint32_t len, const struct jr_tcp_opts *o)
{
    uint8_t want[16];
    if (r->secret == NULL || !JR_CHECK(o->flags & TOF_SIGNATURE))
        return;
    sign(r, true, p, len, want);
    JR_CHECK(memcmp(o->digest, want, sizeof want) == 0);
    r->signatures++;
}

static void on_sent(void *ctx, const struct jr_ip_tx *tx, const uint8_t *p, uint32_t len, jr_time now)
{
    struct rig *r = ctx;
    struct jr_tcp_view v;
    (void)tx;
    if (!JR_CHECK(jr_tcp_parse(p, len, &v)) || !JR_CHECK(r->sent_tail - r->sent_head < RIG_MAX_SENT))
        return;
    struct seg *s = &r->sent[r->sent_tail++ % RIG_MAX_SENT];
    memset(s, 0, offsetof(struct seg, bytes));
    JR_CHECK(jr_tcp_parse_opts(p + JR_TCP_HLEN, v.hlen - JR_TCP_HLEN, v.flags & TH_SYN, &s->opts));
    check_signature(r, p, len, &s->opts);
    if (v.flags & TH_SYN) {
        r->iss = v.seq;
        r->local_port = v.sport;
    }
    s->seq = v.seq - r->iss;
    s->ack = v.flags & TH_ACK ? v.ack - RIG_PEER_ISS : 0;
    s->flags = v.flags;
    s->win = v.win;
    s->urp = v.urp;
    s->sport = v.sport;
    s->dport = v.dport;
    s->at = now;
    s->len = len - v.hlen;
    memcpy(s->bytes, p + v.hlen, s->len < sizeof s->bytes ? s->len : sizeof s->bytes);
    s->data = s->bytes;
    if (s->opts.flags & TOF_TS)
        r->last_tsval = s->opts.tsval;
}

void rig_init(struct rig *r)
{
    memset(r, 0, sizeof *r);
    the_rig = r;
    ip_double_init(&r->ip, "10.0.0.1", "fd00::1");
    r->ip.out = on_sent;
    r->ip.out_ctx = r;
    r->sent = sent;
    r->now = 1000 * JR_SEC;
    r->local = r->ip.addr[0];
    r->peer = ip_double_addr("10.0.0.2");
    r->local_port = RIG_PORT;
    r->peer_port = RIG_PEER_PORT;
    r->peer_tsval = 5000;
    r->embryo_cap = 65536;
    jr_tcp_config_defaults(&r->cfg);
    memcpy(r->cfg.secret, "0123456789abcdef", 16);
    r->cfg.seed = 42;
}

void rig_start(struct rig *r) { r->tcp = jr_tcp_new(&r->ip, &r->cfg); }

void rig_end(struct rig *r)
{
    rig_advance(r, 300 * JR_SEC);
    JR_CHECK_EQ(jr_tcp_count(r->tcp), 0);
    jr_tcp_free(r->tcp);
    JR_CHECK_EQ(r->ip.pool.pool.in_use, 0);
    JR_CHECK_EQ(r->embryo_bufs, 0);
}

struct sock *rig_socket(struct rig *r, uint32_t sndcap, uint32_t rcvcap)
{
    struct sock *s = calloc(1, sizeof *s);
    s->snd = (struct jr_sockbuf){.base = malloc(sndcap ? sndcap : 1), .cap = sndcap};
    s->rcv = (struct jr_sockbuf){.base = malloc(rcvcap ? rcvcap : 1), .cap = rcvcap};
    s->tp = jr_tcp_open(r->tcp, &rig_upcalls, s);
    return s;
}

void rig_socket_free(struct sock *s)
{
    JR_CHECK(s->closed);
    free(s->snd.base);
    free(s->rcv.base);
    free(s);
}

void rig_destroy(struct rig *r, struct sock *s)
{
    if (!s->closed)
        jr_tcp_close(s->tp, true, r->now);
    rig_flush(r);
    rig_drain(r);
    rig_socket_free(s);
}

static uint32_t build(struct rig *r, const struct seg *s, uint8_t *p)
{
    struct jr_tcp_opts o = s->opts;
    if (r->ts && !s->no_ts && !(o.flags & TOF_TS)) {
        o.flags |= TOF_TS;
        o.tsval = r->peer_tsval + (uint32_t)(r->now / JR_MS) - s->ts_ago;
        o.tsecr = r->last_tsval;
    }
    for (uint32_t i = 0; i < o.nsack; i++) {
        o.sack[i][0] += r->iss;
        o.sack[i][1] += r->iss;
    }
    if (r->secret != NULL && !s->unsign)
        o.flags |= TOF_SIGNATURE;
    uint32_t hlen = JR_TCP_HLEN + jr_tcp_opts_len(&o);
    struct jr_tcp_view v = {.sport = s->sport ? s->sport : r->peer_port,
                            .dport = r->local_port,
                            .seq = s->seq + RIG_PEER_ISS,
                            .ack = s->flags & TH_ACK ? s->ack + r->iss : 0,
                            .win = s->shut  ? 0
                                   : s->win ? s->win
                                            : 65535,
                            .urp = s->urp,
                            .flags = s->flags,
                            .hlen = (uint8_t)hlen};
    jr_tcp_build(p, &v);
    uint8_t *digest = jr_tcp_build_opts(p + JR_TCP_HLEN, &o);
    if (s->len != 0)
        memcpy(p + hlen, s->data != NULL ? s->data : pattern(s->seq - 1, s->len), s->len);
    if (digest != NULL)
        sign(r, false, p, hlen + s->len, digest);
    if (s->missign)
        digest[5] ^= 4;
    return hlen + s->len;
}

void rig_inject(struct rig *r, struct seg s)
{
    static uint8_t buf[70000];
    uint32_t n = build(r, &s, buf);
    ip_double_input(&r->ip, r->peer, r->local, buf, n, true, r->now);
    if (!r->hold_flush)
        rig_flush(r);
}

void rig_flush(struct rig *r) { jr_tcp_flush(r->tcp, r->now); }

void rig_advance(struct rig *r, jr_time us)
{
    const jr_time end = r->now + us;
    jr_time next;
    while ((next = jr_tcp_next_tick(r->tcp)) <= end) {
        if (next > r->now)
            r->now = next;
        jr_tcp_tick(r->tcp, r->now);
    }
    r->now = end;
}

struct seg *rig_pop(struct rig *r)
{
    return r->sent_head == r->sent_tail ? NULL : &r->sent[r->sent_head++ % RIG_MAX_SENT];
}

void rig_drain(struct rig *r) { r->sent_head = r->sent_tail; }

static const char *flags_text(uint8_t flags)
{
    static char text[2][16];
    static unsigned turn;
    char *p = text[turn ^= 1];
    unsigned n = 0;
    for (unsigned i = 0; i < 8; i++)
        if (flags >> i & 1)
            p[n++] = "FSRPAUEC"[i];
    p[n] = 0;
    return p;
}

struct seg *rig_expect_at(struct rig *r, const char *file, int line, uint8_t flags, uint32_t seq, uint32_t ack,
                          uint32_t len)
{
    static struct seg none;
    struct seg *s = rig_pop(r);
    if (s == NULL) {
        fprintf(stderr, "expected %s seq %d ack %d len %u\n", flags_text(flags), (int)seq, (int)ack, len);
        jr_test_fail(file, line, "nothing was sent");
        memset(&none, 0, sizeof none);
        return &none;
    }
    if ((s->flags & ~TH_PUSH) != flags || s->seq != seq || s->len != len || ((flags & TH_ACK) && s->ack != ack)) {
        fprintf(stderr, "expected %s seq %d ack %d len %u, sent was %s seq %d ack %d len %u\n", flags_text(flags),
                (int)seq, (int)ack, len, flags_text(s->flags), (int)s->seq, (int)s->ack, s->len);
        jr_test_fail(file, line, "another segment was sent");
    }
    return s;
}

bool rig_expect_none_at(struct rig *r, const char *file, int line)
{
    struct seg *s = rig_pop(r);
    if (s == NULL)
        return true;
    fprintf(stderr, "sent was %s seq %d ack %d len %u\n", flags_text(s->flags), (int)s->seq, (int)s->ack, s->len);
    return jr_test_fail(file, line, "nothing should have been sent");
}

struct jr_tcp_opts rig_syn_opts(const struct rig *r, uint32_t what)
{
    struct jr_tcp_opts o = {.flags = TOF_MSS, .mss = 1460};
    if (what & RIG_SACK)
        o.flags |= TOF_SACKPERM;
    if (what & RIG_SCALE) {
        o.flags |= TOF_SCALE;
        o.wscale = 7;
    }
    if (what & RIG_TS) {
        o.flags |= TOF_TS;
        o.tsval = r->peer_tsval + (uint32_t)(r->now / JR_MS);
        o.tsecr = r->last_tsval;
    }
    return o;
}

struct sock *rig_listen(struct rig *r, uint32_t backlog)
{
    struct sock *l = rig_socket(r, 0, 0);
    const struct jr_endpoint any = {.addr = jr_addr_v4(0), .port = RIG_PORT};
    JR_CHECK_EQ(jr_tcp_bind(l->tp, &any, JR_TCP_BIND_REUSEADDR), 0);
    JR_CHECK_EQ(jr_tcp_listen(l->tp, backlog, r->now), 0);
    return l;
}

struct sock *rig_accept(struct rig *r, struct sock *l, uint32_t sndcap, uint32_t rcvcap)
{
    struct jr_tcpcb *tp = jr_tcp_accept(l->tp);
    if (tp == NULL)
        return NULL;
    struct sock *s = calloc(1, sizeof *s);
    s->snd = (struct jr_sockbuf){.base = malloc(sndcap), .cap = sndcap};
    s->rcv = (struct jr_sockbuf){.base = malloc(rcvcap), .cap = rcvcap};
    s->tp = tp;
    jr_tcp_attach(tp, s, &s->snd, &s->rcv);
    rig_flush(r);
    return s;
}

struct sock *rig_passive_sized(struct rig *r, uint32_t what, uint32_t sndcap, uint32_t rcvcap)
{
    struct sock *l = rig_listen(r, 5);
    rig_in(r, .flags = TH_SYN, .opts = rig_syn_opts(r, what));
    rig_expect(r, TH_SYN | TH_ACK, 0, 1, 0);
    r->ts = what & RIG_TS;
    rig_advance(r, JR_MS); /* the round trip */
    rig_in(r, .flags = TH_ACK, .seq = 1, .ack = 1);
    JR_CHECK_EQ(l->events, JR_TCP_EV_ACCEPT);
    struct sock *s = rig_accept(r, l, sndcap, rcvcap);
    JR_CHECK_EQ(sock_state(s), TCPS_ESTABLISHED);
    rig_destroy(r, l);
    rig_expect_none(r);
    return s;
}

struct sock *rig_passive(struct rig *r, uint32_t what) { return rig_passive_sized(r, what, 65536, 65536); }

struct sock *rig_active(struct rig *r, uint32_t what)
{
    struct sock *s = rig_socket(r, 65536, 65536);
    const struct jr_endpoint to = {.addr = r->peer, .port = r->peer_port};
    jr_tcp_attach(s->tp, s, &s->snd, &s->rcv);
    JR_CHECK_EQ(jr_tcp_connect(s->tp, &to, r->now), 0);
    rig_expect(r, TH_SYN, 0, 0, 0);
    rig_in(r, .flags = TH_SYN | TH_ACK, .ack = 1, .opts = rig_syn_opts(r, what));
    r->ts = what & RIG_TS;
    JR_CHECK_EQ(s->events, JR_TCP_EV_CONNECTED);
    s->events = 0;
    rig_expect(r, TH_ACK, 1, 1, 0);
    rig_expect_none(r);
    return s;
}

void sock_put(struct sock *s, uint32_t n)
{
    JR_CHECK(n <= jr_sockbuf_space(&s->snd));
    for (uint32_t i = 0; i < n; i++) {
        s->snd.base[s->snd.tail & (s->snd.cap - 1)] = pattern_at(s->snd.tail);
        s->snd.tail++;
    }
}

void sock_write(struct rig *r, struct sock *s, uint32_t n)
{
    sock_put(s, n);
    jr_tcp_send(s->tp, r->now);
}

void sock_read(struct rig *r, struct sock *s, uint32_t n)
{
    JR_CHECK(n <= jr_sockbuf_used(&s->rcv));
    for (uint32_t i = 0; i < n; i++, s->rcv.head++)
        if (s->rcv.base[s->rcv.head & (s->rcv.cap - 1)] != pattern_at(s->rcv.head)) {
            JR_CHECK_EQ(s->rcv.base[s->rcv.head & (s->rcv.cap - 1)], pattern_at(s->rcv.head));
            break;
        }
    jr_tcp_recved(s->tp, r->now);
}
