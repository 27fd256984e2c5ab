/* SPDX-License-Identifier: BSD-3-Clause */
#include "sock/port.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/addr6.h"
#include "sock/sock.h"

struct port {
    uint32_t refs;
    uint32_t until; /* s; no socket uses it any more, but it stays ours; 0: not lingering */
};

enum { FAMILIES = 2 }; /* IPv4, IPv6: a port may be ours in one and the kernel's in the other */

struct jr_ports {
    uint32_t nlingering;
    struct port tcp[FAMILIES][65536], udp[FAMILIES][65536];
};

struct jr_ports *jr_ports_new(void) { return calloc(1, sizeof(struct jr_ports)); }

static void unsteer(struct jr_socks *ss, uint8_t proto, uint32_t family, uint32_t port)
{
    if (ss->cfg.hooks.port_del)
        ss->cfg.hooks.port_del(ss->cfg.hooks.ctx, proto, family, (uint16_t)port);
}

void jr_ports_free(struct jr_socks *ss)
{
    for (uint32_t f = 0; f < FAMILIES; f++) {
        for (uint32_t i = 0; i < 65536; i++) {
            if (ss->ports->tcp[f][i].refs || ss->ports->tcp[f][i].until)
                unsteer(ss, IPPROTO_TCP, f, i);
            if (ss->ports->udp[f][i].refs)
                unsteer(ss, IPPROTO_UDP, f, i);
        }
    }
    free(ss->ports);
}

static uint8_t proto_of(const struct jr_sock *so) { return so->kind == JR_SOCK_DGRAM ? IPPROTO_UDP : IPPROTO_TCP; }

static struct port *port_of(const struct jr_sock *so, uint32_t family, uint16_t port)
{
    return proto_of(so) == IPPROTO_UDP ? &so->ss->ports->udp[family][port] : &so->ss->ports->tcp[family][port];
}

/* A bit for each family whose packets may be for a socket at this address. */
static uint8_t families_of(const struct jr_sock *so, struct jr_addr local)
{
    if (jr_addr_is_v4(local))
        return 1;
    return jr_addr_is_any(local) && !so->opt.v6only ? 3 : 2;
}

static void use(struct jr_sock *so, uint32_t family, uint16_t port)
{
    struct jr_socks *ss = so->ss;
    struct port *p = port_of(so, family, port);

    if (p->refs++)
        return;
    if (p->until) {
        p->until = 0;
        ss->ports->nlingering--;
    } else if (ss->cfg.hooks.port_add && ss->cfg.hooks.port_add(ss->cfg.hooks.ctx, proto_of(so), family, port) < 0) {
        jr_count(ss->cfg.counters, JR_C_SOCK_STEERING_FAILED);
    }
}

void jr_port_use(struct jr_sock *so, const struct jr_endpoint *local)
{
    if (so->steered_port == local->port)
        return;
    so->steered_port = local->port;
    so->steered_families = families_of(so, local->addr);
    for (uint32_t f = 0; f < FAMILIES; f++)
        if (so->steered_families >> f & 1)
            use(so, f, local->port);
}

static void unuse(struct jr_sock *so, uint32_t family, jr_time now)
{
    struct jr_socks *ss = so->ss;
    struct port *p = port_of(so, family, so->steered_port);

    if (--p->refs)
        return;
    if (proto_of(so) == IPPROTO_UDP) {
        unsteer(ss, IPPROTO_UDP, family, so->steered_port);
    } else {
        p->until = (uint32_t)((now + ss->cfg.time_wait_us) / JR_SEC) + 1;
        ss->ports->nlingering++;
    }
}

void jr_port_unuse(struct jr_sock *so, jr_time now)
{
    for (uint32_t f = 0; so->steered_port && f < FAMILIES; f++)
        if (so->steered_families >> f & 1)
            unuse(so, f, now);
    so->steered_port = 0;
}

void jr_ports_sweep(struct jr_socks *ss, jr_time now)
{
    const uint32_t s = (uint32_t)(now / JR_SEC);

    for (uint32_t i = 0; i < FAMILIES * 65536 && ss->ports->nlingering; i++) {
        struct port *p = &ss->ports->tcp[i / 65536][i % 65536];
        if (!p->until || p->until > s)
            continue;
        p->until = 0;
        ss->ports->nlingering--;
        unsteer(ss, IPPROTO_TCP, i / 65536, i % 65536);
    }
}

bool jr_ports_is_lingering(const struct jr_socks *ss) { return ss->ports->nlingering != 0; }

struct jr_kernel_addr jr_kernel_addr(const struct jr_endpoint *ep, bool as_v6)
{
    const struct jr_addr wire = jr_ipv6_wire(ep->addr);
    struct jr_kernel_addr a = {.in6 = {.sin6_family = AF_INET6, .sin6_port = htons(ep->port)}, .len = sizeof a.in6};

    if (jr_addr_is_v4(ep->addr) && !as_v6) {
        a.in = (struct sockaddr_in){
            .sin_family = AF_INET, .sin_port = htons(ep->port), .sin_addr.s_addr = jr_addr_to_v4(ep->addr)};
        a.len = sizeof a.in;
        return a;
    }
    memcpy(&a.in6.sin6_addr, wire.b, sizeof a.in6.sin6_addr);
    if (jr_ipv6_has_zone(ep->addr))
        a.in6.sin6_scope_id = jr_ipv6_zone(ep->addr);
    return a;
}

struct jr_endpoint jr_kernel_endpoint(const struct jr_kernel_addr *a)
{
    struct jr_endpoint ep = {.addr = jr_addr_v4(a->in.sin_addr.s_addr), .port = ntohs(a->in.sin_port)};

    if (a->sa.sa_family == AF_INET)
        return ep;
    memcpy(ep.addr.b, &a->in6.sin6_addr, sizeof ep.addr.b);
    if (jr_ipv6_has_zone(ep.addr))
        ep.addr = jr_ipv6_set_zone(ep.addr, (uint16_t)a->in6.sin6_scope_id);
    return ep;
}

/* A socket of the kernel's at ep; a negative errno. */
static int kernel_bound(const struct jr_sock *so, const struct jr_endpoint *ep, bool reuse)
{
    /* of the program's family: what the kernel finds in the way is not the same for both */
    const struct jr_kernel_addr a = jr_kernel_addr(ep, so->is_v6);
    const int one = 1, v6only = so->opt.v6only;
    const int fd = socket(a.sa.sa_family, so->kind | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    int err;

    if (fd < 0)
        return -errno;
    if (reuse)
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (reuse && so->opt.reuseport)
        setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &one, sizeof one);
    if (a.sa.sa_family == AF_INET6)
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &v6only, sizeof v6only);
    if (bind(fd, &a.sa, a.len) == 0)
        return fd;
    err = errno;
    close(fd);
    return -err;
}

static bool is_ours(const struct jr_sock *so, const struct jr_endpoint *ep)
{
    const uint8_t families = families_of(so, ep->addr);

    return (families & 1 && port_of(so, 0, ep->port)->refs) || (families & 2 && port_of(so, 1, ep->port)->refs);
}

int jr_port_reserve(struct jr_sock *so, const struct jr_endpoint *ep)
{
    /* Among our own sockets the stack has decided; a listener of the kernel's conflicts nevertheless. */
    const int fd = kernel_bound(so, ep, true);

    if (fd >= 0) {
        so->kernel_fd = fd;
        return 0;
    }
    if (fd == -EADDRINUSE && is_ours(so, ep)) /* whoever shares it, the stack decides */
        return 0;
    if (fd == -EADDRINUSE) {
        jr_count(so->ss->cfg.counters, JR_C_SOCK_PORT_TAKEN);
        return -EADDRINUSE;
    }
    if (fd == -EMFILE || fd == -ENFILE)
        return fd;
    jr_count(so->ss->cfg.counters,
             JR_C_SOCK_PORT_UNRESERVED); /* not the kernel's address, or we may not: nobody collides */
    return 0;
}

int jr_port_pick(struct jr_sock *so, struct jr_endpoint *ep)
{
    const struct jr_endpoint any = {.addr = ep->addr};
    const int fd = kernel_bound(so, &any, so->kind == JR_SOCK_STREAM);
    struct jr_kernel_addr a = {.len = sizeof a.in6};

    if (fd < 0)
        return fd;
    if (getsockname(fd, &a.sa, &a.len) < 0) {
        close(fd);
        return -EADDRINUSE;
    }
    if (so->kind == JR_SOCK_DGRAM && (so->opt.reuseaddr || so->opt.reuseport)) /* after the choice, which minds it */
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &(int){1}, sizeof(int));
    so->kernel_fd = fd;
    ep->port = ntohs(a.in.sin_port); /* at the same place in both families */
    return 0;
}

bool jr_port_is_kernels(const struct jr_sock *so, const struct jr_endpoint *ep)
{
    const int fd = kernel_bound(so, ep, so->kind == JR_SOCK_STREAM);

    if (fd < 0)
        return fd != -EADDRNOTAVAIL; /* in doubt it is */
    close(fd);
    return false;
}

void jr_port_unreserve(struct jr_sock *so)
{
    const struct linger none = {0};

    if (so->shadow_copies) /* a program had it: closing must not wait */
        setsockopt(so->kernel_fd, SOL_SOCKET, SO_LINGER, &none, sizeof none);
    if (so->kernel_fd >= 0)
        close(so->kernel_fd);
    so->kernel_fd = -1;
    so->shadow_copies = 0;
}

/* By the kernel's word: a listener at the port of so. */
static bool is_behind(const struct jr_sock *so, int fd)
{
    struct jr_kernel_addr a = {.len = sizeof a.in6};
    int type = 0, listens = 0;
    socklen_t len = sizeof type;

    if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) < 0 || type != SOCK_STREAM ||
        getsockname(fd, &a.sa, &a.len) < 0 || (a.sa.sa_family != AF_INET && a.sa.sa_family != AF_INET6))
        return false;
    len = sizeof listens;
    return getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &len) == 0 && listens &&
           ntohs(a.in.sin_port) == so->local.port;
}

int jr_sock_shadow(const struct jr_sock *so) { return so->shadow_copies ? so->kernel_fd : -1; }

int jr_sock_kernel_side(const struct jr_sock *so)
{
    return so->kind == JR_SOCK_STREAM && so->st & JR_ST_BOUND ? so->kernel_fd : -1;
}

void jr_sock_shadow_passed(struct jr_sock *so)
{
    if (--so->shadow_copies == 0)
        jr_port_unreserve(so);
}

int jr_sock_set_shadow(struct jr_sock *so, int fd)
{
    const struct linger none = {0};

    if (so->kind != JR_SOCK_STREAM || !(so->st & JR_ST_LISTENING) || !is_behind(so, fd))
        return -EINVAL;
    if (so->shadow_copies) { /* the same once more */
        setsockopt(fd, SOL_SOCKET, SO_LINGER, &none, sizeof none);
        close(fd);
    } else {
        jr_port_unreserve(so);
        so->kernel_fd = fd;
    }
    so->shadow_copies++;
    return 0;
}
