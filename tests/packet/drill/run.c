/* SPDX-License-Identifier: BSD-3-Clause */
#include "run.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#define DAY_US 86400000000ll

void run_fail(struct run *r, int line, const char *fmt, ...)
{
    va_list ap;

    r->failed = true;
    fprintf(stderr, "%s:%d: ", r->s->file, line);
    va_start(ap, fmt);
    vfprintf(stderr, fmt, ap);
    va_end(ap);
    fputc('\n', stderr);
}

int64_t run_now(struct run *r) { return r->be->ops->now(r->be); }

static double sec(int64_t us) { return (double)us / 1e6; }

bool run_check_time(struct run *r, const struct event *ev, int64_t from_us, int64_t to_us, int64_t at_us,
                    const char *what)
{
    const int64_t tol = r->s->opt.tolerance_us;

    if (ev->when.kind == WHEN_ANY || (at_us >= from_us - tol && at_us <= to_us + tol))
        return true;
    if (from_us == to_us)
        run_fail(r, ev->line, "expected %s at %.6f, got it at %.6f (%+.6f)", what, sec(from_us), sec(at_us),
                 sec(at_us - from_us));
    else
        run_fail(r, ev->line, "expected %s from %.6f to %.6f, got it at %.6f", what, sec(from_us), sec(to_us),
                 sec(at_us));
    return false;
}

static void pass_until(struct run *r, int64_t until)
{
    call_poll(r);
    while (!r->failed && run_now(r) < until) {
        r->be->ops->pass(r->be, until);
        call_poll(r);
    }
}

static void say_packet(const char *label, const struct packet *p)
{
    fprintf(stderr, "  %s", label);
    packet_print(p, stderr);
    fputc('\n', stderr);
}

/* Waits for the next packet; false: none came in time. */
static bool next_sent(struct run *r, int64_t deadline, struct frame *f)
{
    while (!r->failed) {
        if (r->be->ops->sent(r->be, f))
            return true;
        if (run_now(r) >= deadline)
            return false;
        r->be->ops->pass(r->be, deadline);
        call_poll(r);
    }
    return false;
}

static struct conn *conn_of_live(struct run *r, const struct packet *live)
{
    struct conn *c = conn_find(r, live->sport, live->dport);

    if (c || (live->proto != PROTO_TCP && live->proto != PROTO_UDP))
        return c;
    if (r->cur && r->cur->lport == 0 && r->cur->rport == live->dport) {
        r->cur->lport = live->sport;
        return r->cur;
    }
    return conn_new(r, live->sport, live->dport);
}

static void keep_last(struct run *r, const struct frame *f)
{
    r->last_sent_len = f->len < sizeof r->last_sent ? f->len : sizeof r->last_sent;
    memcpy(r->last_sent, f->b, r->last_sent_len);
}

static bool decode(struct run *r, int line, const struct frame *f, struct packet *p)
{
    const char *why;

    if (packet_decode(f->b, f->len, p, &why))
        return true;
    run_fail(r, line, "the stack sent %s:", why);
    packet_hexdump(f->b, f->len < 200 ? f->len : 200, stderr);
    return false;
}

static void run_outbound(struct run *r, const struct event *ev, int64_t from, int64_t to)
{
    static struct frame f;
    const bool any = ev->when.kind == WHEN_ANY;
    struct packet got;
    struct conn *c;
    char why[128];

    if (!next_sent(r, any ? from + DAY_US : to + r->s->opt.tolerance_us, &f)) {
        if (r->failed)
            return;
        run_fail(r, ev->line, "expected a packet at %.6f, got none", sec(from));
        say_packet("expected ", ev->packet);
        return;
    }
    if (!decode(r, ev->line, &f, &got))
        return;
    keep_last(r, &f);
    c = conn_of_live(r, &got);
    if (c)
        conn_to_script(c, ev->packet, &got);
    if (!packet_matches(&r->s->opt, ev->packet, &got, why, sizeof why)) {
        run_fail(r, ev->line, "expected another packet: got %s", why);
        say_packet("expected ", ev->packet);
        say_packet("got      ", &got);
        packet_hexdump(f.b, f.len < 128 ? f.len : 128, stderr);
        return;
    }
    if (!run_check_time(r, ev, from, to, f.at_us, "this packet"))
        say_packet("packet   ", &got);
}

static void run_inbound(struct run *r, const struct event *ev)
{
    static uint8_t buf[FRAME_MAX];
    struct conn *c = conn_of_script(r, ev->packet);
    struct packet p = conn_to_live(r, c, ev->packet), quote;
    uint32_t len;

    if (p.quote) {
        p.quote->v6 = p.v6;
        quote = conn_to_live(r, c, p.quote);
        p.quote = &quote;
    }
    len = packet_build(&p, buf, sizeof buf);
    if (len == 0)
        drill_bad_script(r->s->file, ev->line, "the packet is too long");
    r->be->ops->inject(r->be, buf, len);
}

static void run_command(struct run *r, const struct event *ev)
{
    char why[256];

    if (!r->be->ops->command(r->be, ev->text, why, sizeof why))
        drill_bad_script(r->s->file, ev->line, "%s", why);
}

static void say_event(struct run *r, const struct event *ev)
{
    fprintf(stderr, "%.6f line %d: ", sec(run_now(r)), ev->line);
    if (ev->kind == EVENT_PACKET)
        packet_print(ev->packet, stderr);
    else
        fputs(ev->kind == EVENT_CALL ? ev->call->name : ev->kind == EVENT_COMMAND ? ev->text : "code", stderr);
    fputc('\n', stderr);
}

static void run_event(struct run *r, const struct event *ev)
{
    const int64_t base = ev->when.kind == WHEN_ABSOLUTE ? 0 : run_now(r);
    const int64_t from = base + ev->when.us, to = base + ev->when.end_us;

    if (r->verbose)
        say_event(r, ev);
    r->event_us = from;
    if (ev->kind == EVENT_PACKET && !ev->packet->inbound) {
        run_outbound(r, ev, from, to);
        return;
    }
    pass_until(r, from);
    if (r->failed || !run_check_time(r, ev, from, from, run_now(r), "to get here"))
        return;
    switch (ev->kind) {
    case EVENT_PACKET:
        run_inbound(r, ev);
        break;
    case EVENT_COMMAND:
        run_command(r, ev);
        break;
    case EVENT_CODE:
        code_collect(r, ev);
        break;
    default:
        call_begin(r, ev);
    }
    call_poll(r);
}

static void check_end(struct run *r, int line)
{
    static struct frame f;
    struct packet p;

    while (!r->failed && call_any_pending(r))
        r->be->ops->pass(r->be, run_now(r) + 1000), call_poll(r);
    while (!r->failed && r->strict && r->be->ops->sent(r->be, &f)) {
        if (!decode(r, line, &f, &p))
            return;
        struct conn *c = conn_find(r, p.sport, p.dport);
        if (c)
            conn_to_script(c, &p, &p);
        run_fail(r, line, "the script is over, but a packet was sent at %.6f that it does not expect", sec(f.at_us));
        say_packet("got      ", &p);
    }
}

bool run_script(const struct script *s, struct backend *be, bool strict, bool verbose)
{
    struct run *r = calloc(1, sizeof *r);
    int last = 0;
    char why[256];
    bool ok;

    r->s = s;
    r->be = be;
    r->strict = strict;
    r->verbose = verbose;
    r->info_fd = r->fastopen_fd = -1;
    packet_md5_secret(s->opt.md5_secret);
    memset(r->fd, 0xff, sizeof r->fd);
    for (const struct event *ev = s->first; ev && !r->failed; ev = ev->next) {
        run_event(r, ev);
        last = ev->line;
    }
    check_end(r, last);
    if (!r->failed)
        code_run(r);
    if (!be->ops->end(be, why, sizeof why) && !r->failed)
        run_fail(r, last, "%s", why);
    ok = !r->failed;
    for (unsigned i = 0; i < RUN_PENDING; i++)
        free(r->pending[i]);
    free(r);
    return ok;
}
