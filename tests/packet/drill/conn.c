/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Scripts count the stack's sequence numbers from the one they give its SYN, and its timestamps from the one they give
 * its first; the peer's are on the wire as written.
 */
#include "run.h"

struct conn *conn_new(struct run *r, uint16_t lport, uint16_t rport)
{
    struct conn *c = &r->conns[r->nconns % RUN_CONNS];

    r->nconns++;
    *c = (struct conn){.lport = lport, .rport = rport};
    return c;
}

struct conn *conn_find(struct run *r, uint16_t lport, uint16_t rport)
{
    const unsigned n = r->nconns < RUN_CONNS ? r->nconns : RUN_CONNS;

    for (unsigned i = n; i-- > 0;)
        if (r->conns[i].lport == lport && r->conns[i].rport == rport)
            return &r->conns[i];
    return NULL;
}

static uint16_t local_port(const struct run *r) { return r->lport ? r->lport : r->s->opt.bind_port; }

struct conn *conn_of_script(struct run *r, const struct packet *p)
{
    const uint16_t l = p->inbound ? p->dport : p->sport, f = p->inbound ? p->sport : p->dport;
    struct conn *c;

    if (l) {
        c = conn_find(r, l, f);
        return c ? c : conn_new(r, l, f);
    }
    if (!r->cur || (r->listens && p->inbound && (p->flags & (F_SYN | F_ACK)) == F_SYN))
        r->cur = conn_new(r, local_port(r),
                          (uint16_t)(p->proto == PROTO_UDP ? r->s->opt.connect_port : 40000 + r->nconns));
    r->listens = false;
    return r->cur;
}

static uint32_t ts_live(const struct conn *c, uint32_t script)
{
    for (unsigned i = c->nts; i-- > 0;)
        if (c->ts[i].script == script)
            return c->ts[i].live;
    if (script == 0 || !c->has_ts)
        return script;
    return script - c->ts_script + c->ts_live;
}

static struct jr_addr local_addr(const struct run *r) { return r->s->opt.local; }

struct packet conn_to_live(struct run *r, struct conn *c, const struct packet *script)
{
    struct packet p = *script;

    p.v6 = r->s->opt.ip_version == IP_V6;
    if (!p.has_src)
        p.src = p.inbound ? r->s->opt.remote : local_addr(r);
    if (!p.has_dst)
        p.dst = p.inbound ? local_addr(r) : r->s->opt.remote;
    p.sport = p.inbound ? c->rport : c->lport;
    p.dport = p.inbound ? c->lport : c->rport;
    if (p.win < 0)
        p.win = p.flags & F_RST ? 0 : 65535;
    if (!p.inbound) { /* a quoted packet of the stack's own */
        p.seq += c->off;
        return p;
    }
    if (p.flags & F_ACK)
        p.ack += c->off;
    for (unsigned i = 0; i < p.nopts; i++) {
        struct tcp_opt *o = &p.opts[i];
        for (unsigned k = 0; o->kind == OPT_SACK && k < o->nsack; k++) {
            o->sack[k][0] += c->off;
            o->sack[k][1] += c->off;
        }
        if (o->kind == OPT_TS)
            o->ecr = o->any_ecr && c->nts ? c->ts[c->nts - 1].live : ts_live(c, o->ecr);
    }
    return p;
}

static const struct tcp_opt *find_opt(const struct packet *p, uint8_t kind)
{
    for (unsigned i = 0; i < p->nopts; i++)
        if (p->opts[i].kind == kind)
            return &p->opts[i];
    return NULL;
}

static void map_ts(struct conn *c, const struct packet *script, struct packet *live)
{
    const struct tcp_opt *want = find_opt(script, OPT_TS);
    struct tcp_opt *got = (struct tcp_opt *)find_opt(live, OPT_TS);
    uint32_t val;

    if (!got)
        return;
    val = got->val;
    if (!c->has_ts && want && !want->any_val) {
        c->has_ts = true;
        c->ts_live = val;
        c->ts_script = want->val;
    }
    got->val = c->has_ts ? val - c->ts_live + c->ts_script : val;
    if (c->nts == CONN_TS) {
        for (unsigned i = 1; i < CONN_TS; i++)
            c->ts[i - 1] = c->ts[i];
        c->nts--;
    }
    c->ts[c->nts].script = want && !want->any_val ? want->val : got->val;
    c->ts[c->nts++].live = val;
}

void conn_to_script(struct conn *c, const struct packet *script, struct packet *live)
{
    if (live->proto != PROTO_TCP)
        return;
    if (live->flags & F_SYN && script->flags & F_SYN)
        c->off = live->seq - script->seq;
    if (!script->plain_seq) {
        live->seq -= c->off;
        live->end -= c->off;
    }
    map_ts(c, script, live);
}
