/* SPDX-License-Identifier: BSD-3-Clause */
/* IPv6's part of the network layer; only ip/ includes this. */
#ifndef JR_IP_STACK6_H
#define JR_IP_STACK6_H

#include "ip/stack.h"
#include "link/nd6.h"
#include "wire/ipv6.h"

/* input6.c: what link/ calls */
void jr_ip6_on_packet(void *ctx, struct jr_netif *ifp, struct jr_pkt *pkt, bool group, jr_time now);

/* output6.c: what the functions of ip.h do for IPv6 destinations */
bool jr_ip6_route(struct jr_ip *ip, struct jr_addr dst, struct jr_ip_route *out);
bool jr_ip6_route_by(struct jr_ip *ip, struct jr_addr dst, struct jr_netif *ifp, struct jr_ip_route *out);
int jr_ip6_output(struct jr_ip *ip, struct jr_pkt *pkt, const struct jr_ip_tx *tx, const struct jr_ip_route *rt,
                  jr_time now);
int jr_ip6_output_gather(struct jr_ip *ip, const struct jr_ip_tx *tx, const struct jr_ip_route *rt, const void *head,
                         uint32_t head_len, const void *a, uint32_t a_len, const void *b, uint32_t b_len, jr_time now);
uint32_t jr_ip6_pmtu_update(struct jr_ip *ip, struct jr_addr dst, uint32_t told, jr_time now);

/* addr6.c */
void jr_ip6_addr_changed(void *ctx, struct jr_netif *ifp, jr_time now);
int jr_ip6_addr_del(struct jr_ip *ip, struct jr_netif *ifp, struct jr_addr addr, jr_time now);
/* The interface of a zone, or NULL. */
struct jr_netif *jr_ip6_netif_of_zone(const struct jr_ip *ip, uint16_t zone);
/* src6.c: the source for packets to dst that leave by ifp; the wildcard: none. */
struct jr_addr jr_ip6_source_for(const struct jr_ip *ip, const struct jr_netif *ifp, struct jr_addr dst);

/* icmp6.c */
void jr_icmp6_input(struct jr_ip *ip, struct jr_pkt *pkt, const struct jr_ip_rx *rx, bool was_fragmented, jr_time now);
/* An error about the packet whose first quote_len bytes these are, if one may be sent. */
void jr_icmp6_error(struct jr_ip *ip, struct jr_netif *ifp, const struct jr_icmp6 *icmp, const uint8_t *quote,
                    uint32_t quote_len, jr_time now);
void jr_icmp6_unreach(struct jr_ip *ip, const struct jr_pkt *pkt, const struct jr_ip_rx *rx, uint8_t code4,
                      jr_time now);
void jr_icmp6_on_unresolved(struct jr_ip *ip, struct jr_netif *ifp, struct jr_pkt *pkt, jr_time now);

/* nd6_rtr.c: what routers tell */
void jr_nd6_rtr_input(struct jr_ip *ip, struct jr_netif *ifp, const struct jr_nd6_rx *rx, jr_time now);
void jr_nd6_rtr_gone(void *ctx, struct jr_netif *ifp, struct jr_addr addr, jr_time now);
void jr_nd6_rtr_silent(void *ctx, struct jr_netif *ifp, struct jr_addr addr, jr_time now);
void jr_nd6_rtr_tick(struct jr_ip *ip, jr_time now);
jr_time jr_nd6_rtr_next_tick(const struct jr_ip *ip);
void jr_nd6_rtr_forget(struct jr_ip *ip, const struct jr_netif *ifp);

#endif
