/* SPDX-License-Identifier: BSD-3-Clause */
/* System calls of a script: their arguments made ready for a backend, and what came back compared. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>

#include "base/bits.h"
#include "run.h"

struct ctx { /* one call */
    struct run *r;
    const struct event *ev;
    struct sys *sys;
};

static const char *file(const struct ctx *c) { return c->r->s->file; }
static const struct expr *arg(const struct ctx *c, unsigned i)
{
    if (i >= c->ev->call->nargs)
        drill_bad_script(file(c), c->ev->line, "%s() needs more than %u arguments", c->ev->call->name,
                         c->ev->call->nargs);
    return c->ev->call->args[i];
}
static int num(const struct ctx *c, unsigned i) { return (int)expr_int(file(c), arg(c, i)); }
static int num_or(const struct ctx *c, unsigned i, int dflt)
{
    return i >= c->ev->call->nargs || arg(c, i)->kind == EXPR_ANY ? dflt : num(c, i);
}
static const struct expr *element(const struct expr *e) { return e->kind == EXPR_LIST && e->first ? e->first : e; }

static int fd_of(const struct ctx *c, int64_t script)
{
    if (script < 0 || script >= RUN_FDS)
        return -1;
    return c->r->fd[script] < 0 ? 1000 : c->r->fd[script]; /* one that is never open: EBADF */
}
static int script_fd(const struct ctx *c, int live)
{
    for (int i = 0; i < RUN_FDS; i++)
        if (c->r->fd[i] == live && live >= 0)
            return i;
    return -1;
}

static void fill_addr(const struct ctx *c, struct jr_addr a, uint16_t port)
{
    if (c->r->s->opt.ip_version == IP_V4) {
        struct sockaddr_in *in = (void *)&c->sys->addr;
        *in = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons(port)};
        in->sin_addr.s_addr = jr_addr_to_v4(a);
        c->sys->addrlen = sizeof *in;
    } else {
        struct sockaddr_in6 *in = (void *)&c->sys->addr;
        *in = (struct sockaddr_in6){.sin6_family = AF_INET6, .sin6_port = htons(port)};
        memcpy(&in->sin6_addr, a.b, 16);
        c->sys->addrlen = sizeof *in;
    }
}

static uint16_t port_of_sys(const struct sys *sys)
{
    return ntohs(((const struct sockaddr_in *)(const void *)&sys->addr)->sin_port); /* the same place in both */
}

static void struct_addr(const struct ctx *c, const struct expr *e)
{
    const struct expr *family = expr_field(e, "sa_family"), *port = expr_field(e, "sin_port");
    const struct expr *addr = expr_field(e, "sin_addr"), *port6 = expr_field(e, "sin6_port");

    if (!family || (!port && !port6))
        drill_bad_script(file(c), e->line, "an address needs sa_family and a port");
    const uint16_t p = ntohs((uint16_t)expr_int(file(c), port ? port : port6));
    struct jr_addr a = c->r->s->opt.ip_version == IP_V6 ? (struct jr_addr){0} : jr_addr_v4(0);
    if (addr)
        a = jr_addr_v4((uint32_t)expr_int(file(c), addr));
    const struct expr *addr6 = expr_field(e, "sin6_addr");
    if (addr6 && addr6->first && addr6->first->kind == EXPR_STRING)
        inet_pton(AF_INET6, addr6->first->str, a.b);
    fill_addr(c, a, p);
    if (expr_int(file(c), family) == AF_INET && c->r->s->opt.ip_version != IP_V4)
        c->sys->addr.ss_family = AF_INET;
}

/* A socket address, written out or "...": then local or remote as packetdrill has it. */
static void addr_arg(const struct ctx *c, unsigned i, bool local)
{
    const struct options *o = &c->r->s->opt;
    const struct expr *e = arg(c, i);

    if (e->kind == EXPR_STRUCT)
        struct_addr(c, e);
    else
        fill_addr(c, local ? o->local : o->remote, local ? o->bind_port : o->connect_port);
}

static void do_socket(const struct ctx *c)
{
    const int dflt = c->r->s->opt.ip_version == IP_V4 ? AF_INET : AF_INET6;

    c->sys->no = SYS_SOCKET;
    c->sys->a = num_or(c, 0, dflt);
    c->sys->b = num(c, 1);
    c->sys->c = num_or(c, 2, 0);
}

static void do_bind(const struct ctx *c)
{
    c->sys->no = SYS_BIND;
    addr_arg(c, 1, true);
}

static void do_listen(const struct ctx *c)
{
    c->sys->no = SYS_LISTEN;
    c->sys->a = num(c, 1);
}

static void do_accept(const struct ctx *c)
{
    c->sys->no = SYS_ACCEPT;
    c->sys->a = num_or(c, 3, 0);
}

static void do_connect(const struct ctx *c)
{
    c->sys->no = SYS_CONNECT;
    addr_arg(c, 1, false);
    const int fd = num(c, 0);
    c->r->cur = conn_new(c->r, fd >= 0 && fd < RUN_FDS ? c->r->bound[fd] : 0, port_of_sys(c->sys));
    c->r->info_fd = fd;
}

static void do_send(const struct ctx *c)
{
    c->sys->no = SYS_SEND;
    c->sys->len = (uint32_t)num(c, 2);
    c->sys->flags = num_or(c, 3, 0);
}

static void do_sendto(const struct ctx *c)
{
    do_send(c);
    if (c->ev->call->nargs <= 4 || arg(c, 4)->kind == EXPR_WORD || arg(c, 4)->kind == EXPR_INT)
        return;
    addr_arg(c, 4, false);
    if (c->r->fastopen_fd != num(c, 0))
        return;
    c->r->cur = conn_new(c->r, 0, port_of_sys(c->sys)); /* this call connects */
    c->r->info_fd = num(c, 0);
    c->r->fastopen_fd = -1;
}

static uint32_t iov_bytes(const struct ctx *c, const struct expr *list)
{
    uint32_t n = 0;

    for (const struct expr *v = list->first; v; v = v->next) {
        const struct expr *len = expr_field(v, "iov_len");
        if (!len && v->first)
            len = v->first->next;
        if (!len)
            drill_bad_script(file(c), v->line, "a vector needs {..., bytes}");
        n += (uint32_t)expr_int(file(c), len);
    }
    return n;
}

static void do_writev(const struct ctx *c)
{
    c->sys->no = SYS_SEND;
    c->sys->len = iov_bytes(c, arg(c, 1));
}

static void do_msg(const struct ctx *c)
{
    const struct expr *msg = arg(c, 1), *iov = expr_field(msg, "msg_iov"), *name = expr_field(msg, "msg_name");

    if (!iov)
        drill_bad_script(file(c), c->ev->line, "a message needs msg_iov");
    c->sys->no = strcmp(c->ev->call->name, "sendmsg") == 0 ? SYS_SEND : SYS_RECV;
    c->sys->len = iov_bytes(c, iov);
    c->sys->flags = num_or(c, 2, 0);
    if (c->sys->no == SYS_SEND && name && name->kind == EXPR_STRUCT)
        struct_addr(c, name);
}

static void do_recv(const struct ctx *c)
{
    c->sys->no = SYS_RECV;
    c->sys->len = (uint32_t)num(c, 2);
    c->sys->flags = num_or(c, 3, 0);
}

static void do_readv(const struct ctx *c)
{
    c->sys->no = SYS_RECV;
    c->sys->len = iov_bytes(c, arg(c, 1));
}

static void do_close(const struct ctx *c) { c->sys->no = SYS_CLOSE; }

static void do_shutdown(const struct ctx *c)
{
    c->sys->no = SYS_SHUTDOWN;
    c->sys->a = num(c, 1);
}

/* An option's value as bytes: a number, a string, or the numbers of a structure one after another. */
static uint32_t opt_bytes(const struct ctx *c, const struct expr *e, uint8_t *to)
{
    uint32_t n = 0;

    e = element(e);
    if (e->kind == EXPR_STRING) {
        n = (uint32_t)jr_min_u64(strlen(e->str), 500);
        memcpy(to, e->str, n);
        return n;
    }
    if (e->kind == EXPR_STRUCT) {
        const bool longs = e->first && e->first->field && strncmp(e->first->field, "tv_", 3) == 0;
        for (const struct expr *f = e->first; f && n < 256; f = f->next, n += longs ? 8 : 4) {
            const int64_t v = expr_int(file(c), f);
            memcpy(to + n, &v, longs ? 8 : 4);
        }
        return n;
    }
    const int v = (int)expr_int(file(c), e);
    memcpy(to, &v, sizeof v);
    return sizeof v;
}

static void do_setsockopt(const struct ctx *c)
{
    c->sys->no = SYS_SETSOCKOPT;
    c->sys->a = num(c, 1);
    c->sys->b = num(c, 2);
    c->sys->len = opt_bytes(c, arg(c, 3), c->sys->val);
    c->sys->len = (uint32_t)num_or(c, 4, (int)c->sys->len);
    if (c->sys->len > sizeof c->sys->val)
        drill_bad_script(file(c), c->ev->line, "the value is too long");
    if (c->sys->a == IPPROTO_TCP && c->sys->b == TCP_FASTOPEN)
        c->r->fastopen_fd = num(c, 0);
}

static void do_getsockopt(const struct ctx *c)
{
    c->sys->no = SYS_GETSOCKOPT;
    c->sys->a = num(c, 1);
    c->sys->b = num(c, 2);
    c->sys->len = sizeof c->sys->val;
    if (arg(c, 4)->kind != EXPR_ANY && element(arg(c, 4))->kind != EXPR_ANY)
        c->sys->len = jr_min_u32((uint32_t)num(c, 4), sizeof c->sys->val);
}

static void check_getsockopt(const struct ctx *c)
{
    const struct expr *want = element(arg(c, 3));
    uint8_t bytes[512] = {0};
    uint32_t n;
    int got = 0;

    if (want->kind == EXPR_ANY || c->sys->ret < 0)
        return;
    n = opt_bytes(c, want, bytes);
    if (memcmp(bytes, c->sys->val, jr_min_u32(n, c->sys->len)) == 0)
        return;
    memcpy(&got, c->sys->val, sizeof got);
    if (want->kind == EXPR_STRING)
        run_fail(c->r, c->ev->line, "expected the option to be '%s', got '%.*s'", want->str, (int)c->sys->len,
                 (const char *)c->sys->val);
    else
        run_fail(c->r, c->ev->line, "expected the option to be %lld, got %d (%s)",
                 want->kind == EXPR_STRUCT ? 0ll : (long long)expr_int(file(c), want), got, symbol_errno(got));
}

static void do_fcntl(const struct ctx *c)
{
    c->sys->no = SYS_FCNTL;
    c->sys->a = num(c, 1);
    c->sys->b = num_or(c, 2, 0);
}

static void do_ioctl(const struct ctx *c)
{
    c->sys->no = SYS_IOCTL;
    c->sys->a = num(c, 1);
    c->sys->b = c->ev->call->nargs > 2 && element(arg(c, 2))->kind != EXPR_ANY ? num(c, 2) : 0;
    c->sys->c = c->sys->b;
}

static void check_ioctl(const struct ctx *c)
{
    if (c->sys->ret == 0 && c->ev->call->nargs > 2 && element(arg(c, 2))->kind != EXPR_ANY && c->sys->b != c->sys->c)
        run_fail(c->r, c->ev->line, "expected ioctl() to tell %d, got %d", c->sys->c, c->sys->b);
}

static void do_poll(const struct ctx *c)
{
    c->sys->no = SYS_POLL;
    for (const struct expr *e = arg(c, 0)->first; e; e = e->next) {
        const struct expr *fd = expr_field(e, "fd"), *events = expr_field(e, "events");
        if (!fd || !events || c->sys->nfds == 8)
            drill_bad_script(file(c), e->line, "poll() needs up to 8 of {fd=, events=, revents=}");
        c->sys->fds[c->sys->nfds].fd = fd_of(c, expr_int(file(c), fd));
        c->sys->fds[c->sys->nfds++].events = (short)expr_int(file(c), events);
    }
    c->sys->a = num(c, 2);
}

static void check_poll(const struct ctx *c)
{
    unsigned i = 0;

    for (const struct expr *e = arg(c, 0)->first; e; e = e->next, i++) {
        const struct expr *want = expr_field(e, "revents");
        if (want && want->kind != EXPR_ANY && expr_int(file(c), want) != c->sys->fds[i].revents)
            run_fail(c->r, e->line, "expected revents 0x%llx, got 0x%x", (long long)expr_int(file(c), want),
                     (unsigned)c->sys->fds[i].revents);
    }
}

static void do_epoll_create(const struct ctx *c) { c->sys->no = SYS_EPOLL_CREATE; }

static void do_epoll_ctl(const struct ctx *c)
{
    const struct expr *e = element(arg(c, 3)), *events = expr_field(e, "events");

    c->sys->no = SYS_EPOLL_CTL;
    c->sys->a = num(c, 1);
    c->sys->b = fd_of(c, num(c, 2));
    if (events)
        c->sys->events[0].events = (uint32_t)expr_int(file(c), events);
    c->sys->events[0].data.fd = num(c, 2);
}

static void do_epoll_wait(const struct ctx *c)
{
    c->sys->no = SYS_EPOLL_WAIT;
    c->sys->nfds = jr_min_u32((uint32_t)num(c, 2), 8);
    c->sys->a = num(c, 3);
}

static void check_epoll_wait(const struct ctx *c)
{
    const struct expr *e = arg(c, 1);
    long i = 0;

    e = e->kind == EXPR_LIST ? e->first : e;
    for (; e && i < c->sys->ret; e = e->next, i++) {
        const struct expr *events = expr_field(e, "events"), *fd = expr_field(e, "fd");
        if (events && expr_int(file(c), events) != c->sys->events[i].events)
            run_fail(c->r, e->line, "expected events 0x%llx, got 0x%x", (long long)expr_int(file(c), events),
                     c->sys->events[i].events);
        if (fd && expr_int(file(c), fd) != c->sys->events[i].data.fd)
            run_fail(c->r, e->line, "expected an event of %lld, got one of %d", (long long)expr_int(file(c), fd),
                     c->sys->events[i].data.fd);
    }
}

static void do_name(const struct ctx *c)
{
    c->sys->no = strcmp(c->ev->call->name, "getpeername") == 0 ? SYS_GETPEERNAME : SYS_GETSOCKNAME;
}

static const struct {
    const char *name;
    bool has_fd;
    void (*make)(const struct ctx *c);
    void (*check)(const struct ctx *c);
} calls[] = {
    {"socket", false, do_socket, NULL},
    {"bind", true, do_bind, NULL},
    {"listen", true, do_listen, NULL},
    {"accept", true, do_accept, NULL},
    {"accept4", true, do_accept, NULL},
    {"connect", true, do_connect, NULL},
    {"read", true, do_recv, NULL},
    {"recv", true, do_recv, NULL},
    {"recvfrom", true, do_recv, NULL},
    {"readv", true, do_readv, NULL},
    {"recvmsg", true, do_msg, NULL},
    {"write", true, do_send, NULL},
    {"send", true, do_send, NULL},
    {"sendto", true, do_sendto, NULL},
    {"writev", true, do_writev, NULL},
    {"sendmsg", true, do_msg, NULL},
    {"close", true, do_close, NULL},
    {"shutdown", true, do_shutdown, NULL},
    {"setsockopt", true, do_setsockopt, NULL},
    {"getsockopt", true, do_getsockopt, check_getsockopt},
    {"fcntl", true, do_fcntl, NULL},
    {"ioctl", true, do_ioctl, check_ioctl},
    {"poll", false, do_poll, check_poll},
    {"epoll_create", false, do_epoll_create, NULL},
    {"epoll_create1", false, do_epoll_create, NULL},
    {"epoll_ctl", true, do_epoll_ctl, NULL},
    {"epoll_wait", true, do_epoll_wait, check_epoll_wait},
    {"getsockname", true, do_name, NULL},
    {"getpeername", true, do_name, NULL},
};

static size_t lookup(const struct run *r, const struct event *ev)
{
    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++)
        if (strcmp(calls[i].name, ev->call->name) == 0)
            return i;
    drill_bad_script(r->s->file, ev->line, "no call %s()", ev->call->name);
}

static bool makes_fd(const struct sys *sys)
{
    return sys->no == SYS_SOCKET || sys->no == SYS_ACCEPT || sys->no == SYS_EPOLL_CREATE;
}

static void note_fd(const struct ctx *c, int64_t script)
{
    if (script < 0 || script >= RUN_FDS)
        drill_bad_script(file(c), c->ev->line, "%lld is no file descriptor", (long long)script);
    if (c->r->fd[script] >= 0)
        drill_bad_script(file(c), c->ev->line, "%lld is open already", (long long)script);
    c->r->fd[script] = (int)c->sys->ret;
    if (c->sys->no == SYS_ACCEPT)
        c->r->info_fd = (int)script;
}

/* What the script should know from now on. */
static void note(const struct ctx *c)
{
    struct run *r = c->r;
    const struct sys *sys = c->sys;

    if (sys->ret < 0)
        return;
    if (sys->no == SYS_BIND && script_fd(c, sys->fd) >= 0)
        r->bound[script_fd(c, sys->fd)] = r->lport = port_of_sys(sys);
    if (sys->no == SYS_LISTEN) {
        r->listens = true;
        r->cur = NULL;
    }
    if (sys->no == SYS_CLOSE) {
        const int fd = script_fd(c, sys->fd);
        if (fd >= 0)
            r->fd[fd] = -1, r->bound[fd] = 0;
        if (fd == r->info_fd)
            r->info_fd = -1;
    }
}

static void check_result(const struct ctx *c)
{
    const struct call *call = c->ev->call;
    const struct sys *sys = c->sys;
    int64_t want;

    if (!call->result || call->result->kind == EXPR_ANY)
        return;
    want = expr_int(file(c), call->result);
    if (sys->ret >= 0 && want >= 0 && makes_fd(sys)) {
        note_fd(c, want);
        return;
    }
    if (sys->ret != want) {
        if (sys->ret < 0)
            run_fail(c->r, c->ev->line, "expected %s() = %lld%s%s, got -1 %s", call->name, (long long)want,
                     call->err ? " " : "", call->err ? call->err : "", symbol_errno(sys->err));
        else
            run_fail(c->r, c->ev->line, "expected %s() = %lld%s%s, got %ld", call->name, (long long)want,
                     call->err ? " " : "", call->err ? call->err : "", sys->ret);
        return;
    }
    if (call->err && strcmp(call->err, symbol_errno(sys->err)) != 0 &&
        !(strcmp(call->err, "EWOULDBLOCK") == 0 && sys->err == EWOULDBLOCK))
        run_fail(c->r, c->ev->line, "expected %s() = -1 %s, got -1 %s", call->name, call->err, symbol_errno(sys->err));
}

static void finish(const struct ctx *c)
{
    const size_t i = lookup(c->r, c->ev);

    check_result(c);
    if (!c->r->failed && calls[i].check)
        calls[i].check(c);
    note(c);
}

void call_begin(struct run *r, const struct event *ev)
{
    const size_t i = lookup(r, ev);
    struct pending *p = calloc(1, sizeof *p);
    const struct ctx c = {r, ev, &p->sys};
    unsigned slot = 0;

    p->ev = ev;
    p->end_us = r->event_us + ev->when.end_us - ev->when.us;
    p->sys.fd = calls[i].has_fd ? fd_of(&c, num(&c, 0)) : -1;
    calls[i].make(&c);
    p->sys.may_block = ev->when.blocking;
    r->be->ops->begin(r->be, &p->sys);
    if (p->sys.done) {
        finish(&c);
        if (!r->failed && ev->when.blocking)
            run_check_time(r, ev, p->end_us, p->end_us, run_now(r), "the end of this call");
        free(p);
        return;
    }
    while (slot < RUN_PENDING && r->pending[slot])
        slot++;
    if (slot == RUN_PENDING)
        drill_bad_script(r->s->file, ev->line, "too many calls that block");
    r->pending[slot] = p;
}

void call_poll(struct run *r)
{
    for (unsigned i = 0; i < RUN_PENDING && !r->failed; i++) {
        struct pending *p = r->pending[i];
        if (!p)
            continue;
        const struct ctx c = {r, p->ev, &p->sys};
        r->be->ops->again(r->be, &p->sys);
        if (p->sys.done) {
            r->pending[i] = NULL;
            run_check_time(r, p->ev, p->end_us, p->end_us, run_now(r), "the end of this call");
            if (!r->failed)
                finish(&c);
            free(p);
        } else if (run_now(r) > p->end_us + r->s->opt.tolerance_us) {
            run_fail(r, p->ev->line, "expected %s() to be over at %.6f, but it still waits", p->ev->call->name,
                     (double)p->end_us / 1e6);
        }
    }
}

bool call_any_pending(const struct run *r)
{
    for (unsigned i = 0; i < RUN_PENDING; i++)
        if (r->pending[i])
            return true;
    return false;
}
