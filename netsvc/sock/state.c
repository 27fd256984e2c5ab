/* SPDX-License-Identifier: BSD-3-Clause */
/* What a slot tells its program: state, pending error, addresses. */
#include <errno.h>
#include <string.h>

#include "base/addr6.h"
#include "sock/sock.h"

void jr_sock_set_state(struct jr_sock *so, uint32_t set, uint32_t clear)
{
    so->st = (so->st & ~clear) | set;
    if (so->tp)
        __atomic_store_n(&so->sl->tcp_state, (uint32_t)jr_tcp_state(so->tp), __ATOMIC_RELAXED);
    __atomic_store_n(&so->sl->state, so->st, __ATOMIC_RELEASE);
}

void jr_sock_set_error(struct jr_sock *so, int err)
{
    so->err_serial = (so->err_serial + 1) & 0xffff;
    __atomic_store_n(&so->sl->err, so->err_serial << 16 | (uint32_t)err, __ATOMIC_RELEASE);
}

void jr_sock_fail(struct jr_sock *so, int err)
{
    jr_sock_set_error(so, err);
    jr_sock_set_state(so, JR_ST_DEAD, JR_ST_CONNECTING);
    jr_sock_touch(so, JR_SOCK_EV_STATE);
}

void jr_sock_violation(struct jr_sock *so, enum jr_counter why, jr_time now)
{
    jr_count(so->ss->cfg.counters, why);
    so->broken = true;
    if (so->tp)
        jr_tcp_close(so->tp, true, now);
    jr_sock_fail(so, ECONNABORTED);
}

struct jr_abi_addr jr_sock_abi_addr(const struct jr_sock *so, const struct jr_endpoint *ep)
{
    struct jr_abi_addr a = {.port = ep->port, .family = so->is_v6 ? AF_INET6 : AF_INET};

    const struct jr_addr wire = jr_ipv6_wire(ep->addr);

    a.scope = jr_ipv6_is_linklocal(ep->addr) ? jr_ipv6_zone(ep->addr) : 0;
    memcpy(a.addr, wire.b, sizeof a.addr);
    /* 0.0.0.0 of a v6 socket is ::, unless it was bound to the v4-mapped address by name */
    if (so->is_v6 && jr_addr_is_any(ep->addr) && !jr_addr_is_v4(so->bound.addr))
        memset(a.addr, 0, sizeof a.addr);
    return a;
}

void jr_sock_show_local(struct jr_sock *so, const struct jr_endpoint *ep)
{
    so->local = *ep;
    so->sl->local = jr_sock_abi_addr(so, ep);
}

void jr_sock_show_remote(struct jr_sock *so, const struct jr_endpoint *ep)
{
    so->remote = *ep;
    so->sl->remote = jr_sock_abi_addr(so, ep);
}

int jr_sock_endpoint(const struct jr_sock *so, const struct jr_abi_addr *a, struct jr_endpoint *ep)
{
    if (a->family != (so->is_v6 ? AF_INET6 : AF_INET))
        return -EAFNOSUPPORT;
    memcpy(ep->addr.b, a->addr, sizeof ep->addr.b);
    ep->port = a->port;
    if (jr_addr_is_any(ep->addr) && !(so->is_v6 && jr_addr_is_v4(ep->addr)))
        ep->addr = jr_sock_any(so);
    else if (!so->is_v6 && !jr_addr_is_v4(ep->addr))
        return -EINVAL;
    if (jr_ipv6_has_zone(ep->addr)) /* what the bytes of a zone hold on the wire is nothing */
        ep->addr = jr_ipv6_set_zone(ep->addr, a->scope <= UINT16_MAX ? (uint16_t)a->scope : 0);
    return 0;
}

struct jr_rule_subject jr_sock_subject(const struct jr_sock *so)
{
    return (struct jr_rule_subject){.exe = so->peer->exe, .comm = so->peer->comm, .uid = so->peer->uid};
}
