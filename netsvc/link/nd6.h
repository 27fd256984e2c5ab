/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Neighbour Discovery of an interface (RFC 4861): its IPv6 addresses with their states and lifetimes (RFC 4862), what
 * is asked of and told to neighbours, the groups it listens to. The cache itself is neigh.h's, one for both families.
 * On a port that the kernel shares, the kernel does all this and nothing is sent from here.
 */
#ifndef JR_LINK_ND6_H
#define JR_LINK_ND6_H

#include "base/pkt.h"
#include "link/netif.h"
#include "wire/icmp6.h"
#include "wire/ipv6.h"

enum {
    JR_ND6_MAX_ADDRS = 64,  /* of one interface; RAs can't add more */
    JR_ND6_MAX_GROUPS = 96, /* that it listens to */
    JR_ND6_RTR_SOLICITS = 3,
    JR_MLD6_ROBUSTNESS = 2, /* RFC 3810 9.1 */
};
#define JR_ND6_RETRANS (1 * JR_SEC)
#define JR_ND6_RTR_SOLICIT_INTERVAL (4 * JR_SEC)

enum jr_nd6_addr_state {
    JR_ND6_TENTATIVE,  /* being asked whether others have it: not ours yet */
    JR_ND6_DUPLICATED, /* others do */
    JR_ND6_ASSIGNED,
};

struct jr_nd6_addr {
    struct jr_addr addr; /* with its zone */
    uint8_t plen;
    uint8_t state;           /* enum jr_nd6_addr_state */
    bool autoconf;           /* from a router's prefix */
    bool temporary;          /* RFC 8981 */
    uint8_t dad_left;        /* TENTATIVE: solicitations still to be sent */
    jr_time dad_at;          /* TENTATIVE: when the next one is due, or the end */
    jr_time preferred_until; /* then other sources are better; JR_TIME_NEVER */
    jr_time valid_until;     /* then it goes; JR_TIME_NEVER */
};

struct jr_nd6_group {
    struct jr_addr addr; /* with its zone */
    uint16_t refs;
    uint8_t reports_left; /* state-change reports still to be sent */
    jr_time change_at, answer_at;
};

struct jr_nd6 {
    struct jr_nd6_addr *addrs;
    unsigned n_addrs;
    struct jr_nd6_group *groups;
    unsigned n_groups;
    uint16_t zone;     /* what link-local addresses carry here */
    uint8_t nonce[6];  /* of our solicitations in duplicate detection (RFC 7527) */
    uint8_t cur_hlim;  /* a router told it; 0: it did not */
    uint8_t dad_count; /* net.inet6.ip6.dad_count */
    bool accept_rtadv; /* routers are believed */
    uint32_t link_mtu; /* that routers told; 0: none */
    uint8_t rs_left;   /* router solicitations still to be sent */
    jr_time rs_at;
    jr_time retrans;    /* between solicitations */
    jr_time mld1_until; /* a querier of MLD's first version was heard */
    jr_time next_tick;  /* nothing is due before */
};

struct jr_nd6 *jr_nd6_new(struct jr_rng *rng);
void jr_nd6_free(struct jr_nd6 *nd);
/* The zone is the kernel's interface number where there is one; the layer above gives it, before any address. */
void jr_nd6_set_zone(struct jr_netif *ifp, uint16_t zone);

/* detect: duplicate detection first, if the interface does any. An address that is there gets the new lifetimes.
 * -ENOMEM, -ENOSPC */
int jr_nd6_addr_add(struct jr_netif *ifp, const struct jr_nd6_addr *a, bool detect, jr_time now);
/* -EADDRNOTAVAIL */
int jr_nd6_addr_del(struct jr_netif *ifp, struct jr_addr addr, jr_time now);
struct jr_nd6_addr *jr_nd6_addr_find(const struct jr_netif *ifp, struct jr_addr addr);
static inline bool jr_nd6_addr_usable(const struct jr_nd6_addr *a) { return a->state == JR_ND6_ASSIGNED; }
/* The link-local address that may be used, or NULL. */
const struct jr_nd6_addr *jr_nd6_linklocal(const struct jr_netif *ifp);
/* Whether the interface takes packets to this group. */
bool jr_nd6_in_group(const struct jr_netif *ifp, struct jr_addr group);
/* Asks for routers, now and twice again until one answers (RFC 4861 6.3.7). */
void jr_nd6_solicit_routers(struct jr_netif *ifp, jr_time now);
void jr_nd6_router_answered(struct jr_netif *ifp);

/* Asks who has addr: everybody who might, or one station. */
void jr_nd6_solicit(struct jr_netif *ifp, struct jr_addr addr, const struct jr_ether_addr *to, jr_time now);

/* A received ICMPv6 message, checked for length and checksum, addresses with their zones. */
struct jr_nd6_rx {
    struct jr_addr src, dst;
    uint8_t hlim;
    struct jr_icmp6 icmp;
    const uint8_t *p; /* the whole message */
    uint32_t len;
};
/* Neighbour solicitations and advertisements. */
void jr_nd6_input(struct jr_netif *ifp, const struct jr_nd6_rx *rx, jr_time now);

static inline jr_time jr_nd6_next_tick(const struct jr_netif *ifp) { return ifp->nd6->next_tick; }
void jr_nd6_tick(struct jr_netif *ifp, jr_time now);
static inline void jr_nd6_due(struct jr_netif *ifp, jr_time at)
{
    if (at < ifp->nd6->next_tick)
        ifp->nd6->next_tick = at;
}

/* Builds Ethernet and IPv6 headers (hop limit as given) in front of an ICMPv6 message of len bytes whose body is in
 * place, its checksum, and sends it. alert: with a router alert. */
struct jr_nd6_out {
    struct jr_addr src, dst;
    uint8_t hlim;
    bool alert;
    const struct jr_ether_addr *to; /* NULL: by dst, a group */
};
bool jr_nd6_send(struct jr_netif *ifp, const struct jr_nd6_out *out, const struct jr_icmp6 *icmp, const uint8_t *body,
                 uint32_t len, jr_time now);

/* mld6.c: membership (RFC 3810 6, RFC 2710 for old queriers). */
int jr_mld6_join(struct jr_netif *ifp, struct jr_addr group, jr_time now);
void jr_mld6_leave(struct jr_netif *ifp, struct jr_addr group, jr_time now);
void jr_mld6_input(struct jr_netif *ifp, const struct jr_nd6_rx *rx, jr_time now);
/* Sends what is due; returns when to come again. */
jr_time jr_mld6_tick(struct jr_netif *ifp, jr_time now);

#endif
